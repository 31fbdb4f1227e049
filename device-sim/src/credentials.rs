//! Who the simulated devices are: ids, classes and secrets, as the hub hands them out in `demo.json`.

use std::path::Path;

use domain::{DeviceClass, DeviceId, SiteId};
use serde::Deserialize;

/// Where a device's heartbeat is not told, it is taken for one of the impatient, so that no rule finds it silent.
const HEARTBEAT_S: u32 = 10;
/// A credentials file larger than this is a mistake, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// One simulated device and the secret it logs in with.
#[derive(Clone, Deserialize)]
pub struct SimDevice {
    /// Its id, also the MQTT client id.
    pub id: DeviceId,
    /// Its site: the second word of its topics.
    pub site: SiteId,
    /// What it is; decides what it says in the background.
    pub class: DeviceClass,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: String,
    /// It speaks at least this often, in seconds; 10 where the file does not say.
    #[serde(default = "default_heartbeat_s")]
    pub heartbeat_s: u32,
}

impl std::fmt::Debug for SimDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the password never prints
        f.debug_struct("SimDevice")
            .field("id", &self.id)
            .field("site", &self.site)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

fn default_heartbeat_s() -> u32 {
    HEARTBEAT_S
}

/// What the simulator needs of the hub's `demo.json`; its other members are none of our business.
#[derive(Debug, Clone, Deserialize)]
pub struct Credentials {
    /// Where devices connect: `mqtt://127.0.0.1:1883`.
    #[serde(default)]
    pub mqtt: Option<String>,
    /// The devices.
    pub devices: Vec<SimDevice>,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what the hub writes.
    #[error("`{path}` is not a credentials file (hint: the hub writes one as demo.json)")]
    Parse {
        /// Which file.
        path: String,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// An address that is none.
    #[error("`{0}` is not an MQTT address (hint: mqtt://127.0.0.1:1883 or 127.0.0.1:1883)")]
    Address(String),
}

impl Credentials {
    /// Reads the hub's file, at most 64 MiB of it.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let read = |source| CredentialsError::Read {
            path: path.display().to_string(),
            source,
        };
        let length = std::fs::metadata(path).map_err(read)?.len();
        if length > FILE_BYTES_MAX {
            return Err(read(std::io::Error::other(format!(
                "{length} bytes are more than {FILE_BYTES_MAX}"
            ))));
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        serde_json::from_str(&text).map_err(|source| CredentialsError::Parse {
            path: path.display().to_string(),
            source,
        })
    }
}

/// Host and port of `mqtt://host:port`, `tcp://host:port` or `host:port`; the port is 1883 where it is left out.
pub fn broker_address(url: &str) -> Result<(String, u16), CredentialsError> {
    let bad = || CredentialsError::Address(url.to_owned());
    let rest = match url.split_once("://") {
        Some(("mqtt" | "tcp", rest)) => rest.trim_end_matches('/'),
        Some(_) => return Err(bad()),
        None => url,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (rest, 1883),
    };
    if host.is_empty() || host.contains(['/', '@', ' ']) || port == 0 {
        return Err(bad());
    }
    Ok((
        host.trim_matches(|c| matches!(c, '[' | ']')).to_owned(),
        port,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hubs_file_reads_and_what_is_not_ours_is_passed_over() {
        let text = r#"{"http": "http://127.0.0.1:8080", "mqtt": "mqtt://127.0.0.1:1883", "users": [{"role": "operator"}],
            "devices": [{"id": "smoke-1", "site": "q1", "class": "fire_sensor", "username": "smoke-1", "password": "geheim", "x": 1}],
            "integration": {"username": "i", "password": "p"}}"#;
        let credentials: Credentials = serde_json::from_str(text).expect("reads");
        assert_eq!(credentials.devices[0].id.as_str(), "smoke-1");
        assert_eq!(credentials.devices[0].heartbeat_s, HEARTBEAT_S);
        assert!(!format!("{credentials:?}").contains("geheim"));
    }

    #[test]
    fn addresses_read_with_and_without_scheme() {
        let check = |text: &str, expect: Option<(&str, u16)>| {
            let found = broker_address(text).ok();
            assert_eq!(
                found,
                expect.map(|(host, port)| (host.to_owned(), port)),
                "{text}"
            );
        };
        check("mqtt://127.0.0.1:1884", Some(("127.0.0.1", 1884)));
        check("tcp://hub.example:1883/", Some(("hub.example", 1883)));
        check("localhost", Some(("localhost", 1883)));
        check("[::1]:1883", Some(("::1", 1883)));
        check("http://127.0.0.1:80", None);
        check("127.0.0.1:99999", None);
        check(":1883", None);
        check("127.0.0.1:0", None);
    }
}
