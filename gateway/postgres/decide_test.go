package postgres

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/pgtest"
)

// awaiting is a fixture that awaits approval.
func awaiting(n int) gateway.Acceptance {
	a := fixture(n)
	a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.IdentityChecked}, start.Add(time.Hour)
	return a
}

func approver(login string) gateway.By {
	return gateway.By{At: start, Actor: gateway.Actor{Role: gateway.RoleApprover, ID: login}, Evidence: gateway.Evidence{"note": "seen"}}
}

// TestDecisionsSurvive kills the server again and again while two approvers decide on each refund at once, each until they
// are told: one decision each is there in the end, no other than somebody was told of, and it takes from the day's limit
// what it should.
func TestDecisionsSurvive(t *testing.T) {
	t.Parallel()
	own := pgtest.Start(t, migrated)
	s := openStore(t, own.Database(t).App, Options{}, usual, nil)
	const refunds, rounds = 120, 3
	var all [refunds]gateway.Refund
	for n := range refunds {
		all[n] = mustAccept(t, s, awaiting(n))
	}
	var (
		mu       sync.Mutex
		made     = make(map[string]gateway.State) // by what an approver was told
		failures int
		enough   = make(chan struct{}, 2*refunds)
		working  sync.WaitGroup
	)
	decide := func(login string, n int) {
		r, by := all[n], approver(login)
		c, err := r.Approve(by)
		if (login == "a01") == (n%2 == 0) {
			c, err = r.Cancel(by, "approval_refused")
		}
		if err != nil {
			t.Error(err)
			return
		}
		for tries := 0; ; tries++ {
			err := s.Apply(t.Context(), c)
			switch {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				if made[r.ID] != "" {
					t.Errorf("refund %s is decided twice", r.ID)
				}
				made[r.ID] = c.Refund().State
				return
			case errors.Is(err, gateway.ErrStale): // somebody's, or one's own of which one wasn't told
				return
			case tries > 10_000:
				t.Errorf("Apply: %v", err)
				return
			}
			mu.Lock()
			failures++
			mu.Unlock()
			time.Sleep(10 * time.Millisecond) // the server is on its way back
		}
	}
	for _, login := range []string{"a01", "a03"} {
		for worker := range 4 {
			working.Go(func() {
				for n := worker; n < refunds; n += 4 {
					decide(login, n)
					enough <- struct{}{}
				}
			})
		}
	}
	for range rounds {
		for range 2 * refunds / (rounds + 1) {
			<-enough
		}
		if err := own.Kill(); err != nil {
			t.Error(err)
		}
		if err := own.Start(); err != nil {
			t.Fatal(err)
		}
	}
	working.Wait()
	if failures == 0 {
		t.Error("nobody noticed")
	}
	var live int64
	err := s.Each(t.Context(), func(r gateway.Refund) error {
		events, err := s.Events(t.Context(), r.ID)
		if err != nil {
			return err
		}
		if last := events[len(events)-1]; len(events) != 2 || last.To != r.State || r.Version != 2 || made[r.ID] != "" && made[r.ID] != r.State {
			t.Errorf("refund %s is %s, was told as %q, events %+v", r.ID, r.State, made[r.ID], events)
		}
		if !r.State.Dead() {
			live++
		}
		return nil
	})
	if err != nil || len(made) == 0 || live == 0 || live == refunds {
		t.Errorf("%d were told of, %d live, %v", len(made), live, err)
	}
	var spent int64
	_, err = s.main.one(t.Context(), `SELECT sum(spent)::bigint FROM day_limits`, nil, &spent)
	if err != nil || spent != live*int64(fixture(1).Payment.Amount) {
		t.Errorf("%d refunds live, %d halalas spent, %v", live, spent, err)
	}
	t.Logf("%d of %d decisions were told of at once; the server was missed %d times", len(made), refunds, failures)
}
