package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

const variablePrefix = "ISTIRDAD_"

// readEnvironment lets variables override what the file said. They are read one by one, in the order of their names, so
// that what is wrong can be told of the one that it is wrong with.
func (l *loader) readEnvironment(environ []string) {
	keys := map[string]leaf{}
	for _, leaf := range l.leaves {
		keys[variable(leaf.key)] = leaf
	}
	variables := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, variablePrefix) {
			variables[name] = value // the last one counts, as for any program
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		leaf, known := keys[name]
		if !known {
			l.problems = append(l.problems, unknownVariable(name))
			continue
		}
		delete(l.failed, leaf.key) // what the file said of it no longer counts
		l.said[leaf.key] = name
		if value == "" {
			l.bad(leaf.key, "the variable is empty: give it a value or leave it out")
			continue
		}
		if err := override(&l.config, name, value); err != nil {
			l.bad(leaf.key, "must be %s", variableForm(leaf.value.Type()))
			continue
		}
		l.supersede(leaf.key)
	}
}

// supersede drops the other way to say a secret when the file said it: a variable beats the file, whichever of the two
// it gives. Two variables for one secret stay, to be refused.
func (l *loader) supersede(key string) {
	other := partner(key)
	if where := l.said[other]; where == "" || strings.HasPrefix(where, variablePrefix) {
		return
	}
	if o := l.leaf(other); o.key != "" && (o.value.Type() == secretType || l.leaf(key).value.Type() == secretType) {
		o.value.SetZero()
		delete(l.said, other)
		delete(l.failed, other)
	}
}

// override sets the key of one variable. The library's words are never repeated: they quote the value.
func override(c *Config, name, value string) error {
	return env.ParseWithOptions(c, env.Options{
		Environment: map[string]string{name: value},
		Prefix:      variablePrefix,
	})
}

// variableForm is form for a variable, where nothing needs quotes.
func variableForm(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list separated by commas, each " + variableForm(t.Elem())
	case reflect.Map:
		return "pairs id:value separated by commas"
	case reflect.String:
		return "text"
	default:
		return strings.Replace(form(t), " in quotes", "", 1)
	}
}

// unknownVariable refuses a variable that overrides nothing, by its name if it looks like one.
func unknownVariable(name string) error {
	switch {
	case !plainVariable.MatchString(name):
		name = variablePrefix + "…"
	case serviceLink.MatchString(name):
		return fmt.Errorf("%s: the variable overrides no key; if Kubernetes made it of a service, set enableServiceLinks to false", name)
	}
	return fmt.Errorf("%s: the variable overrides no key", name)
}

var (
	plainVariable = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	// serviceLink is how Kubernetes tells every container of a service that is called istirdad, or istirdad-something.
	serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT)|_PORT(_[0-9]+_|$)`)
)
