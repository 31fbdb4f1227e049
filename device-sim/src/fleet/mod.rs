//! A fleet of simulated devices over real MQTT: one connection and one task each, all fed from one script.
//!
//! Cast: the *script* says who says what when; the *conductor* (in [`Fleet::run`]) waits for the time and hands each line to
//! its *device*; the device keeps it in its *outbox* until the hub has acknowledged it; the *ledger* remembers that it did.
//! Devices are dropped with the future of `run`; nothing is spawned that outlives it.

mod device;
mod ledger;
mod orders;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::command::{Executor, Key, Manner, Manners, Memory, MemoryError};
use crate::credentials::{CredentialsError, SimDevice, broker_address};
use crate::scenario::Scenario;
use crate::script::{Line, Script};
use crate::{native, script};
use device::{Device, Order};
use ledger::Ledger;

pub use ledger::{Acked, FleetReport, ScenarioEvent};
pub use orders::{CommandRecord, CommandReport};

/// Lines that wait for a device's task.
const ORDERS_MAX: usize = 256;
/// Devices that connect within one second at the start.
const CONNECTS_PER_SECOND: u32 = 500;
/// How long unacknowledged events may take after `stop`.
const DRAIN: Duration = Duration::from_secs(5);

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Where devices connect: `mqtt://host:port` or `host:port`.
    pub mqtt: String,
    /// Who connects.
    pub devices: Vec<SimDevice>,
    /// What happens.
    pub scenario: Scenario,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Part of every event's id, so that a second run with the same seed is not taken for a repetition: 1 to 32 characters.
    pub run: String,
    /// How many acknowledged ids the report may hold; older ones are only counted.
    pub acked_max: usize,
    /// How devices take commands, and how wrong their clocks are; what the scenario says comes after this.
    pub manners: Manners,
    /// Commands must be signed with the other half of it, where there is one.
    pub command_key: Option<Key>,
    /// A folder in which devices remember what they have executed; without it they forget it with the process.
    pub memory: Option<PathBuf>,
}

impl FleetConfig {
    /// With a run name made of the time, and a report of up to 200,000 acknowledged ids.
    pub fn new(
        mqtt: impl Into<String>,
        devices: Vec<SimDevice>,
        scenario: Scenario,
        seed: u64,
    ) -> Self {
        Self {
            mqtt: mqtt.into(),
            devices,
            scenario,
            seed,
            run: run_name(),
            acked_max: 200_000,
            manners: Manners::default(),
            command_key: None,
            memory: None,
        }
    }
}

/// A name for a run: the milliseconds of now, in hexadecimal.
pub fn run_name() -> String {
    format!("{:x}", Timestamp::now().as_millisecond())
}

/// Why there can be no such fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The broker's address is none.
    #[error("where to connect")]
    Address(#[source] CredentialsError),
    /// The run's name is empty, too long, or not printable.
    #[error("`{0}` cannot name a run (hint: 1 to 32 of a-z, 0-9 and -)")]
    Run(String),
    /// Two devices would take each other's sessions over.
    #[error("device `{0}` is there twice")]
    Twice(String),
    /// The scenario needs devices that are not there.
    #[error("the scenario needs {} (hint: more devices, or another scenario)", .0.join(", "))]
    Missing(Vec<String>),
    /// A device does not know what it has executed.
    #[error("what devices have executed")]
    Memory(#[from] MemoryError),
}

/// The clock of one device, which somebody may set. Clones show the same time.
#[derive(Debug, Clone)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn new(off: SignedDuration) -> Self {
        let clock = Self(Arc::default());
        clock.set(off);
        clock
    }

    /// How far ahead of the true time it is from now on.
    fn set(&self, off: SignedDuration) {
        let ms = i64::try_from(off.as_millis()).unwrap_or_default();
        self.0.store(ms, Ordering::Relaxed);
    }

    fn read(&self, now: Timestamp) -> Timestamp {
        let off = SignedDuration::from_millis(self.0.load(Ordering::Relaxed));
        now.checked_add(off).unwrap_or(now)
    }
}

/// Where the conductor leaves the lines for a device.
#[derive(Debug)]
struct Desk {
    sender: mpsc::Sender<Order>,
    clock: Clock,
}

/// What each device remembers, in the order of the devices.
fn memories(config: &FleetConfig) -> Result<Vec<Memory>, MemoryError> {
    let of = |device: &SimDevice| match &config.memory {
        Some(folder) => Memory::open(folder, &device.id),
        None => Ok(Memory::default()),
    };
    config.devices.iter().map(of).collect()
}

/// A fleet that has not been started.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    address: (String, u16),
    ledger: Arc<Ledger>,
    memories: Vec<Memory>,
}

/// A look at a fleet that runs elsewhere.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Ledger>);

impl Progress {
    /// Events published and acknowledged so far.
    pub fn counts(&self) -> (u64, u64) {
        self.0.progress()
    }

    /// The report as it would be now.
    pub fn report(&self) -> FleetReport {
        self.0.report()
    }
}

impl Fleet {
    /// Checks the configuration. Without devices the fleet does nothing, whatever the scenario.
    pub fn new(config: FleetConfig) -> Result<Self, FleetError> {
        let address = broker_address(&config.mqtt).map_err(FleetError::Address)?;
        let fit = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !(1..=32).contains(&config.run.len()) || !config.run.bytes().all(fit) {
            return Err(FleetError::Run(config.run.chars().take(80).collect()));
        }
        let mut ids: Vec<_> = config.devices.iter().map(|d| &d.id).collect();
        ids.sort();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(FleetError::Twice(pair[0].to_string()));
        }
        let missing = script::missing(&config.devices, &config.scenario);
        if !missing.is_empty() && !config.devices.is_empty() {
            return Err(FleetError::Missing(missing));
        }
        let memories = memories(&config)?;
        let ledger = Arc::new(Ledger::new(config.acked_max));
        Ok(Self {
            config,
            address,
            ledger,
            memories,
        })
    }

    /// A look at the fleet while it runs.
    pub fn progress(&self) -> Progress {
        Progress(Arc::clone(&self.ledger))
    }

    /// Connects the devices and plays the script until `stop`; then says good-bye and waits up to 5 s for what is not yet
    /// acknowledged.
    pub async fn run(mut self, stop: CancellationToken) -> FleetReport {
        let mut tasks = JoinSet::new();
        let mut orders = Vec::with_capacity(self.config.devices.len());
        let memories = std::mem::take(&mut self.memories);
        for ((at, device), memory) in self.config.devices.iter().enumerate().zip(memories) {
            let (sender, receiver) = mpsc::channel(ORDERS_MAX);
            let manner = self.manner(device);
            let clock = Clock::new(manner.clock_off);
            let executor = Executor::new(device.clone(), manner, self.config.command_key, memory);
            let device = Device::new(
                device.clone(),
                &self.address,
                self.config.run.clone(),
                self.config.seed ^ at as u64,
                Arc::clone(&self.ledger),
                (executor, clock.clone()),
            );
            orders.push(Desk { sender, clock });
            let start_after = Duration::from_secs(1) * at as u32 / CONNECTS_PER_SECOND;
            tasks.spawn(device.run(receiver, start_after));
        }
        self.conduct(&orders, &stop).await;
        drop(orders);
        let drained = timeout(DRAIN, async { while tasks.join_next().await.is_some() {} });
        if drained.await.is_err() {
            tracing::warn!(
                fleet.unfinished = tasks.len(),
                "devices left with unacknowledged messages"
            );
        }
        tasks.shutdown().await;
        self.ledger.report()
    }

    /// How a device takes commands: as the configuration says, else as the scenario does.
    fn manner(&self, device: &SimDevice) -> Manner {
        let mut manners = self.config.manners.clone();
        let told = &self.config.scenario.behaviours;
        manners.behaviours.extend(told.iter().cloned());
        manners.of(&device.id)
    }

    /// Hands out the lines of the script at their times, until `stop` or the end of the script and then `stop`.
    async fn conduct(&self, orders: &[Desk], stop: &CancellationToken) {
        let start = Instant::now();
        let script = Script::new(
            &self.config.devices,
            self.config.scenario.clone(),
            self.config.seed,
        );
        let mut counters = vec![0_u64; orders.len()];
        for line in script {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(start + line.at) => {}
            }
            self.hand_out(line, orders, &mut counters);
        }
        stop.cancelled().await;
    }

    fn hand_out(&self, line: Line, orders: &[Desk], counters: &mut [u64]) {
        let device = &self.config.devices[line.device];
        let Desk { sender, clock } = &orders[line.device];
        let now = Timestamp::now();
        let mut event_id = None;
        if let Some(say) = line.say {
            counters[line.device] += 1;
            let id = format!("{}-{}", self.config.run, counters[line.device]);
            let at = clock.read(now).checked_add(line.clock_off).unwrap_or(now);
            let message = native::encode(device, &say, id, at);
            let is_event = message.id.is_some();
            event_id.clone_from(&message.id);
            let order = Order::Say { message, at: now };
            match sender.try_send(order) {
                Ok(()) if is_event => self.ledger.published(),
                Err(_) if is_event => self.ledger.refused(),
                _ => {}
            }
        }
        if let Some(span) = line.offline {
            // a device whose queue is full has other troubles
            let _ = sender.try_send(Order::Offline(span));
        }
        if let Some(rule) = line.expect {
            tracing::info!(rule.id = %rule, device.id = %device.id, "scenario event");
            self.ledger.scenario_event(ScenarioEvent {
                rule,
                device: device.id.clone(),
                at: now,
                id: event_id,
            });
        }
    }
}
