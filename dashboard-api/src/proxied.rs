//! Whose request it is behind a proxy: of those whom the settings trust, the word about who asked is taken; of nobody else.
//!
//! Each proxy appends to `X-Forwarded-For` from whom it had the request, so that the header is read from its right end: what stands left of
//! the first address that is no proxy of ours anybody can have written.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Deserializer, de};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, or a network as in `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let same = |ours: u128, theirs: u128, width: u8| {
            let shift = u32::from(width - self.bits);
            ours.checked_shr(shift) == theirs.checked_shr(shift)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(u32::from(ours).into(), u32::from(theirs).into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(ours.into(), theirs.into(), 128),
            _ => false,
        }
    }
}

/// Not a network.
#[derive(Debug, PartialEq, Eq)]
struct BadNetwork(String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is neither an address nor a network (hint: as in 192.0.2.10 or 10.0.0.0/8; a network of everybody is none)"
        )
    }
}

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.chars().take(60).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            Some(bits) => bits.parse().map_err(|_| bad())?,
            None => width,
        };
        // who trusts everybody believes whatever is written
        if !(1..=width).contains(&bits) {
            return Err(bad());
        }
        Ok(Self { address, bits })
    }
}

/// The proxies whose word is taken; none when not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

impl<'de> Deserialize<'de> for Proxies {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let networks = texts.iter().filter(|text| !text.is_empty());
        let networks: Result<_, _> = networks.map(|text| text.trim().parse()).collect();
        networks.map(Self).map_err(de::Error::custom)
    }
}

impl Proxies {
    /// Whether an address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who asked: the peer, unless that is one of the proxies; then the rightmost address that is none. Where the header has no such address,
    /// or one that cannot be read, it is the proxy that is farthest from here.
    fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut caller = peer;
        if !self.contain(caller) {
            return caller;
        }
        // several headers are one list, in their order
        let lists = headers.get_all(FORWARDED_FOR).iter();
        let lists: Vec<&str> = lists.map(|list| list.to_str().unwrap_or("?")).collect();
        for written in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            let Some(address) = address(written.trim()) else {
                return caller;
            };
            caller = address;
            if !self.contain(caller) {
                return caller;
            }
        }
        caller
    }
}

/// An address as proxies write it: some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let with_port = || text.parse::<SocketAddr>().map(|socket| socket.ip());
    let address = bare.unwrap_or(text).parse().or_else(|_| with_port());
    address.ok().map(|address| address.to_canonical())
}

/// Puts the address of whoever asked in the place of the peer's, for all that counts by address.
pub(crate) async fn see_through(
    State(proxies): State<Arc<Proxies>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let caller = proxies.caller(peer.ip(), request.headers());
        let caller = ConnectInfo(SocketAddr::new(caller, peer.port()));
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        let networks = networks.iter().map(|text| text.parse().expect("a network"));
        Proxies(networks.collect())
    }

    fn check(trusted: &[&str], peer: &str, headers: &[&str], expect: &str) {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        let peer = peer.parse().expect("an address");
        let caller = proxies(trusted).caller(peer, &map);
        assert_eq!(caller.to_string(), expect, "{trusted:?} {headers:?}");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_counts() {
        let one = &["127.0.0.1"];
        check(one, "127.0.0.1", &["198.51.100.7"], "198.51.100.7");
        // a chain of ours: the proxy at the edge, then one inside
        let two = &["127.0.0.1", "10.0.0.0/8"];
        check(
            two,
            "127.0.0.1",
            &["198.51.100.7, 10.1.2.3"],
            "198.51.100.7",
        );
        check(
            two,
            "10.9.9.9",
            &["198.51.100.7", "10.1.2.3"],
            "198.51.100.7",
        );
        check(one, "127.0.0.1", &["2001:db8::7"], "2001:db8::7");
        check(one, "127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check(one, "127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
        check(one, "::ffff:127.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check(
            &["2001:db8::/32"],
            "2001:db8::1",
            &["192.0.2.1"],
            "192.0.2.1",
        );
    }

    #[test]
    fn what_callers_write_themselves_counts_for_nothing() {
        let one = &["127.0.0.1"];
        // whoever is no proxy is believed nothing, and without the setting nobody is
        check(one, "203.0.113.5", &["198.51.100.7"], "203.0.113.5");
        check(&[], "127.0.0.1", &["198.51.100.7"], "127.0.0.1");
        // an address that the caller sent stands left of the one that the proxy saw, in one header or in two
        let seen = "203.0.113.5";
        check(one, "127.0.0.1", &["198.51.100.7, 203.0.113.5"], seen);
        check(one, "127.0.0.1", &["198.51.100.7", "203.0.113.5"], seen);
        check(one, "127.0.0.1", &["127.0.0.1, 203.0.113.5"], seen);
        check(one, "127.0.0.1", &["x, 203.0.113.5"], seen);
        // what cannot be read at the right end is no address of anybody's
        check(one, "127.0.0.1", &["198.51.100.7, unknown"], "127.0.0.1");
        check(one, "127.0.0.1", &["198.51.100.7,"], "127.0.0.1");
        check(one, "127.0.0.1", &[""], "127.0.0.1");
        check(one, "127.0.0.1", &[], "127.0.0.1");
        // only proxies: the farthest of them asked
        check(
            &["127.0.0.1", "10.0.0.0/8"],
            "127.0.0.1",
            &["10.0.0.2, 10.0.0.1"],
            "10.0.0.2",
        );
    }

    #[test]
    fn networks_are_read_with_their_bits_and_everybody_is_none() {
        let contains = |network: &str, address: &str| {
            let network: Network = network.parse().expect("a network");
            network.contains(address.parse().expect("an address"))
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.10", "192.0.2.10"));
        assert!(!contains("192.0.2.10", "192.0.2.11"));
        assert!(contains("192.0.2.9/31", "192.0.2.8"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "10.0.0.1"));
        for bad in [
            "",
            "proxy",
            "10.0.0.0/33",
            "10.0.0.0/0",
            "::/0",
            "10.0.0.0/x",
            "10.0.0/8",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(BadNetwork(bad.to_owned())));
        }
    }
}
