//! The holding list: devices that a bridge speaks for and that nobody has registered, so that somebody can admit or dismiss them.
//!
//! They are heard with every message, so the list lives in memory, and a device that only speaks on is written at most every
//! `WRITE_EVERY`, and `QUIET_WRITES_MAX` of them in a batch. Who is new, and who rings for the first time, is written in the batch that
//! brought it: a crash costs a minute of "last heard" and nothing else.
//!
//! **Invariant:** the list is bounded, whatever a bridge invents. Beyond `OF_ACCOUNT_MAX` a device is counted and not listed; what it says
//! goes its way all the same, and its alarms ring.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::place::{Device, Registry};
use domain::{DeviceClass, DeviceId, Kind, Phase, Reach, SiteId, Timestamp, UserId};
use jiff::SignedDuration;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::chunks::chunks;
use super::error::StateError;
use super::incidents::{opt_time, opt_word, time, word};
use super::open::Pool;
use super::{Moment, State};

/// Most devices of one bridge that are listed.
pub(super) const OF_ACCOUNT_MAX: usize = 500;
/// Most devices that are listed.
pub(super) const NEWCOMERS_MAX: usize = 5_000;
/// One that was not heard for so long leaves the list.
pub(super) const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);
/// One that was dismissed so long ago and is heard again waits anew: who stands next door today may have moved in.
pub(super) const BACK_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Longest address that is listed, in bytes: one that is longer cannot be registered.
pub const ADDRESS_BYTES_MAX: usize = 128;
/// Longest reason of a dismissal, in characters.
pub const DISMISSAL_CHARS_MAX: usize = 200;
/// Longest name of a maker or a model, in characters.
const WORD_CHARS_MAX: usize = 80;
/// Least time between two writes of one that only spoke.
const WRITE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Most of a batch that are written although they only spoke.
const QUIET_WRITES_MAX: usize = 100;
/// How often the list is looked through for those that were not heard.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A device that is in no registry was heard; a batch has one entry for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewcomerTouch {
    /// The bridge.
    pub account: String,
    /// As the bridge calls it; empty for the bridge itself.
    pub address: String,
    /// The id under which its events stand.
    pub device: DeviceId,
    /// The quarter that the bridge speaks for.
    pub site: SiteId,
    /// What it seems to be; none where it was only announced.
    pub class: Option<DeviceClass>,
    /// The format.
    pub format: String,
    /// Its maker, if the bridge said so.
    pub vendor: Option<String>,
    /// Its model, if the bridge said so.
    pub model: Option<String>,
    /// When it was last heard.
    pub at: Timestamp,
    /// The last event that came of it.
    pub said: Option<(Kind, Phase)>,
    /// Whether rules found something in what it said.
    pub has_rung: bool,
    /// Messages of it.
    pub messages: u32,
}

/// A device of the holding list, as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewcomerItem {
    /// Its number here.
    pub id: String,
    /// The bridge that speaks for it.
    pub account: String,
    /// As the bridge calls it; empty for the bridge itself.
    pub address: String,
    /// The id under which its events and alarms stand.
    pub device: DeviceId,
    /// The quarter that the bridge speaks for.
    pub site: SiteId,
    /// What it seems to be.
    pub class: DeviceClass,
    /// The format in which it speaks.
    pub format: String,
    /// Its maker.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// When it was first heard.
    pub first_heard_at: Moment,
    /// When it was last heard.
    pub last_heard_at: Moment,
    /// Kind and phase of the last event that came of it.
    pub last_event: Option<String>,
    /// Messages of it.
    pub messages: u64,
    /// Whether it has raised an alarm.
    pub has_rung: bool,
    /// Who does not want it, since when, why.
    pub dismissed: Option<DismissedItem>,
}

/// Who does not want a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DismissedItem {
    /// A log-in name.
    pub by: UserId,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
}

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewcomerPage {
    /// The latest that came first.
    pub items: Vec<NewcomerItem>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
    /// All that wait to be admitted and lie where the caller sees.
    pub waiting: u32,
    /// Messages since the start of devices for which there was no room.
    pub turned_away: u64,
}

/// Why somebody does not want a newcomer.
#[derive(Debug, Clone, Copy)]
pub struct Dismissal<'a> {
    /// A log-in name.
    pub by: &'a UserId,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What is known of one, and when it was last written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    item: NewcomerItem,
    written: Timestamp,
}

/// All that are known.
#[derive(Debug, Default)]
struct Book {
    known: HashMap<String, Known>,
    swept_at: Option<Timestamp>,
    turned_away: u64,
}

/// The holding list.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    book: Mutex<Book>,
    /// Whoever changes it, from reading it to what is committed: one after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// What a batch changes of it.
#[derive(Debug, Default)]
pub(super) struct Came {
    changed: HashMap<String, Known>,
    write: Vec<String>,
    gone: BTreeSet<String>,
    turned_away: u64,
    swept_at: Option<Timestamp>,
}

/// The number of a device in the list: the same for the same account and address.
pub fn newcomer_id(account: &str, address: &str) -> String {
    let hash = Sha256::digest(format!("{account}\u{1f}{address}").as_bytes());
    format!("new_{}", hex::encode(&hash[..10]))
}

/// The address under which a newcomer's device stands in the registry.
pub fn registry_address(account: &str, address: &str) -> String {
    if address.is_empty() || address == account {
        return account.to_owned();
    }
    format!("{account}:{address}")
}

/// The registered device that a newcomer is.
pub(super) fn device_of<'r>(registry: &'r Registry, item: &NewcomerItem) -> Option<&'r Device> {
    let address = match item.address.as_str() {
        "" => item.account.as_str(),
        address => address,
    };
    registry.device_at(&item.account, address)
}

impl Newcomers {
    pub(super) async fn load(pool: &Pool) -> Result<Self, StateError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT * FROM newcomer")
            .fetch_all(pool)
            .await?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            let item = NewcomerItem::try_from(row)?;
            let written = item.last_heard_at.0;
            known.insert(item.id.clone(), Known { item, written });
        }
        Ok(Self {
            book: Mutex::new(Book {
                known,
                ..Book::default()
            }),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// What this changes, without changing it yet.
    pub(super) fn plan(
        &self,
        heard: Vec<NewcomerTouch>,
        registry: &Registry,
        now: Timestamp,
    ) -> Came {
        let mut came = Came::default();
        if heard.is_empty() {
            return came;
        }
        let book = self.book.lock();
        if book
            .swept_at
            .is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY)
        {
            came.swept_at = Some(now);
            let forgotten = book
                .known
                .values()
                .filter(|known| now.duration_since(known.item.last_heard_at.0) > FORGOTTEN_AFTER);
            came.gone = forgotten.map(|known| known.item.id.clone()).collect();
        }
        let mut room = Room::of(&book, &came.gone);
        let mut quiet_writes = 0;
        for heard in heard {
            let id = newcomer_id(&heard.account, &heard.address);
            let before = book.known.get(&id);
            let before = before.filter(|_| !came.gone.contains(&id));
            let is_new = before.is_none();
            if is_new && !room.take(&heard, &mut came, &book) {
                came.turned_away += u64::from(heard.messages);
                continue;
            }
            let mut after = heard_again(before, &id, &heard);
            if device_of(registry, &after.item).is_some() {
                continue;
            }
            let is_news = before.is_none_or(|before| {
                let told = |item: &NewcomerItem| {
                    (
                        item.has_rung,
                        item.dismissed.is_some(),
                        item.model.clone(),
                        item.class,
                    )
                };
                told(&before.item) != told(&after.item)
            });
            let is_due = after.item.last_heard_at.0.duration_since(after.written) >= WRITE_EVERY;
            if is_news || (is_due && quiet_writes < QUIET_WRITES_MAX) {
                quiet_writes += usize::from(!is_news);
                after.written = after.item.last_heard_at.0;
                came.write.push(id.clone());
            }
            came.gone.remove(&id);
            came.changed.insert(id, after);
        }
        came
    }

    /// Makes true what is committed.
    pub(super) fn commit(&self, came: Came) {
        let mut book = self.book.lock();
        for id in &came.gone {
            book.known.remove(id);
        }
        book.known.extend(came.changed);
        book.turned_away += came.turned_away;
        book.swept_at = came.swept_at.or(book.swept_at);
    }

    /// Those that a registry has.
    pub(super) fn registered(&self, registry: &Registry) -> Vec<NewcomerItem> {
        let book = self.book.lock();
        let known = book.known.values().map(|known| &known.item);
        known
            .filter(|item| device_of(registry, item).is_some())
            .cloned()
            .collect()
    }

    /// The bridge that speaks for a device, or is it.
    pub(super) fn account_of(&self, device: &DeviceId) -> Option<String> {
        let book = self.book.lock();
        let mut known = book.known.values();
        let found = known.find(|known| known.item.device == *device)?;
        Some(found.item.account.clone())
    }

    pub(super) fn forget(&self, items: &[NewcomerItem]) {
        let mut book = self.book.lock();
        for item in items {
            book.known.remove(&item.id);
        }
    }
}

/// Who still has a place.
struct Room {
    all: usize,
    of_account: HashMap<String, usize>,
    /// Bridges all of whose devices on the list have rung.
    loud: HashSet<String>,
}

impl Room {
    fn of(book: &Book, gone: &BTreeSet<String>) -> Self {
        let mut room = Self {
            all: 0,
            of_account: HashMap::new(),
            loud: HashSet::new(),
        };
        for known in book.known.values() {
            if !gone.contains(&known.item.id) {
                room.all += 1;
                *room
                    .of_account
                    .entry(known.item.account.clone())
                    .or_default() += 1;
            }
        }
        room
    }

    /// A place for one that is new. One that rings takes the place of the one of its bridge that was not heard for the longest time among
    /// those that never rang.
    fn take(&mut self, heard: &NewcomerTouch, came: &mut Came, book: &Book) -> bool {
        if heard.address.len() > ADDRESS_BYTES_MAX {
            return false;
        }
        let of_account = self.of_account.entry(heard.account.clone()).or_default();
        if *of_account < OF_ACCOUNT_MAX && self.all < NEWCOMERS_MAX {
            *of_account += 1;
            self.all += 1;
            return true;
        }
        if !heard.has_rung || self.loud.contains(&heard.account) {
            return false;
        }
        let quiet = book.known.values().filter(|known| {
            known.item.account == heard.account
                && !known.item.has_rung
                && !came.changed.contains_key(&known.item.id)
                && !came.gone.contains(&known.item.id)
        });
        let oldest = quiet.min_by_key(|known| (known.item.last_heard_at.0, &known.item.id));
        let Some(oldest) = oldest else {
            self.loud.insert(heard.account.clone());
            return false;
        };
        came.gone.insert(oldest.item.id.clone());
        true
    }
}

fn heard_again(before: Option<&Known>, id: &str, heard: &NewcomerTouch) -> Known {
    let mut known = before.cloned().unwrap_or_else(|| Known {
        item: NewcomerItem {
            id: id.to_owned(),
            account: heard.account.clone(),
            address: heard.address.clone(),
            device: heard.device.clone(),
            site: heard.site.clone(),
            class: heard.class.unwrap_or(DeviceClass::FireSensor),
            format: heard.format.clone(),
            vendor: None,
            model: None,
            first_heard_at: heard.at.into(),
            last_heard_at: heard.at.into(),
            last_event: None,
            messages: 0,
            has_rung: false,
            dismissed: None,
        },
        written: heard.at,
    });
    let item = &mut known.item;
    item.device = heard.device.clone();
    item.site = heard.site.clone();
    item.class = heard.class.unwrap_or(item.class);
    heard.format.clone_into(&mut item.format);
    let cut = |text: &String| text.chars().take(WORD_CHARS_MAX).collect::<String>();
    item.vendor = heard.vendor.as_ref().map(cut).or(item.vendor.take());
    item.model = heard.model.as_ref().map(cut).or(item.model.take());
    item.last_heard_at = item.last_heard_at.max(heard.at.into());
    if let Some((kind, phase)) = heard.said {
        item.last_event = Some(format!("{kind} {}", phase.as_str()));
    }
    item.messages += u64::from(heard.messages);
    item.has_rung |= heard.has_rung;
    let is_back = |dismissed: &DismissedItem| heard.at.duration_since(dismissed.at.0) >= BACK_AFTER;
    if item.dismissed.as_ref().is_some_and(is_back) {
        item.dismissed = None;
    }
    known
}

impl Came {
    /// Writes what has to be written.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StateError> {
        remove(connection, self.gone.iter().map(String::as_str)).await?;
        for chunk in chunks(&self.write) {
            let items: Vec<&NewcomerItem> = chunk.iter().map(|id| &self.changed[id].item).collect();
            put(connection, &items).await?;
        }
        Ok(())
    }
}

async fn put(connection: &mut SqliteConnection, items: &[&NewcomerItem]) -> Result<(), StateError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO newcomer (id, account, address, device, site, class, format, vendor, model, first_heard_at, last_heard_at,
           last_event, messages, has_rung, dismissed_at, dismissed_by, dismissed_reason) ",
    );
    query.push_values(items, |mut values, item| {
        let dismissed = item.dismissed.as_ref();
        values
            .push_bind(&item.id)
            .push_bind(&item.account)
            .push_bind(&item.address)
            .push_bind(item.device.as_str())
            .push_bind(item.site.as_str())
            .push_bind(item.class.as_str())
            .push_bind(&item.format)
            .push_bind(&item.vendor)
            .push_bind(&item.model)
            .push_bind(item.first_heard_at.0.as_microsecond())
            .push_bind(item.last_heard_at.0.as_microsecond())
            .push_bind(&item.last_event)
            .push_bind(item.messages.cast_signed())
            .push_bind(i64::from(item.has_rung))
            .push_bind(dismissed.map(|d| d.at.0.as_microsecond()))
            .push_bind(dismissed.map(|d| d.by.to_string()))
            .push_bind(dismissed.map(|d| d.reason.as_str()));
    });
    query.push(
        " ON CONFLICT (id) DO UPDATE SET device = excluded.device, first_heard_at = excluded.first_heard_at, site = excluded.site, class = excluded.class,
            format = excluded.format, vendor = excluded.vendor, model = excluded.model, last_heard_at = excluded.last_heard_at,
            last_event = excluded.last_event, messages = excluded.messages, has_rung = excluded.has_rung,
            dismissed_at = excluded.dismissed_at, dismissed_by = excluded.dismissed_by, dismissed_reason = excluded.dismissed_reason",
    );
    query.build().execute(connection).await?;
    Ok(())
}

pub(super) async fn remove<'a>(
    connection: &mut SqliteConnection,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(), StateError> {
    for id in ids {
        sqlx::query("DELETE FROM newcomer WHERE id = $1")
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

#[derive(FromRow)]
struct Row {
    id: String,
    account: String,
    address: String,
    device: String,
    site: String,
    class: String,
    format: String,
    vendor: Option<String>,
    model: Option<String>,
    first_heard_at: i64,
    last_heard_at: i64,
    last_event: Option<String>,
    messages: i64,
    has_rung: i64,
    dismissed_at: Option<i64>,
    dismissed_by: Option<String>,
    dismissed_reason: Option<String>,
}

impl TryFrom<Row> for NewcomerItem {
    type Error = StateError;
    fn try_from(row: Row) -> Result<Self, StateError> {
        let by: Option<UserId> = opt_word(row.dismissed_by.as_ref())?;
        let dismissed = match (by, opt_time(row.dismissed_at)?) {
            (Some(by), Some(at)) => Some(DismissedItem {
                by,
                at: at.into(),
                reason: row.dismissed_reason.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Self {
            id: row.id,
            account: row.account,
            address: row.address,
            device: word(&row.device)?,
            site: word(&row.site)?,
            class: word(&row.class)?,
            format: row.format,
            vendor: row.vendor,
            model: row.model,
            first_heard_at: time(row.first_heard_at)?.into(),
            last_heard_at: time(row.last_heard_at)?.into(),
            last_event: row.last_event,
            messages: row.messages.cast_unsigned(),
            has_rung: row.has_rung != 0,
            dismissed,
        })
    }
}

impl State {
    /// The holding list of what somebody may see, the latest that came first; those that were dismissed, or those that wait.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for a cursor that is none.
    pub fn newcomers(
        &self,
        reach: &Reach,
        is_dismissed: bool,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<NewcomerPage, StateError> {
        let before = cursor.map(parse_cursor).transpose()?;
        let book = self.shared.newcomers.book.lock();
        let seen = book.known.values().map(|known| &known.item);
        let seen = seen.filter(|item| reach.sees(&item.site, None));
        let mut waiting = 0_u32;
        let mut sorted: BTreeMap<_, &NewcomerItem> = BTreeMap::new();
        for item in seen {
            waiting += u32::from(item.dismissed.is_none());
            let at = (item.first_heard_at.0.as_microsecond(), item.id.as_str());
            let is_on = before
                .as_ref()
                .is_none_or(|(us, id)| at < (*us, id.as_str()));
            if is_on && item.dismissed.is_some() == is_dismissed {
                sorted.insert(at, item);
            }
        }
        let limit = limit.clamp(1, super::PAGE_MAX) as usize;
        let has_more = sorted.len() > limit;
        let items = sorted.into_values().rev().take(limit).cloned();
        let items: Vec<NewcomerItem> = items.collect();
        let at =
            |item: &NewcomerItem| format!("{}.{}", item.first_heard_at.0.as_microsecond(), item.id);
        Ok(NewcomerPage {
            next: items.last().filter(|_| has_more).map(at),
            items,
            waiting,
            turned_away: book.turned_away,
        })
    }

    /// One of the holding list that somebody may see.
    pub fn newcomer(&self, id: &str, reach: &Reach) -> Option<NewcomerItem> {
        let book = self.shared.newcomers.book.lock();
        let item = book.known.get(id).map(|known| &known.item);
        item.filter(|item| reach.sees(&item.site, None)).cloned()
    }

    /// Takes a newcomer off the list of those that wait, with its line of the audit trail. Twice is once; none where there is none.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn dismiss_newcomer(
        &self,
        id: &str,
        dismissal: Dismissal<'_>,
    ) -> Result<Option<NewcomerItem>, StateError> {
        let _turn = self.shared.newcomers.turn.lock().await;
        let mut tx = self.begin().await?;
        let known = self.shared.newcomers.book.lock().known.get(id).cloned();
        let Some(mut known) = known else {
            return Ok(None);
        };
        if known.item.dismissed.is_some() {
            return Ok(Some(known.item));
        }
        let Dismissal { by, reason, at } = dismissal;
        known.item.dismissed = Some(DismissedItem {
            by: by.clone(),
            at: at.into(),
            reason: reason.to_owned(),
        });
        known.written = known.item.last_heard_at.0;
        put(&mut tx, &[&known.item]).await?;
        let object = format!("newcomer:{}", known.item.device);
        let line = Entry {
            note: Some(reason.to_owned()),
            ..Entry::by(by, at, "dismiss_newcomer", object, String::new())
        };
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        let item = known.item.clone();
        let mut book = self.shared.newcomers.book.lock();
        book.known.insert(id.to_owned(), known);
        Ok(Some(item))
    }
}

fn parse_cursor(cursor: &str) -> Result<(i64, String), StateError> {
    let wrong = || StateError::invalid("no cursor of this list");
    let (us, id) = cursor.split_once('.').ok_or_else(wrong)?;
    Ok((us.parse().map_err(|_| wrong())?, id.to_owned()))
}
