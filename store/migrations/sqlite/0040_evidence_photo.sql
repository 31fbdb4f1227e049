-- Photos that show how an incident was: sent by whoever handles it and named in a command. Their files lie below `photos`, as those of reports.
CREATE TABLE evidence_photo (
  incident TEXT   NOT NULL REFERENCES incident (id),
  name     TEXT   NOT NULL,
  stored   TEXT   NOT NULL,
  sent_by  TEXT   NOT NULL,
  sent_at  BIGINT NOT NULL,
  PRIMARY KEY (incident, name)
);
CREATE INDEX evidence_photo_name ON evidence_photo (name);
