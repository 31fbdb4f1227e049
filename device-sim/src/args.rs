//! The command line of `device-sim`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use device_sim::command::{Behaviour, Key};
use jiff::SignedDuration;

use crate::foreign_args::{ReplayArgs, VendorArgs};

/// Simulated devices, and load.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Play a scenario with simulated devices against a running hub.
    Run(RunArgs),
    /// List the scenarios and the rules that they make ring; with --rules, exit code 1 when a rule has no scenario.
    Scenarios(ScenariosArgs),
    /// Publish as fast as asked, and write down what was acknowledged.
    Load(LoadArgs),
    /// Play devices in the format of their maker, and take orders in it.
    Vendor(VendorArgs),
    /// Play messages from files again, at any speed.
    Replay(ReplayArgs),
    /// Check that every acknowledged message is in the hub's store exactly once; exit code 1 when not.
    Verify(VerifyArgs),
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The hub's `demo.json`: who the devices are.
    #[arg(long)]
    pub(crate) credentials: PathBuf,
    /// Where devices connect [default: as the credentials say].
    #[arg(long)]
    pub(crate) mqtt: Option<String>,
    /// Name of a scenario, or a file that ends with .toml.
    #[arg(long, default_value = "demo")]
    pub(crate) scenario: String,
    /// Decides everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Size of the fleet [default: all devices of the credentials].
    #[arg(long)]
    pub(crate) devices: Option<usize>,
    /// Stop after this time, such as 90s [default: on Ctrl-C].
    #[arg(long = "for")]
    pub(crate) lasting: Option<SignedDuration>,
    /// Write what was done to this file, as JSON.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// How devices take commands, by id or pattern, such as 'door-q1-*=refuse: jammed'; the first that fits counts. Behaviours:
    /// obey, refuse, refuse: REASON, delay: 3s, lie, mute, offline: 30s.
    #[arg(long = "commands", value_name = "PATTERN=BEHAVIOUR", value_parser = behaviour)]
    pub(crate) commands: Vec<(String, Behaviour)>,
    /// How far the clocks of devices are ahead of the true time, by id or pattern, such as 'gate-*=-65s'.
    #[arg(long, value_name = "PATTERN=TIME", value_parser = clock_off)]
    pub(crate) clock_off: Vec<(String, SignedDuration)>,
    /// The hub's public key (Ed25519, base64): devices reject what was not signed with the other half.
    #[arg(long)]
    pub(crate) command_key: Option<Key>,
    /// A folder in which devices remember what they have executed; without it they forget it when the simulator ends.
    #[arg(long)]
    pub(crate) memory: Option<PathBuf>,
}

fn behaviour(text: &str) -> Result<(String, Behaviour), String> {
    let (pattern, behaviour) = of_pattern(text)?;
    Ok((pattern, behaviour.parse()?))
}

fn clock_off(text: &str) -> Result<(String, SignedDuration), String> {
    let (pattern, time) = of_pattern(text)?;
    let time = time
        .parse()
        .map_err(|_| format!("`{time}` is no time (hint: -65s, 8h)"))?;
    Ok((pattern, time))
}

fn of_pattern(text: &str) -> Result<(String, &str), String> {
    let (pattern, rest) = text
        .split_once('=')
        .ok_or("say which devices (hint: 'door-*=…', or '*=…' for all)")?;
    Ok((pattern.to_owned(), rest))
}

#[derive(Args)]
pub(crate) struct ScenariosArgs {
    /// A directory with rule files, such as deploy/config/rules: list its rules, each with the scenarios that make it ring.
    #[arg(long)]
    pub(crate) rules: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Where to connect, as `mqtt://127.0.0.1:1883` [default: as the credentials say].
    #[arg(long, required_unless_present = "credentials")]
    pub(crate) mqtt: Option<String>,
    /// How many connections.
    #[arg(long, default_value_t = 50)]
    pub(crate) connections: u32,
    /// Messages a second over all connections, or `max`.
    #[arg(long, default_value = "max", value_parser = rate)]
    pub(crate) rate: Rate,
    /// Unacknowledged messages per connection.
    #[arg(long, default_value_t = 20)]
    pub(crate) window: u16,
    /// How long to publish, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// How long, after that, the last acknowledgements may take, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) drain_seconds: f64,
    /// Length of each payload.
    #[arg(long, default_value_t = 250)]
    pub(crate) payload_bytes: usize,
    /// Kind of the events.
    #[arg(long, default_value = "access.granted")]
    pub(crate) kind: String,
    /// Come back when the other side dies, and send again what was not acknowledged.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) reconnect: bool,
    /// Where to write the acknowledged ids, one line `device id` each.
    #[arg(long)]
    pub(crate) acked: PathBuf,
    /// Where to write the report, as JSON.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// Part of every id [default: made of the time].
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// The hub's `demo.json`: connections are its devices.
    #[arg(long)]
    pub(crate) credentials: Option<PathBuf>,
    /// User name on a plain broker.
    #[arg(long, requires = "password", conflicts_with = "credentials")]
    pub(crate) username: Option<String>,
    /// Password on a plain broker.
    #[arg(long, requires = "username")]
    pub(crate) password: Option<String>,
    /// Client ids on a plain broker: this and a number.
    #[arg(long, default_value = "load", conflicts_with = "credentials")]
    pub(crate) client_prefix: String,
    /// Topic on a plain broker; {client} becomes the client id.
    #[arg(
        long,
        default_value = "ssg/v1/load/{client}/evt/access-granted",
        conflicts_with = "credentials"
    )]
    pub(crate) topic: String,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The file that `load` wrote.
    #[arg(long)]
    pub(crate) acked: PathBuf,
    /// The hub's URL.
    #[arg(long)]
    pub(crate) api: String,
    /// A bearer token that may read events.
    #[arg(long)]
    pub(crate) token: String,
    /// Do not read events up to this position.
    #[arg(long, default_value_t = 0)]
    pub(crate) after_seq: u64,
    /// Give up when nothing more appears for so many seconds.
    #[arg(long, default_value_t = 30.0)]
    pub(crate) wait_seconds: f64,
}

/// Messages a second, or as fast as possible.
#[derive(Clone, Copy)]
pub(crate) struct Rate(pub(crate) Option<f64>);

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate(None));
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate(Some(rate))),
        _ => Err("a number above 0, or `max`".to_owned()),
    }
}
