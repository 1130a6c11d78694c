package redissession

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
)

// A kind is what a value is. It ends with the number of the value's format: to raise it makes absent whatever an older
// program wrote, which beats reading it wrongly. A field that an older program may leave unread doesn't raise it.
const (
	kindProof    = "proof.1"
	kindKey      = "key.1"
	kindPreview  = "preview.1"
	kindAssisted = "assisted.1"
	kindList     = "list.1"
)

// Every key of this package begins with one of these.
const (
	Prefix     = "bank:"
	RatePrefix = "rl:"
)

// place is where a value lives and what it is bound to.
type place struct {
	key        string // in Redis
	associated []byte // data of the seal
}

var errNobody = errors.New("redissession: a holder is a customer in a session")

// place is where the holder's value of the kind is, told apart from others of the kind by its names.
func (s *Sessions) place(kind string, h bank.Holder, names ...string) (place, error) {
	if h.Customer == "" || h.Session == "" {
		return place{}, errNobody
	}
	associated := join(append([]string{kind, h.Customer, h.Session}, names...))
	return place{
		key:        Prefix + "{" + s.index("customer", h.Customer) + "}:" + kind + ":" + s.index("place", string(associated)),
		associated: associated,
	}, nil
}

// index is half of a blind index: 128 bits are plenty for names.
func (s *Sessions) index(field, value string) string {
	return base64.RawURLEncoding.EncodeToString(s.sealer.BlindIndex("redissession "+field, value)[:16])
}

// join puts the length before each part: no two lists of parts give the same bytes.
func join(parts []string) []byte {
	var joined []byte
	for _, part := range parts {
		joined = binary.AppendUvarint(joined, uint64(len(part)))
		joined = append(joined, part...)
	}
	return joined
}

func (s *Sessions) seal(at place, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("redissession: %w", err)
	}
	return string(s.sealer.Seal(plain, at.associated)), nil
}

// open reports whether sealed is a value of this place, and if so reads it. Only a gateway can have sealed it, so a field
// that this program doesn't know is a newer release's, which runs beside it for a while: no reason to lose the value.
func (s *Sessions) open(at place, sealed string, value any) bool {
	plain, err := s.sealer.Open([]byte(sealed), at.associated)
	if err != nil {
		return false
	}
	return json.Unmarshal(plain, value) == nil
}

// load reads the value of a place; found is false when there is none that opens.
func (s *Sessions) load(ctx context.Context, at place, value any) (sealed string, found bool, err error) {
	sealed, err = s.redis.Get(ctx, at.key).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("redissession: %w", err)
	}
	return sealed, s.open(at, sealed, value), nil
}
