//! Commands on their way to devices: claims what may go, puts it on the wire once, and journals what became of it.
//!
//! The state decides ([`store::state::State::claim_commands`]): what is claimed is on disk as claimed before the first byte leaves, and is
//! never claimed again, so that a hub that dies in between opens nothing twice. Which way a device is reached: [`ways`].

mod http;
mod key;
mod payload;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::device_command::{Answer, AnswerStatus, DeviceCommand, Means};
use domain::{CommandId, Lane, Timestamp};
use serde_json::json;
use store::journal::Journal;
use store::state::{Claimed, State, StateError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use http::Target;
pub use key::CommandKey;
pub use payload::Form;
pub use ways::{BridgeForm, BridgeWay, Way, Ways};

use crate::adapters::hub;
use crate::clock::Clock;
use crate::exchange::Exchange;

/// How often it is looked whether a device has come, or a time has run out, while something is under way.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked when nothing is.
const IDLE: Duration = Duration::from_secs(1);
/// Devices that are asked over HTTP at one time.
const HTTP_MAX: usize = 16;

/// Everything the worker works with.
pub struct Worker {
    /// Where commands are kept.
    pub state: State,
    /// The way to those who subscribe.
    pub exchange: Exchange,
    /// The way of each device.
    pub ways: Arc<Ways>,
    /// What signs.
    pub key: Arc<CommandKey>,
    /// Where it is told what became of them.
    pub journal: Journal,
    /// The hub's clock.
    pub clock: Clock,
}

impl Worker {
    /// Drives commands until the hub stops.
    ///
    /// # Errors
    /// A state database that cannot be read or written, where that does not pass.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let worker = Arc::new(self);
        let places = Arc::new(Semaphore::new(HTTP_MAX));
        let mut changed = worker.state.commands_changed();
        let mut is_waiting = false;
        // handed over, and not yet written down: a full disk must not make a claim of it again, and does not; the word is owed
        let mut owed: HashMap<CommandId, bool> = HashMap::new();
        loop {
            changed.borrow_and_update();
            let busy = match worker.round(&places, &mut owed).await {
                Ok(busy) => {
                    is_waiting = false;
                    busy
                }
                Err(e) if e.is_retryable() => {
                    if !is_waiting {
                        error!(error = %e, "commands to devices cannot be written now and none goes out, waiting (hint: is the disk of `data.dir` full?)");
                    }
                    is_waiting = true;
                    true
                }
                Err(e) => return Err(e.into()),
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(if busy { TICK } else { IDLE }) => {}
                _ = changed.changed(), if !busy => {}
            }
        }
    }

    /// One look; says whether something is under way.
    async fn round(
        self: &Arc<Self>,
        places: &Arc<Semaphore>,
        owed: &mut HashMap<CommandId, bool>,
    ) -> Result<bool, StateError> {
        self.pay(owed).await?;
        self.tell().await?;
        let waiting = self.state.commands_under_way().await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let mut reached = HashMap::new();
        for command in waiting.iter().filter(|command| command.wants_to_go()) {
            if let Some(means) = self.reach(command).await {
                reached.insert(command.id, means);
            }
        }
        let now = self.clock.now();
        let is_due = |command: &DeviceCommand| command.due_at().is_some_and(|due| due <= now);
        // the one connection that writes is not asked for nothing
        if reached.is_empty() && !waiting.iter().any(is_due) {
            return Ok(true);
        }
        let claimed = self
            .state
            .claim_commands(now, |id| reached.get(&id).copied())
            .await?;
        for claimed in claimed {
            let id = claimed.command.id;
            let Some(way) = self.ways.of(&self.state, &claimed.command.asked) else {
                owed.insert(id, false);
                continue;
            };
            match way {
                Way::Http(target, door) => {
                    let (worker, places) = (Arc::clone(self), Arc::clone(places));
                    tokio::spawn(async move {
                        let Ok(_place) = places.acquire().await else {
                            return;
                        };
                        worker.ask(&target, door, claimed).await;
                    });
                }
                Way::Mqtt {
                    account,
                    topic,
                    address,
                    part,
                    form,
                } => {
                    let payload = form.payload(&claimed, (&address, part), &self.key, now);
                    let expires_at = claimed.command.expires_at;
                    match self
                        .exchange
                        .hand(&account, &topic, payload.into(), expires_at)
                        .await
                    {
                        Ok(delivered) => {
                            info!(command.id = %id, device.id = %claimed.command.asked.device, delivered, "command handed over");
                            owed.insert(id, delivered);
                        }
                        // it may have gone out: it stays claimed, and its outcome is unknown unless the device tells
                        Err(e) => {
                            warn!(command.id = %id, error = %e, "command may not have gone out");
                        }
                    }
                }
            }
        }
        self.pay(owed).await?;
        Ok(true)
    }

    /// Writes down what was handed over.
    async fn pay(&self, owed: &mut HashMap<CommandId, bool>) -> Result<(), StateError> {
        while let Some((id, delivered)) = owed.iter().next().map(|(id, done)| (*id, *done)) {
            let now = self.clock.now();
            self.state.command_handed(id, delivered, now).await?;
            owed.remove(&id);
        }
        Ok(())
    }

    /// What comes back from a command's device; none when it cannot be reached now.
    async fn reach(&self, command: &DeviceCommand) -> Option<Means> {
        match self.ways.of(&self.state, &command.asked)? {
            Way::Http(..) => Some(Means {
                answers: true,
                shows: false,
            }),
            Way::Mqtt {
                account,
                topic,
                form,
                ..
            } => {
                let hears = self.exchange.hears(&account, &topic).await.ok()?;
                hears.then_some(form.means())
            }
        }
    }

    /// Asks a device over HTTP. What comes back is its answer; nothing within its time is no answer.
    async fn ask(&self, target: &http::Target, door: u16, claimed: Claimed) {
        let command = &claimed.command;
        let now = self.clock.now();
        let left = command.expires_at.duration_since(now);
        let outcome = match Duration::try_from(left) {
            Ok(left) => target.ask(command.asked.action, door, left).await,
            Err(_) => http::Outcome::NotSent("too_late".to_owned()),
        };
        let now = self.clock.now();
        let (status, detail) = match outcome {
            http::Outcome::Done => (AnswerStatus::Done, None),
            http::Outcome::Refused(why) => (AnswerStatus::Rejected, Some(why)),
            http::Outcome::NotSent(why) => (AnswerStatus::Failed, Some(why)),
            http::Outcome::NoAnswer(why) => {
                warn!(command.id = %command.id, error = why, "the device gave no answer");
                return;
            }
        };
        let answer = Answer {
            command: command.id.to_string(),
            status,
            detail,
            challenge: None,
            at: now,
        };
        if let Err(e) = self.state.command_answered(command.id, &answer, now).await {
            // its time runs out, and it is called unknown
            error!(command.id = %command.id, error = %e, "a device's answer could not be written");
        }
    }

    /// Journals what commands came to, so that it is history and rules see it.
    async fn tell(&self) -> Result<(), StateError> {
        for command in self.state.untold_commands().await? {
            let note = note(&command, self.clock.now());
            if let Err(e) = self.journal.append_durable(Lane::Alarm, note).await {
                warn!(error = %e, "what became of a command is not journalled yet");
                return Ok(());
            }
            self.state.command_told(&command).await?;
            metrics::counter!("hub_commands_total", "stage" => command.stage.as_str(), "purpose" => command.asked.purpose.as_str())
                .increment(1);
        }
        Ok(())
    }
}

/// What became of a command, as the hub journals it.
fn note(command: &DeviceCommand, at: Timestamp) -> domain::Uplink {
    let asked = &command.asked;
    let payload = json!({
        "command_id": command.id,
        "command": asked.action,
        "status": command.stage,
        "purpose": asked.purpose,
        "detail": command.detail,
        "asked_by": asked.by,
    });
    let topic = format!("{}{}", hub::COMMAND, asked.device);
    hub::note(at, topic, 0, payload.to_string().into_bytes())
}
