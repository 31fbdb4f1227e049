-- Commands to devices. `body` is the whole of it as the machine keeps it; the columns are what is asked for.
CREATE TABLE device_command (
  id       TEXT   NOT NULL PRIMARY KEY,
  device   TEXT   NOT NULL,
  stage    TEXT   NOT NULL,
  purpose  TEXT   NOT NULL,
  asked_by TEXT   NOT NULL,
  asked_at BIGINT NOT NULL,
  due_at   BIGINT,                    -- when the clock next brings something
  counter  BIGINT NOT NULL,           -- higher than that of every command of the device before
  nonce    TEXT   NOT NULL,
  fire_mode TEXT,
  told     BIGINT NOT NULL DEFAULT 0, -- its outcome is in the journal
  body     TEXT   NOT NULL
);
CREATE INDEX device_command_due ON device_command (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX device_command_of ON device_command (device, asked_at);
CREATE INDEX device_command_by ON device_command (asked_by, asked_at);
CREATE INDEX device_command_untold ON device_command (id) WHERE told = 0;
CREATE INDEX device_command_fire ON device_command (fire_mode) WHERE fire_mode IS NOT NULL;
