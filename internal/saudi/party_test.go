package saudi_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/internal/saudi"
)

var validPersons = []string{
	"1000000008", "1900000017", "1900000025", "1900000033", "1900000041", "1900000058", "1900000066",
	"1900000074", "1900000082", "1900000090",
	"2000000006", "2900000015", "2900000023", "2900000031", "2900000049", "2900000056", "2900000064", "2900000072",
	"2900000080", "2900000098", "2900000106",
	// Luhn cannot see 09 and 90 change places.
	"1909000000", "1990000000",
}

var invalidPersons = []string{
	"1000000000",
	"1900000016",                             // check digit
	"1900000019", "1900000024", "1900000038", // pass when the even positions are doubled
	"190000001",   // nine digits
	"19000000170", // eleven
	"3900000014",  // prefix
	"0000000000", "7000000005", "",
	"١٩", "१९०००००००१७", "19000000l7", "+1900000017", "1900000017\x00", "1.90000001", "190000001٫7",
}

func TestParsePerson(t *testing.T) {
	for _, number := range validPersons {
		p, err := saudi.ParsePerson(number)
		if err != nil || p.Number() != number {
			t.Errorf("ParsePerson(%q) = %q, %v", number, p.Number(), err)
		}
		want := saudi.KindNationalID
		if number[0] == '2' {
			want = saudi.KindIqama
		}
		if p.Kind() != want || p.IsZero() {
			t.Errorf("ParsePerson(%q).Kind() = %q, want %q", number, p.Kind(), want)
		}
	}
	for _, typed := range []string{"١٩٠٠٠٠٠٠١٧", "۱۹۰۰۰۰۰۰۱۷", "\u200f1900000017\u200e", "1 900-000017", "１９00000017"} {
		if p, err := saudi.ParsePerson(typed); err != nil || p.Number() != "1900000017" {
			t.Errorf("ParsePerson(%+q) = %q, %v", typed, p.Number(), err)
		}
	}
	for _, typed := range invalidPersons {
		p, err := saudi.ParsePerson(typed)
		if !errors.Is(err, saudi.ErrID) || !p.IsZero() {
			t.Errorf("ParsePerson(%+q) = %q, %v; want nobody, ErrID", typed, p.Number(), err)
		}
		refuseToRepeat(t, err, typed)
	}
}

func TestParseInquirer(t *testing.T) {
	for typed, want := range map[string]saudi.Kind{
		"1900000017":   saudi.KindNationalID,
		"٢٩٠٠٠٠٠٠١٥":   saudi.KindIqama,
		"3900000001":   saudi.KindBorder,
		"4 000 000001": saudi.KindBorder,
		"5000000000":   saudi.KindBorder,
		"7000000005":   saudi.KindEstablishment,
	} {
		if p, err := saudi.ParseInquirer(typed); err != nil || p.Kind() != want {
			t.Errorf("ParseInquirer(%q) = %q, %v; want a %s", typed, p.Kind(), err, want)
		}
	}
	for _, typed := range []string{"", "1900000016", "2900000016", "390000001", "39000000012", "6000000000", "8000000000", "0900000001", "900000002", "70000000०5"} {
		p, err := saudi.ParseInquirer(typed)
		if !errors.Is(err, saudi.ErrID) || !p.IsZero() {
			t.Errorf("ParseInquirer(%q) = %q, %v; want nobody, ErrID", typed, p.Number(), err)
		}
		refuseToRepeat(t, err, typed)
	}
}

func TestNewParty(t *testing.T) {
	type wire struct {
		kind   saudi.Kind
		number string
	}
	for _, w := range []wire{
		{saudi.KindNationalID, "1900000017"}, {saudi.KindIqama, "2900000015"},
		{saudi.KindBorder, "3900000001"}, {saudi.KindEstablishment, "7000000005"},
		{saudi.KindVehicle, "900000002"}, {saudi.KindVehicle, "7"},
	} {
		p, err := saudi.NewParty(w.kind, w.number)
		if err != nil || p.Kind() != w.kind || p.Number() != w.number {
			t.Errorf("NewParty(%q, %q) = %q %q, %v", w.kind, w.number, p.Kind(), p.Number(), err)
		}
	}
	for _, w := range []wire{
		{saudi.KindNationalID, "2900000015"}, {saudi.KindIqama, "1900000017"}, {saudi.KindIqama, "2900000016"},
		{saudi.KindNationalID, "١٩٠٠٠٠٠٠١٧"}, {saudi.KindNationalID, " 1900000017"}, // a machine types in one way
		{saudi.KindBorder, "7000000005"}, {saudi.KindBorder, "390000001"}, {saudi.KindEstablishment, "3900000001"},
		{saudi.KindVehicle, ""}, {saudi.KindVehicle, "1234567890"}, {saudi.KindVehicle, "12a"},
		{"", "1900000017"}, {"", ""}, {"passport", "1900000017"}, {saudi.KindIqama, ""},
	} {
		p, err := saudi.NewParty(w.kind, w.number)
		if !errors.Is(err, saudi.ErrParty) || !p.IsZero() {
			t.Errorf("NewParty(%q, %q) = %q, %v; want nobody, ErrParty", w.kind, w.number, p.Number(), err)
		}
		refuseToRepeat(t, err, w.number)
	}
}

func TestPartyIsComparable(t *testing.T) {
	typed, _ := saudi.ParsePerson("٢٩٠٠٠٠٠٠١٥")
	wired, _ := saudi.NewParty(saudi.KindIqama, "2900000015")
	other, _ := saudi.ParsePerson("2900000023")
	if typed != wired || typed == other || typed == (saudi.Party{}) {
		t.Error("== does not tell parties by kind and number")
	}
	// The same digits as another kind are somebody else.
	a, _ := saudi.NewParty(saudi.KindVehicle, "7")
	b, _ := saudi.NewParty(saudi.KindVehicle, "07")
	if a == b {
		t.Error("7 and 07 are one party")
	}
	if seen := map[saudi.Party]bool{typed: true}; !seen[wired] {
		t.Error("an equal party is not found in a map")
	}
}

func TestIsPerson(t *testing.T) {
	for kind, number := range map[saudi.Kind]string{
		saudi.KindNationalID: "1900000017", saudi.KindIqama: "2900000015", saudi.KindBorder: "3000000001",
		saudi.KindEstablishment: "7000000001", saudi.KindVehicle: "900000002", "": "",
	} {
		p, _ := saudi.NewParty(kind, number)
		if want := kind == saudi.KindNationalID || kind == saudi.KindIqama || kind == saudi.KindBorder; p.Kind() != kind || p.IsPerson() != want {
			t.Errorf("%s of kind %q is a person: %v", p, kind, p.IsPerson())
		}
	}
}

func TestPartyMasked(t *testing.T) {
	for number, want := range map[string]string{
		"900000002": "9*****002",
		"12345678":  "1****678",
		"1234567":   "*****67",
		"123":       "**3",
		"12":        "**",
		"1":         "*",
	} {
		p, err := saudi.NewParty(saudi.KindVehicle, number)
		if err != nil || p.Masked() != want {
			t.Errorf("vehicle %q is masked %q, %v; want %q", number, p.Masked(), err, want)
		}
	}
	if p, _ := saudi.ParsePerson("1900000017"); p.Masked() != "1******017" {
		t.Errorf("masked %q", p.Masked())
	}
	if got := (saudi.Party{}).Masked(); got != "" {
		t.Errorf("nobody is masked %q", got)
	}
}

func TestCheckDigit(t *testing.T) {
	for _, number := range validPersons {
		if got := saudi.CheckDigit(number[:9]); got != number[9] {
			t.Errorf("CheckDigit(%q) = %c, want %c", number[:9], got, number[9])
		}
	}
	for _, wrong := range []string{"", "19000000", "1900000017", "19000000x"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("CheckDigit(%q) did not panic", wrong)
				}
			}()
			saudi.CheckDigit(wrong)
		}()
	}
}

// Luhn's promise: exactly one tenth digit fits, and no single wrong digit passes.
func TestOneWrongDigitNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first9 := fmt.Sprintf("%d%08d", rapid.IntRange(1, 2).Draw(t, "kind"), rapid.IntRange(0, 99999999).Draw(t, "serial"))
		number := []byte(first9 + string(saudi.CheckDigit(first9)))
		if _, err := saudi.ParsePerson(string(number)); err != nil {
			t.Fatalf("%s is refused: %v", number, err)
		}
		at := rapid.IntRange(1, 9).Draw(t, "at")
		number[at] = '0' + (number[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if _, err := saudi.ParsePerson(string(number)); err == nil {
			t.Fatalf("%s passes", number)
		}
	})
}

func FuzzParsePerson(f *testing.F) {
	for _, seed := range append(append([]string{"١٩٠٠٠٠٠٠١٧", "3900000001", "7000000005"}, validPersons...), invalidPersons...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		inquirer, inquirerErr := saudi.ParseInquirer(typed)
		p, err := saudi.ParsePerson(typed)
		if err != nil {
			if !p.IsZero() || !errors.Is(err, saudi.ErrID) {
				t.Fatalf("ParsePerson(%+q) = %q, %v", typed, p.Number(), err)
			}
		} else if inquirerErr != nil || inquirer != p {
			t.Fatalf("%+q is a person but no inquirer", typed)
		}
		if inquirerErr != nil {
			return
		}
		again, err := saudi.NewParty(inquirer.Kind(), inquirer.Number())
		if err != nil || again != inquirer || len(inquirer.Number()) != 10 {
			t.Fatalf("ParseInquirer(%+q) = %s %q, which a wire refuses: %v", typed, inquirer.Kind(), inquirer.Number(), err)
		}
	})
}
