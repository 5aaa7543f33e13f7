BEGIN TRANSACTION;
CREATE TABLE board (
    station  TEXT NOT NULL,
    incident TEXT NOT NULL,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    page_id  TEXT,                 -- the newest page owed to this station about it
    PRIMARY KEY (station, incident)
) WITHOUT ROWID;
INSERT INTO "board" VALUES('t1','01M85NDQ5X00000001XRFHGEP3',2,2,'01M85NDQ5X00000002EJ9D76RJ');
INSERT INTO "board" VALUES('t1','01M85NDQ6600000004XTDGG535',2,2,'01M85NDQ6600000005NKWDHB32');
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
INSERT INTO "event" VALUES(1,1795486571699,'presence','{"at":1795486571699,"online":true,"station":"t1"}');
INSERT INTO "event" VALUES(2,1795486571713,'device','{"conditions":["no_water"],"heard_at":1795486571709,"id":"H1","latest":{"pressure_kpa":3.0},"measured_at":1795486571709}');
INSERT INTO "event" VALUES(3,1795486571709,'incident','{"id":"01M85NDQ5X00000001XRFHGEP3","rev":1,"station":"t1","class":"water","severity":"critical","state":"open","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486571709,"since":1795486571709,"updated_at":1795486571709,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795486631709,"page_id":null}');
INSERT INTO "event" VALUES(4,1795486571709,'page','{"at":1795486571709,"episode":1,"incident":"01M85NDQ5X00000001XRFHGEP3","kind":"station","page_id":"01M85NDQ5X00000002EJ9D76RJ","receiver":"t1","repeat":0,"step":1}');
INSERT INTO "event" VALUES(5,1795486571709,'page','{"at":1795486571709,"episode":1,"incident":"01M85NDQ5X00000001XRFHGEP3","kind":"webhook","page_id":"01M85NDQ5X00000003F37DZ9MS","receiver":"duty","repeat":0,"step":1}');
INSERT INTO "event" VALUES(6,1795486571719,'device','{"conditions":["smoke"],"heard_at":1795486571718,"id":"D1","latest":{"smoke_db_m":0.3100000023841858},"measured_at":1795486571718}');
INSERT INTO "event" VALUES(7,1795486571719,'incident','{"id":"01M85NDQ6600000004XTDGG535","rev":2,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486571718,"since":1795486571718,"updated_at":1795486571719,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486571709,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486571705,"trust":"ok"}],"hydrants_note":{"en":"Only 1 hydrant can be trusted","zh":"只有1个消火栓可信赖"},"step":1,"next_step_at":1795486631718,"page_id":null}');
INSERT INTO "event" VALUES(8,1795486571718,'page','{"at":1795486571718,"episode":1,"incident":"01M85NDQ6600000004XTDGG535","kind":"station","page_id":"01M85NDQ6600000005NKWDHB32","receiver":"t1","repeat":0,"step":1}');
INSERT INTO "event" VALUES(9,1795486571718,'page','{"at":1795486571718,"episode":1,"incident":"01M85NDQ6600000004XTDGG535","kind":"webhook","page_id":"01M85NDQ6600000006ACV9ZB35","receiver":"duty","repeat":0,"step":1}');
INSERT INTO "event" VALUES(10,1795486571719,'page','{"delivered_at":1795486571719,"page_id":"01M85NDQ5X00000002EJ9D76RJ"}');
INSERT INTO "event" VALUES(11,1795486571726,'page','{"delivered_at":1795486571726,"page_id":"01M85NDQ6600000005NKWDHB32"}');
INSERT INTO "event" VALUES(12,1795486575122,'incident','{"id":"01M85NDQ5X00000001XRFHGEP3","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486571709,"since":1795486571709,"updated_at":1795486575122,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488375122,"page_id":null}');
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
INSERT INTO "incident" VALUES('01M85NDQ5X00000001XRFHGEP3',1,'water','critical','acknowledged','t1',1795486571709,1795486575122,NULL,2,'{"id":"01M85NDQ5X00000001XRFHGEP3","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486571709,"since":1795486571709,"updated_at":1795486575122,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488375122,"page_id":null}','{"id":"01M85NDQ5X00000001XRFHGEP3","rev":2,"class":"water","subject":{"device":0},"station":"t1","state":"acknowledged","severity":"critical","episode":1,"opened_at":1795486571709,"since":1795486571709,"updated_at":1795486575122,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":1795488375122,"value":{"pressure_kpa":3.0},"hydrants":[],"members":[{"subject":{"device":0},"condition":"no_water","since":1795486571709,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"","repeat":0,"episode_at":1795486571709,"step_at":1795486571709,"work_until":1795488375122,"active_at":1795486575122,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
INSERT INTO "incident" VALUES('01M85NDQ6600000004XTDGG535',1,'fire','fire','open','t1',1795486571718,1795486571719,NULL,2,'{"id":"01M85NDQ6600000004XTDGG535","rev":2,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486571718,"since":1795486571718,"updated_at":1795486571719,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486571709,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486571705,"trust":"ok"}],"hydrants_note":{"en":"Only 1 hydrant can be trusted","zh":"只有1个消火栓可信赖"},"step":1,"next_step_at":1795486631718,"page_id":null}','{"id":"01M85NDQ6600000004XTDGG535","rev":2,"class":"fire","subject":{"device":2},"station":"t1","state":"open","severity":"fire","episode":1,"opened_at":1795486571718,"since":1795486571718,"updated_at":1795486571719,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":1795486631718,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486571709,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486571705,"trust":"ok"}],"members":[{"subject":{"device":2},"condition":"smoke","since":1795486571718,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"A","repeat":0,"episode_at":1795486571718,"step_at":1795486571718,"work_until":0,"active_at":1795486571718,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
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
INSERT INTO "log" VALUES(1,1795486571713,2,X'0101F2F2B6B5C168000081620101CA39980D00409C43A03800080000816001011F95CE6700004040');
INSERT INTO "log" VALUES(2,1795486571719,1,X'01028CF3B6B5C1680000A0600101E0ED8E8852B89E3E');
CREATE TABLE memory (
    ix          INTEGER PRIMARY KEY,
    upto        INTEGER NOT NULL,
    conditions  INTEGER NOT NULL,  -- set of Condition::bit() that are true
    heard_at    INTEGER,           -- arrival clock, anything heard
    measured_at INTEGER,           -- event time of `latest`
    latest      TEXT,              -- JSON object: the newest value of each measurement
    body        BLOB NOT NULL      -- standpipe_rules::detect::Memory
);
INSERT INTO "memory" VALUES(0,1,4,1795486571709,1795486571709,'{"pressure_kpa":3.0}',X'01010101BAB81E0101000000000000000000000000009FAABABE06000000000000000000000000000000000000000000000000000000000000BDB9DB5A000000000000000000000001FAF2B6B5C168FAF2B6B5C168020201FAF2B6B5C16800000001FAF2B6B5C168FAF2B6B5C168FAF2B6B5C168FAF2B6B5C16801000301FAF2B6B5C16800000000FFFFFFFFFFFFFFFFFF01000000000001FAF2B6B5C16801FAF2B6B5C16801000040400000000000000000000000000000404001FAF2B6B5C168FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
INSERT INTO "memory" VALUES(1,2,0,1795486571705,1795486571705,'{"pressure_kpa":312.5,"battery_mv":3600}',X'01010101BAB81E010100000000000000000000000000CAF3E06C000000000000000000000000000000000000000000000000000000000000B9B9DB5A000000000000000000000001F2F2B6B5C168F2F2B6B5C1680001F2F2B6B5C16801F2F2B6B5C1680100409C430000000000000000000100006145000000409C4301F2F2B6B5C168FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
INSERT INTO "memory" VALUES(2,2,1,1795486571718,1795486571718,'{"smoke_db_m":0.31}',X'01010101BAB81E010100000000000000000000000000E0DBBBC408000000000000000000000000000000000000000000000000000000000000C6B9DB5A0000000000000000000000018CF3B6B5C1688CF3B6B5C1680100018CF3B6B5C168000000018CF3B6B5C1688CF3B6B5C1688CF3B6B5C1688CF3B6B5C1680100018CF3B6B5C168018CF3B6B5C168000000000000000152B89E3E0000000000000000000000FFFFFFFFFFFFFFFFFF01FFFFFFFFFFFFFFFFFF01000000000000000000000000');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('book','{"ids":6,"reminded":[],"looked_at":1795486571719,"windows":[]}');
INSERT INTO "meta" VALUES('gateway','17c45ac5fe5a0e5f');
INSERT INTO "meta" VALUES('series_block','2');
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
INSERT INTO "page" VALUES('01M85NDQ5X00000002EJ9D76RJ','01M85NDQ5X00000001XRFHGEP3',1,1,0,'station','t1',1795486571709,1795486571719,NULL);
INSERT INTO "page" VALUES('01M85NDQ5X00000003F37DZ9MS','01M85NDQ5X00000001XRFHGEP3',1,1,0,'webhook','duty',1795486571709,NULL,NULL);
INSERT INTO "page" VALUES('01M85NDQ6600000005NKWDHB32','01M85NDQ6600000004XTDGG535',1,1,0,'station','t1',1795486571718,1795486571726,NULL);
INSERT INTO "page" VALUES('01M85NDQ6600000006ACV9ZB35','01M85NDQ6600000004XTDGG535',1,1,0,'webhook','duty',1795486571718,NULL,NULL);
CREATE TABLE quarantine (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    payload BLOB NOT NULL          -- at most its first 4 KiB
);
CREATE TABLE station (
    id          TEXT PRIMARY KEY,
    json        TEXT NOT NULL,
    online      INTEGER NOT NULL DEFAULT 0,
    presence_at INTEGER            -- when `online` was last heard; NULL: never
) WITHOUT ROWID;
INSERT INTO "station" VALUES('d','{"id":"d","name":"支队","level":"district","parent":null,"lat":29.38,"lon":106.54,"phone":null}',0,NULL);
INSERT INTO "station" VALUES('t1','{"id":"t1","name":"鱼洞站","level":"township","parent":"d","lat":29.38,"lon":106.55,"phone":null}',1,1795486571699);
INSERT INTO "station" VALUES('t2','{"id":"t2","name":"李家沱站","level":"township","parent":"d","lat":29.48,"lon":106.55,"phone":null}',0,NULL);
CREATE TABLE trail (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    incident TEXT NOT NULL,
    at       INTEGER NOT NULL,
    hop      TEXT NOT NULL,
    by       TEXT NOT NULL,
    detail   TEXT NOT NULL
);
INSERT INTO "trail" VALUES(1,'01M85NDQ5X00000001XRFHGEP3',1795486571709,'measured','H1','no_water');
INSERT INTO "trail" VALUES(2,'01M85NDQ5X00000001XRFHGEP3',1795486571709,'received','H1','no_water');
INSERT INTO "trail" VALUES(3,'01M85NDQ5X00000001XRFHGEP3',1795486571709,'raised','H1','no_water');
INSERT INTO "trail" VALUES(4,'01M85NDQ5X00000001XRFHGEP3',1795486571709,'paged','gateway','step 1: station t1');
INSERT INTO "trail" VALUES(5,'01M85NDQ5X00000001XRFHGEP3',1795486571709,'paged','gateway','step 1: webhook duty');
INSERT INTO "trail" VALUES(6,'01M85NDQ6600000004XTDGG535',1795486571718,'measured','D1','smoke');
INSERT INTO "trail" VALUES(7,'01M85NDQ6600000004XTDGG535',1795486571718,'received','D1','smoke');
INSERT INTO "trail" VALUES(8,'01M85NDQ6600000004XTDGG535',1795486571718,'raised','D1','smoke');
INSERT INTO "trail" VALUES(9,'01M85NDQ6600000004XTDGG535',1795486571718,'paged','gateway','step 1: station t1');
INSERT INTO "trail" VALUES(10,'01M85NDQ6600000004XTDGG535',1795486571718,'paged','gateway','step 1: webhook duty');
INSERT INTO "trail" VALUES(11,'01M85NDQ5X00000001XRFHGEP3',1795486571719,'delivered','station t1','step 1: station t1');
INSERT INTO "trail" VALUES(12,'01M85NDQ6600000004XTDGG535',1795486571726,'delivered','station t1','step 1: station t1');
INSERT INTO "trail" VALUES(13,'01M85NDQ5X00000001XRFHGEP3',1795486575122,'acknowledged','chief','');
CREATE INDEX device_station ON device (station);
CREATE INDEX incident_open ON incident (open) WHERE open = 1;
CREATE INDEX incident_opened ON incident (opened_at);
CREATE INDEX trail_incident ON trail (incident);
CREATE INDEX page_owed ON page (at) WHERE delivered_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX board_owed ON board (station) WHERE sent_rev < rev;
CREATE INDEX ledger_hour ON ledger (hour);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',12);
INSERT INTO "sqlite_sequence" VALUES('log',2);
INSERT INTO "sqlite_sequence" VALUES('trail',13);
COMMIT;
PRAGMA user_version = 1;
