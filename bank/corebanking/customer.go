package corebanking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// customerAnswer is the body of GET /customers/{customer_id} and POST /customers/search. Pointers tell what is missing
// from what is false or none.
type customerAnswer struct {
	CustomerID string `json:"customer_id"`
	Name       text   `json:"name"`
	ID         struct {
		Kind   saudi.Kind `json:"kind"`
		Number string     `json:"number"`
	} `json:"id"`
	IDExpired       *bool           `json:"id_expired"`
	Mobile          *string         `json:"mobile"`            // null: none
	MobileChangedAt *time.Time      `json:"mobile_changed_at"` // null: not on record
	Language        otp.Language    `json:"language"`
	Accounts        []accountAnswer `json:"accounts"`
}

type accountAnswer struct {
	AccountID string             `json:"account_id"`
	IBAN      string             `json:"iban"`
	Label     text               `json:"label"`
	Currency  string             `json:"currency"`
	Status    bank.AccountStatus `json:"status"`
}

// Customer returns the bank's record of a customer, or bank.ErrNotFound. Any other error means that the bank couldn't
// be asked or couldn't be believed; a record is believed whole or not at all.
func (c *Client) Customer(ctx context.Context, id string) (customer bank.Customer, err error) {
	defer func(began time.Time) { c.observe(callCustomer, outcomeOf(gateway.Posting{}, err), time.Since(began)) }(time.Now())
	name, err := segment(id)
	if err != nil {
		return bank.Customer{}, fmt.Errorf("corebanking: customer: %w", bank.ErrNotFound) // nobody can have it
	}
	return c.believe(ctx, callCustomer, http.MethodGet, "/customers/"+name, nil,
		func(r customerAnswer) bool { return r.CustomerID == id })
}

// Find returns the bank's record of the customer who has this national ID or iqama, as Customer does.
func (c *Client) Find(ctx context.Context, identity saudi.Party) (customer bank.Customer, err error) {
	defer func(began time.Time) { c.observe(callSearch, outcomeOf(gateway.Posting{}, err), time.Since(began)) }(time.Now())
	search := map[string]string{"id_number": identity.Number()}
	return c.believe(ctx, callSearch, http.MethodPost, "/customers/search", search,
		func(r customerAnswer) bool {
			return printable(r.CustomerID) && r.ID.Kind == identity.Kind() && r.ID.Number == identity.Number()
		})
}

// believe asks for a customer and believes what comes if it is the one who was meant.
func (c *Client) believe(
	ctx context.Context, name, method, path string, body any, meant func(customerAnswer) bool,
) (bank.Customer, error) {
	var record customerAnswer
	if err := c.record(ctx, name, method, path, body, &record); err != nil {
		return bank.Customer{}, err
	}
	if !meant(record) {
		return bank.Customer{}, fmt.Errorf("corebanking: %s: %w", name, unknown(causeMismatch))
	}
	customer, err := record.customer()
	if err != nil {
		return bank.Customer{}, fmt.Errorf("corebanking: %s: %w: %w", name, unknown(causeUndocumented), err)
	}
	return customer, nil
}

// record asks for somebody's record and reads it, or returns bank.ErrNotFound.
func (c *Client) record(ctx context.Context, name, method, path string, body, into any) error {
	a, err := c.call(ctx, name, method, path, body)
	switch {
	case err != nil:
	case a.status == http.StatusNotFound:
		err = bank.ErrNotFound
	case a.status != http.StatusOK:
		err = unknown(causeUndocumented)
	case decode(a.body, into) != nil:
		err = unknown(causeMalformed)
	}
	if err != nil {
		return fmt.Errorf("corebanking: %s: %w", name, err)
	}
	return nil
}

// Recipient says where the customer's messages go, as the bank knows it now. Whoever is no customer any more has no
// mobile.
func (c *Client) Recipient(ctx context.Context, customer string) (saudi.Mobile, otp.Language, error) {
	record, err := c.Customer(ctx, customer)
	if errors.Is(err, bank.ErrNotFound) {
		return saudi.Mobile{}, otp.Arabic, nil
	}
	return record.Mobile, record.Language, err
}

func (r customerAnswer) customer() (bank.Customer, error) {
	identity, err := saudi.NewParty(r.ID.Kind, r.ID.Number)
	switch {
	case err != nil || r.ID.Kind != saudi.KindNationalID && r.ID.Kind != saudi.KindIqama:
		return bank.Customer{}, errors.New("the id is not a person's")
	case r.IDExpired == nil:
		return bank.Customer{}, errors.New("it isn't said whether the id is expired")
	case r.Language != otp.Arabic && r.Language != otp.English:
		return bank.Customer{}, errors.New("the language is neither ar nor en")
	case r.Accounts == nil:
		return bank.Customer{}, errors.New("there is no list of accounts")
	}
	customer := bank.Customer{
		ID: r.CustomerID, Name: moi.Name(r.Name), Identity: identity, IdentityExpired: *r.IDExpired, Language: r.Language,
	}
	if r.Mobile != nil {
		customer.Mobile, err = saudi.ParseMobile(*r.Mobile)
		if err != nil || customer.Mobile.E164() != *r.Mobile {
			return bank.Customer{}, errors.New("the mobile is none in E.164")
		}
	}
	if r.MobileChangedAt != nil {
		customer.MobileChangedAt = r.MobileChangedAt.UTC()
	}
	for _, a := range r.Accounts {
		account, err := a.account()
		if err != nil {
			return bank.Customer{}, err
		}
		customer.Accounts = append(customer.Accounts, account)
	}
	return customer, nil
}

func (a accountAnswer) account() (bank.Account, error) {
	iban, err := saudi.ParseIBAN(a.IBAN)
	switch {
	case err != nil || iban.Compact() != a.IBAN:
		return bank.Account{}, errors.New("an account has no compact IBAN")
	case !printable(a.AccountID):
		return bank.Account{}, errors.New("an account has no id")
	case a.Currency == "":
		return bank.Account{}, errors.New("an account has no currency")
	}
	switch a.Status {
	case bank.AccountActive, bank.AccountClosed, bank.AccountFrozen:
	default:
		return bank.Account{}, errors.New("an account has none of the statuses")
	}
	return bank.Account{
		ID: a.AccountID, IBAN: iban, Label: moi.Name(a.Label), Currency: a.Currency, Status: a.Status,
	}, nil
}
