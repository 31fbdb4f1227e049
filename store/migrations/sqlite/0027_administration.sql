-- Looking into the audit trail: what somebody did, what was done of a kind, what happened when.
CREATE INDEX audit_of_actor ON audit (actor, id);
CREATE INDEX audit_of_act ON audit (act, id);
CREATE INDEX audit_at ON audit (at);
