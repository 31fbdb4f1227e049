//! Ordinary life: cars, people, motion and readings, drawn from seeded generators.

use std::time::Duration;

use domain::{DeviceClass, Kind, Phase};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::fields;
use crate::native::{Fields, Say};

/// One in so many people at a door is refused; far too few for any rule.
const REFUSED_ONE_IN: u32 = 25;

/// One kind of ordinary life over all devices of a class: a Poisson process.
pub(super) struct Life {
    rng: StdRng,
    class: DeviceClass,
    devices: Vec<usize>,
    per_minute: f64,
}

/// What a device says how long after the bit of life began.
type Said = Vec<(Duration, usize, Say)>;

impl Life {
    pub(super) fn new(
        rng: StdRng,
        class: DeviceClass,
        devices: Vec<usize>,
        per_minute: f64,
    ) -> Self {
        Self {
            rng,
            class,
            devices,
            per_minute,
        }
    }

    /// Until the next bit.
    pub(super) fn pause(&mut self) -> Duration {
        let chance: f64 = self.rng.random_range(f64::EPSILON..1.0);
        Duration::from_secs_f64(-chance.ln() * 60.0 / self.per_minute)
    }

    /// What happens now.
    pub(super) fn bit(&mut self) -> Said {
        let device = self.devices[self.rng.random_range(0..self.devices.len())];
        let said = match self.class {
            DeviceClass::Barrier => self.vehicle(),
            DeviceClass::Access => self.person(),
            _ => self.motion(),
        };
        said.into_iter()
            .map(|(ms, say)| (Duration::from_millis(ms), device, say))
            .collect()
    }

    fn vehicle(&mut self) -> Vec<(u64, Say)> {
        let direction = if self.rng.random_bool(0.5) {
            "in"
        } else {
            "out"
        };
        let confidence = f64::from(self.rng.random_range(90..100)) / 100.0;
        let read = fields([
            ("plate", self.plate().into()),
            ("plate_color", "blue".into()),
            ("confidence", confidence.into()),
            ("direction", direction.into()),
            ("lane", "1".into()),
            ("vehicle", json!({"type": "car"})),
        ]);
        let through = fields([("direction", direction.into()), ("lane", "1".into())]);
        let barrier = |state: &str| state_of("barrier-1", [("barrier", state.into())]);
        let shut = self.rng.random_range(7_000..12_000);
        vec![
            (0, instant(Kind::VehiclePlateRead, None, read)),
            (400, barrier("open")),
            (4_000, instant(Kind::VehiclePassage, None, through)),
            (shut, barrier("closed")),
        ]
    }

    fn person(&mut self) -> Vec<(u64, Say)> {
        let method = ["card", "face", "qr", "card"][self.rng.random_range(0..4)];
        let card = format!("c-{:06x}", self.rng.random_range(0..0x100_0000));
        let refused = self.rng.random_ratio(1, REFUSED_ONE_IN);
        let mut attrs = fields([
            ("method", method.into()),
            ("credential_ref", card.into()),
            ("door", "door-1".into()),
            ("direction", "in".into()),
        ]);
        let door = Some("door-1");
        if refused {
            attrs.extend(fields([
                ("result", "denied".into()),
                ("reason", "expired".into()),
            ]));
            return vec![(0, instant(Kind::AccessDenied, door, attrs))];
        }
        attrs.insert("result".to_owned(), "granted".into());
        let stands = |door: &str, lock: &str| {
            state_of("door-1", [("door", door.into()), ("lock", lock.into())])
        };
        let shut = self.rng.random_range(4_000..9_000);
        vec![
            (0, instant(Kind::AccessGranted, door, attrs)),
            (800, stands("open", "unlocked")),
            (shut, stands("closed", "locked")),
        ]
    }

    fn motion(&mut self) -> Vec<(u64, Say)> {
        let over = self.rng.random_range(3_000..15_000);
        let motion = |phase| Say::Event {
            kind: Kind::CameraMotion,
            phase,
            component: None,
            attrs: Fields::new(),
        };
        vec![(0, motion(Phase::Raised)), (over, motion(Phase::Cleared))]
    }

    /// A plate of Jinhua with a serial that no list of the reference compound has: it starts with a digit pair.
    fn plate(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
        let letter = char::from(LETTERS[self.rng.random_range(0..LETTERS.len())]);
        let (head, tail) = (
            self.rng.random_range(10..100),
            self.rng.random_range(10..100),
        );
        format!("浙G{head}{letter}{tail}")
    }
}

fn instant(kind: Kind, component: Option<&str>, attrs: Fields) -> Say {
    Say::Event {
        kind,
        phase: Phase::Instant,
        component: component.map(str::to_owned),
        attrs,
    }
}

fn state_of<const N: usize>(component: &str, pairs: [(&str, Value); N]) -> Say {
    Say::State {
        component: component.to_owned(),
        fields: fields(pairs),
    }
}

/// The readings of one device: slow walks around plausible values.
pub(super) struct Readings {
    rng: StdRng,
    every: Duration,
    temperature_c: f64,
    battery_percent: f64,
    rssi_dbm: i32,
}

impl Readings {
    pub(super) fn new(mut rng: StdRng, every: Duration) -> Self {
        Self {
            temperature_c: rng.random_range(14.0..26.0),
            battery_percent: rng.random_range(62.0..100.0),
            rssi_dbm: rng.random_range(-85..-50),
            rng,
            every,
        }
    }

    /// The first report: spread over the first interval, and soon for those who report seldom.
    pub(super) fn first_after(&mut self) -> Duration {
        let within = self.every.min(Duration::from_secs(20));
        within.mul_f64(self.rng.random_range(0.0..1.0))
    }

    /// The readings now, and the time until the next ones: the interval, give or take a tenth.
    pub(super) fn next(&mut self, class: DeviceClass) -> (Fields, Duration) {
        let one_decimal = |value: f64| (value * 10.0).round() / 10.0;
        self.temperature_c =
            (self.temperature_c + self.rng.random_range(-0.3..0.3)).clamp(-5.0, 45.0);
        self.battery_percent = (self.battery_percent - self.rng.random_range(0.0..0.01)).max(5.0);
        self.rssi_dbm = (self.rssi_dbm + self.rng.random_range(-2..=2)).clamp(-110, -30);
        let mut readings = fields([
            ("temperature_c", one_decimal(self.temperature_c).into()),
            ("rssi_dbm", self.rssi_dbm.into()),
        ]);
        if class == DeviceClass::FireSensor {
            readings.insert(
                "battery_percent".to_owned(),
                (self.battery_percent.round() as u8).into(),
            );
        }
        let pause = self.every.mul_f64(self.rng.random_range(0.9..1.1));
        (readings, pause)
    }
}
