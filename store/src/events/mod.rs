//! The event store: the query side of the journal, with history and counts.
