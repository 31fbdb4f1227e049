//! Browser sessions: a random secret in a cookie, ended by idleness, by age, by logging out, and by a new password.

use domain::{Timestamp, UserId};
use jiff::SignedDuration;

use super::State;
use super::error::StateError;
use super::incidents::time;
use super::token::{kept, random};
use super::user::{User, user};

/// A session that nobody has used for so long is over: a shift and its handover.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// No session lasts longer, however busy.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Use is noted at most this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one user at a time; the longest unused goes first.
const SESSIONS_MAX: i64 = 20;

impl State {
    /// Begins a session for somebody whose password was right, and gives out its secret.
    pub async fn open_session(&self, login: &UserId, now: Timestamp) -> Result<String, StateError> {
        let secret = random();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO session (token_hash, login, created_at, used_at) VALUES ($1, $2, $3, $3)",
        )
        .bind(kept(&secret))
        .bind(login.as_str())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM session WHERE used_at < $1 OR created_at < $2")
            .bind(ago(now, SESSION_IDLE))
            .bind(ago(now, SESSION_LIFE))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM session WHERE login = $1 AND token_hash NOT IN
               (SELECT token_hash FROM session WHERE login = $1 ORDER BY used_at DESC, created_at DESC LIMIT $2)",
        )
        .bind(login.as_str())
        .bind(SESSIONS_MAX)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Whose session this is, if it is not over; notes that it was used.
    pub async fn session_user(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StateError> {
        type Columns = (i64, String, String, String, Option<String>);
        let hash = kept(secret);
        let row: Option<Columns> = sqlx::query_as(
            "SELECT s.used_at, a.login, a.name, a.role, a.department FROM session s JOIN account a ON a.login = s.login
             WHERE s.token_hash = $1 AND s.used_at >= $2 AND s.created_at >= $3",
        )
        .bind(&hash)
        .bind(ago(now, SESSION_IDLE))
        .bind(ago(now, SESSION_LIFE))
        .fetch_optional(&self.shared.read)
        .await?;
        let Some((used_at, login, name, role, department)) = row else {
            return Ok(None);
        };
        if now.duration_since(time(used_at)?) >= NOTE_EVERY {
            sqlx::query("UPDATE session SET used_at = $1 WHERE token_hash = $2")
                .bind(now.as_microsecond())
                .bind(&hash)
                .execute(&self.shared.write)
                .await?;
        }
        user(&login, name, &role, department.as_ref()).map(Some)
    }

    /// Ends a session.
    pub async fn close_session(&self, secret: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM session WHERE token_hash = $1")
            .bind(kept(secret))
            .execute(&self.shared.write)
            .await?;
        Ok(())
    }
}

fn ago(now: Timestamp, span: SignedDuration) -> i64 {
    now.as_microsecond()
        .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}
