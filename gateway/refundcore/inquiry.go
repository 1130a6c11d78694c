package refundcore

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	searchLimitMax = 500 // the protocol's
	// cursorBytesMax is ours. A cursor travels on to customers sealed (at most 61 bytes more) and in base64, and the API
	// takes at most 1024 characters back.
	cursorBytesMax = 512
)

// Search is part of [bank.Inquiries]. An answer in which anything can't be read or doesn't belong to the party is
// believed in nothing: a list with holes would tell a customer that a fee isn't there.
//
// A request id comes as somebody typed it. An answer has none but plain ones, so any other finds nothing, and the core
// isn't asked.
func (c *Client) Search(ctx context.Context, s bank.Search) (requests []bank.PaidRequest, next string, err error) {
	if !printable(s.Cursor) || len(s.Cursor) > cursorBytesMax {
		return nil, "", bank.ErrCursor
	}
	if s.RequestID != "" && !plain(s.RequestID) {
		return nil, "", nil
	}
	body, err := json.Marshal(searchRequest{
		Identifier: newPartyWire(s.Party), Service: s.Service, RequestID: s.RequestID,
		Limit: min(s.Limit, searchLimitMax), Cursor: s.Cursor,
	})
	if err != nil {
		return nil, "", unavailable(err)
	}
	out := outgoing{call: "search", method: http.MethodPost, path: basePath + "/requests/search", body: body}
	err = c.call(ctx, c.inquiry, out, "", func(f facts) error {
		var err error
		requests, next, err = readSearch(s, f)
		return err
	})
	return requests, next, unavailable(err)
}

func readSearch(s bank.Search, f facts) ([]bank.PaidRequest, string, error) {
	if err := believe(f); err != nil {
		return nil, "", err
	}
	refusal := f.Status == http.StatusBadRequest || f.Status == http.StatusUnprocessableEntity
	switch {
	case refusal && s.Cursor != "":
		// Party and service have been held to their forms by the caller, and a request id in Search. All that is known
		// of a cursor is that it was given out once, and the core need not take one back for ever.
		return nil, "", bank.ErrCursor
	case f.Status != http.StatusOK:
		return nil, "", unknown(causeStatus, nil)
	}
	body, err := parseObject(f.Body)
	if err != nil {
		return nil, "", unknown(causeMalformed, err)
	}
	r := &reader{object: body}
	items, next := r.list("items"), r.optional("next_cursor")
	if r.err != nil || !printable(next) || len(next) > cursorBytesMax || (s.Limit > 0 && len(items) > s.Limit) {
		return nil, "", unknown(causeMalformed, errMalformed)
	}
	requests := make([]bank.PaidRequest, 0, len(items))
	for _, item := range items {
		request, err := readPaidRequest(item)
		if err != nil {
			return nil, "", unknown(causeMalformed, err)
		}
		if !matches(request, s) {
			return nil, "", unknown(causeMismatch, nil)
		}
		requests = append(requests, request)
	}
	return requests, next, nil
}

// matches reports whether the request was asked for. Nobody is shown what an answer to somebody else holds.
func matches(request bank.PaidRequest, s bank.Search) bool {
	return (request.Payer == s.Party || request.Beneficiary == s.Party) &&
		(s.Service == "" || request.Service == s.Service) &&
		(s.RequestID == "" || request.RequestID == s.RequestID)
}

func readPaidRequest(item object) (bank.PaidRequest, error) {
	r := &reader{object: item}
	service, err := moi.ParseCode(r.text("service"))
	if err != nil {
		return bank.PaidRequest{}, errMalformed
	}
	name, named := r.name("variant")
	if !named {
		name = genericName(service)
	}
	request := bank.PaidRequest{
		Payment: gateway.Payment{
			RequestID: r.text("request_id"), Service: service, Name: name, Amount: r.amount("amount"),
			Payer: r.party("payer"), Beneficiary: r.party("beneficiary"),
		},
		PaidAt:   r.instant("paid_at").UTC(),
		PaidBank: r.text("paid_through_bank"),
		PaidFrom: r.iban("paid_from_iban"),
		State:    bank.RequestState(r.text("state")),
	}
	reason, refundable := r.optional("reason"), r.flag("refundable")
	if r.err != nil || !plain(request.RequestID) || len(request.PaidBank) != 2 || request.Amount == 0 {
		return bank.PaidRequest{}, errMalformed
	}
	request.Refusal, err = refusalOf(request.State, refundable, reason)
	return request, err
}

// genericName is the catalogue's; of a service that is newer than the catalogue the code must do.
func genericName(service string) moi.Name {
	if known, ok := moi.Lookup(service); ok {
		return known.Name
	}
	return moi.Name{AR: service, EN: service}
}

// refusalOf says why a request can't come back. Where the core's fields disagree, the one that says no holds.
func refusalOf(state bank.RequestState, refundable bool, reason string) (bank.Reason, error) {
	if reason != "" && !documentedCode(reason) {
		return "", errMalformed
	}
	var byState bank.Reason
	switch state {
	case bank.RequestAvailable:
	case bank.RequestConsumed:
		byState = bank.FeeConsumed
	case bank.RequestRefunding, bank.RequestRefunded:
		byState = bank.AlreadyRefunded
	default:
		return "", errMalformed
	}
	switch {
	case reason != "":
		return bank.Reason(reason), nil
	case byState == "" && !refundable:
		return "", errMalformed // a no without a why, which no customer can be told
	default:
		return byState, nil
	}
}

// Balances is part of [bank.Inquiries]. Its only error is bank.ErrCoreUnavailable. A total that isn't the sum of its
// buckets, or a bucket that nobody has heard of, is an answer that isn't believed.
func (c *Client) Balances(ctx context.Context, identifier, payer saudi.Party) (balance bank.Balance, err error) {
	ask := balanceRequest{Identifier: newPartyWire(identifier)}
	if !payer.IsZero() {
		ask.As = &asWire{newPartyWire(payer)}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return bank.Balance{}, unavailable(err)
	}
	out := outgoing{call: "balance", method: http.MethodPost, path: basePath + "/balances", body: body}
	err = c.call(ctx, c.inquiry, out, "", func(f facts) error {
		var err error
		balance, err = readBalance(f)
		return err
	})
	return balance, unavailable(err)
}

func readBalance(f facts) (bank.Balance, error) {
	if err := believe(f); err != nil {
		return bank.Balance{}, err
	}
	if f.Status != http.StatusOK {
		return bank.Balance{}, unknown(causeStatus, nil)
	}
	body, err := parseObject(f.Body)
	if err != nil {
		return bank.Balance{}, unknown(causeMalformed, err)
	}
	r := &reader{object: body}
	lines, total := r.list("buckets"), r.amount("total")
	sums := map[string]money.Amount{}
	var sum money.Amount
	for _, line := range lines {
		entry := &reader{object: line}
		id, amount := entry.text("bucket"), entry.amount("amount")
		if _, twice := sums[id]; twice || entry.err != nil || amount > total-sum {
			return bank.Balance{}, unknown(causeMalformed, errMalformed)
		}
		sums[id] = amount
		sum += amount
	}
	if r.err != nil || sum != total {
		return bank.Balance{}, unknown(causeMalformed, errMalformed)
	}
	balance := bank.Balance{Total: total}
	for _, bucket := range moi.Buckets() {
		balance.Buckets = append(balance.Buckets, bank.BucketSum{Bucket: bucket, Amount: sums[bucket.ID]})
		delete(sums, bucket.ID)
	}
	if len(sums) > 0 {
		return bank.Balance{}, unknown(causeMalformed, errors.New("undocumented bucket"))
	}
	return balance, nil
}

// printable reports whether s is visible ASCII, or empty.
func printable(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return c <= ' ' || c > '~' })
}
