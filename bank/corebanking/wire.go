package corebanking

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const depthMax = 16 // of an answer; the protocol's are three deep

var errMalformed = errors.New("not an answer as it must be")

// decode reads one JSON value into v, and nothing after it. Names that nobody knows are the bank's to add; but a name
// given twice, in whatever case, is refused: encoding/json takes the last, and other readers the first.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return errMalformed
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := walk(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	if err := json.Unmarshal(body, v); err != nil {
		return errMalformed // its own words would quote the answer
	}
	return nil
}

// walk reads the next value, token by token.
func walk(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil || depth > depthMax {
		return errMalformed
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			token, err := d.Token()
			name, ok := token.(string)
			// By way of upper case, since encoding/json takes ſ for s and the Kelvin sign for k.
			name = strings.ToLower(strings.ToUpper(name))
			if err != nil || !ok || seen[name] {
				return errMalformed
			}
			seen[name] = true
		}
		if err := walk(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return errMalformed
	}
	return nil
}

const nameMax = 128 // bytes

// printable reports whether s is a name as systems give them: not empty, not long, and nothing in it that isn't seen.
func printable(s string) bool {
	return s != "" && len(s) <= nameMax && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// text is a text in both languages.
type text struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}
