//! The tables, and how the file is opened.

use std::path::Path;

use domain::Seq;
use rusqlite::Connection;

const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE cursor (seq INTEGER NOT NULL) STRICT;
CREATE TABLE session (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, client TEXT NOT NULL, expiry_s INTEGER NOT NULL, epoch INTEGER NOT NULL,
  detached_at INTEGER, UNIQUE (account, client)
) STRICT;
CREATE TABLE subscription (
  session INTEGER NOT NULL, filter TEXT NOT NULL, options INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (session, filter)
) STRICT, WITHOUT ROWID;
CREATE TABLE entry (
  session INTEGER NOT NULL, place INTEGER NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, subscriptions BLOB NOT NULL,
  packet_id INTEGER NOT NULL, phase INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL,
  expires_at INTEGER, PRIMARY KEY (session, place)
) STRICT;
CREATE TABLE unreleased (session INTEGER NOT NULL, packet_id INTEGER NOT NULL, PRIMARY KEY (session, packet_id)) STRICT, WITHOUT ROWID;
CREATE TABLE will (
  session INTEGER PRIMARY KEY, principal TEXT NOT NULL, epoch INTEGER NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
  delay_s INTEGER NOT NULL, expiry_s INTEGER, due_at INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE TABLE retained (
  topic TEXT PRIMARY KEY, qos INTEGER NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL, expires_at INTEGER
) STRICT;
";

/// Where times stand, in microseconds; connection epochs are made of them.
pub(super) const TIMES: &[(&str, &str)] = &[
    ("session", "epoch"),
    ("session", "detached_at"),
    ("entry", "expires_at"),
    ("will", "epoch"),
    ("will", "due_at"),
    ("will", "expires_at"),
    ("retained", "expires_at"),
];

pub(super) fn open(path: &Path, fresh_at: Seq) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // an answer to a client follows the commit: it must be on disk, not on its way
    db.pragma_update(None, "synchronous", "full")?;
    db.set_prepared_statement_cache_capacity(32);
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        VERSION => Ok(db),
        0 => {
            let tx = db.transaction()?;
            tx.execute_batch(TABLES)?;
            tx.execute(
                "INSERT INTO cursor (seq) VALUES (?1)",
                [fresh_at.0.cast_signed()],
            )?;
            tx.pragma_update(None, "user_version", VERSION)?;
            tx.commit()?;
            Ok(db)
        }
        other => Err(rusqlite::Error::InvalidParameterName(format!(
            "the file is of version {other}, this program knows {VERSION} (hint: a newer hub wrote it)"
        ))),
    }
}
