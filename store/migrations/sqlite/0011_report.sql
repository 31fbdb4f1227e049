-- What people report. Each row belongs to the incident that it opened or came to. Text and place stay as long as the incident; contact and
-- photos are taken away some days after it is closed (`reports.keep_days`).
CREATE TABLE report (
  id            TEXT   NOT NULL PRIMARY KEY,
  ordinal       BIGINT NOT NULL UNIQUE,
  -- Made on the phone when the person pressed send: sent again it is the same report.
  key           TEXT   NOT NULL UNIQUE,
  request       TEXT   NOT NULL,
  incident      TEXT   NOT NULL REFERENCES incident (id),
  type          TEXT   NOT NULL,
  site          TEXT   NOT NULL,
  zone          TEXT,
  place         TEXT,
  text          TEXT   NOT NULL,
  occurred_at   BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  late          BIGINT NOT NULL,
  -- Who: a user's log-in, or whoever knows the secret of which this is the hash.
  reporter      TEXT,
  secret_hash   TEXT,
  contact_name  TEXT,
  contact_phone TEXT,
  forgotten_at  BIGINT
);
CREATE INDEX report_of_incident ON report (incident, ordinal);
CREATE INDEX report_of_reporter ON report (reporter, ordinal) WHERE reporter IS NOT NULL;
CREATE INDEX report_kept ON report (incident) WHERE forgotten_at IS NULL;

-- Its photos, by the hash under which the phone sent them; `stored` is the hash of what is kept, without what cameras write beside the picture.
CREATE TABLE report_photo (
  report  TEXT   NOT NULL REFERENCES report (id),
  ordinal BIGINT NOT NULL,
  name    TEXT   NOT NULL,
  stored  TEXT   NOT NULL,
  PRIMARY KEY (report, ordinal)
);
CREATE INDEX report_photo_name ON report_photo (name);

INSERT INTO counter (name, value) VALUES ('report', 0);
