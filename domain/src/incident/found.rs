//! What rules bring about: an incident opens, is refreshed, taken over, merged, and its condition comes and goes.

use std::collections::BTreeMap;

use super::task::after;
use super::work::Work;
use super::{
    Act, By, Condition, Course, DEPARTMENTS_MAX, DETAIL_KEYS_MAX, Due, Effect, Incident,
    IncidentState, Plan, Reporter, Standing, TaskState,
};
use crate::alarm::flood::folds;
use crate::rule::{Clocks, Finding, RuleMeta};
use crate::{DepartmentId, IncidentId, RuleId, Severity, Timestamp};

impl Incident {
    /// A finding for which no incident is open. P1 has its tasks at once: nobody waits for an operator.
    pub fn open(
        id: IncidentId,
        number: u64,
        finding: &Finding,
        meta: &RuleMeta,
    ) -> (Self, Vec<Effect>) {
        let by = By::Rule(finding.rule.clone());
        Self::open_by(id, number, finding, meta, by, Condition::Active, None)
    }

    /// What a person reports or an operator enters: no device stands behind it, so its condition is normal from the start, and who
    /// reported it is asked whether it is settled.
    pub fn report(
        id: IncidentId,
        number: u64,
        told: &Finding,
        meta: &RuleMeta,
        by: By,
        reporter: Option<Reporter>,
    ) -> (Self, Vec<Effect>) {
        Self::open_by(id, number, told, meta, by, Condition::Normal, reporter)
    }

    /// Somebody reports the same while it is open. No step of the work: the version stays.
    pub fn report_again(&self, told: &Finding, by: By) -> (Self, Vec<Effect>) {
        let mut work = Work {
            incident: self.clone(),
            effects: Vec::new(),
            by,
            at: told.at,
        };
        let incident = &mut work.incident;
        incident.count += 1;
        incident.last_event_at = incident.last_event_at.max(told.at);
        let (from, to) = (incident.count - 1, incident.count);
        work.record(Act::Report, None, &from, &to);
        (work.incident, work.effects)
    }

    fn open_by(
        id: IncidentId,
        number: u64,
        finding: &Finding,
        meta: &RuleMeta,
        by: By,
        condition: Condition,
        reporter: Option<Reporter>,
    ) -> (Self, Vec<Effect>) {
        let plan = Plan::of(meta, finding.severity);
        let due = due_from(finding.at, plan.clocks);
        let incident = Self {
            id,
            number,
            version: 1,
            severity: finding.severity,
            state: IncidentState::Open,
            condition,
            rule: finding.rule.clone(),
            subject: finding.subject.clone(),
            class: finding.class,
            site: finding.site.clone(),
            zone: finding.zone.clone(),
            device: finding.device.clone(),
            plan,
            opened_at: finding.at,
            occurred_at: finding.occurred_at,
            last_event_at: finding.at,
            count: 1,
            acknowledged: None,
            resolved_at: None,
            closed_at: None,
            cause: None,
            parent: None,
            due,
            detail: finding.detail.clone(),
            tasks: Vec::new(),
            reporter,
            course: Course {
                lasting: finding.lasting,
                ..Course::begin(finding.at)
            },
            storm: None,
        };
        let mut work = Work {
            incident,
            effects: Vec::new(),
            by,
            at: finding.at,
        };
        work.record(Act::Open, None, &"", &IncidentState::Open);
        work.dispatch_if_p1();
        work.wait();
        (work.incident, work.effects)
    }

    /// The rule tells of the same subject again. More urgent than before is a step of the work and counts as a version; a mere
    /// repeat is not.
    pub fn refresh(&self, finding: &Finding, meta: &RuleMeta) -> (Self, Vec<Effect>) {
        let mut work = self.clone().work(finding);
        work.tell(finding);
        if work.raise(finding.severity, meta) {
            work.dispatch_if_p1();
            work.incident.version += 1;
            work.wait();
        }
        (work.incident, work.effects)
    }

    /// A rule that says more about the same place takes the incident over (a second detector confirms the fire): it keeps its
    /// number, gets rule, subject and departments of the other, and has to be acknowledged anew unless it says that less is the matter.
    pub fn take_over(&self, finding: &Finding, meta: &RuleMeta) -> (Self, Vec<Effect>) {
        let mut work = self.clone().work(finding);
        work.tell(finding);
        let is_less = finding.severity > work.incident.severity;
        let was = std::mem::replace(&mut work.incident.rule, finding.rule.clone());
        // the card is of the former rule
        work.incident.storm = None;
        work.record(Act::Absorb, None, &was, &finding.rule);
        work.raise(finding.severity, meta);
        let incident = &mut work.incident;
        incident.subject.clone_from(&finding.subject);
        if !is_less {
            let due = after(finding.at, incident.plan.clocks.acknowledge_s);
            // whoever has been waited for since before is not given more time
            incident.due.acknowledge = match incident.acknowledged.take() {
                Some(_) => due,
                None => due.min(incident.due.acknowledge),
            };
        }
        let former: Vec<DepartmentId> = incident.plan.departments().cloned().collect();
        let mut plan = Plan::of(meta, incident.severity);
        for department in former {
            if !plan.departments().any(|d| *d == department) && plan.co.len() + 1 < DEPARTMENTS_MAX
            {
                plan.co.push(department);
            }
        }
        incident.plan = plan;
        if incident.state == IncidentState::Dispatched {
            let departments: Vec<DepartmentId> = incident.plan.departments().cloned().collect();
            work.give_tasks(&departments);
            let lead = work.incident.plan.lead.clone();
            if work
                .incident
                .task_of(&lead)
                .is_some_and(|task| task.state.is_open())
            {
                for task in &mut work.incident.tasks {
                    task.lead = task.department == lead;
                }
            }
        }
        work.dispatch_if_p1();
        work.incident.version += 1;
        work.wait();
        (work.incident, work.effects)
    }

    /// What was settled a moment ago is not: the same incident goes on for another round, and is acknowledged anew.
    pub fn recur(&self, finding: &Finding, meta: &RuleMeta) -> (Self, Vec<Effect>) {
        let mut work = self.clone().work(finding);
        work.tell(finding);
        work.open_again();
        work.raise(finding.severity, meta);
        work.send_all_again_if_p1();
        work.incident.version += 1;
        work.wait();
        (work.incident, work.effects)
    }

    /// It goes on as part of another incident, which takes its alarms; its open tasks are released.
    pub fn merge_into(&self, parent: &Self, at: Timestamp, rule: &RuleId) -> (Self, Vec<Effect>) {
        let mut work = Work {
            incident: self.clone(),
            effects: Vec::new(),
            by: By::Rule(rule.clone()),
            at,
        };
        work.be_part_of(parent.id, parent.number);
        work.incident.version += 1;
        work.wait();
        (work.incident, work.effects)
    }

    /// Whether what started it is still so, as its alarms say now. No step of the work: the version stays.
    pub fn set_condition(
        &self,
        standing: Standing,
        at: Timestamp,
        rule: &RuleId,
    ) -> (Self, Vec<Effect>) {
        let mut work = Work {
            incident: self.clone(),
            effects: Vec::new(),
            by: By::Rule(rule.clone()),
            at,
        };
        work.turn(standing.condition);
        work.incident.course.lasting = standing.lasting;
        (work.incident, work.effects)
    }

    fn work(self, finding: &Finding) -> Work {
        Work {
            incident: self,
            effects: Vec::new(),
            by: By::Rule(finding.rule.clone()),
            at: finding.at,
        }
    }
}

fn due_from(at: Timestamp, clocks: Clocks) -> Due {
    Due {
        acknowledge: after(at, clocks.acknowledge_s),
        resolve: after(at, clocks.resolve_s),
    }
}

impl Work {
    fn turn(&mut self, condition: Condition) {
        let was = std::mem::replace(&mut self.incident.condition, condition);
        if was != condition {
            let act = match condition {
                Condition::Active => Act::Recur,
                Condition::Normal => Act::Return,
            };
            self.record(act, None, &was, &condition);
        }
    }

    /// Takes over what the finding tells, without urgency.
    fn tell(&mut self, finding: &Finding) {
        self.turn(Condition::Active);
        let incident = &mut self.incident;
        incident.count += 1;
        incident.course.lasting |= finding.lasting;
        incident.last_event_at = incident.last_event_at.max(finding.at);
        incident.zone = finding.zone.clone().or(incident.zone.take());
        incident.device = finding.device.clone().or(incident.device.take());
        incident.class = finding.class;
        merge_detail(&mut incident.detail, &finding.detail);
    }

    /// Makes it more urgent if it is; deadlines only ever move forward. Says whether it was.
    fn raise(&mut self, severity: Severity, meta: &RuleMeta) -> bool {
        let incident = &mut self.incident;
        if severity >= incident.severity {
            return false;
        }
        let was = std::mem::replace(&mut incident.severity, severity);
        incident.storm = incident.storm.filter(|_| folds(severity));
        let clocks = meta.clocks_for(severity);
        incident.plan.clocks = clocks;
        let due = due_from(self.at, clocks);
        incident.due.acknowledge = incident.due.acknowledge.min(due.acknowledge);
        incident.due.resolve = incident.due.resolve.min(due.resolve);
        for task in incident.tasks.iter_mut().filter(|t| t.state.is_open()) {
            task.due.claim = task.due.claim.min(after(self.at, clocks.claim_s));
            task.due.arrive = task.due.arrive.min(after(self.at, clocks.arrive_s));
            task.due.resolve = task.due.resolve.min(due.resolve);
        }
        self.record(Act::Raise, None, &was, &severity);
        true
    }

    fn dispatch_if_p1(&mut self) {
        let waits = matches!(
            self.incident.state,
            IncidentState::Open | IncidentState::Acknowledged | IncidentState::Verifying
        );
        if waits && self.incident.severity == Severity::P1 {
            let departments: Vec<DepartmentId> =
                self.incident.plan.departments().cloned().collect();
            self.give_tasks(&departments);
        }
    }
}

impl Work {
    /// Where life is at stake all departments of the plan go again, not the lead alone; whoever said "not ours" is left out.
    fn send_all_again_if_p1(&mut self) {
        if self.incident.severity != Severity::P1 {
            return;
        }
        let (at, clocks) = (self.at, self.incident.plan.clocks);
        let resolve_due = self.incident.due.resolve;
        let mut again = Vec::new();
        for task in &mut self.incident.tasks {
            if !task.state.is_open() && task.state != TaskState::HandedBack {
                task.dispatch_again(at, clocks, resolve_due);
                again.push(task.department.clone());
            }
        }
        for department in &again {
            self.tell_duty(department);
        }
        let planned: Vec<DepartmentId> = self.incident.plan.departments().cloned().collect();
        self.give_tasks(&planned);
    }
}

fn merge_detail(detail: &mut BTreeMap<String, String>, news: &BTreeMap<String, String>) {
    for (key, value) in news {
        if detail.contains_key(key) || detail.len() < DETAIL_KEYS_MAX {
            detail.insert(key.clone(), value.clone());
        }
    }
}
