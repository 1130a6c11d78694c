package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// What the examples of the contract call the codes that are read from phones.
const (
	sampleCode    = "482915"
	sampleWrong   = "135790"
	sampleDropped = "019cbcb5-3c10-7a1d-9e2f-6f0b1d2c3a45" // a preview that is made for being withdrawn

	// The refunds of p12, for whom t01 asks at the counter.
	sampleRejected = "019cbcb9-6e20-7a5d-8f3b-6c1d0e9f8a72"
	sampleChecked  = "019cbcb8-4d10-7b6e-9c1a-5d2e7f8a9b10"
)

// TestExamples replays every example of the committed document against a running world: its request is sent, and its
// answer must come back. A new example needs a line here, at the place in the story at which it is true.
//
// What comes back is the example's answer when it has the same fields in the same places with the same values, but for
// those that no two runs share (see alike): an id, a reference or a code of the example stands for one of this world's,
// and for the same one from its first appearance on; an instant or a date stands for any.
func TestExamples(t *testing.T) {
	w := apitest.Start(t)
	s := story{t: t, w: w, door: doorOf(t, w), examples: examples(t), callers: map[string]*banktest.Customer{}, names: map[string]string{}}
	p03 := s.caller("p03")

	// Steps 3 and 4.
	s.tell("get-profile before-the-code")
	s.tell("create-challenge malformed")
	s.tell("create-challenge for-the-profile")
	s.tell("create-challenge too-soon")
	s.tell("create-challenge no-mobile")
	p03.Code() // which never arrived, says the customer, and waits
	w.Forgive("p03")
	s.tell("resend-challenge again")
	s.tell("resend-challenge unknown")
	code := p03.Code()
	s.names[sampleCode], s.names[sampleWrong] = code, otptest.WrongCode(otp.Code(code)).Reveal()
	s.tell("verify-challenge wrong")
	s.tell("verify-challenge right")
	s.tell("verify-challenge used")
	s.tell("get-profile profile")

	// Steps 5 to 8.
	s.tell("list-payments menu")
	s.tell("list-services one-service")
	w.Fault(banktest.Unavailable, banktest.OnInquiry)
	s.tell("list-services core-away")
	w.ClearFaults()
	s.tell("list-requests refundable")
	s.tell("list-requests unknown")
	s.caller("p04").Prove()
	s.tell("list-requests used")
	s.tell("inquire-balance own")
	s.tell("inquire-balance mistyped")

	// Steps 9 to 11, without a code and with one.
	s.tell("preview-refund mistyped")
	s.tell("preview-refund used-fee")
	s.tell("preview-refund by-account-number")
	s.tell("get-refund preview")
	s.names[sampleDropped] = p03.Preview("rq-p03-1").RefundID
	s.tell("withdraw-refund preview")
	p06 := s.caller("p06")
	p06.Prove()
	s.tell("inquire-balance paid-for-another")
	s.tell("preview-refund by-account-id")
	s.tell("confirm-refund code-missing")
	s.tell("create-challenge for-a-refund")
	s.names[sampleCode] = p06.Code()
	s.tell("confirm-refund with-a-code") // the core refunds the first that it gets at once, and the second after a while
	refund := s.tell("confirm-refund without-a-code").field("refund_id")

	// Afterwards.
	p03.Await(refund, "completed")
	s.tell("get-refund completed")
	s.tell("get-refund not-theirs")
	s.tell("follow-refund completed")
	s.tell("follow-refund not-theirs")
	s.tell("get-receipt completed")
	s.tell("get-receipt not-theirs")
	s.tell("list-refunds all")
	s.tell("list-refunds by-reference")
	s.tell("list-refunds wrong-cursor")
	s.tell("withdraw-refund too-late")

	s.tell("end-session end")
	s.tell("end-session ended")

	// At the counter.
	p08 := s.caller("p08")
	s.tell("create-assisted-session by-code")
	s.names[sampleCode] = p08.Code()
	s.names[sampleWrong] = otptest.WrongCode(otp.Code(s.names[sampleCode])).Reveal()
	s.tell("verify-assisted-session wrong")
	s.tell("verify-assisted-session right")
	s.tell("end-assisted-session end")
	s.tell("end-assisted-session ended")
	session := s.tell("create-assisted-session by-identity-check").field("assisted_session_id")
	s.tell("create-assisted-session relative")
	s.tell("list-lookups branch")

	// Another person at the bank. Of p12's passport the branch has doubts at first.
	s.tell("list-approvals none")
	s.names[sampleRejected] = s.atTheCounter("p12", session, "rq-p12-1")
	s.tell("reject-refund reject")
	s.tell("reject-refund decided")
	s.names[sampleChecked] = s.atTheCounter("p12", session, "rq-p12-1")
	s.tell("list-approvals after-an-identity-check")
	s.tell("approve-refund same-person")
	s.tell("approve-refund something-else")
	s.tell("approve-refund approve")
	s.tell("approve-refund decided")
	s.tell("unblock-customer unblock")
	s.tell("unblock-customer unknown")

	for name, e := range s.examples {
		if !e.told {
			t.Errorf("the example %q is not replayed", name)
		}
	}
}

// TestEveryOperationHasExamples: of each answer that isn't a refusal one at least, of each body, and of a refusal.
func TestEveryOperationHasExamples(t *testing.T) {
	bodies, answers := map[string]bool{}, map[string]bool{}
	for _, e := range examples(t) {
		if e.body != nil {
			bodies[e.operation] = true
		}
		if e.status < http.StatusBadRequest {
			answers[fmt.Sprint(e.operation, " ", e.status)] = true
		}
	}
	for _, o := range documented(t) {
		if o.RequestBody != nil && !bodies[o.ID] {
			t.Errorf("%s has no example of its body", o.ID)
		}
		for status := range o.Responses {
			if answer := o.ID + " " + status; status < "400" && !answers[answer] {
				t.Errorf("%s has no example", answer)
			}
		}
	}
}

// story replays examples, each by the person who calls in it, in one session each.
type story struct {
	t        *testing.T
	w        *banktest.World
	door     door
	examples map[string]*exampleOf
	callers  map[string]*banktest.Customer
	names    map[string]string // what something of the examples is called in this world
}

func (s *story) caller(user string) *banktest.Customer {
	if s.callers[user] == nil {
		s.callers[user] = s.w.Customer(user)
	}
	return s.callers[user]
}

// atTheCounter has t01 ask for a request in a session of theirs, and returns the refund.
func (s *story) atTheCounter(user, session, request string) (refund string) {
	s.t.Helper()
	customer := s.w.Customer(user)
	as := func(method, path string, body any) ask {
		a := ask{method: method, path: path, token: s.caller("t01").Token, body: body, header: key()}
		a.header.Set("Assisted-Session", session)
		return a
	}
	refund = s.door.ask(as("POST", "/v1/refunds", asked(customer, request))).want(201).field("refund_id")
	s.door.ask(as("POST", "/v1/refunds/"+refund+"/confirm", nil)).want(202)
	return refund
}

// tell replays one example, "operation name".
func (s *story) tell(name string) answer {
	s.t.Helper()
	e := s.examples[name]
	if e == nil {
		s.t.Fatalf("there is no example %q", name)
	}
	e.told = true
	a := ask{method: e.method, path: s.here(e.path), token: s.caller(e.as).Token, header: http.Header{"Accept-Language": {"en"}}}
	for header, value := range e.header {
		a.header.Set(header, s.here(value))
	}
	if e.body != nil {
		a.body = s.here(string(e.body))
	}
	got := s.door.ask(a).want(e.status)
	if e.answer == nil {
		return got
	}
	var want, is any
	if err := json.Unmarshal(e.answer, &want); err != nil {
		s.t.Fatal(err)
	}
	if text, ok := want.(string); ok {
		want, is = readable(s.t, s.here(text)), readable(s.t, string(got.body))
		if begins, cut := strings.CutSuffix(text, "…"); cut && strings.HasPrefix(string(got.body), begins) {
			return got
		}
	} else {
		got.json(&is)
	}
	if err := alike(s.names, "", want, is); err != nil {
		s.t.Errorf("%s: %v\n%s", name, err, got.body)
	}
	return got
}

// readable is a stream as a list of what its events say, which have versions of their own; whatever isn't one is itself.
func readable(t *testing.T, text string) any {
	if !strings.HasPrefix(text, "retry: ") {
		return text
	}
	var told []any
	for event := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(event, "retry: ") || event == "" {
			continue // it is drawn anew each time
		}
		head, data, _ := strings.Cut(event, "\ndata: ")
		if !strings.HasPrefix(head, "event: refund\nid: ") {
			t.Fatalf("an event is %q", event)
		}
		var value any
		if err := json.Unmarshal([]byte(data), &value); err != nil {
			t.Fatalf("%v in %s", err, event)
		}
		told = append(told, value)
	}
	return told
}

// here writes a text of an example as it is in this world.
func (s *story) here(text string) string { return here(s.names, text) }

func here(names map[string]string, text string) string {
	for sample, is := range names {
		text = strings.ReplaceAll(text, sample, is)
	}
	return text
}

// The forms of what differs from run to run.
var (
	named = []*regexp.Regexp{ // ids and references: each stands for one thing
		regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
		regexp.MustCompile(`^[A-Z2-7]{26}[0-9]$`),
		regexp.MustCompile(`^RF[0-9A-HJKMNP-TV-Z]{16}$`),
		regexp.MustCompile(`^[0-9a-f]{64}$`),
	}
	passing = []*regexp.Regexp{ // instants and dates: each stands for any
		regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`),
		regexp.MustCompile(`^\d{4}-\d\d-\d\d$`),
	}
)

// alike says where an answer isn't the example's, and learns what the example's things are called in this world. A wait
// may be shorter than the example's, and the id of a request is its own each time.
func alike(names map[string]string, at string, want, is any) error {
	differ := fmt.Errorf("%s is %v, in the example %v", at, is, want)
	switch want := want.(type) {
	case map[string]any:
		is, ok := is.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(is))) {
			return differ
		}
		for name := range want {
			if err := alike(names, at+"/"+name, want[name], is[name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		is, ok := is.([]any)
		if !ok || len(want) != len(is) {
			return differ
		}
		for i := range want {
			if err := alike(names, at+"/"+strconv.Itoa(i), want[i], is[i]); err != nil {
				return err
			}
		}
		return nil
	case float64:
		if is, ok := is.(float64); ok && (is == want || strings.HasSuffix(at, "/retry_after") && 0 < is && is < want) {
			return nil
		}
	case string:
		is, ok := is.(string)
		if ok && (here(names, want) == is || stands(names, at, want, is)) {
			return nil
		}
	default: // a bool, or null
		if want == is {
			return nil
		}
	}
	return differ
}

// stands reports whether a text of an example stands for one of this world's, and remembers for which.
func stands(names map[string]string, at, want, is string) bool {
	both := func(form *regexp.Regexp) bool { return form.MatchString(want) && form.MatchString(is) }
	switch {
	case slices.ContainsFunc(passing, both):
		return true
	case !slices.ContainsFunc(named, both):
		return false
	case at == "/request_id":
		return true
	case names[want] != "" || slices.Contains(slices.Collect(maps.Values(names)), is):
		return false
	}
	names[want] = is
	return true
}

// TestAlike: examples that lie are found out.
func TestAlike(t *testing.T) {
	const one, other, third = "019cbcb4-2a40-7f0e-8a0b-77c46a619221", "01a21dfc-1327-78ab-a77b-88c46a61922b", "01a21dfc-2030-7bc4-bd59-44bed28ae5db"
	for name, c := range map[string]struct {
		want, is string
		lies     bool
	}{
		"the same":                 {`{"a":1,"b":["x",null,true]}`, `{"b":["x",null,true],"a":1}`, false},
		"another id":               {`["` + one + `","/v1/` + one + `"]`, `["` + other + `","/v1/` + other + `"]`, false},
		"another instant":          {`"2026-03-05T06:10:00.000000Z"`, `"2027-01-01T00:00:00.000001Z"`, false},
		"a shorter wait":           {`{"retry_after":60}`, `{"retry_after":59}`, false},
		"another value":            {`{"a":"x"}`, `{"a":"y"}`, true},
		"another number":           {`{"a":1}`, `{"a":2}`, true},
		"a longer wait":            {`{"retry_after":60}`, `{"retry_after":61}`, true},
		"a field more":             {`{"a":1}`, `{"a":1,"b":1}`, true},
		"a field less":             {`{"a":1,"b":1}`, `{"a":1}`, true},
		"an item more":             {`[1]`, `[1,1]`, true},
		"null":                     {`{"a":"x"}`, `{"a":null}`, true},
		"not null":                 {`{"a":null}`, `{"a":"x"}`, true},
		"another form":             {`"` + one + `"`, `"one"`, true},
		"a date for an instant":    {`"2026-03-05T06:10:00.000000Z"`, `"2026-03-05"`, true},
		"five decimals":            {`"2026-03-05T06:10:00.000000Z"`, `"2026-03-05T06:10:00.00000Z"`, true},
		"one id for two":           {`["` + one + `","` + one + `"]`, `["` + other + `","` + one + `"]`, true},
		"two ids for one":          {`["` + one + `","` + other + `"]`, `["` + third + `","` + third + `"]`, true},
		"an object and not a list": {`{}`, `[]`, true},
	} {
		var want, is any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.is), &is); err != nil {
			t.Fatal(err)
		}
		if err := alike(map[string]string{}, "", want, is); (err != nil) != c.lies {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// operationOf is an operation of the committed document.
type operationOf struct {
	ID                   string `json:"operationId"`
	Summary, Description string
	Parameters           []struct {
		Name, In, Description string
		Examples              map[string]struct{ Value string }
	}
	RequestBody *struct{ Content map[string]mediaOf }
	Responses   map[string]struct {
		Content map[string]mediaOf
		Codes   []string `json:"x-problem-codes"`
	}
	Shown []struct {
		Name, As string
		Status   int
	} `json:"x-examples"`

	method, path string
}

type mediaOf struct {
	Examples map[string]struct{ Value json.RawMessage }
}

func decode(t *testing.T, source []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(source, into); err != nil {
		t.Fatal(err)
	}
}

func documented(t *testing.T) []operationOf {
	t.Helper()
	source, err := yaml.YAMLToJSON(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]operationOf
	}
	decode(t, source, &document)
	var all []operationOf
	for path, item := range document.Paths {
		for method, o := range item {
			o.method, o.path = strings.ToUpper(method), path
			all = append(all, o)
		}
	}
	return all
}

// exampleOf is one example of the document, put together again by its name.
type exampleOf struct {
	operation, as, method, path string
	header                      map[string]string
	body, answer                json.RawMessage // nil: none
	status                      int
	told                        bool
}

// examples are all of the committed document, as "operation name".
func examples(t *testing.T) map[string]*exampleOf {
	t.Helper()
	all := map[string]*exampleOf{}
	for _, o := range documented(t) {
		found := map[string]bool{}
		for _, shown := range o.Shown {
			found[shown.Name] = true
			e := &exampleOf{operation: o.ID, as: shown.As, method: o.method, path: o.path, header: map[string]string{}, status: shown.Status}
			all[o.ID+" "+shown.Name] = e
			for _, p := range o.Parameters {
				value, given := p.Examples[shown.Name]
				switch {
				case !given:
				case p.In == "header":
					e.header[p.Name] = value.Value
				case p.In == "query" && !strings.Contains(e.path, "?"):
					e.path += "?" + p.Name + "=" + value.Value
				case p.In == "query":
					e.path += "&" + p.Name + "=" + value.Value
				default:
					e.path = strings.ReplaceAll(e.path, "{"+p.Name+"}", value.Value)
				}
			}
			if o.RequestBody != nil {
				e.body = o.RequestBody.Content["application/json"].Examples[shown.Name].Value
			}
			for _, media := range o.Responses[strconv.Itoa(shown.Status)].Content {
				e.answer = media.Examples[shown.Name].Value
			}
			if e.answer == nil && e.status != http.StatusNoContent {
				t.Errorf("%s: the example %q has no answer", o.ID, shown.Name)
			}
		}
		for _, name := range o.exampleNames() {
			if !found[name] {
				t.Errorf("%s: the example %q isn't among its x-examples", o.ID, name)
			}
		}
	}
	return all
}

// exampleNames are the names under which something of the operation has an example.
func (o operationOf) exampleNames() []string {
	var names []string
	for _, p := range o.Parameters {
		names = slices.AppendSeq(names, maps.Keys(p.Examples))
	}
	contents := []map[string]mediaOf{}
	if o.RequestBody != nil {
		contents = append(contents, o.RequestBody.Content)
	}
	for _, response := range o.Responses {
		contents = append(contents, response.Content)
	}
	for _, content := range contents {
		for _, media := range content {
			names = slices.AppendSeq(names, maps.Keys(media.Examples))
		}
	}
	return names
}
