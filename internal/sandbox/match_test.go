package sandbox_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// What an answer is to be, as JSON decodes it; like is a pattern for a string that no test can know beforehand.
type (
	object = map[string]any
	array  = []any
	like   string
)

const (
	anID        = like(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	aChallenge  = like(`[A-Z2-7]{26}6`) // the last says how many digits its code has
	aReference  = like(`RF[0-9A-HJKMNP-TV-Z]{16}`)
	anInstant   = like(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)
	aHijriDate  = like(`14\d\d-\d\d-\d\d`)
	arabicWords = like(`[\p{Arabic}\p{M}\p{P}\p{Zs}]+`)
	latinWords  = like(`[\p{Latin}\p{P}\p{Zs}]+`)
)

func (l like) is(text string) bool {
	return regexp.MustCompile(`^(?:` + string(l) + `)$`).MatchString(text)
}

// texts is a text for people, whatever it says.
func texts() object { return object{"ar": arabicWords, "en": latinWords} }

func riyals(amount string) object { return object{"amount": amount, "currency": "SAR"} }

// refusal is a problem in Arabic, with the fields that every problem has and more.
func refusal(status int, code, path string, more object) object {
	p := object{
		"type": "urn:istirdad:problem:" + code, "title": arabicWords, "status": status, "detail": arabicWords,
		"instance": path, "code": code, "request_id": anID,
	}
	maps.Copy(p, more)
	return p
}

// matches fails the test unless the answer has this status, the headers that every answer of the channel has, and just
// the fields of want.
func matches(t *testing.T, r *banktest.Response, status int, want any) {
	t.Helper()
	r.Want(status)
	carriesHeaders(t, r)
	var got any
	r.JSON(&got)
	for _, d := range differences("", got, want) {
		t.Errorf("%s\nin %s", d, r.Body)
	}
}

// carriesHeaders looks for what every answer with a body has.
func carriesHeaders(t *testing.T, r *banktest.Response) {
	t.Helper()
	media := "application/json"
	if r.Status >= 400 {
		media = "application/problem+json"
	}
	if got := r.Header.Get("Content-Type"); got != media {
		t.Errorf("Content-Type is %q, want %q", got, media)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := r.Header.Get("X-Request-Id"); !anID.is(got) {
		t.Errorf("X-Request-Id is %q", got)
	}
}

func differences(where string, got, want any) (all []string) {
	switch want := want.(type) {
	case object:
		o, _ := got.(object)
		names, wanted := slices.Sorted(maps.Keys(o)), slices.Sorted(maps.Keys(want))
		if !slices.Equal(names, wanted) {
			return []string{fmt.Sprintf("%s has the fields %v, want %v", where, names, wanted)}
		}
		for _, name := range names {
			all = append(all, differences(where+"/"+name, o[name], want[name])...)
		}
		return all
	case array:
		a, _ := got.(array)
		if len(a) != len(want) || a == nil {
			return []string{fmt.Sprintf("%s is %v, want %d items", where, got, len(want))}
		}
		for i := range a {
			all = append(all, differences(fmt.Sprintf("%s/%d", where, i), a[i], want[i])...)
		}
		return all
	case like:
		if text, ok := got.(string); !ok || !want.is(text) {
			return []string{fmt.Sprintf("%s is %v, want something like %s", where, got, want)}
		}
		return nil
	case int:
		return differences(where, got, float64(want))
	}
	if !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s is %#v, want %#v", where, got, want)}
	}
	return nil
}
