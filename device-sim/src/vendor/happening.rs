//! `smoke at 5s in kitchen`: something that happens in the compound, in words that are the same for every format.

use std::str::FromStr;
use std::time::Duration;

use crate::scenario::span;

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// What, such as `smoke`, `clear`, `plate`.
    pub what: String,
    /// Since the start.
    pub at: Duration,
    /// Where, as the format names its devices.
    pub device: String,
    /// A plate, or the number of a card.
    pub value: Option<String>,
}

impl FromStr for Happening {
    type Err = String;

    /// `WHAT at TIME in DEVICE`, or `WHAT at TIME in DEVICE with VALUE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let hint = || {
            let text: String = text.chars().take(80).collect();
            format!(
                "`{text}` is nothing that happens (hint: \"smoke at 5s in kitchen\", \"plate at 2s in east-gate with 浙G8K123\")"
            )
        };
        let (what, rest) = text.split_once(" at ").ok_or_else(hint)?;
        let (at, rest) = rest.split_once(" in ").ok_or_else(hint)?;
        let (device, value) = match rest.split_once(" with ") {
            Some((device, value)) => (device, Some(value.trim().to_owned())),
            None => (rest, None),
        };
        let at = span(at.trim()).ok_or_else(hint)?;
        let (what, device) = (what.trim().to_owned(), device.trim().to_owned());
        if what.is_empty() || device.is_empty() {
            return Err(hint());
        }
        Ok(Self {
            what,
            at,
            device,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn happenings_read_as_people_say_them() {
        let read: Happening = "plate at 1500ms in east gate with 浙G 8K123"
            .parse()
            .expect("reads");
        assert_eq!((read.what.as_str(), read.at.as_millis()), ("plate", 1500));
        assert_eq!(
            (read.device.as_str(), read.value.as_deref()),
            ("east gate", Some("浙G 8K123"))
        );
        for wrong in [
            "",
            "smoke",
            "smoke at 5s",
            "smoke at soon in x",
            "smoke in x at 5s",
            " at 5s in x",
        ] {
            assert!(wrong.parse::<Happening>().is_err(), "{wrong}");
        }
    }
}
