package refundcore

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
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
type object map[string]any

// parseObject reads a whole body, in which no object may say a name twice.
func parseObject(body []byte) (object, error) {
	fields := json.NewDecoder(bytes.NewReader(body))
	fields.UseNumber() // halalas are no floating point numbers
	var o object
	if !utf8.Valid(body) || fields.Decode(&o) != nil || o == nil {
		return nil, errMalformed
	}
	if _, err := fields.Token(); !errors.Is(err, io.EOF) { // something comes after it
		return nil, errMalformed
	}
	if names(map[string]any(o)) != colons(body) {
		return nil, errMalformed
	}
	return o, nil
}

// names counts the names in a value and in all that it holds.
func names(value any) (n int) {
	switch value := value.(type) {
	case map[string]any:
		n = len(value)
		for _, inner := range value {
			n += names(inner)
		}
	case []any:
		for _, inner := range value {
			n += names(inner)
		}
	}
	return n
}

// colons counts the colons of a JSON text that aren't within strings: one behind each name that it says. Where a name was
// said twice there are more than names.
func colons(text []byte) (n int) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++ // what is escaped ends no string
		case c == ':' && !quoted:
			n++
		}
	}
	return n
}

// reader reads fields of an object and remembers the first failure, so that a form is read in one go and judged once.
type reader struct {
	object
	err error
}

// take reads a field. Null counts as absent, and absent is a failure where the field is required.
func take[T any](r *reader, name string, required bool) (value T) {
	found := r.object[name]
	if found == nil && !required {
		return value
	}
	value, ok := found.(T)
	if !ok {
		r.fail()
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

func (r *reader) instant(name string) (at time.Time) {
	if at.UnmarshalText([]byte(take[string](r, name, true))) != nil {
		r.fail()
	}
	return at
}

func (r *reader) list(name string) []object {
	found := take[[]any](r, name, true)
	objects := make([]object, 0, len(found))
	for _, f := range found {
		o, ok := f.(map[string]any)
		if !ok {
			r.fail()
		}
		objects = append(objects, o)
	}
	return objects
}

// amount reads halalas; there are no negative ones.
func (r *reader) amount(name string) money.Amount {
	halalas, err := strconv.ParseInt(take[json.Number](r, name, true).String(), 10, 64)
	if err != nil || halalas < 0 {
		r.fail()
		return 0
	}
	return money.Amount(halalas)
}

func (r *reader) party(name string) saudi.Party {
	inner := reader{object: take[map[string]any](r, name, true)}
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
	o := take[map[string]any](r, field, false)
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
