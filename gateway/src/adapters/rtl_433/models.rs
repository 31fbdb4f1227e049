//! Security sensors whose members mean something of their own, by the model that the decoder names. Sources: the decoders of
//! `merbanan/rtl_433` (`src/devices/`) and its recordings.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::Draft;
use crate::adapters::{named, text};

/// What a message tells besides what all decoders name alike.
pub(super) fn drafts(address: &str, model: &str, heard: &Map<String, Value>) -> Vec<Draft> {
    let sensor = Sensor { address, heard };
    // their names had other signs in between before 2019: `Smoke detector GS 558`, `Kerui Security`
    match squeezed(model).as_str() {
        // it says nothing but that it rings, or that it is paired
        "smokegs558" | "smokedetectorgs558" => match sensor.integer("learn") {
            Some(1) => Vec::new(),
            _ => vec![sensor.rings(Kind::FireSmoke).attr("sensor", "smoke")],
        },
        "interlogixsecurity" | "interlogix" => sensor.interlogix(),
        "caviussecurity" | "cavius" => sensor.cavius(),
        "keruisecurity" => sensor.kerui(),
        "chuangosecurity" => Vec::from_iter(sensor.chuango()),
        // contacts and leaks alike: `status` is 1 where it is closed
        "jascogechoicealertsecuritydevices" | "jascosecurity" => Vec::from_iter(
            sensor
                .integer("status")
                .map(|status| sensor.door(status == 0)),
        ),
        "yalehsa" => sensor.yale(),
        "riscorwx95p" => sensor.risco(),
        "bresserleakage" => Vec::from_iter(sensor.condition("alarm", Kind::EnvWaterLeak)),
        "visonicpowercode" | "honeywellsecurity" => {
            Vec::from_iter(sensor.condition("alarm", Kind::DeviceAlarmInput))
        }
        "x10security" => Vec::from_iter(
            sensor
                .sentence("event")
                .or_else(|| sensor.sentence("remarks")),
        ),
        "goveecontact" => Vec::from_iter(sensor.sentence("event")),
        // later decoders say whether it is wet, too
        "goveewater" if sensor.is("event", "Water Leak") && !heard.contains_key("leak") => {
            vec![sensor.rings(Kind::EnvWaterLeak)]
        }
        own if own.starts_with("simplisafe") => Vec::from_iter(sensor.sentence("extradata")),
        _ => Vec::new(),
    }
}

fn squeezed(model: &str) -> String {
    let letters = model.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// What a decoder tells that somebody wrote on the command line (`-X 'n=SMOKE_ALARM,…'`): what its getters call an event, else, of what sends
/// only when it rings, its name.
pub(super) fn flexible(model: &str, heard: &Map<String, Value>) -> Vec<Draft> {
    let address = match heard.get("id").and_then(text::word) {
        Some(id) => format!("{model}/{id}"),
        None => model.to_owned(),
    };
    let sensor = Sensor {
        address: &address,
        heard,
    };
    if let Some(draft) = sensor.sentence("event") {
        return vec![draft];
    }
    let by_name = || Vec::from_iter(named_like(&address, model));
    sensor.otherwise().unwrap_or_else(by_name)
}

/// What sends only when it rings, by the name of its decoder.
fn named_like(address: &str, model: &str) -> Option<Draft> {
    let draft = named::binary(address, "", &in_words(model), true)?;
    let rings = matches!(draft.kind, Kind::EnvWaterLeak | Kind::DeviceAlarmInput)
        || draft.kind.as_str().starts_with("fire.") && draft.kind != Kind::FireFault;
    rings.then_some(Draft {
        edge: None,
        ..draft
    })
}

/// Members of a decoder of one's own that say what it tells.
const SAID: [&str; 7] = [
    "event", "state", "status", "cmd", "command", "type", "message",
];
/// Words in them that say something else than what the sensor is for, and what.
const OTHERWISE: &[(&str, Option<Kind>)] = &[
    ("test", Some(Kind::DeviceTest)),
    ("tamper", Some(Kind::DeviceTamper)),
    ("low", Some(Kind::DeviceBatteryLow)),
    ("battery", Some(Kind::DeviceBatteryLow)),
    ("heartbeat", None),
    ("supervis", None),
    ("alive", None),
    ("normal", None),
    ("idle", None),
    ("ok", None),
    ("clear", None),
    ("off", None),
    ("reset", None),
    ("restore", None),
    ("learn", None),
    ("pair", None),
];
/// Words of an alarm.
const ALARMS: [&str; 6] = ["alarm", "smoke", "fire", "leak", "detect", "trigger"];
/// Members that say in a truth whether it is there.
const TRUTHS: [&str; 8] = [
    "alarm", "smoke", "fire", "leak", "water", "gas", "detected", "active",
];

/// `WaterLeak` is two words.
fn in_words(model: &str) -> String {
    let mut words = String::new();
    let mut is_after_small = false;
    for c in model.chars() {
        if is_after_small && c.is_ascii_uppercase() {
            words.push(' ');
        }
        is_after_small = c.is_ascii_lowercase();
        words.push(c);
    }
    words
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

    /// What a decoder of one's own tells that is not what its name says: a test, its battery, that it is well (nothing then).
    fn otherwise(&self) -> Option<Vec<Draft>> {
        let truths = TRUTHS.iter().filter_map(|member| self.heard.get(*member));
        let truths: Vec<bool> = truths.filter_map(text::boolean).collect();
        match (truths.contains(&true), truths.contains(&false)) {
            (true, _) => return None,
            (false, true) => return Some(Vec::new()),
            (false, false) => {}
        }
        let said: Vec<String> = (SAID.iter())
            .map(|member| self.word(member).to_ascii_lowercase())
            .collect();
        let says = |word: &str| {
            let mut words = said
                .iter()
                .flat_map(|said| said.split(|c: char| !c.is_alphanumeric()));
            words.any(|said| said == word || word.len() > 4 && said.starts_with(word))
        };
        // what rings and has a low battery besides rings
        let is_alarm = ALARMS.iter().any(|word| says(word));
        let is_beside = |kind: Option<Kind>| {
            is_alarm && matches!(kind, Some(Kind::DeviceTamper | Kind::DeviceBatteryLow))
        };
        let mut told = OTHERWISE.iter().filter(|(word, _)| says(word));
        let (_, kind) = told.find(|(_, kind)| !is_beside(*kind))?;
        let draft = kind.map(|kind| match kind {
            Kind::DeviceBatteryLow => self.rings(kind),
            kind => self.draft(kind, Phase::Instant),
        });
        Some(Vec::from_iter(draft))
    }

    /// One byte for all: `cmd_id` (`src/devices/chuango.c`). Nobody tells the end, nor what senses in a zone; smoke and water are in that
    /// which is watched round the clock.
    fn chuango(&self) -> Option<Draft> {
        let instant = |kind| self.draft(kind, Phase::Instant);
        let input = |sensor| Some(instant(Kind::DeviceAlarmInput).attr("sensor", sensor));
        match self.integer("cmd_id")? {
            0 => Some(instant(Kind::DeviceTest)),
            2 => input("panic"),
            3 => Some(instant(Kind::DeviceTamper)),
            6 | 7 | 10 => input("input"),
            11 => input("24h_zone"),
            13 => Some(self.rings(Kind::DeviceBatteryLow)),
            _ => None,
        }
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
        let subtype = match self.word("subtype") {
            "" => self.word("device_type"),
            subtype => subtype,
        };
        match subtype {
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
            // closed when it hears a pane break
            "glass" => {
                let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceAlarmInput);
                let is_there = self.is("switch1", "CLOSED");
                let draft = Draft::condition(self.address, class, kind, "glass", is_there);
                vec![draft.attr("sensor", "glass_break")]
            }
            // its switches are the same when it only reports that it is there, save that of its cover
            "motion" => {
                let raw = ["raw_message", "device_raw_message"].map(|name| self.word(name));
                let first = raw.iter().find(|raw| !raw.is_empty());
                let first = first.and_then(|raw| raw.get(..2));
                let first = first.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let is_motion = first.is_some_and(|first| first & 0x08 != 0);
                let motion = self.draft(Kind::CameraMotion, Phase::Instant);
                let motion = is_motion.then(|| motion.attr("sensor", "motion"));
                let cover = (!self.word("switch3").is_empty()).then(|| {
                    let (class, kind) = (DeviceClass::FireSensor, Kind::DeviceTamper);
                    let is_tampered = is_open("switch3");
                    Draft::condition(self.address, class, kind, "tamper", is_tampered)
                });
                motion.into_iter().chain(cover).collect()
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
        if has(0x04) {
            drafts.push(self.rings(Kind::FireSilenced));
        }
        drafts
    }

    /// Event 1 is what it is for, 4 its cover or its battery. A contact says nothing when it is closed again (`src/devices/yale_hsa.c`).
    fn yale(&self) -> Vec<Draft> {
        let state = self.integer("state").unwrap_or_default();
        let condition = |kind, property: &str, is_there| {
            Draft::condition(
                self.address,
                DeviceClass::FireSensor,
                kind,
                property,
                is_there,
            )
        };
        match (self.integer("event"), self.integer("stype")) {
            (Some(1), Some(0xac | 0xad)) => vec![
                self.draft(Kind::AccessDoorState, Phase::Updated)
                    .attr("state", "open"),
            ],
            (Some(1), Some(0x15)) => vec![
                self.draft(Kind::CameraMotion, Phase::Instant)
                    .attr("sensor", "motion"),
            ],
            (Some(4), _) => vec![
                condition(Kind::DeviceTamper, "tamper", state & 0x02 != 0),
                condition(Kind::DeviceBatteryLow, "battery", state & 0x08 != 0),
            ],
            _ => Vec::new(),
        }
    }

    /// It leaves out what is not there (`src/devices/risco_agility.c`).
    fn risco(&self) -> Vec<Draft> {
        let condition = |class, kind, member: &str| {
            let is_there = self.integer(member) == Some(1);
            Draft::condition(self.address, class, kind, member, is_there)
        };
        let motion = condition(DeviceClass::Camera, Kind::CameraMotion, "motion");
        vec![
            condition(DeviceClass::FireSensor, Kind::DeviceTamper, "tamper"),
            motion.attr("sensor", "motion"),
        ]
    }

    /// It sends no end of what it tells. Before 2019 `state` was all that told it.
    fn kerui(&self) -> Vec<Draft> {
        let told = [
            ("motion", Kind::CameraMotion, "motion"),
            ("water", Kind::EnvWaterLeak, ""),
            ("tamper", Kind::DeviceTamper, ""),
        ];
        let told = told.into_iter().filter(|(member, ..)| {
            let value = self.heard.get(*member);
            value.and_then(text::boolean) == Some(true) || self.is("state", member)
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
