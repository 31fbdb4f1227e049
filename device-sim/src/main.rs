//! `device-sim`: simulated devices against a running hub (`run`), what they can play (`scenarios`), devices in the formats of their
//! makers (`vendor`), messages from files (`replay`), a load generator (`load`), and the check of its oracle against the hub's store
//! (`verify`).

mod args;
mod coverage;
mod foreign_args;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use args::{Cli, Command, LoadArgs, RunArgs, VerifyArgs};
use clap::Parser;
use device_sim::command::Manners;
use device_sim::credentials::Credentials;
use device_sim::fleet::{Fleet, FleetConfig, run_name};
use device_sim::load::{self, Account, Plan};
use device_sim::vendor::{self, Play};
use device_sim::{Scenario, replay, script, verify};
use domain::Kind;
use foreign_args::{ReplayArgs, VendorArgs};
use jiff::SignedDuration;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

// one thread: the other core belongs to who is measured
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let done = match Cli::parse().command {
        Command::Run(args) => run(args).await,
        Command::Scenarios(args) => coverage::list(args.rules.as_deref()),
        Command::Load(args) => load(args).await,
        Command::Vendor(args) => vendor(args).await,
        Command::Replay(args) => replay(args).await,
        Command::Verify(args) => check(args).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("device-sim: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let credentials = Credentials::read(&args.credentials)?;
    let mqtt = args
        .mqtt
        .or(credentials.mqtt)
        .context("the credentials do not say where to connect (hint: --mqtt)")?;
    let scenario = Scenario::load(&args.scenario)?;
    let (devices, scenario) = match args.devices {
        Some(n) => {
            let devices = script::choose(&credentials.devices, &scenario, n);
            let scenario = script::playable(&devices, scenario);
            (devices, scenario)
        }
        None => (credentials.devices, scenario),
    };
    let lasting = lasting(args.lasting)?;
    if let Some(folder) = &args.memory {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let fleet = Fleet::new(FleetConfig {
        manners: Manners {
            behaviours: args.commands,
            clocks: args.clock_off,
        },
        command_key: args.command_key,
        memory: args.memory,
        ..FleetConfig::new(mqtt, devices, scenario, args.seed)
    })?;
    let stop = CancellationToken::new();
    let report = until_over(lasting, &stop, fleet.run(stop.clone())).await;
    println!(
        "published {} acknowledged {} telemetry {} disconnects {} PUBACK p50/p99 {}/{} ms, {} scenario events",
        report.published,
        report.acknowledged,
        report.telemetry,
        report.disconnects,
        report.puback_ms.p50,
        report.puback_ms.p99,
        report.scenario_events.len()
    );
    let commands = &report.commands;
    if commands.heard > 0 {
        println!(
            "commands heard {} executed {} late {} double {} answered {}",
            commands.heard, commands.executed, commands.late, commands.double, commands.answered
        );
    }
    write_report(args.report.as_ref(), &report)?;
    let all = report.published == report.acknowledged && report.refused == 0;
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lasting(time: Option<SignedDuration>) -> anyhow::Result<Option<Duration>> {
    time.map(Duration::try_from).transpose().context("--for")
}

/// Lets something run to its end, and asks it to stop when the time is over or somebody presses Ctrl-C.
async fn until_over<T>(
    lasting: Option<Duration>,
    stop: &CancellationToken,
    run: impl Future<Output = T>,
) -> T {
    let asked = async {
        let over = async {
            match lasting {
                Some(lasting) => tokio::time::sleep(lasting).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            // without a handler for Ctrl-C there is nothing better than to stop
            _ = tokio::signal::ctrl_c() => {}
        }
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        done = run => done,
        never = asked => never,
    }
}

async fn vendor(args: VendorArgs) -> anyhow::Result<ExitCode> {
    let (devices, way) = args.vendor()?;
    let lasting = lasting(args.lasting)?;
    let port = match &args.listen {
        Some(address) => {
            let account = args.port_account()?;
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?;
            println!("the device listens on {}", listener.local_addr()?);
            Some((listener, account))
        }
        None => None,
    };
    let stop = CancellationToken::new();
    let play = Play {
        vendor: devices,
        way,
        faults: args.faults(),
        happenings: args.happens,
        again_every: args.again_every,
        behaviour: args.behaviour,
        port,
    };
    let report = until_over(lasting, &stop, vendor::run(play, stop.clone())).await?;
    println!(
        "said {} taken {} refused {} damaged {} resent {} connects {}, orders heard {} understood {}",
        report.said,
        report.taken,
        report.refused,
        report.damaged,
        report.resent,
        report.connects,
        report.heard,
        report.orders.len()
    );
    write_report(args.report.as_ref(), &report)?;
    Ok(if report.refused == 0 && report.taken > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn replay(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let messages = replay::read(&args.files)?;
    let doors = replay::Doors {
        mqtt: args.doors.login(),
        http: args.doors.hook(),
        tcp: args
            .doors
            .tcp
            .clone()
            .map(|address| (address, args.doors.answer_within)),
    };
    let stop = CancellationToken::new();
    let pace = (args.speed, args.gap, args.times);
    let run = replay::run(&messages, doors, pace, stop.clone());
    let report = until_over(None, &stop, run).await?;
    println!(
        "messages {} taken {} refused {} left out {}",
        report.messages, report.taken, report.refused, report.left_out
    );
    if report.left_out > 0 {
        tracing::warn!(
            replay.left_out = report.left_out,
            "no door for these messages (hint: --mqtt, --http, --tcp)"
        );
    }
    write_report(args.report.as_ref(), &report)?;
    Ok(if report.refused == 0 && report.taken > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn load(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let kind: Kind = args.kind.parse().context("--kind (hint: access.granted)")?;
    let run = args.run.clone().unwrap_or_else(run_name);
    let (accounts, known_mqtt) = accounts(&args, kind)?;
    let mqtt = args
        .mqtt
        .or(known_mqtt)
        .context("the credentials do not say where to connect (hint: --mqtt)")?;
    let plan = Plan {
        connections: args.connections,
        rate: args.rate.0,
        window: args.window,
        duration: Duration::try_from_secs_f64(args.seconds).context("--seconds")?,
        drain: Duration::try_from_secs_f64(args.drain_seconds).context("--drain-seconds")?,
        payload_bytes: args.payload_bytes,
        kind,
        reconnect: args.reconnect,
    };
    let report = load::run(&mqtt, accounts, plan, &run, &args.acked).await?;
    println!(
        "published {} acknowledged {} in {:.1} s = {:.0} msg/s, PUBACK p50/p99/max {}/{}/{} ms, {} reconnects",
        report.published,
        report.acknowledged,
        report.seconds,
        report.msgs_per_s,
        report.puback_ms.p50,
        report.puback_ms.p99,
        report.puback_ms.max,
        report.reconnects
    );
    write_report(args.report.as_ref(), &report)?;
    if report.unacknowledged > 0 {
        // no loss: nobody has promised anything about them
        let error = report.last_error.unwrap_or_default();
        tracing::warn!(load.unacknowledged = report.unacknowledged, error = %error, "the time is over");
    }
    Ok(if report.acknowledged > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One account per connection, and the broker's address where the credentials tell it.
fn accounts(args: &LoadArgs, kind: Kind) -> anyhow::Result<(Vec<Account>, Option<String>)> {
    let Some(path) = &args.credentials else {
        let login = args.username.clone().zip(args.password.clone());
        let made_up = |n| {
            let client_id = format!("{}-{n:05}", args.client_prefix);
            Account::made_up(client_id, login.clone(), &args.topic)
        };
        return Ok(((0..args.connections).map(made_up).collect(), None));
    };
    let credentials = Credentials::read(path)?;
    let wanted = args.connections as usize;
    ensure!(
        credentials.devices.len() >= wanted,
        "{wanted} connections with {} devices (hint: every connection is a device of its own)",
        credentials.devices.len()
    );
    let devices = credentials.devices.iter().take(wanted);
    let accounts = devices.map(|device| Account::of_device(device, kind));
    Ok((accounts.collect(), credentials.mqtt))
}

async fn check(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let question = verify::Question {
        acked: args.acked,
        api: args.api,
        token: args.token,
        after_seq: args.after_seq,
        wait: Duration::try_from_secs_f64(args.wait_seconds).context("--wait-seconds")?,
    };
    let verdict = verify::run(&question).await?;
    println!(
        "acknowledged {} found {} lost {} doubled {} (read {} events)",
        verdict.acknowledged, verdict.found, verdict.lost, verdict.doubled, verdict.events_read
    );
    for (what, ids) in [
        ("lost", &verdict.lost_ids),
        ("doubled", &verdict.doubled_ids),
    ] {
        for id in ids {
            println!("{what} {id}");
        }
    }
    if verdict.acknowledged == 0 {
        bail!("nothing was acknowledged, so nothing was checked");
    }
    Ok(if verdict.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write_report(path: Option<&PathBuf>, report: &impl Serialize) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
