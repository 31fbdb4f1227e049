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

/// How much somebody without a log-in may ask for, by address: so much at once, and one more whenever a while has passed. Of the networks of
/// IPv6 that one customer has, all addresses count as one.
#[derive(Debug)]
pub(crate) struct Allowance {
    at_once: u32,
    one_each: Duration,
    /// When the address has everything back. What is not here has everything.
    whole_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Allowance {
    pub(crate) fn new(at_once: u32, one_each: Duration) -> Self {
        Self {
            at_once,
            one_each,
            whole_at: Mutex::default(),
        }
    }

    /// Takes one; says how long to wait when there is none left.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut whole_at = self.whole_at.lock();
        if whole_at.len() >= REMEMBERED_MAX {
            whole_at.retain(|_, at| *at > now);
        }
        // whoever comes when all places are taken shares one with the others who do
        let mut key = network(address);
        if whole_at.len() >= REMEMBERED_MAX && !whole_at.contains_key(&key) {
            key = IpAddr::from([0, 0, 0, 0]);
        }
        let at = whole_at.get(&key).map_or(now, |at| (*at).max(now));
        let next = at + self.one_each;
        let over = next.saturating_duration_since(now + self.one_each * self.at_once);
        if over.is_zero() {
            whole_at.insert(key, next);
            Ok(())
        } else {
            Err(over)
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_spent_by_address_and_comes_back_one_by_one() {
        let allowance = Allowance::new(3, Duration::from_secs(10));
        let now = Instant::now();
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..3 {
            assert_eq!(allowance.take(here, now), Ok(()));
        }
        assert_eq!(allowance.take(here, now), Err(Duration::from_secs(10)));
        assert_eq!(allowance.take(there, now), Ok(()));
        let later = now + Duration::from_secs(10);
        assert_eq!(allowance.take(here, later), Ok(()));
        assert!(allowance.take(here, later).is_err());
    }

    #[test]
    fn addresses_of_one_network_count_as_one_and_the_table_has_an_end() {
        let allowance = Allowance::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(allowance.take(v6("2001:db8::1"), now), Ok(()));
        assert!(allowance.take(v6("2001:db8::2"), now).is_err());
        assert_eq!(allowance.take(v6("2001:db8:0:1::1"), now), Ok(()));
        assert_eq!(allowance.take(v6("::ffff:192.0.2.1"), now), Ok(()));
        assert!(allowance.take(v6("192.0.2.1"), now).is_err());
        for n in 0..20_000_u32 {
            let _ = allowance.take(IpAddr::from(n.to_be_bytes()), now);
        }
        assert!(allowance.whole_at.lock().len() <= REMEMBERED_MAX + 1);
    }

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
