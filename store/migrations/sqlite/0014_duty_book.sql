-- The duty book: a line for every two hours (or what is set), written once when they are over; what operators note; handovers of shifts.
-- `duty_log_begin` says from when on there must be lines.
CREATE TABLE duty_log_begin (
  one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  at  BIGINT NOT NULL
);
CREATE TABLE duty_log (
  starts_at  BIGINT NOT NULL PRIMARY KEY,
  ends_at    BIGINT NOT NULL,
  written_at BIGINT NOT NULL,
  is_late    BIGINT NOT NULL,
  line       TEXT   NOT NULL
);
CREATE TABLE duty_note (
  number BIGINT NOT NULL PRIMARY KEY,
  at     BIGINT NOT NULL,
  author TEXT   NOT NULL,
  note   TEXT   NOT NULL
);
CREATE INDEX duty_note_at ON duty_note (at);
CREATE TABLE handover (
  number      BIGINT NOT NULL PRIMARY KEY,
  state       TEXT   NOT NULL,
  prepared_at BIGINT NOT NULL,
  prepared_by TEXT   NOT NULL,
  text        TEXT   NOT NULL,
  sha256      TEXT   NOT NULL,
  outgoing    TEXT,
  outgoing_at BIGINT,
  incoming    TEXT,
  incoming_at BIGINT,
  is_on_time  BIGINT
);
