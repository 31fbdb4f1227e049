//! What bridges, web hooks and panels say in their makers' formats: which format it is, who sent it, what of it is news.
//!
//! A message that came over MQTT is journalled under its own topic; one of another door under `$http/{account}{path and query}` or
//! `$tcp/{protocol}/{account}`, which nobody can publish to.

use std::borrow::Cow;
use std::collections::HashMap;

use domain::{Lane, Seq, Shows, SiteId, Uplink};
use jiff::tz::TimeZone;

use super::draft::Reading;
use super::formats::{Formats, Found as Format};
use super::identity::{Sender, Stamp};
use super::memory::{Memory, News};
use super::message::{Door, Message};
use super::picture::{Elsewhere, Found, Looked, Named};
use super::properties::Carried;
use super::{Context, Parsed, Reject, battery, picture, properties};
use crate::fetch::Place;

/// Where web hooks are journalled.
pub const HTTP: &str = "$http/";
/// Where frames are journalled.
pub const TCP: &str = "$tcp/";

/// The code of a message whose sender speaks for nobody.
pub const UNKNOWN_BRIDGE: &str = "unknown_bridge";

/// What the configuration says of one bridge.
#[derive(Debug, Clone)]
pub struct Bridge {
    /// The quarter that it speaks for.
    pub site: SiteId,
    /// The formats that it may speak; all where it is empty.
    pub formats: Vec<String>,
    /// The wall clock of its devices.
    pub zone: TimeZone,
    /// From where pictures are fetched that its messages name by an address.
    pub fetch: Vec<Place>,
}

/// All bridges, by account.
#[derive(Clone, Default)]
pub struct Bridges {
    /// What is configured.
    pub by_account: HashMap<String, Bridge>,
    /// The key of the hashes that stand for card numbers.
    pub card_key: Vec<u8>,
    /// What they speak.
    pub formats: Formats,
}

/// Whether an uplink is in no format of our own.
pub fn is_foreign(topic: &str) -> bool {
    !topic.starts_with("ssg/") && !topic.starts_with("$hub/")
}

/// Which way a journalled message came, and what account a door of its own has written into the topic.
fn door(uplink: &Uplink) -> Door<'_> {
    if let Some(rest) = uplink.topic.strip_prefix(HTTP) {
        let target = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        return Door::Http { target };
    }
    if let Some(rest) = uplink.topic.strip_prefix(TCP) {
        let protocol = rest.split('/').next().unwrap_or_default();
        return Door::Tcp { protocol };
    }
    Door::Mqtt {
        topic: &uplink.topic,
        retain: uplink.flags.retain(),
    }
}

/// What came of a message, and the name of the adapter that read it.
type Of<T> = (Cow<'static, str>, T);

/// Reads a message of a bridge, a web hook or a panel.
pub(super) fn parse(
    seq: Seq,
    uplink: &Uplink,
    context: &Context<'_>,
    memory: &mut Memory,
) -> Of<Parsed> {
    match read(seq, uplink, context, memory) {
        Ok(read) => read,
        Err((name, reject)) => (
            name,
            Parsed {
                reject: Some(reject),
                ..Parsed::default()
            },
        ),
    }
}

fn read(
    seq: Seq,
    uplink: &Uplink,
    context: &Context<'_>,
    memory: &mut Memory,
) -> Result<Of<Parsed>, Of<Reject>> {
    let account = uplink.principal.as_str();
    let Some(bridge) = context.bridges.by_account.get(account) else {
        let detail = format!(
            "`{account}` sends on `{}` and the configuration has no [bridges.{account}] (hint: add it with its site, then read this again)",
            super::text::clip(&uplink.topic, 100)
        );
        return Err(("foreign".into(), Reject::new(UNKNOWN_BRIDGE, detail)));
    };
    let carried = carried(uplink);
    let message = message(uplink, bridge, &carried);
    let left = memory.of(account);
    let found = context
        .bridges
        .formats
        .of_sender(&message, &bridge.formats, &left);
    let Some(format) = found else {
        let detail = "no format knows this topic, path or payload (hint: docs/formats.md lists what is read)";
        return Err(("foreign".into(), Reject::new("unknown_format", detail)));
    };
    let name: Cow<'static, str> = match &format {
        Format::BuiltIn(format) => format.name().into(),
        Format::Declared(_) => format.name().to_owned().into(),
    };
    let reading = match format.read(&message, &left) {
        Ok(reading) => reading,
        Err(reject) => return Err((name, reject)),
    };
    let sender = sender(account, bridge, &name, context);
    let (alive, newcomers) = sender.spoke(uplink.received_at, &reading);
    for (key, value) in reading.learn {
        if !memory.learn(account, &key, value, seq) {
            let detail = format!(
                "`{}` has no room left to be remembered",
                super::text::clip(&key, 80)
            );
            return Err((name, Reject::new("memory_full", detail)));
        }
    }
    let stamp = Stamp {
        seq,
        received_at: uplink.received_at,
    };
    let charges = sender.charges(&reading.charges, &reading.drafts);
    // its place in the message, whatever else of it is news
    let first = reading.drafts.len();
    let mut events = sender.events(stamp, reading.drafts, memory);
    let told = battery::Told {
        account,
        seq,
        received_at: uplink.received_at,
    };
    let low = battery::events(&charges, first, told, context.registry, memory);
    events.extend(low);
    let unread = reading.unread.filter(|reject| {
        let of = reading.spoke.first().map_or("", String::as_str);
        is_due(account, of, reject, &stamp, memory)
    });
    let parsed = Parsed {
        events,
        is_partly_read: unread.is_some(),
        reject: unread,
        alive,
        newcomers,
        charges,
    };
    Ok((name, parsed))
}

/// Whether what could not be read of a message is to be kept again: once an hour, so that a device without a codec does not push everything
/// else out of the quarantine.
fn is_due(account: &str, of: &str, reject: &Reject, stamp: &Stamp, memory: &mut Memory) -> bool {
    let detail = super::text::clip(&reject.detail, 120);
    let key = format!(
        "unread:{}:{}:{detail}",
        reject.code,
        super::text::clip(of, 64)
    );
    let hour = stamp.received_at.as_second() / 3600;
    memory.tell(account, &key, &hour.to_string(), stamp.seq) != News::Same
}

/// The pictures of a message, and those that it names. It is read once more: only few messages have any.
pub(super) fn pictures(uplink: &Uplink, context: &Context<'_>, memory: &Memory) -> Looked {
    let account = uplink.principal.as_str();
    let Some(bridge) = context.bridges.by_account.get(account) else {
        return Looked::default();
    };
    let urls = picture::addresses(&uplink.payload, &bridge.fetch);
    if urls.is_empty() && !picture::has_marks(&uplink.payload, &uplink.topic) {
        return Looked::default();
    }
    let carried = carried(uplink);
    let message = message(uplink, bridge, &carried);
    let left = memory.of(account);
    let found = context
        .bridges
        .formats
        .of_sender(&message, &bridge.formats, &left);
    let Some(format) = found else {
        return Looked::default();
    };
    let Ok(Reading { drafts, .. }) = format.read(&message, &left) else {
        return Looked::default();
    };
    let sender = sender(account, bridge, format.name(), context);
    let named = format.names(&drafts).into_iter().map(|word| Named {
        device: sender.place_of(&word.address).0,
        word: word.word,
        within: word.within,
        sha256: None,
    });
    let found = format.pictures(&message, &left).into_iter();
    let found = found.take(picture::PICTURES_MAX).filter_map(|one| {
        let is_all = one.word.is_some();
        let address = match (&one.word, drafts.first()) {
            (Some(word), _) => word.address.as_str(),
            (None, Some(draft)) => draft.address.as_str(),
            (None, None) => return None,
        };
        let (device, site) = sender.place_of(address);
        Some(Found {
            device,
            site,
            shows: picture::shown(one.shows, &drafts),
            word: one.word.map(|word| (word.word, word.within)),
            told_sha256: None,
            is_all,
            bytes: one.bytes.into_owned(),
        })
    });
    let shows = picture::shown(Shows::Scene, &drafts);
    let urls = drafts.first().map(|draft| {
        let (device, site) = sender.place_of(&draft.address);
        let urls = urls.into_iter().map(|url| Elsewhere {
            device: device.clone(),
            site: site.clone(),
            shows,
            url,
        });
        urls.collect()
    });
    Looked {
        found: found.collect(),
        named: named.collect(),
        elsewhere: urls.unwrap_or_default(),
    }
}

/// What came beside topic and payload.
fn carried(uplink: &Uplink) -> Carried {
    let extra = uplink.extra.as_ref();
    extra
        .map(|extra| properties::read(&extra.properties))
        .unwrap_or_default()
}

fn message<'a>(uplink: &'a Uplink, bridge: &'a Bridge, carried: &'a Carried) -> Message<'a> {
    let mut message = Message::new(
        door(uplink),
        &uplink.payload,
        uplink.received_at,
        &bridge.zone,
    );
    message.content_type = carried.content_type.as_deref();
    message.headers = &carried.user;
    message
}

fn sender<'a>(
    account: &'a str,
    bridge: &'a Bridge,
    format: &'a str,
    context: &Context<'a>,
) -> Sender<'a> {
    Sender {
        account,
        site: &bridge.site,
        format,
        registry: context.registry,
        card_key: &context.bridges.card_key,
    }
}

/// The format that is sure of a topic.
fn of_topic(topic: &str, formats: &Formats) -> Option<Format> {
    let zone = TimeZone::UTC;
    let door = Door::Mqtt {
        topic,
        retain: false,
    };
    let message = Message::new(door, &[], domain::Timestamp::UNIX_EPOCH, &zone);
    formats.sure(&message)
}

/// The lane of a topic that is none of ours: whatever a format knows by its topic and may tell of an alarm goes first, and so do web hooks
/// and panels. A topic that somebody has made up waits behind: what it tells is looked at only afterwards.
pub(super) fn lane_of(topic: &str, formats: &Formats) -> Lane {
    if topic.starts_with(HTTP) || topic.starts_with(TCP) {
        return Lane::Alarm;
    }
    match of_topic(topic, formats) {
        Some(format) if format.may_alarm(topic) => Lane::Alarm,
        _ => Lane::Telemetry,
    }
}

/// Whether a message that could not be read might have been an alarm.
pub(super) fn may_alarm(topic: &str, formats: &Formats) -> bool {
    of_topic(topic, formats).is_none_or(|format| format.may_alarm(topic))
}
