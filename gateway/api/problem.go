package api

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/text/language"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/otp"
)

// Problem is what every refusal looks like: application/problem+json (RFC 9457) with a stable code. None of it
// contains what was typed.
type Problem struct {
	Type         string  `json:"type" doc:"A URN that ends in the code." example:"urn:istirdad:problem:step_up_required"`
	Title        string  `json:"title" doc:"In the language asked for; Arabic by default."`
	Status       int     `json:"status" doc:"The HTTP status."`
	Detail       string  `json:"detail" doc:"What to do, in the language asked for. Never what was typed."`
	Instance     string  `json:"instance" doc:"The path that was called."`
	Code         string  `json:"code" doc:"Stable; programs go by it." example:"step_up_required"`
	RequestID    string  `json:"request_id" doc:"Also in X-Request-Id; what support asks for."`
	Errors       []Fault `json:"errors,omitempty" nullable:"false" doc:"With malformed_request: where."`
	AttemptsLeft *int    `json:"attempts_left,omitempty" doc:"With code_wrong."`
	RetryAfter   int     `json:"retry_after,omitempty" doc:"Seconds; also in the header Retry-After."`
	Links        *Links  `json:"links,omitempty" doc:"Where to look instead."`
}

// Links lead out of a refusal. All are paths of this API.
type Links struct {
	Refund string `json:"refund,omitempty" doc:"With refund_exists, when it is the caller's own: the refund of this payment." example:"/v1/refunds/0198f0c0-0000-7000-8000-000000000001"`
}

// Error makes a Problem an error, for huma.
func (p *Problem) Error() string { return p.Code }

// GetStatus is huma's way to the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is huma's way to the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is huma's way to the headers that go with a problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="istirdad"`)
	}
	return h
}

// kind is a row of the table of codes: status, and the words in both languages.
type kind struct {
	status int
	title  bank.Text
	detail bank.Text
	retry  time.Duration // how long to wait when nothing says better
}

// kinds is the table of codes (api.md, "Errors").
var kinds = map[string]kind{
	"malformed_request": {400, bank.Text{AR: "طلب غير صحيح", EN: "Malformed request"},
		bank.Text{AR: "صيغة الطلب لا توافق العقد", EN: "The request doesn't have the form that the contract asks for."}, 0},
	"idempotency_key_missing": {400, bank.Text{AR: "مفتاح التكرار ناقص", EN: "Idempotency key missing"},
		bank.Text{AR: "أرسل الترويسة Idempotency-Key", EN: "Send the header Idempotency-Key."}, 0},
	"unauthenticated": {401, bank.Text{AR: "لم يُتحقق من المتصل", EN: "Not authenticated"},
		bank.Text{AR: "سجّل الدخول من جديد", EN: "Sign in again."}, 0},
	"step_up_required": {403, bank.Text{AR: "مطلوب رمز تحقق", EN: "A code is required"},
		bank.Text{AR: "اطلب رمزًا مؤقتًا على جوالك وأدخله", EN: "Ask for a one-time code on your mobile and enter it."}, 0},
	"forbidden": {403, bank.Text{AR: "غير مسموح", EN: "Forbidden"},
		bank.Text{AR: "لا تسمح صلاحياتك بهذا", EN: "Your token doesn't allow this."}, 0},
	"self_approval": {403, bank.Text{AR: "لا يوافق الموظف على طلبه", EN: "Not your own to approve"},
		bank.Text{AR: "أنت من قدّم الطلب، فليقرره موظف آخر", EN: "You asked for it yourself; somebody else decides."}, 0},
	"account_not_owned": {403, bank.Text{AR: "ليس حسابك", EN: "Not your account"},
		bank.Text{AR: "أدخل رقم حساب من حساباتك", EN: "Enter the number of an account of your own."}, 0},
	"not_found": {404, bank.Text{AR: "غير موجود", EN: "Not found"},
		bank.Text{AR: "لا يوجد ما تطلبه", EN: "There is no such thing."}, 0},
	"method_not_allowed": {405, bank.Text{AR: "طريقة غير مسموحة", EN: "Method not allowed"},
		bank.Text{AR: "هذا المسار لا يقبل هذه الطريقة", EN: "This path doesn't take this method."}, 0},
	"mobile_missing": {409, bank.Text{AR: "لا يوجد رقم جوال", EN: "No mobile on record"},
		bank.Text{AR: "لا يوجد رقم جوال مسجل لك، نرجو زيارة الفرع", EN: "The bank has no mobile of yours; please visit a branch."}, 0},
	"idempotency_in_progress": {409, bank.Text{AR: "الطلب قيد التنفيذ", EN: "In progress"},
		bank.Text{AR: "طلب بالمفتاح نفسه قيد التنفيذ", EN: "A request with the same key is still running."}, time.Second},
	"too_late": {409, bank.Text{AR: "فات وقت الإلغاء", EN: "Too late"},
		bank.Text{AR: "أُرسل الطلب ولا يمكن إلغاؤه", EN: "The request may have been sent and can't be withdrawn."}, 0},
	"already_decided": {409, bank.Text{AR: "حُسم الطلب", EN: "Already decided"},
		bank.Text{AR: "لم يعد الطلب ينتظر موافقة", EN: "It doesn't await approval any more."}, 0},
	"not_possible": {409, bank.Text{AR: "غير ممكن", EN: "Not possible"},
		bank.Text{AR: "ليس هذا ما عُرض عليك، فأعد قراءة الطلب", EN: "It isn't what you were shown; read it again."}, 0},
	"code_used": {409, bank.Text{AR: "الرمز مستخدم", EN: "Code used already"},
		bank.Text{AR: "استُخدم هذا الرمز من قبل", EN: "This code was used before."}, 0},
	"preview_expired": {410, bank.Text{AR: "انتهت مدة المعاينة", EN: "Preview expired"},
		bank.Text{AR: "ابدأ من جديد بمعاينة جديدة", EN: "Begin again with a new preview."}, 0},
	"challenge_gone": {410, bank.Text{AR: "الرمز لم يعد صالحًا", EN: "Code no longer valid"},
		bank.Text{AR: "اطلب رمزًا جديدًا", EN: "Ask for a new code."}, 0},
	"id_invalid": {422, bank.Text{AR: "رقم الهوية غير صحيح", EN: "ID number not valid"},
		bank.Text{AR: "تحقق من رقم الهوية أو الإقامة", EN: "Check the national ID or iqama number."}, 0},
	"id_mismatch": {422, bank.Text{AR: "رقم الهوية لا يطابق هويتك", EN: "Not your ID number"},
		bank.Text{AR: "أدخل رقم هويتك أنت", EN: "Enter your own ID number."}, 0},
	"iban_invalid": {422, bank.Text{AR: "رقم الحساب غير صحيح", EN: "Account number not valid"},
		bank.Text{AR: "تحقق من رقم الحساب أو الآيبان", EN: "Check the account number or IBAN."}, 0},
	"account_mismatch": {422, bank.Text{AR: "ليس الحساب الذي دُفع منه", EN: "Not the account that paid"},
		bank.Text{AR: "لا يعود المبلغ إلا إلى الحساب الذي دُفع منه", EN: "The money goes back only to the account that paid."}, 0},
	"code_wrong": {422, bank.Text{AR: "الرمز غير صحيح", EN: "Wrong code"},
		bank.Text{AR: "تحقق من الرمز وأعد إدخاله", EN: "Check the code and enter it again."}, 0},
	"idempotency_key_reused": {422, bank.Text{AR: "مفتاح التكرار مستخدم", EN: "Idempotency key reused"},
		bank.Text{AR: "استُخدم المفتاح نفسه لطلب مختلف", EN: "The same key was used for a different request."}, 0},
	"limit_exceeded": {422, bank.Text{AR: "تجاوز الحد اليومي", EN: "Daily limit exceeded"},
		bank.Text{AR: "تجاوز الطلب حدك اليومي في هذه القناة، ويمكن للفرع أن يقبل أكثر", EN: "The request exceeds your daily limit on this channel; a branch can do more."}, 0},
	"mobile_recent": {422, bank.Text{AR: "رقم الجوال تغيّر حديثًا", EN: "Mobile changed recently"},
		bank.Text{AR: "تغيّر رقم جوالك حديثًا، يمكن للفرع مساعدتك", EN: "Your mobile number changed recently; a branch can help."}, 0},
	"locked": {423, bank.Text{AR: "موقوف مؤقتًا", EN: "Locked"},
		bank.Text{AR: "أُدخلت رموز خاطئة كثيرة، حاول لاحقًا أو زر الفرع", EN: "Too many wrong codes; try later or visit a branch."}, 0},
	"resend_too_soon": {429, bank.Text{AR: "أُرسل رمز قبل قليل", EN: "A code was sent just now"},
		bank.Text{AR: "انتظر قليلًا ثم اطلب رمزًا جديدًا", EN: "Wait a little, then ask for a new code."}, 0},
	"rate_limited": {429, bank.Text{AR: "طلبات كثيرة", EN: "Too many requests"},
		bank.Text{AR: "حاول لاحقًا", EN: "Try later."}, 30 * time.Second},
	"internal": {500, bank.Text{AR: "خطأ داخلي", EN: "Internal error"},
		bank.Text{AR: "حدث خطأ لدينا، اذكر رقم الطلب عند التواصل", EN: "Something went wrong here; quote the request id."}, 0},
	"core_unavailable": {503, bank.Text{AR: "الجهة الحكومية غير متاحة", EN: "Government entity unavailable"},
		bank.Text{AR: "تعذّر الوصول إلى الجهة الحكومية، حاول بعد قليل", EN: "The government entity can't be reached; try again shortly."}, 15 * time.Second},
	"sms_unavailable": {503, bank.Text{AR: "تعذّر إرسال الرسالة", EN: "SMS not sent"},
		bank.Text{AR: "تعذّر إرسال الرمز، حاول بعد قليل", EN: "The code could not be sent; try again shortly."}, 15 * time.Second},
	"maintenance": {503, bank.Text{AR: "الخدمة متوقفة للصيانة", EN: "Closed for maintenance"},
		bank.Text{AR: "الخدمة متوقفة مؤقتًا للصيانة، وما طُلب من قبل يستمر", EN: "The service is closed for a while; what was asked for before goes on."}, time.Minute},
	"try_again": {503, bank.Text{AR: "حاول مرة أخرى", EN: "Try again"},
		bank.Text{AR: "تعذّر تنفيذ الطلب الآن، ولم يُفقد شيء", EN: "The request couldn't be carried out just now; nothing is lost."}, 2 * time.Second},
}

// reasonStatus is the status of the problem whose code is a request's reason; its words are the reason's own.
var reasonStatus = map[bank.Reason]int{
	bank.PayerMismatch: 403, bank.ServiceNotRefundable: 422, bank.FeeConsumed: 409, bank.RefundExists: 409,
	bank.OtherBank: 409, bank.AccountIsClosed: 409, bank.AccountIsFrozen: 409,
	bank.AlreadyRefunded: 409, bank.AmountChanged: 409,
}

// codes is the only table from errors to codes. The first row that matches counts; what matches none is internal, and
// nothing of it is told.
var codes = []struct {
	err  error
	code string
}{
	// Nothing was decided, whatever the error beneath means where it is promised.
	{bank.ErrUnavailable, "try_again"},
	{otp.ErrUnavailable, "try_again"},
	{bank.ErrCoreUnavailable, "core_unavailable"},
	{otp.ErrSMS, "sms_unavailable"},
	{bank.ErrClosed, "maintenance"},

	{bank.ErrUnauthenticated, "unauthenticated"},
	{errForbidden, "forbidden"},
	{bank.ErrBarred, "forbidden"},
	{errMalformed, "malformed_request"},
	{errKeyMissing, "idempotency_key_missing"},
	{otp.ErrMalformedCode, "malformed_request"},
	{bank.ErrNoChallenge, "malformed_request"},
	{bank.ErrCursor, "malformed_request"},
	{bank.ErrNoProof, "step_up_required"},
	{bank.ErrCodeNeeded, "step_up_required"},
	{bank.ErrNotFound, "not_found"},
	{gateway.ErrNotFound, "not_found"},
	{bank.ErrUnknownService, "not_found"},
	{errNoRoute, "not_found"},
	{errNoMethod, "method_not_allowed"},
	{bank.ErrIDInvalid, "id_invalid"},
	{bank.ErrIDMismatch, "id_mismatch"},
	{bank.ErrIBANInvalid, "iban_invalid"},
	{bank.ErrAccountNotOwned, "account_not_owned"},
	{bank.ErrAccountMismatch, "account_mismatch"},
	{bank.ErrMobileMissing, "mobile_missing"},
	{bank.ErrMobileRecent, "mobile_recent"},
	{bank.ErrTooLate, "too_late"},
	{bank.ErrSelfApproval, "self_approval"},
	{bank.ErrDecided, "already_decided"},
	{bank.ErrOther, "not_possible"},
	{bank.ErrKeyReused, "idempotency_key_reused"},
	{bank.ErrKeyBusy, "idempotency_in_progress"},
	{bank.ErrPreviewExpired, "preview_expired"},
	{bank.ErrConfirmed, string(bank.RefundExists)},
	{gateway.ErrRefundExists, string(bank.RefundExists)},
	{gateway.ErrLimitExceeded, "limit_exceeded"},
	{gateway.ErrChallengeUsed, "challenge_gone"},
	{otp.ErrLocked, "locked"},
	{otp.ErrGone, "challenge_gone"},
	{otp.ErrWrong, "code_wrong"},
	{otp.ErrUsed, "code_used"},
	{otp.ErrTooSoon, "resend_too_soon"},
	{otp.ErrBudget, "rate_limited"},
	{bank.ErrTooOften, "rate_limited"},
	{bank.ErrWatches, "rate_limited"},
}

// What this package itself says no with.
var (
	errForbidden  = errors.New("token lacks the scope")
	errMalformed  = errors.New("malformed request")
	errKeyMissing = errors.New("no idempotency key")
	errNoRoute    = errors.New("no such route")
	errNoMethod   = errors.New("no such method on this route")
)

// newProblem turns an error into what the caller of the request in ctx is told.
func newProblem(ctx context.Context, err error) *Problem {
	code := codeOf(err)
	k := kindOf(code)
	var (
		because *bank.ReasonError
		closed  *bank.ClosedError
	)
	switch { // the bank may have words of its own
	case errors.As(err, &because) && because.Text != (bank.Text{}):
		k.title, k.detail = because.Text, because.Text
	case errors.As(err, &closed):
		k.detail, k.retry = cmp.Or(closed.Text, k.detail), closed.RetryAfter
	}
	req := requestOf(ctx)
	p := &Problem{
		Type: "urn:istirdad:problem:" + code, Code: code, Status: k.status,
		Title: req.say(k.title), Detail: req.say(k.detail), Instance: req.path, RequestID: req.id,
		RetryAfter: seconds(k.retry),
	}
	if code == "malformed_request" {
		p.Errors = faultsOf(err)
	}
	var (
		locked *otp.LockedError
		wrong  *otp.WrongError
		soon   *otp.TooSoonError
		budget *otp.BudgetError
		rate   *bank.RateError
		exists *bank.ExistsError
	)
	switch {
	case errors.As(err, &exists):
		p.Links = &Links{Refund: "/v1/refunds/" + exists.RefundID}
	case errors.As(err, &locked):
		p.RetryAfter = seconds(locked.RetryAfter) // none when only a branch can end it
	case errors.As(err, &wrong):
		p.AttemptsLeft = &wrong.AttemptsLeft
	case errors.As(err, &soon):
		p.RetryAfter = seconds(soon.RetryAfter)
	case errors.As(err, &budget):
		p.RetryAfter = seconds(budget.RetryAfter)
	case errors.As(err, &rate):
		p.RetryAfter = seconds(rate.RetryAfter)
	}
	return p
}

// kindOf is the row of a code; of a request's reason it is made of the reason's own words.
func kindOf(code string) kind {
	if k, found := kinds[code]; found {
		return k
	}
	reason := bank.Reason(code)
	return kind{status: reasonStatus[reason], title: reason.Text(), detail: reason.Text()}
}

func codeOf(err error) string {
	var reason *bank.ReasonError
	if errors.As(err, &reason) {
		if _, known := reasonStatus[reason.Reason]; known {
			return string(reason.Reason)
		}
		return "internal"
	}
	for _, row := range codes {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	return "internal"
}

// seconds rounds up: a wait that is told is never too short.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// request is what a problem needs to know of the request that it answers.
type request struct {
	id      string
	path    string
	english bool
}

func (r request) say(t bank.Text) string {
	if r.english {
		return t.EN
	}
	return t.AR
}

type requestKey struct{}

func requestOf(ctx context.Context) request {
	r, _ := ctx.Value(requestKey{}).(request)
	return r
}

// wantsEnglish reports whether English is the first of our two languages that is asked for. Whoever asks for neither gets
// Arabic; x/text's matcher would have taken English for a speaker of French.
func wantsEnglish(acceptLanguage string) bool {
	tags, weights, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return false
	}
	for i, tag := range tags { // the heaviest first
		if weights[i] == 0 {
			continue
		}
		base, sure := tag.Base()
		switch {
		case sure != language.Exact: // said without a language ("und-SA"); the rest is a guess
		case base.String() == "en":
			return true
		case base.String() == "ar":
			return false
		}
	}
	return false
}
