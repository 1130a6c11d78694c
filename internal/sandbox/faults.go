package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxjson"
)

// A faultAsked is a fault as it is written. A rate or count of 0, which reads like "never", isn't the same as none, which
// is every time.
type faultAsked struct {
	Kind  string             `json:"kind"`
	Rate  *float64           `json:"rate"`
	Count *int               `json:"count"`
	Match sandboxfault.Match `json:"match"`
}

var errNever = errors.New("a rate or count of 0 never happens: leave the fault out, or, for every time, the rate or count")

func (a faultAsked) fault() (f sandboxfault.Fault, err error) {
	f = sandboxfault.Fault{Kind: a.Kind, Match: a.Match}
	if a.Rate != nil {
		f.Rate = *a.Rate
	}
	if a.Count != nil {
		f.Count = *a.Count
	}
	if a.Rate != nil && f.Rate == 0 || a.Count != nil && f.Count == 0 {
		err = errNever
	}
	return f, err
}

func faultsOf(asked []faultAsked) ([]sandboxfault.Fault, error) {
	faults := make([]sandboxfault.Fault, len(asked))
	for i, a := range asked {
		var err error
		if faults[i], err = a.fault(); err != nil {
			return nil, fmt.Errorf("fault %d: %w", i, err)
		}
	}
	return faults, nil
}

// kinds are all that can go wrong, how often it does so of its own accord, and how often it did.
func (w *World) kinds(*http.Request) (any, error) {
	type kind struct {
		sandboxfault.Kind
		Rate float64 `json:"rate"`
	}
	var kinds []kind
	for _, k := range w.board.Kinds() {
		kinds = append(kinds, kind{k, w.core.Rate(k.Kind)})
	}
	return items(kinds), nil
}

// ReadFaults reads a list of faults as PUT /faults takes it.
func ReadFaults(text []byte) ([]sandboxfault.Fault, error) {
	var asked []faultAsked
	if err := sandboxjson.Read(text, &asked); err != nil {
		return nil, err
	}
	return faultsOf(asked)
}

// switchOn hands a list to the board, which refuses it whole or not at all.
func (w *World) switchOn(board func([]sandboxfault.Fault) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var asked []faultAsked
		if err := readJSON(r, &asked); err != nil {
			return nil, err
		}
		faults, err := faultsOf(asked)
		if err == nil {
			err = w.befall(faults, board)
		}
		if err != nil {
			return nil, badRequest{err}
		}
		return nil, nil
	}
}

// befall refuses faults of people who aren't there: they would never happen, and nobody would be told.
func (w *World) befall(faults []sandboxfault.Fault, board func([]sandboxfault.Fault) error) error {
	users := map[string]bool{"": true}
	for _, p := range w.seed.People {
		users[p.User] = true
	}
	for i, f := range faults {
		if !users[f.Match.User] {
			return fmt.Errorf("fault %d: nobody is called %q", i, f.Match.User)
		}
	}
	return board(faults)
}
