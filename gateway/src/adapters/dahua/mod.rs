//! Dahua cameras, recorders, plate readers, door controllers and intercoms (VTO), and what is built on them (Amcrest, Lorex).
//!
//! One event is `{Code, Action, Index, Data}`. It comes as JSON (`client.notifyEventStream` of DHIP, HTTP push as `{Events: […]}`), as the
//! text of `eventManager.cgi` (`Code=…;action=Start;index=0;data={…}` between `--myboundary` lines), or from `DahuaVTO2MQTT` under
//! `<prefix>/<Code>/Event`. Layout: rroller/dahua, elad-bar/DahuaVTO2MQTT MQTTEvents.MD, Dahua HTTP API. `Start` and `Stop` are sent once
//! each, so they are told as they come: a `Stop` that was missed must not silence the next `Start`.

mod access;
mod codes;
mod mend;
mod traffic;
mod wire;

use domain::{DeviceClass, Kind, Phase};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// Characters of a time to the second, `2026-11-24 20:00:00`.
const SECONDS_CHARS: usize = 19;

/// The format.
pub struct Dahua;

impl Format for Dahua {
    fn name(&self) -> &'static str {
        "dahua"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.protocol().is_empty() && wire::looks_like_ours(message) {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject> {
        if let Some(device) = wire::heartbeat(message) {
            return Ok(Reading::default().spoken_by(device));
        }
        let events = wire::events(message)?;
        let mut reading = Reading::default();
        for event in events {
            if access::hides_outcome(&event) {
                let detail = "somebody was let in or not, and the event does not say which";
                let unread = || Reject::new("bad_event", detail);
                reading.unread.get_or_insert_with(unread);
            }
            for mut draft in read(&event, message.zone) {
                let learn = codes::settle(&event, &mut draft, recall);
                reading.learn.extend(learn);
                reading.drafts.push(draft);
            }
            reading = reading.spoken_by(event.device);
        }
        Ok(reading)
    }
}

/// What an event's action says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Start,
    Stop,
    /// A fact without duration.
    Pulse,
}

/// One event, whatever it came in.
struct Event {
    code: String,
    action: Action,
    index: Option<i64>,
    data: Map<String, Value>,
    device: String,
    /// Not all of it could be read.
    is_degraded: bool,
}

impl Event {
    fn at(&self, path: &str) -> Option<&Value> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let value = self.data.get(first).filter(|value| !value.is_null())?;
        if rest.is_empty() {
            return Some(value);
        }
        text::at(value, rest)
    }

    fn word(&self, path: &str) -> Option<String> {
        self.at(path)
            .and_then(text::word)
            .filter(|word| word.len() <= 256)
    }

    fn integer(&self, path: &str) -> Option<i64> {
        self.at(path).and_then(text::integer)
    }

    /// `RealUTC` where there is one. `UTC` is true on most devices and the wall clock on some: it is the latter where it reads as
    /// `LocaleTime` does.
    fn time(&self, zone: &TimeZone) -> Option<DeviceTime> {
        let seconds = |path: &str| {
            self.at(path)
                .and_then(text::number)
                .filter(|seconds| *seconds > 0.0)
        };
        if let Some(time) = seconds("RealUTC").and_then(DeviceTime::epoch_any) {
            return Some(time);
        }
        let locale = self.word("LocaleTime");
        let by_locale = || DeviceTime::text(locale.as_deref()?, zone);
        let Some(utc) = seconds("UTC") else {
            return by_locale()
                .or_else(|| DeviceTime::text(&self.word("UTC")?, zone))
                .or_else(|| self.time_of_picture(zone));
        };
        let millis = seconds("UTCMS")
            .filter(|ms| *ms < 1000.0)
            .unwrap_or_default();
        let as_wall = locale
            .as_deref()
            .and_then(|locale| DeviceTime::text(locale, &TimeZone::UTC));
        if as_wall.is_some_and(|wall| wall.at.as_second().abs_diff(utc as i64) <= 1)
            && let Some(time) = by_locale()
        {
            return Some(time);
        }
        DeviceTime::epoch_any(utc).and_then(|time| {
            if millis == 0.0 || utc >= 1e11 {
                Some(time)
            } else {
                DeviceTime::epoch_s(utc + millis / 1000.0)
            }
        })
    }

    /// When the picture of an ITSAPI push was taken: `AccurateTime` is `2026-11-24 20:00:00:123`.
    fn time_of_picture(&self, zone: &TimeZone) -> Option<DeviceTime> {
        ["AccurateTime", "SnapTime"].iter().find_map(|name| {
            let told = self.snap(name).and_then(text::word)?;
            let told = match told.split_at_checked(SECONDS_CHARS) {
                Some((seconds, rest)) if rest.starts_with(':') => {
                    format!("{seconds}.{}", &rest[1..])
                }
                _ => told,
            };
            DeviceTime::text(&told, zone)
        })
    }

    /// A member of the `SnapInfo` of an ITSAPI push, which stands beside the picture or in it.
    fn snap(&self, name: &str) -> Option<&Value> {
        self.at(&format!("SnapInfo.{name}"))
            .or_else(|| self.at(&format!("Picture.SnapInfo.{name}")))
    }

    fn draft(&self, class: DeviceClass, kind: Kind, phase: Phase, zone: &TimeZone) -> Draft {
        Draft::new(self.device.clone(), class, kind, phase)
            .at(self.time(zone))
            .attr("quality", self.is_degraded.then_some("degraded"))
    }
}

fn read(event: &Event, zone: &TimeZone) -> Vec<Draft> {
    traffic::read(event, zone)
        .or_else(|| access::read(event, zone))
        .unwrap_or_else(|| codes::read(event, zone).into_iter().collect())
}
