//! One batch, one transaction: the cursor moves together with everything that the batch brought about.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::rule::{Finding, RuleBook, WindowChange};
use domain::{DeviceId, IncidentId, Revision, Seq, Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use tracing::error;

use super::batch::{Batch, Committed, QuarantineRow};
use super::chunks::chunks;
use super::device::Touched;
use super::error::StateError;
use super::feed::{self, FeedRow};
use super::finding::{Annunciator, Outcome};
use super::incidents::{self, json};
use super::open::cursor;
use super::query::quarantine_item;
use super::view::IncidentItem;
use super::{State, adapter_memory, device, flood, quarantine, seen};

/// How often a full disk is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Quarantined uplinks of one batch that are told of; a sender gone mad must not push everything else out of the feed.
const QUARANTINE_TOLD_MAX: usize = 50;
/// Quarantined uplinks that are kept; the oldest go first.
const QUARANTINE_ROWS_MAX: i64 = 10_000;

impl State {
    /// Commits a batch; while the disk is full it waits. A batch that ends before the cursor has been committed before and changes nothing; findings at positions that
    /// have been committed are left out, so that a batch may safely be committed twice.
    ///
    /// # Errors
    /// A database that cannot be written: nothing of the batch has happened.
    pub async fn commit_batch(
        &self,
        batch: Batch,
        book: &RuleBook,
    ) -> Result<Committed, StateError> {
        let mut waited = 0;
        loop {
            match self.try_commit_batch(&batch, book).await {
                Err(e) if e.is_retryable() => {
                    if waited % 20 == 0 {
                        error!(error = %e, journal.seq = %batch.cursor, "what was detected cannot be written now, waiting (hint: is the disk of `data.dir` full?)");
                    }
                    waited += 1;
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn try_commit_batch(
        &self,
        batch: &Batch,
        book: &RuleBook,
    ) -> Result<Committed, StateError> {
        let _turn = if batch.newcomers.is_empty() {
            None
        } else {
            Some(self.shared.newcomers.turn.lock().await)
        };
        let mut tx = self.begin().await?;
        let committed_upto = cursor(&mut tx, batch.consumer).await?;
        if batch.cursor < committed_upto {
            return Ok(Committed {
                revision: self.revision(),
                ..Committed::default()
            });
        }
        if batch.cursor > committed_upto {
            move_cursor(&mut tx, batch.consumer, batch.cursor).await?;
        }
        write_windows(&mut tx, &batch.windows).await?;
        adapter_memory::write(&mut tx, &batch.memory).await?;
        let seen_rows = self.shared.seen_rows.load(Ordering::Relaxed);
        let seen_growth = seen::note(&mut tx, &batch.seen, seen_rows).await?;
        let quarantined = keep(&mut tx, &batch.quarantine, committed_upto).await?;
        let reran = quarantine::mark(&mut tx, &batch.reran, committed_upto).await?;

        let (commands, command_news) = if batch.cursor > committed_upto {
            self.hear(&mut tx, &batch.heard).await?
        } else {
            Default::default()
        };
        let touched = self
            .shared
            .devices
            .plan(batch.devices.clone(), &self.shared.registry());
        let is_fresh = |finding: &&Finding| finding.seq.is_none_or(|seq| seq > committed_upto);
        let fresh: Vec<&Finding> = batch.findings.iter().filter(is_fresh).collect();
        let mut annunciator = Annunciator::new(book, &self.shared, &mut tx);
        annunciator.expect(&fresh).await?;
        let mut turned = touched.turned.iter().peekable();
        for finding in &batch.findings {
            // what a device said before it went away it said itself; what is found of its going, or by time, is known
            while let Some((_, device, since)) =
                turned.next_if(|(at, ..)| finding.seq.is_none_or(|seq| *at <= seq))
            {
                annunciator.turn_unknown(device, *since).await?;
            }
            if is_fresh(&finding) {
                annunciator.apply(finding).await?;
            }
        }
        for (_, device, since) in turned {
            annunciator.turn_unknown(device, *since).await?;
        }
        let outcome = annunciator.finish().await?;
        let (opening, fire_news) = self.fire_modes_of(&mut tx, &fresh, book).await?;
        touched.write(&mut tx).await?;
        let newcomers = &self.shared.newcomers;
        let heard = batch.newcomers.clone();
        let came = newcomers.plan(heard, &self.shared.registry(), latest(batch));
        came.write(&mut tx).await?;
        let mut news = self
            .news(&mut tx, &outcome, &touched, latest(batch))
            .await?;
        news.extend(quarantined.into_iter().map(quarantine_news));
        news.extend(reran);
        news.extend(command_news);
        news.extend(fire_news);
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;

        self.shared.devices.commit(touched);
        if !commands.is_empty() || !opening.is_empty() {
            self.command_news(None, &[commands, opening].concat());
        }
        newcomers.commit(came);
        self.shared
            .seen_rows
            .fetch_add(seen_growth, Ordering::Relaxed);
        let revision = revision.unwrap_or_else(|| self.revision());
        self.announce(revision);
        Ok(Committed {
            revision,
            opened: outcome.opened,
            changed: outcome.changed.into_iter().collect(),
            alarms: outcome.alarms,
        })
    }

    /// What findings and devices came to, for the feed.
    pub(super) async fn news(
        &self,
        connection: &mut SqliteConnection,
        outcome: &Outcome,
        touched: &Touched,
        now: Timestamp,
    ) -> Result<Vec<News>, StateError> {
        let devices = touched.tell.iter().chain(&outcome.devices).cloned();
        let devices: BTreeSet<DeviceId> = devices.collect();
        let devices: Vec<DeviceId> = devices.into_iter().collect();
        let items = if devices.is_empty() {
            Vec::new()
        } else {
            let ringing = device::ringing(connection).await?;
            self.items_after(&devices, touched, &ringing, now)
        };
        let changed = outcome.changed.iter().copied();
        let mut news: Vec<News> = changed.map(News::Incident).collect();
        news.extend(self.alarm_news(outcome.told.values()));
        for storm in &outcome.storms {
            news.push(flood::news(connection, &self.shared.registry(), *storm).await?);
        }
        news.extend(items.into_iter().map(|item| News::Made {
            kind: "device",
            id: item.id.to_string(),
            json: json(&item),
        }));
        Ok(news)
    }

    /// Gives each change its revision and puts it into the feed; says the last one.
    pub(super) async fn publish(
        &self,
        connection: &mut SqliteConnection,
        news: Vec<News>,
    ) -> Result<Option<Revision>, StateError> {
        if news.is_empty() {
            return Ok(None);
        }
        let first = feed::reserve(connection, news.len()).await?;
        let revisions = (0..).map(|n| Revision(first.0 + n));
        let incidents = news.iter().zip(revisions.clone());
        let incidents = incidents.filter_map(|(news, revision)| match news {
            News::Incident(id) => Some((*id, revision)),
            News::Made { .. } => None,
        });
        let incidents: Vec<(IncidentId, Revision)> = incidents.collect();
        let incidents = incidents::numbered(connection, &incidents).await?;
        let registry = self.shared.registry();
        let mut rows = Vec::with_capacity(news.len());
        for (news, revision) in news.into_iter().zip(revisions) {
            let (kind, id, json) = match news {
                News::Made { kind, id, json } => (kind, id, json),
                News::Incident(id) => {
                    let incident = incidents
                        .get(&id)
                        .ok_or_else(|| StateError::damaged(format_args!("{id} is not there")))?;
                    let json = json(&IncidentItem::new(incident, revision, &registry));
                    ("incident", id.to_string(), json)
                }
            };
            rows.push(FeedRow {
                revision,
                kind: kind.to_owned(),
                id,
                json,
            });
        }
        feed::publish(connection, &rows).await?;
        Ok(rows.last().map(|row| row.revision))
    }
}

/// A change that has no revision yet.
pub(super) enum News {
    /// As it then stands in the table.
    Incident(IncidentId),
    /// As it is given.
    Made {
        kind: &'static str,
        id: String,
        json: String,
    },
}

/// What is told of an uplink that went to quarantine.
pub(super) fn quarantine_news(row: &QuarantineRow) -> News {
    let item = quarantine_item(row);
    News::Made {
        kind: "quarantine",
        id: item.id.clone(),
        json: json(&item),
    }
}

/// The latest hub time that a batch knows.
fn latest(batch: &Batch) -> Timestamp {
    let touched = batch.devices.iter().map(|touch| touch.last_seen);
    let found = batch.findings.iter().map(|finding| finding.at);
    let heard = batch.newcomers.iter().map(|heard| heard.at);
    touched
        .chain(found)
        .chain(heard)
        .max()
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) async fn move_cursor(
    connection: &mut SqliteConnection,
    consumer: &str,
    seq: Seq,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO journal_cursor (consumer, seq) VALUES ($1, $2) ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq",
    )
    .bind(consumer)
    .bind(seq.0.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_windows(
    connection: &mut SqliteConnection,
    changes: &[WindowChange],
) -> Result<(), StateError> {
    let (mut put, mut delete) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            WindowChange::Put(row) => put.push(row),
            WindowChange::Delete(key) => delete.push(key),
        }
    }
    for chunk in chunks(&put) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO rule_window (key, value) ");
        query.push_values(chunk, |mut values, row| {
            values.push_bind(&row.key).push_bind(&row.value);
        });
        query.push(" ON CONFLICT (key) DO UPDATE SET value = excluded.value");
        query.build().execute(&mut *connection).await?;
    }
    for chunk in chunks(&delete) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("DELETE FROM rule_window WHERE key IN (");
        let mut keys = query.separated(", ");
        for key in chunk {
            keys.push_bind(*key);
        }
        query.push(")");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps what could not be read and gives back what is to be told of.
pub(super) async fn keep<'a>(
    connection: &mut SqliteConnection,
    rows: &'a [QuarantineRow],
    committed_upto: Seq,
) -> Result<Vec<&'a QuarantineRow>, StateError> {
    let fresh: Vec<&QuarantineRow> = rows.iter().filter(|row| row.seq > committed_upto).collect();
    for chunk in chunks(&fresh) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO quarantine (seq, received_at, topic, principal, reason, detail, raw) ",
        );
        query.push_values(chunk, |mut values, row| {
            values
                .push_bind(row.seq.0.cast_signed())
                .push_bind(row.received_at.as_microsecond())
                .push_bind(&row.topic)
                .push_bind(&row.principal)
                .push_bind(&row.reason)
                .push_bind(&row.detail)
                .push_bind(row.raw.as_ref());
        });
        query.push(" ON CONFLICT (seq) DO NOTHING");
        query.build().execute(&mut *connection).await?;
    }
    if !fresh.is_empty() {
        sqlx::query(
            "DELETE FROM quarantine WHERE seq <=
               (SELECT seq FROM quarantine ORDER BY seq DESC LIMIT 1 OFFSET $1)",
        )
        .bind(QUARANTINE_ROWS_MAX)
        .execute(connection)
        .await?;
    }
    Ok(fresh.into_iter().take(QUARANTINE_TOLD_MAX).collect())
}
