-- oldest: 1
-- A session that its customer ended: no token of it is believed, however long that token lives. A program of before
-- believes it, until it is replaced.

CREATE TABLE ended_sessions (
	session text        COLLATE "C" NOT NULL,
	until   timestamptz NOT NULL,

	CONSTRAINT ended_sessions_once PRIMARY KEY (session),
	CONSTRAINT ended_sessions_named CHECK (session <> '')
);
CREATE INDEX ended_sessions_until ON ended_sessions (until);
COMMENT ON COLUMN ended_sessions.session IS 'sid of the token';
COMMENT ON COLUMN ended_sessions.until IS 'when the last of its tokens has expired';

-- As the others that prune.
CREATE FUNCTION prune_ended_sessions(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	DELETE FROM ended_sessions WHERE session IN (
		SELECT session FROM ended_sessions WHERE until < least(before, clock_timestamp())
		ORDER BY until LIMIT 100 FOR UPDATE SKIP LOCKED)
$$;
