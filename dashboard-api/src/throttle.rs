//! Slows down whoever guesses passwords: after five wrong ones for a log-in name or from an address, each further one doubles the
//! wait, up to a minute. Nobody is locked out for good.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Wrong passwords that cost nothing.
const FREE: u32 = 5;
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Names and addresses that are remembered; when there are more, those whose wait is over are forgotten.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, Failures>>,
}

fn keys(login: &str, address: IpAddr) -> [String; 2] {
    [
        format!("login:{}", login.chars().take(64).collect::<String>()),
        format!("address:{address}"),
    ]
}

impl Throttle {
    /// How long this log-in must wait; none when it may try now.
    pub(crate) fn wait(&self, login: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock();
        let until = keys(login, address)
            .iter()
            .filter_map(|key| failures.get(key))
            .map(|f| f.until)
            .max()?;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// A wrong password.
    pub(crate) fn failed(&self, login: &str, address: IpAddr, now: Instant) {
        let mut failures = self.failures.lock();
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, f| f.until + WAIT_MAX > now);
        }
        for key in keys(login, address) {
            let entry = failures.entry(key).or_insert(Failures {
                count: 0,
                until: now,
            });
            entry.count = entry.count.saturating_add(1);
            let doublings = entry.count.saturating_sub(FREE).min(7);
            if doublings > 0 {
                entry.until = now + Duration::from_secs(1 << (doublings - 1)).min(WAIT_MAX);
            }
        }
    }

    /// The right password: the name starts afresh, the address does not.
    pub(crate) fn succeeded(&self, login: &str, address: IpAddr) {
        let [login, _] = keys(login, address);
        self.failures.lock().remove(&login);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_wrong_password_waits_and_the_wait_grows_to_a_minute() {
        let throttle = Throttle::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        let now = Instant::now();
        for _ in 0..5 {
            throttle.failed("wanglei", address, now);
            assert_eq!(throttle.wait("wanglei", address, now), None);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            throttle.failed("wanglei", address, now);
            waits.push(throttle.wait("wanglei", address, now).map(|w| w.as_secs()));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60].map(Some));
        assert_eq!(
            throttle.wait("wanglei", address, now + Duration::from_secs(61)),
            None
        );
        let other = IpAddr::from([127, 0, 0, 2]);
        throttle.succeeded("wanglei", other);
        assert_eq!(throttle.wait("wanglei", other, now), None);
    }
}
