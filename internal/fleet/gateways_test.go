package fleet_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

// metric adds up the samples of a gateway's metric whose labels match.
func metric(t *testing.T, g *fleet.Gateway, name, labels string) (sum float64) {
	t.Helper()
	answer, err := http.Get(g.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile(`(?m)^` + name + `\{[^}]*` + labels + `[^}]*\} (\S+)$`)
	for _, found := range sample.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// TestF53TwoDispatchers: two gateways carry one queue. Both work, and nothing is sent with effect twice.
func TestF53TwoDispatchers(t *testing.T) {
	t.Parallel()
	const many = 100
	f := fleet.Start(t, fleet.Options{Crowd: many})
	all := crowd(f.World, many, 1)
	confirmAll(t, f.World, all, func(int) {})
	settled(t, f, many)
	for _, m := range all {
		if sent := sends(f, m.reference); sent != 1 {
			t.Errorf("%s was sent %d times", m.reference, sent)
		}
	}
	for _, g := range f.Gateways {
		if sends := metric(t, g, "istirdad_dispatch_attempts_total", `state="sending"`); sends == 0 {
			t.Errorf("%s sent nothing", g.Channel)
		}
	}
}

// sends is how often a reference arrived at the core; of any reference when it is empty.
func sends(f *fleet.Fleet, reference string) (n int) {
	for _, call := range f.World.History(reference) {
		if call.Call == "submit" {
			n++
		}
	}
	return n
}

// TestF54Stopped: a gateway is stopped by SIGSTOP for a minute while it holds a lease and its send is under way, and then
// goes on. By then another has doubted, asked and finished the refund, and what the sleeper writes is refused.
func TestF54Stopped(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{})
	sleeper, other := f.Gateways[0], f.Gateways[1]
	c := f.World.Customer("p03").Via(sleeper.Channel)
	c.Prove()
	preview := c.Preview("rq-p03-1")
	f.World.Fault(banktest.EffectThenHang, banktest.OnSubmit, banktest.Count(1))
	other.Signal(syscall.SIGSTOP)
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	await(t, "the send", func() bool { return sends(f, "") == 1 })
	sleeper.Signal(syscall.SIGSTOP)
	slept := time.Now()
	other.Signal(syscall.SIGCONT)
	there := f.World.Customer("p03").Via(other.Channel)
	there.Await(preview.RefundID, "credited")
	t.Logf("finished by the other after %v", time.Since(slept).Round(time.Second))
	time.Sleep(time.Until(slept.Add(time.Minute)))
	sleeper.Signal(syscall.SIGCONT)
	await(t, "the sleeper's late word to be refused", func() bool {
		return strings.Contains(sleeper.Log(), "another process moved the refund on")
	})
	if r := there.Refund(preview.RefundID); r.State != "credited" {
		t.Errorf("now it is %s", r.State)
	}
	if v := f.World.Exact(); v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// TestF56Terminated: SIGTERM in the middle of a crowd's confirms, while the core hangs on some of them. The gateway drains
// in 20 s, leaves no send without an outcome, and everything ends at the one that takes its place.
func TestF56Terminated(t *testing.T) {
	t.Parallel()
	const many, middle = 120, 40
	f := fleet.Start(t, fleet.Options{Crowd: many, Gateways: 1})
	all := crowd(f.World, many, 1)
	f.World.Fault(banktest.EffectThenHang, banktest.OnSubmit, banktest.Rate(0.1))
	stopped := make(chan string, 1)
	confirmAll(t, f.World, all, func(answered int) {
		if answered != middle {
			return
		}
		go func() {
			took, err := f.Gateways[0].Stop(21 * time.Second)
			left := f.SQL(`SELECT count(*) FROM refunds WHERE state = 'sending'`)
			t.Logf("stopped in %v with %s sends open", took.Round(10*time.Millisecond), left)
			f.World.ClearFaults()
			f.Gateways[0].Start()
			stopped <- fmt.Sprintf("%v, %s sends without an outcome", err, left)
		}()
	})
	if got := <-stopped; got != "<nil>, 0 sends without an outcome" {
		t.Errorf("stopped: %s", got)
	}
	settled(t, f, many)
}
