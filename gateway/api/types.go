package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Text is for people, in both languages.
type Text struct {
	AR string `json:"ar" doc:"Arabic." example:"تجديد إقامة"`
	EN string `json:"en" doc:"English." example:"Renew Iqama"`
}

// Money is an amount in riyals.
type Money struct {
	Amount   string `json:"amount" pattern:"^[0-9]+\\.[0-9]{2}$" doc:"Riyals, with two decimals." example:"650.00"`
	Currency string `json:"currency" enum:"SAR" example:"SAR" doc:"Always riyals."`
}

func moneyOf(a money.Amount) Money { return Money{Amount: a.String(), Currency: money.Currency} }

// Party is a person or thing that a fee is about; its number is masked.
type Party struct {
	Kind   string `json:"kind" enum:"national_id,iqama,border,establishment,vehicle" doc:"What the number is."`
	Number string `json:"number" doc:"Masked." example:"2******015"`
}

func partyOf(p saudi.Party) Party { return Party{Kind: string(p.Kind()), Number: p.Masked()} }

// Instant is a point in time: RFC 3339 in UTC with six decimals.
type Instant time.Time

// MarshalJSON writes exactly six decimals, whatever the time has.
func (t Instant) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Instant) UnmarshalJSON(b []byte) error { return (*time.Time)(t).UnmarshalJSON(b) }

// Schema is what the contract says of it.
func (Instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Format: "date-time", Description: "RFC 3339, UTC, six decimals.",
		Examples: []any{"2026-03-05T06:10:00.000000Z"},
	}
}

// Maybe is a T, or null. huma would write a pointer to a struct into the contract as if it were never null.
type Maybe[T any] struct{ Value *T }

// MarshalJSON writes the value, or null.
func (m Maybe[T]) MarshalJSON() ([]byte, error) { return json.Marshal(m.Value) }

// Schema is what the contract says of it.
func (Maybe[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schemaOf[T](r), {Type: "null"}}}
}

// Promise is the day by which the money is promised, in both calendars.
type Promise struct {
	By      string `json:"promised_by" format:"date" doc:"Gregorian, in Riyadh." example:"2026-03-10"`
	ByHijri string `json:"promised_by_hijri" doc:"Umm al-Qura." example:"1447-09-21"`
}

func promiseOf(d saudi.Date) Promise {
	p := Promise{By: d.String()}
	if h, ok := d.Hijri(); ok {
		p.ByHijri = h.String()
	}
	return p
}

func reasonOf(reason bank.Reason, words bank.Text) (*string, Maybe[Text]) {
	if reason == "" || words == (bank.Text{}) { // none, or one that isn't for customers
		return nil, Maybe[Text]{}
	}
	code, text := string(reason), Text(words)
	return &code, Maybe[Text]{&text}
}

// List is one page.
type List[T any] struct {
	Items      []T     `json:"items" nullable:"false" doc:"The page."`
	NextCursor *string `json:"next_cursor" doc:"Of the next page; null after the last."`
}

// listOf turns a page of the path's into one of the contract's.
func listOf[From, To any](from []From, next string, turn func(From) To) List[To] {
	list := List[To]{Items: make([]To, 0, len(from))}
	for _, f := range from {
		list.Items = append(list.Items, turn(f))
	}
	if next != "" {
		list.NextCursor = &next
	}
	return list
}

// What the samples in the contract have in common: they are of p03, unless they say otherwise, and of one morning.
const (
	sampleRefundID  = "019cbcb4-2a40-7f0e-8a0b-77c46a619221"
	sampleLargeID   = "019cbcb4-9f70-7bc4-bd59-44bed28ae5db"
	sampleDroppedID = "019cbcb5-3c10-7a1d-9e2f-6f0b1d2c3a45"
	sampleRequestID = "019cbcb3-d008-7306-ae41-bfe9cf5fb100"
	sampleKey       = "0b9d3a56-7f0e-4f0a-9d6c-4a8b0f6c2f11"
	sampleCode      = "482915" // of the newest SMS
	sampleWrongCode = "135790" // of none
)

var (
	sampleName    = Text{"تجديد إقامة (سنة)", "Renew Iqama, 12 months"}
	sampleAmount  = Money{"650.00", "SAR"}
	samplePromise = Promise{"2026-03-10", "1447-09-21"}
)

// sampleAt is an instant that long after the samples' own.
func sampleAt(after time.Duration) Instant {
	return Instant(time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC).Add(after))
}
