-- What a dispute is settled by: the signed words between us and the core on which a move rests, and who took the evidence
-- of a refund.

-- +goose Up

CREATE TABLE exchanges (
	refund_id TEXT    NOT NULL,
	version   INTEGER NOT NULL, -- of the event that rests on it
	call      TEXT    NOT NULL,
	exchange  BLOB    NOT NULL, -- sealed

	CONSTRAINT exchanges_once PRIMARY KEY (refund_id, version),
	CONSTRAINT exchanges_of_an_event FOREIGN KEY (refund_id, version) REFERENCES events (refund_id, version),
	CONSTRAINT exchanges_call CHECK (call IN ('submit', 'status', 'return')),
	CONSTRAINT exchanges_sealed CHECK (length(exchange) > 0)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER exchanges_new BEFORE INSERT ON exchanges
WHEN EXISTS (SELECT 1 FROM exchanges WHERE refund_id = NEW.refund_id AND version = NEW.version)
BEGIN
	SELECT RAISE(ABORT, 'exchanges_new: an exchange is on record once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER exchanges_unchanged BEFORE UPDATE ON exchanges
BEGIN
	SELECT RAISE(ABORT, 'exchanges_unchanged: exchanges are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER exchanges_kept BEFORE DELETE ON exchanges
BEGIN
	SELECT RAISE(ABORT, 'exchanges_kept: exchanges are append-only');
END;
-- +goose StatementEnd

CREATE TABLE takings (
	id        TEXT    NOT NULL PRIMARY KEY,
	refund_id TEXT    NOT NULL,
	at        INTEGER NOT NULL,
	login     TEXT    NOT NULL,
	employee  TEXT    NOT NULL,
	branch    TEXT    NOT NULL,
	session   TEXT    NOT NULL,
	digest    BLOB    NOT NULL, -- SHA-256 of what was taken

	CONSTRAINT takings_of_a_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
	CONSTRAINT takings_names CHECK (id <> '' AND login <> ''),
	CONSTRAINT takings_digest CHECK (length(digest) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX takings_of ON takings (refund_id, at);

-- +goose StatementBegin
CREATE TRIGGER takings_once BEFORE INSERT ON takings
WHEN EXISTS (SELECT 1 FROM takings WHERE id = NEW.id)
BEGIN
	SELECT RAISE(ABORT, 'takings_once: a taking is on record once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER takings_unchanged BEFORE UPDATE ON takings
BEGIN
	SELECT RAISE(ABORT, 'takings_unchanged: takings are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER takings_kept BEFORE DELETE ON takings
BEGIN
	SELECT RAISE(ABORT, 'takings_kept: takings are append-only');
END;
-- +goose StatementEnd

-- Those that ended dead, by state and the newest first: few among many, and people look for them.
CREATE INDEX refunds_dead_list ON refunds (state, id) WHERE state IN ('rejected', 'cancelled', 'returned');
