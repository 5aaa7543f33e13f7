-- A bundle that its receiver refuses is taken apart. `part_of`: the refused bundle that its pages were in before.
ALTER TABLE bundle ADD COLUMN part_of TEXT;
-- A page that a refused bundle left alone is in no bundle any more.
ALTER TABLE page ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
