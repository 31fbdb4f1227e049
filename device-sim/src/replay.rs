//! Messages played again from files, at any speed: as they were recorded, to a broker, a web hook or a panel's port.
//!
//! A file has one message as a JSON object, several in an array, or one in each line: `{topic, payload}` and, where known, `retain`, `qos`,
//! `at` (a time, or seconds), `transport` (`mqtt`, `http`, `tcp`), `content_type` and `payload_encoding` (`text`, `xml`, `hex`, `base64`; a
//! payload without one is JSON). A topic in round brackets is none.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::vendor::gbt26875::Answer;
use crate::wire::{Door, Greeting, Hook, Line, Login, Panel, Said};

/// A file larger than this is none of messages, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Most messages of all files.
const MESSAGES_MAX: usize = 1_000_000;
/// Longest time that is waited for the next message, whatever the recording says.
const GAP_MAX: Duration = Duration::from_hours(24);

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// Without waiting.
    Max,
}

/// Which door a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A broker.
    Mqtt,
    /// A web hook.
    Http,
    /// A panel's port.
    Tcp,
}

/// A message as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The message.
    pub said: Said,
    /// Its door.
    pub transport: Transport,
    /// When, since any fixed time.
    pub at: Option<Duration>,
}

#[derive(Deserialize)]
struct Raw {
    topic: Option<String>,
    #[serde(default)]
    payload: Value,
    payload_encoding: Option<String>,
    transport: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    retain: bool,
    qos: Option<u8>,
    at: Option<Value>,
}

/// Where messages go; those of a transport without a door are left out.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// For MQTT.
    pub mqtt: Option<Login>,
    /// For web hooks.
    pub http: Option<Hook>,
    /// For a panel's frames: `host:port`, and how long each answer may take.
    pub tcp: Option<(String, Duration)>,
}

/// What was played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Messages in the files, as often as they were to be played.
    pub messages: u64,
    /// Messages that were acknowledged, answered with 2xx, or confirmed.
    pub taken: u64,
    /// Messages that were not.
    pub refused: u64,
    /// Messages for which no door was named.
    pub left_out: u64,
}

/// Reads files, in their order.
///
/// # Errors
/// A file that cannot be read, or a message that is none, with its place.
pub fn read(files: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Recorded>> {
    let mut all = Vec::new();
    for file in files {
        let path = file.as_ref().display();
        let length = std::fs::metadata(file)
            .with_context(|| format!("cannot read {path}"))?
            .len();
        ensure!(
            length <= FILE_BYTES_MAX,
            "{path} has {length} bytes, more than {FILE_BYTES_MAX}"
        );
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {path}"))?;
        let raws = raws(&text).with_context(|| format!("{path} has no messages in it"))?;
        ensure!(
            all.len() + raws.len() <= MESSAGES_MAX,
            "more than {MESSAGES_MAX} messages"
        );
        for (at, raw) in raws.into_iter().enumerate() {
            all.push(recorded(raw).with_context(|| format!("{path}: message {}", at + 1))?);
        }
    }
    Ok(all)
}

/// One object, an array of them, or one in each line.
fn raws(text: &str) -> anyhow::Result<Vec<Raw>> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return Ok(match value {
            Value::Array(_) => serde_json::from_value(value)?,
            one => vec![serde_json::from_value(one)?],
        });
    }
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("line {}", at + 1)))
        .collect()
}

fn recorded(raw: Raw) -> anyhow::Result<Recorded> {
    let text = || match &raw.payload {
        Value::String(text) => Ok(text.clone()),
        _ => bail!("`payload` is no text (hint: leave `payload_encoding` out for JSON)"),
    };
    let (payload, kind) = match raw.payload_encoding.as_deref() {
        None | Some("json") => (raw.payload.to_string().into_bytes(), "application/json"),
        Some("text") => (text()?.into_bytes(), "text/plain"),
        Some("xml") => (text()?.into_bytes(), "application/xml"),
        Some("hex") => (unhex(&text()?)?, "application/octet-stream"),
        Some("base64") => (
            STANDARD.decode(text()?).context("`payload` is no base64")?,
            "application/octet-stream",
        ),
        Some(other) => bail!("unknown `payload_encoding` `{other}` (hint: text, xml, hex, base64)"),
    };
    let topic = raw.topic.unwrap_or_default();
    let has_topic = !topic.is_empty() && !topic.starts_with('(');
    let transport = match raw.transport.as_deref() {
        Some("http" | "https" | "webhook") => Transport::Http,
        Some("tcp" | "udp") => Transport::Tcp,
        // a topic of MQTT may be of any look
        Some("mqtt") if has_topic => Transport::Mqtt,
        _ if payload.starts_with(b"@@") => Transport::Tcp,
        _ if has_topic && !topic.starts_with('/') => Transport::Mqtt,
        _ => Transport::Http,
    };
    Ok(Recorded {
        said: Said {
            to: if has_topic { topic } else { "/".to_owned() },
            payload,
            content_type: Some(raw.content_type.unwrap_or_else(|| kind.to_owned())),
            retain: raw.retain,
            qos: raw.qos.unwrap_or(1).min(1),
        },
        transport,
        at: raw.at.map(|at| since(&at)).transpose()?,
    })
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    hex::decode(digits).context("`payload` is not in hexadecimal digits")
}

/// A time (RFC 3339), or seconds.
fn since(at: &Value) -> anyhow::Result<Duration> {
    let seconds = match at {
        Value::Number(seconds) => seconds.as_f64(),
        Value::String(text) => text
            .parse::<Timestamp>()
            .ok()
            .map(|at| at.as_millisecond() as f64 / 1e3),
        _ => None,
    };
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .context("`at` is neither a time nor seconds")
}

/// How long to wait before each message; `gap` where the recording does not say.
pub fn pauses(messages: &[Recorded], speed: Speed, gap: Duration) -> Vec<Duration> {
    let mut before: Option<Option<Duration>> = None;
    let mut pauses = Vec::with_capacity(messages.len());
    for message in messages {
        let recorded = match (before, message.at) {
            (None, _) => Duration::ZERO,
            (Some(Some(before)), Some(at)) => at.saturating_sub(before),
            (Some(_), _) => gap,
        };
        pauses.push(match speed {
            Speed::Max => Duration::ZERO,
            Speed::Times(times) => Duration::try_from_secs_f64(recorded.as_secs_f64() / times)
                .map_or(GAP_MAX, |pause| pause.min(GAP_MAX)),
        });
        before = Some(message.at);
    }
    pauses
}

/// Plays messages so many times, until the end or `stop`.
///
/// # Errors
/// An address that is none.
pub async fn run(
    messages: &[Recorded],
    doors: Doors,
    (speed, gap, times): (Speed, Duration, u32),
    stop: CancellationToken,
) -> anyhow::Result<Report> {
    let mut report = Report {
        messages: messages.len() as u64 * u64::from(times),
        ..Report::default()
    };
    let line = doors
        .mqtt
        .map(|login| Line::open(&login, Greeting::default()))
        .transpose()?;
    let mut panel = doors
        .tcp
        .map(|(address, within)| Panel::new(&address, within));
    let client = reqwest::Client::new();
    let pauses = pauses(messages, speed, gap);
    let mut due = Instant::now();
    'all: for _ in 0..times {
        for (message, pause) in messages.iter().zip(&pauses) {
            due += *pause;
            tokio::select! {
                biased;
                () = stop.cancelled() => break 'all,
                () = sleep_until(due) => {}
            }
            let is_taken = match (message.transport, &line, &doors.http, &mut panel) {
                (Transport::Mqtt, Some(line), ..) => {
                    line.say(message.said.clone()).await;
                    continue;
                }
                (Transport::Http, _, Some(hook), _) => {
                    matches!(hook.post(&client, &message.said).await?, Door::Taken(_))
                }
                (Transport::Tcp, .., Some(panel)) => {
                    panel.send(&message.said.payload).await == Some(Answer::Confirmed)
                }
                _ => {
                    report.left_out += 1;
                    continue;
                }
            };
            report.taken += u64::from(is_taken);
            report.refused += u64::from(!is_taken);
        }
    }
    if let Some(line) = line {
        let counts = line.close().await;
        report.taken += counts.sent;
        report.refused += counts.left;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Recorded> {
        raws(text)
            .expect("reads")
            .into_iter()
            .map(|raw| recorded(raw).expect("a message"))
            .collect()
    }

    #[test]
    fn messages_read_from_objects_arrays_and_lines() {
        let one = r#"{"topic": "a/b", "payload": {"smoke": true}, "retain": true}"#;
        let read = all(one);
        assert_eq!(
            (read[0].said.to.as_str(), &read[0].said.payload[..]),
            ("a/b", &br#"{"smoke":true}"#[..])
        );
        assert!(read[0].said.retain && read[0].transport == Transport::Mqtt);
        assert_eq!(
            all(&format!("[{one},{one}]")),
            all(&format!("{one}\n\n{one}\n"))
        );
        let check = |text: &str, transport: Transport, payload: &[u8]| {
            let read = all(text);
            assert_eq!(
                (read[0].transport, &read[0].said.payload[..]),
                (transport, payload),
                "{text}"
            );
        };
        check(
            r#"{"topic": null, "transport": "http", "payload": 1}"#,
            Transport::Http,
            b"1",
        );
        check(
            r#"{"topic": "(TCP)", "payload": "40 40 0A", "payload_encoding": "hex"}"#,
            Transport::Tcp,
            b"@@\n",
        );
        check(
            r#"{"topic": "t", "payload": "Online", "payload_encoding": "text"}"#,
            Transport::Mqtt,
            b"Online",
        );
        check(
            r#"{"topic": "/hik", "payload": "PEE+", "payload_encoding": "base64"}"#,
            Transport::Http,
            b"<A>",
        );
        for wrong in [
            r#"{"topic": "t", "payload": {}, "payload_encoding": "text"}"#,
            r#"{"topic": "t", "payload": "x", "payload_encoding": "hex"}"#,
            r#"{"topic": "t", "payload": "aab", "payload_encoding": "hex"}"#,
            r#"{"topic": "t", "payload": "x", "payload_encoding": "rot13"}"#,
            r#"{"topic": "t", "payload": "x", "at": "soon"}"#,
        ] {
            let raw = raws(wrong).expect("JSON").remove(0);
            assert!(recorded(raw).is_err(), "{wrong}");
        }
        assert!(raws("{").is_err());
    }

    #[test]
    fn a_recording_is_played_at_its_pace_or_faster() {
        let messages = all(
            "{\"topic\": \"a\", \"at\": \"2026-11-27T08:00:00Z\"}\n{\"topic\": \"a\", \"at\": \"2026-11-27T08:00:30Z\"}\n{\"topic\": \"a\", \"at\": \"2026-11-27T08:00:20Z\"}\n{\"topic\": \"a\"}",
        );
        let ms = |speed| -> Vec<u128> {
            let pauses = pauses(&messages, speed, Duration::from_secs(2));
            pauses.iter().map(Duration::as_millis).collect()
        };
        assert_eq!(ms(Speed::Times(1.0)), [0, 30_000, 0, 2_000]);
        assert_eq!(ms(Speed::Times(10.0)), [0, 3_000, 0, 200]);
        assert_eq!(ms(Speed::Max), [0; 4]);
    }
}
