package archtest

import (
	"os"
	"slices"
	"testing"
)

// TestTree holds this repository to its rules.
func TestTree(t *testing.T) {
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Packages["internal/archtest"] == nil {
		t.Fatal("the tree that was read does not hold this package: nothing was checked")
	}
	for _, finding := range Check(tree) {
		t.Error(finding)
	}
}

// TestRulesNameOwnFolders guards the tables against a slip of the pen: a row
// about a folder that has no floor would never come to bear.
func TestRulesNameOwnFolders(t *testing.T) {
	var rows [][]string
	for _, f := range slices.Concat(Drivers, Doors) {
		rows = append(rows, f.Only)
	}
	for _, s := range Strangers {
		rows = append(rows, s.From, s.To)
	}
	for _, n := range Names {
		rows = append(rows, n.Only)
	}
	for _, l := range Links {
		rows = append(rows, []string{l.Binary})
	}
	for _, pattern := range slices.Concat(rows...) {
		if _, ok := floorOf(example(pattern)); !ok {
			t.Errorf("%s: no floor matches it", pattern)
		}
	}
}

// TestRulesAreNeeded: what the tables let through, somebody comes by, so that a reader may take each row for the tree as it
// is.
func TestRulesAreNeeded(t *testing.T) {
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	needed := func(pattern string, by func(*Package) bool) bool {
		return slices.ContainsFunc(tree.sorted(), func(p *Package) bool { return match(pattern, p.Folder) && by(p) })
	}
	for _, f := range Floors {
		for _, pattern := range f.Folders {
			if !needed(pattern, func(*Package) bool { return true }) {
				t.Errorf("%s has a floor and isn't there", pattern)
			}
		}
	}
	for _, f := range slices.Concat(Drivers, Doors) {
		for _, pattern := range f.Only {
			if !needed(pattern, func(p *Package) bool { return p.imports(f.Import) }) {
				t.Errorf("%s may import %s and doesn't", pattern, f.Import)
			}
		}
	}
	for _, n := range Names {
		for _, pattern := range n.Only {
			if !needed(pattern, func(p *Package) bool { return n.Import == "" || p.imports(n.Import) }) {
				t.Errorf("%s may say %s.%s and doesn't import it", pattern, n.Import, n.Name)
			}
		}
	}
}

// imports reports whether a file of the package imports a path, or one below it.
func (p *Package) imports(importPath string) bool {
	return slices.ContainsFunc(p.Files, func(f *File) bool {
		return slices.ContainsFunc(f.Imports, func(i Import) bool {
			return within(i.Path, importPath)
		})
	})
}
