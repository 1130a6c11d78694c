package sandboxseed

import (
	"testing"
	"time"
)

// TestInForce: a decree changes a price on a day, and neither before nor for what was paid before.
func TestInForce(t *testing.T) {
	const head = "fee,service,ar,en,halalas,bucket,confidence,source,valid_from\n"
	fees, err := readLines([]byte(head+
		"a,090-003,أ,A,100,passports,high,x,2020-01-01\n"+
		"b,090-004,ب,B,500,passports,low,x,2020-01-01\n"+
		"a,090-003,أ,A,300,passports,high,x,2024-01-01\n"+
		"a,090-003,أ,A,200,passports,high,x,2022-01-01\n"), readFee)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]int64{
		"2000-01-01": 100, "2020-01-01": 100, "2021-12-31": 100, "2022-01-01": 200, "2023-06-01": 200, "2024-01-01": 300, "2030-01-01": 300,
	} {
		at, err := time.ParseInLocation(time.DateOnly, day, riyadh)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := last(fees, "a", at); !ok || f.Amount != want {
			t.Errorf("on %s it costs %d, want %d", day, f.Amount, want)
		}
		if all := inForce(fees, at); len(all) != 2 {
			t.Errorf("on %s there are %d fees", day, len(all))
		}
	}
	for _, line := range []string{
		"a,090-003,أ,A,-1,passports,high,x,2020-01-01", "a,090-003,أ,A,1.5,passports,high,x,2020-01-01",
		"a,090-003,أ,A,100,passports,certain,x,2020-01-01", "a,090-003,أ,A,100,passports,high,,2020-01-01",
		"a,090-003,أ,A,100,passports,high,x,1.1.2020", "a,090-003",
	} {
		if got, err := readLines([]byte(head+line+"\n"), readFee); err == nil {
			t.Errorf("%s is read as %+v", line, got)
		}
	}
	if _, err := readRule(map[string]string{"refundable": "perhaps"}); err == nil {
		t.Error("a rule that is none is read")
	}
}
