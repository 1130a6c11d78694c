package fleet_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

// everythingHeld is a profile by which nothing at the counter is one person's alone.
const everythingHeld = `
limits: {approve_above: "0.01"}
sms: {sender: Istirdad, bank_name: {ar: مصرف تجريبي, en: Sandbox bank}}
`

// TestDecisionsKilled: one approver agrees to each refund and another refuses it, at once, while both gateways are killed
// with -9 in turn. Each refund is decided once, the winner's way, and what nobody was told of a decision is found by asking.
func TestDecisionsKilled(t *testing.T) {
	const many = 60 // two tellers may look at fifty each
	profile := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(profile, []byte(everythingHeld), 0o600); err != nil {
		t.Fatal(err)
	}
	f := fleet.Start(t, fleet.Options{Crowd: many, Env: []string{"ISTIRDAD_BANK_PROFILE_FILE=" + profile}})
	for i := range many {
		held(f.World, f.World.Teller(fmt.Sprintf("t%02d", 1+i%2)), fmt.Sprintf("c%05d", i+1))
	}
	awaiting := f.World.Approver("a03").List()
	if len(awaiting) != many {
		t.Fatalf("%d await approval, want %d", len(awaiting), many)
	}

	var killing sync.WaitGroup
	decided, kills := make(chan struct{}), 0
	killing.Go(func() {
		for ; ; kills++ {
			select {
			case <-decided:
				return
			default:
			}
			g := f.Gateways[kills%len(f.Gateways)]
			g.Kill()
			g.Start()
			g.AwaitReady()
		}
	})
	told := make([]map[string]string, many) // by refund: who was answered 200, and the state that they were told
	var mu sync.Mutex
	deciders := []struct{ user, verb, state string }{{"a01", "approve", "queued"}, {"a03", "reject", "cancelled"}}
	f.World.Together(len(deciders), func(n int, w *banktest.World) {
		d := deciders[n]
		c := w.Customer(d.user)
		for i := range awaiting {
			body := object{"note": "seen"}
			if d.verb == "approve" {
				i = many - 1 - i // they meet in the middle, and each comes after the other for the rest
				body["digest"] = awaiting[i].Digest
			}
			a := awaiting[i]
			if !decide(w.T(), c, "/v1/approvals/"+a.RefundID+"/"+d.verb, body) {
				continue
			}
			mu.Lock()
			if told[i] == nil {
				told[i] = map[string]string{}
			}
			told[i][d.user] = d.state
			mu.Unlock()
		}
	})
	close(decided)
	killing.Wait()
	if kills < 2 {
		t.Errorf("killed %d times: that isn't in the middle", kills)
	}

	approved := 0
	for i, a := range awaiting {
		if len(told[i]) > 1 {
			t.Errorf("%s was decided twice: %v", a.Reference, told[i])
		}
		state := f.SQL(`SELECT to_state FROM events WHERE from_state = 'awaiting_approval' AND refund_id = '` + a.RefundID + `'`)
		for user, said := range told[i] {
			if state != said {
				t.Errorf("%s: %s was told %s, and on record is %q", a.Reference, user, said, state)
			}
		}
		if state == "queued" {
			approved++
		}
	}
	if n := f.SQL(`SELECT count(*) FROM events WHERE from_state = 'awaiting_approval'`); n != fmt.Sprint(many) {
		t.Errorf("%s decisions of %d refunds", n, many)
	}
	v := f.World.Settled(settleMax)
	if v.Confirmed != many || v.Effects != approved {
		t.Errorf("of %d refunds, %d of them approved, the referee says %+v", many, approved, v)
	}
	if spent := f.SQL(`SELECT coalesce(sum(spent), 0) FROM day_limits`); spent != fmt.Sprint(approved*163_00) {
		t.Errorf("the limits hold %s halalas for %d refunds", spent, approved)
	}
	t.Logf("%d kills, %d approved, %d refused", kills, approved, many-approved)
}

// held has a teller ask for a customer's first request, which then awaits approval.
func held(w *banktest.World, teller *banktest.Teller, user string) {
	v := teller.Serve(user)
	var told struct{ State string }
	v.Confirm(v.Preview("rq-" + user + "-1").RefundID).Want(http.StatusAccepted).JSON(&told)
	if told.State != "awaiting_approval" {
		w.T().Fatalf("it is %s", told.State)
	}
	v.End().Want(http.StatusNoContent)
}

// decide insists until there is a decision, and reports whether it was this one.
func decide(t testing.TB, c *banktest.Customer, path string, body object) bool {
	last := "nothing"
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		r, err := c.Try(http.MethodPost, path, body)
		switch {
		case err != nil:
			last = err.Error()
		case r.Status == http.StatusOK:
			return true
		case r.Code() == "already_decided":
			return false
		default:
			if last = r.Code(); r.Status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", path, r.Status, last)
				return false
			}
		}
	}
	t.Errorf("%s isn't answered in %v; last: %s", path, patience, last)
	return false
}
