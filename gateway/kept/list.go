package kept

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// Position is where in a list an item stands: the time that the list goes by, and what tells apart those of one time.
type Position struct {
	At time.Time
	ID string
}

// Last is behind everything: where a list begins that goes backwards.
var Last = Position{At: time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC), ID: "\U0010FFFF"}

// List is one that is shown page by page: of what, to whom, and in which order.
type List[T any] struct {
	of, to   string
	position func(T) Position
}

// RefundsOf is a customer's own, by the time of the confirm.
func RefundsOf(customer string) List[gateway.Refund] {
	return List[gateway.Refund]{"refunds", customer, func(r gateway.Refund) Position { return Position{r.CreatedAt, r.ID} }}
}

// ApprovalsOf is what waits for a branch's approvers, by the time at which it lapses; of "" for those of all.
func ApprovalsOf(branch string) List[gateway.Listed] {
	return List[gateway.Listed]{"approvals", branch, func(r gateway.Listed) Position { return Position{r.Due, r.ID} }}
}

// Everybodys are the refunds of a state, whoever's they are, by their ids; of "" for those of all.
func Everybodys(state gateway.State) List[gateway.Listed] {
	return List[gateway.Listed]{"everybody's refunds", string(state), func(r gateway.Listed) Position { return Position{r.CreatedAt, r.ID} }}
}

// LookupsOf is how the employees of a branch looked at customers, by day; of "" those of all.
func LookupsOf(branch string) List[bank.LookupTally] {
	return List[bank.LookupTally]{"lookups", branch, tallied}
}

// pageMax is the most that one page of a list holds.
const pageMax = 100

// Page is the page that is asked for, and the cursor of the next one, empty after the last. read returns what stands behind
// a position, as many as it is told at most: of a first page behind first, which says where the list begins.
//
// A limit outside of 1 to 100 is brought into it. One item more than that is read, and tells whether there is another page.
func (l List[T]) Page(
	s Sealer, p bank.Page, first Position, read func(behind Position, most int) ([]T, error),
) (page []T, next string, err error) {
	behind := first
	if p.Cursor != "" {
		if behind, err = l.open(s, p.Cursor); err != nil {
			return nil, "", err
		}
	}
	limit := min(max(p.Limit, 1), pageMax)
	page, err = read(behind, limit+1)
	if err != nil || len(page) <= limit {
		return page, "", err
	}
	return page[:limit], l.cursor(s, l.position(page[limit-1])), nil
}

// cursor seals a position for this one list, so that a cursor that wasn't given out, or was given to somebody else, doesn't
// open.
func (l List[T]) cursor(s Sealer, p Position) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(p.At.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(s.sealer.Seal(append(plain, p.ID...), l.place()))
}

// open returns the position of a cursor; bank.ErrCursor when it wasn't given out for this list.
func (l List[T]) open(s Sealer, cursor string) (Position, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return Position{}, bank.ErrCursor
	}
	plain, err := s.sealer.Open(sealed, l.place())
	if err != nil || len(plain) < 8 {
		return Position{}, bank.ErrCursor
	}
	micro := int64(binary.BigEndian.Uint64(plain))
	return Position{At: time.UnixMicro(micro).UTC(), ID: string(plain[8:])}, nil
}

func (l List[T]) place() []byte { return []byte(l.of + " cursor\x00" + l.to) }

// Readable are those of a page that can be read. The cursor behind the page is behind the others, too.
func Readable(page []gateway.Listed) (refunds []gateway.Refund) {
	for _, r := range page {
		if !r.Unreadable {
			refunds = append(refunds, r.Refund)
		}
	}
	return refunds
}
