//! What a rule looks for: which events concern it, and how many, how different, how long silent they must be.
//!
//! A new sort of condition is a variant of [`Condition`], its words in `parse.rs` and its arithmetic in `engine/`.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::book::{ReportType, Side, Threshold};
use super::expr::Expr;
use super::key::Key;
use crate::place::ZoneKind;
use crate::{DeviceClass, Kind, Phase, RuleId, Severity};

/// Which events concern a rule: all that is said must hold, what is left empty asks nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    /// Kinds of event; none when it listens to rules.
    pub kinds: Vec<Kind>,
    /// Rules whose findings it listens to instead of events.
    pub rules: Vec<RuleId>,
    /// Phases that count.
    pub phases: Vec<Phase>,
    /// Classes of device.
    pub classes: Vec<DeviceClass>,
    /// Kinds of zone that the device stands in; a device without a known zone is in none.
    pub zone_kinds: Vec<ZoneKind>,
    /// Tests on the event's attributes.
    pub attrs: Vec<AttrTest>,
    /// The plate, the card or the person of the event must be on the registry's watch list, the entry not expired.
    pub watch_list: bool,
    /// What must hold besides; asked last.
    pub expr: Option<Expr>,
    /// Only an event in which this attribute differs from the last one of the same part of the same device is news.
    pub edge: Option<Vec<String>>,
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
    /// What began goes on for a time without being over.
    Held {
        /// What begins.
        matcher: Matcher,
        /// How long, in seconds.
        for_s: u32,
        /// An `instant` goes on only while it is repeated at least this often, in seconds; without it, until it is cleared.
        repeat_within_s: Option<u32>,
    },
    /// A number beyond a limit, for a time.
    Threshold {
        /// Which events carry the number.
        matcher: Matcher,
        /// Where it stands in their attributes.
        reading: Vec<String>,
        /// What is too little or too much.
        limit: Limit,
        /// How long it must stay beyond, in seconds; 0: the first one counts.
        for_s: u32,
    },
    /// Raised and over again within a moment, and nobody else in the zone saw it.
    Fleeting {
        /// What is raised.
        matcher: Matcher,
        /// The moment, in seconds.
        within_s: u32,
    },
    /// Several different things in one subject, in an order or not.
    Sequence {
        /// The things.
        steps: Vec<Step>,
        /// From the first to the last, in seconds.
        within_s: u32,
        /// Whether they must come in the order in which they are written.
        ordered: bool,
    },
    /// A part of all devices of a place.
    Share {
        /// What each of them says; its classes are those of all devices.
        matcher: Matcher,
        /// The part, from 0 to 1.
        share: f64,
        /// Within how long, in seconds.
        within_s: u32,
    },
    /// Many on several days: counted per day of the community's calendar.
    Days {
        /// Which events count.
        matcher: Matcher,
        /// How many make a day count.
        at_least: u32,
        /// More registered tenants than this make a day count as well, in the flat where the device stands.
        registered_over: Option<u16>,
        /// How many days.
        days: u32,
        /// Of how many, today among them.
        of_days: u32,
    },
    /// A device says nothing.
    Absence {
        /// Classes of device that are expected to speak.
        classes: Vec<DeviceClass>,
        /// How many of its heartbeats a device may miss.
        heartbeats: u32,
    },
    /// Nothing moves in the flat of an elder who lives alone and has agreed to be looked after.
    Quiet {
        /// Which events are movement.
        matcher: Matcher,
        /// How long, in seconds.
        after_s: u32,
        /// Only these hours count.
        waking: Option<Hours>,
    },
    /// A person reports something of these types. No event of a device is one: the engine has nothing to do, the incident
    /// machine opens the incident with this rule's plan.
    Report(Vec<ReportType>),
    /// The station tells itself: a ladder that is exhausted. No event of a device is one either.
    Station,
}

/// One thing of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which events are it.
    pub matcher: Matcher,
    /// It must be going on, whenever it began.
    pub active: bool,
}

/// What is too little or too much, and from where on it is well again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Too little.
    Below {
        /// Less than this.
        limit: f64,
        /// Well from here up.
        clear: f64,
    },
    /// Too much.
    Above {
        /// More than this.
        limit: f64,
        /// Well from here down.
        clear: f64,
    },
}

impl Limit {
    /// Beyond the limit (yes), well again (no), or between the two.
    pub(super) fn beyond(self, number: f64) -> Option<bool> {
        match self {
            Self::Below { limit, .. } if number < limit => Some(true),
            Self::Below { clear, .. } if number >= clear => Some(false),
            Self::Above { limit, .. } if number > limit => Some(true),
            Self::Above { clear, .. } if number <= clear => Some(false),
            Self::Below { .. } | Self::Above { .. } => None,
        }
    }
}

impl Condition {
    /// The word of rule files for its sort.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Count { .. } => "count",
            Self::Independent { .. } => "independent",
            Self::Held { .. } => "held",
            Self::Threshold { .. } => "threshold",
            Self::Fleeting { .. } => "fleeting",
            Self::Sequence { .. } => "sequence",
            Self::Share { .. } => "share",
            Self::Days { .. } => "days",
            Self::Absence { .. } | Self::Quiet { .. } => "absence",
            Self::Report(_) => "report",
            Self::Station => "station",
        }
    }

    /// Whether it is about silence: then every word of every device concerns it.
    pub fn is_about_silence(&self) -> bool {
        matches!(self, Self::Absence { .. } | Self::Quiet { .. })
    }

    /// Which events concern it; none for a condition that hears only whether somebody speaks.
    pub fn matchers(&self) -> Vec<&Matcher> {
        match self {
            Self::Match(matcher)
            | Self::Count { matcher, .. }
            | Self::Independent { matcher, .. }
            | Self::Held { matcher, .. }
            | Self::Threshold { matcher, .. }
            | Self::Fleeting { matcher, .. }
            | Self::Share { matcher, .. }
            | Self::Days { matcher, .. }
            | Self::Quiet { matcher, .. } => vec![matcher],
            Self::Sequence { steps, .. } => steps.iter().map(|step| &step.matcher).collect(),
            Self::Absence { .. } | Self::Report(_) | Self::Station => Vec::new(),
        }
    }

    /// The matcher of a step; all but sequences have one step.
    pub(super) fn matcher(&self, step: u8) -> Option<&Matcher> {
        match self {
            Self::Sequence { steps, .. } => steps.get(usize::from(step)).map(|s| &s.matcher),
            Self::Match(matcher)
            | Self::Count { matcher, .. }
            | Self::Independent { matcher, .. }
            | Self::Held { matcher, .. }
            | Self::Threshold { matcher, .. }
            | Self::Fleeting { matcher, .. }
            | Self::Share { matcher, .. }
            | Self::Days { matcher, .. }
            | Self::Quiet { matcher, .. } => Some(matcher),
            Self::Absence { .. } | Self::Report(_) | Self::Station => None,
        }
    }

    /// The number that a reading is compared with, if it is one that stands among an event's attributes by itself.
    pub(super) fn threshold(&self) -> Option<Threshold> {
        let Self::Threshold { reading, limit, .. } = self else {
            return None;
        };
        let [reading] = reading.as_slice() else {
            return None;
        };
        let (limit, rings) = match *limit {
            Limit::Below { limit, .. } => (limit, Side::Below),
            Limit::Above { limit, .. } => (limit, Side::Above),
        };
        Some(Threshold {
            reading: reading.clone(),
            limit,
            rings,
        })
    }

    /// Whether something is looked up on the watch list.
    pub(super) fn watches(&self) -> bool {
        self.matchers().iter().any(|m| m.watch_list)
    }
}

/// How urgent an alarm is: by the hour, and more urgent than that where place, number or plate say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgency {
    /// Outside the hours below.
    pub always: Severity,
    /// At these hours of the community's clock, the first that fits.
    pub hours: Vec<(Hours, Severity)>,
    /// In zones of these kinds, if that is more urgent.
    pub zones: Vec<(ZoneKind, Severity)>,
    /// From this many on, if that is more urgent.
    pub counts: Vec<(u64, Severity)>,
    /// When what is watched is flagged violent, if that is more urgent.
    pub violent: Option<Severity>,
}

impl Urgency {
    /// The most urgent that it can be, wherever and whenever.
    pub fn most_urgent(&self) -> Severity {
        let hours = self.hours.iter().map(|(_, severity)| *severity);
        let zones = self.zones.iter().map(|(_, severity)| *severity);
        let counts = self.counts.iter().map(|(_, severity)| *severity);
        let others = hours.chain(zones).chain(counts).chain(self.violent);
        others.fold(self.always, Severity::min)
    }

    /// How urgent in a place, with so many, at a time of day, which is asked for only if it matters.
    pub(super) fn at(
        &self,
        time: impl Fn() -> Time,
        zone: Option<ZoneKind>,
        count: u64,
    ) -> Severity {
        let by_hour = self
            .hours
            .iter()
            .find(|(hours, _)| hours.contain(time()))
            .map_or(self.always, |(_, severity)| *severity);
        let by_zone = self.zones.iter().filter(|(kind, _)| Some(*kind) == zone);
        let by_count = self.counts.iter().filter(|(from, _)| count >= *from);
        let by_zone = by_zone.map(|(_, severity)| *severity);
        let by_count = by_count.map(|(_, severity)| *severity);
        by_zone.chain(by_count).fold(by_hour, Severity::min)
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
    fn a_rule_is_as_urgent_as_it_may_become() {
        let time = |h| Time::constant(h, 0, 0, 0);
        let night = Hours {
            from: time(22),
            to: time(5),
        };
        let mut urgency = Urgency {
            always: Severity::P4,
            hours: vec![(night, Severity::P3)],
            zones: Vec::new(),
            counts: Vec::new(),
            violent: None,
        };
        assert_eq!(urgency.most_urgent(), Severity::P3);
        urgency.counts.push((3, Severity::P2));
        assert_eq!(urgency.most_urgent(), Severity::P2);
        urgency.violent = Some(Severity::P1);
        assert_eq!(urgency.most_urgent(), Severity::P1);
    }

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
