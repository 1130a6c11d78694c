package saudi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/saudi"
)

// refuseToRepeat fails if an error shows what was typed. Texts of a few
// characters are left out: they could stand in any sentence.
func refuseToRepeat(t *testing.T, err error, typed string) {
	t.Helper()
	if err == nil || len(typed) < 3 {
		return
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(format, err); strings.Contains(text, typed) || strings.Contains(text, saudi.Digits(typed)) {
			t.Errorf("the error repeats what was typed: %s", text)
		}
	}
}

// The secrets of the values under test, and the middle that no mask shows.
const (
	secretParty  = "2900000015"
	secretIBAN   = "SA6680000555608000000001"
	secretMobile = "+966512345678"
)

func assertHidden(t *testing.T, how, printed string) {
	t.Helper()
	for _, secret := range []string{
		secretParty, secretIBAN, secretMobile, "290000", "555608", "1234",
		fmt.Sprintf("%x", secretParty), fmt.Sprintf("%X", secretIBAN[4:20]), fmt.Sprintf("%x", secretMobile),
	} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s shows %q in %s", how, secret, printed)
		}
	}
}

// nested hides the values where fmt can call none of their methods.
type nested struct {
	party  saudi.Party
	iban   saudi.IBAN
	mobile *saudi.Mobile
	all    []any
}

type open struct {
	Party  saudi.Party
	IBAN   saudi.IBAN
	Mobile *saudi.Mobile
}

func secrets(t *testing.T) (saudi.Party, saudi.IBAN, saudi.Mobile) {
	t.Helper()
	p, err1 := saudi.ParsePerson(secretParty)
	i, err2 := saudi.ParseIBAN(secretIBAN)
	m, err3 := saudi.ParseMobile(secretMobile)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return p, i, m
}

func TestFmtNeverShowsSecrets(t *testing.T) {
	p, i, m := secrets(t)
	values := []any{
		p, i, m, &p, &i, &m,
		open{p, i, &m}, &open{p, i, &m},
		nested{p, i, &m, []any{p, i, m}}, &nested{p, i, &m, []any{&p, &i, &m}},
		[]saudi.Party{p}, map[saudi.IBAN]saudi.Mobile{i: m}, []any{p, i, m},
		struct{ n *nested }{&nested{party: p, iban: i, mobile: &m}},
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%d", "%t", "%p", "%T", "%U", "%c", "%b", "%40v", "%-40s", "%.12s", "%z"} {
		for _, value := range values {
			assertHidden(t, fmt.Sprintf("%s of %T", format, value), fmt.Sprintf(format, value))
		}
	}
	assertHidden(t, "Sprint", fmt.Sprint(values...))
	assertHidden(t, "Sprintln", fmt.Sprintln(values...))
}

func TestFmtShowsTheMask(t *testing.T) {
	p, i, m := secrets(t)
	for _, c := range []struct {
		format string
		value  any
		want   string
	}{
		{"%v", p, "2******015"},
		{"%s", &p, "2******015"},
		{"%d", p, "2******015"},
		{"%q", p, `"2******015"`},
		{"%#v", p, `saudi.Party("2******015")`},
		{"%12s|", p, "  2******015|"},
		{"%v", i, "SA66 80** **** **** **** 0001"},
		{"%#v", i, `saudi.IBAN("SA66 80** **** **** **** 0001")`},
		{"%+v", m, "+9665*****678"},
		{"%#v", m, `saudi.Mobile("+9665*****678")`},
		{"%v", saudi.Party{}, ""},
		{"%v", (*saudi.IBAN)(nil), "<nil>"},
	} {
		if got := fmt.Sprintf(c.format, c.value); got != c.want {
			t.Errorf("%s prints %s, want %s", c.format, got, c.want)
		}
	}
	if p.String() != p.Masked() || i.String() != i.Masked() || m.String() != m.Masked() {
		t.Error("String is not the mask")
	}
}

func TestLogsNeverShowSecrets(t *testing.T) {
	p, i, m := secrets(t)
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).With("with", p).WithGroup("group").Info("event",
			"party", p, "iban", i, "mobile", m, "pointer", &p, "open", open{p, i, &m},
			"nested", nested{p, i, &m, nil}, "list", []any{p, i, m}, slog.Group("g", "iban", i),
			"error", fmt.Errorf("about %v and %s: %w", p, i, saudi.ErrID))
	}
	assertHidden(t, "slog", out.String())
	if want := `"party":"2******015","iban":"SA66 80** **** **** **** 0001","mobile":"+9665*****678","pointer":"2******015"`; !strings.Contains(out.String(), want) {
		t.Errorf("an attribute is not the mask alone: %s", out.String())
	}
	for _, mask := range []string{p.Masked(), i.Masked(), m.Masked()} {
		if strings.Count(out.String(), mask) < 2 {
			t.Errorf("the mask %s is not in the log: %s", mask, out.String())
		}
	}
}

func TestErrorsNeverShowSecrets(t *testing.T) {
	p, i, m := secrets(t)
	err := errors.Join(fmt.Errorf("%w: %v", saudi.ErrParty, p), fmt.Errorf("%+v %#v", i, nested{iban: i, mobile: &m}))
	for _, format := range []string{"%v", "%+v", "%#v", "%q"} {
		assertHidden(t, "an error", fmt.Sprintf(format, err))
	}
}

func TestJSON(t *testing.T) {
	p, i, m := secrets(t)
	out, err := json.Marshal(open{p, i, &m})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Party":{"kind":"iqama","number":"2******015"},"IBAN":"SA66 80** **** **** **** 0001","Mobile":"+9665*****678"}`
	if string(out) != want {
		t.Errorf("JSON %s, want %s", out, want)
	}
	out, err = json.Marshal(open{Mobile: &saudi.Mobile{}})
	if err != nil || string(out) != `{"Party":null,"IBAN":null,"Mobile":null}` {
		t.Errorf("JSON of nothing: %s, %v", out, err)
	}
	// As a key a mask would merge accounts; encoding/json has no way to write one.
	if out, err := json.Marshal(map[saudi.IBAN]int{i: 1}); err == nil { //nolint:staticcheck // that it cannot be written is the point
		t.Errorf("JSON of a map by IBAN: %s", out)
	}
}

func TestJSONIsNotReadBack(t *testing.T) {
	for text, into := range map[string]any{
		`{"kind":"iqama","number":"2900000015"}`: new(saudi.Party),
		`"SA6680000555608000000001"`:             new(saudi.IBAN),
		`"+966512345678"`:                        new(saudi.Mobile),
	} {
		err := json.Unmarshal([]byte(text), into)
		if err == nil {
			t.Errorf("%T is read from JSON", into)
			continue
		}
		assertHidden(t, "the error", err.Error())
	}
}
