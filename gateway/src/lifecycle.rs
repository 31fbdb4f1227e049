//! The one place that spawns: long-running parts by name, and what it means when one of them ends.
//!
//! A part that ends before it was asked to stops the hub, and the exit code says so. Only sources watch [`Lifecycle::stop`]; what
//! stands behind them ends when its input does.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The running parts of the hub.
pub struct Lifecycle {
    stop: CancellationToken,
    parts: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            stop: CancellationToken::new(),
            parts: JoinSet::new(),
        }
    }
}

impl Lifecycle {
    /// Cancelled when the hub shall end.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a part until it ends.
    pub fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.parts.spawn(async move { (name, part.await) });
    }

    /// Waits until a signal, `until`, or the end of a part; then stops all parts and waits for them.
    ///
    /// # Errors
    /// A part that failed, panicked, ended unasked, or did not end within `deadline`.
    pub async fn run(
        mut self,
        until: impl Future<Output = ()>,
        deadline: Duration,
    ) -> anyhow::Result<()> {
        let mut failure = tokio::select! {
            () = until => None,
            Some(ended) = self.parts.join_next() => Some(match ended {
                Ok((name, Ok(()))) => anyhow::anyhow!("`{name}` ended although nobody asked"),
                Ok((name, Err(e))) => e.context(format!("`{name}` failed")),
                Err(e) => anyhow::anyhow!("a part of the hub panicked: {e}"),
            }),
        };
        if let Some(failure) = &failure {
            error!(error = format!("{failure:#}"), "part ended, hub stops");
        }
        self.stop.cancel();
        let drained = tokio::time::timeout(deadline, async {
            while let Some(ended) = self.parts.join_next().await {
                let problem = match ended {
                    Ok((_, Ok(()))) => continue,
                    Ok((name, Err(e))) => e.context(format!("`{name}` failed while stopping")),
                    Err(e) => anyhow::anyhow!("a part of the hub panicked while stopping: {e}"),
                };
                error!(error = format!("{problem:#}"), "part failed while stopping");
                failure.get_or_insert(problem);
            }
        });
        if drained.await.is_err() {
            failure.get_or_insert_with(|| {
                anyhow::anyhow!("not everything had ended after {} s", deadline.as_secs())
            });
        }
        info!("hub stopped");
        failure.map_or(Ok(()), Err)
    }
}

/// Ends at SIGTERM or Ctrl-C.
pub async fn signal() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(e) => {
                error!(error = %e, "signals cannot be watched");
                return;
            }
        };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_dies_stops_the_others_and_is_named() {
        let mut life = Lifecycle::default();
        let stop = life.stop();
        life.spawn("patient", async move {
            stop.cancelled().await;
            Ok(())
        });
        life.spawn("frail", async { anyhow::bail!("out of luck") });
        let error = life
            .run(std::future::pending(), Duration::from_secs(5))
            .await
            .expect_err("fails");
        assert!(format!("{error:#}").contains("`frail` failed: out of luck"));
    }

    #[tokio::test]
    async fn a_clean_end_is_no_error() {
        let mut life = Lifecycle::default();
        let stop = life.stop();
        life.spawn("patient", async move {
            stop.cancelled().await;
            Ok(())
        });
        life.run(std::future::ready(()), Duration::from_secs(5))
            .await
            .expect("clean");
    }

    #[tokio::test]
    async fn a_part_that_does_not_end_is_told_of() {
        let mut life = Lifecycle::default();
        life.spawn("stubborn", std::future::pending());
        let error = life
            .run(std::future::ready(()), Duration::from_millis(20))
            .await
            .expect_err("late");
        assert!(error.to_string().contains("not everything had ended"));
    }
}
