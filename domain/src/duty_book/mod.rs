//! The duty book (值班日志): what is written when so many hours are over, and how a shift hands over to the next. Pure; the store fills it.

use jiff::SignedDuration;

use crate::incident::words;
use crate::{Timestamp, UserId};

/// A line that is written later than this after its hours is late.
pub const LATE_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// A handover is on time when both have signed within so long before or after the change of shift: whoever goes can still be asked what
/// a line means, and nobody sits for longer at a board that they have not taken over.
pub const ON_TIME_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// Most lines that are made up for at a time.
const LINES_MAX: usize = 64;

words!(
    /// Where a handover stands.
    HandoverState, "state of a handover":
    /// Written, signed by nobody: it is written anew when it is asked for again.
    Prepared = "prepared",
    /// Those who go have signed: the text is frozen.
    Signed = "signed",
    /// Those who come have signed too.
    Complete = "complete",
);

/// Hours of the book, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub to: Timestamp,
}

impl Hours {
    /// Those that an instant lies in: whole multiples since 1970 in UTC, which are even hours of the wall clock in China.
    pub fn around(at: Timestamp, every: SignedDuration) -> Self {
        let every_s = every.as_secs().max(1);
        let from = at.as_second().div_euclid(every_s) * every_s;
        let second = |s| Timestamp::from_second(s).unwrap_or(at);
        Self {
            from: second(from),
            to: second(from + every_s),
        }
    }

    /// Whether a line written now is late.
    pub fn is_late(self, now: Timestamp) -> bool {
        now.duration_since(self.to) > LATE_AFTER
    }
}

/// The hours that are over and not written, the oldest first; at most 64, the rest are due again at once. `written_to`: the book is
/// written until then.
pub fn due(written_to: Timestamp, now: Timestamp, every: SignedDuration) -> Vec<Hours> {
    let mut hours = Vec::new();
    let mut from = written_to;
    while hours.len() < LINES_MAX {
        // a change of the setting makes one line that is shorter or longer
        let to = Hours::around(from, every).to;
        if to > now || to <= from {
            break;
        }
        hours.push(Hours { from, to });
        from = to;
    }
    hours
}

/// A handover from one shift to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Where it stands.
    pub state: HandoverState,
    /// Who went, and when they signed.
    pub outgoing: Option<(UserId, Timestamp)>,
    /// Who came, and when they signed.
    pub incoming: Option<(UserId, Timestamp)>,
}

/// Why somebody cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// P1 that nobody has acknowledged.
    #[error(
        "nobody has acknowledged {} (hint: acknowledge first, then sign)",
        numbers(.0)
    )]
    Unacknowledged(Vec<u64>),
    /// One person is two.
    #[error("whoever goes has signed with this log-in (hint: whoever comes signs with their own)")]
    SamePerson,
    /// Both have signed.
    #[error("both have signed already")]
    Complete,
}

fn numbers(of: &[u64]) -> String {
    let numbers: Vec<String> = of.iter().map(|n| format!("#{n}")).collect();
    numbers.join(", ")
}

impl Handover {
    /// The first signature is that of those who go, the second of those who come; it completes the handover unless a P1 waits.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sign(
        self,
        by: UserId,
        at: Timestamp,
        unacknowledged_p1: Vec<u64>,
    ) -> Result<Self, Refused> {
        match (self.state, &self.outgoing) {
            (HandoverState::Complete, _) => Err(Refused::Complete),
            (HandoverState::Prepared, _) | (HandoverState::Signed, None) => Ok(Self {
                state: HandoverState::Signed,
                outgoing: Some((by, at)),
                incoming: None,
            }),
            (HandoverState::Signed, Some((outgoing, _))) if *outgoing == by => {
                Err(Refused::SamePerson)
            }
            (HandoverState::Signed, _) if !unacknowledged_p1.is_empty() => {
                Err(Refused::Unacknowledged(unacknowledged_p1))
            }
            (HandoverState::Signed, _) => Ok(Self {
                state: HandoverState::Complete,
                incoming: Some((by, at)),
                ..self
            }),
        }
    }
}

/// Whether a handover at an instant is on time for one of the changes of shift.
pub fn is_on_time(changes: &[Timestamp], at: Timestamp) -> bool {
    let near = |change: &Timestamp| at.duration_since(*change).abs() <= ON_TIME_WITHIN;
    changes.iter().any(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn every_two_hours_are_written_once_and_none_is_left_out() {
        let two = SignedDuration::from_hours(2);
        let hours = |from, to| Hours {
            from: at(from),
            to: at(to),
        };
        assert_eq!(Hours::around(at(7200), two), hours(7200, 14400));
        assert_eq!(Hours::around(at(14399), two), hours(7200, 14400));
        assert_eq!(due(at(7200), at(14399), two), []);
        assert_eq!(due(at(7200), at(14400), two), [hours(7200, 14400)]);
        let after_a_crash = due(at(7200), at(30000), two);
        assert_eq!(
            after_a_crash,
            [hours(7200, 14400), hours(14400, 21600), hours(21600, 28800)]
        );
        assert!(after_a_crash[1].is_late(at(30000)));
        assert!(!after_a_crash[2].is_late(at(29100)));
        // after years they come in turns
        assert_eq!(due(at(0), at(1_000_000_000), two).len(), LINES_MAX);
        // another setting: the first line is a short one
        let one = SignedDuration::from_hours(1);
        assert_eq!(due(at(9000), at(10800), one), [hours(9000, 10800)]);
    }

    #[test]
    fn two_people_sign_and_no_p1_waits() {
        let user = |login: &str| -> UserId { login.parse().expect("a login") };
        let new = Handover {
            state: HandoverState::Prepared,
            outgoing: None,
            incoming: None,
        };
        // whoever goes may sign while a P1 waits: completing it is what waits
        let signed = new.sign(user("wang"), at(1), vec![1001]).expect("signed");
        assert_eq!(signed.state, HandoverState::Signed);
        let again = signed.clone().sign(user("wang"), at(2), Vec::new());
        assert_eq!(again, Err(Refused::SamePerson));
        let waits = signed.clone().sign(user("li"), at(2), vec![1001, 1003]);
        let waits = waits.expect_err("refused");
        assert!(waits.to_string().contains("#1001, #1003"), "{waits}");
        let complete = signed.sign(user("li"), at(3), Vec::new()).expect("signed");
        assert_eq!(complete.incoming, Some((user("li"), at(3))));
        assert_eq!(
            complete.sign(user("chen"), at(4), Vec::new()),
            Err(Refused::Complete)
        );
    }

    #[test]
    fn a_quarter_of_an_hour_is_on_time() {
        let changes = [at(10_000)];
        for (second, on_time) in [
            (9_100, true),
            (9_099, false),
            (10_900, true),
            (10_901, false),
        ] {
            assert_eq!(is_on_time(&changes, at(second)), on_time, "{second}");
        }
        assert!(!is_on_time(&[], at(0)));
    }
}
