-- While a new secret comes into use the one before it still opens, so that a rotation costs no connection.
ALTER TABLE credential ADD COLUMN previous_salt TEXT;
ALTER TABLE credential ADD COLUMN previous_hash TEXT;
ALTER TABLE credential ADD COLUMN previous_until BIGINT;

-- Invitations: one token a device, good once and for minutes; it has 128 random bits, so a plain SHA-256 is kept.
CREATE TABLE enrolment (
  device     TEXT   NOT NULL PRIMARY KEY,
  token_hash TEXT   NOT NULL,
  expires_at BIGINT NOT NULL,
  wrong      BIGINT NOT NULL
);

-- Client certificates that the hub's own authority has signed; serial and fingerprint in hexadecimal.
CREATE TABLE certificate (
  serial      TEXT   NOT NULL PRIMARY KEY,
  login       TEXT   NOT NULL,
  fingerprint TEXT   NOT NULL,
  issued_at   BIGINT NOT NULL,
  not_after   BIGINT NOT NULL,
  revoked_at  BIGINT
);
CREATE INDEX certificate_login ON certificate (login);
