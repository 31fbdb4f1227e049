//! From a message's bytes to events: JSON in its several envelopes, the text of `eventManager.cgi`, and JSON with a comma missing.

use serde_json::{Map, Value};

use super::super::message::Message;
use super::super::{Reject, multipart, text};
use super::mend::{detail, mend};
use super::{Action, Event};

/// Most events of one message.
const EVENTS_MAX: usize = 200;
/// How far into a body its marks are looked for.
const LOOK_BYTES_MAX: usize = 64 << 10;
/// Most lines of a text of members.
const LINES_MAX: usize = 2000;

/// Where the plate readers of ITSAPI say that they are there, and who they are.
const HEARTBEATS: [&str; 2] = [
    "/NotificationInfo/KeepAlive",
    "/NotificationInfo/DeviceInfo",
];

/// The device that says with this message that it is there, and nothing else.
pub(super) fn heartbeat(message: &Message<'_>) -> Option<String> {
    let path = message.path();
    let is_own = HEARTBEATS.iter().any(|end| path.ends_with(end));
    let members = message.object().filter(|_| is_own)?;
    let device = members
        .get("DeviceID")
        .or_else(|| members.get("DeviceInfo")?.get("DeviceID"))
        .and_then(text::word);
    Some(text::clip(&device.unwrap_or_default(), 64))
}

/// Whether this is one of our envelopes.
pub(super) fn looks_like_ours(message: &Message<'_>) -> bool {
    if heartbeat(message).is_some() {
        return true;
    }
    if message.payload.trim_ascii_start().starts_with(b"--") {
        let look = message
            .payload
            .get(..message.payload.len().min(LOOK_BYTES_MAX));
        let has = |mark: &[u8]| multipart::position(look.unwrap_or_default(), mark).is_some();
        return has(b"--myboundary")
            || (has(b"Code=") && has(b";action="))
            || has(b"Events[0].") // `ReturnEvents[0].`, too
            || (has(b"\"Code\"") && (has(b"\"Events\"") || has(b"\"Data\"")));
    }
    match message.json() {
        Ok(Value::Object(map)) => is_envelope(message, map),
        Ok(_) => false,
        Err(_) => {
            let Ok(text) = message.text() else {
                return false;
            };
            let head = head(text, 4096);
            is_text(head)
                || (head.starts_with('{')
                    && ((head.contains("\"Code\"") && head.contains("\"Action\""))
                        || head.contains("\"TrafficCar\"")))
        }
    }
}

fn head(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn is_text(head: &str) -> bool {
    ((head.starts_with("Code=") || head.contains("\nCode=")) && head.contains(";action="))
        || (LISTS.iter().any(|list| head.starts_with(list)) && head.contains('='))
}

fn is_envelope(message: &Message<'_>, map: &Map<String, Value>) -> bool {
    let has = |name: &str| map.contains_key(name);
    let has_event = |value: Option<&Value>| {
        value
            .and_then(Value::as_array)
            .and_then(|list| list.first())
            .is_some_and(|first| first.get("Code").is_some_and(Value::is_string))
    };
    if let Some(params) = map.get("params") {
        let method = map.get("method").and_then(Value::as_str);
        return method == Some("client.notifyEventStream")
            || has_event(params.get("eventList"))
            || (params.get("Code").is_some() && params.get("Data").is_some());
    }
    (map.get("Code").is_some_and(Value::is_string)
        && (has("Action") || has("action"))
        && ["Data", "data", "Index", "index"]
            .iter()
            .any(|name| has(name)))
        || (map.get("Code").is_some_and(Value::is_string) && (has("Data") || has("data")))
        || has_event(map.get("Events"))
        || (has("TrafficCar") && (has("UTC") || has("RealUTC") || has("Object") || has("EventID")))
        || map
            .get("Picture")
            .is_some_and(|picture| picture.get("Plate").is_some() || is_plate(map.get("Plate")))
        || (has("Action")
            && has("Data")
            && (bridge_prefix(message).is_some()
                || (message.topic().is_empty() && (has("serialNumber") || has("deviceType")))))
        || (is_lock_topic(message) && has("isLocked"))
}

/// What an ITSAPI push tells of a plate beside its picture.
fn is_plate(value: Option<&Value>) -> bool {
    value.is_some_and(|plate| plate.get("PlateNumber").is_some())
}

/// `DahuaVTO2MQTT` names the code in the topic, and older ones nothing else: `<prefix>/<Code>/Event`. The prefix, if this is such a topic.
fn bridge_prefix(message: &Message<'_>) -> Option<String> {
    match message.levels().as_slice() {
        [prefix @ .., code, "Event"] if !prefix.is_empty() && !code.is_empty() => {
            Some(prefix.join("/"))
        }
        [prefix @ .., "MagneticLock", "Status"] if !prefix.is_empty() => Some(prefix.join("/")),
        _ => None,
    }
}

/// What the same bridge says of a lock that it opened: `{door, isLocked}`.
fn is_lock_topic(message: &Message<'_>) -> bool {
    message.topic().ends_with("/MagneticLock/Status")
}

/// Reads the events of a message.
///
/// # Errors
/// Those of [`text::json`], `bad_text`.
pub(super) fn events(message: &Message<'_>) -> Result<Vec<Event>, Reject> {
    let mut events = Vec::new();
    if message.payload.trim_ascii_start().starts_with(b"--") {
        let parts = multipart::parts(message.payload.trim_ascii_start(), message.content_type);
        for part in parts.iter().flatten().filter(|part| !part.is_picture()) {
            let text = String::from_utf8_lossy(part.content.trim_ascii());
            if text.starts_with('{') {
                let read = text::json(text.as_bytes()).map(|value| (value, false));
                let read = read.or_else(|reject| mend(&text).map(|v| (v, true)).ok_or(reject));
                let (value, is_degraded) = read?;
                collect(&value, message, is_degraded, &mut events);
            } else {
                lines(&text, &mut events);
                members(&text, message, &mut events);
            }
        }
        return Ok(events);
    }
    match message.json() {
        Ok(value) => collect(value, message, false, &mut events),
        Err(reject) => {
            let text = message.text()?;
            if text.starts_with('{') {
                let mended = mend(text).ok_or(reject)?;
                collect(&mended, message, true, &mut events);
            } else if is_text(text) {
                lines(text, &mut events);
                members(text, message, &mut events);
            } else {
                return Err(reject);
            }
        }
    }
    Ok(events)
}

fn collect(value: &Value, message: &Message<'_>, is_degraded: bool, events: &mut Vec<Event>) {
    let list = [
        value.get("Events"),
        text::at(value, "params.eventList"),
        value.get("eventList"),
    ];
    if let Some(list) = list.into_iter().flatten().find_map(Value::as_array) {
        for inner in list.iter().take(EVENTS_MAX) {
            events.extend(event(inner, value, message, is_degraded));
        }
        return;
    }
    let inner = value
        .get("params")
        .filter(|params| params.get("Code").is_some())
        .unwrap_or(value);
    events.extend(event(inner, value, message, is_degraded));
}

/// One event; `outer` is its envelope, which may name the device.
fn event(value: &Value, outer: &Value, message: &Message<'_>, is_degraded: bool) -> Option<Event> {
    let map = value.as_object()?;
    let either = |a: &str, b: &str| map.get(a).or_else(|| map.get(b));
    let mut is_degraded = is_degraded;
    let data = match either("Data", "data") {
        Some(Value::Object(data)) => data.clone(),
        Some(Value::Array(list)) => list.first()?.as_object()?.clone(),
        // a detail that was passed on as text
        Some(Value::String(text)) => {
            let (data, is_broken) = detail(text);
            is_degraded |= is_broken;
            data
        }
        // a plate reader's push has the members of `Data` beside the code, or no code at all
        _ => map.clone(),
    };
    let is_traffic = data.contains_key("TrafficCar") || data.contains_key("Picture");
    let topic_code = || {
        let levels = message.levels();
        match levels.as_slice() {
            [.., code, "Event"] | [.., code @ "MagneticLock", "Status"] => Some((*code).to_owned()),
            _ => None,
        }
    };
    let code = either("Code", "code")
        .and_then(text::word)
        .or_else(topic_code)
        .or_else(|| is_traffic.then(|| "TrafficJunction".to_owned()))?;
    let action = either("Action", "action").and_then(Value::as_str);
    let device = [
        outer.get("serialNumber"),
        map.get("SN"),
        data.get("SN"),
        data.get("DeviceID"),
        text::at(value, "SnapInfo.DeviceID"),
        text::at(value, "Picture.SnapInfo.DeviceID"),
        outer.get("DeviceName").filter(|_| map.contains_key("data")),
        outer.get("name").filter(|_| map.contains_key("data")),
    ];
    let device = device.into_iter().flatten().find_map(text::word);
    let device = device
        .or_else(|| {
            data.get("TrafficCar")?
                .get("MachineName")
                .and_then(text::word)
        })
        .or_else(|| bridge_prefix(message))
        .unwrap_or_default();
    Some(Event {
        code,
        action: action_of(action.unwrap_or("Pulse")),
        index: either("Index", "index")
            .and_then(text::integer)
            .filter(|index| *index >= 0),
        data,
        device,
        is_degraded,
    })
}

fn action_of(word: &str) -> Action {
    match word.trim().to_ascii_lowercase().as_str() {
        "start" | "on" => Action::Start,
        "stop" | "off" => Action::Stop,
        _ => Action::Pulse,
    }
}

/// The text of `eventManager.cgi`. What follows `data=` reaches to the next boundary or event; where it is no JSON the event stands
/// without it.
fn lines(text: &str, events: &mut Vec<Event>) {
    for block in text.split("\n--").flat_map(|part| part.split("\nCode=")) {
        let block = block.trim_start();
        let block = match block.strip_prefix("Code=") {
            Some(rest) => rest,
            // after a boundary and its headers, or what a split left behind
            None => match behind_headers(block) {
                Some(rest) => rest,
                None if block.contains(";action=") => block,
                None => continue,
            },
        };
        let (head, data) = match block.split_once(";data=") {
            Some((head, data)) => (head, Some(data.trim())),
            None => (block, None),
        };
        let mut fields = head.lines().next().unwrap_or_default().trim().split(';');
        let code = fields.next().unwrap_or_default().trim();
        if code.is_empty() || code.len() > 64 || events.len() >= EVENTS_MAX {
            continue;
        }
        let (mut action, mut index) = (Action::Pulse, None);
        for field in fields.take(16) {
            match field.split_once('=') {
                Some(("action", word)) => action = action_of(word),
                Some(("index", word)) => index = word.trim().parse().ok(),
                _ => {}
            }
        }
        let (data, is_degraded) = data.map(detail).unwrap_or_default();
        events.push(Event {
            code: code.to_owned(),
            action,
            index,
            device: data.get("SN").and_then(text::word).unwrap_or_default(),
            data,
            is_degraded,
        });
    }
}

/// What stands behind `Code=`, where that is a word of its own: `Events[0].Code=` is none.
fn behind_headers(block: &str) -> Option<&str> {
    let (before, rest) = block.split_once("Code=")?;
    let is_word = !before.ends_with(|c: char| c == '.' || c.is_alphanumeric());
    is_word.then_some(rest)
}

/// How the lines of a list of events begin.
const LISTS: [&str; 2] = ["Events[", "ReturnEvents["];

/// The text of `snapManager.cgi`: `Events[0].TrafficCar.PlateNumber=…`, a line for each member. Of lists only the first element is kept.
fn members(text: &str, message: &Message<'_>, events: &mut Vec<Event>) {
    let mut found: Vec<Map<String, Value>> = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        let Some((path, value)) = line.trim().split_once('=') else {
            continue;
        };
        let Some((index, path)) = LISTS
            .iter()
            .find_map(|list| path.strip_prefix(list)?.split_once("]."))
        else {
            continue;
        };
        let Some(index) = index.parse::<usize>().ok().filter(|index| *index < 16) else {
            continue;
        };
        if found.len() <= index {
            found.resize_with(index + 1, Map::new);
        }
        let path = path.replace("[0]", "");
        let mut steps: Vec<&str> = path.split('.').collect();
        let last = steps.pop().unwrap_or_default();
        if path.contains('[') || steps.len() > 8 {
            continue;
        }
        let Some(root) = found.get_mut(index) else {
            continue;
        };
        let inner = steps.into_iter().try_fold(root, |map, step| {
            map.entry(step)
                .or_insert_with(|| Value::Object(Map::new()))
                .as_object_mut()
        });
        if let Some(inner) = inner {
            inner.insert(last.to_owned(), value.trim().into());
        }
    }
    for mut map in found.into_iter().filter(|map| !map.is_empty()) {
        // the head of an event stands in a member of its own
        if let Some(Value::Object(base)) = map.remove("EventBaseInfo") {
            for (key, value) in base {
                map.entry(key).or_insert(value);
            }
        }
        // what it tells stands in one that is called like its code: `AccessControl.ErrorCode=16`
        let code = map.get("Code").and_then(text::word).unwrap_or_default();
        if let Some(Value::Object(told)) = map.get(&code).cloned() {
            for (key, value) in told {
                map.entry(key).or_insert(value);
            }
        }
        let value = Value::Object(map);
        events.extend(event(&value, &value, message, false));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_cut_into_events() {
        let mut events = Vec::new();
        lines(
            "--myboundary\r\nContent-Type: text/plain\r\nContent-Length:33\r\n\r\nCode=VideoLoss;action=Start;index=2\r\n\r\n\
             --myboundary\r\nContent-Type: text/plain\r\n\r\nHeartbeat\r\n--myboundary\r\n\r\nCode=VideoMotion;action=Stop;index=0;data={\n \"Id\" : [ 0 ]\n}\r\n",
            &mut events,
        );
        let told: Vec<_> = events
            .iter()
            .map(|event| (event.code.as_str(), event.action, event.index))
            .collect();
        assert_eq!(
            told,
            [
                ("VideoLoss", Action::Start, Some(2)),
                ("VideoMotion", Action::Stop, Some(0))
            ]
        );
        assert_eq!(events[1].data.get("Id"), Some(&json!([0])));
    }
}
