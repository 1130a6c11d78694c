package config_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caarlos0/env/v11"

	"github.com/istirdad/istirdad/internal/config"
)

var update = flag.Bool("update", false, "write configs/gateway.example.yaml anew")

const example = "../../configs/gateway.example.yaml"

// exampleHeader is what stands above the first key.
const exampleHeader = `# Every key of a gateway's configuration, with its manual: "gateway serve -config FILE".
#
# Made from the comments in internal/config/config.go by "go test ./internal/config -run TestManual -update".
#
# A key may be overridden by a variable: listen.channel by ISTIRDAD_LISTEN_CHANNEL. A secret is given as itself or as the
# path of a file that holds it, under the same key with _file at its end. A relative path starts at this file's folder.
# What is commented out here isn't needed; what it shows is the default, if there is one.
`

// said is what the example says where there is no default: everything that production requires.
var said = map[string]string{
	"environment": "production", "database.url_file": "/run/secrets/database_url", "redis.url_file": "/run/secrets/redis_url",
	"keys.pepper_file": "/run/secrets/pepper", "keys.seal_id": "k2026", "keys.seal_file": "/run/secrets/seal_key",
	"core.url": "https://core.example", "core.key_id": "bank-80", "core.key_file": "/run/secrets/core_signing_key",
	"core.core_key_files":   "{core-1: /run/secrets/core-1.pem}",
	"core.client_cert_file": "/run/secrets/core_client.crt", "core.client_key_file": "/run/secrets/core_client.key",
	"bank.url": "https://systems.bank.example", "bank.issuer": "https://sso.bank.example", "bank.code": `"80"`,
	"bank.client_cert_file": "/run/secrets/bank_client.crt", "bank.client_key_file": "/run/secrets/bank_client.key",
	"sms.url": "https://sms.example/v1/messages", "sms.sender": "Istirdad",
}

// TestManual: the shipped example is the manual, and the manual is the struct.
func TestManual(t *testing.T) {
	made := exampleHeader + manual(t, commentsOf(t), "", "", reflect.ValueOf(config.Default()))
	if *update {
		if err := os.WriteFile(example, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != made {
		t.Errorf("configs/gateway.example.yaml isn't what the comments say: go test ./internal/config -run TestManual -update")
	}
}

// manual writes a section, a comment above each key.
func manual(t *testing.T, comments map[string]string, indent, path string, section reflect.Value) string {
	var text strings.Builder
	for i := range section.NumField() {
		field, value := section.Type().Field(i), section.Field(i)
		if !field.IsExported() {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		full := strings.TrimPrefix(path+"."+key, ".")
		comment := comments[section.Type().Name()+"."+field.Name]
		if comment == "" {
			t.Errorf("%s has no comment", full)
		}
		if indent == "" {
			text.WriteString("\n")
		}
		for line := range strings.Lines(strings.TrimSpace(keysFor(comment, section.Type()))) {
			text.WriteString(strings.TrimRight(indent+"# "+strings.TrimRight(line, "\n"), " ") + "\n")
		}
		if field.Type.Kind() == reflect.Struct {
			text.WriteString(indent + key + ":\n" + manual(t, comments, indent+"  ", full, value))
			continue
		}
		text.WriteString(indent + entry(key, full) + "\n")
		checkComment(t, full, comment)
	}
	return text.String()
}

// entry is a key with its value; commented out when the example needs none.
func entry(key, full string) string {
	if v, found := said[full]; found {
		return key + ": " + v
	}
	return strings.TrimSpace("#" + key + ": " + shown(full))
}

// shown is how the default of a key is written; empty when there is none.
func shown(full string) string {
	text := defaults()[full]
	switch text {
	case `""`, "[]", "{}":
		return ""
	}
	return text
}

// defaults are the values of all keys, as a configuration writes itself.
var defaults = sync.OnceValue(func() map[string]string {
	values, path := map[string]string{}, ""
	for line := range strings.Lines(config.Default().String()) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
		for depth := len(key) - len(strings.TrimLeft(key, " ")); strings.Count(path, ".")*2 > depth; {
			path = path[:strings.LastIndex(path[:len(path)-1], ".")+1]
		}
		if key = strings.TrimSpace(key); value == "" {
			path += key + "."
		}
		values[path+key] = strings.TrimSpace(value)
	}
	return values
})

// keysFor turns the names of fields, with which Go's comments begin, into those of keys.
func keysFor(comment string, section reflect.Type) string {
	first, rest, _ := strings.Cut(comment, " ")
	for i := range section.NumField() {
		if f := section.Field(i); f.Name == first {
			return f.Tag.Get("yaml") + " " + rest
		}
	}
	return comment
}

var (
	saysDefault = regexp.MustCompile(`Default ([^,;\s]+)`)
	saysNothing = regexp.MustCompile(`Required\b|Optional\b|Default:\s|\bholds [a-z_]+\.`)
)

// checkComment: a comment says what happens when the key isn't given, and says it right.
func checkComment(t *testing.T, key, comment string) {
	t.Helper()
	found := saysDefault.FindStringSubmatch(comment)
	switch {
	case found == nil && shown(key) != "" && shown(key) != "false":
		t.Errorf("%s: the default is %s, and the comment doesn't say so", key, shown(key))
	case found == nil && !saysNothing.MatchString(comment):
		t.Errorf("%s: the comment says neither the default nor that it is required or optional", key)
	case found != nil && strings.TrimSuffix(found[1], ".") != strings.Trim(shown(key), `"`):
		t.Errorf("%s: the comment says that the default is %s, and it is %s", key, found[1], shown(key))
	}
}

// commentsOf are the comments of the fields, by "Type.Field".
func commentsOf(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				comments[spec.Name.Name+"."+f.Names[0].Name] = f.Doc.Text()
			}
		}
		return true
	})
	return comments
}

// TestVariables: the variable of every key is its path in capitals, and no two keys share one.
func TestVariables(t *testing.T) {
	params, err := env.GetFieldParamsWithOptions(&config.Config{}, env.Options{Prefix: "ISTIRDAD_"})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, p := range params {
		got = append(got, p.Key)
	}
	for _, key := range keysOf("", reflect.TypeFor[config.Config]()) {
		want = append(want, "ISTIRDAD_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	slices.Sort(want)
	if len(slices.Compact(want)) != len(got) {
		t.Error("two keys have one variable")
	}
}

func keysOf(path string, section reflect.Type) []string {
	var keys []string
	for i := range section.NumField() {
		f := section.Field(i)
		if !f.IsExported() {
			continue
		}
		key := strings.TrimPrefix(path+"."+f.Tag.Get("yaml"), ".")
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(key, f.Type)...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestShipped loads every configuration that is shipped, with the secrets that it asks for.
func TestShipped(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("the shipped configurations are %q: %v", files, err)
	}
	f := newFolder(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f.mustLoad(strings.ReplaceAll(string(text), "/run/secrets/", f.dir+"/"))
		})
	}
}

// TestExampleIsWholeWithoutComments: whoever takes the '#' away in front of a default changes nothing.
func TestExampleIsWholeWithoutComments(t *testing.T) {
	f := newFolder(t)
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.ReplaceAll(string(text), "/run/secrets/", f.dir+"/")
	bare := regexp.MustCompile(`(?m)^( *)#([a-z_]+: \S.*)$`).ReplaceAllString(filled, "$1$2")
	if bare == filled {
		t.Fatal("no default stands there commented out")
	}
	if got, want := f.mustLoad(bare), f.mustLoad(filled); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
