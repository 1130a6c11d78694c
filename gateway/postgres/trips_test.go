package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/otp"
)

// trips counts the round trips of all connections: how often something is sent after something was received.
type trips struct{ n atomic.Int64 }

type counted struct {
	net.Conn
	trips *trips
	heard atomic.Bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	if c.heard.Swap(false) {
		c.trips.n.Add(1)
	}
	return c.Conn.Write(b)
}

func (t *trips) between(config *pgxpool.Config) {
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &counted{Conn: conn, trips: t}, err
	}
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
}

// TestRoundTrips holds package doc to its word.
func TestRoundTrips(t *testing.T) {
	var counts trips
	s := openStore(t, server.Database(t).App, Options{Pool: 1, ClaimPool: 1}, patient, counts.between)
	n := 0
	fresh := func() gateway.Acceptance { n++; return fixture(n) }
	accept := func(a gateway.Acceptance) {
		t.Helper()
		mustAccept(t, s, a)
	}
	claim := func(limit int, take func(gateway.Refund) (gateway.Change, error)) {
		t.Helper()
		if _, err := s.Claim(t.Context(), start.Add(time.Minute), dispatch.Claim{
			States: []gateway.State{gateway.Queued}, Limit: limit, Take: take,
		}); err != nil {
			t.Fatal(err)
		}
	}
	send := func(r gateway.Refund) (gateway.Change, error) {
		return r.Send(gateway.Dispatcher(start.Add(time.Minute), nil), time.Hour)
	}
	type prepared func() func() // makes ready, and returns what is counted
	for _, test := range []struct {
		name string
		want int64
		do   prepared
	}{
		{"Accept", 1, func() func() { a := fresh(); return func() { accept(a) } }},
		{"Accept, the second of a day", 1 + 1 + 2, func() func() { // the guess, its rollback, and the two that look
			first, second := fresh(), fresh()
			second.Origin.Customer = first.Origin.Customer
			accept(first)
			return func() { accept(second) }
		}},
		{"Accept again", 1 + 1 + 1 + 1 + 1, func() func() {
			a := fresh()
			accept(a)
			return func() {
				if _, first, err := s.Accept(t.Context(), a); err != nil || first {
					t.Fatal(first, err)
				}
			}
		}},
		{"Apply, a move", 1, func() func() {
			r := mustAccept(t, s, fresh())
			return func() { c, err := send(r); mustApply(t, s, c, err) }
		}},
		{"Apply, a move with what it rests on", 1, func() func() {
			r := mustAccept(t, s, fresh())
			said := gateway.Exchange{Call: "submit"}
			return func() { c, err := send(r); mustApply(t, s, c.Witnessed(&said), err) }
		}},
		{"RecordSMS", 1, func() func() {
			return func() {
				n++
				if err := s.RecordSMS(t.Context(), otp.Sent{
					ID: fixture(n).ID, Message: "m", At: start, Kind: otp.CodeForRefund, Text: "t", Route: "http", Outcome: otp.SendTaken,
					To: mobile(t),
				}); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Apply, a dead end", 1, func() func() {
			r := mustAccept(t, s, fresh())
			return func() { c, err := r.Cancel(gateway.Dispatcher(start, nil), "withdrawn"); mustApply(t, s, c, err) }
		}},
		{"Apply, a lease", 1, func() func() {
			r := mustAccept(t, s, fresh())
			return func() { mustApply(t, s, r.Lease(start.Add(time.Hour)), nil) }
		}},
		{"Claim of twenty", 2, func() func() {
			claim(100, send) // what the others left
			for range 20 {
				accept(fresh())
			}
			return func() { claim(20, send) }
		}},
		{"Claim of nothing", 2, func() func() { claim(100, send); return func() { claim(20, send) } }},
		{"Claim of two, one of them refused by Take", 3, func() func() {
			claim(100, send)
			for range 3 {
				accept(fresh())
			}
			refused := false
			return func() {
				claim(2, func(r gateway.Refund) (gateway.Change, error) {
					if !refused {
						refused = true
						return gateway.Change{}, errors.New("not this one")
					}
					return send(r)
				})
			}
		}},
		{"Update", 2, func() func() {
			return func() {
				_, err := s.Update(t.Context(), start, "c-1", func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil })
				if err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Seen", 1, func() func() {
			return func() {
				n++
				if first, err := s.Seen(t.Context(), fixture(n).ID, start); err != nil || !first {
					t.Fatal(first, err)
				}
			}
		}},
		{"Withdraw", 1, func() func() {
			return func() {
				if _, found, err := s.Withdraw(t.Context(), start, "c-1", fresh().ID); err != nil || found {
					t.Fatal(found, err)
				}
			}
		}},
		{"End", 1, func() func() {
			return func() {
				n++
				if err := s.End(t.Context(), start, fixture(n).ID, start.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Ended", 1, func() func() {
			return func() {
				if ended, err := s.Ended(t.Context(), "sid"); err != nil || ended {
					t.Fatal(ended, err)
				}
			}
		}},
		{"Lookup", 1, func() func() {
			r := mustAccept(t, s, fresh())
			return func() {
				if _, err := s.Lookup(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Refunds, a page of many", 1, func() func() {
			for range 5 {
				a := fresh()
				a.Origin.Customer = "c-many"
				accept(a)
			}
			_, next, err := s.Refunds(t.Context(), "c-many", bank.Page{Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				if page, _, err := s.Refunds(t.Context(), "c-many", bank.Page{Limit: 2, Cursor: next}); err != nil || len(page) != 2 {
					t.Fatal(len(page), err)
				}
			}
		}},
		{"Live, of five hundred", 1, func() func() {
			requests := []string{mustAccept(t, s, fresh()).Payment.RequestID}
			for i := range 499 {
				requests = append(requests, fmt.Sprint("RQ-", i))
			}
			return func() {
				if live, err := s.Live(t.Context(), requests); err != nil || len(live) != 1 {
					t.Fatal(live, err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 2 { // so that its connection knows the statements, also of what is there already
				test.do()()
			}
			do := test.do()
			before := counts.n.Load()
			do()
			if got := counts.n.Load() - before; got != test.want {
				t.Errorf("%d round trips, want %d", got, test.want)
			}
		})
	}
}
