//! Who speaks for other devices: what the configuration says of them, and what was remembered of them.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::Seq;
use domain::place::Registry;
use rand::RngCore as _;
use store::state::State;

use crate::adapters::memory::{Memory, Remembered};
use crate::adapters::onenet::signature::Token;
use crate::adapters::{Bridge, Bridges, Formats};
use crate::commands::{BridgeForm, BridgeWay, Form, Target, Ways};
use crate::config::{self, Config};
use crate::hub::Misconfigured;
use crate::panels::Protocol;
use crate::push::Terminals;

/// Bytes of the key of the hashes that stand for card numbers (HMAC-SHA-256: as long as its digest).
const CARD_KEY_BYTES: usize = 32;

/// The bridges of the configuration, with the key of card numbers, which is made at the first start.
///
/// # Errors
/// [`Misconfigured`]: a site, a format or a time zone that does not exist. A key that cannot be read or written.
pub fn read(config: &Config, registry: &Registry, formats: Formats) -> anyhow::Result<Bridges> {
    Ok(Bridges {
        card_key: card_key(&card_key_file(&config.data.dir))?,
        ..check(config, registry, formats)?
    })
}

/// The bridges of the configuration; without a key.
///
/// # Errors
/// [`Misconfigured`]: a site, a format or a time zone that does not exist.
pub fn check(config: &Config, registry: &Registry, formats: Formats) -> anyhow::Result<Bridges> {
    let mut names: Vec<String> = Vec::new();
    let set = formats.now();
    names.extend(set.all().map(|format| format.name().to_owned()));
    // it is said elsewhere what is wrong with them
    names.extend(set.refused.iter().cloned());
    let mut bridges = Bridges {
        formats,
        ..Bridges::default()
    };
    for (account, said) in &config.bridges {
        let bridge = bridge(said, registry, &names)
            .map_err(|wrong| Misconfigured::text(format!("`bridges.{account}`: {wrong}")))?;
        bridges.by_account.insert(account.clone(), bridge);
    }
    Ok(bridges)
}

fn bridge(said: &config::Bridge, registry: &Registry, names: &[String]) -> Result<Bridge, String> {
    let site = &said.site;
    if !registry.sites.contains_key(site) {
        return Err(format!("there is no site `{site}` in the registry"));
    }
    if let Some(name) = said.formats.iter().find(|name| !names.contains(name)) {
        return Err(format!("no format `{name}` (hint: {})", names.join(", ")));
    }
    if said.tcp.is_some() {
        protocol(said)?;
        if said.networks.is_empty() {
            return Err("`tcp` without `networks` (hint: from where panels may come, networks = [\"10.20.0.0/16\"])".to_owned());
        }
    }
    if !said.serials.is_empty() && said.networks.is_empty() {
        return Err("`serials` without `networks` (hint: a serial number is no secret; say from where they may come, networks = [\"10.20.0.0/16\"])".to_owned());
    }
    let zone = if said.time_zone.is_empty() {
        registry.roster.calendar.time_zone.clone()
    } else {
        let name = &said.time_zone;
        domain::rule::time_zone(name)
            .ok_or_else(|| format!("no time zone `{name}` (hint: \"Asia/Shanghai\")"))?
    };
    Ok(Bridge {
        site: site.clone(),
        formats: said.formats.clone(),
        zone,
        fetch: said
            .fetch
            .iter()
            .map(|place| place.parse())
            .collect::<Result<_, String>>()?,
    })
}

/// Who is known by a serial number.
pub fn terminals(config: &Config) -> Vec<Terminals> {
    let bridges = config.bridges.iter();
    let known = bridges.filter(|(_, said)| !said.serials.is_empty());
    let of = |(account, said): (&String, &config::Bridge)| Terminals {
        account: account.clone(),
        serials: said.serials.clone(),
        networks: said.networks.clone(),
    };
    known.map(of).collect()
}

/// What is spoken on a bridge's port.
///
/// # Errors
/// Not one format of those that panels speak.
pub fn protocol(said: &config::Bridge) -> Result<Protocol, String> {
    let only = match said.formats.as_slice() {
        [name] => Protocol::of_format(name),
        _ => None,
    };
    only.ok_or_else(|| {
        "`tcp` wants one format (hint: formats = [\"gbt26875\"] or [\"sia-dc09\"])".to_owned()
    })
}

/// The account that a message is read for when nobody says which: the only bridge, else one that speaks for the first site.
///
/// # Errors
/// A registry without a site.
pub fn stand_in(bridges: &mut Bridges, registry: &Registry) -> anyhow::Result<String> {
    if bridges.by_account.len() == 1 {
        let only = bridges.by_account.keys().next().cloned();
        return only.context("the only one");
    }
    let site = registry.sites.keys().next();
    let site = site.context("the registry has no site (hint: add one to its files)")?;
    let account = "adapt".to_owned();
    let bridge = Bridge {
        site: site.clone(),
        formats: Vec::new(),
        zone: registry.roster.calendar.time_zone.clone(),
        fetch: Vec::new(),
    };
    bridges.by_account.insert(account.clone(), bridge);
    Ok(account)
}

/// How the devices of bridges are told something.
///
/// # Errors
/// [`Misconfigured`]: a format in which nothing can be said, an address without a scheme, a password file that cannot be read.
pub fn ways(config: &Config) -> anyhow::Result<Ways> {
    let mut ways = Ways::default();
    for (account, said) in &config.bridges {
        let Some(commands) = &said.commands else {
            continue;
        };
        let form = way(commands).map_err(|wrong| {
            Misconfigured::text(format!("`bridges.{account}.commands`: {wrong}"))
        })?;
        let bridge = BridgeWay {
            site: said.site.clone(),
            form,
        };
        ways.bridges.insert(account.clone(), bridge);
    }
    Ok(ways)
}

/// With what the pushes of bridges must be signed, by account.
///
/// # Errors
/// [`Misconfigured`]: a file that cannot be read, or is empty.
pub fn tokens(config: &Config) -> anyhow::Result<HashMap<String, Token>> {
    let mut tokens = HashMap::new();
    for (account, said) in &config.bridges {
        let file = &said.onenet_token_file;
        if file.as_os_str().is_empty() {
            continue;
        }
        let wrong = |why: &dyn std::fmt::Display| {
            let file = file.display();
            Misconfigured::text(format!(
                "`bridges.{account}.onenet_token_file` {file}: {why}"
            ))
        };
        let text = std::fs::read_to_string(file).map_err(|e| wrong(&e))?;
        let token = Token::new(&text).ok_or_else(|| wrong(&"is empty"))?;
        tokens.insert(account.clone(), token);
    }
    Ok(tokens)
}

fn way(said: &config::BridgeCommands) -> Result<BridgeForm, String> {
    let over_mqtt = |form| Ok(BridgeForm::Mqtt(form, said.topic.clone()));
    match said.format.as_str() {
        "zigbee2mqtt" => over_mqtt(Form::Zigbee2mqtt),
        "vzenith" => over_mqtt(Form::Vzenith),
        "shelly" => over_mqtt(Form::Shelly),
        "hikvision" => {
            if !said.url.starts_with("http://") && !said.url.starts_with("https://") {
                return Err(format!(
                    "`url` is `{}` (hint: where the device answers, url = \"http://10.20.0.9\")",
                    said.url
                ));
            }
            let password = std::fs::read_to_string(&said.password_file)
                .map_err(|e| format!("`password_file` {}: {e}", said.password_file.display()))?;
            let target = Target::new(&said.url, &said.user, password.trim());
            target.map(BridgeForm::Http).map_err(|e| e.to_string())
        }
        other => Err(format!(
            "nothing can be said in `{other}` (hint: zigbee2mqtt, vzenith, shelly or hikvision)"
        )),
    }
}

/// Where the key of card numbers stands.
fn card_key_file(data: &Path) -> PathBuf {
    data.join("card.key")
}

/// The key, made where there is none yet. Whoever has it can try all card numbers; without it the hashes of old events match no card any more.
fn card_key(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut key = Vec::new();
    match std::fs::File::open(file) {
        Ok(mut open) => {
            open.read_to_end(&mut key)
                .with_context(|| format!("reading {}", file.display()))?;
            anyhow::ensure!(
                key.len() == CARD_KEY_BYTES,
                "{} has {} bytes and not {CARD_KEY_BYTES} (hint: bring it back from the backup)",
                file.display(),
                key.len()
            );
            return Ok(key);
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
    }
    key.resize(CARD_KEY_BYTES, 0);
    rand::rng().fill_bytes(&mut key);
    let write = || {
        let mut open = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)?;
        open.write_all(&key)?;
        open.sync_all()
    };
    write().with_context(|| format!("writing {}", file.display()))?;
    Ok(key)
}

/// What adapters remembered when the hub last wrote it.
///
/// # Errors
/// A state database that cannot be read.
pub async fn memory(state: &State) -> anyhow::Result<Memory> {
    let rows = state.adapter_memory().await?;
    let known = rows.into_iter().filter_map(|row| {
        let (value, since): (String, Seq) = row.value?;
        Some((row.sender, row.key, Remembered { value, since }))
    });
    Ok(Memory::load(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_cards_is_made_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = card_key_file(dir.path());
        let first = card_key(&file).expect("a key");
        assert_eq!(first.len(), CARD_KEY_BYTES);
        assert_eq!(card_key(&file).expect("the same key"), first);
        std::fs::write(&file, b"short").expect("writable");
        assert!(card_key(&file).is_err());
    }
}
