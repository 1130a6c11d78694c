package sqlite

import (
	"context"
	"database/sql/driver"
	"strconv"
	"sync/atomic"
	"testing"
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
