//! `gateway demo`: the hub with a simulated compound in one process, over real MQTT, with log-ins of its own.
//!
//! Its data stays in a directory, so that the next run goes on where this one ended, however it ended.

mod report;
mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use device_sim::{Fleet, FleetConfig, FleetReport, Scenario, SimDevice, script};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::hub::{self, Catalogue, Running, Stores};
use crate::lifecycle::{self, Lifecycle};
use crate::{config, embedded, registry};
use report::Report;
use secrets::Secrets;

/// What the demo may be told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Where its data lives; a second run on the same directory goes on.
    #[arg(long, default_value = "demo-data")]
    pub data: PathBuf,
    /// Where devices connect; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:1883")]
    pub mqtt: SocketAddr,
    /// Where browsers connect; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// Decides everything the simulator leaves to chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What happens: a name such as `smoke-in-one-flat`, or a scenario file.
    #[arg(long, default_value = "demo")]
    pub scenario: String,
    /// Stop by itself after this time, as in `60s` or `5m`.
    #[arg(long = "for", value_parser = duration)]
    pub stop_after: Option<Duration>,
    /// Write a JSON report there when it ends.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// How many devices are simulated; 0 runs the hub alone. All registered ones by default.
    #[arg(long)]
    pub devices: Option<usize>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is not a duration (hint: 60s, 5m or 1h30m)");
    let signed: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    Duration::try_from(signed)
        .ok()
        .filter(|d| !d.is_zero())
        .ok_or_else(bad)
}

/// The history was not complete at the end.
#[derive(Debug, thiserror::Error)]
#[error("{0} acknowledged messages are not in the store")]
pub struct Lost(u64);

/// Runs the demo until `--for` is over, SIGTERM or Ctrl-C.
///
/// # Errors
/// What kept the hub from serving; [`Lost`] when an acknowledged message is missing at the end.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut config = config::load(None)?;
    config.data.dir.clone_from(&options.data);
    config.mqtt.listen = options.mqtt;
    config.http.listen = options.http;
    crate::logging::init(&config.log)?;
    // files of its own, so that whoever tries the demo can change them; once there they stay
    for (name, files, dir) in [
        ("compound", embedded::COMPOUND, &mut config.registry.dir),
        ("rules", embedded::RULES, &mut config.rules.dir),
        ("adapters", embedded::ADAPTERS, &mut config.adapters.dir),
    ] {
        if dir.as_os_str().is_empty() {
            hub::make_private(&options.data)?;
            *dir = options.data.join(name);
            registry::unpack_once(dir, files)?;
        }
    }
    let scenario = Scenario::load(&options.scenario).map_err(|e| hub::Misconfigured::new(&e))?;
    let catalogue = Catalogue::load_to_run(&config)?;
    let told = options.data.join("demo.json");
    let _ = std::fs::remove_file(&told);

    let stores = Stores::open(&config, catalogue).await?;
    let secrets = Secrets::load_or_make(&options.data, &stores).await?;
    let mut life = Lifecycle::default();
    let before = report::Before::read(&stores);
    let running = hub::serve(&config, &stores, &mut life).await?;
    secrets.tell(&told, &running)?;
    greet(&running, &secrets, &options);

    let all = simulated(&secrets);
    let devices = script::choose(&all, &scenario, options.devices.unwrap_or(all.len()));
    let scenario = script::playable(&devices, scenario);
    let (fleet_stop, reported) = start_fleet(&running, devices, scenario, options.seed, &mut life)?;
    let stop_after = options.stop_after;
    let until = async {
        let over = async {
            match stop_after {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { () = over => {} () = lifecycle::signal() => {} }
    };
    let (finish, finished) = oneshot::channel();
    let until = async move {
        until.await;
        // devices say good-bye before the hub does, so that what they still say is taken
        fleet_stop.cancel();
        let _ = finish.send(reported.await.unwrap_or_default());
    };
    let outcome = life
        .run(until, Duration::from_secs(config.shutdown.deadline_s))
        .await;
    stores.ended(&outcome);
    let fleet = finished.await.unwrap_or_default();
    let report = Report::make(&fleet, &before, &stores, &running).await?;
    if let Some(path) = &options.report {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    outcome?;
    match report.lost {
        0 => Ok(()),
        lost => Err(Lost(lost).into()),
    }
}

/// The registered devices as the simulator needs them.
fn simulated(secrets: &Secrets) -> Vec<SimDevice> {
    let simulated = |device: &secrets::Device| SimDevice {
        id: device.id.clone(),
        site: device.site.clone(),
        class: device.class,
        username: device.username.clone(),
        password: device.password.clone(),
        heartbeat_s: device.heartbeat_s,
    };
    secrets.devices.iter().map(simulated).collect()
}

/// Starts the fleet as a part of the hub's life; what it did comes through the channel when it has stopped.
fn start_fleet(
    running: &Running,
    devices: Vec<SimDevice>,
    scenario: Scenario,
    seed: u64,
    life: &mut Lifecycle,
) -> anyhow::Result<(CancellationToken, oneshot::Receiver<FleetReport>)> {
    let stop = CancellationToken::new();
    let (report, reported) = oneshot::channel();
    if devices.is_empty() {
        let _ = report.send(FleetReport::default());
        return Ok((stop, reported));
    }
    let fleet = Fleet::new(FleetConfig::new(
        format!("mqtt://{}", running.mqtt),
        devices,
        scenario,
        seed,
    ))
    .map_err(|e| hub::Misconfigured::new(&e))?;
    let (fleet_stop, hub_stop) = (stop.clone(), life.stop());
    life.spawn("simulated compound", async move {
        let _ = report.send(fleet.run(fleet_stop).await);
        // it ends before the hub does; that is no reason for the hub to fall
        hub_stop.cancelled().await;
        Ok(())
    });
    Ok((stop, reported))
}

fn greet(running: &Running, secrets: &Secrets, options: &Options) {
    println!(
        "Jiming 鸡鸣 is up: open {}://{}",
        running.scheme, running.http
    );
    println!("devices connect to mqtt://{}", running.mqtt);
    println!(
        "log-ins (all of them, with API tokens, in {}):",
        options.data.join("demo.json").display()
    );
    for user in &secrets.users {
        println!("  {:<17} {:<12} {}", user.role, user.login, user.password);
    }
    println!("Ctrl-C ends it; the same command goes on where it ended");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("1h30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "-5s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
