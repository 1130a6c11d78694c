package sandboxfault

// Calls of the stand-ins, as Match.Call names them.
const (
	CallSubmit   = "submit"   // core: POST /refunds
	CallStatus   = "status"   // core: GET /refunds/{reference}
	CallInquiry  = "inquiry"  // core: balances and the search for requests
	CallList     = "list"     // core: the list of refunds and the settlement file
	CallReturn   = "return"   // core: POST /refunds/{reference}/return
	CallCallback = "callback" // core → gateway
	CallCustomer = "customer" // bank: customers and staff
	CallCredit   = "credit"   // bank: credits and the question about one
	CallSMS      = "sms"      // phone: a message arrives
)

// Kinds that every stand-in obeys.
const (
	Stop           = "stop"
	HangBefore     = "hang_before"
	EffectThenHang = "effect_then_hang"
	Unavailable    = "unavailable"
)

// Kinds of the government core alone.
const (
	Late              = "late"
	ResetMidAnswer    = "reset_mid_answer"
	SlowBody          = "slow_body"
	Malformed         = "malformed"
	BadSignature      = "bad_signature"
	StaleStatus       = "stale_status"
	UnknownState      = "unknown_state"
	RejectedLater     = "rejected_later"
	ShuffledFields    = "shuffled_fields"
	UnknownFields     = "unknown_fields"
	DuplicateCallback = "duplicate_callback"
	LateCallback      = "late_callback"
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
	CallSubmit: core, CallStatus: core, CallInquiry: core, CallList: core, CallReturn: core, CallCallback: core,
	CallCustomer: bank, CallCredit: bank,
	CallSMS: phone,
}

// A definition is what is known of a kind before it ever fired. No calls: it
// may happen to any.
type definition struct {
	kind, effect string
	calls        []string
}

var coreAnswers = []string{CallSubmit, CallStatus, CallInquiry, CallList, CallReturn}

// definitions are all kinds, in the order in which they are shown.
var definitions = []definition{
	{Stop, "The listener is closed and connections are refused, until it is cleared; a stopped core sends no callbacks either.", nil},
	{HangBefore, "Silence: the call has no effect and is never answered.", nil},
	{EffectThenHang, "The call has its effect and is never answered.", nil},
	{Unavailable, "503 with Retry-After, no effect.", nil},
	{Late, "The call has its effect and is answered up to 3 s later.", coreAnswers},
	{ResetMidAnswer, "The call has its effect; the connection breaks in the middle of the answer.", coreAnswers},
	{SlowBody, "The call has its effect; the answer's body drips over up to 3 s.", coreAnswers},
	{Malformed, "The call has its effect; the answer's body is cut short, and signed as it is.", coreAnswers},
	{BadSignature, "The call has its effect; the answer's signature is wrong or missing.", coreAnswers},
	{StaleStatus, "A status answer tells what was true before the last change; of a refund younger than 60 s, that it is unknown.", []string{CallStatus}},
	{UnknownState, "An answer carries a state that no page documents.", []string{CallSubmit, CallStatus, CallReturn}},
	{RejectedLater, "A refund is accepted as pending, and later rejected with fee_consumed instead of released.", []string{CallSubmit}},
	{ShuffledFields, "The fields of an answer come in another order.", coreAnswers},
	{UnknownFields, "An answer carries fields that no page documents.", coreAnswers},
	{DuplicateCallback, "A callback is delivered twice.", []string{CallCallback}},
	{LateCallback, "A callback is delivered up to 10 s late.", []string{CallCallback}},
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
