//! The application data unit: type flag, number of objects, objects (GB/T 26875.3-2011 clause 8).
//!
//! A fire is told each time it is told, without asking whether it was known: devices that never tell its end exist, and the second fire
//! must ring like the first. Its end is told when the state no longer has it, or after a reset, of what is remembered here.

use std::collections::BTreeSet;

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::frame::time_of;
use super::table;
use crate::adapters::clock::DeviceTime;
use crate::adapters::draft::{Draft, Reading};
use crate::adapters::memory::VALUE_BYTES_MAX;
use crate::adapters::{Recall, Reject, text};

/// Reads the units of one sender: whose they are, and what of it burns by what was told so far.
pub struct Reader<'a> {
    address: String,
    zone: &'a TimeZone,
    burning: BTreeSet<String>,
    known: String,
    drafts: Vec<Draft>,
}

/// A word of state bits and whose it is.
struct State {
    bits: u16,
    component: String,
    kind: Kind,
    at: Option<DeviceTime>,
    id: Option<String>,
    can_start: bool,
}

impl<'a> Reader<'a> {
    /// A reader for what a device with this address sends.
    pub fn new(address: &str, zone: &'a TimeZone, recall: &dyn Recall) -> Self {
        let known = recall.recall(&key(address)).unwrap_or_default().to_owned();
        Self {
            address: address.to_owned(),
            zone,
            burning: known.lines().map(str::to_owned).collect(),
            known,
            drafts: Vec::new(),
        }
    }

    /// What was read.
    pub fn finish(self) -> Reading {
        // what does not fit rings like the others; only its end is not told by itself
        let mut burning = String::new();
        for line in &self.burning {
            if burning.len() + line.len() < VALUE_BYTES_MAX {
                burning.push_str(if burning.is_empty() { "" } else { "\n" });
                burning.push_str(line);
            }
        }
        let learn = if burning == self.known {
            Vec::new()
        } else {
            vec![(key(&self.address), (!burning.is_empty()).then_some(burning))]
        };
        Reading {
            drafts: self.drafts,
            learn,
            ..Reading::default()
        }
        .spoken_by(self.address)
    }

    /// One unit. `id` is what the sender calls the message, `sent_at` its time tag.
    ///
    /// # Errors
    /// `truncated_unit`.
    pub fn unit(
        &mut self,
        unit: &[u8],
        id: Option<&str>,
        sent_at: Option<&DeviceTime>,
    ) -> Result<(), Reject> {
        let Some(([flag, count], body)) = unit.split_first_chunk() else {
            return Ok(()); // a heartbeat
        };
        let Some((least, standard)) = object_bytes(*flag) else {
            return Ok(()); // versions, configuration, clocks, the user's own types
        };
        let count = usize::from(*count).max(1);
        let size = if body.len() >= count * standard {
            standard
        } else {
            // vendors leave the description out, or the time
            (body.len() / count).min(standard)
        };
        if size < least {
            let detail = format!(
                "{} bytes for {count} objects of type {flag}, each has {standard}",
                body.len()
            );
            return Err(Reject::new("truncated_unit", detail));
        }
        for (index, object) in body.chunks_exact(size).take(count).enumerate() {
            let id = id.map(|id| format!("{id}:{index}"));
            self.object(*flag, object, least, id, sent_at);
        }
        Ok(())
    }

    fn object(
        &mut self,
        flag: u8,
        object: &[u8],
        least: usize,
        id: Option<String>,
        sent_at: Option<&DeviceTime>,
    ) {
        let has_time = object.len() >= least + 6;
        let time = has_time.then(|| object.last_chunk().copied()).flatten();
        let at = time
            .and_then(|tag| time_of(tag, self.zone))
            .or_else(|| sent_at.cloned());
        match (flag, object) {
            (1, [system, addr, low, high, ..]) => {
                let component = addr.to_string();
                let state = State {
                    bits: u16::from_le_bytes([*low, *high]),
                    component,
                    kind: Kind::FireDetector,
                    at,
                    id,
                    can_start: true,
                };
                let from = self.drafts.len();
                self.state(&state);
                self.system_state(&state);
                self.describe(from, &[("panel", json!({"system": system, "addr": addr}))]);
            }
            (2, [_, _, _, _, _, _, _, low, high, rest @ ..]) => {
                let bits = u16::from_le_bytes([*low, *high]);
                let text = rest.len().checked_sub(6).map(|end| &rest[..end]);
                self.component_state(object, bits, text.unwrap_or_default(), at, id);
            }
            (3, [system, addr, component, zone @ .., _, _, _, _, _, _]) => {
                self.analog((*system, *addr, *component), zone, at, id);
            }
            (4, [system, addr, flags, operator, ..]) => {
                let from = self.drafts.len();
                self.operation(*flags, Some(*addr), at, id);
                let panel = json!({"system": system, "addr": addr});
                self.describe(from, &[("panel", panel), ("operator", json!(operator))]);
            }
            (21, [bits, ..]) => self.uit_state(*bits, at, id),
            (24, [flags, operator, ..]) => {
                let from = self.drafts.len();
                self.operation(*flags, None, at, id);
                self.describe(from, &[("operator", json!(operator))]);
            }
            _ => {}
        }
    }

    fn component_state(
        &mut self,
        object: &[u8],
        bits: u16,
        description: &[u8],
        at: Option<DeviceTime>,
        id: Option<String>,
    ) {
        let [system, addr, part, p0, p1, z0, z1, ..] = object else {
            return;
        };
        let zone = u16::from_le_bytes([*z0, *z1]);
        let position = u16::from_le_bytes([*p0, *p1]);
        let (kind, sensor) = table::component(*part);
        let component = format!("{addr}-{zone}-{position}");
        let state = State {
            bits,
            component: component.clone(),
            kind,
            at,
            id,
            can_start: table::can_start(*part),
        };
        let from = self.drafts.len();
        self.state(&state);
        let lost = bits & (1 << 8) != 0;
        let draft = self.condition(&state, Kind::DevicePower, "power", lost);
        self.drafts.push(draft.attr("supply", "component"));
        let panel =
            json!({"system": system, "addr": addr, "component": format!("{zone}-{position}")});
        self.describe(
            from,
            &[
                ("sensor", json!(sensor)),
                ("zone", json!(zone.to_string())),
                ("description", json!(description_of(description))),
                ("panel", panel),
                ("component_type", json!(part)),
            ],
        );
    }

    /// The bits that systems and components share. Bit 0 says "test" where it is 0; real devices leave it 0 in real fires, so it is
    /// passed on and changes nothing.
    fn state(&mut self, state: &State) {
        let bit = |n: u8| state.bits & (1 << n) != 0;
        self.fire(state, bit(1));
        let mut conditions = vec![
            (Kind::FireFault, "fault", bit(2)),
            (Kind::FireShielded, "shielded", bit(3)),
            (Kind::FireSupervisory, "supervisory", bit(4)),
            (Kind::FireFeedback, "feedback", bit(6)),
        ];
        if state.can_start {
            conditions.push((Kind::FireStarted, "started", bit(5)));
        }
        for (kind, property, is_there) in conditions {
            let draft = self.condition(state, kind, property, is_there);
            self.drafts.push(draft);
        }
    }

    /// The bits that only systems have.
    fn system_state(&mut self, state: &State) {
        let bit = |n: u8| state.bits & (1 << n) != 0;
        for (supply, n) in [("mains", 8), ("backup", 9)] {
            let draft = self.condition(state, Kind::DevicePower, supply, bit(n));
            self.drafts.push(draft.attr("supply", supply));
        }
        let bus = self.condition(state, Kind::FireFault, "bus", bit(10));
        self.drafts.push(bus.attr("fault", "bus"));
        if bit(12) {
            let changed = self.draft(Kind::DeviceConfigChanged, Phase::Instant);
            self.drafts.push(stamped(changed, state));
        }
        if bit(13) {
            self.reset(state);
        }
    }

    fn fire(&mut self, state: &State, is_there: bool) {
        let line = format!("{}\t{}", state.component, state.kind);
        let phase = match (is_there, self.burning.contains(&line)) {
            (true, _) => Phase::Raised,
            (false, true) => Phase::Cleared,
            (false, false) => return,
        };
        let mut draft = self.draft(state.kind, phase);
        if is_there {
            self.burning.insert(line);
            if state.bits & 1 == 0 {
                draft = draft.attr("test_hint", "state bit 0 says test");
            }
        } else {
            self.burning.remove(&line);
        }
        self.drafts.push(stamped(draft, state));
    }

    /// A reset ends what was told; what still stands is told anew.
    fn reset(&mut self, state: &State) {
        for line in std::mem::take(&mut self.burning) {
            let Some((component, kind)) = line.split_once('\t') else {
                continue;
            };
            let Ok(kind) = kind.parse() else {
                continue;
            };
            let draft = self
                .draft(kind, Phase::Cleared)
                .at(state.at.clone())
                .attr("reason", "reset");
            self.drafts.push(match component {
                "" => draft,
                component => draft.component(component),
            });
        }
    }

    /// What somebody pressed on a panel, or on the transmission device (no `addr`).
    fn operation(
        &mut self,
        flags: u8,
        addr: Option<u8>,
        at: Option<DeviceTime>,
        id: Option<String>,
    ) {
        let state = State {
            bits: 1,
            component: addr.map(|addr| addr.to_string()).unwrap_or_default(),
            kind: Kind::FireManualCall,
            at,
            id,
            can_start: false,
        };
        for n in 0..8 {
            if flags & (1 << n) == 0 {
                continue;
            }
            let (kind, phase, word) = match n {
                0 | 3 => {
                    self.reset(&state);
                    continue;
                }
                1 => (Kind::FireSilenced, Phase::Instant, "silence"),
                2 => {
                    self.fire(&state, true);
                    continue;
                }
                4 => (Kind::DeviceTest, Phase::Instant, "self_test"),
                5 if addr.is_none() => (Kind::FireDutyCheck, Phase::Instant, "duty_check"),
                6 => (Kind::DeviceTest, Phase::Instant, "test"),
                _ => continue,
            };
            let draft = self.draft(kind, phase);
            self.drafts
                .push(stamped(draft.attr("operation", word), &state));
        }
    }

    /// The state of the transmission device itself.
    fn uit_state(&mut self, bits: u8, at: Option<DeviceTime>, id: Option<String>) {
        let state = State {
            bits: u16::from(bits),
            component: String::new(),
            kind: Kind::FireDetector,
            at,
            id,
            can_start: false,
        };
        let bit = |n: u8| bits & (1 << n) != 0;
        self.fire(&state, bit(1));
        for (n, kind, property, name) in [
            (2, Kind::DeviceFault, "fault", "fault"),
            (3, Kind::DevicePower, "mains", "supply"),
            (4, Kind::DevicePower, "backup", "supply"),
            (5, Kind::DeviceFault, "link_to_centre", "fault"),
            (6, Kind::DeviceFault, "monitored_line", "fault"),
        ] {
            let draft = self.condition(&state, kind, property, bit(n));
            let word = (property != name).then_some(property);
            self.drafts.push(draft.attr(name, word));
        }
    }

    fn analog(
        &mut self,
        (system, addr, part): (u8, u8, u8),
        zone: &[u8],
        at: Option<DeviceTime>,
        id: Option<String>,
    ) {
        let [p0, p1, z0, z1, kind, low, high] = zone else {
            return;
        };
        let (zone, position) = (
            u16::from_le_bytes([*z0, *z1]),
            u16::from_le_bytes([*p0, *p1]),
        );
        let raw = i16::from_le_bytes([*low, *high]);
        let mut draft = self
            .draft(Kind::DeviceTelemetry, Phase::Instant)
            .component(format!("{addr}-{zone}-{position}"))
            .at(at)
            .attr("component_type", part)
            .attr("analog_type", *kind)
            .attr(
                "panel",
                json!({"system": system, "addr": addr, "component": format!("{zone}-{position}")}),
            );
        draft = match table::analog(*kind) {
            Some((sensor, factor, unit)) => draft
                .attr("sensor", sensor)
                .attr("level", (f64::from(raw) * factor * 100.0).round() / 100.0)
                .attr("unit", unit),
            None => draft.attr("level", raw),
        };
        draft.id = id;
        self.drafts.push(draft);
    }

    /// The state word of a component that a platform passes on as a number, with no more than its name.
    pub fn word(&mut self, component: &str, bits: u16, at: Option<DeviceTime>, id: Option<String>) {
        self.state(&State {
            bits,
            component: component.to_owned(),
            kind: Kind::FireDetector,
            at,
            id,
            can_start: true,
        });
    }

    fn condition(&self, state: &State, kind: Kind, property: &str, is_there: bool) -> Draft {
        let address = self.address.as_str();
        let draft = Draft::condition(address, DeviceClass::Panel, kind, property, is_there);
        let mut draft = stamped(draft, state);
        // one object may tell of two conditions of a kind
        draft.id = draft.id.map(|id| format!("{id}:{property}"));
        draft
    }

    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        Draft::new(self.address.as_str(), DeviceClass::Panel, kind, phase)
    }

    /// The same attributes for all drafts from one on; what a reset ended is others' and stays.
    fn describe(&mut self, from: usize, attrs: &[(&str, Value)]) {
        let own = self.drafts.iter_mut().skip(from);
        for draft in own.filter(|draft| !draft.attrs.contains_key("reason")) {
            for (name, value) in attrs.iter().filter(|(_, value)| *value != json!("")) {
                draft.attrs.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

fn stamped(mut draft: Draft, state: &State) -> Draft {
    draft.at.clone_from(&state.at);
    draft.id.clone_from(&state.id);
    if !state.component.is_empty() {
        draft.component = Some(state.component.clone());
    }
    draft
}

fn key(address: &str) -> String {
    format!("gbt26875:burning:{address}")
}

/// Fewest and standard bytes of an object, time included in the latter. None for what tells no event.
fn object_bytes(flag: u8) -> Option<(usize, usize)> {
    Some(match flag {
        1 | 4 => (4, 10),
        2 => (9, 46),
        3 => (10, 16),
        21 => (1, 7),
        24 => (2, 8),
        _ => return None,
    })
}

/// A description: GB 18030, filled up with zeros.
fn description_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let (decoded, _, _) = encoding_rs::GB18030.decode(bytes.get(..end).unwrap_or_default());
    text::clip(decoded.trim(), 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::format::Nothing;

    #[test]
    fn what_is_remembered_fits_however_much_burns() {
        let zone = TimeZone::UTC;
        let mut reader = Reader::new("a", &zone, &Nothing);
        for n in 0..5000 {
            reader.word(&format!("{n:060}"), 3, None, None);
        }
        let reading = reader.finish();
        let raised = |draft: &&Draft| draft.phase == Phase::Raised;
        assert_eq!(reading.drafts.iter().filter(raised).count(), 5000);
        let value = reading.learn.first().and_then(|(_, value)| value.as_ref());
        assert!(value.is_some_and(|value| value.len() <= VALUE_BYTES_MAX));
    }
}
