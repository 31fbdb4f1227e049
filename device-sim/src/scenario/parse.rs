//! Scenario files: TOML → [`Scenario`], with every mistake listed by file and step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::{Kind, Phase, RuleId};
use jiff::SignedDuration;
use serde::Deserialize;

use super::nearest::hint;
use super::{Action, Background, Repeat, Scenario, ScenarioError, Step};
use crate::command::Behaviour;
use crate::native::Fields;

/// Longest offset, pause and silence.
const SPAN_MAX: Duration = Duration::from_hours(62 * 24);
/// Longest topic and payload of raw bytes.
const RAW_BYTES_MAX: usize = 1024;
/// Most steps of a scenario.
const STEPS_MAX: usize = 500;
/// Most repetitions of a step.
const TIMES_MAX: u32 = 1000;
/// Highest rate of one kind of background, per minute.
const RATE_MAX: f64 = 60_000.0;
/// Longest list of fields, in bytes of JSON.
const FIELDS_BYTES_MAX: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    title: String,
    fires: Option<Vec<String>>,
    #[serde(default)]
    cast: BTreeMap<String, String>,
    #[serde(default)]
    commands: BTreeMap<String, String>,
    #[serde(default)]
    background: RawBackground,
    #[serde(default)]
    step: Vec<RawStep>,
    #[serde(default)]
    include: Vec<RawInclude>,
    repeat: Option<RawRepeat>,
    hour: Option<String>,
    lasts: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInclude {
    scenario: String,
    at: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawBackground {
    vehicles_per_minute: f64,
    doors_per_minute: f64,
    motion_per_minute: f64,
    telemetry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepeat {
    every: String,
    #[serde(default = "one")]
    spread: f64,
}

fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    at: String,
    device: String,
    kind: Option<String>,
    phase: Option<String>,
    component: Option<String>,
    attrs: Option<Fields>,
    state: Option<String>,
    fields: Option<Fields>,
    telemetry: Option<Fields>,
    response: Option<String>,
    raw: Option<String>,
    payload: Option<String>,
    silent_for: Option<String>,
    offline_for: Option<String>,
    clock_off: Option<String>,
    times: Option<u32>,
    every: Option<String>,
    expect: Option<String>,
}

impl Scenario {
    /// Reads a scenario; `file` is its name in messages.
    ///
    /// # Errors
    /// [`ScenarioError::Mistakes`] with all that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let raw: RawScenario = toml::from_str(text).map_err(|e| ScenarioError::Mistakes {
            mistakes: vec![format!("{file}: {}", e.to_string().trim_end())],
        })?;
        let mut reader = Reader {
            file,
            mistakes: Vec::new(),
        };
        let scenario = reader.scenario(raw);
        if reader.mistakes.is_empty() {
            Ok(scenario)
        } else {
            Err(ScenarioError::Mistakes {
                mistakes: reader.mistakes,
            })
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn wrong(&mut self, place: &str, what: impl std::fmt::Display) {
        self.mistakes
            .push(format!("{}: {place}: {what}", self.file));
    }

    fn scenario(&mut self, raw: RawScenario) -> Scenario {
        if raw.step.len() > STEPS_MAX {
            self.wrong("step", format!("more than {STEPS_MAX} steps"));
        }
        for (name, pattern) in &raw.cast {
            let is_id = |text: &str| text.parse::<domain::DeviceId>().is_ok();
            if !is_id(&pattern.replace('*', "x")) {
                self.wrong("cast", format!("`{name}` is `{pattern}`, which is no device id (hint: `smoke-q1-0215` or a pattern such as `smoke-*`)"));
            }
        }
        let steps = raw
            .step
            .into_iter()
            .take(STEPS_MAX)
            .enumerate()
            .map(|(at, step)| self.step(&format!("step {}", at + 1), step, &raw.cast))
            .collect::<Vec<_>>();
        for name in raw.cast.keys() {
            if !steps.iter().any(|step| step.device == *name) && !raw.commands.contains_key(name) {
                self.wrong("cast", format!("`{name}` has no part in any step"));
            }
        }
        let hour = raw.hour.as_ref().and_then(|hour| {
            let time = hour.parse().ok();
            if time.is_none() {
                self.wrong(
                    "hour",
                    format!("`{hour}` is no time of day (hint: \"02:30\")"),
                );
            }
            time
        });
        let mut scenario = Scenario {
            fires: self.fires(raw.fires.as_deref(), &steps),
            title: raw.title,
            background: self.background(&raw.background),
            behaviours: self.behaviours(&raw.commands, &raw.cast),
            repeat: None,
            hour,
            lasts: raw
                .lasts
                .as_ref()
                .map(|lasts| self.span("lasts", "lasts", lasts)),
            cast: raw.cast,
            steps,
        };
        for (at, include) in raw.include.iter().take(STEPS_MAX).enumerate() {
            self.include(&format!("include {}", at + 1), include, &mut scenario);
        }
        if scenario.steps.len() > STEPS_MAX {
            self.wrong("include", format!("more than {STEPS_MAX} steps in all"));
        }
        scenario.repeat = raw
            .repeat
            .map(|repeat| self.repeat(&repeat, &scenario.steps));
        scenario
    }

    /// Adds another scenario's steps and cast; its background and its hour stay behind.
    fn include(&mut self, place: &str, raw: &RawInclude, into: &mut Scenario) {
        let at = self.span(place, "at", &raw.at);
        // an included one is parsed anew; that none includes others keeps this from going on for ever
        let other = if super::is_plain(&raw.scenario) {
            Scenario::named(&raw.scenario)
        } else {
            let what = format!("`{}` repeats or includes others itself", raw.scenario);
            self.wrong(place, what);
            return;
        };
        let other = match other {
            Ok(other) => other,
            Err(error) => return self.wrong(place, error),
        };
        let inner = |name: &str| format!("{place}/{name}");
        for (name, pattern) in &other.cast {
            into.cast.insert(inner(name), pattern.clone());
        }
        for mut step in other.steps {
            if other.cast.contains_key(&step.device) {
                step.device = inner(&step.device);
            }
            step.at += at;
            into.steps.push(step);
        }
        into.behaviours.extend(other.behaviours);
        into.fires.extend(other.fires);
        into.fires.sort();
        into.fires.dedup();
    }

    /// The rules that it makes ring: what its steps expect, or that and what else comes of it.
    fn fires(&mut self, words: Option<&[String]>, steps: &[Step]) -> Vec<RuleId> {
        let expected: BTreeSet<&RuleId> = steps.iter().filter_map(|s| s.expect.as_ref()).collect();
        let Some(words) = words else {
            return expected.into_iter().cloned().collect();
        };
        let fires: BTreeSet<RuleId> = words.iter().filter_map(|word| word.parse().ok()).collect();
        if fires.len() < words.len() {
            self.wrong(
                "fires",
                "is not a list of different rules (hint: [\"S1\", \"S2\"])",
            );
        }
        for rule in expected.into_iter().filter(|rule| !fires.contains(rule)) {
            self.wrong(
                "fires",
                format!("a step expects `{rule}`, which is not among them"),
            );
        }
        fires.into_iter().collect()
    }

    fn behaviours(
        &mut self,
        raw: &BTreeMap<String, String>,
        cast: &BTreeMap<String, String>,
    ) -> Vec<(String, Behaviour)> {
        let read = |(name, text): (&String, &String)| {
            let pattern = cast.get(name).unwrap_or(name).clone();
            match text.parse() {
                Ok(behaviour) => Some((pattern, behaviour)),
                Err(error) => {
                    self.wrong("commands", error);
                    None
                }
            }
        };
        raw.iter().filter_map(read).collect()
    }

    fn background(&mut self, raw: &RawBackground) -> Background {
        for (name, rate) in [
            ("vehicles_per_minute", raw.vehicles_per_minute),
            ("doors_per_minute", raw.doors_per_minute),
            ("motion_per_minute", raw.motion_per_minute),
        ] {
            if !(0.0..=RATE_MAX).contains(&rate) {
                self.wrong(
                    "background",
                    format!("`{name}` is {rate} (hint: 0 to {RATE_MAX})"),
                );
            }
        }
        Background {
            vehicles_per_minute: raw.vehicles_per_minute,
            doors_per_minute: raw.doors_per_minute,
            motion_per_minute: raw.motion_per_minute,
            telemetry: raw.telemetry,
        }
    }

    fn repeat(&mut self, raw: &RawRepeat, steps: &[Step]) -> Repeat {
        let every = self.span("repeat", "every", &raw.every);
        if !(1.0..=1000.0).contains(&raw.spread) {
            self.wrong(
                "repeat",
                format!("`spread` is {} (hint: 1 to 1000)", raw.spread),
            );
        }
        let last = steps.iter().map(|step| step.at).max().unwrap_or_default();
        let spread = raw.spread.clamp(1.0, 1000.0);
        if every <= last.mul_f64(spread) {
            self.wrong("repeat", "a round begins before the one before it is over (hint: a longer `every` or a smaller `spread`)");
        }
        Repeat { every, spread }
    }

    fn step(&mut self, place: &str, raw: RawStep, cast: &BTreeMap<String, String>) -> Step {
        if !cast.contains_key(&raw.device) && raw.device.parse::<domain::DeviceId>().is_err() {
            self.wrong(
                place,
                format!("`{}` is neither in the cast nor a device id", raw.device),
            );
        }
        let times = raw.times.unwrap_or(1);
        if !(1..=TIMES_MAX).contains(&times) {
            self.wrong(
                place,
                format!("`times` is {times} (hint: 1 to {TIMES_MAX})"),
            );
        }
        if times > 1 && raw.every.is_none() {
            self.wrong(place, "`times` needs `every` (hint: every = \"2s\")");
        }
        let expect: Option<RuleId> = raw.expect.as_ref().and_then(|rule| rule.parse().ok());
        if let Some(rule) = raw.expect.as_ref().filter(|_| expect.is_none()) {
            self.wrong(place, format!("`{rule}` is not a rule's id (hint: `S1`)"));
        }
        Step {
            at: self.span(place, "at", &raw.at),
            every: raw
                .every
                .as_ref()
                .map_or(Duration::ZERO, |every| self.span(place, "every", every)),
            action: self.action(place, &raw),
            clock_off: raw
                .clock_off
                .as_ref()
                .map_or(SignedDuration::ZERO, |off| self.clock_off(place, off)),
            device: raw.device,
            times,
            expect,
        }
    }

    fn action(&mut self, place: &str, raw: &RawStep) -> Action {
        let given = [
            raw.kind.is_some(),
            raw.state.is_some(),
            raw.telemetry.is_some(),
            raw.response.is_some(),
            raw.raw.is_some(),
            raw.silent_for.is_some(),
            raw.offline_for.is_some(),
        ];
        if given.into_iter().filter(|&is| is).count() != 1 {
            self.wrong(
                place,
                "a step has exactly one of `kind`, `state`, `telemetry`, `response`, `raw`, `silent_for`, `offline_for`",
            );
        }
        let of_kind = raw.phase.is_some() || raw.attrs.is_some() || raw.component.is_some();
        if raw.kind.is_none() && of_kind {
            self.wrong(place, "`phase`, `component` and `attrs` belong to a `kind`");
        }
        let components = raw.state.iter().chain(&raw.component).chain(&raw.response);
        for component in components {
            if component.parse::<domain::DeviceId>().is_err() {
                self.wrong(
                    place,
                    format!("`{component}` is not a component (hint: `door-1`)"),
                );
            }
        }
        if raw.state.is_none() && raw.response.is_none() && raw.fields.is_some() {
            self.wrong(place, "`fields` belong to a `state` or a `response`");
        }
        if raw.raw.is_none() && raw.payload.is_some() {
            self.wrong(place, "a `payload` belongs to a `raw` topic");
        }
        if let Some(span) = &raw.silent_for {
            return Action::Silence(self.span(place, "silent_for", span));
        }
        if let Some(span) = &raw.offline_for {
            return Action::Offline(self.span(place, "offline_for", span));
        }
        if let Some(fields) = &raw.telemetry {
            return Action::Telemetry(self.fields(place, Some(fields)));
        }
        if let Some(command) = &raw.response {
            return Action::Response {
                command: command.clone(),
                fields: self.fields(place, raw.fields.as_ref()),
            };
        }
        if let Some(topic) = &raw.raw {
            let payload = raw.payload.clone().unwrap_or_default();
            if topic.is_empty() || topic.len() + payload.len() > RAW_BYTES_MAX {
                self.wrong(
                    place,
                    format!("`raw` and `payload` have 1 to {RAW_BYTES_MAX} bytes"),
                );
            }
            return Action::Raw {
                topic: topic.clone(),
                payload,
            };
        }
        if let Some(component) = &raw.state {
            return Action::State {
                component: component.clone(),
                fields: self.fields(place, raw.fields.as_ref()),
            };
        }
        let word = raw.kind.as_deref().unwrap_or(Kind::DeviceTest.as_str());
        let kind = word.parse().unwrap_or_else(|e| {
            let known = Kind::ALL.iter().map(|kind| kind.as_str());
            self.wrong(place, format!("{e}{}", hint(word, known, "kinds")));
            Kind::DeviceTest
        });
        let word = raw.phase.as_deref().unwrap_or("instant");
        let phase = word.parse().unwrap_or_else(|e| {
            self.wrong(
                place,
                format!("{e} (hint: instant, raised, updated or cleared)"),
            );
            Phase::Instant
        });
        Action::Event {
            kind,
            phase,
            component: raw.component.clone(),
            attrs: self.fields(place, raw.attrs.as_ref()),
        }
    }

    fn fields(&mut self, place: &str, fields: Option<&Fields>) -> Fields {
        let fields = fields.cloned().unwrap_or_default();
        let bytes = serde_json::to_string(&fields).map_or(0, |text| text.len());
        if bytes > FIELDS_BYTES_MAX {
            self.wrong(
                place,
                format!("{bytes} bytes of fields are more than {FIELDS_BYTES_MAX}"),
            );
        }
        fields
    }

    fn clock_off(&mut self, place: &str, text: &str) -> SignedDuration {
        let off = text.parse::<SignedDuration>().ok();
        off.filter(|off| off.unsigned_abs() <= SPAN_MAX)
            .unwrap_or_else(|| {
                self.wrong(
                    place,
                    format!("`clock_off` is `{text}`, which is no time (hint: 40s, -6m)"),
                );
                SignedDuration::ZERO
            })
    }

    fn span(&mut self, place: &str, name: &str, text: &str) -> Duration {
        match span(text) {
            Some(span) if span <= SPAN_MAX => span,
            _ => {
                self.wrong(place, format!("`{name}` is `{text}`, which is no time of at most 62 days (hint: 500ms, 12s, 3m)"));
                Duration::ZERO
            }
        }
    }
}

/// A span of time as people write it: `500ms`, `12s`, `1m 30s`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
