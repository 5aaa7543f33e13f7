-- Up to which line the audit log is in the archive: those alone may be deleted.
CREATE TABLE audit_archived (upto INTEGER NOT NULL);
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN OLD.n > (SELECT COALESCE(MAX(upto), 0) FROM audit_archived)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: a line goes when it is in the archive'); END;
