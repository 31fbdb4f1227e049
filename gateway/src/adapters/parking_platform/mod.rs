//! Parking platforms in China that push over HTTP what their gates see: before a gate opens (车辆进出验证, the platform waits for the
//! answer) and after a car has passed (入场, 出场).
//!
//! There is no standard; the same few facts have a dozen spellings. So a message is ours where it names a car park, a plate, and a lane or
//! a time, at the top or in its `Data`, `body`, `bizContent` or first of `dataItems`. Layouts: it-wy.cn api-standard, note.szymzh.com
//! parkingB30, kancloud.cn tdznyun-api and mqtt, showdoc.com.cn npDataOpenApi.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// The format.
pub struct ParkingPlatform;

/// Spellings, in lower case without underscores.
const PARK: &[&str] = &[
    "parkid",
    "parkkey",
    "parkcode",
    "parkno",
    "parkuuid",
    "parkinglotid",
    "parkingid",
    "parklotid",
];
const PLATE: &[&str] = &[
    "plate",
    "platenum",
    "platenumber",
    "plateno",
    "licenseplatenumber",
    "licenseplate",
    "carnumber",
    "carno",
    "carplate",
    "licensenumber",
];
const LANE: &[&str] = &[
    "channelno",
    "channelid",
    "laneno",
    "laneid",
    "gateid",
    "gateno",
    "passagelaneno",
];
const LANE_IN: &[&str] = &[
    "inchannelid",
    "inchannelno",
    "inlane",
    "inlaneno",
    "entrancelaneno",
];
const LANE_OUT: &[&str] = &[
    "outchannelid",
    "outchannelno",
    "outlane",
    "outlaneno",
    "exitlaneno",
];
const LANE_NAME: &[&str] = &["channelname", "lanename", "gatename", "passagelanename"];
const NAME_IN: &[&str] = &["inlanename", "inchannelname", "entrance", "entrancename"];
const NAME_OUT: &[&str] = &[
    "outlanename",
    "outchannelname",
    "exit",
    "exitdesc",
    "exitname",
];
const TIME: &[&str] = &[
    "iotime",
    "passtime",
    "capturetime",
    "eventtime",
    "passagetime",
    "time",
];
const TIME_IN: &[&str] = &["intime", "entertime", "entrytime", "enterdate"];
const TIME_OUT: &[&str] = &["outtime", "leavetime", "exittime", "leavedate"];
const SERVICE: &[&str] = &[
    "servicename",
    "service",
    "serviceid",
    "route",
    "method",
    "action",
];
const RECORD: &[&str] = &[
    "recordno",
    "uniqueid",
    "orderno",
    "recordid",
    "parkingorderno",
];
/// Where the record may stand.
const HOLDERS: &[&str] = &[
    "data",
    "body",
    "bizcontent",
    "dataitem",
    "dataitems",
    "content",
    "params",
];

impl Format for ParkingPlatform {
    fn name(&self) -> &'static str {
        "parking-platform"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let Some(object) = message.object() else {
            return Claim::No;
        };
        let is_answer = object.contains_key("EnableOpen") && object.contains_key("Code");
        if is_answer || Record::of(object).is_some_and(|record| record.is_ours()) {
            return Claim::Shape;
        }
        Claim::No
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let value = message.json()?;
        let object = value
            .as_object()
            .ok_or_else(|| Reject::new("bad_shape", "a parking platform sends a JSON object"))?;
        let record = Record::of(object).filter(Record::is_ours);
        Ok(record
            .map(|record| record.draft(message))
            .into_iter()
            .collect::<Vec<_>>()
            .into())
    }
}

/// The envelope and the record in it.
struct Record<'a> {
    outer: &'a Map<String, Value>,
    inner: &'a Map<String, Value>,
}

/// A member by any of its spellings; empty text counts as absent.
fn find<'a>(map: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| {
        map.iter().take(200).find_map(|(key, value)| {
            let is_empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
            (!is_empty && is_spelling(key, name)).then_some(value)
        })
    })
}

fn is_spelling(key: &str, name: &str) -> bool {
    let mut plain = key
        .bytes()
        .filter(|byte| *byte != b'_' && *byte != b' ')
        .map(|byte| byte.to_ascii_lowercase());
    name.bytes().all(|byte| plain.next() == Some(byte)) && plain.next().is_none()
}

impl<'a> Record<'a> {
    fn of(outer: &'a Map<String, Value>) -> Option<Self> {
        let has_plate = |map: &Map<String, Value>| find(map, PLATE).is_some_and(Value::is_string);
        if has_plate(outer) {
            let inner = outer;
            return Some(Self { outer, inner });
        }
        let inner = HOLDERS.iter().find_map(|name| {
            let holder = match find(outer, &[*name])? {
                Value::Array(list) => list.first()?,
                holder => holder,
            };
            holder.as_object().filter(|map| has_plate(map))
        })?;
        Some(Self { outer, inner })
    }

    fn get(&self, names: &[&str]) -> Option<&'a Value> {
        find(self.inner, names).or_else(|| find(self.outer, names))
    }

    fn word(&self, names: &[&str]) -> Option<String> {
        self.get(names).and_then(text::word)
    }

    fn has(&self, names: &[&str]) -> bool {
        find(self.inner, names).is_some()
    }

    fn is_ours(&self) -> bool {
        let where_or_when = [
            LANE, LANE_IN, LANE_OUT, LANE_NAME, NAME_IN, NAME_OUT, TIME, TIME_IN, TIME_OUT,
        ];
        self.word(PARK).is_some() && where_or_when.iter().any(|names| self.has(names))
    }

    /// Which way, and whether the car has passed or still waits at the gate.
    fn way(&self, message: &Message<'_>) -> (Option<&'static str>, bool) {
        let told = self
            .word(SERVICE)
            .unwrap_or_else(|| {
                message
                    .path()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| told.contains(word));
        let status = self.get(&["iostatus", "carstatus"]).and_then(text::integer);
        let is_in = self.get(&["isin", "inouttype"]).and_then(text::boolean);
        let way = match is_in {
            Some(true) => Some("in"),
            Some(false) => Some("out"),
            None if says(&["leave", "exit", "parkout", "outpark", "carout"]) => Some("out"),
            None if says(&["enter", "entry", "parkin", "inpark", "carin"]) => Some("in"),
            None if status == Some(1) || self.has(TIME_OUT) => Some("out"),
            None if self.has(TIME_IN) => Some("in"),
            None => None,
        };
        let is_before = says(&["pre", "check", "verify", "query"]) || self.has(&["isin", "iotime"]);
        let has_time = [TIME_IN, TIME_OUT, &["passagetime"]];
        let has_passed = !is_before && has_time.iter().any(|names| self.has(names));
        (way, has_passed)
    }

    fn draft(&self, message: &Message<'_>) -> Draft {
        let (way, has_passed) = self.way(message);
        let (lanes, names, times) = match way {
            Some("out") => (LANE_OUT, NAME_OUT, TIME_OUT),
            _ => (LANE_IN, NAME_IN, TIME_IN),
        };
        let short = |word: String| text::clip(&word, 64);
        // 0 is no lane
        let lane = self
            .word(lanes)
            .or_else(|| self.word(LANE))
            .filter(|lane| lane != "0")
            .map(short);
        let name = self.word(names).or_else(|| self.word(LANE_NAME)).map(short);
        let park = self.word(PARK).map(short);
        let at = self
            .get(times)
            .or_else(|| self.get(TIME))
            .and_then(|told| match told {
                Value::String(told) => DeviceTime::text(told, message.zone)
                    .or_else(|| DeviceTime::epoch_any(told.parse().ok()?)),
                told => DeviceTime::epoch_any(text::number(told)?),
            });
        let kind = if has_passed {
            Kind::VehiclePassage
        } else {
            Kind::VehiclePlateRead
        };
        let device = lane
            .clone()
            .or_else(|| name.clone())
            .or_else(|| park.clone())
            .unwrap_or_default();
        let draft = Draft::new(device, DeviceClass::Barrier, kind, Phase::Instant)
            .at(at)
            .plate(&self.word(PLATE).unwrap_or_default())
            .attr("direction", way.unwrap_or("unknown"))
            .attr("lane", lane)
            .attr("channel_name", name)
            .attr("park", park);
        match self.word(RECORD) {
            Some(record) => draft.id(format!("{}:{}", short(record), way.unwrap_or_default())),
            None => draft,
        }
    }
}
