package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

func claimed(t *testing.T, s *Store, now time.Time, limit int, take func(gateway.Refund) (gateway.Change, error)) []string {
	t.Helper()
	got, err := s.Claim(t.Context(), now, dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: limit, Take: take})
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	var ids []string
	for _, r := range got {
		ids = append(ids, r.ID)
	}
	return ids
}

func send(r gateway.Refund) (gateway.Change, error) {
	return r.Send(gateway.Dispatcher(start, nil), time.Minute)
}

// TestClaimGetsPast has more refunds that nobody can open at the head of the queue than one claim may leave out.
func TestClaimGetsPast(t *testing.T) {
	t.Parallel()
	log, heard := listen()
	db := server.Database(t)
	s := openStore(t, db.App, Options{Log: log}, patient, nil)
	const sick = spare + 20
	for n := range sick + 1 {
		a := fixture(n)
		a.At = start.Add(time.Duration(n) * time.Second)
		mustAccept(t, s, a)
	}
	good := fixture(sick).ID
	owner := shell(t, db.Owner)
	mustExec(t, owner, `ALTER TABLE refunds DISABLE TRIGGER refunds_fixed`)
	mustExec(t, owner, `UPDATE refunds SET to_iban = '\x00' WHERE id <> $1`, good)

	now := start.Add(time.Hour)
	lease := func(r gateway.Refund) (gateway.Change, error) { return r.Lease(now), nil } // due again at once
	var got [4][]string
	for i := range got {
		got[i] = claimed(t, s, now, 1, lease)
	}
	if diff := cmp.Diff([4][]string{nil, {good}, {good}, {good}}, got); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	if n := strings.Count(heard.String(), `level=ERROR msg="refund left out of claims"`); n != sick {
		t.Errorf("%d lines, want one for each of %d", n, sick)
	}
	// Somebody may have helped them meanwhile: they are tried again.
	heard.Reset()
	claimed(t, s, now.Add(leftFor-time.Second), 1, lease)
	if heard.Len() > 0 {
		t.Errorf("too early: %s", heard)
	}
	claimed(t, s, now.Add(leftFor), 1, lease)
	if !strings.Contains(heard.String(), "refund=r-0 ") {
		t.Errorf("not tried again: %s", heard)
	}
}

// TestClaimedAlone has one of three bring the database to refuse the claim, in ways that aren't a rule's: the others are
// claimed.
func TestClaimedAlone(t *testing.T) {
	for name, test := range map[string]struct {
		take   func(gateway.Refund) (gateway.Change, error)
		logged bool
	}{
		"evidence that no database takes": {func(r gateway.Refund) (gateway.Change, error) {
			return r.Send(gateway.Dispatcher(start, gateway.Evidence{"code": "a\x00b"}), time.Minute)
		}, true},
		"a day that somebody has locked": {func(r gateway.Refund) (gateway.Change, error) {
			return r.Cancel(gateway.Dispatcher(start, nil), "withdrawn")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, heard := listen()
			db := server.Database(t)
			s := openStore(t, db.App, Options{Log: log}, patient, nil)
			for n := range 3 {
				mustAccept(t, s, fixture(n))
			}
			owner := shell(t, db.Owner)
			mustExec(t, owner, `BEGIN`)
			mustExec(t, owner, `SELECT FROM day_limits WHERE customer = 'c-1' FOR UPDATE`)
			got := claimed(t, s, start.Add(time.Minute), 3, func(r gateway.Refund) (gateway.Change, error) {
				if r.ID == "r-1" {
					return test.take(r)
				}
				return send(r)
			})
			if diff := cmp.Diff([]string{"r-0", "r-2"}, got); diff != "" {
				t.Errorf("claimed (-want +got):\n%s", diff)
			}
			if logged := strings.Contains(heard.String(), "refund=r-1 "); logged != test.logged {
				t.Errorf("log: %s", heard)
			}
			// He who had it locked is done: only what will be refused again isn't looked at again.
			mustExec(t, owner, `ROLLBACK`)
			again := claimed(t, s, start.Add(time.Minute), 3, send)
			if (len(again) == 0) != test.logged {
				t.Errorf("claimed then: %v", again)
			}
		})
	}
}

// TestClaimAgainstTheDatabase: what is nobody's own trouble fails the claim, and leaves nobody out.
func TestClaimAgainstTheDatabase(t *testing.T) {
	db := server.Database(t)
	s := openStore(t, db.App, Options{}, patient, nil)
	mustAccept(t, s, fixture(1))
	owner := shell(t, db.Owner)
	for _, sick := range []string{"40002", "42501", "53100", "57014"} {
		mustExec(t, owner, `CREATE FUNCTION sick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '`+sick+`'; END $$`)
		mustExec(t, owner, `CREATE TRIGGER sick BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION sick()`)
		_, err := s.Claim(t.Context(), start, dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: 1, Take: send})
		if code(err) != sick {
			t.Errorf("Claim: %v, want %s", err, sick)
		}
		mustExec(t, owner, `DROP FUNCTION sick CASCADE`)
	}
	if got := claimed(t, s, start, 1, send); len(got) != 1 {
		t.Errorf("claimed afterwards: %v", got)
	}
}
