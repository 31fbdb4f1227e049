//! Events as line protocol. Our own encoder: the crate's does not escape, and lets a device write fields of its choice.
//!
//! ```text
//! sec_event,class=…,device=…,kind=…[,part=1],site=…  attrs="{…}",clock="device",component="",key="…",occurred_at_us=…i,
//!     phase="raised",position=…i,received_at_us=…i[,reading_temperature_c=21.5]  <received ms · 1e6 + seq mod 1e6>
//! ```
//!
//! Tags are words of the registry and of closed lists only: their alphabet (`a-z 0-9 . _ -`) needs no escaping, and their number
//! is bounded. The time makes a replay overwrite itself and keeps events of one millisecond apart; events of one uplink
//! share it, so all but the first carry their number as the tag `part`.

use std::fmt::Write as _;

use domain::{Event, EventId, Kind, Seq};

use crate::events::model::Cursor;

/// The measurement that events are in.
pub(super) const MEASUREMENT: &str = "sec_event";

/// Most numbers of one reading that become fields of their own.
const READINGS_MAX: usize = 16;

/// Lines of one batch, and whose they are.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    ends: Vec<usize>,
    of: Vec<(EventId, Seq)>,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }
    /// Lines `from` to before `to`, each ended by a newline.
    pub(super) fn slice(&self, from: usize, to: usize) -> &str {
        let start = from.checked_sub(1).map_or(0, |i| self.ends[i]);
        let end = to.checked_sub(1).map_or(0, |i| self.ends[i]);
        &self.text[start..end]
    }
    /// Whose line this is.
    pub(super) fn of(&self, line: usize) -> (EventId, Seq) {
        self.of[line]
    }
    /// Adds an event.
    pub(super) fn push(&mut self, event: &Event, place: Cursor) {
        encode(&mut self.text, event, place);
        self.text.push('\n');
        self.ends.push(self.text.len());
        self.of.push((event.id, event.seq));
    }
}

/// The time of an event's point. Before 1970 and after 2262 (no hub was there) it is cut.
pub(super) fn point_ns(event: &Event) -> i64 {
    let ms = event
        .received_at
        .as_millisecond()
        .clamp(0, i64::MAX / 1_000_000 - 1);
    ms * 1_000_000 + (event.seq.0 % 1_000_000) as i64
}

fn encode(out: &mut String, event: &Event, place: Cursor) {
    let (class, device, kind, site) = (event.class, &event.device, event.kind, &event.site);
    let _ = write!(
        out,
        "{MEASUREMENT},class={class},device={device},kind={kind}"
    );
    if place.index() > 0 {
        let _ = write!(out, ",part={}", place.index());
    }
    let _ = write!(out, ",site={site} attrs=");
    // White space between the words of JSON may be any; newlines inside a line may not.
    quote(out, &event.attrs.as_json().replace(['\n', '\r', '\t'], " "));
    out.push_str(match event.clock {
        domain::ClockSource::Device => ",clock=\"device\",component=",
        domain::ClockSource::Gateway => ",clock=\"gateway\",component=",
    });
    quote(out, &plain(event.component.as_deref().unwrap_or_default()));
    out.push_str(",key=");
    quote(out, &plain(&event.dedupe_key));
    let _ = write!(
        out,
        ",occurred_at_us={}i,phase=\"{}\",position={}i,received_at_us={}i",
        event.occurred_at.as_microsecond(),
        event.phase.as_str(),
        place.0,
        event.received_at.as_microsecond(),
    );
    if event.kind == Kind::DeviceTelemetry {
        readings(out, event);
    }
    let _ = write!(out, " {}", point_ns(event));
}

/// The numbers of a reading as fields, always floats: a field keeps its first type for ever. `NaN` and infinities are no JSON, but
/// `1e999` is: what is not finite is left out, and so are names that are no plain words.
fn readings(out: &mut String, event: &Event) {
    let attrs = event.attrs.to_value();
    let numbers = attrs.as_object().into_iter().flatten();
    let numbers = numbers.filter_map(|(name, value)| Some((name, value.as_f64()?)));
    for (name, value) in numbers
        .filter(|(name, value)| is_word(name) && value.is_finite())
        .take(READINGS_MAX)
    {
        let _ = write!(out, ",reading_{name}={value}");
    }
}

fn is_word(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A text without control characters, as inside a JSON string; most texts stay as they are. Answers to Flux queries come
/// as CSV with `\r\n`, in which a newline would not survive.
fn plain(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// Back from [`plain`].
pub(super) fn unplain(text: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// A string field: only `\` and `"` mean something in it.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if c == '\\' || c == '"' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
