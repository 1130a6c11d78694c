-- oldest: 1
-- Why a refund awaits approval, what was seen of it at the confirm, and which customers were let in again by whom. A
-- program of before says neither, and lets nobody in.

ALTER TABLE refunds ADD COLUMN held text NOT NULL DEFAULT '', ADD COLUMN flags text NOT NULL DEFAULT '';
COMMENT ON COLUMN refunds.held IS 'why it awaits approval; empty: it never did';
COMMENT ON COLUMN refunds.flags IS 'what was seen of it at the confirm; not for the customer';

-- What awaits approval says why from now on too. It had two reasons, and the row doesn't say which: where the customer was
-- let in by an identity check that was one for sure; anywhere else it can only be the amount.
UPDATE refunds SET held = CASE
	WHEN EXISTS (SELECT FROM lookups WHERE lookups.id = refunds.session AND length(identity_check) > 0) THEN 'identity_check'
	ELSE 'above_limit' END
WHERE state = 'awaiting_approval';

DROP TRIGGER refunds_fixed ON refunds;
CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, payer_number, payer_index, beneficiary_kind, beneficiary_number,
	to_iban, to_iban_index, challenge, created_at, promised, trace, held, flags ON refunds
	FOR EACH ROW EXECUTE FUNCTION for_ever('what was accepted does not change');

CREATE TABLE unblocks (
	lookup text  COLLATE "C" NOT NULL,
	note   bytea NOT NULL,

	CONSTRAINT unblocks_once PRIMARY KEY (lookup),
	CONSTRAINT unblocks_of_a_lookup FOREIGN KEY (lookup) REFERENCES lookups (id),
	CONSTRAINT unblocks_note CHECK (length(note) > 0)
);
COMMENT ON TABLE unblocks IS 'a look-up by which a customer who was blocked by wrong codes was let in again: who, where and when is the look-up''s';
COMMENT ON COLUMN unblocks.note IS 'why, in the words of whoever did, sealed';

CREATE FUNCTION unblocks_found() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM lookups WHERE id = NEW.lookup AND outcome = 'found') THEN
		PERFORM rule('unblocks_found', 'somebody was found, and is let in again');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER unblocks_found BEFORE INSERT ON unblocks FOR EACH ROW EXECUTE FUNCTION unblocks_found();
CREATE TRIGGER unblocks_unchanged BEFORE UPDATE ON unblocks
	EXECUTE FUNCTION for_ever('unblocks are append-only');
CREATE TRIGGER unblocks_kept BEFORE DELETE OR TRUNCATE ON unblocks
	EXECUTE FUNCTION for_ever('unblocks are append-only');
