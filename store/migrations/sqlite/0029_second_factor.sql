-- The second step of a log-in: a secret shared with an app that makes codes of the time (RFC 6238), and codes for when the app is lost.
-- Until it is confirmed it asks nothing of anybody. `last_step` is the last interval whose code was used: none is good twice.
CREATE TABLE second_factor (
  login        TEXT   NOT NULL PRIMARY KEY REFERENCES account (login) ON DELETE CASCADE,
  secret       TEXT   NOT NULL,
  confirmed_at BIGINT,
  last_step    BIGINT NOT NULL
);
CREATE TABLE recovery_code (
  code_hash TEXT NOT NULL PRIMARY KEY,
  login     TEXT NOT NULL REFERENCES account (login) ON DELETE CASCADE
);
CREATE INDEX recovery_code_of_login ON recovery_code (login);
