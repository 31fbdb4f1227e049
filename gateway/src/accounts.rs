//! Who may log in over MQTT, and the commands that make users and accounts.
//!
//! Accounts are kept in memory and follow the state database within seconds: authentication costs one hash, ten thousand devices can
//! come back within a minute. Secrets are random and long, so a salted SHA-256 is enough; they are printed once and kept as hashes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use domain::place::{Device, Registry};
use domain::{DepartmentId, DeviceId, Scope, Timestamp, UserId, uplink};
use rand::RngCore as _;
pub use store::state::random_password;
use store::state::{Credential, CredentialKind, NewUser, Role, State, User};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::adapters::hub::PROBE;
use crate::config::Config;
use crate::hub::Catalogue;
use crate::listener::{Directory, Pattern, PeerCertificate, Principal, PrincipalKind};

/// How often a running hub looks whether accounts have changed: a revoked client is cut within this and a moment.
const LOOK_EVERY: Duration = Duration::from_secs(2);

type ByLogin = HashMap<String, (Credential, Arc<Principal>)>;

/// The accounts as they are now, by log-in name.
pub struct Accounts {
    by_login: ArcSwap<ByLogin>,
    /// Fingerprints of certificates that are revoked: known here before the revocation list is written and read.
    revoked: ArcSwap<HashSet<String>>,
    /// Verified when there is no such account, so that guessing names takes as long as guessing secrets.
    nobody: Credential,
    /// The hub's own client: it may go the way of an alarm and hear nothing. Its secret lives as long as this run.
    probe: (Credential, Arc<Principal>),
}

impl Accounts {
    /// Reads every account, and makes up the secret of the hub's own. An account of a device that is no longer registered stays: what it says goes to quarantine, not to waste.
    ///
    /// # Errors
    /// A state database that cannot be read, or an account with a pattern that is none.
    pub async fn load(state: &State) -> anyhow::Result<(Self, String)> {
        let secret = random_secret();
        let probe = Principal {
            id: uplink::HUB.to_owned(),
            kind: PrincipalKind::Integration,
            publish: vec![PROBE.parse()?],
            subscribe: Vec::new(),
            revoked: CancellationToken::new(),
        };
        let accounts = Self {
            probe: (integration_credential("probe", &secret)?, Arc::new(probe)),
            by_login: ArcSwap::default(),
            revoked: ArcSwap::default(),
            nobody: integration_credential("nobody", &random_secret())?,
        };
        accounts.reload(state).await?;
        Ok((accounts, secret))
    }

    /// Follows what other processes and the API do to accounts, and where devices stand, until `stop`.
    ///
    /// # Errors
    /// None: a database that cannot be read now is asked again, and the accounts that are known stay.
    pub async fn follow(
        self: Arc<Self>,
        state: State,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut known = None;
        let mut registry = state.registry_changes();
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
                moved = registry.changed() => if moved.is_ok() { known = None },
            }
            let looked = async {
                let version = state.credentials_version().await?;
                if known != Some(version) {
                    self.reload(&state).await?;
                    known = Some(version);
                }
                anyhow::Ok(())
            };
            if let Err(e) = looked.await {
                error!(
                    error = format!("{e:#}"),
                    "MQTT accounts cannot be read, those that are known stay"
                );
            }
        }
    }

    /// Reads the accounts anew; whoever's account is gone or another is cut off.
    async fn reload(&self, state: &State) -> anyhow::Result<()> {
        let before = self.by_login.load_full();
        let registry = state.registry();
        let mut by_login = ByLogin::new();
        for credential in state.credentials().await? {
            let login = credential.login.clone();
            let fresh = principal(&credential, &registry)
                .with_context(|| format!("the MQTT account `{login}` cannot be used"))?;
            let same = before.get(&login).filter(|(old, principal)| {
                principal.kind == fresh.kind && (*old == credential || credential.continues(old))
            });
            let principal = match same {
                Some((_, principal)) => Arc::clone(principal),
                None => Arc::new(fresh),
            };
            by_login.insert(login, (credential, principal));
        }
        let certificates = state.certificates().await?;
        let revoked = certificates
            .into_iter()
            .filter(|row| row.revoked_at.is_some())
            .map(|row| row.fingerprint);
        self.revoked.store(Arc::new(revoked.collect()));
        let after = Arc::new(by_login);
        self.by_login.store(Arc::clone(&after));
        for (login, (_, old)) in before.iter() {
            let stays = after
                .get(login)
                .is_some_and(|(_, new)| Arc::ptr_eq(old, new));
            if !stays {
                info!(
                    client.account = login,
                    "account changed or revoked, its connections end"
                );
                old.revoked.cancel();
            }
        }
        Ok(())
    }
}

impl Directory for Accounts {
    fn authenticate(&self, login: &str, secret: &[u8]) -> Option<Arc<Principal>> {
        let by_login = self.by_login.load();
        let found = if login == uplink::HUB {
            Some(&self.probe)
        } else {
            by_login.get(login)
        };
        if let Some((credential, principal)) = found {
            credential
                .verify(secret, Timestamp::now())
                .then(|| Arc::clone(principal))
        } else {
            self.nobody.verify(secret, Timestamp::now());
            None
        }
    }

    fn of_certificate(&self, certificate: &PeerCertificate) -> Option<Arc<Principal>> {
        if self.revoked.load().contains(&certificate.fingerprint) {
            return None;
        }
        let by_login = self.by_login.load();
        let (_, principal) = by_login.get(&certificate.common_name)?;
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
        "media/+",
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
/// An unknown role or department, a scope that names what there is not, or a name that is none.
pub async fn put_user(
    state: &State,
    login: &str,
    role: &str,
    department: Option<&str>,
    scope: Scope,
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
        scope,
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

pub(crate) async fn open(config: &Config) -> anyhow::Result<(Catalogue, State)> {
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
    scope: Scope,
) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    let password = random_password();
    put_user(&state, login, role, department, scope, &password).await?;
    println!("{password}");
    state.close().await;
    Ok(())
}

/// `gateway audit verify`: reads the whole chain and names the first row that is not as it was written.
///
/// # Errors
/// A row that was changed, taken away, swapped or added; a database that cannot be read.
pub async fn verify_audit(config: &Config) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    let report = state
        .verify_audit()
        .await
        .context("reading the audit trail")?;
    state.close().await;
    match report.broken {
        None => {
            println!("{} rows, each as it was written", report.rows);
            Ok(())
        }
        Some(broken) => bail!(
            "audit row {}: {} (hint: compare with a backup of `state.db`; rows before it hold)",
            broken.id,
            broken.what
        ),
    }
}

/// `gateway credential add`: the device's secret is made at random and printed once. A running hub knows it within seconds; what was
/// connected with an older secret is cut off.
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

/// `gateway credential add --bridge`: something that speaks for several devices, where the patterns say.
///
/// # Errors
/// A name or a pattern that is none, or no pattern at all.
pub async fn add_bridge(
    config: &Config,
    login: &str,
    publish: Vec<String>,
    subscribe: Vec<String>,
) -> anyhow::Result<()> {
    if publish.is_empty() && subscribe.is_empty() {
        bail!("a bridge without a pattern may do nothing (hint: --publish 'zigbee2mqtt/#')");
    }
    for pattern in publish.iter().chain(&subscribe) {
        pattern.parse::<Pattern>()?;
    }
    let (_, state) = open(config).await?;
    let secret = random_secret();
    let kind = CredentialKind::Bridge;
    let bridge = Credential::new(login, kind, &secret, publish, subscribe, Timestamp::now())?;
    state.put_credentials(vec![bridge]).await?;
    println!("{secret}");
    state.close().await;
    Ok(())
}

/// `gateway credential invite`: prints a token with which the device enrols over HTTP, once and within 15 minutes.
///
/// # Errors
/// A device that is not registered.
pub async fn invite(config: &Config, login: &str) -> anyhow::Result<()> {
    let (catalogue, state) = open(config).await?;
    let id = login.parse::<DeviceId>().ok();
    if id.is_none_or(|id| !catalogue.registry.devices.contains_key(&id)) {
        bail!("device `{login}` is not in the registry (hint: add it to a device file first)");
    }
    let (token, _) = state
        .invite(login, "command line", Timestamp::now())
        .await?;
    println!("{token}");
    state.close().await;
    Ok(())
}

/// `gateway credential revoke`: the account is gone, and a running hub cuts its connections within seconds.
///
/// # Errors
/// No such account.
pub async fn revoke(config: &Config, login: &str) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    let was = state.revoke_credential(login, Timestamp::now()).await?;
    state.close().await;
    if !was {
        bail!("there is no MQTT account `{login}` (hint: `gateway credential list`)");
    }
    Ok(())
}

/// `gateway credential list`: log-in, kind, and what it may do; never a secret.
///
/// # Errors
/// A state database that cannot be read.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    let (_, state) = open(config).await?;
    for credential in state.credentials().await? {
        println!(
            "{}\t{}\tpublish {}\tsubscribe {}",
            credential.login,
            credential.kind.as_str(),
            credential.publish.join(" "),
            credential.subscribe.join(" "),
        );
    }
    state.close().await;
    Ok(())
}
