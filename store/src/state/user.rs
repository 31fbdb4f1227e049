//! People who log in to dashboard and API. Passwords are kept as argon2id hashes and looked at on a blocking thread.

use std::str::FromStr;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{DepartmentId, Scope, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{json, list, opt_word, word};
use super::second_factor;

/// Shortest password in characters.
const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password in bytes: argon2 would take more, at our cost.
const PASSWORD_BYTES_MAX: usize = 256;
/// Longest name of a person in characters.
const NAME_CHARS_MAX: usize = 64;
/// What a hash costs, see [`argon2`].
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Verified when there is no such user, so that an unknown log-in name takes as long as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$TZzQrVDmcTKXbWCYL1rbHNVzFEEoFKYpBBGMdOBRGrs";

/// What a user may do; the API holds the table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Watches alerts at the joint-duty station.
    Operator,
    /// Serves in a department: claims, arrives, resolves.
    Responder,
    /// Leads the station.
    StationLead,
    /// Keeps the devices alive.
    PropertyManager,
    /// Captain of a micro-grid.
    GridCaptain,
    /// Reads everything, changes nothing.
    Auditor,
    /// Manages users and accounts.
    Administrator,
}

impl Role {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Operator,
        Self::Responder,
        Self::StationLead,
        Self::PropertyManager,
        Self::GridCaptain,
        Self::Auditor,
        Self::Administrator,
    ];
    /// The word as it stands in tables and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Responder => "responder",
            Self::StationLead => "station_lead",
            Self::PropertyManager => "property_manager",
            Self::GridCaptain => "grid_captain",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown role `{0}` (hint: operator, responder, station_lead, property_manager, grid_captain, auditor or administrator)"
)]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::ALL.iter().copied().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Log-in name.
    pub login: UserId,
    /// Name shown to people.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The department they serve in.
    pub department: Option<DepartmentId>,
    /// What they are limited to.
    #[serde(default)]
    pub scope: Scope,
}

/// A user to be made, or to be given a new password.
#[derive(Clone)]
pub struct NewUser {
    /// Who.
    pub user: User,
    /// In the clear: 12 characters to 256 bytes.
    pub password: String,
}

impl State {
    /// Makes a user, or replaces one: the sessions of the former end, and they may log in whatever was said of them before. From the command
    /// line this is the way back in when no administrator can; a second step of their log-in is gone with it.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a password or name of the wrong length, an unknown department, or a scope that names
    /// what there is not.
    pub async fn put_user(&self, new: NewUser, at: Timestamp) -> Result<(), StateError> {
        let NewUser { user, password } = new;
        check(&user.login, &password)?;
        check_name(&user.name).map_err(StateError::invalid)?;
        if let Some(unknown) = user
            .department
            .as_ref()
            .filter(|d| !self.shared.registry().departments.contains_key(*d))
        {
            return Err(StateError::invalid(format!(
                "there is no department `{unknown}`"
            )));
        }
        let known = user.scope.check(&self.shared.registry());
        known.map_err(|unknown| StateError::invalid(unknown.to_string()))?;
        let hash = self.hashing(move || hash(&password)).await??;
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO account (login, name, role, department, password_hash, created_at, scope) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (login) DO UPDATE SET name = excluded.name, role = excluded.role, department = excluded.department,
               password_hash = excluded.password_hash, scope = excluded.scope,
               disabled_at = NULL, owes_password = 0",
        )
        .bind(user.login.as_str())
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.department.as_ref().map(ToString::to_string))
        .bind(hash)
        .bind(at.as_microsecond())
        .bind(json(&user.scope))
        .execute(&mut *tx)
        .await?;
        second_factor::remove(&mut tx, &user.login).await?;
        sqlx::query("DELETE FROM session WHERE login = $1")
            .bind(user.login.as_str())
            .execute(&mut *tx)
            .await?;
        let line = Entry::admin(
            at,
            "put_user",
            format!("account:{}", user.login),
            standing(&user),
        );
        audit::append(&mut tx, vec![line]).await?;
        Ok(tx.commit().await?)
    }

    /// Gives a user a new password: all their sessions end. Whether they may is for the caller to know.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a password of the wrong length, or one that is the log-in name.
    pub async fn set_password(
        &self,
        login: &UserId,
        password: String,
        at: Timestamp,
    ) -> Result<(), StateError> {
        check(login, &password)?;
        let hash = self.hashing(move || hash(&password)).await??;
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE account SET password_hash = $1, owes_password = 0 WHERE login = $2")
            .bind(hash)
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM session WHERE login = $1")
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        let mut line = Entry::admin(
            at,
            "set_password",
            format!("account:{login}"),
            String::new(),
        );
        line.actor = login.to_string();
        audit::append(&mut tx, vec![line]).await?;
        Ok(tx.commit().await?)
    }

    /// The user with this log-in name and password. An unknown name takes as long as a wrong password.
    pub async fn verify_password(
        &self,
        login: &str,
        password: &str,
    ) -> Result<Option<User>, StateError> {
        type Columns = (String, String, String, Option<String>, String, String);
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(None);
        }
        let row: Option<Columns> = sqlx::query_as(
            "SELECT login, name, role, department, scope, password_hash FROM account
             WHERE login = $1 AND disabled_at IS NULL",
        )
        .bind(login)
        .fetch_optional(&self.shared.read)
        .await?;
        let (user, hash) = match row {
            Some((login, name, role, department, scope, hash)) => (
                Some(user(&login, name, &role, department.as_ref(), &scope)?),
                hash,
            ),
            None => (None, NOBODY.to_owned()),
        };
        let password = password.to_owned();
        let is_right = self.hashing(move || verify(&password, &hash)).await??;
        Ok(user.filter(|_| is_right))
    }

    /// The user with this log-in name, if there is one who may log in: somebody else has said that it is they.
    pub async fn enabled_user(&self, login: &UserId) -> Result<Option<User>, StateError> {
        let row: Option<(String, String, String, Option<String>, String)> = sqlx::query_as(
            "SELECT login, name, role, department, scope FROM account WHERE login = $1 AND disabled_at IS NULL",
        )
        .bind(login.as_str())
        .fetch_optional(&self.shared.read)
        .await?;
        row.map(|(login, name, role, department, scope)| {
            user(&login, name, &role, department.as_ref(), &scope)
        })
        .transpose()
    }

    /// Everybody who may log in, by log-in name.
    pub async fn users(&self) -> Result<Vec<User>, StateError> {
        let rows: Vec<(String, String, String, Option<String>, String)> = sqlx::query_as(
            "SELECT login, name, role, department, scope FROM account ORDER BY login",
        )
        .fetch_all(&self.shared.read)
        .await?;
        rows.into_iter()
            .map(|(login, name, role, department, scope)| {
                user(&login, name, &role, department.as_ref(), &scope)
            })
            .collect()
    }

    /// What is kept of a password.
    pub(super) async fn hash(&self, password: String) -> Result<String, StateError> {
        self.hashing(move || hash(&password)).await?
    }

    /// CPU work on a blocking thread, a few at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StateError> {
        let failed = |what: String| StateError::Hash { what };
        let _permit = self
            .shared
            .hashing
            .acquire()
            .await
            .map_err(|e| failed(e.to_string()))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| failed(e.to_string()))
    }
}

/// Whether a person can be called so.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(format!("a name has 1 to {NAME_CHARS_MAX} characters"));
    }
    Ok(())
}

/// A password that can be read aloud and typed: 20 of 32 unmistakable characters in groups, 100 random bits.
pub fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes: [u8; 20] = rand::random();
    let letters: Vec<char> = bytes
        .iter()
        .map(|b| char::from(LETTERS[usize::from(b % 32)]))
        .collect();
    letters
        .chunks(5)
        .map(String::from_iter)
        .collect::<Vec<_>>()
        .join("-")
}

pub(super) fn user(
    login: &str,
    name: String,
    role: &str,
    department: Option<&String>,
    scope: &str,
) -> Result<User, StateError> {
    Ok(User {
        login: word(login)?,
        name,
        role: word(role)?,
        department: opt_word(department)?,
        // one that cannot be read opens nothing
        scope: list(scope)?,
    })
}

/// What a user may do and where, in words of the audit trail: `operator`, `operator quarter:q1`.
fn standing(user: &User) -> String {
    let role = user.role.as_str();
    if user.scope.is_whole() {
        role.to_owned()
    } else {
        format!("{role} {}", user.scope)
    }
}

fn check(login: &UserId, password: &str) -> Result<(), StateError> {
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(StateError::invalid(format!(
            "a password has {PASSWORD_CHARS_MIN} characters to {PASSWORD_BYTES_MAX} bytes"
        )));
    }
    let name = login.as_str().to_lowercase();
    if password.to_lowercase().replace(&name, "").chars().count() < PASSWORD_CHARS_MIN / 2 {
        return Err(StateError::invalid(
            "a password is more than the log-in name (hint: four words that do not belong together)",
        ));
    }
    Ok(())
}

/// Argon2id as OWASP asks for it at least: 19 MiB, 2 passes, 1 lane. Two at a time take 38 MiB, whatever is asked of the hub.
fn argon2() -> Result<Argon2<'static>, StateError> {
    let failed = |e: argon2::Error| StateError::Hash {
        what: e.to_string(),
    };
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, StateError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = argon2()?.hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|e| StateError::Hash {
            what: e.to_string(),
        })
}

fn verify(password: &str, hash: &str) -> Result<bool, StateError> {
    let hash = PasswordHash::new(hash).map_err(|e| StateError::Hash {
        what: e.to_string(),
    })?;
    Ok(Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_costs_what_it_must_and_so_does_an_unknown_name() {
        let made = hash("correct horse battery").expect("hashes");
        let cost = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(made.starts_with(cost), "{made}");
        assert!(NOBODY.starts_with(cost));
        assert!(verify("correct horse battery", &made).expect("verifies"));
        assert!(!verify("correct horse batterz", &made).expect("verifies"));
        assert!(!verify("nobody", NOBODY).expect("verifies"));
    }

    #[test]
    fn a_password_is_long_and_more_than_the_name() {
        let login: UserId = "wanglei".parse().expect("a login");
        for (password, is_good) in [
            ("correct horse", true),
            ("short", false),
            ("eleven char", false),
            ("WangLei-2026", false),
            ("wangleiwanglei", false),
            ("四个词放在一起就是好口令", true),
        ] {
            assert_eq!(check(&login, password).is_ok(), is_good, "{password}");
        }
        assert!(check(&login, &"x".repeat(257)).is_err());
    }
}
