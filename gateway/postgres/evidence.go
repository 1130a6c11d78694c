package postgres

import (
	"context"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/otp"
)

const (
	insertSMS = `INSERT INTO sms (id, message, about, at, kind, route, outcome, recipient, recipient_index, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	// selectSMS sorts what it found: going by the time, it would look at everybody's.
	selectSMS = `WITH found AS MATERIALIZED (SELECT id, message, about, at, kind, route, outcome, recipient, text FROM sms
		WHERE about <> '' AND about = ANY ($1)) SELECT * FROM found ORDER BY at, id LIMIT $2`
	pruneSMS = `SELECT prune_sms($1)`

	insertExchange  = `INSERT INTO exchanges (refund_id, version, call, exchange) VALUES ($1, $2, $3, $4)`
	selectExchanges = `SELECT version, exchange FROM exchanges WHERE refund_id = $1 ORDER BY version`

	insertTaking = `INSERT INTO takings (id, refund_id, at, login, employee, branch, session, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	selectTakings = `SELECT id, refund_id, at, login, employee, branch, session, digest FROM takings
		WHERE refund_id = $1 ORDER BY at, id`

	// Most refunds are credited, so the newest of all and of those are found by going back through all. Those that ended
	// dead have an index in the order of the list; those that haven't ended stay so few that they are all looked at.
	allRefunds       = selectRefund + `WHERE id < $1 ORDER BY id DESC LIMIT $2`
	creditedRefunds  = selectRefund + `WHERE id < $1 AND state = 'credited' ORDER BY id DESC LIMIT $2`
	refundsOfTheDead = selectRefund + `WHERE id < $1 AND state IN ('rejected', 'cancelled', 'returned') AND state = $3
		ORDER BY id DESC LIMIT $2`
	refundsUnfinished = `WITH few AS MATERIALIZED (SELECT id FROM refunds
		WHERE state IN (` + unfinished + `) AND state = $3 AND id < $1) ` +
		selectRefund + `WHERE id IN (SELECT id FROM few ORDER BY id DESC LIMIT $2) ORDER BY id DESC`
)

// RecordSMS is as otp.Records says.
func (s *Store) RecordSMS(ctx context.Context, m otp.Sent) error {
	sealed := s.sealer.SealSMS(m)
	return s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.commit(ctx, exec(insertSMS, m.ID, m.Message, m.About, m.At, string(m.Kind), m.Route, string(m.Outcome),
			sealed.Recipient, sealed.RecipientIndex, sealed.Text), exec(pruneSMS, m.At.Add(-kept.SMSFor)))
	})
}

// SMS are the messages about any of these challenges and references, the oldest first, and no more than so many.
func (s *Store) SMS(ctx context.Context, about []string, most int) ([]otp.Sent, error) {
	return all(ctx, s.main, selectSMS, []any{about, most}, func(_ context.Context, row scanner) (m otp.Sent, err error) {
		var sealed kept.SMS
		err = row.Scan(&m.ID, &m.Message, &m.About, &m.At, &m.Kind, &m.Route, &m.Outcome, &sealed.Recipient, &sealed.Text)
		if err != nil {
			return m, err
		}
		m.At = m.At.UTC()
		return m, s.sealer.OpenSMS(&m, sealed)
	})
}

// witness is what keeps the exchange that a change rests on: nothing when there is none. Its event comes first.
func (s *Store) witness(c gateway.Change) ([]statement, error) {
	x := c.Exchange()
	if x == nil {
		return nil, nil
	}
	r := c.Refund()
	sealed, err := s.sealer.SealExchange(r.ID, r.Version, *x)
	if err != nil {
		return nil, err
	}
	return []statement{exec(insertExchange, r.ID, r.Version, x.Call, sealed)}, nil
}

// Witnesses are the exchanges that the refund's moves rest on, the oldest first.
func (s *Store) Witnesses(ctx context.Context, id string) ([]gateway.Witness, error) {
	return all(ctx, s.main, selectExchanges, []any{id}, func(_ context.Context, row scanner) (w gateway.Witness, err error) {
		var sealed []byte
		if err = row.Scan(&w.Version, &sealed); err == nil {
			w.Exchange, err = s.sealer.OpenExchange(id, w.Version, sealed)
		}
		return w, err
	})
}

// RecordTaking puts on record that somebody took the evidence of a refund.
func (s *Store) RecordTaking(ctx context.Context, k gateway.Taking) error {
	return s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.commit(ctx, exec(insertTaking, k.ID, k.RefundID, k.At, k.By.ID, k.By.Employee, k.By.Branch, k.By.Session, k.Digest[:]))
	})
}

// Takings are those of a refund, the oldest first.
func (s *Store) Takings(ctx context.Context, id string) ([]gateway.Taking, error) {
	return all(ctx, s.main, selectTakings, []any{id}, func(_ context.Context, row scanner) (gateway.Taking, error) {
		var digest []byte
		k := gateway.Taking{By: gateway.Actor{Role: gateway.RoleOperator}}
		err := row.Scan(&k.ID, &k.RefundID, &k.At, &k.By.ID, &k.By.Employee, &k.By.Branch, &k.By.Session, &digest)
		k.At = k.At.UTC()
		copy(k.Digest[:], digest)
		return k, err
	})
}

// LookedUp is the look-up of this id, but for the number that was looked for, which nobody can read; gateway.ErrNotFound.
func (s *Store) LookedUp(ctx context.Context, id string) (bank.Lookup, error) {
	return get(ctx, s.main, selectLookup, []any{id}, s.scanLookup)
}

// List is everybody's refunds for operators, by the ids of their previews and so the newest first; of one state, or with
// none of all. Those that can't be read are among them.
func (s *Store) List(ctx context.Context, state gateway.State, p bank.Page) ([]gateway.Listed, string, error) {
	return kept.Everybodys(state).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]gateway.Listed, error) {
		query, args := allRefunds, []any{behind.ID, most}
		switch {
		case state == "":
		case state == gateway.Credited:
			query = creditedRefunds
		case state.Dead():
			query, args = refundsOfTheDead, append(args, string(state))
		default:
			query, args = refundsUnfinished, append(args, string(state))
		}
		return all(ctx, s.main, query, args, s.scanListed)
	})
}
