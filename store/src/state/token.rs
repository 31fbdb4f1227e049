//! Random secrets that stand for a log-in: 256 bits, given out once, kept as SHA-256. API tokens are such secrets.

use domain::{Timestamp, UserId};
use jiff::SignedDuration;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::State;
use super::accounts::AccountError;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{opt_time, opt_word, time};
use super::user::{Role, User, user};
use super::view::Moment;

/// What every API token starts with, so that one that leaked is recognised.
const PREFIX: &str = "jm_";
/// Longest label in characters.
const LABEL_CHARS_MAX: usize = 64;

/// Most days that a token lives.
pub const TOKEN_DAYS_MAX: u16 = 366;
/// Tokens of one hub.
const TOKENS_MAX: i64 = 1000;
/// Use is noted at most this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// An API token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub role: Role,
    /// How long it lives: 1 to [`TOKEN_DAYS_MAX`].
    pub days: u16,
}

/// An API token as the administration sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenItem {
    /// Names it; it is not its secret, and cannot be used as one.
    pub id: String,
    /// In whose name it acts.
    pub login: String,
    /// What it is for.
    pub label: String,
    /// What it may do; none for all that its user may.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Moment,
    /// When it ends; none of those that the command line made.
    pub expires_at: Option<Moment>,
    /// When it was last used, to the minute.
    pub used_at: Option<Moment>,
}

#[derive(sqlx::FromRow)]
struct Row {
    token_hash: String,
    login: String,
    label: String,
    role: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    used_at: Option<i64>,
}

impl Row {
    fn item(self) -> Result<TokenItem, StateError> {
        Ok(TokenItem {
            id: name(&self.token_hash),
            login: self.login,
            label: self.label,
            role: opt_word(self.role.as_ref())?,
            created_at: Moment(time(self.created_at)?),
            expires_at: opt_time(self.expires_at)?.map(Moment),
            used_at: opt_time(self.used_at)?.map(Moment),
        })
    }
}

/// What a secret is called in lists: the beginning of a hash of what is kept of it.
pub(super) fn name(hash: &str) -> String {
    kept(hash)[..16].to_owned()
}

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

    /// Whose API token this is, with the role that it has; notes that it was used.
    pub async fn token_user(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StateError> {
        type Columns = (String, String, String, Option<String>, String, Option<i64>);
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        let row: Option<Columns> = sqlx::query_as(
            "SELECT a.login, a.name, COALESCE(t.role, a.role), a.department, a.scope, t.used_at
             FROM api_token t JOIN account a ON a.login = t.login
             WHERE t.token_hash = $1 AND a.disabled_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)",
        )
        .bind(kept(token))
        .bind(now.as_microsecond())
        .fetch_optional(&self.shared.read)
        .await?;
        let Some((login, name, role, department, scope, used_at)) = row else {
            return Ok(None);
        };
        let used_at = opt_time(used_at)?;
        if used_at.is_none_or(|at| now.duration_since(at) >= NOTE_EVERY) {
            sqlx::query("UPDATE api_token SET used_at = $1 WHERE token_hash = $2")
                .bind(now.as_microsecond())
                .bind(kept(token))
                .execute(&self.shared.write)
                .await?;
        }
        user(&login, name, &role, department.as_ref(), &scope).map(Some)
    }

    /// Every API token, without its secret, the newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenItem>, StateError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT token_hash, login, label, role, created_at, expires_at, used_at FROM api_token
             ORDER BY created_at DESC, token_hash LIMIT $1",
        )
        .bind(TOKENS_MAX)
        .fetch_all(&self.shared.read)
        .await?;
        rows.into_iter().map(Row::item).collect()
    }

    /// Makes an API token that ends, and gives out its secret: it cannot be read again. Whether they may have that role is for the caller to
    /// know.
    ///
    /// # Errors
    /// [`AccountError::Invalid`] for a label or a life of the wrong length, or too many tokens.
    pub async fn make_token(
        &self,
        login: &UserId,
        new: NewToken,
        at: Timestamp,
    ) -> Result<(TokenItem, String), AccountError> {
        let invalid = |field, what| Err(AccountError::Invalid { field, what });
        if new.label.is_empty() || new.label.chars().count() > LABEL_CHARS_MAX {
            let what = format!("a label has 1 to {LABEL_CHARS_MAX} characters");
            return invalid("label", what);
        }
        if !(1..=TOKEN_DAYS_MAX).contains(&new.days) {
            return invalid("days", format!("a token lives 1 to {TOKEN_DAYS_MAX} days"));
        }
        let secret = format!("{PREFIX}{}", random());
        let expires_at = at + SignedDuration::from_hours(24 * i64::from(new.days));
        let row = Row {
            token_hash: kept(&secret),
            login: login.to_string(),
            label: new.label,
            role: Some(new.role.as_str().to_owned()),
            created_at: at.as_microsecond(),
            expires_at: Some(expires_at.as_microsecond()),
            used_at: None,
        };
        let mut tx = self.begin().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM api_token")
            .fetch_one(&mut *tx)
            .await?;
        if count >= TOKENS_MAX {
            let what = format!("there are {TOKENS_MAX} tokens already (hint: revoke some)");
            return invalid("label", what);
        }
        sqlx::query(
            "INSERT INTO api_token (token_hash, login, label, role, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&row.token_hash)
        .bind(&row.login)
        .bind(&row.label)
        .bind(&row.role)
        .bind(row.created_at)
        .bind(row.expires_at)
        .execute(&mut *tx)
        .await?;
        let told = format!("{} until {expires_at:.0}", new.role.as_str());
        let object = format!("token:{}", name(&row.token_hash));
        let line = Entry::by(login, at, "make_token", object, told);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok((row.item()?, secret))
    }

    /// Revokes the token that the list gives this name; says whether there was such a one.
    pub async fn revoke_token(
        &self,
        id: &str,
        by: &UserId,
        at: Timestamp,
    ) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        let all: Vec<(String, String)> = sqlx::query_as("SELECT token_hash, login FROM api_token")
            .fetch_all(&mut *tx)
            .await?;
        let Some((token_hash, login)) = all.into_iter().find(|(hash, _)| name(hash) == id) else {
            return Ok(false);
        };
        sqlx::query("DELETE FROM api_token WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&mut *tx)
            .await?;
        let line = Entry::by(by, at, "revoke_token", format!("token:{id}"), login);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(true)
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
