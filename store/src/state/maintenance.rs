//! Maintenance windows: planned by people, begun and ended by the clock or by people, each step announced and in the audit trail.

use std::sync::Arc;

use domain::alarm::{BadWindow, Scope, Window, WindowState};
use domain::id::MaintenanceId;
use domain::rule::RuleBook;
use domain::{Reach, SiteId, Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::command::{answered, bad_key, finish, remember};
use super::commit::News;
use super::device::Touched;
use super::error::StateError;
use super::finding::{Annunciator, made};
use super::incidents::{json, list, opt_time, opt_word, time, word};
use super::query::cut;
use super::view::MaintenanceItem;
use super::{PAGE_MAX, Page, State, feed, reach};

/// Most windows that are not over: a slip of a script must not bury the real ones.
const OPEN_MAX: i64 = 500;

#[derive(FromRow)]
struct WindowRow {
    id: String,
    state: String,
    site: String,
    building: Option<String>,
    zone: Option<String>,
    device: Option<String>,
    rules: String,
    starts_at: i64,
    ends_at: i64,
    reason: String,
    planned_by: String,
    planned_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    ended_by: Option<String>,
}

impl WindowRow {
    fn into_window(self) -> Result<Window, StateError> {
        Ok(Window {
            id: word(&self.id)?,
            state: word(&self.state)?,
            scope: Scope {
                site: word(&self.site)?,
                building: opt_word(self.building.as_ref())?,
                zone: opt_word(self.zone.as_ref())?,
                device: opt_word(self.device.as_ref())?,
                rules: list(&self.rules)?,
            },
            starts_at: time(self.starts_at)?,
            ends_at: time(self.ends_at)?,
            reason: self.reason,
            by: word(&self.planned_by)?,
            planned_at: time(self.planned_at)?,
            started_at: opt_time(self.started_at)?,
            ended_at: opt_time(self.ended_at)?,
            ended_by: opt_word(self.ended_by.as_ref())?,
        })
    }
}

/// A window to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWindow {
    /// What it goes over.
    pub scope: Scope,
    /// From when; none for at once.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Why nothing was planned or ended.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// There is no such window.
    #[error("there is no such maintenance window")]
    NotFound,
    /// It is over.
    #[error("the maintenance window is over already")]
    Over {
        /// As it is.
        current: Box<MaintenanceItem>,
    },
    /// It cannot be planned.
    #[error(transparent)]
    Bad(#[from] BadWindow),
    /// The key was used for something else.
    #[error(
        "this idempotency key belongs to another command (hint: a new key for every new command)"
    )]
    KeyReused,
    /// The request itself is wrong.
    #[error("{what}")]
    Invalid {
        /// What, which field, and the next step.
        what: String,
    },
    /// The database failed; whether it was done shows when it is sent again with the same key.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for MaintenanceError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

impl State {
    /// Maintenance windows of a scope, the last planned first; those in one state, if one is given. `cursor` is the `next` of the page
    /// before.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub async fn maintenance(
        &self,
        state: Option<WindowState>,
        cursor: Option<&str>,
        limit: u32,
        reach: &Reach,
    ) -> Result<Page<MaintenanceItem>, StateError> {
        let before = match cursor {
            None => "mnt_g".to_owned(),
            Some(text) => match text.parse::<MaintenanceId>() {
                Ok(id) => id.to_string(),
                Err(_) => {
                    return Err(StateError::invalid(format!(
                        "`{}` is not a cursor (hint: take `next` of the page before)",
                        text.chars().take(40).collect::<String>()
                    )));
                }
            },
        };
        let limit = limit.clamp(1, PAGE_MAX);
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM maintenance WHERE id < ");
        query.push_bind(before);
        if let Some(state) = state {
            query.push(" AND state = ").push_bind(state.as_str());
        }
        reach::windows(&mut query, reach, &self.shared.registry());
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(i64::from(limit) + 1);
        let mut rows: Vec<WindowRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
        let next = cut(&mut rows, limit, |row| row.id.clone());
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(MaintenanceItem::from(&row.into_window()?));
        }
        Ok(Page {
            items,
            next,
            revision,
        })
    }

    /// One window.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn window(&self, id: MaintenanceId) -> Result<Option<MaintenanceItem>, StateError> {
        let row: Option<WindowRow> = sqlx::query_as("SELECT * FROM maintenance WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.shared.read)
            .await?;
        row.map(|row| Ok(MaintenanceItem::from(&row.into_window()?)))
            .transpose()
    }

    /// Plans a window; one whose start has come begins at once. Keys as with [`command`](Self::command).
    ///
    /// # Errors
    /// [`MaintenanceError`].
    pub async fn plan_maintenance(
        &self,
        new: NewWindow,
        idempotency_key: &str,
        (by, at): (UserId, Timestamp),
    ) -> Result<MaintenanceItem, MaintenanceError> {
        if let Some(what) = bad_key(idempotency_key) {
            return Err(MaintenanceError::Invalid { what });
        }
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move { state.plan(new, (&by, &key, at)).await }).await
    }

    async fn plan(
        &self,
        new: NewWindow,
        asked: (&UserId, &str, Timestamp),
    ) -> Result<MaintenanceItem, MaintenanceError> {
        let (by, key, at) = asked;
        let request = fingerprint(&serde_json::json!([
            "plan",
            new.scope.site,
            new.scope.building,
            new.scope.zone,
            new.scope.device,
            new.scope.rules,
            new.starts_at,
            new.ends_at,
            new.reason,
        ]));
        let mut tx = self.begin().await?;
        if let Some((of, answer)) = answered(&mut tx, by, key).await? {
            return if of == request {
                Ok(list(&answer)?)
            } else {
                Err(MaintenanceError::KeyReused)
            };
        }
        let window = Window::plan(
            MaintenanceId::new(made(at, &format!("{by}|{key}"))),
            new.scope,
            (new.starts_at.unwrap_or(at), new.ends_at),
            &new.reason,
            by.clone(),
            at,
            &self.shared.registry(),
        )?;
        let open: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM maintenance WHERE state <> 'ended'")
                .fetch_one(&mut *tx)
                .await?;
        if open >= OPEN_MAX {
            return Err(MaintenanceError::Invalid {
                what: format!(
                    "{OPEN_MAX} maintenance windows are not over yet (hint: end those that are no longer needed)"
                ),
            });
        }
        let mut lines = vec![line(&window, by.as_str(), "plan_maintenance", at)];
        let window = if window.starts_at <= at {
            let window = window.start(at);
            lines.push(line(&window, by.as_str(), "start_maintenance", at));
            window
        } else {
            window
        };
        save(&mut tx, &window).await?;
        audit::append(&mut tx, lines).await?;
        let item = MaintenanceItem::from(&window);
        let revision = self.publish(&mut tx, news(&[window])).await?;
        remember(&mut tx, asked, &request, &json(&item)).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(item)
    }

    /// Ends a window before its time, or calls off one that has not begun: what it held back rings now.
    ///
    /// # Errors
    /// [`MaintenanceError`].
    pub async fn end_maintenance(
        &self,
        id: MaintenanceId,
        idempotency_key: &str,
        (by, at): (UserId, Timestamp),
        book: Arc<RuleBook>,
    ) -> Result<MaintenanceItem, MaintenanceError> {
        if let Some(what) = bad_key(idempotency_key) {
            return Err(MaintenanceError::Invalid { what });
        }
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move { state.end(id, (&by, &key, at), &book).await }).await
    }

    async fn end(
        &self,
        id: MaintenanceId,
        asked: (&UserId, &str, Timestamp),
        book: &RuleBook,
    ) -> Result<MaintenanceItem, MaintenanceError> {
        let (by, key, at) = asked;
        let request = fingerprint(&serde_json::json!(["end", id]));
        let mut tx = self.begin().await?;
        if let Some((of, answer)) = answered(&mut tx, by, key).await? {
            return if of == request {
                Ok(list(&answer)?)
            } else {
                Err(MaintenanceError::KeyReused)
            };
        }
        let row: Option<WindowRow> = sqlx::query_as("SELECT * FROM maintenance WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let before = row.ok_or(MaintenanceError::NotFound)?.into_window()?;
        let current = Box::new(MaintenanceItem::from(&before));
        let Some(window) = before.end(at, Some(by.clone())) else {
            return Err(MaintenanceError::Over { current });
        };
        let mut annunciator = Annunciator::new(book, &self.shared, &mut tx);
        over_now(&mut annunciator, &window, by.as_str(), at).await?;
        let outcome = annunciator.finish().await?;
        let mut told = self
            .news(&mut tx, &outcome, &Touched::default(), at)
            .await?;
        let item = MaintenanceItem::from(&window);
        told.extend(news(&[window]));
        let revision = self.publish(&mut tx, told).await?;
        remember(&mut tx, asked, &request, &json(&item)).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(item)
    }
}

fn fingerprint(words: &serde_json::Value) -> String {
    hex::encode(Sha256::digest(words.to_string()))
}

/// Begins and ends the windows that are due, and gives them as they are now.
pub(super) async fn turn_due(
    annunciator: &mut Annunciator<'_>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Window>, StateError> {
    let mut turned = Vec::new();
    let connection = annunciator.ledger.settled().await?;
    let due: Vec<WindowRow> = sqlx::query_as(
        "SELECT * FROM maintenance WHERE state = 'planned' AND starts_at <= $1 ORDER BY starts_at, id LIMIT $2",
    )
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    for row in due {
        let window = row.into_window()?.start(now);
        save(connection, &window).await?;
        audit::append(
            connection,
            vec![line(&window, "hub", "start_maintenance", now)],
        )
        .await?;
        turned.push(window);
    }
    // one that began and ended while the hub was away is among them
    let due: Vec<WindowRow> = sqlx::query_as(
        "SELECT * FROM maintenance WHERE state = 'active' AND ends_at <= $1 ORDER BY ends_at, id LIMIT $2",
    )
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    for row in due {
        if let Some(window) = row.into_window()?.end(now, None) {
            over_now(annunciator, &window, "hub", now).await?;
            turned.push(window);
        }
    }
    Ok(turned)
}

/// A window is over: its row, its line in the audit trail, and what it held back.
async fn over_now(
    annunciator: &mut Annunciator<'_>,
    window: &Window,
    by: &str,
    at: Timestamp,
) -> Result<(), StateError> {
    let connection = annunciator.ledger.settled().await?;
    save(connection, window).await?;
    audit::append(connection, vec![line(window, by, "end_maintenance", at)]).await?;
    annunciator.release_window(window.id, at).await
}

/// What the feed tells of windows.
pub(super) fn news(windows: &[Window]) -> Vec<News> {
    let news = |window: &Window| News::Made {
        kind: "maintenance",
        id: window.id.to_string(),
        json: json(&MaintenanceItem::from(window)),
    };
    windows.iter().map(news).collect()
}

fn line(window: &Window, by: &str, act: &str, at: Timestamp) -> Entry {
    let is_plan = act == "plan_maintenance";
    Entry {
        at,
        actor: by.to_owned(),
        act: act.to_owned(),
        object: window.id.to_string(),
        department: None,
        from: String::new(),
        to: format!("{} to {}", window.starts_at, window.ends_at),
        note: is_plan.then(|| window.reason.clone()),
    }
}

async fn save(connection: &mut SqliteConnection, window: &Window) -> Result<(), StateError> {
    let us = |at: Timestamp| at.as_microsecond();
    let scope = &window.scope;
    sqlx::query(
        "INSERT INTO maintenance (id, state, site, building, zone, device, rules, starts_at, ends_at, reason, planned_by, planned_at,
           started_at, ended_at, ended_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, started_at = excluded.started_at, ended_at = excluded.ended_at,
           ended_by = excluded.ended_by",
    )
    .bind(window.id.to_string())
    .bind(window.state.as_str())
    .bind(scope.site.as_str())
    .bind(scope.building.as_ref().map(ToString::to_string))
    .bind(scope.zone.as_ref().map(ToString::to_string))
    .bind(scope.device.as_ref().map(ToString::to_string))
    .bind(json(&scope.rules))
    .bind(us(window.starts_at))
    .bind(us(window.ends_at))
    .bind(&window.reason)
    .bind(window.by.as_str())
    .bind(us(window.planned_at))
    .bind(window.started_at.map(us))
    .bind(window.ended_at.map(us))
    .bind(window.ended_by.as_ref().map(ToString::to_string))
    .execute(connection)
    .await?;
    Ok(())
}

/// The active windows of a site, the one that ends last first.
pub(super) async fn active(
    connection: &mut SqliteConnection,
    site: &SiteId,
) -> Result<Vec<Window>, StateError> {
    let rows: Vec<WindowRow> = sqlx::query_as(
        "SELECT * FROM maintenance WHERE state = 'active' AND site = $1 ORDER BY ends_at DESC, id",
    )
    .bind(site.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(WindowRow::into_window).collect()
}
