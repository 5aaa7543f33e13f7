-- What each station's retained topic shows of announced work. Owed while `sent_rev` < `rev`.
-- `json`: {"works":[…]} of standpipe_rules::incidents::Work; empty: the topic is to be emptied.
CREATE TABLE bulletin (
    station  TEXT PRIMARY KEY,
    rev      INTEGER NOT NULL,
    sent_rev INTEGER NOT NULL DEFAULT 0,
    json     TEXT NOT NULL
) WITHOUT ROWID;
