-- The state of the hub. Times are microseconds since 1970 UTC; words are those of the API; lists and maps are JSON texts.
-- Types are those that SQLite and PostgreSQL share.

-- revision: changes of state as the live feed counts them. incident_number: the last number given out.
CREATE TABLE counter (
  name  TEXT   NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('revision', 0), ('incident_number', 1000);

-- How far each consumer of the journal has come; moves in one transaction with what it brought about.
CREATE TABLE journal_cursor (
  consumer TEXT   NOT NULL PRIMARY KEY,
  seq      BIGINT NOT NULL
);

-- State of rules: the rule engine's business.
CREATE TABLE rule_window (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- What rules have seen, so that a redelivery is not acted on twice. The key starts with the device: neighbours in time are
-- neighbours on disk.
CREATE TABLE seen (
  device     TEXT   NOT NULL,
  dedupe_key TEXT   NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (device, dedupe_key)
) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);

CREATE TABLE quarantine (
  seq         BIGINT NOT NULL PRIMARY KEY,
  received_at BIGINT NOT NULL,
  topic       TEXT   NOT NULL,
  principal   TEXT   NOT NULL,
  reason      TEXT   NOT NULL,
  detail      TEXT   NOT NULL,
  raw         BLOB   NOT NULL
);

-- What devices last said of themselves. Who they are stands in the registry.
CREATE TABLE device (
  id              TEXT   NOT NULL PRIMARY KEY,
  last_seen       BIGINT NOT NULL,
  online          BIGINT,
  epoch           BIGINT NOT NULL,
  battery_percent DOUBLE PRECISION
);

CREATE TABLE incident (
  id              TEXT   NOT NULL PRIMARY KEY,
  number          BIGINT NOT NULL UNIQUE,
  version         BIGINT NOT NULL,
  revision        BIGINT NOT NULL,
  severity        BIGINT NOT NULL,
  state           TEXT   NOT NULL,
  condition       TEXT   NOT NULL,
  rule            TEXT   NOT NULL,
  subject         TEXT   NOT NULL,
  class           TEXT   NOT NULL,
  site            TEXT   NOT NULL,
  zone            TEXT,
  device          TEXT,
  lead            TEXT   NOT NULL,
  co              TEXT   NOT NULL,
  clocks          TEXT   NOT NULL,
  opened_at       BIGINT NOT NULL,
  occurred_at     BIGINT NOT NULL,
  last_event_at   BIGINT NOT NULL,
  count           BIGINT NOT NULL,
  acknowledged_at BIGINT,
  acknowledged_by TEXT,
  resolved_at     BIGINT,
  closed_at       BIGINT,
  cause           TEXT,
  parent          TEXT REFERENCES incident (id),
  acknowledge_due BIGINT NOT NULL,
  resolve_due     BIGINT NOT NULL,
  detail          TEXT   NOT NULL
);
-- One open incident for a (rule, subject): also when two writers find it at the same time.
CREATE UNIQUE INDEX incident_open ON incident (rule, subject)
  WHERE state IN ('open', 'acknowledged', 'verifying', 'dispatched');
CREATE INDEX incident_zone_open ON incident (zone)
  WHERE state IN ('open', 'acknowledged', 'verifying', 'dispatched');
CREATE INDEX incident_on_board ON incident (number)
  WHERE state NOT IN ('closed', 'merged', 'cancelled');

CREATE TABLE task (
  id            TEXT   NOT NULL PRIMARY KEY,
  incident      TEXT   NOT NULL REFERENCES incident (id),
  ordinal       BIGINT NOT NULL,
  department    TEXT   NOT NULL,
  lead          BIGINT NOT NULL,
  state         TEXT   NOT NULL,
  holder        TEXT,
  dispatched_at BIGINT NOT NULL,
  claimed_at    BIGINT,
  arrived_at    BIGINT,
  resolved_at   BIGINT,
  claim_due     BIGINT NOT NULL,
  arrive_due    BIGINT NOT NULL,
  resolve_due   BIGINT NOT NULL,
  UNIQUE (incident, department)
);

CREATE TABLE alarm (
  id            TEXT   NOT NULL PRIMARY KEY,
  incident      TEXT   NOT NULL REFERENCES incident (id),
  rule          TEXT   NOT NULL,
  subject       TEXT   NOT NULL,
  state         TEXT   NOT NULL,
  latched       BIGINT NOT NULL,
  severity      BIGINT NOT NULL,
  site          TEXT   NOT NULL,
  zone          TEXT,
  device        TEXT,
  raised_at     BIGINT NOT NULL,
  last_event_at BIGINT NOT NULL,
  cleared_at    BIGINT,
  count         BIGINT NOT NULL
);
-- One open alarm for a (rule, subject).
CREATE UNIQUE INDEX alarm_open ON alarm (rule, subject) WHERE state <> 'normal';
CREATE INDEX alarm_of_incident ON alarm (incident);

-- The latest events of an incident; the events themselves are in the event store.
CREATE TABLE incident_event (
  incident TEXT   NOT NULL REFERENCES incident (id),
  seq      BIGINT NOT NULL,
  event    TEXT   NOT NULL,
  PRIMARY KEY (incident, seq, event)
);

-- Who did what. A row's hash covers the hash before it and every column but the note; of the note it covers a salted digest, so
-- that a note can be deleted and the chain still verifies.
CREATE TABLE audit (
  id          BIGINT NOT NULL PRIMARY KEY,
  at          BIGINT NOT NULL,
  actor       TEXT   NOT NULL,
  act         TEXT   NOT NULL,
  object      TEXT   NOT NULL,
  department  TEXT,
  from_word   TEXT   NOT NULL,
  to_word     TEXT   NOT NULL,
  note        TEXT,
  note_salt   TEXT,
  note_digest TEXT,
  prev_hash   TEXT   NOT NULL,
  hash        TEXT   NOT NULL
);
CREATE INDEX audit_of_object ON audit (object, id);
-- The end of the chain, so that a cut-off tail shows.
CREATE TABLE audit_head (
  one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  id   BIGINT NOT NULL,
  hash TEXT   NOT NULL
);
INSERT INTO audit_head (one, id, hash) VALUES (1, 0, '');

-- The last changes, each as the whole list item.
CREATE TABLE feed (
  revision BIGINT NOT NULL PRIMARY KEY,
  kind     TEXT   NOT NULL,
  object   TEXT   NOT NULL,
  json     TEXT   NOT NULL
);

-- Answers to commands that were carried out, so that the same command again has the same answer.
CREATE TABLE answered (
  actor   TEXT   NOT NULL,
  key     TEXT   NOT NULL,
  request TEXT   NOT NULL,
  answer  TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX answered_at ON answered (at);

CREATE TABLE account (
  login         TEXT   NOT NULL PRIMARY KEY,
  name          TEXT   NOT NULL,
  role          TEXT   NOT NULL,
  department    TEXT,
  password_hash TEXT   NOT NULL,
  created_at    BIGINT NOT NULL
);

CREATE TABLE session (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  login      TEXT   NOT NULL REFERENCES account (login) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);
CREATE INDEX session_used_at ON session (used_at);

CREATE TABLE api_token (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  login      TEXT   NOT NULL REFERENCES account (login) ON DELETE CASCADE,
  label      TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);

-- MQTT accounts. Secrets are random and long, so a salted SHA-256 is enough; pattern lists are JSON.
CREATE TABLE credential (
  login       TEXT   NOT NULL PRIMARY KEY,
  kind        TEXT   NOT NULL,
  salt        TEXT   NOT NULL,
  secret_hash TEXT   NOT NULL,
  publish     TEXT   NOT NULL,
  subscribe   TEXT   NOT NULL,
  created_at  BIGINT NOT NULL
);
