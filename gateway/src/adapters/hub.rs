//! What the hub says about itself: who connected, who left, who was refused. Journalled by the listener under `$hub/…`.

use domain::{Attrs, ClockSource, DeviceId, Event, EventId, Kind, Phase, Seq, Uplink};
use serde::Deserialize;

use super::{Adapter, Context, Parsed, Reject};

/// The adapter of the hub's own notes.
pub struct Hub;

#[derive(Deserialize)]
struct Presence {
    state: String,
}

/// What the listener refused, as it journals it.
#[derive(Deserialize)]
struct Security {
    what: String,
    detail: String,
}

impl Adapter for Hub {
    fn name(&self) -> &'static str {
        "hub"
    }

    fn parse(&self, seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Parsed {
        if let Some(device) = uplink.topic.strip_prefix("$hub/presence/") {
            return presence(seq, uplink, device, context);
        }
        if uplink.topic.starts_with("$hub/security/") {
            let detail = match serde_json::from_slice::<Security>(&uplink.payload) {
                Ok(note) => format!("{}: {}", note.what, note.detail),
                Err(e) => format!("the listener's own note does not parse: {e}"),
            };
            return Parsed {
                events: Vec::new(),
                reject: Some(Reject::new(REFUSED, detail)),
            };
        }
        let detail = format!("the hub has no note `{}`", uplink.topic);
        Parsed {
            events: Vec::new(),
            reject: Some(Reject::new("unknown_topic", detail)),
        }
    }
}

/// The code of what was refused at the door: counted apart from what was taken and could not be read.
pub const REFUSED: &str = "refused";

fn presence(seq: Seq, uplink: &Uplink, device: &str, context: &Context<'_>) -> Parsed {
    let known = device
        .parse::<DeviceId>()
        .ok()
        .and_then(|id| context.registry.devices.get(&id));
    let (Some(device), Ok(note)) = (known, serde_json::from_slice::<Presence>(&uplink.payload))
    else {
        // an integration's session, or a device that was taken out of the registry: nothing to tell
        return Parsed::default();
    };
    let kind = if note.state == "online" {
        Kind::DeviceOnline
    } else {
        Kind::DeviceOffline
    };
    let attrs = serde_json::value::RawValue::from_string(
        String::from_utf8_lossy(&uplink.payload).into_owned(),
    )
    .map_or_else(|_| Attrs::empty(), Attrs::from_raw);
    let event = Event {
        id: EventId::of_uplink(uplink.received_at, seq, 0),
        seq,
        site: device.site.clone(),
        device: device.id.clone(),
        class: device.class,
        component: None,
        kind,
        phase: Phase::Instant,
        dedupe_key: format!("{}:{}", note.state, uplink.epoch),
        occurred_at: uplink.received_at,
        received_at: uplink.received_at,
        clock: ClockSource::Gateway,
        attrs,
    };
    Parsed {
        events: vec![event],
        reject: None,
    }
}
