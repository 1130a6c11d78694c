package refundcore

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// partyWire is a party in a request, in clear.
type partyWire struct {
	Kind   saudi.Kind `json:"kind"`
	Number string     `json:"number"`
}

func newPartyWire(p saudi.Party) partyWire { return partyWire{p.Kind(), p.Number()} }

// refundRequest is the body of POST /refunds. Its fields stand in the order of the protocol, and nothing in it depends
// on anything but the refund: a re-send is byte for byte the first send.
type refundRequest struct {
	Reference string       `json:"reference"`
	RequestID string       `json:"request_id"`
	Amount    money.Amount `json:"amount"` // halalas
	IBAN      string       `json:"iban"`
	Payer     partyWire    `json:"payer"`
}

func newRefundRequest(r gateway.Refund) refundRequest {
	return refundRequest{
		Reference: r.Reference,
		RequestID: r.Payment.RequestID,
		Amount:    r.Payment.Amount,
		IBAN:      r.To.Compact(),
		Payer:     newPartyWire(r.Payment.Payer),
	}
}

// searchRequest is the body of POST /requests/search.
type searchRequest struct {
	Identifier partyWire `json:"identifier"`
	Service    string    `json:"service,omitempty"`
	RequestID  string    `json:"request_id,omitempty"`
	Limit      int       `json:"limit,omitempty"`
	Cursor     string    `json:"cursor,omitempty"`
}

// balanceRequest is the body of POST /balances.
type balanceRequest struct {
	Identifier partyWire `json:"identifier"`
	As         *asWire   `json:"as,omitempty"`
}

type asWire struct {
	Payer partyWire `json:"payer"`
}

// errMalformed is the error of every answer that can't be read. It never quotes one.
var errMalformed = errors.New("answer not of a documented form")

// object is a JSON object of an answer, read by exact names. Read into a struct, encoding/json would also take "STATE"
// or "ſtate" for "state", and the last of two: a signer and a reader could disagree about what was said. Names that
// nobody asks for are no error; the core may add some.
type object map[string]json.RawMessage

// UnmarshalJSON refuses what isn't an object, and an object in which a name occurs twice.
func (o *object) UnmarshalJSON(data []byte) error {
	fields := json.NewDecoder(bytes.NewReader(data))
	if open, err := fields.Token(); err != nil || open != json.Delim('{') {
		return errMalformed
	}
	*o = object{}
	for fields.More() {
		token, err := fields.Token()
		name, text := token.(string)
		if err != nil || !text {
			return errMalformed
		}
		if _, twice := (*o)[name]; twice {
			return errMalformed
		}
		var value json.RawMessage
		if err := fields.Decode(&value); err != nil {
			return errMalformed
		}
		(*o)[name] = value
	}
	return nil
}

// parseObject reads a whole body.
func parseObject(body []byte) (object, error) {
	var o object
	if !utf8.Valid(body) || json.Unmarshal(body, &o) != nil || o == nil {
		return nil, errMalformed
	}
	return o, nil
}

// reader reads fields of an object and remembers the first failure, so that a form is read in one go and judged once.
type reader struct {
	object
	err error
}

// take reads a field. Null counts as absent, and absent is a failure where the field is required.
func take[T any](r *reader, name string, required bool) (value T) {
	raw, there := r.object[name]
	if !there || string(raw) == "null" {
		if required {
			r.fail()
		}
		return value
	}
	if json.Unmarshal(raw, &value) != nil {
		r.fail()
		var zero T
		return zero
	}
	return value
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errMalformed
	}
}

// text reads a string that must be there and not be empty.
func (r *reader) text(name string) string {
	s := take[string](r, name, true)
	if s == "" {
		r.fail()
	}
	return s
}

func (r *reader) optional(name string) string { return take[string](r, name, false) }

func (r *reader) flag(name string) bool { return take[bool](r, name, true) }

func (r *reader) instant(name string) time.Time { return take[time.Time](r, name, true) }

func (r *reader) list(name string) []object { return take[[]object](r, name, true) }

// amount reads halalas; there are no negative ones.
func (r *reader) amount(name string) money.Amount {
	halalas := take[int64](r, name, true)
	if halalas < 0 {
		r.fail()
	}
	return money.Amount(halalas)
}

func (r *reader) party(name string) saudi.Party {
	inner := reader{object: take[object](r, name, true)}
	party, err := saudi.NewParty(saudi.Kind(inner.text("kind")), inner.text("number"))
	if err != nil || inner.err != nil {
		r.fail()
	}
	return party
}

// iban reads an account in its one spelling.
func (r *reader) iban(name string) saudi.IBAN {
	text := r.text(name)
	iban, err := saudi.ParseIBAN(text)
	if err != nil || iban.Compact() != text {
		r.fail()
	}
	return iban
}

// name reads an optional name in two languages.
func (r *reader) name(field string) (moi.Name, bool) {
	o := take[object](r, field, false)
	if o == nil {
		return moi.Name{}, false
	}
	inner := reader{object: o}
	name := moi.Name{AR: inner.text("ar"), EN: inner.text("en")}
	if inner.err != nil {
		r.fail()
	}
	return name, true
}

// echoes reports whether the answer is about the refund: all four of what a refund is to the core.
func (r *reader) echoes(refund gateway.Refund) bool {
	reference, request := r.text("reference"), r.text("request_id")
	amount, iban := r.amount("amount"), r.text("iban")
	return reference == refund.Reference && request == refund.Payment.RequestID &&
		amount == refund.Payment.Amount && iban == refund.To.Compact()
}

// isReference reports whether s has the form of a reference: "RF" and sixteen characters of Crockford's base 32.
func isReference(s string) bool {
	digits, ok := strings.CutPrefix(s, "RF")
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}
