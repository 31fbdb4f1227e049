//! What MQTT clients are still owed: sessions with their subscriptions and queues, wills, retained messages. SQLite, one writer.
//!
//! The exchange is a consumer of the journal like any other: what it has read up to (*cursor*) and what follows from it move in one
//! transaction, so that a crash costs nothing and doubles nothing.
//!
//! **Invariant:** [`SessionStore::commit`] returns after the disk has it (`synchronous = FULL`).

mod schema;

#[cfg(test)]
mod tests;

use std::path::Path;

use bytes::Bytes;
use domain::{Seq, Timestamp};
use jiff::SignedDuration;
use rusqlite::{Connection, params};

/// Why sessions cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("the session store: {doing}")]
pub struct SessionError {
    doing: &'static str,
    #[source]
    source: rusqlite::Error,
}

fn while_doing(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> SessionError {
    move |source| SessionError { doing, source }
}

/// A session that outlives its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Our number for it.
    pub id: u64,
    /// Whose.
    pub account: String,
    /// The client id.
    pub client: String,
    /// Seconds that it outlives its connection; `u32::MAX`: for ever.
    pub expiry_s: u32,
    /// Epoch of its last connection.
    pub epoch: u64,
    /// When that ended; none while it is connected, or when the hub ended first.
    pub detached_at: Option<Timestamp>,
}

/// One of its filters, with the options as SUBSCRIBE had them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Which session.
    pub session: u64,
    /// As the client wrote it, `$share/…` included.
    pub filter: String,
    /// Bits 0–1 QoS, 2 no local, 3 retain as published, 4–5 retain handling: MQTT 5.0 §3.8.3.1.
    pub options: u8,
    /// Subscription id; 0: none.
    pub number: u32,
}

/// What a message is, wherever it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Where it was published.
    pub topic: String,
    /// The bytes.
    pub payload: Bytes,
    /// Properties that are handed on, as they stand in a packet.
    pub properties: Bytes,
    /// When nobody wants it any more.
    pub expires_at: Option<Timestamp>,
}

/// How far a delivery has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not been sent, as far as is known.
    Waiting = 0,
    /// It has been sent and not been acknowledged.
    Sent = 1,
    /// QoS 2: the client has it, and PUBREL is what is owed.
    Received = 2,
}

impl Phase {
    fn from_kept(number: u8) -> Self {
        match number {
            0 => Self::Waiting,
            1 => Self::Sent,
            _ => Self::Received,
        }
    }
}

/// A message that a session is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Whose.
    pub session: u64,
    /// Its place in the session's queue; unique in the session, and counting up.
    pub place: u64,
    /// 1 or 2.
    pub qos: u8,
    /// With the retain flag.
    pub retain: bool,
    /// Ids of the subscriptions that it matched.
    pub subscriptions: Vec<u32>,
    /// Given when it was queued, so that it is the same however often it is sent.
    pub packet_id: u16,
    /// How far it has got.
    pub phase: Phase,
    /// The message.
    pub message: MessageRow,
}

/// What is to be said when a client stays away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WillRow {
    /// Whose.
    pub session: u64,
    /// In whose name: the principal.
    pub principal: String,
    /// Epoch of the connection that left it.
    pub epoch: u64,
    /// 0, 1 or 2.
    pub qos: u8,
    /// To be kept for later subscribers.
    pub retain: bool,
    /// Seconds between the end of the connection and the will.
    pub delay_s: u32,
    /// Seconds of life after it is said.
    pub expiry_s: Option<u32>,
    /// When it is due; none while the client is there, or when the hub ended first.
    pub due_at: Option<Timestamp>,
    /// What.
    pub message: MessageRow,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes or replaces a session.
    PutSession(SessionRow),
    /// Forgets a session with all that hangs on it.
    DropSession(u64),
    /// Makes or replaces a subscription.
    PutSubscription(SubscriptionRow),
    /// Session and filter.
    DropSubscription(u64, String),
    /// Makes or replaces what is owed.
    PutEntry(EntryRow),
    /// Session and place: it has been delivered, or nobody wants it any more.
    DropEntry(u64, u64),
    /// Session and packet id: a QoS 2 message of the client that was taken and not released.
    PutUnreleased(u64, u16),
    /// Session and packet id.
    DropUnreleased(u64, u16),
    /// Makes or replaces a session's will.
    PutWill(WillRow),
    /// Session.
    DropWill(u64),
    /// QoS and message.
    PutRetained(u8, MessageRow),
    /// Topic.
    DropRetained(String),
}

/// Everything that was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Journal position up to which all of this holds.
    pub cursor: Seq,
    /// Sessions.
    pub sessions: Vec<SessionRow>,
    /// Their filters.
    pub subscriptions: Vec<SubscriptionRow>,
    /// What they are owed, by session and place.
    pub entries: Vec<EntryRow>,
    /// Session and packet id.
    pub unreleased: Vec<(u64, u16)>,
    /// Wills.
    pub wills: Vec<WillRow>,
    /// QoS and message.
    pub retained: Vec<(u8, MessageRow)>,
}

/// The file.
pub struct SessionStore {
    connection: Connection,
}

impl SessionStore {
    /// Opens or makes the file. `fresh_at` is where a new one begins to read the journal.
    ///
    /// # Errors
    /// A file that cannot be opened, or is of another version.
    pub fn open(path: &Path, fresh_at: Seq) -> Result<Self, SessionError> {
        let connection = schema::open(path, fresh_at).map_err(while_doing("opening"))?;
        Ok(Self { connection })
    }

    /// Moves times after `right` back by `by`: a clock that stood ahead has written them. Says how many rows changed.
    ///
    /// # Errors
    /// The database refused: nothing has moved.
    pub fn set_back(&mut self, right: Timestamp, by: SignedDuration) -> Result<u64, SessionError> {
        let moved = self.move_back(right, by);
        moved.map_err(while_doing("setting times back"))
    }

    fn move_back(&mut self, right: Timestamp, by: SignedDuration) -> rusqlite::Result<u64> {
        let by_us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let tx = self.connection.transaction()?;
        let mut changed = 0;
        for (table, column) in schema::TIMES {
            let sql = format!("UPDATE {table} SET {column} = {column} - ?1 WHERE {column} > ?2");
            changed += tx.execute(&sql, params![by_us, right.as_microsecond()])?;
        }
        tx.commit()?;
        Ok(changed as u64)
    }

    /// Reads everything.
    ///
    /// # Errors
    /// The database refused.
    pub fn load(&self) -> Result<Kept, SessionError> {
        self.read().map_err(while_doing("reading"))
    }

    /// Applies the changes in order and moves the cursor, all or nothing.
    ///
    /// # Errors
    /// The database refused; nothing has changed.
    pub fn commit(&mut self, cursor: Seq, changes: &[Change]) -> Result<(), SessionError> {
        self.write(cursor, changes)
            .map_err(while_doing("committing"))
    }

    fn write(&mut self, cursor: Seq, changes: &[Change]) -> rusqlite::Result<()> {
        let tx = self.connection.transaction()?;
        for change in changes {
            apply(&tx, change)?;
        }
        tx.prepare_cached("UPDATE cursor SET seq = ?1")?
            .execute([cursor.0.cast_signed()])?;
        tx.commit()
    }

    fn read(&self) -> rusqlite::Result<Kept> {
        let db = &self.connection;
        let cursor: i64 = db.query_row("SELECT seq FROM cursor", [], |row| row.get(0))?;
        let mut kept = Kept {
            cursor: Seq(cursor.cast_unsigned()),
            ..Kept::default()
        };
        let mut statement = db.prepare(
            "SELECT id, account, client, expiry_s, epoch, detached_at FROM session ORDER BY id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            kept.sessions.push(SessionRow {
                id: unsigned(row.get(0)?),
                account: row.get(1)?,
                client: row.get(2)?,
                expiry_s: row.get(3)?,
                epoch: unsigned(row.get(4)?),
                detached_at: time(row.get(5)?),
            });
        }
        let mut statement = db.prepare(
            "SELECT session, filter, options, number FROM subscription ORDER BY session, filter",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            kept.subscriptions.push(SubscriptionRow {
                session: unsigned(row.get(0)?),
                filter: row.get(1)?,
                options: row.get(2)?,
                number: row.get(3)?,
            });
        }
        let mut statement = db.prepare(
            "SELECT session, place, qos, retain, subscriptions, packet_id, phase, topic, payload, properties, expires_at
             FROM entry ORDER BY session, place",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let numbers: Vec<u8> = row.get(4)?;
            kept.entries.push(EntryRow {
                session: unsigned(row.get(0)?),
                place: unsigned(row.get(1)?),
                qos: row.get(2)?,
                retain: row.get(3)?,
                subscriptions: numbers
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                packet_id: row.get(5)?,
                phase: Phase::from_kept(row.get(6)?),
                message: message(row, 7)?,
            });
        }
        let mut statement = db.prepare("SELECT session, packet_id FROM unreleased")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            kept.unreleased.push((unsigned(row.get(0)?), row.get(1)?));
        }
        let mut statement = db.prepare(
            "SELECT session, principal, epoch, qos, retain, delay_s, expiry_s, due_at, topic, payload, properties, expires_at
             FROM will ORDER BY session",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            kept.wills.push(WillRow {
                session: unsigned(row.get(0)?),
                principal: row.get(1)?,
                epoch: unsigned(row.get(2)?),
                qos: row.get(3)?,
                retain: row.get(4)?,
                delay_s: row.get(5)?,
                expiry_s: row.get(6)?,
                due_at: time(row.get(7)?),
                message: message(row, 8)?,
            });
        }
        let mut statement = db.prepare(
            "SELECT qos, topic, payload, properties, expires_at FROM retained ORDER BY topic",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            kept.retained.push((row.get(0)?, message(row, 1)?));
        }
        Ok(kept)
    }
}

fn apply(db: &Connection, change: &Change) -> rusqlite::Result<()> {
    let id = |id: &u64| id.cast_signed();
    match change {
        Change::PutSession(s) => db
            .prepare_cached(
                "INSERT INTO session (id, account, client, expiry_s, epoch, detached_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET expiry_s = excluded.expiry_s, epoch = excluded.epoch, detached_at = excluded.detached_at",
            )?
            .execute(params![
                id(&s.id),
                s.account,
                s.client,
                s.expiry_s,
                id(&s.epoch),
                s.detached_at.map(Timestamp::as_microsecond),
            ])?,
        Change::DropSession(session) => {
            for statement in [
                "DELETE FROM subscription WHERE session = ?1",
                "DELETE FROM entry WHERE session = ?1",
                "DELETE FROM unreleased WHERE session = ?1",
                "DELETE FROM will WHERE session = ?1",
                "DELETE FROM session WHERE id = ?1",
            ] {
                db.prepare_cached(statement)?.execute([id(session)])?;
            }
            0
        }
        Change::PutSubscription(s) => db
            .prepare_cached("INSERT OR REPLACE INTO subscription (session, filter, options, number) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id(&s.session), s.filter, s.options, s.number])?,
        Change::DropSubscription(session, filter) => db
            .prepare_cached("DELETE FROM subscription WHERE session = ?1 AND filter = ?2")?
            .execute(params![id(session), filter])?,
        Change::PutEntry(e) => {
            let numbers: Vec<u8> = e.subscriptions.iter().flat_map(|n| n.to_le_bytes()).collect();
            db.prepare_cached(
                "INSERT OR REPLACE INTO entry
                 (session, place, qos, retain, subscriptions, packet_id, phase, topic, payload, properties, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                id(&e.session),
                id(&e.place),
                e.qos,
                e.retain,
                numbers,
                e.packet_id,
                e.phase as u8,
                e.message.topic,
                &e.message.payload[..],
                &e.message.properties[..],
                e.message.expires_at.map(Timestamp::as_microsecond),
            ])?
        }
        Change::DropEntry(session, place) => db
            .prepare_cached("DELETE FROM entry WHERE session = ?1 AND place = ?2")?
            .execute([id(session), id(place)])?,
        Change::PutUnreleased(session, packet) => db
            .prepare_cached("INSERT OR IGNORE INTO unreleased (session, packet_id) VALUES (?1, ?2)")?
            .execute(params![id(session), packet])?,
        Change::DropUnreleased(session, packet) => db
            .prepare_cached("DELETE FROM unreleased WHERE session = ?1 AND packet_id = ?2")?
            .execute(params![id(session), packet])?,
        Change::PutWill(w) => db
            .prepare_cached(
                "INSERT OR REPLACE INTO will
                 (session, principal, epoch, qos, retain, delay_s, expiry_s, due_at, topic, payload, properties, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                id(&w.session),
                w.principal,
                id(&w.epoch),
                w.qos,
                w.retain,
                w.delay_s,
                w.expiry_s,
                w.due_at.map(Timestamp::as_microsecond),
                w.message.topic,
                &w.message.payload[..],
                &w.message.properties[..],
                w.message.expires_at.map(Timestamp::as_microsecond),
            ])?,
        Change::DropWill(session) => db
            .prepare_cached("DELETE FROM will WHERE session = ?1")?
            .execute([id(session)])?,
        Change::PutRetained(qos, m) => db
            .prepare_cached("INSERT OR REPLACE INTO retained (topic, qos, payload, properties, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                m.topic,
                qos,
                &m.payload[..],
                &m.properties[..],
                m.expires_at.map(Timestamp::as_microsecond),
            ])?,
        Change::DropRetained(topic) => db
            .prepare_cached("DELETE FROM retained WHERE topic = ?1")?
            .execute([topic])?,
    };
    Ok(())
}

fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}

fn time(value: Option<i64>) -> Option<Timestamp> {
    value.and_then(|us| Timestamp::from_microsecond(us).ok())
}

/// A message from four columns: topic, payload, properties, expiry.
fn message(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<MessageRow> {
    let (payload, properties): (Vec<u8>, Vec<u8>) = (row.get(at + 1)?, row.get(at + 2)?);
    Ok(MessageRow {
        topic: row.get(at)?,
        payload: payload.into(),
        properties: properties.into(),
        expires_at: time(row.get(at + 3)?),
    })
}
