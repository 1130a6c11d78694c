package config

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// readYAML sets what the file says. The library reads the syntax. The tree is walked here, because its decoder stops at
// the first thing that is wrong, quotes what stands around it, and takes a number for a text.
func (r *reading) readYAML(text []byte, into reflect.Value) {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.unread = true
		r.problems = append(r.problems, r.syntax(err))
		return
	}
	for i, document := range file.Docs {
		switch {
		case i > 0:
			r.refuse(document.Body, "", "a second document (---) isn't read")
			return
		case document.Body != nil:
			_, mapping := document.Body.(ast.MapNode)
			_, empty := document.Body.(*ast.NullNode)
			r.unread = !mapping && !empty
			r.set("", document.Body, into)
		}
	}
}

// syntax says where the file stops being YAML. The library's words are repeated as long as they quote nothing.
func (r *reading) syntax(err error) error {
	where, why := r.path, "it isn't YAML"
	var exact yaml.Error
	if errors.As(err, &exact) {
		if token := exact.GetToken(); token != nil && token.Position != nil {
			where = fmt.Sprintf("%s:%d", r.path, token.Position.Line)
		}
		if words := exact.GetMessage(); !strings.ContainsAny(words, "\"'`") {
			why += ": " + words
		}
	}
	return fmt.Errorf("%s: %s", where, why)
}

// refuse is bad for something in the file.
func (r *reading) refuse(node ast.Node, key, why string, args ...any) {
	where := r.path
	if line := lineOf(node); line > 0 {
		where = fmt.Sprintf("%s:%d", r.path, line)
	}
	if key == "" {
		r.problems = append(r.problems, fmt.Errorf("%s: %s", where, fmt.Sprintf(why, args...)))
		return
	}
	r.said[key] = where
	r.bad(key, why, args...)
}

// saidAt notes where a key is said.
func (r *reading) saidAt(key string, node ast.Node) {
	r.said[key] = fmt.Sprintf("%s:%d", r.path, lineOf(node))
}

func lineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// set sets a value of the configuration to what a node says.
func (r *reading) set(key string, node ast.Node, value reflect.Value) {
	switch {
	case isSection(value.Type()):
		r.setSection(key, node, value)
	case value.Kind() == reflect.Map:
		r.setMap(key, node, value)
	case value.Kind() == reflect.Slice:
		r.setList(key, node, value)
	case !setScalar(node, value):
		r.refuse(node, key, "must be %s", form(value.Type()))
	}
}

func (r *reading) setSection(key string, node ast.Node, section reflect.Value) {
	if _, empty := node.(*ast.NullNode); empty {
		return // all its keys are commented out
	}
	known := map[string]reflect.Value{}
	for i := range section.NumField() {
		known[keyOf(section.Type().Field(i))] = section.Field(i)
	}
	r.pairs(key, node, func(name string, at, node ast.Node) {
		value, found := known[name]
		switch path := join(key, name); {
		case !found && plainKey.MatchString(name):
			r.refuse(at, path, "there is no such key")
		case !found: // whatever it is, it isn't repeated
			r.refuse(at, key, "what stands here is no key")
		default:
			if !isSection(value.Type()) {
				r.saidAt(path, at)
			}
			r.set(path, node, value)
		}
	})
}

// plainKey are the keys that may be repeated in an error: those that look like one.
var plainKey = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

func (r *reading) setMap(key string, node ast.Node, value reflect.Value) {
	value.Set(reflect.MakeMap(value.Type()))
	r.pairs(key, node, func(id string, at, node ast.Node) {
		entry := reflect.New(value.Type().Elem()).Elem()
		if isSection(entry.Type()) {
			path := join(key, name(id))
			r.saidAt(path, at)
			r.set(path, node, entry)
		} else if !setScalar(node, entry) {
			r.refuse(at, key, "each value must be %s", form(entry.Type()))
			return
		}
		value.SetMapIndex(reflect.ValueOf(id), entry)
	})
}

// pairs visits what a mapping says, each name once.
func (r *reading) pairs(key string, node ast.Node, visit func(name string, at, value ast.Node)) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		r.refuse(node, key, "must hold keys with values")
		return
	}
	seen := map[string]bool{}
	for pairs := mapping.MapRange(); pairs.Next(); {
		at := pairs.Key()
		name, ok := textOf(at)
		switch {
		case !ok:
			r.refuse(at, key, "each key must be text: put it in quotes")
		case seen[name]:
			if path := join(key, name); plainKey.MatchString(name) {
				r.refuse(at, path, "it is given twice")
			} else {
				r.refuse(at, key, "a key is given twice")
			}
		default:
			seen[name] = true
			visit(name, at, pairs.Value())
		}
	}
}

func (r *reading) setList(key string, node ast.Node, value reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.refuse(node, key, "must be a list, such as [a, b]")
		return
	}
	list := reflect.MakeSlice(value.Type(), len(sequence.Values), len(sequence.Values))
	for i, node := range sequence.Values {
		if isSection(list.Index(i).Type()) {
			path := entryOf(key, i)
			r.saidAt(path, node)
			r.set(path, node, list.Index(i))
		} else if !setScalar(node, list.Index(i)) {
			r.refuse(node, key, "each entry must be %s", form(list.Index(i).Type()))
			return
		}
	}
	value.Set(list)
}

// entryOf is what the i-th entry of a list is called.
func entryOf(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// setScalar sets a value to what a node says, or reports false: another type is never bent into the one that is asked for.
func setScalar(node ast.Node, value reflect.Value) bool {
	switch node := node.(type) {
	case *ast.BoolNode:
		if value.Kind() != reflect.Bool {
			return false
		}
		value.SetBool(node.Value)
		return true
	case *ast.IntegerNode, *ast.FloatNode:
		text := node.GetToken().Value
		switch value.Type() {
		case reflect.TypeFor[int]():
			n, err := strconv.ParseInt(text, 10, 32)
			value.SetInt(n)
			return err == nil
		case reflect.TypeFor[float64]():
			f, err := strconv.ParseFloat(text, 64)
			value.SetFloat(f)
			return err == nil
		}
		return false
	}
	text, ok := textOf(node)
	return ok && setText(text, value)
}

// setText sets a value that is written as text.
func setText(text string, value reflect.Value) bool {
	var err error
	switch v := value.Addr().Interface().(type) {
	case *time.Duration:
		*v, err = time.ParseDuration(text)
	case *money.Amount:
		*v, err = money.Parse(text)
	case encoding.TextUnmarshaler:
		err = v.UnmarshalText([]byte(text))
	default:
		if value.Kind() != reflect.String {
			return false
		}
		value.SetString(text)
	}
	return err == nil
}

// textOf is the text of a node that holds text, as a string or over several lines.
func textOf(node ast.Node) (string, bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return node.Value.Value, true
	}
	return "", false
}

// form says how a value of a type is written.
func form(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return `a duration with its unit, such as "10s"`
	case reflect.TypeFor[money.Amount]():
		return `an amount of riyals in quotes, such as "1000.00"`
	case reflect.TypeFor[saudi.Date]():
		return `a date, such as "2026-03-20"`
	case reflect.TypeFor[Clock]():
		return `a time of day in quotes, such as "16:00"`
	case reflect.TypeFor[Weekday]():
		return "a day of the week, such as sunday"
	case reflect.TypeFor[time.Time]():
		return "a time with its offset, such as 2026-03-20T01:00:00+03:00"
	case reflect.TypeFor[slog.Level]():
		return "DEBUG, INFO, WARN or ERROR"
	case reflect.TypeFor[int]():
		return "a whole number"
	case reflect.TypeFor[float64]():
		return "a number"
	case reflect.TypeFor[bool]():
		return "true or false"
	default:
		return "text, in quotes if it looks like anything else"
	}
}
