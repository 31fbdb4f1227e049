//! Retained messages: the last of each topic that was published so (MQTT 5.0 §3.3.1.3), bounded in number and bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Timestamp;

use super::session::Message;
use crate::listener::Pattern;

/// Most topics.
const TOPICS_MAX: usize = 50_000;
/// Most bytes of topics and payloads.
const BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
pub(super) struct Retained {
    by_topic: BTreeMap<String, Arc<Message>>,
    bytes: usize,
}

fn bytes(message: &Message) -> usize {
    message.topic.len() + message.payload.len() + message.forwarded.bytes().len()
}

impl Retained {
    pub(super) fn len(&self) -> usize {
        self.by_topic.len()
    }

    /// Keeps a message. False when there is no room for it; what was there stays.
    pub(super) fn put(&mut self, message: Arc<Message>) -> bool {
        let old = self.by_topic.get(&message.topic).map(|m| bytes(m));
        let after = self.bytes - old.unwrap_or(0) + bytes(&message);
        if after > BYTES_MAX || (old.is_none() && self.by_topic.len() >= TOPICS_MAX) {
            return false;
        }
        self.bytes = after;
        self.by_topic.insert(message.topic.clone(), message);
        true
    }

    /// Forgets a topic. False when nothing was kept.
    pub(super) fn drop(&mut self, topic: &str) -> bool {
        let old = self.by_topic.remove(topic);
        self.bytes -= old.as_ref().map_or(0, |m| bytes(m));
        old.is_some()
    }

    /// What a filter matches and is still wanted.
    pub(super) fn matching(&self, filter: &str, now: Timestamp) -> Vec<Arc<Message>> {
        let lives = |m: &Message| m.expires_at.is_none_or(|at| at > now);
        if !filter.contains(['+', '#']) {
            let found = self.by_topic.get(filter).filter(|m| lives(m));
            return found.cloned().into_iter().collect();
        }
        let Ok(pattern) = filter.parse::<Pattern>() else {
            return Vec::new();
        };
        // topics with the filter's literal beginning lie together
        let literal = &filter[..filter.find(['+', '#']).unwrap_or(0)];
        let literal = literal.strip_suffix('/').unwrap_or(literal);
        self.by_topic
            .range(literal.to_owned()..)
            .take_while(|(topic, _)| topic.starts_with(literal))
            .filter(|(topic, message)| pattern.matches(topic) && lives(message))
            .map(|(_, message)| Arc::clone(message))
            .collect()
    }

    /// Topics whose message nobody wants any more.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<String> {
        self.by_topic
            .values()
            .filter(|m| m.expires_at.is_some_and(|at| at <= now))
            .map(|m| m.topic.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::codec::Forwarded;

    fn message(topic: &str, payload: usize, expires_s: Option<i64>) -> Arc<Message> {
        Arc::new(Message {
            topic: topic.to_owned(),
            payload: vec![0; payload].into(),
            forwarded: Forwarded::default(),
            qos: 1,
            retain: true,
            expires_at: expires_s.and_then(|s| Timestamp::from_second(s).ok()),
            epoch: 1,
        })
    }

    #[test]
    fn a_filter_finds_what_it_matches_and_is_wanted() {
        let mut retained = Retained::default();
        for topic in ["a", "a/b", "a/c/d", "ab/c", "$SYS/x", "烟感/01"] {
            assert!(retained.put(message(topic, 1, None)));
        }
        assert!(retained.put(message("a/old", 1, Some(5))));
        let now = Timestamp::from_second(5).expect("a time");
        let found = |filter: &str| -> Vec<String> {
            let found = retained.matching(filter, now);
            found.iter().map(|m| m.topic.clone()).collect()
        };
        assert_eq!(found("a/#"), ["a", "a/b", "a/c/d"]);
        assert_eq!(found("a/+"), ["a/b"]);
        assert_eq!(found("+/+"), ["a/b", "ab/c", "烟感/01"]);
        assert_eq!(found("#").len(), 5, "nothing that starts with $");
        assert_eq!(found("$SYS/#"), ["$SYS/x"]);
        assert_eq!(found("烟感/01"), ["烟感/01"]);
        assert_eq!(found("a/old"), [""; 0]);
        assert_eq!(retained.expired(now), ["a/old"]);
    }

    #[test]
    fn there_is_only_so_much_room() {
        let mut retained = Retained::default();
        assert!(retained.put(message("big", BYTES_MAX - 10, None)));
        assert!(!retained.put(message("more", 100, None)));
        assert!(retained.put(message("big", 5, None)), "in its own place");
        assert!(retained.put(message("more", 100, None)));
        assert!(retained.drop("big") && !retained.drop("big"));
        assert_eq!((retained.len(), retained.bytes), (1, 104));
    }
}
