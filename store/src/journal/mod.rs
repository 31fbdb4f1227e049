//! The journal: an append-only log of uplinks that is synced before anything is acknowledged.
