//! The command line of `vendor` and `replay`: what stands for the devices and platforms of others.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use device_sim::command::Behaviour;
use device_sim::replay::Speed;
use device_sim::vendor::ctwing::Ctwing;
use device_sim::vendor::digest::Account;
use device_sim::vendor::frigate::Frigate;
use device_sim::vendor::gbt26875::Gbt26875;
use device_sim::vendor::hikvision::Hikvision;
use device_sim::vendor::shelly::Shelly;
use device_sim::vendor::vzenith::Vzenith;
use device_sim::vendor::zigbee2mqtt::Zigbee2Mqtt;
use device_sim::vendor::{Faults, Happening, Vendor, Way};
use device_sim::wire::{Hook, Login};
use jiff::SignedDuration;

/// Where messages go, and as whom.
#[derive(Args)]
pub(crate) struct Doors {
    /// A broker, as `mqtt://127.0.0.1:1883`.
    #[arg(long)]
    pub(crate) mqtt: Option<String>,
    /// MQTT client id [default: the user name].
    #[arg(long)]
    client_id: Option<String>,
    /// The account of a bridge: user name over MQTT, Basic authentication over HTTP.
    #[arg(long, requires = "password")]
    username: Option<String>,
    /// Its secret.
    #[arg(long, requires = "username")]
    password: Option<String>,
    /// The door for web hooks, as `http://127.0.0.1:8090`; a path in it stands before that of each message.
    #[arg(long)]
    pub(crate) http: Option<String>,
    /// The port for panels, as `127.0.0.1:8095`.
    #[arg(long)]
    pub(crate) tcp: Option<String>,
    /// How long a panel waits for the answer to a frame before it sends it again; at most 10s by the standard.
    #[arg(long, default_value = "5s", value_parser = span)]
    pub(crate) answer_within: Duration,
}

impl Doors {
    fn account(&self) -> Option<(String, String)> {
        self.username.clone().zip(self.password.clone())
    }

    pub(crate) fn login(&self) -> Option<Login> {
        let account = self.account();
        let named = self.client_id.clone().or_else(|| self.username.clone());
        self.mqtt.clone().map(|mqtt| Login {
            mqtt,
            client_id: named.unwrap_or_else(|| "device-sim".to_owned()),
            account,
        })
    }

    pub(crate) fn hook(&self) -> Option<Hook> {
        let login = self.account();
        self.http.clone().map(|url| Hook { url, login })
    }
}

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// Files with one message, an array of them, or one in each line.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) doors: Doors,
    /// So many times as fast as recorded, or `max`.
    #[arg(long, default_value = "1", value_parser = speed)]
    pub(crate) speed: Speed,
    /// Between two messages whose time was not recorded.
    #[arg(long, default_value = "1s", value_parser = span)]
    pub(crate) gap: Duration,
    /// All of it so many times.
    #[arg(long, default_value_t = 1)]
    pub(crate) times: u32,
    /// Write what was done to this file, as JSON.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
}

/// Whose devices.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A Zigbee bridge with detectors, locks and contacts, over MQTT.
    #[value(name = "zigbee2mqtt")]
    Zigbee2Mqtt,
    /// A plate reader at a barrier, over MQTT.
    Vzenith,
    /// Cameras and door controllers that post to a web hook, and a door's own port.
    Hikvision,
    /// A network video recorder, over MQTT.
    Frigate,
    /// A fire panel's transmission device (GB/T 26875.3), over TCP.
    Gbt26875,
    /// China Telecom's platform for detectors over NB-IoT, as a web hook.
    Ctwing,
    /// A switch or a smoke detector of the second generation, over MQTT.
    Shelly,
}

#[derive(Args)]
pub(crate) struct VendorArgs {
    /// Whose devices.
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) doors: Doors,
    /// A device, as its format names it: friendly name, serial number, address, camera.
    #[arg(long = "device")]
    devices: Vec<String>,
    /// What happens, such as "smoke at 5s in kitchen" or "plate at 2s in east-gate with 浙G8K123".
    #[arg(long)]
    pub(crate) happens: Vec<Happening>,
    /// First levels of the topics of a bridge or recorder [default: zigbee2mqtt, frigate].
    #[arg(long)]
    base: Option<String>,
    /// The older order of levels and envelope of a plate reader.
    #[arg(long)]
    older_topics: bool,
    /// Source address of a panel's transmission device.
    #[arg(long, default_value_t = 9)]
    source: u64,
    /// The port of a door controller itself (ISAPI), as `127.0.0.1:0`; its address is printed.
    #[arg(long, requires = "port_password")]
    pub(crate) listen: Option<String>,
    /// Who may use it.
    #[arg(long, default_value = "admin")]
    port_user: String,
    /// Who may use it: the password.
    #[arg(long)]
    port_password: Option<String>,
    /// States and heartbeats are told again so often.
    #[arg(long, default_value = "10s", value_parser = span)]
    pub(crate) again_every: Duration,
    /// Each message about something that happened is sent so many times.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// How far the device's clock is ahead of the true time, such as -65s or 8h.
    #[arg(long, default_value = "0s", allow_hyphen_values = true)]
    clock_off: SignedDuration,
    /// The line is cut so often, such as 20s.
    #[arg(long, value_parser = span)]
    reconnect_every: Option<Duration>,
    /// Before every so many-th message a damaged copy of it goes out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    bad_every: Option<u32>,
    /// What the device does with orders: obey, refuse, refuse: REASON, delay: 3s, lie, mute, offline: 30s.
    #[arg(long = "commands", default_value = "obey")]
    pub(crate) behaviour: Behaviour,
    /// Stop after this time, such as 90s [default: on Ctrl-C].
    #[arg(long = "for")]
    pub(crate) lasting: Option<SignedDuration>,
    /// Write what was done to this file, as JSON.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
}

impl VendorArgs {
    /// The devices, and how their messages leave.
    pub(crate) fn vendor(&self) -> anyhow::Result<(Box<dyn Vendor>, Way)> {
        let first = || {
            self.devices
                .first()
                .context("which device? (hint: --device)")
        };
        let base = |known: &str| self.base.clone().unwrap_or_else(|| known.to_owned());
        let devices = self.devices.clone();
        let (vendor, way): (Box<dyn Vendor>, _) = match self.format {
            Format::Zigbee2Mqtt => (
                Box::new(Zigbee2Mqtt::new(&base("zigbee2mqtt"), &devices)),
                self.mqtt(),
            ),
            Format::Vzenith => (
                Box::new(Vzenith::new(first()?, self.older_topics)),
                self.mqtt(),
            ),
            Format::Frigate => (
                Box::new(Frigate::new(&base("frigate"), devices)),
                self.mqtt(),
            ),
            Format::Shelly => (Box::new(Shelly::new(first()?)), self.mqtt()),
            Format::Hikvision => (Box::new(Hikvision::new(devices)), self.http()),
            Format::Ctwing => (Box::new(Ctwing::new("/", &devices)), self.http()),
            Format::Gbt26875 => (Box::new(Gbt26875::new(self.source, devices)), self.tcp()),
        };
        Ok((vendor, way?))
    }

    fn mqtt(&self) -> anyhow::Result<Way> {
        let login = self.doors.login();
        login
            .map(Way::Mqtt)
            .context("these devices speak MQTT (hint: --mqtt)")
    }

    fn http(&self) -> anyhow::Result<Way> {
        let hook = self.doors.hook();
        hook.map(Way::Http)
            .context("these devices post web hooks (hint: --http)")
    }

    fn tcp(&self) -> anyhow::Result<Way> {
        let address = self.doors.tcp.clone();
        let address = address.context("this device speaks TCP (hint: --tcp)")?;
        Ok(Way::Tcp {
            address,
            answer_within: self.doors.answer_within,
        })
    }

    pub(crate) fn faults(&self) -> Faults {
        Faults {
            repeat: self.repeat,
            clock_off: self.clock_off,
            reconnect_every: self.reconnect_every,
            bad_every: self.bad_every,
        }
    }

    /// Who may use the device's own port.
    pub(crate) fn port_account(&self) -> anyhow::Result<Account> {
        if !matches!(self.format, Format::Hikvision) {
            bail!(
                "only a door controller of Hikvision has a port of its own (hint: leave --listen out)"
            );
        }
        Ok(Account {
            realm: "DS-K1T671".to_owned(),
            user: self.port_user.clone(),
            password: self.port_password.clone().unwrap_or_default(),
        })
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse::<SignedDuration>().ok();
    span.and_then(|span| Duration::try_from(span).ok())
        .filter(|span| !span.is_zero())
        .ok_or_else(|| format!("`{text}` is no time (hint: 500ms, 12s, 3m)"))
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("a number above 0, or `max`".to_owned()),
    }
}
