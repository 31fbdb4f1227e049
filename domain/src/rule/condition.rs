//! What a rule looks for: which events concern it, and how many, how different, how long silent they must be.
//!
//! A new sort of condition is a variant of [`Condition`], its words in `parse.rs` and its arithmetic in `engine/`.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::book::ReportType;
use super::expr::Expr;
use super::key::Key;
use crate::place::ZoneKind;
use crate::{DeviceClass, Kind, Phase, Severity};

/// Which events concern a rule: all that is said must hold, what is left empty asks nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    /// Kinds of event, at least one.
    pub kinds: Vec<Kind>,
    /// Phases that count.
    pub phases: Vec<Phase>,
    /// Classes of device.
    pub classes: Vec<DeviceClass>,
    /// Kinds of zone that the device stands in; a device without a known zone is in none.
    pub zone_kinds: Vec<ZoneKind>,
    /// Tests on the event's attributes.
    pub attrs: Vec<AttrTest>,
    /// The plate in `attrs.plate` must be on the registry's watch list, its entry not expired.
    pub watch_list: bool,
    /// What must hold besides; asked last.
    pub expr: Option<Expr>,
}

/// One test on one attribute. Numbers compare as numbers; nothing is converted.
#[derive(Debug, Clone, PartialEq)]
pub struct AttrTest {
    /// The way down through the attributes, such as `["panel", "system"]`.
    pub path: Vec<String>,
    /// What must hold there.
    pub test: Test,
}

/// What must hold for an attribute. One that is missing passes only [`Test::NoneOf`].
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of these.
    OneOf(Vec<Scalar>),
    /// Equal to none of these, or missing.
    NoneOf(Vec<Scalar>),
    /// A number of at least this.
    AtLeast(f64),
    /// A number of at most this.
    AtMost(f64),
}

/// A value that an attribute can be compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text, compared letter by letter.
    Text(String),
    /// Whole or with a fraction.
    Number(f64),
    /// Yes or no.
    Truth(bool),
}

/// The sort of condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Each matching event by itself.
    Match(Matcher),
    /// Several matching events of one subject within a time.
    Count {
        /// Which events count.
        matcher: Matcher,
        /// How many raise the alarm.
        at_least: usize,
        /// Within how long, in seconds of hub time. Events that a device delivers late must also have *happened* that close.
        within_s: u32,
        /// Count different values of this instead of events.
        distinct: Option<Key>,
    },
    /// Several different devices that stand in one subject (a zone).
    Independent {
        /// Which events count.
        matcher: Matcher,
        /// How many devices raise the alarm.
        at_least: usize,
        /// A device that cleared still counts this long after it raised, in seconds.
        within_s: u32,
    },
    /// A device says nothing.
    Absence {
        /// Classes of device that are expected to speak.
        classes: Vec<DeviceClass>,
        /// How many of its heartbeats a device may miss.
        heartbeats: u32,
    },
    /// A person reports something of these types. No event of a device is one: the engine has nothing to do, the incident
    /// machine opens the incident with this rule's plan.
    Report(Vec<ReportType>),
}

impl Condition {
    /// Which events concern it; none for a condition that hears only whether a device speaks.
    pub fn matcher(&self) -> Option<&Matcher> {
        match self {
            Self::Match(matcher)
            | Self::Count { matcher, .. }
            | Self::Independent { matcher, .. } => Some(matcher),
            Self::Absence { .. } | Self::Report(_) => None,
        }
    }
}

/// How urgent an alarm is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgency {
    /// Outside the hours below.
    pub always: Severity,
    /// At these hours of the community's clock, the first that fits.
    pub hours: Vec<(Hours, Severity)>,
    /// When the watched plate is flagged violent, if that is more urgent.
    pub violent: Option<Severity>,
}

impl Urgency {
    /// How urgent at a time of day, which is asked for only if it matters.
    pub fn at(&self, time: impl Fn() -> Time) -> Severity {
        self.hours
            .iter()
            .find(|(hours, _)| hours.contain(time()))
            .map_or(self.always, |(_, severity)| *severity)
    }
}

/// A part of the day: from the first minute up to, without, the second; over midnight when `from` is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// First minute.
    pub from: Time,
    /// First minute after.
    pub to: Time,
}

impl Hours {
    /// Whether the time of day lies in it.
    pub fn contain(&self, time: Time) -> bool {
        if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

/// A time zone by its IANA name, from the system's table; China's without one too, because containers often have none.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    const CHINA: &[&str] = &[
        "Asia/Shanghai",
        "Asia/Chongqing",
        "Asia/Harbin",
        "Asia/Hong_Kong",
        "PRC",
    ];
    TimeZone::get(name).ok().or_else(|| {
        let fixed = CHINA.contains(&name).then(|| jiff::tz::offset(8));
        fixed.map(TimeZone::fixed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_reach_over_midnight() {
        let time = |h, m| Time::constant(h, m, 0, 0);
        let night = Hours {
            from: time(23, 0),
            to: time(6, 0),
        };
        for (at, inside) in [
            (time(22, 59), false),
            (time(23, 0), true),
            (time(0, 0), true),
            (time(5, 59), true),
            (time(6, 0), false),
        ] {
            assert_eq!(night.contain(at), inside, "{at}");
        }
    }
}
