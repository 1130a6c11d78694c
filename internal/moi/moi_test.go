package moi_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/istirdad/istirdad/internal/moi"
)

func TestLookup(t *testing.T) {
	s, ok := moi.Lookup("090-003")
	want := moi.Service{
		Code: "090-003", Name: moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"},
		Sector: moi.Name{AR: "خدمات المقيمين", EN: "Resident Services"}, Refundable: true,
	}
	if !ok || s != want {
		t.Errorf("Lookup(090-003) = %+v, %v", s, ok)
	}
	for _, code := range []string{"", "090-03", "090-033", "091-003", "090-003 ", "999-999", "٠٩٠-٠٠٣"} {
		if s, ok := moi.Lookup(code); ok || s != (moi.Service{}) {
			t.Errorf("Lookup(%q) = %+v, %v; want none", code, s, ok)
		}
	}
}

// The codes 01 to 59 of the public list, less those that were never seen, each
// under exactly one biller.
func TestCatalogueIsComplete(t *testing.T) {
	unseen := []string{"033", "034", "046", "047", "048", "050", "051", "055", "056"}
	billers := map[string]string{}
	for _, s := range moi.Services() {
		number := s.Code[4:]
		if other, twice := billers[number]; twice {
			t.Errorf("service %s is under %s and %s", number, other, s.Biller())
		}
		billers[number] = s.Biller()
	}
	for n := 1; n <= 59; n++ {
		number := "0" + string([]byte{byte('0' + n/10), byte('0' + n%10)})
		if _, listed := billers[number]; listed == slices.Contains(unseen, number) {
			t.Errorf("service %s: listed %v", number, listed)
		}
	}
	if len(billers) != 59-len(unseen) {
		t.Errorf("%d services", len(billers))
	}
}

// The pairs of biller and service that sources show together.
func TestBillers(t *testing.T) {
	for _, code := range []string{
		"090-001", "090-002", "090-003", "090-004", "090-005", "090-007", "090-008", "090-012", "090-016",
		"090-052", "090-057", "090-058", "090-059", "091-022", "091-024", "091-025", "092-035", "092-037", "093-040",
		"094-026", "094-027", "094-028", "094-029", "095-038", "095-039", "096-021",
	} {
		if s, ok := moi.Lookup(code); !ok || s.Biller() != code[:3] {
			t.Errorf("%s is not in the catalogue", code)
		}
	}
}

func TestRefundable(t *testing.T) {
	var never []string
	for _, s := range moi.Services() {
		if !s.Refundable {
			never = append(never, s.Code)
		}
	}
	want := []string{"090-052", "093-040", "093-041", "094-049", "096-053", "096-054"}
	if !slices.Equal(never, want) {
		t.Errorf("not refundable: %v, want %v", never, want)
	}
}

func TestServicesAreWellFormed(t *testing.T) {
	code := regexp.MustCompile(`^09[0-6]-0[0-9]{2}$`)
	sectors := map[string]moi.Name{}
	names := map[moi.Name]string{}
	services := moi.Services()
	if !slices.IsSortedFunc(services, func(a, b moi.Service) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("not ordered by code")
	}
	for _, s := range services {
		if !code.MatchString(s.Code) {
			t.Errorf("code %q", s.Code)
		}
		if found, ok := moi.Lookup(s.Code); !ok || found != s {
			t.Errorf("%s is listed but not found", s.Code)
		}
		if parsed, err := moi.ParseCode(s.Code); err != nil || parsed != s.Code {
			t.Errorf("ParseCode(%q) = %q, %v", s.Code, parsed, err)
		}
		checkName(t, s.Name)
		checkName(t, s.Sector)
		if other, seen := sectors[s.Biller()]; seen && other != s.Sector {
			t.Errorf("biller %s has the names %v and %v", s.Biller(), other, s.Sector)
		}
		sectors[s.Biller()] = s.Sector
		if other, seen := names[s.Name]; seen {
			t.Errorf("%s and %s have one name", s.Code, other)
		}
		names[s.Name] = s.Code
	}
	if len(sectors) != 7 {
		t.Errorf("%d billers, want 7", len(sectors))
	}
}

func TestServicesAreACopy(t *testing.T) {
	moi.Services()[0].Code = "000-000"
	moi.Buckets()[0].ID = "nothing"
	if moi.Services()[0].Code != "090-001" || moi.Buckets()[0].ID != moi.BucketPassports {
		t.Error("a caller changed the catalogue")
	}
}

func checkName(t *testing.T, n moi.Name) {
	t.Helper()
	arabic := strings.IndexFunc(n.AR, func(r rune) bool { return !unicode.Is(unicode.Arabic, r) && r != ' ' }) < 0
	ascii := strings.IndexFunc(n.EN, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	if n.AR == "" || n.EN == "" || !arabic || !ascii || strings.TrimSpace(n.AR) != n.AR || strings.TrimSpace(n.EN) != n.EN {
		t.Errorf("name %q / %q", n.AR, n.EN)
	}
}

func TestNameJSON(t *testing.T) {
	out, err := json.Marshal(moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"})
	if err != nil || string(out) != `{"ar":"تجديد إقامة","en":"Renew Iqama"}` {
		t.Errorf("%s, %v", out, err)
	}
}

func TestBuckets(t *testing.T) {
	var ids []string
	for _, b := range moi.Buckets() {
		ids = append(ids, b.ID)
		checkName(t, b.Name)
	}
	want := []string{"passports", "sponsorees", "vehicles", "driving_license", "labour", "civil"}
	if !slices.Equal(ids, want) {
		t.Errorf("buckets %v, want %v", ids, want)
	}
}

var notCodes = []string{"", "-", "090", "003", "090-3", "090-0003", "90-003", "090003", "09003", "090 003", "090_003", "O90-003", "090-00x", "٠٩٠-٠٠٣", "090-003\n", " 090-003", "-90-003", "090--03", "../..-.."}

func TestParseCode(t *testing.T) {
	for text, want := range map[string]string{"090-003": "090-003", "090-03": "090-003", "094-26": "094-026", "999-999": "999-999"} {
		if got, err := moi.ParseCode(text); err != nil || got != want {
			t.Errorf("ParseCode(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range notCodes {
		got, err := moi.ParseCode(text)
		if !errors.Is(err, moi.ErrCode) || got != "" {
			t.Errorf("ParseCode(%q) = %q, %v; want ErrCode", text, got, err)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("090-003")
	f.Add("090-03")
	for _, text := range notCodes {
		f.Add(text)
	}
	form := regexp.MustCompile(`^[0-9]{3}-[0-9]{3}$`)
	f.Fuzz(func(t *testing.T, text string) {
		code, err := moi.ParseCode(text)
		if err != nil {
			if code != "" || !errors.Is(err, moi.ErrCode) {
				t.Fatalf("ParseCode(%q) = %q, %v", text, code, err)
			}
			return
		}
		again, err := moi.ParseCode(code)
		if err != nil || again != code || !form.MatchString(code) {
			t.Fatalf("ParseCode(%q) = %q, which is read as %q, %v", text, code, again, err)
		}
		moi.Lookup(code)
	})
}
