//! Browser sessions: a random secret in a cookie, ended by idleness, by age, by logging out, and by a new password.

use domain::{Timestamp, UserId};
use jiff::SignedDuration;
use serde::Serialize;

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::time;
use super::token::{kept, random};
use super::user::{Role, User, user};
use super::view::Moment;

/// A session that nobody has used for so long is over: a shift and its handover.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// The same of those who manage accounts: they do not watch a board.
pub const SESSION_IDLE_ADMINISTRATOR: SignedDuration = SignedDuration::from_mins(30);
/// No session lasts longer, however busy.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Use is noted at most this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one user at a time; the longest unused goes first.
const SESSIONS_MAX: i64 = 20;
/// Characters kept of what a browser says of itself.
const AGENT_CHARS_MAX: usize = 160;

/// How somebody shows who they are when they log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// With the password of their account.
    #[default]
    Password,
    /// An identity provider says so (OpenID Connect).
    Oidc,
}

impl Way {
    /// The word that the audit trail has for it; none for the usual one.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "",
            Self::Oidc => "oidc",
        }
    }
}

/// Where somebody logs in, and how.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Address of the other end.
    pub address: String,
    /// What the browser says of itself.
    pub agent: String,
    /// By which way.
    pub way: Way,
}

/// A session as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionItem {
    /// Names it; it is not its secret, and cannot be used as one.
    pub id: String,
    /// When somebody logged in.
    pub created_at: Moment,
    /// When it was last used, to the minute.
    pub used_at: Moment,
    /// Over by then, however busy.
    pub ends_at: Moment,
    /// Where somebody logged in.
    pub address: String,
    /// What the browser said of itself.
    pub agent: String,
    /// The one that asks.
    pub is_own: bool,
}

/// What somebody who is logged in has to do before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owes {
    /// Nothing.
    Nothing,
    /// Somebody else has set the password: another one.
    Password,
    /// Their role asks for a second step of the log-in, and they have none: to set it up.
    SecondFactor,
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCaller {
    /// Who.
    pub user: User,
    /// What they have to do before anything else, as far as their account says.
    pub owes: Owes,
    /// Their log-in asks for a code as well.
    pub has_second_factor: bool,
}

impl Owes {
    fn new(password: i64) -> Self {
        if password == 0 {
            Self::Nothing
        } else {
            Self::Password
        }
    }
}

/// For how long a session may lie idle.
fn idle(role: Role) -> SignedDuration {
    match role {
        Role::Administrator => SESSION_IDLE_ADMINISTRATOR,
        _ => SESSION_IDLE,
    }
}

/// Stands for a log-in name that is nobody's.
const NOBODY: &str = "nobody";

/// A line of the trail about logging in and out. From where stands in its note, which can be deleted.
fn of_account(at: Timestamp, login: &str, act: &str, origin: Option<&Origin>) -> Entry {
    Entry {
        at,
        actor: login.to_owned(),
        act: act.to_owned(),
        object: format!("account:{login}"),
        department: None,
        from: String::new(),
        to: origin.map_or("", |origin| origin.way.as_str()).to_owned(),
        note: origin.map(|origin| format!("{} {}", origin.address, shortened(&origin.agent))),
    }
}

fn shortened(agent: &str) -> String {
    agent.chars().take(AGENT_CHARS_MAX).collect()
}

/// What a session is called in lists: the beginning of a hash of what is kept of its secret.
fn name(token_hash: &str) -> String {
    kept(token_hash)[..16].to_owned()
}

impl State {
    /// Begins a session for somebody who has shown who they are, and gives out its secret. What the browser had before ends.
    pub async fn open_session(
        &self,
        login: &UserId,
        origin: &Origin,
        former: Option<&str>,
        now: Timestamp,
    ) -> Result<String, StateError> {
        let secret = random();
        let agent = shortened(&origin.agent);
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO session (token_hash, login, created_at, used_at, address, agent) VALUES ($1, $2, $3, $3, $4, $5)",
        )
        .bind(kept(&secret))
        .bind(login.as_str())
        .bind(now.as_microsecond())
        .bind(&origin.address)
        .bind(agent)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE account SET logged_in_at = $1 WHERE login = $2")
            .bind(now.as_microsecond())
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM session WHERE used_at < $1 OR created_at < $2 OR token_hash = $3")
            .bind(ago(now, SESSION_IDLE))
            .bind(ago(now, SESSION_LIFE))
            .bind(former.map(kept))
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
        let line = of_account(now, login.as_str(), "log_in", Some(origin));
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Whose session this is, if it is not over; notes that it was used.
    pub async fn session_user(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StateError> {
        let caller = self.session_caller(secret, now).await?;
        Ok(caller.map(|caller| caller.user))
    }

    /// The same, and what they owe before anything else.
    pub async fn session_caller(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<SessionCaller>, StateError> {
        let Some((caller, used_at)) = self.session(secret, now).await? else {
            return Ok(None);
        };
        if now.duration_since(used_at) >= NOTE_EVERY {
            sqlx::query("UPDATE session SET used_at = $1 WHERE token_hash = $2")
                .bind(now.as_microsecond())
                .bind(kept(secret))
                .execute(&self.shared.write)
                .await?;
        }
        Ok(Some(caller))
    }

    /// Whose session this is, if it is not over. To ask is no use of it: a screen that nobody touches does not keep it alive.
    pub async fn session_holder(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StateError> {
        Ok(self
            .session(secret, now)
            .await?
            .map(|(caller, _)| caller.user))
    }

    async fn session(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<(SessionCaller, Timestamp)>, StateError> {
        type Columns = (
            i64,
            String,
            String,
            String,
            Option<String>,
            String,
            i64,
            bool,
        );
        let row: Option<Columns> = sqlx::query_as(
            "SELECT s.used_at, a.login, a.name, a.role, a.department, a.scope, a.owes_password,
               EXISTS (SELECT 1 FROM second_factor f WHERE f.login = a.login AND f.confirmed_at IS NOT NULL)
             FROM session s JOIN account a ON a.login = s.login
             WHERE s.token_hash = $1 AND s.created_at >= $2 AND a.disabled_at IS NULL",
        )
        .bind(kept(secret))
        .bind(ago(now, SESSION_LIFE))
        .fetch_optional(&self.shared.read)
        .await?;
        let Some((used_at, login, name, role, department, scope, owes, has_second_factor)) = row
        else {
            return Ok(None);
        };
        let (user, used_at) = (
            user(&login, name, &role, department.as_ref(), &scope)?,
            time(used_at)?,
        );
        let caller = SessionCaller {
            user,
            owes: Owes::new(owes),
            has_second_factor,
        };
        Ok((now.duration_since(used_at) <= idle(caller.user.role)).then_some((caller, used_at)))
    }

    /// A user's sessions that are not over, the latest used first. `own` is the secret of the one that asks.
    pub async fn sessions(
        &self,
        user: &User,
        own: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<SessionItem>, StateError> {
        type Columns = (String, i64, i64, String, String);
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT token_hash, created_at, used_at, address, agent FROM session
             WHERE login = $1 AND used_at >= $2 AND created_at >= $3 ORDER BY used_at DESC, created_at DESC",
        )
        .bind(user.login.as_str())
        .bind(ago(now, idle(user.role)))
        .bind(ago(now, SESSION_LIFE))
        .fetch_all(&self.shared.read)
        .await?;
        let own = own.map(kept);
        rows.into_iter()
            .map(|(token_hash, created_at, used_at, address, agent)| {
                let created_at = time(created_at)?;
                Ok(SessionItem {
                    id: name(&token_hash),
                    created_at: Moment(created_at),
                    used_at: Moment(time(used_at)?),
                    ends_at: Moment(created_at + SESSION_LIFE),
                    address,
                    agent,
                    is_own: own.as_ref() == Some(&token_hash),
                })
            })
            .collect()
    }

    /// Writes down that somebody tried to log in and was refused. A name that is nobody's is not kept: people type passwords there.
    pub async fn note_refused(
        &self,
        login: &str,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let known: Option<(String,)> = sqlx::query_as("SELECT login FROM account WHERE login = $1")
            .bind(login)
            .fetch_optional(&mut *tx)
            .await?;
        let login = known.map_or(NOBODY.to_owned(), |(login,)| login);
        let line = of_account(now, &login, "log_in_refused", Some(origin));
        audit::append(&mut tx, vec![line]).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a session: somebody logs out.
    pub async fn close_session(&self, secret: &str, now: Timestamp) -> Result<(), StateError> {
        let mut tx = self.begin().await?;
        let ended: Option<(String,)> =
            sqlx::query_as("DELETE FROM session WHERE token_hash = $1 RETURNING login")
                .bind(kept(secret))
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((login,)) = ended {
            let line = of_account(now, &login, "log_out", None);
            audit::append(&mut tx, vec![line]).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends one of a user's sessions by the name that the list gives it; says whether there was such a one.
    pub async fn close_session_of(
        &self,
        login: &UserId,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        let all: Vec<(String,)> = sqlx::query_as("SELECT token_hash FROM session WHERE login = $1")
            .bind(login.as_str())
            .fetch_all(&mut *tx)
            .await?;
        let Some((token_hash,)) = all.into_iter().find(|(hash,)| name(hash) == id) else {
            return Ok(false);
        };
        sqlx::query("DELETE FROM session WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&mut *tx)
            .await?;
        let line = of_account(now, login.as_str(), "end_session", None);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends all of a user's sessions and says how many there were.
    pub async fn close_sessions(&self, login: &UserId, now: Timestamp) -> Result<u64, StateError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM session WHERE login = $1")
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        let line = of_account(now, login.as_str(), "end_all_sessions", None);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(gone.rows_affected())
    }
}

pub(super) fn ago(now: Timestamp, span: SignedDuration) -> i64 {
    now.as_microsecond()
        .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}
