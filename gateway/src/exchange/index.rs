//! Who subscribes to a topic: a tree of topic levels, so that the cost is the topic's depth and not the number of filters.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::session::Session;
use crate::listener::codec::SubscribeOptions;

/// One filter of one session.
pub(super) struct Subscription {
    pub(super) session: Arc<Session>,
    /// As the client wrote it.
    pub(super) filter: String,
    pub(super) options: SubscribeOptions,
    /// Subscription id.
    pub(super) number: Option<u32>,
}

/// `$share/{group}/{filter}` in its parts; none when it is not shared, or has no group.
pub fn shared(filter: &str) -> Option<(&str, &str)> {
    let (group, inner) = filter.strip_prefix("$share/")?.split_once('/')?;
    let is_group = !group.is_empty() && !group.contains(['+', '#']);
    is_group.then_some((group, inner))
}

#[derive(Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// Filters that end here.
    here: Ends,
    /// Filters that end in `#` below here; they match this level too.
    rest: Ends,
}

#[derive(Default)]
struct Ends {
    single: Vec<Arc<Subscription>>,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    members: Vec<Arc<Subscription>>,
    turn: AtomicUsize,
}

impl Ends {
    fn is_empty(&self) -> bool {
        self.single.is_empty() && self.groups.is_empty()
    }

    fn put(&mut self, group: Option<&str>, subscription: Arc<Subscription>) {
        let members = match group {
            None => &mut self.single,
            Some(name) => {
                let at = self.groups.iter().position(|g| g.name == name);
                let at = at.unwrap_or_else(|| {
                    self.groups.push(Group {
                        name: name.to_owned(),
                        members: Vec::new(),
                        turn: AtomicUsize::new(0),
                    });
                    self.groups.len() - 1
                });
                &mut self.groups[at].members
            }
        };
        members.retain(|s| s.session.id != subscription.session.id);
        members.push(subscription);
    }

    fn drop(&mut self, group: Option<&str>, session: u64) {
        match group {
            None => self.single.retain(|s| s.session.id != session),
            Some(name) => {
                for group in self.groups.iter_mut().filter(|g| g.name == name) {
                    group.members.retain(|s| s.session.id != session);
                }
                self.groups.retain(|g| !g.members.is_empty());
            }
        }
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Arc<Subscription>>) {
        found.extend(&self.single);
        for group in &self.groups {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed);
            let members =
                (0..group.members.len()).map(|i| &group.members[(turn + i) % group.members.len()]);
            // whoever is there, or else whoever will be
            let chosen = members.clone().find(|s| s.session.is_attached());
            found.extend(chosen.or_else(|| members.clone().next()));
        }
    }
}

/// All subscriptions.
#[derive(Default)]
pub(super) struct Index {
    root: Node,
    count: usize,
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a subscription in, in place of an older one of the same session and filter.
    pub(super) fn put(&mut self, subscription: Arc<Subscription>) {
        let filter = subscription.filter.clone();
        self.drop(subscription.session.id, &filter);
        let (group, inner) = parts(&filter);
        let mut node = &mut self.root;
        for level in inner.split('/') {
            if level == "#" {
                node.rest.put(group, subscription);
                self.count += 1;
                return;
            }
            node = node.children.entry(level.into()).or_default();
        }
        node.here.put(group, subscription);
        self.count += 1;
    }

    /// Takes a subscription out. False when there is none.
    pub(super) fn drop(&mut self, session: u64, filter: &str) -> bool {
        let (group, inner) = parts(filter);
        let levels: Vec<&str> = inner.split('/').collect();
        let was = size(&self.root, &levels, group, session);
        if was {
            prune(&mut self.root, &levels, group, session);
            self.count -= 1;
        }
        was
    }

    /// The subscriptions that a topic matches; of each group one.
    pub(super) fn matching(&self, topic: &str) -> Vec<&Arc<Subscription>> {
        let mut found = Vec::new();
        if self.count > 0 {
            walk(
                &self.root,
                Some(topic),
                !topic.starts_with('$'),
                &mut |ends| {
                    ends.collect(&mut found);
                },
            );
        }
        found
    }

    /// Whether anybody subscribes to it.
    pub(super) fn matches(&self, topic: &str) -> bool {
        let mut found = false;
        if self.count > 0 {
            walk(
                &self.root,
                Some(topic),
                !topic.starts_with('$'),
                &mut |_| {
                    found = true;
                },
            );
        }
        found
    }
}

fn parts(filter: &str) -> (Option<&str>, &str) {
    match shared(filter) {
        Some((group, inner)) => (Some(group), inner),
        None => (None, filter),
    }
}

/// Wildcards in the first level do not match topics that start with `$` (MQTT 5.0 §4.7.2).
fn walk<'a>(
    node: &'a Node,
    topic: Option<&str>,
    may_be_wild: bool,
    found: &mut impl FnMut(&'a Ends),
) {
    if may_be_wild && !node.rest.is_empty() {
        found(&node.rest);
    }
    let Some(topic) = topic else {
        if !node.here.is_empty() {
            found(&node.here);
        }
        return;
    };
    let (level, rest) = match topic.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (topic, None),
    };
    if let Some(child) = node.children.get(level) {
        walk(child, rest, true, found);
    }
    if may_be_wild && let Some(child) = node.children.get("+") {
        walk(child, rest, true, found);
    }
}

fn ends_at<'a>(node: &'a Node, levels: &[&str]) -> Option<&'a Ends> {
    match levels {
        [] => Some(&node.here),
        ["#"] => Some(&node.rest),
        [level, rest @ ..] => ends_at(node.children.get(*level)?, rest),
    }
}

fn size(root: &Node, levels: &[&str], group: Option<&str>, session: u64) -> bool {
    ends_at(root, levels).is_some_and(|ends| match group {
        None => ends.single.iter().any(|s| s.session.id == session),
        Some(name) => ends
            .groups
            .iter()
            .filter(|g| g.name == name)
            .any(|g| g.members.iter().any(|s| s.session.id == session)),
    })
}

fn prune(node: &mut Node, levels: &[&str], group: Option<&str>, session: u64) {
    match levels {
        [] => node.here.drop(group, session),
        ["#"] => node.rest.drop(group, session),
        [level, rest @ ..] => {
            if let Some(child) = node.children.get_mut(*level) {
                prune(child, rest, group, session);
                if child.children.is_empty() && child.here.is_empty() && child.rest.is_empty() {
                    node.children.remove(*level);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subscription(id: u64, filter: &str) -> Arc<Subscription> {
        Arc::new(Subscription {
            session: Arc::new(Session::for_tests(id)),
            filter: filter.to_owned(),
            options: SubscribeOptions::default(),
            number: None,
        })
    }

    /// MQTT 5.0 §4.7 read naively, level by level.
    fn naive(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", f @ ..], [_, t @ ..]) => naive(f, t),
            ([a, f @ ..], [b, t @ ..]) if a == b => naive(f, t),
            _ => false,
        }
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("a"), Just("b"), Just("烟"), Just(""), Just("$x")]
    }

    fn filter() -> impl Strategy<Value = String> {
        let part = prop_oneof![3 => level(), 1 => Just("+")];
        (proptest::collection::vec(part, 1..4), any::<bool>()).prop_map(|(mut levels, wild)| {
            if wild {
                levels.push("#");
            }
            levels.join("/")
        })
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_the_standard_says(
            filters in proptest::collection::vec(filter(), 1..12),
            gone in proptest::collection::vec(any::<bool>(), 12),
            topics in proptest::collection::vec(proptest::collection::vec(level(), 1..5), 1..12),
        ) {
            let mut index = Index::default();
            for (id, filter) in filters.iter().enumerate() {
                index.put(subscription(id as u64, filter));
            }
            let mut left: Vec<(u64, &String)> = Vec::new();
            for (id, filter) in filters.iter().enumerate() {
                if gone[id] {
                    prop_assert!(index.drop(id as u64, filter));
                    prop_assert!(!index.drop(id as u64, filter), "it was there twice");
                } else {
                    left.push((id as u64, filter));
                }
            }
            for levels in topics {
                let topic = levels.join("/");
                let mut found: Vec<u64> = index.matching(&topic).iter().map(|s| s.session.id).collect();
                found.sort_unstable();
                let expected: Vec<u64> = left.iter().filter(|(_, f)| {
                    let parts: Vec<&str> = f.split('/').collect();
                    naive(&parts, &levels) && !(topic.starts_with('$') && f.starts_with(['+', '#']))
                }).map(|(id, _)| *id).collect();
                prop_assert_eq!(index.matches(&topic), !expected.is_empty());
                prop_assert_eq!(found, expected, "{} in {:?}", topic, left);
            }
        }
    }

    #[test]
    fn of_a_group_one_after_the_other_gets_it() {
        let mut index = Index::default();
        for id in 1..=3 {
            index.put(subscription(id, "$share/g/a/#"));
        }
        index.put(subscription(9, "a/+"));
        let mut heard: Vec<u64> = Vec::new();
        for _ in 0..3 {
            let found = index.matching("a/b");
            assert_eq!(found.len(), 2);
            assert!(found.iter().any(|s| s.session.id == 9));
            heard.extend(found.iter().map(|s| s.session.id).filter(|id| *id != 9));
        }
        heard.sort_unstable();
        assert_eq!(heard, [1, 2, 3]);
        for id in 1..=3 {
            assert!(index.drop(id, "$share/g/a/#"));
        }
        assert_eq!(index.matching("a/b").len(), 1);
    }
}
