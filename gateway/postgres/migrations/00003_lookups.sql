-- oldest: 1
-- Who looked at which customer at the counter, and how often each employee did in a day. A program of before has no
-- counter.

CREATE TABLE lookups (
	id             text        COLLATE "C" NOT NULL,
	at             timestamptz NOT NULL,
	login          text        NOT NULL,
	employee       text        NOT NULL,
	branch         text        NOT NULL,
	session        text        NOT NULL,
	client         text        NOT NULL,
	number_index   bytea       NOT NULL,
	outcome        text        NOT NULL,
	customer       text        COLLATE "C" NOT NULL,
	identity_check bytea       NOT NULL,

	CONSTRAINT lookups_once PRIMARY KEY (id),
	CONSTRAINT lookups_names CHECK (id <> '' AND login <> '' AND employee <> '' AND branch <> ''),
	CONSTRAINT lookups_number CHECK (length(number_index) = 32),
	CONSTRAINT lookups_outcome CHECK (outcome IN ('found', 'unknown', 'forbidden') AND (customer <> '') = (outcome = 'found')),
	CONSTRAINT lookups_check CHECK (length(identity_check) = 0 OR outcome = 'found')
);
CREATE INDEX lookups_of ON lookups (number_index, at);
COMMENT ON TABLE lookups IS 'one look of a teller at a customer each, never altered';
COMMENT ON COLUMN lookups.id IS 'of the assisted session, if one came of it';
COMMENT ON COLUMN lookups.employee IS 'the person behind the login';
COMMENT ON COLUMN lookups.session IS 'sid of the teller''s token';
COMMENT ON COLUMN lookups.client IS 'azp of the teller''s token';
COMMENT ON COLUMN lookups.number_index IS 'blind index of the number that was looked for';
COMMENT ON COLUMN lookups.customer IS 'who was found; empty: nobody';
COMMENT ON COLUMN lookups.identity_check IS 'how the teller made sure, sealed; empty for none';

CREATE TRIGGER lookups_unchanged BEFORE UPDATE ON lookups
	EXECUTE FUNCTION for_ever('look-ups are append-only');
CREATE TRIGGER lookups_kept BEFORE DELETE OR TRUNCATE ON lookups
	EXECUTE FUNCTION for_ever('look-ups are append-only');

CREATE TABLE lookup_days (
	employee text   COLLATE "C" NOT NULL,
	day      date   NOT NULL,
	n        bigint NOT NULL,

	CONSTRAINT lookup_days_once PRIMARY KEY (employee, day),
	CONSTRAINT lookup_days_n CHECK (n > 0)
) WITH (fillfactor = 80);
COMMENT ON TABLE lookup_days IS 'how often an employee looked at customers on a Riyadh day';
