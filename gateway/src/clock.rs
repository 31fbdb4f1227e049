//! The hub's clock: wall time that never goes back within a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::Timestamp;

/// Reads the wall clock with a floor: when the system clock is set back, time stands still here until it has caught up, so that
/// receive times stay in journal order and no deadline moves.
#[derive(Debug, Clone)]
pub struct Clock {
    floor_us: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that never shows a time before `floor`.
    pub fn new(floor: Timestamp) -> Self {
        Self {
            floor_us: Arc::new(AtomicI64::new(floor.as_microsecond())),
        }
    }

    /// Now, in microseconds' resolution.
    pub fn now(&self) -> Timestamp {
        let wall_us = Timestamp::now().as_microsecond();
        let before = self.floor_us.fetch_max(wall_us, Ordering::Relaxed);
        Timestamp::from_microsecond(wall_us.max(before)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_go_below_its_floor() {
        let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let clock = Clock::new(ahead);
        let first = clock.now();
        assert!(first.as_microsecond() >= ahead.as_microsecond());
        assert!(clock.now() >= first);
    }
}
