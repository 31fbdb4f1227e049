//! The states of a command and what moves it from one to the next. Pure: whoever keeps it writes each step down before acting on it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ANSWER_GRACE, Action, Answer, AnswerStatus, DEADLINE, EFFECT_WITHIN, Feedback, PROPOSAL,
    Purpose, Stage,
};
use crate::id::CommandId;
use crate::{DeviceId, FireModeId, IncidentId, SiteId, Timestamp, UserId};

/// A command as it is asked for; whether its asker may is decided before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Which device.
    pub device: DeviceId,
    /// Its site.
    pub site: SiteId,
    /// What to do.
    pub action: Action,
    /// How: an object.
    pub args: Value,
    /// Why a device is told to.
    pub purpose: Purpose,
    /// Who asks: a log-in name, or `rule:S2`, `clock`.
    pub by: String,
    /// In their words.
    pub reason: String,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// By which fire mode.
    pub fire_mode: Option<FireModeId>,
    /// A second person has to confirm it.
    pub needs_two: bool,
    /// When.
    pub at: Timestamp,
}

/// A command to a device.
///
/// `proposed → waiting → sending → sent (→ accepted → releasing → released) → done | failed | rejected | unknown`; `expired` when its time
/// is over and it has certainly not been carried out; `no_effect` when the device's state shows other than what it said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceCommand {
    /// Names it.
    pub id: CommandId,
    /// What was asked.
    pub asked: Asked,
    /// Where it stands.
    pub stage: Stage,
    /// Who confirmed it.
    pub confirmed_by: Option<UserId>,
    /// When a proposal is void; once it may go: when the command is.
    pub expires_at: Timestamp,
    /// When it was released to go.
    pub issued_at: Option<Timestamp>,
    /// When it left.
    pub sent_at: Option<Timestamp>,
    /// What comes back from the device.
    pub means: Means,
    /// What the device wants to see again, and when the hub received that.
    pub challenge: Option<(String, Timestamp)>,
    /// When the device answered last.
    pub answered_at: Option<Timestamp>,
    /// What became of it, in the device's or the hub's words.
    pub detail: Option<String>,
    /// The device's state has shown it since it left.
    pub effect_seen: bool,
    /// By when it has to, after the device has said that it has done it.
    pub effect_due: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// What comes back from a device, by the way in which it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Means {
    /// It says what became of a command; of one that does not, its state alone tells.
    pub answers: bool,
    /// It tells its state, so that an answer which the state belies is found out.
    pub shows: bool,
}

impl Means {
    /// It says what it does, and shows it.
    pub const BOTH: Self = Self {
        answers: true,
        shows: true,
    };
}

/// It cannot be done as the command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// It is not waiting for a second person any more.
    #[error("the command does not wait for confirmation (hint: look what became of it)")]
    NotProposed,
    /// Whoever proposed it cannot be the second person.
    #[error("who asked cannot confirm (hint: a second person has to)")]
    SamePerson,
    /// It may have left already.
    #[error("the command has left already")]
    Left,
    /// It is over.
    #[error("the command is over")]
    Over,
}

/// What is to be put on the wire next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendStep {
    /// The command.
    Order,
    /// The command once more with the device's challenge, valid so many milliseconds after the device made it.
    Release {
        /// The challenge.
        challenge: String,
        /// How long it is good for.
        valid_ms: u64,
    },
}

impl DeviceCommand {
    /// A new one. It waits for a second person, or may go at once.
    pub fn new(id: CommandId, asked: Asked) -> Self {
        let at = asked.at;
        let mut command = Self {
            id,
            stage: Stage::Proposed,
            confirmed_by: None,
            expires_at: after(at, PROPOSAL),
            issued_at: None,
            sent_at: None,
            means: Means::BOTH,
            challenge: None,
            answered_at: None,
            detail: None,
            effect_seen: false,
            effect_due: None,
            ended_at: None,
            asked,
        };
        if !command.asked.needs_two {
            command.release(at);
        }
        command
    }

    fn release(&mut self, at: Timestamp) {
        self.stage = Stage::Waiting;
        self.issued_at = Some(at);
        self.expires_at = after(at, DEADLINE);
    }

    /// When its time began to run.
    fn begun_at(&self) -> Timestamp {
        self.issued_at.unwrap_or(self.asked.at)
    }

    /// By when the device has to have said something. In fire mode nobody waits beyond the ten seconds.
    fn answer_due(&self) -> Timestamp {
        match self.asked.purpose {
            Purpose::Fire | Purpose::Drill => self.expires_at,
            Purpose::Operator | Purpose::Upkeep => after(self.expires_at, ANSWER_GRACE),
        }
    }

    fn end(&mut self, stage: Stage, at: Timestamp, detail: &str) {
        self.stage = stage;
        self.ended_at = Some(at);
        if !detail.is_empty() {
            self.detail = Some(detail.to_owned());
        }
    }

    /// A second person confirms: from now on it may go.
    ///
    /// # Errors
    /// [`NotNow::NotProposed`], [`NotNow::SamePerson`].
    pub fn confirm(&mut self, by: &UserId, at: Timestamp) -> Result<(), NotNow> {
        self.tick(at);
        if self.stage != Stage::Proposed {
            return Err(NotNow::NotProposed);
        }
        if by.as_str() == self.asked.by {
            return Err(NotNow::SamePerson);
        }
        self.confirmed_by = Some(by.clone());
        self.release(at);
        Ok(())
    }

    /// It is taken back; only before it may have left.
    ///
    /// # Errors
    /// [`NotNow::Left`], [`NotNow::Over`].
    pub fn withdraw(&mut self, at: Timestamp, why: &str) -> Result<(), NotNow> {
        self.tick(at);
        match self.stage {
            Stage::Proposed | Stage::Waiting => {
                self.end(Stage::Withdrawn, at, why);
                Ok(())
            }
            stage if stage.is_final() => Err(NotNow::Over),
            _ => Err(NotNow::Left),
        }
    }

    /// Something of it could be put on the wire now, if the device is there.
    pub fn wants_to_go(&self) -> bool {
        self.stage == Stage::Waiting || (self.stage == Stage::Accepted && self.challenge.is_some())
    }

    /// The hub is about to put it on the wire; none when there is nothing to put there. The command as it stands after this has to be on
    /// disk before a byte leaves: nothing that stands at `sending` or `releasing` is ever put on the wire again. `means`: what comes back from
    /// a device that is reached this way.
    pub fn claim(&mut self, now: Timestamp, means: Means) -> Option<SendStep> {
        self.tick(now);
        match (self.stage, &self.challenge) {
            (Stage::Waiting, _) => {
                self.stage = Stage::Sending;
                self.sent_at = Some(now);
                self.means = means;
                Some(SendStep::Order)
            }
            (Stage::Accepted, Some((challenge, at))) => {
                // the device made it before the hub received it: so long after it, it is not `expires_at` yet
                let left = self.expires_at.duration_since(*at).as_millis();
                let valid_ms = u64::try_from(left).ok().filter(|ms| *ms > 0)?;
                let challenge = challenge.clone();
                self.stage = Stage::Releasing;
                Some(SendStep::Release {
                    challenge,
                    valid_ms,
                })
            }
            _ => None,
        }
    }

    /// It was handed to the device's connection, or certainly was not: there was none.
    pub fn handed(&mut self, delivered: bool) {
        self.stage = match (self.stage, delivered) {
            (Stage::Sending, true) => Stage::Sent,
            (Stage::Sending, false) => {
                self.sent_at = None;
                Stage::Waiting
            }
            (Stage::Releasing, true) => Stage::Released,
            (Stage::Releasing, false) => Stage::Accepted,
            // the answer was faster
            (stage, _) => stage,
        };
    }

    /// The device says something of it. Says whether that changed anything.
    pub fn answer(&mut self, answer: &Answer) -> bool {
        if self.sent_at.is_none() {
            return false; // it never left: whatever this is about, it is not this command
        }
        let is_settled = matches!(
            self.stage,
            Stage::Done | Stage::NoEffect | Stage::Failed | Stage::Rejected
        );
        if is_settled {
            return false; // the first word counts
        }
        match answer.status {
            AnswerStatus::Accepted => {
                let waits = matches!(self.stage, Stage::Sending | Stage::Sent);
                if waits && let Some(challenge) = &answer.challenge {
                    self.challenge = Some((challenge.clone(), answer.at));
                    self.stage = Stage::Accepted;
                    self.answered_at = Some(answer.at);
                }
                return waits && answer.challenge.is_some();
            }
            AnswerStatus::Done => {
                self.end(Stage::Done, answer.at, "");
                let shows = self.means.shows && self.asked.action.shows().is_some();
                if shows && !self.effect_seen {
                    self.effect_due = Some(after(answer.at, EFFECT_WITHIN));
                }
            }
            AnswerStatus::Failed => self.end(Stage::Failed, answer.at, ""),
            AnswerStatus::Rejected => self.end(Stage::Rejected, answer.at, ""),
            AnswerStatus::Expired => self.end(Stage::Expired, answer.at, "device_says_late"),
        }
        self.answered_at = Some(answer.at);
        if answer.detail.is_some() {
            self.detail.clone_from(&answer.detail);
        }
        true
    }

    /// The device's state shows something. Says whether that changed anything.
    pub fn feedback(&mut self, shows: Feedback, at: Timestamp) -> bool {
        let has_left = self.sent_at.is_some_and(|sent| sent <= at);
        if !has_left || self.effect_seen || self.asked.action.shows() != Some(shows) {
            return false;
        }
        match self.stage {
            Stage::Sending | Stage::Sent | Stage::Accepted | Stage::Releasing | Stage::Released => {
                self.effect_seen = true;
                if !self.means.answers {
                    self.end(Stage::Done, at, "seen_in_state");
                }
                true
            }
            Stage::Done if self.effect_due.is_some() => {
                self.effect_seen = true;
                self.effect_due = None;
                true
            }
            Stage::NoEffect => {
                self.effect_seen = true;
                self.end(Stage::Done, at, "seen_late");
                true
            }
            _ => false,
        }
    }

    /// What the clock brings. Says whether that changed anything.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        match self.stage {
            Stage::Proposed if now >= self.expires_at => {
                self.end(Stage::Expired, now, "not_confirmed");
            }
            // a clock that was set back must not make it live longer
            Stage::Proposed | Stage::Waiting | Stage::Accepted if self.begun_at() > now => {
                self.end(Stage::Expired, now, "clock_set_back");
            }
            Stage::Sending | Stage::Sent | Stage::Releasing | Stage::Released
                if self.begun_at() > now =>
            {
                self.end(Stage::Unknown, now, "clock_set_back");
            }
            // it has not left, or waits for a challenge that has not gone back: it has certainly not been carried out
            Stage::Waiting if now >= self.expires_at => {
                self.end(Stage::Expired, now, "not_connected");
            }
            Stage::Accepted if now >= self.expires_at => {
                self.end(Stage::Expired, now, "not_released");
            }
            Stage::Sending | Stage::Sent | Stage::Releasing | Stage::Released
                if now >= self.answer_due() =>
            {
                if self.effect_seen {
                    self.end(Stage::Done, now, "seen_in_state");
                } else {
                    self.end(Stage::Unknown, now, "no_answer");
                }
            }
            Stage::Done if self.effect_due.is_some_and(|due| due <= now) => {
                self.effect_due = None;
                self.end(Stage::NoEffect, now, "state_unchanged");
            }
            _ => return false,
        }
        true
    }

    /// When the clock next brings something.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Proposed | Stage::Waiting | Stage::Accepted => Some(self.expires_at),
            Stage::Sending | Stage::Sent | Stage::Releasing | Stage::Released => {
                Some(self.answer_due())
            }
            Stage::Done => self.effect_due,
            _ => None,
        }
    }
}

fn after(at: Timestamp, span: jiff::SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}
