-- Whom a rung came to: the rung on which they stand (none where nobody at all is configured), whether they are off duty, and in which
-- order. `answered_at`: the person acted on the incident after having been told.
ALTER TABLE notification ADD COLUMN told_level BIGINT;
ALTER TABLE notification ADD COLUMN off_duty   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN ordinal     BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN answered_at BIGINT;
