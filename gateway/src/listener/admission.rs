//! How many connections one address may open in a second. Bounded: the table starts anew each second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Addresses remembered in one second; more are let in uncounted rather than remembered.
const ADDRESSES_MAX: usize = 65_536;

pub(super) struct Admission {
    per_second_max: u32,
    since: Instant,
    counts: HashMap<IpAddr, u32>,
}

impl Admission {
    pub(super) fn new(per_second_max: u32) -> Self {
        Self {
            per_second_max,
            since: Instant::now(),
            counts: HashMap::new(),
        }
    }

    pub(super) fn admit(&mut self, address: IpAddr) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            self.since = Instant::now();
            self.counts.clear();
        }
        if self.counts.len() >= ADDRESSES_MAX && !self.counts.contains_key(&address) {
            return true;
        }
        let count = self.counts.entry(address).or_default();
        *count += 1;
        *count <= self.per_second_max
    }
}
