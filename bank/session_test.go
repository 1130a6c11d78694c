package bank_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/otp"
)

// issuer believes every token.
type issuer struct{ err error }

func (i issuer) Verify(context.Context, string) (bank.Caller, error) { return caller, i.err }

// TestDoorkeeper: a good token of a session that goes on opens the door, and nothing else does.
func TestDoorkeeper(t *testing.T) {
	for name, row := range map[string]struct {
		token  error
		ended  bool
		record error
		want   error
	}{
		"a session that goes on":     {},
		"one that was ended":         {ended: true, want: bank.ErrUnauthenticated},
		"a bad token":                {token: bank.ErrUnauthenticated, want: bank.ErrUnauthenticated},
		"an issuer that is away":     {token: bank.ErrUnavailable, want: bank.ErrUnavailable},
		"a record that is away":      {record: errors.New("connection refused"), want: bank.ErrUnavailable},
		"a record with a stray word": {record: bank.ErrNotFound, want: bank.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			door := bank.Doorkeeper{Identity: issuer{row.token}, Endings: &w.endings}
			if row.ended {
				if err := w.EndSession(t.Context(), caller); err != nil {
					t.Fatal(err)
				}
			}
			w.set("Ended", row.record)
			got, err := door.Verify(t.Context(), "token")
			w.wantErr(err, row.want)
			if (err == nil) != (got.Subject == caller.Subject) {
				t.Errorf("let in %+v, %v", got, err)
			}
		})
	}
}

// TestEndSession: what a session had goes with it, and nothing of the customer's other sessions.
func TestEndSession(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	elsewhere, leaving := caller, caller
	elsewhere.Session, leaving.Expires = "s9", time.Now().Add(time.Hour)
	if _, err := w.sessions.Prove(t.Context(), elsewhere.Holder(), "proof-1"); err != nil {
		t.Fatal(err)
	}
	mine := w.preview("rq-1")
	theirs, _, err := w.Preview(t.Context(), elsewhere, w.asked("rq-1"))
	if err != nil {
		t.Fatal(err)
	}
	challenge, code := w.code(mine.ID)

	if err := w.EndSession(t.Context(), leaving); err != nil {
		t.Fatal(err)
	}
	if until := w.endings.until["s1"]; until.Sub(leaving.Expires) < 24*time.Hour {
		t.Errorf("remembered until %v, of a token that expires at %v", until, leaving.Expires)
	}
	w.wantErr(w.proved(caller), bank.ErrNoProof)
	_, err = w.View(t.Context(), caller, mine.ID)
	w.wantErr(err, bank.ErrNotFound)
	_, err = w.Resend(t.Context(), caller, challenge)
	w.wantErr(err, otp.ErrGone)
	w.wantErr(w.proved(elsewhere), nil)
	if _, err := w.View(t.Context(), elsewhere, theirs.ID); err != nil {
		t.Errorf("the other session's preview: %v", err)
	}

	// A code of the other session's survives the end of this one.
	again, err := w.Challenge(t.Context(), elsewhere, otp.Refund, theirs.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wantErr(w.EndSession(t.Context(), leaving), nil)
	if _, _, err := w.Confirm(t.Context(), elsewhere, theirs.ID, again.ID, w.phone.Code().Reveal()); err != nil {
		t.Errorf("with the other session's code: %v (the first was %s)", err, code)
	}
}

// TestEndSessionInOrder: nothing is dropped of a session of which it isn't certain that it ended, and what can't be
// dropped keeps none from ending. A client that has gone changes nothing.
func TestEndSessionInOrder(t *testing.T) {
	w := newWorld(t)
	w.set("End", errors.New("connection refused"))
	w.wantErr(w.EndSession(t.Context(), caller), bank.ErrUnavailable)
	w.set("", nil)
	w.wantErr(w.proved(caller), nil)

	w.set("Drop", errors.New("connection refused"))
	gone, leave := context.WithCancel(t.Context())
	leave()
	w.wantErr(w.EndSession(gone, caller), nil)
	if _, ended := w.endings.until["s1"]; !ended {
		t.Error("it goes on")
	}
}
