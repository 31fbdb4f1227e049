-- The bridge that spoke for a device last: when it is lost, what its devices do not say is its fault.
ALTER TABLE device ADD COLUMN via TEXT;
