-- Nothing sorts by ids: they tell no order any more. Incidents, pages and commands are counted; those
-- of before are numbered as their ids were, which were counted too.
ALTER TABLE incident ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE incident SET number = n.number FROM
    (SELECT id, row_number() OVER (ORDER BY opened_at, id) AS number FROM incident) AS n
    WHERE n.id = incident.id;
ALTER TABLE page ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE page SET number = n.number FROM
    (SELECT page_id, row_number() OVER (ORDER BY at, page_id) AS number FROM page) AS n
    WHERE n.page_id = page.page_id;
ALTER TABLE command ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE command SET number = n.number FROM
    (SELECT id, row_number() OVER (ORDER BY id) AS number FROM command) AS n
    WHERE n.id = command.id;
DROP INDEX command_device;
CREATE INDEX command_device ON command (ix, number);
DROP INDEX command_queued;
CREATE INDEX command_queued ON command (number) WHERE state = 'queued';
CREATE INDEX command_expired ON command (expires_at);

-- Who did it, as the gateway knows them; `by` is what they claim.
ALTER TABLE trail ADD COLUMN actor TEXT NOT NULL DEFAULT '';
