package faultmatrix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// strange is an answer that decides nothing.
type strange struct {
	effect bool   // the call had one
	cause  string // of the doubt
	alarm  bool   // somebody is told, because time alone doesn't mend it
}

// strangers are the kinds of fault that make one.
var strangers = map[string]strange{
	sandboxfault.ErrorBefore:       {false, "server_error", false},
	sandboxfault.ErrorAfter:        {true, "server_error", false},
	sandboxfault.TooMany:           {false, "rate_limited", false},
	sandboxfault.Trickle:           {true, "timeout", false},
	sandboxfault.ResetBeforeEffect: {false, "broken", false},
	sandboxfault.ResetBeforeAnswer: {true, "broken", false},
	sandboxfault.ResetMidAnswer:    {true, "broken", false},
	sandboxfault.HTML:              {true, "signature", true},
	sandboxfault.Malformed:         {true, "malformed", true},
	sandboxfault.HugeAnswer:        {true, "oversize", true},
	sandboxfault.GzipBomb:          {true, "oversize", true},
	sandboxfault.BadSignature:      {true, "signature", true},
	sandboxfault.ExpiredSignature:  {true, "signature", true},
	sandboxfault.WrongKeyID:        {true, "signature", true},
	sandboxfault.WrongEcho:         {true, "mismatch", true},
	sandboxfault.Unauthorized:      {false, "denied", true},
	sandboxfault.Forbidden:         {false, "denied", true},
	sandboxfault.Redirect:          {false, "redirect", true},
	sandboxfault.UnknownState:      {true, "undocumented_state", true},
	sandboxfault.ClockAhead:        {true, "signature", true},
	sandboxfault.ClockBehind:       {true, "signature", true},
}

// decideNothing is what the strange answers of a row have in common: after a send the refund is in doubt, and a question
// about it is put again. Where the send had its effect it isn't sent again; where it hadn't, the same bytes are, once.
func decideNothing(t *testing.T, row string, without ...string) {
	t.Helper()
	for _, kind := range kindsOf(t, row, without...) {
		s, known := strangers[kind]
		if !known {
			t.Errorf("nobody says what comes of %s", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			inRow(t, 1, nil, func(r *rig) {
				const questions = 2
				r.fault(next(kind, sandboxfault.CallSubmit, 1), next(kind, sandboxfault.CallStatus, questions))
				r.until(gateway.Credited, 3*time.Minute)
				if s.effect {
					r.want(r.refunds[0], 1, "queued sending in_doubt:"+s.cause+" refunded credited")
				} else {
					r.want(r.refunds[0], 2, "queued sending in_doubt:"+s.cause+" sending refunded credited")
				}
				if n := r.faulty(kind); n != 1+questions {
					r.t.Errorf("%d answers were like that, want %d", n, 1+questions)
				}
				if n := r.log.count(`msg="outcome unknown"`, "state=in_doubt", "cause="+s.cause); n != questions {
					r.t.Errorf("%d questions ended for that cause, want %d", n, questions)
				}
				r.wantAlarm(s.cause, s.alarm)
				if n := r.wire.received(); n > 3*answerMax {
					r.t.Errorf("%d bytes of them were taken in", n)
				}
			})
		})
	}
}

// TestStrangeAnswersToAReturn: the bank refused the credits, and the core, which is to take the money back, answers each
// return in another strange way, and some of them twice. All of it comes back, once, and only then is anybody sent to
// a branch.
func TestStrangeAnswersToAReturn(t *testing.T) {
	refunds := len(strangers)
	inRow(t, refunds, rarely, func(r *rig) {
		var faults []sandboxfault.Fault
		for kind := range strangers {
			faults = append(faults, next(kind, sandboxfault.CallReturn, 1))
		}
		r.fault(faults...)
		for _, of := range r.refunds {
			if err := r.bank.SetAccountStatus(of.To.Compact(), sandboxseed.AccountClosed); err != nil {
				r.t.Fatal(err)
			}
		}
		r.until(gateway.Returned, time.Hour)
		for kind := range strangers {
			if r.faulty(kind) != 1 {
				r.t.Errorf("%d returns met with %s", r.faulty(kind), kind)
			}
		}
	})
}

// answerMax is what may be taken in of an answer: its body may have 1 MiB, its headers 64 KiB, and less is read ahead.
const answerMax = 1<<20 + 128<<10

// faulty is how many calls the fault befell.
func (r *rig) faulty(kind string) (n int) {
	for _, c := range r.core.History("") {
		if c.Fault == kind {
			n++
		}
	}
	return n
}

// wantAlarm: whoever watches is told of this cause as of something to look at, in the log and by the metric that the page
// CoreSuspect goes by, or not.
func (r *rig) wantAlarm(cause string, wanted bool) {
	r.t.Helper()
	if n := r.log.count("level=ERROR", `msg="refund core: outcome unknown"`, "cause="+cause); (n > 0) != wanted {
		r.t.Errorf("%d alarms of cause %s, want some: %t", n, cause, wanted)
	}
	if n := r.told.of("core submit suspect"); (n > 0) != wanted {
		r.t.Errorf("%d suspect answers are counted, want some: %t", n, wanted)
	}
}

// kindsOf are the kinds of fault that the stand-in has for a row, in its order, without those that are named.
func kindsOf(t *testing.T, row string, without ...string) (kinds []string) {
	t.Helper()
	for _, k := range sandboxfault.NewBoard(0).Kinds() {
		if k.Row == row && !slices.Contains(without, k.Kind) {
			kinds = append(kinds, k.Kind)
		}
	}
	if len(kinds) == 0 {
		t.Fatalf("the stand-in has no fault of row %s", row)
	}
	return kinds
}

// TestF05ServerError: a 500 says nothing of what the core did.
func TestF05ServerError(t *testing.T) {
	decideNothing(t, "F05")
}

// TestF06UnavailableAndWhenToComeBack: what the core says of when to come back is followed within a second and a quarter
// of an hour, in whatever form it says it; what can't be read is as good as nothing.
func TestF06UnavailableAndWhenToComeBack(t *testing.T) {
	const own = 3 * time.Second // the longest that a first question waits by itself
	for name, c := range map[string]struct {
		after       func(now time.Time) []string
		least, most time.Duration
	}{
		"seconds":              {says("40"), 40 * time.Second, 40 * time.Second},
		"none":                 {says(), time.Second, own},
		"0":                    {says("0"), time.Second, own},
		"a thousand million":   {says("1000000000"), 15 * time.Minute, 15 * time.Minute},
		"more than any number": {says(strings.Repeat("9", 40)), 15 * time.Minute, 15 * time.Minute},
		"a date": {func(now time.Time) []string { return []string{now.Add(90 * time.Second).UTC().Format(http.TimeFormat)} },
			89 * time.Second, 90 * time.Second},
		"a date that has passed": {func(now time.Time) []string { return []string{now.Add(-time.Hour).UTC().Format(http.TimeFormat)} },
			time.Second, own},
		"a date of another age": {func(now time.Time) []string { return []string{now.AddDate(70, 0, 0).UTC().Format(http.TimeFormat)} },
			15 * time.Minute, 15 * time.Minute},
		"garbage":  {says("soon"), time.Second, own},
		"negative": {says("-40"), time.Second, own},
		"twice":    {says("40", "900"), time.Second, own},
	} {
		t.Run(name, func(t *testing.T) {
			inRow(t, 1, func(r *rig, _ *refundcore.Config) {
				r.config.Poll = max(2*time.Second, c.most/20)
				r.before(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						next.ServeHTTP(&comeBack{w, c.after(time.Now())}, req)
					})
				})
				r.fault(next(sandboxfault.Unavailable, sandboxfault.CallSubmit, 1))
			}, func(r *rig) {
				of := r.refunds[0]
				for r.asked(sandboxfault.CallStatus) == 0 && r.age() < time.Hour {
					time.Sleep(time.Second)
				}
				time.Sleep(time.Second) // what it is about is noted once it is read
				calls := r.core.History(of.Reference)
				if len(calls) < 2 {
					r.t.Fatal("nobody asked within an hour")
				}
				if waited := calls[1].At.Sub(calls[0].At); waited < c.least || waited > c.most+r.config.Poll {
					r.t.Errorf("the first question came %s after the send, want %s to %s", waited, c.least, c.most)
				}
				r.until(gateway.Credited, 3*time.Minute)
				r.want(of, 2, "queued sending in_doubt:unavailable sending refunded credited")
				r.wantAlarm("unavailable", false)
			})
		})
	}
	t.Run("as the core has it", func(t *testing.T) {
		inRow(t, 4, rarely, func(r *rig) {
			r.fault(next(sandboxfault.OddRetryAfter, sandboxfault.CallSubmit, 4), next(sandboxfault.OddRetryAfter, sandboxfault.CallStatus, 4))
			r.until(gateway.Credited, time.Hour)
			if n := r.faulty(sandboxfault.OddRetryAfter); n != 8 {
				r.t.Errorf("%d calls met with it, want 8", n)
			}
		})
	})
}

func says(values ...string) func(time.Time) []string {
	return func(time.Time) []string { return values }
}

// comeBack says another time to come back.
type comeBack struct {
	http.ResponseWriter
	after []string
}

func (c *comeBack) WriteHeader(status int) {
	if c.Header().Get("Retry-After") != "" {
		c.Header()["Retry-After"] = c.after
	}
	c.ResponseWriter.WriteHeader(status)
}

// TestF07TooMany: a core that is asked too much isn't asked more for it: while it says so, nothing is sent twice but for the
// breaker's probes.
func TestF07TooMany(t *testing.T) {
	decideNothing(t, "F07")
	t.Run("a crowd", func(t *testing.T) {
		const refunds = 15
		inRow(t, refunds, rarely, func(r *rig) {
			r.fault(next(sandboxfault.TooMany, sandboxfault.CallSubmit, 0))
			const busy = 4 * time.Minute
			r.wait(busy)
			r.wantBudget(refunds)
			r.faults.Clear()
			r.until(gateway.Credited, busy+30*time.Minute)
			r.wantBudget(2 * refunds) // none of the first ones had an effect
		})
	})
}

// wantBudget: the core received no more sends than these, and the breaker's probes.
func (r *rig) wantBudget(sends int) {
	r.t.Helper()
	probes := 2 * r.log.count(`msg="refund core: breaker"`, "call=submit", "to=half-open")
	if n := r.asked(sandboxfault.CallSubmit); n > sends+probes {
		r.t.Errorf("the core received %d sends, want at most %d and %d probes", n, sends, probes)
	}
}

// TestF08SlowAnswer: one deadline covers the whole of an answer, however its bytes are spread.
func TestF08SlowAnswer(t *testing.T) {
	decideNothing(t, "F08", sandboxfault.SlowBody)
	t.Run("ten seconds for a send, five for a question", func(t *testing.T) {
		inRow(t, 1, func(r *rig, _ *refundcore.Config) { r.config.Poll = 100 * time.Millisecond }, func(r *rig) {
			r.fault(next(sandboxfault.Trickle, sandboxfault.CallSubmit, 1), next(sandboxfault.Trickle, sandboxfault.CallStatus, 1))
			of := r.refunds[0]
			for time.Sleep(100 * time.Millisecond); r.age() < 10*time.Second; time.Sleep(100 * time.Millisecond) {
				if now := r.look(of); now.State != gateway.Sending {
					r.t.Fatalf("after %s it is %s", r.age(), now.State)
				}
			}
			time.Sleep(200 * time.Millisecond)
			if now := r.look(of); now.State != gateway.InDoubt {
				r.t.Errorf("after %s it is %s", r.age(), now.State)
			}
			r.until(gateway.Credited, time.Minute)
			calls := r.core.History(of.Reference)
			if len(calls) < 3 {
				r.t.Fatalf("%d calls", len(calls))
			}
			if gap := calls[2].At.Sub(calls[1].At); gap < 5*time.Second || gap > 5*time.Second+12*time.Second {
				r.t.Errorf("the second question came %s after the first", gap)
			}
		})
	})
	t.Run("slow, and in time", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.fault(next(sandboxfault.SlowBody, sandboxfault.CallSubmit, 0), next(sandboxfault.SlowBody, sandboxfault.CallStatus, 0))
			r.until(gateway.Credited, time.Minute)
			r.want(r.refunds[0], 1, "queued sending refunded credited")
			if slow, all := r.faulty(sandboxfault.SlowBody), 1+r.asked(sandboxfault.CallStatus); slow != all {
				r.t.Errorf("%d of %d answers were slow", slow, all)
			}
		})
	})
}

// TestF10AnswersThatAreNone: what can't be read decides nothing, however much there is of it.
func TestF10AnswersThatAreNone(t *testing.T) {
	decideNothing(t, "F10")
}

// TestF11SignatureThatDoesNotHold: an answer that isn't verifiably the core's is nobody's word.
func TestF11SignatureThatDoesNotHold(t *testing.T) {
	decideNothing(t, "F11")
}

// TestF12AnswerAboutSomethingElse: an answer, signed, about another reference, request, amount or account is no answer to
// what was asked.
func TestF12AnswerAboutSomethingElse(t *testing.T) {
	decideNothing(t, "F12")
	t.Run("of each field", func(t *testing.T) {
		const refunds = 8
		inRow(t, refunds, nil, func(r *rig) {
			r.fault(next(sandboxfault.WrongEcho, sandboxfault.CallSubmit, refunds), next(sandboxfault.WrongEcho, sandboxfault.CallStatus, 0))
			wrong := map[string]int{}
			for r.age() < time.Hour && len(wrong) < len(echoed) {
				r.wait(step)
				wrong = r.wrongEchoes()
			}
			for _, field := range echoed {
				if wrong[field] == 0 {
					r.t.Errorf("within %s no answer named another %s: %v", r.age(), field, wrong)
				}
			}
			r.faults.Clear()
			r.until(gateway.Credited, r.age()+10*time.Minute)
			for _, of := range r.refunds {
				if now := r.look(of); now.Sends != 1 {
					r.t.Errorf("%d sends\n%s", now.Sends, r.story(of))
				}
			}
		})
	})
}

// echoed are the fields of an answer that say what it is about.
var echoed = []string{"reference", "request_id", "amount", "iban"}

// wrongEchoes counts the answers to questions so far, by the field in which they were about something else than the send.
func (r *rig) wrongEchoes() map[string]int {
	wrong := map[string]int{}
	for _, of := range r.refunds {
		var asked map[string]any
		for _, c := range r.core.History(of.Reference) {
			if c.Call == sandboxfault.CallSubmit && asked == nil {
				asked = fields(r.t, c.Request)
			}
			if c.Call != sandboxfault.CallStatus || c.Fault != sandboxfault.WrongEcho || c.Status == 0 {
				continue
			}
			said := fields(r.t, c.Answer)
			for _, field := range echoed {
				if said[field] != asked[field] {
					wrong[field]++
				}
			}
		}
	}
	return wrong
}

func fields(t testing.TB, body []byte) (object map[string]any) {
	t.Helper()
	if err := json.Unmarshal(body, &object); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return object
}

// TestF14NoEntry: a core that doesn't let us in, to send or to ask, rejects nothing by it. The breakers open, somebody is
// told, and what was accepted waits until it does.
func TestF14NoEntry(t *testing.T) {
	decideNothing(t, "F14")
	for _, kind := range kindsOf(t, "F14") {
		t.Run(kind+", for a while", func(t *testing.T) {
			const refunds, shut = 6, 4 * time.Minute
			inRow(t, refunds, rarely, func(r *rig) {
				r.fault(next(kind, sandboxfault.CallSubmit, 0), next(kind, sandboxfault.CallStatus, 0))
				open := map[dispatch.Call]bool{}
				for r.age() < shut {
					r.wait(step)
					for _, call := range []dispatch.Call{dispatch.CallSubmit, dispatch.CallStatus} {
						open[call] = open[call] || r.breaker(call) == "open"
					}
				}
				if !open[dispatch.CallSubmit] || !open[dispatch.CallStatus] {
					r.t.Errorf("breakers that opened: %v", open)
				}
				for _, of := range r.refunds {
					if status := r.look(of).State.Status(); status != gateway.StatusProcessing {
						r.t.Errorf("it is shown %s", status)
					}
				}
				r.wantAlarm("denied", true)
				r.wantBudget(refunds)
				r.faults.Clear()
				r.until(gateway.Credited, shut+30*time.Minute)
			})
		})
	}
}

// TestF15Redirect: a redirect is an answer that decides nothing. Nobody is asked where it leads.
func TestF15Redirect(t *testing.T) {
	decideNothing(t, "F15")
	const others = "http://portal.example/core/v1/refunds"
	for _, to := range []struct {
		status int
		where  string
	}{{301, others}, {302, others}, {303, others}, {307, others}, {308, others}, {307, "/elsewhere"}, {308, ""}} {
		t.Run(fmt.Sprintf("%d to %q", to.status, to.where), func(t *testing.T) {
			inRow(t, 1, nil, func(r *rig) {
				r.before(func(http.Handler) http.Handler { return leading(to.status, to.where) })
				r.wait(time.Minute)
				if now := r.look(r.refunds[0]); now.State != gateway.InDoubt {
					r.t.Errorf("it is %s", now.State)
				}
				r.wantAlarm("redirect", true)
				r.before(nil)
				r.until(gateway.Credited, 5*time.Minute)
				r.want(r.refunds[0], 1, "queued sending in_doubt:redirect sending refunded credited")
				for _, c := range r.core.History("") {
					if !strings.HasPrefix(c.Path, "/core/v1/refunds") {
						r.t.Errorf("the core was asked for %s", c.Path)
					}
				}
			})
		})
	}
}

// leading answers every call with a redirect.
func leading(status int, to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if to != "" {
			w.Header().Set("Location", to)
		}
		w.WriteHeader(status)
	})
}

// TestF20StateThatNobodyKnows: a state that no page documents is none that anything follows from.
func TestF20StateThatNobodyKnows(t *testing.T) {
	decideNothing(t, "F20")
	t.Run("for as long as it is said", func(t *testing.T) {
		inRow(t, 1, rarely, func(r *rig) {
			r.fault(next(sandboxfault.UnknownState, sandboxfault.CallSubmit, 0), next(sandboxfault.UnknownState, sandboxfault.CallStatus, 0))
			r.wait(20 * time.Minute)
			if now := r.look(r.refunds[0]); now.State != gateway.InDoubt || len(r.sends(r.refunds[0])) != 1 {
				r.t.Errorf("it is %s after %d sends", now.State, len(r.sends(r.refunds[0])))
			}
			r.faults.Clear()
			r.until(gateway.Credited, time.Hour)
		})
	})
}

// TestF21Clocks: an answer from another time decides nothing, and a gateway whose own clock is off begins nothing.
func TestF21Clocks(t *testing.T) {
	decideNothing(t, "F21")
	t.Run("ours", func(t *testing.T) {
		const off = 10 * time.Minute
		inRow(t, 1, func(r *rig, _ *refundcore.Config) {
			r.config.Clock = func(context.Context) error {
				if r.age() < off {
					return gateway.ErrClockSkew
				}
				return nil
			}
		}, func(r *rig) {
			r.wait(off - step)
			if now := r.look(r.refunds[0]); now.State != gateway.Queued || len(r.core.History("")) != 0 {
				r.t.Errorf("it is %s, and the core received %d calls", now.State, len(r.core.History("")))
			}
			if r.told.of("claim failed") == 0 || r.log.count("level=ERROR", "nothing is claimed") == 0 {
				r.t.Error("nobody is told")
			}
			r.until(gateway.Credited, off+time.Minute)
			r.want(r.refunds[0], 1, "queued sending refunded credited")
		})
	})
}
