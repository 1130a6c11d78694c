package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// planted is what a person must never read back: an ID number, in every malformed request of these tests.
const planted = "2900000015"

// malformable is what there is to get wrong about a route's form.
type malformable struct {
	path     string
	staff    string            // whose route it is; empty: p01's
	body     map[string]any    // a well-formed one; nil: the route takes none
	optional []string          // which of its fields may be absent; with all of them the body may
	query    map[string]string // parameters, each with a value that is wrong
	none     string            // why nothing of it can be malformed
}

var forms = map[string]malformable{
	"GET /v1/profile":                               {none: "takes nothing"},
	"GET /v1/payments":                              {none: "takes nothing"},
	"GET /v1/payments/e-payments":                   {none: "takes nothing"},
	"GET /v1/refunds/:refund_id":                    {none: "takes an id, and a malformed one is not found"},
	"GET /v1/refunds/:refund_id/events":             {none: "takes an id, and a malformed one is not found; and a hint, which may be anything"},
	"GET /v1/refunds/:refund_id/receipt":            {none: "takes an id, and a malformed one is not found"},
	"DELETE /v1/refunds/:refund_id":                 {none: "takes an id, and a malformed one is not found"},
	"GET /openapi.yaml":                             {none: "takes nothing"},
	"GET /reference":                                {none: "takes nothing"},
	"POST /core/callbacks":                          {none: "its bytes are signed: what isn't signed rightly is 401 unread"},
	"DELETE /v1/session":                            {none: "takes nothing"},
	"POST /v1/balance-inquiries":                    {path: "/v1/balance-inquiries", body: map[string]any{"id_number": "x"}},
	"GET /v1/payments/e-payments/:service/requests": {path: "/v1/payments/e-payments/090-003/requests", query: wrongPages},
	"GET /v1/refunds":                               {path: "/v1/refunds", query: wrongPages},
	"POST /v1/otp/challenges":                       {path: "/v1/otp/challenges", body: map[string]any{"purpose": "refund", "refund_id": "x"}, optional: []string{"refund_id"}},
	"POST /v1/otp/challenges/:challenge_id/resend":  {path: "/v1/otp/challenges/x/resend", body: map[string]any{}},
	"POST /v1/otp/challenges/:challenge_id/verify":  {path: "/v1/otp/challenges/x/verify", body: map[string]any{"code": "000000"}},
	"POST /v1/refunds":                              {path: "/v1/refunds", body: map[string]any{"request_id": "x", "account_number": "x", "id_number": "x"}},
	"POST /v1/assisted-sessions": {
		path: "/v1/assisted-sessions", staff: "t01", optional: []string{"identity_check"},
		body: map[string]any{"id_number": "x", "document_seen": true, "identity_check": map[string]any{"method": "x", "note": "x"}},
	},
	"POST /v1/assisted-sessions/:assisted_session_id/verify": {path: "/v1/assisted-sessions/x/verify", staff: "t01", body: map[string]any{"code": "000000"}},
	"DELETE /v1/assisted-sessions/:assisted_session_id":      {none: "takes an id, and a malformed one is not found"},
	"GET /v1/approvals": {path: "/v1/approvals", staff: "a01", query: wrongPages},
	"GET /v1/lookups":   {path: "/v1/lookups", staff: "a01", query: wrongPages},
	"POST /v1/approvals/:refund_id/approve": {
		path: "/v1/approvals/x/approve", staff: "a01", body: map[string]any{"note": "x", "digest": "x"},
	},
	"POST /v1/approvals/:refund_id/reject": {path: "/v1/approvals/x/reject", staff: "a01", body: map[string]any{"note": "x"}},
	"POST /v1/unblocks":                    {path: "/v1/unblocks", staff: "a01", body: map[string]any{"id_number": "x", "note": "x"}},
	"POST /v1/refunds/:refund_id/confirm":  {path: "/v1/refunds/x/confirm", body: map[string]any{"challenge_id": "x", "code": "000000"}, optional: []string{"challenge_id", "code"}},
}

var wrongPages = map[string]string{
	"limit": "0 101 -1 twenty 1.5 ٢٠ ۲۰ 9999999999999999999999 " + planted + "x", "cursor": "x %FF " + planted + " " + strings.Repeat("A", 1025),
}

// wrong is one way of getting a request wrong, and where and what the answer then says is wrong.
type wrong struct {
	name    string
	body    any
	media   string
	pointer string
	code    api.FaultCode
}

// TestMalformed sends each route everything that it must not take, and finds that nothing came of it.
func TestMalformed(t *testing.T) {
	everyRoute(t, forms)
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p01")
	c.Prove()
	sms := len(w.Messages())
	one := key() // the same for all: a refused request doesn't burn it
	for _, route := range slices.Sorted(maps.Keys(forms)) {
		f := forms[route]
		method, _, _ := strings.Cut(route, " ")
		t.Run(strings.ReplaceAll(route, "/", " "), func(t *testing.T) {
			d, token := d.in(t), c.Token
			if f.staff != "" {
				token = w.Customer(f.staff).Token
			}
			for name, values := range f.query {
				for value := range strings.FieldsSeq(values) {
					got := d.ask(ask{method: method, path: f.path + "?" + name + "=" + value, token: token}).want(400, "malformed_request")
					if faults := got.problem().Errors; len(faults) != 1 || faults[0].Pointer != name {
						t.Errorf("%s=%s: %v", name, value, faults)
					}
					silent(t, got, value)
				}
			}
			if f.body == nil {
				return
			}
			for _, bad := range f.wrongs() {
				a := ask{method: method, path: f.path, token: token, body: bad.body, media: bad.media}
				if route == "POST /v1/refunds" {
					a.header = one
				}
				got := d.ask(a)
				if got.StatusCode != 400 || got.problem().Code != "malformed_request" {
					t.Errorf("%s: answered %d %s", bad.name, got.StatusCode, got.problem().Code)
					continue
				}
				if faults := got.problem().Errors; !slices.Contains(faults, api.Fault{Pointer: bad.pointer, Code: bad.code}) {
					t.Errorf("%s: faults %v, want %s at %q", bad.name, faults, bad.code, bad.pointer)
				}
				silent(t, got, "MixedCase")
			}
		})
	}
	if n := len(w.Messages()); n != sms {
		t.Errorf("%d SMS were sent", n-sms)
	}
	nothingStored(t, d, c)
	d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: one, body: asked(c, "rq-p01-1")}).want(201)
}

// wrongs are all ways of getting the body wrong.
func (f malformable) wrongs() []wrong {
	well := func() map[string]any {
		body := map[string]any{}
		for name, value := range f.body {
			body[name] = value
		}
		return body
	}
	with := func(name string, value any) map[string]any {
		body := well()
		body[name] = value
		return body
	}
	written, _ := json.Marshal(f.body)
	text := string(written)
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	comma := ","
	if inner == "" {
		comma = ""
	}

	bad := []wrong{
		{"an array", "[]", "", "", "type"},
		{"an array around it", "[" + text + "]", "", "", "type"},
		{"a string", `"` + planted + `"`, "", "", "type"},
		{"a number", planted, "", "", "type"},
		{"null", "null", "", "", "type"},
		{"true", "true", "", "", "type"},
		{"cut off", text[:len(text)-1], "", "", "malformed"},
		{"trailing word", text + " " + planted, "", "", "malformed"},
		{"trailing value", text + "{}", "", "", "malformed"},
		{"not UTF-8", `{` + inner + comma + `"x":"` + "\xff" + planted + `"}`, "", "", "malformed"},
		{"not JSON", planted + "=" + planted, "", "", "malformed"},
		{"a space", " ", "", "", "malformed"},
		{"9 within one another", `{` + inner + comma + `"x":` + strings.Repeat("[", 8) + planted + strings.Repeat("]", 8) + `}`, "", "", "malformed"},
		{"8,000 within one another", strings.Repeat("[", 8000), "", "", "malformed"},
		{"a key twice", `{` + inner + comma + `"x":"` + planted + `","x":"1"}`, "", "", "malformed"},
		{"17 KiB", `{` + inner + comma + `"x":"` + strings.Repeat(planted, 1741) + `"}`, "", "", "size"},
		{"17 KiB, of them 16 after the value", text + strings.Repeat(" ", 17<<10), "", "", "size"},
		{"one byte too many", text + strings.Repeat(" ", api.BodyMax+1-len(text)), "", "", "size"},
		{"an unknown field", with(planted, planted), "", "", "unknown"},
		{"an unknown field that is null", with(planted, nil), "", "", "unknown"},
		{"an unknown field with a place in its name", with("x."+planted+"/"+planted+"[0].MixedCase", planted), "", "", "unknown"},
		{"an unknown object", with("x", map[string]any{planted: planted}), "", "", "unknown"},
		{"a field without a name", with("", planted), "", "", "unknown"},
		{"a form", "code=" + planted, "application/x-www-form-urlencoded", "Content-Type", "format"},
	}
	for _, media := range []string{"-", "text/plain", "application/x-www-form-urlencoded", "text/x+json", "application/json; charset=utf-16", "json"} {
		bad = append(bad, wrong{"media type " + media, text, media, "Content-Type", "format"})
	}
	many := well()
	for i := range 500 {
		many[fmt.Sprint(planted, i)] = i
	}
	bad = append(bad, wrong{"500 unknown fields", many, "", "", "unknown"})
	for name, value := range f.body {
		at := "/" + name
		for what, v := range map[string]any{
			"a number": 2900000015, "a text": planted, "a bool": true, "null": nil, "an array": []any{planted}, "an object": map[string]any{planted: planted},
		} {
			if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", value) { // of the right type it may be wrong inside: see TestNested
				bad = append(bad, wrong{name + " is " + what, with(name, v), "", at, "type"})
			}
		}
		if _, text := value.(string); text {
			bad = append(bad, wrong{name + " too long", with(name, strings.Repeat(planted, 51)), "", at, tooLong(name)})
		}
		quoted, _ := json.Marshal(value)
		folded := strings.ToUpper(name[:1]) + name[1:]
		bad = append(bad,
			wrong{name + " twice", strings.Replace(text, "{", `{"`+name+`":`+string(quoted)+`,`, 1), "", "", "malformed"},
			wrong{name + " twice, once escaped", strings.Replace(text, "{", fmt.Sprintf(`{"\u%04x%s":"%s",`, name[0], name[1:], planted), 1), "", "", "malformed"},
			wrong{name + " again in other letters", with(folded, planted), "", "", "unknown"},
			wrong{name + " in capitals", strings.Replace(text, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1), "", "", "unknown"},
		)
		if strings.ContainsRune(name, 's') { // U+017F folds to s
			bad = append(bad, wrong{name + " with a long s", with(strings.Replace(name, "s", "ſ", 1), planted), "", "", "unknown"})
		}
		if !slices.Contains(f.optional, name) {
			missing := well()
			delete(missing, name)
			bad = append(bad,
				wrong{name + " missing", missing, "", at, "missing"},
				wrong{name + " only in other letters", strings.Replace(text, `"`+name+`"`, `"`+folded+`"`, 1), "", at, "missing"},
			)
		}
	}
	if len(f.optional) < len(f.body) {
		bad = append(bad, wrong{"no body", nil, "", "", "missing"})
	}
	return bad
}

// tooLong: what isn't one of a list is no better for being long.
func tooLong(field string) api.FaultCode {
	if field == "purpose" {
		return api.FaultFormat
	}
	return api.FaultSize
}

// silent fails the test when an answer says back what was planted. The instance is the path, by definition.
func silent(t *testing.T, got answer, more ...string) {
	t.Helper()
	said := string(got.body) + fmt.Sprint(got.Header)
	for _, plant := range append(more, planted) {
		if len(plant) > 3 && strings.Contains(said, plant) {
			t.Errorf("%s says back %.40q: %.400s", got.call, plant, said)
		}
	}
}

// asked is a well-formed body of POST /v1/refunds for the customer's own account and number.
func asked(c *banktest.Customer, request string) map[string]string {
	return map[string]string{"request_id": request, "account_number": c.Account(), "id_number": c.IDNumber()}
}

// nothingStored: no refund of the customer's, and none of anybody's.
func nothingStored(t *testing.T, d door, c *banktest.Customer) {
	t.Helper()
	var list struct{ Items []any }
	if d.ask(ask{method: "GET", path: "/v1/refunds", token: c.Token}).want(200).json(&list); len(list.Items) != 0 {
		t.Errorf("there are %d refunds", len(list.Items))
	}
}

// TestWhatIsNotMalformed: the widest of what is taken.
func TestWhatIsNotMalformed(t *testing.T) {
	w := apitest.Start(t, banktest.Crowd(1))
	d, c := doorOf(t, w), w.Customer("p03")
	gone := ask{method: "POST", path: "/v1/otp/challenges/x/verify", token: c.Token, body: `{"code":"000000"}`}
	for name, change := range map[string]func(*ask){
		"16 KiB":           func(a *ask) { a.body = a.body.(string) + strings.Repeat(" ", api.BodyMax-len(a.body.(string))) },
		"a charset":        func(a *ask) { a.media = "application/json; charset=UTF-8" },
		"capitals":         func(a *ask) { a.media = "Application/JSON" },
		"an escaped name":  func(a *ask) { a.body = `{"\u0063ode":"000000"}` },
		"a bearer in caps": func(a *ask) { a.header = http.Header{"Authorization": {"BEARER " + a.token}}; a.token = "" },
	} {
		t.Run(name, func(t *testing.T) {
			a := gone
			change(&a)
			d.in(t).ask(a).want(410, "challenge_gone")
		})
	}
	// JSON is what there is, whatever would have been liked.
	for _, accept := range []string{"json", "text/html", "application/problem+json", "*/*;q=0"} {
		d.ask(ask{method: "GET", path: "/v1/refunds", token: c.Token, header: http.Header{"Accept": {accept}}}).want(200)
	}
	// A route that takes no body takes an empty object too, and an absent one.
	for _, body := range []any{nil, "", "{}"} {
		d.ask(ask{method: "POST", path: "/v1/otp/challenges/x/resend", token: c.Token, body: body}).want(410, "challenge_gone")
		d.ask(ask{method: "POST", path: "/v1/refunds/x/confirm", token: c.Token, body: body}).want(404, "not_found")
	}
	// Digits as people in Riyadh and in Tehran type them.
	challenge := c.Challenge(map[string]string{"purpose": "profile"})
	d.ask(ask{
		method: "POST", path: "/v1/otp/challenges/" + challenge + "/verify", token: c.Token,
		body: map[string]string{"code": arabic(c.Code(), '٠')},
	}).want(200)
	for _, zero := range []rune{'٠', '۰'} {
		d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: map[string]string{
			"request_id": "rq-p03-1", "account_number": "\u200f" + arabic(c.Account(), zero), "id_number": arabic(c.IDNumber(), zero) + " ",
		}}).want(201)
		d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: map[string]string{
			"request_id": "rq-p03-1", "account_number": arabic("SA12 8000 0555 6080 0000 0003", zero), "id_number": c.IDNumber(),
		}}).want(201)
	}
	d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: map[string]string{
		"request_id": "rq-p03-1", "account_number": "acc-p03-1", "id_number": c.IDNumber(),
	}}).want(201)
}

// arabic writes ASCII digits with those that begin at zero.
func arabic(digits string, zero rune) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return zero + r - '0'
		}
		return r
	}, digits)
}

// TestMalformedIDs: an id that can't be is one that isn't there.
func TestMalformedIDs(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p01")
	c.Prove()
	for _, id := range []string{"x", "%00", "%FF", "..%2f", "'", "%D9%A0", strings.Repeat("9", 4000), "00000000-0000-0000-0000-000000000000"} {
		for _, a := range []ask{
			{method: "GET", path: "/v1/refunds/" + id},
			{method: "GET", path: "/v1/refunds/" + id + "/events"},
			{method: "GET", path: "/v1/refunds/" + id + "/receipt"},
			{method: "DELETE", path: "/v1/refunds/" + id},
			{method: "POST", path: "/v1/refunds/" + id + "/confirm"},
			{method: "GET", path: "/v1/payments/e-payments/" + id + "/requests"},
		} {
			a.token = c.Token
			d.ask(a).want(404, "not_found")
		}
		if strings.Contains(id, "%2f") {
			continue // two segments, and so no route
		}
		d.ask(ask{method: "POST", path: "/v1/otp/challenges/" + id + "/resend", token: c.Token}).want(410, "challenge_gone")
		d.ask(ask{
			method: "POST", path: "/v1/otp/challenges/" + id + "/verify", token: c.Token, body: `{"code":"000000"}`,
		}).want(410, "challenge_gone")
	}
	// Codes and keys of other forms.
	for _, code := range []string{"", "12345", "1234567", "12345a", "-12345", "½23456", "𝟏𝟐𝟑𝟒𝟓", strings.Repeat("1", 64)} {
		got := d.ask(ask{
			method: "POST", path: "/v1/otp/challenges/x/verify", token: c.Token, body: map[string]string{"code": code},
		}).want(400, "malformed_request")
		if faults := got.problem().Errors; !slices.Equal(faults, []api.Fault{{Pointer: "/code", Code: "format"}}) {
			t.Errorf("code %q: %v", code, faults)
		}
	}
	preview := ask{method: "POST", path: "/v1/refunds", token: c.Token, body: asked(c, "rq-p01-1")}
	for _, header := range []http.Header{nil, key(""), key(`""`)} {
		preview.header = header
		d.ask(preview).want(400, "idempotency_key_missing")
	}
	for _, header := range []http.Header{key("a", "b"), key("a", "a"), key("", "a"), key("two words"), key(`"open`), key(strings.Repeat("k", 256))} {
		preview.header = header
		got := d.ask(preview).want(400, "malformed_request")
		if faults := got.problem().Errors; !slices.Equal(faults, []api.Fault{{Pointer: "Idempotency-Key", Code: "malformed"}}) {
			t.Errorf("%v: %v", header, faults)
		}
	}
	// A purpose and the refund that goes with it, and with no other.
	for body, want := range map[string]api.FaultCode{
		`{"purpose":"refund"}`: "missing", `{"purpose":"refund","refund_id":""}`: "missing", `{"purpose":"profile","refund_id":"x"}`: "unknown",
	} {
		got := d.ask(ask{method: "POST", path: "/v1/otp/challenges", token: c.Token, body: body}).want(400, "malformed_request")
		if faults := got.problem().Errors; !slices.Equal(faults, []api.Fault{{Pointer: "/refund_id", Code: want}}) {
			t.Errorf("%s: %v", body, faults)
		}
	}
	nothingStored(t, d, c)
}
