-- Pictures that events name by an address, still to be fetched. A row goes with what was fetched, or with the note that nothing was.
CREATE TABLE snapshot_fetch (
  seq         BIGINT NOT NULL,
  ordinal     BIGINT NOT NULL,
  account     TEXT   NOT NULL,
  url         TEXT   NOT NULL,
  device      TEXT   NOT NULL,
  site        TEXT   NOT NULL,
  shows       TEXT   NOT NULL,
  received_at BIGINT NOT NULL,
  tries       BIGINT NOT NULL,
  next_at     BIGINT NOT NULL,
  PRIMARY KEY (seq, ordinal)
);
CREATE INDEX snapshot_fetch_next ON snapshot_fetch (next_at);
