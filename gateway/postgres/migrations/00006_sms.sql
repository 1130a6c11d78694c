-- oldest: 1
-- Every SMS that was handed to a provider, with blanks in the place of its code: what a customer was told, and when. A
-- program of before keeps no such record.

CREATE TABLE sms (
	id              text        COLLATE "C" NOT NULL,
	message         text        NOT NULL,
	about           text        COLLATE "C" NOT NULL,
	at              timestamptz NOT NULL,
	kind            text        NOT NULL,
	route           text        NOT NULL,
	outcome         text        NOT NULL,
	recipient       bytea       NOT NULL,
	recipient_index bytea       NOT NULL,
	text            bytea       NOT NULL,

	CONSTRAINT sms_once PRIMARY KEY (id),
	CONSTRAINT sms_names CHECK (id <> '' AND message <> '' AND kind <> '' AND route <> ''),
	CONSTRAINT sms_outcome CHECK (outcome IN ('taken', 'not_sent', 'unknown')),
	CONSTRAINT sms_sealed CHECK (length(recipient) > 0 AND length(recipient_index) = 32 AND length(text) > 0)
);
CREATE INDEX sms_about ON sms (about, at) WHERE about <> '';
CREATE INDEX sms_to ON sms (recipient_index, at);
CREATE INDEX sms_at ON sms (at);
COMMENT ON TABLE sms IS 'one handing over of a message to a provider each, never altered, and forgotten after 90 days';
COMMENT ON COLUMN sms.message IS 'under which the provider knows it; repetitions share it';
COMMENT ON COLUMN sms.about IS 'a challenge, or a refund''s reference; empty: neither';
COMMENT ON COLUMN sms.recipient IS 'sealed';
COMMENT ON COLUMN sms.recipient_index IS 'blind index of the number';
COMMENT ON COLUMN sms.text IS 'sealed; codes are blanked';

CREATE TRIGGER sms_unchanged BEFORE UPDATE ON sms
	EXECUTE FUNCTION for_ever('the record of messages is append-only');
CREATE TRIGGER sms_kept BEFORE DELETE ON sms
	FOR EACH ROW WHEN (OLD.at >= clock_timestamp() - interval '90 days')
	EXECUTE FUNCTION for_ever('the record of messages is kept for 90 days');
CREATE TRIGGER sms_kept_whole BEFORE TRUNCATE ON sms
	EXECUTE FUNCTION for_ever('the record of messages is kept for 90 days');

-- As the others that prune.
CREATE FUNCTION prune_sms(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	DELETE FROM sms WHERE id IN (
		SELECT id FROM sms WHERE at < least(before, clock_timestamp() - interval '90 days')
		ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED)
$$;
