//! Test cases that stand in the rule files: events at times, and the findings that must come of them.
//!
//! A file brings its own little stage: `[[test_device]]` and `[[test_watch]]`. Each case runs on a fresh engine with all rules
//! of the set; only the findings of the rule that the case belongs to are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::engine::Engine;
use super::error::RuleError;
use super::fields::{Fields, json};
use super::parse::SEVERITIES;
use super::parse::matcher::{CLASSES, PHASES, ZONE_KINDS};
use super::set::RuleSet;
use super::{Finding, FindingKind};
use crate::id::{BuildingId, GridId, HouseholdId};
use crate::place::{Community, Device, Household, Registry, Rental, WatchEntry, Zone, ZoneKind};
use crate::privacy::Personal;
use crate::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, RuleId, Seq, Severity,
    SiteId,
};

/// Longest case in seconds: a month.
const CASE_SECONDS_MAX: i64 = 31 * 24 * 3600;
/// Most events of a case.
const STEPS_MAX: usize = 2_000;
/// The engine is ticked at least this often, as the hub would (it does so every second).
const STEP: SignedDuration = SignedDuration::from_secs(20);

/// A rule that does not do what its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    /// File of the case.
    pub file: String,
    /// Line of the case.
    pub line: usize,
    /// Rule of the case.
    pub rule: RuleId,
    /// Name of the case.
    pub case: String,
    /// What was expected and what came.
    pub what: String,
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            case,
            what,
        } = self;
        write!(f, "{file}:{line}: rule {rule}: case `{case}`: {what}")
    }
}

impl From<CaseFailure> for RuleError {
    fn from(failure: CaseFailure) -> Self {
        Self {
            file: failure.file,
            line: failure.line,
            rule: Some(failure.rule.to_string()),
            field: String::new(),
            what: format!("case `{}`: {}", failure.case, failure.what),
            hint: None,
        }
    }
}

/// The devices of a file's cases, and what is watched in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    registry: Arc<Registry>,
}

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    file: String,
    line: usize,
    rule: RuleId,
    name: String,
    start: Timestamp,
    registry: Arc<Registry>,
    steps: Vec<Step>,
    expect: Vec<Expected>,
    until_s: i64,
}

/// Something that a device says.
#[derive(Debug, Clone)]
struct Step {
    at_s: i64,
    device: DeviceId,
    /// None: any word that is no event, such as a heartbeat.
    event: Option<Said>,
}

#[derive(Debug, Clone)]
struct Said {
    kind: Kind,
    phase: Phase,
    component: Option<String>,
    occurred_s: i64,
    attrs: serde_json::Value,
}

#[derive(Debug, Clone)]
struct Expected {
    at_s: i64,
    what: FindingKind,
    subject: String,
    severity: Option<Severity>,
    detail: BTreeMap<String, String>,
}

/// All cases of a set.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases(Vec<Case>);

fn shanghai() -> TimeZone {
    super::time_zone("Asia/Shanghai").unwrap_or(TimeZone::UTC)
}

impl Stage {
    pub(super) fn read(top: &Fields<'_, '_>) -> Self {
        let file = top.file;
        let mut registry = Registry {
            community: Some(Community {
                name: "test".into(),
                name_en: "test".into(),
                station: "test".into(),
                station_en: "test".into(),
                time_zone: "Asia/Shanghai".into(),
            }),
            ..Registry::default()
        };
        for fields in top.tables("test_device") {
            let id = fields
                .text("id", 64, "\"smoke-1\"")
                .and_then(|at| at.parse::<DeviceId>(file));
            let class = fields
                .text("class", 20, "\"fire_sensor\"")
                .and_then(|at| at.one_of(file, "device class", CLASSES));
            let site = match fields.text_if("site", 64) {
                Some(at) => at.parse::<SiteId>(file),
                None => "q1".parse().ok(),
            };
            let zone = fields
                .text("zone", 64, "\"floor-6\"")
                .and_then(|at| at.parse::<crate::ZoneId>(file));
            let zone_kind = match fields.text_if("zone_kind", 20) {
                Some(at) => at.one_of(file, "kind of zone", ZONE_KINDS),
                None => Some(ZoneKind::FireCompartment),
            };
            let heartbeat_s = fields
                .whole_if("heartbeat_s", 1, CASE_SECONDS_MAX)
                .unwrap_or(60);
            let building = fields
                .text_if("building", 64)
                .and_then(|at| at.parse::<BuildingId>(file));
            let grid = match fields.text_if("grid", 64) {
                Some(at) => at.parse::<GridId>(file),
                None => "g1".parse().ok(),
            };
            let floor = fields.whole_if("floor", -20, 200);
            fields.done();
            if let (Some(id), Some(class), Some(site), Some(zone), Some(kind), Some(grid)) =
                (id, class, site, zone, zone_kind, grid)
            {
                registry.zones.insert(
                    zone.clone(),
                    Zone {
                        id: zone.clone(),
                        site: site.clone(),
                        building,
                        floor: floor.and_then(|n| i16::try_from(n).ok()),
                        floor_to: None,
                        kind,
                        name: zone.to_string(),
                        grid,
                    },
                );
                registry.devices.insert(
                    id.clone(),
                    Device {
                        name: id.to_string(),
                        id,
                        site,
                        zone,
                        class,
                        model: "test".into(),
                        heartbeat_s: u32::try_from(heartbeat_s).unwrap_or(60),
                        address: None,
                        x_m: 0.0,
                        y_m: 0.0,
                        sensor: None,
                    },
                );
            }
        }
        for fields in top.tables("test_watch") {
            let named: Vec<_> = Personal::ALL
                .iter()
                .filter_map(|class| Some((*class, fields.text_if(class.as_str(), 64)?)))
                .collect();
            if named.len() != 1 {
                fields.fail(
                    "plate",
                    "what is watched is one thing",
                    "one of `plate`, `credential` and `person`",
                );
            }
            let violent = fields.yes_if("violent").unwrap_or(false);
            let expires_on = fields
                .text("expires_on", 10, "\"2026-12-31\"")
                .and_then(|at| at.parse::<civil::Date>(file));
            fields.done();
            if let ([(class, name)], Some(expires_on)) = (named.as_slice(), expires_on) {
                let entry = WatchEntry {
                    class: *class,
                    name: name.value.to_owned(),
                    reason: "test".into(),
                    violent,
                    owner: "p1".parse().expect("a slug"),
                    expires_on,
                };
                registry.watch.insert(entry.key(), entry);
            }
        }
        for fields in top.tables("test_household") {
            let zone = fields
                .text("zone", 64, "\"flat-601\"")
                .and_then(|at| at.parse::<crate::ZoneId>(file));
            let elder_alone = fields.yes_if("elder_alone").unwrap_or(true);
            let consent_care = fields.yes_if("consent_care").unwrap_or(true);
            fields.done();
            if let Some(zone) = zone
                && let Ok(id) = zone.as_str().parse::<HouseholdId>()
            {
                let household = Household {
                    id: id.clone(),
                    zone,
                    residents: 1,
                    elder_alone,
                    consent_care,
                    consent_contact: false,
                    language: "zh".to_owned(),
                    contact: None,
                    evacuation: None,
                };
                registry.households.insert(id, household);
            }
        }
        for fields in top.tables("test_rental") {
            let zone = fields
                .text("zone", 64, "\"flat-601\"")
                .and_then(|at| at.parse::<crate::ZoneId>(file));
            let registered = fields.whole("registered", 0, 1000, "7");
            fields.done();
            if let (Some(zone), Some(registered)) = (zone, registered) {
                let rental = Rental {
                    zone: zone.clone(),
                    registered: u16::try_from(registered).unwrap_or(0),
                    from: civil::Date::MIN,
                    until: civil::Date::MAX,
                    declared_on: civil::Date::MIN,
                };
                registry.rentals.entry(zone).or_default().push(rental);
            }
        }
        Self {
            registry: Arc::new(registry),
        }
    }
}

/// The `[[rule.case]]` tables of one rule.
pub(super) fn read_cases(
    fields: &Fields<'_, '_>,
    rule: Option<&RuleId>,
    stage: &Stage,
) -> Vec<Case> {
    let file = fields.file;
    let mut cases = Vec::new();
    for case in fields.tables("case") {
        let name = case.text("name", 120, "\"smoke rings\"");
        let start = match case.text_if("start", 30) {
            Some(at) => at.parse::<civil::DateTime>(file),
            None => Some(civil::date(2026, 3, 2).at(10, 0, 0, 0)),
        };
        let until_s = case.whole_if("until_s", 0, CASE_SECONDS_MAX).unwrap_or(0);
        let steps: Vec<Option<Step>> = case
            .tables("events")
            .iter()
            .flat_map(|f| repeated(f, stage))
            .collect();
        if steps.len() > STEPS_MAX {
            case.fail(
                "events",
                format!("{} events are more than {STEPS_MAX}", steps.len()),
                "fewer show the same",
            );
        }
        let expect: Vec<Option<Expected>> = case.tables("expect").iter().map(expected).collect();
        if !case.has("expect") {
            case.fail(
                "expect",
                "is missing",
                "`expect = []` says that nothing may come",
            );
        }
        case.done();
        let start = start.and_then(|s| shanghai().to_timestamp(s).ok());
        if let (Some(name), Some(start), Some(rule), Some(mut steps), Some(expect)) = (
            name,
            start,
            rule,
            steps.into_iter().collect::<Option<Vec<_>>>(),
            expect.into_iter().collect::<Option<Vec<_>>>(),
        ) {
            steps.sort_by_key(|s| s.at_s);
            let last = steps.iter().map(|s| s.at_s);
            let until_s = last
                .chain(expect.iter().map(|e| e.at_s))
                .fold(until_s, i64::max);
            cases.push(Case {
                file: file.name().to_owned(),
                line: file.line_of(case.offset()),
                rule: rule.clone(),
                name: name.value.to_owned(),
                start,
                registry: Arc::clone(&stage.registry),
                steps,
                expect,
                until_s,
            });
        }
    }
    cases
}

/// One line of events: once, or `times` times every `every_s` seconds.
fn repeated(fields: &Fields<'_, '_>, stage: &Stage) -> Vec<Option<Step>> {
    let times = fields.whole_if("times", 1, STEPS_MAX as i64);
    let every_s = match times {
        Some(times) if times > 1 => fields.whole("every_s", 1, CASE_SECONDS_MAX, "60"),
        _ => Some(0),
    };
    let (Some(first), Some(every_s)) = (step(fields, stage), every_s) else {
        return vec![None];
    };
    let again = |n: i64| {
        let mut step = first.clone();
        step.at_s += n * every_s;
        if let Some(said) = &mut step.event {
            said.occurred_s += n * every_s;
        }
        Some(step)
    };
    (0..times.unwrap_or(1)).map(again).collect()
}

fn step(fields: &Fields<'_, '_>, stage: &Stage) -> Option<Step> {
    let file = fields.file;
    let at_s = fields.whole("at_s", 0, CASE_SECONDS_MAX, "0");
    let device = fields.text("device", 64, "\"smoke-1\"").and_then(|at| {
        let known: Vec<(&str, &DeviceId)> = stage
            .registry
            .devices
            .keys()
            .map(|id| (id.as_str(), id))
            .collect();
        at.one_of(file, "test device", &known).cloned()
    });
    let kinds: Vec<(&str, Kind)> = Kind::ALL.iter().map(|k| (k.as_str(), *k)).collect();
    let kind = fields
        .text_if("kind", 40)
        .map(|at| at.one_of(file, "kind", &kinds));
    let phase = match fields.text_if("phase", 10) {
        Some(at) => at.one_of(file, "phase", PHASES),
        None => Some(Phase::Instant),
    };
    let component = fields
        .text_if("component", 64)
        .map(|at| at.value.to_owned());
    let occurred_s = fields.whole_if("occurred_s", -CASE_SECONDS_MAX, CASE_SECONDS_MAX);
    let attrs = fields
        .value_if("attrs")
        .map_or_else(|| serde_json::Value::Object(serde_json::Map::new()), json);
    fields.done();
    let at_s = at_s?;
    Some(Step {
        at_s,
        device: device?,
        event: match kind {
            None => None,
            Some(kind) => Some(Said {
                kind: kind?,
                phase: phase?,
                component,
                occurred_s: occurred_s.unwrap_or(at_s),
                attrs,
            }),
        },
    })
}

fn expected(fields: &Fields<'_, '_>) -> Option<Expected> {
    const WHAT: &[(&str, FindingKind)] = &[
        ("raised", FindingKind::Raised),
        ("cleared", FindingKind::Cleared),
    ];
    let file = fields.file;
    let at_s = fields.whole("at_s", 0, CASE_SECONDS_MAX, "0");
    let what = fields
        .text("what", 10, "\"raised\"")
        .and_then(|at| at.one_of(file, "finding", WHAT));
    let subject = fields.text("subject", 200, "\"device:smoke-1\"");
    let severity = fields
        .text_if("severity", 4)
        .map(|at| at.one_of(file, "severity", SEVERITIES));
    let mut detail = BTreeMap::new();
    if let Some(table) = fields.table_if("detail") {
        for (name, _, value) in table.open_entries() {
            let text = value.get_ref().as_str();
            detail.insert(name.to_owned(), text.unwrap_or_default().to_owned());
        }
    }
    fields.done();
    Some(Expected {
        at_s: at_s?,
        what: what?,
        subject: subject?.value.to_owned(),
        severity: match severity {
            None => None,
            Some(severity) => Some(severity?),
        },
        detail,
    })
}

impl Cases {
    pub(super) fn extend(&mut self, cases: Vec<Case>) {
        self.0.extend(cases);
    }
    pub(super) fn add(&mut self, cases: Cases) {
        self.0.extend(cases.0);
    }
    /// Those of one rule.
    pub(super) fn of(&self, id: &RuleId) -> Self {
        Self(self.0.iter().filter(|c| c.rule == *id).cloned().collect())
    }
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
    pub(super) fn run(&self, set: &RuleSet) -> Vec<CaseFailure> {
        let set = Arc::new(set.clone());
        self.0
            .iter()
            .filter_map(|case| {
                Some(CaseFailure {
                    what: case.run(&set)?,
                    file: case.file.clone(),
                    line: case.line,
                    rule: case.rule.clone(),
                    case: case.name.clone(),
                })
            })
            .collect()
    }
}

impl Case {
    fn at(&self, seconds: i64) -> Timestamp {
        self.start + SignedDuration::from_secs(seconds)
    }

    /// What went wrong, if anything.
    fn run(&self, set: &Arc<RuleSet>) -> Option<String> {
        let mut engine = Engine::new(Arc::clone(set), Arc::clone(&self.registry));
        let mut findings = engine.on_tick(self.start);
        let mut now = self.start;
        for (index, step) in self.steps.iter().enumerate() {
            let at = self.at(step.at_s);
            findings.extend(pass_time(&mut engine, &mut now, at));
            engine.seen(&step.device, at);
            if let Some(said) = &step.event {
                let event = self.event(index, step, said);
                findings.extend(engine.on_event(&event));
            }
        }
        findings.extend(pass_time(&mut engine, &mut now, self.at(self.until_s)));
        findings.retain(|f| f.rule == self.rule);
        self.compare(&findings)
    }

    fn event(&self, index: usize, step: &Step, said: &Said) -> Event {
        let device = &self.registry.devices[&step.device];
        let seq = Seq(1 + index as u64);
        let received_at = self.at(step.at_s);
        Event {
            id: EventId::of_uplink(received_at, seq, 0),
            seq,
            site: device.site.clone(),
            device: device.id.clone(),
            // what became of a command is told of the device, the rest of the hub itself
            class: if said.kind.as_str().starts_with("gateway.")
                && said.kind != Kind::GatewayCommand
            {
                DeviceClass::Gateway
            } else {
                device.class
            },
            component: said.component.clone(),
            kind: said.kind,
            phase: said.phase,
            dedupe_key: format!("case-{index}"),
            occurred_at: self.at(said.occurred_s),
            received_at,
            clock: ClockSource::Device,
            attrs: Attrs::from_value(&said.attrs),
        }
    }

    fn compare(&self, findings: &[Finding]) -> Option<String> {
        let fits = |e: &Expected, f: &Finding| {
            e.at_s == f.at.duration_since(self.start).as_secs()
                && e.what == f.what
                && e.subject == f.subject
                && e.severity.is_none_or(|s| s == f.severity)
                && e.detail
                    .iter()
                    .all(|(key, value)| f.detail.get(key) == Some(value))
        };
        let same = findings.len() == self.expect.len()
            && self.expect.iter().zip(findings).all(|(e, f)| fits(e, f));
        if same {
            return None;
        }
        let wanted: Vec<String> = self
            .expect
            .iter()
            .map(|e| {
                let severity = e.severity.map(|s| format!(" {s}")).unwrap_or_default();
                format!(
                    "{:?} {}{severity} at {} s {:?}",
                    e.what, e.subject, e.at_s, e.detail
                )
            })
            .collect();
        let came: Vec<String> = findings
            .iter()
            .map(|f| {
                let at_s = f.at.duration_since(self.start).as_secs();
                format!(
                    "{:?} {} {} at {at_s} s {:?}",
                    f.what, f.subject, f.severity, f.detail
                )
            })
            .collect();
        Some(format!(
            "expected [{}], came [{}]",
            wanted.join("; "),
            came.join("; ")
        ))
    }
}

/// Ticks up to `upto`, at every moment at which something falls due and at least once a [`STEP`].
fn pass_time(engine: &mut Engine, now: &mut Timestamp, upto: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    while *now < upto {
        let step = (*now + STEP).min(upto);
        let next = engine.next_due().map_or(step, |due| due.min(step));
        *now = next.max(*now + SignedDuration::from_millis(1)).min(upto);
        findings.extend(engine.on_tick(*now));
    }
    findings
}
