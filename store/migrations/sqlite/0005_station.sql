-- What the incident machine remembers beside the state: its course as one JSON text, and what is asked for by column.
ALTER TABLE incident ADD COLUMN verify   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incident ADD COLUMN reporter TEXT;
ALTER TABLE incident ADD COLUMN course   TEXT NOT NULL DEFAULT '';
-- When time alone next changes something: whoever drives the clocks reads rows that are due, and nothing else.
ALTER TABLE incident ADD COLUMN due_at   BIGINT;
CREATE INDEX incident_due ON incident (due_at) WHERE due_at IS NOT NULL;
-- Recurrence within a rule's window is looked up by key among the resolved ones.
CREATE INDEX incident_key ON incident (rule, subject, resolved_at);

ALTER TABLE task ADD COLUMN fence        BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN lease_until  BIGINT;
ALTER TABLE task ADD COLUMN progress_due BIGINT;
ALTER TABLE task ADD COLUMN overdue      TEXT;

-- Whether a device will say the end of it.
ALTER TABLE alarm ADD COLUMN lasting BIGINT NOT NULL DEFAULT 0;

-- Which alarms an incident brought into the one that it was merged into, so that merging can be undone.
CREATE TABLE merged_alarm (
  incident TEXT NOT NULL REFERENCES incident (id),
  alarm    TEXT NOT NULL,
  PRIMARY KEY (incident, alarm)
);

-- What the station has to tell itself: a ladder that is exhausted becomes an alarm, or that alarm ends.
CREATE TABLE station_note (
  id       BIGINT NOT NULL PRIMARY KEY,
  incident TEXT   NOT NULL REFERENCES incident (id),
  what     TEXT   NOT NULL,
  stage    TEXT
);

-- The outbox: what to tell whom, written with the step that made it so.
CREATE TABLE notification (
  id         BIGINT NOT NULL PRIMARY KEY,
  incident   TEXT   NOT NULL REFERENCES incident (id),
  department TEXT   NOT NULL,
  level      BIGINT NOT NULL,
  stage      TEXT   NOT NULL,
  due        BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX notification_of_incident ON notification (incident, id);
INSERT INTO counter (name, value) VALUES ('notification', 0), ('station_note', 0);

-- One notification over one channel to one recipient. Leased while somebody tries; due again with backoff.
CREATE TABLE delivery (
  notification BIGINT NOT NULL REFERENCES notification (id),
  recipient    TEXT   NOT NULL,
  channel      TEXT   NOT NULL,
  state        TEXT   NOT NULL,
  attempts     BIGINT NOT NULL,
  next_at      BIGINT NOT NULL,
  ended_at     BIGINT,
  error        TEXT,
  PRIMARY KEY (notification, recipient, channel)
);
CREATE INDEX delivery_due ON delivery (next_at) WHERE state IN ('waiting', 'leased');
