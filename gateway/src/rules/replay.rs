//! History through a fresh engine, in the order of the journal, with time passing between events as it did.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use domain::place::Registry;
use domain::rule::{Engine, Finding, FindingKind, RuleSet};
use domain::{Event, Kind, RuleId, Severity, Timestamp};
use jiff::SignedDuration;
use store::events::{EventStore, EventsError, HISTORY_LIMIT_MAX, HistoryQuery, Order};

/// Time is put to the rules at least this often, as in a running hub (which does so every second).
const STEP: SignedDuration = SignedDuration::from_secs(20);
/// Rules that listen to more kinds than this are shown every event.
const LANES_MAX: usize = 8;

/// One alarm that would have been.
#[derive(Debug, Clone)]
pub(super) struct Raised {
    pub(super) rule: RuleId,
    pub(super) subject: String,
    pub(super) severity: Severity,
    pub(super) at: Timestamp,
}

/// Rules and what they have made of history so far.
pub(super) struct Replay {
    engine: Engine,
    now: Option<Timestamp>,
    /// Alarms count from here on; before it windows fill.
    from: Timestamp,
    open: BTreeSet<(RuleId, String)>,
    pub(super) raised: Vec<Raised>,
}

impl Replay {
    pub(super) fn new(rules: Arc<RuleSet>, registry: Arc<Registry>, from: Timestamp) -> Self {
        Self {
            engine: Engine::new(rules, registry),
            now: None,
            from,
            open: BTreeSet::new(),
            raised: Vec::new(),
        }
    }

    /// The kinds of event that it must be shown; none when it must be shown all.
    pub(super) fn kinds(&self) -> Option<Vec<Kind>> {
        let rules = self.engine.rules().rules();
        if rules.iter().any(|rule| rule.condition.is_about_silence()) {
            return None;
        }
        let all = Kind::ALL.iter().copied();
        let heard: Vec<Kind> = all.filter(|kind| self.engine.interested(*kind)).collect();
        (heard.len() <= LANES_MAX).then_some(heard)
    }

    /// One event of history.
    pub(super) fn event(&mut self, event: &Event) {
        self.pass(event.received_at);
        if !matches!(event.kind, Kind::DeviceOffline | Kind::GatewayRefused) {
            self.engine.seen(&event.device, event.received_at);
        }
        let findings = self.engine.on_event(event);
        self.add(findings);
    }

    /// Lets time pass up to a moment, if history has begun: at everything that falls due, and at least every [`STEP`].
    pub(super) fn end(&mut self, upto: Timestamp) {
        if self.now.is_some() {
            self.pass(upto);
        }
    }

    fn pass(&mut self, upto: Timestamp) {
        let Some(mut at) = self.now else {
            self.now = Some(upto);
            let findings = self.engine.on_tick(upto);
            self.add(findings);
            return;
        };
        while at < upto {
            let step = at.checked_add(STEP).map_or(upto, |step| step.min(upto));
            let due = self.engine.next_due().map_or(step, |due| due.min(step));
            let least = at
                .checked_add(SignedDuration::from_millis(1))
                .unwrap_or(upto);
            at = due.max(least).min(upto);
            let findings = self.engine.on_tick(at);
            self.add(findings);
        }
        self.now = Some(at);
    }

    /// An alarm counts when it begins, not when it is told again.
    fn add(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            let key = (finding.rule.clone(), finding.subject.clone());
            let begins = match finding.what {
                FindingKind::Raised => self.open.insert(key),
                FindingKind::Cleared => {
                    self.open.remove(&key);
                    false
                }
            };
            if begins && finding.at >= self.from {
                self.raised.push(Raised {
                    rule: finding.rule,
                    subject: finding.subject,
                    severity: finding.severity,
                    at: finding.at,
                });
            }
        }
    }
}

/// Events of a span in the order of the journal: all of them, or those of some kinds.
pub(super) struct Reader<'a> {
    events: &'a dyn EventStore,
    lanes: Vec<Lane>,
}

/// One kind's events, or everybody's.
struct Lane {
    query: HistoryQuery,
    waiting: VecDeque<Event>,
    is_over: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        events: &'a dyn EventStore,
        from: Timestamp,
        to: Timestamp,
        kinds: Option<Vec<Kind>>,
    ) -> Self {
        let lane = |kind| Lane {
            query: HistoryQuery {
                kind,
                from: Some(from),
                to: Some(to),
                limit: HISTORY_LIMIT_MAX,
                order: Order::OldestFirst,
                ..HistoryQuery::default()
            },
            waiting: VecDeque::new(),
            is_over: false,
        };
        let lanes = match kinds {
            None => vec![lane(None)],
            Some(kinds) => kinds.into_iter().map(|kind| lane(Some(kind))).collect(),
        };
        Self { events, lanes }
    }

    /// The next events; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Event>>, EventsError> {
        for lane in &mut self.lanes {
            // a page may be empty and not the last one
            while lane.waiting.is_empty() && !lane.is_over {
                let page = self.events.history(lane.query.clone()).await?;
                lane.waiting
                    .extend(page.items.into_iter().map(|stored| stored.event));
                lane.is_over = page.next.is_none();
                lane.query.cursor = page.next;
            }
        }
        // as far as every lane is known
        let open = self.lanes.iter().filter(|lane| !lane.is_over);
        let upto = open.filter_map(|lane| lane.waiting.back().map(|event| event.seq));
        let upto = upto.min();
        let mut events = Vec::new();
        for lane in &mut self.lanes {
            let is_known = |event: &Event| upto.is_none_or(|upto| event.seq <= upto);
            while let Some(event) = lane.waiting.pop_front_if(|event| is_known(event)) {
                events.push(event);
            }
        }
        events.sort_by_key(|event| (event.seq, event.id));
        Ok((!events.is_empty()).then_some(events))
    }
}
