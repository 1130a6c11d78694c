package sandboxphone

import (
	"strings"
	"testing"
	"unicode/utf16"
)

func TestSegments(t *testing.T) {
	r := strings.Repeat
	tests := []struct {
		name, text, encoding string
		units, parts         int
	}{
		// domain.md §4.4
		{"70 alif", r("ا", 70), UCS2, 70, 1},
		{"71 alif", r("ا", 71), UCS2, 71, 2},
		{"134 alif", r("ا", 134), UCS2, 134, 2},
		{"135 alif", r("ا", 135), UCS2, 135, 3},
		{"160 a", r("a", 160), GSM7, 160, 1},
		{"161 a", r("a", 161), GSM7, 161, 2},
		{"306 a", r("a", 306), GSM7, 306, 2},
		{"307 a", r("a", 307), GSM7, 307, 3},
		{"80 braces", r("{", 80), GSM7, 160, 1},
		{"81 braces", r("{", 81), GSM7, 162, 2},
		{"one Arabic digit turns all", r("a", 70) + "٣", UCS2, 71, 2},
		// An escape pair at the edge: 306 septets by division fit two parts, but
		// the pair may not be split at 153.
		{"a pair over the edge", r("a", 152) + "{" + r("a", 152), GSM7, 306, 3},
		{"a pair before the edge", r("a", 151) + "{" + r("a", 153), GSM7, 306, 2},
		{"odd parts of pairs only", r("{", 153), GSM7, 306, 3},
		{"a surrogate pair over the edge", r("ا", 66) + "😀" + r("ا", 66), UCS2, 134, 3},
		{"a surrogate pair before the edge", r("ا", 65) + "😀" + r("ا", 67), UCS2, 134, 2},
		// domain.md §4.3
		{"otp_refund_ar", "رمز مؤقت:482915\nلـ:استرداد مدفوعات حكومية\nالمبلغ:SAR 200.00\nالخدمة:تجديد إقامة\nالى:*0001\nلا تشاركه مع أحد", UCS2, 105, 2},
		{"otp_login_ar", "رمز مؤقت:482915\nلـ:الدخول - القناة الرقمية\nلا تشاركه مع أحد", UCS2, 59, 1},
		{"otp_refund_en", "Temp code:482915\nFor:Government payment refund\nAmount:SAR 200.00\nService:Renew Iqama\nTo acct:*0001\nDo not share this code with anyone, including bank staff.", GSM7, 156, 1},
		{"refund_done_ar", "استرجاع مدفوعات وزارة الداخلية\nمبلغ:SAR 200.00\nالى:*0001\nالجهة:خدمات المقيمين\nالخدمة:تجديد إقامة\nفي:26-03-08 09:10", UCS2, 114, 2},
		{"refund_done_en", "Refunding MOI Payments\nAmount:SAR 200.00\nTo:*0001\nEntity:Resident Services\nService:Renew Iqama\nOn:26-03-08 09:10", GSM7, 112, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			encoding, units, parts := segment(tt.text)
			if encoding != tt.encoding || units != tt.units || parts != tt.parts {
				t.Errorf("%s, %d units, %d parts; want %s, %d, %d", encoding, units, parts, tt.encoding, tt.units, tt.parts)
			}
		})
	}
}

func TestGSMAlphabetIsThatOfTheStandard(t *testing.T) {
	// 128 codes less the escape; the extension table has ten characters.
	if got := len([]rune(gsmBasic)); got != 127 {
		t.Errorf("%d basic characters, want 127", got)
	}
	if got := len([]rune(gsmExtension)); got != 10 {
		t.Errorf("%d extension characters, want 10", got)
	}
}

func FuzzSegment(f *testing.F) {
	for _, s := range []string{"", "a", "{", "ا", "😀", strings.Repeat("€", 200), "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoding, units, parts := segment(s)
		limits := capacities[encoding]
		if encoding == UCS2 && units != len(utf16.Encode([]rune(s))) {
			t.Errorf("%d units, UTF-16 has %d", units, len(utf16.Encode([]rune(s))))
		}
		switch least := (units + limits.joined - 1) / limits.joined; {
		case parts == 1 && units > limits.alone, parts > 1 && (units <= limits.alone || parts < least):
			t.Errorf("%s: %d units in %d parts", encoding, units, parts)
		case parts > 1 && units < (limits.joined-1)*(parts-1)+1: // a part ends one unit early at most
			t.Errorf("%s: %d units need %d parts at most, not %d", encoding, units, least, parts)
		}
	})
}
