//! What a program tells, made into drafts: every member is known, and each value is what it has to be. What it could not read of the message
//! stands between them as `{unread: "why"}`.

use domain::{Kind, Phase};
use serde_json::{Map, Value};

use super::super::clock::DeviceTime;
use super::super::draft::{Draft, Reading, Told};
use super::super::message::Message;
use super::super::{Reject, text};
use super::file::{Clock, Dedupe, File};

/// Members of an event.
const MEMBERS: [&str; 12] = [
    "address",
    "class",
    "kind",
    "phase",
    "component",
    "at",
    "id",
    "edge",
    "told",
    "credential",
    "plate",
    "attrs",
];
/// Longest text that names something, in characters.
const WORD_CHARS_MAX: usize = 200;
/// Longest fields of an event, in bytes.
const ATTRS_BYTES_MAX: usize = 16 << 10;

/// The member of an output that is no event: why a part of the message could not be read.
const UNREAD: &str = "unread";

/// Whether an output of a program is an event.
pub fn is_event(output: &Value) -> bool {
    output.get(UNREAD).is_none()
}

/// What a program told: its events, and the first thing that it could not read.
///
/// # Errors
/// `bad_event`: what is wrong with which.
pub fn of(file: &File, message: &Message<'_>, outputs: &[Value]) -> Result<Reading, Reject> {
    let mut reading = Reading::default();
    for (index, output) in outputs.iter().enumerate() {
        let wrong = |what| {
            let detail = format!("event {} of the program: {what}", index + 1);
            Reject::new("bad_event", detail)
        };
        if is_event(output) {
            let draft = draft(file, message, output).map_err(wrong)?;
            reading.drafts.push(draft);
        } else {
            let unread = unread(output).map_err(wrong)?;
            reading.unread.get_or_insert(unread);
        }
    }
    Ok(reading)
}

/// `{unread: "why"}`: the message is kept, and nobody is called for that.
fn unread(output: &Value) -> Result<Reject, String> {
    let alone = output.as_object().filter(|told| told.len() == 1);
    let why = alone.and_then(|told| told[UNREAD].as_str());
    let why = why.filter(|why| !why.trim().is_empty()).ok_or_else(|| {
        let hint = "hint: unread(\"a trigger that is not known\"), an output of its own";
        format!("{} says nothing by `unread` ({hint})", short(output))
    })?;
    Ok(Reject::new(
        "unknown_event",
        text::clip(why, WORD_CHARS_MAX),
    ))
}

fn draft(file: &File, message: &Message<'_>, output: &Value) -> Result<Draft, String> {
    let Value::Object(told) = output else {
        return Err(format!(
            "{} is no object (hint: {{kind: \"fire.smoke\", phase: \"raised\"}})",
            short(output)
        ));
    };
    if let Some(name) = told.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!(
            "no member `{}` (hint: {}; the kind's own fields stand in `attrs`)",
            text::clip(name, 40),
            MEMBERS.join(", ")
        ));
    }
    let kind: Kind = word(told, "kind")?
        .ok_or("no `kind`")?
        .parse()
        .map_err(|_| {
            format!(
                "no kind {} (hint: docs/adding-a-rule.md lists them)",
                short(&told["kind"])
            )
        })?;
    let phase: Phase = match word(told, "phase")? {
        None => Phase::Instant,
        Some(phase) => phase
            .parse()
            .map_err(|e| format!("{e} (hint: instant, raised, updated, cleared)"))?,
    };
    let class = match word(told, "class")? {
        None => file.class,
        Some(class) => class.parse().map_err(|e| format!("{e}"))?,
    };
    let mut draft = Draft::new(
        word(told, "address")?.unwrap_or_default(),
        class,
        kind,
        phase,
    );
    draft.component = word(told, "component")?;
    draft.id = word(told, "id")?;
    if file.dedupe == Dedupe::Id && draft.id.is_none() {
        return Err(
            "no `id` (hint: `dedupe = \"id\"` wants the sender's own number of the fact)"
                .to_owned(),
        );
    }
    if file.clock == Clock::Device {
        draft = draft.at(at(told, message)?);
    }
    if let Some(plate) = told.get("plate").filter(|plate| !plate.is_null()) {
        draft = draft.plate(plate.as_str().ok_or("`plate` is no text")?);
    }
    if let Some(number) = word(told, "credential")? {
        draft = draft.credential(&number);
    }
    draft = attrs(draft, told)?;
    edge(file, draft, told)
}

/// A time that is none is no mistake of the program: the hub's counts then.
fn at(told: &Map<String, Value>, message: &Message<'_>) -> Result<Option<DeviceTime>, String> {
    match told.get("at") {
        None | Some(Value::Null) => Ok(None),
        Some(at @ (Value::String(_) | Value::Number(_))) => Ok(DeviceTime::any(at, message.zone)),
        Some(other) => Err(format!(
            "`at` is {} (hint: a text or a number)",
            short(other)
        )),
    }
}

fn attrs(mut draft: Draft, told: &Map<String, Value>) -> Result<Draft, String> {
    match told.get("attrs") {
        None | Some(Value::Null) => {}
        Some(Value::Object(attrs)) => {
            for (name, value) in attrs {
                draft = draft.attr(name, value.clone());
            }
        }
        Some(other) => return Err(format!("`attrs` is {} (hint: an object)", short(other))),
    }
    let bytes = serde_json::to_vec(&draft.attrs).map_or(0, |json| json.len());
    if bytes > ATTRS_BYTES_MAX {
        return Err(format!(
            "`attrs` has {bytes} bytes, at most {ATTRS_BYTES_MAX} are kept"
        ));
    }
    Ok(draft)
}

/// What makes it news: what the program says, else what the file says of its kind; a condition is one by itself.
fn edge(file: &File, mut draft: Draft, told: &Map<String, Value>) -> Result<Draft, String> {
    if let Some(edge) = told.get("edge").filter(|edge| !edge.is_null()) {
        let pair = edge
            .as_object()
            .filter(|edge| edge.len() == 1)
            .and_then(|edge| edge.iter().next());
        let (property, value) =
            pair.ok_or("`edge` is no object of one member (hint: {door: \"open\"})")?;
        draft = draft.edge(&text::clip(property, WORD_CHARS_MAX), plain(value));
    } else if let Some(member) = file.edge.get(&draft.kind) {
        let value = draft.attrs.get(member).ok_or_else(|| {
            format!(
                "`attrs` has no `{member}`, by which [edge] tells whether {} is news",
                draft.kind
            )
        })?;
        let value = plain(value);
        draft = draft.edge(member, value);
    } else if matches!(draft.phase, Phase::Raised | Phase::Cleared) {
        let kind = draft.kind;
        let is_there = draft.phase == Phase::Raised;
        draft = draft.edge(kind.as_str(), is_there);
    }
    let why = match word(told, "told")?.as_deref() {
        None | Some("state") => Told::State,
        Some("change") => Told::Change,
        Some("replay") => Told::Replay,
        Some(other) => return Err(format!("`told` is `{other}` (hint: state, change, replay)")),
    };
    Ok(draft.told(why))
}

/// A text without quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text::clip(&text, WORD_CHARS_MAX)
}

/// A text or a number; null, empty text and what is not there are none.
fn word(told: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match told.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ (Value::String(_) | Value::Number(_))) => {
            Ok(text::word(value).map(|word| text::clip(&word, WORD_CHARS_MAX)))
        }
        Some(other) => Err(format!("`{name}` is {} (hint: a text)", short(other))),
    }
}

fn short(value: &Value) -> String {
    format!("`{}`", text::clip(&value.to_string(), 60))
}
