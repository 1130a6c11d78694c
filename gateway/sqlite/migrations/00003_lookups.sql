-- Who looked at which customer at the counter, and how often each employee did in a day.

-- +goose Up

CREATE TABLE lookups (
	id             TEXT    NOT NULL PRIMARY KEY, -- of the assisted session, if one came of it
	at             INTEGER NOT NULL,
	login          TEXT    NOT NULL,
	employee       TEXT    NOT NULL,
	branch         TEXT    NOT NULL,
	session        TEXT    NOT NULL,
	client         TEXT    NOT NULL,
	number_index   BLOB    NOT NULL, -- blind index of the number that was looked for
	outcome        TEXT    NOT NULL,
	customer       TEXT    NOT NULL, -- empty: nobody was found
	identity_check BLOB    NOT NULL, -- sealed; empty for none

	CONSTRAINT lookups_names CHECK (id <> '' AND login <> '' AND employee <> '' AND branch <> ''),
	CONSTRAINT lookups_number CHECK (length(number_index) = 32),
	CONSTRAINT lookups_outcome CHECK (outcome IN ('found', 'unknown', 'forbidden') AND (customer <> '') = (outcome = 'found')),
	CONSTRAINT lookups_check CHECK (length(identity_check) = 0 OR outcome = 'found')
) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_of ON lookups (number_index, at);

-- +goose StatementBegin
CREATE TRIGGER lookups_once BEFORE INSERT ON lookups
WHEN EXISTS (SELECT 1 FROM lookups WHERE id = NEW.id)
BEGIN
	SELECT RAISE(ABORT, 'lookups_once: a look-up is on record once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lookups_unchanged BEFORE UPDATE ON lookups
BEGIN
	SELECT RAISE(ABORT, 'lookups_unchanged: look-ups are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lookups_kept BEFORE DELETE ON lookups
BEGIN
	SELECT RAISE(ABORT, 'lookups_kept: look-ups are append-only');
END;
-- +goose StatementEnd

CREATE TABLE lookup_days (
	employee TEXT    NOT NULL,
	day      TEXT    NOT NULL, -- YYYY-MM-DD, in Riyadh
	n        INTEGER NOT NULL,

	CONSTRAINT lookup_days_once PRIMARY KEY (employee, day),
	CONSTRAINT lookup_days_n CHECK (n > 0)
) STRICT, WITHOUT ROWID;
