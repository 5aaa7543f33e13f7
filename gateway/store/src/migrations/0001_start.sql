-- The must-not-lose store. One writer (the engine); everyone else reads.
-- Times are Unix milliseconds, UTC.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- `json`: standpipe_rules::registry::Station.
CREATE TABLE station (
    id          TEXT PRIMARY KEY,
    json        TEXT NOT NULL,
    online      INTEGER NOT NULL DEFAULT 0,
    presence_at INTEGER            -- when `online` was last heard; NULL: never
) WITHOUT ROWID;

-- `ix` is standpipe_rules::registry::DeviceIx; `json` is the whole Device.
CREATE TABLE device (
    ix      INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    kind    TEXT NOT NULL,
    station TEXT NOT NULL,
    zone    TEXT NOT NULL,
    name    TEXT NOT NULL,
    claimed INTEGER NOT NULL,
    json    TEXT NOT NULL
);
CREATE INDEX device_station ON device (station);

-- What the rules remember of a device. `upto`: the last log block it has seen; readings in later
-- blocks are stepped again at start. Saved at once when a condition changes, else within seconds.
CREATE TABLE memory (
    ix          INTEGER PRIMARY KEY,
    upto        INTEGER NOT NULL,
    conditions  INTEGER NOT NULL,  -- set of Condition::bit() that are true
    heard_at    INTEGER,           -- arrival clock, anything heard
    measured_at INTEGER,           -- event time of `latest`
    latest      TEXT,              -- JSON object: the newest value of each measurement
    body        BLOB NOT NULL      -- standpipe_rules::detect::Memory
);

-- Readings as they arrived, one row a batch, append-only; cut off at the front once history has
-- them and every memory is past them.
CREATE TABLE log (
    block    INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    body     BLOB NOT NULL
);

-- `wire`: the incident of CONTRACT §1 with page_id null; `inner`: what the book remembers.
CREATE TABLE incident (
    id         TEXT PRIMARY KEY,
    open       INTEGER NOT NULL,   -- 0 only when closed
    class      TEXT NOT NULL,
    severity   TEXT NOT NULL,
    state      TEXT NOT NULL,
    station    TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    closed_at  INTEGER,
    rev        INTEGER NOT NULL,
    wire       TEXT NOT NULL,
    inner      TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX incident_open ON incident (open) WHERE open = 1;
CREATE INDEX incident_opened ON incident (opened_at);

CREATE TABLE trail (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    incident TEXT NOT NULL,
    at       INTEGER NOT NULL,
    hop      TEXT NOT NULL,
    by       TEXT NOT NULL,
    detail   TEXT NOT NULL
);
CREATE INDEX trail_incident ON trail (incident);

-- One message owed to one receiver about one incident.
CREATE TABLE page (
    page_id      TEXT PRIMARY KEY,
    incident     TEXT NOT NULL,
    episode      INTEGER NOT NULL,
    step         INTEGER NOT NULL,
    repeat       INTEGER NOT NULL,
    kind         TEXT NOT NULL,    -- 'station' or 'webhook'
    receiver     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    delivered_at INTEGER,
    gave_up_at   INTEGER,
    UNIQUE (incident, episode, step, repeat, kind, receiver)
) WITHOUT ROWID;
CREATE INDEX page_owed ON page (at) WHERE delivered_at IS NULL AND gave_up_at IS NULL;

-- What each station's retained topic should show. Owed while `sent_rev` < `rev`.
CREATE TABLE board (
    station  TEXT NOT NULL,
    incident TEXT NOT NULL,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    page_id  TEXT,                 -- the newest page owed to this station about it
    PRIMARY KEY (station, incident)
) WITHOUT ROWID;
CREATE INDEX board_owed ON board (station) WHERE sent_rev < rev;

CREATE TABLE ledger (
    ix         INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    boot       INTEGER NOT NULL,
    expected   INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    duplicate  INTEGER NOT NULL,
    late       INTEGER NOT NULL,
    seq_reused INTEGER NOT NULL,
    PRIMARY KEY (ix, hour, boot)
) WITHOUT ROWID;
CREATE INDEX ledger_hour ON ledger (hour);

-- The newest messages that were not understood; bounded.
CREATE TABLE quarantine (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    payload BLOB NOT NULL          -- at most its first 4 KiB
);

-- The newest events of the stream, for Last-Event-ID; bounded.
CREATE TABLE event (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,            -- incident, device, page, presence
    json TEXT NOT NULL
);
