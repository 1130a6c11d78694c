package sandbox

import (
	"fmt"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// payMax is how many fees are paid by one call.
const payMax = 1000

// usualFee is what is paid for when nothing else is asked for: an iqama renewal of 163.00.
const usualFee = "iqama-quarter"

// pay has somebody pay fees, as one does who has none left to ask back. They are there until the next reset.
func (w *World) pay(r *http.Request) (any, error) {
	var ask struct {
		User  string `json:"user"`
		Count int    `json:"count"`
		Fee   string `json:"fee"` // an ID of GET /core/fees; empty: usualFee
	}
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	if ask.Count < 1 || ask.Count > payMax {
		return nil, badRequest{fmt.Errorf("count is 1 to %d", payMax)}
	}
	if ask.Fee == "" {
		ask.Fee = usualFee
	}
	fee, known := sandboxseed.FeeOf(ask.Fee, time.Now())
	if !known {
		return nil, badRequest{fmt.Errorf("no fee %q", ask.Fee)}
	}
	paid, err := w.Pay(ask.User, fee, ask.Count)
	return items(paid), err
}

// Pay has a customer pay fees, one after the other.
func (w *World) Pay(user string, fee sandboxseed.Fee, count int) ([]PersonRequest, error) {
	for _, p := range w.seed.People {
		if p.User != user || p.Role != sandboxseed.RoleCustomer {
			continue
		}
		w.paying.Lock() // or two would take the same number
		defer w.paying.Unlock()
		taken := map[string]bool{}
		for _, r := range w.core.Requests() {
			taken[r.ID] = true
		}
		var fees []sandboxseed.Request
		for now, n := time.Now(), 1; len(fees) < count; n++ {
			at := now.Add(time.Duration(len(fees)) * time.Microsecond) // one after the other
			if paid := sandboxseed.Payment(p, n, fee, at); !taken[paid.ID] {
				fees = append(fees, paid)
			}
		}
		if err := w.core.Pay(fees...); err != nil {
			return nil, err
		}
		var paid []PersonRequest
		for _, fee := range fees {
			paid = append(paid, shown(fee))
		}
		return paid, nil
	}
	return nil, errNobody
}

// shown is a request as people see it behind the scenes.
func shown(r sandboxseed.Request) PersonRequest {
	return PersonRequest{
		RequestID: r.ID, Service: r.Service, Amount: amount{money.Amount(r.Amount).String(), money.Currency},
		Beneficiary: party{saudi.Kind(r.BeneficiaryKind), r.BeneficiaryNumber}, State: r.State,
	}
}
