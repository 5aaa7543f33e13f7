-- The queue of topics has places of its own (boards.rs:place): 0 for the first new fire of a station, 1 for
-- its others, 2 for new fires that other stations are told of too, then the other urgencies of pages.
UPDATE board SET urgency = CASE urgency WHEN 0 THEN 1 ELSE urgency + 2 END;
CREATE INDEX board_new_fires ON board (station) WHERE owed = 1 AND urgency <= 1;

-- What a receiver was sent last, of which its pace is known again after a restart: single pages, bundles.
CREATE INDEX page_sent ON page (receiver, delivered_at)
    WHERE kind = 'webhook' AND bundle IS NULL AND delivered_at IS NOT NULL;
CREATE INDEX bundle_sent ON bundle (receiver, delivered_at) WHERE delivered_at IS NOT NULL;
