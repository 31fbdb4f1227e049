//! Things to be done at their time, the earliest first and those of the same time in the order in which they were put there.

use std::collections::VecDeque;
use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Most things that wait.
const LATER_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Later<T>(VecDeque<(Instant, T)>);

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Later<T> {
    /// Takes something, or gives it back when too much waits.
    pub(crate) fn push(&mut self, at: Instant, what: T) -> Result<(), T> {
        if self.0.len() >= LATER_MAX {
            return Err(what);
        }
        let place = self.0.partition_point(|(due, _)| *due <= at);
        self.0.insert(place, (at, what));
        Ok(())
    }

    /// What comes next, when its time has come; never returns while nothing waits. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> T {
        if let Some((due, _)) = self.0.front() {
            sleep_until(*due).await;
            if let Some((_, what)) = self.0.pop_front() {
                return what;
            }
        }
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_is_due_first_comes_first() {
        let start = Instant::now();
        let mut later = Later::default();
        for (ms, what) in [(20, 'c'), (0, 'a'), (20, 'd'), (10, 'b')] {
            let at = start + Duration::from_millis(ms);
            later.push(at, what).expect("there is room");
        }
        let mut came = String::new();
        for _ in 0..4 {
            came.push(later.next().await);
        }
        assert_eq!(came, "abcd");
        assert!(start.elapsed() >= Duration::from_millis(20));
        for _ in 0..LATER_MAX {
            later.push(start, 'x').expect("there is room");
        }
        assert_eq!(later.push(start, 'y'), Err('y'));
    }
}
