//! MQTT accounts: who may connect, and what they may publish and subscribe to.
//!
//! Their secrets are random and long, never chosen by people, so one salted SHA-256 is enough: ten thousand devices can come back
//! within a minute.

use std::fmt;

use domain::{Timestamp, uplink};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use subtle::ConstantTimeEq as _;

use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{json, list, time};
use super::{State, enrolment};

/// Shortest secret in bytes: 128 random bits, also when they are written as they are.
const SECRET_BYTES_MIN: usize = 16;
/// Longest log-in name in bytes.
const LOGIN_BYTES_MAX: usize = 64;
/// Most patterns of one kind in an account.
const PATTERNS_MAX: usize = 32;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A registered device; the log-in name is its id.
    Device,
    /// Another system that reads.
    Integration,
    /// Another system that speaks for devices.
    Bridge,
}

impl CredentialKind {
    /// The word as it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Integration => "integration",
            Self::Bridge => "bridge",
        }
    }
}

/// An account, without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Log-in name.
    pub login: String,
    /// What it is for.
    pub kind: CredentialKind,
    /// Topic patterns that it may publish to.
    pub publish: Vec<String>,
    /// Topic patterns that it may subscribe to.
    pub subscribe: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    salt: String,
    secret_hash: String,
    previous: Option<Previous>,
}

/// The secret before this one, which still opens for a while.
#[derive(Clone, PartialEq, Eq)]
struct Previous {
    salt: String,
    hash: String,
    until: Timestamp,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("login", &self.login)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// An account with a secret of at least 128 random bits.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a secret that is too short, a name that is none, or too many patterns.
    pub fn new(
        login: impl Into<String>,
        kind: CredentialKind,
        secret: &str,
        publish: Vec<String>,
        subscribe: Vec<String>,
        created_at: Timestamp,
    ) -> Result<Self, StateError> {
        let login = login.into();
        if login.is_empty() || login.len() > LOGIN_BYTES_MAX || login.chars().any(char::is_control)
        {
            return Err(StateError::invalid(format!(
                "a log-in name has 1 to {LOGIN_BYTES_MAX} bytes of text"
            )));
        }
        if login == uplink::HUB {
            return Err(StateError::invalid(format!(
                "`{login}` is the hub's own name (hint: choose another)"
            )));
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(StateError::invalid(format!(
                "the secret of `{login}` is shorter than {SECRET_BYTES_MIN} bytes (hint: let it be made at random)"
            )));
        }
        if publish.len().max(subscribe.len()) > PATTERNS_MAX {
            return Err(StateError::invalid(format!(
                "`{login}` has more than {PATTERNS_MAX} patterns"
            )));
        }
        let salt = hex::encode(rand::random::<[u8; 16]>());
        let secret_hash = salted(&salt, secret.as_bytes());
        Ok(Self {
            login,
            kind,
            publish,
            subscribe,
            created_at,
            salt,
            secret_hash,
            previous: None,
        })
    }

    /// Whether this is its secret, or the one before while that is good; takes as long whether it is or not.
    pub fn verify(&self, secret: &[u8], at: Timestamp) -> bool {
        let is = |salt: &str, hash: &str| salted(salt, secret).as_bytes().ct_eq(hash.as_bytes());
        let is_current = is(&self.salt, &self.secret_hash);
        let is_previous = match &self.previous {
            Some(previous) => {
                let is_good = subtle::Choice::from(u8::from(at < previous.until));
                is(&previous.salt, &previous.hash) & is_good
            }
            None => is(&self.salt, "") & subtle::Choice::from(0),
        };
        (is_current | is_previous).into()
    }

    /// Whether it differs from another only by a rotation: the same rights, and the other's secret still opens.
    pub fn continues(&self, other: &Self) -> bool {
        let is_same = self.login == other.login
            && self.kind == other.kind
            && self.publish == other.publish
            && self.subscribe == other.subscribe;
        is_same
            && self
                .previous
                .as_ref()
                .is_some_and(|p| p.salt == other.salt && p.hash == other.secret_hash)
    }
}

fn salted(salt: &str, secret: &[u8]) -> String {
    hex::encode(
        Sha256::new()
            .chain_update(salt)
            .chain_update(secret)
            .finalize(),
    )
}

impl State {
    /// Makes accounts, or replaces those of the same name.
    pub async fn put_credentials(&self, credentials: Vec<Credential>) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let mut lines = Vec::with_capacity(credentials.len());
        for credential in credentials {
            put(&mut tx, &credential, None).await?;
            let object = format!("credential:{}", credential.login);
            let kind = credential.kind.as_str().to_owned();
            lines.push(Entry::admin(
                credential.created_at,
                "put_credential",
                object,
                kind,
            ));
        }
        audit::append(&mut tx, lines).await?;
        Ok(tx.commit().await?)
    }

    /// Takes an account away, and revokes its certificates. False when there is none of this name.
    pub async fn revoke_credential(&self, login: &str, at: Timestamp) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM credential WHERE login = $1")
            .bind(login)
            .execute(&mut *tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        let certificates = enrolment::revoke_certificates(&mut tx, login, at).await?;
        let detail = if certificates > 0 {
            format!("{certificates} certificates")
        } else {
            String::new()
        };
        let object = format!("credential:{login}");
        let line = Entry::admin(at, "revoke_credential", object, detail);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes whenever an account is made, replaced or taken away, by whatever process: cheap to look at.
    pub async fn credentials_version(&self) -> Result<(i64, i64), StateError> {
        let version: (i64, i64) =
            sqlx::query_as("SELECT COUNT(*), COALESCE(MAX(created_at), 0) FROM credential")
                .fetch_one(&self.shared.read)
                .await?;
        Ok(version)
    }

    /// All accounts, by log-in name.
    pub async fn credentials(&self) -> Result<Vec<Credential>, StateError> {
        let rows = sqlx::query(
            "SELECT login, kind, publish, subscribe, salt, secret_hash, created_at, previous_salt, previous_hash, previous_until
             FROM credential ORDER BY login",
        )
        .fetch_all(&self.shared.read)
        .await?;
        rows.iter().map(of_row).collect()
    }
}

fn of_row(row: &SqliteRow) -> Result<Credential, StateError> {
    let kind = match row.try_get("kind")? {
        "device" => CredentialKind::Device,
        "integration" => CredentialKind::Integration,
        "bridge" => CredentialKind::Bridge,
        other => {
            return Err(StateError::damaged(format_args!(
                "credential of kind `{other}`"
            )));
        }
    };
    let previous = match row.try_get("previous_until")? {
        Some(until) => Some(Previous {
            salt: row.try_get("previous_salt")?,
            hash: row.try_get("previous_hash")?,
            until: time(until)?,
        }),
        None => None,
    };
    Ok(Credential {
        login: row.try_get("login")?,
        kind,
        publish: list(row.try_get("publish")?)?,
        subscribe: list(row.try_get("subscribe")?)?,
        created_at: time(row.try_get("created_at")?)?,
        salt: row.try_get("salt")?,
        secret_hash: row.try_get("secret_hash")?,
        previous,
    })
}

/// Salt and hash of an account's secret.
pub(super) async fn secret_of(
    tx: &mut SqliteConnection,
    login: &str,
) -> Result<Option<(String, String)>, StateError> {
    let row = sqlx::query_as("SELECT salt, secret_hash FROM credential WHERE login = $1")
        .bind(login)
        .fetch_optional(tx)
        .await?;
    Ok(row)
}

/// Makes or replaces an account; the secret that it had still opens until then.
pub(super) async fn rotate(
    tx: &mut SqliteConnection,
    credential: &Credential,
    until: Timestamp,
) -> Result<(), StateError> {
    let before = secret_of(tx, &credential.login).await?;
    let previous = before.map(|(salt, hash)| Previous { salt, hash, until });
    put(tx, credential, previous).await
}

async fn put(
    tx: &mut SqliteConnection,
    credential: &Credential,
    previous: Option<Previous>,
) -> Result<(), StateError> {
    let (salt, hash, until) = previous.map_or((None, None, None), |p| {
        (Some(p.salt), Some(p.hash), Some(p.until.as_microsecond()))
    });
    sqlx::query(
        "INSERT INTO credential (login, kind, salt, secret_hash, publish, subscribe, created_at, previous_salt, previous_hash, previous_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (login) DO UPDATE SET kind = excluded.kind, salt = excluded.salt, secret_hash = excluded.secret_hash,
           publish = excluded.publish, subscribe = excluded.subscribe, created_at = excluded.created_at,
           previous_salt = excluded.previous_salt, previous_hash = excluded.previous_hash, previous_until = excluded.previous_until",
    )
    .bind(&credential.login)
    .bind(credential.kind.as_str())
    .bind(&credential.salt)
    .bind(&credential.secret_hash)
    .bind(json(&credential.publish))
    .bind(json(&credential.subscribe))
    .bind(credential.created_at.as_microsecond())
    .bind(salt)
    .bind(hash)
    .bind(until)
    .execute(tx)
    .await?;
    Ok(())
}
