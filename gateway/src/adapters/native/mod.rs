//! The native format: `ssg/v1/{site}/{device}/{evt|state|tele|avail|meta|rsp|cfg|media}/…`, one JSON object a message;
//! `media` is a picture.
//!
//! The sender is who the listener authenticated; topic and payload may only agree with that. An `evt` carries the sender's own
//! id, which is its dedupe key. Members that nobody here knows are kept in `attrs`' neighbourhood of the journal and ignored.

mod pictures;

use std::borrow::Cow;

use domain::event::DEDUPE_KEY_BYTES_MAX;
use domain::place::Device;
use domain::{
    Attrs, ClockSource, DeviceClass, Event, EventId, Kind, Phase, Seq, Timestamp, Uplink,
};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Adapter, Context, Parsed, Reject, picture};

pub(super) use pictures::pictures;

/// Longest `id` of an event, in characters.
pub const ID_CHARS_MAX: usize = 64;
/// Deepest nesting of a payload.
pub const JSON_DEPTH_MAX: usize = 32;
/// A device clock that is ahead of ours by more than this is not believed.
const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(30);
/// A reading whose time is further from ours than this comes from a clock that is wrong.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(30);
/// A device time older than this is a clock that was never set, not a late upload.
const BEHIND_MAX: SignedDuration = SignedDuration::from_hours(24 * 31);

/// The adapter of the native format.
pub struct Native;

/// An `evt` payload. Unknown members are allowed: a newer device may say more.
#[derive(Deserialize)]
struct EventBody<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    phase: Cow<'a, str>,
    #[serde(borrow, default)]
    occurred_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    component: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    attrs: Option<&'a RawValue>,
}

/// What all other payloads may carry.
#[derive(Deserialize)]
struct Stamped<'a> {
    #[serde(borrow, default)]
    ts: Option<Cow<'a, str>>,
}

impl Adapter for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn parse(&self, seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Parsed {
        match read(seq, uplink, context) {
            Ok(event) => Parsed {
                events: event.into_iter().flat_map(with_skew).collect(),
                ..Parsed::default()
            },
            Err(reject) => Parsed {
                reject: Some(reject),
                ..Parsed::default()
            },
        }
    }
}

/// Readings are never kept for later, so a reading whose time is far from ours tells that the device's clock is wrong: an event
/// of its own, besides the reading. What was sent late on purpose (events, states) tells nothing of clocks.
fn with_skew(reading: Event) -> impl Iterator<Item = Event> {
    let skew = (reading.kind == Kind::DeviceTelemetry && reading.component.is_none())
        .then(|| sent_at(&reading))
        .flatten()
        .map(|at| at.duration_since(reading.received_at))
        .filter(|skew| skew.abs() > SKEW_MAX);
    let event = skew.map(|skew| Event {
        id: EventId::of_uplink(reading.received_at, reading.seq, 1),
        kind: Kind::GatewayClockSkew,
        dedupe_key: format!("skew#{}", reading.seq),
        occurred_at: reading.received_at,
        clock: ClockSource::Gateway,
        attrs: Attrs::from_value(&serde_json::json!({ "skew_s": skew.as_secs() })),
        ..reading.clone()
    });
    std::iter::once(reading).chain(event)
}

/// The device's own time of a reading.
fn sent_at(reading: &Event) -> Option<Timestamp> {
    if reading.clock == ClockSource::Device {
        return Some(reading.occurred_at);
    }
    let body: Stamped<'_> = serde_json::from_str(reading.attrs.as_json()).ok()?;
    body.ts?.parse().ok()
}

fn read(seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Result<Option<Event>, Reject> {
    let mut levels = uplink.topic.split('/');
    let (Some("ssg"), Some("v1"), Some(site), Some(device_id)) =
        (levels.next(), levels.next(), levels.next(), levels.next())
    else {
        let detail = "the topic does not start with ssg/v1/{site}/{device} (hint: native devices publish below it)";
        return Err(Reject::new("foreign_topic", detail));
    };
    let channel = levels.next().unwrap_or_default();
    let rest = levels.next();
    if device_id != uplink.principal {
        let detail = format!("`{}` spoke in the name of `{device_id}`", uplink.principal);
        return Err(Reject::new("foreign_device", detail));
    }
    let device = device_id.parse().ok().and_then(|id| context.registry.devices.get(&id)).ok_or_else(|| {
        let detail = format!("device `{device_id}` is not in the registry (hint: add it to a device file, then run it again)");
        Reject::new("unknown_device", detail)
    })?;
    if site != device.site.as_str() {
        let detail = format!(
            "`{device_id}` is registered in site `{}` and spoke for site `{site}`",
            device.site
        );
        return Err(Reject::new("foreign_site", detail));
    }
    if uplink.payload.is_empty() && uplink.flags.retain() {
        return Ok(None); // a retained message was taken back: nothing happened at the device
    }
    // whether it is a picture that is kept is found behind the detector
    if let ("media", Some(word)) = (channel, rest) {
        return if picture::is_word(word) {
            Ok(None)
        } else {
            let detail = "the name of a picture has 1 to 64 printable characters";
            Err(Reject::new("bad_field", detail))
        };
    }
    check_text(&uplink.payload)?;
    let source = Source {
        seq,
        uplink,
        device,
    };
    match (channel, rest) {
        ("evt", Some(kind)) => source.event(kind).map(Some),
        ("tele", None) => source
            .stamped(Kind::DeviceTelemetry, Phase::Instant, None)
            .map(Some),
        ("state", Some(component)) => source
            .stamped(state_kind(device.class), Phase::Updated, Some(component))
            .map(Some),
        ("avail", None) => source.availability().map(Some),
        ("meta", None) => source
            .stamped(Kind::DeviceConfigChanged, Phase::Instant, Some("meta"))
            .map(Some),
        ("cfg", Some("reported")) => source
            .stamped(Kind::DeviceConfigChanged, Phase::Updated, Some("cfg"))
            .map(Some),
        ("rsp", Some(command)) => source.answer(command).map(Some),
        _ => {
            let detail = format!(
                "a device has no channel `{channel}` here (hint: evt/{{kind}}, state/{{component}}, tele, avail, meta, media/{{name}})"
            );
            Err(Reject::new("unknown_channel", detail))
        }
    }
}

/// What a report of state is called, by class.
fn state_kind(class: DeviceClass) -> Kind {
    match class {
        DeviceClass::Access => Kind::AccessDoorState,
        DeviceClass::Barrier => Kind::BarrierState,
        DeviceClass::FireSensor
        | DeviceClass::Camera
        | DeviceClass::Panel
        | DeviceClass::Gateway => Kind::DeviceTelemetry,
    }
}

/// One message with the device that sent it.
struct Source<'a> {
    seq: Seq,
    uplink: &'a Uplink,
    device: &'a Device,
}

impl Source<'_> {
    fn event(&self, topic_kind: &str) -> Result<Event, Reject> {
        let body: EventBody<'_> = self.json()?;
        let kind: Kind = body
            .kind
            .parse()
            .map_err(|e| Reject::new("unknown_kind", format!("{e} in `kind`")))?;
        if Kind::from_topic_level(topic_kind) != Some(kind) {
            let detail = format!(
                "the topic says `{topic_kind}` and the payload `{kind}` (hint: evt/{})",
                kind.topic_level()
            );
            return Err(Reject::new("kind_mismatch", detail));
        }
        let phase: Phase = body.phase.parse().map_err(|e| {
            Reject::new(
                "bad_field",
                format!("{e} in `phase` (hint: instant, raised, updated or cleared)"),
            )
        })?;
        if body.id.is_empty()
            || body.id.chars().count() > ID_CHARS_MAX
            || body.id.chars().any(char::is_control)
        {
            let detail = format!("`id` must have 1 to {ID_CHARS_MAX} printable characters");
            return Err(Reject::new("bad_field", detail));
        }
        let attrs = match body.attrs {
            None => Attrs::empty(),
            Some(raw) if raw.get().starts_with('{') => Attrs::from_raw(raw.to_owned()),
            Some(_) => return Err(Reject::new("bad_field", "`attrs` must be an object")),
        };
        let component = body.component.map(Cow::into_owned);
        self.build(
            kind,
            phase,
            component,
            body.id.into_owned(),
            body.occurred_at.as_deref(),
            attrs,
        )
    }

    fn stamped(&self, kind: Kind, phase: Phase, component: Option<&str>) -> Result<Event, Reject> {
        let body: Stamped<'_> = self.json()?;
        let attrs = self.whole_payload()?;
        let word = component.unwrap_or("tele");
        let dedupe_key = match body.ts.as_deref() {
            Some(ts) if ts.len() <= 40 => format!("{word}:{ts}"),
            _ => format!("{word}#{}", self.seq),
        };
        self.build(
            kind,
            phase,
            component.map(str::to_owned),
            dedupe_key,
            body.ts.as_deref(),
            attrs,
        )
    }

    /// What the device says of a command. What became of the command is the hub's to say, so its word is kept apart, in `answer`.
    fn answer(&self, command: &str) -> Result<Event, Reject> {
        let mut event = self.stamped(Kind::GatewayCommand, Phase::Instant, Some(command))?;
        event.attrs = Attrs::from_value(&serde_json::json!({"answer": event.attrs.to_value()}));
        event.dedupe_key = format!("rsp#{}", self.seq);
        Ok(event)
    }

    fn availability(&self) -> Result<Event, Reject> {
        #[derive(Deserialize)]
        struct Availability<'a> {
            #[serde(borrow)]
            state: Cow<'a, str>,
            #[serde(borrow, default)]
            ts: Option<Cow<'a, str>>,
        }
        let body: Availability<'_> = self.json()?;
        let kind = match body.state.as_ref() {
            "online" => Kind::DeviceOnline,
            "offline" | "sleeping" => Kind::DeviceOffline,
            other => {
                let other: String = other.chars().take(40).collect();
                let detail =
                    format!("unknown `state` `{other}` (hint: online, offline or sleeping)");
                return Err(Reject::new("bad_field", detail));
            }
        };
        // a will carries the time of the connect, so the connection's epoch tells two of them apart
        let dedupe_key = format!("avail:{}:{}", self.uplink.epoch, body.state);
        self.build(
            kind,
            Phase::Instant,
            Some("avail".to_owned()),
            dedupe_key,
            body.ts.as_deref(),
            self.whole_payload()?,
        )
    }

    fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T, Reject> {
        serde_json::from_slice(&self.uplink.payload).map_err(|e| {
            let code = if e.classify() == serde_json::error::Category::Data {
                "bad_field"
            } else {
                "bad_json"
            };
            Reject::new(code, e.to_string())
        })
    }

    fn whole_payload(&self) -> Result<Attrs, Reject> {
        let raw: Box<RawValue> = self.json()?;
        if raw.get().trim_start().starts_with('{') {
            Ok(Attrs::from_raw(raw))
        } else {
            Err(Reject::new(
                "bad_field",
                "the payload must be a JSON object",
            ))
        }
    }

    fn build(
        &self,
        kind: Kind,
        phase: Phase,
        component: Option<String>,
        dedupe_key: String,
        device_time: Option<&str>,
        attrs: Attrs,
    ) -> Result<Event, Reject> {
        if dedupe_key.len() > DEDUPE_KEY_BYTES_MAX {
            return Err(Reject::new(
                "bad_field",
                format!("the dedupe key is longer than {DEDUPE_KEY_BYTES_MAX} bytes"),
            ));
        }
        if component
            .as_deref()
            .is_some_and(|c| c.is_empty() || c.len() > 64 || c.chars().any(char::is_control))
        {
            return Err(Reject::new(
                "bad_field",
                "`component` must have 1 to 64 printable bytes",
            ));
        }
        let (occurred_at, clock) = self.occurred_at(device_time)?;
        Ok(Event {
            id: EventId::of_uplink(self.uplink.received_at, self.seq, 0),
            seq: self.seq,
            site: self.device.site.clone(),
            device: self.device.id.clone(),
            class: self.device.class,
            component,
            kind,
            phase,
            dedupe_key,
            occurred_at,
            received_at: self.uplink.received_at,
            clock,
            attrs,
        })
    }

    /// The device's own time where it can be believed. An old time is a late upload and stays; a time ahead of ours, or one of
    /// a clock that was never set, is replaced by ours.
    fn occurred_at(&self, device_time: Option<&str>) -> Result<(Timestamp, ClockSource), Reject> {
        let received_at = self.uplink.received_at;
        let Some(text) = device_time else {
            return Ok((received_at, ClockSource::Gateway));
        };
        let at: Timestamp = text.parse().map_err(|_| {
            let text: String = text.chars().take(40).collect();
            Reject::new("bad_field", format!("`{text}` is not a time (hint: RFC 3339 with an offset, 2026-11-23T20:58:30.123+08:00)"))
        })?;
        let behind = received_at.duration_since(at);
        if behind < -AHEAD_MAX || behind > BEHIND_MAX {
            return Ok((received_at, ClockSource::Gateway));
        }
        Ok((at, ClockSource::Device))
    }
}

/// Refuses what JSON would let through and stores would choke on: NUL, and nesting deeper than [`JSON_DEPTH_MAX`].
fn check_text(payload: &[u8]) -> Result<(), Reject> {
    let (mut depth, mut in_string, mut at) = (0usize, false, 0usize);
    while let Some(&byte) = payload.get(at) {
        match byte {
            0 => return Err(Reject::new("nul", format!("a NUL byte at offset {at}"))),
            b'\\' if in_string => {
                if payload[at..].starts_with(b"\\u0000") {
                    return Err(Reject::new(
                        "nul",
                        format!("a NUL character (\\u0000) at offset {at}"),
                    ));
                }
                at += 1; // whatever is escaped does not end the string
            }
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Err(Reject::new(
                        "too_deep",
                        format!("nested deeper than {JSON_DEPTH_MAX} levels"),
                    ));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
