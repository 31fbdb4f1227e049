//! What a configuration must hold before a port opens: ranges, and settings that need each other.

use std::path::Path;

use anyhow::{Context as _, bail};
use dashboard_api::oidc;

use super::{Config, Http};
use crate::listener::{ClientCertificates, Origins};

/// All of it, the first mistake first.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
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
