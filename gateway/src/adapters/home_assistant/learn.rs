//! What is remembered: under a discovery topic what it announced, under a state topic which discovery topics name it.

use std::collections::{BTreeMap, BTreeSet};

use super::entity::Entities;
use crate::adapters::draft::Reading;
use crate::adapters::format::Recall;
use crate::adapters::memory::VALUE_BYTES_MAX;
use crate::adapters::{Reject, text};

/// Most memories of one discovery topic: a device of a hundred components does not fit into one.
const PARTS_MAX: usize = 16;

/// The key of a part of what was announced under a discovery topic. No topic that is published on has a `#`.
fn config_key(topic: &str, part: usize) -> String {
    match part {
        0 => format!("ha-config:{topic}"),
        part => format!("ha-config:{topic}#{part}"),
    }
}

/// The key of a state topic: the discovery topics that name it, as a JSON list.
pub(super) fn topic_key(topic: &str) -> String {
    format!("ha-topic:{topic}")
}

/// The key of what a topic said last of a device that several topics tell of: `up` or `down`.
pub(super) fn up_key(address: &str, topic: &str) -> String {
    format!("ha-up:{address}:{topic}")
}

/// What was announced under a discovery topic.
pub(super) fn announced(topic: &str, recall: &dyn Recall) -> Option<Entities> {
    let mut whole: Entities = serde_json::from_str(recall.recall(&config_key(topic, 0))?).ok()?;
    for part in (1..PARTS_MAX).map_while(|part| recall.recall(&config_key(topic, part))) {
        let part: Entities = serde_json::from_str(part).ok()?;
        whole.read.extend(part.read);
        whole.other_topics.extend(part.other_topics);
    }
    Some(whole)
}

/// What is announced, in parts that can each be remembered; a part that is too long by itself stays so.
fn parts(entities: &Entities) -> Vec<String> {
    let text = |part: &Entities| serde_json::to_string(part).unwrap_or_default();
    let mut parts = Vec::new();
    let mut part = Entities::default();
    let mut bytes = 0;
    let room = VALUE_BYTES_MAX
        - text(&Entities {
            other_topics: vec![String::new()],
            ..Entities::default()
        })
        .len();
    let one_by_one = entities.read.iter().map(|entity| Entities {
        read: vec![entity.clone()],
        ..Entities::default()
    });
    let others = entities.other_topics.iter().map(|topic| Entities {
        other_topics: vec![topic.clone()],
        ..Entities::default()
    });
    for one in one_by_one.chain(others) {
        let more = text(&one).len();
        if bytes > 0 && bytes + more > room {
            parts.push(text(&std::mem::take(&mut part)));
            bytes = 0;
        }
        bytes += more;
        part.read.extend(one.read);
        part.other_topics.extend(one.other_topics);
    }
    parts.push(text(&part));
    parts
}

/// The discovery topics that name a state topic.
pub(super) fn naming(topic: &str, recall: &dyn Recall) -> Vec<String> {
    recall
        .recall(&topic_key(topic))
        .and_then(|list| serde_json::from_str(list).ok())
        .unwrap_or_default()
}

/// Whether entities of several devices name a topic: then it is that of a bridge.
pub(super) fn is_shared(topic: &str, recall: &dyn Recall) -> bool {
    let mut first: Option<String> = None;
    // of a large bridge the first two tell
    naming(topic, recall).iter().any(|config| {
        let entities = announced(config, recall).unwrap_or_default().read;
        entities.into_iter().any(|entity| {
            let is_named = entity.availability.iter().any(|at| at.topic == topic);
            is_named && *first.get_or_insert_with(|| entity.address.clone()) != entity.address
        })
    })
}

/// Remembers what a discovery topic announces now, or that it announces nothing any more.
///
/// # Errors
/// `too_many_entities`.
pub(super) fn reading(
    config_topic: &str,
    entities: Option<&Entities>,
    recall: &dyn Recall,
) -> Result<Reading, Reject> {
    let before = announced(config_topic, recall).unwrap_or_default();
    let now = entities;
    let gone: BTreeSet<&str> = before.topics();
    let named: BTreeSet<&str> = now.map(Entities::topics).unwrap_or_default();
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for topic in gone.difference(&named) {
        let mut list = naming(topic, recall);
        list.retain(|naming| naming != config_topic);
        lists.insert(topic, list);
    }
    for topic in &named {
        let mut list = naming(topic, recall);
        if !list.iter().any(|naming| naming == config_topic) {
            let bytes: usize = list.iter().map(|naming| naming.len() + 3).sum();
            let is_full = bytes + config_topic.len() + 5 > VALUE_BYTES_MAX;
            let is_state = now.is_some_and(|now| now.read.iter().any(|one| one.topic == *topic));
            // the availability of a large bridge: it is known to be one
            if is_full && !is_state {
                continue;
            }
            list.push(config_topic.to_owned());
            lists.insert(topic, list);
        }
    }
    let mut learn = Vec::new();
    for (topic, list) in lists {
        let value = (!list.is_empty()).then(|| serde_json::to_string(&list).unwrap_or_default());
        learn.push((topic_key(topic), value));
    }
    let parts = now.map(parts).unwrap_or_default();
    let is_too_long = parts.len() > PARTS_MAX;
    for part in 0..PARTS_MAX {
        let value = parts.get(part).cloned();
        let key = config_key(config_topic, part);
        if value.is_some() || recall.recall(&key).is_some() {
            learn.push((key, value));
        }
    }
    let longest = learn
        .iter()
        .filter_map(|(_, value)| value.as_ref())
        .map(String::len)
        .max();
    if is_too_long || longest.is_some_and(|bytes| bytes > VALUE_BYTES_MAX) {
        let detail = format!(
            "`{}` announces more than can be remembered",
            text::clip(config_topic, 100)
        );
        return Err(Reject::new("too_many_entities", detail));
    }
    Ok(Reading {
        learn,
        ..Reading::default()
    })
}
