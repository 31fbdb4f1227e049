//! Configuration: the embedded, commented defaults, overridden by a file and by the environment, checked as a whole.
//!
//! An unknown key is an error that names the nearest known one. Nothing secret is in it: secrets come from files and from the
//! state database.

mod check;
mod load;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use dashboard_api::Proxies;
use domain::kpi::{Scoring, Thresholds, Weights};
use domain::privacy::Personal;
use domain::{Shows, SiteId, UserId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use store::state::{KpiSettings, Role};

use crate::listener::ClientCertificates;

pub use load::load;

/// The commented defaults; the reference of all settings.
pub const DEFAULTS: &str = include_str!("../../../deploy/config/gateway.toml");

/// All settings. Units are in the names; meanings are in `deploy/config/gateway.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is described beside its default in deploy/config/gateway.toml"
)]
pub struct Config {
    pub data: Data,
    pub registry: Places,
    pub rules: Folder,
    pub adapters: Folder,
    pub mqtt: Mqtt,
    pub tls: Tls,
    pub http: Http,
    pub oidc: Oidc,
    pub journal: Journal,
    pub events: Events,
    pub reports: Reports,
    pub privacy: Privacy,
    pub snapshots: Snapshots,
    pub influx: Influx,
    pub station: Station,
    pub kpi: Kpi,
    pub log: Log,
    pub probe: Probe,
    pub quarantine: Quarantine,
    pub shutdown: Shutdown,
    pub push: Push,
    /// Who speaks for other devices in their makers' formats, by MQTT account.
    #[serde(default)]
    pub bridges: BTreeMap<String, Bridge>,
}

/// `[data]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Data {
    pub dir: PathBuf,
    pub budget_bytes: u64,
    pub reserve_bytes: u64,
}

/// `[registry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Its directory; empty for what is built in.
    pub dir: PathBuf,
    /// Longest life of an entry of the watch list that is made in the dashboard, in days.
    pub watch_days_max: u32,
}

/// `[rules]`, `[adapters]`: a directory, or empty for what is built in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Folder {
    pub dir: PathBuf,
}

/// `[mqtt]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Mqtt {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "address_or_off")]
    pub tls_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "address_or_off")]
    pub ws_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "address_or_off")]
    pub wss_listen: Option<SocketAddr>,
    pub ws_origins: Vec<String>,
    pub connections_max: usize,
    pub connects_per_second_max: u32,
    pub packet_bytes_max: usize,
    pub receive_maximum: u16,
    pub publishes_per_second_max: u32,
}

/// An address, or nothing for the empty text.
fn address_or_off<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |e| D::Error::custom(format!("`{text}`: {e} (hint: as in 0.0.0.0:8883)"));
    text.parse().map(Some).map_err(wrong)
}

/// `[tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Tls {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub client_certificates: ClientCertificates,
    pub client_ca_file: PathBuf,
    pub crl_file: PathBuf,
    pub own_authority: bool,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Http {
    pub listen: SocketAddr,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub hsts_s: u64,
    pub second_factor_roles: Vec<Role>,
    pub behind_https: bool,
    pub trusted_proxies: Proxies,
}

/// `[oidc]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Oidc {
    pub issuer: String,
    pub client_id: String,
    pub client_secret_file: PathBuf,
    pub redirect: String,
    pub claim: String,
    pub users: BTreeMap<String, UserId>,
    pub label_zh: String,
    pub label_en: String,
    pub ca_file: PathBuf,
}

/// `[journal]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Journal {
    pub segment_bytes: u64,
    pub alarm_queue_bytes: usize,
    pub telemetry_queue_bytes: usize,
    pub retain_bytes: u64,
    pub reserve_bytes: u64,
}

/// `[events]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Events {
    pub retention_days: u32,
}

/// `[reports]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Reports {
    pub keep_days: u32,
}

/// `[privacy]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Privacy {
    pub plate_days: u32,
    pub credential_days: u32,
    pub person_days: u32,
    pub face_days: u32,
    pub scene_days: u32,
}

/// `[snapshots]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Snapshots {
    pub budget_bytes: u64,
}

impl Privacy {
    /// Days for which each class is kept.
    pub fn days(self) -> [(Personal, u32); 3] {
        [
            (Personal::Plate, self.plate_days),
            (Personal::Credential, self.credential_days),
            (Personal::Person, self.person_days),
        ]
    }

    /// Days for which snapshots are kept after the end of their incident, by what they show; 0: not at all.
    pub fn snapshot_days(self) -> [(Shows, u32); 3] {
        [
            (Shows::Scene, self.scene_days),
            (Shows::Plate, self.plate_days),
            (Shows::Face, self.face_days),
        ]
    }

    /// What snapshots show that are not kept at all.
    pub fn unwanted(self) -> Vec<Shows> {
        let off = self
            .snapshot_days()
            .into_iter()
            .filter(|(_, days)| *days == 0);
        off.map(|(shows, _)| shows).collect()
    }
}

/// `[influx]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Influx {
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token_file: PathBuf,
}

impl Config {
    /// How key figures are weighed: `[kpi]`, and how the duty log is kept.
    pub fn kpi_settings(&self) -> KpiSettings {
        KpiSettings {
            scoring: self.kpi.scoring(),
            seats: self.kpi.seats,
            log_every: self.station.log_every(),
        }
    }
}

/// `[station]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Station {
    pub log_every_s: u32,
}

impl Station {
    /// What a line of the duty log covers.
    pub fn log_every(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(self.log_every_s.into())
    }
}

/// `[kpi]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Kpi {
    pub response_percent: u8,
    pub solve_percent: u8,
    pub satisfaction_percent: u8,
    pub red_from_permille: u16,
    pub black_below_permille: u16,
    pub seats: u64,
}

impl Kpi {
    fn scoring(&self) -> Scoring {
        Scoring {
            weights: Weights {
                response: self.response_percent,
                solve: self.solve_percent,
                satisfaction: self.satisfaction_percent,
            },
            thresholds: Thresholds {
                red_from: self.red_from_permille,
                black_below: self.black_below_permille,
            },
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let parts = [
            self.response_percent,
            self.solve_percent,
            self.satisfaction_percent,
        ];
        let sum: u32 = parts.into_iter().map(u32::from).sum();
        if sum != 100 {
            bail!(
                "`kpi.response_percent`, `kpi.solve_percent` and `kpi.satisfaction_percent` are {sum} together (hint: 100)"
            );
        }
        if self.red_from_permille > 1000 || self.black_below_permille > self.red_from_permille {
            bail!(
                "`kpi.black_below_permille` is {} and `kpi.red_from_permille` is {} (hint: the first is not above the second, and that not above 1000)",
                self.black_below_permille,
                self.red_from_permille
            );
        }
        Ok(())
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[probe]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Probe {
    pub every_s: u64,
}

/// `[quarantine]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Quarantine {
    pub rings_for_s: u32,
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Shutdown {
    pub deadline_s: u64,
}

/// `[push]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Push {
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
}

/// `[bridges.{account}]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// The quarter that it speaks for.
    pub site: SiteId,
    /// The formats that it may speak (docs/formats.md); all of them when none is named.
    #[serde(default)]
    pub formats: Vec<String>,
    /// The wall clock of its devices that send times without an offset; the community's when it is empty.
    #[serde(default)]
    pub time_zone: String,
    /// Where panels of its one format (`gbt26875`, `sia-dc09`) connect.
    #[serde(default)]
    pub tcp: Option<SocketAddr>,
    /// Serial numbers of terminals that push over HTTP to a path of their own with `?SN=` and can carry no secret; from `networks` only.
    #[serde(default)]
    pub serials: Vec<String>,
    /// From where pictures are fetched that its messages name by an address; nowhere when it is empty.
    #[serde(default)]
    pub fetch: Vec<String>,
    /// From which networks panels, and terminals that are known by their serial number, may come.
    #[serde(default)]
    pub networks: Proxies,
    /// A file with the token of `OneNET`'s data push: what is not signed with it is refused. Nothing is checked when it is empty.
    #[serde(default)]
    pub onenet_token_file: PathBuf,
    /// How its devices are told something; nothing when it is not there.
    #[serde(default)]
    pub commands: Option<BridgeCommands>,
}

/// `[bridges.{account}.commands]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeCommands {
    /// `zigbee2mqtt`, `vzenith`, `shelly`: over the account's own connection; `hikvision`: over HTTP.
    pub format: String,
    /// Of zigbee2mqtt: the first levels of its topics.
    #[serde(default = "zigbee2mqtt")]
    pub topic: String,
    /// Of `hikvision`: where the device answers, `http://10.20.0.9`.
    #[serde(default)]
    pub url: String,
    /// Of `hikvision`: who we are there.
    #[serde(default)]
    pub user: String,
    /// Of `hikvision`: a file with the password.
    #[serde(default)]
    pub password_file: PathBuf,
}

fn zigbee2mqtt() -> String {
    "zigbee2mqtt".to_owned()
}
