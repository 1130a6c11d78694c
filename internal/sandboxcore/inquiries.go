package sandboxcore

import (
	"encoding/csv"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// balances adds up what waits for the identifier: the fees that it would benefit
// from, and, since a vehicle asks for nothing itself, those that it paid for
// vehicles. With a payer, only what that payer paid for it. Only available
// amounts count.
func (b *book) balances(identifier party, payer *party) map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	totals := make(map[string]int64)
	for _, r := range b.byParty[identifier] {
		held := r.beneficiary == identifier || r.beneficiary.Kind == "vehicle"
		if held && r.state == sandboxseed.StateAvailable && r.Bucket != "" && (payer == nil || *payer == r.payer) {
			totals[r.Bucket] += r.Amount
		}
	}
	return totals
}

// A search is the body of POST /requests/search.
type search struct {
	Identifier party  `json:"identifier"`
	Service    string `json:"service"`
	RequestID  string `json:"request_id"`
	Limit      *int   `json:"limit"`
	Cursor     string `json:"cursor"`
}

type nameItem struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}

// requestItem is a request on the wire.
type requestItem struct {
	RequestID       string    `json:"request_id"`
	Service         string    `json:"service"`
	Variant         *nameItem `json:"variant,omitempty"`
	Bucket          string    `json:"bucket,omitempty"`
	Beneficiary     party     `json:"beneficiary"`
	Payer           party     `json:"payer"`
	Amount          int64     `json:"amount"`
	PaidAt          string    `json:"paid_at"`
	PaidThroughBank string    `json:"paid_through_bank"`
	PaidFromIBAN    string    `json:"paid_from_iban"`
	State           string    `json:"state"`
	Refundable      bool      `json:"refundable"`
	Reason          *string   `json:"reason"`
}

// search returns a page and the cursor of the next ("" at the end): the id of
// the page's last request. known is false for a cursor that is no such id.
func (b *book) search(s search, limit int) (items []requestItem, next string, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rs := b.byParty[s.Identifier]
	if s.Cursor != "" {
		at := slices.IndexFunc(rs, func(r *request) bool { return r.ID == s.Cursor })
		if at < 0 {
			return nil, "", false
		}
		rs = rs[at+1:]
	}
	items = []requestItem{}
	for _, r := range rs {
		if s.Service != "" && s.Service != r.Service || s.RequestID != "" && s.RequestID != r.ID {
			continue
		}
		if len(items) == limit {
			return items, items[limit-1].RequestID, true
		}
		items = append(items, r.item(s.Identifier))
	}
	return items, "", true
}

// item is r as the asker sees it: refundable means by them.
func (r *request) item(asker party) requestItem {
	item := requestItem{
		RequestID: r.ID, Service: r.Service, Bucket: r.Bucket,
		Beneficiary: r.beneficiary, Payer: r.payer,
		Amount: r.Amount, PaidAt: wireTime(r.PaidAt),
		PaidThroughBank: r.PaidThroughBank, PaidFromIBAN: r.PaidFromIBAN,
		State: r.state, Refundable: true,
	}
	if r.Variant.AR != "" || r.Variant.EN != "" {
		item.Variant = &nameItem{r.Variant.AR, r.Variant.EN}
	}
	if no := r.refuse(asker, r.Amount); no != nil {
		item.Refundable, item.Reason = false, &no.Code
	}
	return item
}

// listPage is how many refunds GET /refunds answers at once.
const listPage = 100

// list returns a page of the bank's refunds by time of last change, from ≤ at <
// to, starting at the given place of the calendar, and the place to go on from
// (-1 at the end). A refund that changes meanwhile moves to the end: it may be
// seen twice, never missed.
func (b *book) list(bank string, from, to time.Time, place int) (page []refund, next int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	start := max(place, b.since(from))
	for i := start; i < len(b.changes); i++ {
		c := b.changes[i]
		if !to.IsZero() && !c.at.Before(to) {
			break
		}
		if f := c.refund; f.bank == bank && f.state == c.state && f.at.Equal(c.at) {
			if len(page) == listPage {
				return page, i
			}
			page = append(page, *f)
		}
	}
	return page, -1
}

// since is the place of the first change at t or later.
func (b *book) since(t time.Time) int {
	return sort.Search(len(b.changes), func(i int) bool { return !b.changes[i].at.Before(t) })
}

// riyadh is UTC+3 all year.
var riyadh = time.FixedZone("Asia/Riyadh", 3*60*60)

// settlement is the file of a day in Riyadh: one line per refund of the bank
// that ended that day, with the last state that the day gave it. A refund that
// is returned on a later day stays "refunded" in the earlier file.
func (b *book) settlement(bank string, day time.Time) string {
	var text strings.Builder
	file := csv.NewWriter(&text)
	line := func(fields ...string) { _ = file.Write(fields) } // a Builder takes everything
	line("reference", "core_reference", "request_id", "amount", "iban", "state", "at")
	var count, sum int64
	for _, c := range b.endedOn(bank, day) {
		f := c.refund
		line(f.Reference, f.coreRef, f.RequestID, strconv.FormatInt(f.Amount, 10), f.IBAN, c.state, wireTime(c.at))
		count, sum = count+1, sum+f.Amount
	}
	line("T", strconv.FormatInt(count, 10), strconv.FormatInt(sum, 10))
	file.Flush()
	return text.String()
}

func (b *book) endedOn(bank string, day time.Time) []change {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ended []change
	line := make(map[*refund]int)
	for _, c := range b.changes[b.since(day):b.since(day.AddDate(0, 0, 1))] {
		if c.state == statePending || c.refund.bank != bank {
			continue
		}
		if at, seen := line[c.refund]; seen {
			ended[at] = c
			continue
		}
		line[c.refund] = len(ended)
		ended = append(ended, c)
	}
	return ended
}

// wireTime is RFC 3339 in UTC.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
