//! What a page about the hub itself counts. All of it is cheap: tables with a bound, and alarms that are open.

use domain::Timestamp;

use super::error::StateError;
use super::session::{SESSION_IDLE, SESSION_IDLE_ADMINISTRATOR, SESSION_LIFE, ago};
use super::{Role, State};

/// Rules of the hub about itself; more than there are.
const HUB_RULES_MAX: i64 = 100;

/// Counts of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Log-ins that are not over.
    pub sessions: u64,
    /// Uplinks in quarantine.
    pub quarantined: u64,
    /// Version of the registry that was last at work.
    pub registry_version: Option<String>,
    /// Rules of the hub about itself whose alarms have not ended, in their order.
    pub hub_alarms: Vec<String>,
}

impl State {
    /// Counts, as they stand at `now`.
    ///
    /// # Errors
    /// The database.
    pub async fn counted(&self, now: Timestamp) -> Result<Counted, StateError> {
        let mut snapshot = self.snapshot().await?;
        let sessions: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM session s JOIN account a ON a.login = s.login
             WHERE s.created_at >= $1 AND a.disabled_at IS NULL AND s.used_at >= CASE a.role WHEN $2 THEN $3 ELSE $4 END",
        )
        .bind(ago(now, SESSION_LIFE))
        .bind(Role::Administrator.as_str())
        .bind(ago(now, SESSION_IDLE_ADMINISTRATOR))
        .bind(ago(now, SESSION_IDLE))
        .fetch_one(&mut *snapshot)
        .await?;
        let quarantined: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM quarantine")
            .fetch_one(&mut *snapshot)
            .await?;
        let hub_alarms = sqlx::query_scalar(
            "SELECT DISTINCT rule FROM alarm WHERE state <> 'normal' AND state IN ('active_unacked', 'active_acked') AND rule LIKE 'HUB%' ORDER BY rule LIMIT $1",
        )
        .bind(HUB_RULES_MAX)
        .fetch_all(&mut *snapshot)
        .await?;
        drop(snapshot);
        Ok(Counted {
            sessions: sessions.cast_unsigned(),
            quarantined: quarantined.cast_unsigned(),
            registry_version: self.registry_version().await?,
            hub_alarms,
        })
    }
}
