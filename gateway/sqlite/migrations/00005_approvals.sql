-- Why a refund awaits approval, what was seen of it at the confirm, and which customers were let in again by whom.

-- +goose Up

ALTER TABLE refunds ADD COLUMN held TEXT NOT NULL DEFAULT ''; -- empty: it never awaited approval
ALTER TABLE refunds ADD COLUMN flags TEXT NOT NULL DEFAULT '';

-- What awaits approval says why from now on too. It had two reasons, and the row doesn't say which: where the customer was
-- let in by an identity check that was one for sure; anywhere else it can only be the amount.
UPDATE refunds SET held = CASE
	WHEN EXISTS (SELECT 1 FROM lookups WHERE lookups.id = refunds.session AND length(identity_check) > 0) THEN 'identity_check'
	ELSE 'above_limit' END
WHERE state = 'awaiting_approval';

DROP TRIGGER refunds_fixed;

-- +goose StatementBegin
CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, beneficiary_kind, challenge, created_at, promised, trace, held, flags ON refunds
BEGIN
	SELECT RAISE(ABORT, 'refunds_fixed: what was accepted does not change');
END;
-- +goose StatementEnd

-- A look-up by which a customer who was blocked by wrong codes was let in again: who, where and when is the look-up's.
CREATE TABLE unblocks (
	lookup TEXT NOT NULL PRIMARY KEY,
	note   BLOB NOT NULL, -- sealed

	CONSTRAINT unblocks_of_a_lookup FOREIGN KEY (lookup) REFERENCES lookups (id),
	CONSTRAINT unblocks_note CHECK (length(note) > 0)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER unblocks_found BEFORE INSERT ON unblocks
WHEN NOT EXISTS (SELECT 1 FROM lookups WHERE id = NEW.lookup AND outcome = 'found')
	OR EXISTS (SELECT 1 FROM unblocks WHERE lookup = NEW.lookup)
BEGIN
	SELECT RAISE(ABORT, 'unblocks_found: somebody was found, and is let in again once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER unblocks_unchanged BEFORE UPDATE ON unblocks
BEGIN
	SELECT RAISE(ABORT, 'unblocks_unchanged: unblocks are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER unblocks_kept BEFORE DELETE ON unblocks
BEGIN
	SELECT RAISE(ABORT, 'unblocks_kept: unblocks are append-only');
END;
-- +goose StatementEnd
