//! Findings that other rules listen to: each becomes an event of its own, handed on in the order of findings and rules.
//!
//! Rules listen in no circle and at most [`CHAIN_MAX`](super::super::set::CHAIN_MAX) deep (checked when they are read), so a
//! chain ends; a bound on what one event may bring about is kept all the same.

use serde_json::{Map, Value};

use super::super::view::Heard;
use super::super::{Finding, FindingKind};
use crate::{Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, Seq};

/// Most findings that one event, or one look at the clock, hands on to rules that listen.
pub(super) const HANDED_ON_MAX: usize = 10_000;

/// What came of an event, in order.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) findings: Vec<Finding>,
    told: Vec<Told>,
    /// Flats in which something moved, by the rules that watch them.
    pub(super) moved: Vec<(u16, String, DeviceId, DeviceClass)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) number: u16,
    pub(super) phase: Phase,
    pub(super) kind: Kind,
}

impl Out {
    /// A rule's finding, `number` the rule's; `phase` tells a fresh one from one that is told again.
    pub(super) fn tell(&mut self, finding: Finding, number: u16, phase: Phase, kind: Kind) {
        self.findings.push(finding);
        self.told.push(Told {
            number,
            phase,
            kind,
        });
    }

    /// Something moved in a flat.
    pub(super) fn moved(&mut self, number: u16, subject: String, event: &Event) {
        let device = event.device.clone();
        self.moved.push((number, subject, device, event.class));
    }

    pub(super) fn get(&self, index: usize) -> Option<(&Finding, Told)> {
        Some((self.findings.get(index)?, *self.told.get(index)?))
    }
}

/// The finding as an event; `cause` is the event that made it, if one did. None when no device stands behind it.
pub(super) fn event_of(finding: &Finding, told: Told, cause: Option<&Event>) -> Option<Event> {
    let cause = cause.filter(|event| finding.event == Some(event.id));
    let device = finding.device.clone()?;
    let mut attrs: Map<String, Value> = Map::new();
    for (name, text) in &finding.detail {
        let number = text.parse::<i64>().ok().map(Value::from);
        attrs.insert(name.clone(), number.unwrap_or_else(|| text.as_str().into()));
    }
    let mut component = cause.and_then(|event| event.component.clone());
    for part in finding.subject.split(',') {
        let Some((label, value)) = part.split_once(':') else {
            continue;
        };
        if label == "door" {
            let named = value.split_once('/').map(|(_, part)| part.to_owned());
            component = component.or(named);
            continue;
        }
        let name = match label {
            "credential" => "credential_ref",
            other => other,
        };
        let value = value.rsplit_once('@').map_or(value, |(value, _)| value);
        attrs.entry(name.to_owned()).or_insert_with(|| value.into());
    }
    if let Some(Value::Object(given)) = cause.map(|event| event.attrs.to_value()) {
        attrs.extend(given);
    }
    let seq = finding.seq.unwrap_or(Seq(0));
    Some(Event {
        id: finding
            .event
            .unwrap_or_else(|| EventId::of_uplink(finding.at, seq, 0)),
        seq,
        site: finding.site.clone(),
        device,
        class: finding.class,
        component,
        kind: told.kind,
        phase: match finding.what {
            FindingKind::Cleared => Phase::Cleared,
            FindingKind::Raised => told.phase,
        },
        dedupe_key: String::new(),
        occurred_at: finding.occurred_at,
        received_at: finding.at,
        clock: ClockSource::Gateway,
        attrs: Attrs::from_value(&Value::Object(attrs)),
    })
}

/// Who says it.
pub(super) fn heard(finding: &Finding) -> Heard<'_> {
    Heard {
        rule: &finding.rule,
        subject: &finding.subject,
        by_time: finding.event.is_none(),
    }
}
