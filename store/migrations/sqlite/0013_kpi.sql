-- What incidents and their tasks were, each from a row of the audit trail on: rows are written once and never changed, so that key
-- figures up to a row can be computed again at any time. `audit` is the row that the step that made it so begins with.
CREATE TABLE incident_fact (
  incident        TEXT   NOT NULL REFERENCES incident (id),
  audit           BIGINT NOT NULL,
  severity        BIGINT NOT NULL,
  rule            TEXT   NOT NULL,
  class           TEXT   NOT NULL,
  site            TEXT   NOT NULL,
  zone            TEXT,
  lead            TEXT   NOT NULL,
  acknowledge_due BIGINT NOT NULL,
  resolve_due     BIGINT NOT NULL,
  cause           TEXT,
  is_drill        BIGINT NOT NULL,
  is_asked        BIGINT NOT NULL,
  PRIMARY KEY (incident, audit)
);
CREATE TABLE task_fact (
  incident      TEXT   NOT NULL REFERENCES incident (id),
  department    TEXT   NOT NULL,
  audit         BIGINT NOT NULL,
  state         TEXT   NOT NULL,
  dispatched_at BIGINT NOT NULL,
  claimed_at    BIGINT,
  arrived_at    BIGINT,
  resolved_at   BIGINT,
  claim_due     BIGINT NOT NULL,
  arrive_due    BIGINT NOT NULL,
  resolve_due   BIGINT NOT NULL,
  PRIMARY KEY (incident, department, audit)
);
-- Of what is older nothing is known but how it stands now: incidents from their first row on, tasks from the last.
INSERT INTO incident_fact (incident, audit, severity, rule, class, site, zone, lead, acknowledge_due, resolve_due, cause, is_drill, is_asked)
  SELECT id, COALESCE((SELECT MIN(audit.id) FROM audit WHERE audit.object = incident.id), 0), severity, rule, class, site, zone,
    COALESCE((SELECT department FROM task WHERE task.incident = incident.id AND task.lead = 1 LIMIT 1), lead),
    acknowledge_due, resolve_due, cause, detail LIKE '%"drill":%', course LIKE '%"is_asked":true%'
  FROM incident;
INSERT INTO task_fact (incident, department, audit, state, dispatched_at, claimed_at, arrived_at, resolved_at, claim_due, arrive_due, resolve_due)
  SELECT incident, department, COALESCE((SELECT MAX(audit.id) FROM audit WHERE audit.object = task.incident), 0), state, dispatched_at,
    claimed_at, arrived_at, resolved_at, claim_due, arrive_due, resolve_due
  FROM task;

-- Reports go over what opened, and what rang, in a span.
CREATE INDEX incident_opened ON incident (opened_at);
CREATE INDEX alarm_rang ON alarm (annunciated_at) WHERE annunciated_at IS NOT NULL;
