-- What the fire screen asks whenever anything happens, answered from an index whatever is open.

-- The exercise that goes on: a fire that is no more than a notice.
CREATE INDEX incident_exercise ON incident (opened_at DESC, number DESC)
    WHERE open = 1 AND class = 'fire' AND severity = 'notice';
-- Hydrants by where they are: all water near a fire.
CREATE INDEX device_hydrant ON device (json_extract(json, '$.lat'), json_extract(json, '$.lon'))
    WHERE kind = 'hydrant' AND json_valid(json);
