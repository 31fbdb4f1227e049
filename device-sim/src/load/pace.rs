//! How many messages may go out now: a token bucket, or no limit.

use std::time::Duration;

use tokio::time::Instant;

/// After a pause no more than this is caught up.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    /// Messages a second; none for as fast as the window allows.
    rate: Option<f64>,
    credit: f64,
    last: Instant,
}

impl Pace {
    /// Starts with `share` (0 to 1) of one message, so that many connections do not speak at once.
    pub(super) fn new(rate: Option<f64>, share: f64, now: Instant) -> Self {
        Self {
            rate,
            credit: share,
            last: now,
        }
    }

    /// How many messages may go out.
    pub(super) fn allowed(&mut self, now: Instant) -> u64 {
        let Some(rate) = self.rate else {
            return u64::MAX;
        };
        let most = (rate * CATCH_UP.as_secs_f64()).max(1.0);
        let earned = now.duration_since(self.last).as_secs_f64() * rate;
        self.credit = (self.credit + earned).min(most);
        self.last = now;
        self.credit as u64
    }

    /// So many have gone out.
    pub(super) fn spend(&mut self, messages: u64) {
        if self.rate.is_some() {
            self.credit -= messages as f64;
        }
    }

    /// When the next message may go out.
    pub(super) fn next_at(&self) -> Instant {
        match self.rate {
            None => self.last,
            Some(rate) => {
                let missing = (1.0 - self.credit).max(0.0) / rate;
                // a timer's tick is a millisecond; several messages then go out together
                self.last + Duration::from_secs_f64(missing).max(Duration::from_millis(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_as_many_messages_as_the_rate_says() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(250.0), 0.0, start);
        let mut sent = 0;
        for ms in (0..=1000).step_by(7) {
            let allowed = pace.allowed(start + Duration::from_millis(ms));
            pace.spend(allowed);
            sent += allowed;
        }
        assert!((247..=250).contains(&sent), "{sent}");
    }

    #[test]
    fn after_an_hour_without_connection_one_second_is_caught_up() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(100.0), 0.0, start);
        assert_eq!(pace.allowed(start + Duration::from_hours(1)), 100);
        let mut slow = Pace::new(Some(0.1), 0.0, start);
        assert_eq!(slow.allowed(start + Duration::from_hours(1)), 1);
        assert_eq!(Pace::new(None, 0.0, start).allowed(start), u64::MAX);
    }
}
