package gateway

import (
	"errors"
	"fmt"
)

// What a store promises to say. Everything else that a store returns means that it couldn't do its work, and says
// nothing about whether the work was done.
var (
	// ErrNotFound: there is no such refund, or it isn't the asker's. The two are never told apart.
	ErrNotFound = errors.New("refund not found")
	// ErrStale: the refund has moved on since it was read; nothing was written.
	ErrStale = errors.New("refund changed meanwhile")
	// ErrRefundExists: the request already has a refund that is live or credited; nothing was written.
	ErrRefundExists = errors.New("request already has a refund")
	// ErrLimitExceeded: the day's limit of the customer would be exceeded; nothing was written.
	ErrLimitExceeded = errors.New("daily limit exceeded")
	// ErrChallengeUsed: the code's challenge already led to another refund; nothing was written.
	ErrChallengeUsed = errors.New("challenge already used")
	// ErrUnreadable: what is sealed of it doesn't open: its key isn't among ours, or somebody has altered it. It comes with
	// what else there is of the refund.
	ErrUnreadable = errors.New("what is sealed can't be opened")
	// ErrClockSkew: the database's clock and this machine's differ by more than two seconds, so expiries and leases
	// mean different times to different processes. A store's readiness says it.
	ErrClockSkew = errors.New("the database's clock and ours differ")
)

// MoveError says that a refund in state From can't make a move. It matches ErrMove.
type MoveError struct {
	From State
	Move string
	Why  string // empty when the state alone forbids it
}

// ErrMove matches every MoveError.
var ErrMove = errors.New("move not allowed")

func (e *MoveError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("%s: %s from %s", ErrMove, e.Move, e.From)
	}
	return fmt.Sprintf("%s: %s from %s: %s", ErrMove, e.Move, e.From, e.Why)
}

// Is makes errors.Is(err, ErrMove) hold.
func (e *MoveError) Is(target error) bool { return target == ErrMove }
