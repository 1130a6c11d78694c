package archtest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The checker is tested on small trees in memory: one that obeys every rule,
// and for each rule the same tree with one file more that breaks it.

// obedient uses what the rules allow, each line at the edge of one of them.
var obedient = source{
	"internal/money/money.go":        pkg("fmt"),
	"internal/saudi/iban.go":         pkg("golang.org/x/text/unicode/norm", Module+"/internal/money"),
	"internal/reqlog/event.go":       pkg("github.com/gin-gonic/gin", Module+"/internal/saudi"),
	"gateway/refund.go":              pkg(Module + "/internal/money"),
	"gateway/refund_test.go":         test("gateway", "pgregory.net/rapid", "math/rand/v2", Module+"/gateway/sqlite", Module+"/bank/banktest"),
	"otp/otp.go":                     pkg("github.com/pquerna/otp", "github.com/pquerna/otp/hotp"),
	"bank/bank.go":                   pkg(Module+"/gateway", Module+"/otp"),
	"gateway/dispatch/dispatch.go":   pkg(Module+"/gateway", Module+"/bank"),
	"gateway/api/api.go":             pkg("github.com/gin-gonic/gin", Module+"/bank", Module+"/otp", Module+"/gateway/dispatch", Module+"/internal/reqlog"),
	"gateway/sqlite/sqlite.go":       pkg("modernc.org/sqlite", Module+"/gateway"),
	"gateway/sqlite/sqlite_test.go":  pkg(Module + "/gateway/storetest"),
	"gateway/storetest/run.go":       pkg("testing", Module+"/gateway"),
	"gateway/refundcore/client.go":   pkg("github.com/sony/gobreaker/v2", Module+"/gateway/dispatch"),
	"gateway/client/client.go":       pkg("math/rand/v2", Module+"/internal/money", Module+"/gateway/client/internal"),
	"gateway/client/internal/w.go":   pkg("github.com/oapi-codegen/runtime/types"),
	"otp/redisstore/store.go":        pkg("github.com/redis/go-redis/v9", Module+"/otp"),
	"otp/redisstore/try.lua":         "-- never pcall here\nreturn redis.call('GET', KEYS[1])\n",
	"internal/sandboxseed/seed.go":   pkg(Module + "/internal/money"),
	"internal/sandboxcore/core.go":   pkg("math/rand/v2", Module+"/internal/sandboxseed", Module+"/internal/sandboxcore/book"),
	"internal/sandboxcore/book/b.go": pkg(Module + "/internal/money"),
	"internal/program/program.go":    pkg(Module+"/gateway/api", Module+"/gateway/sqlite", Module+"/gateway/refundcore", Module+"/otp/redisstore"),
	"internal/sandbox/sandbox.go":    pkg("github.com/alicebob/miniredis/v2", Module+"/internal/program", Module+"/internal/sandboxcore"),
	"bank/banktest/banktest.go":      pkg("testing", Module+"/internal/sandbox"),
	"cmd/gateway/main.go":            command(Module + "/internal/program"),
	"cmd/gateway/main_test.go":       test("main", Module+"/bank/banktest"),
	"cmd/sandbox/main.go":            command(Module + "/internal/sandbox"),
	"configs/gateway.yaml":           "listen: 127.0.0.1:8080\n",
	"gateway/testdata/util/util.go":  "package util // what the go command doesn't see is not looked at",
	".ci/run":                        "exec make test\n",
	"README.md":                      "# Istirdad\n",
}

func TestObedientTree(t *testing.T) {
	for _, finding := range obedient.with(nil).check(t) {
		t.Error(finding)
	}
}

func TestBrokenRules(t *testing.T) {
	tests := []struct {
		rule  string
		file  string
		text  string
		where string // of the one finding
		what  string // a part of it
	}{
		{"a folder at the top", "pkg/x.md", "", "pkg", "top of the tree"},
		{"a file at the top", "notes.txt", "", "notes.txt", "top of the tree"},
		{"a folder without a floor", "internal/heap/heap.go", pkg("fmt"), "internal/heap", "no floor"},
		{"no comment", "gateway/fsck/fsck.go", "package fsck\n", "gateway/fsck", "no package comment"},
		{"a comment on nothing", "gateway/fsck/fsck.go", "// Copyright.\npackage fsck\n", "gateway/fsck", "no package comment"},
		{"a comment only in the tests", "otp/sms/sms_test.go", "package sms\n", "otp/sms", "no package comment"},
		{"a comment where godoc does not look", "gateway/sqlite/sqlite.go", "package sqlite\n", "gateway/sqlite", "no package comment"},
		{"a command without a comment", "cmd/refundctl/main.go", "package main\n", "cmd/refundctl", "no package comment"},
		{"a name without a meaning", "gateway/jsonutil/x.go", pkg(), "gateway/jsonutil", "not what it is"},
		{"a package name without a meaning", "gateway/fsck/x.go", "// Package helpers is.\npackage helpers\n", "gateway/fsck", "not what it is"},
		{"up the floors", "gateway/dispatch/up.go", pkg(Module + "/gateway/sqlite"), "gateway/dispatch/up.go:3", "from floor 3 up to 4"},
		{"a root upwards", "gateway/up.go", pkg(Module + "/bank"), "gateway/up.go:3", "from floor 1 up to 2"},
		{"machinery upwards", "internal/telemetry/up.go", pkg(Module + "/gateway"), "internal/telemetry/up.go:3", "from floor 0 up to 1"},
		{"a root beside it", "gateway/side.go", pkg(Module + "/otp"), "gateway/side.go:3", "is vocabulary"},
		{"a root on machinery", "bank/log.go", pkg(Module + "/internal/reqlog"), "bank/log.go:3", "is vocabulary"},
		{"a root on a library", "bank/id.go", pkg("github.com/google/go-cmp/cmp"), "bank/id.go:3", "standard library alone"},
		{"a value on a library", "internal/moi/x.go", pkg("github.com/google/go-cmp/cmp"), "internal/moi/x.go:3", "standard library alone"},
		{"a value on machinery", "internal/moi/x.go", pkg(Module + "/internal/reqlog"), "internal/moi/x.go:3", "the ground floor stands on"},
		{"a neighbour's subfolder", "gateway/api/x.go", pkg(Module + "/otp/redisstore"), "gateway/api/x.go:3", "neighbour's subfolder"},
		{"a neighbour's subfolder, from the cellar", "internal/ops/x.go", pkg(Module + "/gateway/sqlite"), "internal/ops/x.go:3", "neighbour's subfolder"},
		{"a stand-in on machinery", "internal/sandboxcore/x.go", pkg(Module + "/internal/reqlog"), "internal/sandboxcore/x.go:3", "a stand-in takes nothing"},
		{"a stand-in on another", "internal/sandboxphone/x.go", pkg(Module + "/internal/sandboxcore/book"), "internal/sandboxphone/x.go:3", "a stand-in takes nothing"},
		{"a stand-in's test on the gateway", "internal/sandboxcore/x_test.go", test("sandboxcore", Module+"/gateway"), "internal/sandboxcore/x_test.go:2", "shares its mistakes"},
		{"the server in a client", "gateway/client/x.go", pkg(Module + "/gateway"), "gateway/client/x.go:3", "link a part of the server"},
		{"machinery in a client", "gateway/client/x.go", pkg(Module + "/internal/reqlog"), "gateway/client/x.go:3", "link a part of the server"},
		{"a library in a client", "gateway/client/x.go", pkg("github.com/google/go-cmp/cmp"), "gateway/client/x.go:3", "take this library along"},
		{"a driver in a test elsewhere", "gateway/api/x_test.go", test("api", "modernc.org/sqlite"), "gateway/api/x_test.go:2", "end at the embedded store"},
		{"a protected call", "otp/redisstore/x.lua", "local a = 1\nredis.pcall('DEL', KEYS[1]) -- pcall\n", "otp/redisstore/x.lua:2", "protected call"},
		{"a fake in the production binary, far away", "gateway/refundcore/far.go", pkg(Module + "/gateway/storetest"), "cmd/gateway", "(cmd/gateway → internal/program → gateway/refundcore → gateway/storetest)"},
		{"a library's fake in the production binary", "internal/program/x.go", pkg("github.com/alicebob/miniredis/v2/server"), "cmd/gateway", "a fake can be configured"},
		{"a name under another name", "gateway/client/c.go", "// Package client is.\npackage client\n\nimport web \"net/http\"\n\nvar C = web.DefaultClient\n", "gateway/client/c.go:6", "no deadline"},
		{"a promise nobody may make", "gateway/sqlite/x_test.go", "package sqlite\n\ntype err struct{}\n\nfunc (err) SafeToRetry() bool { return true }\n", "gateway/sqlite/x_test.go:5", "lost COMMIT"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			found := obedient.with(source{tt.file: tt.text}).check(t)
			if len(found) == 0 {
				t.Fatal("nothing was found")
			}
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Where == tt.where && strings.Contains(f.What, tt.what) }) {
				t.Errorf("want %s: …%s…", tt.where, tt.what)
			}
			for _, f := range found {
				if !strings.HasPrefix(f.Where, tt.where) && !strings.HasPrefix(f.Where, "cmd/gateway") {
					t.Errorf("also found %s", f)
				}
			}
		})
	}
}

// TestEveryFence crosses each fence of the tables once, and once more where
// that is allowed, so that a row which no longer bites is seen.
func TestEveryFence(t *testing.T) {
	for _, fence := range slices.Concat(Drivers, Doors) {
		t.Run(fence.Import, func(t *testing.T) {
			stranger := source{"gateway/fsck/x.go": pkg(fence.Import)}
			wantReason(t, obedient.with(stranger).check(t), "gateway/fsck/x.go:3", fence.Reason)

			tested := source{"gateway/fsck/x.go": pkg(), "gateway/fsck/x_test.go": test("fsck", fence.Import)}
			if found := obedient.with(tested).check(t); fence.Tests {
				wantReason(t, found, "gateway/fsck/x_test.go:2", fence.Reason)
			} else if len(found) > 0 {
				t.Errorf("a test may import it, but: %v", found)
			}

			for _, pattern := range fence.Only {
				file := example(pattern) + "/allowed.go"
				for _, finding := range obedient.with(source{file: pkg(fence.Import)}).check(t) {
					if strings.Contains(finding.What, fence.Reason) {
						t.Errorf("%s: refused where it belongs: %s", pattern, finding)
					}
				}
			}
		})
	}
}

func TestEveryStranger(t *testing.T) {
	for _, s := range Strangers {
		for _, from := range s.From {
			for _, to := range s.To {
				file := example(from) + "/x_test.go"
				found := obedient.with(source{file: test(path.Base(example(from)), Module+"/"+example(to))}).check(t)
				wantReason(t, found, file+":2", s.Reason)
			}
		}
	}
}

func TestEveryName(t *testing.T) {
	for _, n := range Names {
		t.Run(n.Name, func(t *testing.T) {
			text := "\nvar _ = " + localName(n.Import) + "." + n.Name + "\n"
			imports := []string{n.Import}
			if n.Import == "" {
				text, imports = "\nvar _ = x."+n.Name+"\n", nil
			}
			file := "gateway/fsck/x.go"
			body := strings.ReplaceAll(pkg(imports...), "import _ ", "import ") + text
			found := obedient.with(source{file: body}).check(t)
			wantReason(t, found, fmt.Sprintf("%s:%d", file, strings.Count(body, "\n")), n.Reason)

			inTest := source{"gateway/sqlite/x_test.go": body}
			refused := slices.ContainsFunc(obedient.with(inTest).check(t), func(f Finding) bool { return strings.Contains(f.What, n.Reason) })
			if refused != n.Tests {
				t.Errorf("refused in a test: %v, want %v", refused, n.Tests)
			}
		})
	}
}

func TestEveryLink(t *testing.T) {
	for _, link := range Links {
		for _, never := range link.Never {
			target := example(never)
			if _, ours := floorOf(target); ours {
				target = Module + "/" + target
			}
			found := obedient.with(source{"internal/program/x.go": pkg(target)}).check(t)
			wantReason(t, found, link.Binary, link.Reason)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"gateway", "gateway", true},
		{"gateway", "gateway/api", false},
		{"gateway/...", "gateway", true},
		{"gateway/...", "gateway/client/ts", true},
		{"gateway/...", "gatewayish", false},
		{"internal/sandbox?*/...", "internal/sandbox", false},
		{"internal/sandbox?*/...", "internal/sandbox/referee", false},
		{"internal/sandbox?*/...", "internal/sandboxcore", true},
		{"internal/sandbox?*/...", "internal/sandboxcore/book", true},
		{"internal/sandbox*/...", "internal/sandbox/referee", true},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

func wantReason(t *testing.T, found []Finding, where, reason string) {
	t.Helper()
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.Where == where && strings.Contains(f.What, reason) }) {
		t.Errorf("want %s: …%s, have %v", where, reason, found)
	}
}

// source is a tree in memory: text by path.
type source map[string]string

func (s source) with(more source) source {
	both := maps.Clone(s)
	maps.Copy(both, more)
	return both
}

func (s source) check(t *testing.T) []Finding {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range s {
		files[name] = &fstest.MapFile{Data: []byte(named(name, text))}
	}
	tree, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return Check(tree)
}

// pkg is a file of the package that it is put in, with a comment and imports
// from line 3 on.
func pkg(imports ...string) string {
	return "// Package NAME is.\npackage NAME\n" + importing(imports)
}

func command(imports ...string) string {
	return "// Command NAME is.\npackage main\n" + importing(imports)
}

// test is a test file of a package, with imports from line 2 on.
func test(name string, imports ...string) string {
	return "package " + name + "\n" + importing(imports)
}

func importing(imports []string) string {
	var b strings.Builder
	for _, i := range imports {
		fmt.Fprintf(&b, "import _ %q\n", i)
	}
	return b.String()
}

// named puts the folder's name into the text of pkg and command.
func named(file, text string) string {
	return strings.ReplaceAll(text, "NAME", path.Base(path.Dir(file)))
}

// example is a folder that matches a pattern: the one that it is written around.
func example(pattern string) string {
	return strings.NewReplacer("/...", "", "sandbox?*", "sandboxcore", "sandbox*", "sandboxcore").Replace(pattern)
}
