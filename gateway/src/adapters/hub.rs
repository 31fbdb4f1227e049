//! What the hub says about itself, journalled under `$hub/…`: who connected, who left, who was refused, how full the disk is, that its
//! clock was set, that it came back after an end that nobody asked for. Only the hub itself writes there: the listener grants `$hub/probe` to its own probe.

use domain::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, Seq, SiteId, Timestamp,
    Uplink, UplinkFlags, uplink,
};
use serde::Deserialize;

use super::identity::Sender;
use super::{Adapter, Context, Parsed, Reject};

/// The adapter of the hub's own notes.
pub struct Hub;

#[derive(Deserialize)]
struct Presence {
    state: String,
    #[serde(default)]
    reason: String,
}

/// Why a connection ended whose client said good-bye: a bridge that sends now and then is not lost.
const GOODBYE: &str = "disconnect";

/// What the listener refused, as it journals it.
#[derive(Deserialize)]
struct Security {
    what: String,
    detail: String,
    principal: String,
}

impl Adapter for Hub {
    fn name(&self) -> &'static str {
        "hub"
    }

    fn parse(&self, seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Parsed {
        if let Some(device) = uplink.topic.strip_prefix("$hub/presence/") {
            return presence(seq, uplink, device, context);
        }
        if let Some(device) = uplink.topic.strip_prefix(COMMAND) {
            return command(seq, uplink, device, context);
        }
        if uplink.topic.starts_with("$hub/security/") {
            return security(seq, uplink, context);
        }
        match uplink.topic.as_str() {
            PROBE => return Parsed::default(),
            STORAGE => return about_itself(seq, uplink, context, Kind::GatewayStorage),
            RULES => return about_itself(seq, uplink, context, Kind::GatewayRules),
            CLOCK => return about_itself(seq, uplink, context, Kind::GatewayClock),
            RESTARTED => return about_itself(seq, uplink, context, Kind::GatewayRestarted),
            _ => {}
        }
        let detail = format!("the hub has no note `{}`", uplink.topic);
        Parsed {
            reject: Some(Reject::new("unknown_topic", detail)),
            ..Parsed::default()
        }
    }
}

/// The self-probe's way through the hub: nothing comes of it.
pub const PROBE: &str = "$hub/probe";
/// How full the disk is: `{"level": "ok" | "filling" | "full", "used_percent": 84, …}`.
pub const STORAGE: &str = "$hub/storage";
/// The hub is back after an end that nobody asked for: `{"reason": "…"}`.
pub const RESTARTED: &str = "$hub/restarted";

/// What became of a command, by device: `{"command_id": "cmd_…", "command": "unlock", "status": "done", "purpose": "operator", …}`.
pub const COMMAND: &str = "$hub/command/";

/// What is wrong with rule files, or with those of the registry when it has `"part": "registry"`:
/// `{"level": "ok" | "mistakes", "mistakes": 2, "first": "…", …}`.
pub const RULES: &str = "$hub/rules";
/// The system clock was set, or is off: `{"level": "ok" | "off", "step_ms": 3600000, "off_ms": 3600000}`.
pub const CLOCK: &str = "$hub/clock";

/// A note of the hub as it is journalled.
pub fn note(at: Timestamp, topic: String, epoch: u64, payload: Vec<u8>) -> Uplink {
    Uplink {
        received_at: at,
        principal: uplink::HUB.to_owned(),
        epoch,
        flags: UplinkFlags::default(),
        topic,
        payload: payload.into(),
        extra: None,
    }
}

/// An event about the hub itself, which stands in no zone. A `level` of `ok` is the end of what another level began.
fn about_itself(seq: Seq, uplink: &Uplink, context: &Context<'_>, kind: Kind) -> Parsed {
    let text = String::from_utf8_lossy(&uplink.payload).into_owned();
    let attrs = serde_json::value::RawValue::from_string(text)
        .map_or_else(|_| Attrs::empty(), Attrs::from_raw);
    let phase = match (kind, attrs.to_value()["level"].as_str()) {
        (Kind::GatewayStorage | Kind::GatewayRules | Kind::GatewayClock, Some("ok")) => {
            Phase::Cleared
        }
        (Kind::GatewayStorage | Kind::GatewayRules | Kind::GatewayClock, _) => Phase::Raised,
        _ => Phase::Instant,
    };
    let part = attrs.to_value()["part"].as_str().map(str::to_owned);
    let mut event = event_of_hub(seq, uplink, context, kind, phase, attrs);
    if let Some(event) = &mut event {
        event.component = part;
    }
    Parsed {
        events: event.into_iter().collect(),
        ..Parsed::default()
    }
}

/// The hub stands in no zone; its site is the first one.
fn event_of_hub(
    seq: Seq,
    uplink: &Uplink,
    context: &Context<'_>,
    kind: Kind,
    phase: Phase,
    attrs: Attrs,
) -> Option<Event> {
    let site: SiteId = match context.registry.sites.keys().next() {
        Some(first) => first.clone(),
        None => uplink::HUB.parse().ok()?,
    };
    Some(Event {
        id: EventId::of_uplink(uplink.received_at, seq, 0),
        seq,
        site,
        device: uplink::HUB.parse::<DeviceId>().ok()?,
        class: DeviceClass::Gateway,
        component: None,
        kind,
        phase,
        dedupe_key: format!("#{seq}"),
        occurred_at: uplink.received_at,
        received_at: uplink.received_at,
        clock: ClockSource::Gateway,
        attrs,
    })
}

/// What was refused stays readable in the quarantine, and is an event: about the device that tried, or about the hub when nobody knows who
/// it was; `from` is the account, or the address.
fn security(seq: Seq, uplink: &Uplink, context: &Context<'_>) -> Parsed {
    let note = match serde_json::from_slice::<Security>(&uplink.payload) {
        Ok(note) => note,
        Err(e) => {
            let detail = format!("the listener's own note does not parse: {e}");
            return Parsed {
                reject: Some(Reject::new(REFUSED, detail)),
                ..Parsed::default()
            };
        }
    };
    let attrs =
        serde_json::json!({"what": note.what, "detail": note.detail, "from": note.principal});
    let attrs = Attrs::from_value(&attrs);
    let mut event = event_of_hub(
        seq,
        uplink,
        context,
        Kind::GatewayRefused,
        Phase::Instant,
        attrs,
    );
    let device = note.principal.parse::<DeviceId>().ok();
    if let (Some(event), Some(device)) = (
        &mut event,
        device.and_then(|id| context.registry.devices.get(&id)),
    ) {
        event.site = device.site.clone();
        event.device = device.id.clone();
        event.class = device.class;
    }
    Parsed {
        events: event.into_iter().collect(),
        reject: Some(Reject::new(
            REFUSED,
            format!("{}: {}", note.what, note.detail),
        )),
        ..Parsed::default()
    }
}

/// The code of what was refused at the door: counted apart from what was taken and could not be read.
pub const REFUSED: &str = "refused";

/// What became of a command to a device: an event of the device, known again by the command and where it ended.
fn command(seq: Seq, uplink: &Uplink, device: &str, context: &Context<'_>) -> Parsed {
    let known = device.parse::<DeviceId>().ok();
    let Some(device) = known.and_then(|id| context.registry.devices.get(&id)) else {
        return Parsed::default(); // taken out of the registry since
    };
    let text = String::from_utf8_lossy(&uplink.payload).into_owned();
    let attrs = serde_json::value::RawValue::from_string(text)
        .map_or_else(|_| Attrs::empty(), Attrs::from_raw);
    let said = attrs.to_value();
    let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let event = Event {
        id: EventId::of_uplink(uplink.received_at, seq, 0),
        seq,
        site: device.site.clone(),
        device: device.id.clone(),
        class: device.class,
        component: Some(word("command")),
        kind: Kind::GatewayCommand,
        phase: Phase::Updated,
        dedupe_key: format!("{}:{}", word("command_id"), word("status")),
        occurred_at: uplink.received_at,
        received_at: uplink.received_at,
        clock: ClockSource::Gateway,
        attrs,
    };
    Parsed {
        events: vec![event],
        ..Parsed::default()
    }
}

fn presence(seq: Seq, uplink: &Uplink, account: &str, context: &Context<'_>) -> Parsed {
    let Ok(note) = serde_json::from_slice::<Presence>(&uplink.payload) else {
        return Parsed::default();
    };
    let bridges = &context.bridges.by_account;
    let bridge = bridges.get(account).map(|bridge| Sender {
        account,
        site: &bridge.site,
        format: "hub",
        registry: context.registry,
        card_key: &[],
    });
    let registered = match &bridge {
        Some(bridge) => bridge.device("", None),
        None => account
            .parse::<DeviceId>()
            .ok()
            .and_then(|id| context.registry.devices.get(&id)),
    };
    let (device, site, class) = match (registered, &bridge) {
        (Some(device), _) => (device.id.clone(), device.site.clone(), device.class),
        (None, Some(bridge)) => {
            let class = DeviceClass::Gateway;
            (bridge.unknown(""), bridge.site.clone(), class)
        }
        // an integration's session, or a device that was taken out of the registry: nothing to tell
        (None, None) => return Parsed::default(),
    };
    let kind = if note.state == "online" {
        Kind::DeviceOnline
    } else {
        Kind::DeviceOffline
    };
    let mut attrs: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&uplink.payload).unwrap_or_default();
    let address = registered.and_then(|device| device.address.as_ref());
    let is_bridge =
        bridge.is_some() || address.is_some_and(|address| bridges.contains_key(address));
    if is_bridge && note.reason != GOODBYE {
        // with it all that it speaks for is out of reach, or back
        attrs.insert("bridge".to_owned(), true.into());
    }
    let newcomer = bridge.and_then(|bridge| bridge.itself(uplink.received_at));
    let event = Event {
        id: EventId::of_uplink(uplink.received_at, seq, 0),
        seq,
        site,
        device,
        class,
        component: None,
        kind,
        phase: Phase::Instant,
        dedupe_key: format!("{}:{}", note.state, uplink.epoch),
        occurred_at: uplink.received_at,
        received_at: uplink.received_at,
        clock: ClockSource::Gateway,
        attrs: Attrs::from_value(&attrs.into()),
    };
    Parsed {
        events: vec![event],
        newcomers: newcomer.into_iter().collect(),
        ..Parsed::default()
    }
}
