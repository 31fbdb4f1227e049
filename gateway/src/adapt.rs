//! `gateway adapt`: one message, read as the hub would read it with this configuration, printed as JSON lines.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};
use clap::Args;
use domain::place::Registry;
use domain::{DeviceId, Event, Seq, Timestamp, Uplink, UplinkExtra, UplinkFlags};
use serde_json::Value;

use crate::adapters::properties::{self, Carried};
use crate::adapters::{self, Bridges, Context, Memory, foreign};
use crate::config::Config;
use crate::{adapter_files, bridges, hub};

/// Longest message that is read, in bytes: the listener's own limit is lower.
const BYTES_MAX: u64 = 16 << 20;

/// What the message is; its bytes come from standard input.
#[derive(Debug, Args)]
pub struct Asked {
    /// It came over MQTT on this topic.
    #[arg(long, group = "door")]
    pub topic: Option<String>,
    /// It was retained.
    #[arg(long, requires = "topic")]
    pub retain: bool,
    /// It came as a web hook on this path, with its query.
    #[arg(long, group = "door", value_name = "PATH")]
    pub http: Option<String>,
    /// Its content type.
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// A header of the web hook or a user property of MQTT, `name: value`; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// It is a frame of a connection that speaks this protocol (`gbt26875`, `dc09`), in hexadecimal digits or as it is.
    #[arg(long, group = "door", value_name = "PROTOCOL")]
    pub tcp: Option<String>,
    /// The account that sent it; the only bridge of the configuration, or one that may speak every format, when none is named.
    #[arg(long)]
    pub account: Option<String>,
    /// When it came, such as 2026-03-01T08:00:00+08:00. When nothing is said, it came when its device says, or now.
    #[arg(long, value_name = "TIME")]
    pub received_at: Option<Timestamp>,
}

/// Reads standard input and prints an event a line. What the hub would put into quarantine prints none, and says why on standard error.
///
/// # Errors
/// A configuration or an input that cannot be read.
pub fn run(config: &Config, asked: Asked) -> anyhow::Result<()> {
    let registry = hub::registry(config)?;
    let formats = adapter_files::formats(&config.adapters.dir)?;
    let bridges = bridges::check(config, &registry, formats)?;
    let mut payload = Vec::new();
    let mut input = std::io::stdin().lock().take(BYTES_MAX + 1);
    input
        .read_to_end(&mut payload)
        .context("reading standard input")?;
    if payload.len() as u64 > BYTES_MAX {
        bail!("the message is longer than {BYTES_MAX} bytes");
    }
    let told = read(asked, payload, &registry, bridges)?;
    let mut out = std::io::stdout().lock();
    for event in &told.events {
        writeln!(out, "{event}")?;
    }
    out.flush()?;
    if let Some(why) = told.quarantine {
        eprintln!("quarantine: {why}");
    }
    Ok(())
}

/// What came of it.
struct Told {
    events: Vec<Value>,
    quarantine: Option<String>,
}

fn read(
    asked: Asked,
    mut payload: Vec<u8>,
    registry: &Registry,
    mut bridges: Bridges,
) -> anyhow::Result<Told> {
    let native = asked
        .topic
        .as_deref()
        .filter(|topic| !foreign::is_foreign(topic));
    let account = match (asked.account, native) {
        (Some(account), _) => account,
        // a native device speaks for itself
        (None, Some(topic)) => topic.split('/').nth(3).unwrap_or_default().to_owned(),
        (None, None) => bridges::stand_in(&mut bridges, registry)?,
    };
    let topic = match (asked.topic, asked.http, asked.tcp) {
        (Some(topic), ..) => topic,
        (None, Some(target), _) => {
            let slash = if target.starts_with('/') { "" } else { "/" };
            format!("{}{account}{slash}{target}", foreign::HTTP)
        }
        (None, None, Some(protocol)) => {
            let digits: String = String::from_utf8_lossy(&payload)
                .split_whitespace()
                .collect();
            if let Ok(bytes) = hex::decode(digits) {
                payload = bytes;
            }
            format!("{}{protocol}/{account}", foreign::TCP)
        }
        (None, None, None) => bail!("which way did it come? (hint: --topic, --http or --tcp)"),
    };
    let carried = Carried {
        content_type: asked.content_type,
        user: asked
            .header
            .iter()
            .map(|line| header(line))
            .collect::<Result<_, _>>()?,
    };
    let flags = UplinkFlags::new(1);
    let mut uplink = Uplink {
        received_at: asked.received_at.unwrap_or_else(Timestamp::now),
        principal: account,
        epoch: 0,
        flags: if asked.retain {
            flags.with_retain()
        } else {
            flags
        },
        topic,
        payload: payload.into(),
        extra: Some(Box::new(UplinkExtra {
            properties: properties::write(&carried),
            ..UplinkExtra::default()
        })),
    };
    let context = Context {
        registry,
        bridges: &bridges,
    };
    let look = |uplink: &Uplink| {
        let (_, parsed) = adapters::read(Seq(1), uplink, &context, &mut Memory::default());
        parsed
    };
    let mut parsed = look(&uplink);
    // an old message is not one of a clock that is wrong
    let told = parsed.events.iter().find_map(device_time);
    if let Some(at) = told.filter(|_| asked.received_at.is_none()) {
        uplink.received_at = at;
        parsed = look(&uplink);
    }
    Ok(Told {
        events: parsed
            .events
            .iter()
            .map(|event| line(event, registry))
            .collect(),
        quarantine: parsed
            .reject
            .map(|reject| format!("{}: {}", reject.code, reject.detail)),
    })
}

/// When it happened, by the device.
fn device_time(event: &Event) -> Option<Timestamp> {
    let attrs = event.attrs.to_value();
    attrs["device_time"].as_str()?.parse().ok()
}

/// `name: value`
fn header(line: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = line
        .split_once(':')
        .with_context(|| format!("`{line}` is no header (hint: 'ce-type: x')"))?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// The event as JSON. A device that nobody has registered goes by the name that its sender gave it.
fn line(event: &Event, registry: &Registry) -> Value {
    let mut line = serde_json::to_value(event).unwrap_or_default();
    let known = |device: &DeviceId| registry.devices.contains_key(device);
    if !known(&event.device)
        && let Some(address) = line["attrs"]["address"].as_str().map(str::to_owned)
    {
        line["device"] = address.into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::test_places;

    const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m,address\nsmoke-1,q1,z1,fire_sensor,烟感,m,60,0.0,0.0,0x00158d0000000007\n";

    fn asked() -> Asked {
        Asked {
            topic: None,
            retain: false,
            http: None,
            content_type: None,
            header: Vec::new(),
            tcp: None,
            account: None,
            received_at: None,
        }
    }

    fn told(asked: Asked, payload: &str) -> Told {
        let registry = test_places::registry(DEVICES);
        read(asked, payload.into(), &registry, Bridges::default()).expect("a message")
    }

    fn kinds(told: &Told) -> Vec<String> {
        told.events
            .iter()
            .map(|event| {
                format!(
                    "{} {} {}",
                    event["device"].as_str().unwrap_or("-"),
                    event["kind"].as_str().unwrap_or("-"),
                    event["phase"].as_str().unwrap_or("-")
                )
            })
            .collect()
    }

    #[test]
    fn a_native_message_is_read_as_its_device() {
        let topic = "ssg/v1/q1/smoke-1/evt/fire-smoke".to_owned();
        let asked = Asked {
            topic: Some(topic),
            ..asked()
        };
        let told = told(asked, r#"{"id":"a","kind":"fire.smoke","phase":"raised"}"#);
        assert_eq!(kinds(&told), ["smoke-1 fire.smoke raised"]);
        assert_eq!(told.quarantine, None);
    }

    #[test]
    fn an_old_message_came_when_its_device_says() {
        let asked = |received_at| Asked {
            http: Some("/".to_owned()),
            received_at,
            ..asked()
        };
        let read = r#"{"data_type":"alpr_group","best_plate_number":"ABC123","best_confidence":90.0,"epoch_start":1600000000000,"epoch_end":1600000001000,"camera_id":7,"candidates":[]}"#;
        let events = told(asked(None), read).events;
        assert_eq!(events[0]["clock"], "device", "{events:?}");
        assert!(
            events[0]["occurred_at"]
                .as_str()
                .is_some_and(|at| at.starts_with("2020-09-13T12:26:4"))
        );
        let now = "2026-11-24T12:00:00Z".parse().expect("a time");
        let events = told(asked(Some(now)), read).events;
        assert_eq!(events[0]["clock"], "gateway", "{events:?}");
    }

    #[test]
    fn what_no_format_knows_is_said() {
        let asked = Asked {
            topic: Some("somewhere/else".to_owned()),
            ..asked()
        };
        let told = told(asked, "hello");
        assert!(told.events.is_empty());
        assert!(
            told.quarantine
                .is_some_and(|why| why.starts_with("unknown_format"))
        );
    }
}
