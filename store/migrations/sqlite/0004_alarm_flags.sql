-- An alarm may stand without an incident: notices, shadows, and what is held back. Flags stand beside the state; what holds an alarm
-- back, if anything does, is kept as a word so that lists can ask for it. `pending` is the finding that it will annunciate with.
CREATE TABLE alarm_with_flags (
  id               TEXT   NOT NULL PRIMARY KEY,
  version          BIGINT NOT NULL,
  incident         TEXT REFERENCES incident (id),
  rule             TEXT   NOT NULL,
  subject          TEXT   NOT NULL,
  mode             TEXT   NOT NULL,
  state            TEXT   NOT NULL,
  latched          BIGINT NOT NULL,
  severity         BIGINT NOT NULL,
  site             TEXT   NOT NULL,
  zone             TEXT,
  device           TEXT,
  raised_at        BIGINT NOT NULL,
  active_at        BIGINT NOT NULL,
  last_event_at    BIGINT NOT NULL,
  cleared_at       BIGINT,
  annunciated_at   BIGINT,
  count            BIGINT NOT NULL,
  fleeting         BIGINT NOT NULL,
  held_back        TEXT,
  shelved_until    BIGINT,
  shelved_severity BIGINT,
  shelved_reason   TEXT,
  shelved_by       TEXT,
  suppressed_by    TEXT,
  out_of_service   TEXT,
  unknown_since    BIGINT,
  chattering_since BIGINT,
  quiet_until      BIGINT,
  pending          TEXT
);
INSERT INTO alarm_with_flags (id, version, incident, rule, subject, mode, state, latched, severity, site, zone, device, raised_at,
    active_at, last_event_at, cleared_at, annunciated_at, count, fleeting)
  SELECT id, 1, incident, rule, subject, 'annunciate', state, latched, severity, site, zone, device, raised_at,
    raised_at, last_event_at, cleared_at, raised_at, count, 0
  FROM alarm;
DROP TABLE alarm;
ALTER TABLE alarm_with_flags RENAME TO alarm;

-- One open alarm for a (rule, subject).
CREATE UNIQUE INDEX alarm_open ON alarm (rule, subject) WHERE state <> 'normal';
CREATE INDEX alarm_of_incident ON alarm (incident);
CREATE INDEX alarm_of_device_open ON alarm (device) WHERE state <> 'normal';
CREATE INDEX alarm_open_id ON alarm (id) WHERE state <> 'normal';
-- A shelf is a (rule, subject)'s: it stands at the latest episode, open or over.
CREATE UNIQUE INDEX alarm_shelved ON alarm (rule, subject) WHERE shelved_until IS NOT NULL;
CREATE INDEX alarm_shelf_due ON alarm (shelved_until) WHERE shelved_until IS NOT NULL;
CREATE INDEX alarm_quiet_due ON alarm (quiet_until) WHERE state <> 'normal' AND quiet_until IS NOT NULL;
CREATE INDEX alarm_suppressed ON alarm (suppressed_by) WHERE state <> 'normal' AND suppressed_by IS NOT NULL;
CREATE INDEX alarm_out_of_service ON alarm (out_of_service) WHERE state <> 'normal' AND out_of_service IS NOT NULL;

-- The latest raises of a (rule, subject), forgotten when it has been quiet for a while.
CREATE TABLE alarm_tally (
  rule             TEXT   NOT NULL,
  subject          TEXT   NOT NULL,
  last_at          BIGINT,
  before_last_at   BIGINT,
  chattering_since BIGINT,
  annunciated_at   BIGINT,
  forgotten_at     BIGINT NOT NULL,
  PRIMARY KEY (rule, subject)
);
CREATE INDEX alarm_tally_forgotten ON alarm_tally (forgotten_at);

-- Maintenance windows. Without a building, a zone or a device they go over the whole site; `rules` is a list, empty for all.
CREATE TABLE maintenance (
  id         TEXT   NOT NULL PRIMARY KEY,
  state      TEXT   NOT NULL,
  site       TEXT   NOT NULL,
  building   TEXT,
  zone       TEXT,
  device     TEXT,
  rules      TEXT   NOT NULL,
  starts_at  BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  reason     TEXT   NOT NULL,
  planned_by TEXT   NOT NULL,
  planned_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at   BIGINT,
  ended_by   TEXT
);
CREATE INDEX maintenance_start_due ON maintenance (starts_at) WHERE state = 'planned';
CREATE INDEX maintenance_end_due ON maintenance (ends_at) WHERE state = 'active';
CREATE INDEX maintenance_open ON maintenance (id) WHERE state <> 'ended';
