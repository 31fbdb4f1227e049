//! Scenarios: what happens in the compound, when, and which rule must notice. Files in `scenarios/`, or anybody's.
//!
//! A scenario is data: a cast of devices, steps at offsets from its start, a rate of ordinary life in the background, and
//! perhaps a repetition. It says nothing of clocks or connections; `script` plays it.
//!
//! ```toml
//! title = "Smoke in one flat"
//! # the rules that it makes ring: these and no others
//! fires = ["S1"]
//! # who plays: a device id, or a pattern with `*` of which one device is drawn for each round
//! cast = { kitchen = "smoke-q1-*" }
//! # ordinary life over the whole fleet; who has a part in the steps keeps away from it
//! background = { vehicles_per_minute = 6, doors_per_minute = 12, motion_per_minute = 3, telemetry = true }
//! # again every 12 minutes, with offsets six times as long (optional)
//! repeat = { every = "12m", spread = 6 }
//!
//! [[step]]
//! at = "5s"                 # from the start of the round
//! device = "kitchen"        # a name of the cast, or a device id
//! kind = "fire.smoke"       # an event; or one of those below
//! phase = "raised"          # instant (default), raised, updated, cleared
//! attrs = { level = 8.4 }   # the kind's own fields; component = "door-1" where it has parts
//! times = 3                 # optional, with
//! every = "2s"
//! clock_off = "-40s"        # optional: how wrong the device's clock is
//! expect = "S1"             # the rule that must ring after the last time
//! ```
//!
//! Instead of a `kind`, a step has one of: `state = "door-1"` with `fields = {…}`; `telemetry = {…}`; `response = "raise"` with
//! `fields = {…}`, what came of a command; `raw = "a/topic"` with `payload = "…"`, bytes that no sound device sends;
//! `silent_for = "2m"`, a device that hangs; `offline_for = "2m"`, a device whose connection is cut.
//!
//! `commands = { door = "refuse: jammed" }`, before the steps, says how devices take commands: by a name of the cast (then every
//! device of its pattern), a device id or a pattern; see `Behaviour`.
//!
//! `[[include]]` with `scenario = "forced-door"` and `at = "3m"` plays another scenario that ships within this one.
//! `hour = "02:30"` says when in the day its rules ring, `lasts = "24h"` how long it takes; both matter only to tests that play
//! it in virtual time.

mod nearest;
mod parse;

pub(crate) use parse::span;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use domain::{Kind, Phase, RuleId};
use jiff::SignedDuration;
use jiff::civil::Time;

use crate::command::Behaviour;
use crate::native::Fields;

macro_rules! embed {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../scenarios/", $name, ".toml")),
        )
    };
}

/// The scenarios that come with the simulator: name and text.
const EMBEDDED: &[(&str, &str)] = &[
    embed!("demo"),
    embed!("quiet-day"),
    embed!("smoke-in-one-flat"),
    embed!("confirmed-fire"),
    embed!("blacklisted-plate"),
    embed!("forced-door"),
    embed!("e-bike-in-lift"),
    embed!("detector-goes-silent"),
    embed!("refused-card"),
    embed!("again-and-again"),
    embed!("alarm-inputs"),
    embed!("barrier-damage"),
    embed!("barrier-stuck"),
    embed!("barrier-stuck-in-fire"),
    embed!("broken-firmware"),
    embed!("burglary"),
    embed!("busy-flat"),
    embed!("camera-list"),
    embed!("camera-offline"),
    embed!("cameras-lost"),
    embed!("cloned-plate"),
    embed!("clutter"),
    embed!("controller-trouble"),
    embed!("copied-card"),
    embed!("coverage-lost"),
    embed!("detector-faults"),
    embed!("detectors-of-a-building"),
    embed!("door-held-open"),
    embed!("door-stays-open"),
    embed!("duress"),
    embed!("e-bike-again"),
    embed!("elder-silent"),
    embed!("escape-door-locked"),
    embed!("everything"),
    embed!("falling-object"),
    embed!("fight"),
    embed!("fire-lane-blocked"),
    embed!("fire-mode-failure"),
    embed!("fleeting-smoke"),
    embed!("gate-offline"),
    embed!("goods-vehicle"),
    embed!("lorry-at-night"),
    embed!("lost-card"),
    embed!("low-batteries"),
    embed!("over-the-wall"),
    embed!("power-cut"),
    embed!("queue-at-gate"),
    embed!("shed-fire"),
    embed!("shop-kitchen"),
    embed!("shop-spills-over"),
    embed!("somebody-inside"),
    embed!("street-vendor"),
    embed!("tailgating"),
    embed!("tailgating-at-night"),
    embed!("taken-over-device"),
    embed!("vendor-stays"),
    embed!("visitor-stays"),
    embed!("wanted-man"),
    embed!("watched-card"),
    embed!("wrong-clocks"),
];

/// Whether a scenario neither repeats nor includes others; unknown ones count as such.
fn is_plain(name: &str) -> bool {
    let text = EMBEDDED.iter().find(|(known, _)| *known == name);
    text.is_none_or(|(_, text)| {
        !text
            .lines()
            .any(|line| line.starts_with("[[include]]") || line.starts_with("repeat"))
    })
}

/// A scenario, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// One line for people.
    pub title: String,
    /// The rules that it makes ring, and no others.
    pub fires: Vec<RuleId>,
    /// Who plays: name in the steps → device id, or a pattern with `*` of which one device is drawn in each round.
    pub cast: BTreeMap<String, String>,
    /// Ordinary life.
    pub background: Background,
    /// What happens, in the order of the file.
    pub steps: Vec<Step>,
    /// Whether it happens again.
    pub repeat: Option<Repeat>,
    /// The hour in the compound at which its rules ring, where that matters: it is played then in virtual time.
    pub hour: Option<Time>,
    /// How devices take commands, by id or pattern; the first that fits counts, and the rest obeys.
    pub behaviours: Vec<(String, Behaviour)>,
    /// How long it has to be played, where that is longer than its steps tell.
    pub lasts: Option<Duration>,
}

/// Ordinary life: how often, over the whole fleet, in events per minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Background {
    /// Vehicles through the barriers.
    pub vehicles_per_minute: f64,
    /// People through the doors.
    pub doors_per_minute: f64,
    /// Motion before the cameras.
    pub motion_per_minute: f64,
    /// Devices send their readings.
    pub telemetry: bool,
}

/// Again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeat {
    /// From the start of one round to the start of the next.
    pub every: Duration,
    /// From the second round on, offsets are multiplied by this, so that life is calmer.
    pub spread: f64,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// From the start of the round.
    pub at: Duration,
    /// A name of the cast, or a device id.
    pub device: String,
    /// What it does.
    pub action: Action,
    /// How many times, at least once.
    pub times: u32,
    /// Between two times.
    pub every: Duration,
    /// How far ahead of the true time the device's clock is.
    pub clock_off: SignedDuration,
    /// The rule that must ring when the last time is over.
    pub expect: Option<RuleId>,
}

/// What a device does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sends an event.
    Event {
        /// What happened.
        kind: Kind,
        /// Which part of the episode.
        phase: Phase,
        /// Which part of the device; none for the device as a whole.
        component: Option<String>,
        /// The kind's own fields.
        attrs: Fields,
    },
    /// Reports how a part of it stands.
    State {
        /// Which part.
        component: String,
        /// Its fields.
        fields: Fields,
    },
    /// Sends its readings.
    Telemetry(Fields),
    /// Tells what came of a command.
    Response {
        /// Which command.
        command: String,
        /// Its fields.
        fields: Fields,
    },
    /// Sends bytes that no sound device sends.
    Raw {
        /// Where to.
        topic: String,
        /// What.
        payload: String,
    },
    /// Keeps its connection and says nothing of its own accord.
    Silence(Duration),
    /// Loses its connection and says nothing until it is back.
    Offline(Duration),
}

/// Why a scenario cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// There is none of that name.
    #[error("unknown scenario `{name}`{hint}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest one, or all of them.
        hint: String,
    },
    /// The file could not be read.
    #[error("cannot read scenario `{path}`: {why}")]
    Read {
        /// Which file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// Mistakes in the text, all of them.
    #[error("{}", mistakes.join("\n"))]
    Mistakes {
        /// Each with file and step.
        mistakes: Vec<String>,
    },
}

impl Scenario {
    /// The names of the scenarios that come with the simulator; the first is the default.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// One of the scenarios that come with the simulator.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(&format!("{name}.toml"), text),
            None => Err(ScenarioError::Unknown {
                name: name.chars().take(80).collect(),
                hint: nearest::hint(name, Self::names(), "scenarios"),
            }),
        }
    }

    /// A scenario by its name, or from a file when the text ends with `.toml`.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        if Path::new(name_or_path)
            .extension()
            .is_none_or(|ext| ext != "toml")
        {
            return Self::named(name_or_path);
        }
        let text = std::fs::read_to_string(name_or_path).map_err(|e| ScenarioError::Read {
            path: name_or_path.to_owned(),
            why: e.to_string(),
        })?;
        Self::parse(name_or_path, &text)
    }

    /// How long one round takes until everything has happened that its steps tell of.
    pub fn length(&self) -> Duration {
        let end = |step: &Step| {
            let span = match step.action {
                Action::Silence(span) | Action::Offline(span) => span,
                _ => Duration::ZERO,
            };
            step.at + step.every * (step.times - 1) + span
        };
        let steps = self.steps.iter().map(end).max().unwrap_or_default();
        steps.max(self.lasts.unwrap_or_default())
    }

    /// The device ids that must be in the fleet: those named without a `*`.
    pub fn required_devices(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .map(|step| self.pattern(step))
            .filter(|pattern| !pattern.contains('*'))
    }

    /// The device id or pattern that a step means.
    pub fn pattern<'a>(&'a self, step: &'a Step) -> &'a str {
        self.cast
            .get(&step.device)
            .map_or(step.device.as_str(), String::as_str)
    }
}

/// Whether an id is what the pattern means; `*` stands for any characters.
pub fn matches(pattern: &str, id: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == id;
    };
    let (middle, end) = tail.rsplit_once('*').unwrap_or(("", tail));
    let Some(mut rest) = id.strip_prefix(head) else {
        return false;
    };
    for part in middle.split('*') {
        // the earliest place leaves the most room for what follows
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_ships_is_without_mistake() {
        for name in Scenario::names() {
            let scenario = Scenario::named(name).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(scenario.fires.is_empty(), name == "quiet-day", "{name}");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"));
        for file in folder.expect("the folder is there") {
            let path = file.expect("a file").path();
            let name = path.file_stem().and_then(|s| s.to_str()).expect("a name");
            assert!(Scenario::names().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn the_demo_has_seven_rules_within_the_minute_and_then_most_others_one_by_one() {
        let demo = Scenario::named("demo").expect("ships");
        let mut minutes: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for step in &demo.steps {
            if let Some(rule) = &step.expect {
                let last = step.at + step.every * (step.times - 1);
                let minute = minutes.entry(last.as_secs() / 60).or_default();
                minute.push(rule.as_str());
            }
        }
        let mut first = minutes.remove(&0).expect("a first minute");
        first.sort_unstable();
        assert_eq!(first, ["A1", "A4", "B1", "C1", "S1", "S2", "S7"]);
        for (minute, rules) in &minutes {
            assert!(rules.len() <= 7, "minute {minute} is noisy: {rules:?}");
        }
        assert!(minutes.keys().all(|minute| *minute < 16));
        assert!(demo.fires.len() >= 40, "{:?}", demo.fires);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = Scenario::named("confirmd-fire").expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "unknown scenario `confirmd-fire` (hint: did you mean `confirmed-fire`?)"
        );
    }

    #[test]
    fn patterns_match_whole_ids() {
        for (pattern, id, expect) in [
            ("door-q1-0301", "door-q1-0301", true),
            ("door-q1-*", "door-q1-0301", true),
            ("door-*-0301", "door-q1-0301", true),
            ("*", "x", true),
            ("*-q1-*-q1-*", "a-q1-b-q1-c", true),
            ("*-q1-*-q1-*", "a-q1-c", false),
            ("door*1*01", "door-101", true),
            ("door*1*01", "door-01", false),
            ("**", "x", true),
            ("a*a", "a", false),
            ("door-q1", "door-q1-0301", false),
            ("*-0302", "door-q1-0301", false),
        ] {
            assert_eq!(matches(pattern, id), expect, "{pattern} {id}");
        }
    }
}
