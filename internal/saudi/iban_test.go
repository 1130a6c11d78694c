package saudi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/internal/saudi"
)

// alRajhi has the accounts 555608000000001 … 014 of bank 80 in order.
var alRajhi = []string{
	"SA6680000555608000000001", "SA3980000555608000000002", "SA1280000555608000000003", "SA8280000555608000000004",
	"SA5580000555608000000005", "SA2880000555608000000006", "SA9880000555608000000007", "SA7180000555608000000008",
	"SA4480000555608000000009", "SA1780000555608000000010", "SA8780000555608000000011", "SA6080000555608000000012",
	"SA3380000555608000000013", "SA0680000555608000000014",
}

var otherBanks = []string{
	"SA0380000000608010167519", // the example of the IBAN registry
	"SA4810000000055500001001", "SA4020000000055500002001", "SA5205000000055500000501", "SA2045000000055500004501",
	"SA1255000000055500005501", "SA0860000000055500006001", "SA4415000000055500001501", "SA3230000000055500003001",
	"SA0465000000055500006501",
}

var invalidIBANs = []string{
	"SA6680000555608000000002", // last digit
	"SA9380000555608000000002", // check digits swapped
	"SA0380000000608010167518",
	"SA038000000060801016751",   // 23
	"SA03800000006080101675190", // 25
	"SA0399000000608010167519",
	"GB33BUKB20201555555555", // country
	"AE070331234567890123456", "S\u03910380000000608010167519", "ſA0380000000608010167519x",
	"SA03800000006080101675\x001", "SA03 8000 0000 6080 1016 751०", "", "SA", strings.Repeat("0", 24),
}

func TestParseIBAN(t *testing.T) {
	for _, compact := range append(append([]string{}, alRajhi...), otherBanks...) {
		i, err := saudi.ParseIBAN(compact)
		if err != nil || i.Compact() != compact || i.BankCode() != compact[4:6] || i.IsZero() {
			t.Errorf("ParseIBAN(%q) = %q of bank %q, %v", compact, i.Compact(), i.BankCode(), err)
		}
	}
	for _, typed := range []string{
		"sa03 8000 0000 6080 1016 7519", "SA03-8000-0000-6080-1016-7519", "\u2066SA٠٣٨٠٠٠٠٠٠٠٦٠٨٠١٠١٦٧٥١٩\u2069",
		"ＳＡ03\u00a080000000608010167519", "sA0380000000608010167519\n",
	} {
		if i, err := saudi.ParseIBAN(typed); err != nil || i.Compact() != "SA0380000000608010167519" {
			t.Errorf("ParseIBAN(%+q) = %q, %v", typed, i.Compact(), err)
		}
	}
	for _, typed := range invalidIBANs {
		i, err := saudi.ParseIBAN(typed)
		if !errors.Is(err, saudi.ErrIBAN) || !i.IsZero() {
			t.Errorf("ParseIBAN(%+q) = %q, %v; want none, ErrIBAN", typed, i.Compact(), err)
		}
		refuseToRepeat(t, err, typed)
	}
}

// A remainder of 1 is not enough: check digits 97 less or more leave the same.
func TestParseIBANRecomputesTheCheckDigits(t *testing.T) {
	twins := 0
	for account := range 500 {
		i, err := saudi.NewIBAN("80", fmt.Sprint(account))
		if err != nil {
			t.Fatal(err)
		}
		compact := i.Compact()
		var twin string
		switch compact[2:4] {
		case "97":
			twin = "00"
		case "98":
			twin = "01"
		case "02":
			twin = "99"
		default:
			continue
		}
		twins++
		if _, err := saudi.ParseIBAN("SA" + twin + compact[4:]); !errors.Is(err, saudi.ErrIBAN) {
			t.Errorf("the account of %s is accepted under %s too", compact, twin)
		}
	}
	if twins == 0 {
		t.Error("no account has a twin: nothing was tested")
	}
}

func TestParseIBANWithLetters(t *testing.T) {
	const compact = "SA0280ABCDEFGHIJKLMNOPQR"
	accepted := 0
	for check := range 100 {
		i, err := saudi.ParseIBAN(fmt.Sprintf("sa%02d%s", check, strings.ToLower(compact[4:])))
		if err == nil {
			accepted++
			if !strings.HasSuffix(i.Compact(), compact[4:]) {
				t.Errorf("kept as %q", i.Compact())
			}
		}
	}
	if accepted != 1 {
		t.Errorf("%d check digits fit an account with letters, want 1", accepted)
	}
}

func TestParseAccount(t *testing.T) {
	for n, compact := range alRajhi {
		account := fmt.Sprintf("555608%09d", n+1)
		for _, typed := range []string{account, compact, account[:6] + " " + account[6:]} {
			if i, err := saudi.ParseAccount(typed, "80"); err != nil || i.Compact() != compact {
				t.Errorf("ParseAccount(%q) = %q, %v; want %q", typed, i.Compact(), err, compact)
			}
		}
	}
	if i, err := saudi.ParseAccount("٥٥٥٦٠٨٠٠٠٠٠٠٠٠١", "80"); err != nil || i.Compact() != alRajhi[0] {
		t.Errorf("in Arabic digits: %q, %v", i.Compact(), err)
	}
	if i, err := saudi.ParseAccount("SA4810000000055500001001", "80"); err != nil || i.BankCode() != "10" {
		t.Errorf("an IBAN of another bank: %q, %v", i.Compact(), err)
	}
	for _, typed := range append([]string{"55560800000001", "5556080000000001", "55560800000000a", "acct-1"}, invalidIBANs...) {
		i, err := saudi.ParseAccount(typed, "80")
		if !errors.Is(err, saudi.ErrIBAN) || !i.IsZero() {
			t.Errorf("ParseAccount(%+q) = %q, %v; want none, ErrIBAN", typed, i.Compact(), err)
		}
		refuseToRepeat(t, err, typed)
	}
}

func TestNewIBAN(t *testing.T) {
	if i, err := saudi.NewIBAN("10", "00000055500001001"); err != nil || i.Compact() != "SA4810000000055500001001" {
		t.Errorf("NewIBAN = %q, %v", i.Compact(), err)
	}
	for _, c := range [][2]string{{"8", "1"}, {"080", "1"}, {"8A", "1"}, {"80", ""}, {"80", "1234567890123456789"}, {"80", "12 3"}, {"80", "-1"}, {"", "1"}} {
		if i, err := saudi.NewIBAN(c[0], c[1]); !errors.Is(err, saudi.ErrIBAN) || !i.IsZero() {
			t.Errorf("NewIBAN(%q, %q) = %q, %v; want none, ErrIBAN", c[0], c[1], i.Compact(), err)
		}
	}
}

func TestIBANMasked(t *testing.T) {
	i, _ := saudi.ParseIBAN(alRajhi[0])
	if got, want := i.Masked(), "SA66 80** **** **** **** 0001"; got != want {
		t.Errorf("Masked() = %q, want %q", got, want)
	}
	if got, want := i.Tail(), "*0001"; got != want {
		t.Errorf("Tail() = %q, want %q", got, want)
	}
	none := saudi.IBAN{}
	if none.Masked() != "" || none.Tail() != "" || none.BankCode() != "" || none.Compact() != "" {
		t.Error("the zero IBAN has text")
	}
	if same, _ := saudi.ParseAccount("555608000000001", "80"); same != i {
		t.Error("two readings of one account differ")
	}
}

func TestIBANRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bank := fmt.Sprintf("%02d", rapid.IntRange(0, 99).Draw(t, "bank"))
		account := rapid.StringMatching(`[0-9]{1,18}`).Draw(t, "account")
		made, err := saudi.NewIBAN(bank, account)
		if err != nil {
			t.Fatal(err)
		}
		read, err := saudi.ParseIBAN(made.Compact())
		if err != nil || read != made {
			t.Fatalf("ParseIBAN(%q) = %q, %v", made.Compact(), read.Compact(), err)
		}
		// MOD 97-10 sees every single wrong digit.
		wrong := []byte(made.Compact())
		at := rapid.IntRange(2, len(wrong)-1).Draw(t, "at")
		wrong[at] = '0' + (wrong[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if _, err := saudi.ParseIBAN(string(wrong)); err == nil {
			t.Fatalf("%s passes for %s", wrong, made.Compact())
		}
	})
}

func FuzzParseIBAN(f *testing.F) {
	for _, seed := range append(append([]string{"sa03 8000 0000 6080 1016 7519", "555608000000001", alRajhi[0]}, otherBanks...), invalidIBANs...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		i, err := saudi.ParseIBAN(typed)
		if err != nil {
			if !i.IsZero() || !errors.Is(err, saudi.ErrIBAN) {
				t.Fatalf("ParseIBAN(%+q) = %q, %v", typed, i.Compact(), err)
			}
			i, err = saudi.ParseAccount(typed, "80")
			if err != nil {
				return
			}
		}
		again, err := saudi.ParseIBAN(i.Compact())
		if err != nil || again != i || len(i.Compact()) != 24 {
			t.Fatalf("%+q is read as %q, which is read as %q, %v", typed, i.Compact(), again.Compact(), err)
		}
	})
}
