//! Whoever guesses is slowed: each wrong secret from an address makes the answer to the next one later. The right secret is never made to
//! wait, so that nobody can keep a smoke sensor out by guessing in its name; secrets have 256 random bits, so slowing is all it takes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Wrong secrets in a row that cost no more than the first delay: people mistype, and a device with an old secret comes back a few times.
const FREE: u32 = 5;
/// How long an answer is held back at first; it doubles with each wrong secret.
const DELAY_FIRST: Duration = Duration::from_millis(250);
/// The connection ends soon after this anyway.
const DELAY_MAX: Duration = Duration::from_secs(4);
/// Forgotten after so long without a wrong secret.
const FORGET: Duration = Duration::from_mins(10);
/// Addresses that are remembered; when there are more, the older half is forgotten.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Wrong {
    times: u32,
    last: Instant,
}

/// Who guessed wrongly of late.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    wrong: Mutex<HashMap<IpAddr, Wrong>>,
}

impl Guesses {
    /// A wrong secret came from an address: how long the answer is to be held back.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) -> Duration {
        let mut wrong = self.wrong.lock();
        if wrong.len() >= REMEMBERED_MAX {
            wrong.retain(|_, w| now.duration_since(w.last) < FORGET);
        }
        if wrong.len() >= REMEMBERED_MAX {
            let mut ages: Vec<_> = wrong.values().map(|w| w.last).collect();
            let middle = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(middle);
            let median = *median;
            wrong.retain(|_, w| w.last > median);
        }
        let entry = wrong.entry(address).or_insert(Wrong {
            times: 0,
            last: now,
        });
        if now.duration_since(entry.last) >= FORGET {
            entry.times = 0;
        }
        entry.times = entry.times.saturating_add(1);
        entry.last = now;
        let doublings = entry.times.saturating_sub(FREE).min(16);
        DELAY_FIRST.saturating_mul(1 << doublings).min(DELAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))
    }

    #[test]
    fn the_answer_to_a_guesser_comes_later_each_time_and_to_others_as_before() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let delays: Vec<_> = (0..12)
            .map(|_| guesses.wrong(address(1), start).as_millis())
            .collect();
        let expected = [
            250, 250, 250, 250, 250, 500, 1000, 2000, 4000, 4000, 4000, 4000,
        ];
        assert_eq!(delays, expected);
        assert_eq!(guesses.wrong(address(2), start), DELAY_FIRST);
        assert_eq!(
            guesses.wrong(address(1), start + FORGET),
            DELAY_FIRST,
            "not for ever"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stay() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let last = 25_000;
        for n in 0..=last {
            guesses.wrong(address(n), start + Duration::from_millis(n.into()));
            assert!(guesses.wrong.lock().len() <= REMEMBERED_MAX);
        }
        assert!(guesses.wrong.lock().contains_key(&address(last)));
    }
}
