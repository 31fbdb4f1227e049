//! What is known of models of devices: what they are, what they live on, how often they speak. Whoever admits a device finds it filled in;
//! from then on its line in the table of devices counts, and health goes by that.

use std::num::NonZero;

use serde::{Deserialize, Serialize};

use super::{Registry, Sensor};
use crate::DeviceClass;

/// What a device lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// The mains, or the cable that it hangs on.
    Mains,
    /// A battery: it sleeps, and speaks seldom.
    Battery,
}

/// A charge that is low: 1 to 99 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct LowCharge(u8);

impl TryFrom<u8> for LowCharge {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, String> {
        if (1..100).contains(&percent) {
            return Ok(Self(percent));
        }
        Err(format!(
            "{percent} is no charge that is low (hint: from 1 to 99 percent)"
        ))
    }
}

impl From<LowCharge> for u8 {
    fn from(LowCharge(percent): LowCharge) -> Self {
        percent
    }
}

/// A part of a device as its format calls it, such as `door-2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Component(String);

impl Component {
    /// Longest name of one, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// As its format calls it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Component {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '/';
        let is_long = text.len() > Self::BYTES_MAX;
        if text.is_empty() || is_long || text.contains(is_odd) {
            return Err(format!(
                "`{}` is no part of a device (hint: as its events call it, such as `door-2`: up to {} bytes, no blanks, no `/`)",
                text.escape_debug().take(80).collect::<String>(),
                Self::BYTES_MAX
            ));
        }
        Ok(Self(text))
    }
}

impl From<Component> for String {
    fn from(Component(text): Component) -> Self {
        text
    }
}

/// One entry of a profile file: what devices of some models have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, unique over all files.
    pub id: String,
    /// Models as bridges tell them, upper or lower case; `*` at the end stands for any end. Without any it is for whatever of its class no other
    /// one knows.
    #[serde(default)]
    pub models: Vec<String>,
    /// What they are.
    pub class: DeviceClass,
    /// What a fire sensor looks for.
    #[serde(default)]
    pub sensor: Option<Sensor>,
    /// What they live on.
    pub power: Power,
    /// The longest time between two words of one, in seconds: two missed make it silent.
    pub heartbeat_s: NonZero<u32>,
    /// The charge below which their battery is low, in percent, where they tell the charge and nothing else. None where they say so themselves.
    #[serde(default)]
    pub battery_low_percent: Option<LowCharge>,
    /// Parts that may stand elsewhere than the device: the doors of a controller, the channels of an input module.
    #[serde(default)]
    pub components: Vec<Component>,
}

impl Profile {
    /// How much of a model its best word names; none when it is not about the model.
    fn fits(&self, model: &str) -> Option<usize> {
        let model = model.trim().to_lowercase();
        let words = self.models.iter().map(|word| word.to_lowercase());
        let fits = words.filter_map(|word| match word.strip_suffix('*') {
            Some(start) => model.starts_with(start).then_some(start.len()),
            // a whole name goes before any beginning
            None => (model == word).then_some(usize::MAX),
        });
        fits.max()
    }
}

impl Registry {
    /// The profile of a model: the one that names most of it, else the one for whatever is of the class.
    pub fn profile(&self, model: Option<&str>, class: DeviceClass) -> Option<&Profile> {
        let of_model = model
            .filter(|model| !model.trim().is_empty())
            .and_then(|model| {
                let fitting = self.profiles.values();
                let fitting = fitting.filter_map(|profile| Some((profile.fits(model)?, profile)));
                fitting.max_by_key(|(named, _)| *named)
            });
        let of_class = || {
            let mut all = self.profiles.values();
            all.find(|profile| profile.models.is_empty() && profile.class == class)
        };
        of_model.map(|(_, profile)| profile).or_else(of_class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = r#"
        [[profile]]
        id = "any-detector"
        class = "fire_sensor"
        power = "battery"
        heartbeat_s = 86400
        [[profile]]
        id = "smoke"
        models = ["HS1*"]
        class = "fire_sensor"
        sensor = "smoke"
        power = "battery"
        heartbeat_s = 90000
        [[profile]]
        id = "gas"
        models = ["HS1CG*", "gas detector"]
        class = "fire_sensor"
        sensor = "gas"
        power = "mains"
        heartbeat_s = 600
    "#;

    #[test]
    fn the_profile_that_names_most_of_a_model_is_its_own() {
        let registry = Registry::from_files([("profiles.toml", PROFILES)]);
        let registry = registry.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let of = |model: Option<&str>, class| {
            let profile = registry.profile(model, class);
            profile.map(|profile| profile.id.as_str())
        };
        let detector = DeviceClass::FireSensor;
        assert_eq!(of(Some("HS1SA-E"), detector), Some("smoke"));
        assert_eq!(of(Some("hs1cg-m"), detector), Some("gas"));
        assert_eq!(of(Some(" Gas Detector "), detector), Some("gas"));
        assert_eq!(of(Some("unheard of"), detector), Some("any-detector"));
        assert_eq!(of(None, detector), Some("any-detector"));
        assert_eq!(of(Some(""), detector), Some("any-detector"));
        assert_eq!(of(None, DeviceClass::Camera), None);
    }

    #[test]
    fn a_profile_with_a_mistake_is_told_with_its_line() {
        let told = |text: &str| {
            let errors = Registry::from_files([("profiles.toml", text)]).expect_err("mistakes");
            errors[0].to_string()
        };
        let twice = PROFILES.replace("\"gas\"\n        models", "\"smoke\"\n        models");
        assert!(
            told(&twice).contains("`smoke` is there twice"),
            "{}",
            told(&twice)
        );
        let odd = PROFILES.replace("600", "600\n        components = [\"door-1\", \"a/b\"]");
        assert!(told(&odd).contains("no part of a device"), "{}", told(&odd));
        let never = PROFILES.replace("600", "0");
        assert!(
            told(&never).starts_with("profiles.toml:"),
            "{}",
            told(&never)
        );
        let full = PROFILES.replace("90000", "90000\n        battery_low_percent = 100");
        assert!(
            told(&full).contains("from 1 to 99 percent"),
            "{}",
            told(&full)
        );
    }
}
