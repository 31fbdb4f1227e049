//! Swaps of shifts that were agreed while the hub runs: they lie over the roster of the registry's files.

use std::borrow::Cow;

use domain::Timestamp;
use domain::place::Registry;
use domain::roster::{Roster, Swap};
use jiff::ToSpan as _;
use sqlx::SqliteConnection;
use tracing::error;

use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::time;
use super::{NOTE_CHARS_MAX, State};

/// Swaps that are read, the newest: some years of them.
const SWAPS_MAX: i64 = 5_000;

type Columns = (String, String, Option<String>, String, String, String, i64);

impl State {
    /// The roster of the files with every swap over it.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn roster(&self) -> Result<Roster, StateError> {
        let mut connection = self.shared.read.acquire().await?;
        let swaps = swaps(&mut connection).await?;
        Ok(self.shared.registry().roster.clone().with_swaps(swaps))
    }

    /// Somebody takes a shift of somebody else; written with its line of the audit trail.
    ///
    /// # Errors
    /// A swap of no such shift, post or person, which is the asker's mistake; a database that cannot be written.
    pub async fn add_swap(&self, swap: Swap, note: Option<String>) -> Result<(), StateError> {
        let registry = &self.shared.registry();
        if note
            .as_ref()
            .is_some_and(|n| n.chars().count() > NOTE_CHARS_MAX)
        {
            return Err(StateError::invalid(format!(
                "the note is longer than {NOTE_CHARS_MAX} characters"
            )));
        }
        let Some(post) = registry.roster.posts.get(&swap.post) else {
            return Err(StateError::invalid(format!(
                "there is no post `{}` (hint: GET /api/v1/roster lists them)",
                swap.post
            )));
        };
        for person in [&swap.gives, &swap.takes] {
            if !registry.people.contains_key(person) {
                return Err(StateError::invalid(format!(
                    "there is no person `{person}`"
                )));
            }
        }
        let mut tx = self.begin().await?;
        let roster = registry.roster.clone().with_swaps(swaps(&mut tx).await?);
        roster
            .can_swap(&swap)
            .map_err(|why| StateError::invalid(format!("the swap {why}")))?;
        sqlx::query(
            "INSERT INTO roster_swap (number, post, on_day, from_time, gives, takes, agreed_by, agreed_at)
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM roster_swap",
        )
        .bind(swap.post.as_str())
        .bind(swap.on.to_string())
        .bind(swap.from.map(|from| from.to_string()))
        .bind(swap.gives.as_str())
        .bind(swap.takes.as_str())
        .bind(&swap.by)
        .bind(swap.at.as_microsecond())
        .execute(&mut *tx)
        .await?;
        let line = Entry {
            at: swap.at,
            actor: swap.by,
            act: "swap_shift".to_owned(),
            object: format!("roster:{} {}", swap.post, swap.on),
            department: post.department.clone().map(String::from),
            from: swap.gives.to_string(),
            to: swap.takes.to_string(),
            note,
        };
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The roster as it stands at an instant, read in the transaction that needs it: the files, and the swaps of shifts that may be under
/// way then. A swap that cannot be read, or of somebody whom the files no longer have, is left out: whoever has to be told of a fire is
/// told by the rest.
pub(super) async fn at<'r>(
    connection: &mut SqliteConnection,
    registry: &'r Registry,
    at: Timestamp,
) -> Result<Cow<'r, Roster>, StateError> {
    let roster = &registry.roster;
    let today = roster.calendar.time_zone.to_datetime(at).date();
    let yesterday = today.checked_sub(1.day()).unwrap_or(today);
    let mut rows: Vec<Columns> = sqlx::query_as(
        "SELECT post, on_day, from_time, gives, takes, agreed_by, agreed_at FROM roster_swap
         WHERE on_day IN ($1, $2) ORDER BY number DESC LIMIT $3",
    )
    .bind(yesterday.to_string())
    .bind(today.to_string())
    .bind(SWAPS_MAX)
    .fetch_all(connection)
    .await?;
    rows.reverse();
    let mut swaps = Vec::with_capacity(rows.len());
    for row in rows {
        match swap(row) {
            Ok(swap) if registry.people.contains_key(&swap.takes) => swaps.push(swap),
            Ok(swap) => {
                error!(roster.post = %swap.post, roster.takes = %swap.takes, "swap of somebody who is not in the registry left out");
            }
            Err(e) => error!(error = %e, "swap that cannot be read left out"),
        }
    }
    Ok(if swaps.is_empty() {
        Cow::Borrowed(roster)
    } else {
        Cow::Owned(roster.clone().with_swaps(swaps))
    })
}

/// The newest swaps, in the order in which they were agreed. One of a post or person that the files no longer have has no effect.
async fn swaps(connection: &mut SqliteConnection) -> Result<Vec<Swap>, StateError> {
    let mut rows: Vec<Columns> = sqlx::query_as(
        "SELECT post, on_day, from_time, gives, takes, agreed_by, agreed_at FROM roster_swap ORDER BY number DESC LIMIT $1",
    )
    .bind(SWAPS_MAX)
    .fetch_all(connection)
    .await?;
    rows.reverse();
    rows.into_iter().map(swap).collect()
}

fn swap((post, on, from, gives, takes, by, at): Columns) -> Result<Swap, StateError> {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StateError> {
        let damaged = |e| StateError::damaged(format!("roster_swap: `{text}`: {e}"));
        text.parse().map_err(damaged)
    }
    let at: Timestamp = time(at)?;
    Ok(Swap {
        post: read(&post)?,
        on: read(&on)?,
        from: from.as_deref().map(read).transpose()?,
        gives: read(&gives)?,
        takes: read(&takes)?,
        by,
        at,
    })
}
