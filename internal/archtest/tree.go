package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tree is what the rules look at.
type Tree struct {
	Top      []string            // names at the top
	Packages map[string]*Package // by folder, slash-separated, relative to the top
	Lua      map[string]string   // text of the Lua scripts by path

	fset *token.FileSet
}

// Package is the Go files of one folder, its external test package included.
type Package struct {
	Folder string
	Files  []*File // by name
}

// File is one Go file.
type File struct {
	Name    string // relative to the top
	Test    bool   // a _test.go file
	Syntax  *ast.File
	Imports []Import
}

// Import is one line of a file's imports.
type Import struct {
	Path string
	As   string // the name that the file uses; "." and "_" as written
	Line int
}

// Load parses every Go file under fsys, whatever its build constraints, and
// reads its Lua scripts. It leaves out what the go command leaves out (testdata
// and folders whose name starts with a dot or an underscore), node_modules, and
// modules within the module.
func Load(fsys fs.FS) (*Tree, error) {
	top, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	t := &Tree{Packages: map[string]*Package{}, Lua: map[string]string{}, fset: token.NewFileSet()}
	for _, entry := range top {
		t.Top = append(t.Top, entry.Name())
	}
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && outside(fsys, name):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		case strings.HasSuffix(name, ".go"):
			return t.addGo(fsys, name)
		case strings.HasSuffix(name, ".lua"):
			text, err := fs.ReadFile(fsys, name)
			t.Lua[name] = string(text)
			return err
		}
		return nil
	})
	return t, err
}

func outside(fsys fs.FS, folder string) bool {
	base := path.Base(folder)
	if base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(folder, "go.mod"))
	return err == nil
}

func (t *Tree) addGo(fsys fs.FS, name string) error {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	file := &File{Name: name, Test: strings.HasSuffix(name, "_test.go"), Syntax: syntax}
	for _, spec := range syntax.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		as := localName(importPath)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		file.Imports = append(file.Imports, Import{importPath, as, t.line(spec)})
	}
	folder := path.Dir(name)
	if t.Packages[folder] == nil {
		t.Packages[folder] = &Package{Folder: folder}
	}
	t.Packages[folder].Files = append(t.Packages[folder].Files, file)
	return nil
}

func (t *Tree) line(n ast.Node) int { return t.fset.Position(n.Pos()).Line }

// name is the package's name, without the "_test" of an external test package.
func (p *Package) name() string {
	return strings.TrimSuffix(p.Files[0].Syntax.Name.Name, "_test")
}

// sorted returns the packages by folder, so that findings come in one order.
func (t *Tree) sorted() []*Package {
	packages := make([]*Package, 0, len(t.Packages))
	for _, p := range t.Packages {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *Package) int { return cmp.Compare(a.Folder, b.Folder) })
	return packages
}

// localName is the name that an import goes by when none is written. The
// package clause decides that, and it is the last element of the path but for a
// major version (gobreaker/v2) in everything that the tables name.
func localName(importPath string) string {
	dir, last := path.Split(importPath)
	if _, err := strconv.Atoi(strings.TrimPrefix(last, "v")); err == nil && last[0] == 'v' && dir != "" {
		return path.Base(dir)
	}
	return last
}

// folder is the place in this tree of an import path.
func folder(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, Module+"/")
}

// standard tells whether an import is of the standard library: no dot in its
// first element.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// within tells whether an import path is root or below it.
func within(importPath, root string) bool {
	return importPath == root || strings.HasPrefix(importPath, root+"/")
}

// match tells whether a folder, or an import path, matches a pattern.
func match(pattern, name string) bool {
	whole, deep := strings.CutSuffix(pattern, "/...")
	for {
		if ok, _ := path.Match(whole, name); ok {
			return true
		}
		if !deep || !strings.Contains(name, "/") {
			return false
		}
		name = path.Dir(name)
	}
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}
