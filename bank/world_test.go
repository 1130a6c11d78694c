package bank_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// world is a path with fakes around it. Most tests are about its customer p01, who has two accounts here, and pays from
// the first.
type world struct {
	*bank.Path
	t     *testing.T
	terms bank.Terms // in force; a test may change them
	looks int        // at them
	trouble
	directory directory
	inquiries inquiries
	book      book
	sessions  *sessions
	counter   counter
	lookups   lookups
	sightings sightings
	endings   endings
	meter     meter
	ledger    otptest.Ledger
	codes     otptest.Codes
	phone     otptest.Phone
	recorded  int
	keys      int
}

var (
	caller = bank.Caller{Subject: "p01", Session: "s1", Client: "web", Scopes: []bank.Scope{bank.ScopeRefunds}}
	other  = bank.Caller{Subject: "p02", Session: "s2", Client: "web", Scopes: []bank.Scope{bank.ScopeRefunds}}
)

// terms are the sandbox's.
func terms() bank.Terms {
	return bank.Terms{
		BankCode: "80", PromiseDays: 3, ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00, CounterLimit: 20_000_00,
		ApproveAbove: 10_000_00, BackOffice: "back-office", MobileRest: 72 * time.Hour, Code: otp.DefaultForm(), Thresholds: bank.DefaultThresholds(),
		Brand: otp.Brand{Sender: "TestBank"},
	}
}

// newWorld is one under these terms, with a proof for the session of caller.
func newWorld(t *testing.T, change ...func(*bank.Terms)) *world {
	t.Helper()
	w := &world{t: t}
	w.directory = directory{trouble: &w.trouble, customers: map[string]bank.Customer{
		"p01": customer(t, "p01", "1900000017", "555608000000001", "555608000000091"),
		"p02": customer(t, "p02", "1900000025", "555608000000002"),
	}, staff: map[string]bank.Staff{
		"E100": {Employee: "E100", Branch: "101", Barred: []saudi.Party{person(t, "1900000074"), person(t, "1900000033")}},
		"E101": {Employee: "E101", Branch: "101"},
		"E200": {Employee: "E200", Branch: "101"},
		"E201": {Employee: "E201", Branch: "back-office"},
	}}
	w.counter, w.lookups = counter{&w.trouble, map[string]*visit{}}, lookups{trouble: &w.trouble}
	w.inquiries.trouble, w.book.trouble, w.sightings.trouble = &w.trouble, &w.trouble, &w.trouble
	w.sightings.ledger = &w.ledger
	w.sessions = newSessions(&w.trouble)
	w.endings = endings{&w.trouble, map[string]time.Time{}}
	w.meter = meter{&w.trouble, map[string]int{"p01": 30, "p02": 30}}
	w.phone.Answer = func(ctx context.Context, _ string) error { return w.at(ctx, "Send") }
	codes, err := otp.New(otp.Config{
		Pepper: bytes.Repeat([]byte("p"), otp.PepperSize), Codes: &w.codes, Ledger: &w.ledger, Sender: &w.phone,
		Policy: otp.DefaultPolicy(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cursors, err := seal.New("k1", bytes.Repeat([]byte("s"), seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	w.terms = terms()
	for _, c := range change {
		c(&w.terms)
	}
	w.Path, err = bank.NewPath(bank.Config{
		Directory: &w.directory, Inquiries: &w.inquiries, Sessions: w.sessions, Endings: &w.endings, Meter: &w.meter, Book: &w.book, Codes: codes,
		Counter: &w.counter, Lookups: &w.lookups, Approvals: approvals{&w.book, &w.lookups}, Sightings: &w.sightings, Cursors: cursors, Terms: func() bank.Terms { w.looks++; return w.terms },
		Recorded: func() { w.recorded++ }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.prove()
	return w
}

func (w *world) proved(c bank.Caller) error {
	_, err := w.Proved(w.t.Context(), c)
	return err
}

func (w *world) prove() {
	w.t.Helper()
	if _, err := w.sessions.Prove(w.t.Context(), caller.Holder(), "proof-1"); err != nil {
		w.t.Fatal(err)
	}
}

func customer(t *testing.T, id, number string, accounts ...string) bank.Customer {
	t.Helper()
	mobile, err := saudi.ParseMobile("+966500000001")
	if err != nil {
		t.Fatal(err)
	}
	c := bank.Customer{
		ID: id, Name: moi.Name{AR: "سلمان", EN: "Salman"}, Identity: person(t, number), Mobile: mobile, Language: otp.Arabic,
	}
	for i, account := range accounts {
		c.Accounts = append(c.Accounts, bank.Account{
			ID: fmt.Sprintf("acc-%s-%d", id, i+1), IBAN: iban(t, account), Currency: money.Currency, Status: bank.AccountActive,
		})
	}
	return c
}

func person(t *testing.T, number string) saudi.Party {
	t.Helper()
	p, err := saudi.ParsePerson(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func iban(t *testing.T, account string) saudi.IBAN {
	t.Helper()
	i, err := saudi.NewIBAN("80", account)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// customer changes what the bank has on p01.
func (w *world) customer(change func(*bank.Customer)) {
	c := w.directory.customers["p01"]
	c.Accounts = append([]bank.Account(nil), c.Accounts...)
	change(&c)
	w.directory.customers["p01"] = c
}

// paid adds a request that p01 paid for themselves, an iqama renewal unless a change says otherwise.
func (w *world) paid(id string, amount money.Amount, change ...func(*bank.PaidRequest)) {
	w.t.Helper()
	p01 := w.directory.customers["p01"]
	r := bank.PaidRequest{
		Payment: gateway.Payment{
			RequestID: id, Service: "090-003", Name: moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"}, Amount: amount,
			Payer: p01.Identity, Beneficiary: p01.Identity,
		},
		PaidAt: time.Now().Add(-24 * time.Hour), PaidBank: "80", PaidFrom: p01.Accounts[0].IBAN, State: bank.RequestAvailable,
	}
	for _, c := range change {
		c(&r)
	}
	w.inquiries.requests = append(w.inquiries.requests, r)
}

// asked is what p01 rightly enters for a request, under a fresh key.
func (w *world) asked(request string) bank.Asked {
	w.keys++
	return bank.Asked{
		RequestID: request, AccountNumber: "555608000000001", IDNumber: "1900000017", Key: fmt.Sprintf("key-%d", w.keys),
	}
}

func (w *world) preview(request string) bank.Preview {
	w.t.Helper()
	p, replay, err := w.Preview(w.t.Context(), caller, w.asked(request))
	if err != nil || replay {
		w.t.Fatalf("the preview of %s: replay %v, %v", request, replay, err)
	}
	return p
}

// code asks for a code for the preview.
func (w *world) code(refund string) (challenge, code string) {
	w.t.Helper()
	c, err := w.Challenge(w.t.Context(), caller, otp.Refund, refund)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID, w.phone.Code().Reveal()
}

// refund is one of p01's for 100.00, confirmed.
func (w *world) refund(request string) gateway.Refund {
	w.t.Helper()
	w.paid(request, 100_00)
	r, replay, err := w.Confirm(w.t.Context(), caller, w.preview(request).ID, "", "")
	if err != nil || replay {
		w.t.Fatalf("the confirm of %s: replay %v, %v", request, replay, err)
	}
	return r
}

func (w *world) wantErr(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("said %v, want %v", err, want)
	}
}
