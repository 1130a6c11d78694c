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
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/istirdad/istirdad/internal/config"
)

var update = flag.Bool("update", false, "write the examples of configs/ anew")

// A book is a manual: the comments of a struct's fields, written as the example that is shipped.
type book struct {
	file     string // that is shipped
	source   string // whose comments they are
	header   string // above the first key
	defaults any
	said     map[string]string // what the example says where there is no default, or where a default teaches nothing

	comments map[string]string // by "Type.Field"
	shown    map[string]string // the default of every key, as it is written; none for those that have none
}

const exampleHeader = `# Every key of a gateway's configuration, with its manual: "gateway serve -config FILE".
#
# Made from the comments in internal/config/config.go by "make config".
#
# A key may be overridden by a variable: listen.channel by ISTIRDAD_LISTEN_CHANNEL. A secret is given as itself or as the
# path of a file that holds it, under the same key with _file at its end. A relative path starts at this file's folder.
# What is commented out here isn't needed; what it shows is the default, if there is one.
`

const profileHeader = `# Every key of a bank's profile, with its manual. A gateway's configuration names the file: bank.profile_file.
#
# Made from the comments in internal/config/profile.go by "make config". In profiles/ are whole ones, as examples.
#
# Every key may be changed while gateways serve: some seconds after the file stays as it is, they go by it, or at once on
# SIGHUP. A file that is wrong changes nothing: the profile before stays in force, the log says what is wrong, and /readyz and
# istirdad_ready{reason="profile"} say that something is. "gateway config check" says it before. Nothing but this file, no
# variable either, sets any of it. Several gateways may go by different profiles for a moment, which harms nobody:
# internal/config/inforce.go says why.
#
# What is commented out here isn't needed; what it shows is the default, if there is one, and an example otherwise.
`

// books are the manuals that are shipped.
func books(t *testing.T) map[string]*book {
	all := map[string]*book{
		"gateway": {file: "gateway.example.yaml", source: "config.go", header: exampleHeader, defaults: config.Default(), said: map[string]string{
			"environment": "production", "database.url_file": "/run/secrets/database_url", "redis.url_file": "/run/secrets/redis_url",
			"keys.pepper_file": "/run/secrets/pepper", "keys.seal_id": "k2026", "keys.seal_file": "/run/secrets/seal_key",
			"core.url": "https://core.example", "core.key_id": "bank-80", "core.key_file": "/run/secrets/core_signing_key",
			"core.core_key_files":   "{core-1: /run/secrets/core-1.pem}",
			"core.client_cert_file": "/run/secrets/core_client.crt", "core.client_key_file": "/run/secrets/core_client.key",
			"bank.url": "https://systems.bank.example", "bank.issuer": "https://sso.bank.example", "bank.code": `"80"`,
			"bank.profile_file":     "profile.example.yaml",
			"bank.client_cert_file": "/run/secrets/bank_client.crt", "bank.client_key_file": "/run/secrets/bank_client.key",
			"sms.url": "https://sms.example/v1/messages",
		}},
		"profile": {file: "profile.example.yaml", source: "profile.go", header: profileHeader, defaults: config.DefaultProfile(), said: map[string]string{
			"sms.sender": "Istirdad",
		}},
	}
	for _, b := range all {
		b.comments = commentsOf(t, b.source)
		b.shown = map[string]string{}
		b.show(t, "", reflect.ValueOf(b.defaults))
	}
	return all
}

// examples are shown, commented out, where a default teaches nothing.
var examples = map[string]string{
	"menu.entries": "[{id: e-payments, name: {ar: المدفوعات الإلكترونية, en: e-payments}}]",
	"sectors":      `{"090": {ar: خدمات المقيمين, en: Resident services}}`,
	"services": "{090-003: {name: {ar: تجديد الإقامة, en: Iqama renewal}}, " +
		"090-007: {suspended: {ar: أوقف البنك استرداد هذه الخدمة مؤقتًا, en: The bank has suspended this refund for now}}}",
	"notices": "[{text: {ar: نتوقف للصيانة ليلة الخميس, en: Closed for maintenance on Thursday night}, " +
		"from: 2026-03-18T20:00:00+03:00, until: 2026-03-20T02:00:00+03:00}]",
	"closures": "[{from: 2026-03-19T23:00:00+03:00, until: 2026-03-20T02:00:00+03:00}]",
}

// TestManual: the shipped examples are the manuals, and the manuals are the structs.
func TestManual(t *testing.T) {
	for name, b := range books(t) {
		t.Run(name, func(t *testing.T) {
			made := b.header + b.write(t, "", "", reflect.TypeOf(b.defaults))
			file := filepath.Join("..", "..", "configs", b.file)
			if *update {
				if err := os.WriteFile(file, []byte(made), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			shipped, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(shipped) != made {
				t.Errorf("configs/%s isn't what the comments say: make config", b.file)
			}
		})
	}
}

// write writes a section, a comment above each key.
func (b *book) write(t *testing.T, indent, path string, section reflect.Type) string {
	var text strings.Builder
	for i := range section.NumField() {
		field := section.Field(i)
		if !field.IsExported() {
			continue
		}
		key := keyOf(field)
		full := strings.TrimPrefix(path+"."+key, ".")
		comment := b.comment(t, section, field)
		if indent == "" {
			text.WriteString("\n")
		}
		explain(&text, indent+"# ", comment)
		if isSection(field.Type) {
			text.WriteString(indent + key + ":\n" + b.write(t, indent+"  ", full, field.Type))
			continue
		}
		b.checkComment(t, full, comment)
		if entry := entryType(field.Type); entry != nil && entry.Name() != "Text" {
			for i := range entry.NumField() {
				explain(&text, indent+"#   ", b.comment(t, entry, entry.Field(i)))
			}
		}
		text.WriteString(indent + b.entry(key, full) + "\n")
	}
	return text.String()
}

func (b *book) comment(t *testing.T, section reflect.Type, field reflect.StructField) string {
	comment := b.comments[section.Name()+"."+field.Name]
	if comment == "" {
		t.Errorf("%s.%s has no comment", section.Name(), field.Name)
	}
	return keysFor(comment, section)
}

func explain(text *strings.Builder, prefix, comment string) {
	for line := range strings.Lines(strings.TrimSpace(comment)) {
		text.WriteString(strings.TrimRight(prefix+strings.TrimRight(line, "\n"), " ") + "\n")
	}
}

// entry is a key with its value; commented out when the example needs none.
func (b *book) entry(key, full string) string {
	if v, found := b.said[full]; found {
		return key + ": " + v
	}
	if example, found := examples[full]; found {
		return "#" + key + ": " + example
	}
	return strings.TrimSpace("#" + key + ": " + b.shown[full])
}

// show notes how the defaults of a section's keys are written.
func (b *book) show(t *testing.T, path string, section reflect.Value) {
	t.Helper()
	for i := range section.NumField() {
		field, value := section.Type().Field(i), section.Field(i)
		if !field.IsExported() {
			continue
		}
		full := strings.TrimPrefix(path+"."+keyOf(field), ".")
		if isSection(field.Type) {
			b.show(t, full, value)
			continue
		}
		text := written(t, field, value)
		switch text {
		case `""`, "[]", "{}", `{ar: "", en: ""}`:
			text = ""
		}
		b.shown[full] = text
	}
}

// written is a value as a configuration writes it.
func written(t *testing.T, field reflect.StructField, value reflect.Value) string {
	t.Helper()
	alone := reflect.New(reflect.StructOf([]reflect.StructField{{Name: field.Name, Type: field.Type, Tag: field.Tag}})).Elem()
	alone.Field(0).Set(value)
	text, err := config.Marshal(alone.Interface())
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	return strings.TrimSpace(after)
}

// isSection tells a part of the tree from a value that happens to be a struct, and from a text, which is one.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[config.Config]().PkgPath() && t != reflect.TypeFor[config.Text]()
}

// entryType is of what a list or pairs are; nil when that is no section.
func entryType(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Slice && t.Kind() != reflect.Map || !isSection(t.Elem()) {
		return nil
	}
	return t.Elem()
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

// keysFor turns the names of fields, with which Go's comments begin, into those of keys.
func keysFor(comment string, section reflect.Type) string {
	first, rest, _ := strings.Cut(comment, " ")
	for i := range section.NumField() {
		if f := section.Field(i); f.Name == first {
			return keyOf(f) + " " + rest
		}
	}
	return comment
}

var (
	saysDefault = regexp.MustCompile(`Default ([^\s{\[]+|\{[^}]*\}|\[[^\]]*\])`)
	saysNothing = regexp.MustCompile(`Required\b|Optional\b|Default:\s|\bholds [a-z_]+\.`)
)

// checkComment: a comment says what happens when the key isn't given, and says it right.
func (b *book) checkComment(t *testing.T, key, comment string) {
	t.Helper()
	shown := b.shown[key]
	found := saysDefault.FindStringSubmatch(comment)
	switch {
	case saysNothing.MatchString(comment) && strings.Contains(comment, "Default:"): // in words
	case found == nil && shown != "" && shown != "false":
		t.Errorf("%s: the default is %s, and the comment doesn't say so", key, shown)
	case found == nil && !saysNothing.MatchString(comment):
		t.Errorf("%s: the comment says neither the default nor that it is required or optional", key)
	case found != nil && strings.TrimRight(found[1], ".,;") != strings.Trim(shown, `"`):
		t.Errorf("%s: the comment says that the default is %s, and it is %s", key, found[1], shown)
	}
}

// commentsOf are the comments of the fields, by "Type.Field".
func commentsOf(t *testing.T, source string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
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
		key := strings.TrimPrefix(path+"."+keyOf(f), ".")
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(key, f.Type)...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestShipped loads every configuration that is shipped, with the secrets that it asks for and the profile that it names,
// and every profile.
func TestShipped(t *testing.T) {
	files, err := filepath.Glob("../../configs/gateway.*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("the shipped configurations are %q: %v", files, err)
	}
	f := newFolder(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { f.mustLoad(f.filled(file)) })
	}
	for _, pattern := range []string{"../../configs/profile.*.yaml", "../../configs/profiles/*.yaml"} {
		profiles, err := filepath.Glob(pattern)
		if err != nil || len(profiles) == 0 {
			t.Fatalf("the shipped profiles are %q: %v", profiles, err)
		}
		for _, file := range profiles {
			t.Run(filepath.Base(file), func(t *testing.T) {
				if _, err := config.LoadProfile(file); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

var (
	namesProfile = regexp.MustCompile(`(?m)^( +profile_file: ).*$`)
	commentedOut = regexp.MustCompile(`(?m)^( *)#([a-z_]+: \S.*)$`)
)

// filled is a shipped configuration with this folder's secrets and profile.
func (f folder) filled(file string) string {
	f.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	return namesProfile.ReplaceAllString(strings.ReplaceAll(string(text), "/run/secrets/", f.dir+"/"), "${1}profile.yaml")
}

// TestExampleIsWholeWithoutComments: whoever takes the '#' away in front of a default changes nothing.
func TestExampleIsWholeWithoutComments(t *testing.T) {
	f := newFolder(t)
	filled := f.filled("../../configs/gateway.example.yaml")
	bare := commentedOut.ReplaceAllString(filled, "$1$2")
	if bare == filled {
		t.Fatal("no default stands there commented out")
	}
	if got, want := f.mustLoad(bare), f.mustLoad(filled); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestProfileExampleIsWholeWithoutComments: the same of the profile, whose examples are no defaults and are all right.
func TestProfileExampleIsWholeWithoutComments(t *testing.T) {
	text, err := os.ReadFile("../../configs/profile.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(path, commentedOut.ReplaceAll(text, []byte("$1$2")), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.LoadProfile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := config.DefaultProfile()
	want.SMS.Sender, want.Sectors, want.Services = "Istirdad", got.Sectors, got.Services
	want.Notices, want.Closures = got.Notices, got.Closures
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || len(got.Sectors)*len(got.Services)*len(got.Notices)*len(got.Closures) == 0 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
