-- What a line of the audit log says, for programs; `detail` has it in words. `code` is the name of a
-- crate::accounts::AuditCode, empty where `detail` is all there is and in lines that 0.1.0 wrote;
-- `parts` a JSON object, empty where the code has none.
ALTER TABLE audit ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN parts TEXT NOT NULL DEFAULT '';
