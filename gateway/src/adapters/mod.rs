//! Adapters: from a sender's bytes to canonical events, one folder a format.
//!
//! An adapter is a pure function of one uplink: it never blocks, never drops and never panics. What it cannot read it rejects
//! with a code and a sentence; the pipeline keeps the raw bytes in quarantine and goes on. [`parse`] picks the adapter by topic.

pub mod battery;
pub mod clock;
pub mod declarative;
pub mod decoded;
pub mod draft;
pub mod foreign;
pub mod format;
pub mod formats;
pub mod hub;
pub mod identity;
pub mod memory;
pub mod message;
pub mod multipart;
pub mod named;
pub mod native;
pub mod onvif;
pub mod passthrough;
pub mod picture;
pub mod plate;
pub mod properties;
pub mod reject;
pub mod rerun;
#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) mod test_places;
pub mod text;

// vendors' formats
pub mod axis_lpr;
pub mod axis_mqtt;
pub mod chirpstack;
pub mod cloudevents;
pub mod ctwing;
pub mod dahua;
pub mod esp_rfid;
pub mod esphome;
pub mod frigate;
pub mod gat1400;
pub mod gb28181;
pub mod gbt26875;
pub mod hikvision;
pub mod home_assistant;
pub mod homie5;
pub mod iot_cloud;
pub mod lorawan_codec;
pub mod meokon;
pub mod onenet;
pub mod onvif_ej;
pub mod onvif_xml;
pub mod openalpr;
pub mod openmqttgateway;
pub mod osdp;
pub mod plate_recognizer;
pub mod rtl_433;
pub mod shelly;
pub mod sia_dc09;
pub mod sparkplug_b;
pub mod tasmota;
pub mod thingsboard;
pub mod uhppoted;
pub mod vzenith;
pub mod zigbee2mqtt;
pub mod zkteco;
pub mod zwave_js_ui;

pub use battery::Charge;
pub use foreign::{Bridge, Bridges};
pub use format::{Format, Recall};
pub use formats::Formats;
pub use memory::Memory;
pub use reject::Reject;

use std::borrow::Cow;

use domain::place::Registry;
use domain::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Lane, Phase, Seq, SiteId,
    Uplink,
};
use store::state::NewcomerTouch;

/// What an adapter may look things up in.
pub struct Context<'a> {
    /// Devices and places.
    pub registry: &'a Registry,
    /// Who speaks for other devices, in which format.
    pub bridges: &'a Bridges,
}

/// What came of one uplink. Both may be there: a rejected alarm still rings, as a `gateway.rejected` event.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Canonical events, in the order in which the sender told them.
    pub events: Vec<Event>,
    /// Why the uplink goes to quarantine, if it does.
    pub reject: Option<Reject>,
    /// Whether only a part of it goes there for, and the rest was read: that is kept for a person and rings not.
    pub is_partly_read: bool,
    /// Registered devices that spoke: a bridge that tells again what stands is a word of them, and no event.
    pub alive: Vec<DeviceId>,
    /// Devices that nobody has registered.
    pub newcomers: Vec<NewcomerTouch>,
    /// Charges of batteries that were told without an event.
    pub charges: Vec<Charge>,
}

/// One format.
pub trait Adapter {
    /// Its name in quarantine rows and metrics.
    fn name(&self) -> &'static str;
    /// Reads one uplink.
    fn parse(&self, seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Parsed;
}

/// Reads an uplink with the adapter that its topic belongs to. An uplink of the alarm lane that is rejected makes a
/// `gateway.rejected` event besides, so that a message that might be a fire is never silent.
pub fn parse(seq: Seq, uplink: &Uplink, context: &Context<'_>, memory: &mut Memory) -> Parsed {
    // it has rung when it came
    if rerun::is_note(uplink) {
        return rerun::parse(seq, uplink, context, memory);
    }
    let (adapter, mut parsed) = read(seq, uplink, context, memory);
    if let Some(reject) = &parsed.reject
        && reject.code != hub::REFUSED
        && !parsed.is_partly_read
        && parsed.events.is_empty()
        && may_alarm(&uplink.topic, &context.bridges.formats)
    {
        parsed
            .events
            .extend(rejected_event(seq, uplink, context, &adapter, reject));
    }
    parsed
}

/// Reads an uplink that is no note of an earlier one, and nothing more: what is rejected rings not. Says which adapter did.
pub fn read(
    seq: Seq,
    uplink: &Uplink,
    context: &Context<'_>,
    memory: &mut Memory,
) -> (Cow<'static, str>, Parsed) {
    if uplink.principal == domain::uplink::HUB {
        return (hub::Hub.name().into(), hub::Hub.parse(seq, uplink, context));
    }
    if foreign::is_foreign(&uplink.topic) {
        return foreign::parse(seq, uplink, context, memory);
    }
    let native = native::Native;
    let mut parsed = native.parse(seq, uplink, context);
    let charges: Vec<Charge> = (parsed.events.iter())
        .filter(|event| event.kind == Kind::DeviceTelemetry)
        .filter_map(battery::charge_of)
        .collect();
    let told = battery::Told {
        account: &uplink.principal,
        seq,
        received_at: uplink.received_at,
    };
    let first = parsed.events.len();
    let low = battery::events(&charges, first, told, context.registry, memory);
    parsed.events.extend(low);
    (native.name().into(), parsed)
}

/// The lane that a topic belongs to, decided before anybody looks into the payload.
pub fn lane_of(topic: &str, formats: &Formats) -> Lane {
    if foreign::is_foreign(topic) {
        return foreign::lane_of(topic, formats);
    }
    match topic.split('/').nth(4) {
        Some("evt") => Lane::Alarm,
        _ if topic.starts_with("$hub/") => Lane::Alarm,
        _ => Lane::Telemetry,
    }
}

/// Whether a message that could not be read might have been an alarm.
fn may_alarm(topic: &str, formats: &Formats) -> bool {
    if foreign::is_foreign(topic) {
        return foreign::may_alarm(topic, formats);
    }
    lane_of(topic, formats) == Lane::Alarm
}

/// The event that stands in for an alarm which could not be read. None when not even the sender has a usable name.
fn rejected_event(
    seq: Seq,
    uplink: &Uplink,
    context: &Context<'_>,
    adapter: &str,
    reject: &Reject,
) -> Option<Event> {
    let device: DeviceId = uplink.principal.parse().ok()?;
    let known = context.registry.devices.get(&device);
    let site: SiteId = match (known, context.bridges.by_account.get(&uplink.principal)) {
        (Some(device), _) => device.site.clone(),
        (None, Some(bridge)) => bridge.site.clone(),
        // it is loud wherever it belongs
        (None, None) if foreign::is_foreign(&uplink.topic) => {
            context.registry.sites.keys().next()?.clone()
        }
        (None, None) => uplink.topic.split('/').nth(2)?.parse().ok()?,
    };
    let attrs = serde_json::json!({
        "lane": "alarm", "reason": reject.code, "detail": reject.detail, "adapter": adapter,
        "topic": uplink.topic.chars().take(200).collect::<String>(),
    });
    // a bridge that nobody has configured says so once an hour, not with every message
    let dedupe_key = if reject.code == foreign::UNKNOWN_BRIDGE {
        let hour = uplink.received_at.as_second() / 3600;
        format!("{}:{hour}", reject.code)
    } else {
        format!("#{seq}")
    };
    Some(Event {
        id: EventId::of_uplink(uplink.received_at, seq, 0),
        seq,
        site,
        device,
        class: known.map_or(DeviceClass::Gateway, |d| d.class),
        component: None,
        kind: Kind::GatewayRejected,
        phase: Phase::Instant,
        dedupe_key,
        occurred_at: uplink.received_at,
        received_at: uplink.received_at,
        clock: ClockSource::Gateway,
        attrs: Attrs::from_value(&attrs),
    })
}
