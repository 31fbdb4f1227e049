//! UHPPOTE (Wiegand) door controllers behind `uhppoted-mqtt`.
//!
//! `uhppoted/gateway/events` is a feed that tells every event at least once, `…/events/live` tells them as they come: the same event twice
//! is known again by its number. Replies to `get-events` and `get-event` carry the same objects; other replies tell nothing.
//! Layout: uhppoted/uhppoted-mqtt documentation/commands, reasons as in uhppoted/uhppoted-lib.

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::{self, TimeZone};
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct Uhppoted;

/// Most events of one message.
const EVENTS_MAX: usize = 1000;

impl Format for Uhppoted {
    fn name(&self) -> &'static str {
        "uhppoted"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.levels().first() == Some(&"uhppoted") {
            return Claim::Address;
        }
        let Some(object) = message.object() else {
            return Claim::No;
        };
        let inner = object.get("message").unwrap_or(&Value::Null);
        let is_event = |event: &Value| {
            event.get("device-id").is_some()
                && event.get("event-id").is_some()
                && event.get("access-granted").is_some()
        };
        let is_reply = inner
            .get("reply")
            .is_some_and(|reply| reply.get("method").is_some() && reply.get("response").is_some());
        if is_reply
            || inner.get("event").is_some_and(is_event)
            || message.json().is_ok_and(is_event)
        {
            return Claim::Shape;
        }
        Claim::No
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if message.payload.is_empty() {
            return Ok(Reading::default()); // a retained event was taken back
        }
        let value = message.json()?;
        let inner = text::at(value, "message").unwrap_or(value);
        let zone = message.zone;
        if let Some(system) = text::at(inner, "system") {
            return Ok(system_alert(system).into());
        }
        let response = text::at(inner, "reply.response").or_else(|| text::at(inner, "response"));
        let holder = response.unwrap_or(inner);
        let device = text::at(holder, "device-id").and_then(text::word);
        if let Some(status) = text::at(holder, "status") {
            return Ok(status_error(status, device.as_deref()).into());
        }
        let single = text::at(holder, "event")
            .or_else(|| (holder.get("event-id").is_some()).then_some(holder));
        let list = text::at(holder, "events").and_then(Value::as_array);
        let drafts = list
            .into_iter()
            .flatten()
            .take(EVENTS_MAX)
            .chain(single)
            .filter_map(|event| read(event, device.as_deref(), zone));
        Ok(drafts.collect::<Vec<_>>().into())
    }

    fn may_alarm(&self, topic: &str) -> bool {
        !topic.contains("/request")
    }
}

/// One event of a controller.
fn read(event: &Value, outer: Option<&str>, zone: &TimeZone) -> Option<Draft> {
    let word = |path: &str| text::at(event, path).and_then(text::word);
    let number = |path: &str| text::at(event, path).and_then(text::integer);
    let device = word("device-id")
        .filter(|device| device != "0")
        .or_else(|| outer.map(str::to_owned))?;
    let seq = number("event-id").or_else(|| number("index"))?;
    let is_granted = text::at(event, "access-granted").and_then(text::boolean);
    let card = word("card-number").unwrap_or_default();
    let door = word("door-id").filter(|door| door != "0");
    let reason = number("event-reason")
        .or_else(|| text::at(event, "event-reason.code").and_then(text::integer));
    let has_card = text::somebody(&card).is_some();
    let meaning = meaning(reason.unwrap_or_default(), is_granted, has_card)?;

    let own =
        |kind: Kind, phase: Phase| Draft::new(device.clone(), DeviceClass::Access, kind, phase);
    let draft = match meaning {
        Meaning::Granted(method) => own(Kind::AccessGranted, Phase::Instant)
            .attr("result", "granted")
            .attr("method", method),
        Meaning::Denied(why) => own(Kind::AccessDenied, Phase::Instant)
            .attr("result", "denied")
            .attr("method", has_card.then_some("card"))
            .attr("reason", why),
        Meaning::Fact(kind) => own(kind, Phase::Instant),
        Meaning::Alarm(kind, why) => own(kind, Phase::Raised).attr("reason", why),
        Meaning::Input(why) => own(Kind::DeviceAlarmInput, Phase::Instant).attr("reason", why),
        Meaning::Door(state) => own(Kind::AccessDoorState, Phase::Updated)
            .edge("contact", state)
            .attr("state", state),
    };
    let direction = match (word("direction-text").as_deref(), number("direction")) {
        (Some("in"), _) | (None, Some(1)) => Some("in"),
        (Some("out"), _) | (None, Some(2)) => Some("out"),
        _ => None,
    };
    let at = word("timestamp").and_then(|told| time(&told, zone));
    let id = format!(
        "{seq}:{}",
        at.as_ref().map(|at| at.raw.as_str()).unwrap_or_default()
    );
    let draft = draft
        .at(at)
        .id(id)
        .credential(&card)
        .attr("door", door.clone())
        .attr("direction", direction)
        .attr("seq", seq)
        .attr(
            "description",
            word("event-reason-text").map(|told| text::clip(&told, 80)),
        );
    Some(match door {
        Some(door) => draft.component(format!("door-{door}")),
        None => draft,
    })
}

enum Meaning {
    Granted(Option<&'static str>),
    Denied(Option<&'static str>),
    Fact(Kind),
    Alarm(Kind, &'static str),
    /// An input that went off: no message says that it is over.
    Input(&'static str),
    Door(&'static str),
}

/// By the reason where that says more than whether somebody was let in.
fn meaning(reason: i64, is_granted: Option<bool>, has_card: bool) -> Option<Meaning> {
    use Meaning::{Alarm, Denied, Door, Fact, Granted, Input};
    let why = match reason {
        8 => return Some(Fact(Kind::AccessAntiPassback)),
        20 => return Some(Fact(Kind::AccessRex)),
        23 => return Some(Door("open")),
        24 => return Some(Door("closed")),
        25 => return Some(Granted(Some("pin"))),
        28 | 29 | 40 => return None, // power on, reset, forced closed
        34 => return Some(Fact(Kind::AccessDuress)),
        37 => return Some(Alarm(Kind::AccessHeldOpen, "held")),
        38 => return Some(Alarm(Kind::AccessForcedOpen, "forced")),
        39 => return Some(Alarm(Kind::FireDetector, "fire_input")),
        41 => return Some(Input("theft")),
        42 => return Some(Input("zone_24h")),
        43 => return Some(Input("emergency")),
        44 | 45 => return Some(Granted(Some("remote"))),
        5 => "refused_by_host",
        6 | 18 => "no_right",
        7 => "wrong_pin",
        9 => "more_cards",
        10 => "no_first_card",
        11 => "door_closed",
        12 | 33 => "interlock",
        13 => "too_often",
        15 => "invalid_period",
        31 => "button_locked",
        32 => "button_offline",
        _ => "",
    };
    let why = Some(why).filter(|why| !why.is_empty());
    Some(if is_granted? {
        Granted(has_card.then_some("card"))
    } else {
        Denied(why)
    })
}

/// `2019-07-24 20:31:24 PDT`: a wall clock and the name of its zone. Of names that mean several zones the hub's own counts.
fn time(told: &str, zone: &TimeZone) -> Option<DeviceTime> {
    let (clock, name) = match told.char_indices().nth(19) {
        Some((cut, _)) => told.split_at(cut),
        None => (told, ""),
    };
    let hours: i8 = match name.trim() {
        "UTC" | "GMT" | "Z" | "WET" => 0,
        "BST" | "CET" | "WEST" => 1,
        "CEST" | "EET" | "SAST" => 2,
        "EEST" | "MSK" => 3,
        "HKT" | "SGT" | "AWST" => 8,
        "JST" | "KST" => 9,
        "AEST" => 10,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        other if other.starts_with(['+', '-']) => {
            let zone = TimeZone::fixed(offset(other)?);
            return renamed(DeviceTime::text(clock, &zone), told);
        }
        _ => return renamed(DeviceTime::text(clock, zone), told),
    };
    let zone = TimeZone::fixed(tz::Offset::from_hours(hours).ok()?);
    renamed(DeviceTime::text(clock, &zone), told)
}

/// `+05`, `+0530`, `-03:30`.
fn offset(name: &str) -> Option<tz::Offset> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), |text| text.parse().ok())?;
    let seconds = (hours * 60 + minutes) * 60;
    let is_behind = name.starts_with('-');
    tz::Offset::from_seconds(if is_behind { -seconds } else { seconds }).ok()
}

fn renamed(time: Option<DeviceTime>, told: &str) -> Option<DeviceTime> {
    time.map(|time| DeviceTime {
        raw: text::clip(told, 64),
        ..time
    })
}

/// What the service says of itself: `{alert: {subsystem, message}}`, and `alive` when all is well again.
fn system_alert(system: &Value) -> Vec<Draft> {
    let (value, is_alert) = match (text::at(system, "alert"), text::at(system, "alive")) {
        (Some(alert), _) => (alert, true),
        (None, Some(alive)) => (alive, false),
        (None, None) => return Vec::new(),
    };
    let word = |name: &str| text::at(value, name).and_then(text::word);
    let subsystem = word("subsystem").unwrap_or_else(|| "system".to_owned());
    let draft = Draft::condition(
        "",
        DeviceClass::Gateway,
        Kind::DeviceFault,
        "alert",
        is_alert,
    );
    let draft = draft
        .component(text::clip(&subsystem, 40))
        .attr("reason", "system_alert")
        .attr(
            "description",
            word("message").map(|told| text::clip(&told, 200)),
        );
    vec![draft]
}

/// A reply to `get-status` tells of nothing but an error of the controller.
fn status_error(status: &Value, device: Option<&str>) -> Vec<Draft> {
    let code = text::at(status, "system-error").and_then(text::integer);
    let (Some(code), Some(device)) = (code, device) else {
        return Vec::new();
    };
    let draft = Draft::condition(
        device,
        DeviceClass::Access,
        Kind::DeviceFault,
        "system_error",
        code != 0,
    );
    vec![draft.attr("reason", "system_error").attr("code", code)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_is_read_with_the_name_of_its_zone() {
        let zone = TimeZone::fixed(tz::offset(8));
        let read = |told: &str| time(told, &zone).map(|time| time.at.to_string());
        for (told, want) in [
            ("2026-11-24 04:00:00 PST", "2026-11-24T12:00:00Z"),
            ("2026-11-24 20:00:00 CST", "2026-11-24T12:00:00Z"),
            ("2026-11-24 20:00:00", "2026-11-24T12:00:00Z"),
            ("2026-11-24 20:00:00 +08", "2026-11-24T12:00:00Z"),
            ("2026-11-24 20:30:00 +0530", "2026-11-24T15:00:00Z"),
            ("2026-11-24 20:30:00 -03:30", "2026-11-25T00:00:00Z"),
        ] {
            assert_eq!(read(told).as_deref(), Some(want), "{told}");
        }
        assert_eq!(read("一二三四五六七八九十一二三四五六七八九十"), None);
    }
}
