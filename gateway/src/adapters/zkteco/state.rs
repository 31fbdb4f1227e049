//! `rtstate`: how the doors of a panel stand. Told every half a minute, so only what changes is news.
//!
//! ```text
//! sensor  two bits for each door, the first door lowest: 0 no contact, 1 closed, 2 open
//! alarm   one byte for each door: bit 0 forced open, 1 tamper, 2 and 3 duress (code, finger), 4 held open
//! ```

use domain::{DeviceClass, Kind, Phase};

use super::super::draft::Draft;
use super::{Panel, Row};

/// Most doors of a panel.
const DOORS_MAX: usize = 8;
/// Bit of the alarm byte, what it tells, under which property.
pub(super) const ALARMS: &[(u8, Kind, &str)] = &[
    (0b0_0001, Kind::AccessForcedOpen, "forced"),
    (0b0_0010, Kind::DeviceTamper, "tamper"),
    (0b0_1100, Kind::AccessDuress, "duress"),
    (0b1_0000, Kind::AccessHeldOpen, "held"),
];

/// The property of an alarm.
pub(super) fn property_of(kind: Kind) -> Option<&'static str> {
    let row = ALARMS.iter().find(|(_, own, _)| *own == kind);
    row.map(|(_, _, property)| *property)
}

/// Reads a row.
pub(super) fn read(panel: &Panel<'_>, row: &Row<'_>) -> Vec<Draft> {
    let at = row.get("time").and_then(|time| panel.time(time));
    let bytes = |name: &str| {
        row.get(name)
            .and_then(|text| hex::decode(text).ok())
            .unwrap_or_default()
    };
    let mut drafts = Vec::new();
    for (place, byte) in bytes("sensor").into_iter().enumerate().take(DOORS_MAX / 4) {
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
    for (place, byte) in bytes("alarm").into_iter().enumerate().take(DOORS_MAX) {
        for (bits, kind, property) in ALARMS {
            let draft = Draft::condition(
                panel.serial.clone(),
                DeviceClass::Access,
                *kind,
                property,
                byte & bits != 0,
            );
            drafts.push(dress(draft, place + 1));
        }
    }
    drafts
        .into_iter()
        .map(|draft| draft.at(at.clone()))
        .collect()
}

fn dress(draft: Draft, door: usize) -> Draft {
    draft.component(format!("door-{door}")).attr("door", door)
}
