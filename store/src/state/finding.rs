//! From findings to alarms to incidents, within the transaction of a batch.
//!
//! An open alarm is unique by (rule, subject), and so is an open incident. A finding refreshes the open alarm, or opens one. An alarm
//! that is annunciated belongs to the incident of its episode, else to the open incident of its (rule, subject), else to an open
//! incident of the same zone that its rule absorbs or that absorbs its rule, else to a new one. An incident that is resolved takes
//! repeats of the same episode in silence; a new episode, or one that has become more urgent, is its next round within the rule's dedupe
//! window, and opens a new incident after that.
//!
//! A notice, a shadow and an alarm that is held back ([`super::hold`]) stand without an incident. One that has an incident keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::alarm::{Alarm, Latch};
use domain::incident::{Incident, in_working_time};
use domain::place::Registry;
use domain::rule::{Finding, FindingKind, Mode, RuleBook, RuleMeta};
use domain::{AlarmId, DeviceId, IncidentId, StormId, Timestamp};
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::error::StateError;
use super::ledger::{Kin, Ledger, Past, kin_of};
use super::view::EVENTS_MAX;
use super::{Shared, alarms, incidents};

/// What the findings of a batch came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) opened: Vec<IncidentId>,
    pub(super) changed: BTreeSet<IncidentId>,
    pub(super) alarms: u64,
    /// Alarms of which there is more to tell than that they came again.
    pub(super) told: BTreeMap<AlarmId, Alarm>,
    /// Devices whose alarms changed.
    pub(super) devices: BTreeSet<DeviceId>,
    /// Cards into which incidents were folded.
    pub(super) storms: BTreeSet<StormId>,
    /// What the hub found itself while it was at it.
    pub(super) follow_up: Vec<Finding>,
}

/// A `UUIDv7` of a moment. What is random in others is made from what it is about, so that the same findings have the same ids again.
pub(super) fn made(at: Timestamp, about: &str) -> uuid::Uuid {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let digest = Sha256::digest(format!("{}|{about}", at.as_nanosecond()));
    let mut tail = [0; 10];
    tail.copy_from_slice(&digest[..10]);
    uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid()
}

/// Turns findings into alarms and incidents.
pub(super) struct Annunciator<'a> {
    pub(super) book: &'a RuleBook,
    /// As it is while this is at work.
    pub(super) registry: Arc<Registry>,
    pub(super) shared: &'a Shared,
    /// Nobody else has the connection meanwhile.
    pub(super) ledger: Ledger<'a>,
    kin: Kin,
    pub(super) outcome: Outcome,
}

impl<'a> Annunciator<'a> {
    pub(super) fn new(
        book: &'a RuleBook,
        shared: &'a Shared,
        connection: &'a mut SqliteConnection,
    ) -> Self {
        Self {
            book,
            registry: shared.registry(),
            shared,
            ledger: Ledger::new(connection),
            kin: kin_of(book),
            outcome: Outcome::default(),
        }
    }

    /// Everything is written; what it came to.
    pub(super) async fn finish(mut self) -> Result<Outcome, StateError> {
        self.ledger.settled().await?;
        Ok(self.outcome)
    }

    /// These findings come next.
    pub(super) async fn expect(&mut self, findings: &[&Finding]) -> Result<(), StateError> {
        self.ledger.look_ahead(findings, self.book, &self.kin).await
    }

    pub(super) async fn apply(&mut self, finding: &Finding) -> Result<(), StateError> {
        self.turn(finding).await?;
        self.follow_up().await
    }

    /// Applies what the hub found itself; that leads to no further findings.
    pub(super) async fn follow_up(&mut self) -> Result<(), StateError> {
        for finding in std::mem::take(&mut self.outcome.follow_up) {
            self.turn(&finding).await?;
        }
        Ok(())
    }

    async fn turn(&mut self, finding: &Finding) -> Result<(), StateError> {
        self.outcome.devices.extend(finding.device.clone());
        let past = self.ledger.past(finding);
        match finding.what {
            FindingKind::Raised => {
                let meta = self
                    .book
                    .get(&finding.rule)
                    .ok_or_else(|| StateError::UnknownRule {
                        rule: finding.rule.clone(),
                    })?;
                // boxed: the way of a finding holds many alarms, and would make every future above it as large
                Box::pin(self.raised(finding, meta, past)).await
            }
            FindingKind::Cleared => Box::pin(self.cleared(finding, past)).await,
        }
    }

    async fn raised(
        &mut self,
        finding: &Finding,
        meta: &RuleMeta,
        past: Past,
    ) -> Result<(), StateError> {
        let mut before = self.ledger.open_alarm(past, finding).await?;
        let mut episode = None;
        let mut ended = None;
        if let Some((alarm, id)) = before.clone().and_then(|a| a.incident.map(|id| (a, id))) {
            let incident = owner(self.ledger.settled().await?, id).await?;
            if incidents::takes_more(&incident, finding.severity) {
                episode = Some(incident);
            } else {
                ended = Some(alarm.id);
                before = None;
                let over = alarm.end(finding.at);
                // the incident was closed over an alarm that never returned: the alarm stays with it as it was, and ends
                self.keep(None, &over).await?;
                incidents::settle(
                    self.ledger.settled().await?,
                    &self.registry,
                    &incident,
                    finding.at,
                    &finding.rule,
                )
                .await?;
                self.outcome.changed.insert(id);
            }
        }
        let is_new = before.is_none();
        let comes = before.as_ref().is_none_or(|alarm| !alarm.state.is_active());
        let alarm = match &before {
            Some(alarm) => Alarm {
                mode: meta.mode,
                ..alarm.clone().refresh(finding)
            },
            None => self.open(finding, meta, past).await?,
        };
        let mut finding = finding.clone();
        let alarm = if comes {
            self.flag(alarm, episode.is_some(), &mut finding, past)
                .await?
        } else {
            alarm
        };
        if is_new {
            self.outcome.alarms += 1;
        }
        let known = match episode {
            Some(incident) => Some(incident),
            None if alarm.mode == Mode::Annunciate => {
                self.ledger.open_incident(past, &finding).await?
            }
            None => None,
        };
        if known.is_none() && !alarm.is_due() {
            self.keep(before.as_ref(), &alarm).await?;
        } else {
            let held = before.as_ref().filter(|alarm| alarm.incident.is_none());
            if let Some(flag) = held.and_then(Alarm::hold) {
                let word = flag.as_str().to_owned();
                finding.detail.insert("held_back".to_owned(), word);
            }
            let (before, alarm) = (before.as_ref(), alarm.clone());
            Box::pin(self.annunciate(&finding, meta, before, alarm, known, past)).await?;
        }
        if comes && alarm.mode == Mode::Annunciate {
            self.suppress_around(alarm.id, meta, finding.at).await?;
        }
        match ended {
            Some(ended) => self.release_around(ended, finding.at).await,
            None => Ok(()),
        }
    }

    /// A new episode; a shelf of its (rule, subject) goes on with it.
    async fn open(
        &mut self,
        finding: &Finding,
        meta: &RuleMeta,
        past: Past,
    ) -> Result<Alarm, StateError> {
        let latch = if meta.latched {
            Latch::Latched
        } else {
            Latch::Free
        };
        let id = AlarmId::new(made(
            finding.at,
            &format!("{}|{}|{:?}", finding.rule, finding.subject, finding.seq),
        ));
        let mut alarm = Alarm::open(id, finding, latch, meta.mode);
        let shelved = self.ledger.shelved_alarm(past, finding).await?;
        if let Some(mut former) = shelved {
            alarm.version = former.version;
            alarm.flags.shelved = former.flags.shelved.take();
            self.keep(None, &former).await?;
        }
        Ok(alarm)
    }

    /// Tells the station: the finding goes into the incident that is known of it, or into one around it, or opens one.
    pub(super) async fn annunciate(
        &mut self,
        finding: &Finding,
        meta: &RuleMeta,
        before: Option<&Alarm>,
        alarm: Alarm,
        known: Option<Incident>,
        past: Past,
    ) -> Result<(), StateError> {
        let rings = alarm.annunciated_at.is_none();
        if rings {
            self.end_if_calm(finding.at).await?;
        }
        let mut near = self.near(finding, meta).await?;
        let (is_known, mut is_new) = (known.is_some(), false);
        let incident = if let Some(incident) = known.or_else(|| near.absorbing.pop()) {
            let step = incident.refresh(finding, meta);
            incidents::keep(
                self.ledger.settled().await?,
                &self.registry,
                &incident,
                step,
            )
            .await?
        } else if let Some(incident) = near.absorbed.pop() {
            let step = incident.take_over(finding, meta);
            incidents::keep(
                self.ledger.settled().await?,
                &self.registry,
                &incident,
                step,
            )
            .await?
        } else if let Some(incident) = self
            .ledger
            .settled_incident(past, finding, meta.dedupe_s)
            .await?
        {
            let step = incident.recur(finding, meta);
            incidents::keep(
                self.ledger.settled().await?,
                &self.registry,
                &incident,
                step,
            )
            .await?
        } else {
            let number = self.ledger.next_number().await?;
            let id = IncidentId::new(made(finding.at, &format!("#{number}")));
            let step = Incident::open(id, number, finding, meta);
            let calendar = &self.registry.roster.calendar;
            let (incident, effects) = in_working_time(None, step, calendar);
            self.ledger.open(&self.registry, &incident, effects).await?;
            self.outcome.opened.push(id);
            is_new = true;
            incident
        };
        self.ledger.stands(&incident, self.kin.get(&incident.rule));
        self.outcome.changed.insert(incident.id);
        if !is_known {
            self.ledger.annunciated(finding).await?;
        }
        let alarm = alarm.annunciated(incident.id, finding.at);
        // the station is at work on it already: nobody is asked to acknowledge twice
        let alarm = if incident.acknowledged.is_some() {
            alarm.acknowledge()
        } else {
            alarm
        };
        self.keep(before, &alarm).await?;
        if is_new {
            self.ledger.first_event(incident.id, finding);
        } else {
            note_event(self.ledger.settled().await?, incident.id, finding).await?;
        }
        if rings {
            self.rang(&incident, finding.at).await?;
        }

        // what is resolved takes no work over
        if incident.state.is_open() {
            near.absorbed.retain(|other| other.id != incident.id);
            for other in near.absorbed {
                let step = other.merge_into(&incident, finding.at, &finding.rule);
                let connection = self.ledger.settled().await?;
                for mut moved in alarms::of_incident(connection, other.id).await? {
                    moved.incident = Some(incident.id);
                    self.outcome.told.insert(moved.id, moved);
                }
                alarms::move_all(connection, other.id, incident.id).await?;
                share_events(connection, other.id, incident.id).await?;
                incidents::keep(self.ledger.settled().await?, &self.registry, &other, step).await?;
                self.outcome.changed.insert(other.id);
            }
        }
        Ok(())
    }

    async fn cleared(&mut self, finding: &Finding, past: Past) -> Result<(), StateError> {
        let Some(before) = self.ledger.open_alarm(past, finding).await? else {
            return Ok(());
        };
        self.outcome.devices.extend(before.device.clone());
        let alarm = before.clone().clear(finding.at);
        self.keep(Some(&before), &alarm).await?;
        if let Some(id) = alarm.incident {
            let connection = self.ledger.settled().await?;
            note_event(connection, id, finding).await?;
            let incident = owner(connection, id).await?;
            incidents::settle(
                self.ledger.settled().await?,
                &self.registry,
                &incident,
                finding.at,
                &finding.rule,
            )
            .await?;
            self.outcome.changed.insert(id);
        }
        self.release_around(alarm.id, finding.at).await
    }

    /// Writes an alarm, and has it told unless it only came again.
    pub(super) async fn keep(
        &mut self,
        before: Option<&Alarm>,
        alarm: &Alarm,
    ) -> Result<(), StateError> {
        self.ledger.save_alarm(alarm).await?;
        let is_told = self.outcome.told.contains_key(&alarm.id);
        if is_told || before.is_none_or(|before| before.differs(alarm)) {
            self.outcome.told.insert(alarm.id, alarm.clone());
        }
        self.outcome.devices.extend(alarm.device.clone());
        Ok(())
    }

    /// Open incidents of the same zone that belong together with a finding.
    async fn near(&mut self, finding: &Finding, meta: &RuleMeta) -> Result<Near, StateError> {
        let mut near = Near {
            absorbed: Vec::new(),
            absorbing: Vec::new(),
        };
        let Some(kin) = self.kin.get(&finding.rule) else {
            return Ok(near);
        };
        let open = self.ledger.open_in(finding, kin).await?;
        for incident in open.into_iter().rev() {
            let takes_it = |other: &RuleMeta| other.absorbs.contains(&finding.rule);
            if meta.absorbs.contains(&incident.rule) {
                near.absorbed.push(incident);
            } else if self.book.get(&incident.rule).is_some_and(takes_it) {
                near.absorbing.push(incident);
            }
        }
        Ok(near)
    }
}

/// The incident that an alarm belongs to.
pub(super) async fn owner(
    connection: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Incident, StateError> {
    let found = incidents::load(connection, id).await?;
    found.map(|(incident, _)| incident).ok_or_else(|| {
        StateError::damaged(format_args!("an alarm belongs to {id}, which is not there"))
    })
}

/// Open incidents of the same zone that belong together with a finding, the oldest last.
struct Near {
    /// Its rule takes them over.
    absorbed: Vec<Incident>,
    /// Their rule would have taken it over.
    absorbing: Vec<Incident>,
}

/// Keeps the ids of the latest events with the incident.
async fn note_event(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    finding: &Finding,
) -> Result<(), StateError> {
    let (Some(event), Some(seq)) = (finding.event, finding.seq) else {
        return Ok(());
    };
    incidents::note_events(connection, &[(incident, seq, event)]).await?;
    sqlx::query(
        "DELETE FROM incident_event WHERE incident = $1 AND seq <
           (SELECT MIN(seq) FROM (SELECT seq FROM incident_event WHERE incident = $1 ORDER BY seq DESC LIMIT $2) latest)",
    )
    .bind(incident.to_string())
    .bind(EVENTS_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

/// The events of one incident are from now on another's too.
pub(super) async fn share_events(
    connection: &mut SqliteConnection,
    from: IncidentId,
    to: IncidentId,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO incident_event (incident, seq, event) SELECT $1, seq, event FROM incident_event WHERE incident = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(to.to_string())
    .bind(from.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
