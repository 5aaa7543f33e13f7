BEGIN TRANSACTION;
CREATE TABLE board (
    station  TEXT NOT NULL,
    incident TEXT NOT NULL,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    page_id  TEXT,                 -- the newest page owed to this station about it
    PRIMARY KEY (station, incident)
) WITHOUT ROWID;
INSERT INTO board VALUES('t1','01M85N94Q30000000176F64C1B',2,2,'01M85N94Q300000002CJ4PB4GJ');
INSERT INTO board VALUES('t1','01M85N94Q700000004AZHKSKYA',3,3,'01M85N94Q700000005Q4WBNYXM');
CREATE TABLE bulletin (
    station  TEXT PRIMARY KEY,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    json     TEXT NOT NULL
) WITHOUT ROWID;
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
INSERT INTO device VALUES(0,'H1','hydrant','t1','','消火栓 1',1,'{"id":"H1","kind":"hydrant","name":"消火栓 1","station":"t1","zone":"","profile":"municipal","lat":29.381,"lon":106.551,"address":"滨江路","building":"","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
INSERT INTO device VALUES(1,'H2','hydrant','t2','','消火栓 2',1,'{"id":"H2","kind":"hydrant","name":"消火栓 2","station":"t2","zone":"","profile":"municipal","lat":29.481,"lon":106.551,"address":"马王坪","building":"","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
INSERT INTO device VALUES(2,'D1','smoke','t1','','感烟 1',1,'{"id":"D1","kind":"smoke","name":"感烟 1","station":"t1","zone":"","profile":"smoke_home","lat":29.381,"lon":106.561,"address":"新市街 3 号","building":"A","floor":"","interval_s":null,"installed_on":"","area":"t1","claimed":true}');
CREATE TABLE event (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,            -- incident, device, page, presence
    json TEXT NOT NULL
);
INSERT INTO event VALUES(1,1795486421725,'presence','{"at":1795486421725,"online":true,"station":"t1"}');
INSERT INTO event VALUES(2,1795486421731,'device','{"conditions":["no_water"],"heard_at":1795486421731,"id":"H1","latest":{"pressure_kpa":3.0},"measured_at":1795486421731}');
INSERT INTO event VALUES(3,1795486421731,'incident','{"id":"01M85N94Q30000000176F64C1B","rev":1,"station":"t1","class":"water","severity":"critical","state":"open","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486421731,"since":1795486421731,"updated_at":1795486421731,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795486481731,"page_id":null}');
INSERT INTO event VALUES(4,1795486421731,'page','{"at":1795486421731,"episode":1,"incident":"01M85N94Q30000000176F64C1B","kind":"station","page_id":"01M85N94Q300000002CJ4PB4GJ","receiver":"t1","repeat":0,"step":1}');
INSERT INTO event VALUES(5,1795486421731,'page','{"at":1795486421731,"episode":1,"incident":"01M85N94Q30000000176F64C1B","kind":"webhook","page_id":"01M85N94Q3000000039R8CDAHW","receiver":"duty","repeat":0,"step":1}');
INSERT INTO event VALUES(6,1795486421734,'page','{"delivered_at":1795486421734,"page_id":"01M85N94Q300000002CJ4PB4GJ"}');
INSERT INTO event VALUES(7,1795486421736,'device','{"conditions":["smoke"],"heard_at":1795486421735,"id":"D1","latest":{"smoke_db_m":0.3100000023841858},"measured_at":1795486421735}');
INSERT INTO event VALUES(8,1795486421736,'incident','{"id":"01M85N94Q700000004AZHKSKYA","rev":2,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486421735,"since":1795486421735,"updated_at":1795486421736,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486421731,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486421729,"trust":"ok"}],"hydrants_note":{"en":"Only 1 hydrant can be trusted","zh":"只有1个消火栓可信赖"},"step":1,"next_step_at":1795486481735,"page_id":null}');
INSERT INTO event VALUES(9,1795486421735,'page','{"at":1795486421735,"episode":1,"incident":"01M85N94Q700000004AZHKSKYA","kind":"station","page_id":"01M85N94Q700000005Q4WBNYXM","receiver":"t1","repeat":0,"step":1}');
INSERT INTO event VALUES(10,1795486421735,'page','{"at":1795486421735,"episode":1,"incident":"01M85N94Q700000004AZHKSKYA","kind":"webhook","page_id":"01M85N94Q70000000639FJW078","receiver":"duty","repeat":0,"step":1}');
INSERT INTO event VALUES(11,1795486421740,'page','{"delivered_at":1795486421740,"page_id":"01M85N94Q700000005Q4WBNYXM"}');
INSERT INTO event VALUES(12,1795486424969,'incident','{"id":"01M85N94Q30000000176F64C1B","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486421731,"since":1795486421731,"updated_at":1795486424969,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488224969,"page_id":null}');
INSERT INTO event VALUES(13,1795889274815,'incident','{"id":"01M85N94Q700000004AZHKSKYA","rev":3,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486421735,"since":1795486421735,"updated_at":1795889274815,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486421731,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486421729,"trust":"stale"}],"hydrants_note":{"en":"No hydrant nearby can be trusted","zh":"附近没有可信赖的消火栓"},"step":1,"next_step_at":null,"page_id":null}');
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
INSERT INTO incident VALUES('01M85N94Q30000000176F64C1B',1,'water','critical','acknowledged','t1',1795486421731,1795486424969,NULL,2,'{"id":"01M85N94Q30000000176F64C1B","rev":2,"station":"t1","class":"water","severity":"critical","state":"acknowledged","episode":1,"conditions":["no_water"],"device":{"id":"H1","kind":"hydrant","name":"消火栓 1","address":"滨江路","lat":29.381,"lon":106.551},"zone":null,"title":{"en":"No water · 消火栓 1","zh":"无水 · 消火栓 1"},"opened_at":1795486421731,"since":1795486421731,"updated_at":1795486424969,"late_s":0,"exercise":false,"value":{"pressure_kpa":3.0},"hydrants":[],"step":1,"next_step_at":1795488224969,"page_id":null}','{"id":"01M85N94Q30000000176F64C1B","rev":2,"class":"water","subject":{"device":0},"station":"t1","state":"acknowledged","severity":"critical","episode":1,"opened_at":1795486421731,"since":1795486421731,"updated_at":1795486424969,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":1795488224969,"value":{"pressure_kpa":3.0},"hydrants":[],"members":[{"subject":{"device":0},"condition":"no_water","since":1795486421731,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"","repeat":0,"episode_at":1795486421731,"step_at":1795486421731,"work_until":1795488224969,"active_at":1795486424969,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
INSERT INTO incident VALUES('01M85N94Q700000004AZHKSKYA',1,'fire','fire','open','t1',1795486421735,1795889274815,NULL,3,'{"id":"01M85N94Q700000004AZHKSKYA","rev":3,"station":"t1","class":"fire","severity":"fire","state":"open","episode":1,"conditions":["smoke"],"device":{"id":"D1","kind":"smoke","name":"感烟 1","address":"新市街 3 号","lat":29.381,"lon":106.561},"zone":null,"title":{"en":"Smoke · A","zh":"烟雾报警 · A"},"opened_at":1795486421735,"since":1795486421735,"updated_at":1795889274815,"late_s":0,"exercise":false,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486421731,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486421729,"trust":"stale"}],"hydrants_note":{"en":"No hydrant nearby can be trusted","zh":"附近没有可信赖的消火栓"},"step":1,"next_step_at":null,"page_id":null}','{"id":"01M85N94Q700000004AZHKSKYA","rev":3,"class":"fire","subject":{"device":2},"station":"t1","state":"open","severity":"fire","episode":1,"opened_at":1795486421735,"since":1795486421735,"updated_at":1795889274815,"closed_at":null,"late_s":0,"outcome":null,"parent":null,"children":[],"step":1,"next_step_at":null,"value":{"smoke_db_m":0.31},"hydrants":[{"id":"H1","name":"消火栓 1","distance_m":969,"bearing_deg":270,"pressure_kpa":3.0,"measured_at":1795486421731,"trust":"no_water"},{"id":"H2","name":"消火栓 2","distance_m":11162,"bearing_deg":355,"pressure_kpa":312.5,"measured_at":1795486421729,"trust":"stale"}],"members":[{"subject":{"device":2},"condition":"smoke","since":1795486421735,"cleared_at":null,"quiet":null,"quiet_until":null}],"boards":["t1"],"homes":["t1"],"building":"A","repeat":0,"episode_at":1795486421735,"step_at":1795486421735,"work_until":0,"active_at":1795486421735,"dispatched":false,"unverified":false,"verdict":null,"told":[{"station":"t1"},{"webhook":"duty"}],"shown":[]}');
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
INSERT INTO log VALUES(1,1795486421731,2,X'0101c2cba4b5c168000081620101ca39980d00409c43a03800040000816001011f95ce6700004040');
INSERT INTO log VALUES(2,1795486421736,1,X'0102cecba4b5c1680000a0600101e0ed8e8852b89e3e');
CREATE TABLE memory (
    ix          INTEGER PRIMARY KEY,
    upto        INTEGER NOT NULL,
    conditions  INTEGER NOT NULL,  -- set of Condition::bit() that are true
    heard_at    INTEGER,           -- arrival clock, anything heard
    measured_at INTEGER,           -- event time of `latest`
    latest      TEXT,              -- JSON object: the newest value of each measurement
    body        BLOB NOT NULL      -- standpipe_rules::detect::Memory
);
INSERT INTO memory VALUES(0,1,4,1795486421731,1795486421731,'{"pressure_kpa":3.0}',X'01010101bab81e0101000000000000000000000000009faababe06000000000000000000000000000000000000000000000000000000000000e3a5d25a000000000000000000000001c6cba4b5c168c6cba4b5c168020201c6cba4b5c16800000001c6cba4b5c168c6cba4b5c168c6cba4b5c168c6cba4b5c16801000301c6cba4b5c16800000000ffffffffffffffffff01000000000001c6cba4b5c16801c6cba4b5c16801000040400000000000000000000000000000404001c6cba4b5c168ffffffffffffffffff01ffffffffffffffffff01000000000000000000000000');
INSERT INTO memory VALUES(1,2,0,1795486421729,1795486421729,'{"pressure_kpa":312.5,"battery_mv":3600}',X'01010101bab81e010100000000000000000000000000caf3e06c000000000000000000000000000000000000000000000000000000000000e1a5d25a000000000000000000000001c2cba4b5c168c2cba4b5c1680001c2cba4b5c16801c2cba4b5c1680100409c430000000000000000000100006145000000409c4301c2cba4b5c168ffffffffffffffffff01ffffffffffffffffff01000000000000000000000000');
INSERT INTO memory VALUES(2,2,1,1795486421735,1795486421735,'{"smoke_db_m":0.31}',X'01010101bab81e010100000000000000000000000000e0dbbbc408000000000000000000000000000000000000000000000000000000000000e7a5d25a000000000000000000000001cecba4b5c168cecba4b5c168010001cecba4b5c16800000001cecba4b5c168cecba4b5c168cecba4b5c168cecba4b5c168010001cecba4b5c16801cecba4b5c168000000000000000152b89e3e0000000000000000000000ffffffffffffffffff01ffffffffffffffffff01000000000000000000000000');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('book','{"ids":6,"reminded":[],"looked_at":1795889274815,"windows":[]}');
INSERT INTO meta VALUES('gateway','7251898a8138e380');
INSERT INTO meta VALUES('series_block','2');
INSERT INTO meta VALUES('terminals','["t1"]');
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
INSERT INTO page VALUES('01M85N94Q300000002CJ4PB4GJ','01M85N94Q30000000176F64C1B',1,1,0,'station','t1',1795486421731,1795486421734,NULL);
INSERT INTO page VALUES('01M85N94Q3000000039R8CDAHW','01M85N94Q30000000176F64C1B',1,1,0,'webhook','duty',1795486421731,NULL,NULL);
INSERT INTO page VALUES('01M85N94Q700000005Q4WBNYXM','01M85N94Q700000004AZHKSKYA',1,1,0,'station','t1',1795486421735,1795486421740,NULL);
INSERT INTO page VALUES('01M85N94Q70000000639FJW078','01M85N94Q700000004AZHKSKYA',1,1,0,'webhook','duty',1795486421735,NULL,NULL);
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
INSERT INTO station VALUES('d','{"id":"d","name":"支队","level":"district","parent":null,"lat":29.38,"lon":106.54,"phone":null}',0,NULL);
INSERT INTO station VALUES('t1','{"id":"t1","name":"鱼洞站","level":"township","parent":"d","lat":29.38,"lon":106.55,"phone":null}',1,1795486421725);
INSERT INTO station VALUES('t2','{"id":"t2","name":"李家沱站","level":"township","parent":"d","lat":29.48,"lon":106.55,"phone":null}',0,NULL);
CREATE TABLE trail (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    incident TEXT NOT NULL,
    at       INTEGER NOT NULL,
    hop      TEXT NOT NULL,
    by       TEXT NOT NULL,
    detail   TEXT NOT NULL
);
INSERT INTO trail VALUES(1,'01M85N94Q30000000176F64C1B',1795486421731,'measured','H1','no_water');
INSERT INTO trail VALUES(2,'01M85N94Q30000000176F64C1B',1795486421731,'received','H1','no_water');
INSERT INTO trail VALUES(3,'01M85N94Q30000000176F64C1B',1795486421731,'raised','H1','no_water');
INSERT INTO trail VALUES(4,'01M85N94Q30000000176F64C1B',1795486421731,'paged','gateway','step 1: station t1');
INSERT INTO trail VALUES(5,'01M85N94Q30000000176F64C1B',1795486421731,'paged','gateway','step 1: webhook duty');
INSERT INTO trail VALUES(6,'01M85N94Q30000000176F64C1B',1795486421734,'delivered','station t1','step 1: station t1');
INSERT INTO trail VALUES(7,'01M85N94Q700000004AZHKSKYA',1795486421735,'measured','D1','smoke');
INSERT INTO trail VALUES(8,'01M85N94Q700000004AZHKSKYA',1795486421735,'received','D1','smoke');
INSERT INTO trail VALUES(9,'01M85N94Q700000004AZHKSKYA',1795486421735,'raised','D1','smoke');
INSERT INTO trail VALUES(10,'01M85N94Q700000004AZHKSKYA',1795486421735,'paged','gateway','step 1: station t1');
INSERT INTO trail VALUES(11,'01M85N94Q700000004AZHKSKYA',1795486421735,'paged','gateway','step 1: webhook duty');
INSERT INTO trail VALUES(12,'01M85N94Q700000004AZHKSKYA',1795486421740,'delivered','station t1','step 1: station t1');
INSERT INTO trail VALUES(13,'01M85N94Q30000000176F64C1B',1795486424969,'acknowledged','chief','');
CREATE TABLE wish (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE digest (
    day          TEXT NOT NULL,    -- in the town: 2026-11-28
    receiver     TEXT NOT NULL,    -- a webhook's name
    at           INTEGER NOT NULL,
    json         TEXT NOT NULL,
    delivered_at INTEGER,
    gave_up_at   INTEGER,
    PRIMARY KEY (day, receiver)
) WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('event',13);
INSERT INTO sqlite_sequence VALUES('log',2);
INSERT INTO sqlite_sequence VALUES('trail',13);
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
CREATE INDEX incident_device ON incident (json_extract(wire, '$.device.id'));
CREATE INDEX incident_loud ON incident (severity, state) WHERE open = 1;
CREATE INDEX digest_owed ON digest (receiver, day)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX incident_notice_closed ON incident (closed_at, opened_at)
    WHERE severity = 'notice' AND open = 0;
COMMIT;
PRAGMA user_version = 5;
