package archtest

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestLintConfig compares Drivers with the fences in .golangci.yml: who changes
// one changes the other.
func TestLintConfig(t *testing.T) {
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct {
						Files []string
						Deny  []struct{ Pkg, Desc string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}

	linted := map[string]string{} // reason and folders by import
	for name, rule := range config.Linters.Settings.Depguard.Rules {
		for _, deny := range rule.Deny {
			if linted[deny.Pkg] != "" {
				t.Errorf("%s: %s is fenced twice", name, deny.Pkg)
			}
			linted[deny.Pkg] = deny.Desc + " | " + strings.Join(rule.Files, " ")
		}
	}
	want := map[string]string{}
	for _, d := range Drivers {
		files := []string{"$all"}
		for _, pattern := range d.Only {
			files = append(files, "!**/"+globOf(pattern))
		}
		want[d.Import] = d.Reason + " | " + strings.Join(files, " ")
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if linted[path] != want[path] {
			t.Errorf("%s\n .golangci.yml: %s\n     rules.go: %s", path, linted[path], want[path])
		}
		delete(linted, path)
	}
	for path := range linted {
		t.Errorf("%s is fenced in .golangci.yml and not in rules.go", path)
	}
}

// globOf is a pattern of the tables as depguard writes it.
func globOf(pattern string) string {
	if folder, deep := strings.CutSuffix(pattern, "/..."); deep {
		return folder + "/**"
	}
	return pattern + "/*.go"
}
