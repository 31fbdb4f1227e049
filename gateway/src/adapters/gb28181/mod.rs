//! GB/T 28181: what video devices and platforms of the national network notify, MANSCDP+xml in SIP MESSAGE and NOTIFY.
//!
//! By the standard's appendix A and 648540858/wvp-GB28181-pro. Receivers must take what does not conform: types and descriptions outside
//! `Info`, times with a space, GB 2312 bytes behind any declaration, a declaration that is no XML, an `&` by itself. A whole SIP message is
//! read from its body on. Queries, answers and keep-alives are no events.

mod alarm;

use std::borrow::Cow;

use domain::{DeviceClass, Kind, Phase};
use roxmltree::{Document, Node, ParsingOptions};

use super::clock::DeviceTime;
use super::draft::{Draft, Reading};
use super::format::{Claim, Format, Recall};
use super::message::Message;
use super::{Reject, text};

/// Longest document that is read.
const BYTES_MAX: usize = 512 << 10;
/// Most nodes of a document.
const NODES_MAX: u32 = 20_000;
/// Deepest nesting.
const DEPTH_MAX: usize = 16;
/// Longest entity behind its `&`, with its `;`: `#x10FFFF;` is the longest that there is.
const ENTITY_CHARS_MAX: usize = 12;
/// Most devices in one catalog.
const ITEMS_MAX: usize = 1000;
/// What a device says of itself with every sign of life; its channels have faults of their own (`fault`).
const STATUS: &str = "status";
/// The roots of MANSCDP.
const ROOTS: [&str; 4] = ["<Notify", "<Response", "<Control", "<Query"];

/// GB/T 28181.
pub struct Gb28181;

impl Format for Gb28181 {
    fn name(&self) -> &'static str {
        "gb28181"
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if message.content_type_is("application/manscdp") {
            return Claim::Address;
        }
        let head = message.payload.get(..message.payload.len().min(4096));
        let head = String::from_utf8_lossy(head.unwrap_or_default());
        let is_root = ROOTS.iter().any(|root| head.contains(root));
        let is_command = head.contains("<CmdType>") || head.contains("<AlarmMethod>");
        if is_root && is_command {
            Claim::Shape
        } else {
            Claim::No
        }
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        if message.payload.len() > BYTES_MAX {
            let detail = format!(
                "{} bytes of XML, at most {BYTES_MAX} are read",
                message.payload.len()
            );
            return Err(Reject::new("too_long", detail));
        }
        let words = words_of(message.payload);
        let begin = ROOTS.iter().filter_map(|root| words.find(root)).min();
        let begin = begin.ok_or_else(|| Reject::new("bad_xml", "no MANSCDP document"))?;
        let xml = mended(&words[begin..]);
        text::check_xml_depth(&xml, DEPTH_MAX)?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(&xml, options)
            .map_err(|e| Reject::new("bad_xml", e.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "Notify" {
            return Ok(Reading::default());
        }
        // platforms that pass alarms on leave the command out
        let bare = || field(root, &["AlarmMethod"]).map_or("", |_| "alarm");
        let command = field(root, &["CmdType"]).unwrap_or_else(|| bare().into());
        Ok(match command.to_ascii_lowercase().as_str() {
            "alarm" => alarm(root, message).into(),
            "catalog" => catalog(root).into(),
            "keepalive" => {
                // its own; those that it misses stand in `Info`
                let own = root.children().find(|node| node.has_tag_name("DeviceID"));
                let own = own.and_then(|node| node.text()).unwrap_or_default();
                let own = text::clip(own.trim(), 64);
                Reading::from(keepalive(root, &own)).spoken_by(own)
            }
            _ => Reading::default(), // positions, media status, broadcasts
        })
    }
}

/// The text, whatever the declaration says: devices declare GB 2312 and send UTF-8, and the other way round.
fn words_of(payload: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(payload) {
        Ok(words) => Cow::Borrowed(words),
        Err(_) => encoding_rs::GB18030.decode(payload).0,
    }
}

/// Without NUL characters and what follows the last tag, and with `&amp;` for an `&` that begins no entity.
fn mended(xml: &str) -> String {
    let end = xml.rfind('>').map_or(xml.len(), |end| end + 1);
    let mut mended = String::with_capacity(xml.len());
    let mut rest = xml.get(..end).unwrap_or(xml);
    while let Some((before, after)) = rest.split_once('&') {
        mended.push_str(before);
        let mut near = after.chars().take(ENTITY_CHARS_MAX);
        let end = near.find(|c| !c.is_ascii_alphanumeric() && *c != '#');
        let is_entity = end == Some(';') && !after.starts_with(';');
        mended.push_str(if is_entity { "&" } else { "&amp;" });
        rest = after;
    }
    mended.push_str(rest);
    mended.retain(|c| c != '\0');
    mended
}

/// The text of the first element below with one of these names, in any case.
fn field<'x>(node: Node<'_, 'x>, names: &[&str]) -> Option<Cow<'x, str>> {
    names.iter().find_map(|name| {
        let found = node
            .descendants()
            .find(|node| node.tag_name().name().eq_ignore_ascii_case(name))?;
        let words = found.text_storage()?.as_str().trim();
        (!words.is_empty()).then(|| Cow::Owned(words.to_owned()))
    })
}

fn number(node: Node<'_, '_>, names: &[&str]) -> Option<f64> {
    field(node, names)?
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite())
}

fn alarm(root: Node<'_, '_>, message: &Message<'_>) -> Vec<Draft> {
    let device = text::clip(&field(root, &["DeviceID"]).unwrap_or_default(), 64);
    let method = field(root, &["AlarmMethod"]).unwrap_or_default();
    // the type of the alarm stands in `Info`; some have another one beside it
    let info = root
        .descendants()
        .find(|node| node.tag_name().name() == "Info");
    let kind = info
        .and_then(|info| field(info, &["AlarmType"]))
        .or_else(|| field(root, &["AlarmType"]))
        .and_then(|kind| kind.parse().ok());
    let description = field(root, &["AlarmDescription", "Description", "AlarmInfo"]);
    let description = text::clip(&description.unwrap_or_default(), 200);
    let at = field(root, &["AlarmTime", "Time"]).and_then(|at| DeviceTime::text(&at, message.zone));
    let meaning = alarm::meaning(&method, kind, &description);
    let is_object = meaning.kind == Kind::CameraObject;
    let name = if meaning.kind == Kind::DeviceFault {
        "fault"
    } else {
        "label"
    };
    let is_detector = meaning.kind.as_str().starts_with("fire.");
    let class = if is_detector {
        DeviceClass::FireSensor
    } else {
        DeviceClass::Camera
    };
    let mut draft = Draft::new(device.as_str(), class, meaning.kind, meaning.phase)
        .attr(name, meaning.label)
        .attr("description", description)
        .attr(
            "priority",
            number(root, &["AlarmPriority"]).map(|n| n as i64),
        )
        .attr("alarm_method", method.as_ref())
        .attr("alarm_type", kind)
        .attr("longitude", number(root, &["Longitude"]))
        .attr("latitude", number(root, &["Latitude"]));
    if meaning.kind == Kind::CameraIntrusion || is_object {
        // 1 enters, 2 leaves
        let event = number(root, &["EventType"]).map(|n| if n < 1.5 { "in" } else { "out" });
        draft = draft.attr("direction", event);
    }
    if let (Some(sn), Some(at)) = (field(root, &["SN"]), &at) {
        draft = draft.id(format!("{device}:{sn}:{}", at.at.as_second()));
    }
    vec![draft.at(at)]
}

/// Devices that came and went, as a catalog subscription tells.
fn catalog(root: Node<'_, '_>) -> Vec<Draft> {
    root.descendants()
        .filter(|node| node.tag_name().name() == "Item")
        .take(ITEMS_MAX)
        .filter_map(|item| {
            let device = text::clip(&field(item, &["DeviceID"])?, 64);
            let event = field(item, &["Event"])?.to_ascii_uppercase();
            let over = if event == "ON" {
                // what is there again has its picture and works
                vec![
                    condition(&device, Kind::CameraVideoLoss, "video_loss", false),
                    condition(&device, Kind::DeviceFault, "fault", false),
                ]
            } else {
                Vec::new()
            };
            let (kind, phase, edge) = match event.as_str() {
                "ON" => (Kind::DeviceOnline, Phase::Updated, Some(("online", true))),
                "OFF" => (Kind::DeviceOffline, Phase::Raised, Some(("online", false))),
                "VLOST" => (
                    Kind::CameraVideoLoss,
                    Phase::Raised,
                    Some(("video_loss", true)),
                ),
                "DEFECT" => (Kind::DeviceFault, Phase::Raised, Some(("fault", true))),
                "ADD" => (Kind::DeviceJoined, Phase::Instant, None),
                "DEL" => (Kind::DeviceLeft, Phase::Instant, None),
                _ => return None,
            };
            let draft = Draft::new(device, DeviceClass::Camera, kind, phase).attr(
                "name",
                text::clip(&field(item, &["Name"]).unwrap_or_default(), 64),
            );
            let draft = match edge {
                Some((property, value)) => draft.edge(property, value),
                None => draft,
            };
            Some(over.into_iter().chain([draft]))
        })
        .flatten()
        .collect()
}

fn condition(device: &str, kind: Kind, property: &str, is_there: bool) -> Draft {
    Draft::condition(device, DeviceClass::Camera, kind, property, is_there)
}

/// A sign of life; what it says of parts that are broken, and of the device itself where it names none of them.
fn keepalive(root: Node<'_, '_>, own: &str) -> Vec<Draft> {
    let broken = root
        .descendants()
        .find(|node| node.tag_name().name() == "Info")
        .into_iter()
        .flat_map(|info| info.descendants())
        .filter(|node| node.tag_name().name() == "DeviceID")
        .filter_map(|node| node.text())
        .map(|device| text::clip(device.trim(), 64));
    let broken: Vec<String> = broken.take(ITEMS_MAX).collect();
    let status = root.children().find(|node| node.has_tag_name("Status"));
    let status = status.and_then(|node| node.text()).unwrap_or_default();
    let is_broken = match status.trim().to_ascii_uppercase().as_str() {
        "ERROR" => Some(broken.is_empty()),
        "OK" => Some(false),
        _ => None,
    };
    let own = is_broken
        .filter(|_| !own.is_empty())
        .map(|is_broken| condition(own, Kind::DeviceFault, STATUS, is_broken).apart());
    let parts = broken
        .iter()
        .map(|part| condition(part, Kind::DeviceFault, "fault", true));
    own.into_iter().chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ampersand_by_itself_is_mended_however_many_there_are() {
        assert_eq!(
            mended("<a>R&D &lt; &#x10FFFF; &; &</a>"),
            "<a>R&amp;D &lt; &#x10FFFF; &amp;; &amp;</a>"
        );
        let many = format!("<a>{};</a>", "&".repeat(400_000));
        assert_eq!(mended(&many).len(), many.len() + 400_000 * "amp;".len());
    }
}
