//! Fetches pictures that events name by an address: only from places that the configuration lists for the bridge that told of them, one at a time,
//! behind everything else. Nothing is fetched where nothing is listed.
//!
//! What a device says decides nothing here but the rest of the path: scheme, host and port are those of a listed place; no redirect is followed; a
//! name that leads to this machine, to a link-local address or to a cloud's metadata is refused unless that very address is listed; the connection
//! goes to the address that was looked at. Addresses are told to no log, they may hold a secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use futures::StreamExt as _;
use jiff::SignedDuration;
use reqwest::{Url, redirect};
use sha2::{Digest as _, Sha256};
use store::photos::{PHOTO_BYTES_MAX, PhotoError, Room, SentFor};
use store::state::{NewSnapshot, SnapshotFetch, State, StateError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::adapters::Bridges;
use crate::clock::Clock;
use crate::pipeline::snapshots::{code_of, kept_of};

/// How often it is looked for what is due.
const TICK: Duration = Duration::from_millis(500);
/// How long a connection may take, and the whole.
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(10);
/// Pictures of one round.
const ROUND: u32 = 16;
/// How long it waits after each try; after the last one it is given up.
const WAITS_S: [i64; 3] = [2, 15, 60];
/// What has waited longer is not fetched any more: the camera shows something else by now.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// A place from which pictures may be fetched: `http://10.20.0.7:80/` with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Url);

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hint = "hint: as in \"http://10.20.0.7:80/\"";
        let url = Url::parse(text).map_err(|e| format!("`fetch`: {e} ({hint})"))?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_plain || !url.path().ends_with('/') {
            return Err(format!(
                "`fetch`: a place has a scheme, a host, a port if it is another, and a path that ends with `/`, nothing else ({hint})"
            ));
        }
        Ok(Self(url))
    }
}

impl Place {
    /// Whether an address lies in it. One with a name and password in it lies nowhere.
    fn holds(&self, url: &Url) -> bool {
        let Self(place) = self;
        url.scheme() == place.scheme()
            && url.host() == place.host()
            && url.port_or_known_default() == place.port_or_known_default()
            && url.path().starts_with(place.path())
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// The address that it names, where it is no name.
    fn address(&self) -> Option<IpAddr> {
        literal(&self.0)
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// The address as it is fetched, if one of the places holds it.
pub fn allowed(places: &[Place], text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    places.iter().any(|place| place.holds(&url)).then_some(url)
}

/// Whether an address leads where no camera is: this machine, the link, nowhere, everybody, a cloud's metadata.
fn is_dangerous(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.octets()[0] == 0
                || v4 == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(v6) => {
            let inner = v6.to_ipv4_mapped().or_else(|| v6.to_ipv4());
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || inner.is_some_and(|v4| is_dangerous(v4.into()))
        }
    }
}

/// Why a picture was not fetched.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    /// It may work later.
    Later(&'static str),
    /// It will not.
    Never(&'static str),
}

/// Everything that it works with.
pub struct Fetcher {
    /// What is due, and where it is written.
    pub state: State,
    /// Where the files go.
    pub photos: Room,
    /// Which places are listed.
    pub bridges: Arc<Bridges>,
    /// The hub's clock.
    pub clock: Clock,
}

impl Fetcher {
    /// Fetches until the hub stops.
    ///
    /// # Errors
    /// None: what cannot be fetched or written now is due again.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(TICK) => {}
            }
            let due = match self.state.fetches_due(self.clock.now(), ROUND).await {
                Ok(due) => due,
                Err(e) => {
                    warn!(error = %e, "pictures to be fetched cannot be looked up now, it is tried again");
                    continue;
                }
            };
            for fetch in due {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    done = self.one(&fetch) => if let Err(e) = done {
                        warn!(error = %e, "what was fetched cannot be written now, it is tried again");
                    }
                }
            }
        }
    }

    async fn one(&self, fetch: &SnapshotFetch) -> Result<(), StateError> {
        let now = self.clock.now();
        let outcome = if now.duration_since(fetch.received_at) > LATE {
            Err(Failed::Never("late"))
        } else {
            self.bytes(fetch).await
        };
        let device = &fetch.device;
        let (name, kept, pinned) = match outcome {
            Ok(bytes) => {
                let name = hex::encode(Sha256::digest(&bytes));
                let kept = self
                    .photos
                    .keep_bytes(&bytes, &name, SentFor::Snapshot, now);
                match kept.await {
                    Ok((pinned, kept)) => (name, Ok(kept_of(kept)), Some(pinned)),
                    Err(PhotoError::NoRoom) if fetch.tries < 2 => {
                        return self.later(fetch, now).await;
                    }
                    Err(e) => (name, Err(code_of(&e)), None),
                }
            }
            Err(Failed::Later(why)) if (fetch.tries as usize) < WAITS_S.len() => {
                debug!(device.id = %device, fetch.failed = why, "a picture is fetched later");
                return self.later(fetch, now).await;
            }
            Err(Failed::Later(why) | Failed::Never(why)) => {
                warn!(device.id = %device, fetch.failed = why, "a picture was not fetched");
                let name = hex::encode(Sha256::digest(fetch.url.as_bytes()));
                (name, Err("not_fetched"), None)
            }
        };
        let outcome = if kept.is_ok() { "kept" } else { "refused" };
        metrics::counter!("hub_snapshots_fetched_total", "outcome" => outcome).increment(1);
        let snapshot = NewSnapshot {
            device: fetch.device.clone(),
            site: fetch.site.clone(),
            name,
            seq: fetch.seq,
            word: None,
            shows: fetch.shows,
            received_at: fetch.received_at,
            kept,
        };
        self.state.fetched(fetch, &snapshot).await?;
        if let Some(pinned) = pinned {
            pinned.named();
        }
        Ok(())
    }

    async fn later(&self, fetch: &SnapshotFetch, now: Timestamp) -> Result<(), StateError> {
        let wait = WAITS_S.get(fetch.tries as usize).copied().unwrap_or(60);
        let next_at = now.saturating_add(SignedDuration::from_secs(wait));
        self.state.fetch_later(fetch, next_at.unwrap_or(now)).await
    }

    /// The bytes that are at the address, if it may be asked at all: the list may have changed since it was put down.
    async fn bytes(&self, fetch: &SnapshotFetch) -> Result<Vec<u8>, Failed> {
        let bridge = self.bridges.by_account.get(&fetch.account);
        let places = bridge.map_or(&[][..], |bridge| &bridge.fetch);
        let url = allowed(places, &fetch.url).ok_or(Failed::Never("not listed"))?;
        tokio::time::timeout(WHOLE, ask(places, url))
            .await
            .map_err(|_| Failed::Later("too slow"))?
    }
}

/// Asks an address that a place holds, once.
async fn ask(places: &[Place], url: Url) -> Result<Vec<u8>, Failed> {
    let address = look_up(places, &url).await?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        // asked a second time, the name might lead elsewhere
        .resolve(&host, address)
        .build()
        .map_err(|_| Failed::Later("no client"))?;
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|_| Failed::Later("no answer"))?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(Failed::Never("sent elsewhere"));
    }
    if status.is_client_error() {
        return Err(Failed::Never("refused"));
    }
    if status != reqwest::StatusCode::OK {
        return Err(Failed::Later("no picture yet"));
    }
    if answer
        .content_length()
        .is_some_and(|length| length > PHOTO_BYTES_MAX)
    {
        return Err(Failed::Never("too large"));
    }
    let (mut bytes, mut pieces) = (Vec::new(), answer.bytes_stream());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Failed::Later("cut off"))?;
        if (bytes.len() + piece.len()) as u64 > PHOTO_BYTES_MAX {
            return Err(Failed::Never("too large"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Where the connection goes: the first address of the host, if none of its addresses is a dangerous one that is not listed itself.
async fn look_up(places: &[Place], url: &Url) -> Result<SocketAddr, Failed> {
    let port = url
        .port_or_known_default()
        .ok_or(Failed::Never("no port"))?;
    let listed: Vec<IpAddr> = places.iter().filter_map(Place::address).collect();
    let addresses: Vec<SocketAddr> = if let Some(address) = literal(url) {
        vec![SocketAddr::new(address, port)]
    } else {
        let host = url.host_str().ok_or(Failed::Never("no host"))?;
        let found = tokio::net::lookup_host((host, port)).await;
        found.map_err(|_| Failed::Later("unknown host"))?.collect()
    };
    let is_bad = |found: &SocketAddr| is_dangerous(found.ip()) && !listed.contains(&found.ip());
    if addresses.iter().any(is_bad) {
        return Err(Failed::Never("a dangerous address"));
    }
    addresses
        .first()
        .copied()
        .ok_or(Failed::Later("unknown host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(texts: &[&str]) -> Vec<Place> {
        let parsed = texts.iter().map(|text| text.parse());
        parsed.collect::<Result<_, _>>().expect("places")
    }

    #[test]
    fn an_address_is_asked_only_below_a_place_that_is_listed() {
        let places = places(&["http://10.20.0.7:80/pic/", "https://nvr.example/"]);
        let check = |text: &str, expect: bool| {
            assert_eq!(allowed(&places, text).is_some(), expect, "{text}");
        };
        check("http://10.20.0.7/pic/1.jpg?x=1", true);
        check("HTTP://10.20.0.7:80/pic/1.jpg", true);
        check("https://nvr.example/api/1.jpg", true);
        check("https://NVR.example:443/api/1.jpg", true);
        for elsewhere in [
            "http://10.20.0.7/other/1.jpg",
            "http://10.20.0.7/pic/../other/1.jpg",
            "http://10.20.0.7/pic/%2e%2e/other/1.jpg",
            "http://10.20.0.7/pic",
            "http://10.20.0.7:8080/pic/1.jpg",
            "https://10.20.0.7/pic/1.jpg",
            "http://10.20.0.70/pic/1.jpg",
            "http://10.20.0.7.example/pic/1.jpg",
            "http://user:word@10.20.0.7/pic/1.jpg",
            "http://10.20.0.7@evil.example/pic/1.jpg",
            "http://nvr.example/1.jpg",
            "ftp://10.20.0.7/pic/1.jpg",
            "file:///pic/1.jpg",
            "//10.20.0.7/pic/1.jpg",
            "",
        ] {
            check(elsewhere, false);
        }
        assert_eq!(allowed(&[], "http://10.20.0.7/pic/1.jpg"), None);
    }

    #[test]
    fn a_place_is_scheme_host_port_and_path_and_nothing_else() {
        for bad in [
            "10.20.0.7",
            "http://10.20.0.7/pic",
            "http://a:b@10.20.0.7/",
            "http://10.20.0.7/?x=1",
            "ftp://10.20.0.7/",
            "",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn addresses_of_this_machine_of_the_link_and_of_metadata_are_asked_only_when_they_are_listed()
     {
        let listed = places(&["http://10.20.0.7/", "http://127.0.0.1:8080/"]);
        let leads = async |text: &str| {
            let url = Url::parse(text).expect("an address");
            look_up(&listed, &url).await.map(|to| to.to_string())
        };
        assert_eq!(
            leads("http://10.20.0.7/").await,
            Ok("10.20.0.7:80".to_owned())
        );
        assert_eq!(
            leads("http://127.0.0.1:8080/").await,
            Ok("127.0.0.1:8080".to_owned())
        );
        for bad in [
            "http://127.0.0.2/",
            "http://0.0.0.0/",
            "http://0x7f.2/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.100.100.200/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.2]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://[::]/",
        ] {
            let refused = Err(Failed::Never("a dangerous address"));
            assert_eq!(leads(bad).await, refused, "{bad}");
        }
        let unlisted = places(&["http://localhost:1/"]);
        let url = Url::parse("http://localhost:1/").expect("an address");
        let refused = Err(Failed::Never("a dangerous address"));
        assert_eq!(look_up(&unlisted, &url).await, refused, "by its name");
    }
}
