//! esp-rfid: a door reader of one's own making.
//!
//! `<topic>/send` carries `{type: access|boot|heartbeat|INFO|WARN, …}`, older firmware has `<topic>/sync` besides; with Home Assistant's discovery on, `<topic>/tag` the card,
//! `<topic>/io/{lock,door,doorbell,tamper}` bare words and `<topic>/avty` whether it is there. The topic can be chosen, so messages are
//! known by their looks. Layout: esprfid/esp-rfid src/mqtt.esp, README-MQTT.md. Commands to the reader and its lists of persons tell nothing.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading, Told};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct EspRfid;

impl Format for EspRfid {
    fn name(&self) -> &'static str {
        "esp-rfid"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if !message.protocol().is_empty() {
            return Claim::No;
        }
        if let Some(object) = message.object() {
            return if is_ours(object, message.topic()) {
                Claim::Shape
            } else {
                Claim::No
            };
        }
        let word = message.text().unwrap_or_default().to_ascii_lowercase();
        let is_ours = match message.levels().as_slice() {
            [_, .., "io", "lock" | "door" | "doorbell" | "tamper"] => {
                matches!(
                    word.as_str(),
                    "on" | "off" | "open" | "closed" | "locked" | "unlocked"
                )
            }
            [_, .., "avty"] => matches!(word.as_str(), "online" | "offline"),
            _ => false,
        };
        if is_ours { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let levels = message.levels();
        let base = |count: usize| {
            let kept = levels.len().saturating_sub(count);
            levels.get(..kept).unwrap_or_default().join("/")
        };
        match levels.as_slice() {
            [.., "io", part] => {
                let word = message.text()?.to_ascii_lowercase();
                return Ok(part_state(&base(2), part, &word).into());
            }
            [.., "avty"] => {
                let (kind, phase) = match message.text()?.to_ascii_lowercase().as_str() {
                    "online" => (Kind::DeviceOnline, Phase::Updated),
                    "offline" => (Kind::DeviceOffline, Phase::Raised),
                    _ => return Ok(Reading::default()),
                };
                let draft = Draft::new(base(1), DeviceClass::Access, kind, phase);
                return Ok(draft.into());
            }
            _ => {}
        }
        let value = message.json()?;
        let word = |name: &str| value.get(name).and_then(text::word);
        let device = word("door")
            .or_else(|| word("hostname"))
            .unwrap_or_else(|| base(1));
        let at = value
            .get("time")
            .and_then(text::number)
            .and_then(DeviceTime::epoch_any);
        let kind = word("type").unwrap_or_default();
        let is_card = kind == "access" || (kind.is_empty() && value.get("access").is_some());
        if is_card {
            return Ok(access(value, &device).at(at).into());
        }
        if kind == "boot" {
            let draft = Draft::new(
                device,
                DeviceClass::Access,
                Kind::DeviceOnline,
                Phase::Updated,
            );
            return Ok(draft.at(at).attr("reason", "boot").into());
        }
        let drafts = log(value, &device)
            .into_iter()
            .map(|draft| draft.at(at.clone()));
        Ok(drafts.collect::<Vec<_>>().into())
    }
}

fn is_ours(object: &Map<String, Value>, topic: &str) -> bool {
    let has = |name: &str| object.contains_key(name);
    match object.get("type").and_then(Value::as_str) {
        Some("access") => has("uid") && (has("isKnown") || has("access")),
        Some("boot" | "heartbeat") => {
            (has("uptime") && (has("hostname") || has("ip")))
                || (has("time") && ((has("ip") && has("door")) || has("Wifi SSID")))
        }
        Some("INFO" | "WARN" | "ERRO") => has("src") && has("desc"),
        Some("adduser" | "deletuid" | "deletusers") => has("ip") && has("hostname"),
        Some(_) => false,
        None if has("cmd") => has("doorip"),
        None if has("command") => has("uid") && has("acctype"),
        None => has("uid") && has("username") && has("access") && topic.ends_with("/tag"),
    }
}

/// A card at the reader. `access` says what the card may: `Always` and `Admin` open, `Denied`, `Disabled` and `Expired` do not.
fn access(value: &Value, device: &str) -> Draft {
    let word = |name: &str| value.get(name).and_then(text::word).unwrap_or_default();
    let known = value.get("isKnown").or_else(|| value.get("isknown"));
    let is_known = known.and_then(text::boolean).unwrap_or(true);
    let is_bad = |may: &str| {
        let bad = ["denied", "disabled", "expired", "not ", "invalid"];
        may.is_empty() || bad.iter().any(|bad| may.contains(bad))
    };
    // a reader with several doors says it for each: let in is who may open one
    let each: Vec<String> = match value.get("access") {
        Some(Value::Array(list)) => list.iter().take(16).filter_map(text::word).collect(),
        _ => vec![word("access")],
    };
    let each: Vec<String> = each.iter().map(|may| may.to_ascii_lowercase()).collect();
    let open = each.iter().find(|may| !is_bad(may));
    let may = open.or(each.first()).cloned().unwrap_or_default();
    let is_denied = open.is_none();
    let is_granted = is_known && !is_denied;
    let name = word("username");
    // a door that was opened from afar comes as a card of the user `MQTT`
    let is_remote = text::somebody(&word("uid")).is_none() && name == "MQTT";
    let (kind, result) = if is_granted {
        (Kind::AccessGranted, "granted")
    } else {
        (Kind::AccessDenied, "denied")
    };
    let reason = if is_granted {
        None
    } else if is_known {
        Some(text::clip(&may, 40))
    } else {
        Some("unknown_card".to_owned())
    };
    Draft::new(device, DeviceClass::Access, kind, Phase::Instant)
        .attr("result", result)
        .attr("method", if is_remote { "remote" } else { "card" })
        .attr("person_name", text::somebody(&text::clip(&name, 64)))
        .attr("door", word("door"))
        .attr("reason", reason)
        .credential(&word("uid"))
}

/// What its log tells of the door; of itself it tells nothing that anybody does something about.
fn log(value: &Value, device: &str) -> Option<Draft> {
    let word = |name: &str| value.get(name).and_then(text::word).unwrap_or_default();
    let told = word("desc").to_ascii_lowercase();
    let own = |kind: Kind, phase: Phase| Draft::new(device, DeviceClass::Access, kind, phase);
    match word("src").as_str() {
        "door" if told.ends_with("open") => part_state(device, "door", "open").pop(),
        "door" if told.ends_with("closed") => part_state(device, "door", "closed").pop(),
        "doorbell" => part_state(device, "doorbell", "on").pop(),
        "tamper" if told.contains("max open time") => {
            Some(own(Kind::AccessHeldOpen, Phase::Raised))
        }
        "tamper" => Some(own(Kind::DeviceTamper, Phase::Raised)),
        _ => None,
    }
}

/// A word on an `io` topic.
fn part_state(device: &str, part: &str, word: &str) -> Vec<Draft> {
    let own = |kind: Kind, phase: Phase| Draft::new(device, DeviceClass::Access, kind, phase);
    let draft = match (part, word) {
        ("door", "on" | "open") => own(Kind::AccessDoorState, Phase::Updated)
            .edge("contact", "open")
            .attr("state", "open"),
        ("door", "off" | "closed") => own(Kind::AccessDoorState, Phase::Updated)
            .edge("contact", "closed")
            .attr("state", "closed"),
        ("lock", "unlocked" | "on" | "open") => own(Kind::AccessLockState, Phase::Updated)
            .edge("lock", "unlocked")
            .attr("state", "unlocked"),
        ("lock", "locked" | "off" | "closed") => own(Kind::AccessLockState, Phase::Updated)
            .edge("lock", "locked")
            .attr("state", "locked"),
        ("doorbell", "on") => own(Kind::AccessCall, Phase::Instant).attr("reason", "doorbell"),
        ("tamper", word) => Draft::condition(
            device,
            DeviceClass::Access,
            Kind::DeviceTamper,
            "tamper",
            matches!(word, "on" | "open"),
        )
        .told(Told::Change),
        _ => return Vec::new(),
    };
    vec![draft]
}
