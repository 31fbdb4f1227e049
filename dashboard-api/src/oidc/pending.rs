//! Log-ins that have begun and are not over: in memory, for ten minutes, each good once.
//!
//! There is a bound; when it is reached the oldest goes. Whoever begins many at a time is slowed by address before that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

/// How long somebody may take at the provider, and with the code of the second step.
pub(crate) const LIFE: Duration = Duration::from_mins(10);
/// The same for a cookie.
pub(crate) const LIFE_S: i64 = 600;
/// Log-ins that are remembered at one time.
const PENDING_MAX: usize = 4096;

/// What is good in one browser only.
pub(crate) trait BrowserBound {
    /// The secret that lies in that browser's cookie.
    fn browser(&self) -> &str;
}

/// Things under a secret of their own, for a while.
#[derive(Debug)]
pub(crate) struct Table<T> {
    kept: Mutex<HashMap<String, (Instant, T)>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
        }
    }
}

impl<T: BrowserBound> Table<T> {
    /// Remembers.
    pub(crate) fn put(&self, key: String, value: T, now: Instant) {
        let mut kept = self.kept.lock();
        if kept.len() >= PENDING_MAX {
            kept.retain(|_, (at, _)| now.saturating_duration_since(*at) < LIFE);
        }
        if kept.len() >= PENDING_MAX
            && let Some(oldest) = kept.iter().min_by_key(|(_, (at, _))| *at)
        {
            let oldest = oldest.0.clone();
            kept.remove(&oldest);
        }
        kept.insert(key, (now, value));
    }

    /// Gives it out to the browser that it is for, and forgets it. Whoever comes from another one changes nothing.
    pub(crate) fn take(&self, key: &str, browser: &str, now: Instant) -> Option<T> {
        let mut kept = self.kept.lock();
        let (at, value) = kept.get(key)?;
        if now.saturating_duration_since(*at) >= LIFE {
            kept.remove(key);
            return None;
        }
        let is_same = value.browser().as_bytes().ct_eq(browser.as_bytes());
        if !bool::from(is_same) {
            return None;
        }
        kept.remove(key).map(|(_, value)| value)
    }
}

impl<T: BrowserBound + Clone> Table<T> {
    /// The same, and it stays.
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<T> {
        let kept = self.kept.lock();
        let (at, value) = kept.get(key)?;
        (now.saturating_duration_since(*at) < LIFE).then(|| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Kept(&'static str);
    impl BrowserBound for Kept {
        fn browser(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn it_is_good_once_in_its_browser_and_for_ten_minutes() {
        let (table, now) = (Table::default(), Instant::now());
        let put = |key: &str| table.put(key.to_owned(), Kept("desk"), now);
        put("state");
        assert_eq!(table.take("state", "other", now), None);
        assert_eq!(table.take("state", "", now), None);
        assert_eq!(table.take("other", "desk", now), None);
        assert_eq!(table.take("state", "desk", now), Some(Kept("desk")));
        assert_eq!(table.take("state", "desk", now), None, "it was used");
        put("late");
        let just = now + Duration::from_millis(599_999);
        assert_eq!(table.get("late", just), Some(Kept("desk")));
        assert_eq!(table.get("late", now + LIFE), None);
        assert_eq!(table.take("late", "desk", now + LIFE), None);
        assert!(table.kept.lock().is_empty());
    }

    #[test]
    fn the_table_has_an_end_and_the_oldest_goes() {
        let (table, now) = (Table::default(), Instant::now());
        for n in 0..u64::try_from(PENDING_MAX).expect("small") + 3 {
            table.put(n.to_string(), Kept("b"), now + Duration::from_millis(n));
        }
        assert_eq!(table.kept.lock().len(), PENDING_MAX);
        let later = now + Duration::from_secs(5);
        assert_eq!(table.take("2", "b", later), None);
        assert_eq!(table.take("3", "b", later), Some(Kept("b")));
    }
}
