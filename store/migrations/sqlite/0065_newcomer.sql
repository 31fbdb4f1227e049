-- Devices that a bridge speaks for and that nobody has registered: the holding list. Written with the detector's cursor; one that only speaks on is
-- written seldom. A row goes when the device is registered, or is not heard for a month.
CREATE TABLE newcomer (
  id TEXT PRIMARY KEY, -- made of account and address: the same device has the same one again
  account TEXT NOT NULL,
  address TEXT NOT NULL, -- as the bridge calls it; empty for the bridge itself
  device TEXT NOT NULL, -- the id under which its events and alarms stand
  site TEXT NOT NULL,
  class TEXT NOT NULL,
  format TEXT NOT NULL,
  vendor TEXT,
  model TEXT,
  first_heard_at BIGINT NOT NULL,
  last_heard_at BIGINT NOT NULL,
  last_event TEXT, -- kind and phase
  messages BIGINT NOT NULL,
  has_rung BIGINT NOT NULL,
  dismissed_at BIGINT,
  dismissed_by TEXT,
  dismissed_reason TEXT
);
