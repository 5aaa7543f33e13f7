-- The daily digest of notices, one row a receiver and day: owed until it is delivered or given up.
-- `json`: {"digest":…} of standpipe_rules::digest::Digest, as it was when it was made.
-- `meta.digest`: the newest day that was made, and up to when it tells.
CREATE TABLE digest (
    day          TEXT NOT NULL,    -- in the town: 2026-11-28
    receiver     TEXT NOT NULL,    -- a webhook's name
    at           INTEGER NOT NULL,
    json         TEXT NOT NULL,
    delivered_at INTEGER,
    gave_up_at   INTEGER,
    PRIMARY KEY (day, receiver)
) WITHOUT ROWID;
CREATE INDEX digest_owed ON digest (receiver, day)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL;
-- Which notices ended within a day is asked by the digest and its page, over years of incidents.
CREATE INDEX incident_notice_closed ON incident (closed_at, opened_at)
    WHERE severity = 'notice' AND open = 0;
