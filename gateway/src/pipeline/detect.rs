//! The detector: from the journal through the rules into alarms and incidents.
//!
//! One transaction a batch moves the cursor together with everything that the batch brought about: rule windows, alarms,
//! incidents, tasks, quarantine, feed. What cannot be committed stops the hub; the next start goes on from the cursor.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use domain::device_command::{Answer, Feedback};
use domain::place::Registry;
use domain::rule::{Engine, Finding, FindingKind, RuleBook, RuleSet};
use domain::{DeviceId, Event, Kind, RuleId, Seq, Timestamp};
use store::journal::Watermarks;
use store::state::{
    Batch, DeviceTouch, Heard, NewcomerTouch, QuarantineRow, Remembered, Reran, State,
};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::info;

use super::source::{Item, Source};
use super::stats::Stats;
use crate::adapters::battery;
use crate::adapters::memory::MemoryRow;
use crate::adapters::rerun::Rerun;
use crate::clock::Clock;
use crate::exchange::Exchange;

/// Name of the cursor in the state database.
pub const CONSUMER: &str = "detect";
/// How often time itself is put to the rules.
const TICK: Duration = Duration::from_secs(1);

/// Events of an uplink from the quarantine that its row names.
const RERUN_TOLD_MAX: usize = 5;

/// Everything the detector works with.
pub struct Detector {
    /// Rules and their windows.
    pub engine: Engine,
    /// Other rules, when the files change.
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// Another registry, when its files change.
    pub registry: watch::Receiver<Arc<Registry>>,
    /// What follows from a match.
    pub book: Arc<RuleBook>,
    /// Where it is written.
    pub state: State,
    /// Who else is told.
    pub exchange: Exchange,
    /// The hub's clock.
    pub clock: Clock,
    /// Counters.
    pub stats: Arc<Stats>,
}

impl Detector {
    /// Detects until the journal is closed and everything in it has been seen. `done` always holds the cursor.
    ///
    /// # Errors
    /// A journal that cannot be read or a state database that cannot be written.
    pub async fn run(
        mut self,
        mut source: Source,
        mut durable: watch::Receiver<Watermarks>,
        done: watch::Sender<Seq>,
    ) -> anyhow::Result<()> {
        let mut cursor = *done.borrow();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut ticked_at = self.clock.now();
        loop {
            // asked before reading: a journal that was closed by then has nothing more to come
            let closed = durable.has_changed().is_err();
            durable.borrow_and_update();
            let items = source.next().await?;
            let now = self.clock.now();
            let is_time =
                now.duration_since(ticked_at).as_millis() >= TICK.as_millis().cast_signed();
            if items.is_empty() && !is_time {
                if closed {
                    return Ok(());
                }
                tokio::select! {
                    _ = durable.changed() => {}
                    _ = tick.tick() => {}
                }
                continue;
            }
            // time is put to the rules only as far as they have seen what came before it
            let seen_upto = items.last().map_or(now, |last| last.uplink.received_at);
            if let Some(last) = items.last() {
                cursor = last.seq;
            }
            // after the events were read: the engine's registry is never older than theirs
            let mut over = self.follow_registry(seen_upto);
            over.extend(self.follow_rules(seen_upto));
            let mut work = self.detect(cursor, items).await?;
            work.memory = source.take_memory().into_iter().map(remembered).collect();
            work.findings.splice(0..0, over);
            if is_time {
                work.findings.extend(self.engine.on_tick(seen_upto));
                ticked_at = now;
            }
            self.commit(work).await?;
            self.stats.detected_seq.store(cursor.0, Ordering::Relaxed);
            done.send_replace(cursor);
        }
    }

    /// Takes other rules, if the files have changed; alarms of rules that are no more are over.
    fn follow_rules(&mut self, now: Timestamp) -> Vec<Finding> {
        if !self.rules.has_changed().unwrap_or(false) {
            return Vec::new();
        }
        let rules = Arc::clone(&self.rules.borrow_and_update());
        let mut book = rules.book().clone();
        // incidents of rules that are no more go on with what was known of them
        for (id, meta) in self.book.iter() {
            book.entry(id.clone()).or_insert_with(|| meta.clone());
        }
        self.book = Arc::new(book);
        let reloaded = self.engine.reload(rules, now);
        let list = |ids: &[RuleId]| {
            let ids: Vec<&str> = ids.iter().map(RuleId::as_str).collect();
            ids.join(" ")
        };
        info!(
            rules.new = list(&reloaded.new),
            rules.gone = list(&reloaded.gone),
            rules.started_over = list(&reloaded.started_over),
            rules.alarms_ended = reloaded.findings.len(),
            "rules changed, all others go on"
        );
        reloaded.findings
    }

    /// Takes another registry, if its files have changed; alarms of devices that are no longer there are over.
    fn follow_registry(&mut self, now: Timestamp) -> Vec<Finding> {
        if !self.registry.has_changed().unwrap_or(false) {
            return Vec::new();
        }
        let registry = Arc::clone(&self.registry.borrow_and_update());
        let reloaded = self.engine.reload_registry(registry, now);
        info!(
            registry.alarms_ended = reloaded.findings.len(),
            "registry changed, the rules go on"
        );
        reloaded.findings
    }

    async fn detect(&mut self, cursor: Seq, items: Vec<Item>) -> anyhow::Result<Work> {
        let mut work = Work {
            cursor,
            ..Work::default()
        };
        let is_known = self.known(&items).await?;
        let mut in_batch = HashSet::new();
        let mut known = is_known.into_iter();
        for item in items {
            if let Some(rerun) = item.rerun {
                let came = self.rerun(&mut work, item, rerun, &mut known, &mut in_batch);
                work.reran.push(came);
                continue;
            }
            if let Some(reject) = item.parsed.reject {
                work.quarantine.push(QuarantineRow::new(
                    item.seq,
                    &item.uplink,
                    reject.code,
                    &reject.detail,
                ));
            }
            let at = item.uplink.received_at;
            for device in item.parsed.alive {
                self.engine.seen(&device, at);
                work.spoke(device, at, &item.uplink.principal);
            }
            for charge in item.parsed.charges {
                let touch = work.devices.entry(charge.device.clone());
                let touch = touch.or_insert_with(|| DeviceTouch::new(charge.device, at));
                touch.battery_percent = Some(charge.percent);
            }
            let mut newcomers = item.parsed.newcomers;
            for event in item.parsed.events {
                let newcomer = newcomers.iter().position(|n| n.device == event.device);
                if let Some(newcomer) = newcomer {
                    newcomers[newcomer].said = Some((event.kind, event.phase));
                }
                // what is said about a device is no word of its own, least of all what somebody tried in its name
                if newcomer.is_none() && event.kind != Kind::GatewayRefused {
                    work.touch(&event);
                }
                if !matches!(event.kind, Kind::DeviceOffline | Kind::GatewayRefused) {
                    self.engine.seen(&event.device, event.received_at);
                }
                self.hear(&mut work, &event);
                if !self.engine.interested(event.kind) {
                    work.out.push(event);
                    continue;
                }
                let key = (event.device.clone(), event.dedupe_key.clone());
                let seen_before = known.next().unwrap_or(false);
                if seen_before || !in_batch.insert(key.clone()) {
                    continue;
                }
                work.seen.push((key.0, key.1, event.received_at));
                let findings = self.engine.on_event(&event);
                for finding in &findings {
                    info!(
                        trace.id = event.trace_id(),
                        rule.id = %finding.rule,
                        device.id = %event.device,
                        journal.seq = %event.seq,
                        "rule matched"
                    );
                }
                if let Some(newcomer) = newcomer {
                    let has_rung = |finding: &Finding| finding.what == FindingKind::Raised;
                    newcomers[newcomer].has_rung |= findings.iter().any(has_rung);
                }
                work.findings.extend(findings);
                work.out.push(event);
            }
            for newcomer in newcomers {
                work.newcomer(newcomer);
            }
        }
        Ok(work)
    }

    /// What an event says of a command to its device.
    fn hear(&self, work: &mut Work, event: &Event) {
        let device = || event.device.clone();
        if let Some(answer) = Answer::of_event(event) {
            work.heard.push(Heard::Answer(device(), answer));
        } else if event.kind == Kind::GatewayClockSkew {
            work.heard.push(Heard::Skewed(device(), event.received_at));
        } else if Feedback::is_shown_by(event.kind)
            && self.state.watches_device(&event.device)
            && let Some(shows) = Feedback::of_event(event)
        {
            work.heard
                .push(Heard::State(device(), shows, event.received_at));
        }
    }

    /// What was in quarantine and can be read now. It is no word of the device of this moment: when it was last seen stays, and silence goes
    /// on.
    fn rerun(
        &mut self,
        work: &mut Work,
        item: Item,
        rerun: Rerun,
        known: &mut impl Iterator<Item = bool>,
        in_batch: &mut HashSet<(DeviceId, String)>,
    ) -> Reran {
        let what = item.parsed.events.iter().take(RERUN_TOLD_MAX);
        let what = what.map(|event| format!("{} {}", event.kind, event.phase.as_str()));
        let mut came = Reran {
            seq: item.seq,
            of: rerun.of,
            outcome: if rerun.rings { "read" } else { "history" },
            detail: what.collect::<Vec<_>>().join(", "),
            reject: None,
        };
        if let Some(reject) = item.parsed.reject {
            came.outcome = "rejected";
            came.reject = Some((reject.code.to_owned(), reject.detail));
        }
        if !rerun.rings {
            return came;
        }
        let (mut asked, mut again) = (0, 0);
        for event in item.parsed.events {
            if !self.engine.interested(event.kind) {
                work.out.push(event);
                continue;
            }
            asked += 1;
            let key = (event.device.clone(), event.dedupe_key.clone());
            if known.next().unwrap_or(false) || !in_batch.insert(key.clone()) {
                again += 1;
                continue;
            }
            work.seen.push((key.0, key.1, event.received_at));
            work.findings.extend(self.engine.on_event(&event));
            work.out.push(event);
        }
        if asked > 0 && asked == again {
            came.outcome = "known";
        }
        came
    }

    /// For each event that rules are interested in, in order: has it been acted on before?
    async fn known(&self, items: &[Item]) -> anyhow::Result<Vec<bool>> {
        let keys: Vec<(&DeviceId, &str)> = items
            .iter()
            // what is for history only is not acted on
            .filter(|item| item.rerun.is_none_or(|rerun| rerun.rings))
            .flat_map(|item| &item.parsed.events)
            .filter(|event| self.engine.interested(event.kind))
            .map(|event| (&event.device, event.dedupe_key.as_str()))
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.state
            .already_seen(&keys)
            .await
            .context("looking up redeliveries")
    }

    async fn commit(&mut self, work: Work) -> anyhow::Result<()> {
        let windows = self.engine.take_dirty();
        let occurred: Vec<(Timestamp, bool)> = work
            .findings
            .iter()
            .map(|f| {
                (
                    f.occurred_at,
                    f.event.is_some() && f.what == FindingKind::Raised,
                )
            })
            .collect();
        let batch = Batch {
            consumer: CONSUMER,
            cursor: work.cursor,
            findings: work.findings,
            windows,
            seen: work.seen,
            quarantine: work.quarantine,
            reran: work.reran,
            devices: work.devices.into_values().collect(),
            heard: work.heard,
            newcomers: work.newcomers.into_values().collect(),
            memory: work.memory,
        };
        let committed = self
            .state
            .commit_batch(batch, &self.book)
            .await
            .context("writing what was detected")?;
        let now = self.clock.now();
        for (occurred_at, is_live) in occurred {
            if is_live {
                self.stats.feed_latency(now.duration_since(occurred_at));
            }
        }
        Stats::add(
            &self.stats.alarms,
            usize::try_from(committed.alarms).unwrap_or(0),
        );
        Stats::add(&self.stats.incidents, committed.opened.len());
        metrics::counter!("hub_detect_alarms_total").increment(committed.alarms);
        metrics::counter!("hub_detect_incidents_total").increment(committed.opened.len() as u64);
        for incident in &committed.opened {
            info!(incident.id = %incident, journal.seq = %work.cursor, "incident opened");
        }
        if self.exchange.has_listeners() {
            for event in &work.out {
                self.exchange
                    .offer(&topic_of(event), cloud_event(event).into());
            }
        }
        Ok(())
    }
}

/// What one batch brought about.
#[derive(Default)]
struct Work {
    cursor: Seq,
    findings: Vec<Finding>,
    seen: Vec<(DeviceId, String, Timestamp)>,
    quarantine: Vec<QuarantineRow>,
    reran: Vec<Reran>,
    devices: BTreeMap<DeviceId, DeviceTouch>,
    /// By account and address.
    newcomers: BTreeMap<(String, String), NewcomerTouch>,
    memory: Vec<Remembered>,
    heard: Vec<Heard>,
    out: Vec<Event>,
}

impl Work {
    /// Notes that a device spoke through a bridge, whether it said anything new or not.
    fn spoke(&mut self, device: DeviceId, at: Timestamp, bridge: &str) {
        let touch = self.devices.entry(device.clone());
        let touch = touch.or_insert_with(|| DeviceTouch::new(device, at));
        touch.last_seen = touch.last_seen.max(at);
        touch.via = Some(bridge.to_owned());
    }

    /// Notes that a device which nobody has registered was heard.
    fn newcomer(&mut self, heard: NewcomerTouch) {
        let key = (heard.account.clone(), heard.address.clone());
        match self.newcomers.entry(key) {
            Entry::Vacant(entry) => _ = entry.insert(heard),
            Entry::Occupied(mut entry) => {
                let before = entry.get_mut();
                before.at = heard.at;
                before.messages += heard.messages;
                before.has_rung |= heard.has_rung;
                before.class = heard.class.or(before.class);
                before.said = heard.said.or(before.said);
                before.vendor = heard.vendor.or(before.vendor.take());
                before.model = heard.model.or(before.model.take());
            }
        }
    }

    /// Notes that a device spoke, and what it said of itself.
    fn touch(&mut self, event: &Event) {
        // that it is gone is no word of its own
        let seen_at = match event.kind {
            Kind::DeviceOffline => Timestamp::UNIX_EPOCH,
            _ => event.received_at,
        };
        let touch = self
            .devices
            .entry(event.device.clone())
            .or_insert_with(|| DeviceTouch::new(event.device.clone(), seen_at));
        touch.last_seen = touch.last_seen.max(seen_at);
        match event.kind {
            Kind::DeviceOnline | Kind::DeviceOffline => {
                // a will has no epoch: the hub's own note of the same end does
                if let Some(epoch) = event.attrs.to_value()["epoch"].as_u64() {
                    let stands = event.kind == Kind::DeviceOnline;
                    touch.connection(epoch, stands, event.seq);
                }
            }
            Kind::DeviceTelemetry | Kind::DeviceBatteryLow => {
                if let Some(charge) = battery::charge_of(event) {
                    touch.battery_percent = Some(charge.percent);
                }
            }
            _ => {}
        }
    }
}

/// As the state database keeps it.
fn remembered(row: MemoryRow) -> Remembered {
    Remembered {
        sender: row.sender,
        key: row.key,
        value: row.value.map(|known| (known.value, known.since)),
    }
}

/// `ssg/v1/{site}/_gw/evt/{class}/{kind with dashes}`
fn topic_of(event: &Event) -> String {
    format!(
        "ssg/v1/{}/_gw/evt/{}/{}",
        event.site,
        event.class,
        event.kind.topic_level()
    )
}

/// The event as structured CloudEvents 1.0 JSON.
fn cloud_event(event: &Event) -> Vec<u8> {
    let mut envelope = serde_json::json!({
        "specversion": "1.0",
        "id": event.id.to_string(),
        "source": event.cloud_event_source(),
        "type": event.cloud_event_type(),
        "time": event.occurred_at,
        "datacontenttype": "application/json",
        "recordedtime": event.received_at,
        "partitionkey": event.device,
        "sequence": event.seq.to_string(),
        "traceparent": event.traceparent(),
        "data": event,
    });
    if let Some(component) = &event.component {
        envelope["subject"] = component.as_str().into();
    }
    serde_json::to_vec(&envelope).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::{Attrs, ClockSource, DeviceClass, EventId, Phase};

    use super::*;

    fn event(seq: u64, kind: Kind, attrs: &serde_json::Value) -> Event {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        Event {
            id: EventId::of_uplink(at, Seq(seq), 0),
            seq: Seq(seq),
            site: "q1".parse().expect("an id"),
            device: "door-1".parse().expect("an id"),
            class: DeviceClass::Access,
            component: None,
            kind,
            phase: Phase::Instant,
            dedupe_key: format!("#{seq}"),
            occurred_at: at,
            received_at: at,
            clock: ClockSource::Gateway,
            attrs: Attrs::from_value(attrs),
        }
    }

    #[test]
    fn the_newest_connection_decides_whether_a_device_is_online() {
        let note = |seq, kind, epoch: u64| event(seq, kind, &serde_json::json!({"epoch": epoch}));
        let mut work = Work::default();
        work.touch(&note(1, Kind::DeviceOnline, 7));
        work.touch(&note(2, Kind::DeviceOnline, 8));
        work.touch(&note(3, Kind::DeviceOffline, 7)); // the older connection's end, told late
        work.touch(&event(
            4,
            Kind::DeviceOffline,
            &serde_json::json!({"state": "offline"}),
        )); // a will: no epoch
        let presence = |work: &Work| {
            work.devices
                .values()
                .next()
                .and_then(|touch| touch.presence)
        };
        assert_eq!(presence(&work), Some((8, true)));
        work.touch(&note(5, Kind::DeviceOffline, 8));
        assert_eq!(presence(&work), Some((8, false)));
    }

    #[test]
    fn a_canonical_event_goes_out_as_a_cloud_event() {
        let event = event(
            5,
            Kind::AccessForcedOpen,
            &serde_json::json!({"door": "north"}),
        );
        assert_eq!(
            topic_of(&event),
            "ssg/v1/q1/_gw/evt/access/access-forced-open"
        );
        let told: serde_json::Value = serde_json::from_slice(&cloud_event(&event)).expect("JSON");
        assert_eq!(told["type"], "ssg.access.forced_open.instant.v1");
        assert_eq!(told["source"], "/sites/q1/devices/door-1");
        assert_eq!(told["data"]["attrs"]["door"], "north");
        assert_eq!(
            told["traceparent"],
            format!("00-{}-0000000000000005-01", event.trace_id())
        );
        assert!(told.get("subject").is_none());
    }
}
