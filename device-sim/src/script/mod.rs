//! Plays a scenario: one endless, ordered sequence of what which device says when. The same devices, scenario and seed give
//! the same sequence; it knows no clock and no connection.
//!
//! Cast: a heap of things that are due; each of them, when its time comes, says something and puts its next time back on the
//! heap. Every source of chance has a generator of its own, so that one more device changes nothing for the others.

mod life;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use domain::{DeviceClass, RuleId};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::SimDevice;
use crate::native::{Fields, Say};
use crate::scenario::{Action, Scenario, matches};
use life::{Life, Readings};

/// A device sends its readings after this share of its heartbeat, so that one lost message is not yet silence.
const TELEMETRY_SHARE: f64 = 0.4;
/// Readings come at least this often, also from detectors with a heartbeat of a day.
const TELEMETRY_MAX: Duration = Duration::from_mins(10);
/// Heartbeat of a device on battery, at least.
const ON_BATTERY_S: u32 = 3600;
/// How the ids of escape doors begin.
const ESCAPE_DOOR: &str = "exit-";

/// Somebody says something.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Since the start of the script.
    pub at: Duration,
    /// Position of the device in the list that the script was made with.
    pub device: usize,
    /// What it says; nothing when a silence begins.
    pub say: Option<Say>,
    /// How far ahead of the true time its clock is.
    pub clock_off: SignedDuration,
    /// How long its connection is cut from now on.
    pub offline: Option<Duration>,
    /// The rule that must open an incident because of it.
    pub expect: Option<RuleId>,
}

/// The endless sequence of [`Line`]s. It ends only when nothing repeats and there is no background.
pub struct Script {
    classes: Vec<DeviceClass>,
    scenario: Scenario,
    seed: u64,
    heap: BinaryHeap<Reverse<Due>>,
    made: u64,
    silent_until: Vec<Duration>,
    readings: Vec<Readings>,
    lives: Vec<Life>,
    ids: Vec<String>,
    /// Whether ordinary life happens at it.
    is_lively: Vec<bool>,
}

/// Something that will happen; ordered by time, and by age where the time is the same.
struct Due {
    at: Duration,
    number: u64,
    what: What,
}

enum What {
    /// The next round of the steps.
    Round(u64),
    /// A step for the given device, the n-th time.
    Step {
        step: usize,
        device: usize,
        nth: u32,
    },
    /// A device's readings.
    Telemetry(usize),
    /// The next bit of ordinary life of this kind.
    Life(usize),
    /// The rest of a bit of life.
    Say(usize, Say),
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Script {
    /// A script for these devices. Steps for which there is no device are left out; see [`missing`].
    pub fn new(devices: &[SimDevice], scenario: Scenario, seed: u64) -> Self {
        let mut script = Self {
            classes: devices.iter().map(|d| d.class).collect(),
            ids: devices.iter().map(|d| d.id.to_string()).collect(),
            is_lively: devices.iter().map(is_lively).collect(),
            seed,
            heap: BinaryHeap::new(),
            made: 0,
            silent_until: vec![Duration::ZERO; devices.len()],
            readings: Vec::new(),
            lives: Vec::new(),
            scenario,
        };
        if script.scenario.background.telemetry {
            for (at, device) in devices.iter().enumerate() {
                let mut readings = Readings::new(
                    StdRng::seed_from_u64(mix(seed, "readings", at as u64)),
                    telemetry_every(device),
                );
                let first = readings.first_after();
                script.readings.push(readings);
                script.push(first, What::Telemetry(at));
            }
        }
        script.add_lives();
        if !script.scenario.steps.is_empty() {
            script.push(Duration::ZERO, What::Round(0));
        }
        script
    }

    fn add_lives(&mut self) {
        let played: Vec<&str> = self
            .scenario
            .steps
            .iter()
            .map(|s| self.scenario.pattern(s))
            .collect();
        // who plays a part in the scenario leads no other life, or ordinary life would undo what the scenario does
        let idle = |class| {
            let of_class = |at: &usize| {
                self.classes[*at] == class
                    && self.is_lively[*at]
                    && !played.iter().any(|p| matches(p, &self.ids[*at]))
            };
            (0..self.ids.len()).filter(of_class).collect::<Vec<usize>>()
        };
        let rates = self.scenario.background;
        let lives: Vec<Life> = [
            (DeviceClass::Barrier, rates.vehicles_per_minute),
            (DeviceClass::Access, rates.doors_per_minute),
            (DeviceClass::Camera, rates.motion_per_minute),
        ]
        .into_iter()
        .map(|(class, rate)| (class, rate, idle(class)))
        .filter(|(_, rate, devices)| *rate > 0.0 && !devices.is_empty())
        .map(|(class, rate, devices)| {
            let rng = StdRng::seed_from_u64(mix(self.seed, class.as_str(), 0));
            Life::new(rng, class, devices, rate)
        })
        .collect();
        self.lives = lives;
        for at in 0..self.lives.len() {
            let first = self.lives[at].pause();
            self.push(first, What::Life(at));
        }
    }

    fn push(&mut self, at: Duration, what: What) {
        self.made += 1;
        self.heap.push(Reverse(Due {
            at,
            number: self.made,
            what,
        }));
    }

    /// Puts all steps of a round on the heap, each with the device drawn for it, and the next round.
    fn round(&mut self, start: Duration, round: u64) {
        let mut rng = StdRng::seed_from_u64(mix(self.seed, "round", round));
        let mut cast: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let spread = match &self.scenario.repeat {
            Some(repeat) if round > 0 => repeat.spread,
            _ => 1.0,
        };
        let mut due = Vec::new();
        for (at, step) in self.scenario.steps.iter().enumerate() {
            let device = *cast.entry(step.device.clone()).or_insert_with(|| {
                let pattern = self.scenario.pattern(step);
                let fitting: Vec<usize> = (0..self.ids.len())
                    .filter(|d| matches(pattern, &self.ids[*d]))
                    .collect();
                (!fitting.is_empty()).then(|| fitting[rng.random_range(0..fitting.len())])
            });
            let Some(device) = device else { continue };
            let first = start + step.at.mul_f64(spread);
            for nth in 0..step.times {
                let step = What::Step {
                    step: at,
                    device,
                    nth,
                };
                due.push((first + self.scenario.steps[at].every * nth, step));
            }
        }
        for (at, what) in due {
            self.push(at, what);
        }
        if let Some(repeat) = self.scenario.repeat {
            self.push(start + repeat.every, What::Round(round + 1));
        }
    }

    fn step(&mut self, now: Duration, step: usize, device: usize, nth: u32) -> Line {
        let step = &self.scenario.steps[step];
        let say = match &step.action {
            Action::Event {
                kind,
                phase,
                component,
                attrs,
            } => Some(Say::Event {
                kind: *kind,
                phase: *phase,
                component: component.clone(),
                attrs: attrs.clone(),
            }),
            Action::State { component, fields } => Some(Say::State {
                component: component.clone(),
                fields: fields.clone(),
            }),
            Action::Telemetry(fields) => Some(Say::Telemetry(fields.clone())),
            Action::Response { command, fields } => Some(Say::Response {
                command: command.clone(),
                fields: fields.clone(),
            }),
            Action::Raw { topic, payload } => Some(Say::Raw {
                topic: topic.clone(),
                payload: payload.clone(),
            }),
            Action::Silence(span) | Action::Offline(span) => {
                self.silent_until[device] = now + *span;
                None
            }
        };
        let offline = match step.action {
            Action::Offline(span) => Some(span),
            _ => None,
        };
        Line {
            at: now,
            device,
            say,
            clock_off: step.clock_off,
            offline,
            expect: step.expect.clone().filter(|_| nth + 1 == step.times),
        }
    }
}

impl Iterator for Script {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let Reverse(Due { at, what, .. }) = self.heap.pop()?;
            let (device, say) = match what {
                What::Round(round) => {
                    self.round(at, round);
                    continue;
                }
                What::Step { step, device, nth } => return Some(self.step(at, step, device, nth)),
                What::Telemetry(device) => {
                    let (fields, pause) = self.readings[device].next(self.classes[device]);
                    self.push(at + pause, What::Telemetry(device));
                    (device, Say::Telemetry(fields))
                }
                What::Life(which) => {
                    let life = &mut self.lives[which];
                    let (pause, said) = (life.pause(), life.bit());
                    self.push(at + pause, What::Life(which));
                    for (after, device, say) in said {
                        self.push(at + after, What::Say(device, say));
                    }
                    continue;
                }
                What::Say(device, say) => (device, say),
            };
            if at >= self.silent_until[device] {
                return Some(Line {
                    at,
                    device,
                    say: Some(say),
                    clock_off: SignedDuration::ZERO,
                    offline: None,
                    expect: None,
                });
            }
        }
    }
}

/// The parts of a scenario that no device of the list can play: ids and patterns.
pub fn missing(devices: &[SimDevice], scenario: &Scenario) -> Vec<String> {
    let mut missing: Vec<String> = scenario
        .steps
        .iter()
        .map(|step| scenario.pattern(step))
        .filter(|pattern| !devices.iter().any(|d| matches(pattern, d.id.as_str())))
        .map(str::to_owned)
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// The scenario without the steps that no device of the list can play, for fleets that are small on purpose.
pub fn playable(devices: &[SimDevice], mut scenario: Scenario) -> Scenario {
    let missing = missing(devices, &scenario);
    let mut steps = std::mem::take(&mut scenario.steps);
    steps.retain(|step| !missing.iter().any(|m| m == scenario.pattern(step)));
    scenario.steps = steps;
    scenario
}

/// At most `n` of the devices, those first that the scenario names; the rest evenly from the whole list.
pub fn choose(devices: &[SimDevice], scenario: &Scenario, n: usize) -> Vec<SimDevice> {
    let wanted: Vec<&str> = scenario.required_devices().collect();
    let (named, others): (Vec<_>, Vec<_>) = devices
        .iter()
        .partition(|d| wanted.contains(&d.id.as_str()));
    let room = n.saturating_sub(named.len()).min(others.len());
    let spaced = (0..room).map(|at| others[at * others.len() / room]);
    named.into_iter().chain(spaced).take(n).cloned().collect()
}

/// Nobody goes through an escape door, and the contact in the door of a flat (which is on battery) reads no cards.
fn is_lively(device: &SimDevice) -> bool {
    let is_contact = device.class == DeviceClass::Access && device.heartbeat_s >= ON_BATTERY_S;
    !is_contact && !device.id.as_str().starts_with(ESCAPE_DOOR)
}

fn telemetry_every(device: &SimDevice) -> Duration {
    Duration::from_secs_f64(f64::from(device.heartbeat_s) * TELEMETRY_SHARE).min(TELEMETRY_MAX)
}

/// A seed for one source of chance: FNV-1a over the run's seed, the source's name and its number.
fn mix(seed: u64, source: &str, number: u64) -> u64 {
    seed.to_le_bytes()
        .iter()
        .chain(source.as_bytes())
        .chain(&number.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Fields from pairs.
fn fields<const N: usize>(pairs: [(&str, serde_json::Value); N]) -> Fields {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

#[cfg(test)]
mod tests;
