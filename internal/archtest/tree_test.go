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
