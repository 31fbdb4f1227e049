//! The layout of a day's file, and how its connections are opened.
//!
//! ```text
//! meta    one row: the store's cursor when this file was last written
//! word    every text that repeats (site, device, class, component, kind, phase, clock), numbered per file
//! event   one row per event; position = journal seq << 12 | number within the uplink
//! hour    first and last position received in each hour: turns a time range into a position range
//! rollup  events by hour, site, class and kind        rollup_device  events by hour and device
//! history the rows of `event` with their words, for people with the sqlite3 program (open live files with -readonly)
//! ```
//!
//! Times are microseconds since 1970. `(device, position)` is the index by device and time: SQLite ends every index with the
//! row id, and positions rise with receive time.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ffi};

use super::EventsError;

/// Layout of the files this version writes, kept as `user_version`.
const LAYOUT: i64 = 1;

/// First SQLite without the WAL-reset bug.
const SQLITE_MIN: i32 = 3_051_003;

const DDL: &str = "
CREATE TABLE meta (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  cursor_seq INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0);
CREATE TABLE word (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE event (
  position            INTEGER PRIMARY KEY,
  received_at_us      INTEGER NOT NULL,
  occurred_at_us      INTEGER NOT NULL,
  site                INTEGER NOT NULL REFERENCES word,
  device              INTEGER NOT NULL REFERENCES word,
  class               INTEGER NOT NULL REFERENCES word,
  component           INTEGER REFERENCES word,
  kind                INTEGER NOT NULL REFERENCES word,
  phase               INTEGER NOT NULL REFERENCES word,
  clock               INTEGER NOT NULL REFERENCES word,
  count               INTEGER NOT NULL,
  last_position       INTEGER NOT NULL,
  last_received_at_us INTEGER NOT NULL,
  dedupe_key          TEXT NOT NULL,
  attrs               TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_identity ON event (device, dedupe_key);
CREATE INDEX event_by_device ON event (device);
CREATE INDEX event_by_kind ON event (kind);
CREATE TABLE hour (
  hour           INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL,
  last_position  INTEGER NOT NULL
) STRICT;
CREATE TABLE rollup (
  hour  INTEGER NOT NULL,
  site  INTEGER NOT NULL REFERENCES word,
  class INTEGER NOT NULL REFERENCES word,
  kind  INTEGER NOT NULL REFERENCES word,
  n     INTEGER NOT NULL,
  PRIMARY KEY (hour, site, class, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_device (
  hour   INTEGER NOT NULL,
  device INTEGER NOT NULL REFERENCES word,
  n      INTEGER NOT NULL,
  PRIMARY KEY (hour, device)
) STRICT, WITHOUT ROWID;
CREATE VIEW history AS
SELECT e.position, e.position >> 12 AS seq, e.received_at_us, e.occurred_at_us, s.text AS site, d.text AS device,
       c.text AS class, o.text AS component, k.text AS kind, p.text AS phase, t.text AS clock, e.count,
       e.last_received_at_us, e.dedupe_key, e.attrs, e.device AS device_word, e.kind AS kind_word, e.site AS site_word
FROM event e
JOIN word s ON s.id = e.site
JOIN word d ON d.id = e.device
JOIN word c ON c.id = e.class
LEFT JOIN word o ON o.id = e.component
JOIN word k ON k.id = e.kind
JOIN word p ON p.id = e.phase
JOIN word t ON t.id = e.clock;
";

/// Refuses a SQLite with the WAL-reset bug.
pub(super) fn assert_version() -> Result<(), EventsError> {
    if rusqlite::version_number() < SQLITE_MIN {
        let found = rusqlite::version();
        return Err(EventsError::SqliteTooOld { found });
    }
    Ok(())
}

/// Opens a day's file for writing; makes it when it is not there.
///
/// `synchronous = FULL`: a commit is on disk before it is reported. `NORMAL` would be enough for the data, which can be made
/// again from the journal, if the journal still had it; but then a power cut may take the last commits of *one* file, and
/// the cursor that says "everything up to here is stored" may stand in another. With FULL the order of commits on disk is
/// the order in which they were made, the cursor is always written last, and `cursor()` may be given to the journal as
/// "release up to here". The price is one sync per batch, paid beside the journal's own and not before a PUBACK.
pub(super) fn open_writer(path: &Path) -> Result<Connection, EventsError> {
    let connection = Connection::open(path).map_err(EventsError::sqlite("open a day's file"))?;
    let set_up = || {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "page_size", 4_096)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        // The bundled SQLite checks by default; the writer makes every word itself, and seven look-ups per row are dear.
        connection.pragma_update(None, "foreign_keys", false)?;
        // A day's index is written all over: keep its pages, and let many batches share one checkpoint.
        connection.pragma_update(None, "cache_size", -128 * 1_024)?;
        connection.pragma_update(None, "wal_autocheckpoint", 32_000)?;
        connection.pragma_update(None, "journal_size_limit", 128 << 20)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    let found = set_up().map_err(EventsError::sqlite("set up a day's file"))?;
    match found {
        0 => {
            // One transaction: a crash leaves either no layout or all of it.
            let ddl = format!("BEGIN IMMEDIATE; {DDL} PRAGMA user_version = {LAYOUT}; COMMIT;");
            connection
                .execute_batch(&ddl)
                .map_err(EventsError::sqlite("lay out a day's file"))?;
            Ok(connection)
        }
        LAYOUT => Ok(connection),
        _ => Err(EventsError::Layout {
            path: path.to_owned(),
            found,
            known: LAYOUT,
        }),
    }
}

/// Opens a day's file for reading; `None` when it is not there, or not laid out yet.
pub(super) fn open_reader(path: &Path) -> Result<Option<Connection>, EventsError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match Connection::open_with_flags(path, flags) {
        Ok(connection) => connection,
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.code == ffi::ErrorCode::CannotOpen && !path.exists() =>
        {
            return Ok(None);
        }
        Err(source) => {
            return Err(EventsError::Sqlite {
                doing: "open a day's file for reading",
                source,
            });
        }
    };
    let set_up = || {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    let found = set_up().map_err(EventsError::sqlite("set up a day's file for reading"))?;
    match found {
        0 => Ok(None),
        LAYOUT => Ok(Some(connection)),
        _ => Err(EventsError::Layout {
            path: path.to_owned(),
            found,
            known: LAYOUT,
        }),
    }
}
