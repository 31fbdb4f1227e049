//! `CTWing` (AEP), the platform of China Telecom, as it pushes what its devices say to a web hook: smoke detectors over NB-IoT with decoded
//! properties, and transmission devices whose bytes come as base64 in `APPdata`. It knows whoever it pushes to by the address alone.
//!
//! A device whose name begins with `uit` is a transmission device; all others are detectors.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use domain::Timestamp;
use serde_json::{Value, json};

use super::{Happening, Unknown, Vendor};
use crate::wire::Said;

/// Words of the detector's `Alarm_Status` (利安): normal, smoke.
const NORMAL: i32 = 7;
const SMOKE: i32 = 1;

/// The platform.
#[derive(Debug)]
pub struct Ctwing {
    path: String,
    /// What each detector stands at.
    detectors: BTreeMap<String, i32>,
    number: u64,
}

impl Ctwing {
    /// A platform that pushes to this path, and its devices.
    pub fn new(path: &str, devices: &[String]) -> Self {
        let detectors = devices.iter().filter(|name| !is_uit(name));
        Self {
            path: path.to_owned(),
            detectors: detectors.map(|name| (name.clone(), NORMAL)).collect(),
            number: 0,
        }
    }

    fn envelope(&mut self, device: &str, kind: &str, more: Value, now: Timestamp) -> Said {
        self.number += 1;
        let mut envelope = json!({"upPacketSN": self.number, "upDataSN": -1, "topic": "v1/up/ad19", "timestamp": now.as_millisecond(),
            "tenantId": "20004411", "serviceId": "", "protocol": "lwm2m", "productId": "17009911", "messageType": kind, "deviceType": "",
            "deviceId": device, "assocAssetId": "", "IMSI": "undefined", "IMEI": "860000000000017"});
        if let (Some(envelope), Value::Object(more)) = (envelope.as_object_mut(), more) {
            envelope.extend(more);
        }
        Said::json(self.path.clone(), &envelope)
    }

    fn detector(&mut self, device: &str, now: Timestamp) -> Said {
        let status = self.detectors.get(device).copied().unwrap_or(NORMAL);
        let data = json!({"TData": 24, "SNR": 9, "RSRP": 98, "IMEI": "860000000000017", "CSQ": 17, "Battery_Level": 95,
            "Alarm_Status": status, "AlarmLevel": if status == SMOKE { 80 } else { 2 }});
        let payload = json!({"payload": {"serviceId": "notification", "serviceData": data}});
        self.envelope(device, "dataReport", payload, now)
    }

    /// The state word of one component, as GB/T 26875.3 has it, in JSON and base64 as such devices send it.
    fn uit(&mut self, device: &str, word: u16, now: Timestamp) -> Said {
        let component = format!("{:0>14}01001", device.trim_start_matches("uit-"));
        let ms = now.as_millisecond();
        let inner =
            json!({"b": [{"id": component, "v": word.to_string()}], "c": 27, "id": ms, "tm": ms})
                .to_string();
        // some firmware leaves the padding out
        let coded = if self.number.is_multiple_of(2) {
            STANDARD.encode(inner)
        } else {
            STANDARD_NO_PAD.encode(inner)
        };
        self.envelope(
            device,
            "dataReport",
            json!({"protocol": "tcp", "payload": {"APPdata": coded}}),
            now,
        )
    }
}

fn is_uit(name: &str) -> bool {
    name.starts_with("uit")
}

impl Vendor for Ctwing {
    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        let names: Vec<String> = self.detectors.keys().cloned().collect();
        names.iter().map(|name| self.detector(name, now)).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &["smoke", "clear", "offline", "online"]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        let device = happening.device.as_str();
        let is_smoke = happening.what == "smoke";
        let said = match happening.what.as_str() {
            "smoke" | "clear" if is_uit(device) => {
                self.uit(device, if is_smoke { 2 } else { 1 }, now)
            }
            "smoke" | "clear" => {
                let status = if is_smoke { SMOKE } else { NORMAL };
                self.detectors.insert(device.to_owned(), status);
                self.detector(device, now)
            }
            "offline" | "online" => {
                let event = i32::from(happening.what == "online");
                self.envelope(
                    device,
                    "deviceOnlineOfflineReport",
                    json!({ "eventType": event }),
                    now,
                )
            }
            _ => return Err(Unknown(self.words())),
        };
        Ok(vec![said])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_tells_its_state_and_a_transmission_device_bytes() {
        let at: Timestamp = "2026-11-27T08:00:00Z".parse().expect("a time");
        let mut platform = Ctwing::new("/", &["9f00".to_owned(), "uit-7".to_owned()]);
        let mut happen = |text: &str| {
            let said = platform
                .happen(&text.parse().expect("reads"), at)
                .expect("known");
            serde_json::from_slice::<Value>(&said[0].payload).expect("JSON")
        };
        let smoke = happen("smoke at 1s in 9f00");
        assert_eq!(smoke["payload"]["serviceData"]["Alarm_Status"], 1);
        assert_eq!(smoke["timestamp"], at.as_millisecond());
        let fire = happen("smoke at 1s in uit-7");
        let data = fire["payload"]["APPdata"].as_str().expect("text");
        let inner = STANDARD_NO_PAD
            .decode(data.trim_end_matches('='))
            .expect("base64");
        let inner: Value = serde_json::from_slice(&inner).expect("JSON");
        assert_eq!(
            inner["b"][0],
            json!({"id": "0000000000000701001", "v": "2"})
        );
        assert_eq!(
            platform.again(at).len(),
            1,
            "a state that stands is told again"
        );
    }
}
