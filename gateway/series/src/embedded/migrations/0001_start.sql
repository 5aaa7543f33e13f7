-- The embedded history. One writer. Times are Unix milliseconds, UTC.

CREATE TABLE device (
    n  INTEGER PRIMARY KEY,        -- stands for the device in the other tables
    id TEXT NOT NULL UNIQUE
);

-- Every reading of the last 90 days. `ts`: Logged::series_ts, one reading a millisecond.
CREATE TABLE raw (
    device           INTEGER NOT NULL,
    ts               INTEGER NOT NULL,
    pressure_kpa     REAL,
    pressure_min_kpa REAL,
    pressure_max_kpa REAL,
    loop_ma          REAL,
    flowing          INTEGER,
    cap_open         INTEGER,
    tilt_deg         REAL,
    smoke_db_m       REAL,
    dirt_pct         REAL,
    temp_c           REAL,
    battery_mv       INTEGER,
    rssi_dbm         INTEGER,
    PRIMARY KEY (device, ts)
) WITHOUT ROWID;

-- 5 years. `field`: its place in the list of measurements (CONTRACT §1), from 0.
CREATE TABLE hourly (
    device INTEGER NOT NULL,
    field  INTEGER NOT NULL,
    hour   INTEGER NOT NULL,
    min    REAL NOT NULL,
    mean   REAL NOT NULL,
    max    REAL NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (device, field, hour)
) WITHOUT ROWID;

-- Hours with readings that `hourly` does not know yet, late ones too.
CREATE TABLE stale (
    hour   INTEGER NOT NULL,
    device INTEGER NOT NULL,
    PRIMARY KEY (hour, device)
) WITHOUT ROWID;
