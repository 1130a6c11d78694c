-- The embedded store, as package sqlite describes it. All times are microseconds since 1970, UTC; all money is halalas.
-- A name of a constraint or trigger is what an error says, so each says what it holds.

-- +goose Up

CREATE TABLE refunds (
	-- What was accepted. It never changes (refunds_fixed); only the sealed columns may be sealed anew.
	id                 TEXT    NOT NULL PRIMARY KEY,
	reference          TEXT    NOT NULL,
	ordinal            INTEGER NOT NULL,
	customer           TEXT    NOT NULL,
	session            TEXT    NOT NULL,
	client             TEXT    NOT NULL,
	channel            TEXT    NOT NULL,
	teller             TEXT    NOT NULL,
	employee           TEXT    NOT NULL,
	branch             TEXT    NOT NULL,
	request_id         TEXT    NOT NULL,
	service            TEXT    NOT NULL,
	name_ar            TEXT    NOT NULL,
	name_en            TEXT    NOT NULL,
	amount             INTEGER NOT NULL,
	payer_kind         TEXT    NOT NULL,
	payer_number       BLOB    NOT NULL, -- sealed
	payer_index        BLOB    NOT NULL, -- blind index of the number
	beneficiary_kind   TEXT    NOT NULL,
	beneficiary_number BLOB    NOT NULL, -- sealed; empty for nobody
	to_iban            BLOB    NOT NULL, -- sealed
	to_iban_index      BLOB    NOT NULL, -- blind index of the IBAN
	challenge          TEXT    NOT NULL,
	created_at         INTEGER NOT NULL,
	promised           TEXT    NOT NULL, -- YYYY-MM-DD

	-- Where it stands. Only the moves of package gateway change it.
	state          TEXT    NOT NULL,
	version        INTEGER NOT NULL,
	due            INTEGER,
	updated_at     INTEGER NOT NULL,
	sends          INTEGER NOT NULL,
	misses         INTEGER NOT NULL,
	may_have_left  INTEGER NOT NULL,
	sent_at        INTEGER,
	doubt_since    INTEGER,
	asks           INTEGER NOT NULL,
	unknowns       INTEGER NOT NULL,
	unknown_at     INTEGER,
	core_reference TEXT    NOT NULL,
	released_at    INTEGER,
	posts          INTEGER NOT NULL,
	credit_refusal TEXT    NOT NULL,
	ledger_id      TEXT    NOT NULL,
	reason         TEXT    NOT NULL,
	notice         TEXT    NOT NULL,

	CONSTRAINT refunds_state CHECK (state IN (
		'awaiting_approval', 'queued', 'sending', 'in_doubt', 'pending', 'refunded', 'returning', 'manual',
		'credited', 'rejected', 'cancelled', 'returned')),
	CONSTRAINT refunds_names CHECK (
		id <> '' AND reference <> '' AND customer <> '' AND request_id <> '' AND service <> ''),
	CONSTRAINT refunds_channel CHECK (channel IN ('online', 'counter')),
	CONSTRAINT refunds_amount CHECK (amount > 0),
	CONSTRAINT refunds_payer CHECK (
		payer_kind IN ('national_id', 'iqama', 'border', 'establishment', 'vehicle')
		AND length(payer_number) > 0 AND length(payer_index) = 32),
	CONSTRAINT refunds_beneficiary CHECK (
		beneficiary_kind IN ('', 'national_id', 'iqama', 'border', 'establishment', 'vehicle')
		AND (beneficiary_kind = '') = (length(beneficiary_number) = 0)),
	CONSTRAINT refunds_account CHECK (length(to_iban) > 0 AND length(to_iban_index) = 32),
	CONSTRAINT refunds_counts CHECK (
		ordinal >= 0 AND version >= 1 AND sends >= 0 AND misses >= 0 AND asks >= 0 AND unknowns >= 0 AND posts >= 0),

	-- A refund is due exactly while a machine will look at it again.
	CONSTRAINT refunds_due CHECK ((due IS NOT NULL) = (
		state IN ('awaiting_approval', 'queued', 'sending', 'in_doubt', 'pending', 'refunded', 'returning')
		OR (state = 'credited' AND notice = 'due'))),
	CONSTRAINT refunds_notice CHECK (
		notice IN ('', 'due', 'sent', 'given_up') AND (notice <> '') = (state = 'credited')),
	CONSTRAINT refunds_may_have_left CHECK (may_have_left IN (0, 1) AND CASE
		WHEN state IN ('awaiting_approval', 'queued', 'cancelled') THEN may_have_left = 0
		WHEN state IN ('sending', 'manual') THEN 1
		ELSE may_have_left = 1 END),
	CONSTRAINT refunds_sent CHECK (state <> 'sending' OR (sent_at IS NOT NULL AND sends > 0)),
	CONSTRAINT refunds_doubt CHECK (state <> 'in_doubt' OR doubt_since IS NOT NULL),
	CONSTRAINT refunds_unknowns CHECK ((unknowns > 0) = (unknown_at IS NOT NULL)),
	-- Money that was released is never called rejected or cancelled, and none is credited or returned without.
	CONSTRAINT refunds_released CHECK (CASE
		WHEN state IN ('refunded', 'returning', 'credited', 'returned') THEN released_at IS NOT NULL
		WHEN state IN ('awaiting_approval', 'queued', 'rejected', 'cancelled') THEN released_at IS NULL
		ELSE 1 END),
	-- A posted credit and a return exclude each other: the bank's refusal is on record for the one and not for the other.
	CONSTRAINT refunds_credit_refusal CHECK (
		(credit_refusal = '' OR released_at IS NOT NULL) AND CASE
		WHEN state IN ('returning', 'returned') THEN credit_refusal <> ''
		WHEN state = 'credited' THEN credit_refusal = ''
		ELSE 1 END),
	CONSTRAINT refunds_ledger_id CHECK (ledger_id = '' OR state = 'credited')
) STRICT;

CREATE UNIQUE INDEX refunds_reference ON refunds (reference);
CREATE UNIQUE INDEX refunds_challenge ON refunds (challenge) WHERE challenge <> '';
-- One refund of a request that is live or credited; and how many ended dead, which is the next one's ordinal.
CREATE UNIQUE INDEX refunds_live ON refunds (request_id) WHERE state NOT IN ('rejected', 'cancelled', 'returned');
CREATE INDEX refunds_dead ON refunds (request_id) WHERE state IN ('rejected', 'cancelled', 'returned');
-- The queue: it holds what is due work and nothing else, so it stays small for ever.
CREATE INDEX refunds_queue ON refunds (state, due, id) WHERE due IS NOT NULL;
CREATE INDEX refunds_list ON refunds (customer, created_at, id);
CREATE INDEX refunds_counted ON refunds (state, created_at);

CREATE TABLE events (
	refund_id  TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	from_state TEXT    NOT NULL, -- empty for the first
	to_state   TEXT    NOT NULL,
	role       TEXT    NOT NULL,
	actor      TEXT    NOT NULL,
	employee   TEXT    NOT NULL,
	branch     TEXT    NOT NULL,
	session    TEXT    NOT NULL,
	evidence   TEXT    NOT NULL,

	CONSTRAINT events_once PRIMARY KEY (refund_id, version),
	CONSTRAINT events_of_a_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
	CONSTRAINT events_role CHECK (role IN ('customer', 'teller', 'approver', 'operator', 'dispatcher')),
	CONSTRAINT events_evidence CHECK (json_type(evidence) = 'object')
) STRICT, WITHOUT ROWID;

-- Which state may become which. The table in the comment of gateway.State, read along its rows.
CREATE TABLE moves (
	from_state TEXT NOT NULL,
	to_state   TEXT NOT NULL,
	PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;

INSERT INTO moves (from_state, to_state) VALUES
	('awaiting_approval', 'queued'), ('awaiting_approval', 'cancelled'),
	('queued', 'cancelled'), ('queued', 'sending'), ('queued', 'manual'),
	('sending', 'queued'), ('sending', 'in_doubt'), ('sending', 'pending'), ('sending', 'refunded'), ('sending', 'rejected'),
	('in_doubt', 'sending'), ('in_doubt', 'pending'), ('in_doubt', 'refunded'), ('in_doubt', 'rejected'), ('in_doubt', 'manual'),
	('pending', 'refunded'), ('pending', 'rejected'), ('pending', 'manual'),
	('refunded', 'manual'), ('refunded', 'credited'), ('refunded', 'returning'),
	('returning', 'manual'), ('returning', 'returned'),
	('manual', 'in_doubt'), ('manual', 'refunded'), ('manual', 'rejected'), ('manual', 'credited'), ('manual', 'returned');

-- +goose StatementBegin
CREATE TRIGGER refunds_begin BEFORE INSERT ON refunds
WHEN NEW.version <> 1 OR NEW.state NOT IN ('awaiting_approval', 'queued')
BEGIN
	SELECT RAISE(ABORT, 'refunds_begin: a refund begins queued or awaiting approval');
END;
-- +goose StatementEnd

-- Without it INSERT OR REPLACE would be a way around refunds_fixed and refunds_kept.
-- +goose StatementBegin
CREATE TRIGGER refunds_once BEFORE INSERT ON refunds
WHEN EXISTS (SELECT 1 FROM refunds WHERE id = NEW.id)
BEGIN
	SELECT RAISE(ABORT, 'refunds_once: a refund is accepted once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, beneficiary_kind, challenge, created_at, promised ON refunds
BEGIN
	SELECT RAISE(ABORT, 'refunds_fixed: what was accepted does not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER refunds_kept BEFORE DELETE ON refunds
BEGIN
	SELECT RAISE(ABORT, 'refunds_kept: a refund is never deleted');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER refunds_version BEFORE UPDATE OF state, version ON refunds
WHEN NEW.version <> OLD.version + 1
BEGIN
	SELECT RAISE(ABORT, 'refunds_version: the version rises by one with every change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER refunds_memory BEFORE UPDATE OF may_have_left, released_at ON refunds
WHEN NEW.may_have_left < OLD.may_have_left OR (OLD.released_at IS NOT NULL AND NEW.released_at IS NULL)
BEGIN
	SELECT RAISE(ABORT, 'refunds_memory: a send that may have left and a release are never forgotten');
END;
-- +goose StatementEnd

-- The event comes first, and the move rests on it: no state changes without its event.
-- +goose StatementBegin
CREATE TRIGGER refunds_moves BEFORE UPDATE OF state ON refunds
WHEN NEW.state <> OLD.state
BEGIN
	SELECT RAISE(ABORT, 'refunds_moves: no such move')
	WHERE NOT EXISTS (SELECT 1 FROM moves WHERE from_state = OLD.state AND to_state = NEW.state);
	SELECT RAISE(ABORT, 'refunds_moves: a move without its event')
	WHERE NOT EXISTS (SELECT 1 FROM events WHERE refund_id = OLD.id AND version = NEW.version
		AND from_state = OLD.state AND to_state = NEW.state);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER events_match BEFORE INSERT ON events
BEGIN
	SELECT RAISE(ABORT, 'events_match: an event is of the next step of its refund')
	WHERE EXISTS (SELECT 1 FROM events WHERE refund_id = NEW.refund_id AND version = NEW.version)
		OR NOT EXISTS (SELECT 1 FROM refunds WHERE id = NEW.refund_id AND CASE
			WHEN NEW.from_state = '' THEN version = 1 AND NEW.version = 1 AND state = NEW.to_state
			ELSE version = NEW.version - 1 AND state = NEW.from_state END);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER events_unchanged BEFORE UPDATE ON events
BEGIN
	SELECT RAISE(ABORT, 'events_unchanged: events are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER events_kept BEFORE DELETE ON events
BEGIN
	SELECT RAISE(ABORT, 'events_kept: events are append-only');
END;
-- +goose StatementEnd

-- What a customer's refunds that didn't end dead have taken from one Riyadh day's limit.
CREATE TABLE day_limits (
	customer TEXT    NOT NULL,
	day      TEXT    NOT NULL, -- YYYY-MM-DD
	spent    INTEGER NOT NULL,

	CONSTRAINT day_limits_once PRIMARY KEY (customer, day),
	CONSTRAINT day_limits_spent CHECK (spent >= 0)
) STRICT, WITHOUT ROWID;

-- A customer's wrong codes and SMS budgets: one otp.Record.
CREATE TABLE ledger (
	customer   TEXT    NOT NULL PRIMARY KEY,
	record     TEXT    NOT NULL,
	updated_at INTEGER NOT NULL,

	CONSTRAINT ledger_record CHECK (json_type(record) = 'object')
) STRICT, WITHOUT ROWID;

CREATE TABLE callbacks_seen (
	event_id TEXT    NOT NULL PRIMARY KEY,
	at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callbacks_seen_at ON callbacks_seen (at);

-- Previews that were withdrawn: none of them is accepted any more. Kept for as long as one could be confirmed.
CREATE TABLE withdrawn (
	id TEXT    NOT NULL PRIMARY KEY,
	at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawn_at ON withdrawn (at);

-- +goose StatementBegin
CREATE TRIGGER refunds_withdrawn BEFORE INSERT ON refunds
WHEN EXISTS (SELECT 1 FROM withdrawn WHERE id = NEW.id)
BEGIN
	SELECT RAISE(ABORT, 'refunds_withdrawn: its preview was withdrawn');
END;
-- +goose StatementEnd
