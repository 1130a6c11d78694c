//go:build prove

package fleet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/fleet"
)

// The proof's measures. A kill comes every few seconds for as long as anybody has still to confirm.
const (
	travelling  = 2000
	atOnce      = 16 // come to their confirm
	killEvery   = 4 * time.Second
	outageEvery = 5 * time.Second
	firedMin    = 20              // of every kind of fault
	stormMore   = 5 * time.Minute // at most, for kinds that were rare
	provenMax   = 45 * time.Minute
)

// TestProveKilledCrowd: two thousand refunds through a core that lies in every way it knows, while a gateway, the core, the
// bank and the phone are killed with -9 every few seconds. Whatever each customer was told, then and later, is held
// against the books.
func TestProveKilledCrowd(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("ISTIRDAD_SEED"), 10, 64)
	if err != nil || seed == 0 {
		seed = 20260305
	}
	n := travelling
	if few, err := strconv.Atoi(os.Getenv("ISTIRDAD_CROWD")); err == nil {
		n = few
	}
	t.Logf("seed %d, %d refunds", seed, n)
	f := fleet.Start(t, fleet.Options{Crowd: n, Hostile: seed, Kept: true, Faults: rare()})
	all := travellers(f, n)

	ctx, cancel := context.WithTimeout(t.Context(), provenMax)
	defer cancel()
	weather, calm := context.WithCancel(ctx)
	var storm, following sync.WaitGroup
	kills, outages := 0, 0
	storm.Go(func() { kills = killing(weather, f, rand.New(rand.NewPCG(seed, 0))) })
	storm.Go(func() { outages = cuttingOff(weather, all[0]) })

	began := time.Now()
	watch, leave := context.WithCancel(ctx)
	defer leave()
	confirmedAll(ctx, t, all, func(tr *traveller) { following.Go(func() { tr.follow(watch) }) })
	t.Logf("all answered 202 after %v", time.Since(began).Round(time.Second))
	for last := time.Now(); time.Since(last) < stormMore && len(lacking(firedOf(ctx, all[0]))) > 0; { // until it was a storm
		pause(ctx, time.Second)
	}
	calm()
	storm.Wait()
	fired := firedOf(ctx, all[0])
	t.Logf("%d kills, %d outages; what went wrong: %v", kills, outages, fired)

	// From now on the core is well: what is still in doubt has its questions' longest pauses to wait for, no more.
	f.StandIns.Kill()
	f.Hostile = 0
	f.StandIns.Start()
	f.StandIns.Await(f.World.URLs().Control + "/faults")
	ended := time.Now()
	settledAll(ctx, t, f)
	t.Logf("settled %v after the storm, %v after the first confirm", time.Since(ended).Round(time.Second), time.Since(began).Round(time.Second))
	leave()
	following.Wait()
	states := f.States()
	each(all, func(tr *traveller) { tr.lookLast(ctx) }) // what they are told in the end
	for _, tr := range all {
		if state := states[tr.refundID]; tr.told.State != state || len(tr.untold) > 0 {
			t.Errorf("%s was told that %s is %s, and on record is %q", tr.person.User, tr.told.Reference, tr.told.State, state)
		}
	}
	v := f.World.Exact()
	if v.Confirmed != n {
		t.Errorf("of %d who were answered 202 the referee knows %d", n, v.Confirmed)
	}
	with := map[string]int{}
	for _, state := range states {
		with[state]++
	}
	// People get what the core contradicts itself about, and nothing else; what was released and isn't with them is credited.
	odd := fired["forgets"] + fired["reversed"] + fired["reference_reused"] + fired["contradiction"]
	if v.Unfinished != with["manual"] || with["manual"] > odd || v.Effects < with["credited"] || v.Effects > with["credited"]+with["manual"] {
		t.Errorf("of %v, after %d oddities, the referee says %+v", with, odd, v)
	}
	t.Logf("the referee says %s: %d confirmed, %d effects, %d with people", v.Verdict, v.Confirmed, v.Effects, v.Unfinished)
	t.Logf("the book holds %s", strings.ReplaceAll(f.SQL(`SELECT state, reason, count(*) FROM refunds GROUP BY state, reason ORDER BY 1, 2`), "\n", ", "))
	if few := lacking(fired); len(few) > 0 {
		t.Errorf("hardly any of this went wrong, so it is not proven: %v", few)
	}
}

// rarities are kinds that a core isn't in the mood for by itself, each as rare as it can be and still happen often enough
// to this many.
var rarities = map[string]float64{
	"late_effect": 0.02, "rejected_later": 0.02, "reversed": 0.02, "consumed_meanwhile": 0.02, "amount_changed": 0.02,
	"forgets": 0.02, "reference_reused": 0.02, "early_callback": 0.03,
	"day_late_callback": 0.03, "orphan_callback": 0.05, "unordered_callback": 0.05, "callback_storm": 0.05,

	"error_before": 0.01, "error_after": 0.01, "odd_retry_after": 0.01, "too_many": 0.01, "reset_before_effect": 0.01,
	"reset_before_answer": 0.01, "trickle": 0.005, "html": 0.01, "huge_answer": 0.01, "gzip_bomb": 0.01,
	"expired_signature": 0.01, "wrong_key_id": 0.01, "clock_ahead": 0.01, "clock_behind": 0.01, "wrong_echo": 0.01,
	"unauthorized": 0.005, "forbidden": 0.005, "redirect": 0.01, "hang_before": 0.005,
}

// stormy kinds are those that the proof itself switches on and off. A contradiction is about a refund that is told of and
// still open after a minute; there are few, so every other question about one gets it.
var (
	stormy   = []string{"stop", "flapping", "maintenance"}
	standing = object{"kind": "contradiction", "rate": 0.5, "match": object{"call": "status"}}
)

func rare() (environment []string) {
	for kind, rate := range rarities {
		environment = append(environment, fmt.Sprintf("SANDBOX_FAULT_%s=%g", strings.ToUpper(kind), rate))
	}
	return environment
}

// firedOf is how often each kind of fault happened, over all kills.
func firedOf(ctx context.Context, tr *traveller) map[string]int {
	var kinds struct {
		Items []struct {
			Kind  string
			Fired int
		}
	}
	for ctx.Err() == nil && tr.call(ctx, http.MethodGet, tr.control+"/faults/kinds", nil, &kinds) != http.StatusOK {
		pause(ctx, tryAgainAfter)
	}
	fired := map[string]int{}
	for _, k := range kinds.Items {
		if k.Kind != "well" { // which is none
			fired[k.Kind] = k.Fired
		}
	}
	return fired
}

// lacking are the kinds that happened too seldom.
func lacking(fired map[string]int) (few []string) {
	for kind, n := range fired {
		if n < firedMin {
			few = append(few, fmt.Sprintf("%s %d", kind, n))
		}
	}
	slices.Sort(few)
	return few
}

// killing kills one part after the other, and starts it again. It returns how many it killed.
func killing(ctx context.Context, f *fleet.Fleet, random *rand.Rand) (kills int) {
	parts := []struct {
		*fleet.Process
		alive string
	}{
		{f.Gateways[0].Process, f.Gateways[0].Ops + "/healthz"}, {f.StandIns, f.World.URLs().Control + "/faults"},
		{f.Gateways[1].Process, f.Gateways[1].Ops + "/healthz"}, {f.StandIns, f.World.URLs().Control + "/faults"},
	}
	for ; ctx.Err() == nil; kills++ {
		part := parts[kills%len(parts)]
		part.Kill()
		pause(ctx, time.Duration(random.Int64N(int64(time.Second))))
		part.Start()
		part.Await(part.alive)
		pause(ctx, killEvery/2+time.Duration(random.Int64N(int64(killEvery))))
	}
	return kills
}

// cuttingOff has the core gone for a second, flapping for two, in maintenance for one, and so on.
func cuttingOff(ctx context.Context, tr *traveller) (outages int) {
	for ; ctx.Err() == nil; outages++ {
		kind := stormy[outages%len(stormy)]
		tr.call(ctx, http.MethodPut, tr.control+"/faults", []object{{"kind": kind, "match": object{"call": "submit"}}, standing}, nil)
		pause(ctx, time.Second)
		if kind == "flapping" {
			pause(ctx, time.Second+time.Second/2)
		}
		for tr.call(context.WithoutCancel(ctx), http.MethodPut, tr.control+"/faults", []object{standing}, nil) != http.StatusNoContent {
			time.Sleep(tryAgainAfter)
		}
		pause(ctx, outageEvery)
	}
	return outages
}

// confirmedAll takes everybody to their 202, some at once, and then lets each follow their refund.
func confirmedAll(ctx context.Context, t *testing.T, all []*traveller, after func(*traveller)) {
	t.Helper()
	var confirmed atomic.Int32
	each(all, func(tr *traveller) {
		if tr.confirmed(ctx) {
			confirmed.Add(1)
			after(tr)
		}
	})
	anew := 0
	for _, tr := range all {
		anew += tr.anew
	}
	t.Logf("%d of %d answered 202; %d times somebody had to begin anew", confirmed.Load(), len(all), anew)
	if int(confirmed.Load()) != len(all) {
		t.Errorf("not everybody was answered in %v", provenMax)
	}
}

// settledAll waits until no machine will look at any refund again: it has ended, or people have it.
func settledAll(ctx context.Context, t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const open = `SELECT count(*) FROM refunds WHERE state NOT IN ('credited', 'rejected', 'returned', 'manual')`
	for ; f.SQL(open) != "0"; pause(ctx, time.Second) {
		if ctx.Err() != nil {
			t.Fatalf("after %v these are on their way: %s", provenMax, f.SQL(`SELECT state, count(*) FROM refunds GROUP BY state`))
		}
	}
}

// each has everybody do something, some at once.
func each(all []*traveller, do func(*traveller)) {
	var doing sync.WaitGroup
	few := make(chan struct{}, atOnce)
	for _, tr := range all {
		few <- struct{}{}
		doing.Go(func() {
			defer func() { <-few }()
			do(tr)
		})
	}
	doing.Wait()
}
