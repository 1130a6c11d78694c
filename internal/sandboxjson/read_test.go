package sandboxjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxjson"
)

type match struct {
	User string `json:"user,omitempty"`
}

type base struct {
	ID string `json:"id"`
}

type thing struct {
	base
	Kind  string         `json:"kind"`
	Rate  float64        `json:"rate"`
	Match *match         `json:"match"`
	From  time.Time      `json:"from"`
	More  []match        `json:"more"`
	Any   any            `json:"any"`
	By    map[string]int `json:"by"`
	Never string         `json:"-"`
}

func TestRead(t *testing.T) {
	var got []thing
	const body = ` [{"kind":"late","rate":0.5,"match":{"user":"p01"},"id":"1","from":"2026-03-05T06:00:00Z",
		"more":[{"user":"a"},{}],"any":{"x":[1,{"Y":"z"}]},"by":{"A":1,"a":2}},{},
		{"kind":null,"rate":null,"match":null,"from":null,"more":null,"any":null}] `
	if err := sandboxjson.Read([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := []thing{{
		base: base{"1"}, Kind: "late", Rate: 0.5, Match: &match{"p01"}, From: time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC),
		More: []match{{"a"}, {}}, Any: map[string]any{"x": []any{1.0, map[string]any{"Y": "z"}}}, By: map[string]int{"A": 1, "a": 2},
	}, {}, {}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(thing{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	for body, says := range map[string]string{
		"":                                "empty",
		"[":                               "breaks",
		`[{"kind":"late"}`:                "breaks",
		`[{"kind"}]`:                      "breaks",
		"[{}]garbage":                     "follows",
		"[{}] []":                         "follows",
		"null":                            "null",
		"[null]":                          "null",
		`[{"by":{"a":null}}]`:             `"a" is null`,
		`[{"more":[null]}]`:               "null",
		"{}":                              "right type",
		"1":                               "right type",
		`[{"rate":"often"}]`:              `"rate"`,
		`[{"knid":"late"}]`:               `"knid"`,
		`[{"KIND":"late"}]`:               `"KIND"`,
		`[{"\u004bind":"late"}]`:          `"Kind"`,
		`[{"match":{"usr":"p01"}}]`:       `"usr"`,
		`[{"more":[{"uſer":"p01"}]}]`:     `"uſer"`,
		`[{"kind":"late","kind":"stop"}]`: `"kind" is there twice`,
		`[{"by":{"a":1,"a":2}}]`:          `"a" is there twice`,
		`[{"any":{"a":1,"a":2}}]`:         `"a" is there twice`,
		`[{"Never":"x"}]`:                 `"Never"`,
		`[{"-":"x"}]`:                     `"-"`,
		`[{"from":"yesterday"}]`:          "yesterday",
		"[{\"kind\":\"\xff\"}]":           "UTF-8",
		`[{"any":` + strings.Repeat("[", 7) + strings.Repeat("]", 7) + `}]`: "deeply",
		strings.Repeat("[", 4<<20): "deeply", // no stack is spent on it
	} {
		got := []thing{{Kind: "before"}}
		if err := sandboxjson.Read([]byte(body), &got); !errors.Is(err, sandboxjson.ErrForm) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v, want it to say %q", body, err, says)
		}
	}
}

// FuzzRead: what is taken, encoding/json takes too, as the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`[{"kind":"late","match":{"user":"p01"}}]`, `[{"KIND":1}]`, "null", `[{"any":[[{}]]}] x`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, theirs []thing
		if sandboxjson.Read(body, &got) != nil {
			return
		}
		if err := json.Unmarshal(body, &theirs); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if diff := cmp.Diff(theirs, got, cmp.AllowUnexported(thing{})); diff != "" {
			t.Error(diff)
		}
	})
}
