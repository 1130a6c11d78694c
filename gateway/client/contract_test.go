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
	known := map[string]bool{"Problem": true, "RefundItem": true, "Client": true} // by a test of its own; Refund without timeline; no body
	for _, pair := range []struct{ ours, theirs any }{
		{Text{}, wire.Text{}}, {Party{}, wire.Party{}},
		{Profile{}, wire.Profile{}}, {Account{}, wire.Account{}},
		{Challenge{}, wire.Challenge{}}, {Proof{}, wire.Verified{}},
		{Menu{}, wire.Menu{}}, {Notice{}, wire.Notice{}}, {Payment{}, wire.MenuEntry{}},
		{Page[Service]{}, wire.Services{}}, {Service{}, wire.Service{}},
		{Page[Request]{}, wire.ListRequest{}}, {Request{}, wire.Request{}},
		{PaidFrom{}, wire.PaidFrom{}}, {Warning{}, wire.Warning{}},
		{Preview{}, wire.Preview{}}, {Confirmation{}, wire.Receipt{}},
		{Refund{}, wire.Refund{}}, {Step{}, wire.Step{}}, {Page[Refund]{}, wire.ListRefundItem{}},
		{Balance{}, wire.Balance{}}, {Bucket{}, wire.Bucket{}},
		{AssistedSession{}, wire.AssistedSession{}}, {Attended{}, wire.Attended{}}, {Outlook{}, wire.Outlook{}},
		{Page[Approval]{}, wire.ListApproval{}}, {Approval{}, wire.Approval{}}, {Maker{}, wire.Maker{}},
		{Requester{}, wire.Requester{}}, {Page[Looks]{}, wire.ListLooks{}}, {Looks{}, wire.Looks{}}, {Mark{}, wire.Mark{}},
		{Fault{}, wire.Fault{}}, {Links{}, wire.Links{}}, {wireMoney{}, wire.Money{}},
	} {
		compare(t, reflect.TypeOf(pair.ours), reflect.TypeOf(pair.theirs))
		known[reflect.TypeOf(pair.theirs).Name()] = true
	}
	for _, name := range answers(t) {
		if !known[name] {
			t.Errorf("%s of the contract has no type here", name)
		}
	}
}

// answers are the structs of the generated code, less those that are made for requests.
func answers(t *testing.T) (names []string) {
	t.Helper()
	for _, decl := range generated(t).Decls {
		if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.TYPE {
			name := group.Specs[0].(*ast.TypeSpec).Name.Name
			_, isStruct := group.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
			if isStruct && !strings.HasSuffix(name, "Body") && !strings.HasSuffix(name, "Params") {
				names = append(names, name)
			}
		}
	}
	return names
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

// TestEveryCode: the contract's codes and ours are the same. That each of ours is one of the contract's, the compiler says.
func TestEveryCode(t *testing.T) {
	ours, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, decl := range generated(t).Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			if name := spec.(*ast.ValueSpec).Names[0].Name; strings.HasPrefix(name, "ProblemCode") {
				codes++
				if !bytes.Contains(ours, []byte("Code(wire."+name+")")) {
					t.Errorf("%s of the contract has no name here", name)
				}
			}
		}
	}
	if codes < 30 {
		t.Errorf("the contract has %d codes", codes)
	}
}

func generated(t *testing.T) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "internal/wire/wire.gen.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
