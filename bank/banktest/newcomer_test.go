package banktest_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const (
	top    = "../.." // of the tree
	itself = "github.com/istirdad/istirdad"
)

// TestNewcomer is a module that somebody else has just begun: what README.md says under "Testing your own system" is done
// there, with this very tree in the place of a release, until its test is green.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	n := newcomer{t: t, dir: t.TempDir(), release: release(t)}
	n.begin()
}

// begin is a newcomer's first test.
func (n *newcomer) begin() {
	n.t.Helper()
	get, test := lesson(n.t)
	n.run("go mod init example.com/refunds")
	began, computed := time.Now(), n.computed
	n.run(get)
	n.write("refund_test.go", test)
	said := n.run("go test -v -count=1 .")
	n.t.Logf("%.1f s from go get to green, with %.1f s of computing", time.Since(began).Seconds(), (n.computed - computed).Seconds())
	if !strings.Contains(said, "--- PASS: TestRefund") {
		n.t.Errorf("the test isn't run:\n%s", said)
	}

	// And what there is of examples in Go, as it is.
	example, err := os.ReadFile(filepath.Join("examples", "integration", "give_back_test.go"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.run("go get " + itself + "/gateway/client")
	n.write("give_back/give_back_test.go", string(example))
	if said := n.run("go test -v -count=1 ./give_back"); !strings.Contains(said, "--- PASS: TestGiveBack") {
		n.t.Errorf("the example isn't run:\n%s", said)
	}
	if chosen := n.run("go list -m " + itself); !strings.Contains(chosen, n.release.version.Version) {
		n.t.Errorf("it was tested with %s", chosen)
	}
}

// lesson is what the README has a newcomer type, and the test that it has them write.
func lesson(t *testing.T) (get, test string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## Testing your own system\n")
	section, _, _ = strings.Cut(section, "\n## ")
	command := regexp.MustCompile("`(go get [^`]*)`").FindStringSubmatch(section)
	block := regexp.MustCompile("(?s)```go\n(package .*?)```").FindStringSubmatch(section)
	if !found || command == nil || block == nil {
		t.Fatal(`README.md has no section "Testing your own system" with a go get and a test`)
	}
	return command[1], block[1]
}

// release makes a module proxy of files out of this tree, and returns the only version that it has.
func release(t *testing.T) published {
	t.Helper()
	p := published{proxy: t.TempDir(), version: module.Version{Path: itself, Version: "v0.0.1-" + strings.ToLower(rand.Text())}}
	at := filepath.Join(p.proxy, filepath.FromSlash(itself), "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": p.version.Version, "Time": time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(at, p.version.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	if err := zip.Create(archive, p.version, tree(t)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"list": []byte(p.version.Version + "\n"), p.version.Version + ".info": info, p.version.Version + ".mod": mod,
	} {
		if err := os.WriteFile(filepath.Join(at, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cache := goenv(t, "GOMODCACHE")
	t.Cleanup(func() { forget(t, cache, p.version) })
	return p
}

// forget takes a version out of a module cache.
func forget(t *testing.T, cache string, v module.Version) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(v.Path), "@v", v.Version+".*"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range append(kept, filepath.Join(cache, filepath.FromSlash(v.Path)+"@"+v.Version)) {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}

// published is a version of this tree on a proxy of files.
type published struct {
	version module.Version
	proxy   string // its folder
}

// tree are the files that a release of this tree has: all but what tools have made here.
func tree(t *testing.T) (files []zip.File) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != top && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "dist"):
			return filepath.SkipDir
		case d.Type().IsRegular():
			files = append(files, file(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// file is one of the tree, by its path from here.
type file string

func (f file) Path() string                 { return filepath.ToSlash(string(f))[len(top)+1:] }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(string(f)) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(string(f)) }

// newcomer is somebody with a module of their own in a folder of its own.
type newcomer struct {
	t       *testing.T
	dir     string
	release published
	caches  []string // the environment of a machine that has nothing yet; none: what this one has

	computed time.Duration // by all commands, on all cores
}

func (n *newcomer) write(name, content string) {
	n.t.Helper()
	path := filepath.Join(n.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// run runs a command. The modules that the tree needs were fetched for it to be tested, so a newcomer who shares its module
// cache asks nobody else; only where something is missing there, whom this machine asks usually.
func (n *newcomer) run(command string) string {
	n.t.Helper()
	ours := "file://" + n.release.proxy
	everybody := ours + "," + goenv(n.t, "GOPROXY")
	if n.caches != nil {
		ours = everybody
	}
	said, err := n.try(command, ours)
	if err != nil && ours != everybody && strings.HasPrefix(command, "go get ") {
		said, err = n.try(command, everybody)
	}
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", command, err, said)
	}
	return said
}

func (n *newcomer) try(command, proxy string) (string, error) {
	words := strings.Fields(command)
	c := exec.CommandContext(n.t.Context(), words[0], words[1:]...)
	c.Dir = n.dir
	c.Env = append(append(os.Environ(), n.caches...), "GOPROXY="+proxy, "GOSUMDB=off", "GOWORK=off", "GONOPROXY=none",
		"GOFLAGS="+goenv(n.t, "GOFLAGS")+" -modcacherw")
	out, err := c.CombinedOutput()
	if c.ProcessState != nil {
		n.computed += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	return string(out), err
}

func goenv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}
