-- Readings that were given up, so that the log leaves room on the disk: history will never have them.
ALTER TABLE ledger ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;
