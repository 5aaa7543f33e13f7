-- What is owed is a queue for each receiver: taken from its head, never sorted, whatever else is owed.

-- `urgency`: standpipe_rules::changes::Urgency, 0 first; those of before are taken by their incident.
ALTER TABLE page ADD COLUMN urgency INTEGER NOT NULL DEFAULT 1;
-- A newer page about the same incident supersedes it.
ALTER TABLE page ADD COLUMN superseded_at INTEGER;
UPDATE page SET urgency = (SELECT CASE i.severity WHEN 'fire' THEN 1 WHEN 'critical' THEN 2
        WHEN 'warning' THEN 3 ELSE 4 END FROM incident i WHERE i.id = page.incident)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL
        AND EXISTS (SELECT 1 FROM incident i WHERE i.id = page.incident);
DROP INDEX page_owed;
CREATE INDEX page_queue ON page (kind, receiver, urgency, number)
    WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL;

-- What a page says: the incident as JSON, with `page_id` null, as it was when the page was owed. There
-- while the page is owed. `n`: the page's number. `fixed`: it was worded anew before it was first
-- sent, and never is again.
CREATE TABLE message (
    n     INTEGER PRIMARY KEY,
    fixed INTEGER NOT NULL DEFAULT 0,
    wire  TEXT NOT NULL
);

-- `owed`: it shows something else than it should, or a page of its station about it is owed.
-- `urgency`, `number`: its place among those that are owed (boards.rs); no number is given twice.
ALTER TABLE board ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE board ADD COLUMN urgency INTEGER NOT NULL DEFAULT 5;
ALTER TABLE board ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE board SET owed = 1 WHERE sent_rev < rev;
UPDATE board SET owed = 1, urgency = p.urgency, number = p.number FROM page p
    WHERE p.page_id = board.page_id AND p.delivered_at IS NULL AND p.gave_up_at IS NULL;
UPDATE board SET number = n.number FROM
    (SELECT station, incident,
            row_number() OVER (ORDER BY urgency, number, station, incident) AS number
        FROM board WHERE owed = 1) AS n
    WHERE n.station = board.station AND n.incident = board.incident;
DROP INDEX board_owed;
CREATE INDEX board_queue ON board (urgency, number) WHERE owed = 1;

-- The console's board and lists are read from an index, whatever is open. `place`: on the board, worst
-- first, and of that what nobody has taken; NULL: closed, or another incident stands for it.
ALTER TABLE incident ADD COLUMN place INTEGER;
UPDATE incident SET place = CASE severity WHEN 'fire' THEN 0 WHEN 'critical' THEN 2
        WHEN 'warning' THEN 4 ELSE 6 END + (state <> 'open')
    WHERE open = 1 AND json_extract(wire, '$.parent') IS NULL;
CREATE INDEX incident_board ON incident (place, opened_at DESC, number DESC, station)
    WHERE place IS NOT NULL;
DROP INDEX incident_open;
CREATE INDEX incident_open ON incident (open, opened_at DESC, number DESC, state, station)
    WHERE open = 1;
