package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/otp"
)

// LoadProfile reads a profile as strictly as [Load] reads a configuration: it returns none that could not be gone by, and
// an error that tells all that is wrong, a line each, none of which repeats a value. No variable overrides any of it.
func LoadProfile(path string) (Profile, error) {
	read, err := readFile(path)
	if err != nil {
		return Profile{}, fmt.Errorf("%s: %w", path, err)
	}
	return parseProfile(path, read.text)
}

func parseProfile(path string, text []byte) (Profile, error) {
	l := &profileLoader{reading: newReading(path), profile: DefaultProfile()}
	l.readYAML(text, reflect.ValueOf(&l.profile).Elem())
	if !l.unread {
		l.check()
	}
	if err := l.err(); err != nil {
		return Profile{}, err
	}
	return l.profile, nil
}

// profileLoader gathers a profile and everything that is wrong with it.
type profileLoader struct {
	reading
	profile Profile
}

func (l *profileLoader) check() {
	l.checkMenu()
	l.checkLabels()
	l.checkPromise()
	l.checkLimits()
	l.checkApprovals()
	l.checkFlags()
	l.checkCodes()
	l.checkBrand()
	l.checkWindows()
}

// What people can be expected to look through and to read.
const (
	entriesMax = 20
	windowsMax = 20  // notices, and as many closures
	textMax    = 200 // letters

	holidaysMax = 400 // a year's worth of days, so that a promise is never counted for long
)

var entryID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func (l *profileLoader) checkMenu() {
	menu := l.profile.Menu
	l.checkText("menu.name", menu.Name)
	ids := map[string]bool{}
	for i, e := range menu.Entries {
		key := entryOf("menu.entries", i)
		switch {
		case l.failed[key]: // it isn't even an entry
			continue
		case !entryID.MatchString(e.ID):
			l.bad(key+".id", "must be up to 40 small letters, digits and '-', with a letter in front")
		case ids[e.ID]:
			l.bad(key+".id", "another entry has it")
		}
		ids[e.ID] = true
		l.checkText(key+".name", e.Name)
	}
	switch {
	case len(menu.Entries) > entriesMax:
		l.bad("menu.entries", "must be no more than %d", entriesMax)
	case !ids[bank.EPayments]:
		l.bad("menu.entries", "must have one with the id %s, which leads to the services", bank.EPayments)
	}
}

func (l *profileLoader) checkLabels() {
	billers := map[string]bool{}
	for _, s := range moi.Services() {
		billers[s.Biller()] = true
	}
	for _, biller := range slices.Sorted(maps.Keys(l.profile.Sectors)) {
		key := join("sectors", name(biller))
		if !billers[biller] {
			l.bad(key, "there is no such biller")
			continue
		}
		l.checkText(key, l.profile.Sectors[biller])
	}
	for _, code := range slices.Sorted(maps.Keys(l.profile.Services)) {
		key := join("services", name(code))
		if _, known := moi.Lookup(code); !known {
			l.bad(key, "there is no such service; a code is biller and service, such as 090-003")
			continue
		}
		l.checkOptional(key+".name", l.profile.Services[code].Name)
		l.checkOptional(key+".suspended", l.profile.Services[code].Suspended)
	}
}

func (l *profileLoader) checkPromise() {
	promise := l.profile.Promise
	within(l, "promise.days", promise.Days, 1, 60)
	days := map[Weekday]bool{}
	for _, day := range promise.Week {
		if days[day] {
			l.bad("promise.week", "a day is given twice")
		}
		days[day] = true
	}
	if len(days) == 0 {
		l.bad("promise.week", "must have at least one day")
	}
	if len(promise.Holidays) > holidaysMax {
		l.bad("promise.holidays", "must be no more than %d", holidaysMax)
	}
}

// amountMax is more than anybody's limit, and less than what a few zeros too many come to.
const amountMax money.Amount = 1_000_000_00

func (l *profileLoader) checkLimits() {
	limits := l.profile.Limits
	within(l, "limits.confirm_code_above", limits.ConfirmCodeAbove, 0, amountMax)
	within(l, "limits.online_limit", limits.OnlineLimit, 1, amountMax)
	within(l, "limits.counter_limit", limits.CounterLimit, 1, amountMax)
	if !l.failed["limits.online_limit"] && !l.failed["limits.counter_limit"] && limits.CounterLimit < limits.OnlineLimit {
		l.bad("limits.counter_limit", "must not be below online_limit: whoever is refused online is told that a branch can do more")
	}
	if !l.failed["limits.counter_limit"] && (limits.ApproveAbove < 1 || limits.ApproveAbove > limits.CounterLimit) {
		l.bad("limits.approve_above", "must be from 0.01 to counter_limit")
	}
}

// branchMax is longer than any bank's name of a branch.
const branchMax = 64

func (l *profileLoader) checkApprovals() {
	const key = "approvals.back_office"
	if office := l.profile.Approvals.BackOffice; l.need(key, office) && len(office) > branchMax {
		l.bad(key, "must have no more than %d letters", branchMax)
	}
	hold := l.profile.Approvals.Hold
	for i, flag := range hold {
		switch {
		case !slices.Contains(bank.Flags(), gateway.Mark(flag)):
			l.bad("approvals.hold", "there is no such flag")
		case slices.Contains(hold[:i], flag):
			l.bad("approvals.hold", "a flag is given twice")
		}
	}
}

// Beyond these a flag is of nobody.
const (
	peopleMax        = 100                 // who come to one account in a month
	mobileChangedMax = 90 * 24 * time.Hour // after which whoever took a number over has long been here, or won't come
)

func (l *profileLoader) checkFlags() {
	flags, sms := l.profile.Flags, otp.DefaultPolicy().SMS
	within(l, "flags.account_of_many.people", flags.AccountOfMany.People, 2, peopleMax) // one is the refund's own
	if kept := int(bank.UsesKept / oneDay); flags.AccountOfMany.Days < 1 || flags.AccountOfMany.Days > kept {
		l.bad("flags.account_of_many.days", "must be from 1 to %d: what was before is forgotten", kept)
	}
	within(l, "flags.mobile_changed", flags.MobileChanged, oneDay, mobileChangedMax)
	within(l, "flags.codes_resent", flags.CodesResent, 3, sms[otp.Profile].Hour+sms[otp.Refund].Hour) // everybody has two
	within(l, "flags.teller_looks", flags.TellerLooks, 2, bank.LookupsMax)                            // one is this customer's
}

// mobileRestMax is a month: who must wait longer for a code should be told by a branch.
const mobileRestMax = 720 * time.Hour

func (l *profileLoader) checkCodes() {
	codes := l.profile.Codes
	within(l, "codes.digits", codes.Digits, otp.DigitsMin, otp.DigitsMax)
	within(l, "codes.life", codes.Life, otp.ShortestLife, otp.LongestLife)
	within(l, "codes.mobile_rest", codes.MobileRest, 0, mobileRestMax)
}

var (
	senderName  = regexp.MustCompile(`^[A-Za-z0-9._ -]{3,11}$`)
	digitsAlone = regexp.MustCompile(`^[0-9]+$`)
)

func (l *profileLoader) checkBrand() {
	brand := l.profile.SMS
	if l.need("sms.sender", brand.Sender) {
		switch {
		case !senderName.MatchString(brand.Sender):
			l.bad("sms.sender", "must have 3 to 11 letters, digits, spaces, '.', '_' or '-'")
		case digitsAlone.MatchString(brand.Sender):
			l.bad("sms.sender", "must not be digits alone: operators take no number for a name")
		case strings.HasSuffix(strings.ToUpper(brand.Sender), "-AD"):
			l.bad("sms.sender", "must not end in -AD: advertisements aren't delivered at night, and a code must be")
		}
	}
	l.checkOptional("sms.bank_name", brand.BankName)
	l.checkOptional("sms.channel_name", brand.ChannelName)
	if brand.WebOTPHost != "" && !authority.MatchString(brand.WebOTPHost) {
		l.bad("sms.webotp_host", "must be a host")
	}
}

func (l *profileLoader) checkWindows() {
	for i, n := range l.profile.Notices {
		if key := entryOf("notices", i); !l.failed[key] {
			l.checkText(key+".text", n.Text)
			l.checkWindow(key, n.From, n.Until)
		}
	}
	for i, c := range l.profile.Closures {
		if key := entryOf("closures", i); !l.failed[key] {
			l.checkOptional(key+".text", c.Text)
			l.checkWindow(key, c.From, c.Until)
		}
	}
	if len(l.profile.Notices) > windowsMax {
		l.bad("notices", "must be no more than %d", windowsMax)
	}
	if len(l.profile.Closures) > windowsMax {
		l.bad("closures", "must be no more than %d", windowsMax)
	}
}

func (l *profileLoader) checkWindow(key string, from, until time.Time) {
	switch {
	case l.failed[key+".from"], l.failed[key+".until"]:
	case from.IsZero():
		l.bad(key+".from", "it is required")
	case until.IsZero():
		l.bad(key+".until", "it is required")
	case !until.After(from):
		l.bad(key+".until", "must be later than from")
	}
}

// checkOptional is checkText for a text that may be missing, but not by half.
func (l *profileLoader) checkOptional(key string, t Text) {
	if t != (Text{}) {
		l.checkText(key, t)
	}
}

// checkText refuses a text that isn't in both languages, each in its own. English with an Arabic letter in it would cost
// two messages, too.
func (l *profileLoader) checkText(key string, t Text) {
	if l.failed[key] { // it isn't even a text
		return
	}
	arabic := func(r rune) bool { return unicode.Is(unicode.Arabic, r) }
	hidden := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	for _, in := range []struct{ key, text string }{{key + ".ar", t.AR}, {key + ".en", t.EN}} {
		switch {
		case strings.TrimSpace(in.text) == "":
			l.bad(in.key, "it is required: people read it in both languages")
		case len([]rune(in.text)) > textMax:
			l.bad(in.key, "must have no more than %d letters", textMax)
		case strings.ContainsFunc(in.text, hidden):
			l.bad(in.key, "must be one line, without characters that can't be seen")
		}
	}
	if !strings.ContainsFunc(t.AR, arabic) {
		l.bad(key+".ar", "must be Arabic")
	}
	if strings.ContainsFunc(t.EN, arabic) {
		l.bad(key+".en", "must be English")
	}
}
