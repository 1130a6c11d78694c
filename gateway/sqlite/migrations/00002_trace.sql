-- What is done for a refund later joins the trace of its confirm.

-- +goose Up

ALTER TABLE refunds ADD COLUMN trace TEXT NOT NULL DEFAULT ''; -- W3C traceparent; empty: none

DROP TRIGGER refunds_fixed;

-- +goose StatementBegin
CREATE TRIGGER refunds_fixed BEFORE UPDATE OF
	id, reference, ordinal, customer, session, client, channel, teller, employee, branch, request_id, service,
	name_ar, name_en, amount, payer_kind, beneficiary_kind, challenge, created_at, promised, trace ON refunds
BEGIN
	SELECT RAISE(ABORT, 'refunds_fixed: what was accepted does not change');
END;
-- +goose StatementEnd
