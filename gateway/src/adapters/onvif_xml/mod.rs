//! ONVIF notifications in XML: WS-BaseNotification, answers of a pull point, the metadata stream.
//!
//! Layout: OASIS wsnt b-2, ONVIF Core, clause 9. Elements are known by their local names, whatever name space and prefix a camera gives
//! them. A message may hold several notifications. What is `Initialized` was replayed to a new subscriber: no news unless it differs
//! from what was known. Document types are refused, and with them entities.

use roxmltree::{Document, Node, ParsingOptions};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::onvif::{self, Items, Notice, Operation};
use super::{Reject, text};

/// Longest document, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Most nodes of a document.
const NODES_MAX: u32 = 100_000;
/// Deepest nesting of elements.
const DEPTH_MAX: usize = 64;
/// Most notifications of a document.
const NOTIFICATIONS_MAX: usize = 1000;

/// The format.
pub struct OnvifXml;

impl Format for OnvifXml {
    fn name(&self) -> &'static str {
        "onvif-xml"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        let start = message.payload.get(..4096).unwrap_or(message.payload);
        let start = String::from_utf8_lossy(start);
        let is_xml = start
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with('<');
        let is_own = |word: &str| start.contains(word);
        if is_xml
            && (is_own("MetadataStream")
                || is_own("NotificationMessage")
                || is_own("docs.oasis-open.org/wsn"))
        {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let xml = message.text()?;
        if xml.len() > BYTES_MAX {
            let detail = format!("{} bytes of XML, at most {BYTES_MAX} are read", xml.len());
            return Err(Reject::new("too_long", detail));
        }
        text::check_xml_depth(xml, DEPTH_MAX)?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(xml, options)
            .map_err(|e| Reject::new("bad_xml", e.to_string()))?;
        let drafts: Vec<Draft> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "NotificationMessage")
            .take(NOTIFICATIONS_MAX)
            .flat_map(|node| notices(node, message))
            .flat_map(|notice| notice.drafts())
            .collect();
        Ok(drafts.into())
    }
}

fn child<'a, 'x>(node: Node<'a, 'x>, name: &str) -> Option<Node<'a, 'x>> {
    node.children().find(|node| node.tag_name().name() == name)
}

/// One notification holds a topic, the producer, and one message or several.
fn notices(node: Node<'_, '_>, message: &Message<'_>) -> Vec<Notice> {
    let topic = child(node, "Topic")
        .and_then(|node| node.text())
        .unwrap_or_default();
    let producer = child(node, "ProducerReference")
        .and_then(|node| child(node, "Address"))
        .and_then(|node| node.text())
        .unwrap_or_default();
    let Some(holder) = child(node, "Message") else {
        return Vec::new();
    };
    let inner = holder
        .children()
        .filter(|node| node.tag_name().name() == "Message");
    inner
        .map(|node| Notice {
            address: address_of(producer),
            topic: onvif::levels(topic),
            component: None,
            source: items(child(node, "Source")),
            key: items(child(node, "Key")),
            data: items(child(node, "Data")),
            at: node
                .attribute("UtcTime")
                .and_then(|time| DeviceTime::text(time, message.zone)),
            operation: Operation::of(node.attribute("PropertyOperation").unwrap_or_default()),
        })
        .collect()
}

/// The part of the producer's address that names it: `uri://755cc9bb-…/ProducerReference`, `http://10.0.0.9/onvif/event`. The same for
/// every notification of a camera; a camera that gives none is the sender itself.
fn address_of(producer: &str) -> String {
    let rest = producer.trim();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.strip_prefix("urn:uuid:").unwrap_or(host);
    text::clip(host, 128)
}

/// `SimpleItem Name Value`; of an `ElementItem` the leaves, each by its own name.
fn items(list: Option<Node<'_, '_>>) -> Items {
    let mut items = Items::new();
    for node in list.into_iter().flat_map(|list| list.children()) {
        match node.tag_name().name() {
            "SimpleItem" => {
                let name = node.attribute("Name").unwrap_or_default();
                let value = node.attribute("Value").unwrap_or_default();
                items.push((name.to_owned(), value.to_owned()));
            }
            "ElementItem" => items.extend(
                node.descendants()
                    .filter(|node| {
                        node.is_element() && !node.children().any(|node| node.is_element())
                    })
                    .filter_map(|node| {
                        Some((
                            node.tag_name().name().to_owned(),
                            node.text()?.trim().to_owned(),
                        ))
                    })
                    .take(onvif::ITEMS_MAX),
            ),
            _ => {}
        }
        if items.len() >= onvif::ITEMS_MAX {
            break;
        }
    }
    items
}
