//! The hub's clock: wall time that never goes back and never jumps, so that deadlines stay where they are.
//!
//! It goes by the machine's own count of seconds since it was switched on, and follows the wall clock slowly ([`FOLLOW_ONE_IN`]). A wall clock
//! that is set forward or back is told of (`$hub/clock`, rule HUB7) and moves nothing. What was a wrong clock at the start, one that stood before
//! the last thing that the journal holds, is followed at once when it is set right: until then nothing was known of the time that had passed.
//! A journal that was written years ahead is [`set_back`](crate::set_back)'s business, with the hub stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use domain::{Lane, Timestamp};
use jiff::SignedDuration;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use store::journal::Journal;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::adapters::hub;

/// How often the wall clock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Of so many microseconds at most one is given or taken to follow the wall clock: half a minute becomes longer or shorter by 1.5 s at most.
const FOLLOW_ONE_IN: i64 = 20;
/// A wall clock that moves by more between two looks was set; one that is off by more is told of.
const STEP_US: i64 = 1_000_000;

/// Reads the time of the hub; clones read the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What is added to the machine's count to have the time.
    offset_us: AtomicI64,
    /// The latest that anybody was told: time stands still rather than going back.
    floor_us: AtomicI64,
    /// It is known to be at least that late.
    known_us: i64,
    /// The wall clock stood before `known_us` when the hub started and has not been set right since.
    is_unset: AtomicBool,
    /// The wall clock less the hub's, at the last look.
    off_us: AtomicI64,
    /// What was given and taken to follow the wall clock, since the start.
    followed_us: AtomicI64,
    /// When somebody last set the wall clock, and by how much.
    step: Mutex<Option<(Timestamp, i64)>>,
}

/// How the clock stands beside the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The system's clock less the hub's, at the last look.
    pub off_us: i64,
    /// By so much that the hub rings about it.
    pub is_off: bool,
    /// By how much the hub has followed the system's clock, since the start.
    pub followed_us: i64,
    /// When somebody last set the system's clock, and by how much.
    pub step: Option<(Timestamp, i64)>,
}

/// What a look at the wall clock found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// By how much somebody set it since the last look; zero when nobody did.
    step_us: i64,
    /// The wall clock less the hub's, after this look.
    off_us: i64,
}

impl Clock {
    /// A clock that never shows a time before `floor`, the last thing that is known to have happened.
    pub fn new(floor: Timestamp) -> Self {
        Self::at(floor.as_microsecond(), wall_us(), machine_us())
    }

    fn at(known_us: i64, wall_us: i64, machine_us: i64) -> Self {
        let inner = Inner {
            offset_us: AtomicI64::new(wall_us.max(known_us) - machine_us),
            floor_us: AtomicI64::new(known_us),
            known_us,
            is_unset: AtomicBool::new(wall_us < known_us),
            off_us: AtomicI64::new((wall_us - known_us).min(0)),
            followed_us: AtomicI64::new(0),
            step: Mutex::new(None),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Now, in microseconds' resolution.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at_machine(machine_us())).unwrap_or(Timestamp::MAX)
    }

    /// How it stands beside the system's clock.
    pub fn standing(&self) -> Standing {
        let off_us = self.inner.off_us.load(Ordering::Relaxed);
        Standing {
            off_us,
            is_off: is_off(off_us),
            followed_us: self.inner.followed_us.load(Ordering::Relaxed),
            step: *self.inner.step.lock(),
        }
    }

    fn at_machine(&self, machine_us: i64) -> i64 {
        let now_us = machine_us + self.inner.offset_us.load(Ordering::Relaxed);
        let before = self.inner.floor_us.fetch_max(now_us, Ordering::Relaxed);
        now_us.max(before)
    }

    /// Follows the wall clock a little, by what the time since the last look allows.
    fn look(&self, last: (i64, i64), wall_us: i64, machine_us: i64) -> Look {
        let (last_wall_us, last_machine_us) = last;
        let passed_us = machine_us - last_machine_us;
        let moved_us = wall_us - last_wall_us - passed_us;
        let offset_us = self.inner.offset_us.load(Ordering::Relaxed);
        let off_us = wall_us - machine_us - offset_us;
        let follow_us = if wall_us < self.inner.known_us {
            // it cannot be that early: such a clock is not worth following
            0
        } else if self.inner.is_unset.swap(false, Ordering::Relaxed) && off_us > 0 {
            off_us
        } else {
            let most_us = (passed_us / FOLLOW_ONE_IN).max(0);
            off_us.clamp(-most_us, most_us)
        };
        self.inner
            .offset_us
            .store(offset_us + follow_us, Ordering::Relaxed);
        let look = Look {
            step_us: if moved_us.abs() > STEP_US {
                moved_us
            } else {
                0
            },
            off_us: off_us - follow_us,
        };
        self.inner.off_us.store(look.off_us, Ordering::Relaxed);
        self.inner
            .followed_us
            .fetch_add(follow_us, Ordering::Relaxed);
        if look.step_us != 0 {
            let at = Timestamp::from_microsecond(self.at_machine(machine_us));
            *self.inner.step.lock() = at.ok().map(|at| (at, look.step_us));
        }
        look
    }

    /// Follows the wall clock until `stop`, and journals when it is set, when it is off and when it agrees again.
    ///
    /// # Errors
    /// None: what cannot be journalled is logged.
    pub async fn follow(self, journal: Journal, stop: CancellationToken) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = (wall_us(), machine_us());
        // what the last run said of it may be over
        let mut was_off = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            let now = (wall_us(), machine_us());
            let look = self.look(last, now.0, now.1);
            last = now;
            metrics::gauge!("hub_clock_off_seconds").set(look.off_us as f64 / 1e6);
            let is_off = is_off(look.off_us);
            if look.step_us == 0 && was_off == Some(is_off) {
                continue;
            }
            was_off = Some(is_off);
            self.tell(look, is_off, &journal).await;
        }
    }

    async fn tell(&self, look: Look, is_off: bool, journal: &Journal) {
        let (step, off) = (look.step_us / 1000, look.off_us / 1000);
        if is_off || look.step_us != 0 {
            let by = SignedDuration::from_millis(step);
            warn!(
                clock.step_ms = step,
                clock.off_ms = off,
                "the system clock was set by {by:#}; deadlines stay where they are and the hub follows slowly (hint: keep it right with NTP; a hub that starts takes it over at once)"
            );
        } else {
            info!(clock.off_ms = off, "the system clock and the hub's agree");
        }
        let level = if is_off { "off" } else { "ok" };
        let payload = json!({"level": level, "step_ms": step, "off_ms": off});
        let note = hub::note(
            self.now(),
            hub::CLOCK.to_owned(),
            0,
            payload.to_string().into_bytes(),
        );
        if let Err(e) = journal.append(Lane::Alarm, note).await {
            debug!(error = %e, "note not journalled");
        }
    }
}

fn is_off(off_us: i64) -> bool {
    off_us.abs() > STEP_US
}

fn wall_us() -> i64 {
    Timestamp::now().as_microsecond()
}

/// Since the machine was switched on, the time that it slept included: whoever waited for an answer waited through that as well.
fn machine_us() -> i64 {
    let since = clock_gettime(ClockId::Boottime);
    since.tv_sec * 1_000_000 + since.tv_nsec / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const LOOK: i64 = 250_000;
    /// A day in 2023, as the wall shows it and the journal holds it.
    const THEN: i64 = 1_700_000_000_000_000;

    /// A clock, a wall and a machine in a test's hands.
    struct Room {
        clock: Clock,
        wall: i64,
        machine: i64,
    }

    impl Room {
        fn new(known: i64, wall: i64) -> Self {
            Self {
                clock: Clock::at(known, wall, 0),
                wall,
                machine: 0,
            }
        }
        fn now(&self) -> i64 {
            self.clock.at_machine(self.machine)
        }
        /// Time passes, and somebody sets the clock meanwhile.
        fn pass(&mut self, us: i64, set: i64) -> Look {
            let last = (self.wall, self.machine);
            self.machine += us;
            self.wall += us + set;
            self.clock.look(last, self.wall, self.machine)
        }
    }

    #[test]
    fn it_does_not_go_below_its_floor() {
        let ahead = Timestamp::now() + SignedDuration::from_hours(1);
        let clock = Clock::new(ahead);
        let first = clock.now();
        assert!(first.as_microsecond() >= ahead.as_microsecond());
        assert!(clock.now() >= first);
    }

    #[test]
    fn a_step_is_told_once_and_half_a_minute_stays_half_a_minute() {
        for step in [HOUR, -HOUR, 20 * 8766 * HOUR, -24 * HOUR] {
            let mut room = Room::new(THEN - 30 * 24 * HOUR, THEN);
            room.pass(LOOK, 0);
            let before = room.now();
            assert_eq!(room.pass(LOOK, step).step_us, step);
            let mut at = before;
            for _ in 0..119 {
                assert_eq!(room.pass(LOOK, 0).step_us, 0);
                assert!(room.now() >= at, "never back");
                at = room.now();
            }
            let took = room.now() - before;
            assert!((28_500_000..=31_500_000).contains(&took), "{step}: {took}");
        }
    }

    #[test]
    fn it_follows_until_both_agree() {
        let mut room = Room::new(THEN - HOUR, THEN);
        assert_eq!(room.pass(LOOK, 10_000_000).step_us, 10_000_000);
        for _ in 0..4 * 200 {
            room.pass(LOOK, 0);
        }
        assert_eq!(room.pass(LOOK, 0).off_us, 0);
        assert_eq!(room.now(), room.wall);
        // drift as NTP corrects it is no step
        let look = room.pass(LOOK, 100);
        assert_eq!((look.step_us, look.off_us), (0, 0));
        let standing = room.clock.standing();
        let (_, by) = standing.step.expect("it was set once");
        assert_eq!(
            (standing.off_us, standing.is_off, standing.followed_us, by),
            (0, false, 10_000_100, 10_000_000)
        );
    }

    #[test]
    fn a_clock_that_was_wrong_at_the_start_is_followed_when_it_is_set_right() {
        let mut room = Room::new(THEN, HOUR);
        assert_eq!(room.now(), THEN, "what is known");
        room.pass(LOOK, 0);
        assert_eq!(room.now(), THEN + LOOK, "a clock of 1970 is not followed");
        let away = 3 * 24 * HOUR;
        let look = room.pass(LOOK, THEN + away - HOUR);
        assert_eq!(look.off_us, 0);
        assert_eq!(room.now(), room.wall);
        // from then on it is a clock like any other
        let before = room.now();
        room.pass(LOOK, HOUR);
        assert!(room.now() - before <= LOOK + LOOK / 20);
    }
}
