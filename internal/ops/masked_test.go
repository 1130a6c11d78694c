package ops

import "testing"

// TestMaskedBody: numbers go, and nothing else changes; not even a name of ours that looks like one.
func TestMaskedBody(t *testing.T) {
	numbers := []number{{"SA1280000555608000000003", "SA12 80** **** **** **** 0003"}, {"2900000015", "2******015"}, {"", "x"}}
	for body, want := range map[string]string{
		`{"iban":"SA1280000555608000000003","payer":{"number":"2900000015"},"amount":65000}`:      `{"iban":"SA12 80** **** **** **** 0003","payer":{"number":"2******015"},"amount":65000}`,
		`{"request_id":"rq-900000000001","core_reference":"900000000002","other":"900000000003"}`: `{"request_id":"rq-900000000001","core_reference":"900000000002","other":"9********003"}`,
		`{"at":"2026-03-05T06:10:00.123456Z"}`:                                                    `{"at":"2026-03-05T06:10:00.123456Z"}`,
		"":                                                                                        "",
	} {
		if got := maskedBody(body, numbers, "", "rq-900000000001", "900000000002"); got != want {
			t.Errorf("%s\nis shown as %s\nwant        %s", body, got, want)
		}
	}
}
