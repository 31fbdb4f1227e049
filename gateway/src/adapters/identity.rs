//! From drafts to canonical events: who the device is, whose clock counts, under which key the fact is known again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::event::DEDUPE_KEY_BYTES_MAX;
use domain::place::Registry;
use domain::{
    Attrs, ClockSource, DeviceClass, DeviceId, Event, EventId, Kind, Phase, Seq, SiteId, Timestamp,
};
use hmac::{Hmac, Mac as _};
use jiff::SignedDuration;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use store::state::NewcomerTouch;

use super::battery::{Charge, is_charge};
use super::clock::DeviceTime;
use super::draft::{Draft, Reading, Told};
use super::memory::{Memory, News, property_key};

/// A device clock that is ahead of ours by more than this is not believed.
const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(30);
/// A device time older than this is a clock that was never set, not a late upload.
const BEHIND_MAX: SignedDuration = SignedDuration::from_hours(24 * 31);
/// What a device told longer ago than this was uploaded late.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// Formats whose addresses have levels of their own: `hall/lock` need not be a part of `hall` there.
const LEVELLED: [&str; 9] = [
    "zigbee2mqtt",
    "home-assistant",
    "homie5",
    "zwave-js-ui",
    "esphome",
    "tasmota",
    "onvif-ej",
    "axis-mqtt",
    "sparkplug-b",
];
/// Longest component, in bytes.
const COMPONENT_BYTES_MAX: usize = 64;

/// Who sent a message, and under whose roof.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// The account.
    pub account: &'a str,
    /// The quarter that it speaks for.
    pub site: &'a SiteId,
    /// The format that read it.
    pub format: &'a str,
    /// Devices and places.
    pub registry: &'a Registry,
    /// The key of the hashes that stand for card numbers.
    pub card_key: &'a [u8],
}

/// The place of a message in the journal.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Its position.
    pub seq: Seq,
    /// The hub's clock.
    pub received_at: Timestamp,
}

impl Sender<'_> {
    /// The events that are news among the drafts of one message.
    pub fn events(&self, stamp: Stamp, drafts: Vec<Draft>, memory: &mut Memory) -> Vec<Event> {
        let mut events = Vec::with_capacity(drafts.len());
        // its place in the message, whatever else of it is news: the same event has the same id again
        for (index, draft) in (0_u16..).zip(drafts) {
            if self.is_news(stamp.seq, &draft, memory) {
                events.push(self.event(stamp, draft, index));
            }
        }
        events
    }

    /// The registered devices that spoke in a message or hang on one that did, and those that nobody has registered and that spoke or were spoken of.
    pub fn spoke(&self, at: Timestamp, reading: &Reading) -> (Vec<DeviceId>, Vec<NewcomerTouch>) {
        let (mut alive, mut heard) = (Vec::new(), BTreeMap::new());
        for draft in &reading.drafts {
            match self.device(&draft.address, draft.component.as_deref()) {
                // that it is gone is no word of its own
                Some(_) if draft.kind == Kind::DeviceOffline => {}
                Some(device) => alive.push(device.id.clone()),
                None => {
                    let heard = self.heard(&mut heard, &draft.address, at);
                    // of what is said about any device, the class is a guess
                    if !draft.kind.as_str().starts_with("device.") {
                        heard.class = Some(draft.class);
                    }
                }
            }
        }
        let charged = reading.charges.iter().map(|(address, _)| address);
        let spoke = reading.spoke.iter().chain(charged).map(String::as_str);
        let known = spoke
            .clone()
            .filter_map(|address| self.device(address, None));
        alive.extend(known.map(|device| device.id.clone()));
        // what speaks is connected, and so is whatever hangs on it
        let mut speakers: Vec<&str> = (reading.drafts.iter())
            .filter(|draft| draft.kind != Kind::DeviceOffline)
            .map(|draft| draft.address.as_str())
            .chain(spoke)
            .collect();
        speakers.sort_unstable();
        speakers.dedup();
        if !LEVELLED.contains(&self.format) {
            for address in speakers {
                let address = if address.is_empty() {
                    self.account
                } else {
                    address
                };
                let parts = self.registry.parts_at(self.account, address);
                alive.extend(parts.map(|device| device.id.clone()));
            }
        }
        for about in &reading.about {
            if self.device(&about.address, None).is_none() {
                let heard = self.heard(&mut heard, &about.address, at);
                heard.class = heard.class.or(about.class);
                heard.vendor.clone_from(&about.vendor);
                heard.model.clone_from(&about.model);
            }
        }
        alive.sort_unstable();
        alive.dedup();
        (alive, heard.into_values().collect())
    }

    /// The charges of registered devices' batteries: those that were told by themselves, and those among other readings.
    pub fn charges(&self, told: &[(String, f64)], drafts: &[Draft]) -> Vec<Charge> {
        let readings = drafts
            .iter()
            .filter(|draft| draft.kind == Kind::DeviceTelemetry);
        let among = readings.filter_map(|draft| {
            let percent = draft.attrs.get("battery_percent")?.as_f64()?;
            Some((draft.address.as_str(), percent))
        });
        let told = told
            .iter()
            .map(|(address, percent)| (address.as_str(), *percent));
        let says_low = |address: &str| {
            let mut own = drafts.iter().filter(|draft| draft.address == address);
            own.any(|draft| draft.kind == Kind::DeviceBatteryLow)
        };
        let all = told.chain(among).filter(|(_, percent)| is_charge(*percent));
        let charges = all.filter_map(|(address, percent)| {
            Some(Charge {
                device: self.device(address, None)?.id.clone(),
                percent,
                says_low: says_low(address),
            })
        });
        charges.collect()
    }

    /// The sender itself, where nobody has registered it.
    pub(super) fn itself(&self, at: Timestamp) -> Option<NewcomerTouch> {
        let mut all = BTreeMap::new();
        let itself = self.heard(&mut all, "", at);
        itself.class = Some(DeviceClass::Gateway);
        self.device("", None).is_none().then(|| itself.clone())
    }

    fn heard<'h>(
        &self,
        all: &'h mut BTreeMap<String, NewcomerTouch>,
        address: &str,
        at: Timestamp,
    ) -> &'h mut NewcomerTouch {
        all.entry(address.to_owned())
            .or_insert_with(|| NewcomerTouch {
                account: self.account.to_owned(),
                address: address.to_owned(),
                device: self.unknown(address),
                site: self.site.clone(),
                class: None,
                format: self.format.to_owned(),
                vendor: None,
                model: None,
                at,
                said: None,
                has_rung: false,
                messages: 1,
            })
    }

    fn is_news(&self, seq: Seq, draft: &Draft, memory: &mut Memory) -> bool {
        let Some(edge) = &draft.edge else {
            return true;
        };
        let key = property_key(&draft.address, draft.component.as_deref(), &edge.property);
        match memory.tell(self.account, &key, &edge.value, seq) {
            News::Same => false,
            News::First => match edge.told {
                // nothing can be over that nobody has heard of
                Told::State => draft.phase != Phase::Cleared,
                Told::Change => true,
                Told::Replay => false,
            },
            News::Changed => true,
        }
    }

    fn event(&self, stamp: Stamp, draft: Draft, index: u16) -> Event {
        let known = self.device(&draft.address, draft.component.as_deref());
        let dedupe_key = dedupe_key(self.format, stamp.seq, index, &draft);
        let (occurred_at, clock, late) = occurred_at(stamp.received_at, draft.at.as_ref());
        let mut attrs = draft.attrs;
        say_state(draft.kind, &mut attrs);
        if let Some(at) = &draft.at {
            attrs.insert("device_time".to_owned(), at.at.to_string().into());
            attrs.insert("device_time_raw".to_owned(), at.raw.as_str().into());
        }
        if late {
            attrs.insert("late".to_owned(), true.into());
        }
        if let Some(number) = &draft.credential {
            attrs.insert(
                "credential_ref".to_owned(),
                self.credential_ref(number).into(),
            );
        }
        attrs.insert("adapter".to_owned(), self.format.into());
        let is_reach = matches!(draft.kind, Kind::DeviceOnline | Kind::DeviceOffline);
        if is_reach && draft.address.is_empty() {
            // with it all that it speaks for is out of reach, or back
            attrs.insert("bridge".to_owned(), true.into());
        }
        if !draft.address.is_empty() {
            attrs.insert(
                "address".to_owned(),
                super::text::clip(&draft.address, 128).into(),
            );
        }
        let component = draft.component.map(|component| component_word(&component));
        Event {
            id: EventId::of_uplink(stamp.received_at, stamp.seq, index),
            seq: stamp.seq,
            site: known.map_or(self.site, |device| &device.site).clone(),
            class: known.map_or(draft.class, |device| device.class),
            device: known.map_or_else(|| self.unknown(&draft.address), |device| device.id.clone()),
            component: component.filter(|component| !component.is_empty()),
            kind: draft.kind,
            phase: draft.phase,
            dedupe_key,
            occurred_at,
            received_at: stamp.received_at,
            clock,
            attrs: Attrs::from_value(&Value::Object(attrs)),
        }
    }

    /// The registered device behind an address: its `address` in the registry is this one, either by itself or behind the account. A
    /// part may be a device of its own, `address/component`: a detector on the loop of a panel hangs elsewhere than the panel.
    pub fn device(&self, address: &str, component: Option<&str>) -> Option<&domain::place::Device> {
        let address = if address.is_empty() {
            self.account
        } else {
            address
        };
        let at = |address: &str| self.registry.device_at(self.account, address);
        let part = component.and_then(|component| at(&format!("{address}/{component}")));
        part.or_else(|| at(address))
    }

    /// The id of the device behind an address, and the quarter that it is in.
    pub fn place_of(&self, address: &str) -> (DeviceId, SiteId) {
        match self.device(address, None) {
            Some(device) => (device.id.clone(), device.site.clone()),
            None => (self.unknown(address), self.site.clone()),
        }
    }

    /// The id of a device that nobody has registered. It is never that of a registered one: a bridge cannot speak in its name.
    pub(super) fn unknown(&self, address: &str) -> DeviceId {
        let own = slug(if address.is_empty() {
            self.account
        } else {
            address
        });
        let free = |id: &DeviceId| !self.registry.devices.contains_key(id);
        let behind = || slug(&format!("{}-{}", self.account, own));
        [own.clone(), behind()]
            .iter()
            .filter_map(|text| text.parse().ok())
            .find(free)
            .or_else(|| digest_slug(self.account, address).parse().ok())
            .unwrap_or_else(|| "unknown".parse().expect("a slug"))
    }

    /// The keyed hash that stands for a card number: the same card is known again, and nobody can tell its number.
    fn credential_ref(&self, number: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.card_key).expect("HMAC takes any key");
        mac.update(number.as_bytes());
        format!("card-{}", hex::encode(&mac.finalize().into_bytes()[..12]))
    }
}

/// An address as an id: lower case, `-` for what an id cannot hold; with a digest where that loses more than case, dots, colons and underscores.
pub fn slug(address: &str) -> String {
    let mut slug = String::with_capacity(address.len());
    let mut lossy = false;
    for c in address.trim().chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '-') => slug.push(c),
            '_' | '.' | ':' | ' ' | '/' => slug.push('-'),
            _ => {
                slug.push('-');
                lossy = true;
            }
        }
    }
    if lossy || slug.len() > domain::id::SLUG_BYTES_MAX {
        let hash = hex::encode(&Sha256::digest(address.as_bytes())[..4]);
        slug.truncate(domain::id::SLUG_BYTES_MAX - 9);
        let _ = write!(slug, "-{hash}");
    }
    slug
}

fn digest_slug(account: &str, address: &str) -> String {
    let hash = Sha256::digest(format!("{account}\u{1f}{address}").as_bytes());
    format!("device-{}", hex::encode(&hash[..12]))
}

/// A component as events carry it: printable and short.
fn component_word(component: &str) -> String {
    let mut word: String = component.chars().filter(|c| !c.is_control()).collect();
    while word.len() > COMPONENT_BYTES_MAX {
        word.pop();
    }
    word
}

/// The sender's own id where it gave one; else what the device told and when; else where it stands in the journal.
fn dedupe_key(format: &str, seq: Seq, index: u16, draft: &Draft) -> String {
    let component = draft.component.as_deref().unwrap_or_default();
    let what = format!("{}.{}", draft.kind, draft.phase.as_str());
    let key = match (&draft.id, &draft.at) {
        (Some(id), _) => format!("{format}:{id}:{component}:{what}"),
        (None, Some(DeviceTime { at, .. })) => {
            let told = serde_json::to_vec(&draft.attrs).unwrap_or_default();
            let digest = hex::encode(&Sha256::digest(&told)[..8]);
            format!(
                "{format}@{}:{component}:{what}:{digest}",
                at.as_millisecond()
            )
        }
        (None, None) => format!("{format}#{seq}.{index}"),
    };
    if key.len() <= DEDUPE_KEY_BYTES_MAX && !key.chars().any(char::is_control) {
        return key;
    }
    format!("{format}:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

/// The device's own time where it can be believed; an old time is a late upload and stays.
fn occurred_at(
    received_at: Timestamp,
    told: Option<&DeviceTime>,
) -> (Timestamp, ClockSource, bool) {
    let Some(told) = told else {
        return (received_at, ClockSource::Gateway, false);
    };
    let behind = received_at.duration_since(told.at);
    if behind < -AHEAD_MAX || behind > BEHIND_MAX {
        return (received_at, ClockSource::Gateway, false);
    }
    (told.at, ClockSource::Device, behind > LATE_AFTER)
}

/// The state of a door, a lock or a barrier under the name that native devices give it, by which rules know it. The number of the door makes
/// room for it; its component has it, too.
fn say_state(kind: Kind, attrs: &mut Map<String, Value>) {
    let name = match kind {
        Kind::AccessDoorState => "door",
        Kind::AccessLockState => "lock",
        Kind::BarrierState => "barrier",
        _ => return,
    };
    let Some(state) = attrs
        .get("state")
        .filter(|state| state.is_string())
        .cloned()
    else {
        return;
    };
    if let Some(number) = attrs.insert(name.to_owned(), state) {
        attrs.insert(format!("{name}_no"), number);
    }
}

#[cfg(test)]
mod tests;
