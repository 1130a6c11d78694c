package otp

import (
	"context"
	"time"
)

// Codes keeps the live challenges, at most one per holder. All of it may vanish
// at any time; nothing here is a reason to believe anything but "this code is
// right", said once.
//
// Every method is one atomic step for its holder, over all processes. An error
// other than ErrGone means that the step may or may not have happened, and
// never that a code was right. Safe for concurrent use.
//
// Times are the caller's: a store compares with the time it is handed and uses
// its own clock only to tidy up.
//
// A wrong code is compared here first and on record in the Ledger only a moment
// later, and a new challenge may be issued in between by somebody who has read
// the Ledger too early. So a store also knows how many wrong codes in a row
// were compared, Base and Tried together, and hands that on from a challenge to
// the next. It must know it for some seconds longer than the challenge can be
// used, dropped or not: until the last wrong code is on record.
type Codes interface {
	// Put stores a challenge, of which nothing was tried, in place of whatever
	// the holder had. It comes with the Base and the Tries that the Ledger
	// suggests, and blockAt is the count of wrong codes in a row that brings the
	// next block.
	//
	// What the store knows of, from the challenge that is replaced, raises Base
	// and leaves at most blockAt - Base tries. A challenge that was burnt hands on
	// nothing: a right code ended the row, Base is 0, whether or not the Ledger
	// has heard, and only the tries are still bounded by what it said.
	//
	// Put returns the tries that the challenge was given. When none are left, it
	// returns 0, and nothing was stored or replaced: enough wrong codes for a
	// block are on their way to the Ledger.
	Put(ctx context.Context, s Stored, blockAt int) (tries int, err error)

	// Find returns the holder's challenge of this ID, or with an empty one
	// whichever it is, if it can still be used: not burnt, not expired at now,
	// with tries left. Otherwise ErrGone.
	Find(ctx context.Context, h Holder, id string, now time.Time) (Stored, error)

	// Renew replaces the MAC and the times of the holder's challenge by those of
	// next, the generation after the one that is stored. What was tried stays
	// tried, and Base and Tries stay too. ErrGone unless the challenge is the
	// same in ID and Seal, one generation behind, and could still be used at now.
	Renew(ctx context.Context, next Stored, now time.Time) error

	// Check counts the guess, then compares it.
	Check(ctx context.Context, g Guess) (Verdict, error)

	// Drop forgets the holder's challenge, but not how many wrong codes were
	// compared; with an id, only if it is that one.
	Drop(ctx context.Context, h Holder, id string) error

	// Forgive makes the wrong codes compared so far count against no challenge to
	// come. A live challenge stays, with the tries that it has left.
	Forgive(ctx context.Context, h Holder) error
}

// Holder stands for a customer in Codes: a keyed digest of their ID in hex. It
// says nothing to whoever reads the store and is safe as part of a key.
type Holder string

// MAC is a digest under the pepper.
type MAC [32]byte

// Stored is a challenge as Codes keeps it.
type Stored struct {
	Holder     Holder
	ID         string
	Generation int // from 1
	Purpose    Purpose
	Ref        string
	Binding    Binding
	Seal       MAC // over everything that a challenge is bound to; never changes
	MAC        MAC // of the generation's code
	Base       int // wrong codes in a row that were compared before this challenge
	Tries      int // codes that may be compared, resends included
	Tried      int // wrong codes compared so far

	ExpiresAt   time.Time // to the millisecond
	ResendAfter time.Time // to the millisecond
}

// Guess is one typed code, as a set of MACs: the store picks the one of the
// generation it holds, so that no look has to come before the step.
type Guess struct {
	Holder Holder
	ID     string
	Seal   MAC
	MACs   []MAC // MACs[g-1] is what the typed code would be in generation g

	// Nonce names this guess. The same guess handed in again, because the answer
	// was lost, gets the same answer and is not counted again. No two guesses
	// share one.
	Nonce string

	// Burner is who will have used the code if it is right. The right code
	// again is Again for the same burner and Used for any other.
	Burner string

	Now time.Time
}

// Outcome is what became of a guess. The zero value denies.
type Outcome int

const (
	// Gone: nothing to compare with. Also a wrong guess at a burnt challenge:
	// it is counted, and told nothing.
	Gone  Outcome = iota
	Wrong         // counted, compared, wrong
	Right         // compared, right, and burnt by it
	Again         // right, and burnt by the same burner before
	Used          // right, but burnt by another
)

func (o Outcome) String() string {
	return [...]string{"gone", "wrong", "right", "again", "used"}[o]
}

// Verdict is the answer to a guess.
type Verdict struct {
	Outcome Outcome
	Left    int // after Wrong: guesses left
}
