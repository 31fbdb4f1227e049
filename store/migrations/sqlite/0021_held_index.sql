-- Figures of what was held back go by span: shelves as the audit trail has them, windows that began, alarms that never rang.
CREATE INDEX audit_shelf ON audit (at) WHERE act IN ('shelve', 'unshelve');
CREATE INDEX alarm_silent ON alarm (raised_at) WHERE annunciated_at IS NULL;
CREATE INDEX maintenance_began ON maintenance (started_at) WHERE started_at IS NOT NULL;
