//! Batteries of which only the charge is told. Many devices say `battery: 7` and leave it to the reader what that means: their model's profile
//! has the percentage below which it is low (`profiles.toml`), and the hub says so in their place.

use domain::place::{Device, Registry};
use domain::{Attrs, ClockSource, DeviceId, Event, EventId, Kind, Phase, Seq, Timestamp};
use serde_json::json;

use super::memory::{Memory, News};

/// What it must have gained to be well again, in percent: the cold of a night takes a little, a new battery gives much.
const GAIN: f64 = 10.0;
/// What part of the limit is nearly nothing.
const CRITICAL_PART: f64 = 0.5;

/// The charge of one device's battery, in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// Whose it is.
    pub device: DeviceId,
    /// 0 to 100.
    pub percent: f64,
    /// The device says itself whether that is low.
    pub says_low: bool,
}

/// Where it was told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The account that told it.
    pub account: &'a str,
    /// Its position in the journal.
    pub seq: Seq,
    /// The hub's clock.
    pub received_at: Timestamp,
}

/// The charge that an event tells, if it tells one.
pub fn charge_of(event: &Event) -> Option<Charge> {
    const NAME: &str = "battery_percent";
    if !matches!(event.kind, Kind::DeviceTelemetry | Kind::DeviceBatteryLow) {
        return None;
    }
    // most readings have none, and need not be parsed for it
    if !event.attrs.as_json().contains(NAME) {
        return None;
    }
    let percent = event.attrs.to_value()[NAME].as_f64()?;
    is_charge(percent).then(|| Charge {
        device: event.device.clone(),
        percent,
        says_low: event.kind == Kind::DeviceBatteryLow,
    })
}

/// Whether a number can be a charge: devices that do not know say -1 or 255.
pub fn is_charge(percent: f64) -> bool {
    (0.0..=100.0).contains(&percent)
}

/// What has become low, or well again, of devices that do not say so themselves. `first` is the number of facts that the message has already.
pub fn events(
    charges: &[Charge],
    first: usize,
    told: Told<'_>,
    registry: &Registry,
    memory: &mut Memory,
) -> Vec<Event> {
    let next = u16::try_from(first).unwrap_or(u16::MAX);
    let mut events = Vec::new();
    for charge in charges.iter().filter(|charge| !charge.says_low) {
        let Some(device) = registry.devices.get(&charge.device) else {
            continue;
        };
        let profile = registry.profile(Some(&device.model), device.class);
        let Some(limit) = profile.and_then(|profile| profile.battery_low_percent) else {
            continue;
        };
        let key = format!("battery\u{1f}{}", device.id);
        let level = {
            let known = memory.of(told.account);
            level(
                charge.percent,
                f64::from(u8::from(limit)),
                super::Recall::recall(&known, &key),
            )
        };
        let index = next.saturating_add(u16::try_from(events.len()).unwrap_or(u16::MAX));
        match memory.tell(told.account, &key, level, told.seq) {
            News::Same => {}
            // one that was never heard of and is well is no news
            News::First if level == OK => {}
            News::First | News::Changed => {
                events.push(event(device, charge.percent, level, index, told));
            }
        }
    }
    events
}

const OK: &str = "ok";
const LOW: &str = "low";
const CRITICAL: &str = "critical";

fn level(percent: f64, limit: f64, known: Option<&str>) -> &'static str {
    let critical = limit * CRITICAL_PART;
    // what it was is left behind only with a gain
    let within = |bound: f64, stands: bool| percent < if stands { bound + GAIN } else { bound };
    if within(critical, known == Some(CRITICAL)) {
        CRITICAL
    } else if within(limit, matches!(known, Some(LOW | CRITICAL))) {
        LOW
    } else {
        OK
    }
}

fn event(device: &Device, percent: f64, level: &str, index: u16, told: Told<'_>) -> Event {
    let attrs = if level == OK {
        json!({ "battery_percent": percent, "by": "profile" })
    } else {
        json!({ "battery_percent": percent, "level": level, "by": "profile" })
    };
    Event {
        id: EventId::of_uplink(told.received_at, told.seq, index),
        seq: told.seq,
        site: device.site.clone(),
        device: device.id.clone(),
        class: device.class,
        component: None,
        kind: Kind::DeviceBatteryLow,
        phase: if level == OK {
            Phase::Cleared
        } else {
            Phase::Raised
        },
        dedupe_key: format!("battery#{}.{index}", told.seq),
        occurred_at: told.received_at,
        received_at: told.received_at,
        clock: ClockSource::Gateway,
        attrs: Attrs::from_value(&attrs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::formats::tests::reading;
    use crate::adapters::message::Door;
    use crate::adapters::test_places;

    const PROFILES: &str = r#"
        [[profile]]
        id = "contact"
        models = ["MCCGQ11LM"]
        class = "access"
        power = "battery"
        heartbeat_s = 86400
        battery_low_percent = 20
        [[profile]]
        id = "any"
        class = "access"
        power = "battery"
        heartbeat_s = 86400
    "#;
    const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m
contact-1,q1,z1,access,n,mccgq11lm,86400,0,0
other-1,q1,z1,access,n,else,86400,0,0
";

    fn registry() -> Registry {
        test_places::with_profiles(DEVICES, PROFILES)
    }

    fn tell(memory: &mut Memory, device: &str, percent: f64, seq: u64) -> Vec<String> {
        let charge = Charge {
            device: device.parse().expect("a slug"),
            percent,
            says_low: false,
        };
        let told = Told {
            account: "z2m",
            seq: Seq(seq),
            received_at: Timestamp::UNIX_EPOCH,
        };
        let events = events(&[charge], 3, told, &registry(), memory);
        let word = |event: &Event| {
            let attrs = event.attrs.to_value();
            let level = attrs["level"].as_str().unwrap_or("-");
            format!("{} {level} {}", event.phase.as_str(), event.dedupe_key)
        };
        events.iter().map(word).collect()
    }

    #[test]
    fn a_charge_below_that_of_the_profile_is_low_until_it_has_gained() {
        let mut memory = Memory::default();
        let mut at = |percent, seq| tell(&mut memory, "contact-1", percent, seq);
        assert_eq!(at(80.0, 1), [""; 0], "nobody has heard of it");
        assert_eq!(at(20.0, 2), [""; 0], "at the limit it is not below it");
        assert_eq!(at(19.0, 3), ["raised low battery#3.3"]);
        assert_eq!(at(12.0, 4), [""; 0], "it is told once");
        assert_eq!(at(24.0, 5), [""; 0], "a warmer day is no new battery");
        assert_eq!(at(9.0, 6), ["raised critical battery#6.3"]);
        assert_eq!(at(15.0, 7), [""; 0]);
        assert_eq!(at(21.0, 8), ["raised low battery#8.3"]);
        assert_eq!(at(100.0, 9), ["cleared - battery#9.3"]);
        // read again after a crash: the same once more
        assert_eq!(at(9.0, 6), ["raised critical battery#6.3"]);
    }

    #[test]
    fn makers_tell_it_in_their_own_places() {
        for (topic, payload, want) in [
            (
                "shellyplussmoke-a1/events/rpc",
                r#"{"src":"shellyplussmoke-a1","method":"NotifyStatus","params":{"ts":1764237600.1,"devicepower:0":{"id":0,"battery":{"V":2.9,"percent":7}}}}"#,
                ("shellyplussmoke-a1", 7.0),
            ),
            (
                "shellyplussmoke-a1/status/devicepower:0",
                r#"{"id":0,"battery":{"V":2.9,"percent":61}}"#,
                ("shellyplussmoke-a1", 61.0),
            ),
            (
                "shellies/shellydw2-b2/sensor/battery",
                "55",
                ("shellydw2-b2", 55.0),
            ),
            (
                "zwave/hall/nodeID_5/128/0/level",
                r#"{"time":1764237600000,"value":12}"#,
                ("hall/nodeID_5", 12.0),
            ),
            (
                "zigbee2mqtt/door",
                r#"{"contact":true,"battery":40,"linkquality":90}"#,
                ("door", 40.0),
            ),
        ] {
            let (address, percent) = want;
            let door = Door::Mqtt {
                topic,
                retain: false,
            };
            let read = reading(door, payload);
            assert_eq!(read.charges, [(address.to_owned(), percent)], "{topic}");
        }
    }

    #[test]
    fn a_model_without_a_limit_and_a_stranger_have_none() {
        let mut memory = Memory::default();
        assert_eq!(tell(&mut memory, "other-1", 1.0, 1), [""; 0]);
        assert_eq!(tell(&mut memory, "nobody", 1.0, 2), [""; 0]);
        assert!(!is_charge(-1.0) && !is_charge(255.0) && is_charge(0.0) && is_charge(100.0));
    }
}
