package gateway

import (
	"errors"
	"fmt"
	"time"
)

// A call that leaves this machine, to the core or to the bank's ledger, has three outcomes and never two: a verified
// answer; ErrNotSent; and everything else, which is unknown and is asked about before anything more.
var (
	// ErrNotSent: provably no byte left this machine.
	ErrNotSent = errors.New("not sent")
	// ErrCutOff is the ErrNotSent of an open breaker or a full bulkhead: work is parked, no attempt is spent.
	ErrCutOff = fmt.Errorf("%w: cut off", ErrNotSent)
	// ErrUnknownReference: the other side verifiably doesn't know the reference, now. It proves nothing about later.
	ErrUnknownReference = errors.New("unknown reference")
	// ErrReferenceReused: the other side knows the reference with another body. It decides nothing; somebody must look.
	ErrReferenceReused = errors.New("reference reused with another body")
)

// UnknownError is an outcome that decides nothing, with its cause for logs, metrics and evidence: a word from a short
// list, never anything that was read from the wire.
type UnknownError struct {
	Cause string
	Err   error
	After time.Duration // how long the other side asked us to wait (Retry-After); zero when it didn't
}

func (u *UnknownError) Error() string { return "unknown outcome: " + u.Cause }

func (u *UnknownError) Unwrap() error { return u.Err }

// Posting is the bank's final word on a credit: posted, or refused for good.
type Posting struct {
	LedgerID string // of a posted credit
	Refusal  string // of a refused one: account_closed or account_frozen
}

// Refused reports whether the bank refused for good.
func (p Posting) Refused() bool { return p.Refusal != "" }
