package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/kept"
)

// selectDue locks and reads the oldest due work that nobody else has locked. Each state is asked for by itself, out of
// the queue's index, so that a long queue in one of them isn't read through in search of another; that locks a little
// more than is taken, for as long as the claim lasts. $4 are the refunds that are passed by.
const selectDue = `SELECT ` + columns + ` FROM unnest($1::text[]) AS s(wanted) CROSS JOIN LATERAL (
		SELECT ` + columns + ` FROM refunds WHERE state = s.wanted AND due IS NOT NULL AND due <= $2 AND id <> ALL ($4)
		ORDER BY due, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
	) AS r ORDER BY due, id LIMIT $3`

const (
	// leftFor is how long a refund that a claim had to leave out is passed by. It stays due and the oldest, so otherwise
	// each claim would begin with it, and never get to the others once there are more such than one claim can leave out.
	leftFor = 5 * time.Minute
	// leftMost is how many are remembered: each claim names them to the server.
	leftMost = 1000
)

// spare is how many refunds one claim may have to leave out before it gives up on more.
const spare = 100

// errTook: Take made a change of another refund than it was handed, or of another version of it.
var errTook = errors.New("postgres: a claim took something else than the refund it was handed")

// claiming is one claim as it goes.
type claiming struct {
	dispatch.Claim
	now   time.Time
	past  []string // ids of refunds that earlier claims left out
	left  []string // and of those that this one did
	taken []*change
}

// Claim is as dispatch.Queue says. A refund that Take refuses, or that can't be read or written, is logged and left
// out, for five minutes; the others are claimed all the same. When the answer to the COMMIT is lost, the claim is:
// whatever it took is nobody's until its lease runs out.
func (s *Store) Claim(ctx context.Context, now time.Time, asked dispatch.Claim) ([]gateway.Refund, error) {
	if asked.Limit < 1 || len(asked.States) == 0 {
		return nil, nil
	}
	asked.States = slices.Compact(slices.Sorted(slices.Values(asked.States)))
	past := s.left.IDs(now)
	var c *claiming
	err := s.dispatch.write(ctx, func(ctx context.Context, tx *transaction) error {
		c = &claiming{Claim: asked, now: now, past: past}
		if err := s.take(ctx, tx, c); err != nil || len(c.taken) == 0 {
			return err
		}
		write, err := s.applyAll(c.taken)
		if err != nil {
			return err
		}
		return tx.commit(ctx, write...)
	})
	switch {
	case err == nil:
		return c.claimed(), nil
	case c == nil || len(c.taken) == 0 || !ofOne(err):
		return nil, err
	}
	// The database refused one of them, and with it all: each by itself, then.
	return s.claimSingly(ctx, c)
}

// ofOne reports whether a write failed for what may be one refund's trouble. Not so when it lost to others (class 40),
// when the database lacks something (42, 53), or when it is being stopped or too slow (57): all of them have that.
func ofOne(err error) bool {
	return definite(err) && !slices.Contains([]string{"40", "42", "53", "57"}, class(err))
}

func (c *claiming) claimed() []gateway.Refund {
	claimed := make([]gateway.Refund, 0, len(c.taken))
	for _, t := range c.taken {
		claimed = append(claimed, kept.Refund(t.Refund()))
	}
	return claimed
}

// take fills c.taken up to its limit.
func (s *Store) take(ctx context.Context, tx *transaction, c *claiming) error {
	states := make([]string, len(c.States))
	for i, state := range c.States {
		states[i] = string(state)
	}
	seen := append(append([]string{}, c.past...), c.left...) // never nil, which would be NULL
	for len(c.taken) < c.Limit && len(c.left) < spare {
		var rows []stored
		want := c.Limit - len(c.taken)
		err := tx.send(ctx, statement{query: selectDue, args: []any{states, c.now, want, seen}, read: func(row scanner) error {
			var read stored
			err := read.scan(row)
			rows = append(rows, read)
			return err
		}})
		if err != nil {
			return err
		}
		for _, row := range rows {
			seen = append(seen, row.refund.ID)
			if t, err := s.takeOne(ctx, row, c); err != nil {
				s.leaveOut(ctx, c, row.refund.ID, err)
			} else {
				c.taken = append(c.taken, t)
			}
		}
		if len(rows) < want {
			return nil // that was all
		}
	}
	return nil
}

func (s *Store) takeOne(ctx context.Context, row stored, c *claiming) (*change, error) {
	r, err := s.open(ctx, row)
	if err != nil {
		return nil, err
	}
	made, err := c.Take(r)
	if err != nil {
		return nil, err
	}
	if after := made.Refund(); after.ID != r.ID || made.From() != r.Version {
		return nil, errTook
	}
	return &change{Change: made, stamp: newStamp()}, nil
}

// leaveOut has this claim pass a refund by, and those of the next minutes. One that somebody has locked is worth no
// more than this claim: he is done in a moment.
func (s *Store) leaveOut(ctx context.Context, c *claiming, id string, err error) {
	c.left = append(c.left, id)
	if code(err) != lockNotAvailable && s.left.Note(id, c.now) {
		s.log.ErrorContext(ctx, "refund left out of claims", "refund", id, "for", leftFor, "err", err)
	}
}

// applyAll is what the changes write, all events before what is given back and all of that before the moves: the order
// in which locks are taken. The moves go by their states: those to final ones lock a counter each.
func (s *Store) applyAll(all []*change) ([]statement, error) {
	var events, days, moves []statement
	dead := []gateway.Refund{}
	all = slices.SortedStableFunc(slices.Values(all), func(a, b *change) int {
		return cmp.Compare(a.Refund().State, b.Refund().State)
	})
	for _, c := range all {
		if event, moved := c.Event(); moved {
			appended, err := s.record(event, c.stamp)
			if err != nil {
				return nil, err
			}
			witnessed, err := s.witness(c.Change)
			if err != nil {
				return nil, err
			}
			events = append(append(events, appended), witnessed...)
			if event.To.Dead() {
				dead = append(dead, c.Refund())
			}
		}
		moves = append(moves, update(c.Change, c.stamp, &c.wrote))
	}
	slices.SortFunc(dead, func(a, b gateway.Refund) int {
		return cmp.Or(cmp.Compare(a.Origin.Customer, b.Origin.Customer), a.CreatedAt.Compare(b.CreatedAt))
	})
	for _, r := range dead {
		days = append(days, givenBack(r))
	}
	return slices.Concat(events, days, moves), nil
}

// claimSingly commits what a claim took one by one, leaves out what the database refuses, and goes on with others in
// their place. They aren't locked any more, but each still has the version that it was taken from, or is stale.
func (s *Store) claimSingly(ctx context.Context, c *claiming) ([]gateway.Refund, error) {
	var claimed []gateway.Refund
	for {
		for _, t := range c.taken {
			switch err := s.Apply(ctx, t.Change); {
			case err == nil:
				claimed = append(claimed, kept.Refund(t.Refund()))
			case errors.Is(err, gateway.ErrStale):
			case ofOne(err):
				s.leaveOut(ctx, c, t.Refund().ID, err)
			case len(claimed) == 0:
				return nil, err
			default:
				// The database is in trouble, but what is claimed is claimed.
				s.log.ErrorContext(ctx, "claim cut short", "err", err)
				return claimed, nil
			}
		}
		if len(claimed) >= c.Limit || len(c.left) >= spare {
			return claimed, nil
		}
		more := *c
		more.Limit = c.Limit - len(claimed)
		err := s.dispatch.write(ctx, func(ctx context.Context, tx *transaction) error {
			more.taken, more.left = nil, slices.Clone(c.left)
			return s.take(ctx, tx, &more)
		})
		if err != nil || len(more.taken) == 0 {
			return claimed, nil //nolint:nilerr // what is claimed is claimed
		}
		c.taken, c.left = more.taken, more.left
	}
}
