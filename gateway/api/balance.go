package api

import (
	"context"
	"net/http"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
)

type balanceInput struct {
	Body struct {
		IDNumber string `json:"id_number" maxLength:"128" doc:"A national ID, iqama, border or establishment number, as typed." example:"2900000015"`
	}
}

// Balance is what is left unused under a number.
type Balance struct {
	ID      Party    `json:"id" doc:"The number that was asked about."`
	Buckets []Bucket `json:"buckets" nullable:"false" minItems:"6" maxItems:"6" doc:"All six, in this order, zeros too."`
	Total   Money    `json:"total" doc:"The sum of the buckets."`
}

// Bucket is one of the sums that a balance is divided into.
type Bucket struct {
	Bucket string `json:"bucket" enum:"passports,sponsorees,vehicles,driving_license,labour,civil" doc:"The ministry's own word."`
	Name   Text   `json:"name" doc:"What the customer reads."`
	Amount Money  `json:"amount" doc:"That is left unused in it."`
}

func balanceOf(party saudi.Party, b bank.Balance) Balance {
	out := Balance{ID: partyOf(party), Total: moneyOf(b.Total)}
	for _, sum := range b.Buckets {
		out.Buckets = append(out.Buckets, Bucket{sum.Bucket.ID, Text(sum.Bucket.Name), moneyOf(sum.Amount)})
	}
	return out
}

// sampleBalance has everything in the first bucket.
func sampleBalance(id Party, amount Money) Balance {
	b := Balance{ID: id, Total: amount}
	for _, bucket := range moi.Buckets() {
		b.Buckets = append(b.Buckets, Bucket{bucket.ID, Text(bucket.Name), moneyOf(0)})
	}
	b.Buckets[0].Amount = amount
	return b
}

// inquireBalance is the inquiry by number: everything under the caller's own, and under another what the caller paid for it.
func (s *server) inquireBalance() {
	route(s, op("inquire-balance", http.MethodPost, "/v1/balance-inquiries", "What is left unused under a number", "Payments").
		says("What waits at the ministry under a national ID, iqama, border or establishment number, by bucket. Under the customer's "+
			"own number that is everything, under another only what the customer paid for it. A number that is nobody's and one "+
			"without a balance are answered alike, by zeros.\n\n"+
			"A caller has 30 inquiries in any hour; what is no number doesn't count.").
		refuses("maintenance step_up_required id_invalid not_found rate_limited core_unavailable").
		shows(
			example{name: "own", summary: "The customer's own number", as: "p03", body: `{"id_number":"2900000015"}`, answer: sampleBalance(sampleProfile.ID, sampleAmount)},
			example{
				name: "paid-for-another", summary: "A number that the customer paid for", as: "p06", body: `{"id_number":"٢٩٠٠٠٠٠٠٣١"}`,
				answer: sampleBalance(Party{"iqama", "2******031"}, Money{"2000.00", "SAR"}),
			},
			example{name: "mistyped", summary: "A digit is wrong", as: "p03", body: `{"id_number":"2900000016"}`, refused: bank.ErrIDInvalid},
		),
		func(ctx context.Context, c bank.Caller, in *balanceInput) (*answer[Balance], error) {
			party, balance, err := s.Path.Balance(ctx, c, in.Body.IDNumber)
			if err != nil {
				return nil, err
			}
			return &answer[Balance]{balanceOf(party, balance)}, nil
		})
}
