package refundcore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

const (
	renewal = `{"request_id":"rq-0001","service":"090-003","beneficiary":{"kind":"iqama","number":"2900000015"},` +
		`"payer":{"number":"2900000015","kind":"iqama"},"amount":65000,"paid_at":"2026-03-01T09:30:00Z",` +
		`"paid_through_bank":"80","paid_from_iban":"SA1280000555608000000003","state":"available","refundable":true,` +
		`"reason":null,"colour":"blue"}`
	vehicle = `{"request_id":"rq-0002","service":"094-001","variant":{"ar":"رخصة سير","en":"Vehicle licence, 3 years"},` +
		`"beneficiary":{"kind":"vehicle","number":"123456"},"payer":{"kind":"iqama","number":"2900000015"},` +
		`"amount":30000,"paid_at":"2026-02-01T09:30:00+03:00","paid_through_bank":"20",` +
		`"paid_from_iban":"SA1280000555608000000003","state":"consumed","refundable":false,"reason":"fee_consumed"}`
)

func testSearch(t *testing.T) bank.Search {
	return bank.Search{Party: vectorRefund(t).Payment.Payer, Limit: 50}
}

func TestSearch(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(200, `{"items":[`+renewal+`,`+vehicle+`],"next_cursor":"c-2"}`))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	s := testSearch(t)
	s.Cursor = "c-1"
	requests, next, err := client.Search(t.Context(), s)
	if err != nil || next != "c-2" || len(requests) != 2 {
		t.Fatalf("%d requests, next %q, %v", len(requests), next, err)
	}
	got := core.received()[0]
	if want := `{"identifier":{"kind":"iqama","number":"2900000015"},"limit":50,"cursor":"c-1"}`; got.body != want ||
		got.uri != "/core/v1/requests/search" {
		t.Errorf("asked %s %s", got.uri, got.body)
	}
	generic, _ := moi.Lookup("090-003")
	r := requests[0]
	if r.RequestID != "rq-0001" || r.Name != generic.Name || r.Amount != 65000 || r.Payer != s.Party ||
		!r.PaidAt.Equal(time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)) || r.PaidBank != "80" ||
		r.PaidFrom != vectorRefund(t).To || r.State != bank.RequestAvailable || r.Refusal != "" {
		t.Errorf("%+v", r)
	}
	r = requests[1]
	if r.Name.EN != "Vehicle licence, 3 years" || r.Beneficiary.Kind() != saudi.KindVehicle ||
		r.PaidAt.Location() != time.UTC || r.PaidAt.Hour() != 6 || r.Refusal != bank.FeeConsumed {
		t.Errorf("%+v", r)
	}
}

// TestSearchPassesOverTheUnknown: the core may say more than anybody reads, whatever it is.
func TestSearchPassesOverTheUnknown(t *testing.T) {
	core := newFakeCore(t, nil)
	for _, more := range []string{
		`"new":null`, `"new":[1,[2.5e3,true],{}]`, `"new":{"a":{"a":"b"}}`, `"":0`, `"AMOUNT":1`,
		`"ne\"w:":"a\":\\"`, `"new":"\\\\","also":":"`, `"variant":{"ar":"تجديد: \"سنة\"","en":"Renewal: \"one year\"\\"}`,
	} {
		core.now(core.says(200, `{"items":[`+strings.Replace(renewal, `"amount"`, more+`,"amount"`, 1)+`],`+more+`}`))
		requests, _, err := newClient(t, testConfig(t, onLoopback(t, core))).Search(t.Context(), testSearch(t))
		if err != nil || len(requests) != 1 || requests[0].Amount != 650_00 {
			t.Errorf("with %s: %+v, %v", more, requests, err)
		}
	}
}

func TestSearchNarrowed(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(200, `{"items":[],"next_cursor":null}`))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	s := bank.Search{Party: testSearch(t).Party, Service: "090-003", RequestID: "rq-0001", Limit: 900}
	requests, next, err := client.Search(t.Context(), s)
	if err != nil || next != "" || len(requests) != 0 {
		t.Fatalf("%v, %q, %v", requests, next, err)
	}
	want := `{"identifier":{"kind":"iqama","number":"2900000015"},"service":"090-003","request_id":"rq-0001","limit":500}`
	if got := core.received()[0].body; got != want {
		t.Errorf("asked %s", got)
	}
}

// TestSearchThatCannotBeBelieved: no answer of these yields a single request.
func TestSearchThatCannotBeBelieved(t *testing.T) {
	core := newFakeCore(t, nil)
	base := onLoopback(t, core)
	with := func(from, to string) string {
		if !strings.Contains(renewal, from) {
			t.Fatalf("%s isn't in the item", from)
		}
		return `{"items":[` + renewal + `,` + strings.Replace(renewal, from, to, 1) + `],"next_cursor":null}`
	}
	stranger := strings.ReplaceAll(renewal, "2900000015", "10000000"+"0"+string(saudi.CheckDigit("100000000")))
	stranger = strings.ReplaceAll(stranger, "iqama", "national_id")
	for name, act := range map[string]http.HandlerFunc{
		"unavailable":         core.says(503, `{}`),
		"not found":           core.says(404, `{}`),
		"bad request":         core.says(400, `{}`), // without a cursor it is none of the caller's doing
		"unsigned":            func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"items":[]}`) },
		"no JSON":             core.says(200, `[`),
		"no items":            core.says(200, `{"next_cursor":null}`),
		"items null":          core.says(200, `{"items":null}`),
		"items of another":    core.says(200, `{"items":[`+stranger+`]}`),
		"cursor with spaces":  core.says(200, `{"items":[],"next_cursor":"a b"}`),
		"more than asked":     core.says(200, `{"items":[`+strings.Repeat(renewal+",", 50)+renewal+`]}`),
		"an item no object":   core.says(200, `{"items":[1]}`),
		"an item null":        core.says(200, `{"items":[null]}`),
		"more behind it":      core.says(200, `{"items":[]}{}`),
		"an item twice keyed": core.says(200, with(`"amount":65000`, `"amount":65000,"amount":1`)),
		"twice, once hidden":  core.says(200, with(`"amount":65000`, `"amount":65000,"\u0061mount":1`)),
		"twice, unread":       core.says(200, with(`"amount":65000`, `"amount":65000,"new":[{"a":1,"a":1}]`)),
		"in capitals":         core.says(200, with(`"amount"`, `"Amount"`)),
		"no amount":           core.says(200, with(`"amount":65000,`, ``)),
		"amount zero":         core.says(200, with(`65000`, `0`)),
		"amount negative":     core.says(200, with(`65000`, `-1`)),
		"amount a fraction":   core.says(200, with(`65000`, `65000.0`)),
		"amount with a power": core.says(200, with(`65000`, `65e3`)),
		"amount of no bounds": core.says(200, with(`65000`, `9223372036854775808`)),
		"amount a text":       core.says(200, with(`65000`, `"650.00"`)),
		"party of no kind":    core.says(200, with(`"kind":"iqama"`, `"kind":"cat"`)),
		"party misspelt":      core.says(200, with(`2900000015`, `2900000016`)),
		"party null":          core.says(200, with(`{"number":"2900000015","kind":"iqama"}`, `null`)),
		"account misspelt":    core.says(200, with(`SA12`, `SA13`)),
		"account in groups":   core.says(200, with(`SA1280000555608000000003`, `SA12 8000 0555 6080 0000 0003`)),
		"service misspelt":    core.says(200, with(`090-003`, `90-3`)),
		"no time":             core.says(200, with(`2026-03-01T09:30:00Z`, `yesterday`)),
		"state unheard of":    core.says(200, with(`available`, `lost`)),
		"reason unheard of":   core.says(200, with(`"reason":null`, `"reason":"because"`)),
		"no without a why":    core.says(200, with(`"refundable":true`, `"refundable":false`)),
		"refundable unsaid":   core.says(200, with(`"refundable":true,`, ``)),
		"half a variant":      core.says(200, with(`"amount"`, `"variant":{"ar":"x"},"amount"`)),
		"bank of three":       core.says(200, with(`"80"`, `"080"`)),
		"request id a poem":   core.says(200, with(`rq-0001`, `rq 0001`)),
	} {
		t.Run(name, func(t *testing.T) {
			core.now(act)
			requests, next, err := newClient(t, testConfig(t, base)).Search(t.Context(), testSearch(t))
			if !errors.Is(err, bank.ErrCoreUnavailable) || requests != nil || next != "" {
				t.Errorf("%v, %q, %v", requests, next, err)
			}
		})
	}
}

// TestRequestIDsComeFromOutside: one that no request can have finds nothing, and the core isn't bothered with it.
func TestRequestIDsComeFromOutside(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(200, `{"items":[`+renewal+`],"next_cursor":null}`))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	s := testSearch(t)
	for _, id := range []string{" ", "rq 0001", "rq-0001\n", "٠٠٠١", "rq-\x00", `rq"0001`, "\xff", strings.Repeat("r", 129)} {
		s.RequestID = id
		requests, next, err := client.Search(t.Context(), s)
		if len(requests) != 0 || next != "" || err != nil {
			t.Errorf("%q: %v, %q, %v", id, requests, next, err)
		}
	}
	if n := len(core.received()); n != 0 {
		t.Errorf("the core was asked %d times", n)
	}
	s.RequestID = "rq-0001"
	if requests, _, err := client.Search(t.Context(), s); len(requests) != 1 || err != nil {
		t.Errorf("a plain one: %v, %v", requests, err)
	}
}

// TestCursorFitsTheAPI: sealed under the longest key id and in base64, the longest cursor that is taken from the core is
// one that the API takes back (maxLength 1024). A longer one isn't taken.
func TestCursorFitsTheAPI(t *testing.T) {
	sealer, err := seal.New(strings.Repeat("k", 32), make([]byte, seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	core := newFakeCore(t, nil)
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	longest := strings.Repeat("c", cursorBytesMax)
	core.now(core.says(200, `{"items":[],"next_cursor":"`+longest+`"}`))
	_, next, err := client.Search(t.Context(), testSearch(t))
	if n := base64.RawURLEncoding.EncodedLen(len(sealer.Seal([]byte(next), nil))); err != nil || next != longest || n > 1024 {
		t.Errorf("%d characters, %v", n, err)
	}
	core.now(core.says(200, `{"items":[],"next_cursor":"c`+longest+`"}`))
	if _, next, err := client.Search(t.Context(), testSearch(t)); !errors.Is(err, bank.ErrCoreUnavailable) || next != "" {
		t.Errorf("a longer one: %q, %v", next, err)
	}
}

// TestCursorsComeFromOutside: a bad one is its bringer's fault and never the core's.
func TestCursorsComeFromOutside(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(400, `{"code":"whatever"}`))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	s := testSearch(t)
	for _, cursor := range []string{"a b", "é", "\n", strings.Repeat("c", 513)} {
		s.Cursor = cursor
		if _, _, err := client.Search(t.Context(), s); !errors.Is(err, bank.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
	if n := len(core.received()); n != 0 {
		t.Errorf("%d of them were sent", n)
	}
	s.Cursor = "made-up"
	for range 20 {
		if _, _, err := client.Search(t.Context(), s); !errors.Is(err, bank.ErrCursor) ||
			errors.Is(err, bank.ErrCoreUnavailable) {
			t.Fatalf("made up: %v", err)
		}
	}
	if got := client.Guards()[dispatch.CallInquiry].Breaker; got != "closed" {
		t.Errorf("breaker is %s", got)
	}
}

func TestRefusalOfARequest(t *testing.T) {
	for _, test := range []struct {
		state      bank.RequestState
		refundable bool
		reason     string
		want       bank.Reason
	}{
		{bank.RequestAvailable, true, "", ""},
		{bank.RequestAvailable, false, "service_not_refundable", bank.ServiceNotRefundable},
		{bank.RequestAvailable, true, "payer_mismatch", bank.PayerMismatch},
		{bank.RequestConsumed, false, "", bank.FeeConsumed},
		{bank.RequestConsumed, true, "", bank.FeeConsumed},
		{bank.RequestRefunding, false, "", bank.AlreadyRefunded},
		{bank.RequestRefunded, false, "already_refunded", bank.AlreadyRefunded},
	} {
		if got, err := refusalOf(test.state, test.refundable, test.reason); got != test.want || err != nil {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
}

func TestBalances(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(200, `{"buckets":[{"bucket":"labour","amount":10000},{"bucket":"passports","amount":16300}],"total":26300}`))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	me := vectorRefund(t).Payment.Payer
	balance, err := client.Balances(t.Context(), me, saudi.Party{})
	if err != nil || balance.Total != 26300 || len(balance.Buckets) != 6 {
		t.Fatalf("%+v, %v", balance, err)
	}
	if first, fifth := balance.Buckets[0], balance.Buckets[4]; first.Bucket.ID != moi.BucketPassports ||
		first.Amount != 16300 || fifth.Bucket.ID != moi.BucketLabour || fifth.Amount != 10000 {
		t.Errorf("%+v", balance.Buckets)
	}
	if _, err := client.Balances(t.Context(), me, me); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`{"identifier":{"kind":"iqama","number":"2900000015"}}`,
		`{"identifier":{"kind":"iqama","number":"2900000015"},"as":{"payer":{"kind":"iqama","number":"2900000015"}}}`,
	} {
		if got := core.received()[i]; got.body != want || got.uri != "/core/v1/balances" {
			t.Errorf("asked %s %s", got.uri, got.body)
		}
	}
	for name, body := range map[string]string{
		"sum wrong":     `{"buckets":[{"bucket":"labour","amount":1}],"total":2}`,
		"sum overflows": `{"buckets":[{"bucket":"labour","amount":9223372036854775807},{"bucket":"civil","amount":9223372036854775807},{"bucket":"vehicles","amount":2}],"total":0}`,
		"negative":      `{"buckets":[{"bucket":"labour","amount":-1},{"bucket":"civil","amount":1}],"total":0}`,
		"twice":         `{"buckets":[{"bucket":"labour","amount":1},{"bucket":"labour","amount":1}],"total":2}`,
		"unheard of":    `{"buckets":[{"bucket":"gold","amount":1}],"total":1}`,
		"no total":      `{"buckets":[]}`,
		"no buckets":    `{"total":0}`,
	} {
		core.now(core.says(200, body))
		client := newClient(t, testConfig(t, client.base.String()))
		if balance, err := client.Balances(t.Context(), me, me); !errors.Is(err, bank.ErrCoreUnavailable) ||
			balance.Buckets != nil {
			t.Errorf("%s: %+v, %v", name, balance, err)
		}
	}
}
