package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/gateway/api"
)

func TestStrictJSON(t *testing.T) {
	deep := func(n int, inside string) string { return strings.Repeat("[", n) + inside + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"an object":                      {`{"a":"b"}`, true},
		"space around":                   {" \t\r\n{\"a\": 1 }\n", true},
		"one key in two objects":         {`{"a":{"b":1},"c":{"b":1}}`, true},
		"8 within one another":           {deep(8, "1"), true},
		"9 within one another":           {deep(9, "1"), false},
		"9 within one another, empty":    {deep(9, ""), false},
		"thousands within one another":   {strings.Repeat(`{"a":`, 3000), false},
		"nothing":                        {"", false},
		"space alone":                    {"  ", false},
		"a key twice":                    {`{"a":1,"a":1}`, false},
		"a key twice, once escaped":      {`{"a":1,"\u0061":1}`, false},
		"a key twice, deeper":            {`[{"a":{"b":1,"b":2}}]`, false},
		"a word after the value":         {`{} x`, false},
		"a second value":                 {`{}{}`, false},
		"a NUL after the value":          {"{}\x00", false},
		"a byte that is no UTF-8":        {"{\"a\":\"\xff\"}", false},
		"a surrogate in UTF-8":           {"{\"a\":\"\xed\xa0\x80\"}", false},
		"UTF-8 with a byte order mark":   {"\ufeff{}", false},
		"UTF-16":                         {"\xff\xfe{\x00}\x00", false},
		"a comment":                      {`{/**/}`, false},
		"a trailing comma":               {`{"a":1,}`, false},
		"single quotes":                  {`{'a':1}`, false},
		"cut off":                        {`{"a":`, false},
		"the wrong bracket":              {`{"a":[1}]`, false},
		"a bracket alone":                {`]`, false},
		"NaN":                            {`{"a":NaN}`, false},
		"a number that no float64 holds": {`{"a":1e999}`, false},
		"a number with a leading zero":   {`{"a":01}`, false},
		"a control character":            {"{\"a\":\"\n\"}", false},
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			if err := api.UnmarshalStrictly([]byte(c.body), &v); (err == nil) != c.ok {
				t.Fatalf("UnmarshalStrictly says %v", err)
			}
		})
	}
}

// FuzzStrictJSON: whatever is taken, encoding/json takes too and reads the same in it; and no key of it was given twice,
// for then what comes out would have fewer keys than what went in.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"request_id":"rq-p03-1","account_number":"SA1280000555608000000003","id_number":"٢٩٠٠٠٠٠٠١٥"}`,
		`{"purpose":"profile"}`, `{}`, `[[[[[[[[1]]]]]]]]`, `[[[[[[[[[]]]]]]]]]`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		`{"a":null}`, "\xff", `{} {}`, `"\ud800"`, `1e400`, `-0`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want any
		if api.UnmarshalStrictly(body, &got) != nil {
			return
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("taken, and encoding/json says %v", err)
		}
		// Through a struct's field no null is replaced, so there the two agree to the letter.
		var field struct{ V json.RawMessage }
		if err := api.UnmarshalStrictly([]byte(`{"V":`+string(body)+`}`), &field); err == nil {
			var inside any
			if err := json.Unmarshal(field.V, &inside); err != nil || !reflect.DeepEqual(inside, want) {
				t.Fatalf("read %#v (%v), want %#v", inside, err, want)
			}
		}
		if n, m := values(got), values(want); n != m {
			t.Fatalf("%d values, and encoding/json finds %d", n, m)
		}
		if depth(want) > 8 {
			t.Fatalf("%d within one another", depth(want))
		}
	})
}

func values(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			n += values(inner)
		}
	case []any:
		for _, inner := range v {
			n += values(inner)
		}
	}
	return n
}

func depth(v any) int {
	deepest := -1
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			deepest = max(deepest, depth(inner))
		}
	case []any:
		for _, inner := range v {
			deepest = max(deepest, depth(inner))
		}
	default:
		return 0
	}
	return 1 + max(deepest, 0)
}

func TestMediaTypes(t *testing.T) {
	for media, want := range map[string]bool{
		"application/json":                       true,
		"Application/JSON":                       true,
		"application/json; charset=utf-8":        true,
		"application/json ;charset=\"UTF-8\"":    true,
		"application/json; charset=utf-16":       false,
		"application/json; charset=windows-1256": false,
		"":                                       false,
		"json":                                   false,
		"text/json":                              false,
		"text/plain":                             false,
		"text/x+json":                            false,
		"application/problem+json":               false,
		"application/x-www-form-urlencoded":      false,
		"application/json, text/plain":           false,
		"application/json; =":                    false,
	} {
		if api.IsJSON(media) != want {
			t.Errorf("%q taken as JSON: %v", media, !want)
		}
	}
}
