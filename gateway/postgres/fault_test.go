package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/otp"
)

// TestF33 takes the server down in the middle of accepting, from many clients that come again until they are told: what
// was acknowledged is there, each client ends up with its one refund, and nothing is there by half.
func TestF33Restart(t *testing.T) {
	for name, end := range map[string]func(*pgtest.Server) error{
		"fast":      func(s *pgtest.Server) error { return s.Stop(pgtest.Fast) },
		"immediate": func(s *pgtest.Server) error { return s.Stop(pgtest.Immediate) },
		"killed":    (*pgtest.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := pgtest.Start(t, migrated)
			s := openStore(t, own.Database(t).App, Options{}, usual, nil)
			const clients, each, rounds = 8, 30, 2
			var (
				mu       sync.Mutex
				accepted = make(map[string]bool) // by the first answer that said so
				failures int
				enough   = make(chan struct{}, clients*each)
			)
			var working sync.WaitGroup
			for client := range clients {
				working.Go(func() {
					for n := range each {
						a := fixture(client*each + n)
						for tries := 0; ; tries++ {
							r, _, err := s.Accept(t.Context(), a)
							if err == nil && r.ID == a.ID {
								break
							}
							if tries > 10_000 || errors.Is(err, gateway.ErrNotFound) || errors.Is(err, gateway.ErrRefundExists) || errors.Is(err, gateway.ErrChallengeUsed) {
								t.Errorf("Accept %s: %v", a.ID, err)
								return
							}
							mu.Lock()
							failures++
							mu.Unlock()
							time.Sleep(10 * time.Millisecond) // the server is on its way back
						}
						mu.Lock()
						accepted[a.ID] = true
						mu.Unlock()
						enough <- struct{}{}
					}
				})
			}
			for range rounds {
				for range clients * each / (rounds + 1) {
					<-enough
				}
				if err := end(own); err != nil {
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
			wantWhole(t, s, accepted)
		})
	}
}

// wantWhole looks at the tables: exactly these refunds, with one event and one amount each.
func wantWhole(t *testing.T, s *Store, accepted map[string]bool) {
	t.Helper()
	n := 0
	err := s.Each(t.Context(), func(r gateway.Refund) error {
		if n++; !accepted[r.ID] {
			t.Errorf("refund %s that nobody was told of", r.ID)
		}
		return nil
	})
	if err != nil || n != len(accepted) || n == 0 {
		t.Errorf("%d refunds, %d acknowledged, %v", n, len(accepted), err)
	}
	var events, spent int
	_, err = s.main.one(t.Context(), `SELECT (SELECT count(*) FROM events), (SELECT sum(spent)::bigint FROM day_limits)`, nil, &events, &spent)
	if err != nil || events != n || spent != n*int(fixture(1).Payment.Amount) {
		t.Errorf("%d refunds, %d events, %d halalas spent, %v", n, events, spent, err)
	}
}

// TestF37 has a statement take too long, and a lock: the store gives up in time, and nothing is written.
func TestF37Slow(t *testing.T) {
	t.Parallel()
	db := server.Database(t)
	s := openStore(t, db.App, Options{}, usual, nil)
	owner := shell(t, db.Owner)
	bounded := func(what, code string, within time.Duration, do func() error) {
		t.Helper()
		began := time.Now()
		err := do()
		failure, ok := errors.AsType[*pgconn.PgError](err)
		if took := time.Since(began); !ok || failure.Code != code || took > within {
			t.Errorf("%s: %v after %s, want %s within %s", what, err, took, code, within)
		}
	}
	accept := func() error { _, _, err := s.Accept(t.Context(), fixture(1)); return err }

	mustExec(t, owner, `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'`)
	mustExec(t, owner, `CREATE TRIGGER dawdle BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION dawdle()`)
	bounded("a slow statement", "57014", 3*time.Second, accept)
	mustExec(t, owner, `DROP TRIGGER dawdle ON events`)

	mustAccept(t, s, fixture(2))
	mustAccept(t, s, fixture(3))
	mustExec(t, owner, `BEGIN`)
	mustExec(t, owner, `SELECT FROM refunds WHERE id = 'r-2' FOR UPDATE`)
	r := mustLookup(t, s, "r-2") // readers wait for nobody
	bounded("a locked refund", "55P03", time.Second, func() error { return s.Apply(t.Context(), r.Lease(start)) })
	claimed, err := s.Claim(t.Context(), start, dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Lease(start.Add(time.Hour)), nil }})
	if err != nil || len(claimed) != 1 || claimed[0].ID != "r-3" {
		t.Errorf("a claim passes the locked one by: %v, %v", claimed, err)
	}
	mustExec(t, owner, `LOCK TABLE day_limits`)
	bounded("a locked table", "55P03", time.Second, accept)
	mustExec(t, owner, `ROLLBACK`)
	if _, err := s.Lookup(t.Context(), "r-1"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("after two failures: %v", err)
	}
	mustAccept(t, s, fixture(1))
}

// TestF38 has the database give a transaction up: it is tried again if others merely went first, and not otherwise.
func TestF38GivenUp(t *testing.T) {
	for code, test := range map[string]struct {
		times, want int // how often the database gives it up; how often it is tried
	}{
		"40001": {2, 3}, "40P01": {1, 2}, "40002": {1, 1}, "40003": {1, 1}, "55P03": {1, 1}, "57014": {1, 1}, "53300": {1, 1},
		"40001 again and again": {99, 3},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			db := server.Database(t)
			s := openStore(t, db.App, Options{}, patient, nil)
			owner := shell(t, db.Owner)
			// A sequence remembers what is rolled back.
			mustExec(t, owner, `CREATE SEQUENCE tried; GRANT USAGE ON tried TO `+pgtest.App)
			mustExec(t, owner, fmt.Sprintf(`CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN IF nextval('tried') <= %d THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF; RETURN NEW; END $$`, test.times, code[:5]))
			mustExec(t, owner, `CREATE TRIGGER give_up BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION give_up()`)
			_, first, err := s.Accept(t.Context(), fixture(1))
			var tried int
			if err := owner.QueryRow(t.Context(), `SELECT last_value FROM tried`).Scan(&tried); err != nil {
				t.Fatal(err)
			}
			if done := test.want > test.times; tried != test.want || (err == nil) != done || first != done {
				t.Errorf("tried %d times, want %d: first %t, %v", tried, test.want, first, err)
			}
			if n, want := len(mustEach(t, s)), map[bool]int{true: 1}[err == nil]; n != want {
				t.Errorf("%d refunds, want %d", n, want)
			}
		})
	}
}

func mustEach(t *testing.T, s *Store) (ids []string) {
	t.Helper()
	err := s.Each(t.Context(), func(r gateway.Refund) error { ids = append(ids, r.ID); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestF38Deadlock has two transactions wait for each other for real.
func TestF38Deadlock(t *testing.T) {
	t.Parallel()
	own := pgtest.Start(t, migrated, pgtest.Setting("deadlock_timeout", "20ms"))
	s := openStore(t, own.Database(t).App, Options{}, patient, nil)
	fail := func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil }
	for _, customer := range []string{"a", "b"} {
		if _, err := s.Update(t.Context(), start, customer, fail); err != nil {
			t.Fatal(err)
		}
	}
	var (
		both  sync.WaitGroup
		ready sync.WaitGroup
		tries [2]int
	)
	ready.Add(2)
	for i, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		both.Go(func() {
			err := s.main.write(t.Context(), func(ctx context.Context, tx *transaction) error {
				tries[i]++
				if err := tx.send(ctx, exec(clearRecord, order[0], start, tries[i])); err != nil {
					return err
				}
				if tries[i] == 1 {
					ready.Done()
					ready.Wait()
				}
				return tx.commit(ctx, exec(clearRecord, order[1], start, tries[i]))
			})
			if err != nil {
				t.Errorf("%v: %v", order, err)
			}
		})
	}
	both.Wait()
	if tries[0]+tries[1] != 3 {
		t.Errorf("tried %v times, want one of them twice", tries)
	}
}

// TestF39 has nobody give a connection back.
func TestF39PoolExhausted(t *testing.T) {
	t.Parallel()
	s := openStore(t, server.Database(t).App, Options{Pool: 1, ClaimPool: 1}, usual, nil)
	r := mustAccept(t, s, fixture(1))
	held, err := s.main.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"Accept": func() error { _, _, err := s.Accept(t.Context(), fixture(2)); return err },
		"Lookup": func() error { _, err := s.Lookup(t.Context(), r.ID); return err },
		"Update": func() error {
			_, err := s.Update(t.Context(), start, "c", func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil })
			return err
		},
	} {
		began := time.Now()
		err := do()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < acquireTime || took > acquireTime+250*time.Millisecond {
			t.Errorf("%s: %v after %s", name, err, took)
		}
	}
	// The dispatcher goes on with its own.
	mustApply(t, s, r.Lease(start), nil)
	is := s.Pools()
	if p := is["main"]; p.Acquired != 1 || p.Max != 1 || p.Total != 1 || p.Idle != 0 || p.GivenUp != 3 {
		t.Errorf("the exhausted pool: %+v", p)
	}
	if p := is["dispatch"]; p.Acquired != 0 || p.Max != 1 || p.Idle != 1 || p.GivenUp != 0 {
		t.Errorf("the other pool: %+v", p)
	}
	held.Release()
	if _, err := s.Lookup(t.Context(), "r-2"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("what was refused: %v", err)
	}
}

// TestF40 moves this machine's clock: readiness notices more than two seconds, and nothing else goes by a clock of the
// store's own.
func TestF40Clock(t *testing.T) {
	s, _ := newStore(t)
	for off, skewed := range map[time.Duration]bool{
		0: false, time.Second: false, -time.Second: false,
		3 * time.Second: true, -3 * time.Second: true, time.Hour: true, -time.Hour: true,
	} {
		s.now = func() time.Time { return time.Now().Add(off) }
		if err := s.Check(t.Context()); errors.Is(err, gateway.ErrClockSkew) != skewed || !skewed && err != nil {
			t.Errorf("%s off: %v", off, err)
		}
	}
	// The store's clock is an hour off, the database's is years from what is handed in.
	a := fixture(1)
	if r := mustAccept(t, s, a); !r.CreatedAt.Equal(start) || !r.Due.Equal(start) {
		t.Errorf("accepted at %s, due %s", r.CreatedAt, r.Due)
	}
	if _, _, err := s.Withdraw(t.Context(), start, "c-9", "r-9"); err != nil {
		t.Fatal(err)
	}
	// A step back in time brings back neither a withdrawn preview nor a used challenge.
	a = fixture(9)
	a.At = start.Add(-24 * time.Hour)
	if _, _, err := s.Accept(t.Context(), a); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a withdrawn preview, a day before: %v", err)
	}
	a = fixture(2)
	a.At, a.Challenge = start.Add(-24*time.Hour), fixture(1).Challenge
	if _, _, err := s.Accept(t.Context(), a); !errors.Is(err, gateway.ErrChallengeUsed) {
		t.Errorf("a used challenge, a day before: %v", err)
	}
	// Nor does a leap of a gateway's clock make the database forget what others still need.
	if _, _, err := s.Withdraw(t.Context(), time.Now(), "c-9", "r-8"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Withdraw(t.Context(), time.Now().AddDate(10, 0, 0), "c-9", "r-7"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Accept(t.Context(), fixture(8)); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("what was withdrawn before the leap: %v", err)
	}
}

// TestPruning looks at what is forgotten: what is too old to matter by both clocks, and no more of it at once than is
// quickly done.
func TestPruning(t *testing.T) {
	s, db := newStore(t)
	now := time.Now()
	for n := range 150 {
		if _, err := s.Seen(t.Context(), strconv.Itoa(n), now.Add(-kept.SeenFor-time.Duration(200-n)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []time.Time{now.Add(-2 * time.Hour), now.Add(-30 * time.Minute), now} {
		if _, _, err := s.Withdraw(t.Context(), at, "c-1", at.String()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Seen(t.Context(), "now", now); err != nil {
		t.Fatal(err)
	}
	for _, leap := range []int{0, 10} { // years that a gateway's clock is ahead
		if err := s.End(t.Context(), now.AddDate(leap, 0, 0), strconv.Itoa(leap), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.End(t.Context(), now, "old", now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	var seen, withdrawn, ended int
	err := shell(t, db.Owner).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM callbacks_seen), (SELECT count(*) FROM withdrawn),
		(SELECT count(*) FROM ended_sessions)`).Scan(&seen, &withdrawn, &ended)
	if err != nil || seen != 150+1-100 || withdrawn != 2 || ended != 2 {
		t.Errorf("%d callbacks, %d withdrawn, %d ended sessions, %v", seen, withdrawn, ended, err)
	}
}
