//! The audit trail as people read it: page by page, the newest first, narrowed down by time, actor, act and object.

use domain::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::State;
use super::error::StateError;
use super::feed;
use super::incidents::time;
use super::query::{PAGE_MAX, Page, cut, parse_cursor};
use super::view::Moment;

/// Longest word of a filter, in bytes.
const WORD_BYTES_MAX: usize = 200;

/// Which rows; what is none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// At that time or later.
    pub from: Option<Timestamp>,
    /// Before that time.
    pub to: Option<Timestamp>,
    /// Who did it: a log-in name, `hub`, `rule:S1`.
    pub actor: Option<String>,
    /// What was done.
    pub act: Option<String>,
    /// To what: the whole word, or its beginning with a `*` after it, as in `account:*`.
    pub object: Option<String>,
}

/// A row of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditItem {
    /// Its number: gap-free, in the order in which things were done.
    pub id: String,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What.
    pub act: String,
    /// To what.
    pub object: String,
    /// The department concerned.
    pub department: Option<String>,
    /// How it was before.
    pub from: String,
    /// How it was after.
    pub to: String,
    /// In their words; none where there were none, or once they are deleted.
    pub note: Option<String>,
    /// There were words, and they were deleted: the chain holds all the same.
    pub is_note_deleted: bool,
    /// What chains the next row to this one.
    pub hash: String,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    at: i64,
    actor: String,
    act: String,
    object: String,
    department: Option<String>,
    from_word: String,
    to_word: String,
    note: Option<String>,
    note_digest: Option<String>,
    hash: String,
}

impl State {
    /// Rows of the audit trail, the newest first. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none or a word that is too long.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditItem>, StateError> {
        let words = [&filter.actor, &filter.act, &filter.object];
        if words
            .iter()
            .any(|w| w.as_ref().is_some_and(|w| w.len() > WORD_BYTES_MAX))
        {
            let what = format!("a word to look for has at most {WORD_BYTES_MAX} bytes");
            return Err(StateError::invalid(what));
        }
        let before = parse_cursor(cursor)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut rows: Vec<Row> = select(filter, before, limit)
            .build_query_as()
            .fetch_all(&mut *snapshot)
            .await?;
        let next = cut(&mut rows, limit, |row| row.id.to_string());
        let items = rows.into_iter().map(item).collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            next,
            revision,
        })
    }
}

fn item(row: Row) -> Result<AuditItem, StateError> {
    Ok(AuditItem {
        id: row.id.to_string(),
        at: Moment(time(row.at)?),
        actor: row.actor,
        act: row.act,
        object: row.object,
        department: row.department,
        from: row.from_word,
        to: row.to_word,
        is_note_deleted: row.note.is_none() && row.note_digest.is_some(),
        note: row.note,
        hash: row.hash,
    })
}

/// One row more than the page holds, so that it shows whether there is another page.
fn select(filter: &AuditFilter, before: i64, limit: u32) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT id, at, actor, act, object, department, from_word, to_word, note, note_digest, hash FROM audit WHERE id < ",
    );
    query.push_bind(before);
    if let Some(from) = filter.from {
        query.push(" AND at >= ").push_bind(from.as_microsecond());
    }
    if let Some(to) = filter.to {
        query.push(" AND at < ").push_bind(to.as_microsecond());
    }
    if let Some(actor) = &filter.actor {
        query.push(" AND actor = ").push_bind(actor.clone());
    }
    if let Some(act) = &filter.act {
        query.push(" AND act = ").push_bind(act.clone());
    }
    match filter
        .object
        .as_deref()
        .map(|text| text.strip_suffix('*').ok_or(text))
    {
        None => {}
        Some(Err(whole)) => {
            query.push(" AND object = ").push_bind(whole.to_owned());
        }
        Some(Ok(start)) => {
            // every word that begins like this lies between it and it with the last letter there is
            query.push(" AND object >= ").push_bind(start.to_owned());
            query
                .push(" AND object < ")
                .push_bind(format!("{start}\u{10ffff}"));
        }
    }
    query
        .push(" ORDER BY id DESC LIMIT ")
        .push_bind(i64::from(limit) + 1);
    query
}
