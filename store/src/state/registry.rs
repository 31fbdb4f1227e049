//! The registry as it is now: another takes its place while the hub runs, at once and for everybody.
//!
//! Whoever works with it takes a snapshot for one piece of work. What is written here is who changed it when; the registry itself stands
//! in files. For an import the table as it was before is kept, so that it can be imported again.

use std::sync::Arc;

use domain::Timestamp;
use domain::place::Registry;
use sqlx::FromRow;
use tokio::sync::watch;

use super::audit::{self, Entry};
use super::commit::News;
use super::error::StateError;
use super::incidents::time;
use super::newcomers::{self, NewcomerItem};
use super::{DeviceTouch, Moment, State};

/// Changes that are remembered.
const VERSIONS_MAX: i64 = 200;
/// Of them, those whose table before is kept: it may hold telephone numbers, and undo is for what was just done.
const TABLES_MAX: i64 = 20;

/// A change of the registry as it is written down.
#[derive(Debug, Clone, Default)]
pub struct RegistryChange {
    /// The version after it: a word that is another for every other content of the files.
    pub version: String,
    /// Who did it; `hub` for files that somebody changed.
    pub by: String,
    /// `change_registry`, `import_registry`, `undo_registry`.
    pub act: &'static str,
    /// The kind of table that was imported.
    pub kind: Option<String>,
    /// Lines that are new, other and gone.
    pub lines: [u32; 3],
    /// The table as it was before.
    pub before: Option<String>,
    /// Why, in the person's words.
    pub note: Option<String>,
}

/// One change, without its table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RegistryVersion {
    /// Its number.
    pub number: i64,
    /// The version after it.
    pub version: String,
    /// When.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// What they did.
    pub act: String,
    /// The kind of table that was imported.
    pub kind: Option<String>,
    /// Lines that were new.
    pub added: u32,
    /// Lines that became others.
    pub changed: u32,
    /// Lines that went.
    pub removed: u32,
    /// Whether the table before is still kept.
    pub can_undo: bool,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    version: String,
    at: i64,
    actor: String,
    act: String,
    kind: Option<String>,
    added: u32,
    changed: u32,
    removed: u32,
    can_undo: bool,
}

/// When the device that a newcomer has become was last heard.
fn touch(item: &NewcomerItem, registry: &Registry) -> Option<DeviceTouch> {
    let device = newcomers::device_of(registry, item)?;
    Some(DeviceTouch::new(device.id.clone(), item.last_heard_at.0))
}

impl State {
    /// The registry for one piece of work.
    pub fn registry(&self) -> Arc<Registry> {
        self.shared.registry()
    }

    /// Moves whenever another registry takes its place.
    pub fn registry_changes(&self) -> watch::Receiver<Arc<Registry>> {
        self.shared.registry.subscribe()
    }

    /// The version of the registry that was last at work; none before the first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn registry_version(&self) -> Result<Option<String>, StateError> {
        let version =
            sqlx::query_scalar("SELECT version FROM registry_version ORDER BY number DESC LIMIT 1");
        Ok(version.fetch_optional(&self.shared.read).await?)
    }

    /// Notes which registry a new station begins with.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn begin_registry(&self, version: &str, now: Timestamp) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO registry_version (number, version, at, actor, act, added, changed, removed)
             SELECT 1, $1, $2, 'hub', 'begin_registry', 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM registry_version)",
        )
        .bind(version)
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts another registry in the place of the one at work, with its line of the audit trail and a hint to every screen to read anew.
    ///
    /// # Errors
    /// A database that cannot be written: the one before stays at work.
    pub async fn replace_registry(
        &self,
        registry: Arc<Registry>,
        change: RegistryChange,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let _turn = self.shared.newcomers.turn.lock().await;
        let mut tx = self.begin().await?;
        // who was heard before somebody registered it has been heard
        let settled = self.shared.newcomers.registered(&registry);
        newcomers::remove(&mut tx, settled.iter().map(|item| item.id.as_str())).await?;
        let touches = settled.iter().filter_map(|item| touch(item, &registry));
        let touched = self.shared.devices.plan(touches.collect(), &registry);
        touched.write(&mut tx).await?;
        let before: Option<String> =
            sqlx::query_scalar("SELECT version FROM registry_version ORDER BY number DESC LIMIT 1")
                .fetch_optional(&mut *tx)
                .await?;
        let [added, changed, removed] = change.lines;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO registry_version (number, version, at, actor, act, kind, added, changed, removed, before)
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM registry_version RETURNING number",
        )
        .bind(&change.version)
        .bind(now.as_microsecond())
        .bind(&change.by)
        .bind(change.act)
        .bind(&change.kind)
        .bind(added)
        .bind(changed)
        .bind(removed)
        .bind(&change.before)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM registry_version WHERE number <= $1")
            .bind(number - VERSIONS_MAX)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE registry_version SET before = NULL WHERE number <= $1")
            .bind(number - TABLES_MAX)
            .execute(&mut *tx)
            .await?;
        let what = change.kind.as_deref().unwrap_or("files");
        let line = Entry {
            at: now,
            actor: change.by,
            act: change.act.to_owned(),
            object: format!("registry:{what} +{added} ~{changed} -{removed}"),
            department: None,
            from: before.unwrap_or_default(),
            to: change.version.clone(),
            note: change.note,
        };
        audit::append(&mut tx, vec![line]).await?;
        let told = News::Made {
            kind: "registry",
            id: change.version.clone(),
            json: serde_json::json!({"version": change.version}).to_string(),
        };
        let revision = self.publish(&mut tx, vec![told]).await?;
        // within the transaction: whoever writes after it, and whoever hears of it, has the new one
        let old = self.shared.registry.send_replace(registry);
        if let Err(e) = tx.commit().await {
            self.shared.registry.send_replace(old);
            return Err(e.into());
        }
        self.shared.devices.commit(touched);
        self.shared.newcomers.forget(&settled);
        self.announce(revision.unwrap_or_else(|| self.revision()));
        Ok(())
    }

    /// The newest changes, newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn registry_versions(&self, limit: u32) -> Result<Vec<RegistryVersion>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, version, at, actor, act, kind, added, changed, removed, before IS NOT NULL AS can_undo
             FROM registry_version ORDER BY number DESC LIMIT $1",
        )
        .bind(i64::from(limit).min(VERSIONS_MAX))
        .fetch_all(&self.shared.read)
        .await?;
        let version = |row: Row| {
            Ok(RegistryVersion {
                number: row.number,
                version: row.version,
                at: Moment(time(row.at)?),
                by: row.actor,
                act: row.act,
                kind: row.kind,
                added: row.added,
                changed: row.changed,
                removed: row.removed,
                can_undo: row.can_undo,
            })
        };
        rows.into_iter().map(version).collect()
    }

    /// The kind of a change and the table as it was before it.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn registry_before(
        &self,
        number: i64,
    ) -> Result<Option<(String, String)>, StateError> {
        let row = sqlx::query_as(
            "SELECT kind, before FROM registry_version WHERE number = $1 AND kind IS NOT NULL AND before IS NOT NULL",
        );
        Ok(row.bind(number).fetch_optional(&self.shared.read).await?)
    }
}
