//! Waiting for something to come true, with a deadline and never with a bare sleep.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks `probe` again and again until it answers `Some`, at most for `patience`.
///
/// # Panics
/// When it does not come true in time; `what` says what was waited for.
pub async fn eventually<T, F, Fut>(what: &str, patience: Duration, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            start.elapsed() < patience,
            "not within {patience:?}: {what}"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Asks `probe` until it has given the same answer for `quiet`, and returns that answer.
///
/// # Panics
/// When it never settles within a minute.
pub async fn settles<T, F, Fut>(what: &str, quiet: Duration, mut probe: F) -> T
where
    T: PartialEq,
    F: FnMut() -> Fut,
    Fut: Future<Output = T>,
{
    let start = Instant::now();
    let mut last = probe().await;
    let mut since = Instant::now();
    while since.elapsed() < quiet {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "never settled: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        let next = probe().await;
        if next != last {
            last = next;
            since = Instant::now();
        }
    }
    last
}
