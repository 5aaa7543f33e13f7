-- What is asked of devices: settings, which stay, and commands, which are carried out once.

-- What people wish. `kind`: 'device' (name: its id) or 'profile'.
-- `json`: standpipe_rules::orders::Wished.
CREATE TABLE wish (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- What each device was told, and says. `owed`: the broker has not confirmed it, and the device's
-- area is known. `wish`: what it was told, as in `wish`; NULL: nothing yet.
-- `json`: standpipe_rules::orders::DeviceSettings.
CREATE TABLE settings (
    ix    INTEGER PRIMARY KEY,
    owed  INTEGER NOT NULL,
    state TEXT NOT NULL,           -- none, pending, applied, refused
    wish  TEXT,
    json  TEXT NOT NULL
);
CREATE INDEX settings_owed ON settings (ix) WHERE owed = 1;
CREATE INDEX settings_pending ON settings (ix) WHERE state = 'pending';

-- `json`: standpipe_rules::orders::Command; its device is `ix`.
CREATE TABLE command (
    id         TEXT PRIMARY KEY,
    ix         INTEGER NOT NULL,
    state      TEXT NOT NULL,      -- queued, sent, answered, refused, expired
    expires_at INTEGER NOT NULL,
    json       TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX command_device ON command (ix, id);
CREATE INDEX command_queued ON command (id) WHERE state = 'queued';
