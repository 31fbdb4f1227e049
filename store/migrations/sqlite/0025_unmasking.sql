-- Leave to see what is about people in full: whose, for which incident, what for, until when.
CREATE TABLE unmasking (
  id         TEXT   NOT NULL PRIMARY KEY,
  login      TEXT   NOT NULL,
  incident   TEXT   NOT NULL REFERENCES incident (id),
  purpose    TEXT   NOT NULL,
  reason     TEXT,
  asked_at   BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at   BIGINT
);
CREATE INDEX unmasking_of ON unmasking (login, expires_at);

-- Incidents that somebody was shown in full, by leave or by duty: each is written into the audit trail once.
CREATE TABLE seen_in_full (
  login    TEXT   NOT NULL,
  incident TEXT   NOT NULL REFERENCES incident (id),
  ground   TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (login, incident, ground)
) WITHOUT ROWID;
