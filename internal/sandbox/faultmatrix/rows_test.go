package faultmatrix_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryRowHasItsTest, and every test that is named after a row belongs to one of the table in doc.go.
func TestEveryRowHasItsTest(t *testing.T) {
	doc, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\tF\d\d `).FindAllString(doc.Doc.Text(), -1)
	for i := range rows {
		rows[i] = strings.TrimSpace(rows[i])
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && regexp.MustCompile(`^TestF\d\d[A-Z]`).MatchString(f.Name.Name) {
				tested[f.Name.Name[len("Test"):len("TestF00")]] = true
			}
		}
	}
	for _, row := range rows {
		if !tested[row] {
			t.Errorf("row %s has no test", row)
		}
		delete(tested, row)
	}
	for row := range tested {
		t.Errorf("the table has no row %s, which is tested", row)
	}
	var want []string
	for n := 1; n <= 22; n++ {
		want = append(want, fmt.Sprintf("F%02d", n))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the table has the rows %v, want %v", rows, want)
	}
}
