//! By what the hub is reached: certificates are read and ports are bound before any part of it runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use dashboard_api::oidc::{self, Provider};
use tokio::net::TcpListener;
use tracing::info;

use super::Misconfigured;
use crate::config::Config;
use crate::listener::{ClientCertificates, Endpoint, Kind, Origins, Tls, TlsFiles};
use crate::panels::Protocol;
use crate::{authority, bridges};

/// Bound, and what is spoken there.
pub(super) struct Ports {
    /// The TLS of the MQTT ports.
    pub(super) tls: Option<Arc<Tls>>,
    /// The TLS of the dashboard's port.
    pub(super) https: Option<Arc<Tls>>,
    /// Where people may log in besides.
    pub(super) provider: Option<Arc<Provider>>,
    /// Where devices connect, the plain one first.
    pub(super) mqtt: Vec<Endpoint>,
    /// Where browsers connect.
    pub(super) http: TcpListener,
    /// Where web hooks come.
    pub(super) push: Option<TcpListener>,
    /// Where panels connect, by the bridge's account.
    pub(super) panels: Vec<(String, Protocol, TcpListener)>,
}

impl Ports {
    /// Reads the files of TLS, then binds.
    ///
    /// # Errors
    /// [`Misconfigured`] before a port opens: a file that cannot be used. Then: a port that cannot be bound.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let (tls, https) = (tls(config)?, https(config)?);
        let provider = identity_provider(config)?;
        let mqtt = endpoints(config, tls.as_ref()).await?;
        let http = bind("http.listen", config.http.listen).await?;
        let push = match config.push.listen {
            Some(address) => Some(bind("push.listen", address).await?),
            None => None,
        };
        let panels = panel_ports(config).await?;
        Ok(Self {
            tls,
            https,
            provider,
            mqtt,
            http,
            push,
            panels,
        })
    }
}

/// The TLS of the MQTT ports, if one of them wants it.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad, or they do not fit together.
pub fn tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    if config.mqtt.tls_listen.or(config.mqtt.wss_listen).is_none() {
        return Ok(None);
    }
    let settings = &config.tls;
    let if_set = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
    let (client_ca, crl) = if settings.own_authority {
        let data = &config.data.dir;
        let files = (
            authority::certificate_file(data),
            authority::list_file(data),
        );
        (Some(files.0), Some(files.1))
    } else {
        (if_set(&settings.client_ca_file), if_set(&settings.crl_file))
    };
    let files = TlsFiles {
        section: "tls",
        certificate: settings.certificate_file.clone(),
        key: settings.key_file.clone(),
        client_certificates: settings.client_certificates,
        client_ca,
        crl,
    };
    let tls = Tls::load(files).map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(tls)))
}

/// The TLS of the dashboard's port, if it speaks it itself.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad, or they do not fit together.
pub fn https(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let http = &config.http;
    if http.certificate_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let files = TlsFiles {
        section: "http",
        certificate: http.certificate_file.clone(),
        key: http.key_file.clone(),
        client_certificates: ClientCertificates::Off,
        client_ca: None,
        crl: None,
    };
    let tls = Tls::load(files).map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(tls)))
}

/// The identity provider, if there is one. It is not asked yet.
///
/// # Errors
/// [`Misconfigured`]: a file is missing or bad.
pub fn identity_provider(config: &Config) -> anyhow::Result<Option<Arc<Provider>>> {
    let settings = &config.oidc;
    if settings.issuer.is_empty() {
        return Ok(None);
    }
    let read = |key: &str, file: &Path| {
        std::fs::read(file).map_err(|e| {
            let file = file.display();
            Misconfigured::text(format!("cannot read `oidc.{key}` {file}: {e}"))
        })
    };
    let secret = read("client_secret_file", &settings.client_secret_file)?;
    let secret = String::from_utf8(secret).unwrap_or_default();
    if secret.trim().is_empty() {
        let hint = "hint: the secret that the identity provider has given out, as text";
        let text = format!("`oidc.client_secret_file` has no secret in it ({hint})");
        return Err(Misconfigured::text(text).into());
    }
    let has_authorities = !settings.ca_file.as_os_str().is_empty();
    let authorities = has_authorities.then(|| read("ca_file", &settings.ca_file));
    let provider = Provider::new(oidc::Settings {
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        client_secret: secret.trim().to_owned(),
        redirect: settings.redirect.clone(),
        claim: settings.claim.clone(),
        users: settings.users.clone(),
        label_zh: settings.label_zh.clone(),
        label_en: settings.label_en.clone(),
        authorities: authorities.transpose()?,
    });
    let provider = provider.map_err(|e| Misconfigured::new(&e))?;
    Ok(Some(Arc::new(provider)))
}

/// Binds the ports that devices connect to; the plain one is the first.
async fn endpoints(config: &Config, tls: Option<&Arc<Tls>>) -> anyhow::Result<Vec<Endpoint>> {
    let mqtt = &config.mqtt;
    let origins = Origins::new(&mqtt.ws_origins).map_err(|e| Misconfigured::new(&e))?;
    let origins = Arc::new(origins);
    let ports = [
        ("mqtt.listen", Some(mqtt.listen), Some(Kind::Plain)),
        (
            "mqtt.tls_listen",
            mqtt.tls_listen,
            tls.map(|tls| Kind::Tls(Arc::clone(tls))),
        ),
        (
            "mqtt.ws_listen",
            mqtt.ws_listen,
            Some(Kind::WebSocket(Arc::clone(&origins))),
        ),
        (
            "mqtt.wss_listen",
            mqtt.wss_listen,
            tls.map(|tls| Kind::SecureWebSocket(Arc::clone(tls), Arc::clone(&origins))),
        ),
    ];
    let mut endpoints = Vec::new();
    for (setting, address, kind) in ports {
        if let (Some(address), Some(kind)) = (address, kind) {
            let listener = bind(setting, address).await?;
            info!(setting, mqtt.address = %listener.local_addr()?, "devices may connect");
            endpoints.push(Endpoint { listener, kind });
        }
    }
    Ok(endpoints)
}

/// Binds the ports that panels connect to.
async fn panel_ports(config: &Config) -> anyhow::Result<Vec<(String, Protocol, TcpListener)>> {
    let mut ports = Vec::new();
    for (account, said) in &config.bridges {
        let Some(address) = said.tcp else {
            continue;
        };
        let setting = format!("bridges.{account}.tcp");
        let protocol = bridges::protocol(said)
            .map_err(|wrong| Misconfigured::text(format!("`bridges.{account}`: {wrong}")))?;
        let port = bind(&setting, address).await?;
        info!(setting, panels.address = %port.local_addr()?, "panels may connect");
        ports.push((account.clone(), protocol, port));
    }
    Ok(ports)
}

/// Binds one port; `setting` is where its address is said.
async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} (hint: is it in use? see `{setting}`)")
    })
}
