//! `rtstate`: how the doors of a panel stand. Told every half a minute, so only what changes is news.
//!
//! ```text
//! sensor  two bits for each door, the first door lowest: 0 no contact, 1 closed, 2 open
//! alarm   one byte for each door: bit 0 forced open, 1 tamper, 2 and 3 duress (code, finger), 4 held open, 5 no mains, 6 no battery,
//!         7 its reader was opened
//! ```

use domain::{DeviceClass, Kind, Phase};

use super::super::draft::Draft;
use super::codes::Meaning;
use super::{Panel, Row};

/// Most doors of a panel.
const DOORS_MAX: usize = 8;

/// An alarm that is there or not.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Under which name it is remembered.
    pub property: &'static str,
    /// What it tells.
    pub kind: Kind,
    /// Its bits in the alarm byte; none where the state does not have it.
    bits: u8,
    /// Whose it is.
    pub of: Of,
}

/// Whose an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// A door's, and whoever cancels the alarms of the door ends it.
    Door,
    /// That of what hangs on a door.
    Part,
    /// The panel's own.
    Panel,
}

/// The alarms, those of the state first.
pub(super) const ALARMS: &[Alarm] = &[
    alarm("forced", Kind::AccessForcedOpen, 0b0000_0001, Of::Door),
    alarm("tamper", Kind::DeviceTamper, 0b0000_0010, Of::Door),
    alarm("duress", Kind::AccessDuress, 0b0000_1100, Of::Door),
    alarm("held", Kind::AccessHeldOpen, 0b0001_0000, Of::Door),
    alarm("mains", Kind::DevicePower, 0b0010_0000, Of::Panel),
    alarm("battery", Kind::DevicePower, 0b0100_0000, Of::Panel),
    alarm("reader_tamper", Kind::DeviceTamper, 0b1000_0000, Of::Part),
    alarm("fire", Kind::FireDetector, 0, Of::Panel),
    alarm("input", Kind::DeviceAlarmInput, 0, Of::Part),
    alarm("reader", Kind::DeviceFault, 0, Of::Part),
    alarm("expander", Kind::DeviceFault, 0, Of::Panel),
    alarm("controller", Kind::DeviceFault, 0, Of::Panel),
    alarm("network", Kind::DeviceFault, 0, Of::Panel),
    alarm("mobile_network", Kind::DeviceFault, 0, Of::Panel),
    alarm("cable", Kind::DeviceFault, 0, Of::Panel),
];

const fn alarm(property: &'static str, kind: Kind, bits: u8, of: Of) -> Alarm {
    Alarm {
        property,
        kind,
        bits,
        of,
    }
}

impl Alarm {
    /// The alarm of this name.
    pub(super) fn of(property: &str) -> Option<&'static Self> {
        ALARMS.iter().find(|alarm| alarm.property == property)
    }

    /// That it is there or not.
    pub(super) fn condition(&self, serial: &str, is_there: bool) -> Draft {
        let class = DeviceClass::Access;
        let draft = Draft::condition(serial, class, self.kind, self.property, is_there);
        // a panel has several of these at once
        let draft = if matches!(self.kind, Kind::DevicePower | Kind::DeviceFault)
            || self.property == "reader_tamper"
        {
            draft.apart()
        } else {
            draft
        };
        match self.kind {
            Kind::DevicePower => draft.attr("supply", self.property),
            Kind::DeviceFault => draft.attr("fault", self.property),
            Kind::FireDetector => draft.attr("sensor", "fire_input"),
            Kind::DeviceAlarmInput => draft.attr("label", "auxiliary"),
            _ => draft,
        }
    }
}

/// Whether a code is about the panel, whatever door stands beside it.
pub(super) fn is_of_panel(meaning: Meaning) -> bool {
    match meaning {
        Meaning::Alarm(property) | Meaning::Over(property) => {
            Alarm::of(property).is_some_and(|alarm| alarm.of == Of::Panel)
        }
        Meaning::Begun => true,
        _ => false,
    }
}

/// Reads a row.
pub(super) fn read(panel: &Panel<'_>, row: &Row<'_>) -> Vec<Draft> {
    let at = row.get("time").and_then(|time| panel.time(time));
    let of_row = |name: &str| bytes(row.get(name).copied().unwrap_or_default());
    let mut drafts = Vec::new();
    for (place, byte) in of_row("sensor").into_iter().enumerate().take(DOORS_MAX / 4) {
        for pair in 0..4 {
            let state = match byte >> (pair * 2) & 0b11 {
                1 => "closed",
                2 => "open",
                _ => continue,
            };
            let door = place * 4 + pair + 1;
            let draft = panel
                .draft(Kind::AccessDoorState, Phase::Updated)
                .edge("contact", state)
                .attr("state", state);
            drafts.push(dress(draft, door));
        }
    }
    let of_doors = of_row("alarm");
    let of_doors = of_doors.get(..DOORS_MAX).unwrap_or(&of_doors);
    let in_state = |alarm: &&Alarm| alarm.bits != 0;
    for (place, byte) in of_doors.iter().enumerate() {
        for alarm in ALARMS.iter().filter(in_state) {
            if alarm.of != Of::Panel {
                let draft = alarm.condition(&panel.serial, byte & alarm.bits != 0);
                drafts.push(dress(draft, place + 1));
            }
        }
    }
    // it is told for each door
    let all = of_doors.iter().copied().reduce(|all, byte| all | byte);
    for alarm in ALARMS.iter().filter(in_state) {
        if let Some(all) = all.filter(|_| alarm.of == Of::Panel) {
            drafts.push(alarm.condition(&panel.serial, all & alarm.bits != 0));
        }
    }
    drafts
        .into_iter()
        .map(|draft| draft.at(at.clone()))
        .collect()
}

/// Bytes in hexadecimal digits, as many as are whole: the protocol's own example is a digit short.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let whole = pairs.map_while(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    whole.collect()
}

fn dress(draft: Draft, door: usize) -> Draft {
    draft.component(format!("door-{door}")).attr("door", door)
}
