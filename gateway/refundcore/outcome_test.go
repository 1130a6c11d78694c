package refundcore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/saudi"
)

// vectorRefund is the refund of the worked vector.
func vectorRefund(t testing.TB) gateway.Refund {
	t.Helper()
	payer, err := saudi.NewParty(saudi.KindIqama, "2900000015")
	if err != nil {
		t.Fatal(err)
	}
	to, err := saudi.ParseIBAN("SA1280000555608000000003")
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Refund{
		Reference: "RF0123456789ABCDEF",
		Payment:   gateway.Payment{RequestID: "rq-0001", Amount: 65000, Payer: payer, Beneficiary: payer},
		To:        to,
	}
}

const (
	echo  = `"reference":"RF0123456789ABCDEF","request_id":"rq-0001","amount":65000,"iban":"SA1280000555608000000003"`
	noTo  = `"reference":"RF0123456789ABCDEF","request_id":"rq-0001"`
	other = "RFK5EWJTN6GVB8STYT"
)

// bodies are answers by name. Those named in finals decide something somewhere; the rest must nowhere.
var bodies = map[string]string{
	"pending":                 `{` + echo + `,"core_reference":"GC-778","state":"pending"}`,
	"refunded":                `{"unknown":[{"reference":"x"}],"state":"refunded","core_reference":"GC-778",` + echo + `}`,
	"rejected":                `{` + echo + `,"core_reference":"GC-778","state":"rejected","code":"fee_consumed","at":"2026-03-05T06:10:00Z"}`,
	"rejected without a code": `{` + echo + `,"core_reference":"GC-778","state":"rejected","code":null}`,
	"returned":                `{` + echo + `,"core_reference":"GC-778","state":"returned"}`,
	"fee_consumed":            `{` + noTo + `,"code":"fee_consumed","final":true}`,
	"amount_changed":          `{` + noTo + `,"code":"amount_changed","final":true}`,
	"payer_mismatch":          `{` + noTo + `,"code":"payer_mismatch","final":true}`,
	"service_not_refundable":  `{` + noTo + `,"code":"service_not_refundable","final":true}`,
	"refunded at the portal":  `{` + noTo + `,"code":"already_refunded","channel":"portal","final":true}`,
	"refunded under ours":     `{` + noTo + `,"code":"already_refunded","channel":"bank","final":true}`,
	"refunded at a bank":      `{"reference":"` + other + `","request_id":"rq-0001","code":"already_refunded","channel":"bank","final":true}`,
	"reference_reused":        `{"reference":"RF0123456789ABCDEF","code":"reference_reused"}`,
	"unknown_reference":       `{"reference":"RF0123456789ABCDEF","code":"unknown_reference"}`,
	"not_refunded":            `{"reference":"RF0123456789ABCDEF","code":"not_refunded"}`,

	"empty":                             ``,
	"null":                              `null`,
	"an empty object":                   `{}`,
	"a list":                            `[]`,
	"a string":                          `"pending"`,
	"html":                              `<html><body>OK</body></html>`,
	"cut off":                           `{` + echo + `,"core_reference":"GC-778","state":"pend`,
	"trailed":                           `{` + echo + `,"core_reference":"GC-778","state":"pending"}{}`,
	"not UTF-8":                         "{" + echo + ",\"core_reference\":\"GC-778\",\"state\":\"pending\",\"x\":\"\xff\"}",
	"state twice":                       `{` + echo + `,"core_reference":"GC-778","state":"refunded","state":"pending"}`,
	"state twice, once hidden":          `{` + echo + `,"core_reference":"GC-778","state":"refunded","st\u0061te":"pending"}`,
	"state in capitals":                 `{` + echo + `,"core_reference":"GC-778","STATE":"pending"}`,
	"state with a long s":               `{` + echo + `,"core_reference":"GC-778","ſtate":"pending"}`,
	"no state":                          `{` + echo + `,"core_reference":"GC-778"}`,
	"state null":                        `{` + echo + `,"core_reference":"GC-778","state":null}`,
	"state a number":                    `{` + echo + `,"core_reference":"GC-778","state":1}`,
	"state unheard of":                  `{` + echo + `,"core_reference":"GC-778","state":"settled"}`,
	"state capitalised":                 `{` + echo + `,"core_reference":"GC-778","state":"Refunded"}`,
	"no core reference":                 `{` + echo + `,"state":"pending"}`,
	"core reference empty":              `{` + echo + `,"core_reference":"","state":"pending"}`,
	"core reference a poem":             `{` + echo + `,"core_reference":"a b","state":"pending"}`,
	"rejected, code unheard of":         `{` + echo + `,"core_reference":"GC-778","state":"rejected","code":"because"}`,
	"another reference":                 strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "CDEF", "CDEG", 1),
	"another request":                   strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "rq-0001", "rq-0002", 1),
	"another amount":                    strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "65000", "65001", 1),
	"another account":                   strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "0003", "0004", 1),
	"amount a text":                     strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "65000", `"65000"`, 1),
	"amount with a point":               strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "65000", `65000.0`, 1),
	"amount negative":                   strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, "65000", `-65000`, 1),
	"no amount":                         strings.Replace(`{`+echo+`,"core_reference":"GC-778","state":"refunded"}`, `"amount":65000,`, ``, 1),
	"refusal not final":                 `{` + noTo + `,"code":"fee_consumed","final":false}`,
	"refusal without final":             `{` + noTo + `,"code":"fee_consumed"}`,
	"refusal final in text":             `{` + noTo + `,"code":"fee_consumed","final":"true"}`,
	"refusal unheard of":                `{` + noTo + `,"code":"try_later","final":true}`,
	"refusal without a code":            `{` + noTo + `,"final":true}`,
	"refusal of another":                `{"reference":"` + other + `","request_id":"rq-0001","code":"fee_consumed","final":true}`,
	"refusal of another request":        `{"reference":"RF0123456789ABCDEF","request_id":"rq-0002","code":"fee_consumed","final":true}`,
	"refunded, channel unsaid":          `{` + noTo + `,"code":"already_refunded","final":true}`,
	"refunded, channel new":             `{` + noTo + `,"code":"already_refunded","channel":"kiosk","final":true}`,
	"refunded at a bank by junk":        `{"reference":"x","request_id":"rq-0001","code":"already_refunded","channel":"bank","final":true}`,
	"refunded at a bank, other request": `{"reference":"` + other + `","request_id":"rq-0002","code":"already_refunded","channel":"bank","final":true}`,
	"refunded at the portal, other":     `{"reference":"` + other + `","request_id":"rq-0001","code":"already_refunded","channel":"portal","final":true}`,
	"reused, another":                   `{"reference":"` + other + `","code":"reference_reused"}`,
	"unknown, another":                  `{"reference":"` + other + `","code":"unknown_reference"}`,
	"not_refunded, another":             `{"reference":"` + other + `","code":"not_refunded"}`,
}

// finals is the whole table of what decides something: call, status, body → outcome in one word.
var finals = func() map[string]string {
	table := map[string]string{
		"submit 409 reference_reused":  "reused",
		"status 404 unknown_reference": "unknown reference",
		"status 200 pending":           "answer pending",
		"status 200 refunded":          "answer refunded",
		"status 200 rejected":          "answer rejected fee_consumed",
		"status 200 returned":          "answer returned",
		"return 200 returned":          "answer returned",
		"return 409 not_refunded":      "not refunded",

		"status 200 rejected without a code": "answer rejected",
	}
	for _, status := range []string{"200", "201"} {
		table["submit "+status+" pending"] = "answer pending"
		table["submit "+status+" refunded"] = "answer refunded"
	}
	for _, status := range []string{"409", "422"} {
		for _, code := range []string{"fee_consumed", "amount_changed", "payer_mismatch", "service_not_refundable"} {
			table["submit "+status+" "+code] = "refusal " + code
		}
		table["submit "+status+" refunded at the portal"] = "refusal already_refunded portal"
		table["submit "+status+" refunded at a bank"] = "refusal already_refunded bank " + other
		table["submit "+status+" refunded under ours"] = "refusal already_refunded bank RF0123456789ABCDEF"
	}
	return table
}()

// word says what classify answered, in one line.
func word(answer dispatch.Answer, err error) string {
	var refusal *dispatch.Refusal
	var unknown *gateway.UnknownError
	switch {
	case err == nil:
		return strings.TrimSpace(fmt.Sprintf("answer %s %s", answer.State, answer.Code))
	case errors.As(err, &refusal):
		return strings.TrimSpace(fmt.Sprintf("refusal %s %s %s", refusal.Code, refusal.Channel, refusal.Other))
	case errors.As(err, &unknown):
		return "unknown"
	case errors.Is(err, gateway.ErrNotSent):
		return "not sent"
	case errors.Is(err, gateway.ErrReferenceReused):
		return "reused"
	case errors.Is(err, gateway.ErrUnknownReference):
		return "unknown reference"
	case errors.Is(err, dispatch.ErrNotRefunded):
		return "not refunded"
	default:
		return "unforeseen: " + err.Error()
	}
}

var callNames = map[ask]string{askSubmit: "submit", askStatus: "status", askReturn: "return"}

// knownCauses bounds what ends up in metrics.
var knownCauses = []string{
	outbound.CauseCallerLeft, outbound.CauseTimeout, outbound.CauseBroken, outbound.CauseOversize, outbound.CauseSandbox,
	outbound.CauseRedirect, outbound.CauseDenied, outbound.CauseRateLimited, outbound.CauseUnavailable,
	outbound.CauseServerError, causeSignature, causeMalformed, causeMismatch, causeStatus, causeState, causeCode,
}

// read is an exchange whose answer was read whole, and broke one that was handed to a connection and broke.
func read(status int, body string) outbound.Exchange {
	return outbound.Exchange{Handed: true, Status: status, Body: []byte(body)}
}

func broke(err error) outbound.Exchange { return outbound.Exchange{Handed: true, Err: err} }

// TestClassifyEveryCell crosses everything that can happen with everything that can be answered. Outside of finals
// every cell must be unknown, and only an error before a connection had the request is not sent.
func TestClassifyEveryCell(t *testing.T) {
	refund := vectorRefund(t)
	cells, decided, met := 0, map[string]bool{}, map[string]bool{}
	check := func(name, want string, q question, f facts) {
		t.Helper()
		cells++
		answer, err := classify(q, f)
		if got := word(answer, err); got != want {
			t.Errorf("%s: got %q, want %q (%v)", name, got, want, err)
		}
		if err != nil && answer != (dispatch.Answer{}) {
			t.Errorf("%s: both an answer and an error", name)
		}
		var unknown *gateway.UnknownError
		if errors.As(err, &unknown) {
			met[unknown.Cause] = true
			if !slices.Contains(knownCauses, unknown.Cause) {
				t.Errorf("%s: cause %q isn't on the list", name, unknown.Cause)
			}
		}
	}
	failures := []error{
		io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, context.Canceled, outbound.ErrCallerLeft, outbound.ErrOversize,
		errors.New("unforeseen"),
	}
	flaws := []error{nil, flaw("doesn't hold")}
	statuses := []int{0, 100, 999}
	for status := 200; status < 600; status++ {
		if http.StatusText(status) != "" || status%100 == 99 {
			statuses = append(statuses, status)
		}
	}
	for kind, call := range callNames {
		q := question{kind, refund}
		for _, failure := range failures {
			check(fmt.Sprint(call, " not handed ", failure), "not sent", q, facts{Exchange: outbound.Exchange{Err: failure}})
			for _, status := range statuses {
				x := read(status, bodies["refunded"])
				x.Err = failure
				check(fmt.Sprint(call, " handed ", failure, status), "unknown", q, facts{Exchange: x})
			}
		}
		for body, text := range bodies {
			for _, status := range statuses {
				for _, flaw := range flaws {
					for _, sandbox := range []bool{false, true} {
						name := fmt.Sprintf("%s %d %s", call, status, body)
						want := "unknown"
						if final, ok := finals[name]; ok && flaw == nil && !sandbox {
							want = final
							decided[name] = true
						}
						check(name, want, q, facts{Exchange: read(status, text), flaw: flaw, sandbox: sandbox})
					}
				}
			}
		}
	}
	if len(decided) != len(finals) {
		t.Errorf("%d of %d final cells were met", len(decided), len(finals))
	}
	if len(met) != len(knownCauses) {
		t.Errorf("%d of %d causes were met: %v", len(met), len(knownCauses), met)
	}
	t.Logf("classified %d cells, %d of them decide something, the rest is unknown by default", cells, len(decided))
}

func TestCauses(t *testing.T) {
	for _, test := range []struct {
		want string
		f    facts
	}{
		{outbound.CauseCallerLeft, facts{Exchange: broke(outbound.ErrCallerLeft)}},
		{outbound.CauseTimeout, facts{Exchange: broke(context.DeadlineExceeded)}},
		{outbound.CauseBroken, facts{Exchange: broke(io.EOF)}},
		{outbound.CauseOversize, facts{Exchange: broke(outbound.ErrOversize)}},
		{outbound.CauseSandbox, facts{Exchange: read(503, ""), sandbox: true}},
		{outbound.CauseRedirect, facts{Exchange: read(307, "")}},
		{outbound.CauseDenied, facts{Exchange: read(401, "")}},
		{outbound.CauseDenied, facts{Exchange: read(403, "")}},
		{outbound.CauseRateLimited, facts{Exchange: read(429, "")}},
		{outbound.CauseUnavailable, facts{Exchange: read(503, "")}},
		{outbound.CauseServerError, facts{Exchange: read(500, "")}},
		{outbound.CauseServerError, facts{Exchange: read(504, ""), flaw: flaw("x")}},
		{causeSignature, facts{Exchange: read(201, bodies["pending"]), flaw: flaw("x")}},
		{causeMalformed, facts{Exchange: read(201, bodies["html"])}},
		{causeMismatch, facts{Exchange: read(201, bodies["another account"])}},
		{causeStatus, facts{Exchange: read(202, bodies["pending"])}},
		{causeState, facts{Exchange: read(201, bodies["state unheard of"])}},
		{causeCode, facts{Exchange: read(409, bodies["refusal unheard of"])}},
	} {
		_, err := classify(question{askSubmit, vectorRefund(t)}, test.f)
		var unknown *gateway.UnknownError
		if !errors.As(err, &unknown) || unknown.Cause != test.want {
			t.Errorf("got %v, want cause %s", err, test.want)
		}
	}
}

// TestWaitIsPassedOn: also an unsigned one, since all that it can do is to make us wait.
func TestWaitIsPassedOn(t *testing.T) {
	for _, status := range []int{429, 503} {
		x := read(status, "")
		x.Header = http.Header{"Retry-After": {"7"}}
		_, err := classify(question{askSubmit, vectorRefund(t)}, facts{Exchange: x, flaw: flaw("x")})
		var unknown *gateway.UnknownError
		if !errors.As(err, &unknown) || unknown.After != 7*time.Second {
			t.Errorf("%d: %+v", status, unknown)
		}
	}
}

// FuzzUnverifiedIsNeverFinal throws anything at the table without a signature that holds.
func FuzzUnverifiedIsNeverFinal(f *testing.F) {
	for _, body := range bodies {
		f.Add(0, 201, true, false, body)
		f.Add(1, 200, true, false, body)
	}
	f.Add(2, 0, false, true, "")
	f.Fuzz(func(t *testing.T, call, status int, handed, failed bool, body string) {
		fact := facts{Exchange: read(status, body), flaw: flaw("doesn't hold")}
		if failed {
			fact.Handed, fact.Err = handed, io.ErrUnexpectedEOF
		}
		answer, err := classify(question{ask(call), vectorRefund(t)}, fact)
		want := "unknown"
		if failed && !handed {
			want = "not sent"
		}
		if got := word(answer, err); got != want || answer != (dispatch.Answer{}) {
			t.Fatalf("got %s %+v, want %s", got, answer, want)
		}
	})
}

// FuzzFinalEchoes throws anything signed at the table, and asks encoding/json whether what became final is about the
// refund that was asked about.
func FuzzFinalEchoes(f *testing.F) {
	for _, body := range bodies {
		for _, status := range []int{200, 201, 404, 409, 422} {
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		for kind := range callNames {
			answer, err := classify(question{kind, vectorRefund(t)}, facts{Exchange: read(status, body)})
			got := word(answer, err)
			if got == "unknown" {
				continue
			}
			var plain map[string]any
			if json.Unmarshal([]byte(body), &plain) != nil {
				t.Fatalf("%s of what isn't JSON", got)
			}
			ours := plain["reference"] == "RF0123456789ABCDEF"
			if strings.Contains(got, " bank ") {
				ours = plain["request_id"] == "rq-0001"
			}
			if !ours {
				t.Fatalf("%s of %q", got, body)
			}
			if err == nil && (plain["amount"] != 65000.0 || plain["state"] != string(answer.State)) {
				t.Fatalf("%s of %q", got, body)
			}
		}
	})
}
