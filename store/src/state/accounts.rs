//! Administering users: who there is, making and changing them, and locking them out.
//!
//! **Invariant:** there is always an administrator who can log in: whoever is the last one is neither disabled nor given another role.
//! **Invariant:** each change stands in the audit trail with the person who made it, in the same transaction.

use domain::{Timestamp, UserId};
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::{opt_time, time};
use super::second_factor;
use super::session;
use super::user::{self, Role, User};
use super::view::Moment;

/// Users of one hub.
pub const ACCOUNTS_MAX: i64 = 2000;

/// A user as the administration sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountItem {
    /// Who, and what they may do.
    #[serde(flatten)]
    pub user: User,
    /// When they were made.
    pub created_at: Moment,
    /// When they last logged in.
    pub logged_in_at: Option<Moment>,
    /// Log-ins that are not over.
    pub sessions: u64,
    /// API tokens that are good.
    pub tokens: u64,
    /// Since when they may not log in.
    pub disabled_at: Option<Moment>,
    /// Somebody else has set the password: they choose another before anything else.
    pub owes_password: bool,
    /// Their log-in asks for a code as well.
    pub has_second_factor: bool,
}

/// What an administrator does to a user, besides making and changing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountAct {
    /// They may not log in any more: sessions end at once, API tokens are gone.
    Disable,
    /// They may again, with the password that they had.
    Enable,
    /// A new password, to be changed at the next log-in; sessions end.
    ResetPassword,
    /// Their log-in asks for no code until they set one up again; sessions end.
    ResetSecondFactor,
    /// All sessions end; they can log in again.
    EndSessions,
}

impl AccountAct {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Disable,
        Self::Enable,
        Self::ResetPassword,
        Self::ResetSecondFactor,
        Self::EndSessions,
    ];

    /// The word of its route; with `_user` after it that of the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::ResetPassword => "reset_password",
            Self::ResetSecondFactor => "reset_second_factor",
            Self::EndSessions => "end_sessions",
        }
    }
}

/// Why something was not done to a user.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is nobody with this name.
    #[error("there is no such user")]
    NotFound,
    /// There is somebody with this name.
    #[error(
        "there is a user `{0}` already (hint: choose another log-in name, or change that user)"
    )]
    Exists(UserId),
    /// Nobody could administer the hub any more.
    #[error("this is the last administrator who can log in (hint: make another one first)")]
    LastAdministrator,
    /// Whoever does it would lock themselves out.
    #[error("nobody disables themselves (hint: another administrator can)")]
    Oneself,
    /// A field is not as it must be.
    #[error("{what}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for AccountError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

#[derive(FromRow)]
struct Row {
    login: String,
    name: String,
    role: String,
    department: Option<String>,
    scope: String,
    created_at: i64,
    logged_in_at: Option<i64>,
    disabled_at: Option<i64>,
    owes_password: i64,
    has_second_factor: i64,
    sessions: i64,
    tokens: i64,
}

impl Row {
    fn item(self) -> Result<AccountItem, StateError> {
        let moment = |us| opt_time(us).map(|at| at.map(Moment));
        Ok(AccountItem {
            user: user::user(
                &self.login,
                self.name,
                &self.role,
                self.department.as_ref(),
                &self.scope,
            )?,
            created_at: Moment(time(self.created_at)?),
            logged_in_at: moment(self.logged_in_at)?,
            sessions: self.sessions.cast_unsigned(),
            tokens: self.tokens.cast_unsigned(),
            disabled_at: moment(self.disabled_at)?,
            owes_password: self.owes_password != 0,
            has_second_factor: self.has_second_factor != 0,
        })
    }
}

/// Every user, or the one with a log-in name. A session that is idle for longer than its role allows is over.
async fn read(
    connection: &mut SqliteConnection,
    login: Option<&UserId>,
    now: Timestamp,
) -> Result<Vec<AccountItem>, StateError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT a.login, a.name, a.role, a.department, a.scope, a.created_at, a.logged_in_at, a.disabled_at, a.owes_password,
           EXISTS (SELECT 1 FROM second_factor f WHERE f.login = a.login AND f.confirmed_at IS NOT NULL) AS has_second_factor,
           (SELECT COUNT(*) FROM session s WHERE s.login = a.login AND s.created_at >= $2
             AND s.used_at >= CASE a.role WHEN 'administrator' THEN $4 ELSE $3 END) AS sessions,
           (SELECT COUNT(*) FROM api_token t WHERE t.login = a.login AND (t.expires_at IS NULL OR t.expires_at > $5)) AS tokens
         FROM account a WHERE $1 IS NULL OR a.login = $1 ORDER BY a.login LIMIT $6",
    )
    .bind(login.map(|login| login.as_str().to_owned()))
    .bind(session::ago(now, session::SESSION_LIFE))
    .bind(session::ago(now, session::SESSION_IDLE))
    .bind(session::ago(now, session::SESSION_IDLE_ADMINISTRATOR))
    .bind(now.as_microsecond())
    .bind(ACCOUNTS_MAX)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::item).collect()
}

async fn one(
    connection: &mut SqliteConnection,
    login: &UserId,
    now: Timestamp,
) -> Result<AccountItem, AccountError> {
    let found = read(connection, Some(login), now).await?;
    found.into_iter().next().ok_or(AccountError::NotFound)
}

/// Whether another administrator than this one can log in.
async fn has_another(
    connection: &mut SqliteConnection,
    login: &UserId,
) -> Result<bool, StateError> {
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM account WHERE role = $1 AND disabled_at IS NULL AND login <> $2",
    )
    .bind(Role::Administrator.as_str())
    .bind(login.as_str())
    .fetch_one(connection)
    .await?;
    Ok(others > 0)
}

fn is_serving_administrator(item: &AccountItem) -> bool {
    item.user.role == Role::Administrator && item.disabled_at.is_none()
}

async fn end_sessions(
    connection: &mut SqliteConnection,
    login: &UserId,
) -> Result<u64, StateError> {
    let gone = sqlx::query("DELETE FROM session WHERE login = $1")
        .bind(login.as_str())
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

async fn end_tokens(connection: &mut SqliteConnection, login: &UserId) -> Result<u64, StateError> {
    let gone = sqlx::query("DELETE FROM api_token WHERE login = $1")
        .bind(login.as_str())
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

fn line(by: &UserId, at: Timestamp, act: &str, login: &UserId, from: String, to: String) -> Entry {
    Entry {
        from,
        ..Entry::by(by, at, act, format!("account:{login}"), to)
    }
}

impl State {
    /// Everybody who may log in or might, by log-in name.
    pub async fn accounts(&self, now: Timestamp) -> Result<Vec<AccountItem>, StateError> {
        let mut snapshot = self.snapshot().await?;
        read(&mut snapshot, None, now).await
    }

    /// What a user owes before anything else, and whether they are there at all.
    fn check_user(&self, user: &User) -> Result<(), AccountError> {
        let invalid = |field, what: String| Err(AccountError::Invalid { field, what });
        if let Err(what) = user::check_name(&user.name) {
            return invalid("name", what);
        }
        if user.role == Role::Responder && user.department.is_none() {
            return invalid(
                "department",
                "a responder serves in a department".to_owned(),
            );
        }
        if let Some(unknown) = user
            .department
            .as_ref()
            .filter(|d| !self.shared.registry().departments.contains_key(*d))
        {
            return invalid("department", format!("there is no department `{unknown}`"));
        }
        match user.scope.check(&self.shared.registry()) {
            Ok(()) => Ok(()),
            Err(unknown) => invalid("scope", unknown.to_string()),
        }
    }

    /// Makes a user and gives out their first password, which cannot be read again and must be changed at the first log-in.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn make_account(
        &self,
        user: &User,
        by: &UserId,
        at: Timestamp,
    ) -> Result<(AccountItem, String), AccountError> {
        self.check_user(user)?;
        let password = user::random_password();
        let hash = self.hash(password.clone()).await?;
        let mut tx = self.begin().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM account")
            .fetch_one(&mut *tx)
            .await?;
        if count >= ACCOUNTS_MAX {
            let what = format!("there are {ACCOUNTS_MAX} users already");
            return Err(AccountError::Invalid {
                field: "login",
                what,
            });
        }
        let made = sqlx::query(
            "INSERT INTO account (login, name, role, department, scope, password_hash, created_at, owes_password)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (login) DO NOTHING",
        )
        .bind(user.login.as_str())
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.department.as_ref().map(ToString::to_string))
        .bind(super::incidents::json(&user.scope))
        .bind(hash)
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(AccountError::Exists(user.login.clone()));
        }
        let told = line(
            by,
            at,
            "make_user",
            &user.login,
            String::new(),
            standing(user),
        );
        audit::append(&mut tx, vec![told]).await?;
        let item = one(&mut tx, &user.login, at).await?;
        tx.commit().await?;
        Ok((item, password))
    }

    /// Gives a user another name, role, department or scope. With another role or scope their API tokens are gone: one may do no more than
    /// whoever made it. Live streams end by themselves.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn change_account(
        &self,
        user: &User,
        by: &UserId,
        at: Timestamp,
    ) -> Result<AccountItem, AccountError> {
        self.check_user(user)?;
        let mut tx = self.begin().await?;
        let before = one(&mut tx, &user.login, at).await?;
        if before.user == *user {
            return Ok(before);
        }
        let is_demoted = user.role != Role::Administrator;
        if is_demoted
            && is_serving_administrator(&before)
            && !has_another(&mut tx, &user.login).await?
        {
            return Err(AccountError::LastAdministrator);
        }
        sqlx::query(
            "UPDATE account SET name = $1, role = $2, department = $3, scope = $4 WHERE login = $5",
        )
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.department.as_ref().map(ToString::to_string))
        .bind(super::incidents::json(&user.scope))
        .bind(user.login.as_str())
        .execute(&mut *tx)
        .await?;
        if before.user.role != user.role || before.user.scope != user.scope {
            end_tokens(&mut tx, &user.login).await?;
        }
        let mut to = standing(user);
        if before.user.name != user.name {
            to.push_str(" renamed");
        }
        let told = line(
            by,
            at,
            "change_user",
            &user.login,
            standing(&before.user),
            to,
        );
        audit::append(&mut tx, vec![told]).await?;
        let item = one(&mut tx, &user.login, at).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// Does something else to a user. A new password is given out with the user; it cannot be read again.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn account_act(
        &self,
        login: &UserId,
        act: AccountAct,
        by: &UserId,
        at: Timestamp,
    ) -> Result<(AccountItem, Option<String>), AccountError> {
        let new = match act {
            AccountAct::ResetPassword => {
                let password = user::random_password();
                Some((self.hash(password.clone()).await?, password))
            }
            _ => None,
        };
        let mut tx = self.begin().await?;
        let before = one(&mut tx, login, at).await?;
        let mut to = String::new();
        match act {
            AccountAct::Disable => {
                if login == by {
                    return Err(AccountError::Oneself);
                }
                if is_serving_administrator(&before) && !has_another(&mut tx, login).await? {
                    return Err(AccountError::LastAdministrator);
                }
                if before.disabled_at.is_some() {
                    return Ok((before, None));
                }
                sqlx::query("UPDATE account SET disabled_at = $1 WHERE login = $2")
                    .bind(at.as_microsecond())
                    .bind(login.as_str())
                    .execute(&mut *tx)
                    .await?;
                let sessions = end_sessions(&mut tx, login).await?;
                let tokens = end_tokens(&mut tx, login).await?;
                to = format!("sessions:{sessions} tokens:{tokens}");
            }
            AccountAct::Enable => {
                if before.disabled_at.is_none() {
                    return Ok((before, None));
                }
                sqlx::query("UPDATE account SET disabled_at = NULL WHERE login = $1")
                    .bind(login.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
            AccountAct::ResetPassword => {
                if let Some((hash, _)) = &new {
                    sqlx::query(
                        "UPDATE account SET password_hash = $1, owes_password = 1 WHERE login = $2",
                    )
                    .bind(hash)
                    .bind(login.as_str())
                    .execute(&mut *tx)
                    .await?;
                }
                end_sessions(&mut tx, login).await?;
            }
            AccountAct::ResetSecondFactor => {
                second_factor::remove(&mut tx, login).await?;
                end_sessions(&mut tx, login).await?;
            }
            AccountAct::EndSessions => {
                to = format!("sessions:{}", end_sessions(&mut tx, login).await?);
            }
        }
        let told = line(
            by,
            at,
            &format!("{}_user", act.as_str()),
            login,
            String::new(),
            to,
        );
        audit::append(&mut tx, vec![told]).await?;
        let item = one(&mut tx, login, at).await?;
        tx.commit().await?;
        Ok((item, new.map(|(_, password)| password)))
    }
}

/// What the audit trail tells of a user: never the name, which must not outlive its deletion.
fn standing(user: &User) -> String {
    let department = user
        .department
        .as_ref()
        .map(|d| format!(" {d}"))
        .unwrap_or_default();
    format!("{}{department} {}", user.role.as_str(), user.scope)
}
