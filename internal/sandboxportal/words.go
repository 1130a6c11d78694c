package sandboxportal

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"golang.org/x/text/language"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Codes of refusals.
const (
	codeMalformed       = "malformed_request"
	codeUnauthenticated = "unauthenticated"
	codeIDInvalid       = "id_invalid"
	codeCaptchaWrong    = "captcha_wrong"
	codeRateLimited     = "rate_limited"
	codeNotFound        = "not_found"
	codeAlreadyRefunded = "already_refunded"
	codeFeeConsumed     = "fee_consumed"
	codeNotRefundable   = "service_not_refundable"
	codeAmountChanged   = "amount_changed"
	codeTryAgain        = "try_again"
	codeMaintenance     = "maintenance"
)

type words = sandboxseed.Name

// A told is how people are told of a refusal.
type told struct {
	status        int
	title, detail words
}

var tolds = map[string]told{
	codeMalformed: {
		http.StatusBadRequest, words{AR: "طلب غير مفهوم", EN: "Not understood"},
		words{AR: "الطلب ليس بالصيغة المطلوبة.", EN: "The request is not in the form that is asked for."},
	},
	codeUnauthenticated: {
		http.StatusUnauthorized, words{AR: "تسجيل الدخول مطلوب", EN: "Sign in first"},
		words{AR: "اسم المستخدم أو كلمة المرور غير صحيحة، أو انتهت الجلسة.", EN: "The user name or the password is wrong, or the session has ended."},
	},
	codeIDInvalid: {
		http.StatusUnprocessableEntity, words{AR: "رقم غير صحيح", EN: "Not a valid number"},
		words{
			AR: "أدخل رقم هوية أو رقم إقامة أو رقم حدود أو رقم منشأة من عشرة أرقام.",
			EN: "Enter a national ID, iqama, border or establishment number of ten digits.",
		},
	},
	codeCaptchaWrong: {
		http.StatusUnprocessableEntity, words{AR: "الرمز المرئي غير صحيح", EN: "The picture code is not right"},
		words{
			AR: "أدخل أرقام الصورة الجديدة. لكل صورة محاولة واحدة، ومدتها دقيقتان.",
			EN: "Enter the digits of the new picture. Each picture is good for one try, within two minutes.",
		},
	},
	codeRateLimited: {
		http.StatusTooManyRequests, words{AR: "استعلامات كثيرة", EN: "Too many inquiries"},
		words{AR: "حاول مرة أخرى بعد بضع دقائق.", EN: "Try again in a few minutes."},
	},
	codeNotFound: {
		http.StatusNotFound, words{AR: "غير موجود", EN: "Not found"},
		words{AR: "لا يوجد هنا ما تبحث عنه.", EN: "There is no such thing here."},
	},
	codeFeeConsumed: {
		http.StatusConflict, words{AR: "الرسوم مستخدمة", EN: "The fee was used"},
		words{AR: "نُفذت الخدمة، والرسوم المستخدمة لا تسترد.", EN: "The service was carried out, and a used fee can't come back."},
	},
	codeNotRefundable: {
		http.StatusUnprocessableEntity, words{AR: "خدمة لا تسترد رسومها", EN: "Not a refundable service"},
		words{AR: "رسوم هذه الخدمة لا تسترد.", EN: "Fees of this service are never given back."},
	},
	codeAmountChanged: {
		http.StatusConflict, words{AR: "تغيّر المبلغ", EN: "The amount changed"},
		words{
			AR: "لم يعد المبلغ كما عُرض عليك، ولم يُسترد شيء. اختر المدفوعات مرة أخرى لترى المبلغ الآن.",
			EN: "The amount is no longer the one that you were shown. Nothing was refunded: choose the payment again to see what it is now.",
		},
	},
	codeMaintenance: {
		http.StatusServiceUnavailable, words{AR: "البوابة قيد الصيانة", EN: "Under maintenance"},
		words{AR: "البوابة مغلقة للصيانة. حاول مرة أخرى بعد انتهائها.", EN: "The portal is closed for maintenance. Come back when that is over."},
	},
	codeTryAgain: {
		http.StatusServiceUnavailable, words{AR: "الخدمة غير متاحة الآن", EN: "Not available now"},
		words{AR: "حاول مرة أخرى بعد قليل. لن يسترد المبلغ مرتين.", EN: "Try again in a moment. No amount is given back twice."},
	},
}

// Who was faster.
var (
	takenAtBank = told{
		http.StatusConflict, words{AR: "طُلب استرداده من قبل", EN: "Asked back already"},
		words{
			AR: "طُلب استرداد هذا المبلغ عن طريق البنك، ولا يسترد مرتين.",
			EN: "This amount was asked back through the bank. It is not given back twice.",
		},
	}
	takenHere = told{
		http.StatusConflict, words{AR: "طُلب استرداده من قبل", EN: "Asked back already"},
		words{
			AR: "طُلب استرداد هذا المبلغ عن طريق البوابة، ولا يسترد مرتين.",
			EN: "This amount was asked back on the portal. It is not given back twice.",
		},
	}
	success = words{
		AR: "تمت عملية الاسترداد بنجاح. يعود المبلغ إلى الحساب الذي دُفع منه.",
		EN: "The refund succeeded. The money goes back to the account that paid.",
	}
)

// tell is how a refusal is told. Anything else is the house's trouble, and said
// to be.
func tell(err error) (*refusal, told) {
	var no *refusal
	if !errors.As(err, &no) {
		no = errTryAgain
	}
	if no.code == codeAlreadyRefunded {
		if no.channel == "bank" {
			return no, takenAtBank
		}
		return no, takenHere
	}
	return no, tolds[no.code]
}

// sayWhen adds when to come back.
func (r *refusal) sayWhen(h http.Header) {
	switch {
	case r.code == codeRateLimited, r.code == codeMaintenance:
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(r.wait.Seconds())))))
	case r.code == codeTryAgain:
		h.Set("Retry-After", "1")
	}
}

// Languages of the portal. Arabic is the default.
const (
	arabic  = "ar"
	english = "en"
)

var languages = language.NewMatcher([]language.Tag{language.Arabic, language.English})

// languageAsked is that of Accept-Language.
func languageAsked(r *http.Request) string {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return arabic
	}
	if _, at, _ := languages.Match(wanted...); at == 1 {
		return english
	}
	return arabic
}

func in(lang string, w words) string {
	if lang == english {
		return w.EN
	}
	return w.AR
}
