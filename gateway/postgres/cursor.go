package postgres

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/istirdad/istirdad/bank"
)

// position is where in a customer's list a page ended: the refund that it showed last.
type position struct {
	created time.Time
	id      string
}

// cursor seals a position for the one customer to whom it is given, so that a cursor that wasn't given out, or was
// given to somebody else, doesn't open.
func (s *Store) cursor(customer string, p position) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(p.created.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(s.sealer.Seal(append(plain, p.id...), cursorOf(customer)))
}

func (s *Store) openCursor(customer, cursor string) (position, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return position{}, bank.ErrCursor
	}
	plain, err := s.sealer.Open(sealed, cursorOf(customer))
	if err != nil || len(plain) < 8 {
		return position{}, bank.ErrCursor
	}
	micro := int64(binary.BigEndian.Uint64(plain))
	return position{created: time.UnixMicro(micro).UTC(), id: string(plain[8:])}, nil
}

func cursorOf(customer string) []byte { return []byte("refunds cursor\x00" + customer) }
