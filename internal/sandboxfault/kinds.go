package sandboxfault

import "slices"

// Calls of the stand-ins, as Match.Call names them.
const (
	CallSubmit   = "submit"   // core: POST /refunds
	CallStatus   = "status"   // core: GET /refunds/{reference}
	CallInquiry  = "inquiry"  // core: balances and the search for requests
	CallList     = "list"     // core: the list of refunds and the settlement file
	CallReturn   = "return"   // core: POST /refunds/{reference}/return
	CallCallback = "callback" // core → gateway
	CallPortal   = "portal"   // core: the portal for people
	CallCustomer = "customer" // bank: customers and staff
	CallCredit   = "credit"   // bank: credits and the question about one
	CallSMS      = "sms"      // phone: a message arrives
)

// Kinds that every stand-in obeys.
const (
	Stop           = "stop"
	Flapping       = "flapping"
	HangBefore     = "hang_before"
	EffectThenHang = "effect_then_hang"
	Unavailable    = "unavailable"
	Well           = "well"
)

// Kinds of the government core alone: those after which a call has had no
// effect, or not yet.
const (
	LateEffect        = "late_effect"
	ErrorBefore       = "error_before"
	OddRetryAfter     = "odd_retry_after"
	TooMany           = "too_many"
	ResetBeforeEffect = "reset_before_effect"
	Unauthorized      = "unauthorized"
	Forbidden         = "forbidden"
	Redirect          = "redirect"
	Maintenance       = "maintenance"
)

// Kinds after which a call has had its effect, and nobody can tell by the answer.
const (
	ErrorAfter        = "error_after"
	ResetBeforeAnswer = "reset_before_answer"
	ResetMidAnswer    = "reset_mid_answer"
	Trickle           = "trickle"
	HTML              = "html"
	Malformed         = "malformed"
	HugeAnswer        = "huge_answer"
	GzipBomb          = "gzip_bomb"
	BadSignature      = "bad_signature"
	ExpiredSignature  = "expired_signature"
	WrongKeyID        = "wrong_key_id"
	ClockAhead        = "clock_ahead"
	ClockBehind       = "clock_behind"
	WrongEcho         = "wrong_echo"
	ReferenceReused   = "reference_reused"
	UnknownState      = "unknown_state"
)

// Kinds of answers that are good, and only awkward.
const (
	Late           = "late"
	SlowBody       = "slow_body"
	ShuffledFields = "shuffled_fields"
	UnknownFields  = "unknown_fields"
)

// Kinds that are about what the core's book says, or ceases to say.
const (
	StaleStatus       = "stale_status"
	Contradiction     = "contradiction"
	Forgets           = "forgets"
	RejectedLater     = "rejected_later"
	Reversed          = "reversed"
	ConsumedMeanwhile = "consumed_meanwhile"
	AmountChanged     = "amount_changed"
)

// Kinds of callbacks.
const (
	DuplicateCallback = "duplicate_callback"
	CallbackStorm     = "callback_storm"
	LateCallback      = "late_callback"
	DayLateCallback   = "day_late_callback"
	EarlyCallback     = "early_callback"
	OrphanCallback    = "orphan_callback"
	UnorderedCallback = "unordered_callback"
)

// A standIn is a process of its own in real life: what listens, and stops
// listening, together.
type standIn int

const (
	core standIn = iota + 1
	bank
	phone
)

// standIns says which stand-in answers a call. A callback is the core's, but it
// is the core that calls, so it may be stopped alone (see Board.Stopped).
var standIns = map[string]standIn{
	CallSubmit: core, CallStatus: core, CallInquiry: core, CallList: core, CallReturn: core, CallCallback: core, CallPortal: core,
	CallCustomer: bank, CallCredit: bank,
	CallSMS: phone,
}

// A definition is what is known of a kind before it ever fired.
type definition struct {
	kind   string
	row    string // of the fault matrix, e.g. "F04"; "" where that has none
	effect string // one sentence
	calls  []string
}

// The calls that a kind may happen to.
var (
	everyCall   = []string{CallSubmit, CallStatus, CallInquiry, CallList, CallReturn, CallCallback, CallCustomer, CallCredit, CallSMS}
	coreAnswers = []string{CallSubmit, CallStatus, CallInquiry, CallList, CallReturn}
	ofOneRefund = []string{CallSubmit, CallStatus, CallReturn}
	submissions = []string{CallSubmit}
	questions   = []string{CallStatus}
	callbacks   = []string{CallCallback}
)

// definitions are all kinds, in the order in which they are shown.
var definitions = []definition{
	{Stop, "F01", "The listener is closed and connections are refused, until it is cleared; a stopped core sends no callbacks either.", everyCall},
	{Flapping, "F16", "The listener is one second shut, one second open, and so on until it is cleared; counted each time it shuts.", everyCall},
	{HangBefore, "F02", "Silence: the call has no effect and is never answered.", everyCall},
	{EffectThenHang, "F03", "The call has its effect and is never answered.", everyCall},
	{Unavailable, "F06", "503 with Retry-After, no effect.", everyCall},
	{Well, "", "Nothing: this call is answered well, whatever stands below in the list.", everyCall},

	{LateEffect, "F04", "Silence; the submission has its effect later, up to 60 s after the call.", submissions},
	{ErrorBefore, "F05", "500, no effect.", coreAnswers},
	{OddRetryAfter, "F06", "503, no effect; its Retry-After is a date, seconds, 0, 1000000000 or no such thing at all.", coreAnswers},
	{TooMany, "F07", "429 with Retry-After, no effect.", coreAnswers},
	{ResetBeforeEffect, "F09", "The connection is reset instead of an answer; no effect.", coreAnswers},
	{Unauthorized, "F14", "401, no effect.", coreAnswers},
	{Forbidden, "F14", "403, no effect.", coreAnswers},
	{Redirect, "F15", "302, 303, 307 or 308, no effect; whoever follows is in the history with the call \"elsewhere\".", coreAnswers},
	{Maintenance, "", "503 with a Retry-After that names the end, no effect; the portal says so too.", append(slices.Clone(coreAnswers), CallPortal)},

	{ErrorAfter, "F05", "The call has its effect; the answer is a 500.", coreAnswers},
	{ResetBeforeAnswer, "F09", "The call has its effect; the connection is reset before the first byte of the answer.", coreAnswers},
	{ResetMidAnswer, "F09", "The call has its effect; the connection breaks in the middle of the answer.", coreAnswers},
	{Trickle, "F08", "The call has its effect; the answer's body comes at a byte a second, for longer than anybody waits.", coreAnswers},
	{HTML, "F10", "The call has its effect; the answer is a 200 with an HTML page.", coreAnswers},
	{Malformed, "F10", "The call has its effect; the answer's body is cut short, and signed as it is.", coreAnswers},
	{HugeAnswer, "F10", "The call has its effect; the answer is right and signed, and 32 MiB long.", coreAnswers},
	{GzipBomb, "F10", "The call has its effect; the answer is right and signed, and unpacks to more than 1 GiB.", coreAnswers},
	{BadSignature, "F11", "The call has its effect; the answer's signature is wrong or missing.", coreAnswers},
	{ExpiredSignature, "F11", "The call has its effect; the answer's signature has expired.", coreAnswers},
	{WrongKeyID, "F11", "The call has its effect; the answer is signed under a key id that nobody knows.", coreAnswers},
	{ClockAhead, "F21", "The call has its effect; the answer's signature is from 10 min ahead.", coreAnswers},
	{ClockBehind, "F21", "The call has its effect; the answer's signature is from 10 min ago.", coreAnswers},
	{WrongEcho, "F12", "The call has its effect; the answer is signed and names another reference, request, amount or IBAN.", ofOneRefund},
	{ReferenceReused, "F13", "The submission has its effect; the answer is 409 reference_reused, of a reference that stands for nothing else.", submissions},
	{UnknownState, "F20", "An answer carries a state that no page documents.", ofOneRefund},

	{Late, "", "The call has its effect and is answered up to 3 s later.", coreAnswers},
	{SlowBody, "F08", "The call has its effect; the answer's body drips over up to 3 s.", coreAnswers},
	{ShuffledFields, "", "The fields of an answer come in another order.", coreAnswers},
	{UnknownFields, "", "An answer carries fields that no page documents.", coreAnswers},

	{StaleStatus, "F17", "A status answer tells what was true before the last change; of a refund younger than 60 s, that it is unknown.", questions},
	{Contradiction, "F17", "A status answer says unknown_reference of a refund older than 60 s that the core has told of before.", questions},
	{Forgets, "F18", "The core forgets the reference for good: a status is 404, a re-send of what it holds is already_refunded; list and settlement keep it.", []string{CallSubmit, CallStatus}},
	{RejectedLater, "", "A refund is accepted as pending, and later rejected with fee_consumed instead of released.", submissions},
	{Reversed, "F22", "A refund is released, and some seconds later the core takes it back by itself: status returned, the request stays taken.", submissions},
	{ConsumedMeanwhile, "", "The fee was used between preview and confirm: the submission is refused with fee_consumed.", submissions},
	{AmountChanged, "", "The request's balance changed between preview and confirm: the submission is refused with amount_changed.", submissions},

	{DuplicateCallback, "F19", "A callback is delivered twice.", callbacks},
	{CallbackStorm, "F19", "A callback is delivered ten times at once.", callbacks},
	{LateCallback, "F19", "A callback is delivered up to 10 s late.", callbacks},
	{DayLateCallback, "F19", "A callback is delivered a day late.", callbacks},
	{EarlyCallback, "F19", "A callback comes before the answer to the submission that it is about.", submissions},
	{OrphanCallback, "F19", "Beside a callback comes one about a reference that nobody knows.", callbacks},
	{UnorderedCallback, "F19", "After a callback comes the one that should have been before it, with the earlier state.", callbacks},
}

func find(kind string) (definition, bool) {
	for _, d := range definitions {
		if d.kind == kind {
			return d, true
		}
	}
	return definition{}, false
}

// kinds are the names of all kinds, in the order in which they are shown.
func kinds() (names []string) {
	for _, d := range definitions {
		names = append(names, d.kind)
	}
	return names
}
