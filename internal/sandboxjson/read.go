// Package sandboxjson reads the JSON that the stand-ins are sent. It is strict, because a stand-in that guesses what was
// meant would hide its caller's mistakes: a fault that is misspelt would never strike, and a client that writes "Amount"
// would work until it meets the real thing.
//
// The rules are those of the APIs' pages: UTF-8, known fields exact to the case, none of them twice, nothing after the
// value, at most eight objects and arrays within one another. A field that is null is as if it weren't there, for many
// languages write what is optional so; anything else that is null is refused. It shares nothing with the gateway's own
// reader.
package sandboxjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

const depthMax = 8 // objects and arrays within one another

// ErrForm is wrapped by every error of Read. Their words say what is wrong, and may repeat what was sent.
var ErrForm = errors.New("not the JSON that is asked for")

// Read decodes body, which is one value and nothing else, into what into points at.
func Read(body []byte, into any) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: it is not UTF-8", ErrForm)
	}
	r := reader{json.NewDecoder(bytes.NewReader(body))}
	if err := r.value("the value", reflect.TypeOf(into), depthMax, false); err != nil {
		return err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", ErrForm)
	}
	err := json.Unmarshal(body, into)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return fmt.Errorf("%w: %q is not of the right type", ErrForm, mistyped.Field)
	case errors.As(err, &mistyped):
		return fmt.Errorf("%w: it is not of the right type", ErrForm)
	case err != nil: // of a field that reads itself: a time that is none, for example
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return nil
}

// A reader looks for what encoding/json forgives.
type reader struct{ *json.Decoder }

func (r reader) next() (json.Token, error) {
	token, err := r.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: it is empty, or ends or breaks somewhere", ErrForm)
	}
	return token, nil
}

// value reads one that is to become a t (nil: nobody knows what), and that may be absent or not.
func (r reader) value(name string, t reflect.Type, room int, absent bool) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	open, nested := token.(json.Delim)
	switch {
	case token == nil && absent:
		return nil
	case token == nil:
		return fmt.Errorf("%w: %s is null", ErrForm, name)
	case !nested:
		return nil
	case room == 0:
		return fmt.Errorf("%w: it is nested too deeply", ErrForm)
	}
	t = plain(t)
	if open == '[' {
		err = r.elements(name, element(t, reflect.Slice), room-1)
	} else {
		err = r.members(t, room-1)
	}
	if err == nil {
		_, err = r.next() // what closes it
	}
	return err
}

func (r reader) elements(name string, t reflect.Type, room int) error {
	for r.More() {
		if err := r.value("one of "+name, t, room, false); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) members(t reflect.Type, room int) error {
	fields := fieldsOf(t)
	seen := map[string]bool{}
	for r.More() {
		token, err := r.next()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		of := element(t, reflect.Map)
		if fields != nil {
			known := false
			if of, known = fields[name]; !known {
				return fmt.Errorf("%w: there is no field %q", ErrForm, name)
			}
		}
		if seen[name] {
			return fmt.Errorf("%w: %q is there twice", ErrForm, name)
		}
		seen[name] = true
		if err := r.value(fmt.Sprintf("%q", name), of, room, fields != nil); err != nil {
			return err
		}
	}
	return nil
}

// plain is t without its pointers; nil where the type reads itself, or nothing is known of it.
func plain(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || reads(t) {
		return nil
	}
	return t
}

func reads(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// element is the type of what is in t, if t is of that kind.
func element(t reflect.Type, kind reflect.Kind) reflect.Type {
	if t == nil || t.Kind() != kind {
		return nil
	}
	return t.Elem()
}

// fieldsOf are the types of a struct's fields, by their names in JSON; nil for what is no struct.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}
