BEGIN TRANSACTION;
CREATE TABLE board (
    station  TEXT NOT NULL,
    incident TEXT NOT NULL,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    page_id  TEXT,                 -- the newest page owed to this station about it
    PRIMARY KEY (station, incident)
) WITHOUT ROWID;
INSERT INTO "board" VALUES('t1','01M85NDYDS00000001YAJ473Q7',2,2,'01M85NDYDS00000002KK1SWRVV');
INSERT INTO "board" VALUES('t1','01M85NDYDS00000004EJ54BHXH',2,2,'01M85NDYDS000000058GZXJHN7');
CREATE TABLE command (
    id         TEXT PRIMARY KEY,
    ix         INTEGER NOT NULL,
    state      TEXT NOT NULL,      -- queued, sent, answered, refused, expired
    expires_at INTEGER NOT NULL,
    json       TEXT NOT NULL
) WITHOUT ROWID;
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
INSERT INTO "device" VALUES(0,'H1','hydrant','t1','','消火栓 1',1,'{"id":"H1","kind":"hydrant","name":"消火栓 1","station":"t1","zone":"","profile":"municipal","lat":29.381,"lon":106.551,"address":"滨江路","building":"","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
INSERT INTO "device" VALUES(1,'H2','hydrant','t2','','消火栓 2',1,'{"id":"H2","kind":"hydrant","name":"消火栓 2","station":"t2","zone":"","profile":"municipal","lat":29.481,"lon":106.551,"address":"马王坪","building":"","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
INSERT INTO "device" VALUES(2,'D1','smoke','t1','','感烟 1',1,'{"id":"D1","kind":"smoke","name":"感烟 1","station":"t1","zone":"","profile":"smoke_home","lat":29.381,"lon":106.561,"address":"新市街 3 号","building":"A","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
CREATE TABLE event (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,            -- incident, device, page, presence
    json TEXT NOT NULL
);
INSERT INTO "event" VALUES(1,1795486579130,'device','{"conditions":["no_water"],"heard_at":1795486579129,"id":"H1","latest":{"pressure_kpa":3.0},"measured_at":1795486579129}');
INSERT INTO "event" VALUES(2,1795486579130,'device','{"conditions":["smoke"],"heard_at":1795486579129,"id":"D1","latest":{"smoke_db_m":0.3100000023841858},"measured_at":1795486579129}');
INSERT INTO "event" VALUES(3,1795486579129,'incident','{"id":"01M85NDYDS00000001YAJ473Q7","rev":1,"station":"t1","class":"water","severity":"critical","state":"open","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486579129,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795486639129,"page_id":null}');
INSERT INTO "event" VALUES(4,1795486579130,'incident','{"id":"01M85NDYDS00000004EJ54BHXH","rev":2,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486579130,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486579129,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486579129,"trust":"ok"}],"hydrants_note":{"en":"Only 1 hydrant can be trusted","zh":"只有1个消火栓可信赖"},"step":1,"next_step_at":1795486639129,"page_id":null}');
INSERT INTO "event" VALUES(5,1795486579129,'page','{"at":1795486579129,"episode":1,"incident":"01M85NDYDS00000001YAJ473Q7","kind":"station","page_id":"01M85NDYDS00000002KK1SWRVV","receiver":"t1","repeat":0,"step":1}');
INSERT INTO "event" VALUES(6,1795486579129,'page','{"at":1795486579129,"episode":1,"incident":"01M85NDYDS00000001YAJ473Q7","kind":"webhook","page_id":"01M85NDYDS00000003HQV5YE3C","receiver":"duty","repeat":0,"step":1}');
INSERT INTO "event" VALUES(7,1795486579129,'page','{"at":1795486579129,"episode":1,"incident":"01M85NDYDS00000004EJ54BHXH","kind":"station","page_id":"01M85NDYDS000000058GZXJHN7","receiver":"t1","repeat":0,"step":1}');
INSERT INTO "event" VALUES(8,1795486579129,'page','{"at":1795486579129,"episode":1,"incident":"01M85NDYDS00000004EJ54BHXH","kind":"webhook","page_id":"01M85NDYDS00000006WPV7XQ07","receiver":"duty","repeat":0,"step":1}');
INSERT INTO "event" VALUES(9,1795486579129,'presence','{"at":1795486579129,"online":true,"station":"t1"}');
INSERT INTO "event" VALUES(10,1795486579135,'page','{"delivered_at":1795486579135,"page_id":"01M85NDYDS00000002KK1SWRVV"}');
INSERT INTO "event" VALUES(11,1795486579136,'page','{"delivered_at":1795486579136,"page_id":"01M85NDYDS000000058GZXJHN7"}');
INSERT INTO "event" VALUES(12,1795486582393,'incident','{"id":"01M85NDYDS00000001YAJ473Q7","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486582393,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488382393,"page_id":null}');
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
INSERT INTO "incident" VALUES('01M85NDYDS00000001YAJ473Q7',1,'water','critical','acknowledged','t1',1795486579129,1795486582393,NULL,2,'{"id":"01M85NDYDS00000001YAJ473Q7","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486582393,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488382393,"page_id":null}','{"id":"01M85NDYDS00000001YAJ473Q7","rev":2,"class":"water","subject":{"device":0},"station":"t1","state":"acknowledged","severity":"critical","episode":1,"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486582393,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":1795488382393,"value":{"pressure_kpa":3.0},"hydrants":[],"members":[{"subject":{"device":0},"condition":"no_water","since":1795486579129,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"","repeat":0,"episode_at":1795486579129,"step_at":1795486579129,"work_until":1795488382393,"active_at":1795486582393,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
INSERT INTO "incident" VALUES('01M85NDYDS00000004EJ54BHXH',1,'fire','fire','open','t1',1795486579129,1795486579130,NULL,2,'{"id":"01M85NDYDS00000004EJ54BHXH","rev":2,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486579130,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486579129,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486579129,"trust":"ok"}],"hydrants_note":{"en":"Only 1 hydrant can be trusted","zh":"只有1个消火栓可信赖"},"step":1,"next_step_at":1795486639129,"page_id":null}','{"id":"01M85NDYDS00000004EJ54BHXH","rev":2,"class":"fire","subject":{"device":2},"station":"t1","state":"open","severity":"fire","episode":1,"opened_at":1795486579129,"since":1795486579129,"updated_at":1795486579130,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":1795486639129,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486579129,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486579129,"trust":"ok"}],"members":[{"subject":{"device":2},"condition":"smoke","since":1795486579129,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"A","repeat":0,"episode_at":1795486579129,"step_at":1795486579129,"work_until":0,"active_at":1795486579129,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
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
CREATE TABLE log (
    block    INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    body     BLOB NOT NULL
);
INSERT INTO "log" VALUES(1,1795486579130,3,X'0101F2E6B7B5C168000081620101CA39980D00409C43A03800000000816001011F95CE670000404002000000A0600101E0ED8E8852B89E3E');
CREATE TABLE memory (
    ix          INTEGER PRIMARY KEY,
    upto        INTEGER NOT NULL,
    conditions  INTEGER NOT NULL,  -- set of Condition::bit() that are true
    heard_at    INTEGER,           -- arrival clock, anything heard
    measured_at INTEGER,           -- event time of `latest`
    latest      TEXT,              -- JSON object: the newest value of each measurement
    body        BLOB NOT NULL      -- standpipe_rules::detect::Memory
);
INSERT INTO "memory" VALUES(0,1,4,1795486579129,1795486579129,'{"pressure_kpa":3.0}',X'01010101BAB81E0101000000000000000000000000009FAABABE06000000000000000000000000000000000000000000000000000000000000B9F3DB5A000000000000000000000001F2E6B7B5C168F2E6B7B5C168020201F2E6B7B5C16800000001F2E6B7B5C168F2E6B7B5C168F2E6B7B5C168F2E6B7B5C16801000301F2E6B7B5C16800000000FFFFFFFFFFFFFFFFFF01000000000001F2E6B7B5C16801F2E6B7B5C16801000040400000000000000000000000000000404001F2E6B7B5C168FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
INSERT INTO "memory" VALUES(1,1,0,1795486579129,1795486579129,'{"pressure_kpa":312.5,"battery_mv":3600}',X'01010101BAB81E010100000000000000000000000000CAF3E06C000000000000000000000000000000000000000000000000000000000000B9F3DB5A000000000000000000000001F2E6B7B5C168F2E6B7B5C1680001F2E6B7B5C16801F2E6B7B5C1680100409C430000000000000000000100006145000000409C4301F2E6B7B5C168FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
INSERT INTO "memory" VALUES(2,1,1,1795486579129,1795486579129,'{"smoke_db_m":0.31}',X'01010101BAB81E010100000000000000000000000000E0DBBBC408000000000000000000000000000000000000000000000000000000000000B9F3DB5A000000000000000000000001F2E6B7B5C168F2E6B7B5C168010001F2E6B7B5C16800000001F2E6B7B5C168F2E6B7B5C168F2E6B7B5C168F2E6B7B5C168010001F2E6B7B5C16801F2E6B7B5C168000000000000000152B89E3E0000000000000000000000FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('book','{"ids":6,"reminded":[],"looked_at":1795486579130,"windows":[]}');
INSERT INTO "meta" VALUES('gateway','28663d3880db2c6b');
INSERT INTO "meta" VALUES('series_block','1');
INSERT INTO "meta" VALUES('terminals','["t1"]');
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
INSERT INTO "page" VALUES('01M85NDYDS00000002KK1SWRVV','01M85NDYDS00000001YAJ473Q7',1,1,0,'station','t1',1795486579129,1795486579135,NULL);
INSERT INTO "page" VALUES('01M85NDYDS00000003HQV5YE3C','01M85NDYDS00000001YAJ473Q7',1,1,0,'webhook','duty',1795486579129,NULL,NULL);
INSERT INTO "page" VALUES('01M85NDYDS000000058GZXJHN7','01M85NDYDS00000004EJ54BHXH',1,1,0,'station','t1',1795486579129,1795486579136,NULL);
INSERT INTO "page" VALUES('01M85NDYDS00000006WPV7XQ07','01M85NDYDS00000004EJ54BHXH',1,1,0,'webhook','duty',1795486579129,NULL,NULL);
CREATE TABLE quarantine (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    payload BLOB NOT NULL          -- at most its first 4 KiB
);
CREATE TABLE settings (
    ix    INTEGER PRIMARY KEY,
    owed  INTEGER NOT NULL,
    state TEXT NOT NULL,           -- none, pending, applied, refused
    wish  TEXT,
    json  TEXT NOT NULL
);
CREATE TABLE station (
    id          TEXT PRIMARY KEY,
    json        TEXT NOT NULL,
    online      INTEGER NOT NULL DEFAULT 0,
    presence_at INTEGER            -- when `online` was last heard; NULL: never
) WITHOUT ROWID;
INSERT INTO "station" VALUES('d','{"id":"d","name":"支队","level":"district","parent":null,"lat":29.38,"lon":106.54,"phone":null}',0,NULL);
INSERT INTO "station" VALUES('t1','{"id":"t1","name":"鱼洞站","level":"township","parent":"d","lat":29.38,"lon":106.55,"phone":null}',1,1795486579129);
INSERT INTO "station" VALUES('t2','{"id":"t2","name":"李家沱站","level":"township","parent":"d","lat":29.48,"lon":106.55,"phone":null}',0,NULL);
CREATE TABLE trail (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    incident TEXT NOT NULL,
    at       INTEGER NOT NULL,
    hop      TEXT NOT NULL,
    by       TEXT NOT NULL,
    detail   TEXT NOT NULL
);
INSERT INTO "trail" VALUES(1,'01M85NDYDS00000001YAJ473Q7',1795486579129,'measured','H1','no_water');
INSERT INTO "trail" VALUES(2,'01M85NDYDS00000001YAJ473Q7',1795486579129,'received','H1','no_water');
INSERT INTO "trail" VALUES(3,'01M85NDYDS00000001YAJ473Q7',1795486579129,'raised','H1','no_water');
INSERT INTO "trail" VALUES(4,'01M85NDYDS00000001YAJ473Q7',1795486579129,'paged','gateway','step 1: station t1');
INSERT INTO "trail" VALUES(5,'01M85NDYDS00000001YAJ473Q7',1795486579129,'paged','gateway','step 1: webhook duty');
INSERT INTO "trail" VALUES(6,'01M85NDYDS00000004EJ54BHXH',1795486579129,'measured','D1','smoke');
INSERT INTO "trail" VALUES(7,'01M85NDYDS00000004EJ54BHXH',1795486579129,'received','D1','smoke');
INSERT INTO "trail" VALUES(8,'01M85NDYDS00000004EJ54BHXH',1795486579129,'raised','D1','smoke');
INSERT INTO "trail" VALUES(9,'01M85NDYDS00000004EJ54BHXH',1795486579129,'paged','gateway','step 1: station t1');
INSERT INTO "trail" VALUES(10,'01M85NDYDS00000004EJ54BHXH',1795486579129,'paged','gateway','step 1: webhook duty');
INSERT INTO "trail" VALUES(11,'01M85NDYDS00000001YAJ473Q7',1795486579135,'delivered','station t1','step 1: station t1');
INSERT INTO "trail" VALUES(12,'01M85NDYDS00000004EJ54BHXH',1795486579136,'delivered','station t1','step 1: station t1');
INSERT INTO "trail" VALUES(13,'01M85NDYDS00000001YAJ473Q7',1795486582393,'acknowledged','chief','');
CREATE TABLE wish (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX device_station ON device (station);
CREATE INDEX incident_open ON incident (open) WHERE open = 1;
CREATE INDEX incident_opened ON incident (opened_at);
CREATE INDEX trail_incident ON trail (incident);
CREATE INDEX page_owed ON page (at) WHERE delivered_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX board_owed ON board (station) WHERE sent_rev < rev;
CREATE INDEX ledger_hour ON ledger (hour);
CREATE INDEX settings_owed ON settings (ix) WHERE owed = 1;
CREATE INDEX settings_pending ON settings (ix) WHERE state = 'pending';
CREATE INDEX command_device ON command (ix, id);
CREATE INDEX command_queued ON command (id) WHERE state = 'queued';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log',1);
INSERT INTO "sqlite_sequence" VALUES('event',12);
INSERT INTO "sqlite_sequence" VALUES('trail',13);
COMMIT;
PRAGMA user_version = 2;
