// Package sms puts messages into words and says what they cost to send.
//
// [Render] is the one place where the texts are, in Arabic and English. They
// follow SAMA's standard titles and minimum fields for messages about retail
// transactions: what it is about comes before the amount, accounts are masked,
// there is no balance, no name and no link. The code stands in the first line,
// in ASCII digits, so that a notification's preview shows it. A message is the
// shorter the better: one Arabic letter turns all of it to UCS-2, of which a
// part holds 70 characters; [Measure] counts.
//
// Who delivers the words is in the folders below, one per protocol.
package sms

import (
	"strings"
	"time"
	"unicode"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var digitalChannel = moi.Name{AR: "القناة الرقمية", EN: "Digital channel"}

// Render returns the text of a message, empty for a kind it has no words for.
// Whatever the fields hold, the message has the lines of its template and no
// others.
func Render(m otp.Message) string {
	if m.Brand.Channel == (moi.Name{}) {
		m.Brand.Channel = digitalChannel
	}
	if m.Brand.Bank == (moi.Name{}) {
		m.Brand.Bank = moi.Name{AR: m.Brand.Sender, EN: m.Brand.Sender}
	}
	lines := arabic
	if m.Language == otp.English {
		lines = english
	}
	text := strings.Join(lines(m), "\n")
	if m.Code != "" && m.Brand.WebOTPHost != "" && (m.Kind == otp.CodeForProfile || m.Kind == otp.CodeForRefund) {
		text += "\n\n@" + m.Brand.WebOTPHost + " #" + m.Code.Reveal()
	}
	return text
}

func arabic(m otp.Message) []string {
	switch m.Kind {
	case otp.CodeForProfile:
		return []string{
			"رمز مؤقت:" + m.Code.Reveal(),
			"لـ:الدخول - " + inArabic(m.Brand.Channel),
			"لا تشاركه مع أحد",
		}
	case otp.CodeForRefund:
		return []string{
			"رمز مؤقت:" + m.Code.Reveal(),
			"لـ:استرداد مدفوعات حكومية",
			"المبلغ:SAR " + m.Amount.String(),
			"الخدمة:" + inArabic(m.Service),
			"الى:" + line(m.AccountTail),
			"لا تشاركه مع أحد",
		}
	case otp.CodeForCounter:
		return []string{
			"رمز مؤقت:" + m.Code.Reveal(),
			"لـ:عرض مدفوعاتك الحكومية",
			inArabic(m.Brand.Bank) + " فرع " + line(m.Branch),
			"اكتبه بنفسك بلوحة الأرقام ولا تشاركه مع أحد",
		}
	case otp.CodeForCounterRefund:
		return []string{
			"رمز مؤقت:" + m.Code.Reveal(),
			"لـ:استرداد مدفوعات حكومية",
			"المبلغ:SAR " + m.Amount.String(),
			"الخدمة:" + inArabic(m.Service),
			"الى:" + line(m.AccountTail),
			inArabic(m.Brand.Bank) + " فرع " + line(m.Branch),
			"اكتبه بنفسك بلوحة الأرقام",
		}
	case otp.RefundCompleted:
		return []string{
			"استرجاع مدفوعات وزارة الداخلية", // SAMA's title, to the letter
			"مبلغ:SAR " + m.Amount.String(),
			"الى:" + line(m.AccountTail),
			"الجهة:" + inArabic(m.Sector),
			"الخدمة:" + inArabic(m.Service),
			"في:" + moment(m.At),
		}
	case otp.RefundAccepted:
		return []string{
			"طلب استرداد مدفوعات حكومية",
			"الحالة:قيد المعالجة",
			"مبلغ:SAR " + m.Amount.String(),
			"المرجع:" + line(m.Reference),
			"الموعد المتوقع:" + shortDate(m.PromisedBy),
		}
	case otp.AboutToBeBlocked:
		return []string{
			"تنبيه:رموز مؤقتة خاطئة متكررة",
			"محاولة خاطئة أخرى توقف الخدمة حتى مراجعة الفرع",
			"إن لم تكن أنت فتواصل مع البنك",
		}
	}
	return nil
}

func english(m otp.Message) []string {
	const keepIt = "Do not share this code with anyone, including bank staff."
	switch m.Kind {
	case otp.CodeForProfile:
		return []string{
			"Temp code:" + m.Code.Reveal(),
			"For:Sign in - " + inEnglish(m.Brand.Channel),
			keepIt,
		}
	case otp.CodeForRefund:
		return []string{
			"Temp code:" + m.Code.Reveal(),
			"For:Government payment refund",
			"Amount:SAR " + m.Amount.String(),
			"Service:" + inEnglish(m.Service),
			"To acct:" + line(m.AccountTail),
			keepIt,
		}
	case otp.CodeForCounter:
		return []string{
			"Temp code:" + m.Code.Reveal(),
			"For:Viewing your government payments",
			"At:" + inEnglish(m.Brand.Bank) + " branch " + line(m.Branch),
			"Type it on the keypad yourself. Do not tell anyone, including bank staff.",
		}
	case otp.CodeForCounterRefund:
		return []string{
			"Temp code:" + m.Code.Reveal(),
			"For:Government payment refund",
			"Amount:SAR " + m.Amount.String(),
			"Service:" + inEnglish(m.Service),
			"To acct:" + line(m.AccountTail),
			"At:" + inEnglish(m.Brand.Bank) + " branch " + line(m.Branch),
			"Type it on the keypad; tell nobody.",
		}
	case otp.RefundCompleted:
		return []string{
			"Refunding MOI Payments", // SAMA's title, to the letter
			"Amount:SAR " + m.Amount.String(),
			"To:" + line(m.AccountTail),
			"Entity:" + inEnglish(m.Sector),
			"Service:" + inEnglish(m.Service),
			"On:" + moment(m.At),
		}
	case otp.RefundAccepted:
		return []string{
			"Government payment refund request",
			"Status:Processing",
			"Amount:SAR " + m.Amount.String(),
			"Reference:" + line(m.Reference),
			"Expected by:" + shortDate(m.PromisedBy),
		}
	case otp.AboutToBeBlocked:
		return []string{
			"Warning:repeated wrong codes",
			"One more wrong code blocks the service until you visit a branch.",
			"If this was not you, contact the bank.",
		}
	}
	return nil
}

func inArabic(n moi.Name) string { return line(n.AR) }

// inEnglish falls back to the Arabic name: a message that names the service in
// the other language is better than one that names none.
func inEnglish(n moi.Name) string {
	if n.EN == "" {
		return line(n.AR)
	}
	return line(n.EN)
}

func moment(t time.Time) string { return t.In(saudi.Riyadh).Format("06-01-02 15:04") }

func shortDate(d saudi.Date) string { return d.At(0, 0).Format("06-01-02") }

// longestField keeps a field from pushing the rest out of the message.
const longestField = 60

// line makes a field safe to stand in a line: nothing in it can begin another
// line or turn the direction of what follows.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > longestField {
		s = string(runes[:longestField])
	}
	return strings.TrimSpace(s)
}
