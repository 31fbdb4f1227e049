-- Shifts that people swapped while the hub ran; they lie over those of the registry's files. Days and times are of the community's
-- wall clock.
CREATE TABLE roster_swap (
  number    BIGINT NOT NULL PRIMARY KEY,
  post      TEXT   NOT NULL,
  on_day    TEXT   NOT NULL,
  from_time TEXT,
  gives     TEXT   NOT NULL,
  takes     TEXT   NOT NULL,
  agreed_by TEXT   NOT NULL,
  agreed_at BIGINT NOT NULL
);
