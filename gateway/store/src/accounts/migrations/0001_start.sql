-- Who may do what, and who did. A file of its own, beside the store: signing in never waits for
-- an alarm's commit, and an alarm's commit never waits for somebody who signs in.
-- Times are Unix milliseconds, UTC.

CREATE TABLE account (
    name       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,      -- viewer, crew, officer, admin or device_manager
    station    TEXT,               -- this station and those below it; NULL: all
    hash       TEXT NOT NULL,      -- PHC string, argon2id
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Failures since the last success; also of names that have no account, so that nobody learns
-- from it which names there are. Bounded.
CREATE TABLE attempt (
    name         TEXT PRIMARY KEY,
    failed       INTEGER NOT NULL,
    failed_at    INTEGER NOT NULL,
    locked_until INTEGER NOT NULL
) WITHOUT ROWID;

-- `id`: SHA-256 of the cookie's value, so that whoever reads this file can't sign in with it.
CREATE TABLE session (
    id         BLOB PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_account ON session (account);

-- `hash`: SHA-256 of a token with 192 random bits, which is why it needs no slow hash.
CREATE TABLE token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       BLOB NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    station    TEXT,
    made_by    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);

-- Who did what. Rows are added, and never changed or taken away.
CREATE TABLE audit (
    n      INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    what   TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
