//! Bytes that an operator's platform (`CTWing`, `OneNET`) passes through without knowing them: what is recognised in them by its own marks.
//!
//! GB/T 26875.3 frames, MEOKON frames, the JSON of a user information transmission device, decoded properties as JSON, the TLV of a smoke
//! detector (嘉德). Hexadecimal digits are taken for the bytes that they stand for.

use std::collections::BTreeMap;

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::{Recall, Reject, decoded, gbt26875, meokon, text};

/// Most components in one message.
const COMPONENTS_MAX: usize = 1000;
/// What a transmission device's message is about (`c`): states of components.
const STATES: i64 = 27;
/// The same: devices that are gone.
const GONE: i64 = 92;
/// Digits of a transmission device's own number, which begins the number of each of its components.
const UIT_DIGITS: usize = 14;

/// Whose bytes they are and when they came.
pub struct Passed<'a> {
    /// The platform's name of the device.
    pub address: &'a str,
    /// The platform's time.
    pub at: Option<DeviceTime>,
    /// The wall clock of the device.
    pub zone: &'a TimeZone,
    /// What was remembered.
    pub recall: &'a dyn Recall,
}

impl Passed<'_> {
    /// Reads them; none where nothing in them is known.
    ///
    /// # Errors
    /// What the format that was recognised rejects.
    pub fn read(&self, bytes: &[u8]) -> Result<Option<Reading>, Reject> {
        if let Some(frames) = gbt26875::frames_of(bytes) {
            return gbt26875::read_frames(&frames, Some(self.address), self.zone, self.recall)
                .map(Some);
        }
        if let Some(frame) = meokon::frame_of(bytes) {
            return Ok(Some(meokon::read_frame(&frame, Some(self.address))?.into()));
        }
        let words = std::str::from_utf8(bytes).unwrap_or_default().trim();
        if words.starts_with(['{', '[']) {
            let value = text::json(bytes)?;
            if is_uit(&value) {
                return Ok(Some(self.uit(&value)));
            }
            return Ok(Some(
                decoded::drafts(self.address, &value, self.at.as_ref()).into(),
            ));
        }
        let digits = hex::decode(words).unwrap_or_default();
        let tlv = self.smoke_tlv(if digits.is_empty() { bytes } else { &digits });
        Ok(tlv.map(Reading::from))
    }

    /// What a user information transmission device tells as JSON: `{"b": [{"id": component, "v": "2"}], "c": 27, "id": ms, "tm": ms}`, where
    /// `v` is the state word of GB/T 26875.3 as a decimal number. `c` 27 is the state of components, 92 that devices are gone.
    pub fn uit(&self, value: &Value) -> Reading {
        let at = text::first(value, &["tm", "id"])
            .and_then(text::integer)
            .and_then(DeviceTime::epoch_ms)
            .or_else(|| self.at.clone());
        let id = value.get("id").and_then(text::word);
        let what = value.get("c").and_then(text::integer);
        let mut readers: BTreeMap<String, gbt26875::Reader<'_>> = BTreeMap::new();
        let mut reading = Reading::default();
        let list = value.get("b").and_then(Value::as_array);
        for (index, item) in list.into_iter().flatten().take(COMPONENTS_MAX).enumerate() {
            let name = item.get("id").and_then(text::word).unwrap_or_default();
            let name = text::clip(&name, 64);
            if !matches!(what, Some(STATES | GONE)) {
                continue;
            }
            let Some(word) = item.get("v").and_then(state_word) else {
                let detail = format!("the state `v` of `{name}` is no number of 16 bits");
                let unread = || Reject::new("bad_state", detail);
                reading.unread.get_or_insert_with(unread);
                continue;
            };
            let (address, component) = self.place(&name);
            let id = id.as_ref().map(|id| format!("{name}:{id}:{index}"));
            match what {
                Some(STATES) => readers
                    .entry(address.to_owned())
                    .or_insert_with_key(|own| gbt26875::Reader::new(own, self.zone, self.recall))
                    .word(component, word, at.clone(), id),
                Some(GONE) => {
                    let mut draft = gone(address, word != 0).at(at.clone());
                    draft.id = id;
                    if !component.is_empty() {
                        draft.component = Some(component.to_owned());
                    }
                    reading.drafts.push(draft);
                }
                _ => {}
            }
        }
        for reader in readers.into_values() {
            let more = reader.finish();
            reading.extend(more);
        }
        reading
    }

    /// Device and component behind the number of a component: the platform's device and the number, or, where no platform gave a name,
    /// the transmission device at the number's beginning and the rest.
    fn place<'n>(&'n self, name: &'n str) -> (&'n str, &'n str) {
        match self.address {
            "" => name.split_at_checked(UIT_DIGITS).unwrap_or((name, "")),
            address => (address, name),
        }
    }

    /// Sequence, length, then type, length and value of each field: 1 serial, 2 model, 3 state, 4 signal, 5 battery percent.
    fn smoke_tlv(&self, bytes: &[u8]) -> Option<Vec<Draft>> {
        let (head, mut fields) = bytes.split_first_chunk::<3>()?;
        if usize::from(u16::from_be_bytes([head[1], head[2]])) != fields.len() {
            return None;
        }
        let (mut state, mut percent, mut has_serial) = (None, None, false);
        while let Some((front, rest)) = fields.split_first_chunk::<3>() {
            let length = usize::from(u16::from_be_bytes([front[1], front[2]]));
            let (value, rest) = rest.split_at_checked(length)?;
            match (front[0], value) {
                (1, _) => has_serial = true,
                (3, [code]) => state = Some(*code),
                (5, [battery]) => percent = Some(*battery),
                _ => {}
            }
            fields = rest;
        }
        if !has_serial || !fields.is_empty() {
            return None;
        }
        let (kind, property, is) = match state? {
            0 => {
                let told = [
                    (Kind::FireSmoke, "smoke"),
                    (Kind::DeviceBatteryLow, "battery_low"),
                    (Kind::DeviceTest, "test"),
                ];
                let drafts = told.map(|(kind, property)| self.smoke(kind, property, false));
                return Some(drafts.into());
            }
            1 => (Kind::FireSmoke, "smoke", true),
            2 => (Kind::DeviceBatteryLow, "battery_low", true),
            0x0d => (Kind::DeviceTest, "test", true),
            0x11 => (Kind::FireSmoke, "smoke", false),
            0x12 => (Kind::DeviceBatteryLow, "battery_low", false),
            0x13 => (Kind::DeviceTamper, "tamper", true),
            0x14 => (Kind::DeviceTamper, "tamper", false),
            _ => return Some(Vec::new()),
        };
        let draft = self.smoke(kind, property, is);
        Some(vec![draft.attr("battery_percent", percent)])
    }

    fn smoke(&self, kind: Kind, property: &str, is: bool) -> Draft {
        Draft::condition(self.address, DeviceClass::FireSensor, kind, property, is)
            .at(self.at.clone())
    }
}

/// A word of 16 bits as a number, a decimal one as text, or a hexadecimal one (`0x02`).
fn state_word(value: &Value) -> Option<u16> {
    if let Some(number) = text::integer(value) {
        return u16::try_from(number).ok();
    }
    let digits = value.as_str()?.trim();
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))?;
    u16::from_str_radix(digits, 16).ok()
}

/// A transmission device is gone, or there again.
fn gone(address: &str, is_gone: bool) -> Draft {
    let (kind, phase) = if is_gone {
        (Kind::DeviceOffline, Phase::Raised)
    } else {
        (Kind::DeviceOnline, Phase::Updated)
    };
    Draft::new(address, DeviceClass::Panel, kind, phase).edge("online", !is_gone)
}

/// Whether this is what a user information transmission device sends as JSON.
pub fn is_uit(value: &Value) -> bool {
    let list = value.get("b").and_then(Value::as_array);
    let is_own = |item: &Value| item.get("id").is_some() && item.get("v").is_some();
    list.is_some_and(|list| list.iter().all(is_own)) && value.get("c").is_some_and(Value::is_number)
}
