-- What happened at a device is asked by its page every few seconds, over years of incidents.
CREATE INDEX incident_device ON incident (json_extract(wire, '$.device.id'));
