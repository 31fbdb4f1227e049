//! How often one (rule, subject) has come lately: chattering is three times in a minute (RULES.md §6.3, after ISA-18.2).

use jiff::SignedDuration;

use crate::Timestamp;

/// Three raises within this time chatter.
pub const CHATTER_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// An alarm that chatters annunciates once in this time, and is quiet again after this time without a raise.
pub const CHATTER_QUIET: SignedDuration = SignedDuration::from_mins(10);
/// A condition that held for less than this was fleeting.
pub const FLEETING: SignedDuration = SignedDuration::from_secs(30);

/// The latest raises of one (rule, subject).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The latest.
    pub last: Option<Timestamp>,
    /// The one before.
    pub before_last: Option<Timestamp>,
    /// It has chattered since.
    pub chattering_since: Option<Timestamp>,
    /// When it last opened an incident.
    pub annunciated_at: Option<Timestamp>,
}

impl Tally {
    /// It came again.
    #[must_use]
    pub fn raise(self, at: Timestamp) -> Self {
        let is_third = self
            .before_last
            .is_some_and(|third| at.duration_since(third) <= CHATTER_WITHIN);
        Self {
            last: Some(at),
            before_last: self.last,
            chattering_since: self.chattering_since.or(is_third.then_some(at)),
            ..self
        }
    }

    /// Until when a further annunciation at `at` is held back.
    pub fn quiet_until(&self, at: Timestamp) -> Option<Timestamp> {
        self.chattering_since?;
        let until = later(self.annunciated_at?, CHATTER_QUIET);
        (at < until).then_some(until)
    }

    /// When it is forgotten unless it comes again.
    pub fn forgotten_at(&self) -> Timestamp {
        self.last
            .map_or(Timestamp::MIN, |last| later(last, CHATTER_QUIET))
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    #[test]
    fn three_raises_in_a_minute_chatter() {
        for (raises, chatters_from) in [
            (&[0][..], None),
            (&[0, 1], None),
            (&[0, 30, 60], Some(60)),
            (&[0, 30, 61], None),
            (&[0, 30, 61, 90], Some(90)),
            (&[0, 1, 2, 3, 500], Some(2)),
        ] {
            let tally = raises
                .iter()
                .fold(Tally::default(), |tally, second| tally.raise(at(*second)));
            assert_eq!(tally.chattering_since, chatters_from.map(at), "{raises:?}");
        }
    }

    #[test]
    fn what_chatters_rings_once_in_ten_minutes() {
        let chattering = Tally {
            chattering_since: Some(at(60)),
            annunciated_at: Some(at(0)),
            ..Tally::default()
        };
        let calm = Tally {
            chattering_since: None,
            ..chattering
        };
        let never_rang = Tally {
            annunciated_at: None,
            ..chattering
        };
        for (tally, second, until) in [
            (chattering, 61, Some(600)),
            (chattering, 599, Some(600)),
            (chattering, 600, None),
            (calm, 61, None),
            (never_rang, 61, None),
        ] {
            assert_eq!(tally.quiet_until(at(second)), until.map(at), "{second}");
        }
    }
}
