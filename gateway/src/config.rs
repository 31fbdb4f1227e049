//! Configuration: the embedded, commented defaults, overridden by a file and by the environment, checked as a whole.
//!
//! An unknown key is an error that names the nearest known one. Nothing secret is in it: secrets come from files and from the
//! state database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use dashboard_api::{Proxies, oidc};
use domain::kpi::{Scoring, Thresholds, Weights};
use domain::privacy::Personal;
use domain::{Shows, SiteId, UserId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use store::state::{KpiSettings, Role};

use crate::listener::{ClientCertificates, Origins};

/// The commented defaults; the reference of all settings.
pub const DEFAULTS: &str = include_str!("../../deploy/config/gateway.toml");

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

/// Reads defaults, file and environment, in that order of growing weight.
///
/// # Errors
/// A file that cannot be read or parsed, an unknown key (with the nearest known one), a value of the wrong type or out of range.
pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    let defaults = config::File::from_str(DEFAULTS, config::FileFormat::Toml);
    let known = known_keys();
    let mut builder = config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read configuration {}", path.display()))?;
        check_keys(&text, &known)
            .with_context(|| format!("in configuration {}", path.display()))?;
        builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
    }
    let mut environment = config::Environment::with_prefix("JIMING")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("mqtt.ws_origins")
        .with_list_parse_key("http.trusted_proxies")
        .with_list_parse_key("http.second_factor_roles");
    for (name, _) in std::env::vars_os() {
        if let Some(key) = name.to_str().and_then(|n| n.strip_prefix("JIMING__")) {
            let key = key.to_lowercase().replace("__", ".");
            // below it stand names of accounts; what stands below those is checked when it is read
            if key.starts_with("bridges.") {
                if [".formats", ".networks", ".serials", ".fetch"]
                    .iter()
                    .any(|list| key.ends_with(list))
                {
                    environment = environment.with_list_parse_key(&key);
                }
            } else if !known.contains(&key) {
                bail!(
                    "unknown setting `{key}` in the environment{}",
                    hint(&key, &known)
                );
            }
        }
    }
    let config: Config = builder.add_source(environment).build()?.try_deserialize()?;
    check(&config)?;
    Ok(config)
}

/// Every dotted key of the defaults.
fn known_keys() -> Vec<String> {
    let table: toml::Table =
        toml::from_str(DEFAULTS).expect("the embedded defaults parse: a test reads them");
    let mut keys = Vec::new();
    for (section, inner) in &table {
        for key in inner.as_table().into_iter().flat_map(toml::Table::keys) {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

fn check_keys(text: &str, known: &[String]) -> anyhow::Result<()> {
    let table: toml::Table = toml::from_str(text)?;
    for (section, inner) in &table {
        let Some(inner) = inner.as_table() else {
            bail!("unknown key `{section}`{}", hint(section, known))
        };
        // its keys are names of accounts; what stands below them is checked when it is read
        if section == "bridges" {
            continue;
        }
        for key in inner.keys() {
            let dotted = format!("{section}.{key}");
            if !known.contains(&dotted) {
                bail!("unknown key `{dotted}`{}", hint(&dotted, known));
            }
        }
    }
    Ok(())
}

/// ` (hint: did you mean …?)` with the nearest of `known`, or nothing when none is near.
fn hint(word: &str, known: &[String]) -> String {
    let nearest = known.iter().min_by_key(|k| distance(word, k));
    match nearest.filter(|k| distance(word, k) <= 1 + word.len() / 3) {
        Some(near) => format!(" (hint: did you mean `{near}`?)"),
        None => " (hint: `gateway check --print-defaults` lists every key)".to_owned(),
    }
}

/// Levenshtein distance over bytes; keys are short ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(ca != cb))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

fn check(config: &Config) -> anyhow::Result<()> {
    let in_range = |name: &str, value: u64, low: u64, high: u64| {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            bail!("`{name}` is {value} (hint: {low} to {high})")
        }
    };
    if config.data.dir.as_os_str().is_empty() {
        bail!("`data.dir` is empty (hint: a directory that only this process writes)");
    }
    in_range(
        "mqtt.connections_max",
        config.mqtt.connections_max as u64,
        1,
        1_000_000,
    )?;
    in_range(
        "mqtt.connects_per_second_max",
        config.mqtt.connects_per_second_max.into(),
        1,
        1_000_000,
    )?;
    in_range(
        "mqtt.packet_bytes_max",
        config.mqtt.packet_bytes_max as u64,
        1024,
        1 << 24,
    )?;
    in_range(
        "mqtt.receive_maximum",
        config.mqtt.receive_maximum.into(),
        1,
        65_535,
    )?;
    in_range(
        "mqtt.publishes_per_second_max",
        config.mqtt.publishes_per_second_max.into(),
        1,
        10_000_000,
    )?;
    in_range(
        "journal.segment_bytes",
        config.journal.segment_bytes,
        1 << 20,
        1 << 32,
    )?;
    in_range(
        "journal.alarm_queue_bytes",
        config.journal.alarm_queue_bytes as u64,
        1 << 17,
        1 << 32,
    )?;
    in_range(
        "journal.telemetry_queue_bytes",
        config.journal.telemetry_queue_bytes as u64,
        1 << 17,
        1 << 32,
    )?;
    in_range(
        "journal.reserve_bytes",
        config.journal.reserve_bytes,
        0,
        config.journal.segment_bytes * 1024,
    )?;
    in_range(
        "events.retention_days",
        config.events.retention_days.into(),
        1,
        36_500,
    )?;
    in_range(
        "quarantine.rings_for_s",
        config.quarantine.rings_for_s.into(),
        0,
        3600,
    )?;
    in_range(
        "reports.keep_days",
        config.reports.keep_days.into(),
        1,
        3650,
    )?;
    for (shows, days) in [
        ("face", config.privacy.face_days),
        ("scene", config.privacy.scene_days),
    ] {
        in_range(&format!("privacy.{shows}_days"), days.into(), 0, 36_500)?;
    }
    for (class, days) in config.privacy.days() {
        in_range(&format!("privacy.{class}_days"), days.into(), 1, 36_500)?;
    }
    in_range("probe.every_s", config.probe.every_s, 0, 3600)?;
    in_range("shutdown.deadline_s", config.shutdown.deadline_s, 1, 600)?;
    in_range(
        "station.log_every_s",
        config.station.log_every_s.into(),
        2,
        86_400,
    )?;
    in_range("kpi.seats", config.kpi.seats, 1, 1000)?;
    config.kpi.check()?;
    check_tls(config)?;
    check_https(&config.http)?;
    check_oidc(config)?;
    if !config.influx.url.is_empty() && config.influx.token_file.as_os_str().is_empty() {
        bail!(
            "`influx.url` is set and `influx.token_file` is not (hint: a file, mode 0600, with the API token)"
        );
    }
    Ok(())
}

/// What the settings of the dashboard's own HTTPS say of each other; the files are read later.
fn check_https(http: &Http) -> anyhow::Result<()> {
    let (certificate, key) = (&http.certificate_file, &http.key_file);
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    if is_set(certificate) != is_set(key) {
        bail!(
            "only one of `http.certificate_file` and `http.key_file` is set (hint: HTTPS needs both; `gateway certificate self-signed` makes both)"
        );
    }
    if http.hsts_s > 0 && !is_set(certificate) && !http.behind_https {
        bail!(
            "`http.hsts_s` is set and nothing speaks HTTPS (hint: set `http.certificate_file`, or `http.behind_https` for a proxy in front)"
        );
    }
    Ok(())
}

/// What the settings of the identity provider say of each other; its files are read later, and it is asked later still.
fn check_oidc(config: &Config) -> anyhow::Result<()> {
    let (oidc, http) = (&config.oidc, &config.http);
    if oidc.issuer.is_empty() {
        let others = [&oidc.client_id, &oidc.redirect];
        if others.iter().any(|text| !text.is_empty()) || !oidc.users.is_empty() {
            bail!(
                "`oidc.client_id`, `oidc.redirect` or `oidc.users` is set and `oidc.issuer` is not (hint: the address of the identity provider)"
            );
        }
        return Ok(());
    }
    oidc::trusted_url(&oidc.issuer).context("`oidc.issuer`")?;
    for (key, is_empty, hint) in [
        (
            "client_id",
            oidc.client_id.is_empty(),
            "the name under which the provider knows this hub",
        ),
        (
            "client_secret_file",
            oidc.client_secret_file.as_os_str().is_empty(),
            "a file, mode 0600, with the secret that the provider has given out",
        ),
        (
            "redirect",
            oidc.redirect.is_empty(),
            "the dashboard's address in browsers, as in https://station.example:8443",
        ),
        (
            "claim",
            oidc.claim.is_empty(),
            "the claim that names the user, as in preferred_username",
        ),
        ("label_zh", oidc.label_zh.is_empty(), "what the button says"),
        ("label_en", oidc.label_en.is_empty(), "what the button says"),
    ] {
        if is_empty {
            bail!("`oidc.issuer` is set and `oidc.{key}` is not (hint: {hint})");
        }
    }
    let redirect = oidc::origin(&oidc.redirect).context("`oidc.redirect`")?;
    let is_secure = !http.certificate_file.as_os_str().is_empty() || http.behind_https;
    if redirect.starts_with("https:") && !is_secure {
        bail!(
            "`oidc.redirect` is https and nothing speaks HTTPS (hint: set `http.certificate_file`, or `http.behind_https` for a proxy in front)"
        );
    }
    Ok(())
}

/// What the settings of TLS and WebSocket say of each other; the files are read later.
fn check_tls(config: &Config) -> anyhow::Result<()> {
    let (mqtt, tls) = (&config.mqtt, &config.tls);
    Origins::new(&mqtt.ws_origins).context("`mqtt.ws_origins`")?;
    for (setting, address) in [
        ("mqtt.tls_listen", mqtt.tls_listen),
        ("mqtt.wss_listen", mqtt.wss_listen),
    ] {
        for (file, path) in [
            ("tls.certificate_file", &tls.certificate_file),
            ("tls.key_file", &tls.key_file),
        ] {
            if address.is_some() && path.as_os_str().is_empty() {
                bail!("`{setting}` is set and `{file}` is not (hint: TLS needs both files)");
            }
        }
    }
    let has_files = !tls.client_ca_file.as_os_str().is_empty();
    let has_authorities = has_files || tls.own_authority;
    if tls.own_authority && (has_files || !tls.crl_file.as_os_str().is_empty()) {
        bail!(
            "`tls.own_authority` is on and `tls.client_ca_file` or `tls.crl_file` is set (hint: one or the other; the hub keeps the files of its own)"
        );
    }
    let has_list = !tls.crl_file.as_os_str().is_empty();
    match tls.client_certificates {
        // whoever names authorities wants certificates to be asked for
        ClientCertificates::Off if has_authorities || has_list => bail!(
            "`tls.client_ca_file`, `tls.crl_file` or `tls.own_authority` is set and `tls.client_certificates` is off (hint: \"optional\" or \"required\")"
        ),
        ClientCertificates::Optional | ClientCertificates::Required if !has_authorities => bail!(
            "`tls.client_certificates` is on and `tls.client_ca_file` is not set (hint: the authorities of client certificates, or `tls.own_authority`)"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.toml");
        std::fs::write(&path, text).expect("written");
        load(Some(&path)).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn the_embedded_defaults_are_complete_and_valid() {
        let config = load(None).expect("loads");
        assert_eq!(config.mqtt.listen.port(), 1883);
        assert_eq!(config.log.format, LogFormat::Text);
    }

    #[test]
    fn a_file_overrides_key_by_key() {
        let config = with_file("[http]\nlisten = \"0.0.0.0:9\"\n").expect("loads");
        assert_eq!(
            (config.http.listen.port(), config.mqtt.listen.port()),
            (9, 1883)
        );
    }

    #[test]
    fn mistakes_name_the_key_and_what_was_meant() {
        for (text, part) in [
            ("[http]\nlistne = \"x\"", "did you mean `http.listen`"),
            ("[kpi]\nsolve_percent = 36", "are 101 together (hint: 100)"),
            ("[kpi]\nblack_below_permille = 900", "not above the second"),
            (
                "[http]\ntrusted_proxies = [\"0.0.0.0/0\"]",
                "neither an address nor a network",
            ),
            ("[kpi]\nseats = 0", "`kpi.seats` is 0"),
            (
                "[station]\nlog_every_s = 1",
                "`station.log_every_s` is 1 (hint: 2 to 86400)",
            ),
            (
                "[htpt]\nlisten = \"127.0.0.1:1\"",
                "did you mean `http.listen`",
            ),
            ("listen = 3", "unknown key `listen`"),
            ("[http]\nlisten = \"here\"", "listen"),
            ("[mqtt]\nreceive_maximum = 0", "mqtt.receive_maximum"),
            ("[http", "in configuration"),
            ("[mqtt]\nws_listen = \"here\"", "hint: as in 0.0.0.0:8883"),
            (
                "[mqtt]\nws_origins = [\"https://a.example/x\"]",
                "`mqtt.ws_origins`: `https://a.example/x` is not an origin",
            ),
            (
                "[mqtt]\ntls_listen = \"127.0.0.1:1\"\n[tls]\nkey_file = \"k\"",
                "`mqtt.tls_listen` is set and `tls.certificate_file` is not",
            ),
            (
                "[tls]\nclient_certificates = \"required\"",
                "`tls.client_ca_file` is not set",
            ),
            (
                "[tls]\nclient_ca_file = \"ca\"",
                "`tls.client_certificates` is off",
            ),
            (
                "[http]\nkey_file = \"k\"",
                "only one of `http.certificate_file`",
            ),
            ("[http]\nhsts_s = 1", "nothing speaks HTTPS"),
            (
                "[influx]\nurl = \"http://127.0.0.1:1\"",
                "influx.token_file",
            ),
            ("[oidc]\nissuers = \"x\"", "did you mean `oidc.issuer`"),
            ("[oidc]\nclient_id = \"hub\"", "`oidc.issuer` is not"),
            ("[oidc]\nusers = { a = \"Zhou\" }", "is not an id"),
        ] {
            let error = with_file(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    /// An identity provider with everything it must have, and then these lines.
    fn with_provider(more: &str) -> Result<Config, String> {
        let mut keys: BTreeMap<&str, &str> = [
            ("issuer", "\"https://id.example\""),
            ("client_id", "\"hub\""),
            ("client_secret_file", "\"/run/secrets/oidc\""),
            ("redirect", "\"http://127.0.0.1:8080\""),
        ]
        .into();
        keys.extend(more.lines().filter_map(|line| line.split_once(" = ")));
        let lines: Vec<_> = keys.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        with_file(&format!("[oidc]\n{}\n", lines.join("\n")))
    }

    #[test]
    fn an_identity_provider_is_off_until_asked_for_and_then_whole() {
        let off = load(None).expect("loads").oidc;
        assert!(off.issuer.is_empty() && off.users.is_empty());
        let on = with_provider("users = { \"8f6c.Aa\" = \"zhou\", \"王磊\" = \"wanglei\" }");
        let on = on.expect("loads").oidc;
        assert_eq!(on.claim, "preferred_username");
        // names of others are kept letter by letter
        let users: Vec<_> = on.users.iter().map(|(n, u)| (&**n, u.as_str())).collect();
        assert_eq!(users, [("8f6c.Aa", "zhou"), ("王磊", "wanglei")]);
        for (lines, part) in [
            (
                "issuer = \"http://id.example\"",
                "`oidc.issuer`: `http://id.example` is neither https nor on this machine",
            ),
            (
                "issuer = \"id.example\"",
                "`oidc.issuer`: `id.example` is not an address",
            ),
            (
                "client_id = \"\"",
                "`oidc.client_id` is not (hint: the name",
            ),
            (
                "client_secret_file = \"\"",
                "`oidc.client_secret_file` is not (hint: a file, mode 0600",
            ),
            ("redirect = \"\"", "`oidc.redirect` is not"),
            (
                "redirect = \"http://127.0.0.1/board\"",
                "more than an origin",
            ),
            (
                "redirect = \"http://station.example\"",
                "`oidc.redirect`: `http://station.example` is neither",
            ),
            (
                "redirect = \"https://station.example\"",
                "nothing speaks HTTPS",
            ),
            ("claim = \"\"", "`oidc.claim` is not"),
            ("label_zh = \"\"", "`oidc.label_zh` is not"),
        ] {
            let error = with_provider(lines).expect_err(lines);
            assert!(error.contains(part), "{lines}: {error}");
        }
    }
}
