package sqlite

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/otp"
)

const (
	insertSMS = `INSERT INTO sms (id, message, about, at, kind, route, outcome, recipient, recipient_index, text)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectSMS = `SELECT id, message, about, at, kind, route, outcome, recipient, text FROM sms
		WHERE about <> '' AND about IN (SELECT value FROM json_each(?)) ORDER BY at, id LIMIT ?`
	pruneSMS = `DELETE FROM sms WHERE at < min(?, (unixepoch() - 90 * 86400) * 1000000)`

	insertExchange  = `INSERT INTO exchanges (refund_id, version, call, exchange) VALUES (?, ?, ?, ?)`
	selectExchanges = `SELECT version, exchange FROM exchanges WHERE refund_id = ? ORDER BY version`

	insertTaking  = `INSERT INTO takings (id, refund_id, at, login, employee, branch, session, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	selectTakings = `SELECT id, refund_id, at, login, employee, branch, session, digest FROM takings
		WHERE refund_id = ? ORDER BY at, id`

	allRefunds     = selectRefund + `WHERE id < ? ORDER BY id DESC LIMIT ?`
	refundsInState = selectRefund + `WHERE id < ? AND state = ? ORDER BY id DESC LIMIT ?`
	// refundsOfTheDead goes through an index that holds no others.
	refundsOfTheDead = selectRefund + `WHERE id < ? AND state IN ('rejected', 'cancelled', 'returned') AND state = ?
		ORDER BY id DESC LIMIT ?`
)

// RecordSMS is as otp.Records says.
func (s *Store) RecordSMS(ctx context.Context, m otp.Sent) error {
	sealed := s.sealer.SealSMS(m)
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		err := tx.exec(ctx, insertSMS, m.ID, m.Message, m.About, m.At.UnixMicro(), string(m.Kind), m.Route, string(m.Outcome),
			sealed.Recipient, sealed.RecipientIndex, sealed.Text)
		if err != nil {
			return err
		}
		return tx.exec(ctx, pruneSMS, m.At.Add(-kept.SMSFor).UnixMicro())
	})
}

// SMS are the messages about any of these challenges and references, the oldest first, and no more than so many.
func (s *Store) SMS(ctx context.Context, about []string, most int) ([]otp.Sent, error) {
	return all(ctx, s.queries, selectSMS, []any{list(about), most}, func(_ context.Context, row scanner) (m otp.Sent, err error) {
		var (
			sealed kept.SMS
			at     int64
		)
		err = row.Scan(&m.ID, &m.Message, &m.About, &at, &m.Kind, &m.Route, &m.Outcome, &sealed.Recipient, &sealed.Text)
		if err != nil {
			return m, err
		}
		m.At = time.UnixMicro(at).UTC()
		return m, s.sealer.OpenSMS(&m, sealed)
	})
}

// witness keeps the exchange that a change rests on, if there is one. Its event is there already.
func (s *Store) witness(ctx context.Context, tx *session, c gateway.Change) error {
	x := c.Exchange()
	if x == nil {
		return nil
	}
	r := c.Refund()
	sealed, err := s.sealer.SealExchange(r.ID, r.Version, *x)
	if err != nil {
		return err
	}
	return tx.exec(ctx, insertExchange, r.ID, r.Version, x.Call, sealed)
}

// Witnesses are the exchanges that the refund's moves rest on, the oldest first.
func (s *Store) Witnesses(ctx context.Context, id string) ([]gateway.Witness, error) {
	return all(ctx, s.queries, selectExchanges, []any{id}, func(_ context.Context, row scanner) (w gateway.Witness, err error) {
		var sealed []byte
		if err = row.Scan(&w.Version, &sealed); err == nil {
			w.Exchange, err = s.sealer.OpenExchange(id, w.Version, sealed)
		}
		return w, err
	})
}

// RecordTaking puts on record that somebody took the evidence of a refund.
func (s *Store) RecordTaking(ctx context.Context, k gateway.Taking) error {
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		return tx.exec(ctx, insertTaking, k.ID, k.RefundID, k.At.UnixMicro(), k.By.ID, k.By.Employee, k.By.Branch, k.By.Session, k.Digest[:])
	})
}

// Takings are those of a refund, the oldest first.
func (s *Store) Takings(ctx context.Context, id string) ([]gateway.Taking, error) {
	return all(ctx, s.queries, selectTakings, []any{id}, func(_ context.Context, row scanner) (gateway.Taking, error) {
		var (
			at     int64
			digest []byte
		)
		k := gateway.Taking{By: gateway.Actor{Role: gateway.RoleOperator}}
		err := row.Scan(&k.ID, &k.RefundID, &at, &k.By.ID, &k.By.Employee, &k.By.Branch, &k.By.Session, &digest)
		k.At = time.UnixMicro(at).UTC()
		copy(k.Digest[:], digest)
		return k, err
	})
}

// LookedUp is the look-up of this id, but for the number that was looked for, which nobody can read; gateway.ErrNotFound.
func (s *Store) LookedUp(ctx context.Context, id string) (bank.Lookup, error) {
	return get(ctx, s.queries, selectLookup, []any{id}, s.scanLookup)
}

// List is everybody's refunds for operators, by the ids of their previews and so the newest first; of one state, or with
// none of all. Those that can't be read are among them.
func (s *Store) List(ctx context.Context, state gateway.State, p bank.Page) ([]gateway.Listed, string, error) {
	return kept.Everybodys(state).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]gateway.Listed, error) {
		query, args := allRefunds, []any{behind.ID, most}
		if state != "" {
			query, args = refundsInState, []any{behind.ID, string(state), most}
		}
		if state.Dead() {
			query = refundsOfTheDead
		}
		return all(ctx, s.queries, query, args, s.scanListed)
	})
}
