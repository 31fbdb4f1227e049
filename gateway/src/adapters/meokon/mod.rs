//! MEOKON (铭控) 4G and NB-IoT terminals for pressure, level and temperature: `A5 5A … 55 AA`, as hexadecimal digits on `GIOT-GW/UL/<serial>`.
//!
//! Layout from "智能无线终端通讯协议 V3.0" (ActorLancer/GB-T-26875.3.2011-rs, dev-documentation). Only the newest value is told; a frame carries
//! up to 600 older ones. An alarm in a frame of the right length whose checksum is wrong is told as `degraded`, its end is not. In a fire main, pressure out of range is what the fire standards call supervisory.
//!
//! ```text
//! A5 5A | 00 | length 2 | serial 12 | battery 1 | signal 1 | interval 2 | records 2 | type 1 | alarms 1
//!   | limits 4 | value 2 | time 4 | records × value | CRC-16/MODBUS 2 | 55 AA        high byte first
//! ```

use domain::{DeviceClass, Kind, Phase};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// Bytes up to and with the alarms.
const HEAD: usize = 25;

/// MEOKON terminals.
pub struct Meokon;

impl Format for Meokon {
    fn name(&self) -> &'static str {
        "meokon"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.topic().starts_with("GIOT-GW/UL/") {
            Claim::Address
        } else if frame_of(message.payload).is_some() {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        match frame_of(message.payload) {
            Some(frame) => Ok(read_frame(&frame, None)?.into()),
            // LoRa gateways of another maker use the same topic, with JSON
            None if message.json().is_ok() => Ok(Reading::default()),
            None => Err(Reject::new("bad_frame", "no frame from A55A to 55AA")),
        }
    }
}

/// The frame in a payload, whether it holds bytes or hexadecimal digits.
pub fn frame_of(payload: &[u8]) -> Option<Vec<u8>> {
    let is_one = |bytes: &[u8]| {
        bytes.len() > HEAD + 4 && bytes.starts_with(&[0xa5, 0x5a]) && bytes.ends_with(&[0x55, 0xaa])
    };
    if is_one(payload) {
        return Some(payload.to_vec());
    }
    let words = std::str::from_utf8(payload)
        .ok()?
        .trim_matches(['"', ' ', '\n', '\r']);
    let begins = words.get(..2)?.eq_ignore_ascii_case("a5") && words.len() < 8192;
    let digits: String = begins.then(|| words.chars().filter(|c| !c.is_whitespace()).collect())?;
    hex::decode(digits).ok().filter(|bytes| is_one(bytes))
}

/// Reads a frame; `address` stands for the serial number where a platform knows the device by another name.
///
/// # Errors
/// `bad_frame`, `bad_checksum`.
pub fn read_frame(frame: &[u8], address: Option<&str>) -> Result<Vec<Draft>, Reject> {
    let short = || Reject::new("bad_frame", format!("a frame of {} bytes", frame.len()));
    let body = frame.len().checked_sub(4).map(|end| frame.split_at(end));
    let (body, Some([low, high])) = body.map(|(b, tail)| (b, tail.get(..2))).ok_or_else(short)?
    else {
        return Err(short());
    };
    let crc = crc16(body);
    // the documents' own examples write the two bytes in either order
    let is_whole =
        crc == u16::from_le_bytes([*low, *high]) || crc == u16::from_be_bytes([*low, *high]);
    let damaged = || {
        let detail = format!("checksum {low:02x}{high:02x}, computed {crc:04x}");
        Reject::new("bad_checksum", detail)
    };
    let (Some(head), Some(values)) = (body.first_chunk::<HEAD>(), body.get(HEAD..)) else {
        return Err(short());
    };
    let serial = String::from_utf8_lossy(&head[5..17]);
    let serial = text::clip(serial.trim_matches(['\0', ' ']), 32);
    let teller = Teller {
        address: address.unwrap_or(&serial),
        serial: &serial,
        at: values
            .get(6..10)
            .and_then(|bytes| bytes.first_chunk())
            .and_then(|bytes| DeviceTime::epoch_s(f64::from(u32::from_be_bytes(*bytes)))),
        level: values
            .get(4..6)
            .and_then(|bytes| bytes.first_chunk())
            .copied()
            .map(i16::from_be_bytes),
        unit: unit(head[23]),
        kind: head[23],
    };
    let drafts = teller.drafts(head[17], head[24]);
    if is_whole {
        return Ok(drafts);
    }
    let is_long_enough = usize::from(u16::from_be_bytes([head[3], head[4]])) == frame.len();
    let raised = drafts
        .into_iter()
        .filter(|draft| draft.phase == Phase::Raised);
    let raised: Vec<Draft> = raised
        .map(|draft| draft.attr("quality", "degraded"))
        .collect();
    if is_long_enough && !raised.is_empty() {
        return Ok(raised);
    }
    Err(damaged())
}

struct Teller<'a> {
    address: &'a str,
    serial: &'a str,
    at: Option<DeviceTime>,
    level: Option<i16>,
    unit: Option<(f64, &'static str)>,
    kind: u8,
}

impl Teller<'_> {
    fn drafts(&self, power: u8, alarms: u8) -> Vec<Draft> {
        let bit = |n: u8| alarms & (1 << n) != 0;
        let condition = |kind, property, is| {
            self.dress(Draft::condition(
                self.address,
                DeviceClass::FireSensor,
                kind,
                property,
                is,
            ))
        };
        let mut drafts = vec![
            condition(Kind::FireSupervisory, "low", bit(0)).attr("alarm", "low"),
            condition(Kind::FireSupervisory, "high", bit(1)).attr("alarm", "high"),
            condition(Kind::DeviceBatteryLow, "battery_low", bit(2)),
            condition(Kind::DeviceFault, "sensor", bit(3)).attr("fault", "sensor"),
            condition(Kind::DeviceFault, "hardware", bit(4)).attr("fault", "hardware"),
        ];
        drafts.extend((5..8).map(|n| {
            let (kind, alarm) = upper(self.kind, n);
            condition(kind, alarm, bit(n)).attr("alarm", alarm)
        }));
        if self.level.is_some() {
            let reading = Draft::new(
                self.address,
                DeviceClass::FireSensor,
                Kind::DeviceTelemetry,
                Phase::Instant,
            );
            let is_battery = power & 0x80 == 0;
            let percent = is_battery.then(|| u32::from(power & 0x1f) * 5);
            drafts.push(self.dress(reading).attr("battery_percent", percent));
        }
        drafts
    }

    fn dress(&self, draft: Draft) -> Draft {
        let draft = draft.at(self.at.clone()).attr("serial", self.serial);
        match (self.level, self.unit) {
            (Some(level), Some((factor, unit))) => {
                let level = (f64::from(level) * factor * 1000.0).round() / 1000.0;
                draft.attr("level", level).attr("unit", unit)
            }
            (Some(level), None) => draft.attr("level", level),
            _ => draft,
        }
    }
}

/// What the upper alarm bits say: of a hydrant (24 with a sense of tilt, 34) that it is used or struck, else of the other sensors.
fn upper(kind: u8, bit: u8) -> (Kind, &'static str) {
    match (kind, bit) {
        (24 | 34, 7) => (Kind::FireSupervisory, "discharge"),
        (24, 6) => (Kind::DeviceTamper, "tilt"),
        (24, 5) => (Kind::DeviceTamper, "impact"),
        (_, 5) => (Kind::FireSupervisory, "second_low"),
        (_, 6) => (Kind::FireSupervisory, "second_high"),
        _ => (Kind::FireSupervisory, "third"),
    }
}

/// Factor and unit of a type.
fn unit(kind: u8) -> Option<(f64, &'static str)> {
    Some(match kind {
        0 => (0.1, "kPa"),
        1 => (0.001, "MPa"),
        2 => (0.01, "bar"),
        _ => return None,
    })
}

/// CRC-16/MODBUS.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            let low = crc & 1;
            (crc >> 1) ^ (0xa001 * low)
        })
    })
}
