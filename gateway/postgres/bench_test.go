package postgres

import (
	"context"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// BenchmarkAccept is how long a confirm's transaction takes, alone and in a crowd, beside the least that one durable
// write can cost on this server: a row and a commit in one round trip, nothing sealed and nothing checked. times-floor
// is the ratio.
func BenchmarkAccept(b *testing.B) {
	s, db := newStore(b)
	run := strconv.Itoa(os.Getpid()) + "-"
	var n atomic.Int64
	// Each of a customer of its own, as nearly all are.
	next := func() gateway.Acceptance {
		a := fixture(int(n.Add(1)))
		a.ID = run + a.ID
		return a
	}
	var floor, floorOf64 time.Duration

	b.Run("floor: one row and its commit", func(b *testing.B) {
		conn := shell(b, db.Owner)
		mustExec(b, conn, `CREATE TABLE IF NOT EXISTS floor (id text PRIMARY KEY, at timestamptz)`)
		for b.Loop() {
			mustExec(b, conn, `INSERT INTO floor VALUES ($1, now())`, run+strconv.FormatInt(n.Add(1), 10))
		}
		floor = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("one after the other", func(b *testing.B) {
		for b.Loop() {
			mustAccept(b, s, next())
		}
		report(b, floor)
	})
	b.Run("floor of 64 at once", func(b *testing.B) {
		b.SetParallelism(32) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				err := s.main.write(context.Background(), func(ctx context.Context, tx *transaction) error {
					return tx.commit(ctx, exec(`INSERT INTO callbacks_seen VALUES ($1, $2)`, run+strconv.FormatInt(n.Add(1), 10), start))
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
		floorOf64 = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("64 at once", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := s.Accept(context.Background(), next()); err != nil {
					b.Error(err)
				}
			}
		})
		report(b, floorOf64)
	})
	b.Run("the second of the day", func(b *testing.B) {
		for b.Loop() {
			a := next()
			a.Origin.Customer = "c-often"
			mustAccept(b, s, a)
		}
		report(b, floor)
	})
}

func report(b *testing.B, floor time.Duration) {
	b.Helper()
	if floor > 0 {
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(floor), "times-floor")
	}
}

// BenchmarkList is a page of a hundred refunds, far down in an employer's list of thousands, beside the only page of somebody
// who has no more than that.
func BenchmarkList(b *testing.B) {
	s, _ := newStore(b)
	const many, page = 3000, 100
	crowd := make(chan gateway.Acceptance)
	var accepting sync.WaitGroup
	for range 8 {
		accepting.Go(func() {
			for a := range crowd {
				if _, _, err := s.Accept(context.Background(), a); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range many + page {
		a := fixture(n)
		a.At = start.Add(time.Duration(n) * time.Hour)
		if a.Origin.Customer = "c-many"; n >= many {
			a.Origin.Customer = "c-few"
		}
		crowd <- a
	}
	close(crowd)
	accepting.Wait()
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
		report(b, floor)
	})
}

// BenchmarkMove is a claim's or an outcome's transaction.
func BenchmarkMove(b *testing.B) {
	s, _ := newStore(b)
	r := mustAccept(b, s, fixture(1))
	for b.Loop() {
		r = mustApply(b, s, r.Lease(start), nil)
	}
}

// BenchmarkEnded is what every request with a token asks first, beside the two reads of a refund's status.
func BenchmarkEnded(b *testing.B) {
	s, _ := newStore(b)
	r := mustAccept(b, s, fixture(1))
	for n := range 1000 {
		if err := s.End(b.Context(), start, strconv.Itoa(n), time.Now().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	var floor time.Duration
	b.Run("floor: a status", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Refund(b.Context(), r.Origin.Customer, r.ID)
			if err == nil {
				_, err = s.Events(b.Context(), r.ID)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		floor = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("whether a session was ended", func(b *testing.B) {
		for b.Loop() {
			if ended, err := s.Ended(b.Context(), "another"); err != nil || ended {
				b.Fatal(ended, err)
			}
		}
		report(b, floor)
	})
}
