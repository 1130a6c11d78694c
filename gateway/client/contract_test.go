package client

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

var update = flag.Bool("update", false, "write what is generated anew")

const contract = "../api/openapi.yaml"

// TestGenerated fails when what is committed isn't what the contract gives. `make openapi` writes it anew. Nothing is
// fetched: set-up has brought both generators.
func TestGenerated(t *testing.T) {
	spec, err := filepath.Abs(contract)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		of, file string
		makes    func(t *testing.T, into string) *exec.Cmd
		with     []string // other files that decide what comes out; reading them keeps the test cache honest
	}{
		{"Go", "internal/wire/wire.gen.go", func(t *testing.T, into string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "go", "-C", "../../.ci/oapi-codegen", "tool", "oapi-codegen",
				"-config", "config.yaml", "-o", into, spec)
		}, []string{"../../.ci/oapi-codegen/config.yaml", "../../.ci/oapi-codegen/go.mod"}},
		{"TypeScript", "typescript/src/contract.ts", func(t *testing.T, into string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "node", "typescript/node_modules/openapi-typescript/bin/cli.js", spec, "-o", into)
		}, []string{"typescript/package-lock.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.of, func(t *testing.T) {
			for _, name := range append(tt.with, contract) {
				if _, err := os.ReadFile(name); err != nil {
					t.Fatal(err)
				}
			}
			made := filepath.Join(t.TempDir(), filepath.Base(tt.file))
			if out, err := tt.makes(t, made).CombinedOutput(); err != nil {
				t.Fatalf("the generator fails (is it installed? make setup does): %v\n%s", err, out)
			}
			got, err := os.ReadFile(made)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(tt.file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s isn't what the contract gives: run make openapi and look at the difference", tt.file)
			}
		})
	}
}

// TestEveryField holds the types that are written by hand to those that are generated: every field of the contract is
// there under its name, as what it is, and no other.
func TestEveryField(t *testing.T) {
	for _, pair := range []struct{ ours, theirs any }{
		{Text{}, wire.Text{}}, {Party{}, wire.Party{}},
		{Profile{}, wire.Profile{}}, {Account{}, wire.Account{}},
		{Challenge{}, wire.Challenge{}}, {Proof{}, wire.Verified{}},
		{Menu{}, wire.Menu{}}, {Payment{}, wire.MenuEntry{}},
		{Page[Service]{}, wire.Services{}}, {Service{}, wire.Service{}},
		{Page[Request]{}, wire.ListRequest{}}, {Request{}, wire.Request{}},
		{PaidFrom{}, wire.PaidFrom{}}, {Warning{}, wire.Warning{}},
		{Preview{}, wire.Preview{}}, {Confirmation{}, wire.Receipt{}},
		{Refund{}, wire.Refund{}}, {Step{}, wire.Step{}}, {Page[Refund]{}, wire.ListRefundItem{}},
		{Fault{}, wire.Fault{}}, {Links{}, wire.Links{}}, {wireMoney{}, wire.Money{}},
	} {
		compare(t, reflect.TypeOf(pair.ours), reflect.TypeOf(pair.theirs))
	}
}

func compare(t *testing.T, ours, theirs reflect.Type) {
	t.Helper()
	own, contract := fields(ours), fields(theirs)
	if _, paged := contract["next_cursor"]; !paged && own["items"] != nil {
		delete(own, "next_cursor") // of a list that comes whole
	}
	for name, there := range contract {
		here, known := own[name]
		switch {
		case !known:
			t.Errorf("%s lacks %s of the contract", ours, name)
		case !alike(here, there):
			t.Errorf("%s has %s as %s, which is %s in the contract", ours, name, here, there)
		}
	}
	for name := range own {
		if contract[name] == nil {
			t.Errorf("%s has %s, of which the contract knows nothing", ours, name)
		}
	}
}

func fields(t reflect.Type) map[string]reflect.Type {
	byName := map[string]reflect.Type{}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			byName[name] = f.Type
		}
	}
	return byName
}

// alike tells whether one type reads what the other writes. A value that may be null may be read as the zero value.
func alike(ours, theirs reflect.Type) bool {
	if theirs.Kind() == reflect.Pointer {
		theirs = theirs.Elem()
	}
	if ours.Kind() == reflect.Pointer {
		ours = ours.Elem()
	}
	switch theirs {
	case reflect.TypeFor[wire.Money]():
		return ours == reflect.TypeFor[Halalas]()
	case reflect.TypeFor[types.Date]():
		return ours == reflect.TypeFor[Date]()
	case reflect.TypeFor[time.Time]():
		return ours == theirs
	}
	switch theirs.Kind() {
	case reflect.Slice:
		return ours.Kind() == reflect.Slice && alike(ours.Elem(), theirs.Elem())
	case reflect.Struct:
		// Of a list's items the name may differ; their fields are compared as a pair of their own.
		return ours.Kind() == reflect.Struct
	case reflect.Int64:
		return ours.Kind() == reflect.Int
	default:
		return ours.Kind() == theirs.Kind()
	}
}

// TestEveryCode: the contract's codes and ours are the same.
func TestEveryCode(t *testing.T) {
	ours := constants(t, "problem.go", func(value ast.Expr) (string, bool) {
		call, ok := value.(*ast.CallExpr)
		if !ok {
			return "", false
		}
		selector, ok := call.Args[0].(*ast.SelectorExpr)
		return selector.Sel.Name, ok
	})
	contract := constants(t, "internal/wire/wire.gen.go", nil)
	contract = slices.DeleteFunc(contract, func(name string) bool { return !strings.HasPrefix(name, "ProblemCode") })
	slices.Sort(ours)
	slices.Sort(contract)
	if len(contract) < 30 || !slices.Equal(ours, contract) {
		t.Errorf("we have the codes\n%v\nand the contract\n%v", ours, contract)
	}
}

// constants are the names of a file's constants, or what name makes of their values.
func constants(t *testing.T, file string, name func(ast.Expr) (string, bool)) []string {
	t.Helper()
	syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range syntax.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec)
			if name == nil {
				names = append(names, value.Names[0].Name)
			} else if n, ok := name(value.Values[0]); ok {
				names = append(names, n)
			}
		}
	}
	return names
}
