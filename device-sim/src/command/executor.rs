//! What one device does with the commands it hears. It has no connection, no timer and no clock: it is told what came and when,
//! and says what is to be done how much later.
//!
//! ```text
//! heard ──► signature ──► known? ──► counter ──► expired? ──┬─► opens something: accepted + challenge ──► again, in time ─┐
//!              │            │           │           │       └─────────────────────────────────────────────────────────────┴─► remember, do, done
//!           rejected   as before    rejected     expired
//! ```
//!
//! **Invariant:** it is on disk that a command is executed before it is. **Invariant:** nothing opens later than
//! [`CHALLENGE_TIME`] after the device has asked whether it still should.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Timestamp;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::effects::{self, Effect};
use super::{Answer, Behaviour, Command, Key, Manner, Memory, Status};
use crate::SimDevice;
use crate::native::Say;

/// The answer to a challenge must come within this time, by a clock that nobody sets.
pub const CHALLENGE_TIME: Duration = Duration::from_secs(5);
/// Most challenges without an answer; the oldest go first.
const PENDING_MAX: usize = 32;

/// The time: by the simulator's clock, which is right, and by one that only counts.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The true time. The device's own clock may be ahead of it or behind.
    pub wall: Timestamp,
    /// For measuring how long something took.
    pub instant: Instant,
}

/// What came over the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The last level of the topic.
    pub command: String,
    /// What.
    pub payload: Vec<u8>,
    /// The broker kept it for whoever comes; no command may come like this.
    pub is_retained: bool,
}

/// Something to be done.
#[derive(Debug, PartialEq)]
pub enum Reaction {
    /// Answer below `rsp/{command}`.
    Answer(String, Answer),
    /// Say how the device stands, unless another command came in between: to be given back to [`Executor::still`].
    Say(u64, Say),
    /// Take this up: to be given back to [`Executor::take`].
    Take(Heard),
    /// Lose the connection for so long.
    Cut(Duration),
    /// Put down what became of a command.
    Note(Note),
}

/// What became of a command, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which one; empty when the message could not be read.
    pub command_id: String,
    /// What it was about.
    pub command: String,
    /// What became of it.
    pub what: What,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It came, whatever became of it.
    Heard,
    /// It was executed; `is_late` when that was after its deadline by the true time.
    Executed {
        /// After the deadline.
        is_late: bool,
    },
    /// It was passed over without an answer.
    Ignored,
    /// It was answered.
    Answered(Status),
}

/// The command part of one device.
#[derive(Debug)]
pub struct Executor {
    device: SimDevice,
    behaviour: Behaviour,
    clock_off: SignedDuration,
    key: Option<Key>,
    memory: Memory,
    pending: VecDeque<Pending>,
    rng: StdRng,
    /// Counts what moves the door or the arm, so that a door is not locked again by what an earlier command began.
    moves: u64,
}

/// A command that waits for the answer to its challenge.
#[derive(Debug)]
struct Pending {
    command_id: String,
    challenge: String,
    made: Instant,
}

type Reactions = Vec<(Duration, Reaction)>;

impl Executor {
    /// For one device. Without a key it takes commands from whoever may publish them.
    pub fn new(device: SimDevice, manner: Manner, key: Option<Key>, memory: Memory) -> Self {
        Self {
            device,
            behaviour: manner.behaviour,
            clock_off: manner.clock_off,
            key,
            memory,
            pending: VecDeque::new(),
            // a challenge that could be foreseen would prove nothing, so no seed of the run
            rng: StdRng::from_os_rng(),
            moves: 0,
        }
    }

    /// How far the device's clock is ahead of the true time now.
    pub fn clock_off(&self) -> SignedDuration {
        self.clock_off
    }

    /// Something came. What a slow device heard is taken up later.
    pub fn hear(&mut self, heard: Heard, now: Now) -> Reactions {
        match self.behaviour {
            Behaviour::Delay(delay) if !heard.is_retained => {
                vec![(delay, Reaction::Take(heard))]
            }
            _ => self.take(&heard, now),
        }
    }

    /// Takes up what was heard.
    pub fn take(&mut self, heard: &Heard, now: Now) -> Reactions {
        let command = Command::read(&heard.payload).filter(|_| !heard.is_retained);
        let Some(command) = command else {
            return vec![note("", &heard.command, What::Ignored)];
        };
        let mut reactions = vec![note(&command.command_id, &heard.command, What::Heard)];
        match self.behaviour {
            Behaviour::Mute => {
                reactions.push(note(&command.command_id, &heard.command, What::Ignored));
            }
            Behaviour::Offline(span) => {
                reactions.push(note(&command.command_id, &heard.command, What::Ignored));
                reactions.push((Duration::ZERO, Reaction::Cut(span)));
            }
            _ => reactions.extend(self.decide(&heard.command, &command, now)),
        }
        reactions
    }

    /// What a device has to say after a while, unless another command has moved it since.
    pub fn still(&self, moves: u64, say: Say) -> Option<Say> {
        (moves == self.moves).then_some(say)
    }

    fn decide(&mut self, topic: &str, command: &Command, now: Now) -> Reactions {
        let id = &command.command_id;
        if self
            .key
            .is_some_and(|key| !key.has_signed(command, &self.device))
        {
            // not remembered: a forged message must not use up the id of a true one
            return answer(topic, id, Status::Rejected, "signature");
        }
        if command.command != topic {
            return answer(
                topic,
                id,
                Status::Rejected,
                "the topic names another command",
            );
        }
        if let Some(settled) = self.memory.settled(id, now.wall) {
            return answer(topic, id, settled.status, &settled.detail);
        }
        if let Some(at) = self.pending.iter().position(|p| p.command_id == *id) {
            return self.challenged(at, command, now);
        }
        if command.counter <= self.memory.counter() {
            let detail = format!(
                "counter {} is not above {}",
                command.counter,
                self.memory.counter()
            );
            return answer(topic, id, Status::Rejected, &detail);
        }
        let Some(expires_at) = command.expires_at() else {
            return answer(topic, id, Status::Rejected, "expires_at is no time");
        };
        let is_over = expires_at < self.clock(now);
        // a clock that is ahead could never be set, so the device asks whether the time that it is given is fresh
        let asks = effects::opens(topic) || (is_over && topic == "sync-time");
        if is_over && topic != "sync-time" {
            return self.settle(
                command,
                Status::Expired,
                "past expires_at by the device's clock",
                now,
            );
        }
        if effects::effects(self.device.class, topic).is_none() {
            return self.settle(command, Status::Rejected, "no such command here", now);
        }
        match &self.behaviour {
            Behaviour::Refuse(reason) => {
                let reason = reason.clone();
                self.settle(command, Status::Rejected, &reason, now)
            }
            Behaviour::Lie => self.settle(command, Status::Done, "", now),
            _ if asks => self.ask(command, now),
            _ => self.execute(command, now),
        }
    }

    fn clock(&self, now: Now) -> Timestamp {
        now.wall.checked_add(self.clock_off).unwrap_or(now.wall)
    }

    /// Asks whether the command is still wanted.
    fn ask(&mut self, command: &Command, now: Now) -> Reactions {
        let challenge = format!("{:032x}", self.rng.random::<u128>());
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending {
            command_id: command.command_id.clone(),
            challenge: challenge.clone(),
            made: now.instant,
        });
        asking(command, challenge)
    }

    /// A message with the id of a command that was asked about.
    fn challenged(&mut self, at: usize, command: &Command, now: Now) -> Reactions {
        let pending = &self.pending[at];
        let time = command
            .valid_ms
            .map_or(CHALLENGE_TIME, Duration::from_millis)
            .min(CHALLENGE_TIME);
        let is_over = now.instant.duration_since(pending.made) > time;
        match &command.challenge {
            // the first message again: the question stands, or is asked anew
            None if is_over => {
                self.pending.remove(at);
                self.decide(&command.command, command, now)
            }
            None => asking(command, pending.challenge.clone()),
            Some(given) if *given != pending.challenge => {
                let detail = "this is not the challenge that was given";
                answer(
                    &command.command,
                    &command.command_id,
                    Status::Rejected,
                    detail,
                )
            }
            Some(_) => {
                self.pending.remove(at);
                if is_over {
                    return self.settle(
                        command,
                        Status::Expired,
                        "the challenge was answered too late",
                        now,
                    );
                }
                self.execute(command, now)
            }
        }
    }

    /// Ends a command without doing anything.
    fn settle(&mut self, command: &Command, status: Status, detail: &str, now: Now) -> Reactions {
        let kept = self
            .memory
            .settle(&command.command_id, None, (status, detail), now.wall);
        if let Err(error) = kept {
            tracing::warn!(device.id = %self.device.id, error = %error, "a command is not remembered");
        }
        answer(&command.command, &command.command_id, status, detail)
    }

    fn execute(&mut self, command: &Command, now: Now) -> Reactions {
        let (id, word) = (&command.command_id, &command.command);
        let done = (Status::Done, "");
        if let Err(error) = self
            .memory
            .settle(id, Some(command.counter), done, now.wall)
        {
            tracing::warn!(device.id = %self.device.id, error = %error, "a command is not executed");
            return answer(word, id, Status::Failed, "it could not be remembered");
        }
        let is_late = command.expires_at().is_none_or(|at| at < now.wall);
        let mut reactions = vec![note(id, word, What::Executed { is_late })];
        let effects = effects::effects(self.device.class, word).unwrap_or_default();
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Say(..)))
        {
            self.moves += 1;
        }
        for effect in effects {
            match effect {
                Effect::Say(after, say) => reactions.push((after, Reaction::Say(self.moves, say))),
                Effect::Reboot => {
                    reactions.push((effects::REBOOT_AFTER, Reaction::Cut(effects::REBOOT)));
                }
                Effect::SetClock => self.set_clock(command, now),
            }
        }
        reactions.extend(answer(word, id, Status::Done, ""));
        reactions
    }

    fn set_clock(&mut self, command: &Command, now: Now) {
        let time = command.args.get("time").and_then(|time| time.as_str());
        if let Some(time) = time.and_then(|time| time.parse::<Timestamp>().ok()) {
            self.clock_off = time.duration_since(now.wall);
        }
    }
}

fn note(command_id: &str, command: &str, what: What) -> (Duration, Reaction) {
    let note = Note {
        command_id: command_id.to_owned(),
        command: command.to_owned(),
        what,
    };
    (Duration::ZERO, Reaction::Note(note))
}

fn answer(command: &str, command_id: &str, status: Status, detail: &str) -> Reactions {
    let answer = Answer {
        command_id: command_id.to_owned(),
        status,
        detail: detail.to_owned(),
        challenge: None,
    };
    answered(command, answer)
}

fn asking(command: &Command, challenge: String) -> Reactions {
    let answer = Answer {
        command_id: command.command_id.clone(),
        status: Status::Accepted,
        detail: "still wanted?".to_owned(),
        challenge: Some(challenge),
    };
    answered(&command.command, answer)
}

fn answered(command: &str, answer: Answer) -> Reactions {
    let noted = note(&answer.command_id, command, What::Answered(answer.status));
    vec![
        noted,
        (Duration::ZERO, Reaction::Answer(command.to_owned(), answer)),
    ]
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
