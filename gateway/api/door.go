package api

import (
	"context"

	"github.com/istirdad/istirdad/bank"
)

// assistedHeader names the assisted session in which a teller speaks for a customer.
const assistedHeader = "Assisted-Session"

// door says who may come to a route, and for whom they then speak.
type door struct {
	// let is told of every value of assistedHeader.
	let  func(ctx context.Context, p *bank.Path, c bank.Caller, sessions []string) (bank.Caller, error)
	asks []map[string][]string // for what, as the contract says it: for all of one of these, and of a token for its scope
	// refuses are the codes of the problems that only this door has: every door asks for a token with a scope.
	refuses string
}

var (
	// customers lets customers in, and tellers for a customer who has proved that they are there.
	customers = door{
		proven, []map[string][]string{{"bearer": {string(bank.ScopeRefunds)}}, {"bearer": {string(bank.ScopeTeller)}, "assisted": {}}},
		"malformed_request not_found step_up_required",
	}
	// waiting lets in also tellers whose customer is still to type the code.
	waiting = door{speaking, customers.asks, customers.refuses}
	// tellers lets tellers in, for themselves.
	tellers = door{serving, []map[string][]string{{"bearer": {string(bank.ScopeTeller)}}}, ""}
	// approvers let in who decides on what others asked for.
	approvers = door{deciding, []map[string][]string{{"bearer": {string(bank.ScopeApprover)}}}, ""}
	// alone lets customers in, and nobody who speaks for one.
	alone = door{leaving, []map[string][]string{{"bearer": {string(bank.ScopeRefunds)}}}, ""}
)

func proven(ctx context.Context, p *bank.Path, c bank.Caller, sessions []string) (bank.Caller, error) {
	c, err := speaking(ctx, p, c, sessions)
	if err != nil {
		return bank.Caller{}, err
	}
	return c, c.Proven()
}

// speaking refuses whoever names a session and is no teller: what they ask for would be about somebody else than they
// think.
func speaking(ctx context.Context, p *bank.Path, c bank.Caller, sessions []string) (bank.Caller, error) {
	switch customer, assisted := c.Has(bank.ScopeRefunds), len(sessions) > 0; {
	case customer && !assisted:
		return c, nil
	case customer, !assisted, !c.Has(bank.ScopeTeller):
		return bank.Caller{}, errForbidden
	case len(sessions) > 1: // of two, a proxy might have believed the other
		return bank.Caller{}, malformed(assistedHeader, FaultMalformed)
	}
	return p.Assisted(ctx, c, sessions[0])
}

func serving(_ context.Context, _ *bank.Path, c bank.Caller, _ []string) (bank.Caller, error) {
	return having(c, bank.ScopeTeller)
}

func deciding(_ context.Context, _ *bank.Path, c bank.Caller, _ []string) (bank.Caller, error) {
	return having(c, bank.ScopeApprover)
}

func having(c bank.Caller, s bank.Scope) (bank.Caller, error) {
	if !c.Has(s) {
		return bank.Caller{}, errForbidden
	}
	return c, nil
}

func leaving(_ context.Context, _ *bank.Path, c bank.Caller, sessions []string) (bank.Caller, error) {
	if !c.Has(bank.ScopeRefunds) || len(sessions) > 0 {
		return bank.Caller{}, errForbidden
	}
	return c, nil
}

// roleOf is in which role somebody calls, for the log.
func roleOf(c bank.Caller) string {
	switch {
	case c.Has(bank.ScopeRefunds):
		return "customer"
	case c.Has(bank.ScopeTeller):
		return "teller"
	case c.Has(bank.ScopeApprover):
		return "approver"
	}
	return "other"
}
