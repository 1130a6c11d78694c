package banktest

import "net/http"

// Kind is what can go wrong. A world refuses one that it doesn't know, and says which there are.
type Kind string

// Kinds that every neighbour of the gateway obeys.
const (
	Stop           Kind = "stop"             // connections are refused until the fault is cleared
	Flapping       Kind = "flapping"         // a second of that, a second without, and so on until the fault is cleared
	HangBefore     Kind = "hang_before"      // silence: no effect, and never an answer
	EffectThenHang Kind = "effect_then_hang" // the call has its effect, and never an answer
	Unavailable    Kind = "unavailable"      // 503, no effect
	Well           Kind = "well"             // nothing: a call that is to be answered well, whatever faults were switched on after this
)

// Kinds of the government core alone, and of calls that have no effect, or not yet.
const (
	LateEffect        Kind = "late_effect"         // silence; a refund is taken up to 60 s later
	ErrorBefore       Kind = "error_before"        // 500
	OddRetryAfter     Kind = "odd_retry_after"     // 503 with a Retry-After that is a date, seconds, 0, 1000000000 or garbage
	TooMany           Kind = "too_many"            // 429
	ResetBeforeEffect Kind = "reset_before_effect" // the connection is reset instead of an answer
	Unauthorized      Kind = "unauthorized"        // 401
	Forbidden         Kind = "forbidden"           // 403
	Redirect          Kind = "redirect"            // 302, 303, 307 or 308
	Maintenance       Kind = "maintenance"         // 503 with a Retry-After that names the end; the portal says so too
)

// Kinds of the government core alone. The call has its effect.
const (
	ErrorAfter        Kind = "error_after"         // 500
	ResetBeforeAnswer Kind = "reset_before_answer" // the connection is reset before the first byte of the answer
	ResetMidAnswer    Kind = "reset_mid_answer"    // the connection breaks in the middle of the answer
	Trickle           Kind = "trickle"             // the answer comes at a byte a second, for longer than anybody waits
	HTML              Kind = "html"                // 200 with an HTML page
	Malformed         Kind = "malformed"           // the answer is cut short
	HugeAnswer        Kind = "huge_answer"         // the answer is 32 MiB long
	GzipBomb          Kind = "gzip_bomb"           // the answer unpacks to more than 1 GiB
	BadSignature      Kind = "bad_signature"       // the answer's signature is wrong or missing
	ExpiredSignature  Kind = "expired_signature"   // the answer's signature has expired
	WrongKeyID        Kind = "wrong_key_id"        // the answer is signed under a key id that nobody knows
	ClockAhead        Kind = "clock_ahead"         // the answer's signature is from 10 min ahead
	ClockBehind       Kind = "clock_behind"        // the answer's signature is from 10 min ago
	WrongEcho         Kind = "wrong_echo"          // a signed answer names another reference, request, amount or IBAN
	ReferenceReused   Kind = "reference_reused"    // a refund is accepted, and the answer is 409 reference_reused
	UnknownState      Kind = "unknown_state"       // an answer carries a state that no page documents

	Late           Kind = "late"            // answered up to 3 s later
	SlowBody       Kind = "slow_body"       // the answer drips over up to 3 s
	ShuffledFields Kind = "shuffled_fields" // the fields of an answer come in another order
	UnknownFields  Kind = "unknown_fields"  // an answer carries fields that no page documents
)

// Kinds of the government core alone, about what its book says.
const (
	StaleStatus       Kind = "stale_status"       // a status answer tells what was true before the last change
	Contradiction     Kind = "contradiction"      // a status answer doesn't know a refund any more that one has told of before
	Forgets           Kind = "forgets"            // the core forgets a reference for good
	RejectedLater     Kind = "rejected_later"     // accepted as pending, and later rejected
	Reversed          Kind = "reversed"           // released, and some seconds later taken back by the core itself
	ConsumedMeanwhile Kind = "consumed_meanwhile" // the fee is used between preview and confirm
	AmountChanged     Kind = "amount_changed"     // the request's balance changes between preview and confirm

	DuplicateCallback Kind = "duplicate_callback" // a callback is delivered twice
	CallbackStorm     Kind = "callback_storm"     // a callback is delivered ten times at once
	LateCallback      Kind = "late_callback"      // a callback is delivered up to 10 s late
	DayLateCallback   Kind = "day_late_callback"  // a callback is delivered a day late
	EarlyCallback     Kind = "early_callback"     // a callback comes before the answer to the refund that it is about
	OrphanCallback    Kind = "orphan_callback"    // beside a callback comes one about a reference that nobody knows
	UnorderedCallback Kind = "unordered_callback" // after a callback comes the one that should have been before it
)

// A FaultOption narrows a fault down: a [Call], a [User], a [Count], a [Rate].
type FaultOption interface {
	// narrow reports whether the option means something.
	narrow(f *fault) bool
}

// Call makes a fault happen to one kind of call alone.
type Call string

// Calls of the gateway to its neighbours, and the one that it gets.
const (
	OnSubmit   Call = "submit"   // to the core: a refund
	OnStatus   Call = "status"   // to the core: what became of a refund
	OnInquiry  Call = "inquiry"  // to the core: balances, requests
	OnList     Call = "list"     // to the core: the refunds of a day
	OnReturn   Call = "return"   // to the core: taking money back
	OnCallback Call = "callback" // of the core to the gateway
	OnPortal   Call = "portal"   // of a person to the core's portal
	OnCustomer Call = "customer" // to the bank: customers and staff
	OnCredit   Call = "credit"   // to the bank: crediting an account
	OnSMS      Call = "sms"      // to the phone
)

func (c Call) narrow(f *fault) bool { f.Match.Call = string(c); return c != "" }

// User makes a fault happen to one person's calls alone.
type User string

func (u User) narrow(f *fault) bool { f.Match.User = string(u); return u != "" }

// Count makes a fault happen to the next so many matching calls, one at least.
type Count int

func (n Count) narrow(f *fault) bool { f.Count = int(n); return n > 0 }

// Rate makes a fault happen to that share of the matching calls, above 0 and at most 1.
type Rate float64

func (r Rate) narrow(f *fault) bool { f.Rate = float64(r); return r > 0 }

// fault is one as the control listener takes it.
type fault struct {
	Kind  Kind    `json:"kind"`
	Rate  float64 `json:"rate,omitempty"`
	Count int     `json:"count,omitempty"`
	Match struct {
		User string `json:"user,omitempty"`
		Call string `json:"call,omitempty"`
	} `json:"match"`
}

// Fault switches a fault on, beside those that are on already: until ClearFaults unless an option says otherwise. A kind,
// call or user that there isn't, or a kind that doesn't happen to that call, fails the test at once.
//
// Faults with a Count are the steps of a script: those that match the same call are taken in the order in which they were
// switched on, and Well is the step in which nothing happens. A step that can't happen to a call yet, because there is
// nothing that a stale answer could tell, waits for one to which it can.
func (w *World) Fault(kind Kind, options ...FaultOption) {
	w.t.Helper()
	f := fault{Kind: kind}
	for _, o := range options {
		if !o.narrow(&f) {
			w.t.Fatalf("%T(%v) narrows %s down to nothing", o, o, kind)
		}
	}
	if f.Match.User != "" {
		w.person(f.Match.User) // a fault of nobody's would never happen, and a test that waits for it would be green
	}
	w.faulty.Store(true)
	w.control(http.MethodPost, "/faults", []fault{f}, nil)
}

// ClearFaults switches all faults off.
func (w *World) ClearFaults() {
	w.t.Helper()
	w.control(http.MethodDelete, "/faults", nil, nil)
}

// leave takes the faults of this test away from a world that goes on without it.
func (w *World) leave() {
	if !w.faulty.Load() {
		return
	}
	if _, err := w.send(w.client, http.MethodDelete, w.urls.Control+"/faults", nil, nil); err != nil {
		w.t.Logf("faults may be on still: %v", err)
	}
}
