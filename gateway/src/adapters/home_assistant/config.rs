//! Reads a discovery message: one entity, or a device with all its `components`; keys in full or abbreviated.

use serde_json::{Map, Value};

use super::entity::{Availability, Entities, Entity, Together};
use super::template::TEMPLATE_BYTES_MAX;
use super::{Announced, payload_word};
use crate::adapters::draft::About;
use crate::adapters::{Reject, text};

/// Most entities of one device.
const ENTITIES_MAX: usize = 200;
/// Most topics of one entity.
const TOPICS_MAX: usize = 40;
/// Longest topic.
const TOPIC_BYTES_MAX: usize = 512;

/// A key and its abbreviation.
type Key = (&'static str, &'static str);

/// What a message announces.
///
/// # Errors
/// `bad_discovery`.
pub(super) fn entities(announced: &Announced<'_>, body: &Value) -> Result<Entities, Reject> {
    let Some(body) = body.as_object() else {
        let detail = "a discovery message that is no JSON object";
        return Err(Reject::new("bad_discovery", detail));
    };
    let mut entities = Entities::default();
    match get(body, ("components", "cmps")).and_then(Value::as_object) {
        Some(components) if announced.component == "device" => {
            if components.len() > ENTITIES_MAX {
                let detail = format!(
                    "{} components, at most {ENTITIES_MAX} are read",
                    components.len()
                );
                return Err(Reject::new("bad_discovery", detail));
            }
            for (id, part) in components {
                let Some(part) = part.as_object() else {
                    continue;
                };
                let component = get(part, ("platform", "p"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let config = Config { part, whole: body };
                add(&mut entities, &config, component, id, announced.node);
            }
        }
        _ => {
            let config = Config {
                part: body,
                whole: body,
            };
            add(
                &mut entities,
                &config,
                announced.component,
                announced.object,
                announced.node,
            );
        }
    }
    Ok(entities)
}

/// The device of entities that can make an event.
pub(super) fn about(entities: &Entities, body: &Value) -> Option<About> {
    let address = entities.read.first()?.address.clone();
    let device = get(body.as_object()?, ("device", "dev")).and_then(Value::as_object);
    let word = |key| get(device?, key).and_then(text::word);
    Some(About {
        address,
        class: None,
        vendor: word(("manufacturer", "mf")),
        model: word(("model", "mdl")),
    })
}

fn get(map: &Map<String, Value>, (full, short): Key) -> Option<&Value> {
    map.get(full)
        .or_else(|| map.get(short))
        .filter(|value| !value.is_null())
}

/// An entity's own keys, and those of the device message around it.
struct Config<'a> {
    part: &'a Map<String, Value>,
    whole: &'a Map<String, Value>,
}

impl Config<'_> {
    fn value(&self, key: Key) -> Option<&Value> {
        get(self.part, key).or_else(|| get(self.whole, key))
    }

    fn text(&self, key: Key) -> Option<String> {
        self.value(key).and_then(payload_word)
    }

    fn or(&self, key: Key, default: &str) -> String {
        self.text(key).unwrap_or_else(|| default.to_owned())
    }

    /// A topic, with `~` at its begin or end filled in.
    fn full(&self, topic: &str) -> Option<String> {
        let base = self.text(("~", "~")).unwrap_or_default();
        let topic = match (topic.strip_prefix('~'), topic.strip_suffix('~')) {
            (Some(rest), _) => format!("{base}{rest}"),
            (None, Some(rest)) => format!("{rest}{base}"),
            (None, None) => topic.to_owned(),
        };
        (!topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX).then_some(topic)
    }

    fn topic(&self, key: Key) -> Option<String> {
        self.full(&self.text(key)?)
    }

    /// Every topic that it speaks on: pictures and measurements that nobody here reads are not unknown for that.
    fn topics(&self) -> Vec<String> {
        let keys = self.part.iter().chain(self.whole);
        let topics = keys.filter(|(key, _)| {
            let is_topic = key.ends_with("_topic") || key.ends_with("_t");
            let is_asked = key.contains("command_") || key.contains("cmd_");
            is_topic && !is_asked || matches!(key.as_str(), "topic" | "t")
        });
        let topics = topics.filter_map(|(_, topic)| self.full(topic.as_str()?));
        topics.take(TOPICS_MAX).collect()
    }

    fn template(&self, key: Key) -> String {
        self.text(key)
            .filter(|template| template.len() <= TEMPLATE_BYTES_MAX)
            .unwrap_or_default()
    }
}

fn add(entities: &mut Entities, config: &Config<'_>, component: &str, object: &str, node: &str) {
    let mut topics = config.topics();
    let availability = availability(config);
    if let Some(topic) = config.topic(("state_topic", "stat_t"))
        && let Some(words) = words(config, component)
    {
        entities.read.push(Entity {
            component: component.to_owned(),
            address: address(config, node),
            object: object.to_owned(),
            device_class: config.text(("device_class", "dev_cla")).unwrap_or_default(),
            topic,
            template: config.template(("value_template", "val_tpl")),
            words,
            is_momentary: config.value(("off_delay", "off_dly")).is_some(),
            availability,
            together: together(config),
        });
    } else {
        topics.extend(availability.into_iter().map(|at| at.topic));
    }
    entities.other_topics.extend(topics);
    entities.other_topics.sort_unstable();
    entities.other_topics.dedup();
}

/// Its payloads and what they mean; none for entities that make no event.
fn words(config: &Config<'_>, component: &str) -> Option<Vec<(String, String)>> {
    let pairs: &[(Key, &str, &str)] = match component {
        "binary_sensor" => &[
            (("payload_on", "pl_on"), "ON", "on"),
            (("payload_off", "pl_off"), "OFF", "off"),
        ],
        "lock" => &[
            (("state_locked", "stat_locked"), "LOCKED", "locked"),
            (("state_unlocked", "stat_unlocked"), "UNLOCKED", "unlocked"),
            (("state_jammed", "stat_jam"), "JAMMED", "jammed"),
            (("state_open", "stat_open"), "OPEN", "open"),
        ],
        "cover" => &[
            (("state_open", "stat_open"), "open", "open"),
            (("state_closed", "stat_clsd"), "closed", "closed"),
            (("state_opening", "stat_opening"), "opening", "opening"),
            (("state_closing", "stat_closing"), "closing", "closing"),
            (("state_stopped", "stat_stopped"), "stopped", "stopped"),
        ],
        // somebody rings or moves, told once: a message is one, whatever its word
        "event" => {
            let class = config.text(("device_class", "dev_cla"));
            return matches!(class.as_deref(), Some("doorbell" | "motion")).then(Vec::new);
        }
        // its state is a number
        "sensor" if config.text(("device_class", "dev_cla")).as_deref() == Some("battery") => &[],
        "alarm_control_panel" => {
            let quiet = [
                "disarmed",
                "disarming",
                "arming",
                "pending",
                "armed_home",
                "armed_away",
                "armed_night",
                "armed_vacation",
                "armed_custom_bypass",
            ];
            let quiet = quiet.map(|word| (word.to_owned(), "off".to_owned()));
            return Some(
                [
                    vec![("triggered".to_owned(), "on".to_owned())],
                    quiet.to_vec(),
                ]
                .concat(),
            );
        }
        _ => return None,
    };
    let words = pairs
        .iter()
        .map(|(key, default, word)| (config.or(*key, default), (*word).to_owned()));
    Some(words.collect())
}

fn availability(config: &Config<'_>) -> Vec<Availability> {
    let one = |topic: String, template, available, not_available| Availability {
        topic,
        template,
        available,
        not_available,
    };
    let yes = ("payload_available", "pl_avail");
    let no = ("payload_not_available", "pl_not_avail");
    if let Some(topic) = config.topic(("availability_topic", "avty_t")) {
        let template = config.template(("availability_template", "avty_tpl"));
        return vec![one(
            topic,
            template,
            config.or(yes, "online"),
            config.or(no, "offline"),
        )];
    }
    let list = match config.value(("availability", "avty")) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single @ Value::Object(_)) => std::slice::from_ref(single),
        _ => &[],
    };
    list.iter()
        .take(8)
        .filter_map(|at| {
            let at = at.as_object()?;
            let word = |key: Key, default: &str| {
                get(at, key)
                    .and_then(payload_word)
                    .unwrap_or_else(|| default.to_owned())
            };
            let topic = config.full(get(at, ("topic", "t"))?.as_str()?)?;
            let template = word(("value_template", "val_tpl"), "");
            Some(one(
                topic,
                template,
                word(yes, "online"),
                word(no, "offline"),
            ))
        })
        .collect()
}

fn together(config: &Config<'_>) -> Option<Together> {
    match config.text(("availability_mode", "avty_mode"))?.as_str() {
        "all" => Some(Together::All),
        "any" => Some(Together::Any),
        _ => None,
    }
}

/// Whose it is: the first identifier of its device, else its first connection, else what the topic says.
fn address(config: &Config<'_>, node: &str) -> String {
    let device = config.value(("device", "dev")).and_then(Value::as_object);
    let identifier = device
        .and_then(|device| get(device, ("identifiers", "ids")))
        .and_then(|ids| match ids {
            Value::Array(list) => list.iter().find_map(text::word),
            one => text::word(one),
        });
    let connection = || {
        let connections = get(device?, ("connections", "cns"))?.as_array()?;
        text::word(connections.first()?.as_array()?.get(1)?)
    };
    identifier
        .or_else(connection)
        .unwrap_or_else(|| node.to_owned())
}
