//! `ZKTeco` terminals and door controllers that push to `/iclock/…` (ADMS): Security PUSH of door controllers, the older attendance PUSH.
//!
//! `POST /iclock/cdata?SN=…&table=…` carries rows of `key=value` or bare columns between tabs. `rtlog` is what happened, `rtstate` how
//! doors stand, `ATTLOG` and `OPERLOG` are the tables of attendance terminals, `tabledata` holds users and faces, and offline events in
//! its table `transaction`. All else (`getrequest`, `registry`, `ping`, `devicecmd`) is housekeeping. Times are wall clocks without a
//! zone. Layout: "Security PUSH Communication Protocol" 3.1.2, "Attendance PUSH" 2.4, "PULL SDK" (event table); captures of `SpeedFace`.

mod codes;
mod state;

use std::collections::BTreeMap;

use domain::{DeviceClass, Kind, Phase};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::clock::DeviceTime;
use super::draft::{Draft, Reading, Told};
use super::format::{Claim, Format, Recall, Reply};
use super::memory::property_key;
use super::message::Message;
use super::{Reject, text};
use codes::Meaning;
use state::{Alarm, Of};

/// The format.
pub struct Zkteco;

/// Most rows of one upload.
const ROWS_MAX: usize = 1000;

/// The door of what tells of no door: a terminal has one.
const ONLY_DOOR: &str = "door-1";
/// The cause in `OPLOG 3` of an alarm that was cancelled (Attendance PUSH, the causes of alarms).
const ALARM_CANCELLED: &str = "65535";

/// `key=value` between tabs, keys in lower case.
type Row<'a> = BTreeMap<String, &'a str>;

impl Format for Zkteco {
    fn name(&self) -> &'static str {
        "zkteco"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.path().contains("/iclock/") {
            return Claim::Address;
        }
        let head = message.payload.get(..message.payload.len().min(512));
        let head = String::from_utf8_lossy(head.unwrap_or_default());
        let is_row = head.trim_start().starts_with("time=") && head.contains('\t');
        if is_row && (head.contains("\teventaddr=") || head.contains("\tsensor=")) {
            return Claim::Shape;
        }
        Claim::No
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let path = message.path();
        let page = path.trim_end_matches('/').trim_end_matches(".aspx");
        let is_upload = !path.contains("/iclock/") || page.ends_with("/cdata");
        let query = |name: &str| message.query(name).unwrap_or_default();
        let panel = Panel {
            serial: text::clip(&query("SN"), 64),
            zone: message.zone,
        };
        // a terminal asks whether to let somebody in; what becomes of it is an event of its own
        let is_asked = !query("AuthType").is_empty();
        if !is_upload || is_asked || message.payload.is_empty() {
            return Ok(Reading::default().spoken_by(panel.serial));
        }
        let table = query("table").to_ascii_lowercase();
        let name = query("tablename").to_ascii_lowercase();
        let mut reading = match (table.as_str(), name.as_str()) {
            ("rtlog" | "transaction", _) | ("tabledata", "transaction") => {
                each(&rows(message)?, |row| panel.event(row))
            }
            ("rtstate", _) => each(&rows(message)?, |row| state::read(&panel, row).into()),
            ("attlog", _) => panel.attendance(&lines(message)?).into(),
            ("operlog", _) => panel.operations(&lines(message)?).into(),
            // the table is not told: the row tells it
            ("", _) => each(&rows(message)?, |row| {
                if row.contains_key("event") || row.contains_key("eventtype") {
                    panel.event(row)
                } else if row.contains_key("sensor") {
                    state::read(&panel, row).into()
                } else {
                    Reading::default()
                }
            }),
            _ => Reading::default(),
        };
        // of what one upload tells twice, the last counts
        let last: BTreeMap<_, _> = reading.learn.drain(..).collect();
        reading.learn.extend(last);
        Ok(reading.spoken_by(panel.serial))
    }

    /// Tables are counted; a terminal that begins is told what to send, and one that asks for commands hears that there are none.
    fn reply(&self, message: &Message<'_>) -> Reply {
        let query = |name: &str| message.query(name).unwrap_or_default();
        if query("table").eq_ignore_ascii_case("tabledata") {
            let table = text::clip(&query("tablename"), 32);
            let rows = message.text().map_or(0, |body| body.lines().count());
            return Reply::text(format!("{table}={rows}"));
        }
        if query("options").eq_ignore_ascii_case("all") {
            let serial = text::clip(&query("SN"), 64);
            return Reply::text(format!(
                "GET OPTION FROM: {serial}\r\nATTLOGStamp=None\r\nOPERLOGStamp=9999\r\nErrorDelay=30\r\nDelay=10\r\nTransInterval=1\r\nTransFlag=TransData AttLog OpLog\r\nRealtime=1\r\nEncrypt=None\r\n"
            ));
        }
        Reply::default()
    }
}

fn each(rows: &[Row<'_>], read: impl Fn(&Row<'_>) -> Reading) -> Reading {
    let mut reading = Reading::default();
    for row in rows {
        reading.extend(read(row));
    }
    reading
}

/// The lines of a body. What is no UTF-8 (a name) is replaced; the fields that are read are ASCII.
fn lines<'a>(message: &Message<'a>) -> Result<Vec<std::borrow::Cow<'a, str>>, Reject> {
    if message.payload.len() > text::TEXT_BYTES_MAX {
        let detail = format!(
            "{} bytes of rows, at most {} are read",
            message.payload.len(),
            text::TEXT_BYTES_MAX
        );
        return Err(Reject::new("too_long", detail));
    }
    let lines = message.payload.split(|byte| *byte == b'\n');
    Ok(lines
        .map(String::from_utf8_lossy)
        .filter(|line| !line.trim().is_empty())
        .take(ROWS_MAX)
        .collect())
}

/// Rows of `key=value`.
///
/// # Errors
/// `bad_row` where a body has none.
fn rows<'a>(message: &Message<'a>) -> Result<Vec<Row<'a>>, Reject> {
    let mut found = Vec::new();
    let is_long = message.payload.len() > text::TEXT_BYTES_MAX;
    for line in message.payload.split(|byte| *byte == b'\n').take(ROWS_MAX) {
        // a column that is no UTF-8 (a name) is of no interest
        let columns = line.split(|byte| *byte == b'\t').take(64);
        let mut row = Row::new();
        for column in columns.filter_map(|column| std::str::from_utf8(column).ok()) {
            if let Some((key, value)) = column.trim().split_once('=') {
                // `transaction cardno=…`: the table's name stands before the first column
                let key = key.rsplit(' ').next().unwrap_or(key);
                row.insert(key.to_ascii_lowercase(), value.trim());
            }
        }
        if !row.is_empty() {
            found.push(row);
        }
    }
    if found.is_empty() || is_long {
        let detail = "no row of `key=value` between tabs, or far too many";
        return Err(Reject::new("bad_row", detail));
    }
    Ok(found)
}

/// Who uploads, and by which wall clock.
struct Panel<'a> {
    serial: String,
    zone: &'a TimeZone,
}

impl Panel<'_> {
    fn time(&self, text: &str) -> Option<DeviceTime> {
        DeviceTime::text(text, self.zone)
    }

    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        Draft::new(self.serial.clone(), DeviceClass::Access, kind, phase)
    }

    /// A row of `rtlog`, or of `transaction`, which names its columns otherwise.
    fn event(&self, row: &Row<'_>) -> Reading {
        let word = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| row.get(*name).copied())
                .unwrap_or_default()
        };
        let number = |names: &[&str]| word(names).parse::<i64>().ok();
        let Some(code) = number(&["event", "eventtype"]) else {
            return Reading::default();
        };
        let Some(meaning) = codes::meaning(code) else {
            let detail = format!("`{code}` is no event of Security PUSH");
            let is_unknown = !codes::is_no_event(code);
            return Reading {
                unread: is_unknown.then(|| Reject::new("unknown_code", detail)),
                ..Reading::default()
            };
        };
        let card = word(&["cardno"]);
        let method = codes::method(
            number(&["verifytype", "verified"]),
            text::somebody(card).is_some(),
        );
        let direction = match number(&["inoutstatus", "inoutstate"]) {
            Some(0) => Some("in"),
            Some(1) => Some("out"),
            _ => None,
        };
        let point = number(&["eventaddr", "doorid"])
            .filter(|point| *point > 0 && !state::is_of_panel(meaning));
        let part = if meaning.is_input() { "input" } else { "door" };
        let component = point.map(|point| format!("{part}-{point}"));
        let at = row
            .get("time")
            .and_then(|time| self.time(time))
            .or_else(|| packed_time(word(&["time_second"]), self.zone));
        let seq = number(&["index"]).filter(|index| *index > 0);
        let dress = |draft: Draft| {
            let draft = draft
                .attr(part, point)
                .attr("person_ref", text::somebody(word(&["pin"])))
                .attr("direction", direction.filter(|_| meaning.is_passage()))
                .attr("seq", seq)
                .attr("code", code)
                .attr("mask", (word(&["maskflag"]) == "1").then_some("yes"))
                .credential(card);
            let draft = Draft {
                component: component.clone(),
                ..draft
            };
            // the index begins anew when the log is cleared, hence the time beside it
            let draft = match (seq, &at) {
                (Some(seq), Some(at)) => {
                    let key = format!("{}:{seq}:{}", self.serial, at.raw);
                    draft.id(key)
                }
                _ => draft,
            };
            draft.at(at.clone())
        };
        let drafts: Vec<Draft> = self
            .happened(meaning, method)
            .into_iter()
            .map(dress)
            .collect();
        let learn = self.stands(meaning, component.as_deref());
        Reading {
            learn,
            ..Reading::from(drafts)
        }
    }

    /// What a code tells.
    fn happened(&self, meaning: Meaning, method: Option<&str>) -> Vec<Draft> {
        let draft = match meaning {
            Meaning::Granted(known) => self
                .draft(Kind::AccessGranted, Phase::Instant)
                .attr("result", "granted")
                .attr("method", known.or(method)),
            Meaning::Denied(reason) => self
                .draft(Kind::AccessDenied, Phase::Instant)
                .attr("result", "denied")
                .attr("method", method)
                .attr("reason", reason),
            Meaning::Fact(kind) => self.draft(kind, Phase::Instant).attr("method", method),
            Meaning::Input(label) => self
                .draft(Kind::DeviceAlarmInput, Phase::Instant)
                .attr("label", label),
            Meaning::Alarm(property) => {
                let alarm = Alarm::of(property);
                let drafts = alarm.map(|alarm| Draft {
                    // it is told whatever is known
                    edge: None,
                    ..alarm.condition(&self.serial, true)
                });
                return drafts.into_iter().collect();
            }
            Meaning::Over(property) => {
                let alarm = Alarm::of(property);
                let drafts = alarm.map(|alarm| {
                    let over = alarm.condition(&self.serial, false);
                    match alarm.kind {
                        // a panel that connects says so whether it was lost or not
                        Kind::DeviceFault => over,
                        _ => over.told(Told::Change),
                    }
                });
                return drafts.into_iter().collect();
            }
            Meaning::Trouble(kind, what) => {
                let name = match kind {
                    Kind::DevicePower | Kind::DeviceBatteryLow => "supply",
                    _ => "fault",
                };
                self.draft(kind, Phase::Raised).attr(name, what)
            }
            Meaning::Cancelled => {
                let of_door = state::ALARMS.iter().filter(|alarm| alarm.of == Of::Door);
                return of_door
                    .map(|alarm| self.draft(alarm.kind, Phase::Cleared))
                    .collect();
            }
            Meaning::Door(value) => self
                .draft(Kind::AccessDoorState, Phase::Updated)
                .edge("contact", value)
                .attr("state", value),
            Meaning::Lock(value) => self
                .draft(Kind::AccessLockState, Phase::Updated)
                .edge("lock", value)
                .attr("state", value),
            Meaning::Begun => self
                .draft(Kind::DeviceOnline, Phase::Updated)
                .attr("reason", "power_up"),
        };
        vec![draft]
    }

    /// What `rtstate` and the codes that end an alarm will be compared with. The event itself is told whatever is known, since some panels
    /// tell no end.
    fn stands(&self, meaning: Meaning, component: Option<&str>) -> Vec<(String, Option<String>)> {
        let of = |alarm: &Alarm, is_there: bool| {
            let component = match alarm.of {
                Of::Door => component.or(Some(ONLY_DOOR)),
                Of::Part => component,
                Of::Panel => None,
            };
            let key = property_key(&self.serial, component, alarm.property);
            (key, Some(is_there.to_string()))
        };
        match meaning {
            Meaning::Alarm(property) => Alarm::of(property)
                .map(|alarm| of(alarm, true))
                .into_iter()
                .collect(),
            Meaning::Cancelled => state::ALARMS
                .iter()
                .filter(|alarm| alarm.of == Of::Door)
                .map(|alarm| of(alarm, false))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// `ATTLOG`: person, time, status, how they showed who they are.
    fn attendance(&self, lines: &[std::borrow::Cow<'_, str>]) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for line in lines {
            let columns: Vec<&str> = line.trim_end_matches('\r').split('\t').take(16).collect();
            let column = |at: usize| columns.get(at).map(|text| text.trim()).unwrap_or_default();
            let Some(at) = self.time(column(1)) else {
                continue;
            };
            let direction = match column(2) {
                "0" | "3" | "4" => Some("in"),
                "1" | "2" | "5" => Some("out"),
                _ => None,
            };
            let draft = self
                .draft(Kind::AccessGranted, Phase::Instant)
                .at(at)
                .attr("result", "granted")
                .attr("method", codes::method(column(3).parse().ok(), false))
                .attr("person_ref", text::somebody(column(0)))
                .attr("direction", direction);
            drafts.push(draft);
        }
        drafts
    }

    /// `OPERLOG`: what was done at the terminal. Of it only alarms are told (`OPLOG 3`), with what caused them.
    fn operations(&self, lines: &[std::borrow::Cow<'_, str>]) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for line in lines {
            let Some(rest) = line.trim().strip_prefix("OPLOG") else {
                continue;
            };
            let columns: Vec<&str> = rest.trim().split('\t').take(16).collect();
            let [code, _, time, cause, ..] = columns.as_slice() else {
                continue;
            };
            if code.trim() != "3" {
                continue;
            }
            let at = self.time(time);
            if cause.trim() == ALARM_CANCELLED {
                let kinds = [Kind::AccessForcedOpen, Kind::DeviceTamper];
                let over = kinds.map(|kind| self.draft(kind, Phase::Cleared).at(at.clone()));
                drafts.extend(over);
                continue;
            }
            let draft = match cause.trim() {
                "50" => self
                    .draft(Kind::AccessDoorState, Phase::Updated)
                    .edge("contact", "closed")
                    .attr("state", "closed"),
                "51" => self
                    .draft(Kind::AccessDoorState, Phase::Updated)
                    .edge("contact", "open")
                    .attr("state", "open"),
                "53" => self.draft(Kind::AccessRex, Phase::Instant),
                "54" => self.draft(Kind::AccessForcedOpen, Phase::Raised),
                "55" => self.draft(Kind::DeviceTamper, Phase::Raised),
                "58" => self
                    .draft(Kind::AccessDenied, Phase::Instant)
                    .attr("reason", "too_many_attempts"),
                _ => continue,
            };
            drafts.push(draft.at(at));
        }
        drafts
    }
}

/// Seconds since 2000 in months of 31 days, as the tables of the panels count them.
fn packed_time(text: &str, zone: &TimeZone) -> Option<DeviceTime> {
    let packed: i64 = text.parse().ok().filter(|packed| *packed > 0)?;
    let part = |size: i64, count: i64| i8::try_from(packed / size % count).ok();
    let days = 86_400;
    let civil = DateTime::new(
        i16::try_from(packed / (days * 31 * 12))
            .ok()?
            .checked_add(2000)?,
        part(days * 31, 12)? + 1,
        part(days, 31)? + 1,
        part(3600, 24)?,
        part(60, 60)?,
        part(1, 60)?,
        0,
    )
    .ok()?;
    let at = civil.to_zoned(zone.clone()).ok()?.timestamp();
    Some(DeviceTime {
        at,
        raw: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_times_count_months_of_31_days() {
        let read = |text: &str| packed_time(text, &TimeZone::UTC).map(|time| time.at.to_string());
        let packed = ((26 * 12 + 10) * 31 + 23) * 86_400 + 12 * 3600 + 5;
        assert_eq!(
            read(&packed.to_string()).as_deref(),
            Some("2026-11-24T12:00:05Z")
        );
        for none in ["", "0", "-1", "x", "99999999999999"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
