-- Several pages that one message carries to a webhook. `wire`: the whole message, written before it is
-- first sent, and emptied when it is owed no more. `urgency`, `number`: those of its worst member.
CREATE TABLE bundle (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    receiver      TEXT NOT NULL,
    at            INTEGER NOT NULL,
    urgency       INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    wire          TEXT NOT NULL,
    delivered_at  INTEGER,
    gave_up_at    INTEGER,
    superseded_at INTEGER           -- newer pages stand for all of its members
);
CREATE INDEX bundle_queue ON bundle (receiver, n)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL;

-- The bundle that carries a page, which is in no queue of its own then; the station of its incident, by
-- which pages are bundled.
ALTER TABLE page ADD COLUMN bundle TEXT;
ALTER TABLE page ADD COLUMN station TEXT NOT NULL DEFAULT '';
UPDATE page SET station = (SELECT i.station FROM incident i WHERE i.id = page.incident)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
        AND EXISTS (SELECT 1 FROM incident i WHERE i.id = page.incident);
CREATE INDEX page_bundle ON page (bundle) WHERE bundle IS NOT NULL;
DROP INDEX page_queue;
CREATE INDEX page_queue ON page (kind, receiver, urgency, number, station, incident)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL AND bundle IS NULL;
