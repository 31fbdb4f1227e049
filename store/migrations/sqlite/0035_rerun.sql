-- What became of an uplink that could not be read and was put to the adapters again: who asked for it, when, and what came of it.
ALTER TABLE quarantine ADD COLUMN rerun_by TEXT;
ALTER TABLE quarantine ADD COLUMN rerun_at BIGINT;
ALTER TABLE quarantine ADD COLUMN rerun_outcome TEXT;
ALTER TABLE quarantine ADD COLUMN rerun_detail TEXT;
CREATE INDEX quarantine_by_reason ON quarantine (reason, seq);
