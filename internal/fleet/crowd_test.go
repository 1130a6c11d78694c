package fleet_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

type object = map[string]any

// member is one of a crowd, on the way to a refund.
type member struct {
	customer  *banktest.Customer
	request   string
	refundID  string // of the preview
	reference string // once confirmed
	startOver int    // how often the preview or the proof was gone and had to be made anew
}

// crowd signs n customers in and brings each to the confirm of the same one of their three requests.
func crowd(w *banktest.World, n, which int) []member {
	all := make([]member, n)
	few := make(chan struct{}, 8)
	w.Together(n, func(i int, w *banktest.World) {
		few <- struct{}{}
		defer func() { <-few }()
		c := w.Customer(fmt.Sprintf("c%05d", i+1))
		c.Prove()
		request := fmt.Sprintf("rq-%s-%d", c.User(), which)
		all[i] = member{customer: c, request: request, refundID: c.Preview(request).RefundID}
	})
	return all
}

// confirmAll has everybody confirm, a few at a time, and insist until they are answered 202. after is called by whoever
// was answered, with how many were by then.
func confirmAll(t *testing.T, w *banktest.World, all []member, after func(answered int)) {
	t.Helper()
	var answered atomic.Int32
	few := make(chan struct{}, 16)
	w.Together(len(all), func(i int, w *banktest.World) {
		few <- struct{}{}
		defer func() { <-few }()
		if m := &all[i]; m.insist(t, w) {
			after(int(answered.Add(1)))
		}
	})
	again := 0
	for _, m := range all {
		again += m.startOver
	}
	t.Logf("%d of %d answered 202, %d had to start over", answered.Load(), len(all), again)
}

// patience is how long a customer goes on trying.
const patience = 2 * time.Minute

// insist confirms as a frontend does: the same confirm again when there was no answer or 503, and from the beginning when
// what may be forgotten was.
func (m *member) insist(t *testing.T, w *banktest.World) bool {
	c := m.customer.In(w)
	last := "nothing"
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		r, err := c.Try(http.MethodPost, "/v1/refunds/"+m.refundID+"/confirm", nil)
		if err != nil { // no gateway, or none any more: the next try goes to another
			last = err.Error()
			continue
		}
		last = fmt.Sprintf("%d %s", r.Status, r.Code())
		switch r.Status {
		case http.StatusAccepted:
			var receipt struct{ Reference string }
			r.JSON(&receipt)
			m.reference = receipt.Reference
			return true
		case http.StatusServiceUnavailable:
		case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
			m.startAnew(c, w)
		default:
			t.Errorf("%s's confirm: %s", c.User(), last)
			return false
		}
	}
	t.Errorf("%s is not answered 202 in %v; last: %s", c.User(), patience, last)
	return false
}

// startAnew makes a new proof and a new preview, as far as it gets: what fails is tried again with the next confirm.
func (m *member) startAnew(c *banktest.Customer, w *banktest.World) {
	m.startOver++
	var challenge struct {
		ID string `json:"challenge_id"`
	}
	r, err := c.Try(http.MethodPost, "/v1/otp/challenges", object{"purpose": "profile"})
	switch {
	case err != nil:
		return
	case r.Status == http.StatusTooManyRequests: // the last code is less than a minute old
		w.Control(http.MethodPost, "/forgive", object{"user": c.User()})
		return
	case r.Status != http.StatusCreated:
		return
	}
	r.JSON(&challenge)
	r, err = c.Try(http.MethodPost, "/v1/otp/challenges/"+challenge.ID+"/verify", object{"code": c.Code()})
	if err != nil || r.Status != http.StatusOK {
		return
	}
	if r := c.AskFor(m.request); r.Status == http.StatusCreated {
		var preview banktest.Preview
		r.JSON(&preview)
		m.refundID = preview.RefundID
	}
}

// settleMax is how long a crowd may take to settle: a lease, a quiet period, and a schedule of questions.
const settleMax = 4 * time.Minute

// settled waits until every refund is final and holds them against the books: every 202 is a row, every row was released
// and credited once.
func settled(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	began := time.Now()
	v := f.World.Settled(settleMax)
	t.Logf("all settled after %v", time.Since(began).Round(100*time.Millisecond))
	if v.Confirmed != n || v.Effects != n || v.Unfinished != 0 {
		t.Errorf("of %d refunds the referee says %+v", n, v)
	}
	if got, want := f.SQL(`SELECT state, count(*) FROM refunds GROUP BY state`), fmt.Sprintf("credited|%d", n); got != want {
		t.Errorf("the book holds %s, want %s", got, want)
	}
}

// TestKilledInTheMiddle kills one part of the fleet with -9 in the middle of 500 confirms of a crowd. Every customer who
// insists is answered, every 202 is a row, every row ends, and nothing is lost, doubled or lied about.
func TestKilledInTheMiddle(t *testing.T) {
	const many, middle = 500, 150
	for _, kill := range []struct {
		name string
		part func(f *fleet.Fleet) error
	}{
		{"one gateway", func(f *fleet.Fleet) error { f.Gateways[1].Kill(); return nil }}, // and it stays away
		{"Postgres", func(f *fleet.Fleet) error {
			if err := f.Postgres.Kill(); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return f.Postgres.Start()
		}},
		{"Redis", func(f *fleet.Fleet) error {
			if err := f.Redis.Kill(); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return f.Redis.Restart()
		}},
	} {
		t.Run(kill.name, func(t *testing.T) {
			f := fleet.Start(t, fleet.Options{Crowd: many})
			all := crowd(f.World, many, 1)
			killed := make(chan error, 1)
			confirmAll(t, f.World, all, func(answered int) {
				if answered == middle {
					go func() { killed <- kill.part(f) }()
				}
			})
			if err := <-killed; err != nil {
				t.Fatal(err)
			}
			settled(t, f, many)
		})
	}
}
