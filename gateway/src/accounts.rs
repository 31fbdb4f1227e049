//! Who may log in over MQTT, and the commands that make users and accounts.
//!
//! Accounts are read from the state database once and kept in memory: authentication costs one hash, ten thousand devices can come
//! back within a minute. Secrets are random and long, so a salted SHA-256 is enough; they are printed once and kept as hashes.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use domain::place::{Device, Registry};
use domain::{DepartmentId, DeviceId, Timestamp, UserId};
use rand::RngCore as _;
use store::state::{Credential, CredentialKind, NewUser, Role, State, User};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::Catalogue;
use crate::listener::{Directory, Pattern, PeerCertificate, Principal, PrincipalKind};

/// The accounts of this run, by log-in name.
pub struct Accounts {
    by_login: HashMap<String, (Credential, Arc<Principal>)>,
    /// Verified when there is no such account, so that guessing names takes as long as guessing secrets.
    nobody: Credential,
}

impl Accounts {
    /// Reads every account. An account of a device that is no longer registered stays: what it says goes to quarantine, not to waste.
    ///
    /// # Errors
    /// A state database that cannot be read, or an account with a pattern that is none.
    pub async fn load(state: &State, registry: &Registry) -> anyhow::Result<Self> {
        let mut by_login = HashMap::new();
        for credential in state.credentials().await? {
            let principal = principal(&credential, registry).with_context(|| {
                format!("the MQTT account `{}` cannot be used", credential.login)
            })?;
            by_login.insert(credential.login.clone(), (credential, Arc::new(principal)));
        }
        let nobody = integration_credential("nobody", &random_secret())?;
        Ok(Self { by_login, nobody })
    }
}

impl Directory for Accounts {
    fn authenticate(&self, login: &str, secret: &[u8]) -> Option<Arc<Principal>> {
        if let Some((credential, principal)) = self.by_login.get(login) {
            credential.verify(secret).then(|| Arc::clone(principal))
        } else {
            self.nobody.verify(secret);
            None
        }
    }

    fn of_certificate(&self, certificate: &PeerCertificate) -> Option<Arc<Principal>> {
        let (_, principal) = self.by_login.get(&certificate.common_name)?;
        Some(Arc::clone(principal))
    }
}

fn principal(credential: &Credential, registry: &Registry) -> anyhow::Result<Principal> {
    let patterns = |texts: &[String]| {
        texts
            .iter()
            .map(|text| text.parse::<Pattern>())
            .collect::<Result<Vec<_>, _>>()
    };
    let kind = match credential.kind {
        CredentialKind::Integration => PrincipalKind::Integration,
        CredentialKind::Bridge => PrincipalKind::Bridge,
        CredentialKind::Device => {
            let device: DeviceId = credential.login.parse()?;
            match registry.devices.get(&device) {
                Some(registered) => PrincipalKind::Device {
                    site: registered.site.clone(),
                    device,
                },
                // its topics still name the site that it was made for
                None => match credential.publish.first().and_then(|p| p.split('/').nth(2)) {
                    Some(site) => PrincipalKind::Device {
                        site: site.parse()?,
                        device,
                    },
                    None => bail!("it is a device without a site"),
                },
            }
        }
    };
    Ok(Principal {
        id: credential.login.clone(),
        kind,
        publish: patterns(&credential.publish)?,
        subscribe: patterns(&credential.subscribe)?,
        revoked: CancellationToken::new(),
    })
}

/// 256 random bits, as 64 hexadecimal characters.
pub fn random_secret() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// A password that can be read aloud and typed: 20 of 32 unmistakable characters in groups, 100 random bits.
pub fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    rand::rng().fill_bytes(&mut bytes);
    let letters: Vec<char> = bytes
        .iter()
        .map(|b| char::from(LETTERS[usize::from(b % 32)]))
        .collect();
    letters
        .chunks(5)
        .map(String::from_iter)
        .collect::<Vec<_>>()
        .join("-")
}

/// The account of a device: it speaks below its own topic and hears its own commands, nothing else.
///
/// # Errors
/// A secret that is too short.
pub fn device_credential(device: &Device, secret: &str) -> anyhow::Result<Credential> {
    let own = format!("ssg/v1/{}/{}", device.site, device.id);
    let said = [
        "evt/+",
        "state/+",
        "tele",
        "avail",
        "meta",
        "rsp/+",
        "cfg/reported",
    ];
    let publish = said
        .iter()
        .map(|channel| format!("{own}/{channel}"))
        .collect();
    let subscribe = vec![format!("{own}/cmd/#"), format!("{own}/cfg/desired")];
    Ok(Credential::new(
        device.id.as_str(),
        CredentialKind::Device,
        secret,
        publish,
        subscribe,
        Timestamp::now(),
    )?)
}

/// The account of another system that listens: it hears what the hub says of all sites, and says nothing.
///
/// # Errors
/// A secret that is too short, or a name that is none.
pub fn integration_credential(login: &str, secret: &str) -> anyhow::Result<Credential> {
    let subscribe = vec!["ssg/v1/+/_gw/#".to_owned()];
    Ok(Credential::new(
        login,
        CredentialKind::Integration,
        secret,
        Vec::new(),
        subscribe,
        Timestamp::now(),
    )?)
}

/// Makes a user, or gives an existing one a new password.
///
/// # Errors
/// An unknown role or department, or a name that is none.
pub async fn put_user(
    state: &State,
    login: &str,
    role: &str,
    department: Option<&str>,
    password: &str,
) -> anyhow::Result<()> {
    let role: Role = role.parse()?;
    let department: Option<DepartmentId> = department.map(str::parse).transpose()?;
    if role == Role::Responder && department.is_none() {
        bail!("a responder serves in a department (hint: --department fire)");
    }
    let user = User {
        login: login.parse()?,
        name: login.to_owned(),
        role,
        department,
    };
    state
        .put_user(
            NewUser {
                user,
                password: password.to_owned(),
            },
            Timestamp::now(),
        )
        .await?;
    Ok(())
}

/// An API token of a user.
///
/// # Errors
/// No such user.
pub async fn new_token(state: &State, login: &str, label: &str) -> anyhow::Result<String> {
    let login: UserId = login.parse()?;
    Ok(state.create_token(&login, label, Timestamp::now()).await?)
}

async fn open(config: &Config) -> anyhow::Result<(Catalogue, State)> {
    let catalogue = Catalogue::load(config)?;
    crate::hub::make_private(&config.data.dir)?;
    let state = State::open(
        &config.data.dir.join("state.db"),
        Arc::clone(&catalogue.registry),
    )
    .await?;
    Ok((catalogue, state))
}

/// `gateway user add`: the password is made at random and printed once.
///
/// # Errors
/// What kept the user from being made.
pub async fn add_user(
    config: &Config,
    login: &str,
    role: &str,
    department: Option<&str>,
) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    let password = random_password();
    put_user(&state, login, role, department, &password).await?;
    println!("{password}");
    state.close().await;
    Ok(())
}

/// `gateway credential add`: the device's secret is made at random and printed once. A running hub knows it after a restart.
///
/// # Errors
/// A device that is not registered.
pub async fn add_device(config: &Config, login: &str) -> anyhow::Result<()> {
    let (catalogue, state) = open(config).await?;
    let device = login
        .parse::<DeviceId>()
        .ok()
        .and_then(|id| catalogue.registry.devices.get(&id).cloned());
    let Some(device) = device else {
        bail!(
            "device `{login}` is not in the registry (hint: add it to a device file first, or use --integration)"
        );
    };
    let secret = random_secret();
    state
        .put_credentials(vec![device_credential(&device, &secret)?])
        .await?;
    println!("{secret}");
    state.close().await;
    Ok(())
}

/// `gateway credential add --integration`
///
/// # Errors
/// A name that is none.
pub async fn add_integration(config: &Config, login: &str) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    let secret = random_secret();
    state
        .put_credentials(vec![integration_credential(login, &secret)?])
        .await?;
    println!("{secret}");
    state.close().await;
    Ok(())
}
