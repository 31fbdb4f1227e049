//! How a device takes commands: as it should, or one of the ways in which devices fail.

use std::str::FromStr;
use std::time::Duration;

use domain::DeviceId;
use jiff::SignedDuration;

use crate::scenario::{matches, span};

/// What a device does with a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// What it is told.
    #[default]
    Obey,
    /// Nothing, and says why.
    Refuse(String),
    /// What it is told, so much later, if that is then still wanted.
    Delay(Duration),
    /// Nothing, and says that it is done.
    Lie,
    /// Nothing, and says nothing.
    Mute,
    /// Loses its connection for so long, and the command with it.
    Offline(Duration),
}

impl FromStr for Behaviour {
    type Err = String;

    /// `obey`, `refuse`, `refuse: the motor is hot`, `delay: 3s`, `lie`, `mute`, `offline: 30s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word.trim(), Some(rest.trim())),
            None => (text.trim(), None),
        };
        let time = || {
            rest.and_then(span)
                .ok_or_else(|| format!("`{word}` needs a time (hint: `{word}: 3s`)"))
        };
        match (word, rest) {
            ("obey", None) => Ok(Self::Obey),
            ("refuse", reason) => Ok(Self::Refuse(reason.unwrap_or("refused").to_owned())),
            ("delay", _) => time().map(Self::Delay),
            ("lie", None) => Ok(Self::Lie),
            ("mute", None) => Ok(Self::Mute),
            ("offline", _) => time().map(Self::Offline),
            _ => Err(format!(
                "unknown behaviour `{}` (hint: obey, refuse: REASON, delay: 3s, lie, mute, offline: 30s)",
                text.chars().take(80).collect::<String>()
            )),
        }
    }
}

/// Behaviour and clock of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// What it does with commands.
    pub behaviour: Behaviour,
    /// How far ahead of the true time its clock is, until somebody sets it.
    pub clock_off: SignedDuration,
}

/// Behaviours and clocks by device id or pattern; the first that fits counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// What devices do with commands.
    pub behaviours: Vec<(String, Behaviour)>,
    /// How far ahead of the true time their clocks are.
    pub clocks: Vec<(String, SignedDuration)>,
}

impl Manners {
    /// Of one device; a device that nothing fits obeys, and its clock is right.
    pub fn of(&self, device: &DeviceId) -> Manner {
        Manner {
            behaviour: first(&self.behaviours, device).unwrap_or_default(),
            clock_off: first(&self.clocks, device).unwrap_or_default(),
        }
    }
}

fn first<T: Clone>(list: &[(String, T)], device: &DeviceId) -> Option<T> {
    let fits = |(pattern, _): &&(String, T)| matches(pattern, device.as_str());
    list.iter().find(fits).map(|(_, found)| found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_read_as_people_write_them() {
        let check = |text: &str, expect: Behaviour| assert_eq!(text.parse(), Ok(expect), "{text}");
        check("obey", Behaviour::Obey);
        check("refuse", Behaviour::Refuse("refused".to_owned()));
        check(
            "refuse: key: turned",
            Behaviour::Refuse("key: turned".to_owned()),
        );
        check("delay: 3s", Behaviour::Delay(Duration::from_secs(3)));
        check("offline:1m", Behaviour::Offline(Duration::from_mins(1)));
        for wrong in ["delay", "delay: soon", "sulk", "lie: 3s", ""] {
            let error = wrong.parse::<Behaviour>().expect_err(wrong);
            assert!(error.contains("hint"), "{error}");
        }
    }

    #[test]
    fn the_first_pattern_that_fits_counts() {
        let manners = Manners {
            behaviours: vec![
                ("door-q1-0301".to_owned(), Behaviour::Mute),
                ("door-*".to_owned(), Behaviour::Lie),
            ],
            clocks: vec![("*".to_owned(), SignedDuration::from_secs(-65))],
        };
        let of = |id: &str| manners.of(&id.parse().expect("an id"));
        assert_eq!(of("door-q1-0301").behaviour, Behaviour::Mute);
        assert_eq!(of("door-q1-0302").behaviour, Behaviour::Lie);
        assert_eq!(of("gate-1").behaviour, Behaviour::Obey);
        assert_eq!(of("gate-1").clock_off.as_secs(), -65);
    }
}
