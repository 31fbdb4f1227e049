//! The life of a command under loss, duplication, reordering, delay and crashes of both ends (reliability C3, C14): of any number of
//! runs none may carry a command out twice or late, and what the hub says of it must be true.
//!
//! The hub here is the machine with a disk that is written before each step, as the real one's; the device does what
//! `docs/commands.md` says a device does, with a wall clock that is wrong by up to an hour.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::Timestamp;
use crate::id::CommandId;

const RUNS: u64 = 10_000;
/// How long a device holds a challenge good, at most.
const CHALLENGE_GOOD_MS: u64 = 5_000;

/// splitmix64 (public domain, Vigna): the same runs every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Debug, Clone)]
enum Packet {
    Order {
        challenge: Option<String>,
        valid_ms: u64,
    },
    Answer(AnswerStatus, Option<String>),
    State(Feedback),
}

/// What a device keeps; `challenge` is lost when it starts again.
#[derive(Default)]
struct Device {
    challenge: Option<(String, u64)>,
    answered: Option<AnswerStatus>,
    executions: Vec<u64>,
    challenges: u64,
}

struct World {
    dice: Dice,
    /// Milliseconds of true time.
    now: u64,
    start: Timestamp,
    /// What the hub has on disk; it has nothing else.
    hub: DeviceCommand,
    device: Device,
    wire: BTreeMap<(u64, u64), (bool, Packet)>,
    packets: u64,
    /// How often the command, and its release, have left the hub.
    left: [u32; 2],
    bad: Faults,
}

/// How bad this run is.
#[derive(Clone, Copy)]
struct Faults {
    loss: u64,
    duplicate: u64,
    slow: u64,
    hub_crash: u64,
    device_crash: u64,
    connected: u64,
    /// How long the device is away at first, in milliseconds: also beyond the deadline.
    away_ms: u64,
    lies: bool,
}

impl World {
    fn new(seed: u64, action: Action) -> Self {
        let mut dice = Dice(seed);
        let start: Timestamp = "2026-11-27T08:00:00Z".parse().expect("a time");
        let asked = Asked {
            device: "door-1".parse().expect("an id"),
            site: "q1".parse().expect("an id"),
            action,
            args: json!({}),
            purpose: Purpose::Operator,
            by: "wang".to_owned(),
            reason: "model".to_owned(),
            incident: None,
            fire_mode: None,
            needs_two: action.needs_two(),
            at: start,
        };
        let bad = Faults {
            loss: dice.below(40),
            duplicate: dice.below(50),
            slow: dice.below(40),
            hub_crash: dice.below(10),
            device_crash: dice.below(3),
            connected: 20 + dice.below(81),
            away_ms: if dice.chance(5) {
                dice.below(40_000)
            } else {
                0
            },
            lies: dice.chance(5),
        };
        let id = CommandId::new(uuid::Uuid::from_u128(u128::from(seed)));
        Self {
            dice,
            now: 0,
            start,
            hub: DeviceCommand::new(id, asked),
            device: Device::default(),
            wire: BTreeMap::new(),
            packets: 0,
            left: [0; 2],
            bad,
        }
    }

    fn time(&self) -> Timestamp {
        self.start + SignedDuration::from_millis(self.now.cast_signed())
    }

    /// Puts something on the line: lost, once or twice, each at its own speed.
    fn put(&mut self, to_device: bool, packet: &Packet) {
        let copies = if self.dice.chance(self.bad.loss) {
            0
        } else if self.dice.chance(self.bad.duplicate) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = if self.dice.chance(self.bad.slow) {
                self.dice.below(20_000)
            } else {
                self.dice.below(200)
            };
            self.packets += 1;
            let key = (self.now + delay, self.packets);
            self.wire.insert(key, (to_device, packet.clone()));
        }
    }

    /// The hub's worker: claims, writes down, sends, writes down; it may die between any two of them.
    fn hub_turn(&mut self) {
        let now = self.time();
        self.hub.tick(now);
        let Some(step) = self.hub.claim(now, Means::BOTH) else {
            return;
        };
        if self.dice.chance(self.bad.hub_crash) {
            return; // written down, not sent
        }
        let is_there = self.now >= self.bad.away_ms;
        let is_connected = is_there && self.dice.chance(self.bad.connected);
        if is_connected {
            // a device that acts on the first word has no challenge that would save it
            assert!(now < self.hub.expires_at, "it leaves after its deadline");
            self.left[usize::from(step != SendStep::Order)] += 1;
            let packet = match step {
                SendStep::Order => Packet::Order {
                    challenge: None,
                    valid_ms: 0,
                },
                SendStep::Release {
                    challenge,
                    valid_ms,
                } => Packet::Order {
                    challenge: Some(challenge),
                    valid_ms,
                },
            };
            self.put(true, &packet);
        }
        if self.dice.chance(self.bad.hub_crash) {
            return; // sent, not written down
        }
        self.hub.handed(is_connected);
    }

    fn device_gets(&mut self, challenge: Option<String>, valid_ms: u64) {
        if let Some(status) = self.device.answered {
            self.put(false, &Packet::Answer(status, None));
            return;
        }
        if !self.hub.asked.action.opens() {
            self.execute();
            return;
        }
        match (challenge, &self.device.challenge) {
            (None, _) => {
                self.device.challenges += 1;
                let fresh = format!("ch{}", self.device.challenges);
                self.device.challenge = Some((fresh.clone(), self.now));
                self.put(false, &Packet::Answer(AnswerStatus::Accepted, Some(fresh)));
            }
            (Some(given), Some((mine, made))) if given == *mine => {
                let good = valid_ms.min(CHALLENGE_GOOD_MS);
                if self.now - made <= good {
                    self.execute();
                } else {
                    self.device.answered = Some(AnswerStatus::Expired);
                    self.put(false, &Packet::Answer(AnswerStatus::Expired, None));
                }
            }
            (Some(_), _) => {} // not mine
        }
    }

    fn execute(&mut self) {
        if !self.bad.lies {
            self.device.executions.push(self.now);
            if let Some(shows) = self.hub.asked.action.shows() {
                self.put(false, &Packet::State(shows));
            }
        }
        self.device.answered = Some(AnswerStatus::Done);
        self.put(false, &Packet::Answer(AnswerStatus::Done, None));
    }

    fn arrive(&mut self) {
        let due: Vec<_> = self
            .wire
            .range(..=(self.now, u64::MAX))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let Some((to_device, packet)) = self.wire.remove(&key) else {
                continue;
            };
            let at = self.time();
            match packet {
                Packet::Order {
                    challenge,
                    valid_ms,
                } if to_device => self.device_gets(challenge, valid_ms),
                Packet::Answer(status, challenge) => {
                    self.hub.answer(&Answer {
                        command: self.hub.id.to_string(),
                        status,
                        detail: None,
                        challenge,
                        at,
                    });
                }
                Packet::State(shows) => {
                    self.hub.feedback(shows, at);
                }
                Packet::Order { .. } => {}
            }
        }
    }

    /// 200 seconds; most of it after the deadline.
    fn run(mut self) -> (DeviceCommand, Device, bool, [u32; 2]) {
        if self.hub.stage == Stage::Proposed && self.dice.chance(90) {
            let second = "li".parse().expect("an id");
            self.hub.confirm(&second, self.time()).expect("confirms");
        }
        while self.now < 200_000 {
            self.arrive();
            if self.dice.chance(self.bad.device_crash) {
                self.device.challenge = None;
            }
            self.hub_turn();
            self.now += 50 + self.dice.below(if self.now < 15_000 { 150 } else { 3_000 });
        }
        (self.hub, self.device, self.bad.lies, self.left)
    }
}

#[test]
fn of_ten_thousand_runs_none_is_late_none_is_double_and_what_is_said_is_true() {
    let mut stages: BTreeMap<Stage, u64> = BTreeMap::new();
    let actions = [Action::Unlock, Action::Raise, Action::HoldOpen];
    for seed in 0..RUNS {
        let action = actions[(seed % 3) as usize];
        let world = World::new(seed, action);
        let start = world.start;
        let (hub, device, lies, left) = world.run();
        assert!(
            left.iter().all(|times| *times <= 1),
            "run {seed}: left {left:?} times"
        );
        let done = device.executions.len();
        assert!(done <= 1, "run {seed}: carried out {done} times");
        for at in &device.executions {
            let at = start + SignedDuration::from_millis(at.cast_signed());
            let issued = hub.issued_at.expect("what is carried out was released");
            assert!(
                at <= issued + DEADLINE,
                "run {seed}: carried out at {at}, released at {issued}"
            );
        }
        assert!(hub.stage.is_final(), "run {seed}: ends as {}", hub.stage);
        match hub.stage {
            Stage::Expired | Stage::Rejected | Stage::Failed | Stage::Withdrawn => {
                assert_eq!(done, 0, "run {seed}: called {} and carried out", hub.stage);
            }
            Stage::Done if !lies => assert_eq!(done, 1, "run {seed}: called done and was not"),
            Stage::Done => panic!("run {seed}: a lie was believed"),
            // the word that it was done came, the state's did not
            Stage::NoEffect | Stage::Unknown => {}
            other => panic!("run {seed}: {other} is not an end"),
        }
        *stages.entry(hub.stage).or_default() += 1;
    }
    for (stage, least) in [
        (Stage::Done, 2_000),
        (Stage::Expired, 500),
        (Stage::Unknown, 500),
        (Stage::NoEffect, 100),
    ] {
        let seen = stages.get(&stage).copied().unwrap_or(0);
        assert!(
            seen >= least,
            "only {seen} runs ended as {stage}: {stages:?}"
        );
    }
}
