//! What locks, keypads and buttons did: `action` with its user and source, and the state of a lock.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::Told;
use crate::adapters::draft::{Draft, Reading};
use crate::adapters::format::Recall;
use crate::adapters::memory;
use crate::adapters::text;

/// The property of a lock's state in the memory.
const LOCK: &str = "lock";

/// Reads `action` and `lock_state`. Where they contradict each other the action is the news: the state is a cached one
/// (Koenkk/zigbee2mqtt#22779). The bridge tells an action twice, in the state and alone on `…/action`.
pub(super) fn read(
    name: &str,
    object: &Map<String, Value>,
    told: Told,
    recall: &dyn Recall,
    reading: &mut Reading,
) {
    let state = object
        .get("lock_state")
        .or_else(|| object.get("state").filter(|state| is_lock_word(state)))
        .and_then(Value::as_str)
        .and_then(state_word);
    // `action_action`: a finger that Aqara's ZNMS11LM does not know (zigbee-herdsman-converters, `lumi_door_lock_report`)
    let action = first(object, &["action", "action_action"])
        .and_then(Value::as_str)
        .filter(|action| !matches!(*action, "" | "none" | "unknown"));
    let Some((action, draft)) = action.and_then(|action| Some((action, of(name, action, object)?)))
    else {
        if let Some(state) = state {
            let draft = Draft::new(
                name,
                DeviceClass::Access,
                Kind::AccessLockState,
                Phase::Updated,
            );
            reading
                .drafts
                .push(draft.attr("state", state).edge(LOCK, state));
        }
        return;
    };
    let key = format!("action:{name}");
    if told == Told::Alone && recall.recall(&key) == Some(action) {
        reading.learn.push((key, None));
        return;
    }
    if told == Told::Together {
        reading.learn.push((key, Some(action.to_owned())));
    }
    reading.drafts.push(draft);
    if let Some(state) = state {
        // the cached state is no news when it comes again
        let key = memory::property_key(name, None, LOCK);
        reading.learn.push((key, Some(state.to_owned())));
    }
}

/// The first of several properties that has a value.
fn first<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let mut values = names.iter().filter_map(|name| object.get(*name));
    values.find(|value| !value.is_null())
}

fn is_lock_word(state: &Value) -> bool {
    matches!(state.as_str(), Some("LOCK" | "UNLOCK"))
}

fn state_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "locked" | "LOCK" => "locked",
        "unlocked" | "UNLOCK" => "unlocked",
        "not_fully_locked" => "not_fully_locked",
        _ => return None,
    })
}

/// What an action means to us; none for wall switches and the like.
fn of(name: &str, action: &str, object: &Map<String, Value>) -> Option<Draft> {
    let draft = |kind, phase| Draft::new(name, DeviceClass::Access, kind, phase);
    let lower = action.to_ascii_lowercase();
    let draft = match lower.as_str() {
        "fire" => draft(Kind::FireManualCall, Phase::Instant),
        // the property beside it tells the same
        "vibration" if object.get("vibration").and_then(text::boolean) == Some(true) => {
            return None;
        }
        "emergency" | "panic" | "sos" | "vibration" | "tilt" | "drop" | "fall" | "shake" => {
            draft(Kind::DeviceAlarmInput, Phase::Instant).attr("sensor", lower.as_str())
        }
        // locks of Aqara
        word if word.contains("_failure_") || word.ends_with("_not_match") => {
            draft(Kind::AccessDenied, Phase::Instant).attr("reason", word)
        }
        word if word.starts_with("finger_open")
            || word.starts_with("password_open")
            || word.starts_with("lock_opened") =>
        {
            draft(Kind::AccessLockState, Phase::Updated).attr("state", "unlocked")
        }
        "locked" => draft(Kind::AccessLockState, Phase::Updated).attr("state", "locked"),
        "door_closed" => draft(Kind::AccessDoorState, Phase::Updated).attr("state", "closed"),
        "ring_bell" | "bell1" | "bell2" => {
            draft(Kind::AccessCall, Phase::Instant).attr("reason", "doorbell")
        }
        word if word.ends_with("unlock") => {
            draft(Kind::AccessLockState, Phase::Updated).attr("state", "unlocked")
        }
        word if word.ends_with("lock") => {
            draft(Kind::AccessLockState, Phase::Updated).attr("state", "locked")
        }
        word if is_programming(word) => {
            draft(Kind::DeviceConfigChanged, Phase::Instant).attr("reason", word)
        }
        _ => return None,
    };
    let is_lock = !matches!(
        draft.kind,
        Kind::DeviceAlarmInput
            | Kind::FireManualCall
            | Kind::DeviceConfigChanged
            | Kind::AccessDoorState
            | Kind::AccessCall
    );
    let user = first(object, &["action_user", "action_source_user"])
        .filter(|user| user.is_number() || user.is_string());
    let draft = draft
        .attr("method", method(&lower, object).filter(|_| is_lock))
        .attr("user", user.cloned())
        .attr("zone", object.get("action_zone").and_then(text::word))
        .attr("action", action);
    let code = object.get("action_code").and_then(text::word);
    Some(match code {
        Some(code) => draft.credential(&code),
        None => draft,
    })
}

fn is_programming(word: &str) -> bool {
    word == "master_code_changed"
        || word.contains("pin_code_")
        || word.contains("rfid_code_")
        || matches!(
            word,
            "finger_add" | "finger_delete" | "password_add" | "password_delete"
        )
}

/// How it was done: the source as the bridge names it (`keypad`, `rf`, `manual`, `rfid`), else the first word of the action.
fn method(action: &str, object: &Map<String, Value>) -> Option<String> {
    let named = object
        .get("action_source_name")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    match named {
        Some(name) => Some(name.to_owned()),
        None => [
            "manual",
            "key",
            "auto",
            "schedule",
            "one_touch",
            "keypad",
            "rfid",
            "finger",
            "fingerprint",
            "password",
        ]
        .iter()
        .find(|word| {
            action
                .strip_prefix(**word)
                .is_some_and(|rest| rest.starts_with('_'))
        })
        .map(|word| (*word).to_owned()),
    }
}
