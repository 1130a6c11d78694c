-- oldest: 1
-- What is done for a refund later joins the trace of its confirm. A program of before doesn't say one.

ALTER TABLE refunds ADD COLUMN trace text NOT NULL DEFAULT '';
COMMENT ON COLUMN refunds.trace IS 'W3C traceparent of the confirm; empty: none';

DROP TRIGGER refunds_fixed ON refunds;
CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, payer_number, payer_index, beneficiary_kind, beneficiary_number,
	to_iban, to_iban_index, challenge, created_at, promised, trace ON refunds
	FOR EACH ROW EXECUTE FUNCTION for_ever('what was accepted does not change');
