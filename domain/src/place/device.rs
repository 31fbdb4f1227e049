//! What stands there: devices.

use serde::{Deserialize, Serialize};

use crate::{DeviceClass, DeviceId, SiteId, ZoneId};

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
    /// Position on the site plan in site-local metres.
    pub x_m: f64,
    /// See `x_m`.
    pub y_m: f64,
}
