-- Snapshots: pictures that devices send. Their files lie below `photos`, named by the SHA-256 of what was sent, as those that people send.
-- `word` is what an event may name it by; `refused` says why it was not kept: then there is no file.
CREATE TABLE snapshot (
  device      TEXT   NOT NULL,
  name        TEXT   NOT NULL,
  site        TEXT   NOT NULL,
  word        TEXT,
  shows       TEXT   NOT NULL,
  media_type  TEXT   NOT NULL,
  bytes       BIGINT NOT NULL,
  width       BIGINT NOT NULL,
  height      BIGINT NOT NULL,
  stored      TEXT   NOT NULL,
  refused     TEXT,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (device, name)
);
CREATE INDEX snapshot_name ON snapshot (name);
CREATE INDEX snapshot_received ON snapshot (received_at);
CREATE INDEX snapshot_word ON snapshot (device, word) WHERE word IS NOT NULL;

-- Which events a snapshot belongs to, by their position in the journal.
CREATE TABLE snapshot_event (
  device TEXT   NOT NULL,
  name   TEXT   NOT NULL,
  seq    BIGINT NOT NULL,
  PRIMARY KEY (device, name, seq)
) WITHOUT ROWID;

-- Snapshots that an event has named, before or after they come.
CREATE TABLE snapshot_named (
  device      TEXT   NOT NULL,
  word        TEXT   NOT NULL,
  seq         BIGINT NOT NULL,
  sha256      TEXT,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (device, word, seq)
) WITHOUT ROWID;
CREATE INDEX snapshot_named_received ON snapshot_named (received_at);

-- Which incidents show which.
CREATE TABLE incident_snapshot (
  incident TEXT NOT NULL REFERENCES incident (id),
  device   TEXT NOT NULL,
  name     TEXT NOT NULL,
  event    TEXT NOT NULL,
  PRIMARY KEY (incident, device, name)
) WITHOUT ROWID;
CREATE INDEX incident_snapshot_of ON incident_snapshot (device, name);
CREATE INDEX incident_event_seq ON incident_event (seq);

-- What came before this version is not looked through for pictures.
INSERT INTO journal_cursor (consumer, seq) SELECT 'snapshots', seq FROM journal_cursor WHERE consumer = 'detect';

-- Devices may send pictures of their own.
UPDATE credential SET publish = json_insert(publish, '$[#]',
    (SELECT substr(value, 1, length(value) - 4) || 'media/+' FROM json_each(credential.publish) WHERE value LIKE 'ssg/v1/%/meta' LIMIT 1))
  WHERE kind = 'device' AND EXISTS (SELECT 1 FROM json_each(credential.publish) WHERE value LIKE 'ssg/v1/%/meta');
