-- A session that its customer ended: no token of it is believed, however long that token lives.

-- +goose Up

CREATE TABLE ended_sessions (
	session TEXT    NOT NULL PRIMARY KEY, -- sid of the token
	until   INTEGER NOT NULL,             -- when the last of its tokens has expired

	CONSTRAINT ended_sessions_named CHECK (session <> '')
) STRICT, WITHOUT ROWID;
CREATE INDEX ended_sessions_until ON ended_sessions (until);
