//! Hikvision ISAPI event notifications: plate readers, door controllers and the smart events of cameras and recorders.
//!
//! A device posts an `EventNotificationAlert` to the host it was given (or sends it down its `alertStream`) as XML in one of three
//! namespaces or none, as JSON, or as a multipart body of such a document and JPEG pictures, whose part names differ from model to
//! model. `eventType` says what it is. Layout: ISAPI 2.0 "Event notification", samples of maciej-or/hikvision_next; the codes of door
//! controllers are those of `NET_DVR_ACS_ALARM_INFO` in the SDK header.

mod access;
mod access_codes;
mod anpr;
mod body;
mod smart;

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, sia_dc09, text};

/// The format.
pub struct Hikvision;

/// States of an event that is over.
const OVER: [&str; 3] = ["inactive", "restore", "normal"];
/// The first digit of a Contact ID code that tells of a beginning.
const BEGINS: i64 = 1;
/// That of its end.
const ENDS: i64 = 3;

impl Format for Hikvision {
    fn name(&self) -> &'static str {
        "hikvision"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.protocol().is_empty() && body::looks_like_ours(message) {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        let body = body::read(message)?;
        let mut reading = Reading {
            unread: body.unread,
            ..Reading::default()
        };
        for document in &body.documents {
            let Some(alert) = Alert::of(document, message, &body.media) else {
                continue;
            };
            if let Some(event) = alert.find("AccessControllerEvent") {
                reading.drafts.extend(access::read(&alert, event));
            } else if let Some(direction) = access::attendance(&alert.kind) {
                reading.drafts.push(access::clocked(&alert, direction));
            } else if let Some(anpr) = alert.plate() {
                reading.drafts.push(anpr::read(&alert, anpr));
            } else if let Some(event) = alert.find("CIDEvent") {
                match panel(&alert, event) {
                    Some(draft) => reading.drafts.push(draft),
                    None => reading.extend(unknown(&alert)),
                }
            } else if matches!(alert.kind.as_str(), "zoneevent" | "cidevent") && !alert.is_over() {
                reading.extend(unknown(&alert));
            } else {
                let smart = {
                    let known = Known {
                        before: recall,
                        since: &reading.learn,
                    };
                    smart::read(&alert, &known)
                };
                reading.drafts.extend(smart.drafts);
                for (key, value) in smart.learn {
                    reading.learn.retain(|(known, _)| *known != key);
                    reading.learn.push((key, value));
                }
            }
            reading = reading.spoken_by(alert.device);
        }
        Ok(reading)
    }
}

/// What was learnt before this message, and by earlier documents of it.
struct Known<'a> {
    before: &'a dyn Recall,
    since: &'a [(String, Option<String>)],
}

impl Recall for Known<'_> {
    fn recall(&self, key: &str) -> Option<&str> {
        let since = self.since.iter().find(|(known, _)| known == key);
        since.map_or_else(|| self.before.recall(key), |(_, value)| value.as_deref())
    }
}

/// An event of an alarm panel that might be an alarm, in no words that are known.
fn unknown(alert: &Alert<'_>) -> Reading {
    let detail = format!(
        "a `{}` of an alarm panel without a known code of Contact ID",
        text::clip(&alert.kind, 40)
    );
    Reading {
        unread: Some(Reject::new("unknown_code", detail)),
        ..Reading::default()
    }
}

/// The panel's own number of a burglary, and that of Contact ID, beside which it stands in captures
/// (`Supergiovane/node-red-contrib-hikvision-ultimate`).
const OWN_BURGLARY: i64 = 103;
const BURGLARY: i64 = 130;

/// What an alarm panel tells, as Contact ID.
fn panel(alert: &Alert<'_>, event: &Value) -> Option<Draft> {
    let number = |name: &str| event.get(name).and_then(text::integer);
    // the panel's own numbers are mostly those of the standard
    let own = || {
        number("code").map(|code| match code % 1000 {
            OWN_BURGLARY => code - OWN_BURGLARY + BURGLARY,
            _ => code,
        })
    };
    let code = number("standardCIDcode").or_else(own)?;
    let (kind, phase, what) = match sia_dc09::of_contact_id(code)? {
        // the code of the beginning, told again with the state of the end
        (_, Phase::Raised, _) if alert.is_over() && code / 1000 == BEGINS => {
            sia_dc09::of_contact_id(ENDS * 1000 + code % 1000)?
        }
        told => told,
    };
    let zone = number("zone");
    let name = event.get("name").and_then(text::word);
    let draft = alert
        .draft(DeviceClass::Panel, kind, phase)
        .attr("label", what)
        .attr("code", code % 1000)
        .attr("zone", zone)
        .attr("description", name.map(|name| text::clip(&name, 64)));
    Some(match zone {
        Some(zone) => draft.component(format!("zone-{zone}")),
        None => draft,
    })
}

/// One notification and what every kind of it has.
struct Alert<'a> {
    root: &'a Value,
    /// Its `eventType` in lower case.
    kind: String,
    /// It tells what was recorded of such an event, and not the event.
    is_recording: bool,
    /// The device in its own words: its address, else its hardware address, else its serial number.
    device: String,
    channel: Option<i64>,
    at: Option<DeviceTime>,
    /// Sent again after the line was down.
    is_late: bool,
    received_at: domain::Timestamp,
    media: &'a [Value],
}

impl<'a> Alert<'a> {
    fn of(document: &'a Value, message: &Message<'_>, media: &'a [Value]) -> Option<Self> {
        let root = text::at(document, "EventNotificationAlert").unwrap_or(document);
        let told = |path: &str| text::at(root, path).and_then(text::word);
        let is_recording =
            told("eventType").is_some_and(|kind| kind.eq_ignore_ascii_case("duration"));
        let kind = told("eventType")
            // the end of a smart event's recording tells of the event that it belongs to
            .filter(|_| !is_recording)
            // the events of traffic share one type
            .map(|kind| match told("AID.illegalTrafficEvent") {
                Some(event) if kind.eq_ignore_ascii_case("AID") => format!("aid:{event}"),
                _ => kind,
            })
            .or_else(|| {
                let list = text::at(root, "DurationList.Duration")?;
                let first = list
                    .as_array()
                    .and_then(|list| list.first())
                    .unwrap_or(list);
                first.get("relationEvent").and_then(text::word)
            })
            .or_else(|| {
                root.get("AccessControllerEvent")
                    .map(|_| "AccessControllerEvent".to_owned())
            })?
            .to_ascii_lowercase();
        let device = told("ipAddress")
            .filter(|ip| ip != "0.0.0.0")
            .or_else(|| told("macAddress"))
            .or_else(|| told("ANPR.ipAddress"))
            .or_else(|| told("ANPR.macAddress"))
            .or_else(|| told("Extensions.serialNumber"))
            .or_else(|| told("deviceSerial"))
            .or_else(|| told("deviceID"))
            .or_else(|| told("AccessControllerEvent.deviceName"))
            .unwrap_or_default();
        let channel = ["channelID", "dynChannelID"]
            .iter()
            .find_map(|name| text::integer(root.get(*name)?));
        let times = [
            "dateTime",
            "triggerTime",
            "AccessControllerEvent.time",
            "AccessControllerEvent.dateTime",
            "ANPR.dateTime",
        ];
        let at = times
            .iter()
            .find_map(|path| DeviceTime::text(&whole_offset(told(path)?), message.zone));
        let is_late = root
            .get("isDataRetransmission")
            .and_then(text::boolean)
            .unwrap_or_default();
        Some(Self {
            root,
            kind,
            is_recording,
            device,
            channel,
            at,
            is_late,
            received_at: message.received_at,
            media,
        })
    }

    /// What was read of a car: `ANPR`, or the notification itself where it holds no more than the plate.
    fn plate(&self) -> Option<&'a Value> {
        self.find("ANPR").or_else(|| {
            let is_flat = self.kind == "anpr" && self.find("licensePlate").is_some();
            is_flat.then_some(self.root)
        })
    }

    fn find(&self, path: &str) -> Option<&'a Value> {
        text::at(self.root, path)
    }

    fn word(&self, path: &str) -> Option<String> {
        self.find(path).and_then(text::word)
    }

    /// Whether its state says that it is over.
    fn is_over(&self) -> bool {
        let state = self.word("eventState").unwrap_or_default();
        OVER.iter()
            .any(|over| state.trim().eq_ignore_ascii_case(over))
    }

    /// A draft with what every notification has.
    fn draft(&self, class: DeviceClass, kind: Kind, phase: Phase) -> Draft {
        self.dress(Draft::new(self.device.clone(), class, kind, phase))
    }

    /// The same for a condition.
    fn condition(&self, class: DeviceClass, kind: Kind, property: &str, is_there: bool) -> Draft {
        let draft = Draft::condition(self.device.clone(), class, kind, property, is_there);
        self.dress(draft)
    }

    fn dress(&self, draft: Draft) -> Draft {
        draft
            .at(self.at.clone())
            .attr("channel", self.channel)
            .attr(
                "channel_name",
                self.word("channelName").map(|name| text::clip(&name, 64)),
            )
            .attr("late", self.is_late.then_some(true))
            .attr("media", self.media.to_vec())
    }
}

/// Older cameras write the offset of their zone without the leading zero: `-8:00`.
fn whole_offset(time: String) -> String {
    let at = time.len().checked_sub(5);
    match at.and_then(|at| time.split_at_checked(at)) {
        Some((clock, offset))
            if clock.len() == 19
                && offset.starts_with(['+', '-'])
                && offset.get(2..3) == Some(":") =>
        {
            format!("{clock}{}0{}", &offset[..1], &offset[1..])
        }
        _ => time,
    }
}
