//! What a camera's structs say, each a few drafts.

use domain::{DeviceClass, Kind, Phase};
use serde_json::Value;

use super::super::clock::DeviceTime;
use super::super::draft::{Draft, Told};
use super::super::text;
use super::plate_text;

/// One camera, and when it sent the message.
pub(super) struct Camera {
    pub(super) device: String,
    pub(super) at: Option<DeviceTime>,
}

impl Camera {
    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        Draft::new(self.device.clone(), DeviceClass::Barrier, kind, phase).at(self.at.clone())
    }

    /// A car was read, whatever called for it.
    pub(super) fn plate(&self, result: &Value) -> Vec<Draft> {
        let number = |path: &str| text::at(result, path).and_then(text::number);
        let license = text::at(result, "license")
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
            .or_else(|| {
                result
                    .get("plates")?
                    .as_array()?
                    .iter()
                    .take(4)
                    .find_map(|plate| plate.get("license")?.as_str())
                    .filter(|text| !text.is_empty())
            })
            .unwrap_or_default();
        let code = text::at(result, "triggerType").and_then(text::integer);
        let at = match (
            number("timeStamp.Timeval.sec"),
            number("timeStamp.Timeval.usec"),
        ) {
            (Some(seconds), micros) if seconds > 0.0 => {
                DeviceTime::epoch_s(seconds + micros.unwrap_or_default() / 1e6)
            }
            _ => None,
        };
        let at = at.or_else(|| self.at.clone());
        let read = self
            .draft(Kind::VehiclePlateRead, Phase::Instant)
            .at(at.clone())
            .plate(&plate_text::decode(license))
            .attr(
                "plate_color",
                color(text::at(result, "colorType").and_then(text::integer)),
            )
            .attr("confidence", number("confidence").and_then(part_of_one))
            .attr("seq", text::at(result, "plateid").and_then(text::integer))
            .attr("trigger", code.map(trigger))
            .attr(
                "heading",
                text::at(result, "direction")
                    .and_then(text::integer)
                    .and_then(heading),
            )
            .attr("is_fake_plate", flag(result, "is_fake_plate"))
            .attr("late", flag(result, "isoffline"));
        let read = match text::at(result, "unique_id").and_then(text::word) {
            Some(id) => read.id(id),
            None => read,
        };
        let mut drafts = vec![read];
        if let Some(kind) = code.and_then(conduct) {
            let (kind, phase) = kind;
            drafts.push(
                self.draft(kind, phase)
                    .at(at)
                    .plate(&plate_text::decode(license)),
            );
        }
        drafts
    }

    /// An input of the camera, such as an induction loop or a button. `value`: 0 open, 1 closed, 2 closed for a moment.
    pub(super) fn input(&self, alarm: &Value) -> Vec<Draft> {
        let Some(result) = text::at(alarm, "result.TriggerResult") else {
            return Vec::new();
        };
        let source = text::at(result, "source")
            .and_then(text::integer)
            .unwrap_or_default();
        let component = format!("input-{source}");
        let value = text::at(result, "value").and_then(text::integer);
        let draft = match value {
            Some(2) => self.draft(Kind::CameraIoInput, Phase::Instant),
            Some(value @ (0 | 1)) => Draft::condition(
                self.device.clone(),
                DeviceClass::Barrier,
                Kind::CameraIoInput,
                "input",
                value == 1,
            )
            .told(Told::Change)
            .at(self.at.clone()),
            _ => return Vec::new(),
        };
        vec![
            draft
                .component(component)
                .attr("input", source)
                .attr("value", value),
        ]
    }

    /// Where the boom stands: `gate_status` 0 down, 1 up, else between; `connect_status` 0 where the camera has lost the gate.
    pub(super) fn barrier(&self, body: &Value) -> Vec<Draft> {
        let number = |name: &str| body.get(name).and_then(text::integer);
        let component = format!("gate-{}", number("gate_ctrl_id").unwrap_or(1));
        let mut drafts = Vec::new();
        if let Some(connected) = number("connect_status") {
            let fault = Draft::condition(
                self.device.clone(),
                DeviceClass::Barrier,
                Kind::BarrierFault,
                "link",
                connected == 0,
            );
            drafts.push(
                fault
                    .component(component.clone())
                    .at(self.at.clone())
                    .attr("reason", "disconnected"),
            );
        }
        let state = match number("gate_status") {
            Some(0) => "closed",
            Some(1) => "open",
            Some(_) => "between",
            None => return drafts,
        };
        drafts.push(
            self.draft(Kind::BarrierState, Phase::Updated)
                .component(component)
                .edge("gate", state)
                .attr("state", state),
        );
        drafts
    }

    /// What the lane watch saw: 82 stays, 83 passes, 84 turns back, 85 follows too close. The member's name differs among firmware.
    pub(super) fn lane(&self, value: &Value, depth: usize) -> Vec<Draft> {
        if depth > 6 {
            return Vec::new();
        }
        let Some(map) = value.as_object() else {
            return Vec::new();
        };
        let code = map.iter().take(64).find_map(|(key, value)| {
            let key = key.to_ascii_lowercase();
            let is_code = ["type", "event", "result", "code", "state", "status"]
                .iter()
                .any(|word| key.contains(word));
            let code = text::integer(value).filter(|code| (82..=85).contains(code));
            is_code.then_some(code).flatten()
        });
        let (kind, phase) = match code {
            Some(82) => (Kind::VehicleLoiter, Phase::Raised),
            Some(83) => (Kind::VehiclePassage, Phase::Instant),
            Some(84) => (Kind::VehicleTurnBack, Phase::Instant),
            Some(85) => (Kind::VehicleTailgate, Phase::Instant),
            _ => {
                return map
                    .values()
                    .take(64)
                    .map(|inner| self.lane(inner, depth + 1))
                    .find(|drafts| !drafts.is_empty())
                    .unwrap_or_default();
            }
        };
        let draft = self.draft(kind, phase);
        let license = ["license", "plate"]
            .iter()
            .find_map(|name| map.get(*name)?.as_str());
        vec![match license {
            Some(license) => draft.plate(&plate_text::decode(license)),
            None => draft,
        }]
    }
}

/// A plate's ground.
fn color(code: Option<i64>) -> &'static str {
    match code {
        Some(1) => "blue",
        Some(2) => "yellow",
        Some(3) => "white",
        Some(4) => "black",
        Some(5) => "green",
        Some(6) => "yellow_green",
        _ => "unknown",
    }
}

/// What called for the reading.
fn trigger(code: i64) -> String {
    match code {
        1 => "auto",
        2 => "io",
        4 => "software",
        8 => "virtual_loop",
        64 | 82 => "loiter",
        65 => "loiter_end",
        66 | 84 => "turn_back",
        83 => "passage",
        85 => "tailgate",
        code => return format!("type_{code}"),
    }
    .to_owned()
}

/// What a reading tells besides the plate where it was called for by what the car does.
fn conduct(code: i64) -> Option<(Kind, Phase)> {
    match code {
        64 => Some((Kind::VehicleLoiter, Phase::Raised)),
        65 => Some((Kind::VehicleLoiter, Phase::Cleared)),
        66 => Some((Kind::VehicleTurnBack, Phase::Instant)),
        _ => None,
    }
}

/// Which way the car moved in the picture; whether that is in or out only the place knows.
fn heading(code: i64) -> Option<&'static str> {
    match code {
        1 => Some("left"),
        2 => Some("right"),
        3 => Some("up"),
        4 => Some("down"),
        _ => None,
    }
}

/// Per cent as 0 to 1.
fn part_of_one(percent: f64) -> Option<f64> {
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// True where a member is 1; nothing where it is not.
fn flag(value: &Value, name: &str) -> Option<bool> {
    value
        .get(name)
        .and_then(text::boolean)
        .filter(|is_set| *is_set)
}
