-- oldest: 1
-- What has to be seen over many refunds and many look-ups: whom an account was used for, and how each employee looked at
-- customers. A program of before adds nothing to either.

CREATE TABLE account_uses (
	account_index bytea       NOT NULL,
	party_index   bytea       NOT NULL,
	last_at       timestamptz NOT NULL,

	CONSTRAINT account_uses_once PRIMARY KEY (account_index, party_index),
	CONSTRAINT account_uses_indexes CHECK (length(account_index) = 32 AND length(party_index) = 32)
) WITH (fillfactor = 80);
CREATE INDEX account_uses_at ON account_uses (last_at);
COMMENT ON TABLE account_uses IS 'the ID numbers for whose fees money went to an account, each with the last time it was asked for, forgotten after 30 days';
COMMENT ON COLUMN account_uses.account_index IS 'blind index of the IBAN';
COMMENT ON COLUMN account_uses.party_index IS 'blind index of the beneficiary''s number';

-- As the others that prune.
CREATE FUNCTION prune_account_uses(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	DELETE FROM account_uses WHERE (account_index, party_index) IN (
		SELECT account_index, party_index FROM account_uses WHERE last_at < least(before, clock_timestamp() - interval '30 days')
		ORDER BY last_at LIMIT 100 FOR UPDATE SKIP LOCKED)
$$;

CREATE TABLE lookup_tallies (
	branch    text    COLLATE "C" NOT NULL,
	day       date    NOT NULL,
	employee  text    COLLATE "C" NOT NULL,
	found     integer NOT NULL,
	unknown   integer NOT NULL,
	forbidden integer NOT NULL,
	refused   integer NOT NULL,

	CONSTRAINT lookup_tallies_once PRIMARY KEY (branch, day, employee),
	CONSTRAINT lookup_tallies_named CHECK (branch <> '' AND employee <> ''),
	CONSTRAINT lookup_tallies_n CHECK (found >= 0 AND unknown >= 0 AND forbidden >= 0 AND refused >= 0)
) WITH (fillfactor = 80);
CREATE INDEX lookup_tallies_all ON lookup_tallies (day, branch, employee);
COMMENT ON TABLE lookup_tallies IS 'how often an employee looked at customers on a Riyadh day, at a branch; the limit goes by lookup_days, over all branches';
COMMENT ON COLUMN lookup_tallies.refused IS 'there had been too many';

CREATE FUNCTION lookup_tallies_rise() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NEW.found < OLD.found OR NEW.unknown < OLD.unknown OR NEW.forbidden < OLD.forbidden OR NEW.refused < OLD.refused THEN
		PERFORM rule('lookup_tallies_rise', 'what was looked at stays so');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER lookup_tallies_rise BEFORE UPDATE ON lookup_tallies FOR EACH ROW EXECUTE FUNCTION lookup_tallies_rise();
CREATE TRIGGER lookup_tallies_kept BEFORE DELETE OR TRUNCATE ON lookup_tallies
	EXECUTE FUNCTION for_ever('tallies are never deleted');
