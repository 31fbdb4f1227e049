//! What could not be read: listed, looked up to be read again, and what came of that.
//!
//! An uplink is put to the adapters again by appending it to the journal again; the detector says here, in the transaction in which it acts,
//! what came of it. A row that was read is not read a second time.

use bytes::Bytes;
use domain::{Reach, Seq, Timestamp, UserId};
use jiff::SignedDuration;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::batch::{QuarantineRow, Reran};
use super::commit::News;
use super::error::StateError;
use super::incidents::{json, time};
use super::query::{PAGE_MAX, Page, parse_cursor, quarantine_item};
use super::view::{QuarantineItem, RerunItem};
use super::{State, feed, reach};

/// Most uplinks that are put to the adapters again at once.
pub const RERUN_MAX: usize = 500;
/// One that was asked for and has not come to anything for so long may be asked for again: the hub was killed before it was in the journal.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Rows of one batch that are told of; the others are seen when the list is read.
const TOLD_MAX: usize = 50;

const COLUMNS: &str = "seq, received_at, topic, principal, reason, detail, raw, rerun_by, rerun_at, rerun_outcome, rerun_detail";

#[derive(FromRow)]
struct Stored {
    seq: i64,
    received_at: i64,
    topic: String,
    principal: String,
    reason: String,
    detail: String,
    raw: Vec<u8>,
    rerun_by: Option<String>,
    rerun_at: Option<i64>,
    rerun_outcome: Option<String>,
    rerun_detail: Option<String>,
}

/// An uplink in quarantine, whole, and what came of reading it again.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// As it came.
    pub row: QuarantineRow,
    /// None when nobody has asked for it.
    pub rerun: Option<RerunItem>,
}

impl Quarantined {
    /// Whether it was read, or is about to be.
    pub fn is_done(&self, now: Timestamp) -> bool {
        self.rerun
            .as_ref()
            .is_some_and(|rerun| match rerun.outcome.as_str() {
                "rejected" => false,
                "waiting" => now.duration_since(rerun.at.0) < LOST_AFTER,
                _ => true,
            })
    }

    fn item(&self) -> QuarantineItem {
        QuarantineItem {
            rerun: self.rerun.clone(),
            ..quarantine_item(&self.row)
        }
    }
}

impl TryFrom<Stored> for Quarantined {
    type Error = StateError;
    fn try_from(stored: Stored) -> Result<Self, StateError> {
        let rerun = match (stored.rerun_by, stored.rerun_at, stored.rerun_outcome) {
            (Some(by), Some(at), Some(outcome)) => Some(RerunItem {
                by,
                at: time(at)?.into(),
                outcome,
                detail: stored.rerun_detail.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Self {
            row: QuarantineRow {
                seq: Seq(stored.seq.cast_unsigned()),
                received_at: time(stored.received_at)?,
                topic: stored.topic,
                principal: stored.principal,
                reason: stored.reason,
                detail: stored.detail,
                raw: Bytes::from(stored.raw),
            },
            rerun,
        })
    }
}

/// Who asks for uplinks to be read again, and of which that is said in the audit trail.
#[derive(Debug, Clone)]
pub struct RerunAsked {
    /// A log-in name.
    pub by: UserId,
    /// `quarantine:…`
    pub object: String,
}

impl State {
    /// What could not be read of what somebody may see, the newest first. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn quarantine(
        &self,
        cursor: Option<&str>,
        limit: u32,
        reach: &Reach,
    ) -> Result<Page<QuarantineItem>, StateError> {
        let before = parse_cursor(cursor)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut query = select(" WHERE seq < ");
        query.push_bind(before);
        reach::quarantined(&mut query, reach, &self.shared.registry());
        query
            .push(" ORDER BY seq DESC LIMIT ")
            .push_bind(i64::from(limit) + 1);
        let mut all = many(query, &mut snapshot).await?;
        let has_more = all.len() > limit as usize;
        all.truncate(limit as usize);
        let items: Vec<QuarantineItem> = all.iter().map(Quarantined::item).collect();
        let next = items.last().filter(|_| has_more);
        Ok(Page {
            next: next.map(|item| item.id.clone()),
            items,
            revision,
        })
    }

    /// One uplink in quarantine, if somebody may see it.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn quarantined(
        &self,
        seq: Seq,
        reach: &Reach,
    ) -> Result<Option<Quarantined>, StateError> {
        let mut query = select(" WHERE seq = ");
        query.push_bind(seq.0.cast_signed());
        reach::quarantined(&mut query, reach, &self.shared.registry());
        let mut connection = self.shared.read.acquire().await?;
        Ok(many(query, &mut connection).await?.pop())
    }

    /// Those with a reason and a part of their topic that have not been read since, the oldest first, and whether there are more than
    /// [`RERUN_MAX`].
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn quarantined_for(
        &self,
        reason: &str,
        topic: &str,
        reach: &Reach,
    ) -> Result<(Vec<Quarantined>, bool), StateError> {
        let mut query = select(" WHERE reason = ");
        query.push_bind(reason.to_owned());
        query.push(" AND (rerun_outcome IS NULL OR rerun_outcome IN ('rejected', 'waiting'))");
        if !topic.is_empty() {
            query.push(" AND instr(topic, ").push_bind(topic.to_owned());
            query.push(") > 0");
        }
        reach::quarantined(&mut query, reach, &self.shared.registry());
        query
            .push(" ORDER BY seq LIMIT ")
            .push_bind(RERUN_MAX as i64 + 1);
        let mut connection = self.shared.read.acquire().await?;
        let mut all = many(query, &mut connection).await?;
        let has_more = all.len() > RERUN_MAX;
        all.truncate(RERUN_MAX);
        Ok((all, has_more))
    }

    /// Notes that somebody wants these to be read again, with a line of the audit trail. Gives back those for which that stands; the others
    /// are done, or somebody was faster.
    ///
    /// # Errors
    /// A database that cannot be written: nothing is noted.
    pub async fn claim_reruns(
        &self,
        seqs: &[Seq],
        asked: RerunAsked,
        now: Timestamp,
    ) -> Result<Vec<Seq>, StateError> {
        let lost = now.checked_sub(LOST_AFTER).unwrap_or(Timestamp::MIN);
        let mut tx = self.begin().await?;
        let mut claimed = Vec::new();
        for seq in seqs {
            let noted = sqlx::query(
                "UPDATE quarantine SET rerun_by = $2, rerun_at = $3, rerun_outcome = 'waiting', rerun_detail = ''
                 WHERE seq = $1 AND (rerun_outcome IS NULL OR rerun_outcome = 'rejected' OR (rerun_outcome = 'waiting' AND rerun_at < $4))",
            )
            .bind(seq.0.cast_signed())
            .bind(asked.by.as_str())
            .bind(now.as_microsecond())
            .bind(lost.as_microsecond())
            .execute(&mut *tx)
            .await?;
            if noted.rows_affected() > 0 {
                claimed.push(*seq);
            }
        }
        if let (Some(first), Some(last)) = (claimed.first(), claimed.last()) {
            let to = format!("{} ({first}–{last})", claimed.len());
            let line = Entry::by(&asked.by, now, "rerun_quarantine", asked.object, to);
            audit::append(&mut tx, vec![line]).await?;
        }
        tx.commit().await?;
        Ok(claimed)
    }
}

fn select(condition: &str) -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!("SELECT {COLUMNS} FROM quarantine{condition}"))
}

async fn many(
    mut query: QueryBuilder<Sqlite>,
    connection: &mut SqliteConnection,
) -> Result<Vec<Quarantined>, StateError> {
    let rows: Vec<Stored> = query.build_query_as().fetch_all(connection).await?;
    rows.into_iter().map(Quarantined::try_from).collect()
}

/// Writes down what came of those that were read again, and gives back what is to be told of.
pub(super) async fn mark(
    connection: &mut SqliteConnection,
    reran: &[Reran],
    committed_upto: Seq,
) -> Result<Vec<News>, StateError> {
    let mut news = Vec::new();
    for one in reran.iter().filter(|one| one.seq > committed_upto) {
        // of what is still not readable the newer reason stands; what was read once stays read
        sqlx::query(
            "UPDATE quarantine SET rerun_outcome = $2, rerun_detail = $3, reason = COALESCE($4, reason), detail = COALESCE($5, detail)
             WHERE seq = $1 AND rerun_outcome IN ('waiting', 'rejected')",
        )
        .bind(one.of.0.cast_signed())
        .bind(one.outcome)
        .bind(&one.detail)
        .bind(one.reject.as_ref().map(|(reason, _)| reason))
        .bind(one.reject.as_ref().map(|(_, detail)| detail))
        .execute(&mut *connection)
        .await?;
        if news.len() >= TOLD_MAX {
            continue;
        }
        let mut query = select(" WHERE seq = ");
        query.push_bind(one.of.0.cast_signed());
        for row in many(query, connection).await? {
            let item = row.item();
            news.push(News::Made {
                kind: "quarantine",
                id: item.id.clone(),
                json: json(&item),
            });
        }
    }
    Ok(news)
}
