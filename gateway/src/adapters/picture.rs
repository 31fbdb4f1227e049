//! Pictures that messages carry: parts of a multipart body, base64 in a text of JSON, or the whole message. Found and cut out here, looked at by
//! nobody yet: whether it is a picture, and one that is kept, is found when it is kept ([`store::photos`]).
//!
//! Behind the detector, and never in an alarm's way: an adapter that reads events does not look here.

use std::borrow::Cow;

use domain::{DeviceId, Shows, SiteId, Uplink};
use jiff::SignedDuration;
use serde_json::Value;

use super::draft::Draft;
use super::message::Message;
use super::{Context, Memory, foreign, multipart, native, text};
use crate::fetch::{self, Place};

/// Most pictures of one message.
pub const PICTURES_MAX: usize = 8;
/// Longest word by which an event names a picture.
pub const WORD_CHARS_MAX: usize = 64;
/// Most pictures that one event names.
const NAMED_MAX: usize = 8;
/// Most pictures that are fetched for one message, most addresses in it that are looked at, and the longest.
const ELSEWHERE_MAX: usize = 4;
const URLS_LOOKED_MAX: usize = 64;
const URL_BYTES_MAX: usize = 2048;
/// Shortest base64 that can be a picture.
const BASE64_BYTES_MIN: usize = 120;
/// Longest base64 that is decoded; what is longer is too large anyway.
const BASE64_BYTES_MAX: usize = (store::photos::PHOTO_BYTES_MAX as usize + 3) / 3 * 4 + 4096;
/// How base64 of JPEG, PNG and RIFF begins.
const BASE64_STARTS: [&[u8]; 3] = [b"/9j/", b"iVBORw0KGgo", b"UklGR"];

/// A picture in a message, in the words of its format.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture<'a> {
    /// As it came.
    pub bytes: Cow<'a, [u8]>,
    /// What its name says that it shows; the kind of its event may say more.
    pub shows: Shows,
    /// Whose it is when it came without an event.
    pub word: Option<Word>,
}

/// What ties a picture that came by itself to the events that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The device in the sender's words.
    pub address: String,
    /// Unique within the device and the time.
    pub word: String,
    /// How far apart the two may come.
    pub within: SignedDuration,
}

/// A picture that was found, with whose it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Who sent it.
    pub device: DeviceId,
    /// In which quarter.
    pub site: SiteId,
    /// What it may show.
    pub shows: Shows,
    /// What events name it by: the word, and how far apart they may be.
    pub word: Option<(String, SignedDuration)>,
    /// What its SHA-256 is, as its sender says.
    pub told_sha256: Option<String>,
    /// The message is nothing else.
    pub is_all: bool,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// An event names a picture that comes, or came, by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// Whose.
    pub device: DeviceId,
    /// By which word.
    pub word: String,
    /// How far apart they may be.
    pub within: SignedDuration,
    /// What its SHA-256 is, if the event says it.
    pub sha256: Option<String>,
}

/// A picture that an event names by an address.
#[derive(Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Who sent the event.
    pub device: DeviceId,
    /// In which quarter.
    pub site: SiteId,
    /// What it may show.
    pub shows: Shows,
    /// Where it is.
    pub url: String,
}

/// What one message has of pictures.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Those in it.
    pub found: Vec<Found>,
    /// Those that its events name.
    pub named: Vec<Named>,
    /// Those that its events name by an address from which something may be fetched.
    pub elsewhere: Vec<Elsewhere>,
}

/// Whether messages on a topic can have to do with pictures at all.
pub fn may_be_on(topic: &str) -> bool {
    if foreign::is_foreign(topic) {
        return true;
    }
    matches!(topic.split('/').nth(4), Some("media" | "evt")) && !topic.starts_with("$hub/")
}

/// The pictures of a message. What its format cannot read has none, and so has what tells nothing that happened.
pub fn look(uplink: &Uplink, context: &Context<'_>, memory: &Memory) -> Looked {
    if uplink.principal == domain::uplink::HUB {
        return Looked::default();
    }
    if foreign::is_foreign(&uplink.topic) {
        return foreign::pictures(uplink, context, memory);
    }
    native::pictures(uplink, context)
}

/// Whether bytes hold the marks of a picture, or name one: most messages do not, and are not looked at further.
pub fn has_marks(payload: &[u8], topic: &str) -> bool {
    const MARKS: [&[u8]; 9] = [
        &[0xff, 0xd8, 0xff],
        b"\x89PNG",
        b"WEBP",
        b"image/",
        b"/9j/",
        b"\\/9j\\/",
        b"iVBORw0KGgo",
        b"UklGR",
        b"has_snapshot",
    ];
    topic.ends_with("/snapshot")
        || MARKS
            .iter()
            .any(|mark| multipart::position(payload, mark).is_some())
}

/// Pictures inside a message of any format: parts of a multipart body that are pictures, else texts of JSON that are base64 of one.
pub fn inside<'a>(message: &Message<'a>) -> Vec<Picture<'a>> {
    let payload = message.payload.trim_ascii_start();
    if payload.starts_with(b"--") || message.content_type_is("multipart/") {
        let parts = multipart::parts(payload, message.content_type).unwrap_or_default();
        let pictures = parts.iter().filter(|part| part.is_picture());
        let picture = |part: &multipart::Part<'a>| Picture {
            bytes: Cow::Borrowed(without_line_end(part.content)),
            shows: shown_by(part.head.as_bytes()),
            word: None,
        };
        return pictures.take(PICTURES_MAX).map(picture).collect();
    }
    in_texts(payload)
}

/// The one line end that stands before the next boundary is none of the picture's.
fn without_line_end(content: &[u8]) -> &[u8] {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    content.strip_suffix(b"\r").unwrap_or(content)
}

/// What a name says that a picture shows.
fn shown_by(name: &[u8]) -> Shows {
    let name = name.to_ascii_lowercase();
    let has = |word: &[u8]| multipart::position(&name, word).is_some();
    if has(b"face") {
        Shows::Face
    } else if has(b"plate") {
        Shows::Plate
    } else {
        Shows::Scene
    }
}

/// Texts of JSON that are base64 of a picture. The JSON is not parsed: a text is what stands between quotes, its name the text before it.
fn in_texts(payload: &[u8]) -> Vec<Picture<'_>> {
    let (mut pictures, mut name, mut rest) = (Vec::new(), &b""[..], payload);
    while let Some(start) = multipart::position(rest, b"\"") {
        let after = rest.get(start + 1..).unwrap_or_default();
        let Some(end) = closing(after) else { break };
        let text = after.get(..end).unwrap_or_default();
        rest = after.get(end + 1..).unwrap_or_default();
        if text.len() < BASE64_BYTES_MIN {
            name = text;
        } else if let Some(bytes) = from_base64(text) {
            let (shows, word) = (shown_by(name), None);
            pictures.push(Picture { bytes, shows, word });
            if pictures.len() == PICTURES_MAX {
                break;
            }
        }
    }
    pictures
}

/// Where the quote stands that ends a text.
fn closing(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The bytes of a text that begins like a picture; as it is where it is too long or broken, so that it is refused as what it is.
fn from_base64(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let head = text.get(..text.len().min(64)).unwrap_or_default();
    let comma = head.starts_with(b"data:image").then(|| {
        let comma = head.iter().position(|byte| *byte == b',');
        comma.map_or(0, |comma| comma + 1)
    });
    let text = text.get(comma.unwrap_or(0)..).unwrap_or_default();
    // some writers put a backslash before each slash
    let first: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| *byte != b'\\')
        .take(12)
        .collect();
    BASE64_STARTS
        .iter()
        .find(|start| first.starts_with(start))?;
    if text.len() > BASE64_BYTES_MAX {
        return Some(Cow::Borrowed(text));
    }
    let plain = String::from_utf8_lossy(text)
        .replace("\\/", "/")
        .replace("\\r", "")
        .replace("\\n", "");
    Some(text::base64(&plain).map_or(Cow::Borrowed(text), Cow::Owned))
}

/// The addresses in a message from which something may be fetched, as they stand in XML or JSON.
pub(super) fn addresses(payload: &[u8], places: &[Place]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if places.is_empty() {
        return found;
    }
    let (mut rest, mut looked) = (payload, 0);
    while let Some(at) = multipart::position(rest, b"http") {
        let after = rest.get(at..).unwrap_or_default();
        let most = after
            .get(..after.len().min(URL_BYTES_MAX))
            .unwrap_or_default();
        let is_end = |byte: &u8| {
            !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'\'' | b'`')
        };
        let end = most.iter().position(is_end).unwrap_or(most.len());
        let text = String::from_utf8_lossy(most.get(..end).unwrap_or_default());
        let text = text.replace("\\/", "/").replace("&amp;", "&");
        looked += 1;
        if let Some(url) = fetch::allowed(places, &text).map(String::from)
            && !found.contains(&url)
        {
            found.push(url);
        }
        if looked == URLS_LOOKED_MAX || found.len() == ELSEWHERE_MAX {
            break;
        }
        rest = after.get(end.max(4)..).unwrap_or_default();
    }
    found
}

/// What pictures of a message show at the most: what their names say, and the kinds of its events.
pub(super) fn shown(picture: Shows, drafts: &[Draft]) -> Shows {
    let kinds = drafts.iter().map(|draft| Shows::of_kind(draft.kind));
    kinds.max().unwrap_or(Shows::Scene).max(picture)
}

/// The pictures that `attrs.media` of an event names: `[{"id": "m-1", "sha256": "…"}]`.
pub(super) fn named(media: &Value, device: &DeviceId, within: SignedDuration) -> Vec<Named> {
    let list = media.as_array().into_iter().flatten().take(NAMED_MAX);
    list.filter_map(|one| {
        let word = one.get("id")?.as_str().filter(|word| is_word(word))?;
        Some(Named {
            device: device.clone(),
            word: word.to_owned(),
            within,
            sha256: one
                .get("sha256")
                .and_then(Value::as_str)
                .map(str::to_ascii_lowercase),
        })
    })
    .collect()
}

/// Whether a text can name a picture.
pub(super) fn is_word(word: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&word.chars().count()) && !word.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use jiff::tz::TimeZone;

    use super::super::message::Door;
    use super::*;

    fn inside(payload: &[u8], content_type: Option<&str>) -> Vec<(Vec<u8>, Shows)> {
        let (door, zone) = (Door::Http { target: "/" }, TimeZone::UTC);
        let mut message = Message::new(door, payload, domain::Timestamp::UNIX_EPOCH, &zone);
        message.content_type = content_type;
        let found = super::inside(&message).into_iter();
        found
            .map(|one| (one.bytes.into_owned(), one.shows))
            .collect()
    }

    fn jpeg() -> Vec<u8> {
        [&[0xff, 0xd8, 0xff, 0xdb][..], &[63; 150]].concat()
    }

    fn encoded() -> String {
        base64::engine::general_purpose::STANDARD.encode(jpeg())
    }

    #[test]
    fn parts_that_are_pictures_are_taken_as_they_are() {
        let body = [
            b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; name=\"licensePlatePicture\"\r\n\r\n",
            &jpeg()[..],
            b"\r\n--x\r\nContent-Type: image/png; name=\"face\"\r\n\r\nnone\r\n--x--\r\n",
        ]
        .concat();
        let expect = [(jpeg(), Shows::Plate), (b"none".to_vec(), Shows::Face)];
        assert_eq!(inside(&body, None), expect);
        assert_eq!(
            inside(&body, Some("multipart/form-data; boundary=x")),
            expect
        );
        assert_eq!(inside(b"--x\r\n\r\n{}\r\n--x--", None), []);
        // a ninth is left out
        let part = [&b"--x\r\n\r\n"[..], &jpeg(), b"\r\n"].concat();
        assert_eq!(inside(&part.repeat(9), None).len(), PICTURES_MAX);
    }

    #[test]
    fn texts_of_json_that_are_base64_of_a_picture_are_decoded_and_no_others() {
        let check = |json: String, expect: &[Shows]| {
            let found = inside(json.as_bytes(), None);
            let shows: Vec<Shows> = found.iter().map(|(_, shows)| *shows).collect();
            assert_eq!(shows, expect, "{json}");
            assert!(found.iter().all(|(bytes, _)| *bytes == jpeg()), "{json}");
        };
        let text = encoded();
        check(format!(r#"{{"imageFile": "{text}"}}"#), &[Shows::Scene]);
        check(
            format!(r#"{{"a\"b": 1, "plateImage": "{text}"}}"#),
            &[Shows::Plate],
        );
        check(
            format!(r#"["data:image/jpeg;base64,{text}"]"#),
            &[Shows::Scene],
        );
        check(
            format!(r#"["{}"]"#, text.replace('/', "\\/")),
            &[Shows::Scene],
        );
        check(
            format!(r#"["{}"]"#, text.trim_end_matches('=')),
            &[Shows::Scene],
        );
        let (head, tail) = text.split_at(60);
        check(format!(r#"["{head}\r\n{tail}"]"#), &[Shows::Scene]);
        check(format!(r#"{{"note": "{}"}}"#, "x".repeat(500)), &[]);
        check(format!(r#"{{"note": "{text}"#), &[]);
        check("{\"note\": \"\\".to_owned(), &[]);
        // what begins like one and is none is found, to be refused
        let broken = format!(r#"["/9j/{}"]"#, "!".repeat(200));
        assert_eq!(inside(broken.as_bytes(), None).len(), 1);
    }

    #[test]
    fn only_what_has_the_marks_of_a_picture_is_looked_at() {
        assert!(!has_marks(
            br#"{"smoke": true, "battery": 87}"#,
            "zigbee2mqtt/a"
        ));
        assert!(has_marks(b"none", "frigate/yard/person/snapshot"));
        for payload in [jpeg(), format!("{{\"a\":\"{}\"}}", encoded()).into_bytes()] {
            assert!(has_marks(&payload, "a"));
        }
        assert!(has_marks(encoded().replace('/', "\\/").as_bytes(), "a"));
        assert!(may_be_on("ssg/v1/q1/a/evt/fire-smoke") && may_be_on("ssg/v1/q1/a/media/m-1"));
        assert!(may_be_on("$http/cams/alarm") && may_be_on("frigate/events"));
        assert!(!may_be_on("ssg/v1/q1/a/tele") && !may_be_on("$hub/presence/a"));
    }

    #[test]
    fn an_event_names_at_most_so_many_by_words_that_can_be_one() {
        let device: DeviceId = "a".parse().expect("an id");
        let of = |media: Value| named(&media, &device, SignedDuration::from_hours(1));
        let media =
            serde_json::json!([{"id": "m-1", "sha256": "AB"}, {"id": ""}, {"id": "a\nb"}, {}, 7]);
        let found = of(media);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].word.as_str(), found[0].sha256.as_deref()),
            ("m-1", Some("ab"))
        );
        let many: Vec<Value> = (0..20)
            .map(|n| serde_json::json!({"id": format!("m-{n}")}))
            .collect();
        assert_eq!(of(many.into()).len(), NAMED_MAX);
        assert_eq!(of(Value::Null), []);
    }

    #[test]
    fn addresses_stand_in_xml_and_json_and_only_those_below_a_place_are_named() {
        let places: Vec<Place> = vec!["http://10.20.0.7/".parse().expect("a place")];
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(addresses(text.as_bytes(), &places), expect, "{text}");
        };
        check(
            "<a xmlns=\"http://www.hikvision.com/ver20\"><picURL>http://10.20.0.7/1.jpg?a=1&amp;b=2</picURL></a>",
            &["http://10.20.0.7/1.jpg?a=1&b=2"],
        );
        check(
            r#"{"u":"http:\/\/10.20.0.7:80\/1.jpg"}"#,
            &["http://10.20.0.7/1.jpg"],
        );
        check(
            "http://10.20.0.7/1 http://10.20.0.7/1 http http:// http://10.20.0.8/2",
            &["http://10.20.0.7/1"],
        );
        assert_eq!(addresses(b"http://10.20.0.7/1", &[]), Vec::<String>::new());
        let many: Vec<String> = (0..100).map(|n| format!("http://10.20.0.7/{n}")).collect();
        let many = many.join(" ");
        assert_eq!(addresses(many.as_bytes(), &places).len(), ELSEWHERE_MAX);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(proptest::num::u8::ANY, 0..400), start in 0..4_usize) {
            let starts = [&b"--x\r\n\r\n\xff\xd8"[..], b"{\"a\":\"/9j/", b"[\"data:image", b""];
            let payload = [starts[start], &payload].concat();
            proptest::prop_assert!(inside(&payload, None).len() <= PICTURES_MAX);
        }
    }
}
