package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/otp"
)

// carry is an attempt whose panic costs the attempt and not the process. The row stays as at any other death.
func (d *Dispatcher) carry(ctx context.Context, r gateway.Refund) {
	defer func() {
		if p := recover(); p != nil {
			// Its type alone: what it says may hold what was being worked on.
			d.Log.ErrorContext(ctx, "attempt panicked", "reference", r.Reference, "state", string(r.State),
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
	}()
	d.attempt(ctx, r)
}

// attempt does for a claimed refund what its state asks for. What it rests on is durable already; if we die anywhere
// in here, the row stays as the claim left it and is found again when the lease runs out.
func (d *Dispatcher) attempt(ctx context.Context, r gateway.Refund) {
	if !time.Now().Before(r.Due) {
		return // the lease ran out before we began: whoever finds the row doubts, and no byte may leave behind their back
	}
	switch r.State {
	case gateway.Sending:
		d.submit(ctx, r)
	case gateway.InDoubt:
		d.settle(ctx, r)
	case gateway.Pending:
		d.ask(ctx, r)
	case gateway.Refunded:
		d.credit(ctx, r)
	case gateway.Returning:
		d.giveBack(ctx, r)
	case gateway.Credited:
		d.notify(ctx, r)
	default:
		// Nothing is left to do.
	}
}

// submit sends a refund whose intent is durable, and records what came of it.
func (d *Dispatcher) submit(ctx context.Context, r gateway.Refund) {
	answer, err := d.Core.Submit(ctx, r)
	now := time.Now()
	if !errors.Is(err, gateway.ErrNotSent) && r.Sends == 1 {
		d.pace.went(now)
	}
	var refusal *Refusal
	switch {
	case err == nil:
		d.pace.answered()
		d.record(ctx, r, answer, now)
	case errors.As(err, &refusal):
		d.pace.answered()
		d.refused(ctx, r, refusal, now)
	case errors.Is(err, gateway.ErrCutOff):
		d.pace.cut()
		d.apply(ctx)(r.NotSent(gateway.Dispatcher(now, gateway.Evidence{"cause": "cut_off"}), false, now.Add(spread(askFirst))))
	case errors.Is(err, gateway.ErrNotSent):
		by := gateway.Dispatcher(now, gateway.Evidence{"cause": "not_sent"})
		d.apply(ctx)(r.NotSent(by, true, now.Add(spread(doubling(r.Misses)))))
	default:
		d.undecided(ctx, r, err, now)
	}
}

// settle asks what became of a send that may have arrived. Only two answers, well after the send, that the core
// doesn't know the reference allow the same bytes to go again.
func (d *Dispatcher) settle(ctx context.Context, r gateway.Refund) {
	answer, err := d.Core.Status(ctx, r)
	now := time.Now()
	switch {
	case err == nil:
		d.record(ctx, r, answer, now)
	case errors.Is(err, gateway.ErrUnknownReference):
		counts := now.Sub(r.SentAt) >= quietPeriod && now.Sub(r.UnknownAt) >= unknownSpacing
		d.unknown(ctx, r, counts, now)
	case errors.Is(err, gateway.ErrReferenceReused):
		d.escalate(ctx, r, "reference_reused")
	default:
		d.undecided(ctx, r, err, now)
	}
}

// unknown decides what an "unknown reference" about a refund in doubt leads to: another question, a re-send, or people.
func (d *Dispatcher) unknown(ctx context.Context, r gateway.Refund, counts bool, now time.Time) {
	heard := r.Unknowns
	if counts {
		heard++
	}
	switch {
	case now.Sub(r.DoubtSince) >= doubtMax:
		d.escalate(ctx, r, "doubt_too_old")
	case heard < unknownsNeeded:
		due := max(spread(doubling(r.Asks+1)), unknownSpacing)
		if counts {
			due = unknownSpacing + spread(time.Second) // the second answer that allows a re-send, as soon as it counts
		}
		if quiet := r.SentAt.Add(quietPeriod).Sub(now); quiet > 0 {
			due = min(due, quiet+time.Second) // ask again as soon as an answer can count
		}
		d.apply(ctx)(r.Unknown(now, counts, now.Add(due)), nil)
	case r.Released():
		// People put it back in doubt. A core that released the money once must not be asked to do it again.
		d.escalate(ctx, r, "core_forgot")
	case r.Sends > resendsMax:
		d.escalate(ctx, r, "resends_used_up")
	case now.Sub(r.CreatedAt) >= resendAge:
		d.escalate(ctx, r, "too_old_to_resend")
	case d.Core.Admits(CallSubmit) == 0 || !d.pace.resend(now):
		d.apply(ctx)(r.Ask(now.Add(spread(doubling(r.Asks+1)))), nil)
	default:
		// As with a first send, the intent is durable before the first byte. The worker's lease runs anew.
		change, err := r.Send(gateway.Dispatcher(now, gateway.Evidence{"cause": "unknown_twice"}), d.Lease)
		if d.apply(ctx)(change, err) {
			d.submit(ctx, change.Refund())
		}
	}
}

// ask asks about a refund that the core accepted.
func (d *Dispatcher) ask(ctx context.Context, r gateway.Refund) {
	answer, err := d.Core.Status(ctx, r)
	now := time.Now()
	due := now.Add(askPending(r.Asks+1, now.Sub(r.UpdatedAt)))
	switch {
	case err == nil && answer.State == CorePending && now.Sub(r.UpdatedAt) >= pendingMax:
		d.escalate(ctx, r, "unsettled_too_long")
	case err == nil && answer.State == CorePending:
		d.apply(ctx)(r.Still(due), nil)
	case err == nil:
		d.record(ctx, r, answer, now)
	case errors.Is(err, gateway.ErrUnknownReference):
		// The core contradicts itself. A stale replica does that for a moment; a core that goes on does it to people.
		counts := now.Sub(r.UnknownAt) >= unknownSpacing
		if counts && r.Unknowns+1 >= contradictions {
			d.escalate(ctx, r, "core_forgot")
			return
		}
		d.alarm(ctx, r, err)
		d.apply(ctx)(r.Unknown(now, counts, due), nil)
	case errors.Is(err, gateway.ErrReferenceReused):
		d.escalate(ctx, r, "reference_reused")
	default:
		d.undecided(ctx, r, err, now)
	}
}

// record writes down a verified answer about a refund that was sending, in doubt or pending.
func (d *Dispatcher) record(ctx context.Context, r gateway.Refund, a Answer, now time.Time) {
	evidence := gateway.Evidence{"core_reference": a.CoreReference}
	by := gateway.Dispatcher(now, evidence)
	switch a.State {
	case CorePending:
		d.apply(ctx)(r.Accept(by, a.CoreReference, now.Add(askPending(0, 0))))
	case CoreRefunded:
		d.apply(ctx)(r.Release(by, a.CoreReference))
	case CoreRejected:
		d.refused(ctx, r, &Refusal{Code: a.Code}, now)
	case CoreReturned:
		// Nobody here asked for it just now: somebody else had it taken back.
		d.handOver(ctx, r, "core_says_returned", evidence, now)
	default:
		d.undecided(ctx, r, &gateway.UnknownError{Cause: "undocumented_state"}, now)
	}
}

// undecided writes down an outcome that decides nothing: a send is in doubt from here, and a question is put again.
func (d *Dispatcher) undecided(ctx context.Context, r gateway.Refund, err error, now time.Time) {
	if errors.Is(err, gateway.ErrCutOff) && r.State != gateway.Sending {
		d.apply(ctx)(r.Lease(now.Add(spread(askFirst))), nil) // parked: nothing was asked, so nothing counts
		return
	}
	d.alarm(ctx, r, err)
	wait := spread(doubling(r.Asks))
	switch {
	case r.State == gateway.Sending:
		by := gateway.Dispatcher(now, gateway.Evidence{"cause": cause(err)})
		d.apply(ctx)(r.Doubt(by, now.Add(max(spread(askFirst), after(err)))))
		return
	case r.State == gateway.InDoubt && now.Sub(r.DoubtSince) >= doubtMax:
		d.escalate(ctx, r, "doubt_too_old")
		return
	case (r.State == gateway.Refunded || r.State == gateway.Returning) && now.Sub(r.UpdatedAt) >= creditMax,
		r.State == gateway.Pending && now.Sub(r.UpdatedAt) >= pendingMax:
		d.escalate(ctx, r, "unsettled_too_long")
		return
	case r.State == gateway.InDoubt:
		wait = spread(doubling(r.Asks + 1)) // the first wait was before the first question
	case r.State == gateway.Pending:
		wait = askPending(r.Asks+1, now.Sub(r.UpdatedAt))
	}
	d.apply(ctx)(r.Ask(now.Add(max(wait, after(err)))), nil)
}

// refused records the core's final no, unless it says that another refund of ours got the money: then our own book
// must know that refund as credited, or people must look, because money may have left under it.
func (d *Dispatcher) refused(ctx context.Context, r gateway.Refund, refusal *Refusal, now time.Time) {
	evidence := gateway.Evidence{"code": refusal.Code, "channel": refusal.Channel, "other": refusal.Other}
	if r.Released() {
		// People put it back in doubt after the core had released the money. Now it contradicts itself.
		d.handOver(ctx, r, "core_contradicts_release", evidence, now)
		return
	}
	if refusal.Code == "already_refunded" && refusal.Channel != "portal" {
		lookup, cancel := context.WithTimeout(ctx, storeMax)
		defer cancel()
		other, err := d.Queue.Reference(lookup, refusal.Other)
		if err != nil || other.State != gateway.Credited || other.Payment.RequestID != r.Payment.RequestID {
			d.handOver(ctx, r, "already_refunded_elsewhere", evidence, now)
			return
		}
	}
	d.apply(ctx)(r.Reject(gateway.Dispatcher(now, evidence), refusal.Code))
}

// credit has the bank post what the core released. Once a request to the ledger may have left, the ledger is asked
// before it is asked to post again. What it refused once is not asked for again at all: people put the refund back in
// doubt, and a credit now could meet the return that the refusal led to.
func (d *Dispatcher) credit(ctx context.Context, r gateway.Refund) {
	posting, err := gateway.Posting{Refusal: r.CreditRefusal}, error(nil)
	if !posting.Refused() {
		posting, err = d.post(ctx, r)
	}
	now := time.Now()
	switch {
	case err == nil && posting.Refused():
		d.apply(ctx)(r.RefuseCredit(gateway.Dispatcher(now, gateway.Evidence{"code": posting.Refusal}), posting.Refusal))
	case err == nil && posting.LedgerID != "":
		d.apply(ctx)(r.Credit(gateway.Dispatcher(now, gateway.Evidence{"ledger_id": posting.LedgerID}), posting.LedgerID))
	case errors.Is(err, gateway.ErrReferenceReused):
		d.escalate(ctx, r, "credit_reference_reused")
	default:
		d.undecided(ctx, r, err, now)
	}
}

func (d *Dispatcher) post(ctx context.Context, r gateway.Refund) (gateway.Posting, error) {
	if r.Posts > 1 {
		if posting, err := d.Ledger.Posting(ctx, r); !errors.Is(err, gateway.ErrUnknownReference) {
			return posting, err
		}
	}
	return d.Ledger.Post(ctx, r)
}

// giveBack tells the core to take back what the bank refused to credit. The core answers a repeat as the first time,
// so whatever decides nothing is simply tried again.
func (d *Dispatcher) giveBack(ctx context.Context, r gateway.Refund) {
	answer, err := d.Core.Return(ctx, r)
	now := time.Now()
	switch {
	case err == nil && answer.State == CoreReturned:
		d.apply(ctx)(r.Return(gateway.Dispatcher(now, gateway.Evidence{"core_reference": answer.CoreReference})))
	case errors.Is(err, ErrNotRefunded), errors.Is(err, gateway.ErrUnknownReference), errors.Is(err, gateway.ErrReferenceReused):
		d.escalate(ctx, r, "return_refused")
	default:
		d.undecided(ctx, r, err, now)
	}
}

// notify sends the completion SMS under an id that a provider de-duplicates by. The money is there whatever becomes
// of it, so it is tried for a day and then given up.
func (d *Dispatcher) notify(ctx context.Context, r gateway.Refund) {
	call, cancel := context.WithTimeout(ctx, noticeCall)
	defer cancel()
	mobile, language, err := d.Recipients.Recipient(call, r.Origin.Customer)
	if err == nil && mobile.IsZero() {
		d.apply(ctx)(r.Notify(gateway.NoticeGiven))
		return
	}
	if err == nil {
		service := moi.Describe(r.Payment.Service)
		err = d.SMS.Send(call, r.Reference+":credited", mobile, otp.Message{
			Kind: otp.RefundCompleted, Language: language, Amount: r.Payment.Amount,
			Service: service.Name, Sector: service.Sector, AccountTail: r.To.Tail(),
			Reference: r.Reference, At: r.UpdatedAt,
		})
	}
	now := time.Now()
	switch {
	case err == nil:
		d.apply(ctx)(r.Notify(gateway.NoticeSent))
	case now.Sub(r.UpdatedAt) >= noticeMax:
		d.apply(ctx)(r.Notify(gateway.NoticeGiven))
	default:
		d.Log.WarnContext(ctx, "completion SMS not sent", "reference", r.Reference, "err", err)
		d.apply(ctx)(r.Ask(now.Add(spread(doubling(r.Asks)))), nil)
	}
}

func (d *Dispatcher) escalate(ctx context.Context, r gateway.Refund, reason string) {
	d.handOver(ctx, r, reason, gateway.Evidence{}, time.Now())
}

// handOver gives a refund to people, with the evidence that made it theirs. A refund that is sending goes through the
// doubt that it is in.
func (d *Dispatcher) handOver(ctx context.Context, r gateway.Refund, reason string, evidence gateway.Evidence, now time.Time) {
	evidence["cause"] = reason
	by := gateway.Dispatcher(now, evidence)
	if r.State == gateway.Sending {
		change, err := r.Doubt(by, now.Add(d.Lease)) // ours until people have it
		if !d.apply(ctx)(change, err) {
			return
		}
		r = change.Refund()
	}
	d.Log.ErrorContext(ctx, "refund needs people", "reference", r.Reference, "reason", reason)
	d.apply(ctx)(r.Escalate(by, reason))
}

// storeMax bounds one call to the store. A write that fails, or may have, leaves the row to its lease: whoever finds
// it then asks before doing anything, so nothing is lost by not insisting.
const storeMax = 5 * time.Second

// apply commits a move and reports whether it is certain to hold. It is curried so that a move's two results fit in.
func (d *Dispatcher) apply(ctx context.Context) func(gateway.Change, error) bool {
	return func(c gateway.Change, err error) bool {
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, storeMax)
			defer cancel()
			err = d.Queue.Apply(ctx, c)
		}
		switch {
		case err == nil:
			return true
		case errors.Is(err, gateway.ErrStale):
			d.Log.InfoContext(ctx, "another process moved the refund on", "reference", c.Refund().Reference)
		default:
			d.Log.ErrorContext(ctx, "outcome not recorded", "err", err)
		}
		return false
	}
}

// alarm logs an outcome that decides nothing, with its cause and never with what was read.
func (d *Dispatcher) alarm(ctx context.Context, r gateway.Refund, err error) {
	level := slog.LevelWarn
	if errors.Is(err, gateway.ErrReferenceReused) || errors.Is(err, gateway.ErrUnknownReference) {
		level = slog.LevelError
	}
	d.Log.Log(ctx, level, "outcome unknown", "reference", r.Reference, "state", string(r.State), "cause", cause(err))
}

// cause is the short word for why an outcome is unknown.
func cause(err error) string {
	var unknown *gateway.UnknownError
	switch {
	case errors.As(err, &unknown):
		return unknown.Cause
	case errors.Is(err, gateway.ErrReferenceReused):
		return "reference_reused"
	case errors.Is(err, gateway.ErrUnknownReference):
		return "unknown_reference"
	case errors.Is(err, gateway.ErrNotSent):
		return "not_sent"
	default:
		return "unforeseen"
	}
}

// after is how long the other side asked us to wait.
func after(err error) time.Duration {
	var unknown *gateway.UnknownError
	if errors.As(err, &unknown) {
		return unknown.After
	}
	return 0
}
