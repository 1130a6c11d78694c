package banktest

import (
	"net/http"
	"sync"
)

// Password is everybody's.
const Password = "istirdad"

// Person is somebody one can sign in as, unmasked: a world holds nobody real.
type Person struct {
	User     string    `json:"user"`
	Role     string    `json:"role"` // customer, teller, approver or operator
	Name     Text      `json:"name"`
	IDNumber string    `json:"id_number"` // national ID or iqama number
	Mobile   string    `json:"mobile"`    // E.164; empty: none
	Employee string    `json:"employee"`  // of staff
	Branch   string    `json:"branch"`
	Accounts []Account `json:"accounts"`
	Requests []Request `json:"requests"`
}

// Text is what people read, in both languages.
type Text struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}

// Account is an account of a [Person].
type Account struct {
	AccountNumber string `json:"account_number"` // the bank's own fifteen digits
	IBAN          string `json:"iban"`
	Status        string `json:"status"` // active, closed or frozen
}

// Request is a request that a [Person] paid for or benefits from, as the government's book has it now.
type Request struct {
	RequestID   string `json:"request_id"`
	Service     string `json:"service"`
	Amount      Money  `json:"amount"`
	Beneficiary Party  `json:"beneficiary"`
	State       string `json:"state"` // available, consumed, refunding or refunded
}

// Party is whom a request is for.
type Party struct {
	Kind   string `json:"kind"` // national_id, iqama, border, establishment or vehicle
	Number string `json:"number"`
}

// Money is an amount as the API writes it: "650.00", "SAR".
type Money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// People are all whom one can sign in as, with their requests as the government's book has them now.
func (w *World) People() []Person {
	w.t.Helper()
	var people list[Person]
	w.control(http.MethodGet, "/people", nil, &people)
	w.known.remember(people.Items)
	return people.Items
}

// acquaintances are the people of a world once they have been asked for: of a large crowd it is a long list. Nothing of
// a person but their requests ever changes.
type acquaintances struct {
	mu     sync.Mutex
	people map[string]Person
}

func (a *acquaintances) remember(people []Person) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.people = make(map[string]Person, len(people))
	for _, p := range people {
		a.people[p.User] = p
	}
}

func (a *acquaintances) find(user string) (Person, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, found := a.people[user]
	return p, found
}

// person is somebody, with the requests of when people were last asked for.
func (w *World) person(user string) Person {
	w.t.Helper()
	if p, found := w.known.find(user); found {
		return p
	}
	w.People()
	p, found := w.known.find(user)
	if !found {
		w.t.Fatalf("nobody is called %q: GET %s/people lists everybody", user, w.urls.Control)
	}
	return p
}
