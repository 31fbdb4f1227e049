//! Pictures of native devices: `media/{word}` is one, its user property `sha256` what it must be, `role` what it shows (`scene`, `plate`, `face`);
//! an `evt` names those that belong to it in `attrs.media`.

use domain::place::Device;
use domain::{Shows, Uplink};
use jiff::SignedDuration;
use serde_json::Value;

use super::super::picture::{self, Found, Looked};
use super::super::{Context, multipart, properties};

/// How long before or after an event the picture that it names may come: a line may be down for hours.
const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The picture that a message is, or those that its event names.
pub(in super::super) fn pictures(uplink: &Uplink, context: &Context<'_>) -> Looked {
    let levels: Vec<&str> = uplink.topic.split('/').take(6).collect();
    let ["ssg", "v1", site, id, channel, rest] = levels[..] else {
        return Looked::default();
    };
    let known = id.parse().ok();
    let known = known.and_then(|id| context.registry.devices.get(&id));
    // what is said in somebody else's name has gone to quarantine
    let Some(device) =
        known.filter(|device| id == uplink.principal && site == device.site.as_str())
    else {
        return Looked::default();
    };
    let mut looked = Looked::default();
    match channel {
        "media" if picture::is_word(rest) && !uplink.payload.is_empty() => {
            looked.found.push(found(device, rest, uplink));
        }
        "evt" if multipart::position(&uplink.payload, b"\"media\"").is_some() => {
            let body: Value = serde_json::from_slice(&uplink.payload).unwrap_or_default();
            looked.named = picture::named(&body["attrs"]["media"], &device.id, WITHIN);
        }
        _ => {}
    }
    looked
}

fn found(device: &Device, word: &str, uplink: &Uplink) -> Found {
    let extra = uplink.extra.as_ref();
    let carried = extra.map(|extra| properties::read(&extra.properties));
    let user = carried.unwrap_or_default().user;
    let told = |name: &str| {
        let mut told = user.iter().filter(|(key, _)| key == name);
        told.next().map(|(_, value)| value.to_ascii_lowercase())
    };
    let role = told("role").and_then(|role| role.parse().ok());
    Found {
        device: device.id.clone(),
        site: device.site.clone(),
        // what a device says of its picture never makes it less than what its kind shows
        shows: role
            .unwrap_or(Shows::Scene)
            .max(Shows::of_class(device.class)),
        word: Some((word.to_owned(), WITHIN)),
        told_sha256: told("sha256"),
        is_all: true,
        bytes: uplink.payload.to_vec(),
    }
}
