//! What the adapters remember from one message to the next: the last value of each property, and what formats asked to have remembered.
//!
//! Zigbee2MQTT sends the whole state of a device with every message, panels repeat what stands: a value that is told again is no news.
//! The detector writes changes with its cursor; whoever reads the journal anew from further back (the projector after a crash) takes
//! everything up to the position of a change for news once more: the event store knows its events again by their keys.

use std::collections::{BTreeSet, HashMap};

use domain::Seq;

use super::format::Recall;

/// Longest value that is remembered, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 << 10;
/// Most keys of one sender. A sender that has more is told so by a rejection.
pub const KEYS_MAX: usize = 50_000;

/// Remembered values of all senders.
#[derive(Debug, Default)]
pub struct Memory {
    senders: HashMap<String, HashMap<String, Remembered>>,
    dirty: BTreeSet<(String, String)>,
}

/// One value and since when it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The value.
    pub value: String,
    /// The message that changed it.
    pub since: Seq,
}

/// A row for the state database: sender, key, and the value, or none where it is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRow {
    /// Who sent it.
    pub sender: String,
    /// Its key.
    pub key: String,
    /// What is remembered now.
    pub value: Option<Remembered>,
}

/// What a property's value is against what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing was known.
    First,
    /// Another value was known.
    Changed,
    /// The same was known.
    Same,
}

impl Memory {
    /// From the rows of the state database.
    pub fn load(rows: impl IntoIterator<Item = (String, String, Remembered)>) -> Self {
        let mut memory = Self::default();
        for (sender, key, value) in rows {
            memory.senders.entry(sender).or_default().insert(key, value);
        }
        memory
    }

    /// What one sender left behind.
    pub fn of<'a>(&'a self, sender: &str) -> Of<'a> {
        Of(self.senders.get(sender))
    }

    /// Takes a value for a key. What is read again from before its last change counts as changed.
    pub fn tell(&mut self, sender: &str, key: &str, value: &str, seq: Seq) -> News {
        let keys = self.senders.entry(sender.to_owned()).or_default();
        let news = match keys.get(key) {
            Some(known) if seq <= known.since => return News::Changed,
            Some(known) if known.value == value => return News::Same,
            Some(_) => News::Changed,
            None if keys.len() >= KEYS_MAX => return News::Changed, // rings rather than falls silent
            None => News::First,
        };
        let value = value.chars().take(VALUE_BYTES_MAX / 4).collect();
        keys.insert(key.to_owned(), Remembered { value, since: seq });
        self.dirty.insert((sender.to_owned(), key.to_owned()));
        news
    }

    /// Remembers or forgets a value for a format. `false` where there is no room for it.
    pub fn learn(&mut self, sender: &str, key: &str, value: Option<String>, seq: Seq) -> bool {
        let keys = self.senders.entry(sender.to_owned()).or_default();
        match value {
            Some(value) => {
                if value.len() > VALUE_BYTES_MAX
                    || (keys.len() >= KEYS_MAX && !keys.contains_key(key))
                {
                    return false;
                }
                let known = keys.get(key);
                if known.is_some_and(|known| known.value == value || seq <= known.since) {
                    return true;
                }
                keys.insert(key.to_owned(), Remembered { value, since: seq });
            }
            None => {
                if keys.remove(key).is_none() {
                    return true;
                }
            }
        }
        self.dirty.insert((sender.to_owned(), key.to_owned()));
        true
    }

    /// What has changed since the last call, as rows.
    pub fn take_dirty(&mut self) -> Vec<MemoryRow> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .map(|(sender, key)| MemoryRow {
                value: self
                    .senders
                    .get(&sender)
                    .and_then(|keys| keys.get(&key))
                    .cloned(),
                sender,
                key,
            })
            .collect()
    }
}

/// The key of a property's value: what [`Draft::edge`](super::draft::Draft::edge) remembers. A format that learns it makes the value known
/// without an event.
pub fn property_key(address: &str, component: Option<&str>, property: &str) -> String {
    let component = component.unwrap_or_default();
    format!("{address}\u{1f}{component}\u{1f}{property}")
}

/// What one sender left behind.
pub struct Of<'a>(Option<&'a HashMap<String, Remembered>>);

impl Recall for Of<'_> {
    fn recall(&self, key: &str) -> Option<&str> {
        self.0?.get(key).map(|known| known.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_told_again_is_no_news() {
        let mut memory = Memory::default();
        assert_eq!(memory.tell("z2m", "smoke", "false", Seq(5)), News::First);
        assert_eq!(memory.tell("z2m", "smoke", "false", Seq(6)), News::Same);
        assert_eq!(memory.tell("z2m", "smoke", "true", Seq(7)), News::Changed);
        assert_eq!(memory.tell("other", "smoke", "true", Seq(8)), News::First);
        // read again after a crash: news once more, and what is known stays
        assert_eq!(memory.tell("z2m", "smoke", "false", Seq(5)), News::Changed);
        assert_eq!(memory.tell("z2m", "smoke", "true", Seq(7)), News::Changed);
        assert_eq!(memory.tell("z2m", "smoke", "true", Seq(9)), News::Same);
        let rows = memory.take_dirty();
        assert_eq!(rows.len(), 2);
        assert_eq!(memory.take_dirty(), []);
    }

    #[test]
    fn what_a_format_learns_is_there_until_it_is_forgotten() {
        let mut memory = Memory::default();
        assert!(memory.learn("z2m", "ha:a", Some("{}".to_owned()), Seq(1)));
        assert_eq!(memory.of("z2m").recall("ha:a"), Some("{}"));
        assert_eq!(memory.of("other").recall("ha:a"), None);
        assert!(memory.learn("z2m", "ha:a", None, Seq(2)));
        assert_eq!(memory.of("z2m").recall("ha:a"), None);
        assert_eq!(memory.take_dirty().len(), 1);
        assert!(!memory.learn("z2m", "x", Some("y".repeat(VALUE_BYTES_MAX + 1)), Seq(3)));
    }
}
