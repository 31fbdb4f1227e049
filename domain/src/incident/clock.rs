//! What time brings: an acknowledgement expires, a claim lapses, a ladder is climbed, a review begins and ends.
//!
//! No timers: [`Incident::next_due`] says when time next changes something, [`Incident::on_time`] changes it. Whoever drives this
//! keeps the moment as a row and asks again after a crash, so nothing is forgotten and nothing happens twice.
//!
//! **The ladder.** An incident waits for one thing at a time, its [`Stage`]. P1 and P2 climb from the moment at which the stage is
//! due, P3 at 50, 100 and 150 % of its clock, P4 not at all (it is in the daily digest). One rung after the last has been told in
//! vain the ladder is exhausted, which is an alarm of its own.

use super::task::after;
use super::work::Work;
use super::{
    Act, Effect, Escalation, Incident, IncidentState, PROGRESS_S, Satisfaction, Stage, TaskState,
};
use crate::{DepartmentId, Severity, Timestamp};

/// Rungs of the ladder above the duty person.
pub const LEVELS: u8 = 4;
/// Most steps of one call: an incident that was left alone for long catches up in as many calls as it takes.
const STEPS_MAX: usize = 64;

/// Seconds from a stage's deadline to each rung, and to exhaustion (RULES: P1 at 30/60/120/180 s after opening, where the first is
/// the deadline itself; P2 at 1/3/8/15 min).
const P1_RUNGS_S: [i64; 5] = [0, 30, 90, 150, 210];
const P2_RUNGS_S: [i64; 5] = [0, 120, 420, 840, 1260];

/// One thing that time brings, in the order in which it is done when several are due at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The first of two people waited long enough.
    Force,
    /// Nothing followed the acknowledgement.
    Expire,
    /// A claim lapses; the task's position.
    Lapse(usize),
    /// No word from the scene; the task's position.
    Silent(usize),
    /// A helper's step is overdue; the task's position.
    Overdue(usize),
    /// The next rung, or the end of the ladder.
    Escalate,
    /// Those concerned are asked.
    Review,
    /// The time to answer is over.
    Close,
}

impl Incident {
    /// What is waited for now, and by when.
    pub fn awaits(&self) -> Option<(Stage, Timestamp)> {
        if !self.state.is_open() {
            return None;
        }
        if self.acknowledged.is_none() {
            return Some((Stage::Acknowledge, self.due.acknowledge));
        }
        if let Some(verifying) = &self.course.verifying {
            return Some((Stage::Verify, verifying.due));
        }
        if let Some(awaited) = self.lead_task().and_then(super::Task::awaits) {
            return Some(awaited);
        }
        let decide_due = after(self.course.escalation.since, self.plan.clocks.acknowledge_s);
        let is_handed_back = self.tasks.iter().any(|t| t.state == TaskState::HandedBack);
        is_handed_back.then_some((Stage::Decide, decide_due))
    }

    /// When the next rung is told, or the ladder found to be exhausted.
    fn next_rung(&self) -> Option<Timestamp> {
        let Escalation {
            since,
            level,
            is_exhausted,
            ..
        } = self.course.escalation;
        let (_, due) = self.awaits()?;
        if is_exhausted {
            return None;
        }
        let rungs = match self.severity {
            Severity::P1 => P1_RUNGS_S,
            Severity::P2 => P2_RUNGS_S,
            Severity::P3 => {
                let half = (due.as_second() - since.as_second()).max(2) / 2;
                [-half, 0, half, 2 * half, 3 * half]
            }
            Severity::P4 => return None,
        };
        let seconds = rungs[usize::from(level.min(LEVELS))];
        due.checked_add(jiff::SignedDuration::from_secs(seconds))
            .ok()
    }

    fn dues(&self) -> impl Iterator<Item = (Timestamp, Due)> {
        let course = &self.course;
        let is_open = self.state.is_open();
        let mut dues: Vec<(Timestamp, Due)> = Vec::new();
        let mut put = |at: Option<Timestamp>, due: Due| dues.extend(at.map(|at| (at, due)));
        if is_open {
            put(course.force.as_ref().map(|f| f.alone_at), Due::Force);
            put(course.acknowledge_expires_at, Due::Expire);
            put(self.next_rung(), Due::Escalate);
            for (position, task) in self.tasks.iter().enumerate() {
                put(task.lease_until, Due::Lapse(position));
                put(task.progress_due, Due::Silent(position));
                let helps = task.awaits().filter(|(stage, _)| {
                    !task.lead && task.overdue.is_none_or(|told| told < *stage)
                });
                put(helps.map(|(_, due)| due), Due::Overdue(position));
            }
        }
        match self.state {
            IncidentState::Resolved => put(course.review.map(|r| r.begins_at), Due::Review),
            IncidentState::Review => put(course.review.map(|r| r.ends_at), Due::Close),
            _ => {}
        }
        dues.into_iter()
    }

    /// When time alone next changes something; none when it never does.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dues().map(|(at, _)| at).min()
    }

    /// Everything that is due at `now`, in the order in which it was due. Nothing is due afterwards, but for an incident that had
    /// been left alone for very long.
    pub fn on_time(&self, now: Timestamp) -> (Self, Vec<Effect>) {
        let mut work = Work::by_clock(self.clone(), now);
        for _ in 0..STEPS_MAX {
            let next = work.incident.dues().min().filter(|(at, _)| *at <= now);
            let Some((_, due)) = next else { break };
            work.happen(due);
            // telling more people is no step of the work: it turns nobody away who was about to act
            if !matches!(due, Due::Escalate | Due::Silent(_) | Due::Overdue(_)) {
                work.incident.version += 1;
            }
            work.wait();
        }
        (work.incident, work.effects)
    }
}

impl Work {
    pub(super) fn by_clock(incident: Incident, at: Timestamp) -> Self {
        Self {
            incident,
            effects: Vec::new(),
            by: super::By::Clock,
            at,
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Force => self.force_alone(),
            Due::Expire => self.expire(),
            Due::Lapse(position) => self.lapse(position),
            Due::Silent(position) => self.silent(position),
            Due::Overdue(position) => self.overdue(position),
            Due::Escalate => self.escalate(),
            Due::Review => self.begin_review(),
            Due::Close => self.close(),
        }
    }

    /// Notices what is waited for now. A new stage climbs its own ladder from the bottom.
    pub(super) fn wait(&mut self) {
        let stage = self.incident.awaits().map(|(stage, _)| stage);
        let escalation = &mut self.incident.course.escalation;
        if escalation.stage == stage {
            return;
        }
        if escalation.is_exhausted {
            self.effects.push(Effect::Recovered);
        }
        *escalation = Escalation {
            stage,
            since: self.at,
            level: 0,
            highest: escalation.highest,
            is_exhausted: false,
        };
    }

    /// The next rung of the lead department's ladder is told.
    fn escalate(&mut self) {
        let Some((stage, _)) = self.incident.awaits() else {
            return;
        };
        let rungs = match self.incident.severity {
            Severity::P3 => LEVELS - 1,
            _ => LEVELS,
        };
        let escalation = &mut self.incident.course.escalation;
        if escalation.level >= rungs {
            escalation.is_exhausted = true;
            let level = escalation.level;
            self.record(Act::Exhaust, None, &level, &stage);
            self.effects.push(Effect::Exhausted(stage));
            return;
        }
        self.tell_next_rung();
    }

    pub(super) fn tell_next_rung(&mut self) {
        let Some((stage, due)) = self.incident.awaits() else {
            return;
        };
        let escalation = &mut self.incident.course.escalation;
        let from = escalation.level;
        escalation.level += 1;
        let level = escalation.level;
        escalation.highest = escalation.highest.max(level);
        self.record(Act::Escalate, None, &from, &level);
        let lead = self.incident.lead().clone();
        self.notify(lead, level, stage, due);
    }

    fn force_alone(&mut self) {
        let Some(force) = self.incident.course.force.clone() else {
            return;
        };
        self.incident.course.forced_by = vec![force.by];
        self.end_as(Act::ForceClose, &force.cause);
    }

    /// Back to where nobody has looked; the ladder begins anew.
    fn expire(&mut self) {
        self.incident.course.acknowledge_expires_at = None;
        self.incident.acknowledged = None;
        self.incident.due.acknowledge = after(self.at, self.incident.plan.clocks.acknowledge_s);
        let state = match self.incident.state {
            IncidentState::Acknowledged => IncidentState::Open,
            later => later,
        };
        self.move_to(Act::Expire, state);
    }

    fn lapse(&mut self, position: usize) {
        let department = self.drop_holder(position);
        let due = self.incident.tasks[position].due.claim;
        self.notify(department, 1, Stage::Claim, due);
    }

    /// The task is free again; its claim is due anew from now, its other clocks go on.
    fn drop_holder(&mut self, position: usize) -> DepartmentId {
        let (at, claim_s) = (self.at, self.incident.plan.clocks.claim_s);
        let task = &mut self.incident.tasks[position];
        let from = task.let_go(TaskState::Dispatched);
        task.claimed_at = None;
        task.due.claim = after(at, claim_s);
        let department = task.department.clone();
        self.record(
            Act::Lapse,
            Some(department.clone()),
            &from,
            &TaskState::Dispatched,
        );
        department
    }

    /// Those on the scene of a P1 have not been heard: they keep the task, their department's next rung asks after them.
    fn silent(&mut self, position: usize) {
        let at = self.at;
        let task = &mut self.incident.tasks[position];
        let was_due = task.progress_due.replace(after(at, PROGRESS_S));
        let department = task.department.clone();
        self.record(
            Act::Overdue,
            Some(department.clone()),
            &Act::Progress,
            &TaskState::OnScene,
        );
        self.notify(department, 1, Stage::Resolve, was_due.unwrap_or(at));
    }

    /// A helper's own clock: its department's deputy is told once for each step.
    fn overdue(&mut self, position: usize) {
        let Some((stage, due)) = self.incident.tasks[position].awaits() else {
            return;
        };
        let task = &mut self.incident.tasks[position];
        task.overdue = Some(stage);
        let (department, state) = (task.department.clone(), task.state);
        self.record(Act::Overdue, Some(department.clone()), &stage, &state);
        self.notify(department, 1, stage, due);
    }

    fn begin_review(&mut self) {
        let is_asked = self.incident.course.review.is_some_and(|r| r.is_asked);
        if is_asked {
            self.incident.course.satisfaction = Satisfaction::NoAnswer;
        }
        self.move_to(Act::Review, IncidentState::Review);
    }
}
