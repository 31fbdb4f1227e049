-- An incident's reports are those of what was merged into it too: without this, opening one read every incident there ever was.
CREATE INDEX incident_of_parent ON incident (parent) WHERE parent IS NOT NULL;
