-- Lines of the audit log that are in the archive: those alone may be deleted.
CREATE TABLE audit_archived (n INTEGER PRIMARY KEY);
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_archived WHERE n = OLD.n)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: a line goes when it is in the archive'); END;
