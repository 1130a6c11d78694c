package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxjson"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// control is the listener on which tests and people look behind the scenes (api.md, "The sandbox").
func (w *World) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/phone/", w.phone.Handler())
	for pattern, handle := range map[string]func(*http.Request) (any, error){
		"GET /people":           w.people,
		"POST /reset":           func(r *http.Request) (any, error) { return nil, w.Reset(r.Context()) },
		"POST /forgive":         w.forgive,
		"GET /faults":           func(*http.Request) (any, error) { return items(w.board.Active()), nil },
		"GET /faults/kinds":     w.kinds,
		"PUT /faults":           w.switchOn(w.board.Set),
		"POST /faults":          w.switchOn(w.board.Add),
		"DELETE /faults":        func(*http.Request) (any, error) { w.board.Clear(); return nil, nil },
		"GET /maintenance":      func(*http.Request) (any, error) { return items(w.board.Windows()), nil },
		"PUT /maintenance":      w.setWindows,
		"DELETE /maintenance":   func(*http.Request) (any, error) { return nil, w.board.SetWindows(nil) },
		"GET /core/history":     w.history,
		"GET /core/truth":       func(*http.Request) (any, error) { return items(w.core.Truth()), nil },
		"GET /portal/captcha":   w.captcha,
		"GET /referee":          func(r *http.Request) (any, error) { return w.Referee(r.Context()) },
		"POST /referee/answers": w.hear,
		"POST /core/payments":   w.pay,
		"GET /core/rules":       func(*http.Request) (any, error) { return items(sandboxseed.Rules(time.Now())), nil },
		"GET /core/fees":        func(*http.Request) (any, error) { return items(sandboxseed.Fees(time.Now())), nil },
	} {
		mux.HandleFunc(pattern, answering(handle))
	}
	return stamped(mux)
}

// stamped marks every answer as a stand-in's, so that no production gateway takes it for the real thing.
func stamped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		next.ServeHTTP(w, r)
	})
}

// badRequest is the caller's doing; its words are shown.
type badRequest struct{ error }

var (
	errNobody    = errors.New("no such person")
	errNoCaptcha = errors.New("no such picture code: it was used, is over, or never was")
)

// answering turns a function into a handler: what it returns as JSON, nothing as 204, badRequest as 400.
func answering(handle func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := handle(r)
		var bad badRequest
		switch {
		case errors.Is(err, errNobody), errors.Is(err, errNoCaptcha):
			writeJSON(w, http.StatusNotFound, problem{"not_found", err.Error()})
		case errors.As(err, &bad):
			writeJSON(w, http.StatusBadRequest, problem{"malformed_request", err.Error()})
		case err != nil:
			writeJSON(w, http.StatusInternalServerError, problem{"internal", err.Error()})
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, http.StatusOK, answer)
		}
	}
}

type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

const controlBodyMax = 4 << 20 // a test hands in thousands of answers at once

func readJSON(r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, controlBodyMax))
	if err == nil {
		err = sandboxjson.Read(body, v)
	}
	if err != nil {
		return badRequest{err}
	}
	return nil
}

type list[T any] struct {
	Items []T `json:"items"`
}

func items[T any](ts []T) list[T] {
	if ts == nil {
		ts = []T{}
	}
	return list[T]{ts}
}

// setWindows hands a list to the board, which refuses it whole or not at all.
func (w *World) setWindows(r *http.Request) (any, error) {
	var windows []sandboxfault.Window
	if err := readJSON(r, &windows); err != nil {
		return nil, err
	}
	if err := w.board.SetWindows(windows); err != nil {
		return nil, badRequest{err}
	}
	return nil, nil
}

func (w *World) history(r *http.Request) (any, error) {
	return items(w.core.History(r.URL.Query().Get("reference"))), nil
}

// captcha is what a picture of the portal says: a test can't see it.
func (w *World) captcha(r *http.Request) (any, error) {
	code, found := w.portal.Captcha(r.URL.Query().Get("id"))
	if !found {
		return nil, errNoCaptcha
	}
	return map[string]string{"captcha": code}, nil
}

func (w *World) hear(r *http.Request) (any, error) {
	var told list[Answer]
	if err := readJSON(r, &told); err != nil {
		return nil, err
	}
	for _, a := range told.Items {
		if err := a.check(); err != nil {
			return nil, badRequest{err}
		}
	}
	return nil, w.referee.hear(told.Items...)
}

func (w *World) forgive(r *http.Request) (any, error) {
	var who struct {
		User string `json:"user"`
	}
	if err := readJSON(r, &who); err != nil {
		return nil, err
	}
	for _, p := range w.seed.People {
		if p.User == who.User {
			return nil, w.Forgive(r.Context(), p.CustomerID)
		}
	}
	return nil, errNobody
}

// Person is somebody one can sign in as, unmasked: the sandbox holds nobody real.
type Person struct {
	User     string           `json:"user"`
	Role     string           `json:"role"`
	Name     sandboxseed.Name `json:"name"`
	IDNumber string           `json:"id_number"`
	Mobile   string           `json:"mobile"`
	Employee string           `json:"employee"` // of staff
	Branch   string           `json:"branch"`
	Accounts []PersonAccount  `json:"accounts"`
	Requests []PersonRequest  `json:"requests"`
}

// PersonAccount is an account of a Person.
type PersonAccount struct {
	AccountNumber string `json:"account_number"`
	IBAN          string `json:"iban"`
	Status        string `json:"status"`
}

// PersonRequest is a request that a Person paid for or benefits from, as the core's book has it now.
type PersonRequest struct {
	RequestID   string `json:"request_id"`
	Service     string `json:"service"`
	Amount      amount `json:"amount"`
	Beneficiary party  `json:"beneficiary"`
	State       string `json:"state"`
}

type amount struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

type party struct {
	Kind   saudi.Kind `json:"kind"`
	Number string     `json:"number"`
}

func (w *World) people(*http.Request) (any, error) { return items(w.People()), nil }

// People lists everybody one can sign in as.
func (w *World) People() []Person {
	of := map[string][]PersonRequest{}
	for _, r := range w.core.Requests() {
		of[r.PayerNumber] = append(of[r.PayerNumber], shown(r))
		if r.BeneficiaryNumber != r.PayerNumber {
			of[r.BeneficiaryNumber] = append(of[r.BeneficiaryNumber], shown(r))
		}
	}
	people := make([]Person, 0, len(w.seed.People))
	for _, p := range w.seed.People {
		person := Person{
			User: p.User, Role: p.Role, Name: p.Name, IDNumber: p.IDNumber, Mobile: p.Mobile,
			Employee: p.Employee, Branch: p.Branch, Accounts: []PersonAccount{}, Requests: items(of[p.IDNumber]).Items,
		}
		for _, a := range p.Accounts {
			person.Accounts = append(person.Accounts, PersonAccount{a.Number, a.IBAN, a.Status})
		}
		people = append(people, person)
	}
	return people
}

// readBooks reads them in the order in which things happen the other way round: a credit comes after its release.
func (w *World) readBooks() books {
	credits := w.bank.Credits()
	return books{w.core.Truth(), credits}
}

// Referee judges what happened since the start or the last reset.
func (w *World) Referee(ctx context.Context) (Verdict, error) {
	return w.referee.judge(ctx, w.book, w.readBooks)
}
