-- What people did at devices: flow tests, announced work. Rows are added, and never changed.
-- `scope`: 'device', 'zone' or 'station', and `name` which one.
-- `json`: crate::accounts::Job.
CREATE TABLE work (
    n     INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    name  TEXT NOT NULL,
    at    INTEGER NOT NULL,
    who   TEXT NOT NULL,
    json  TEXT NOT NULL
);
CREATE INDEX work_of ON work (scope, name, n);
