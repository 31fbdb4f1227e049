//! A Zigbee2MQTT bridge and its children: `zigbee2mqtt/{name}` with the whole cached state of a device each time, `…/availability`,
//! `bridge/state` (its will), orders on `…/set`. Words:
//! `docs/guide/usage/mqtt_topics_and_messages.md` (Koenkk/zigbee2mqtt.io).
//!
//! A child's kind is known by its name: `lock…` and `door…` are locks, `contact…` contacts, everything else smoke detectors.

use std::time::Duration;

use domain::Timestamp;
use serde_json::{Value, json};

use super::{Happening, Obedience, Ordered, Unknown, Vendor};
use crate::wire::{Greeting, Said};

/// A lock needs that long to turn.
const TURNS_IN: Duration = Duration::from_millis(300);

#[derive(Debug)]
struct Child {
    name: String,
    state: Value,
}

/// The bridge.
#[derive(Debug)]
pub struct Zigbee2Mqtt {
    base: String,
    children: Vec<Child>,
    /// Changes with every message, as the air does.
    quality: u32,
}

impl Zigbee2Mqtt {
    /// A bridge below `base` with these children.
    pub fn new(base: &str, children: &[String]) -> Self {
        let children = children.iter().map(|name| Child {
            name: name.clone(),
            state: first_state(name),
        });
        Self {
            base: base.to_owned(),
            children: children.collect(),
            quality: 60,
        }
    }

    fn child(&mut self, name: &str) -> &mut Child {
        let at = self.children.iter().position(|child| child.name == name);
        let at = at.unwrap_or_else(|| {
            self.children.push(Child {
                name: name.to_owned(),
                state: first_state(name),
            });
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    fn tell(&mut self, name: &str, now: Timestamp) -> Said {
        self.quality = 60 + (self.quality + 7) % 120;
        let (quality, topic) = (self.quality, format!("{}/{name}", self.base));
        let child = self.child(name);
        let mut state = child.state.clone();
        state["linkquality"] = quality.into();
        state["last_seen"] = format!("{now:.3}").into();
        Said::json(topic, &state)
    }

    fn availability(&self, name: &str, word: &str) -> Said {
        let topic = format!("{}/{name}/availability", self.base);
        Said::json(topic, &json!({ "state": word })).retained()
    }

    fn bridge(&self, word: &str) -> Said {
        let topic = format!("{}/bridge/state", self.base);
        Said::json(topic, &json!({ "state": word })).retained()
    }
}

fn is_lock(name: &str) -> bool {
    name.starts_with("lock") || name.starts_with("door")
}

fn first_state(name: &str) -> Value {
    if is_lock(name) {
        json!({"battery": 88, "lock_state": "locked", "state": "LOCK"})
    } else if name.starts_with("contact") {
        json!({"battery": 91, "battery_low": false, "contact": true, "tamper": false, "voltage": 2900})
    } else {
        json!({"battery": 97, "battery_low": false, "smoke": false, "tamper": false, "test": false, "voltage": 3000})
    }
}

impl Vendor for Zigbee2Mqtt {
    fn greeting(&self) -> Greeting {
        Greeting {
            will: Some(self.bridge("offline")),
            filters: vec![
                format!("{}/+/set", self.base),
                format!("{}/+/get", self.base),
            ],
        }
    }

    fn arrive(&mut self, now: Timestamp) -> Vec<Said> {
        let mut said = vec![self.bridge("online")];
        let names: Vec<String> = self
            .children
            .iter()
            .map(|child| child.name.clone())
            .collect();
        for name in names {
            said.push(self.availability(&name, "online"));
            said.push(self.tell(&name, now));
        }
        said
    }

    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        let names: Vec<String> = self
            .children
            .iter()
            .map(|child| child.name.clone())
            .collect();
        names.iter().map(|name| self.tell(name, now)).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "smoke", "clear", "tamper", "battery", "open", "close", "unlock", "lock", "offline",
            "online",
        ]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        let name = happening.device.as_str();
        let (property, value) = match happening.what.as_str() {
            "smoke" => ("smoke", json!(true)),
            "clear" => ("smoke", json!(false)),
            "tamper" => ("tamper", json!(true)),
            "battery" => ("battery_low", json!(true)),
            "open" => ("contact", json!(false)),
            "close" => ("contact", json!(true)),
            "unlock" | "lock" => {
                turn(&mut self.child(name).state, happening.what == "lock");
                return Ok(vec![self.tell(name, now)]);
            }
            "offline" | "online" => return Ok(vec![self.availability(name, &happening.what)]),
            _ => {
                return Err(Unknown(self.words()));
            }
        };
        self.child(name).state[property] = value;
        Ok(vec![self.tell(name, now)])
    }

    fn hear(
        &mut self,
        to: &str,
        payload: &[u8],
        obedience: &Obedience,
        now: Timestamp,
    ) -> Option<Ordered> {
        let below = to.strip_prefix(&self.base)?.strip_prefix('/')?;
        let (name, verb) = below.rsplit_once('/')?;
        let known = self.children.iter().any(|child| child.name == name);
        let mut ordered = Ordered {
            device: name.to_owned(),
            command: verb.to_owned(),
            is_done: false,
            says: Vec::new(),
        };
        if verb == "get" && known {
            ordered.says.push((Duration::ZERO, self.tell(name, now)));
            return Some(ordered);
        }
        let word = word_of(payload);
        let is_locked = match word.as_deref() {
            Some("LOCK") => true,
            Some("UNLOCK") => false,
            _ => return Some(self.error(ordered, "no such state", payload)),
        };
        if !known || !is_lock(name) {
            return Some(self.error(ordered, "no converter available", payload));
        }
        let turns = if is_locked { "lock" } else { "unlock" };
        turns.clone_into(&mut ordered.command);
        match obedience {
            Obedience::Refuses(reason) => return Some(self.error(ordered, reason, payload)),
            // the bridge believes what it has sent
            Obedience::Lies => {}
            Obedience::Does => ordered.is_done = true,
        }
        turn(&mut self.child(name).state, is_locked);
        ordered.says.push((TURNS_IN, self.tell(name, now)));
        Some(ordered)
    }
}

impl Zigbee2Mqtt {
    /// How the bridge tells that an order came to nothing.
    fn error(&self, ordered: Ordered, why: &str, payload: &[u8]) -> Ordered {
        let text: String = String::from_utf8_lossy(payload).chars().take(80).collect();
        let message = format!(
            "Publish 'set' '{text}' to '{}' failed: '{why}'",
            ordered.device
        );
        let body = json!({"level": "error", "message": message, "namespace": "z2m"});
        let said = Said::json(format!("{}/bridge/logging", self.base), &body);
        Ordered {
            says: vec![(Duration::ZERO, said)],
            ..ordered
        }
    }
}

fn turn(state: &mut Value, is_locked: bool) {
    state["state"] = if is_locked { "LOCK" } else { "UNLOCK" }.into();
    state["lock_state"] = if is_locked { "locked" } else { "unlocked" }.into();
}

/// `{"state": "LOCK"}` or the bare word.
fn word_of(payload: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(payload).ok()?.trim();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => value.get("state")?.as_str().map(str::to_ascii_uppercase),
        Err(_) => Some(text.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge() -> Zigbee2Mqtt {
        Zigbee2Mqtt::new("zigbee2mqtt", &["kitchen".to_owned(), "lock-1".to_owned()])
    }

    fn body(said: &Said) -> Value {
        serde_json::from_slice(&said.payload).expect("JSON")
    }

    #[test]
    fn the_whole_state_comes_each_time_and_never_twice_the_same() {
        let mut bridge = bridge();
        let now = Timestamp::UNIX_EPOCH;
        let happening = "smoke at 1s in kitchen".parse().expect("reads");
        let first = bridge.happen(&happening, now).expect("known");
        let again = bridge.again(now);
        assert_eq!(first[0].to, "zigbee2mqtt/kitchen");
        assert_eq!(
            (&body(&first[0])["smoke"], &body(&again[0])["smoke"]),
            (&json!(true), &json!(true))
        );
        assert_ne!(first[0].payload, again[0].payload);
        assert!(!first[0].retain);
        let arrived = bridge.arrive(now);
        assert!(arrived[0].retain && arrived[0].to == "zigbee2mqtt/bridge/state");
        assert_eq!(
            bridge.greeting().will.map(|will| body(&will)),
            Some(json!({"state": "offline"}))
        );
    }

    #[test]
    fn a_lock_turns_when_it_is_told_and_only_then() {
        let mut bridge = bridge();
        let now = Timestamp::UNIX_EPOCH;
        let mut hear = |to: &str, payload: &str, obedience: &Obedience| {
            bridge
                .hear(to, payload.as_bytes(), obedience, now)
                .expect("an order")
        };
        let done = hear(
            "zigbee2mqtt/lock-1/set",
            r#"{"state":"UNLOCK"}"#,
            &Obedience::Does,
        );
        assert!(done.is_done && done.command == "unlock");
        assert_eq!(body(&done.says[0].1)["lock_state"], "unlocked");
        assert!(hear("zigbee2mqtt/lock-1/set", "lock", &Obedience::Does).is_done);
        let refused = hear(
            "zigbee2mqtt/lock-1/set",
            "UNLOCK",
            &Obedience::Refuses("jammed".to_owned()),
        );
        assert!(!refused.is_done && refused.says[0].1.to.ends_with("bridge/logging"));
        let lied = hear("zigbee2mqtt/lock-1/set", "UNLOCK", &Obedience::Lies);
        assert!(!lied.is_done);
        assert_eq!(body(&lied.says[0].1)["state"], "UNLOCK");
        assert!(!hear("zigbee2mqtt/kitchen/set", "UNLOCK", &Obedience::Does).is_done);
        assert_eq!(
            bridge.hear("other/lock-1/set", b"LOCK", &Obedience::Does, now),
            None
        );
    }
}
