-- A flood goes on from the alarm that was too many until it is calm again; at most one goes on. While it does, incidents that are not
-- urgent are folded on the board: one storm card for a rule and a building ('' outside buildings).
CREATE TABLE flood (
  number     BIGINT NOT NULL PRIMARY KEY,
  started_at BIGINT NOT NULL,
  ended_at   BIGINT
);
CREATE INDEX flood_goes_on ON flood (number) WHERE ended_at IS NULL;
CREATE INDEX flood_started ON flood (started_at);
CREATE TABLE storm (
  id        TEXT   NOT NULL PRIMARY KEY,
  flood     BIGINT NOT NULL REFERENCES flood (number),
  rule      TEXT   NOT NULL,
  site      TEXT   NOT NULL,
  building  TEXT   NOT NULL,
  opened_at BIGINT NOT NULL,
  last_at   BIGINT NOT NULL,
  incidents BIGINT NOT NULL,
  UNIQUE (flood, rule, site, building)
);
ALTER TABLE incident ADD COLUMN storm TEXT REFERENCES storm (id);
CREATE INDEX incident_of_storm ON incident (storm) WHERE storm IS NOT NULL;
