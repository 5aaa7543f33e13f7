-- What a line of a trail says, for programs; `detail` has it in words. `code` is the name of a
-- standpipe_rules::trail::TrailCode, empty in lines that 0.1.0 wrote; `parts` a JSON object, empty
-- where the code has none.
ALTER TABLE trail ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE trail ADD COLUMN parts TEXT NOT NULL DEFAULT '';
