//! The components of a device: each status is a delta, so only the members that are there say something.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::{Draft, Reading};
use crate::adapters::text;

/// A battery with less than this many percent is low: the device itself only counts.
const BATTERY_LOW_PERCENT: f64 = 10.0;

/// What the status of a component tells, such as `smoke:0`. A whole one has no `errors` where there are none.
pub(super) fn drafts(
    address: &str,
    name: &str,
    status: &Map<String, Value>,
    is_whole: bool,
) -> Vec<Draft> {
    let condition = |class, kind, property: &str, is_there| {
        Draft::condition(address, class, kind, property, is_there).component(name)
    };
    let truth = |member: &str| status.get(member).and_then(Value::as_bool);
    let fire = DeviceClass::FireSensor;
    let mut drafts = Vec::new();
    match name.split(':').next().unwrap_or_default() {
        "smoke" => {
            drafts.extend(truth("alarm").map(|is| condition(fire, Kind::FireSmoke, "alarm", is)));
            drafts.extend(truth("mute").map(|is| condition(fire, Kind::FireSilenced, "mute", is)));
        }
        "flood" => {
            drafts
                .extend(truth("alarm").map(|is| condition(fire, Kind::EnvWaterLeak, "alarm", is)));
        }
        "motion" | "presence" | "presencezone" | "occupancy" => {
            let is_there = ["motion", "presence", "value", "state"]
                .iter()
                .find_map(|member| truth(member));
            drafts.extend(is_there.map(|is| {
                condition(DeviceClass::Camera, Kind::CameraMotion, "motion", is)
                    .attr("sensor", "motion")
            }));
        }
        "input" => {
            let state = status.get("state").filter(|state| state.is_boolean());
            drafts.extend(state.and_then(|state| input(address, name, &state.to_string())));
        }
        "cover" => drafts.extend(cover(address, name, status)),
        "devicepower" => drafts.extend(power(address, name, status)),
        // a Bluetooth sensor behind it
        "bthomedevice" => drafts.extend(charged(address, name, status.get("battery"))),
        _ => {}
    }
    let errors = status.get("errors").and_then(Value::as_array);
    if errors.is_some() || is_whole && name.contains(':') {
        let errors = errors.into_iter().flatten().filter_map(Value::as_str);
        let errors: Vec<&str> = errors.take(20).collect();
        let draft = condition(fire, Kind::DeviceFault, "errors", !errors.is_empty());
        drafts.push(draft.attr("reason", errors.join(", ")));
    }
    drafts
}

/// A wired input, `input:0`.
pub(super) fn input(address: &str, name: &str, state: &str) -> Option<Draft> {
    let is = text::boolean(&Value::from(state))?;
    let (class, kind) = (DeviceClass::Panel, Kind::DeviceAlarmInput);
    let draft = Draft::condition(address, class, kind, "state", is);
    Some(draft.component(name).attr("sensor", "input"))
}

fn cover(address: &str, name: &str, status: &Map<String, Value>) -> Option<Draft> {
    let state = status.get("state")?.as_str()?;
    let draft = Draft::new(
        address,
        DeviceClass::Barrier,
        Kind::BarrierState,
        Phase::Updated,
    );
    Some(
        draft
            .component(name)
            .attr("state", state)
            .edge("state", state),
    )
}

fn power(address: &str, name: &str, status: &Map<String, Value>) -> Option<Draft> {
    let battery = status.get("battery");
    charged(
        address,
        name,
        battery.and_then(|battery| battery.get("percent")),
    )
}

fn charged(address: &str, name: &str, percent: Option<&Value>) -> Option<Draft> {
    let percent = percent.and_then(text::number)?;
    let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceBatteryLow);
    let is_low = percent < BATTERY_LOW_PERCENT;
    let draft = Draft::condition(address, class, kind, "battery", is_low);
    Some(draft.component(name).attr("battery_percent", percent))
}

/// One event of `NotifyEvent`, such as `{"component": "smoke:0", "event": "alarm_test"}`. Buttons and settings are none of ours.
pub(super) fn event(address: &str, event: &Map<String, Value>) -> Option<Draft> {
    let name = event.get("component")?.as_str()?;
    let word = event.get("event")?.as_str()?;
    let kind = match name.split(':').next().unwrap_or_default() {
        "smoke" => Kind::FireSmoke,
        "flood" => Kind::EnvWaterLeak,
        _ => return None,
    };
    let class = DeviceClass::FireSensor;
    let draft = match word.rsplit('.').next().unwrap_or_default() {
        "alarm" => Draft::condition(address, class, kind, "alarm", true),
        "alarm_off" => Draft::condition(address, class, kind, "alarm", false),
        "alarm_test" => Draft::new(address, class, Kind::DeviceTest, Phase::Instant),
        _ => return None,
    };
    Some(draft.component(name))
}

/// The motion sensor of the first generation, which tells all in one: `{"motion": true, "vibration": false, "bat": 88}`.
pub(super) fn motion(address: &str, status: &Value) -> Reading {
    let truth = |member: &str| status.get(member).and_then(Value::as_bool);
    let motion = truth("motion").map(|is| {
        let (class, kind) = (DeviceClass::Camera, Kind::CameraMotion);
        Draft::condition(address, class, kind, "motion", is).attr("sensor", "motion")
    });
    let vibration = truth("vibration").map(|is| {
        let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceAlarmInput);
        Draft::condition(address, class, kind, "vibration", is).attr("sensor", "vibration")
    });
    let charge = status.get("bat").and_then(text::number);
    Reading {
        charges: Vec::from_iter(charge.map(|percent| (address.to_owned(), percent))),
        ..motion
            .into_iter()
            .chain(vibration)
            .collect::<Vec<_>>()
            .into()
    }
}

/// All of a sensor of the first generation: `{"sensor": {"state": "open"}, "accel": {"vibration": 0}, "flood": false, "bat": {"value": 96}}`
/// (gen1 HTTP, `/status`). Each tells the same on a topic of its own.
pub(super) fn info(address: &str, status: &Value) -> Reading {
    let members = [
        ("smoke", &["smoke.value", "smoke"][..]),
        ("flood", &["flood"]),
        ("state", &["sensor.state"]),
        ("vibration", &["accel.vibration"]),
        ("gas", &["gas_sensor.alarm_state"]),
        ("operation", &["gas_sensor.sensor_state"]),
    ];
    let told = members.iter().filter_map(|(sensor, members)| {
        let value = match text::first(status, members)? {
            Value::Bool(is) => is.to_string(),
            value => text::word(value)?,
        };
        first_generation(address, sensor, &value)
    });
    let charge = text::at(status, "bat.value").and_then(text::number);
    Reading {
        charges: Vec::from_iter(charge.map(|percent| (address.to_owned(), percent))),
        ..told.collect::<Vec<_>>().into()
    }
}

/// A relay or dimmer of the first generation that is too hot, or does not get on with its lamp.
pub(super) fn fault(address: &str, name: &str, is_there: bool) -> Draft {
    let (class, kind) = (DeviceClass::Panel, Kind::DeviceFault);
    let draft = Draft::condition(address, class, kind, name, is_there);
    draft.attr("reason", name).apart()
}

/// A sensor of the first generation: one value on a topic of its own.
pub(super) fn first_generation(address: &str, sensor: &str, value: &str) -> Option<Draft> {
    let value = Value::from(value);
    let is =
        |kind, is_there| Draft::condition(address, DeviceClass::FireSensor, kind, sensor, is_there);
    let condition = |kind| Some(is(kind, text::boolean(&value)?));
    match sensor {
        "smoke" => condition(Kind::FireSmoke),
        // `test` and `unknown` end no alarm (gen1 MQTT, Shelly Gas)
        "gas" | "alarm_state" => match value.as_str()? {
            "test" => Some(Draft::new(
                address,
                DeviceClass::FireSensor,
                Kind::DeviceTest,
                Phase::Instant,
            )),
            "mild" | "heavy" | "smoke" | "alarm" => Some(is(Kind::FireGas, true)),
            "none" => Some(is(Kind::FireGas, false)),
            _ => None,
        },
        "operation" => match value.as_str()? {
            "fault" => Some(is(Kind::DeviceFault, true).attr("reason", "fault")),
            "normal" | "warmup" => Some(is(Kind::DeviceFault, false)),
            _ => None,
        },
        "flood" => condition(Kind::EnvWaterLeak),
        "vibration" => {
            condition(Kind::DeviceAlarmInput).map(|draft| draft.attr("sensor", "vibration"))
        }
        "motion" => condition(Kind::CameraMotion).map(|mut draft| {
            draft.class = DeviceClass::Camera;
            draft.attr("sensor", "motion")
        }),
        "state" => {
            let state = match value.as_str()? {
                "open" => "open",
                "close" | "closed" => "closed",
                _ => return None,
            };
            let draft = Draft::new(
                address,
                DeviceClass::Access,
                Kind::AccessDoorState,
                Phase::Updated,
            );
            Some(draft.attr("state", state).edge("contact", state))
        }
        _ => None,
    }
}
