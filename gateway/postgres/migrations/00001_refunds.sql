-- oldest: 1
-- The durable store, as package postgres describes it. All money is halalas. What a session without our time zone shows
-- of the times is its own affair; they are kept to the microsecond.
-- A name of a constraint or trigger is what an error says, so each says what it holds. Keys compare by their bytes
-- (COLLATE "C"), whatever language the database was made for, so that no update of the system's locales breaks an index.

CREATE TABLE refunds (
	-- What was accepted. It never changes (refunds_fixed).
	id                 text        COLLATE "C" NOT NULL,
	reference          text        COLLATE "C" NOT NULL,
	ordinal            integer     NOT NULL,
	customer           text        COLLATE "C" NOT NULL,
	session            text        NOT NULL,
	client             text        NOT NULL,
	channel            text        NOT NULL,
	teller             text        NOT NULL,
	employee           text        NOT NULL,
	branch             text        NOT NULL,
	request_id         text        COLLATE "C" NOT NULL,
	service            text        NOT NULL,
	name_ar            text        NOT NULL,
	name_en            text        NOT NULL,
	amount             bigint      NOT NULL,
	payer_kind         text        NOT NULL,
	payer_number       bytea       NOT NULL,
	payer_index        bytea       NOT NULL,
	beneficiary_kind   text        NOT NULL,
	beneficiary_number bytea       NOT NULL,
	to_iban            bytea       NOT NULL,
	to_iban_index      bytea       NOT NULL,
	challenge          text        COLLATE "C" NOT NULL,
	created_at         timestamptz NOT NULL,
	promised           date        NOT NULL,

	-- Where it stands. Only the moves of package gateway change it.
	state          text        COLLATE "C" NOT NULL,
	version        bigint      NOT NULL,
	due            timestamptz,
	updated_at     timestamptz NOT NULL,
	sends          integer     NOT NULL,
	misses         integer     NOT NULL,
	may_have_left  boolean     NOT NULL,
	sent_at        timestamptz,
	doubt_since    timestamptz,
	asks           integer     NOT NULL,
	unknowns       integer     NOT NULL,
	unknown_at     timestamptz,
	core_reference text        NOT NULL,
	released_at    timestamptz,
	posts          integer     NOT NULL,
	credit_refusal text        NOT NULL,
	ledger_id      text        NOT NULL,
	reason         text        NOT NULL,
	notice         text        NOT NULL,
	stamp          bigint      NOT NULL,

	CONSTRAINT refunds_id PRIMARY KEY (id),
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
	CONSTRAINT refunds_may_have_left CHECK (CASE
		WHEN state IN ('awaiting_approval', 'queued', 'cancelled') THEN NOT may_have_left
		WHEN state IN ('sending', 'manual') THEN true
		ELSE may_have_left END),
	CONSTRAINT refunds_sent CHECK (state <> 'sending' OR (sent_at IS NOT NULL AND sends > 0)),
	CONSTRAINT refunds_doubt CHECK (state <> 'in_doubt' OR doubt_since IS NOT NULL),
	CONSTRAINT refunds_unknowns CHECK ((unknowns > 0) = (unknown_at IS NOT NULL)),
	-- Money that was released is never called rejected or cancelled, and none is credited or returned without.
	CONSTRAINT refunds_released CHECK (CASE
		WHEN state IN ('refunded', 'returning', 'credited', 'returned') THEN released_at IS NOT NULL
		WHEN state IN ('awaiting_approval', 'queued', 'rejected', 'cancelled') THEN released_at IS NULL
		ELSE true END),
	-- A posted credit and a return exclude each other: the bank's refusal is on record for the one and not for the other.
	CONSTRAINT refunds_credit_refusal CHECK (
		(credit_refusal = '' OR released_at IS NOT NULL) AND CASE
		WHEN state IN ('returning', 'returned') THEN credit_refusal <> ''
		WHEN state = 'credited' THEN credit_refusal = ''
		ELSE true END),
	CONSTRAINT refunds_ledger_id CHECK (ledger_id = '' OR state = 'credited')
) WITH (
	-- A move changes an indexed column, so it always leaves a dead row behind: room for the next version beside it, and
	-- a vacuum as soon as one row in fifty is dead, not one in five.
	fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

COMMENT ON TABLE refunds IS 'one refund of one paid request, from the confirm to its end';
COMMENT ON COLUMN refunds.id IS 'of the preview that was confirmed';
COMMENT ON COLUMN refunds.reference IS 'its one name at the core and in the bank''s ledger, made of bank, request and ordinal';
COMMENT ON COLUMN refunds.ordinal IS 'how many refunds of the request ended dead before this one';
COMMENT ON COLUMN refunds.customer IS 'the bank''s customer id';
COMMENT ON COLUMN refunds.session IS 'sid of the token';
COMMENT ON COLUMN refunds.client IS 'azp of the token: the frontend or the teller system';
COMMENT ON COLUMN refunds.teller IS 'login of the teller; empty online';
COMMENT ON COLUMN refunds.request_id IS 'the core''s name for the paid request';
COMMENT ON COLUMN refunds.amount IS 'halalas';
COMMENT ON COLUMN refunds.payer_number IS 'sealed';
COMMENT ON COLUMN refunds.payer_index IS 'blind index of the number';
COMMENT ON COLUMN refunds.beneficiary_number IS 'sealed; empty for nobody';
COMMENT ON COLUMN refunds.to_iban IS 'sealed';
COMMENT ON COLUMN refunds.to_iban_index IS 'blind index of the IBAN';
COMMENT ON COLUMN refunds.challenge IS 'of the one-time code; empty when the confirm needed none';
COMMENT ON COLUMN refunds.promised IS 'the day by which the money is promised';
COMMENT ON COLUMN refunds.version IS 'rises by one with every change; the compare-and-swap goes by it';
COMMENT ON COLUMN refunds.due IS 'when a machine looks at it next; null when none will';
COMMENT ON COLUMN refunds.updated_at IS 'when the state last changed';
COMMENT ON COLUMN refunds.sends IS 'sends to the core that were not proved to have stayed here';
COMMENT ON COLUMN refunds.misses IS 'sends of which nothing left';
COMMENT ON COLUMN refunds.may_have_left IS 'for ever true once a send may have reached the core';
COMMENT ON COLUMN refunds.asks IS 'questions put since the state last changed';
COMMENT ON COLUMN refunds.unknowns IS '"unknown reference" answers that count since the state last changed';
COMMENT ON COLUMN refunds.released_at IS 'when a verified answer first said that the core released the money';
COMMENT ON COLUMN refunds.posts IS 'requests to the bank''s ledger to post the credit that may have left';
COMMENT ON COLUMN refunds.credit_refusal IS 'the bank''s code when it refused the credit for good';
COMMENT ON COLUMN refunds.ledger_id IS 'the bank''s name for the posted credit';
COMMENT ON COLUMN refunds.reason IS 'why it was rejected, cancelled, returned or handed to people';
COMMENT ON COLUMN refunds.notice IS 'what became of the SMS that tells of the credit';
COMMENT ON COLUMN refunds.stamp IS 'drawn anew for every write: by it a writer whose COMMIT''s answer was lost knows its own';

CREATE UNIQUE INDEX refunds_reference ON refunds (reference);
CREATE UNIQUE INDEX refunds_challenge ON refunds (challenge) WHERE challenge <> '';
-- One refund of a request that is live or credited; and how many ended dead, which is the next one's ordinal.
CREATE UNIQUE INDEX refunds_live ON refunds (request_id) WHERE state NOT IN ('rejected', 'cancelled', 'returned');
CREATE INDEX refunds_dead ON refunds (request_id) WHERE state IN ('rejected', 'cancelled', 'returned');
-- The queue: it holds what is due work and nothing else, so it stays small for ever.
CREATE INDEX refunds_queue ON refunds (state, due, id) WHERE due IS NOT NULL;
CREATE INDEX refunds_list ON refunds (customer, created_at, id);
-- How many stand in each state that isn't final, and since when. How many ended is counted in ended.
CREATE INDEX refunds_unfinished ON refunds (state, created_at) WHERE state IN (
	'awaiting_approval', 'queued', 'sending', 'in_doubt', 'pending', 'refunded', 'returning', 'manual');

CREATE TABLE events (
	refund_id  text        COLLATE "C" NOT NULL,
	version    bigint      NOT NULL,
	at         timestamptz NOT NULL,
	from_state text        COLLATE "C" NOT NULL,
	to_state   text        COLLATE "C" NOT NULL,
	role       text        NOT NULL,
	actor      text        NOT NULL,
	employee   text        NOT NULL,
	branch     text        NOT NULL,
	session    text        NOT NULL,
	evidence   jsonb       NOT NULL,
	stamp      bigint      NOT NULL,

	CONSTRAINT events_once PRIMARY KEY (refund_id, version),
	CONSTRAINT events_of_a_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
	CONSTRAINT events_role CHECK (role IN ('customer', 'teller', 'approver', 'operator', 'dispatcher')),
	CONSTRAINT events_evidence CHECK (jsonb_typeof(evidence) = 'object')
);

COMMENT ON TABLE events IS 'one step of a refund''s life each, written with it and never altered';
COMMENT ON COLUMN events.version IS 'the refund''s after the step';
COMMENT ON COLUMN events.from_state IS 'empty for the first';
COMMENT ON COLUMN events.actor IS 'customer id, or login of staff; empty for machines';
COMMENT ON COLUMN events.employee IS 'the person behind a login of staff';
COMMENT ON COLUMN events.evidence IS 'what the step rests on; no personal data';
COMMENT ON COLUMN events.stamp IS 'of the write that appended it, as refunds.stamp';

-- Which state may become which. The table in the comment of gateway.State, read along its rows.
CREATE TABLE moves (
	from_state text COLLATE "C" NOT NULL,
	to_state   text COLLATE "C" NOT NULL,
	PRIMARY KEY (from_state, to_state)
);

INSERT INTO moves (from_state, to_state) VALUES
	('awaiting_approval', 'queued'), ('awaiting_approval', 'cancelled'),
	('queued', 'cancelled'), ('queued', 'sending'), ('queued', 'manual'),
	('sending', 'queued'), ('sending', 'in_doubt'), ('sending', 'pending'), ('sending', 'refunded'), ('sending', 'rejected'),
	('in_doubt', 'sending'), ('in_doubt', 'pending'), ('in_doubt', 'refunded'), ('in_doubt', 'rejected'), ('in_doubt', 'manual'),
	('pending', 'refunded'), ('pending', 'rejected'), ('pending', 'manual'),
	('refunded', 'manual'), ('refunded', 'credited'), ('refunded', 'returning'),
	('returning', 'manual'), ('returning', 'returned'),
	('manual', 'in_doubt'), ('manual', 'refunded'), ('manual', 'rejected'), ('manual', 'credited'), ('manual', 'returned');

-- Previews that were withdrawn: none of them is accepted any more. Kept for as long as one could be confirmed.
CREATE TABLE withdrawn (
	id text        COLLATE "C" NOT NULL,
	at timestamptz NOT NULL,

	CONSTRAINT withdrawn_id PRIMARY KEY (id)
);
CREATE INDEX withdrawn_at ON withdrawn (at);

-- What a customer's refunds that didn't end dead have taken from one Riyadh day's limit.
CREATE TABLE day_limits (
	customer text   COLLATE "C" NOT NULL,
	day      date   NOT NULL,
	spent    bigint NOT NULL,

	CONSTRAINT day_limits_once PRIMARY KEY (customer, day),
	CONSTRAINT day_limits_spent CHECK (spent >= 0)
) WITH (fillfactor = 80);
COMMENT ON COLUMN day_limits.spent IS 'halalas';

-- How many refunds ended in each final state: the sum over the slots. Each server process has a slot, so that two
-- refunds that end at once seldom wait for each other. The rows stay few and each page nearly empty, so that a counter
-- moves within its page.
CREATE TABLE ended (
	state text    COLLATE "C" NOT NULL,
	slot  integer NOT NULL,
	n     bigint  NOT NULL,

	CONSTRAINT ended_once PRIMARY KEY (state, slot)
) WITH (fillfactor = 10);

-- A customer's wrong codes and SMS budgets: one otp.Record.
CREATE TABLE ledger (
	customer   text        COLLATE "C" NOT NULL,
	record     jsonb       NOT NULL,
	cleared    jsonb       NOT NULL,
	updated_at timestamptz NOT NULL,
	stamp      bigint      NOT NULL,

	CONSTRAINT ledger_customer PRIMARY KEY (customer),
	CONSTRAINT ledger_record CHECK (jsonb_typeof(record) = 'object' AND jsonb_typeof(cleared) = 'object')
) WITH (fillfactor = 80);
COMMENT ON COLUMN ledger.cleared IS 'what record becomes when a code was right: an accept needn''t read in order to clear';
COMMENT ON COLUMN ledger.stamp IS 'as refunds.stamp';

-- Callbacks of the core that were received.
CREATE TABLE callbacks_seen (
	event_id text        COLLATE "C" NOT NULL,
	at       timestamptz NOT NULL,

	CONSTRAINT callbacks_seen_once PRIMARY KEY (event_id)
);
CREATE INDEX callbacks_seen_at ON callbacks_seen (at);

-- rule refuses a statement in the name of a rule, as a CHECK would.
CREATE FUNCTION rule(name text, sentence text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = name, MESSAGE = name || ': ' || sentence;
END $$;

-- for_ever refuses what its trigger is on. Only Reset takes these triggers down, and only a table's owner can.
CREATE FUNCTION for_ever() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM rule(TG_NAME, TG_ARGV[0]);
	RETURN NULL;
END $$;

CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, payer_number, payer_index, beneficiary_kind, beneficiary_number,
	to_iban, to_iban_index, challenge, created_at, promised ON refunds
	FOR EACH ROW EXECUTE FUNCTION for_ever('what was accepted does not change');
CREATE TRIGGER refunds_kept BEFORE DELETE OR TRUNCATE ON refunds
	EXECUTE FUNCTION for_ever('a refund is never deleted');
CREATE TRIGGER events_unchanged BEFORE UPDATE ON events
	EXECUTE FUNCTION for_ever('events are append-only');
CREATE TRIGGER events_kept BEFORE DELETE OR TRUNCATE ON events
	EXECUTE FUNCTION for_ever('events are append-only');

-- An accept and a withdraw of one preview take the same lock before they look for each other: the one that comes second
-- sees the first, whichever it is.
CREATE FUNCTION refunds_begin() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NEW.version <> 1 OR NEW.state NOT IN ('awaiting_approval', 'queued') THEN
		PERFORM rule('refunds_begin', 'a refund begins queued or awaiting approval');
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended(NEW.id, 0));
	IF EXISTS (SELECT FROM withdrawn WHERE id = NEW.id) THEN
		PERFORM rule('refunds_withdrawn', 'its preview was withdrawn');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refunds_begin BEFORE INSERT ON refunds FOR EACH ROW EXECUTE FUNCTION refunds_begin();

CREATE FUNCTION withdrawn_free() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(NEW.id, 0));
	IF EXISTS (SELECT FROM refunds WHERE id = NEW.id) THEN
		PERFORM rule('withdrawn_free', 'its preview became a refund');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER withdrawn_free BEFORE INSERT ON withdrawn FOR EACH ROW EXECUTE FUNCTION withdrawn_free();

-- The event comes first, and the move rests on it: no state changes without its event.
CREATE FUNCTION refunds_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF (NEW.version, NEW.state) IS DISTINCT FROM (OLD.version, OLD.state) AND NEW.version <> OLD.version + 1 THEN
		PERFORM rule('refunds_version', 'the version rises by one with every change');
	END IF;
	IF NEW.may_have_left < OLD.may_have_left OR (OLD.released_at IS NOT NULL AND NEW.released_at IS NULL) THEN
		PERFORM rule('refunds_memory', 'a send that may have left and a release are never forgotten');
	END IF;
	IF NEW.state = OLD.state THEN
		RETURN NEW;
	END IF;
	IF NOT EXISTS (SELECT FROM moves WHERE from_state = OLD.state AND to_state = NEW.state) THEN
		PERFORM rule('refunds_moves', 'no such move');
	END IF;
	IF NOT EXISTS (SELECT FROM events WHERE refund_id = OLD.id AND version = NEW.version
		AND from_state = OLD.state AND to_state = NEW.state) THEN
		PERFORM rule('refunds_moves', 'a move without its event');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refunds_moves BEFORE UPDATE ON refunds FOR EACH ROW EXECUTE FUNCTION refunds_moves();

-- It counts as the owner: a gateway can't count otherwise than by ending refunds, not even by a table of its own that has
-- this trigger.
CREATE FUNCTION refunds_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO ended (state, slot, n) VALUES (NEW.state, pg_backend_pid() % 32, 1)
		ON CONFLICT (state, slot) DO UPDATE SET n = ended.n + 1;
	RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION refunds_ended() FROM PUBLIC;
CREATE TRIGGER refunds_ended AFTER UPDATE OF state ON refunds FOR EACH ROW
	WHEN (OLD.state <> NEW.state AND NEW.state IN ('credited', 'rejected', 'cancelled', 'returned'))
	EXECUTE FUNCTION refunds_ended();

-- It locks the refund: from its event to its move nobody else moves it.
CREATE FUNCTION events_match() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NEW.from_state = '' THEN
		PERFORM FROM refunds WHERE id = NEW.refund_id AND version = 1 AND NEW.version = 1 AND state = NEW.to_state;
	ELSE
		PERFORM FROM refunds WHERE id = NEW.refund_id AND version = NEW.version - 1 AND state = NEW.from_state
			FOR NO KEY UPDATE;
	END IF;
	IF NOT FOUND THEN
		PERFORM rule('events_match', 'an event is of the next step of its refund');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER events_match BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION events_match();

-- What can only be said at the end of a transaction: a refund has its first event, and an event its move.
CREATE FUNCTION refunds_first() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM events WHERE refund_id = NEW.id AND version = 1) THEN
		PERFORM rule('refunds_first', 'a refund without its first event');
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refunds_first AFTER INSERT ON refunds
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refunds_first();

CREATE FUNCTION events_moved() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM refunds WHERE id = NEW.refund_id AND version >= NEW.version) THEN
		PERFORM rule('events_moved', 'an event without its move');
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER events_moved AFTER INSERT ON events
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.from_state <> '') EXECUTE FUNCTION events_moved();

-- The application may delete nothing; what is too old to matter goes through these, a little at a time. Whatever time
-- it says it is, nothing younger by the database's own clock is touched.
CREATE FUNCTION prune_withdrawn(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	DELETE FROM withdrawn WHERE id IN (
		SELECT id FROM withdrawn WHERE at < least(before, clock_timestamp() - interval '1 hour')
		ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED)
$$;

CREATE FUNCTION prune_callbacks(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	DELETE FROM callbacks_seen WHERE event_id IN (
		SELECT event_id FROM callbacks_seen WHERE at < least(before, clock_timestamp() - interval '90 days')
		ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED)
$$;
