-- oldest: 1
-- What a dispute is settled by: the signed words between us and the core on which a move rests, and who took the evidence
-- of a refund. A program of before keeps neither.

CREATE TABLE exchanges (
	refund_id text   COLLATE "C" NOT NULL,
	version   bigint NOT NULL,
	call      text   NOT NULL,
	exchange  bytea  NOT NULL,

	CONSTRAINT exchanges_once PRIMARY KEY (refund_id, version),
	CONSTRAINT exchanges_of_an_event FOREIGN KEY (refund_id, version) REFERENCES events (refund_id, version),
	CONSTRAINT exchanges_call CHECK (call IN ('submit', 'status', 'return')),
	CONSTRAINT exchanges_sealed CHECK (length(exchange) > 0)
);
COMMENT ON TABLE exchanges IS 'one signed question to the core and its answer each, never altered';
COMMENT ON COLUMN exchanges.version IS 'of the event that rests on it';
COMMENT ON COLUMN exchanges.exchange IS 'sealed';

CREATE TRIGGER exchanges_unchanged BEFORE UPDATE ON exchanges
	EXECUTE FUNCTION for_ever('exchanges are append-only');
CREATE TRIGGER exchanges_kept BEFORE DELETE OR TRUNCATE ON exchanges
	EXECUTE FUNCTION for_ever('exchanges are append-only');

CREATE TABLE takings (
	id        text        COLLATE "C" NOT NULL,
	refund_id text        COLLATE "C" NOT NULL,
	at        timestamptz NOT NULL,
	login     text        NOT NULL,
	employee  text        NOT NULL,
	branch    text        NOT NULL,
	session   text        NOT NULL,
	digest    bytea       NOT NULL,

	CONSTRAINT takings_once PRIMARY KEY (id),
	CONSTRAINT takings_of_a_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
	CONSTRAINT takings_names CHECK (id <> '' AND login <> ''),
	CONSTRAINT takings_digest CHECK (length(digest) = 32)
);
CREATE INDEX takings_of ON takings (refund_id, at);
COMMENT ON TABLE takings IS 'who took the evidence of a refund, and when, never altered';
COMMENT ON COLUMN takings.employee IS 'the person behind the login';
COMMENT ON COLUMN takings.digest IS 'SHA-256 of what was taken';

CREATE TRIGGER takings_unchanged BEFORE UPDATE ON takings
	EXECUTE FUNCTION for_ever('takings are append-only');
CREATE TRIGGER takings_kept BEFORE DELETE OR TRUNCATE ON takings
	EXECUTE FUNCTION for_ever('takings are append-only');

-- Those that ended dead, by state and the newest first: few among many, and people look for them.
CREATE INDEX refunds_dead_list ON refunds (state, id) WHERE state IN ('rejected', 'cancelled', 'returned');
