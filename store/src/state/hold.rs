//! What holds an alarm back when it comes, and what happens when that ends. All of it is rows: a hub that is killed goes on as before.
//!
//! Suppression by cause works both ways round: an alarm that comes while its cause stands is held back from the start; a cause that
//! comes later takes the incidents of its consequences that nobody has touched under its own.

use std::collections::BTreeMap;

use domain::alarm::Alarm;
use domain::id::MaintenanceId;
use domain::incident::{Incident, IncidentState};
use domain::place::Registry;
use domain::rule::{Finding, FindingKind, Mode, Reach, RuleMeta};
use domain::{AlarmId, DeviceClass, DeviceId, RuleId, Severity, Timestamp};
use sqlx::SqliteConnection;
use tracing::warn;

use super::error::StateError;
use super::finding::{Annunciator, owner, share_events};
use super::ledger::Past;
use super::{Shared, alarms, incidents};

/// The rule whose incident is the work order for a device that chatters; see `deploy/config/rules/hub.toml`.
const CHATTER_RULE: &str = "HUB5";
/// Causes of causes that are looked at.
const CHAIN_MAX: usize = 8;

impl Annunciator<'_> {
    /// Flags an alarm whose condition has begun to hold. One that has an incident already is not withdrawn from it.
    pub(super) async fn flag(
        &mut self,
        mut alarm: Alarm,
        has_incident: bool,
        finding: &mut Finding,
        past: Past,
    ) -> Result<Alarm, StateError> {
        alarm = self.count_raise(alarm, finding, past).await?;
        if has_incident {
            return Ok(alarm);
        }
        alarm.flags.suppressed_by = self.cause_of(&alarm).await?;
        let window = self.ledger.window_over(finding, &self.registry).await?;
        let is_urgent = alarm.severity <= Severity::P2;
        if let Some(window) = window.as_ref().filter(|w| is_urgent && w.scope.is_narrow()) {
            let id = window.id.to_string();
            finding.detail.insert("drill".to_owned(), id);
        }
        alarm.flags.out_of_service = window.map(|window| window.id);
        Ok(alarm)
    }

    /// A device went away: of its alarms nobody knows whether they still hold, since it was last heard. Or it came back (none): they
    /// are as they were.
    pub(super) async fn turn_unknown(
        &mut self,
        device: &DeviceId,
        since: Option<Timestamp>,
    ) -> Result<(), StateError> {
        for before in alarms::of_device(self.ledger.settled().await?, device).await? {
            let mut alarm = before.clone();
            alarm.flags.unknown_since = since;
            self.keep(Some(&before), &alarm).await?;
        }
        Ok(())
    }

    /// Counts that it came; the third time in a minute it chatters, and somebody has to mend the device.
    async fn count_raise(
        &mut self,
        mut alarm: Alarm,
        finding: &Finding,
        past: Past,
    ) -> Result<Alarm, StateError> {
        if alarm.mode == Mode::Shadow || alarm.rule.as_str() == CHATTER_RULE {
            return Ok(alarm);
        }
        let before = self.ledger.tally(past, finding).await?;
        let tally = before.raise(finding.at);
        self.ledger.save_tally(finding, tally);
        alarm.flags.chattering_since = tally.chattering_since;
        alarm.flags.quiet_until = tally.quiet_until(finding.at);
        if before.chattering_since.is_none() && tally.chattering_since.is_some() {
            self.order_work(finding, FindingKind::Raised);
        }
        Ok(alarm)
    }

    /// A work order for what chatters, or its end.
    ///
    /// The finding is made here and not by the rule engine: it is about alarms, which the engine does not know, and it must come to
    /// pass in the transaction that counted the raises. Its rule stands in the rule files like any other, for its words and its plan.
    fn order_work(&mut self, finding: &Finding, what: FindingKind) {
        let Some(meta) = CHATTER_RULE
            .parse()
            .ok()
            .and_then(|id: RuleId| self.book.get(&id))
        else {
            warn!(rule.id = %finding.rule, "an alarm chatters and no rule `{CHATTER_RULE}` makes a work order of it");
            return;
        };
        let subject = chatter_subject(&finding.rule, &finding.subject);
        let detail = [
            ("rule".to_owned(), finding.rule.to_string()),
            ("subject".to_owned(), finding.subject.clone()),
        ];
        self.outcome.follow_up.push(Finding {
            rule: meta.id.clone(),
            subject,
            what,
            severity: Severity::P4,
            detail: detail.into(),
            ..finding.clone()
        });
    }

    /// It has been quiet for a while: it chatters no more, and the work order's condition is over.
    pub(super) async fn calm_down(
        &mut self,
        rule: &RuleId,
        subject: &str,
        at: Timestamp,
    ) -> Result<(), StateError> {
        if let Some(before) = alarms::open_of(self.ledger.settled().await?, rule, subject).await? {
            let mut alarm = before.clone();
            alarm.flags.chattering_since = None;
            alarm.flags.quiet_until = None;
            self.let_go(&before, alarm, at).await?;
        }
        let order = chatter_subject(rule, subject);
        if let Ok(id) = CHATTER_RULE.parse::<RuleId>()
            && let Some(order) = alarms::open_of(self.ledger.settled().await?, &id, &order).await?
        {
            self.outcome.follow_up.push(Finding {
                rule: id,
                subject: order.subject,
                what: FindingKind::Cleared,
                severity: order.severity,
                site: order.site,
                class: DeviceClass::Gateway,
                zone: order.zone,
                device: order.device,
                at,
                occurred_at: at,
                event: None,
                seq: None,
                lasting: false,
                detail: BTreeMap::new(),
            });
        }
        self.follow_up().await
    }

    /// The standing alarm that is the cause of this one, if its rule says so.
    async fn cause_of(&mut self, alarm: &Alarm) -> Result<Option<AlarmId>, StateError> {
        let reaches: BTreeMap<&RuleId, Reach> = self
            .book
            .values()
            .filter_map(|meta| Some((&meta.id, meta.suppresses.as_ref()?)))
            .filter(|(_, suppression)| suppression.rules.contains(&alarm.rule))
            .map(|(rule, suppression)| (rule, suppression.within))
            .collect();
        let may_wait = alarm.mode == Mode::Annunciate && alarm.severity != Severity::P1;
        if reaches.is_empty() || !may_wait {
            return Ok(None);
        }
        let rules: Vec<&RuleId> = reaches.keys().copied().collect();
        let connection = self.ledger.written().await?;
        for cause in alarms::active_of(connection, &alarm.site, &rules).await? {
            let is_near = reaches
                .get(&cause.rule)
                .is_some_and(|reach| is_within(*reach, &cause, alarm, self.shared));
            if is_near
                && cause.mode == Mode::Annunciate
                && !depends(connection, &cause, alarm.id).await?
            {
                return Ok(Some(cause.id));
            }
        }
        Ok(None)
    }

    /// A cause has come: the alarms around it that follow from it are held back, and incidents of theirs that nobody has touched go
    /// under its own.
    pub(super) async fn suppress_around(
        &mut self,
        cause: AlarmId,
        meta: &RuleMeta,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let Some(suppression) = &meta.suppresses else {
            return Ok(());
        };
        let connection = self.ledger.settled().await?;
        let Some(cause) = alarms::load(connection, cause).await? else {
            return Ok(());
        };
        let rules: Vec<&RuleId> = suppression.rules.iter().collect();
        let mut follow = BTreeMap::new();
        for alarm in alarms::active_of(connection, &cause.site, &rules).await? {
            let follows = alarm.severity != Severity::P1
                && alarm.mode == Mode::Annunciate
                && alarm.flags.suppressed_by.is_none()
                && is_within(suppression.within, &cause, &alarm, self.shared)
                && !depends(connection, &cause, alarm.id).await?;
            if follows {
                follow.insert(alarm.id, alarm);
            }
        }
        let parent = match cause.incident {
            Some(id) => Some(owner(connection, id).await?).filter(|i| i.state.is_open()),
            None => None,
        };
        for before in follow.values() {
            let mut alarm = before.clone();
            alarm.flags.suppressed_by = Some(cause.id);
            match (alarm.incident, &parent) {
                (None, _) => {}
                (Some(id), Some(parent)) if id != parent.id => {
                    let connection = self.ledger.settled().await?;
                    let incident = owner(connection, id).await?;
                    let of_it = alarms::of_incident(connection, id).await?;
                    let all_follow = of_it
                        .iter()
                        .all(|a| !a.state.is_open() || follow.contains_key(&a.id));
                    if !all_follow || !is_untouched(&incident) {
                        continue;
                    }
                    for other in of_it.iter().filter(|a| a.state.is_open()) {
                        let mut other_after = other.clone().withdrawn(&incident);
                        other_after.flags.suppressed_by = Some(cause.id);
                        self.keep(Some(other), &other_after).await?;
                    }
                    let step = incident.merge_into(parent, at, &cause.rule);
                    let connection = self.ledger.settled().await?;
                    share_events(connection, id, parent.id).await?;
                    incidents::keep(connection, &self.registry, &incident, step).await?;
                    self.outcome.changed.extend([id, parent.id]);
                    continue;
                }
                (Some(_), _) => continue,
            }
            self.keep(Some(before), &alarm).await?;
        }
        Ok(())
    }

    /// A cause is over: what it held back rings now, unless another cause stands.
    pub(super) async fn release_around(
        &mut self,
        cause: AlarmId,
        at: Timestamp,
    ) -> Result<(), StateError> {
        for before in alarms::suppressed_by(self.ledger.settled().await?, cause).await? {
            let mut alarm = before.clone();
            alarm.flags.suppressed_by = self.cause_of(&alarm).await?;
            self.let_go(&before, alarm, at).await?;
        }
        Ok(())
    }

    /// A maintenance window is over: what it held back rings now, unless another goes over it.
    pub(super) async fn release_window(
        &mut self,
        window: MaintenanceId,
        at: Timestamp,
    ) -> Result<(), StateError> {
        for before in alarms::out_of_service(self.ledger.settled().await?, window).await? {
            let mut alarm = before.clone();
            alarm.flags.out_of_service = match &alarm.pending {
                Some(pending) => {
                    let now = Finding {
                        at,
                        ..pending.clone()
                    };
                    let other = self.ledger.window_over(&now, &self.registry).await?;
                    other.map(|window| window.id)
                }
                None => None,
            };
            self.let_go(&before, alarm, at).await?;
        }
        Ok(())
    }

    /// Flags of an alarm were taken away: if nothing holds it back any more and its condition still holds, it rings now.
    pub(super) async fn let_go(
        &mut self,
        before: &Alarm,
        alarm: Alarm,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let held = before.hold().filter(|_| alarm.is_due());
        let meta = self.book.get(&alarm.rule);
        let (Some(flag), Some(meta), Some(pending)) = (held, meta, alarm.pending.clone()) else {
            if held.is_some() && meta.is_none() {
                warn!(alarm.id = %alarm.id, rule.id = %alarm.rule, "an alarm is no longer held back but its rule is gone");
            }
            return self.keep(Some(before), &alarm).await;
        };
        let mut finding = Finding {
            severity: alarm.severity,
            at,
            ..pending
        };
        let word = flag.as_str().to_owned();
        finding.detail.insert("held_back".to_owned(), word);
        let known = self.ledger.open_incident(Past::Unread, &finding).await?;
        let told = self.annunciate(&finding, meta, Some(before), alarm, known, Past::Unread);
        Box::pin(told).await
    }
}

/// What a work order is about: `S1/device:smoke-1`, cut to what a subject may hold.
fn chatter_subject(rule: &RuleId, subject: &str) -> String {
    let mut text = format!("{rule}/{subject}");
    while text.len() > domain::rule::SUBJECT_BYTES_MAX {
        text.pop();
    }
    text
}

/// Nobody has seen it and nobody was sent.
fn is_untouched(incident: &Incident) -> bool {
    incident.state == IncidentState::Open
        && incident.acknowledged.is_none()
        && incident.tasks.is_empty()
}

/// Whether an alarm stands as near to its cause as that reaches; both are of the same site.
fn is_within(reach: Reach, cause: &Alarm, alarm: &Alarm, shared: &Shared) -> bool {
    fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.is_some() && one == other
    }
    let registry = shared.registry();
    let building = |alarm: &Alarm| {
        let zone = registry.zones.get(alarm.zone.as_ref()?)?;
        zone.building.as_ref()
    };
    match reach {
        Reach::Device => same(cause.device.as_ref(), alarm.device.as_ref()),
        Reach::Zone => same(cause.zone.as_ref(), alarm.zone.as_ref()),
        Reach::Building => same(building(cause), building(alarm)),
        Reach::Site => true,
        Reach::Bridge => {
            let bridge = |alarm: &Alarm| bridge_of(alarm.device.as_ref()?, shared, &registry);
            cause.device != alarm.device && same(bridge(cause).as_ref(), bridge(alarm).as_ref())
        }
    }
}

/// The account of the bridge that speaks for a device, or that a device is.
fn bridge_of(device: &DeviceId, shared: &Shared, registry: &Registry) -> Option<String> {
    let Some(known) = registry.devices.get(device) else {
        // nobody has registered it; by its own name it is the bridge itself
        let listed = shared.newcomers.account_of(device);
        return listed.or_else(|| Some(device.to_string()));
    };
    let address = known.address.as_deref()?;
    match address.split_once(':') {
        Some((account, _)) => Some(account.to_owned()),
        None => shared
            .devices
            .via(device)
            .or_else(|| Some(address.to_owned())),
    }
}

/// Whether a cause is itself held back because of this alarm, or because of what that one caused: two alarms never silence each other.
async fn depends(
    connection: &mut SqliteConnection,
    cause: &Alarm,
    alarm: AlarmId,
) -> Result<bool, StateError> {
    let mut above = Some(cause.clone());
    for _ in 0..CHAIN_MAX {
        let Some(this) = above else { return Ok(false) };
        if this.id == alarm {
            return Ok(true);
        }
        above = match this.flags.suppressed_by {
            Some(id) => alarms::load(connection, id).await?,
            None => None,
        };
    }
    Ok(true)
}
