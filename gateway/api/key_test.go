package api_test

import (
	"strings"
	"testing"

	"github.com/istirdad/istirdad/gateway/api"
)

func TestIdempotencyKeys(t *testing.T) {
	long := strings.Repeat("k", 255)
	for _, c := range []struct {
		header, key string
		ok          bool
	}{
		{"0b9d3a56-7f0e", "0b9d3a56-7f0e", true},
		{`"0b9d3a56-7f0e"`, "0b9d3a56-7f0e", true},
		{"!~", "!~", true},
		{long, long, true},
		{`"` + long + `"`, long, true},
		{`"` + strings.Repeat(`\"`, 255) + `"`, strings.Repeat(`"`, 255), true}, // 255 characters, whatever they cost
		{`a"b`, `a"b`, true},
		{`"a\"b"`, `a"b`, true},
		{`a\b`, `a\b`, true},
		{`"a\\b"`, `a\b`, true},
		{`""`, "", true}, // an empty key, which is none
		{long + "k", "", false},
		{`"` + long + `k"`, "", false},
		{"two words", "", false},
		{`"two words"`, "", false},
		{"مفتاح", "", false},
		{"tab\tbed", "", false},
		{"nul\x00", "", false},
		{"del\x7f", "", false},
		{`"`, "", false},
		{`"open`, "", false},
		{`"shut\"`, "", false},
		{`"a"b"`, "", false},
		{`"a"; q=1`, "", false},
		{`"\n"`, "", false},
		{`"\`, "", false},
	} {
		if key, ok := api.ParseKey(c.header); key != c.key || ok != c.ok {
			t.Errorf("ParseKey(%q) = %q, %v", c.header, key, ok)
		}
	}
}

// FuzzIdempotencyKey: every key can be written bare, unless it begins with a quote, and as a string of RFC 9651, and
// both name it.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"k", `"k"`, `"a\"b"`, `"a\\b"`, `\`, `"`, `""`, `"\x"`, " ", "ك"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, ok := api.ParseKey(header)
		if !ok {
			return
		}
		if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("ParseKey(%q) = %q", header, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, ok := api.ParseKey(quoted); !ok || again != key {
			t.Fatalf("ParseKey(%q) = %q, %v, want %q", quoted, again, ok, key)
		}
		if key == "" || key[0] == '"' {
			return
		}
		if again, ok := api.ParseKey(key); !ok || again != key {
			t.Fatalf("ParseKey(%q) = %q, %v", key, again, ok)
		}
	})
}
