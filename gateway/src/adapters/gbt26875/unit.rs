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
use crate::adapters::memory::{VALUE_BYTES_MAX, property_key};
use crate::adapters::{Recall, Reject, text};

/// Reads the units of one sender: whose they are, and what of it burns by what was told so far.
pub struct Reader<'a> {
    address: String,
    zone: &'a TimeZone,
    /// Component and kind of each fire.
    burning: BTreeSet<String>,
    /// Component and property of what stands and does not outlast a reset unasked.
    standing: BTreeSet<String>,
    /// What both were before.
    known: [String; 2],
    /// Properties whose next value is news, whatever it is.
    asked: Vec<(String, Option<String>)>,
    drafts: Vec<Draft>,
    /// Why not all was read.
    unread: Option<Reject>,
}

/// A word of state bits and whose it is.
struct State {
    bits: u16,
    component: String,
    kind: Kind,
    at: Option<DeviceTime>,
    id: Option<String>,
    can_start: bool,
    /// It is one component of a system, which burns or not, whatever its type is said to be.
    is_part: bool,
}

/// What a reset ends: equipment goes back to where it was.
const ENDED_BY_RESET: [(Kind, &str); 2] = [
    (Kind::FireFeedback, "feedback"),
    (Kind::FireStarted, "started"),
];
/// What a reset makes a panel look at anew, and what it ends. Shielding outlasts it.
const RESET: [&str; 5] = ["fault", "supervisory", "bus", "feedback", "started"];
/// A value that is none of a condition's: after a reset, both that it stands and that it is over are news.
const ASKED: &str = "reset";

impl<'a> Reader<'a> {
    /// A reader for what a device with this address sends.
    pub fn new(address: &str, zone: &'a TimeZone, recall: &dyn Recall) -> Self {
        let known = keys(address).map(|key| recall.recall(&key).unwrap_or_default().to_owned());
        let [burning, standing] = known
            .each_ref()
            .map(|known| known.lines().map(str::to_owned).collect());
        Self {
            address: address.to_owned(),
            zone,
            burning,
            standing,
            known,
            asked: Vec::new(),
            drafts: Vec::new(),
            unread: None,
        }
    }

    /// What was read.
    pub fn finish(self) -> Reading {
        let now = [&self.burning, &self.standing].map(in_lines);
        let mut learn = self.asked;
        for ((key, now), known) in keys(&self.address).into_iter().zip(now).zip(self.known) {
            if now != known {
                learn.push((key, (!now.is_empty()).then_some(now)));
            }
        }
        Reading {
            drafts: self.drafts,
            learn,
            unread: self.unread,
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
            if !is_no_event(*flag) {
                let detail = format!("a unit of type {flag}, which is the maker's own");
                let unread = || Reject::new("unknown_unit", detail);
                self.unread.get_or_insert_with(unread);
            }
            return Ok(());
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
                    is_part: false,
                };
                // what burns on is told again behind the reset
                if state.bits & (1 << 13) != 0 {
                    self.reset(&state, Some(*addr));
                }
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
            is_part: true,
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
    }

    fn fire(&mut self, state: &State, is_there: bool) {
        if is_there {
            let line = format!("{}\t{}", state.component, state.kind);
            self.burning.insert(line);
            let draft = self.draft(state.kind, Phase::Raised);
            let hint = (state.bits & 1 == 0).then_some("state bit 0 says test");
            self.drafts
                .push(stamped(draft.attr("test_hint", hint), state));
            return;
        }
        // vendors tell the end of a detector's fire with another type than its beginning
        let is_over = |line: &str| {
            line.split_once('\t').is_some_and(|(component, kind)| {
                component == state.component && (state.is_part || kind == state.kind.as_str())
            })
        };
        for line in take(&mut self.burning, is_over) {
            if let Some(kind) = kind_of(&line) {
                let draft = self.draft(kind, Phase::Cleared);
                self.drafts.push(stamped(draft, state));
            }
        }
    }

    /// A reset of a system ends what was told of its components, one of the transmission device (no `addr`) all; what still stands is told
    /// anew.
    fn reset(&mut self, state: &State, addr: Option<u8>) {
        let own = addr.map(|addr| (addr.to_string(), format!("{addr}-")));
        let is_own = |line: &str| {
            let component = line.split('\t').next().unwrap_or_default();
            own.as_ref()
                .is_none_or(|(addr, parts)| component == addr || component.starts_with(parts))
        };
        for line in take(&mut self.burning, is_own) {
            if let (Some(kind), Some(part)) = (kind_of(&line), part_of(&line, state)) {
                let draft = self.draft(kind, Phase::Cleared);
                self.drafts
                    .push(stamped(draft, &part).attr("reason", "reset"));
            }
        }
        for line in take(&mut self.standing, is_own) {
            let (Some((_, property)), Some(part)) = (line.split_once('\t'), part_of(&line, state))
            else {
                continue;
            };
            let ended = ENDED_BY_RESET.iter().find(|(_, ended)| *ended == property);
            if let Some((kind, _)) = ended {
                let draft = self.condition(&part, *kind, property, false);
                self.drafts.push(draft.attr("reason", "reset"));
            } else {
                let component = Some(part.component.as_str());
                let key = property_key(&self.address, component, property);
                self.asked.push((key, Some(ASKED.to_owned())));
            }
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
            is_part: false,
        };
        for n in 0..8 {
            if flags & (1 << n) == 0 {
                continue;
            }
            let (kind, phase, word) = match n {
                0 | 3 => {
                    self.reset(&state, addr);
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
            is_part: false,
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
            is_part: true,
        });
    }

    fn condition(&mut self, state: &State, kind: Kind, property: &str, is_there: bool) -> Draft {
        let line = format!("{}\t{property}", state.component);
        if !is_there {
            self.standing.remove(&line);
        } else if RESET.contains(&property) {
            self.standing.insert(line);
        }
        let address = self.address.as_str();
        let draft = Draft::condition(address, DeviceClass::Panel, kind, property, is_there);
        let draft = match kind {
            // a panel has several at once
            Kind::FireFault | Kind::DeviceFault | Kind::DevicePower => draft.apart(),
            _ => draft,
        };
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

/// The component of a remembered line, with the time of a reset.
fn part_of(line: &str, state: &State) -> Option<State> {
    let (component, _) = line.split_once('\t')?;
    Some(State {
        bits: 0,
        component: component.to_owned(),
        kind: state.kind,
        at: state.at.clone(),
        // that of the reset, which may end many
        id: None,
        can_start: false,
        is_part: false,
    })
}

fn kind_of(line: &str) -> Option<Kind> {
    line.split_once('\t')?.1.parse().ok()
}

/// Takes some lines out.
fn take(lines: &mut BTreeSet<String>, is_one: impl Fn(&str) -> bool) -> Vec<String> {
    let mut taken = Vec::new();
    lines.retain(|line| {
        let is_taken = is_one(line);
        if is_taken {
            taken.push(line.clone());
        }
        !is_taken
    });
    taken
}

/// As many lines as fit. What does not rings like the others; only its end is not told by itself.
fn in_lines(lines: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() < VALUE_BYTES_MAX {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(line);
        }
    }
    text
}

fn keys(address: &str) -> [String; 2] {
    ["burning", "standing"].map(|what| format!("gbt26875:{what}:{address}"))
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

/// Whether a type (table 3) tells of versions, configuration and clocks. Those from 128 on are makers' own, and carry states of inputs and
/// pumps, too.
fn is_no_event(flag: u8) -> bool {
    matches!(flag, 5..=8 | 25..=28)
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
