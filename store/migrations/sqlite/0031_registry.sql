-- Which registry was at work when: the newest rows, and for an import through the hub the table as it was before.
CREATE TABLE registry_version (
    number   INTEGER PRIMARY KEY,
    version  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    act      TEXT    NOT NULL,
    kind     TEXT,
    added    INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    before   TEXT
);
