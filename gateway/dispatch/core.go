package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// submit sends a refund whose intent is durable, and records what came of it.
func (a *attempt) submit(ctx context.Context, r gateway.Refund) {
	if a.stopping() { // since the intent of a re-send was being recorded
		a.yield(ctx, r)
		return
	}
	answer, err := a.Core.Submit(ctx, r)
	now := time.Now()
	a.heard = answer.Exchange
	if !errors.Is(err, gateway.ErrNotSent) && r.Sends == 1 {
		a.pace.went(now)
	}
	var refusal *Refusal
	switch {
	case err == nil:
		a.pace.answered()
		a.record(ctx, r, answer, now)
	case errors.As(err, &refusal):
		a.pace.answered()
		a.refused(ctx, r, refusal, now)
	case errors.Is(err, gateway.ErrCutOff):
		a.pace.cut()
		a.apply(ctx)(r.NotSent(gateway.Dispatcher(now, gateway.Evidence{"cause": "cut_off"}), false, now.Add(spread(askFirst))))
	case errors.Is(err, gateway.ErrNotSent):
		by := gateway.Dispatcher(now, gateway.Evidence{"cause": "not_sent"})
		a.apply(ctx)(r.NotSent(by, true, now.Add(spread(doubling(r.Misses)))))
	default:
		a.undecided(ctx, r, err, now)
	}
}

// settle asks what became of a send that may have arrived. Only two answers, well after the send, that the core
// doesn't know the reference allow the same bytes to go again.
func (a *attempt) settle(ctx context.Context, r gateway.Refund) {
	answer, err := a.Core.Status(ctx, r)
	now := time.Now()
	a.heard = answer.Exchange
	switch {
	case err == nil:
		a.record(ctx, r, answer, now)
	case errors.Is(err, gateway.ErrUnknownReference):
		counts := now.Sub(r.SentAt) >= quietPeriod && now.Sub(r.UnknownAt) >= unknownSpacing
		a.unknown(ctx, r, counts, now)
	case errors.Is(err, gateway.ErrReferenceReused):
		a.escalate(ctx, r, "reference_reused")
	default:
		a.undecided(ctx, r, err, now)
	}
}

// unknown decides what an "unknown reference" about a refund in doubt leads to: another question, a re-send, or people.
func (a *attempt) unknown(ctx context.Context, r gateway.Refund, counts bool, now time.Time) {
	heard := r.Unknowns
	if counts {
		heard++
	}
	switch {
	case now.Sub(r.DoubtSince) >= doubtMax:
		a.escalate(ctx, r, "doubt_too_old")
	case heard < unknownsNeeded:
		due := max(spread(doubling(r.Asks+1)), unknownSpacing)
		if counts {
			due = unknownSpacing + spread(time.Second) // the second answer that allows a re-send, as soon as it counts
		}
		if quiet := r.SentAt.Add(quietPeriod).Sub(now); quiet > 0 {
			due = min(due, quiet+time.Second) // ask again as soon as an answer can count
		}
		a.apply(ctx)(r.Unknown(now, counts, now.Add(due)), nil)
	case r.Released():
		// People put it back in doubt. A core that released the money once must not be asked to do it again.
		a.escalate(ctx, r, "core_forgot")
	case r.Sends > resendsMax:
		a.escalate(ctx, r, "resends_used_up")
	case now.Sub(r.CreatedAt) >= resendAge:
		a.escalate(ctx, r, "too_old_to_resend")
	case a.stopping():
		a.apply(ctx)(r.Unknown(now, counts, now), nil) // whoever asks next sends it again
	case a.Core.Admits(CallSubmit) == 0 || !a.pace.resend(now):
		a.apply(ctx)(r.Ask(now.Add(spread(doubling(r.Asks+1)))), nil)
	default:
		// As with a first send, the intent is durable before the first byte. The worker's lease runs anew.
		change, err := r.Send(gateway.Dispatcher(now, gateway.Evidence{"cause": "unknown_twice"}), a.Lease)
		if a.apply(ctx)(change, err) {
			a.submit(ctx, change.Refund())
		}
	}
}

// ask asks about a refund that the core accepted.
func (a *attempt) ask(ctx context.Context, r gateway.Refund) {
	answer, err := a.Core.Status(ctx, r)
	now := time.Now()
	a.heard = answer.Exchange
	due := now.Add(askPending(r.Asks+1, now.Sub(r.UpdatedAt)))
	switch {
	case err == nil && answer.State == CorePending && a.late(r, now):
		a.escalate(ctx, r, "unsettled_too_long")
	case err == nil && answer.State == CorePending:
		a.apply(ctx)(r.Still(due), nil)
	case err == nil:
		a.record(ctx, r, answer, now)
	case errors.Is(err, gateway.ErrUnknownReference):
		// The core contradicts itself. A stale replica does that for a moment; a core that goes on does it to people.
		counts := now.Sub(r.UnknownAt) >= unknownSpacing
		if counts && r.Unknowns+1 >= contradictions {
			a.escalate(ctx, r, "core_forgot")
			return
		}
		a.alarm(ctx, r, err)
		a.apply(ctx)(r.Unknown(now, counts, due), nil)
	case errors.Is(err, gateway.ErrReferenceReused):
		a.escalate(ctx, r, "reference_reused")
	default:
		a.undecided(ctx, r, err, now)
	}
}

// record writes down a verified answer about a refund that was sending, in doubt or pending.
func (a *attempt) record(ctx context.Context, r gateway.Refund, said Answer, now time.Time) {
	evidence := gateway.Evidence{"core_reference": said.CoreReference}
	by := gateway.Dispatcher(now, evidence)
	switch said.State {
	case CorePending:
		a.apply(ctx)(r.Accept(by, said.CoreReference, now.Add(askPending(0, 0))))
	case CoreRefunded:
		a.apply(ctx)(r.Release(by, said.CoreReference))
	case CoreRejected:
		a.refused(ctx, r, &Refusal{Code: said.Code}, now)
	case CoreReturned:
		// Nobody here asked for it just now: somebody else had it taken back.
		a.handOver(ctx, r, "core_says_returned", evidence, now)
	default:
		a.undecided(ctx, r, &gateway.UnknownError{Cause: "undocumented_state"}, now)
	}
}

// undecided writes down an outcome that decides nothing: a send is in doubt from here, and a question is put again.
func (a *attempt) undecided(ctx context.Context, r gateway.Refund, err error, now time.Time) {
	if errors.Is(err, gateway.ErrCutOff) && r.State != gateway.Sending {
		a.apply(ctx)(r.Lease(now.Add(spread(askFirst))), nil) // parked: nothing was asked, so nothing counts
		return
	}
	a.alarm(ctx, r, err)
	wait := spread(doubling(r.Asks))
	switch {
	case r.State == gateway.Sending:
		by := gateway.Dispatcher(now, gateway.Evidence{"cause": cause(err)})
		a.apply(ctx)(r.Doubt(by, now.Add(max(spread(askFirst), after(err)))))
		return
	case r.State == gateway.InDoubt && now.Sub(r.DoubtSince) >= doubtMax:
		a.escalate(ctx, r, "doubt_too_old")
		return
	case a.late(r, now):
		a.escalate(ctx, r, "unsettled_too_long")
		return
	case r.State == gateway.InDoubt:
		wait = spread(doubling(r.Asks + 1)) // the first wait was before the first question
	case r.State == gateway.Pending:
		wait = askPending(r.Asks+1, now.Sub(r.UpdatedAt))
	}
	a.apply(ctx)(r.Ask(now.Add(max(wait, after(err)))), nil)
}

// refused records the core's final no, unless it says that a refund of ours got the money: then our own book must know
// that refund as credited, or people must look, because money may have left under it.
func (a *attempt) refused(ctx context.Context, r gateway.Refund, refusal *Refusal, now time.Time) {
	evidence := gateway.Evidence{"code": refusal.Code, "channel": refusal.Channel, "other": refusal.Other}
	atABank := refusal.Code == "already_refunded" && refusal.Channel != "portal"
	switch {
	case r.Released():
		// People put it back in doubt after the core had released the money. Now it contradicts itself.
		a.handOver(ctx, r, "core_contradicts_release", evidence, now)
	case refusal.Other == r.Reference && r.Sends == 1:
		// It has this very refund, so the status says what became of it.
		a.undecided(ctx, r, &gateway.UnknownError{Cause: "held_already"}, now)
	case refusal.Other == r.Reference:
		// It has the refund that was sent again because, asked twice, it hadn't.
		a.handOver(ctx, r, "core_forgot", evidence, now)
	case atABank && !a.credited(ctx, refusal.Other, r.Payment.RequestID):
		a.handOver(ctx, r, "already_refunded_elsewhere", evidence, now)
	default:
		a.apply(ctx)(r.Reject(gateway.Dispatcher(now, evidence), refusal.Code))
	}
}

// credited reports whether our own book has the request credited under that reference.
func (a *attempt) credited(ctx context.Context, reference, request string) bool {
	ctx, cancel := context.WithTimeout(ctx, storeMax)
	defer cancel()
	other, err := a.Queue.Reference(ctx, reference)
	return err == nil && other.State == gateway.Credited && other.Payment.RequestID == request
}

// giveBack tells the core to take back what the bank refused to credit. The core answers a repeat as the first time,
// so whatever decides nothing is simply tried again.
func (a *attempt) giveBack(ctx context.Context, r gateway.Refund) {
	answer, err := a.Core.Return(ctx, r)
	now := time.Now()
	a.heard = answer.Exchange
	switch {
	case err == nil && answer.State == CoreReturned:
		a.apply(ctx)(r.Return(gateway.Dispatcher(now, gateway.Evidence{"core_reference": answer.CoreReference})))
	case errors.Is(err, ErrNotRefunded), errors.Is(err, gateway.ErrUnknownReference), errors.Is(err, gateway.ErrReferenceReused):
		a.escalate(ctx, r, "return_refused")
	default:
		a.undecided(ctx, r, err, now)
	}
}
