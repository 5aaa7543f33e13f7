-- What happened at a device is asked by its page every few seconds, over years of incidents.
CREATE INDEX incident_device ON incident (json_extract(wire, '$.device.id'));
-- What sounds now is asked by every open page whenever anything happens, among whatever is open.
CREATE INDEX incident_loud ON incident (severity, state) WHERE open = 1;
