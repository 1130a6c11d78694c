package kept

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	lookupNumber = "lookups.number"
	lookupCheck  = "lookups.identity_check"
	unblockNote  = "unblocks.note"
)

// LookupIndex is what is kept of the number that a look-up was for: it can be looked for, and not read.
func (s Sealer) LookupIndex(number saudi.Party) []byte {
	return s.sealer.BlindIndex(lookupNumber, number.Number())
}

// LookupIndexes are what the number may be kept as, under today's key and those before it.
func (s Sealer) LookupIndexes(number saudi.Party) [][]byte {
	return s.sealer.BlindIndexes(lookupNumber, number.Number())
}

func tallied(t bank.LookupTally) Position {
	return Position{At: t.Day.At(0, 0), ID: t.Branch + "\x00" + t.Employee}
}

// Tally is the day, branch and employee of a position in a list of tallies.
func (p Position) Tally() (day saudi.Date, branch, employee string) {
	branch, employee, _ = strings.Cut(p.ID, "\x00")
	return saudi.DateOf(p.At), branch, employee
}

// Counts are what a look-up adds to its tally: found, unknown, forbidden.
func Counts(o bank.LookupOutcome) (found, unknown, forbidden int) {
	switch o {
	case bank.LookupFound:
		found = 1
	case bank.LookupUnknown:
		unknown = 1
	case bank.LookupForbidden:
		forbidden = 1
	}
	return found, unknown, forbidden
}

// SealCheck seals a teller's words about a customer, for that look-up alone; no check is sealed as nothing.
func (s Sealer) SealCheck(l bank.Lookup) ([]byte, error) {
	if l.Check == nil {
		return []byte{}, nil
	}
	words, err := json.Marshal(l.Check)
	if err != nil {
		return nil, err
	}
	return s.seal(l.ID, lookupCheck, string(words)), nil
}

// SealUnblock seals why somebody was let in again, for that look-up alone.
func (s Sealer) SealUnblock(l bank.Lookup) []byte { return s.seal(l.ID, unblockNote, l.Unblock) }

// OpenLookup puts what SealCheck and SealUnblock made into a look-up, whose ID is there already, or is
// gateway.ErrUnreadable. Empty is none.
func (s Sealer) OpenLookup(l *bank.Lookup, check, note []byte) error {
	if len(note) > 0 {
		words, err := s.sealer.Open(note, place(l.ID, unblockNote))
		if err != nil {
			return fmt.Errorf("%w: %s of look-up %s: %w", gateway.ErrUnreadable, unblockNote, l.ID, err)
		}
		l.Unblock = string(words)
	}
	if len(check) == 0 {
		return nil
	}
	words, err := s.sealer.Open(check, place(l.ID, lookupCheck))
	if err != nil {
		return fmt.Errorf("%w: %s of look-up %s: %w", gateway.ErrUnreadable, lookupCheck, l.ID, err)
	}
	l.Check = new(bank.IdentityCheck)
	return json.Unmarshal(words, l.Check)
}
