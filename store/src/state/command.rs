//! What people do: a command on an incident, decided on a version that they saw.

use domain::incident::{
    Command, DEPARTMENTS_MAX, EVIDENCE_CHARS_MAX, EVIDENCE_MAX, Effect, Incident, Reason, Refused,
    Satisfaction, Verb,
};
use domain::{IncidentId, Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::State;
use super::commit::News;
use super::error::StateError;
use super::evidence;
use super::incidents::{self, json, list};
use super::merge;
use super::outbox;
use super::view::IncidentView;

/// Longest idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Longest note.
pub const NOTE_CHARS_MAX: usize = 2000;
/// Longest cause.
const CAUSE_CHARS_MAX: usize = 64;
/// How long an answer is kept for the same command to come again.
const ANSWER_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such incident.
    #[error("there is no such incident")]
    NotFound,
    /// It has changed since the person looked.
    #[error("the incident has changed meanwhile (hint: look again)")]
    VersionConflict {
        /// As it is now.
        current: Box<IncidentView>,
    },
    /// It cannot be done as things are; also not after looking again.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The key was used for something else.
    #[error(
        "this idempotency key belongs to another command (hint: a new key for every new command)"
    )]
    KeyReused,
    /// The command itself is wrong.
    #[error("{what}")]
    Invalid {
        /// What, which field, and the next step.
        what: String,
    },
    /// The database failed; whether the command was carried out shows when it is sent again with the same key.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for CommandError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

impl State {
    /// Carries out a command on an incident that was at `expected_version` when the person decided. With a key that was used before,
    /// the same command has the same answer and nothing happens twice; keys are the actor's own and kept for 24 hours.
    ///
    /// # Errors
    /// [`CommandError`]. What would be refused anyway is refused with its reason also when the version has moved on, so that of many
    /// who claim at once all but one hear who was faster.
    pub async fn command(
        &self,
        id: IncidentId,
        expected_version: i64,
        idempotency_key: &str,
        command: Command,
    ) -> Result<IncidentView, CommandError> {
        self.check(idempotency_key, &command)?;
        let (state, key) = (self.clone(), idempotency_key.to_owned());
        finish(async move {
            state
                .carry_out(id, expected_version, &key, &command, &[])
                .await
        })
        .await
    }

    pub(super) async fn carry_out(
        &self,
        id: IncidentId,
        expected_version: i64,
        idempotency_key: &str,
        command: &Command,
        photos: &[(String, String)],
    ) -> Result<IncidentView, CommandError> {
        let request = fingerprint(id, expected_version, command);
        let registry = &self.shared.registry();
        let mut tx = self.begin().await?;
        let user = &command.actor.user;
        if let Some((of, answer)) = answered(&mut tx, user, idempotency_key).await? {
            return if of == request {
                Ok(list(&answer)?)
            } else {
                Err(CommandError::KeyReused)
            };
        }
        let Some((incident, _)) = incidents::load(&mut tx, id).await? else {
            return Err(CommandError::NotFound);
        };
        // what the clock has brought comes first: a claim that has lapsed is not the holder's any more
        let (now, late) = incident.on_time(command.at);
        let step = now.apply(command)?;
        self.fits_together(&mut tx, &now, command).await?;
        if incident.version != expected_version {
            let current = self
                .view(&mut tx, id)
                .await?
                .ok_or(CommandError::NotFound)?;
            return Err(CommandError::VersionConflict {
                current: Box::new(current),
            });
        }
        let now = incidents::keep(&mut tx, registry, &incident, (now, late)).await?;
        if let Some(person) = registry.person_of(user) {
            outbox::answered(&mut tx, id, &person.id, command.at).await?;
        }
        let is_seen = step.1.contains(&Effect::AcknowledgeAlarms);
        let after = incidents::keep(&mut tx, registry, &now, step).await?;
        evidence::name(&mut tx, id, command, photos).await?;
        let mut changed = if is_seen {
            self.alarm_news_of(&mut tx, id).await?
        } else {
            Vec::new()
        };
        changed.push(News::Incident(id));
        changed.extend(
            merge::follow(&mut tx, registry, &now, &after)
                .await?
                .map(News::Incident),
        );
        let revision = self.publish(&mut tx, changed).await?;
        let view = self
            .view(&mut tx, id)
            .await?
            .ok_or(CommandError::NotFound)?;
        let asked = (user, idempotency_key, command.at);
        remember(&mut tx, asked, &request, &json(&view)).await?;
        tx.commit().await?;
        if let Some(revision) = revision {
            self.announce(revision);
        }
        Ok(view)
    }

    /// What the machine cannot see: the other incidents.
    async fn fits_together(
        &self,
        connection: &mut SqliteConnection,
        incident: &Incident,
        command: &Command,
    ) -> Result<(), CommandError> {
        let refused = |reason| Refused {
            reason,
            state: incident.state,
            holder: None,
        };
        match command.verb {
            Verb::Merge => {
                let into = command.into.map(|(id, _)| id);
                let parent = match into {
                    Some(into) => incidents::load(connection, into).await?,
                    None => None,
                };
                if !parent.is_some_and(|(parent, _)| parent.state.is_open()) {
                    return Err(refused(Reason::WrongParent).into());
                }
            }
            Verb::Unmerge | Verb::Reopen | Verb::Answer => {
                let open =
                    incidents::open_of(connection, &incident.rule, &incident.subject).await?;
                let is_taken = open.is_some_and(|open| open.id != incident.id);
                let opens_nothing =
                    command.verb == Verb::Answer && command.answer == Some(Satisfaction::Satisfied);
                if is_taken && !opens_nothing {
                    return Err(refused(Reason::OpenElsewhere).into());
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn check(&self, key: &str, command: &Command) -> Result<(), CommandError> {
        let invalid = |what: String| Err(CommandError::Invalid { what });
        let chars = |text: &Option<String>| text.as_ref().map_or(0, |text| text.chars().count());
        if let Some(what) = bad_key(key) {
            return invalid(what);
        }
        if chars(&command.note) > NOTE_CHARS_MAX {
            return invalid(format!("a note has at most {NOTE_CHARS_MAX} characters"));
        }
        if chars(&command.cause) > CAUSE_CHARS_MAX {
            return invalid(format!("a cause has at most {CAUSE_CHARS_MAX} characters"));
        }
        if command.evidence.len() > EVIDENCE_MAX {
            return invalid(format!("`evidence` has at most {EVIDENCE_MAX} pieces"));
        }
        let is_bad =
            |text: &str| text.trim().is_empty() || text.chars().count() > EVIDENCE_CHARS_MAX;
        if command.evidence.iter().any(|e| is_bad(&e.reference)) {
            return invalid(format!(
                "`evidence.reference` has 1 to {EVIDENCE_CHARS_MAX} characters"
            ));
        }
        if command.departments.len() > DEPARTMENTS_MAX {
            return invalid(format!(
                "an incident has at most {DEPARTMENTS_MAX} departments"
            ));
        }
        let registry = self.shared.registry();
        let known = &registry.departments;
        let mut named = command.departments.iter().chain(&command.department);
        match named.find(|department| !known.contains_key(*department)) {
            Some(unknown) => invalid(format!("there is no department `{unknown}`")),
            None => Ok(()),
        }
    }
}

/// What is wrong with an idempotency key.
pub(super) fn bad_key(key: &str) -> Option<String> {
    let is_good = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
    (!is_good).then(|| format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes"))
}

/// What makes two commands the same: everything but the moment.
fn fingerprint(id: IncidentId, expected_version: i64, command: &Command) -> String {
    let words = serde_json::json!([
        id,
        expected_version,
        command.verb,
        command.note,
        command.cause,
        command.departments,
        command.department,
        command.fence,
        command.evidence,
        command.into,
        command.answer,
        command.step,
        command.level,
    ]);
    hex::encode(Sha256::digest(words.to_string()))
}

/// Runs to its end what was begun, also when whoever asked goes away meanwhile.
pub(super) async fn finish<T: Send + 'static, E: From<StateError> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    match tokio::spawn(work).await {
        Ok(answer) => answer,
        Err(died) => match died.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StateError::Stopping.into()),
        },
    }
}

/// What a user's command with this key was, and what was answered.
pub(super) async fn answered(
    connection: &mut SqliteConnection,
    user: &UserId,
    key: &str,
) -> Result<Option<(String, String)>, StateError> {
    Ok(
        sqlx::query_as("SELECT request, answer FROM answered WHERE actor = $1 AND key = $2")
            .bind(user.as_str())
            .bind(key)
            .fetch_optional(connection)
            .await?,
    )
}

/// Keeps the answer to what a user asked under a key at a time.
pub(super) async fn remember(
    connection: &mut SqliteConnection,
    (user, key, at): (&UserId, &str, Timestamp),
    request: &str,
    answer: &str,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO answered (actor, key, request, answer, at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(user.as_str())
    .bind(key)
    .bind(request)
    .bind(answer)
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    let oldest = at.saturating_sub(ANSWER_KEPT).unwrap_or(Timestamp::MIN);
    sqlx::query("DELETE FROM answered WHERE at < $1")
        .bind(oldest.as_microsecond())
        .execute(connection)
        .await?;
    Ok(())
}
