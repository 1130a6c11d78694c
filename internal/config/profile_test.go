package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// loadProfile loads a text as the file profile.yaml.
func loadProfile(t testing.TB, text string) (config.Profile, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := config.LoadProfile(path)
	if err != nil && strings.Contains(err.Error(), "Canary") {
		t.Errorf("the error repeats a value: %v", err)
	}
	return p, err
}

func mustLoadProfile(t testing.TB, text string) config.Profile {
	t.Helper()
	p, err := loadProfile(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const sender = "sms: {sender: Istirdad}\n"

// TestProfileTerms: what the path goes by, of a profile that says everything and of one that says nothing.
func TestProfileTerms(t *testing.T) {
	full := `
menu:
  name: {ar: الخدمات, en: Services}
  entries:
  - {id: bills, name: {ar: الفواتير, en: Bills}}
  - {id: e-payments, name: {ar: المدفوعات الحكومية, en: Government payments}}
sectors: {"090": {ar: خدمات الوافدين, en: Expatriate services}}
services:
  090-003: {name: {ar: تجديد الإقامة, en: Iqama renewal}}
  090-007: {suspended: {ar: أوقفناها, en: We have suspended it}}
promise: {days: 2, week: [saturday, sunday, monday], holidays: [2026-03-21, "2026-03-22"], cut_off: "16:30"}
limits: {confirm_code_above: "0.00", online_limit: "5000.00", counter_limit: "8000.50", approve_above: "8000.50"}
approvals: {back_office: HQ, hold: [teller_looks, mobile_changed]}
flags: {account_of_many: {people: 2, days: 1}, mobile_changed: 24h, codes_resent: 15, teller_looks: 50}
codes: {digits: 4, life: 90s, mobile_rest: 0s}
sms: {sender: Example.-_1, bank_name: {ar: بنك المثال, en: Example Bank}, channel_name: {ar: التطبيق, en: App}, webotp_host: bank.example}
notices: [{text: {ar: تنبيه, en: Note}, from: 2026-03-18T20:00:00+03:00, until: 2026-03-20T02:00:00Z}]
closures: [{from: 2026-03-19T23:00:00+03:00, until: 2026-03-20T02:00:00+03:00}]
`
	got := mustLoadProfile(t, full).Terms("80")
	riyadh := func(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, saudi.Riyadh) }
	want := bank.Terms{
		BankCode: "80",
		Calendar: saudi.Calendar{
			Week:     map[time.Weekday]bool{time.Saturday: true, time.Sunday: true, time.Monday: true},
			Holidays: map[saudi.Date]bool{{Year: 2026, Month: 3, Day: 21}: true, {Year: 2026, Month: 3, Day: 22}: true},
			CutOff:   16*time.Hour + 30*time.Minute,
		},
		PromiseDays: 2, ConfirmCodeAbove: 0, OnlineLimit: 5_000_00, CounterLimit: 8_000_50, ApproveAbove: 8_000_50,
		BackOffice: "HQ", Hold: []gateway.Mark{bank.FlagTellerLooks, bank.FlagMobileChanged},
		Thresholds: bank.Thresholds{People: 2, PeopleWithin: 24 * time.Hour, MobileWithin: 24 * time.Hour, Codes: 15, Looks: 50},
		Code:       otp.Form{Digits: 4, Life: 90 * time.Second}, MobileRest: 0,
		Brand: otp.Brand{
			Sender: "Example.-_1", Bank: moi.Name{AR: "بنك المثال", EN: "Example Bank"}, Channel: moi.Name{AR: "التطبيق", EN: "App"},
			WebOTPHost: "bank.example",
		},
		Menu: bank.Menu{Name: moi.Name{AR: "الخدمات", EN: "Services"}, Entries: []bank.MenuEntry{
			{ID: "bills", Name: moi.Name{AR: "الفواتير", EN: "Bills"}},
			{ID: "e-payments", Name: moi.Name{AR: "المدفوعات الحكومية", EN: "Government payments"}},
		}},
		Services:  map[string]bank.Text{"090-003": {AR: "تجديد الإقامة", EN: "Iqama renewal"}, "090-007": {}},
		Sectors:   map[string]bank.Text{"090": {AR: "خدمات الوافدين", EN: "Expatriate services"}},
		Suspended: map[string]bank.Text{"090-007": {AR: "أوقفناها", EN: "We have suspended it"}},
		Notices:   []bank.Window{{Text: moi.Name{AR: "تنبيه", EN: "Note"}, From: riyadh(18, 20), Until: riyadh(20, 5)}},
		Closures:  []bank.Window{{From: riyadh(19, 23), Until: riyadh(20, 2)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	usual := config.DefaultProfile()
	usual.SMS.Sender = "Istirdad"
	if diff := cmp.Diff(usual, mustLoadProfile(t, sender)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got = usual.Terms("80")
	want = bank.Terms{
		BankCode: "80", PromiseDays: 3, ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00, CounterLimit: 20_000_00,
		ApproveAbove: 10_000_00, BackOffice: "back-office", Code: otp.DefaultForm(), MobileRest: 72 * time.Hour, Brand: otp.Brand{Sender: "Istirdad"},
		Thresholds: bank.Thresholds{People: 6, PeopleWithin: 30 * 24 * time.Hour, MobileWithin: 7 * 24 * time.Hour, Codes: 5, Looks: 40},
		Menu: bank.Menu{Name: moi.Name{AR: "المدفوعات", EN: "Payments"}, Entries: []bank.MenuEntry{
			{ID: "e-payments", Name: moi.Name{AR: "المدفوعات الإلكترونية", EN: "e-payments"}},
		}},
		Calendar: saudi.Calendar{Week: map[time.Weekday]bool{
			time.Sunday: true, time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true,
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// TestGoldenPromises: by the shipped profiles, whose holidays and cut-off are an example's.
func TestGoldenPromises(t *testing.T) {
	for _, file := range []string{"example-classic-menus.yaml", "example-new-menus.yaml"} {
		p, err := config.LoadProfile(filepath.Join("..", "..", "configs", "profiles", file))
		if err != nil {
			t.Fatal(err)
		}
		terms := p.Terms("80")
		for at, want := range map[string]string{
			"2026-03-01T09:00:00+03:00": "2026-03-04", // Sunday
			"2026-03-01T15:59:59+03:00": "2026-03-04",
			"2026-03-01T16:00:00+03:00": "2026-03-05", // from the cut-off on, the next date's
			"2026-03-01T20:59:59Z":      "2026-03-05", // Sunday's last second in Riyadh
			"2026-03-05T16:00:00+03:00": "2026-03-10", // Thursday evening
			"2026-02-19T09:00:00+03:00": "2026-02-25", // over Founding Day
			"2026-03-17T09:00:00+03:00": "2026-03-25", // over Eid al-Fitr: 18, 24, 25
			"2026-05-25T16:00:00+03:00": "2026-06-03", // over Eid al-Adha: June 1, 2, 3
			"2026-09-22T15:00:00+03:00": "2026-09-28", // over National Day: 24, 27, 28
		} {
			moment, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := terms.Calendar.Promise(moment, terms.PromiseDays).String(); got != want {
				t.Errorf("%s: what is asked for at %s is promised by %s, want %s", file, at, got, want)
			}
		}
	}
}

// TestProfileWrong is one wrong thing after the other, and the one line that each is told in.
func TestProfileWrong(t *testing.T) {
	long := strings.Repeat("a", 201)
	many := func(entry string, n int) string {
		return "[" + strings.Join(slices.Repeat([]string{entry}, n), ", ") + "]"
	}
	const window = "from: 2026-03-18T20:00:00+03:00, until: 2026-03-20T02:00:00+03:00"
	for text, want := range map[string]string{
		"":                            "profile.yaml: sms.sender: it is required",
		"- a":                         "profile.yaml:1: must hold keys with values",
		"{}\n--- {}":                  "profile.yaml:2: a second document (---) isn't read",
		"Canary: 1":                   "profile.yaml:2: what stands here is no key",
		"terms: {}":                   "profile.yaml:2: terms: there is no such key",
		"menu: {x: 1}":                "profile.yaml:2: menu.x: there is no such key",
		"sms: {}":                     "profile.yaml:2: sms: it is given twice",
		"promise: {days: 1, days: 2}": "profile.yaml:2: promise.days: it is given twice",

		"menu: {name: {ar: المدفوعات}}":                                     "",
		"menu: {name: {ar: Canary}}":                                        "profile.yaml:2: menu.name.ar: must be Arabic",
		"menu: {name: {en: مدفوعات}}":                                       "profile.yaml:2: menu.name.en: must be English",
		"menu: {name: {en: \" \"}}":                                         "profile.yaml:2: menu.name.en: it is required: people read it in both languages",
		"menu: {name: {en: " + long + "}}":                                  "profile.yaml:2: menu.name.en: must have no more than 200 letters",
		"menu: {name: {en: \"Canary\\nnext\"}}":                             "profile.yaml:2: menu.name.en: must be one line, without characters that can't be seen",
		"menu: {name: {en: \"Canary\u202e\"}}":                              "profile.yaml:2: menu.name.en: must be one line, without characters that can't be seen",
		"menu: {name: Canary}":                                              "profile.yaml:2: menu.name: must hold keys with values",
		"menu: {entries: []}":                                               "profile.yaml:2: menu.entries: must have one with the id e-payments, which leads to the services",
		"menu: {entries: Canary}":                                           "profile.yaml:2: menu.entries: must be a list, such as [a, b]",
		"menu: {entries: [Canary, {id: e-payments, name: {ar: م, en: e}}]}": "profile.yaml:2: menu.entries[0]: must hold keys with values",
		"menu: {entries: [{id: bills, name: {ar: ف, en: b}}]}":              "profile.yaml:2: menu.entries: must have one with the id e-payments, which leads to the services",
		"menu: {entries: [{id: e-payments, name: {ar: م}}]}":                "profile.yaml:2: menu.entries[0].name.en: it is required: people read it in both languages",
		"menu: {entries: [{id: e-payments, name: {ar: م, en: e}, url: x}]}": "profile.yaml:2: menu.entries[0].url: there is no such key",
		"menu:\n  entries:\n  - {id: e-payments, name: {ar: م, en: e}}\n  - {id: Canary, name: {ar: م, en: e}}": "profile.yaml:5: menu.entries[1].id: must be up to 40 small letters, digits and '-', with a letter in front",
		"menu:\n  entries:\n  - {id: e-payments, name: {ar: م, en: e}}\n  - {name: {ar: م, en: e}}":             "profile.yaml:5: menu.entries[1].id: must be up to 40 small letters, digits and '-', with a letter in front",
		"menu: {entries: " + many("{id: e-payments, name: {ar: م, en: e}}", 2) + "}":                            "profile.yaml:2: menu.entries[1].id: another entry has it",

		"sectors: {\"099\": {ar: خ, en: x}}":        "profile.yaml:2: sectors.099: there is no such biller",
		"sectors: {\"Canary!\": {ar: خ, en: x}}":    "profile.yaml:2: sectors.…: there is no such biller",
		"sectors: {90: {ar: خ, en: x}}":             "profile.yaml:2: sectors: each key must be text: put it in quotes",
		"sectors: {\"090\": {ar: خ}}":               "profile.yaml:2: sectors.090.en: it is required: people read it in both languages",
		"sectors: {\"090\": Canary}":                "profile.yaml:2: sectors.090: must hold keys with values",
		"services: {090-999: {}}":                   "profile.yaml:2: services.090-999: there is no such service; a code is biller and service, such as 090-003",
		"services: {090-03: {}}":                    "profile.yaml:2: services.090-03: there is no such service; a code is biller and service, such as 090-003",
		"services: {090-003: {name: {en: x}}}":      "profile.yaml:2: services.090-003.name.ar: it is required: people read it in both languages",
		"services: {090-003: {suspended: {ar: خ}}}": "profile.yaml:2: services.090-003.suspended.en: it is required: people read it in both languages",
		"services: {090-003: {suspended: true}}":    "profile.yaml:2: services.090-003.suspended: must hold keys with values",
		"services: {090-003: {off: true}}":          "profile.yaml:2: services.090-003.off: there is no such key",

		"promise: {days: 0}":                                   "profile.yaml:2: promise.days: must be from 1 to 60",
		"promise: {days: 61}":                                  "profile.yaml:2: promise.days: must be from 1 to 60",
		"promise: {week: []}":                                  "profile.yaml:2: promise.week: must have at least one day",
		"promise: {week: [sunday, sunday]}":                    "profile.yaml:2: promise.week: a day is given twice",
		"promise: {week: [Canary]}":                            "profile.yaml:2: promise.week: each entry must be a day of the week, such as sunday",
		"promise: {holidays: [2026-02-30]}":                    `profile.yaml:2: promise.holidays: each entry must be a date, such as "2026-03-20"`,
		"promise: {holidays: 2026-03-20}":                      "profile.yaml:2: promise.holidays: must be a list, such as [a, b]",
		"promise: {holidays: " + many("2026-03-20", 401) + "}": "profile.yaml:2: promise.holidays: must be no more than 400",
		"promise: {cut_off: \"24:00\"}":                        `profile.yaml:2: promise.cut_off: must be a time of day in quotes, such as "16:00"`,
		"promise: {cut_off: 16h}":                              `profile.yaml:2: promise.cut_off: must be a time of day in quotes, such as "16:00"`,
		"promise: {cut_off: \"16:00\", days: 1}":               "",

		"limits: {online_limit: 100.00}":          `profile.yaml:2: limits.online_limit: must be an amount of riyals in quotes, such as "1000.00"`,
		"limits: {online_limit: \"-1.00\"}":       `profile.yaml:2: limits.online_limit: must be an amount of riyals in quotes, such as "1000.00"`,
		"limits: {online_limit: \"0.00\"}":        "profile.yaml:2: limits.online_limit: must be from 0.01 to 1000000.00",
		"limits: {online_limit: \"1000000.01\"}":  "profile.yaml:2: limits.online_limit: must be from 0.01 to 1000000.00",
		"limits: {counter_limit: \"1000000.01\"}": "profile.yaml:2: limits.counter_limit: must be from 0.01 to 1000000.00",
		"limits: {counter_limit: \"10000.00\"}":   "",
		"limits: {counter_limit: \"9999.99\"}": "profile.yaml:2: limits.counter_limit: must not be below online_limit: " +
			"whoever is refused online is told that a branch can do more",
		"limits: {online_limit: \"20000.00\"}": "",
		"limits: {online_limit: \"20000.01\"}": "profile.yaml: limits.counter_limit: must not be below online_limit: " +
			"whoever is refused online is told that a branch can do more",
		"limits: {online_limit: \"9999.99\", counter_limit: \"9999.99\"}": "profile.yaml: limits.approve_above: must be from 0.01 to counter_limit",
		"limits: {approve_above: \"0.00\"}":                               "profile.yaml:2: limits.approve_above: must be from 0.01 to counter_limit",
		"limits: {approve_above: \"20000.01\"}":                           "profile.yaml:2: limits.approve_above: must be from 0.01 to counter_limit",
		"limits: {confirm_code_above: \"0.00\"}":                          "",
		"limits: {confirm_code_above: \"1000000.01\"}":                    "profile.yaml:2: limits.confirm_code_above: must be from 0.00 to 1000000.00",
		"approvals: {hold: [Canary]}":                                     "profile.yaml:2: approvals.hold: there is no such flag",
		"approvals: {hold: [mobile_changed, mobile_changed]}":             "profile.yaml:2: approvals.hold: a flag is given twice",
		"approvals: {hold: mobile_changed}":                               "profile.yaml:2: approvals.hold: must be a list, such as [a, b]",
		"approvals: {back_office: \"\"}":                                  "profile.yaml:2: approvals.back_office: it is required",
		"approvals: {back_office: " + strings.Repeat("x", 65) + "}":       "profile.yaml:2: approvals.back_office: must have no more than 64 letters",

		"flags: {account_of_many: {people: 1}}":            "profile.yaml:2: flags.account_of_many.people: must be from 2 to 100",
		"flags: {account_of_many: {people: 100, days: 1}}": "",
		"flags: {account_of_many: {people: 101}}":          "profile.yaml:2: flags.account_of_many.people: must be from 2 to 100",
		"flags: {account_of_many: {days: 0}}":              "profile.yaml:2: flags.account_of_many.days: must be from 1 to 30: what was before is forgotten",
		"flags: {account_of_many: {days: 30}}":             "",
		"flags: {account_of_many: {days: 31}}":             "profile.yaml:2: flags.account_of_many.days: must be from 1 to 30: what was before is forgotten",
		"flags: {account_of_many: 6}":                      "profile.yaml:2: flags.account_of_many: must hold keys with values",
		"flags: {mobile_changed: 23h}":                     "profile.yaml:2: flags.mobile_changed: must be from 24h0m0s to 2160h0m0s",
		"flags: {mobile_changed: 2160h}":                   "",
		"flags: {mobile_changed: 2161h}":                   "profile.yaml:2: flags.mobile_changed: must be from 24h0m0s to 2160h0m0s",
		"flags: {mobile_changed: 7}":                       `profile.yaml:2: flags.mobile_changed: must be a duration with its unit, such as "10s"`,
		"flags: {codes_resent: 2}":                         "profile.yaml:2: flags.codes_resent: must be from 3 to 15",
		"flags: {codes_resent: 3, teller_looks: 2}":        "",
		"flags: {codes_resent: 16}":                        "profile.yaml:2: flags.codes_resent: must be from 3 to 15",
		"flags: {teller_looks: 1}":                         "profile.yaml:2: flags.teller_looks: must be from 2 to 50",
		"flags: {teller_looks: 51}":                        "profile.yaml:2: flags.teller_looks: must be from 2 to 50",
		"flags: {other_beneficiary: 1}":                    "profile.yaml:2: flags.other_beneficiary: there is no such key",

		"codes: {digits: 3}":         "profile.yaml:2: codes.digits: must be from 4 to 8",
		"codes: {digits: 9}":         "profile.yaml:2: codes.digits: must be from 4 to 8",
		"codes: {digits: \"6\"}":     "profile.yaml:2: codes.digits: must be a whole number",
		"codes: {life: 59s}":         "profile.yaml:2: codes.life: must be from 1m0s to 5m0s",
		"codes: {life: 301s}":        "profile.yaml:2: codes.life: must be from 1m0s to 5m0s",
		"codes: {life: 120}":         `profile.yaml:2: codes.life: must be a duration with its unit, such as "10s"`,
		"codes: {mobile_rest: -1s}":  "profile.yaml:2: codes.mobile_rest: must be from 0s to 720h0m0s",
		"codes: {mobile_rest: 721h}": "profile.yaml:2: codes.mobile_rest: must be from 0s to 720h0m0s",

		"notices: [Canary]":           "profile.yaml:2: notices[0]: must hold keys with values",
		"notices: [{" + window + "}]": "profile.yaml:2: notices[0].text.ar: it is required: people read it in both languages\nprofile.yaml:2: notices[0].text.en: it is required: people read it in both languages",
		"notices: [{text: {ar: خ, en: x}, until: 2026-03-20T02:00:00Z}]":             "profile.yaml:2: notices[0].from: it is required",
		"notices: [{text: {ar: خ, en: x}, from: 2026-03-20T02:00:00Z}]":              "profile.yaml:2: notices[0].until: it is required",
		"closures: [{from: 2026-03-20T02:00:00Z, until: 2026-03-20T05:00:00+03:00}]": "profile.yaml:2: closures[0].until: must be later than from",
		"closures: [{from: 2026-03-20, until: 2026-03-21T00:00:00Z}]":                "profile.yaml:2: closures[0].from: must be a time with its offset, such as 2026-03-20T01:00:00+03:00",
		"closures: [{" + window + "}]":                                               "",
		"closures: [{" + window + ", text: {en: x}}]":                                "profile.yaml:2: closures[0].text.ar: it is required: people read it in both languages",
		"closures: " + many("{"+window+"}", 21):                                      "profile.yaml:2: closures: must be no more than 20",
		"notices: " + many("{text: {ar: خ, en: x}, "+window+"}", 21):                 "profile.yaml:2: notices: must be no more than 20",
	} {
		whole := sender + text
		switch text {
		case "", "- a", "{}\n--- {}":
			whole = text
		}
		_, err := loadProfile(t, whole)
		var lines []string
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				lines = append(lines, line[strings.Index(line, "profile.yaml"):])
			}
		}
		// What stops the reading early can't miss the sender; where it is nobody's, it is missed too.
		lines = slices.DeleteFunc(lines, func(l string) bool { return text != "" && l == "profile.yaml: sms.sender: it is required" })
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	for name, want := range map[string]string{
		"Istirdad of Canary": "must have 3 to 11 letters, digits, spaces, '.', '_' or '-'", "ab": "must have 3 to 11 letters, digits, spaces, '.', '_' or '-'",
		"بنك المثال": "must have 3 to 11 letters, digits, spaces, '.', '_' or '-'",
		"\"966500\"": "must not be digits alone: operators take no number for a name", "Bank-ad": "must not end in -AD: advertisements aren't delivered at night, and a code must be",
	} {
		if _, err := loadProfile(t, "sms: {sender: "+name+"}"); err == nil || !strings.HasSuffix(err.Error(), "profile.yaml:1: sms.sender: "+want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loadProfile(t, "sms: {sender: Bank, webotp_host: https://canary, channel_name: {ar: خ}}"); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v", err)
	}
}

// TestProfileTellsAll: everything at once, in the order of the manual, and no value.
func TestProfileTellsAll(t *testing.T) {
	_, err := loadProfile(t, "menu: {name: {en: Canary, ar: Canary}}\npromise: {days: 99, cut_off: Canary}\nkanary: Canary\n"+
		"limits: {online_limit: \"0.00\", counter_limit: Canary}\ncodes: {digits: 1, life: 1h}\nclosures: [{}]\n")
	if err == nil {
		t.Fatal("it is taken")
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fields := strings.SplitN(line[strings.Index(line, "profile.yaml"):], ": ", 3)
		got = append(got, fields[0]+" "+fields[1])
	}
	want := []string{
		"profile.yaml:2 promise.cut_off", "profile.yaml:3 kanary", "profile.yaml:4 limits.counter_limit",
		"profile.yaml:1 menu.name.ar", "profile.yaml:2 promise.days", "profile.yaml:4 limits.online_limit",
		"profile.yaml:5 codes.digits", "profile.yaml:5 codes.life", "profile.yaml sms.sender", "profile.yaml:6 closures[0].from",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestProfileWrite: what is written is read again as it was.
func TestProfileWrite(t *testing.T) {
	for _, file := range []string{"../../configs/profiles/example-classic-menus.yaml", "../../configs/profiles/example-new-menus.yaml"} {
		p, err := config.LoadProfile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.Notices = []config.Notice{{Text: p.Menu.Name, From: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).In(saudi.Riyadh)}}
		p.Closures = []config.Closure{{From: time.Unix(1, 0).UTC(), Until: time.Unix(2, 500).UTC()}}
		path := filepath.Join(t.TempDir(), "profile.yaml")
		if err := p.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := config.LoadProfile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if err := config.DefaultProfile().Write(filepath.Join(t.TempDir(), "missing", "profile.yaml")); err == nil {
		t.Error("it is written where there is no folder")
	}
}

// FuzzProfile: whatever a profile says, it is either refused without a word of it, or the path takes its terms, and it is
// read again as it was written.
func FuzzProfile(f *testing.F) {
	// Short ones: go test -fuzz spends a minute on making a long one shorter.
	f.Add(sender + "sectors: {\"090\": {ar: خ, en: x}}\nlimits: {approve_above: \"1.00\"}\ncodes: {digits: 4}\n")
	f.Add(sender + "services: {090-003: {suspended: {ar: خ, en: x}}, ? [Canary!] : Canary!}\nclosures: [{from: 9999-12-31T23:59:59Z}]\n")
	f.Add(sender + "menu: &a {entries: [*a, Canary!]}\npromise: {week: [friday], cut_off: \"23:59\"}\n")
	f.Add(sender + "flags: {account_of_many: {people: 2, days: 30}, mobile_changed: 24h, codes_resent: 3, teller_looks: Canary!}\n")
	fixed := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(fixed, "profile.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := config.LoadProfile(path)
		if err != nil {
			if strings.Contains(err.Error(), "Canary!") {
				t.Errorf("the error repeats what was said: %v", err)
			}
			return
		}
		terms := p.Terms("80")
		if err := terms.Validate(); err != nil {
			t.Errorf("it is taken, and the path doesn't take it: %v", err)
		}
		terms.Calendar.Promise(time.Unix(0, 0), terms.PromiseDays) // comes to an end
		if err := p.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := config.LoadProfile(path)
		if err != nil {
			t.Fatalf("what was written isn't read: %v\n%s", err, p)
		}
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
