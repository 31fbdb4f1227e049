//! The demo's log-ins: made at random on the first run, kept in a file that only its owner may read, the same on the next run.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use domain::{DeviceClass, DeviceId, Scope, SiteId};
use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::hub::{Running, Stores};

/// Log-in names, roles and departments of the demo's users.
const USERS: [(&str, &str, Option<&str>); 9] = [
    ("wanglei", "operator", None),
    ("fire", "responder", Some("fire")),
    ("police", "responder", Some("police")),
    ("property", "responder", Some("property")),
    ("lead", "station_lead", None),
    ("manager", "property_manager", None),
    ("captain", "grid_captain", None),
    ("auditor", "auditor", None),
    ("admin", "administrator", None),
];

/// What `demo.json` tells besides the addresses.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) users: Vec<User>,
    pub(super) devices: Vec<Device>,
    integration: Account,
}

#[derive(Serialize, Deserialize)]
pub(super) struct User {
    pub(super) role: String,
    pub(super) login: String,
    pub(super) password: String,
    token: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) site: SiteId,
    pub(super) class: DeviceClass,
    pub(super) heartbeat_s: u32,
    pub(super) username: String,
    pub(super) password: String,
}

#[derive(Serialize, Deserialize)]
struct Account {
    username: String,
    password: String,
}

#[derive(Serialize)]
struct Told<'a> {
    http: String,
    mqtt: String,
    command_key: &'a str,
    #[serde(flatten)]
    secrets: &'a Secrets,
}

impl Secrets {
    /// The secrets of the last run in this directory, or new ones; either way the state database knows them afterwards.
    pub(super) async fn load_or_make(dir: &Path, stores: &Stores) -> anyhow::Result<Self> {
        let path = dir.join("demo-secrets.json");
        if let Ok(text) = std::fs::read(&path) {
            let kept: Self = serde_json::from_slice(&text).with_context(|| {
                format!(
                    "{} is not what the demo wrote (hint: delete the directory to start afresh)",
                    path.display()
                )
            })?;
            return Ok(kept);
        }
        let made = Self::make(stores).await?;
        write_private(&path, &serde_json::to_vec_pretty(&made)?)?;
        Ok(made)
    }

    async fn make(stores: &Stores) -> anyhow::Result<Self> {
        let state = &stores.state;
        let mut users = Vec::new();
        for (login, role, department) in USERS {
            let password = accounts::random_password();
            accounts::put_user(state, login, role, department, Scope::default(), &password).await?;
            let token = accounts::new_token(state, login, "demo").await?;
            users.push(User {
                role: role.to_owned(),
                login: login.to_owned(),
                password,
                token,
            });
        }
        let mut devices = Vec::new();
        let mut credentials = Vec::new();
        for device in stores.catalogue.registry.devices.values() {
            let password = accounts::random_secret();
            credentials.push(accounts::device_credential(device, &password)?);
            devices.push(Device {
                id: device.id.clone(),
                site: device.site.clone(),
                class: device.class,
                heartbeat_s: device.heartbeat_s,
                username: device.id.to_string(),
                password,
            });
        }
        let integration = Account {
            username: "integration".to_owned(),
            password: accounts::random_secret(),
        };
        credentials.push(accounts::integration_credential(
            &integration.username,
            &integration.password,
        )?);
        state.put_credentials(credentials).await?;
        Ok(Self {
            users,
            devices,
            integration,
        })
    }

    /// Writes `demo.json`: whoever waits for the demo finds it complete or not at all.
    pub(super) fn tell(&self, path: &Path, running: &Running) -> anyhow::Result<()> {
        let told = Told {
            http: format!("{}://{}", running.scheme, running.http),
            mqtt: format!("mqtt://{}", running.mqtt),
            command_key: &running.command_key,
            secrets: self,
        };
        write_private(path, &serde_json::to_vec_pretty(&told)?)
    }
}

/// Writes a file of mode 0600 in one step: beside it first, then renamed.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("tmp");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
