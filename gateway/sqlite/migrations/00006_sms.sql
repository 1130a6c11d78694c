-- Every SMS that was handed to a provider, with blanks in the place of its code: what a customer was told, and when. It is
-- forgotten after 90 days.

-- +goose Up

CREATE TABLE sms (
	id              TEXT    NOT NULL PRIMARY KEY,
	message         TEXT    NOT NULL, -- under which the provider knows it; repetitions share it
	about           TEXT    NOT NULL, -- a challenge, or a refund's reference; empty: neither
	at              INTEGER NOT NULL,
	kind            TEXT    NOT NULL,
	route           TEXT    NOT NULL,
	outcome         TEXT    NOT NULL,
	recipient       BLOB    NOT NULL, -- sealed
	recipient_index BLOB    NOT NULL, -- blind index of the number
	text            BLOB    NOT NULL, -- sealed

	CONSTRAINT sms_names CHECK (id <> '' AND message <> '' AND kind <> '' AND route <> ''),
	CONSTRAINT sms_outcome CHECK (outcome IN ('taken', 'not_sent', 'unknown')),
	CONSTRAINT sms_sealed CHECK (length(recipient) > 0 AND length(recipient_index) = 32 AND length(text) > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_about ON sms (about, at) WHERE about <> '';
CREATE INDEX sms_to ON sms (recipient_index, at);
CREATE INDEX sms_at ON sms (at);

-- +goose StatementBegin
CREATE TRIGGER sms_once BEFORE INSERT ON sms
WHEN EXISTS (SELECT 1 FROM sms WHERE id = NEW.id)
BEGIN
	SELECT RAISE(ABORT, 'sms_once: an SMS is on record once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sms_unchanged BEFORE UPDATE ON sms
BEGIN
	SELECT RAISE(ABORT, 'sms_unchanged: the record of messages is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sms_kept BEFORE DELETE ON sms
WHEN OLD.at >= (unixepoch() - 90 * 86400) * 1000000
BEGIN
	SELECT RAISE(ABORT, 'sms_kept: the record of messages is kept for 90 days');
END;
-- +goose StatementEnd
