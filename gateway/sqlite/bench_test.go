package sqlite

import (
	"context"
	"database/sql/driver"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// BenchmarkAccept is how long a confirm's transaction takes, alone and in a crowd, beside the least that one durable
// write can cost here: a row and a commit, nothing sealed and nothing checked.
func BenchmarkAccept(b *testing.B) {
	b.Run("floor: one row and its commit", func(b *testing.B) {
		_, path := newStore(b)
		db, err := connect(path, "_pragma=synchronous(FULL)", func(c driver.Connector) driver.Connector { return c })
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		raw := newSession(db)
		n := 0
		for b.Loop() {
			n++
			if err := raw.exec(b.Context(), insertSeen, strconv.Itoa(n), n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one after the other", func(b *testing.B) {
		s, _ := newStore(b)
		n := 0
		for b.Loop() {
			n++
			mustAccept(b, s, acceptance(n))
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		s, _ := newStore(b)
		var n atomic.Int64
		b.SetParallelism(32) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := s.Accept(context.Background(), acceptance(int(n.Add(1)))); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkList is a page of a hundred refunds, far down in an employer's list of thousands, beside the only page of somebody
// who has no more than that.
func BenchmarkList(b *testing.B) {
	s, _ := newStore(b)
	const many, page = 3000, 100
	for n := range many + page {
		a := acceptance(n)
		a.At = start.Add(time.Duration(n) * time.Hour)
		if a.Origin.Customer = "c-many"; n >= many {
			a.Origin.Customer = "c-few"
		}
		mustAccept(b, s, a)
	}
	list := func(customer, cursor string) (next string) {
		refunds, next, err := s.Refunds(b.Context(), customer, bank.Page{Limit: page, Cursor: cursor})
		if err != nil || len(refunds) != page {
			b.Fatal(len(refunds), err)
		}
		return next
	}
	var middle string
	for range many / page / 2 {
		middle = list("c-many", middle)
	}
	var floor time.Duration
	b.Run("floor: the only page", func(b *testing.B) {
		for b.Loop() {
			list("c-few", "")
		}
		floor = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("one in the middle", func(b *testing.B) {
		for b.Loop() {
			list("c-many", middle)
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(floor), "times-floor")
	})
}

// BenchmarkMove is a claim's or an outcome's transaction.
func BenchmarkMove(b *testing.B) {
	s, _ := newStore(b)
	r := mustAccept(b, s, acceptance(1))
	for b.Loop() {
		c := r.Lease(start)
		if err := s.Apply(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		r = c.Refund()
	}
}

// BenchmarkWitnessed is a move with the signed exchange that it rests on, of the size that the protocol's have, beside one
// without.
func BenchmarkWitnessed(b *testing.B) {
	there := func(b *testing.B, said *gateway.Exchange) {
		b.Helper()
		s, _ := newStore(b)
		r := mustAccept(b, s, acceptance(1))
		by := gateway.Dispatcher(start, nil)
		for b.Loop() {
			// To and fro: each is a move with an event.
			move := func() (gateway.Change, error) { return r.Send(by, time.Minute) }
			if r.State == gateway.Sending {
				move = func() (gateway.Change, error) { return r.NotSent(by, false, start) }
			}
			c, err := move()
			if err == nil {
				err = s.Apply(b.Context(), c.Witnessed(said))
			}
			if err != nil {
				b.Fatal(err)
			}
			r = c.Refund()
		}
	}
	var floor float64
	b.Run("floor: the move alone", func(b *testing.B) {
		there(b, nil)
		floor = float64(b.Elapsed()) / float64(b.N)
	})
	b.Run("with its exchange", func(b *testing.B) {
		signed := gateway.Signed{
			Digest: strings.Repeat("d", 60), Input: strings.Repeat("i", 200), Signature: strings.Repeat("s", 100), KeyID: "core-1",
			Key: make([]byte, 32), Body: make([]byte, 250),
		}
		there(b, &gateway.Exchange{Call: "status", Asked: signed, Answered: &signed})
		if floor > 0 {
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/floor, "times-floor")
		}
	})
}
