//! Samples: one message and what has to come of it. A declared adapter carries its own as tests; the built-in formats have theirs as files.
//!
//! `mqtt` (with `retain`), `http` or `tcp` name the door; `payload` is JSON, or `text`, `hex`, `base64` hold the bytes; `content_type`,
//! `headers` and `received_at` come with it; `before` lists messages of the same sender that came earlier. `expect` lists every event in order,
//! each with the members that matter; `reject` names the code of what goes to quarantine, `unread` that of a message of which the rest is read;
//! `reply` is what the door answers.

use domain::place::Registry;
use domain::{Seq, Timestamp};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::format::{Format, Recall, Reply};
use super::super::identity::{Sender, Stamp};
use super::super::memory::Memory;
use super::super::message::{Door, Message};
use super::super::text;

/// The account that sends samples.
const ACCOUNT: &str = "bridge";
/// Members of a sample.
const MEMBERS: [&str; 16] = [
    "about",
    "mqtt",
    "retain",
    "http",
    "tcp",
    "payload",
    "text",
    "hex",
    "base64",
    "content_type",
    "headers",
    "received_at",
    "before",
    "expect",
    "reject",
    "unread",
];
/// Most messages before.
const BEFORE_MAX: usize = 16;

/// Which format a message belongs to.
pub type Pick<'a> = &'a dyn Fn(&Message<'_>, &dyn Recall) -> Option<&'a dyn Format>;

/// What came of one message.
pub struct Came {
    /// Who read it.
    pub format: Option<String>,
    /// Its events as JSON, or the code and the sentence of its rejection.
    pub outcome: Result<Vec<Value>, (&'static str, String)>,
    /// The code of what of it could not be read, where the rest was.
    pub unread: Option<&'static str>,
    /// What the door answers, where the format says.
    pub reply: Option<Reply>,
}

/// Bytes of a message.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn bytes_of(message: &Value) -> Result<Vec<u8>, String> {
    if let Some(text) = message["text"].as_str() {
        return Ok(text.as_bytes().to_vec());
    }
    if let Some(digits) = message["hex"].as_str() {
        return hex::decode(digits.replace([' ', '\n'], "")).map_err(|e| format!("`hex`: {e}"));
    }
    if let Some(base64) = message["base64"].as_str() {
        return text::base64(base64).ok_or_else(|| "`base64` is none".to_owned());
    }
    match message.get("payload") {
        Some(payload) => serde_json::to_vec(payload).map_err(|e| e.to_string()),
        None => Err("no bytes (hint: `payload`, `text`, `hex` or `base64`)".to_owned()),
    }
}

/// The door that a message came through.
///
/// # Errors
/// It names none.
pub fn door_of(message: &Value) -> Result<Door<'_>, String> {
    if let Some(topic) = message["mqtt"].as_str() {
        let retain = message["retain"].as_bool().unwrap_or_default();
        return Ok(Door::Mqtt { topic, retain });
    }
    if let Some(target) = message["http"].as_str() {
        return Ok(Door::Http { target });
    }
    let protocol = message["tcp"]
        .as_str()
        .ok_or("no door (hint: `mqtt`, `http` or `tcp`)")?;
    Ok(Door::Tcp { protocol })
}

/// Reads one message as the hub would.
///
/// # Errors
/// The sample itself is wrong.
pub fn read(
    message: &Value,
    seq: u64,
    memory: &mut Memory,
    pick: Pick<'_>,
) -> Result<Came, String> {
    let bytes = bytes_of(message)?;
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let received_at: Timestamp = message["received_at"]
        .as_str()
        .unwrap_or("2026-11-24T12:00:00Z")
        .parse()
        .map_err(|e| format!("`received_at`: {e}"))?;
    let headers = message["headers"].as_object().into_iter().flatten();
    let headers: Vec<(String, String)> = headers
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let mut given = Message::new(door_of(message)?, &bytes, received_at, &zone);
    given.content_type = message["content_type"].as_str();
    given.headers = &headers;
    let left = memory.of(ACCOUNT);
    let Some(format) = pick(&given, &left) else {
        let outcome = Err((
            "unknown_format",
            "no format takes it for its own".to_owned(),
        ));
        return Ok(Came {
            format: None,
            outcome,
            unread: None,
            reply: None,
        });
    };
    let name = Some(format.name().to_owned());
    let reply = given.is_http().then(|| format.reply(&given));
    let reading = match format.read(&given, &left) {
        Ok(reading) => reading,
        Err(reject) => {
            return Ok(Came {
                format: name,
                outcome: Err((reject.code, reject.detail)),
                unread: None,
                reply,
            });
        }
    };
    let seq = Seq(seq);
    for (key, value) in reading.learn {
        if !memory.learn(ACCOUNT, &key, value, seq) {
            return Err(format!("no room to remember {key}"));
        }
    }
    let sender = Sender {
        account: ACCOUNT,
        site: &"q1".parse().map_err(|_| "no site")?,
        format: format.name(),
        registry: &Registry::default(),
        card_key: b"a key of the tests",
    };
    let events = sender.events(Stamp { seq, received_at }, reading.drafts, memory);
    let events = events
        .iter()
        .map(|event| serde_json::to_value(event).map_err(|e| e.to_string()));
    Ok(Came {
        format: name,
        outcome: Ok(events.collect::<Result<_, _>>()?),
        unread: reading.unread.map(|reject| reject.code),
        reply,
    })
}

/// Whether everything that is asked for is there.
pub fn contains(has: &Value, wants: &Value) -> bool {
    match (has, wants) {
        (Value::Object(has), Value::Object(wants)) => wants
            .iter()
            .all(|(key, want)| has.get(key).is_some_and(|has| contains(has, want))),
        (Value::Number(has), Value::Number(want)) => has.as_f64() == want.as_f64(),
        _ => has == wants,
    }
}

/// Runs a sample.
///
/// # Errors
/// What came instead of what was expected, or what is wrong with the sample.
pub fn run(sample: &Value, pick: Pick<'_>) -> Result<Came, String> {
    let known = |name: &&String| {
        MEMBERS.contains(&name.as_str()) || matches!(name.as_str(), "reply" | "format")
    };
    if let Some(name) = sample
        .as_object()
        .into_iter()
        .flat_map(|sample| sample.keys())
        .find(|name| !known(name))
    {
        return Err(format!(
            "no member `{}` (hint: {}, reply)",
            text::clip(name, 40),
            MEMBERS.join(", ")
        ));
    }
    let mut memory = Memory::default();
    let before = sample["before"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut seq = 0;
    for message in before.iter().take(BEFORE_MAX) {
        seq += 1;
        read(message, seq, &mut memory, pick).map_err(|e| format!("before: {e}"))?;
    }
    let came = read(sample, seq + 1, &mut memory, pick)?;
    told(sample, &came)?;
    answered(sample, &came)?;
    Ok(came)
}

fn told(sample: &Value, came: &Came) -> Result<(), String> {
    let said = |reason: &(&str, String)| format!("`{}`: {}", reason.0, reason.1);
    if let Some(code) = sample["reject"].as_str() {
        return match &came.outcome {
            Err(reason) if reason.0 == code => Ok(()),
            Err(reason) => Err(format!(
                "wants the rejection `{code}`, got {}",
                said(reason)
            )),
            Ok(events) => Err(format!(
                "wants the rejection `{code}`, got {}",
                Value::from(events.clone())
            )),
        };
    }
    let want = sample["expect"]
        .as_array()
        .ok_or("neither `expect` nor `reject`")?;
    let events = came
        .outcome
        .as_ref()
        .map_err(|reason| format!("rejected as {}", said(reason)))?;
    let unread = sample["unread"].as_str();
    if came.unread != unread {
        return Err(format!(
            "wants `{unread:?}` unread, got `{:?}`",
            came.unread
        ));
    }
    let is_it = events.len() == want.len()
        && events
            .iter()
            .zip(want)
            .all(|(has, want)| contains(has, want));
    if is_it {
        return Ok(());
    }
    Err(format!(
        "wants {}, got {}",
        sample["expect"],
        Value::from(events.clone())
    ))
}

fn answered(sample: &Value, came: &Came) -> Result<(), String> {
    let Some(want) = sample.get("reply") else {
        return Ok(());
    };
    let body = came
        .reply
        .as_ref()
        .map(|reply| String::from_utf8_lossy(&reply.body))
        .unwrap_or_default();
    let has = serde_json::from_str(&body).unwrap_or_else(|_| Value::from(body.as_ref()));
    if contains(&has, want) {
        return Ok(());
    }
    Err(format!("wants the answer {want}, got {body}"))
}
