//! What the station's desk asks: acknowledge, verify, dispatch, assign, tell more people, note, merge and take that back.

use super::task::after;
use super::work::Work;
use super::{
    Act, Actor, Command, HAND_BACKS_MAX, IncidentState, LEVELS, Merged, Reason, Refused, STEPS_MAX,
    TaskState, UNMERGE_S, Verb, Verifying, verify_s,
};
use crate::{DepartmentId, Severity};

impl Work {
    pub(super) fn acknowledge(&mut self, actor: &Actor) -> Result<(), Refused> {
        if let Some((_, by)) = &self.incident.acknowledged {
            return self.refuse(Reason::AlreadyAcknowledged, Some(by));
        }
        self.see(actor);
        let state = match self.incident.state {
            IncidentState::Open => IncidentState::Acknowledged,
            later => later,
        };
        self.move_to(Act::Acknowledge, state);
        let is_in_hand = self.incident.tasks.iter().any(|t| t.state.is_held());
        if !is_in_hand {
            self.expect_more();
        }
        Ok(())
    }

    /// What is dispatched already goes on being so while somebody looks.
    pub(super) fn verify(&mut self, actor: &Actor) -> Result<(), Refused> {
        if let Some(verifying) = &self.incident.course.verifying {
            let by = verifying.by.clone();
            return self.refuse(Reason::HeldByOther, Some(&by));
        }
        self.see(actor);
        self.incident.course.acknowledge_expires_at = None;
        self.incident.course.verifying = Some(Verifying {
            by: actor.user.clone(),
            since: self.at,
            due: after(self.at, verify_s(self.incident.severity)),
        });
        let state = match self.incident.state {
            IncidentState::Dispatched => IncidentState::Dispatched,
            _ => IncidentState::Verifying,
        };
        self.move_to(Act::Verify, state);
        Ok(())
    }

    pub(super) fn dispatch(&mut self, command: &Command) -> Result<(), Refused> {
        self.may_dispatch(command)?;
        let planned: Vec<DepartmentId> = self.incident.plan.departments().cloned().collect();
        let asked = &command.departments;
        let given = self.give_tasks(if asked.is_empty() { &planned } else { asked });
        if given == 0 {
            return self.refuse(Reason::NothingToDispatch, self.incident.holder());
        }
        if command.verb == Verb::Dispatch {
            self.see(&command.actor);
        }
        Ok(())
    }

    /// Where the rule wants a person to look first, somebody has, and says what they saw.
    fn may_dispatch(&self, command: &Command) -> Result<(), Refused> {
        if self.needs_decision() {
            return self.refuse(Reason::HandedBackTwice, self.incident.holder());
        }
        let incident = &self.incident;
        if !incident.plan.verify || incident.severity == Severity::P1 {
            return Ok(());
        }
        match incident.state {
            IncidentState::Open | IncidentState::Acknowledged => {
                self.refuse(Reason::NeedsVerification, None)
            }
            IncidentState::Verifying
                if command.evidence.is_empty()
                    && incident.course.evidence.is_empty()
                    && command.note.is_none() =>
            {
                self.refuse(Reason::NeedsEvidence, None)
            }
            _ => Ok(()),
        }
    }

    /// The station lead decides who leads, also among those who have said "not ours".
    pub(super) fn assign(&mut self, command: &Command) -> Result<(), Refused> {
        let named = command
            .department
            .as_ref()
            .or(command.departments.first())
            .cloned();
        let Some(department) = named else {
            return self.refuse(Reason::NoTask, self.incident.holder());
        };
        let (at, clocks, resolve_due) = (
            self.at,
            self.incident.plan.clocks,
            self.incident.due.resolve,
        );
        let known = self
            .incident
            .tasks
            .iter_mut()
            .find(|t| t.department == department);
        match known {
            Some(task) if !task.state.is_open() => task.dispatch_again(at, clocks, resolve_due),
            Some(_) => {}
            None => {
                self.give_tasks(std::slice::from_ref(&department));
            }
        }
        let from = self.incident.lead().clone();
        for task in &mut self.incident.tasks {
            task.lead = task.department == department;
        }
        self.incident.state = IncidentState::Dispatched;
        self.incident.course.verifying = None;
        self.incident.course.acknowledge_expires_at = None;
        self.incident.course.hand_backs = 0;
        self.record(
            Act::Assign,
            Some(department.clone()),
            &from,
            &department.clone(),
        );
        self.see(&command.actor);
        self.tell_duty(&department);
        Ok(())
    }

    /// Words; the step that carries them is written here.
    pub(super) fn note(&mut self, command: &Command) -> Result<(), Refused> {
        if command.note.is_none() && command.evidence.is_empty() {
            return self.refuse(Reason::NeedsNote, None);
        }
        let state = self.incident.state;
        self.record(Act::Note, None, &state, &state);
        Ok(())
    }

    /// A step of the procedure is done, or not done after all. The record names the step.
    pub(super) fn tick(&mut self, command: &Command) -> Result<(), Refused> {
        let Some(step) = command.step.filter(|n| (1..=STEPS_MAX).contains(n)) else {
            return self.refuse(Reason::NeedsStep, None);
        };
        let ticked = &mut self.incident.course.ticked;
        let is_news = match command.verb {
            Verb::Untick => ticked.remove(&step),
            _ => ticked.insert(step),
        };
        if !is_news {
            return self.refuse(Reason::AlreadyDone, None);
        }
        self.record(command.verb.into(), None, &"", &step);
        Ok(())
    }

    /// Every rung up to the one that is asked for is told now: nobody is passed over.
    pub(super) fn escalate_to(&mut self, command: &Command) -> Result<(), Refused> {
        let told = self.incident.course.escalation.level;
        let upto = command.level.unwrap_or(told + 1);
        if self.incident.awaits().is_none() {
            return self.refuse(Reason::NothingAwaited, None);
        }
        if upto <= told || upto > LEVELS {
            return self.refuse(Reason::NoRung, None);
        }
        for _ in told..upto {
            self.tell_next_rung();
        }
        Ok(())
    }

    /// It goes on under another number; who takes its alarms over is the store's business.
    pub(super) fn merge(&mut self, command: &Command) -> Result<(), Refused> {
        let Some((parent, number)) = command.into.filter(|(id, _)| *id != self.incident.id) else {
            return self.refuse(Reason::WrongParent, None);
        };
        self.be_part_of(parent, number);
        Ok(())
    }

    pub(super) fn be_part_of(&mut self, parent: crate::IncidentId, number: u64) {
        let open = self.incident.tasks.iter().filter(|t| t.state.is_open());
        self.incident.course.merged = Some(Merged {
            at: self.at,
            state: self.incident.state,
            tasks: open.map(|t| (t.department.clone(), t.state)).collect(),
        });
        self.release_open_tasks();
        self.incident.parent = Some(parent);
        self.incident.state = IncidentState::Merged;
        self.incident.condition = super::Condition::Normal;
        let from = self.incident.number;
        self.record(Act::Merge, None, &format!("#{from}"), &format!("#{number}"));
    }

    /// Back to where it stood. Who had claimed has the task again, with a new lease; clocks have gone on.
    pub(super) fn unmerge(&mut self) -> Result<(), Refused> {
        let merged = self.incident.course.merged.clone();
        let in_time = |m: &Merged| self.at <= after(m.at, UNMERGE_S);
        let Some(merged) = merged.filter(in_time) else {
            return self.refuse(Reason::TooLate, None);
        };
        for (department, state) in merged.tasks {
            let (at, severity) = (self.at, self.incident.severity);
            let task = self
                .incident
                .tasks
                .iter_mut()
                .find(|t| t.department == department && t.state == TaskState::Released);
            if let Some(task) = task {
                task.state = state;
                task.renew(at, severity);
            }
        }
        self.incident.course.merged = None;
        self.incident.parent = None;
        self.move_to(Act::Unmerge, merged.state);
        Ok(())
    }

    /// Two departments have said "not ours", and nobody leads who has not.
    pub(super) fn needs_decision(&self) -> bool {
        let leads = self.incident.lead_task().is_some_and(|t| t.state.is_open());
        self.incident.course.hand_backs >= HAND_BACKS_MAX && !leads
    }
}
