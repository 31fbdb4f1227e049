//! The scenarios against the rules that ship, without a hub: every step that expects a rule gets its finding, and a quiet day
//! stays quiet.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::folder;
use device_sim::native::Say;
use device_sim::script::{Line, Script};
use device_sim::{Scenario, SimDevice};
use domain::place::Registry;
use domain::rule::{Engine, Finding, FindingKind, RuleSet};
use domain::{Attrs, ClockSource, DeviceClass, Event, EventId, Kind, Phase, Seq, Timestamp};
use jiff::SignedDuration;

fn compound() -> Arc<Registry> {
    let files = folder("deploy/config/compound");
    let texts = files.iter().map(|(n, t)| (n.as_str(), t.as_str()));
    Arc::new(Registry::from_files(texts).expect("the compound loads"))
}

fn rules() -> Arc<RuleSet> {
    Arc::new(RuleSet::parse(&folder("deploy/config/rules")).expect("the rules load"))
}

fn fleet(registry: &Registry) -> Vec<SimDevice> {
    let device = |d: &domain::place::Device| SimDevice {
        id: d.id.clone(),
        site: d.site.clone(),
        class: d.class,
        username: d.id.to_string(),
        password: String::new(),
        heartbeat_s: d.heartbeat_s,
    };
    registry.devices.values().map(device).collect()
}

/// The event that the native adapter makes of it.
fn event(device: &SimDevice, say: &Say, at: Timestamp, seq: u64) -> Event {
    let (kind, phase, component, attrs) = match say.clone() {
        Say::Event {
            kind,
            phase,
            component,
            attrs,
        } => (kind, phase, component, attrs),
        Say::State { component, fields } => {
            let kind = match device.class {
                DeviceClass::Access => Kind::AccessDoorState,
                DeviceClass::Barrier => Kind::BarrierState,
                _ => Kind::DeviceTelemetry,
            };
            (kind, Phase::Updated, Some(component), fields)
        }
        Say::Telemetry(fields) => (Kind::DeviceTelemetry, Phase::Instant, None, fields),
    };
    Event {
        id: EventId::of_uplink(at, Seq(seq), 0),
        seq: Seq(seq),
        site: device.site.clone(),
        device: device.id.clone(),
        class: device.class,
        component,
        kind,
        phase,
        dedupe_key: seq.to_string(),
        occurred_at: at,
        received_at: at,
        clock: ClockSource::Device,
        attrs: Attrs::from_value(&attrs.into()),
    }
}

/// Plays a scenario for a time, in no time: what was expected, and what the rules found.
fn play(name: &str, lasting: Duration, seed: u64) -> (Vec<(String, String)>, Vec<Finding>) {
    let registry = compound();
    let devices = fleet(&registry);
    let mut engine = Engine::new(rules(), registry);
    // noon in Yiwu: by night some rules are more severe
    let start: Timestamp = "2026-11-23T04:00:00Z".parse().expect("a time");
    let (mut expected, mut findings) = (Vec::new(), Vec::new());
    let script = Script::new(&devices, Scenario::named(name).expect("ships"), seed);
    let mut tick = Duration::ZERO;
    let playing = script.take_while(|line| line.at < lasting);
    for (
        seq,
        Line {
            at,
            device,
            say,
            expect,
        },
    ) in (1..).zip(playing)
    {
        while tick < at {
            let now = start + SignedDuration::try_from(tick).expect("in range");
            findings.extend(engine.on_tick(now));
            tick += Duration::from_secs(1);
        }
        let now = start + SignedDuration::try_from(at).expect("in range");
        let device = &devices[device];
        if let Some(say) = say {
            engine.seen(&device.id, now);
            findings.extend(engine.on_event(&event(device, &say, now, seq)));
        }
        if let Some(rule) = expect {
            expected.push((rule.to_string(), device.id.to_string()));
        }
    }
    (expected, findings)
}

#[test]
fn every_expectation_of_every_scenario_comes_true_within_the_minute() {
    for name in Scenario::names() {
        let (expected, findings) = play(name, Duration::from_mins(1), 1);
        for (rule, device) in &expected {
            let found = findings.iter().any(|f| {
                f.what == FindingKind::Raised
                    && f.rule.as_str() == rule
                    && f.device.as_ref().is_none_or(|d| d.as_str() == device)
            });
            assert!(
                found,
                "{name}: {rule} at {device} is not among {findings:#?}"
            );
        }
        let rules: BTreeSet<&str> = findings.iter().map(|f| f.rule.as_str()).collect();
        let wanted: BTreeSet<&str> = expected.iter().map(|(rule, _)| rule.as_str()).collect();
        // the first detector of a confirmed fire is a fire alarm of its own, until the fire takes it over
        let also = if wanted.contains("S2") { "S1" } else { "" };
        let stray: Vec<_> = rules.difference(&wanted).filter(|r| **r != also).collect();
        assert!(stray.is_empty(), "{name}: nobody expects {stray:?}");
    }
}

#[test]
fn a_quiet_day_gives_no_rule_anything_to_say() {
    for seed in 0..3 {
        let (_, findings) = play("quiet-day", Duration::from_mins(20), seed);
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    }
}
