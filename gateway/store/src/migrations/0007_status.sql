-- What each device said of itself when it last started; a text has at most 64 characters.
CREATE TABLE device_status (
    ix       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,     -- when it arrived
    boot     INTEGER,
    firmware TEXT,
    model    TEXT,
    reset    TEXT,
    lost     INTEGER,
    storage  TEXT
);
-- The registered device that a message came from; empty: none is known.
ALTER TABLE quarantine ADD COLUMN device TEXT NOT NULL DEFAULT '';
-- Messages of which something was not understood, by quarter of an hour and first reason: the
-- quarantine keeps the newest alone. Kept for 90 days.
CREATE TABLE rejected (
    slot     INTEGER NOT NULL,     -- when the quarter of an hour began
    reason   TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (slot, reason)
) WITHOUT ROWID;
