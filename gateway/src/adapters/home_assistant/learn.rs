//! What is remembered: under a discovery topic what it announced, under a state topic which discovery topics name it.

use std::collections::{BTreeMap, BTreeSet};

use super::entity::Entities;
use crate::adapters::draft::Reading;
use crate::adapters::format::Recall;
use crate::adapters::memory::VALUE_BYTES_MAX;
use crate::adapters::{Reject, text};

fn config_key(topic: &str) -> String {
    format!("ha-config:{topic}")
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
    serde_json::from_str(recall.recall(&config_key(topic))?).ok()
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
    let value = now.map(|entities| serde_json::to_string(entities).unwrap_or_default());
    learn.push((config_key(config_topic), value));
    let longest = learn
        .iter()
        .filter_map(|(_, value)| value.as_ref())
        .map(String::len)
        .max();
    if longest.is_some_and(|bytes| bytes > VALUE_BYTES_MAX) {
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
