package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const (
	bodyMax  = 16 << 10 // bytes; the largest body that the path needs is a tenth of it
	depthMax = 8        // objects and arrays within one another
)

// What a body may not be. encoding/json forgives all of it; a signer, a proxy and we might then each have read
// something else.
var (
	errNotUTF8      = errors.New("not UTF-8")
	errNotJSON      = errors.New("not JSON")
	errTooDeep      = errors.New("nested too deeply")
	errDuplicateKey = errors.New("duplicate key")
	errTrailing     = errors.New("something after the value")
)

// unmarshalStrictly decodes one JSON value and nothing after it.
//
// huma calls it twice. The first time v is an *any: the schema is checked on what comes out, and that is where keys must
// be known and exact to the case (huma.ValidateStrictCasing, see speakProblem). The second time v is the route's own
// struct, for which encoding/json would have taken any case.
func unmarshalStrictly(body []byte, v any) error {
	if err := checkJSON(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return errNotJSON // its own words would echo the body
	}
	if checked, ok := v.(*any); ok {
		*checked = withoutNull(*checked)
	}
	return nil
}

// null stands for JSON's null where the schema is checked: a value of no type that a schema could ask for. huma takes
// null for "absent" where a field may be absent, but no field of ours may be null.
type null struct{}

func withoutNull(v any) any {
	switch v := v.(type) {
	case nil:
		return null{}
	case map[string]any:
		for key, value := range v {
			v[key] = withoutNull(value)
		}
	case []any:
		for i, value := range v {
			v[i] = withoutNull(value)
		}
	}
	return v
}

// checkJSON reads the body token by token.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkValue(d, depthMax); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

// checkValue reads one value, in which at most room objects and arrays may lie within one another.
func checkValue(d *json.Decoder, room int) error {
	token, err := d.Token()
	if err != nil {
		return errNotJSON
	}
	open, nested := token.(json.Delim)
	switch {
	case !nested:
		return nil
	case room == 0:
		return errTooDeep
	}
	keys := map[string]bool{}
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return errNotJSON
			}
			name, _ := key.(string)
			if keys[name] {
				return errDuplicateKey
			}
			keys[name] = true
		}
		if err := checkValue(d, room-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

// strictly is a request as huma gets to see it. huma matches media types by their letters (and takes "text/x+json" for
// JSON), and it would let Accept choose among its names for JSON; here a body is JSON by RFC 9110's rules or isn't, and
// an answer is JSON whatever was asked for.
type strictly struct{ humaContext }

// humaContext is huma.Context under a name that doesn't hide its method Context when it is embedded.
type humaContext huma.Context

// otherMedia is a media type that no format of ours has.
const otherMedia = "other"

func (c strictly) Header(name string) string {
	value := c.humaContext.Header(name)
	switch {
	case name == "Accept":
		return ""
	case name != "Content-Type":
		return value
	case isJSON(value):
		return "application/json"
	}
	return otherMedia
}

// isJSON reports whether a Content-Type says JSON in UTF-8. One that is missing says nothing.
func isJSON(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := parameters["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}
