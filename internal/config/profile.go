package config

import (
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Profile is everything that a bank's business people set. What its engineers set is a [Config].
type Profile struct {
	// Menu is the step "payments".
	Menu Menu `yaml:"menu"`
	// Sectors are the bank's own names of sectors, in both languages, by the three digits of their biller in quotes.
	// Optional: the usual names.
	Sectors map[string]Text `yaml:"sectors"`
	// Services are what the bank says of single services, by their codes. Optional.
	Services map[string]Service `yaml:"services"`
	// Promise is by when a customer has the money: "promised_by".
	Promise Promise `yaml:"promise"`
	// Limits are amounts in riyals, in quotes. What a day allows is for all channels together, and a refund that comes to
	// nothing gives its part back. A change holds from the next preview or confirm on, with what the day has taken so far.
	Limits Limits `yaml:"limits"`
	// Approvals are who decides on what one person at the bank can't decide alone.
	Approvals Approvals `yaml:"approvals"`
	// Flags are from when on a refund has each of the flags. There is one more, other_beneficiary, which has no number: the
	// fee was paid for another person. A change holds from the next preview on.
	Flags Flags `yaml:"flags"`
	// Codes are the one-time codes. A change is for codes to come: those under way keep their form, when they are sent again
	// too.
	Codes Codes `yaml:"codes"`
	// SMS is how text messages are signed.
	SMS Brand `yaml:"sms"`
	// Notices are what the bank tells everybody beside the menu, such as that it will be closed; at most 20. Optional.
	Notices []Notice `yaml:"notices"`
	// Closures are when nothing new is begun: payments, services, requests, previews, balance inquiries and new codes answer
	// 503 "maintenance" until the end of the window (Retry-After says so, or an hour when it is longer). What was begun goes
	// on: a confirm, the code that is under way for it, the refunds so far and their withdrawal. At most 20. Optional.
	Closures []Closure `yaml:"closures"`
}

// Text is what people read, in both languages: {ar: المدفوعات, en: Payments}.
type Text struct {
	// AR is the Arabic. Required.
	AR string `yaml:"ar"`
	// EN is the English. Required.
	EN string `yaml:"en"`
}

// Menu is the step "payments".
type Menu struct {
	// Name is what the bank calls it. Default {ar: المدفوعات, en: Payments}.
	Name Text `yaml:"name,flow"`
	// Entries are the kinds of payment, in the order in which they are shown; at most 20. The entry e-payments leads to the
	// services of the Ministry of Interior and is always among them, by whatever name. Where others lead is the channel's
	// business. Default: that one alone.
	Entries []MenuEntry `yaml:"entries"`
}

// MenuEntry is one kind of payment.
type MenuEntry struct {
	// ID is by what the channel knows it: small letters, digits and '-'. Required.
	ID string `yaml:"id"`
	// Name is what the customer reads. Required.
	Name Text `yaml:"name,flow"`
}

// Service is what the bank says of one service.
type Service struct {
	// Name is the bank's own name of the service, in lists and messages. Optional: the usual name.
	Name Text `yaml:"name,flow"`
	// Suspended is why the bank gives nothing back of this service just now. With it the service is switched off: its
	// requests are listed all the same, not refundable (service_not_refundable), with these words; a preview is refused with
	// them; one that a customer has before them can still be confirmed. Optional: the service is offered.
	Suspended Text `yaml:"suspended,flow"`
}

// Notice is something that the bank tells everybody.
type Notice struct {
	// Text is what they read. Required.
	Text Text `yaml:"text,flow"`
	// From is when it is shown, with the offset of the clock that is meant: 2026-03-18T20:00:00+03:00. Required.
	From time.Time `yaml:"from"`
	// Until is when it is gone again. Required.
	Until time.Time `yaml:"until"`
}

// Closure is a time in which the bank has closed the service.
type Closure struct {
	// Text is what those read who come. Optional: that it is closed for maintenance.
	Text Text `yaml:"text,flow"`
	// From is when it closes, with the offset of the clock that is meant: 2026-03-18T23:00:00+03:00. Required.
	From time.Time `yaml:"from"`
	// Until is when it opens again. Required.
	Until time.Time `yaml:"until"`
}

// Promise is by when a customer has the money.
type Promise struct {
	// Days is after how many working days. Default 3, from 1 to 60.
	Days int `yaml:"days"`
	// Week are the days on which the bank works. Default [sunday, monday, tuesday, wednesday, thursday].
	Week []Weekday `yaml:"week,flow"`
	// Holidays are the days on which nobody works though the week says so, such as 2026-03-22; at most 400. The two Eids are
	// announced year by year. Optional.
	Holidays []saudi.Date `yaml:"holidays,flow"`
	// CutOff is the time of day in Riyadh from which on a refund counts as the next date's: "16:00". Optional: none.
	CutOff Clock `yaml:"cut_off"`
}

// Limits are amounts in riyals.
type Limits struct {
	// ConfirmCodeAbove is the amount above which a confirm needs a code of its own. 0.00 asks for one at every confirm.
	// Default 1000.00, to 1000000.00.
	ConfirmCodeAbove money.Amount `yaml:"confirm_code_above"`
	// OnlineLimit is what a customer may ask back in a Riyadh day by themselves. Default 10000.00, from 0.01 to 1000000.00.
	OnlineLimit money.Amount `yaml:"online_limit"`
	// CounterLimit is the same with a teller's help. Whoever is refused online is told that a branch can do more, so it is no
	// less. Default 20000.00, from online_limit to 1000000.00.
	CounterLimit money.Amount `yaml:"counter_limit"`
	// ApproveAbove is what the day may come to at the counter before a second person must agree. Default 10000.00, from 0.01
	// to counter_limit.
	ApproveAbove money.Amount `yaml:"approve_above"`
}

// Approvals are who decides on what one person at the bank can't decide alone.
type Approvals struct {
	// BackOffice is the branch, as tokens of staff name it, whose approvers decide for every branch, and for what comes from
	// none. All others decide for their own. Default back-office.
	BackOffice string `yaml:"back_office"`
	// Hold are the flags for which a refund awaits approval, whatever its amount and wherever it was asked for: any of
	// account_of_many, mobile_changed, other_beneficiary, codes_resent and teller_looks. Every flag is shown to approvers,
	// with or without. Name one only when all gateways are of a release that knows it: those of before let its refunds
	// through. Of confirms that come at once none sees the others, so account_of_many may hold none of them; what they come
	// to is within the day's limit. Optional: none holds anything up.
	Hold []string `yaml:"hold,flow"`
}

// Flags are from when on a refund has each of the flags.
type Flags struct {
	// AccountOfMany is when the fees of many people are refunded to one account, as to an agent's.
	AccountOfMany AccountOfMany `yaml:"account_of_many"`
	// MobileChanged is for how long after a change of the customer's mobile. Until codes.mobile_rest is over there are no
	// codes, so only a longer one sees anybody but those who came to a branch. Default 168h, from 24h to 2160h.
	MobileChanged time.Duration `yaml:"mobile_changed"`
	// CodesResent is after how many codes within half an hour. A profile's and a refund's, each sent again, are four.
	// Default 5, from 3 to 15: everybody has two, and nobody is sent more than 15 in an hour.
	CodesResent int `yaml:"codes_resent"`
	// TellerLooks is after how many looks of the teller at customers on that day. Default 40, from 2 to 50, which are all that
	// they may have.
	TellerLooks int `yaml:"teller_looks"`
}

// AccountOfMany is when the fees of many people are refunded to one account.
type AccountOfMany struct {
	// People is from how many on, the one whose fee is asked back among them. Default 6, from 2 to 100.
	People int `yaml:"people"`
	// Days is within how many days before the confirm. Default 30, from 1 to 30: what was before is forgotten.
	Days int `yaml:"days"`
}

// Codes are the one-time codes.
type Codes struct {
	// Digits is how many a code has. Whoever guesses thirty times, which takes them days, finds one of six digits with a
	// chance of 3 in 100,000 and one of four with 3 in 1,000. Default 6, from 4 to 8.
	Digits int `yaml:"digits"`
	// Life is how long a code can be used. Default 3m, from 1m to 5m.
	Life time.Duration `yaml:"life"`
	// MobileRest is how long a mobile that was changed gets no codes. Default 72h, from 0s to 720h.
	MobileRest time.Duration `yaml:"mobile_rest"`
}

// Brand is how text messages are signed.
type Brand struct {
	// Sender is the name that phones show, registered with the operators beforehand: 3 to 11 letters, digits, spaces, '.',
	// '_' or '-', not digits alone, and not ending in -AD, which is for advertisements. Required.
	Sender string `yaml:"sender"`
	// BankName is what messages call the bank to a customer at the counter, and what a printed receipt is headed with.
	// Optional: messages name the sender, and a receipt nobody.
	BankName Text `yaml:"bank_name,flow"`
	// ChannelName is what messages call the bank's channel. Optional: the digital channel.
	ChannelName Text `yaml:"channel_name,flow"`
	// WebOTPHost ends a code's message with the line by which a browser offers the code to this host alone. Leave it empty
	// where customers must type codes by hand, as in the Kingdom. Optional.
	WebOTPHost string `yaml:"webotp_host"`
}

// DefaultProfile is what holds for a key that nobody mentions. By itself it is no profile: the sender is missing.
func DefaultProfile() Profile {
	form, flags := otp.DefaultForm(), bank.DefaultThresholds()
	return Profile{
		Menu: Menu{
			Name:    Text{AR: "المدفوعات", EN: "Payments"},
			Entries: []MenuEntry{{ID: bank.EPayments, Name: Text{AR: "المدفوعات الإلكترونية", EN: "e-payments"}}},
		},
		Promise: Promise{
			Days: 3, Week: []Weekday{
				Weekday(time.Sunday), Weekday(time.Monday), Weekday(time.Tuesday), Weekday(time.Wednesday), Weekday(time.Thursday),
			},
		},
		Limits: Limits{
			ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00, CounterLimit: 20_000_00, ApproveAbove: 10_000_00,
		},
		Approvals: Approvals{BackOffice: "back-office"},
		Flags: Flags{
			AccountOfMany: AccountOfMany{People: flags.People, Days: int(flags.PeopleWithin / oneDay)},
			MobileChanged: flags.MobileWithin, CodesResent: flags.Codes, TellerLooks: flags.Looks,
		},
		Codes: Codes{Digits: form.Digits, Life: form.Life, MobileRest: 72 * time.Hour},
	}
}

const oneDay = 24 * time.Hour

// Terms are the profile as the path and its messages go by it.
func (p Profile) Terms(bankCode string) bank.Terms {
	t := bank.Terms{
		BankCode: bankCode,
		Calendar: saudi.Calendar{
			Week: map[time.Weekday]bool{}, Holidays: map[saudi.Date]bool{}, CutOff: time.Duration(p.Promise.CutOff),
		},
		PromiseDays:      p.Promise.Days,
		ConfirmCodeAbove: p.Limits.ConfirmCodeAbove,
		OnlineLimit:      p.Limits.OnlineLimit,
		CounterLimit:     p.Limits.CounterLimit,
		ApproveAbove:     p.Limits.ApproveAbove,
		BackOffice:       p.Approvals.BackOffice,
		Thresholds: bank.Thresholds{
			People: p.Flags.AccountOfMany.People, PeopleWithin: time.Duration(p.Flags.AccountOfMany.Days) * oneDay,
			MobileWithin: p.Flags.MobileChanged, Codes: p.Flags.CodesResent, Looks: p.Flags.TellerLooks,
		},
		Code:       otp.Form{Digits: p.Codes.Digits, Life: p.Codes.Life},
		MobileRest: p.Codes.MobileRest,
		Brand: otp.Brand{
			Sender: p.SMS.Sender, Bank: p.SMS.BankName.name(), Channel: p.SMS.ChannelName.name(), WebOTPHost: p.SMS.WebOTPHost,
		},
		Menu:     bank.Menu{Name: p.Menu.Name.name()},
		Services: map[string]bank.Text{}, Sectors: map[string]bank.Text{}, Suspended: map[string]bank.Text{},
	}
	for _, flag := range p.Approvals.Hold {
		t.Hold = append(t.Hold, gateway.Mark(flag))
	}
	for _, day := range p.Promise.Week {
		t.Calendar.Week[time.Weekday(day)] = true
	}
	for _, day := range p.Promise.Holidays {
		t.Calendar.Holidays[day] = true
	}
	for _, e := range p.Menu.Entries {
		t.Menu.Entries = append(t.Menu.Entries, bank.MenuEntry{ID: e.ID, Name: e.Name.name()})
	}
	for biller, name := range p.Sectors {
		t.Sectors[biller] = name.name()
	}
	for code, s := range p.Services {
		t.Services[code] = s.Name.name()
		if s.Suspended != (Text{}) {
			t.Suspended[code] = s.Suspended.name()
		}
	}
	for _, n := range p.Notices {
		t.Notices = append(t.Notices, bank.Window{Text: n.Text.name(), From: n.From, Until: n.Until})
	}
	for _, c := range p.Closures {
		t.Closures = append(t.Closures, bank.Window{Text: c.Text.name(), From: c.From, Until: c.Until})
	}
	return t
}

func (t Text) name() bank.Text { return bank.Text{AR: t.AR, EN: t.EN} }
