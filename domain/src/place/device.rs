//! What stands there: devices.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DeviceClass, DeviceId, SiteId, ZoneId};

/// What a fire sensor looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensor {
    /// Smoke.
    Smoke,
    /// Heat.
    Heat,
    /// Combustible gas.
    Gas,
    /// Carbon monoxide.
    Co,
    /// Nothing: a person presses it. It covers no zone.
    ManualCall,
}

impl Sensor {
    /// The words of tables.
    pub const WORDS: [(&str, Self); 5] = [
        ("smoke", Self::Smoke),
        ("heat", Self::Heat),
        ("gas", Self::Gas),
        ("co", Self::Co),
        ("manual_call", Self::ManualCall),
    ];
}

impl fmt::Display for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, sensor)| sensor == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// A registered device: one line of a device file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its id, MQTT client id and user name.
    pub id: DeviceId,
    /// Its site.
    pub site: SiteId,
    /// The zone it stands in.
    pub zone: ZoneId,
    /// What it is.
    pub class: DeviceClass,
    /// Its name, such as `烟感-215`.
    pub name: String,
    /// Maker and model, free text.
    pub model: String,
    /// How often it speaks at least, in seconds; two missed heartbeats make it silent.
    pub heartbeat_s: u32,
    /// What it is called where a bridge or a foreign format speaks for it: `0x00158d0000000001`, a serial number, a camera's name; with the
    /// account of the bridge and a colon before it where two bridges use the same words. None for devices that speak for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Position on the site plan in site-local metres.
    pub x_m: f64,
    /// See `x_m`.
    pub y_m: f64,
    /// What a fire sensor looks for, where somebody has said so.
    #[serde(default)]
    pub sensor: Option<Sensor>,
}

impl Device {
    /// Whether it notices a fire by itself. A fire sensor of which nobody has said what it looks for is taken for one that does.
    pub fn detects_fire(&self) -> bool {
        self.class == DeviceClass::FireSensor && self.sensor != Some(Sensor::ManualCall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sensor_has_its_word() {
        for (word, sensor) in Sensor::WORDS {
            assert_eq!(sensor.to_string(), word);
            assert_eq!(serde_json::json!(sensor), word);
        }
    }
}
