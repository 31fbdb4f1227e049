//! An uplink from the quarantine, put to the adapters again: a note of the hub that holds the bytes as they came, who sent them when, and
//! where they stand in the journal. Who sent them is still the log-in of then; nothing in a payload can make such a note.

use bytes::{Bytes, BytesMut};
use domain::{EventId, Seq, Timestamp, Uplink, UplinkFlags, uplink};
use serde::{Deserialize, Serialize};
use store::state::QuarantineRow;

use super::{Context, Memory, Parsed, Reject, hub};

/// Where such notes stand.
const TOPIC: &str = "$hub/rerun/";

/// What stands before the bytes, in a line of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    of: Seq,
    received_at: Timestamp,
    topic: String,
    principal: String,
    rings: bool,
}

/// What an uplink is that was put to the adapters again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rerun {
    /// Where it stands in the journal first: its key in quarantine.
    pub of: Seq,
    /// Whether rules see it. What is too old goes to history only.
    pub rings: bool,
}

/// Whether an uplink of the quarantine can be put to the adapters again: what a device or a bridge sent, and not what the hub noted.
pub fn can(row: &QuarantineRow) -> bool {
    row.principal != uplink::HUB
}

/// Whether rules would see it if it were put to the adapters at that time.
pub fn rings(at: Timestamp, row: &QuarantineRow, rings_for_s: u32) -> bool {
    at.duration_since(row.received_at).as_secs() < i64::from(rings_for_s)
}

/// The note for the journal. What came more than `rings_for_s` before `at` goes to history only.
pub fn note(at: Timestamp, row: &QuarantineRow, rings_for_s: u32) -> Uplink {
    let head = Head {
        of: row.seq,
        received_at: row.received_at,
        topic: row.topic.clone(),
        principal: row.principal.clone(),
        rings: rings(at, row, rings_for_s),
    };
    let mut payload = BytesMut::from(serde_json::to_vec(&head).unwrap_or_default().as_slice());
    payload.extend_from_slice(b"\n");
    payload.extend_from_slice(&row.raw);
    hub::note(at, format!("{TOPIC}{}", row.seq), 0, payload.to_vec())
}

/// Takes a note apart.
fn open(note: &Uplink) -> Option<(Head, Uplink)> {
    if note.principal != uplink::HUB || !note.topic.starts_with(TOPIC) {
        return None;
    }
    let end = note.payload.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&note.payload[..end]).ok()?;
    let payload: Bytes = note.payload.slice(end + 1..);
    let first = Uplink {
        received_at: head.received_at,
        principal: head.principal.clone(),
        // what has no other name is known by where it stood first
        epoch: head.of.0,
        flags: UplinkFlags::default(),
        topic: head.topic.clone(),
        payload,
        extra: None,
    };
    Some((head, first))
}

/// Whether an uplink is such a note, and of which.
pub fn of(note: &Uplink) -> Option<Rerun> {
    let (head, _) = open(note)?;
    Some(Rerun {
        of: head.of,
        rings: head.rings,
    })
}

/// What it would be if it were put to the adapters now.
pub fn look(row: &QuarantineRow, context: &Context<'_>) -> Parsed {
    let note = note(row.received_at, row, 0);
    parse(row.seq, &note, context, &mut Memory::default())
}

/// Reads the bytes within a note as they would have been read when they came: a device's own time is believed or not by the time at which it
/// was heard, and what has none happened then. Received they are now.
pub(super) fn parse(seq: Seq, note: &Uplink, context: &Context<'_>, memory: &mut Memory) -> Parsed {
    let Some((head, first)) = open(note) else {
        let detail = format!("`{}` holds nothing that came before", note.topic);
        return Parsed {
            reject: Some(Reject::new("bad_rerun", detail)),
            ..Parsed::default()
        };
    };
    // what goes to history only was never told: remembered as told, it would keep the next alarm of that device silent
    let mut apart = Memory::default();
    let memory = if head.rings { memory } else { &mut apart };
    let (_, mut parsed) = super::read(head.of, &first, context, memory);
    for (index, event) in (0_u16..).zip(&mut parsed.events) {
        event.id = EventId::of_uplink(note.received_at, seq, index);
        event.seq = seq;
        event.received_at = note.received_at;
    }
    parsed
}

/// Whether an uplink stands where such notes do.
pub(super) fn is_note(uplink: &Uplink) -> bool {
    uplink.principal == uplink::HUB && uplink.topic.starts_with(TOPIC)
}

#[cfg(test)]
mod tests {
    use domain::place::Registry;

    use super::super::{Bridges, test_places};
    use super::*;

    fn row(payload: &str) -> QuarantineRow {
        QuarantineRow {
            seq: Seq(7),
            received_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
            topic: "ssg/v1/q1/smoke-1/tele".to_owned(),
            principal: "smoke-1".to_owned(),
            reason: "unknown_device".to_owned(),
            detail: String::new(),
            raw: payload.to_owned().into(),
        }
    }

    const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m\nsmoke-1,q1,z1,fire_sensor,烟感,m,60,0.0,0.0\n";

    fn mended() -> Registry {
        test_places::registry(DEVICES)
    }

    #[test]
    fn what_is_mended_reads_as_if_it_had_been_then() {
        let registry = mended();
        let context = Context {
            registry: &registry,
            bridges: &Bridges::default(),
        };
        let row = row(r#"{"temperature_c": 20.5}"#);
        let later: Timestamp = "2026-11-23T12:10:00Z".parse().expect("a time");
        let note = note(later, &row, 900);
        for seq in [Seq(70), Seq(71)] {
            let parsed = super::super::parse(seq, &note, &context, &mut Memory::default());
            assert_eq!(parsed.reject, None);
            let event = &parsed.events[0];
            assert_eq!((event.seq, event.received_at), (seq, later));
            assert_eq!(event.occurred_at, row.received_at);
            // twice is once
            assert_eq!(event.dedupe_key, "tele#7");
        }
    }

    #[test]
    fn what_is_not_mended_rings_no_second_time() {
        let registry = Registry::default();
        let context = Context {
            registry: &registry,
            bridges: &Bridges::default(),
        };
        let mut row = row("{}");
        row.topic = "ssg/v1/q1/smoke-1/evt/fire-smoke".to_owned();
        let parsed = super::super::parse(
            Seq(70),
            &note(row.received_at, &row, 900),
            &context,
            &mut Memory::default(),
        );
        assert!(parsed.events.is_empty());
        assert_eq!(parsed.reject.map(|r| r.code), Some("unknown_device"));
    }

    #[test]
    fn what_goes_to_history_only_keeps_no_later_alarm_silent() {
        let registry = mended();
        let bridge = super::super::Bridge {
            site: "q1".parse().expect("an id"),
            fetch: Vec::new(),
            formats: Vec::new(),
            zone: jiff::tz::TimeZone::UTC,
        };
        let bridges = Bridges {
            by_account: [("zigbee".to_owned(), bridge)].into(),
            ..Bridges::default()
        };
        let context = Context {
            registry: &registry,
            bridges: &bridges,
        };
        let mut row = row(r#"{"smoke": true}"#);
        row.principal = "zigbee".to_owned();
        row.topic = "zigbee2mqtt/0x1".to_owned();
        let mut memory = Memory::default();
        let mut told = |seq, uplink: &Uplink| {
            let parsed = super::super::parse(seq, uplink, &context, &mut memory);
            assert_eq!(parsed.reject, None);
            parsed.events.len()
        };
        // an hour later: to history
        let later: Timestamp = "2026-11-23T13:00:00Z".parse().expect("a time");
        assert_eq!(told(Seq(70), &note(later, &row, 900)), 1);
        let live = |seq| Uplink {
            received_at: later,
            principal: row.principal.clone(),
            epoch: seq,
            flags: UplinkFlags::default(),
            topic: row.topic.clone(),
            payload: Bytes::from_static(br#"{"smoke": true}"#),
            extra: None,
        };
        assert_eq!(told(Seq(71), &live(71)), 1, "it burns now");
        assert_eq!(told(Seq(72), &live(72)), 0, "and is told again");
    }

    #[test]
    fn what_is_old_does_not_ring() {
        let row = row("{}");
        for (time, rings) in [("12:14:59", true), ("12:15:00", false)] {
            let at = format!("2026-11-23T{time}Z").parse().expect("a time");
            let told = of(&note(at, &row, 900)).expect("a note");
            assert_eq!((told.of, told.rings), (Seq(7), rings), "{time}");
        }
        // only the hub makes such notes
        let mut forged = note(row.received_at, &row, 900);
        forged.principal = "smoke-1".to_owned();
        assert_eq!(of(&forged), None);
    }
}
