//! What the types of other senders mean, by their words: `com.acme.building.smoke-detected`, `org.acme.SmokeCleared`.

#[cfg(test)]
mod tests;

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::names::{
    BEGUN, DONE, KINDS, MEMBERS, NO_NEWS, OF_DEVICE, OVER, SILENCED, STATES, THINGS, TRUTHS,
};
use crate::adapters::draft::{Draft, Told};
use crate::adapters::{decoded, text};

/// Most of what data tell besides their type.
const DRAFTS_MAX: usize = 8;

pub(super) fn draft(
    kind: &str,
    address: &str,
    subject: Option<&str>,
    data: &Value,
) -> Option<Draft> {
    let words = words_of(kind);
    let has = |word: &&str| {
        words
            .iter()
            .any(|has| has == word || has.strip_suffix('s') == Some(word))
    };
    if let Some(draft) = state(&words, address) {
        return Some(draft);
    }
    let (kind, class) = &meant(&words, &has).or_else(|| meant_by_data(&words, data))?;
    // a name space may have such words, too
    let behind = behind(&words);
    let has_behind = |known: &[&str]| behind.iter().any(|word| known.contains(&word.as_str()));
    let is_of_fire = kind.as_str().starts_with("fire.") && *kind != Kind::FireFault;
    if is_of_fire || *kind == Kind::EnvWaterLeak {
        if behind
            .first()
            .is_some_and(|word| THINGS.contains(&word.as_str()))
            || has_behind(DONE)
        {
            return None;
        }
        if has_behind(SILENCED) {
            let (kind, phase) = (Kind::FireSilenced, Phase::Instant);
            return is_of_fire.then(|| Draft::new(address, *class, kind, phase));
        }
    }
    let truths = if BEGUN.iter().any(&has) {
        &TRUTHS[..3]
    } else {
        TRUTHS
    };
    let said = truths
        .iter()
        .find_map(|name| decoded::says(data.get(name)?));
    if said.is_none() && NO_NEWS.iter().any(&has) {
        return None;
    }
    let is_over = has_behind(OVER) || OVER.iter().any(&has) && !BEGUN.iter().any(&has);
    let is_there = said.unwrap_or(true) && !is_over;
    let draft = match kind {
        Kind::VehiclePlateRead => {
            let names = ["plate", "plate_number", "licensePlate", "license_plate"];
            let plate = text::first(data, &names)?.as_str()?;
            Draft::new(address, *class, *kind, Phase::Instant).plate(plate)
        }
        Kind::AccessGranted | Kind::AccessDenied => {
            let card =
                text::first(data, &["card", "card_number", "cardNumber"]).and_then(text::word);
            Draft::new(address, *class, *kind, Phase::Instant).credential(&card.unwrap_or_default())
        }
        // each time anew: nothing says that it is over
        Kind::DeviceAlarmInput | Kind::AccessDuress if !is_there => return None,
        Kind::DeviceAlarmInput => {
            Draft::new(address, *class, *kind, Phase::Instant).attr("sensor", sensor(&has))
        }
        Kind::CameraObject => {
            Draft::new(address, *class, *kind, Phase::Instant).attr("label", "person")
        }
        Kind::AccessDuress | Kind::CameraLineCross => {
            Draft::new(address, *class, *kind, Phase::Instant)
        }
        Kind::DeviceOnline => Draft::new(address, *class, *kind, Phase::Updated),
        Kind::DeviceOffline => Draft::new(address, *class, *kind, Phase::Raised),
        _ => {
            let mut draft = Draft::condition(address, *class, *kind, kind.as_str(), is_there);
            draft.component = subject.map(|subject| text::clip(subject, 64));
            draft.told(Told::Change)
        }
    };
    let test = has(&"test").then_some(true);
    let draft = MEMBERS.iter().fold(draft, |draft, member| {
        let value = match data.get(member) {
            Some(Value::String(word)) => text::clip(word, 200).into(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.clone(),
            _ => Value::Null,
        };
        draft.attr(member, value)
    });
    Some(draft.attr("test", test))
}

/// What the data tell of a fire or a leak where the type says nothing of any of it: `com.dapr.event.sent`.
pub(super) fn drafts_of_data(kind: &str, address: &str, data: &Value) -> Vec<Draft> {
    let words = words_of(kind);
    let has = |word: &&str| words.iter().any(|has| has == word);
    let is_told = meant(&words, &has).is_some() || DONE.iter().any(&has);
    // Event Grid has what the device said one below
    let data = data
        .get("body")
        .filter(|body| body.is_object())
        .unwrap_or(data);
    let Some(members) = data.as_object().filter(|_| !is_told) else {
        return Vec::new();
    };
    let told = members
        .iter()
        .filter(|(_, value)| !value.is_object() && !value.is_array())
        .flat_map(|(name, _)| decoded::member_drafts(address, name, members, None));
    let is_grave = |draft: &Draft| match draft.kind {
        Kind::FireHeat | Kind::FireFault => false,
        kind => kind == Kind::EnvWaterLeak || kind.as_str().starts_with("fire."),
    };
    told.filter(is_grave).take(DRAFTS_MAX).collect()
}

/// What was pressed or broke.
fn sensor(has: &dyn Fn(&&str) -> bool) -> &'static str {
    if has(&"glass") {
        "glass_break"
    } else if has(&"sos") {
        "sos"
    } else if has(&"burglar") || has(&"burglary") {
        "intrusion"
    } else {
        "panic"
    }
}

/// The state that the last two words of a type tell: `door.opened`, `DoorClosed`.
fn state(words: &[String], address: &str) -> Option<Draft> {
    let mut words = words.iter().rev().filter(|word| !is_version(word));
    let (word, thing) = (words.next()?, words.next()?.as_str());
    // a gate may be one of quality, too
    let is_of_cars = words.any(|word| ["parking", "vehicle", "car"].contains(&word.as_str()));
    let thing = if thing == "gate" && is_of_cars {
        "barrier"
    } else {
        thing
    };
    let state = match word.as_str() {
        "open" | "opened" => "open",
        "close" | "closed" => "closed",
        "lock" | "locked" => "locked",
        "unlock" | "unlocked" => "unlocked",
        _ => return None,
    };
    let (_, state, kind, class) = STATES
        .iter()
        .find(|(of, is, ..)| *of == thing && *is == state)?;
    // a fire door that is open burns no more than another
    let draft = Draft::new(address, *class, *kind, Phase::Updated);
    Some(draft.attr("state", *state).edge("state", state))
}

/// An alarm whose type leaves it to its data what it is about: `{"alarmType": "FIRE"}`.
fn meant_by_data(words: &[String], data: &Value) -> Option<(Kind, DeviceClass)> {
    const NAMES: [&str; 9] = [
        "alarmType",
        "alarm_type",
        "alertType",
        "alert_type",
        "type",
        "category",
        "kind",
        "sensorType",
        "sensor_type",
    ];
    if !is_of_an_alarm(words) {
        return None;
    }
    let word = NAMES.iter().find_map(|name| data.get(name)?.as_str())?;
    let told = words_of(word);
    let has = |word: &&str| told.iter().any(|has| has == word);
    let known = meant(&told, &has)?;
    let is_alarm = known.0.as_str().starts_with("fire.")
        || matches!(
            known.0,
            Kind::EnvWaterLeak
                | Kind::CameraIntrusion
                | Kind::DeviceTamper
                | Kind::DeviceAlarmInput
        );
    is_alarm.then_some(known)
}

fn is_of_an_alarm(words: &[String]) -> bool {
    words.iter().any(|word| word == "alarm" || word == "alert")
}

/// Whether a type says that an alarm has begun, and not of what: `alarm.raised`. One that was armed, tried or made known is none.
pub(super) fn is_untold_alarm(kind: &str) -> bool {
    const LAST: [&str; 5] = ["alarm", "alert", "activated", "active", "firing"];
    let words = words_of(kind);
    let has = |word: &&str| words.iter().any(|has| has == word);
    let last = words.iter().rev().find(|word| !is_version(word));
    let begins = last.is_some_and(|last| {
        let is = |known: &[&str]| known.contains(&last.as_str());
        is(&LAST) || is(BEGUN)
    });
    begins && is_of_an_alarm(&words) && meant(&words, &has).is_none()
}

/// Carbon monoxide by its short name, which hosts have, too.
const CO: &(&[&str], Kind, DeviceClass) = &(&["co"], Kind::FireCo, DeviceClass::FireSensor);

/// The words behind the last one that says what burns or leaks; all of them where none says so.
fn behind(words: &[String]) -> &[String] {
    const SENSED: [&str; 10] = [
        "smoke", "monoxide", "co", "gas", "heat", "flame", "fire", "water", "leak", "flood",
    ];
    let is_sensed = |word: &String| SENSED.contains(&word.as_str());
    let last = words.iter().rposition(is_sensed).map(|at| at + 1);
    words.get(last.unwrap_or_default()..).unwrap_or_default()
}

/// Carbon monoxide, where it is no part of a host's name: `co.detected`, not `uk.co.acme`.
fn is_of_co(words: &[String]) -> bool {
    const BEHIND: [&str; 6] = ["alarm", "detected", "detector", "leak", "cleared", "raised"];
    let mut pairs = words.windows(2).enumerate();
    pairs.any(|(at, pair)| {
        let is_host = at == 1 && words.first().is_some_and(|country| country.len() == 2);
        matches!(pair, [co, next] if co == "co" && BEHIND.contains(&next.as_str())) && !is_host
    })
}

/// Water that leaks, by itself.
const LEAK: &(&[&str], Kind, DeviceClass) =
    &(&["leak"], Kind::EnvWaterLeak, DeviceClass::FireSensor);

/// Whether something leaks that is no memory and no secret: `leak.detected`, `leak-sensor.alarm`.
fn is_of_leak(words: &[String]) -> bool {
    const BEHIND: [&str; 6] = [
        "alarm", "detected", "detector", "sensor", "cleared", "raised",
    ];
    const OTHERS: [&str; 8] = [
        "memory",
        "data",
        "secret",
        "credential",
        "key",
        "connection",
        "resource",
        "password",
    ];
    let is_other = |word: &String| OTHERS.contains(&word.trim_end_matches('s'));
    let mut pairs = words.windows(2);
    !words.iter().any(is_other)
        && pairs.any(|pair| {
            matches!(pair, [leak, next] if leak == "leak" && BEHIND.contains(&next.as_str()))
        })
}

/// `v2`.
fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix('v').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// What the words are about.
fn meant(words: &[String], has: &dyn Fn(&&str) -> bool) -> Option<(Kind, DeviceClass)> {
    let known = KINDS.iter().find(|(all, _, _)| all.iter().all(has));
    let known = known.or_else(|| is_of_co(words).then_some(CO));
    let known = known.or_else(|| is_of_leak(words).then_some(LEAK));
    let last = words.iter().rev().find(|word| !is_version(word))?;
    let of_device = OF_DEVICE.iter().find(|(word, _)| last == word);
    match (of_device, known) {
        (_, Some((_, kind @ (Kind::CameraTamper | Kind::DevicePower), class))) => {
            Some((*kind, *class))
        }
        (Some((_, kind)), Some((_, known, class))) => match kind {
            Kind::DeviceFault if known.as_str().starts_with("fire.") => {
                Some((Kind::FireFault, *class))
            }
            kind => Some((*kind, *class)),
        },
        (None, Some(_)) if has(&"battery") && has(&"low") => {
            Some((Kind::DeviceBatteryLow, DeviceClass::Gateway))
        }
        (_, Some((_, kind, class))) => Some((*kind, *class)),
        (_, None) => None,
    }
}

/// `com.acme.SmokeDetected` → com, acme, smoke, detected.
fn words_of(kind: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in kind.chars().take(200) {
        let is_new = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if is_new && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words
}
