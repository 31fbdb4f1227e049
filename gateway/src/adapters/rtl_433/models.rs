//! Security sensors whose members mean something of their own, by the model that the decoder names. Sources: the decoders of
//! `merbanan/rtl_433` (`src/devices/`) and its recordings.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::Draft;
use crate::adapters::text;

/// What a message tells besides what all decoders name alike.
pub(super) fn drafts(address: &str, model: &str, heard: &Map<String, Value>) -> Vec<Draft> {
    let sensor = Sensor { address, heard };
    match model {
        // it says nothing but that it rings, or that it is paired
        "Smoke-GS558" => match sensor.integer("learn") {
            Some(1) => Vec::new(),
            _ => vec![sensor.rings(Kind::FireSmoke).attr("sensor", "smoke")],
        },
        "Interlogix-Security" => sensor.interlogix(),
        "Cavius-Security" => sensor.cavius(),
        "Kerui-Security" => sensor.kerui(),
        "Bresser-Leakage" => Vec::from_iter(sensor.condition("alarm", Kind::EnvWaterLeak)),
        "Visonic-Powercode" | "Honeywell-Security" => {
            Vec::from_iter(sensor.condition("alarm", Kind::DeviceAlarmInput))
        }
        "X10-Security" | "Govee-Contact" => Vec::from_iter(sensor.sentence("event")),
        _ if model.starts_with("SimpliSafe") => Vec::from_iter(sensor.sentence("extradata")),
        _ => Vec::new(),
    }
}

struct Sensor<'a> {
    address: &'a str,
    heard: &'a Map<String, Value>,
}

impl Sensor<'_> {
    fn integer(&self, name: &str) -> Option<i64> {
        self.heard.get(name).and_then(text::integer)
    }

    fn word(&self, name: &str) -> &str {
        let word = self.heard.get(name).and_then(Value::as_str);
        word.unwrap_or_default()
    }

    fn is(&self, name: &str, word: &str) -> bool {
        self.word(name).eq_ignore_ascii_case(word)
    }

    fn draft(&self, kind: Kind, phase: Phase) -> Draft {
        let class = match kind {
            Kind::AccessDoorState => DeviceClass::Access,
            Kind::CameraMotion => DeviceClass::Camera,
            _ => DeviceClass::FireSensor,
        };
        Draft::new(self.address, class, kind, phase)
    }

    /// An alarm of which nobody tells the end: each message is one.
    fn rings(&self, kind: Kind) -> Draft {
        self.draft(kind, Phase::Raised)
    }

    fn condition(&self, member: &str, kind: Kind) -> Option<Draft> {
        let is_there = self.heard.get(member).and_then(text::boolean)?;
        let class = DeviceClass::FireSensor;
        Some(Draft::condition(
            self.address,
            class,
            kind,
            member,
            is_there,
        ))
    }

    fn door(&self, is_open: bool) -> Draft {
        let state = if is_open { "open" } else { "closed" };
        self.draft(Kind::AccessDoorState, Phase::Updated)
            .attr("state", state)
            .edge("contact", state)
    }

    /// Five switches, whose meaning the type of the sensor decides. Of a smoke detector the second is the alarm and the fourth its cover
    /// or test, which opens the others, too.
    fn interlogix(&self) -> Vec<Draft> {
        let is_open = |switch: &str| self.is(switch, "OPEN");
        match self.word("subtype") {
            "smoke" => {
                let class = DeviceClass::FireSensor;
                let (is_tampered, is_smoke) = (is_open("switch4"), is_open("switch2"));
                let tamper = Kind::DeviceTamper;
                vec![
                    Draft::condition(
                        self.address,
                        class,
                        Kind::FireSmoke,
                        "smoke",
                        is_smoke && !is_tampered,
                    ),
                    Draft::condition(self.address, class, tamper, "tamper", is_tampered),
                ]
            }
            "contact" => vec![self.door(is_open("switch1"))],
            // its switches are the same when it only reports that it is there
            "motion" => {
                let first = self.word("raw_message").get(..2);
                let first = first.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let is_motion = first.is_some_and(|first| first & 0x08 != 0);
                let motion = self.draft(Kind::CameraMotion, Phase::Instant);
                Vec::from_iter(is_motion.then(|| motion.attr("sensor", "motion")))
            }
            _ => Vec::new(),
        }
    }

    /// A bit for each reason of a message.
    fn cavius(&self) -> Vec<Draft> {
        let message = self.integer("message").unwrap_or_default();
        let has = |bit: i64| message & bit != 0;
        let mut drafts = Vec::new();
        if has(0x20) {
            drafts.push(self.rings(Kind::FireDetector).attr("sensor", "fire"));
        }
        if has(0x10) {
            drafts.push(self.rings(Kind::EnvWaterLeak));
        }
        if has(0x40) {
            drafts.push(self.draft(Kind::DeviceTest, Phase::Instant));
        }
        drafts
    }

    /// It sends no end of what it tells.
    fn kerui(&self) -> Vec<Draft> {
        let told = [
            ("motion", Kind::CameraMotion, "motion"),
            ("water", Kind::EnvWaterLeak, ""),
            ("tamper", Kind::DeviceTamper, ""),
        ];
        let told = told.into_iter().filter(|(member, ..)| {
            let value = self.heard.get(*member);
            value.and_then(text::boolean) == Some(true)
        });
        told.map(|(_, kind, sensor)| self.draft(kind, Phase::Instant).attr("sensor", sensor))
            .collect()
    }

    /// `DOOR/WINDOW OPEN`, `Contact Closed`, `Keypad Panic Button`.
    fn sentence(&self, member: &str) -> Option<Draft> {
        let words = self.word(member).to_ascii_lowercase();
        let has = |word: &str| words.contains(word);
        if has("panic") {
            let draft = self.draft(Kind::DeviceAlarmInput, Phase::Instant);
            return Some(draft.attr("sensor", "panic"));
        }
        let is_contact = ["door", "window", "contact", "entry"]
            .iter()
            .any(|word| has(word));
        let is_bare = matches!(words.as_str(), "open" | "close" | "closed");
        if !is_contact && !is_bare {
            return None;
        }
        if has("open") {
            return Some(self.door(true));
        }
        has("close").then(|| self.door(false))
    }
}
