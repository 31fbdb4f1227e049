//! The gateways of the radio: whether they are connected. Whatever they hear comes again as an event of a device.

use domain::{DeviceClass, Kind, Phase};
use prost::Message as _;
use serde_json::Value;

use crate::adapters::draft::{Draft, Reading};
use crate::adapters::message::Message;
use crate::adapters::{Reject, text};

/// `ConnState` of `gw.proto` (chirpstack/chirpstack), as far as it is read.
#[derive(Clone, PartialEq, prost::Message)]
struct ConnState {
    /// 0 offline, 1 online.
    #[prost(int32, tag = "2")]
    state: i32,
}

/// What a gateway tells of itself: `conn` is retained and the broker's word when it is gone; all else is traffic.
///
/// # Errors
/// `bad_availability`.
pub(super) fn read(gateway: &str, what: &str, message: &Message<'_>) -> Result<Reading, Reject> {
    let address = text::clip(&gateway.to_lowercase(), 64);
    if what != "conn" {
        return Ok(Reading::default().spoken_by(address));
    }
    if message.payload.is_empty() && message.is_retained() {
        return Ok(Reading::default()); // it was deleted
    }
    let is_online = is_online(message).ok_or_else(|| {
        let detail = "the state of a gateway is neither ONLINE nor OFFLINE";
        Reject::new("bad_availability", detail)
    })?;
    let (kind, phase) = if is_online {
        (Kind::DeviceOnline, Phase::Updated)
    } else {
        (Kind::DeviceOffline, Phase::Raised)
    };
    let draft = Draft::new(address, DeviceClass::Gateway, kind, phase);
    Ok(draft.edge("online", is_online).into())
}

/// Protobuf, or JSON where the gateway was told so. JSON leaves out what is zero.
fn is_online(message: &Message<'_>) -> Option<bool> {
    if message.payload.first() != Some(&b'{') {
        let state = ConnState::decode(message.payload).ok()?.state;
        return matches!(state, 0 | 1).then_some(state == 1);
    }
    match message.json().ok()?.get("state") {
        None => Some(false),
        Some(Value::String(word)) => match word.as_str() {
            "ONLINE" => Some(true),
            "OFFLINE" => Some(false),
            _ => None,
        },
        Some(number) => text::boolean(number),
    }
}
