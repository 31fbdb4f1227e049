-- A line of the duty log counts what was open at its end and what was resolved in its hours, however many incidents have been closed.
CREATE INDEX incident_unended ON incident (opened_at) WHERE resolved_at IS NULL AND closed_at IS NULL;
CREATE INDEX incident_resolved ON incident (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
