//! The load generator: many connections that publish as fast as they are let, and an oracle of what was acknowledged.
//!
//! It runs against the hub (accounts from its credentials file) and against any broker (names made up), so that both can be
//! measured with the same tool. It is cheap on purpose: bare streams, patched templates, batched writes; the machine belongs
//! to who is measured.

mod connection;
mod oracle;
mod pace;
mod packet;
mod window;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::Kind;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::credentials::{CredentialsError, SimDevice, broker_address};
use crate::latency::{Histogram, LatencyMs};
use crate::native;
use connection::{Connection, Shared, Tally};
use oracle::Oracle;
use packet::Template;

pub use packet::PacketError;

/// Most connections of one generator.
const CONNECTIONS_MAX: u32 = 20_000;

/// How much of what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many connections, at least one.
    pub connections: u32,
    /// Messages a second over all connections; none for as fast as the windows allow.
    pub rate: Option<f64>,
    /// Unacknowledged messages per connection.
    pub window: u16,
    /// How long new messages are sent.
    pub duration: Duration,
    /// How long, after that, the rest of the acknowledgements may take.
    pub drain: Duration,
    /// Length of each payload.
    pub payload_bytes: usize,
    /// What each message tells.
    pub kind: Kind,
    /// Come back when the other side dies, and send again what was not acknowledged.
    pub reconnect: bool,
}

/// Who publishes to which topic on one connection.
#[derive(Clone)]
pub struct Account {
    /// MQTT client id; the first word of the oracle's lines.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, String)>,
    /// Where to.
    pub topic: String,
}

impl Account {
    /// The account of a device of the hub, with its topic for this kind.
    pub fn of_device(device: &SimDevice, kind: Kind) -> Self {
        Self {
            client_id: device.id.to_string(),
            login: Some((device.username.clone(), device.password.clone())),
            topic: format!("{}/evt/{}", native::topic_root(device), kind.topic_level()),
        }
    }

    /// A made-up account for a plain broker; `{client}` in the topic becomes the client id.
    pub fn made_up(client_id: String, login: Option<(String, String)>, topic: &str) -> Self {
        Self {
            topic: topic.replace("{client}", &client_id),
            client_id,
            login,
        }
    }
}

/// What the generator did. `msgs_per_s` counts acknowledged messages from the start to the last PUBACK.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LoadReport {
    /// Different messages sent.
    pub published: u64,
    /// Of them, acknowledged.
    pub acknowledged: u64,
    /// Of them, not acknowledged at the end.
    pub unacknowledged: u64,
    /// Sent again after a reconnect, counted each time.
    pub resent: u64,
    /// Connections that were lost and made again.
    pub reconnects: u64,
    /// From the start to the last PUBACK, in seconds.
    pub seconds: f64,
    /// Acknowledged messages a second.
    pub msgs_per_s: f64,
    /// From the first sending to the PUBACK.
    pub puback_ms: LatencyMs,
    /// How many connections.
    pub connections: u32,
    /// Unacknowledged messages per connection.
    pub window: u16,
    /// Length of each payload.
    pub payload_bytes: usize,
    /// Why a connection was lost the last time, if one was.
    pub last_error: Option<String>,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(String),
    /// The broker's address is none.
    #[error("where to connect")]
    Address(#[source] CredentialsError),
    /// No message can be made.
    #[error("what to send")]
    Packet(#[source] PacketError),
    /// The oracle's file cannot be written.
    #[error("cannot write the acknowledged ids")]
    Oracle(#[source] std::io::Error),
    /// Not all connections could be made at the start.
    #[error("{failed} of {all} connections could not be made")]
    Connect {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first reason.
        #[source]
        source: std::io::Error,
    },
}

/// Publishes as planned and writes every acknowledged id to the file `acked`.
///
/// `run` becomes part of every id; no two runs against one store may have the same.
pub async fn run(
    mqtt: &str,
    accounts: Vec<Account>,
    plan: Plan,
    run: &str,
    acked: &Path,
) -> Result<LoadReport, LoadError> {
    check(&plan, &accounts)?;
    let address = broker_address(mqtt).map_err(LoadError::Address)?;
    let oracle = Oracle::create(acked).map_err(LoadError::Oracle)?;
    let shared = Arc::new(Shared {
        address,
        plan,
        oracle,
    });
    let plan = &shared.plan;
    let (ready, mut is_ready) = mpsc::channel(accounts.len());
    let (start, started) = watch::channel(None);
    let mut tasks = JoinSet::new();
    for (at, account) in accounts.into_iter().enumerate() {
        let prefix = format!("{run}-{at:03}-");
        let template = Template::new(&account.topic, &prefix, plan.kind, plan.payload_bytes)
            .map_err(LoadError::Packet)?;
        let share = at as f64 / f64::from(plan.connections);
        let connection = Connection::new(account, template, share, Arc::clone(&shared));
        tasks.spawn(connection.run(ready.clone(), started.clone()));
    }
    drop((ready, started));
    let mut failures = Vec::new();
    while let Some(told) = is_ready.recv().await {
        failures.extend(told.err());
    }
    let failed = failures.len();
    if let Some(source) = failures.into_iter().next() {
        let all = plan.connections as usize;
        return Err(LoadError::Connect {
            failed,
            all,
            source,
        });
    }
    let begin = Instant::now();
    start.send_replace(Some(begin));
    let mut tallies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        // a task that panicked is a bug that must be seen
        tallies.push(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())));
    }
    Ok(report(plan, begin, tallies))
}

fn check(plan: &Plan, accounts: &[Account]) -> Result<(), LoadError> {
    let wrong = |what: String| Err(LoadError::Plan(what));
    if !(1..=CONNECTIONS_MAX).contains(&plan.connections)
        || accounts.len() != plan.connections as usize
    {
        return wrong(format!(
            "{} connections with {} accounts (hint: 1 to {CONNECTIONS_MAX}, and an account for each)",
            plan.connections,
            accounts.len()
        ));
    }
    if plan.window == 0 {
        return wrong("a window of 0 sends nothing (hint: 1 to 65535)".to_owned());
    }
    if plan
        .rate
        .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
    {
        return wrong("the rate must be more than 0 (hint: or `max`)".to_owned());
    }
    let mut ids: Vec<&str> = accounts.iter().map(|a| a.client_id.as_str()).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => wrong(format!("client id `{}` is there twice", pair[0])),
        None => Ok(()),
    }
}

fn report(plan: &Plan, begin: Instant, tallies: Vec<Tally>) -> LoadReport {
    let mut puback = Histogram::default();
    let mut report = LoadReport {
        connections: plan.connections,
        window: plan.window,
        payload_bytes: plan.payload_bytes,
        ..LoadReport::default()
    };
    let mut last = begin;
    for tally in tallies {
        report.published += tally.published;
        report.acknowledged += tally.acknowledged;
        report.unacknowledged += tally.unacknowledged;
        report.resent += tally.resent;
        report.reconnects += tally.reconnects;
        puback.merge(&tally.puback);
        last = last.max(tally.last_at.unwrap_or(begin));
        report.last_error = tally.last_error.or(report.last_error);
    }
    report.seconds = last.duration_since(begin).as_secs_f64();
    if report.seconds > 0.0 {
        report.msgs_per_s = report.acknowledged as f64 / report.seconds;
    }
    report.puback_ms = puback.summary();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            connections: 2,
            rate: None,
            window: 20,
            duration: Duration::from_secs(1),
            drain: Duration::from_secs(1),
            payload_bytes: 250,
            kind: Kind::AccessGranted,
            reconnect: true,
        }
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let account = |id: &str| Account::made_up(id.to_owned(), None, "load/{client}");
        let two = vec![account("a"), account("b")];
        assert_eq!(two[0].topic, "load/a");
        assert!(check(&plan(), &two).is_ok());
        assert!(check(&plan(), &two[..1]).is_err());
        assert!(check(&plan(), &[account("a"), account("a")]).is_err());
        for (wrong, what) in [
            (
                Plan {
                    window: 0,
                    ..plan()
                },
                "window",
            ),
            (
                Plan {
                    rate: Some(0.0),
                    ..plan()
                },
                "rate",
            ),
            (
                Plan {
                    rate: Some(f64::NAN),
                    ..plan()
                },
                "rate",
            ),
        ] {
            let error = check(&wrong, &two).expect_err(what);
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn the_report_adds_up() {
        let begin = Instant::now();
        let tally = |acknowledged, seconds| Tally {
            published: acknowledged + 1,
            acknowledged,
            unacknowledged: 1,
            last_at: Some(begin + Duration::from_secs(seconds)),
            ..Tally::default()
        };
        let report = report(&plan(), begin, vec![tally(100, 4), tally(300, 5)]);
        assert_eq!(
            report.published,
            report.acknowledged + report.unacknowledged
        );
        assert!((report.msgs_per_s - 80.0).abs() < 1e-9);
    }
}
