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

// TestMaskedBodyWhateverTheNames: the core chooses its references, and none of them takes a number apart.
func TestMaskedBodyWhateverTheNames(t *testing.T) {
	numbers := []number{{"SA6680000000608010167519", "SA66 80** **** **** **** 7519"}, {"1000000017", "1******017"}}
	for _, name := range []string{"0", "1", "1000000", "100000001", "100000000", "000000060801016751", ",", `"`, "number", ""} {
		body := `{"core_reference":"` + name + `","payer":{"number":"1000000017"},"iban":"SA6680000000608010167519","other":"1000000025"}`
		want := `{"core_reference":"` + name + `","payer":{"number":"1******017"},"iban":"SA66 80** **** **** **** 7519","other":"1******025"}`
		if got := maskedBody(body, numbers, "RFK5EWJTN6GVB8STYT", name, "rq-1"); got != want {
			t.Errorf("%q: %s\nwant %s", name, got, want)
		}
	}
	if got := maskedBody(`{"core_reference":"1000000017"}`, numbers, "1000000017"); got != `{"core_reference":"1******017"}` {
		t.Errorf("a customer's number by another name: %s", got)
	}
}
