package sandbox_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// control calls the control listener, and looks that the answer says whose it is.
func control(t *testing.T, w *banktest.World, method, path string, body any, status int) *banktest.Response {
	t.Helper()
	r := w.Control(method, path, body).Want(status)
	if got := r.Header.Get("Refund-Core"); got != "sandbox" {
		t.Errorf("%s %s: Refund-Core is %q", method, path, got)
	}
	return r
}

func TestPeopleListed(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t, banktest.Crowd(2))
	var people struct {
		Items []sandbox.Person `json:"items"`
	}
	control(t, w, http.MethodGet, "/people", nil, 200).JSON(&people)
	roles, users := map[string]int{}, []string{}
	for _, p := range people.Items {
		roles[p.Role]++
		users = append(users, p.User)
		if p.Role != "customer" && p.Employee == "" || p.Name.AR == "" || p.Name.EN == "" {
			t.Errorf("%s is %+v", p.User, p)
		}
		w.Customer(p.User) // everybody can sign in
	}
	if roles["customer"] != 16 || roles["teller"] != 3 || roles["approver"] != 3 || roles["operator"] != 2 {
		t.Errorf("the roles are %v", roles)
	}
	for _, user := range []string{"p01", "p14", "c00001", "c00002", "t01", "a02", "o02"} {
		if !slices.Contains(users, user) {
			t.Errorf("nobody is called %s", user)
		}
	}
	p05 := people.Items[slices.Index(users, "p05")]
	if len(p05.Requests) != 1 || p05.Requests[0].RequestID != "rq-p05-1" || p05.Requests[0].Amount.Amount != "2000.00" ||
		p05.Requests[0].State != "available" || p05.Requests[0].Beneficiary.Number != p05.IDNumber {
		t.Errorf("p05's requests are %+v", p05.Requests)
	}
	p10 := people.Items[slices.Index(users, "p10")]
	if len(p10.Accounts) != 1 || p10.Accounts[0].Status != "closed" || p10.Accounts[0].IBAN != "SA1780000555608000000010" {
		t.Errorf("p10's accounts are %+v", p10.Accounts)
	}
	c := w.Customer("c00002")
	if c.IDNumber() != "2950000027" && len(c.IDNumber()) != 10 || c.Account() != "555700000000002" || len(c.Requests()) != 3 {
		t.Errorf("c00002 is %s %s with %d requests", c.IDNumber(), c.Account(), len(c.Requests()))
	}
}

// TestReset: back to the seed, also while customers are busy, and also out of a fault.
func TestReset(t *testing.T) { inProcess(t, 24, resetAmidAll) }

func resetAmidAll(t *testing.T, w *banktest.World) {
	all := crowd(w, 24, 1)
	w.Fault(banktest.EffectThenHang, banktest.OnSubmit, banktest.Rate(0.3))
	w.Fault(banktest.Stop, banktest.OnCredit)
	var reset atomic.Bool
	w.Together(len(all), func(i int, w *banktest.World) {
		if i == len(all)/2 {
			w.Reset()
			reset.Store(true)
			return
		}
		r := all[i].customer.In(w).Do(http.MethodPost, "/v1/refunds/"+all[i].refundID+"/confirm", nil)
		switch {
		case r.Status == 202: // before
		case r.Status == 404, r.Status == 403, r.Status == 401, r.Status == 503: // in the middle, or after
		default:
			t.Errorf("confirmed during a reset: %d %s", r.Status, r.Code())
		}
	})
	if !reset.Load() {
		t.Fatal("no reset")
	}
	w.Exact()
	w.Reset()
	isAtItsStart(t, w)
	// Nothing of before comes after: every request can be asked back once more.
	again := crowd(w, 24, 1)
	confirmAll(w, again, func(*banktest.World, int) {})
	settled(t, w, again, settleMax)
}

func isAtItsStart(t *testing.T, w *banktest.World) {
	t.Helper()
	if v := w.Exact(); v.Confirmed+v.Effects+v.Unfinished != 0 {
		t.Errorf("after a reset the referee says %+v", v)
	}
	if got := w.History(""); len(got) != 0 {
		t.Errorf("after a reset the core remembers %d calls", len(got))
	}
	for path, want := range map[string]string{"/faults": `{"items":[]}`, "/phone/messages": `{"items":[]}`} {
		if got := strings.TrimSpace(string(control(t, w, http.MethodGet, path, nil, 200).Body)); got != want {
			t.Errorf("after a reset %s is %s", path, got)
		}
	}
	for _, p := range w.People() {
		for _, r := range p.Requests {
			if p.User[0] == 'c' && r.State != "available" {
				t.Errorf("after a reset %s is %s", r.RequestID, r.State)
			}
		}
	}
}

// TestForgive clears the SMS budget and the block of one customer.
func TestForgive(t *testing.T) { inProcess(t, 0, forgiveOne) }

func forgiveOne(t *testing.T, w *banktest.World) {
	c := w.Customer("p01")
	ask := object{"purpose": "profile"}
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(201)
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(429, "resend_too_soon")
	control(t, w, http.MethodPost, "/forgive", object{"user": "p01"}, 204)
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(201)
	control(t, w, http.MethodPost, "/forgive", object{"user": "p02"}, 204)
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(429, "resend_too_soon")
	control(t, w, http.MethodPost, "/forgive", object{"user": "p99"}, 404)
	control(t, w, http.MethodPost, "/forgive", "nobody", 400)
}

func TestFaultsControlled(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	for _, bad := range []string{
		`[{"kind":"earthquake"}]`, `[{"kind":"stop","count":1}]`, `[{"kind":"late","match":{"call":"nobody"}}]`,
		`[{"kind":"unavailable","rate":1.5}]`, `[{"kind":"unavailable","macth":{"call":"sms"}}]`, `{"kind":"stop"}`, `[`, ``,
		`null`, `[null]`, `[]garbage`, `[{"KIND":"late"}]`, `[{"kind":"late","kind":"stop"}]`,
		`[{"kind":"late","rate":0}]`, `[{"kind":"late","count":0}]`, `[{"kind":"late","count":-1}]`, `[{"kind":"late","match":{"user":"p99"}}]`,
	} {
		for _, method := range []string{http.MethodPut, http.MethodPost} {
			control(t, w, method, "/faults", bad, 400)
		}
	}
	if on := control(t, w, http.MethodGet, "/faults", nil, 200); strings.TrimSpace(string(on.Body)) != `{"items":[]}` {
		t.Fatalf("what was refused is on: %s", on.Body)
	}
	for _, bad := range []string{
		`null`, `[{"until":"2026-03-05T06:00:00Z"}]`, `[{"from":"2026-03-05T06:00:00Z"}]`, `[{"from":"now","until":"2026-03-05T06:00:00Z"}]`,
		`[{"from":"2026-03-05T06:00:00Z","until":"2026-03-05T06:00:00Z"}]`, `[{"from":"2026-03-05T06:00:00Z","until":"2026-03-05T07:00:00Z","user":"p01"}]`,
	} {
		control(t, w, http.MethodPut, "/maintenance", bad, 400)
	}
	fault := `[{"kind":"unavailable","rate":null,"count":2,"match":{"call":"sms","user":"p01"}}]`
	control(t, w, http.MethodPut, "/faults", fault, 204)
	c := w.Customer("p01")
	for range 2 {
		c.Do(http.MethodPost, "/v1/otp/challenges", object{"purpose": "profile"}).Want(503, "sms_unavailable")
	}
	c.Prove()
	var kinds struct {
		Items []struct {
			Kind, Effect string
			Fired        int
		}
	}
	control(t, w, http.MethodGet, "/faults/kinds", nil, 200).JSON(&kinds)
	fired := map[string]int{}
	for _, k := range kinds.Items {
		fired[k.Kind] = k.Fired
		if k.Effect == "" {
			t.Errorf("%s doesn't say what it does", k.Kind)
		}
	}
	for _, kind := range []string{"stop", "hang_before", "effect_then_hang", "unavailable"} {
		if _, known := fired[kind]; !known {
			t.Errorf("there is no %s", kind)
		}
	}
	if fired["unavailable"] != 2 {
		t.Errorf("unavailable fired %d times, want 2", fired["unavailable"])
	}
	control(t, w, http.MethodPut, "/faults", fault, 204)
	control(t, w, http.MethodDelete, "/faults", nil, 204)
	if got := strings.TrimSpace(string(control(t, w, http.MethodGet, "/faults", nil, 200).Body)); got != `{"items":[]}` {
		t.Errorf("after DELETE the faults are %s", got)
	}
	control(t, w, http.MethodGet, "/nothing", nil, 404)
	control(t, w, http.MethodGet, "/reset", nil, 405)
}

// TestStop: while a stand-in is stopped its connections are refused, and it comes back at the same address.
func TestStop(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	for range 5 {
		for call, address := range map[banktest.Call]string{banktest.OnSubmit: w.URLs().Core, banktest.OnCredit: w.URLs().Bank} {
			w.Fault(banktest.Stop, call)
			if answer, err := http.Get(address + "/"); err == nil {
				answer.Body.Close()
				t.Errorf("%s is stopped and answers %s", call, answer.Status)
			} else if !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s is stopped: %v", call, err)
			}
			w.ClearFaults()
			answer, err := http.Get(address + "/")
			if err != nil {
				t.Fatalf("%s is back: %v", call, err)
			}
			answer.Body.Close()
		}
	}
}

// TestTruthAndHistory: what the core received and what it really did, for one reference among others.
func TestTruthAndHistory(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	references := map[string]string{}
	for user, request := range map[string]string{"p01": "rq-p01-1", "p03": "rq-p03-1"} {
		c := w.Customer(user)
		c.Prove()
		id := c.Preview(request).RefundID
		c.Confirm(id).Want(202)
		references[request] = c.Await(id, "credited").Reference
	}
	var truth struct {
		Items []struct {
			RequestID          string `json:"request_id"`
			Reference, Channel string
			Released, Returned int
		}
	}
	control(t, w, http.MethodGet, "/core/truth", nil, 200).JSON(&truth)
	found := 0
	for _, e := range truth.Items {
		if reference, ours := references[e.RequestID]; ours {
			found++
			if e.Reference != reference || e.Channel != "bank" || e.Released != 1 || e.Returned != 0 {
				t.Errorf("the truth of %s is %+v", e.RequestID, e)
			}
		}
	}
	if found != 2 {
		t.Errorf("the truth is %+v", truth)
	}
	for request, reference := range references {
		calls := w.History(reference)
		if len(calls) < 2 || calls[0].Call != "submit" || calls[0].Status != 201 || !calls[0].Effect || calls[0].RequestID != request {
			t.Errorf("the history of %s is %+v", reference, calls)
		}
		for i, call := range calls {
			if call.Reference != reference || i > 0 && call.At.Before(calls[i-1].At) {
				t.Errorf("call %d of %s is %+v", i, reference, call)
			}
		}
	}
	if got := w.History("RF0123456789ABCDEF"); len(got) != 0 {
		t.Errorf("nobody's reference has a history: %+v", got)
	}
}

// TestPayments: whoever has asked everything back can have somebody pay again, until the next reset.
func TestPayments(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	if got := w.Pay("p03", 2); !slices.Equal(got, []string{"rq-p03-2", "rq-p03-3"}) {
		t.Fatalf("paid %v", got)
	}
	w.Pay("p05", 1) // rq-p05-1 is what p06 paid
	c := w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-3")
	c.Confirm(preview.RefundID).Want(202)
	c.Await(preview.RefundID, "credited")
	states := map[string]string{}
	for _, r := range c.Requests() {
		states[r.RequestID] = r.State
	}
	if len(states) != 3 || states["rq-p03-1"] != "available" || states["rq-p03-2"] != "available" || states["rq-p03-3"] != "refunded" {
		t.Errorf("p03's requests are %v", states)
	}
	if requests := w.Customer("p05").Requests(); len(requests) != 2 {
		t.Errorf("p05's requests are %+v", requests)
	}
	w.Exact()
	for body, status := range map[string]int{
		`{"user":"nobody","count":1}`: 404, `{"user":"t01","count":1}`: 404,
		`{"user":"p03","count":0}`: 400, `{"user":"p03","count":1001}`: 400, `{"user":"p03","n":1}`: 400,
		`{"user":"p03","count":1,"fee":"bread"}`: 400,
	} {
		control(t, w, http.MethodPost, "/core/payments", body, status)
	}
	w.Reset()
	if requests := w.Customer("p03").Requests(); len(requests) != 1 {
		t.Errorf("after a reset p03's requests are %+v", requests)
	}
}

// TestRulesOfServices: what the core goes by is data that one can look at, and a fee that a rule bars is never given back
// by any channel.
func TestRulesOfServices(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	var rules struct{ Items []sandboxseed.Rule }
	control(t, w, http.MethodGet, "/core/rules", nil, 200).JSON(&rules)
	var fees struct{ Items []sandboxseed.Fee }
	control(t, w, http.MethodGet, "/core/fees", nil, 200).JSON(&fees)
	if len(rules.Items) != 50 || len(fees.Items) != 35 || rules.Items[0].Service != "090-001" || rules.Items[0].Source.Source == "" {
		t.Errorf("%d rules, %d fees, the first rule is %+v", len(rules.Items), len(fees.Items), rules.Items[0])
	}
	control(t, w, http.MethodPost, "/core/payments", `{"user":"p03","count":1,"fee":"traffic-violation"}`, 200)
	c := w.Customer("p03")
	c.Prove()
	c.AskFor("rq-p03-2").Want(422, "service_not_refundable")
}

// TestRatesTold: how often the core goes wrong of its own accord can be read, also where it doesn't.
func TestRatesTold(t *testing.T) {
	t.Parallel()
	usual := map[string]float64{ // reliability.md, section 6.2
		"effect_then_hang": 0.05, "unavailable": 0.05, "reset_mid_answer": 0.03, "malformed": 0.02, "bad_signature": 0.01,
		"duplicate_callback": 0.10, "stale_status": 0.05, "unknown_state": 0.01, "stop": 0, "wrong_echo": 0,
	}
	for name, w := range map[string]*banktest.World{"hostile": apitest.Start(t, banktest.Hostile(1)), "polite": apitest.Start(t)} {
		var kinds struct {
			Items []struct {
				Kind string
				Rate *float64
			}
		}
		control(t, w, http.MethodGet, "/faults/kinds", nil, 200).JSON(&kinds)
		told := 0
		for _, k := range kinds.Items {
			want, known := usual[k.Kind]
			if name == "polite" {
				want = 0
			}
			if known {
				told++
			}
			if k.Rate == nil || (known || name == "polite") && *k.Rate != want {
				t.Errorf("%s: %s happens at %v, want %v", name, k.Kind, k.Rate, want)
			}
		}
		if told != len(usual) {
			t.Errorf("%s: of %d kinds %d are told", name, len(usual), told)
		}
	}
}
