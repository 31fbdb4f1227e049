//! Slows down whoever guesses passwords: after five wrong ones for a log-in name or from an address, each further one doubles the
//! wait, up to a minute. Nobody is locked out for good, and nobody locks out somebody else: at an address from which somebody has
//! logged in, what others guess at the same name does not count.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Wrong passwords that cost nothing.
const FREE: u32 = 5;
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Names and addresses that are remembered; when there are more, those whose wait is over are forgotten.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// Guesses at a name, from anywhere it was never logged in from.
    Login(String),
    /// Guesses at it from where somebody has logged in with it.
    Known(String, IpAddr),
    /// Guesses at any name from a network.
    Address(IpAddr),
    /// All that find no place any more share one.
    Others,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Instant,
}

#[derive(Debug, Default)]
struct Record {
    failures: HashMap<Key, Failures>,
    /// Names with the networks from which they were logged in.
    known: HashMap<(String, IpAddr), Instant>,
}

impl Record {
    fn keys(&self, login: &str, address: IpAddr) -> [Key; 2] {
        let login: String = login.chars().take(64).collect();
        let address = network(address);
        let pair = (login, address);
        let of_name = if self.known.contains_key(&pair) {
            Key::Known(pair.0, pair.1)
        } else {
            Key::Login(pair.0)
        };
        [of_name, Key::Address(address)].map(|key| {
            let has_room = self.failures.len() < REMEMBERED_MAX || self.failures.contains_key(&key);
            if has_room { key } else { Key::Others }
        })
    }
}

/// Guesses at passwords.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    record: Mutex<Record>,
}

impl Throttle {
    /// Somebody tries a password. It counts as wrong until [`succeeded`](Self::succeeded) says otherwise, so that many at a time are no way
    /// around the wait. Says how long to wait when it may not be tried now.
    pub(crate) fn attempt(
        &self,
        login: &str,
        address: IpAddr,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut record = self.record.lock();
        if record.failures.len() >= REMEMBERED_MAX {
            record.failures.retain(|_, f| f.until + WAIT_MAX > now);
        }
        let keys = record.keys(login, address);
        let until = keys.iter().filter_map(|key| record.failures.get(key));
        if let Some(left) = until
            .map(|f| f.until.saturating_duration_since(now))
            .max()
            .filter(|left| !left.is_zero())
        {
            return Err(left);
        }
        for key in keys {
            let entry = record.failures.entry(key).or_insert(Failures {
                count: 0,
                until: now,
            });
            entry.count = entry.count.saturating_add(1);
            let doublings = entry.count.saturating_sub(FREE).min(7);
            if doublings > 0 {
                entry.until = now + Duration::from_secs(1 << (doublings - 1)).min(WAIT_MAX);
            }
        }
        Ok(())
    }

    /// It was the right one: the name starts afresh, and the address has not failed this time.
    pub(crate) fn succeeded(&self, login: &str, address: IpAddr, now: Instant) {
        let mut record = self.record.lock();
        let [of_name, of_address] = record.keys(login, address);
        record.failures.remove(&of_name);
        if let Some(failures) = record.failures.get_mut(&of_address) {
            failures.count = failures.count.saturating_sub(1);
            failures.until = now;
        }
        if record.known.len() >= REMEMBERED_MAX
            && let Some(oldest) = record.known.iter().min_by_key(|(_, at)| **at)
        {
            let oldest = oldest.0.clone();
            record.known.remove(&oldest);
        }
        let login = login.chars().take(64).collect();
        record.known.insert((login, network(address)), now);
    }

    /// It was no guess after all: something else was wrong with what came.
    pub(crate) fn withdrawn(&self, login: &str, address: IpAddr) {
        let mut record = self.record.lock();
        for key in record.keys(login, address) {
            if let Some(failures) = record.failures.get_mut(&key) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }
}

/// How much one may ask for: so much at once, and one more whenever a while has passed.
#[derive(Debug)]
pub(crate) struct Allowance<K> {
    at_once: u32,
    one_each: Duration,
    /// When one has everything back. Who is not here has everything.
    whole_at: Mutex<HashMap<Option<K>, Instant>>,
}

impl<K: Eq + Hash + Clone> Allowance<K> {
    pub(crate) fn new(at_once: u32, one_each: Duration) -> Self {
        Self {
            at_once,
            one_each,
            whole_at: Mutex::default(),
        }
    }

    /// Takes one; says how long to wait when there is none left.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut whole_at = self.whole_at.lock();
        if whole_at.len() >= REMEMBERED_MAX {
            whole_at.retain(|_, at| *at > now);
        }
        // whoever comes when all places are taken shares one with the others who do
        let key = Some(key).filter(|key| {
            let key = Some(key.clone());
            whole_at.len() < REMEMBERED_MAX || whole_at.contains_key(&key)
        });
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

/// By address: of the networks of IPv6 that one customer has, all addresses count as one.
pub(crate) type ByAddress = Allowance<IpAddr>;

impl ByAddress {
    /// As [`take`](Self::take), for the network of an address.
    pub(crate) fn take_for(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.take(network(address), now)
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
        let allowance = ByAddress::new(3, Duration::from_secs(10));
        let now = Instant::now();
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..3 {
            assert_eq!(allowance.take_for(here, now), Ok(()));
        }
        assert_eq!(allowance.take_for(here, now), Err(Duration::from_secs(10)));
        assert_eq!(allowance.take_for(there, now), Ok(()));
        let later = now + Duration::from_secs(10);
        assert_eq!(allowance.take_for(here, later), Ok(()));
        assert!(allowance.take_for(here, later).is_err());
    }

    #[test]
    fn addresses_of_one_network_count_as_one_and_the_table_has_an_end() {
        let allowance = ByAddress::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(allowance.take_for(v6("2001:db8::1"), now), Ok(()));
        assert!(allowance.take_for(v6("2001:db8::2"), now).is_err());
        assert_eq!(allowance.take_for(v6("2001:db8:0:1::1"), now), Ok(()));
        assert_eq!(allowance.take_for(v6("::ffff:192.0.2.1"), now), Ok(()));
        assert!(allowance.take_for(v6("192.0.2.1"), now).is_err());
        for n in 0..20_000_u32 {
            let _ = allowance.take_for(IpAddr::from(n.to_be_bytes()), now);
        }
        assert!(allowance.whole_at.lock().len() <= REMEMBERED_MAX + 1);
    }

    #[test]
    fn the_sixth_wrong_password_waits_and_the_wait_grows_to_a_minute() {
        let throttle = Throttle::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        let mut now = Instant::now();
        for _ in 0..5 {
            assert_eq!(throttle.attempt("wanglei", address, now), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(throttle.attempt("wanglei", address, now), Ok(()));
            let wait = throttle.attempt("wanglei", address, now);
            let wait = wait.expect_err("what came just before counts");
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        // neither another name from there nor the same name from elsewhere is free
        let elsewhere = IpAddr::from([192, 0, 2, 9]);
        let just_now = now.checked_sub(Duration::from_secs(1)).expect("a time");
        assert!(throttle.attempt("other", address, just_now).is_err());
        assert!(throttle.attempt("wanglei", elsewhere, just_now).is_err());
        throttle.succeeded("wanglei", elsewhere, now);
        assert_eq!(throttle.attempt("wanglei", elsewhere, now), Ok(()));
    }

    #[test]
    fn many_at_a_time_are_no_way_around_the_wait() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let tried = (0..100).filter(|n| {
            let address = IpAddr::from([192, 0, 2, *n]);
            throttle.attempt("wanglei", address, now).is_ok()
        });
        assert_eq!(tried.count(), 6);
    }

    #[test]
    fn who_logged_in_from_a_place_is_not_locked_out_by_guesses_from_elsewhere() {
        let throttle = Throttle::default();
        let (desk, elsewhere) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 9]));
        let now = Instant::now();
        throttle.attempt("wanglei", desk, now).expect("the first");
        throttle.succeeded("wanglei", desk, now);
        while throttle.attempt("wanglei", elsewhere, now).is_ok() {}
        assert_eq!(throttle.attempt("wanglei", desk, now), Ok(()));
        // and what is guessed there is counted there
        while throttle.attempt("wanglei", desk, now).is_ok() {}
        assert!(throttle.attempt("wanglei", desk, now).is_err());
    }

    #[test]
    fn what_was_right_or_no_guess_costs_nothing_and_the_record_has_an_end() {
        let throttle = Throttle::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let now = Instant::now();
        for _ in 0..50 {
            throttle.attempt("wanglei", address, now).expect("in time");
            throttle.succeeded("wanglei", address, now);
            throttle.attempt("device", address, now).expect("in time");
            throttle.withdrawn("device", address);
        }
        for n in 0..30_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            let _ = throttle.attempt(&n.to_string(), address, now);
            throttle.succeeded(&n.to_string(), address, now);
        }
        let record = throttle.record.lock();
        assert!(record.failures.len() <= REMEMBERED_MAX + 2);
        assert!(record.known.len() <= REMEMBERED_MAX);
    }
}
