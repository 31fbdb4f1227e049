//! What the annunciator's transaction knows without asking, and what it has yet to write.
//!
//! A burst opens incidents by the thousand, and every statement is handed over to the thread that SQLite runs on, whatever it then does. So
//! rows that are new wait here and are written many in a statement, and what was read once is not read again.
//!
//! **Invariant:** whoever gets the connection finds everything in the tables that was done so far. By [`Ledger::settled`] they may write
//! whatever they like, for all that was read is forgotten then; by [`Ledger::written`] they look, or write what is not in [`Read`]. Only what
//! [`Ledger::look_ahead`] found holds longer. It is about the keys of findings, whose rows come about nowhere but in the turn of such a finding,
//! which takes its key out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::alarm::{Alarm, Tally, Window};
use domain::incident::{Effect, Incident};
use domain::place::Registry;
use domain::rule::{Finding, RuleBook};
use domain::{EventId, IncidentId, RuleId, Seq, SiteId, Timestamp, ZoneId};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::audit::{self, Entry};
use super::chunks::chunks;
use super::error::StateError;
use super::flood::{self, Flood};
use super::{alarms, incidents, maintenance, record, tally};

/// Rows of one sort that wait at most.
const WAITING_MAX: usize = 256;

/// Rules whose incidents belong together in a zone: one absorbs the other.
pub(super) type Kin = BTreeMap<RuleId, BTreeSet<RuleId>>;

pub(super) fn kin_of(book: &RuleBook) -> Kin {
    let mut kin = Kin::new();
    for meta in book.values() {
        for absorbed in &meta.absorbs {
            kin.entry(meta.id.clone())
                .or_default()
                .insert(absorbed.clone());
            kin.entry(absorbed.clone())
                .or_default()
                .insert(meta.id.clone());
        }
    }
    kin
}

/// What the tables may hold of a finding's (rule, subject).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// No alarm that is open or shelved, no incident that is open or was settled lately, no tally.
    Blank,
    /// Any of them.
    Unread,
}

/// The one writing connection, while alarms are turned into incidents.
pub(super) struct Ledger<'t> {
    connection: &'t mut SqliteConnection,
    /// Keys of findings that are still to come, and of which there is nothing.
    blank: HashMap<RuleId, HashSet<String>>,
    /// Zones in which no incident is open that is of kin to the rule.
    alone: HashSet<(ZoneId, RuleId)>,
    waiting: Waiting,
    read: Read,
}

/// Rows that are new and not written yet, in the order in which they came.
#[derive(Default)]
struct Waiting {
    /// And the row of the audit trail from which on they are as they are.
    incidents: Vec<(Incident, i64)>,
    lines: Vec<Entry>,
    tallies: Vec<(RuleId, String, Tally)>,
    alarms: Vec<Alarm>,
    events: Vec<(IncidentId, Seq, EventId)>,
}

/// What was read and still holds.
#[derive(Default)]
struct Read {
    /// Number of the last line of the audit trail, those that wait among them.
    audit: Option<i64>,
    /// Number of the last incident, those that wait among them.
    number: Option<u64>,
    flood: Flooding,
    /// Active maintenance windows of a site.
    windows: HashMap<SiteId, Vec<Window>>,
}

#[derive(Default)]
enum Flooding {
    #[default]
    Unread,
    Calm,
    GoesOn {
        flood: Flood,
        /// At least.
        until: Option<Timestamp>,
    },
}

impl<'t> Ledger<'t> {
    pub(super) fn new(connection: &'t mut SqliteConnection) -> Self {
        Self {
            connection,
            blank: HashMap::new(),
            alone: HashSet::new(),
            waiting: Waiting::default(),
            read: Read::default(),
        }
    }

    /// The connection, for any statement: everything is written, and nothing is taken for known afterwards.
    pub(super) async fn settled(&mut self) -> Result<&mut SqliteConnection, StateError> {
        self.read = Read::default();
        self.written().await
    }

    /// The connection, for statements that write nothing of what is kept in [`Read`].
    pub(super) async fn written(&mut self) -> Result<&mut SqliteConnection, StateError> {
        self.write().await?;
        Ok(&mut *self.connection)
    }

    async fn write(&mut self) -> Result<(), StateError> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.incidents.is_empty() {
            let opened: Vec<&Incident> = waiting.incidents.iter().map(|(i, _)| i).collect();
            incidents::give_out(self.connection, opened.len()).await?;
            incidents::insert(self.connection, &opened).await?;
            let facts = waiting.incidents.iter().map(|(i, audit)| (*audit, i));
            record::begin(self.connection, &facts.collect::<Vec<_>>()).await?;
        }
        audit::append(self.connection, waiting.lines).await?;
        tally::save(self.connection, &waiting.tallies).await?;
        alarms::save(self.connection, &waiting.alarms).await?;
        incidents::note_events(self.connection, &waiting.events).await
    }

    /// Looks up what is known of the keys of many findings at once.
    pub(super) async fn look_ahead(
        &mut self,
        findings: &[&Finding],
        book: &RuleBook,
        kin: &Kin,
    ) -> Result<(), StateError> {
        let mut keys = BTreeSet::new();
        let mut zones: BTreeMap<&RuleId, BTreeSet<&ZoneId>> = BTreeMap::new();
        let mut since = Timestamp::MAX;
        for finding in findings {
            keys.insert((&finding.rule, finding.subject.as_str()));
            let dedupe_s = book.get(&finding.rule).map_or(0, |meta| meta.dedupe_s);
            since = since.min(settled_since(finding, dedupe_s));
            if let Some(zone) = finding
                .zone
                .as_ref()
                .filter(|_| kin.contains_key(&finding.rule))
            {
                zones.entry(&finding.rule).or_default().insert(zone);
            }
        }
        let keys: Vec<(&RuleId, &str)> = keys.into_iter().collect();
        let connection = self.written().await?;
        let blank = blank_of(connection, &keys, since).await?;
        let mut alone = HashSet::new();
        for (rule, zones) in zones {
            let zones: Vec<&ZoneId> = zones.into_iter().collect();
            let busy = incidents::zones_with(connection, &zones, &kin[rule]).await?;
            let left = zones
                .into_iter()
                .filter(|zone| !busy.contains(zone.as_str()));
            alone.extend(left.map(|zone| (zone.clone(), rule.clone())));
        }
        for (rule, subject) in blank {
            self.blank
                .entry(incidents::word(&rule)?)
                .or_default()
                .insert(subject);
        }
        self.alone = alone;
        Ok(())
    }

    /// What there may be of a finding's key; asked once, at the beginning of its turn.
    pub(super) fn past(&mut self, finding: &Finding) -> Past {
        let subjects = self.blank.get_mut(&finding.rule);
        if subjects.is_some_and(|subjects| subjects.remove(&finding.subject)) {
            Past::Blank
        } else {
            Past::Unread
        }
    }

    pub(super) async fn open_alarm(
        &mut self,
        past: Past,
        finding: &Finding,
    ) -> Result<Option<Alarm>, StateError> {
        match past {
            Past::Blank => Ok(None),
            Past::Unread => {
                let connection = self.written().await?;
                alarms::open_of(connection, &finding.rule, &finding.subject).await
            }
        }
    }

    pub(super) async fn shelved_alarm(
        &mut self,
        past: Past,
        finding: &Finding,
    ) -> Result<Option<Alarm>, StateError> {
        match past {
            Past::Blank => Ok(None),
            Past::Unread => {
                let connection = self.written().await?;
                alarms::shelved(connection, &finding.rule, &finding.subject).await
            }
        }
    }

    pub(super) async fn open_incident(
        &mut self,
        past: Past,
        finding: &Finding,
    ) -> Result<Option<Incident>, StateError> {
        match past {
            Past::Blank => Ok(None),
            Past::Unread => {
                let connection = self.written().await?;
                incidents::open_of(connection, &finding.rule, &finding.subject).await
            }
        }
    }

    /// The incident that was settled within the rule's window before the finding.
    pub(super) async fn settled_incident(
        &mut self,
        past: Past,
        finding: &Finding,
        dedupe_s: u32,
    ) -> Result<Option<Incident>, StateError> {
        match past {
            Past::Blank => Ok(None),
            Past::Unread => {
                let since = settled_since(finding, dedupe_s);
                let connection = self.written().await?;
                incidents::settled_of(connection, &finding.rule, &finding.subject, since).await
            }
        }
    }

    pub(super) async fn tally(
        &mut self,
        past: Past,
        finding: &Finding,
    ) -> Result<Tally, StateError> {
        match past {
            Past::Blank => Ok(Tally::default()),
            Past::Unread => tally::of(self.written().await?, finding).await,
        }
    }

    pub(super) fn save_tally(&mut self, finding: &Finding, tally: Tally) {
        let row = (finding.rule.clone(), finding.subject.clone(), tally);
        self.waiting.tallies.push(row);
    }

    /// The station was told of it.
    pub(super) async fn annunciated(&mut self, finding: &Finding) -> Result<(), StateError> {
        let waiting = self.waiting.tallies.last_mut();
        let own = waiting.filter(|(rule, subject, _)| {
            (rule, subject.as_str()) == (&finding.rule, finding.subject.as_str())
        });
        if let Some((_, _, tally)) = own {
            tally.annunciated_at = Some(finding.at);
            return Ok(());
        }
        tally::annunciated(self.written().await?, finding).await
    }

    /// Open incidents of the finding's zone whose rules are these, the oldest first.
    pub(super) async fn open_in(
        &mut self,
        finding: &Finding,
        kin: &BTreeSet<RuleId>,
    ) -> Result<Vec<Incident>, StateError> {
        let Some(zone) = &finding.zone else {
            return Ok(Vec::new());
        };
        if self.alone.contains(&(zone.clone(), finding.rule.clone())) {
            return Ok(Vec::new());
        }
        incidents::open_in(self.written().await?, zone, kin).await
    }

    /// An incident is open, or may be: findings of these rules are not alone in its zone.
    pub(super) fn stands(&mut self, incident: &Incident, kin: Option<&BTreeSet<RuleId>>) {
        if self.alone.is_empty() {
            return;
        }
        if let Some(zone) = &incident.zone {
            for rule in kin.into_iter().flatten() {
                self.alone.remove(&(zone.clone(), rule.clone()));
            }
        }
    }

    /// The short number of the next incident, which must then be opened.
    pub(super) async fn next_number(&mut self) -> Result<u64, StateError> {
        let last = match self.read.number {
            Some(last) => last,
            None => incidents::last_number(self.connection).await?,
        };
        self.read.number = Some(last + 1);
        Ok(last + 1)
    }

    /// Keeps a new incident and does what its first step asks for.
    pub(super) async fn open(
        &mut self,
        registry: &Registry,
        incident: &Incident,
        effects: Vec<Effect>,
    ) -> Result<(), StateError> {
        let last = match self.read.audit {
            Some(last) => last,
            None => audit::last(self.connection).await?,
        };
        self.waiting.incidents.push((incident.clone(), last + 1));
        let (mut others, mut lines) = (Vec::new(), 0);
        for effect in effects {
            match effect {
                Effect::Record(step) => {
                    let line = Entry::of_step(incident.id.to_string(), step);
                    self.waiting.lines.push(line);
                    lines += 1;
                }
                other => others.push(other),
            }
        }
        self.read.audit = Some(last + lines);
        if others.is_empty() {
            return Ok(());
        }
        // without lines: of the audit trail nothing is written
        incidents::perform(self.written().await?, registry, incident.id, others).await
    }

    pub(super) async fn save_alarm(&mut self, alarm: &Alarm) -> Result<(), StateError> {
        let waiting = &self.waiting.alarms;
        // twice in one statement is once too often
        if waiting.len() >= WAITING_MAX || waiting.iter().any(|other| other.id == alarm.id) {
            self.write().await?;
        }
        self.waiting.alarms.push(alarm.clone());
        if alarm.annunciated_at.is_none()
            && let Flooding::GoesOn { until, .. } = &mut self.read.flood
        {
            // one that is taken back does not ring any more
            *until = None;
        }
        Ok(())
    }

    /// Keeps the id of a new incident's first event with it.
    pub(super) fn first_event(&mut self, incident: IncidentId, finding: &Finding) {
        if let (Some(event), Some(seq)) = (finding.event, finding.seq) {
            self.waiting.events.push((incident, seq, event));
        }
    }

    /// The active window that goes over a finding; of several, the one that ends last.
    pub(super) async fn window_over(
        &mut self,
        finding: &Finding,
        registry: &Registry,
    ) -> Result<Option<Window>, StateError> {
        if !self.read.windows.contains_key(&finding.site) {
            let active = maintenance::active(self.connection, &finding.site).await?;
            self.read.windows.insert(finding.site.clone(), active);
        }
        let mut active = self.read.windows.get(&finding.site).into_iter().flatten();
        let is_over = |window: &&Window| {
            window.ends_at > finding.at && window.scope.covers(finding, registry)
        };
        Ok(active.find(is_over).cloned())
    }

    /// The flood that goes on.
    pub(super) async fn flood(&mut self) -> Result<Option<Flood>, StateError> {
        if let Flooding::Unread = self.read.flood {
            self.read.flood = match flood::going_on(self.connection).await? {
                Some(flood) => Flooding::GoesOn { flood, until: None },
                None => Flooding::Calm,
            };
        }
        Ok(match self.read.flood {
            Flooding::GoesOn { flood, .. } => Some(flood),
            Flooding::Calm | Flooding::Unread => None,
        })
    }

    /// Whether it is known that the flood goes on at `at`.
    pub(super) fn is_flood_at(&self, at: Timestamp) -> bool {
        matches!(self.read.flood, Flooding::GoesOn { until: Some(until), .. } if until > at)
    }

    /// The flood goes on until then, or longer if more rings.
    pub(super) fn flood_goes_on(&mut self, at_least: Timestamp) {
        if let Flooding::GoesOn { until, .. } = &mut self.read.flood {
            *until = Some(at_least);
        }
    }
}

/// From when on an incident that is settled counts as the same.
fn settled_since(finding: &Finding, dedupe_s: u32) -> Timestamp {
    let window = jiff::SignedDuration::from_secs(dedupe_s.into());
    finding.at.checked_sub(window).unwrap_or(Timestamp::MIN)
}

/// Of these keys, those with a [`Past::Blank`].
async fn blank_of(
    connection: &mut SqliteConnection,
    keys: &[(&RuleId, &str)],
    since: Timestamp,
) -> Result<Vec<(String, String)>, StateError> {
    let mut blank = Vec::new();
    for chunk in chunks(keys) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("WITH asked (rule, subject) AS (");
        query.push_values(chunk, |mut values, (rule, subject)| {
            values.push_bind(rule.as_str()).push_bind(*subject);
        });
        // each word for word as in an index
        query.push(
            ") SELECT rule, subject FROM asked
             WHERE NOT EXISTS (SELECT 1 FROM alarm a
                 WHERE a.rule = asked.rule AND a.subject = asked.subject AND a.state <> 'normal')
               AND NOT EXISTS (SELECT 1 FROM alarm a
                 WHERE a.rule = asked.rule AND a.subject = asked.subject AND a.shelved_until IS NOT NULL)
               AND NOT EXISTS (SELECT 1 FROM incident i WHERE i.rule = asked.rule AND i.subject = asked.subject
                 AND i.state IN ('open', 'acknowledged', 'verifying', 'dispatched'))
               AND NOT EXISTS (SELECT 1 FROM alarm_tally t WHERE t.rule = asked.rule AND t.subject = asked.subject)
               AND NOT EXISTS (SELECT 1 FROM incident i
                 WHERE i.rule = asked.rule AND i.subject = asked.subject AND i.resolved_at >= ",
        );
        query.push_bind(since.as_microsecond()).push(")");
        let rows: Vec<(String, String)> =
            query.build_query_as().fetch_all(&mut *connection).await?;
        blank.extend(rows);
    }
    Ok(blank)
}
