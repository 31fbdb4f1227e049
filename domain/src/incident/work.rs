//! An incident on its way from one version to the next, and what all verbs share.

use super::task::after;
use super::{
    Act, Actor, By, Command, DEPARTMENTS_MAX, EVIDENCE_MAX, Effect, Incident, IncidentState,
    Notice, Reason, Refused, Stage, Step, Task, TaskState, acknowledge_expiry_s,
};
use crate::{DepartmentId, Timestamp, UserId};

pub(super) struct Work {
    pub(super) incident: Incident,
    pub(super) effects: Vec<Effect>,
    pub(super) by: By,
    pub(super) at: Timestamp,
}

impl Work {
    pub(super) fn record(
        &mut self,
        act: Act,
        department: Option<DepartmentId>,
        from: &impl ToString,
        to: &impl ToString,
    ) {
        self.effects.push(Effect::Record(Step {
            act,
            by: self.by.clone(),
            at: self.at,
            department,
            from: from.to_string(),
            to: to.to_string(),
            note: None,
        }));
    }

    /// The person's words belong to what they asked for, not to what came along with it.
    pub(super) fn attach_note(&mut self, asked: Act, note: Option<&String>) {
        let step = self.effects.iter_mut().find_map(|effect| match effect {
            Effect::Record(step) if step.act == asked => Some(step),
            _ => None,
        });
        if let Some(step) = step {
            step.note = note.cloned();
        }
    }

    pub(super) fn move_to(&mut self, act: Act, state: IncidentState) {
        let from = std::mem::replace(&mut self.incident.state, state);
        self.record(act, None, &from, &state);
    }

    pub(super) fn refuse<T>(&self, reason: Reason, holder: Option<&UserId>) -> Result<T, Refused> {
        Err(self.incident.refused(reason, holder))
    }

    /// What shows it is kept; the latest when there is more than can be.
    pub(super) fn keep_evidence(&mut self, command: &Command) {
        let kept = &mut self.incident.course.evidence;
        kept.extend(command.evidence.iter().cloned());
        let surplus = kept.len().saturating_sub(EVIDENCE_MAX);
        kept.drain(..surplus);
    }

    /// A person knows of it: the alarms fall silent.
    pub(super) fn see(&mut self, actor: &Actor) {
        if self.incident.acknowledged.is_none() {
            self.incident.acknowledged = Some((self.at, actor.user.clone()));
            self.effects.push(Effect::AcknowledgeAlarms);
        }
    }

    /// From now on an acknowledgement after which nothing follows ends by itself.
    pub(super) fn expect_more(&mut self) {
        let expiry = acknowledge_expiry_s(self.incident.severity);
        self.incident.course.acknowledge_expires_at = expiry.map(|s| after(self.at, s));
    }

    /// Gives tasks to those departments that have none yet and says how many it were. Of the first tasks of an incident one
    /// leads: the planned lead's, or the first when the planned lead is not among them.
    pub(super) fn give_tasks(&mut self, departments: &[DepartmentId]) -> usize {
        let incident = &mut self.incident;
        let lead = match incident.lead_task() {
            Some(task) => Some(task.department.clone()),
            None if departments.contains(&incident.plan.lead) => Some(incident.plan.lead.clone()),
            None => departments
                .iter()
                .find(|d| incident.task_of(d).is_none())
                .cloned(),
        };
        let mut given = Vec::new();
        for department in departments {
            if incident.task_of(department).is_some() || incident.tasks.len() >= DEPARTMENTS_MAX {
                continue;
            }
            let task = Task::dispatched(
                incident.id,
                incident.tasks.len(),
                department.clone(),
                lead.as_ref() == Some(department),
                self.at,
                incident.plan.clocks,
                incident.due.resolve,
            );
            incident.tasks.push(task);
            given.push(department.clone());
        }
        if !given.is_empty() {
            self.incident.course.verifying = None;
            self.incident.course.acknowledge_expires_at = None;
            self.move_to(Act::Dispatch, IncidentState::Dispatched);
            for department in &given {
                self.tell_duty(department);
            }
        }
        given.len()
    }

    /// The duty person of a department hears of its task.
    pub(super) fn tell_duty(&mut self, department: &DepartmentId) {
        let Some((stage, due)) = self.incident.task_of(department).and_then(Task::awaits) else {
            return;
        };
        self.notify(department.clone(), 0, stage, due);
    }

    pub(super) fn notify(
        &mut self,
        department: DepartmentId,
        level: u8,
        stage: Stage,
        due: Timestamp,
    ) {
        self.effects.push(Effect::Notify(Notice {
            department,
            level,
            stage,
            due,
            at: self.at,
        }));
    }

    pub(super) fn release_open_tasks(&mut self) {
        let mut released = Vec::new();
        for task in self.incident.tasks.iter_mut().filter(|t| t.state.is_open()) {
            let from = std::mem::replace(&mut task.state, TaskState::Released);
            task.lease_until = None;
            task.progress_due = None;
            released.push((task.department.clone(), from));
        }
        for (department, from) in released {
            self.record(Act::Release, Some(department), &from, &TaskState::Released);
        }
    }

    /// The lead passes to this department's task.
    pub(super) fn lead_by(&mut self, department: &DepartmentId) {
        let from = self.incident.lead().clone();
        for task in &mut self.incident.tasks {
            task.lead = task.department == *department;
        }
        if from != *department {
            self.record(Act::Lead, None, &from, department);
        }
    }
}
