-- What has to be seen over many refunds and many look-ups: whom an account was used for, and how each employee looked at
-- customers.

-- +goose Up

-- The ID numbers for whose fees money went to an account, each with the last time it was asked for, forgotten after 30 days.
CREATE TABLE account_uses (
	account_index BLOB    NOT NULL, -- blind index of the IBAN
	party_index   BLOB    NOT NULL, -- blind index of the beneficiary's number
	last_at       INTEGER NOT NULL,

	CONSTRAINT account_uses_once PRIMARY KEY (account_index, party_index),
	CONSTRAINT account_uses_indexes CHECK (length(account_index) = 32 AND length(party_index) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_uses_at ON account_uses (last_at);

-- SQLite has no role that may do less: what is younger by the clock of the machine stays, whoever deletes.
-- +goose StatementBegin
CREATE TRIGGER account_uses_kept BEFORE DELETE ON account_uses
WHEN OLD.last_at >= (unixepoch() - 30 * 86400) * 1000000
BEGIN
	SELECT RAISE(ABORT, 'account_uses_kept: uses are kept for 30 days');
END;
-- +goose StatementEnd

-- How often an employee looked at customers on a Riyadh day, at a branch, and what came of it. The limit goes by
-- lookup_days, which is over all branches.
CREATE TABLE lookup_tallies (
	branch    TEXT    NOT NULL,
	day       TEXT    NOT NULL, -- YYYY-MM-DD, in Riyadh
	employee  TEXT    NOT NULL,
	found     INTEGER NOT NULL,
	unknown   INTEGER NOT NULL,
	forbidden INTEGER NOT NULL,
	refused   INTEGER NOT NULL, -- there had been too many

	CONSTRAINT lookup_tallies_once PRIMARY KEY (branch, day, employee),
	CONSTRAINT lookup_tallies_named CHECK (branch <> '' AND employee <> ''),
	CONSTRAINT lookup_tallies_n CHECK (found >= 0 AND unknown >= 0 AND forbidden >= 0 AND refused >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookup_tallies_all ON lookup_tallies (day, branch, employee);

-- +goose StatementBegin
CREATE TRIGGER lookup_tallies_rise BEFORE UPDATE ON lookup_tallies
WHEN NEW.found < OLD.found OR NEW.unknown < OLD.unknown OR NEW.forbidden < OLD.forbidden OR NEW.refused < OLD.refused
BEGIN
	SELECT RAISE(ABORT, 'lookup_tallies_rise: what was looked at stays so');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lookup_tallies_kept BEFORE DELETE ON lookup_tallies
BEGIN
	SELECT RAISE(ABORT, 'lookup_tallies_kept: tallies are never deleted');
END;
-- +goose StatementEnd
