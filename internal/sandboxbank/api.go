package sandboxbank

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// routeAPI: the calls under /bank/v1. In production they are behind TLS client
// certificates; here the loopback address is the fence.
func (b *Bank) routeAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /bank/v1/customers/{id}", b.getCustomer)
	mux.HandleFunc("POST /bank/v1/customers/search", b.searchCustomer)
	mux.HandleFunc("GET /bank/v1/staff/{employee}", b.getStaff)
	mux.HandleFunc("POST /bank/v1/credits", b.postCredit)
	mux.HandleFunc("GET /bank/v1/credits/{reference}", b.getCredit)
}

type identifier struct {
	Kind   string `json:"kind"`
	Number string `json:"number"`
}

type customerBody struct {
	CustomerID      string           `json:"customer_id"`
	Name            sandboxseed.Name `json:"name"`
	ID              identifier       `json:"id"`
	IDExpired       bool             `json:"id_expired"`
	Mobile          *string          `json:"mobile"`
	MobileChangedAt *time.Time       `json:"mobile_changed_at"` // null: nobody in the sandbox changed theirs
	Language        string           `json:"language"`
	Accounts        []accountBody    `json:"accounts"`
}

type accountBody struct {
	AccountID string           `json:"account_id"`
	IBAN      string           `json:"iban"`
	Label     sandboxseed.Name `json:"label"`
	Currency  string           `json:"currency"`
	Status    string           `json:"status"`
}

type staffBody struct {
	Employee  string           `json:"employee"`
	Name      sandboxseed.Name `json:"name"`
	Branch    string           `json:"branch"`
	OwnIDs    []string         `json:"own_ids"`
	Relatives []string         `json:"relatives"`
}

func (b *Bank) getCustomer(w http.ResponseWriter, r *http.Request) {
	p, ok := b.people.customer(r.PathValue("id"))
	b.underFaults(w, r, sandboxfault.CallCustomer, p.User, func() reply { return b.customer(p, ok) })
}

func (b *Bank) searchCustomer(w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDNumber string `json:"id_number"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if _, err := saudi.ParsePerson(in.IDNumber); err != nil {
		send(w, malformed)
		return
	}
	p, ok := b.people.byID[in.IDNumber]
	b.underFaults(w, r, sandboxfault.CallCustomer, p.User, func() reply { return b.customer(p, ok) })
}

func (b *Bank) customer(p sandboxseed.Person, found bool) reply {
	if !found {
		return refusal(http.StatusNotFound, "not_found")
	}
	body := customerBody{
		CustomerID: p.CustomerID, Name: p.Name, ID: identifier{p.IDKind, p.IDNumber}, IDExpired: p.IDExpired,
		Language: p.Language, Accounts: make([]accountBody, 0, len(p.Accounts)),
	}
	if p.Mobile != "" {
		body.Mobile = &p.Mobile
	}
	for _, a := range p.Accounts {
		body.Accounts = append(body.Accounts, accountBody{a.AccountID, a.IBAN, a.Label, "SAR", b.status(a)})
	}
	return reply{http.StatusOK, body}
}

func (b *Bank) getStaff(w http.ResponseWriter, r *http.Request) {
	p, ok := b.people.byEmployee[r.PathValue("employee")]
	b.underFaults(w, r, sandboxfault.CallCustomer, p.User, func() reply {
		if !ok {
			return refusal(http.StatusNotFound, "not_found")
		}
		return reply{http.StatusOK, staffBody{
			Employee: p.Employee, Name: p.Name, Branch: p.Branch,
			OwnIDs: append([]string{}, p.OwnIDs...), Relatives: append([]string{}, p.Relatives...),
		}}
	})
}

// creditBody is an outcome on record; which fields it has is its state's.
type creditBody struct {
	Reference string     `json:"reference"`
	IBAN      string     `json:"iban"`
	Amount    int64      `json:"amount"`
	State     string     `json:"state"`
	PostedAt  *time.Time `json:"posted_at,omitempty"`
	LedgerID  string     `json:"ledger_id,omitempty"`
	Code      string     `json:"code,omitempty"`
	Final     bool       `json:"final,omitempty"`
}

func (e entry) body() creditBody {
	c := creditBody{Reference: e.Reference, IBAN: e.IBAN, Amount: e.Amount, State: e.State}
	if e.State == statePosted {
		c.PostedAt, c.LedgerID = &e.At, e.LedgerID
	} else {
		c.Code, c.Final = e.Code, true
	}
	return c
}

type referenceRefusal struct {
	Reference string `json:"reference"`
	Code      string `json:"code"`
}

// creditRequest is the body of POST /credits.
type creditRequest struct {
	Reference string           `json:"reference"`
	IBAN      string           `json:"iban"`
	Amount    int64            `json:"amount"`
	Narrative sandboxseed.Name `json:"narrative"`
}

// core-protocol.md "The reference": RF and 16 characters of Crockford's base32.
var referenceShape = regexp.MustCompile(`^RF[0-9A-HJKMNP-TV-Z]{16}$`)

func (c creditRequest) valid() bool {
	iban, err := saudi.ParseIBAN(c.IBAN)
	return err == nil && iban.Compact() == c.IBAN &&
		referenceShape.MatchString(c.Reference) && c.Amount > 0 &&
		strings.TrimSpace(c.Narrative.AR) != "" && strings.TrimSpace(c.Narrative.EN) != ""
}

func (b *Bank) postCredit(w http.ResponseWriter, r *http.Request) {
	var in creditRequest
	if !readJSON(w, r, &in) {
		return
	}
	if !in.valid() {
		send(w, malformed)
		return
	}
	to, ours := b.people.byIBAN[in.IBAN]
	b.underFaults(w, r, sandboxfault.CallCredit, to.user, func() reply {
		if !ours {
			return b.creditElsewhere(in)
		}
		return b.credit(in, to.account)
	})
}

func (b *Bank) credit(in creditRequest, to sandboxseed.Account) reply {
	e, first, err := b.ledger.post(in.Reference, in.IBAN, in.Amount, refusalOf(b.status(to)))
	switch {
	case errors.Is(err, errReused):
		return reply{http.StatusConflict, referenceRefusal{in.Reference, "reference_reused"}}
	case err != nil:
		return unavailable
	case e.State == stateRefused:
		return reply{http.StatusConflict, e.body()}
	case first:
		return reply{http.StatusCreated, e.body()}
	default:
		return reply{http.StatusOK, e.body()}
	}
}

// creditElsewhere: an IBAN that is not an account of this bank. The protocol has
// no final refusal for it, so none is invented and none put on record: for the
// caller it is an outcome to be asked about.
func (b *Bank) creditElsewhere(in creditRequest) reply {
	if _, err := b.ledger.find(in.Reference); !errors.Is(err, errUnknown) {
		return reply{http.StatusConflict, referenceRefusal{in.Reference, "reference_reused"}}
	}
	return reply{http.StatusUnprocessableEntity, referenceRefusal{in.Reference, "unknown_account"}}
}

// refusalOf is why an account of that status takes no credit; empty if it does.
func refusalOf(status string) string {
	switch status {
	case sandboxseed.AccountClosed:
		return "account_closed"
	case sandboxseed.AccountFrozen:
		return "account_frozen"
	}
	return ""
}

func (b *Bank) getCredit(w http.ResponseWriter, r *http.Request) {
	reference := r.PathValue("reference")
	e, err := b.ledger.find(reference)
	b.underFaults(w, r, sandboxfault.CallCredit, b.people.byIBAN[e.IBAN].user, func() reply {
		switch {
		case errors.Is(err, errUnknown):
			return reply{http.StatusNotFound, referenceRefusal{reference, "unknown_reference"}}
		case err != nil:
			return unavailable
		}
		return reply{http.StatusOK, e.body()}
	})
}
