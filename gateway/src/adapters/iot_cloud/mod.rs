//! Clouds for things and what they push: Huawei's (`OceanConnect`, which China Telecom runs for NB-IoT, and `IoTDA`), Aliyun's, Tuya's; and what
//! devices say to `IoTDA` and Aliyun over MQTT.
//!
//! Each wraps what a device told into an envelope of its own; the properties inside are those of [`decoded`]. Layouts: the platforms' documents of
//! what they push (support.huaweicloud.com `iot_06_v5_01202`, help.aliyun.com 89301, developer.tuya.com "Message Types"), and
//! captures of a fire service for `OceanConnect`.

mod envelope;

use domain::{DeviceClass, Kind};
use serde_json::Value;

use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::passthrough::Passed;
use super::{Reject, decoded, named, text};
use envelope::{Told, What};

/// Shortest text that may be bytes of a vendor.
const BYTES_CHARS_MIN: usize = 16;
/// Most members of a service whose text is looked into.
const MEMBERS_MAX: usize = 64;

/// Clouds for things.
pub struct IotCloud;

impl Format for IotCloud {
    fn name(&self) -> &'static str {
        "iot-cloud"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if envelope::is_topic(message) {
            return Claim::Address;
        }
        let is_own = message.object().is_some_and(envelope::is_pushed);
        if is_own { Claim::Shape } else { Claim::No }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let mut all = Reading::default();
        for told in envelope::told(message)? {
            all.extend(read_one(&told, message, recall)?);
        }
        Ok(all)
    }
}

fn read_one(
    told: &Told<'_>,
    message: &Message<'_>,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let address = text::clip(&told.address, 128);
    let at = told.at.as_ref();
    let passed = Passed {
        address: &address,
        at: told.at.clone(),
        zone: message.zone,
        recall,
    };
    let reading = match &told.what {
        What::Presence(is_online) => {
            let draft = named::reachable(&address, DeviceClass::FireSensor, *is_online);
            return Ok(draft.at(at.cloned()).into());
        }
        What::Properties(object) => properties(object, &passed)?,
        What::Bytes(told) => bytes(told, &passed)?,
        What::Event { object, is_loud } => {
            let mut reading = Reading::from(decoded::event_drafts(&address, object, at));
            if reading.drafts.is_empty() && *is_loud {
                let detail = "an alarm or a fault in members that no table knows";
                reading.unread = Some(Reject::new("unknown_event", detail));
            }
            reading
        }
    };
    Ok(reading.spoken_by(address))
}

fn properties(object: &Value, passed: &Passed<'_>) -> Result<Reading, Reject> {
    if let Some(state) = object.get("devState").and_then(text::integer) {
        return Ok(wanlin(state, passed).into());
    }
    if let Some(words) = object.as_str() {
        return bytes(words.as_bytes(), passed);
    }
    let drafts = decoded::drafts(passed.address, object, passed.at.as_ref());
    if !drafts.is_empty() {
        return Ok(drafts.into());
    }
    let texts = object.as_object().into_iter().flatten().take(MEMBERS_MAX);
    let texts = texts.filter_map(|(_, value)| value.as_str());
    let mut reading = Reading::default();
    for words in texts.filter(|words| words.len() >= BYTES_CHARS_MIN) {
        if let Some(read) = passed.read(words.as_bytes())? {
            return Ok(read);
        }
        if hex::decode(words).is_ok() {
            reading.unread = Some(unknown_bytes());
        }
    }
    Ok(reading)
}

/// Bytes by their own marks, or kept.
fn bytes(told: &[u8], passed: &Passed<'_>) -> Result<Reading, Reject> {
    Ok(passed.read(told)?.unwrap_or_else(|| Reading {
        unread: Some(unknown_bytes()),
        ..Reading::default()
    }))
}

fn unknown_bytes() -> Reject {
    let detail =
        "bytes of a vendor that no adapter knows (hint: declare one, docs/adding-a-device.md)";
    Reject::new("unknown_bytes", detail)
}

/// The state of a 万林 NB-IoT smoke detector: one of its conditions at a time, or none.
fn wanlin(state: i64, passed: &Passed<'_>) -> Vec<Draft> {
    const CONDITIONS: [(i64, Kind, &str); 5] = [
        (1, Kind::FireSmoke, "smoke"),
        (2, Kind::FireHeat, "heat"),
        (3, Kind::DeviceTamper, "tamper"),
        (4, Kind::DeviceBatteryLow, "battery_low"),
        (5, Kind::DeviceTest, "test"),
    ];
    let is_told = |(of, ..): &&(i64, Kind, &str)| state == 0 || *of == state;
    let conditions = CONDITIONS.iter().filter(is_told);
    let condition = |&(_, kind, property): &(i64, Kind, &str)| {
        let class = DeviceClass::FireSensor;
        Draft::condition(passed.address, class, kind, property, state != 0).at(passed.at.clone())
    };
    conditions.map(condition).collect()
}
