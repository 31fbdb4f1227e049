//! What departments ask: claim, arrive, say how it stands, hand back. A claim is a lease: it is renewed by words and lapses
//! without; its fencing token tells a holder of before from the holder of now.

use super::work::Work;
use super::{
    Act, Actor, Command, HAND_BACKS_MAX, IncidentState, Reason, Refused, Task, TaskState, Verb,
};
use crate::DepartmentId;

impl Work {
    /// Position of the task that a command is about: the department's that it names, the one that the actor holds, the actor's
    /// department's, or the lead's.
    pub(super) fn task_for(&self, command: &Command) -> Result<usize, Refused> {
        let tasks = &self.incident.tasks;
        let held = || {
            let mine =
                |t: &Task| t.state.is_held() && t.holder.as_ref() == Some(&command.actor.user);
            let lead = tasks.iter().position(|t| t.lead && mine(t));
            lead.or_else(|| tasks.iter().position(mine))
        };
        let of = |department: &DepartmentId| tasks.iter().position(|t| t.department == *department);
        let found = match (&command.department, command.verb) {
            (Some(named), _) => of(named),
            (None, Verb::Claim) => self.own(&command.actor),
            (None, _) => held().or_else(|| self.own(&command.actor)),
        };
        found.map_or_else(|| self.refuse(Reason::NoTask, self.incident.holder()), Ok)
    }

    fn own(&self, actor: &Actor) -> Option<usize> {
        let tasks = &self.incident.tasks;
        match &actor.department {
            Some(own) => tasks.iter().position(|t| t.department == *own),
            None => tasks.iter().position(|t| t.lead),
        }
    }

    /// Position of the task that the actor holds, by name and token.
    pub(super) fn held_task(&self, command: &Command) -> Result<usize, Refused> {
        let position = self.task_for(command)?;
        let task = &self.incident.tasks[position];
        let is_holder = task.holder.as_ref() == Some(&command.actor.user);
        match task.state {
            TaskState::Claimed | TaskState::OnScene if !is_holder => {
                self.refuse(Reason::HeldByOther, task.holder.as_ref())
            }
            TaskState::Claimed | TaskState::OnScene => {
                if command.fence.is_some_and(|fence| fence != task.fence) {
                    return self.refuse(Reason::FenceStale, task.holder.as_ref());
                }
                Ok(position)
            }
            TaskState::Dispatched => self.refuse(Reason::NotClaimed, None),
            TaskState::Resolved | TaskState::Released | TaskState::HandedBack => {
                self.over(position)
            }
        }
    }

    fn over<T>(&self, position: usize) -> Result<T, Refused> {
        self.refuse(
            Reason::AlreadyDone,
            self.incident.tasks[position].holder.as_ref(),
        )
    }

    pub(super) fn claim(&mut self, command: &Command) -> Result<(), Refused> {
        if self.incident.state != IncidentState::Dispatched {
            self.dispatch(command)?;
        }
        let position = self.task_for(command)?;
        let (at, severity) = (self.at, self.incident.severity);
        let task = &mut self.incident.tasks[position];
        match task.state {
            TaskState::Dispatched => {
                task.state = TaskState::Claimed;
                task.holder = Some(command.actor.user.clone());
                task.claimed_at = Some(at);
                task.fence += 1;
                task.renew(at, severity);
                let department = task.department.clone();
                self.incident.course.acknowledge_expires_at = None;
                self.record(
                    Act::Claim,
                    Some(department),
                    &TaskState::Dispatched,
                    &TaskState::Claimed,
                );
                self.see(&command.actor);
                Ok(())
            }
            TaskState::Claimed | TaskState::OnScene => {
                let reason = if task.holder.as_ref() == Some(&command.actor.user) {
                    Reason::HeldAlready
                } else {
                    Reason::HeldByOther
                };
                let holder = task.holder.clone();
                self.refuse(reason, holder.as_ref())
            }
            TaskState::Resolved | TaskState::Released | TaskState::HandedBack => {
                self.over(position)
            }
        }
    }

    pub(super) fn arrive(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.held_task(command)?;
        let (at, severity) = (self.at, self.incident.severity);
        let task = &mut self.incident.tasks[position];
        if task.state == TaskState::OnScene {
            return self.over(position);
        }
        task.state = TaskState::OnScene;
        task.arrived_at = Some(at);
        task.renew(at, severity);
        let department = task.department.clone();
        self.record(
            Act::Arrive,
            Some(department),
            &TaskState::Claimed,
            &TaskState::OnScene,
        );
        Ok(())
    }

    /// How it stands, in words or with what shows it.
    pub(super) fn progress(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.held_task(command)?;
        if command.note.is_none() && command.evidence.is_empty() {
            return self.refuse(Reason::NeedsNote, None);
        }
        let (at, severity) = (self.at, self.incident.severity);
        let task = &mut self.incident.tasks[position];
        task.renew(at, severity);
        let (department, state) = (task.department.clone(), task.state);
        self.record(Act::Progress, Some(department), &state, &state);
        Ok(())
    }

    /// "Not ours": from the holder, or from the department while nobody has it. The clocks go on; the lead passes to whoever of the
    /// others is there, else the desk, after the second time the station lead, says who.
    pub(super) fn hand_back(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.task_for(command)?;
        let is_free = self.incident.tasks[position].state == TaskState::Dispatched;
        if is_free {
            let is_theirs = command.actor.department.as_ref()
                == Some(&self.incident.tasks[position].department);
            if !is_theirs {
                return self.refuse(Reason::NoTask, self.incident.holder());
            }
        } else {
            self.held_task(command)?;
        }
        if command.note.is_none() {
            return self.refuse(Reason::NeedsNote, None);
        }
        if self.incident.course.hand_backs >= HAND_BACKS_MAX {
            return self.refuse(Reason::HandedBackTwice, self.incident.holder());
        }
        self.incident.course.hand_backs += 1;
        let task = &mut self.incident.tasks[position];
        let from = task.let_go(TaskState::HandedBack);
        let (department, is_lead) = (task.department.clone(), task.lead);
        self.record(
            Act::HandBack,
            Some(department.clone()),
            &from,
            &TaskState::HandedBack,
        );
        if is_lead {
            let heir = self.incident.tasks.iter().find(|t| t.state.is_open());
            if let Some(heir) = heir.map(|t| t.department.clone()) {
                self.lead_by(&heir);
            } else {
                self.incident.state = IncidentState::Acknowledged;
                let task = &mut self.incident.tasks[position];
                task.lead = false;
                if !self.needs_decision() {
                    self.expect_more();
                }
            }
        }
        Ok(())
    }
}
