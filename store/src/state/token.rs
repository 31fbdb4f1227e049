//! Random secrets that stand for a log-in: 256 bits, given out once, kept as SHA-256. API tokens are such secrets.

use domain::{Timestamp, UserId};
use sha2::{Digest as _, Sha256};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::user::{User, user};

/// What every API token starts with, so that one that leaked is recognised.
const PREFIX: &str = "jm_";
/// Longest label in characters.
const LABEL_CHARS_MAX: usize = 64;

/// 256 random bits as text.
pub(super) fn random() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// What is kept of such a secret. It needs no salt: nobody guesses 256 random bits.
pub(super) fn kept(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl State {
    /// Makes an API token for a user and gives it out: it cannot be read again. The label says what it is for.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a user that does not exist or a label that is too long.
    pub async fn create_token(
        &self,
        login: &UserId,
        label: &str,
        at: Timestamp,
    ) -> Result<String, StateError> {
        if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX {
            return Err(StateError::invalid(format!(
                "a label has 1 to {LABEL_CHARS_MAX} characters"
            )));
        }
        let token = format!("{PREFIX}{}", random());
        let mut tx = self.begin().await?;
        let made = sqlx::query(
            "INSERT INTO api_token (token_hash, login, label, created_at) SELECT $1, login, $3, $4 FROM account WHERE login = $2",
        )
        .bind(kept(&token))
        .bind(login.as_str())
        .bind(label)
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StateError::invalid(format!("there is no user `{login}`")));
        }
        let line = Entry::admin(
            at,
            "create_token",
            format!("account:{login}"),
            label.to_owned(),
        );
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Whose API token this is.
    pub async fn token_user(&self, token: &str) -> Result<Option<User>, StateError> {
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        let row: Option<(String, String, String, Option<String>, String)> = sqlx::query_as(
            "SELECT a.login, a.name, a.role, a.department, a.scope FROM api_token t JOIN account a ON a.login = t.login
             WHERE t.token_hash = $1",
        )
        .bind(kept(token))
        .fetch_optional(&self.shared.read)
        .await?;
        row.map(|(login, name, role, department, scope)| {
            user(&login, name, &role, department.as_ref(), &scope)
        })
        .transpose()
    }

    /// Revokes every API token of a user with this label and says how many there were.
    pub async fn revoke_tokens(
        &self,
        login: &UserId,
        label: &str,
        at: Timestamp,
    ) -> Result<u64, StateError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM api_token WHERE login = $1 AND label = $2")
            .bind(login.as_str())
            .bind(label)
            .execute(&mut *tx)
            .await?;
        let line = Entry::admin(
            at,
            "revoke_tokens",
            format!("account:{login}"),
            label.to_owned(),
        );
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(gone.rows_affected())
    }
}
