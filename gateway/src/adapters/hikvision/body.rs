//! From a message's bytes to documents: multipart, XML, JSON and base64 of these, each within limits.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value, json};

use super::super::message::Message;
use super::super::{Reject, multipart, text};
use super::access;

/// Most nodes of an XML document.
const XML_NODES_MAX: u32 = 20_000;
/// Deepest element that is kept.
const XML_DEPTH_MAX: usize = 24;
/// Deepest XML that is parsed at all.
const XML_NESTED_MAX: usize = 256;
/// How the head of a multipart body begins, where it was kept.
const HEAD: &[u8] = b"content-type: multipart/";
/// The end of a notification.
const END: &[u8] = b"</EventNotificationAlert>";
/// Most notifications of one body.
const DOCUMENTS_MAX: usize = 64;
/// How far into a body its marks are looked for.
const LOOK_BYTES_MAX: usize = 256 << 10;

/// What a message holds.
pub(super) struct Body {
    pub(super) documents: Vec<Value>,
    /// Its pictures: role, type and size of each.
    pub(super) media: Vec<Value>,
    /// Why a part of it was not read, while the rest of it was.
    pub(super) unread: Option<Reject>,
}

/// Whether the marks of a notification are in sight.
pub(super) fn looks_like_ours(message: &Message<'_>) -> bool {
    let bytes = trim(message.payload);
    match bytes.first() {
        Some(b'{') => message.object().is_some_and(is_alert),
        Some(b'[') => match message.json() {
            Ok(Value::Array(list)) => {
                let first = list.first().and_then(Value::as_object);
                first.is_some_and(is_alert)
            }
            _ => false,
        },
        Some(b'<') => {
            contains(bytes, b"<EventNotificationAlert")
                || contains(bytes, b":EventNotificationAlert")
        }
        Some(b'-' | b'C' | b'c') if bytes.first() == Some(&b'-') || has_head(bytes) => {
            contains(bytes, b"EventNotificationAlert")
                || contains(bytes, b"AccessControllerEvent")
                || (contains(bytes, b"\"eventType\"") && contains(bytes, b"\"dateTime\""))
        }
        Some(b'e' | b'P' | b'L' | b'Q') => from_base64(bytes).is_some_and(|inner| {
            contains(&inner, b"EventNotificationAlert")
                || contains(&inner, b"AccessControllerEvent")
                || (contains(&inner, b"\"eventType\"") && contains(&inner, b"\"dateTime\""))
        }),
        _ => false,
    }
}

fn is_alert(map: &Map<String, Value>) -> bool {
    let has = |name: &str| map.contains_key(name);
    has("EventNotificationAlert")
        || is_bare_event(map)
        || map
            .get("AccessControllerEvent")
            .is_some_and(|event| has("eventType") || event.get("subEventType").is_some())
        || map
            .get("AcsEvent")
            .is_some_and(|found| found.get("InfoList").is_some())
        || (has("dateTime") && (has("employeeNo") || has("employeeNoString")) && is_attendance(map))
        || (has("eventType")
            && (has("ipAddress") || has("macAddress") || has("channelID"))
            && (has("eventState")
                || (has("dateTime") && (has("activePostCount") || has("eventDescription")))))
}

fn is_attendance(map: &Map<String, Value>) -> bool {
    let kind = map.get("eventType").and_then(Value::as_str);
    kind.and_then(access::attendance).is_some()
}

/// The event of a door controller without its notification around it, as a part `AccessControllerEvent` of a form holds it.
fn is_bare_event(map: &Map<String, Value>) -> bool {
    map.contains_key("majorEventType") && map.contains_key("subEventType")
}

/// Reads the documents of a message.
///
/// # Errors
/// `bad_multipart`, `bad_xml`, `bad_text`, and those of [`text::json`].
pub(super) fn read(message: &Message<'_>) -> Result<Body, Reject> {
    let bytes = trim(message.payload);
    // all of it in base64, as bridges pass it on
    let inner = match bytes.first() {
        Some(b'L' | b'Q') => from_base64(bytes),
        _ => None,
    };
    let bytes = inner.as_deref().map_or(bytes, trim);
    // what was kept of a request begins with its content type
    let bytes = if has_head(bytes) {
        multipart::position(bytes, b"\n--")
            .map_or(bytes, |at| trim(bytes.get(at..).unwrap_or(bytes)))
    } else {
        bytes
    };
    if bytes.first() == Some(&b'-') || message.content_type_is("multipart/") {
        return multipart(bytes, message.content_type);
    }
    let mut documents = documents(bytes)?;
    let unread = cut(&mut documents);
    Ok(Body {
        documents,
        media: Vec::new(),
        unread,
    })
}

/// Leaves as many documents as are read, and says so where there were more.
fn cut(documents: &mut Vec<Value>) -> Option<Reject> {
    let has_more = documents.len() > DOCUMENTS_MAX;
    documents.truncate(DOCUMENTS_MAX);
    has_more.then(too_many)
}

fn too_many() -> Reject {
    let detail = format!(
        "more than {DOCUMENTS_MAX} notifications, or than {} parts: the first of them were read",
        multipart::PARTS_MAX
    );
    Reject::new("too_many", detail)
}

/// Whether a head stands before the first part.
fn has_head(bytes: &[u8]) -> bool {
    let start = bytes.get(..HEAD.len()).unwrap_or_default();
    start.eq_ignore_ascii_case(HEAD)
}

/// One document, a list of them, or several notifications in XML one behind the other: one more than are read where there are more.
fn documents(bytes: &[u8]) -> Result<Vec<Value>, Reject> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while bytes.first() == Some(&b'<') && found.len() <= DOCUMENTS_MAX {
        let Some(at) = multipart::position(rest, END) else {
            break;
        };
        if found.len() == DOCUMENTS_MAX {
            found.push(Value::Null); // there are more
            break;
        }
        let (one, after) = rest.split_at(at + END.len());
        if found.is_empty() && trim(after).is_empty() {
            break;
        }
        found.push(xml(trim(one))?);
        rest = after;
    }
    if found.is_empty() {
        found.push(document(bytes)?);
    }
    Ok(found.into_iter().flat_map(searched).collect())
}

/// What a search for events has found, as if each were told by itself.
fn searched(document: Value) -> Vec<Value> {
    if let Value::Array(list) = document {
        let some = list.into_iter().take(DOCUMENTS_MAX + 1);
        return some.map(wrapped).collect();
    }
    match text::at(&document, "AcsEvent.InfoList").and_then(Value::as_array) {
        None => vec![document],
        Some(list) => list
            .iter()
            .take(DOCUMENTS_MAX + 1)
            .map(|info| json!({ "AccessControllerEvent": info }))
            .collect(),
    }
}

/// A bare event of a door controller as a notification holds it.
fn wrapped(value: Value) -> Value {
    match value.as_object() {
        Some(map) if is_bare_event(map) => json!({ "AccessControllerEvent": value }),
        _ => value,
    }
}

/// One document: JSON, XML, or base64 of one of them.
fn document(bytes: &[u8]) -> Result<Value, Reject> {
    match bytes.first() {
        Some(b'<') => xml(bytes),
        Some(b'e' | b'P') => match from_base64(bytes) {
            Some(inner) if trim(&inner).first() == Some(&b'<') => xml(&inner),
            Some(inner) => json_of(&inner),
            None => json_of(bytes),
        },
        _ => json_of(bytes),
    }
}

/// JSON, from GB 18030 where it is no UTF-8.
fn json_of(bytes: &[u8]) -> Result<Value, Reject> {
    text::json(decoded(bytes)?.as_bytes()).map(wrapped)
}

fn decoded(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, Reject> {
    if bytes.len() > text::TEXT_BYTES_MAX {
        let detail = format!(
            "{} bytes of text, at most {} are read",
            bytes.len(),
            text::TEXT_BYTES_MAX
        );
        return Err(Reject::new("too_long", detail));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.trim_start_matches('\u{feff}').into());
    }
    let (text, _, is_broken) = encoding_rs::GB18030.decode(bytes);
    if is_broken {
        let detail = "the text is neither UTF-8 nor GB 18030";
        return Err(Reject::new("bad_text", detail));
    }
    Ok(text)
}

/// Base64 that was sent in place of the document itself.
fn from_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > LOOK_BYTES_MAX {
        return None;
    }
    text::base64(std::str::from_utf8(bytes).ok()?)
}

/// XML as JSON: an element is an object of its children by their names without a prefix, a list where a name is there twice, a text
/// where it has none. Attributes are left out: no notification says anything by them.
fn xml(bytes: &[u8]) -> Result<Value, Reject> {
    let text = decoded(bytes)?;
    let options = ParsingOptions {
        nodes_limit: XML_NODES_MAX,
        ..ParsingOptions::default()
    };
    let text = text.trim();
    text::check_xml_depth(text, XML_NESTED_MAX)?;
    let document = Document::parse_with_options(text, options)
        .map_err(|e| Reject::new("bad_xml", e.to_string()))?;
    let root = document.root_element();
    Ok(json!({ root.tag_name().name(): element(root, 0) }))
}

fn element(node: Node<'_, '_>, depth: usize) -> Value {
    let mut map = Map::new();
    for child in node.children().filter(Node::is_element) {
        if depth >= XML_DEPTH_MAX {
            break;
        }
        let name = child.tag_name().name().to_owned();
        let value = element(child, depth + 1);
        match map.get_mut(&name) {
            None => {
                map.insert(name, value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => {
                let list = vec![first.take(), value];
                *first = Value::Array(list);
            }
        }
    }
    if map.is_empty() {
        let text: String = node
            .children()
            .filter(Node::is_text)
            .filter_map(|text| text.text())
            .collect();
        return Value::String(text.trim().to_owned());
    }
    Value::Object(map)
}

/// A multipart body.
fn multipart(bytes: &[u8], content_type: Option<&str>) -> Result<Body, Reject> {
    let parts = multipart::parts(bytes, content_type)
        .ok_or_else(|| Reject::new("bad_multipart", "the multipart body has no boundary"))?;
    let mut body = Body {
        documents: Vec::new(),
        media: Vec::new(),
        unread: None,
    };
    let mut refused = None;
    for found in &parts {
        match part(found) {
            Ok(Part::Document(document)) => body.documents.extend(searched(document)),
            Ok(Part::Picture(picture)) => body.media.push(picture),
            Ok(Part::Empty) => {}
            Err(reject) => refused = Some(reject),
        }
    }
    match refused {
        Some(reject) if body.documents.is_empty() => Err(reject),
        _ if body.documents.is_empty() => Err(Reject::new(
            "bad_multipart",
            format!("none of the {} parts is XML or JSON", parts.len()),
        )),
        refused => {
            // no more are cut out: there may be others behind them
            let is_full = (parts.len() == multipart::PARTS_MAX).then(too_many);
            body.unread = cut(&mut body.documents).or(is_full).or(refused);
            Ok(body)
        }
    }
}

enum Part {
    Document(Value),
    Picture(Value),
    Empty,
}

/// One part, known by what it holds: its name and type differ from model to model.
fn part(part: &multipart::Part<'_>) -> Result<Part, Reject> {
    let trimmed = trim(part.content);
    if trimmed.is_empty() {
        return Ok(Part::Empty);
    }
    if part.is_picture() {
        let role = if part.head.contains("plate") {
            "plate"
        } else if part.head.contains("face") {
            "face"
        } else {
            "scene"
        };
        let mime = match part.content_type() {
            "" => "image/jpeg",
            mime => mime,
        };
        let size = part.content.trim_ascii_end().len();
        return Ok(Part::Picture(json!({
            "role": role, "mime": text::clip(mime, 40), "bytes": size,
        })));
    }
    match trimmed.first() {
        Some(b'{' | b'<') => document(trimmed).map(Part::Document),
        _ => Ok(Part::Empty),
    }
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii()
}

fn contains(bytes: &[u8], mark: &[u8]) -> bool {
    let bytes = bytes.get(..bytes.len().min(LOOK_BYTES_MAX));
    multipart::position(bytes.unwrap_or_default(), mark).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_known_by_what_they_hold() {
        let bytes = b"--x\r\nContent-Disposition: form-data; name=\"a.xml\"\r\n\r\n<A><b>1</b><b>2</b></A>\r\n\
            --x\nContent-Type: image/jpeg\n\n\xff\xd8abc\n--x--\n";
        let body = multipart(bytes, None).expect("read");
        assert_eq!(body.documents, [json!({"A": {"b": ["1", "2"]}})]);
        assert_eq!(
            body.media,
            [json!({"role": "scene", "mime": "image/jpeg", "bytes": 5})]
        );
        let code = |bytes: &[u8]| multipart(bytes, None).err().map(|reject| reject.code);
        assert_eq!(code(b"--x\r\n\r\n\xff\xd8\r\n--x--"), Some("bad_multipart"));
        assert_eq!(code(b"--x\r\n\r\n<A><b>\r\n--x--"), Some("bad_xml"));
        assert_eq!(code(b"--"), Some("bad_multipart"));
        assert_eq!(code(b""), Some("bad_multipart"));
    }

    #[test]
    fn what_is_more_than_is_read_is_told() {
        let one = "<EventNotificationAlert><a/></EventNotificationAlert>";
        let read = |count: usize| {
            let mut found = documents(one.repeat(count).as_bytes()).expect("read");
            let unread = cut(&mut found).map(|reject| reject.code);
            (found.len(), unread)
        };
        assert_eq!(read(33), (33, None));
        assert_eq!(read(DOCUMENTS_MAX), (DOCUMENTS_MAX, None));
        assert_eq!(read(DOCUMENTS_MAX + 3), (DOCUMENTS_MAX, Some("too_many")));
        let info = vec![json!({"major": 1, "minor": 0x424}); DOCUMENTS_MAX + 1];
        let list = json!({"AcsEvent": {"InfoList": info}}).to_string();
        let mut found = documents(list.as_bytes()).expect("read");
        assert!(cut(&mut found).is_some());
        let part = format!("--x\r\n\r\n{one}\r\n");
        let unread = |count: usize| {
            let body = multipart(part.repeat(count).as_bytes(), None).expect("read");
            body.unread.map(|reject| reject.code)
        };
        assert_eq!(unread(31), None);
        assert_eq!(unread(33), Some("too_many"));
    }

    #[test]
    fn an_element_is_an_object_whatever_its_namespace() {
        let read = xml("<e:A xmlns:e=\"urn:x\"><e:b> 1 </e:b><c/></e:A>".as_bytes());
        assert_eq!(read, Ok(json!({"A": {"b": "1", "c": ""}})));
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        assert!(xml(deep.as_bytes()).is_ok());
        let deeper = "<a>".repeat(5000);
        let code = xml(deeper.as_bytes()).map_err(|reject| reject.code);
        assert_eq!(code, Err("too_deep"));
    }
}
