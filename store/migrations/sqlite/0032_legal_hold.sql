-- Legal holds: what is about people around an incident, and its days of history, stay until the hold is over.
CREATE TABLE legal_hold (
  id         TEXT   NOT NULL PRIMARY KEY,
  incident   TEXT   NOT NULL REFERENCES incident (id),
  reason     TEXT   NOT NULL,
  placed_by  TEXT   NOT NULL,
  placed_at  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_by   TEXT,
  ended_at   BIGINT
);
CREATE INDEX legal_hold_of ON legal_hold (incident);

-- Which classes of personal data are gone from a row: plates 1, credentials 2, persons 4.
ALTER TABLE incident ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alarm ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;
CREATE INDEX incident_unforgotten ON incident (closed_at) WHERE forgotten < 7;
CREATE INDEX alarm_unforgotten ON alarm (last_event_at) WHERE forgotten < 7;
CREATE INDEX incident_merged_unforgotten ON incident (id) WHERE state = 'merged' AND forgotten < 7;
