package sms_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/sms"
)

func TestMeasure(t *testing.T) {
	for _, v := range []struct {
		char  string
		count int
		want  sms.Size
	}{
		{"ا", 70, sms.Size{Encoding: sms.UCS2, Units: 70, Parts: 1}},
		{"ا", 71, sms.Size{Encoding: sms.UCS2, Units: 71, Parts: 2}},
		{"ا", 134, sms.Size{Encoding: sms.UCS2, Units: 134, Parts: 2}},
		{"ا", 135, sms.Size{Encoding: sms.UCS2, Units: 135, Parts: 3}},
		{"a", 160, sms.Size{Encoding: sms.GSM7, Units: 160, Parts: 1}},
		{"a", 161, sms.Size{Encoding: sms.GSM7, Units: 161, Parts: 2}},
		{"a", 306, sms.Size{Encoding: sms.GSM7, Units: 306, Parts: 2}},
		{"a", 307, sms.Size{Encoding: sms.GSM7, Units: 307, Parts: 3}},
		{"{", 80, sms.Size{Encoding: sms.GSM7, Units: 160, Parts: 1}},
		{"{", 81, sms.Size{Encoding: sms.GSM7, Units: 162, Parts: 2}},
		{"{", 153, sms.Size{Encoding: sms.GSM7, Units: 306, Parts: 3}}, // 76 pairs to a part
		{"😀", 35, sms.Size{Encoding: sms.UCS2, Units: 70, Parts: 1}},
		{"😀", 67, sms.Size{Encoding: sms.UCS2, Units: 134, Parts: 3}}, // 33 to a part
		{"٠", 1, sms.Size{Encoding: sms.UCS2, Units: 1, Parts: 1}},
		{"€", 1, sms.Size{Encoding: sms.GSM7, Units: 2, Parts: 1}},
		{"", 1, sms.Size{Encoding: sms.GSM7, Units: 0, Parts: 1}},
	} {
		if got := sms.Measure(strings.Repeat(v.char, v.count)); got != v.want {
			t.Errorf("%d × %q: %+v, want %+v", v.count, v.char, got, v.want)
		}
	}
}

// sample holds what every template may ask for.
func sample(kind otp.Kind, language otp.Language) otp.Message {
	return otp.Message{
		Kind: kind, Language: language, Code: "482915", Amount: 20000,
		Service:     moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"},
		Sector:      moi.Name{AR: "خدمات المقيمين", EN: "Resident Services"},
		AccountTail: "*0001", Reference: "RFK5EWJTN6GVB8STYT", Branch: "101",
		At:         time.Date(2026, 3, 8, 6, 10, 0, 0, time.UTC),
		PromisedBy: saudi.Date{Year: 2026, Month: time.March, Day: 10},
	}
}

func TestTemplates(t *testing.T) {
	for _, v := range []struct {
		kind     otp.Kind
		language otp.Language
		host     string
		text     string
		want     sms.Size
	}{
		{otp.CodeForRefund, otp.Arabic, "",
			"رمز مؤقت:482915\nلـ:استرداد مدفوعات حكومية\nالمبلغ:SAR 200.00\nالخدمة:تجديد إقامة\nالى:*0001\nلا تشاركه مع أحد",
			sms.Size{Encoding: sms.UCS2, Units: 105, Parts: 2}},
		{otp.CodeForProfile, otp.Arabic, "",
			"رمز مؤقت:482915\nلـ:الدخول - القناة الرقمية\nلا تشاركه مع أحد",
			sms.Size{Encoding: sms.UCS2, Units: 59, Parts: 1}},
		{otp.CodeForRefund, otp.Arabic, "bank.example",
			"رمز مؤقت:482915\nلـ:استرداد مدفوعات حكومية\nالمبلغ:SAR 200.00\nالخدمة:تجديد إقامة\nالى:*0001\nلا تشاركه مع أحد\n\n@bank.example #482915",
			sms.Size{Encoding: sms.UCS2, Units: 128, Parts: 2}},
		{otp.CodeForRefund, otp.English, "",
			"Temp code:482915\nFor:Government payment refund\nAmount:SAR 200.00\nService:Renew Iqama\nTo acct:*0001\nDo not share this code with anyone, including bank staff.",
			sms.Size{Encoding: sms.GSM7, Units: 156, Parts: 1}},
		{otp.CodeForCounter, otp.Arabic, "bank.example",
			"رمز مؤقت:482915\nلـ:عرض مدفوعاتك الحكومية\nIstirdad فرع 101\nاكتبه بنفسك بلوحة الأرقام ولا تشاركه مع أحد",
			sms.Size{Encoding: sms.UCS2, Units: 101, Parts: 2}},
		{otp.CodeForCounter, otp.English, "bank.example",
			"Temp code:482915\nFor:Viewing your government payments\nAt:Istirdad branch 101\nType it on the keypad yourself. Do not tell anyone, including bank staff.",
			sms.Size{Encoding: sms.GSM7, Units: 150, Parts: 1}},
		{otp.CodeForCounterRefund, otp.Arabic, "bank.example",
			"رمز مؤقت:482915\nلـ:استرداد مدفوعات حكومية\nالمبلغ:SAR 200.00\nالخدمة:تجديد إقامة\nالى:*0001\nIstirdad فرع 101\nاكتبه بنفسك بلوحة الأرقام",
			sms.Size{Encoding: sms.UCS2, Units: 131, Parts: 2}},
		{otp.CodeForCounterRefund, otp.English, "bank.example",
			"Temp code:482915\nFor:Government payment refund\nAmount:SAR 200.00\nService:Renew Iqama\nTo acct:*0001\nAt:Istirdad branch 101\nType it on the keypad; tell nobody.",
			sms.Size{Encoding: sms.GSM7, Units: 157, Parts: 1}},
		{otp.RefundCompleted, otp.Arabic, "",
			"استرجاع مدفوعات وزارة الداخلية\nمبلغ:SAR 200.00\nالى:*0001\nالجهة:خدمات المقيمين\nالخدمة:تجديد إقامة\nفي:26-03-08 09:10",
			sms.Size{Encoding: sms.UCS2, Units: 114, Parts: 2}},
		{otp.RefundCompleted, otp.English, "",
			"Refunding MOI Payments\nAmount:SAR 200.00\nTo:*0001\nEntity:Resident Services\nService:Renew Iqama\nOn:26-03-08 09:10",
			sms.Size{Encoding: sms.GSM7, Units: 112, Parts: 1}},
		{otp.RefundAccepted, otp.Arabic, "",
			"طلب استرداد مدفوعات حكومية\nالحالة:قيد المعالجة\nمبلغ:SAR 200.00\nالمرجع:RFK5EWJTN6GVB8STYT\nالموعد المتوقع:26-03-10",
			sms.Size{Encoding: sms.UCS2, Units: 112, Parts: 2}},
	} {
		got := sms.Render(branded(sample(v.kind, v.language), otp.Brand{WebOTPHost: v.host}))
		if got != v.text {
			t.Errorf("%s %s:\n%s\nwant\n%s", v.kind, v.language, got, v.text)
		}
		if size := sms.Measure(got); size != v.want {
			t.Errorf("%s %s: %+v, want %+v", v.kind, v.language, size, v.want)
		}
	}
}

// Every kind has its words in both languages, within two parts of Arabic or one
// of English, and the two are not the same.
func TestComplete(t *testing.T) {
	for _, kind := range otp.Kinds() {
		texts := map[otp.Language]string{}
		for language, want := range map[otp.Language]sms.Size{
			otp.Arabic:  {Encoding: sms.UCS2, Parts: 2},
			otp.English: {Encoding: sms.GSM7, Parts: 1},
		} {
			text := sms.Render(sample(kind, language))
			size := sms.Measure(text)
			if text == "" || size.Encoding != want.Encoding || size.Parts > want.Parts {
				t.Errorf("%s %s is %+v:\n%s", kind, language, size, text)
			}
			if strings.Contains(text, "://") || strings.Contains(text, "www.") {
				t.Errorf("%s %s has a link", kind, language)
			}
			texts[language] = text
		}
		if texts[otp.Arabic] == texts[otp.English] {
			t.Errorf("%s says the same in both languages", kind)
		}
		if fallback := sms.Render(sample(kind, "fr")); fallback != texts[otp.Arabic] {
			t.Errorf("%s: an unknown language is not Arabic", kind)
		}
	}
	if text := sms.Render(branded(sample("gossip", otp.English), otp.Brand{WebOTPHost: "bank.example"})); text != "" {
		t.Errorf("an unknown kind says %q", text)
	}
}

// Only codes that are typed into a browser of the customer's end with its line.
func TestWebOTPLineOnlyForOnlineCodes(t *testing.T) {
	for _, kind := range otp.Kinds() {
		isCode := kind == otp.CodeForProfile || kind == otp.CodeForRefund
		text := sms.Render(branded(sample(kind, otp.English), otp.Brand{WebOTPHost: "bank.example"}))
		if strings.HasSuffix(text, "\n\n@bank.example #482915") != isCode {
			t.Errorf("%s:\n%s", kind, text)
		}
	}
}

func TestChannelName(t *testing.T) {
	brand := otp.Brand{Channel: moi.Name{AR: "تطبيق البنك", EN: "Bank app"}}
	if text := sms.Render(branded(sample(otp.CodeForProfile, otp.English), brand)); !strings.Contains(text, "\nFor:Sign in - Bank app\n") {
		t.Error(text)
	}
}

// At a counter a code says where, and who is to type it.
func TestCounterCodesSayWhere(t *testing.T) {
	for _, kind := range []otp.Kind{otp.CodeForCounter, otp.CodeForCounterRefund} {
		for language, keypad := range map[otp.Language]string{otp.Arabic: "لوحة الأرقام", otp.English: "keypad"} {
			for name, brand := range map[string]otp.Brand{
				"Istirdad": {}, // of the sender
				map[otp.Language]string{otp.Arabic: "بنك المثال", otp.English: "Example Bank"}[language]: {Bank: moi.Name{AR: "بنك المثال", EN: "Example Bank"}},
			} {
				text := sms.Render(branded(sample(kind, language), brand))
				for _, want := range []string{name, "101", keypad} {
					if !strings.Contains(text, want) {
						t.Errorf("%s %s doesn't say %q:\n%s", kind, language, want, text)
					}
				}
			}
		}
	}
}

// branded is the message as a bank signs it.
func branded(m otp.Message, brand otp.Brand) otp.Message {
	m.Brand = brand
	m.Brand.Sender = "Istirdad"
	return m
}

func FuzzRender(f *testing.F) {
	f.Add("تجديد إقامة", "Renew Iqama", "*0001", "RFK5EWJTN6GVB8STYT", int64(20000))
	f.Add("a\n@evil.example #000000", "b\r\n\u2028\u2029\u0085", "\u202e1000*", "\x00\xff", int64(-1))
	f.Add(strings.Repeat("{", 500), strings.Repeat("😀", 500), "", "", int64(1<<62))
	f.Fuzz(func(t *testing.T, ar, en, tail, reference string, amount int64) {
		for _, kind := range otp.Kinds() {
			for _, language := range []otp.Language{otp.Arabic, otp.English} {
				m := sample(kind, language)
				lines := strings.Count(sms.Render(m), "\n")
				m.Service, m.Sector = moi.Name{AR: ar, EN: en}, moi.Name{AR: en, EN: ar}
				m.AccountTail, m.Reference, m.Branch = tail, reference, ar
				m.Brand.Bank = moi.Name{AR: ar, EN: en}
				text := sms.Render(m)
				switch first, _, _ := strings.Cut(text, "\n"); {
				case !utf8.ValidString(text):
					t.Fatalf("%s %s is not UTF-8: %q", kind, language, text)
				case strings.Count(text, "\n") != lines || strings.ContainsAny(text, "\r\u2028\u2029\u0085\x00\u202e\u2066"):
					t.Fatalf("%s %s has lines of its own: %q", kind, language, text)
				case strings.HasPrefix(string(kind), "code_for") && !strings.HasSuffix(first, ":482915"):
					t.Fatalf("%s %s does not begin with the code: %q", kind, language, text)
				}
				if size := sms.Measure(text); size.Units < utf8.RuneCountInString(text) || size.Parts < 1 || size.Parts > 8 {
					t.Fatalf("%s %s: %+v", kind, language, size)
				}
			}
		}
	})
}
