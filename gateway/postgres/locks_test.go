package postgres

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/otp"
)

// TestLocksInOneOrder has many writers at few rows: what waits for each other in a circle would be cut off by the
// time limit for locks.
func TestLocksInOneOrder(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	var (
		workers sync.WaitGroup
		ids     atomic.Int64
		died    atomic.Int64
	)
	expected := func(err error) bool {
		return err == nil || errors.Is(err, gateway.ErrRefundExists) || errors.Is(err, gateway.ErrStale) || errors.Is(err, gateway.ErrMove)
	}
	by := gateway.Dispatcher(start, nil)
	cancel := func(r gateway.Refund) (gateway.Change, error) { return r.Cancel(by, "withdrawn") }
	for worker := range 8 {
		workers.Go(func() {
			for n := range 25 {
				a := fixture(int(1000 + ids.Add(1)))
				a.Payment.RequestID, a.Origin.Customer = fixture(n%2).Payment.RequestID, fixture((n+worker)%2).Origin.Customer
				r, _, err := s.Accept(t.Context(), a)
				if !expected(err) {
					t.Errorf("Accept: %v", err)
				}
				if worker%2 == 0 {
					taken, err := s.Claim(t.Context(), start, dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: 2, Take: cancel})
					if died.Add(int64(len(taken))); err != nil {
						t.Errorf("Claim: %v", err)
					}
				} else if err == nil {
					c, err := cancel(r)
					if err == nil {
						err = s.Apply(t.Context(), c)
					}
					if err == nil {
						died.Add(1)
					}
					if !expected(err) {
						t.Errorf("Apply: %v", err)
					}
				}
				_, err = s.Update(t.Context(), start, a.Origin.Customer, func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil })
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	workers.Wait()
	if died.Load() < 50 {
		t.Errorf("only %d refunds died: nothing was fought for", died.Load())
	}
	counts, _, err := s.Counts(t.Context())
	if err != nil || int64(counts[gateway.Cancelled]) != died.Load() {
		t.Errorf("%d refunds died, counted as %v, %v", died.Load(), counts, err)
	}
	if slots := column(t, shell(t, db.Owner), `SELECT slot::text FROM ended`); len(slots) < 2 {
		t.Errorf("counted in slots %v", slots)
	}
}
