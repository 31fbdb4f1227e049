-- Fire mode of a building: what was told to open, until somebody ends it.
CREATE TABLE fire_mode (
  id           TEXT   NOT NULL PRIMARY KEY,
  state        TEXT   NOT NULL,          -- proposed, active, ended, void
  drill        BIGINT NOT NULL,
  site         TEXT   NOT NULL,
  building     TEXT,
  zone         TEXT   NOT NULL,          -- where the fire was found
  started_by   TEXT   NOT NULL,
  reason       TEXT   NOT NULL,
  incident     TEXT,
  started_at   BIGINT NOT NULL,
  confirmed_by TEXT,
  ended_by     TEXT,
  ended_at     BIGINT,
  end_reason   TEXT,
  with_devices BIGINT NOT NULL
);
CREATE INDEX fire_mode_open ON fire_mode (site) WHERE state IN ('proposed', 'active');
