package kept

import (
	"encoding/json"
	"fmt"

	"github.com/istirdad/istirdad/bank"
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

// OpenLookup puts what SealCheck and SealUnblock made into a look-up, whose ID is there already. Empty is none.
func (s Sealer) OpenLookup(l *bank.Lookup, check, note []byte) error {
	if len(note) > 0 {
		words, err := s.sealer.Open(note, place(l.ID, unblockNote))
		if err != nil {
			return fmt.Errorf("%s of look-up %s: %w", unblockNote, l.ID, err)
		}
		l.Unblock = string(words)
	}
	if len(check) == 0 {
		return nil
	}
	words, err := s.sealer.Open(check, place(l.ID, lookupCheck))
	if err != nil {
		return fmt.Errorf("%s of look-up %s: %w", lookupCheck, l.ID, err)
	}
	l.Check = new(bank.IdentityCheck)
	return json.Unmarshal(words, l.Check)
}
