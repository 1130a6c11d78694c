package bank_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// TestFlags: what is seen of a confirm is on its refund, at the line and not before it, and holds nothing up.
func TestFlags(t *testing.T) {
	worker := func(w *world) saudi.Party { return person(w.t, "2900000098") }
	recently := func(ago time.Duration) func(*world) {
		return func(w *world) {
			w.customer(func(c *bank.Customer) { c.MobileChangedAt = time.Now().Add(-ago) })
		}
	}
	sent := func(n int, ago time.Duration) func(*world) {
		return func(w *world) {
			_, err := w.ledger.Update(w.t.Context(), time.Now(), "p01", func(r otp.Record) (otp.Record, error) {
				for i := range n {
					r.Sent = append(r.Sent, otp.SMS{ID: fmt.Sprint(i), Purpose: otp.Refund, At: time.Now().Add(-ago)})
				}
				return r, nil
			})
			w.wantErr(err, nil)
		}
	}
	for name, c := range map[string]struct {
		world func(*world)
		paid  func(*world, *bank.PaidRequest)
		want  gateway.Marks
	}{
		"nothing":                   {},
		"for another person":        {paid: func(w *world, r *bank.PaidRequest) { r.Beneficiary = worker(w) }, want: "other_beneficiary"},
		"for a vehicle":             {paid: func(w *world, r *bank.PaidRequest) { r.Beneficiary, _ = saudi.NewParty(saudi.KindVehicle, "900000002") }},
		"for a visitor":             {paid: func(w *world, r *bank.PaidRequest) { r.Beneficiary, _ = saudi.NewParty(saudi.KindBorder, "3000000001") }, want: "other_beneficiary"},
		"for nobody":                {paid: func(_ *world, r *bank.PaidRequest) { r.Beneficiary = saudi.Party{} }},
		"a mobile of this week":     {world: recently(7*24*time.Hour - time.Minute), want: "mobile_changed"},
		"a mobile of last week":     {world: recently(7 * 24 * time.Hour)},
		"an account of a household": {world: func(w *world) { w.sightings.Others = 4 }},
		"an account of many":        {world: func(w *world) { w.sightings.Others = 5 }, want: "account_of_many"},
		"an account of many, asked for nobody": {
			world: func(w *world) { w.sightings.Others = 5 }, paid: func(_ *world, r *bank.PaidRequest) { r.Beneficiary = saudi.Party{} },
		},
		"an account of many, asked for a vehicle": {
			world: func(w *world) { w.sightings.Others = 5 },
			paid:  func(_ *world, r *bank.PaidRequest) { r.Beneficiary, _ = saudi.NewParty(saudi.KindVehicle, "900000002") },
		},
		"a few codes":              {world: sent(4, time.Minute)},
		"code after code":          {world: sent(5, 29*time.Minute), want: "codes_resent"},
		"code after code, before":  {world: sent(5, 30*time.Minute)},
		"a teller who looks":       {world: func(w *world) { w.sightings.Looks = 39 }},
		"a teller who looks a lot": {world: func(w *world) { w.sightings.Looks = 40 }, want: "teller_looks"},
		"all of it": {
			world: func(w *world) {
				w.sightings.Seen = bank.Seen{Others: 99, Looks: 50}
				sent(9, time.Second)(w)
				recently(100 * time.Hour)(w)
			},
			paid: func(w *world, r *bank.PaidRequest) { r.Beneficiary = worker(w) },
			want: gateway.NewMarks(bank.Flags()...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if c.world != nil {
					c.world(w)
				}
				w.paid("rq-1", 100_00, func(r *bank.PaidRequest) {
					if c.paid != nil {
						c.paid(w, r)
					}
				})
				preview := w.preview("rq-1")
				if flagged := slices.Contains(c.want.List(), bank.FlagMobileChanged); preview.MobileChangedAt.IsZero() == flagged {
					t.Errorf("its preview keeps %v", preview.MobileChangedAt)
				}
				r, _, err := w.Confirm(t.Context(), caller, preview.ID, "", "")
				if err != nil || r.Flags != c.want || r.Held != "" || r.State != gateway.Queued {
					t.Errorf("it is %s, flagged %q, held for %q; %v", r.State, r.Flags, r.Held, err)
				}
				sought := w.sightings.sought[0]
				if sought.To != r.To || sought.Beneficiary != r.Payment.Beneficiary || sought.Employee != "" || sought.Day != saudi.DateOf(time.Now()) ||
					!sought.Since.Equal(time.Now().AddDate(0, 0, -30)) {
					t.Errorf("sought was %+v", sought)
				}
			})
		})
	}
}

// TestThresholds: a bank sets from when on it wants to know.
func TestThresholds(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		set  func(*bank.Thresholds)
		at   func(w *world, below time.Duration) // the threshold, or so much, or one, below it
		want gateway.Mark
	}{
		"people": {
			set:  func(s *bank.Thresholds) { s.People, s.PeopleWithin = 3, 2*day },
			at:   func(w *world, below time.Duration) { w.sightings.Others = 2 - int(below) },
			want: bank.FlagAccountOfMany,
		},
		"a changed mobile": {
			set: func(s *bank.Thresholds) { s.MobileWithin = 30 * day },
			at: func(w *world, below time.Duration) {
				w.customer(func(c *bank.Customer) { c.MobileChangedAt = time.Now().Add(1 - 30*day - below) })
			},
			want: bank.FlagMobileChanged,
		},
		"codes": {
			set: func(s *bank.Thresholds) { s.Codes = 9 },
			at: func(w *world, below time.Duration) {
				_, err := w.ledger.Update(w.t.Context(), time.Now(), "p01", func(r otp.Record) (otp.Record, error) {
					r.Sent = slices.Repeat([]otp.SMS{{At: time.Now()}}, 9-int(below))
					return r, nil
				})
				w.wantErr(err, nil)
			},
			want: bank.FlagCodesResent,
		},
		"looks": {
			set:  func(s *bank.Thresholds) { s.Looks = 7 },
			at:   func(w *world, below time.Duration) { w.sightings.Looks = 7 - int(below) },
			want: bank.FlagTellerLooks,
		},
	} {
		for below, want := range map[time.Duration]gateway.Marks{0: gateway.NewMarks(c.want), 1: ""} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(t *bank.Terms) { c.set(&t.Thresholds) })
				c.at(w, below)
				w.paid("rq-1", 100_00)
				r, _, err := w.Confirm(t.Context(), caller, w.preview("rq-1").ID, "", "")
				if err != nil || r.Flags != want {
					t.Errorf("%s, %d below: flagged %q, want %q, %v", name, below, r.Flags, want, err)
				}
				if since := time.Now().Add(-w.terms.Thresholds.PeopleWithin); !w.sightings.sought[0].Since.Equal(since) {
					t.Errorf("%s: sought since %v, want %v", name, w.sightings.sought[0].Since, since)
				}
			})
		}
	}
}

// TestHolds: a bank says for which flags a refund waits, online too. There the back office decides, for nobody else has it.
func TestHolds(t *testing.T) {
	w := newWorld(t, func(t *bank.Terms) { t.Hold = []gateway.Mark{bank.FlagAccountOfMany, bank.FlagCodesResent} })
	w.sightings.Others = 9
	w.sightings.Looks = 50 // which holds nothing up
	w.paid("rq-1", 100_00)
	preview := w.preview("rq-1")
	r, _, err := w.Confirm(t.Context(), caller, preview.ID, "", "")
	if err != nil || r.State != gateway.AwaitingApproval || r.Held != "account_of_many" || r.Flags != "account_of_many teller_looks" || preview.Approval {
		t.Fatalf("it is %s, flagged %q, held for %q; announced %v; %v", r.State, r.Flags, r.Held, preview.Approval, err)
	}
	if midnight := saudi.DateOf(time.Now()).AddDays(1).At(0, 0); !r.Due.Equal(midnight) {
		t.Errorf("it lapses at %v", r.Due)
	}
	if all, _, err := w.AwaitingApproval(t.Context(), approver, bank.Page{Limit: 9}); err != nil || len(all) != 0 {
		t.Errorf("a branch sees %d, %v", len(all), err)
	}
	digest := w.digest(r)
	_, err = w.Approve(t.Context(), approver, r.ID, "fine", digest)
	w.wantErr(err, bank.ErrNotFound)
	_, err = w.Approve(t.Context(), backOffice, r.ID, "fine", digest)
	w.wantErr(err, nil)
}

// TestFlagsAreNotForTheTeller: nor by their other login.
func TestFlagsAreNotForTheTeller(t *testing.T) {
	w := newWorld(t, func(t *bank.Terms) { t.Hold = bank.Flags() })
	w.sightings.Looks = 50
	r := w.checkedRefund("rq-1")
	if sought := w.sightings.sought[0]; sought.Employee != "E100" || r.Held != "identity_check teller_looks" {
		t.Errorf("sought was %+v, held for %q", sought, r.Held)
	}
	for _, c := range []struct {
		by          bank.Caller
		flags, held gateway.Marks
	}{
		{approver, "teller_looks", "identity_check teller_looks"},
		{backOffice, "teller_looks", "identity_check teller_looks"},
		{member("a02", "E100", "101"), "", "identity_check"},
	} {
		all, _, err := w.AwaitingApproval(t.Context(), c.by, bank.Page{Limit: 9})
		if err != nil || len(all) != 1 || all[0].Flags != c.flags || all[0].Held != c.held || all[0].Digest != w.digest(r) {
			t.Errorf("%s sees %+v, %v", c.by.Subject, all, err)
		}
	}
}

// TestTroubleWithFlags: where a flag holds refunds up, one whose flags can't be known isn't recorded; the same confirm goes
// on later.
func TestTroubleWithFlags(t *testing.T) {
	w := newWorld(t, func(t *bank.Terms) { t.Hold = []gateway.Mark{bank.FlagTellerLooks} })
	w.paid("rq-1", 2_000_00)
	preview := w.preview("rq-1")
	challenge, code := w.code(preview.ID)
	for _, method := range []string{"Seek", "Read"} {
		w.trouble.set(method, errors.New("connection refused"))
		_, _, err := w.Confirm(t.Context(), caller, preview.ID, challenge, code)
		w.wantErr(err, bank.ErrUnavailable)
	}
	w.trouble.set("", nil)
	_, _, err := w.Confirm(t.Context(), caller, preview.ID, challenge, code)
	w.wantErr(err, nil)
}

// TestTroubleWithFlagsThatHoldNothing: a refund is recorded without them, and the log says so.
func TestTroubleWithFlagsThatHoldNothing(t *testing.T) {
	for _, method := range []string{"Seek", "Read"} {
		w := newWorld(t)
		var log bytes.Buffer
		w.Log = slog.New(slog.NewTextHandler(&log, nil))
		w.sightings.Others = 9
		w.paid("rq-1", 100_00)
		w.trouble.set(method, errors.New("connection refused"))
		r, _, err := w.Confirm(t.Context(), caller, w.preview("rq-1").ID, "", "")
		if err != nil || r.State != gateway.Queued || r.Flags != "" || !strings.Contains(log.String(), r.ID) {
			t.Errorf("%s: it is %s, flagged %q, %v; the log says %q", method, r.State, r.Flags, err, log.String())
		}
	}
}

// TestSlowFlags: a confirm waits half a second for them at most, and its code is as good as before.
func TestSlowFlags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 2_000_00)
		preview := w.preview("rq-1")
		challenge, code := w.code(preview.ID)
		w.sightings.hangs, w.terms.Hold = true, bank.Flags()
		began := time.Now()
		_, _, err := w.Confirm(t.Context(), caller, preview.ID, challenge, code)
		w.wantErr(err, bank.ErrUnavailable)
		w.terms.Hold = nil
		r, _, err := w.Confirm(t.Context(), caller, preview.ID, challenge, code)
		if took := time.Since(began); err != nil || r.State != gateway.Queued || took != time.Second {
			t.Errorf("it is %s, %v, after %v", r.State, err, took)
		}
	})
}

// TestLookupTallies: a branch sees its own, the back office everybody's.
func TestLookupTallies(t *testing.T) {
	w := newWorld(t)
	w.assist(teller, nil)
	elsewhere := colleague
	elsewhere.Branch = "202"
	_, err := w.Assist(t.Context(), elsewhere, bank.Approach{IDNumber: "1900000090"})
	w.wantErr(err, bank.ErrNotFound)
	for _, c := range []struct {
		by   bank.Caller
		sees int
		err  error
	}{{approver, 1, nil}, {backOffice, 2, nil}, {member("a09", "E209", "303"), 0, nil}, {member("a09", "", "101"), 0, bank.ErrBarred}} {
		tallies, _, err := w.LookupTallies(t.Context(), c.by, bank.Page{Limit: 9})
		if w.wantErr(err, c.err); len(tallies) != c.sees {
			t.Errorf("%s of %s sees %+v", c.by.Subject, c.by.Branch, tallies)
		}
	}
	_, _, err = w.LookupTallies(t.Context(), approver, bank.Page{Limit: 9, Cursor: "x"})
	w.wantErr(err, bank.ErrCursor)
	w.trouble.set("Tallies", errors.New("connection refused"))
	_, _, err = w.LookupTallies(t.Context(), approver, bank.Page{Limit: 9})
	w.wantErr(err, bank.ErrUnavailable)
}
