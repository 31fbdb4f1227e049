//! Devices: what they last said of themselves, joined with who they are.
//!
//! `last_seen` moves with every message, so it lives in memory and is written at most every [`WRITE_EVERY`] for a device, and at most
//! [`QUIET_WRITES_MAX`] times in a batch. What people act on (online or not, first word, battery) is written and told in the batch
//! that brought it. A crash costs some seconds of `last_seen` and nothing else.

use std::collections::{BTreeMap, HashMap};

use domain::place::{Device, Registry, Zone};
use domain::{DeviceId, Seq, Severity, Timestamp};
use jiff::SignedDuration;
use parking_lot::Mutex;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::chunks;
use super::error::StateError;
use super::incidents::{severity, time, word};
use super::open::Pool;
use super::{DeviceItem, DeviceState, DeviceTouch, Moment, Page, State, feed};

/// Least time between two writes of a device that only spoke.
const WRITE_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// Most devices of a batch that are written although they only spoke; the others' turn comes with a later batch.
const QUIET_WRITES_MAX: usize = 500;
/// Heartbeats that a device may miss before it counts as silent.
const HEARTBEATS_MISSED: i64 = 2;

/// What is known of a device.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    last_seen: Timestamp,
    /// The connection with the highest epoch stands; none before the first.
    online: Option<bool>,
    epoch: u64,
    battery_percent: Option<f64>,
    /// The bridge that spoke for it last.
    via: Option<String>,
    /// `last_seen` as it is on disk.
    written: Timestamp,
}

/// All devices that have spoken.
pub(super) struct Presence {
    known: Mutex<HashMap<DeviceId, Known>>,
}

/// What a batch changes about devices.
#[derive(Default)]
pub(super) struct Touched {
    /// Every device that spoke.
    all: HashMap<DeviceId, Known>,
    /// Those to be written.
    write: Vec<DeviceId>,
    /// Those to be told of.
    pub(super) tell: Vec<DeviceId>,
    /// Those that went away, with the time at which they were last heard, and those that came back; each with the position of the
    /// word that said so, in that order.
    pub(super) turned: Vec<(Seq, DeviceId, Option<Timestamp>)>,
}

impl Presence {
    pub(super) async fn load(pool: &Pool) -> Result<Self, StateError> {
        type Columns = (String, i64, Option<i64>, i64, Option<f64>, Option<String>);
        let rows: Vec<Columns> =
            sqlx::query_as("SELECT id, last_seen, online, epoch, battery_percent, via FROM device")
                .fetch_all(pool)
                .await?;
        let mut known = HashMap::with_capacity(rows.len());
        for (id, last_seen, online, epoch, battery_percent, via) in rows {
            let last_seen = time(last_seen)?;
            let row = Known {
                last_seen,
                online: online.map(|online| online != 0),
                epoch: epoch.cast_unsigned(),
                battery_percent,
                via,
                written: last_seen,
            };
            known.insert(word(&id)?, row);
        }
        Ok(Self {
            known: Mutex::new(known),
        })
    }

    /// What these touches change, without changing it yet.
    pub(super) fn plan(&self, touches: Vec<DeviceTouch>, registry: &Registry) -> Touched {
        let mut touched = Touched::default();
        let mut quiet_writes = 0;
        let known = self.known.lock();
        for touch in touches {
            let before = touched
                .all
                .get(&touch.device)
                .or_else(|| known.get(&touch.device));
            let mut after = touched_by(before, &touch);
            let is_news = before.is_none_or(|before| {
                let whole = |percent: Option<f64>| percent.map(f64::round);
                before.online != after.online
                    || before.via != after.via
                    || whole(before.battery_percent) != whole(after.battery_percent)
                    || registry
                        .devices
                        .get(&touch.device)
                        .is_some_and(|device| is_silent(device, before.last_seen, after.last_seen))
            });
            match (before.and_then(|before| before.online), after.online) {
                (Some(true) | None, Some(false)) => {
                    let last_heard = Some(after.last_seen);
                    let turn = (touch.presence_seq, touch.device.clone(), last_heard);
                    touched.turned.push(turn);
                }
                (Some(false), Some(true)) => {
                    let turn = (touch.presence_seq, touch.device.clone(), None);
                    touched.turned.push(turn);
                }
                _ => {}
            }
            let is_due = after.last_seen.duration_since(after.written) >= WRITE_EVERY;
            let is_turn = is_due && quiet_writes < QUIET_WRITES_MAX;
            if is_news {
                touched.tell.push(touch.device.clone());
            } else if is_turn {
                quiet_writes += 1;
            }
            if is_news || is_turn {
                after.written = after.last_seen;
                touched.write.push(touch.device.clone());
            }
            touched.all.insert(touch.device, after);
        }
        touched.turned.sort();
        touched
    }

    /// The bridge that spoke for a device last.
    pub(super) fn via(&self, device: &DeviceId) -> Option<String> {
        self.known.lock().get(device)?.via.clone()
    }

    /// Makes true what is committed.
    pub(super) fn commit(&self, touched: Touched) {
        self.known.lock().extend(touched.all);
    }
}

fn touched_by(before: Option<&Known>, touch: &DeviceTouch) -> Known {
    let mut known = before.cloned().unwrap_or(Known {
        last_seen: touch.last_seen,
        online: None,
        epoch: 0,
        battery_percent: None,
        via: None,
        written: touch.last_seen,
    });
    known.last_seen = known.last_seen.max(touch.last_seen);
    if let Some((epoch, online)) = touch.presence {
        // of one connection "online" comes first: at the same epoch the later word counts
        if epoch >= known.epoch {
            known.epoch = epoch;
            known.online = Some(online);
        }
    }
    known.battery_percent = touch.battery_percent.or(known.battery_percent);
    known.via = touch.via.clone().or(known.via);
    known
}

fn is_silent(device: &Device, last_seen: Timestamp, now: Timestamp) -> bool {
    let limit = SignedDuration::from_secs(HEARTBEATS_MISSED * i64::from(device.heartbeat_s));
    now.duration_since(last_seen) > limit
}

impl Touched {
    /// Writes what has to be written.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StateError> {
        for chunk in chunks(&self.write) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO device (id, last_seen, online, epoch, battery_percent, via) ",
            );
            query.push_values(chunk, |mut values, id| {
                let known = &self.all[id];
                values
                    .push_bind(id.as_str())
                    .push_bind(known.last_seen.as_microsecond())
                    .push_bind(known.online.map(i64::from))
                    .push_bind(known.epoch.cast_signed())
                    .push_bind(known.battery_percent)
                    .push_bind(&known.via);
            });
            query.push(
                " ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, online = excluded.online,
                    epoch = excluded.epoch, battery_percent = excluded.battery_percent, via = excluded.via",
            );
            query.build().execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// The most urgent active alarm of each device that has one in an incident: notices, shadows and what is held back do not ring.
pub(super) type Ringing = BTreeMap<DeviceId, Severity>;

pub(super) async fn ringing(connection: &mut SqliteConnection) -> Result<Ringing, StateError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT device, MIN(severity) FROM alarm
         WHERE state <> 'normal' AND state IN ('active_unacked', 'active_acked') AND device IS NOT NULL AND incident IS NOT NULL
         GROUP BY device",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(device, number)| Ok((word(&device)?, severity(number)?)))
        .collect()
}

fn item(
    device: &Device,
    known: Option<&Known>,
    ringing: Option<Severity>,
    registry: &Registry,
    now: Timestamp,
) -> DeviceItem {
    let zone = registry.zones.get(&device.zone);
    let building = zone
        .and_then(|zone| zone.building.as_ref())
        .and_then(|id| registry.buildings.get(id));
    DeviceItem {
        id: device.id.clone(),
        name: device.name.clone(),
        site: device.site.clone(),
        zone: device.zone.clone(),
        zone_name: zone.map(|zone| zone.name.clone()),
        building: building.map(|building| building.id.clone()),
        building_name: building.map(|building| building.name.clone()),
        floor: zone.and_then(Zone::only_floor),
        class: device.class,
        model: device.model.clone(),
        x_m: device.x_m,
        y_m: device.y_m,
        online: known.and_then(|known| known.online),
        last_seen: known.map(|known| Moment(known.last_seen)),
        battery_percent: known.and_then(|known| known.battery_percent),
        state: state_of(device, known, ringing, now),
    }
}

/// A detector that rings and then falls silent still rings (it may be burning); the maintenance alarm of one that fell silent does
/// not make it ring.
fn state_of(
    device: &Device,
    known: Option<&Known>,
    ringing: Option<Severity>,
    now: Timestamp,
) -> DeviceState {
    let is_urgent = ringing.is_some_and(|severity| severity <= Severity::P2);
    match known {
        _ if is_urgent => DeviceState::Alarm,
        None => DeviceState::NeverSeen,
        Some(known) if known.online == Some(false) => DeviceState::Offline,
        Some(known) if is_silent(device, known.last_seen, now) => DeviceState::Silent,
        Some(_) if ringing.is_some() => DeviceState::Alarm,
        Some(_) => DeviceState::Normal,
    }
}

impl State {
    /// Devices whose newest connection stands although it is older than `epoch`: nobody has told of its end.
    pub fn online_since_before(&self, epoch: u64) -> Vec<(DeviceId, u64)> {
        let known = self.shared.devices.known.lock();
        let mut left: Vec<_> = known
            .iter()
            .filter(|(_, known)| known.online == Some(true) && known.epoch < epoch)
            .map(|(id, known)| (id.clone(), known.epoch))
            .collect();
        left.sort();
        left
    }

    /// All registered devices as they are at `now`.
    pub async fn devices(&self, now: Timestamp) -> Result<Page<DeviceItem>, StateError> {
        let mut snapshot = self.snapshot().await?;
        let revision = feed::revision(&mut snapshot).await?;
        let ringing = ringing(&mut snapshot).await?;
        let registry = self.shared.registry();
        let known = self.shared.devices.known.lock();
        let items = registry
            .devices
            .values()
            .map(|device| {
                let ringing = ringing.get(&device.id).copied();
                item(device, known.get(&device.id), ringing, &registry, now)
            })
            .collect();
        Ok(Page {
            items,
            next: None,
            revision,
        })
    }

    /// Registered devices among `ids` as they will be once `touched` is committed.
    pub(super) fn items_after(
        &self,
        ids: &[DeviceId],
        touched: &Touched,
        ringing: &Ringing,
        now: Timestamp,
    ) -> Vec<DeviceItem> {
        let registry = &self.shared.registry();
        let known = self.shared.devices.known.lock();
        ids.iter()
            .filter_map(|id| registry.devices.get(id))
            .map(|device| {
                let latest = touched
                    .all
                    .get(&device.id)
                    .or_else(|| known.get(&device.id));
                item(
                    device,
                    latest,
                    ringing.get(&device.id).copied(),
                    registry,
                    now,
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// What happens to one device and the hub.
    #[derive(Debug, Clone, Copy)]
    enum Act {
        /// It connects; a connection that stands is taken over.
        Connect,
        /// Its connection ends: a farewell, silence, or a broken line.
        End,
        /// The will of its connection arrives as a message of its own.
        Will,
        /// One of the words that are on their way reaches the journal: of which connection, the number says.
        Arrive(usize),
        /// What is in the journal is read and committed.
        Commit,
        /// The hub is killed and starts again: connections end without a word, words on their way are lost, memory is what was written.
        Crash,
        /// The hub looks for connections of before that nobody has told the end of.
        Sweep,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => Just(Act::Connect),
            3 => Just(Act::End),
            1 => Just(Act::Will),
            6 => (0usize..8).prop_map(Act::Arrive),
            3 => Just(Act::Commit),
            1 => Just(Act::Crash),
            1 => Just(Act::Sweep),
        ]
    }

    struct World {
        registry: Registry,
        id: DeviceId,
        presence: Presence,
        disk: HashMap<DeviceId, Known>,
        /// Of each connection, its words in their order.
        on_the_way: Vec<VecDeque<(u64, bool)>>,
        journal: Vec<Option<(u64, bool)>>,
        live: Option<u64>,
        next_epoch: u64,
        run_began: u64,
    }

    impl World {
        fn new() -> Self {
            Self {
                registry: Registry::default(),
                id: "smoke-1".parse().expect("an id"),
                presence: Presence {
                    known: Mutex::default(),
                },
                disk: HashMap::new(),
                on_the_way: Vec::new(),
                journal: Vec::new(),
                live: None,
                next_epoch: 1,
                run_began: 1,
            }
        }

        fn end(&mut self) {
            if let Some(epoch) = self.live.take() {
                let words = self
                    .on_the_way
                    .iter_mut()
                    .find(|words| words.back().is_some_and(|(e, _)| *e == epoch));
                match words {
                    Some(words) => words.push_back((epoch, false)),
                    None => self.on_the_way.push([(epoch, false)].into()),
                }
            }
        }

        fn act(&mut self, act: Act) {
            match act {
                Act::Connect => {
                    self.end();
                    let epoch = self.next_epoch;
                    self.next_epoch += 1;
                    self.on_the_way.push([(epoch, true)].into());
                    self.live = Some(epoch);
                }
                Act::End => self.end(),
                Act::Will => self.journal.push(None),
                Act::Arrive(_) if self.on_the_way.is_empty() => {}
                Act::Arrive(which) => {
                    let which = which % self.on_the_way.len();
                    let word = self.on_the_way[which].pop_front();
                    self.journal.extend(word.map(Some));
                    self.on_the_way.retain(|words| !words.is_empty());
                }
                Act::Commit => {
                    let mut touch = DeviceTouch::new(self.id.clone(), Timestamp::UNIX_EPOCH);
                    for (epoch, stands) in self.journal.drain(..).flatten() {
                        touch.connection(epoch, stands, Seq(0));
                    }
                    let touched = self.presence.plan(vec![touch], &self.registry);
                    for id in &touched.write {
                        self.disk.insert(id.clone(), touched.all[id].clone());
                    }
                    self.presence.commit(touched);
                }
                Act::Crash => {
                    self.live = None;
                    self.on_the_way.clear();
                    *self.presence.known.lock() = self.disk.clone();
                    self.next_epoch += 1000;
                    self.run_began = self.next_epoch;
                }
                Act::Sweep => {
                    let known = self.presence.known.lock();
                    let left = known
                        .get(&self.id)
                        .filter(|known| known.online == Some(true) && known.epoch < self.run_began);
                    self.journal
                        .extend(left.map(|known| Some((known.epoch, false))));
                }
            }
        }

        /// Every word arrives, is read, and the hub looks for what nobody told.
        fn settle(&mut self) {
            while !self.on_the_way.is_empty() {
                self.act(Act::Arrive(0));
            }
            for act in [Act::Commit, Act::Sweep, Act::Commit] {
                self.act(act);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn however_connections_and_their_words_interleave_the_end_is_the_truth(acts in proptest::collection::vec(act(), 1..60)) {
            let mut world = World::new();
            let connects = acts.iter().any(|act| matches!(act, Act::Connect));
            for act in acts {
                world.act(act);
            }
            world.settle();
            let known = world.presence.known.lock().get(&world.id).and_then(|known| known.online);
            match world.live {
                Some(_) => prop_assert_eq!(known, Some(true)),
                // a connection whose every word was lost in a crash was never known
                None if connects => prop_assert_ne!(known, Some(true)),
                None => prop_assert_eq!(known, None),
            }
        }
    }
}
