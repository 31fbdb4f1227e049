//! What people ask: the verbs, each a small function over the whole incident.

use super::{
    Act, Actor, By, CAUSE_UNSPECIFIED, Command, DEPARTMENTS_MAX, Effect, Incident, IncidentState,
    Reason, Refused, Step, Task, TaskState, Verb,
};
use crate::{DepartmentId, Timestamp, UserId};

impl Incident {
    /// Carries out what a person asks. The incident given back has the next version; nothing changes when refused.
    ///
    /// # Errors
    /// [`Refused`] with the reason, the state, and who was faster.
    pub fn apply(&self, command: &Command) -> Result<(Self, Vec<Effect>), Refused> {
        if !command.verb.from_states().contains(&self.state) {
            return Err(self.refused(Reason::WrongState, self.holder()));
        }
        let mut next = Work {
            incident: self.clone(),
            effects: Vec::new(),
            by: By::User(command.actor.user.clone()),
            at: command.at,
        };
        match command.verb {
            Verb::Acknowledge => next.acknowledge(&command.actor)?,
            Verb::Dispatch => next.dispatch(&command.departments)?,
            Verb::Claim => next.claim(command)?,
            Verb::Arrive => next.arrive(command)?,
            Verb::Resolve => next.resolve(command)?,
            Verb::Close => next.close(),
        }
        next.incident.version += 1;
        next.attach_note(command);
        Ok((next.incident, next.effects))
    }

    fn refused(&self, reason: Reason, holder: Option<&UserId>) -> Refused {
        Refused {
            reason,
            state: self.state,
            holder: holder.cloned(),
        }
    }
}

/// An incident on its way from one version to the next.
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
    fn attach_note(&mut self, command: &Command) {
        let asked = Act::from(command.verb);
        let step = self.effects.iter_mut().find_map(|effect| match effect {
            Effect::Record(step) if step.act == asked => Some(step),
            _ => None,
        });
        if let Some(step) = step {
            step.note.clone_from(&command.note);
        }
    }

    fn move_to(&mut self, act: Act, state: IncidentState) {
        let from = std::mem::replace(&mut self.incident.state, state);
        self.record(act, None, &from, &state);
    }

    fn refuse<T>(&self, reason: Reason, holder: Option<&UserId>) -> Result<T, Refused> {
        Err(self.incident.refused(reason, holder))
    }

    fn acknowledge(&mut self, actor: &Actor) -> Result<(), Refused> {
        if let Some((_, by)) = &self.incident.acknowledged {
            return self.refuse(Reason::AlreadyAcknowledged, Some(by));
        }
        self.incident.acknowledged = Some((self.at, actor.user.clone()));
        let state = match self.incident.state {
            IncidentState::Open => IncidentState::Acknowledged,
            later => later,
        };
        self.move_to(Act::Acknowledge, state);
        self.effects.push(Effect::AcknowledgeAlarms);
        Ok(())
    }

    fn dispatch(&mut self, asked: &[DepartmentId]) -> Result<(), Refused> {
        let planned: Vec<DepartmentId> = self.incident.plan.departments().cloned().collect();
        let given = self.give_tasks(if asked.is_empty() { &planned } else { asked });
        if given == 0 {
            return self.refuse(Reason::NothingToDispatch, self.incident.holder());
        }
        Ok(())
    }

    /// Gives tasks to those departments that have none yet and says how many it were. Of the first tasks of an incident one
    /// leads: the planned lead's, or the first when the planned lead is not among them.
    pub(super) fn give_tasks(&mut self, departments: &[DepartmentId]) -> usize {
        let incident = &mut self.incident;
        let lead = match incident.lead_task() {
            Some(task) => Some(task.department.clone()),
            None if departments.contains(&incident.plan.lead) => Some(incident.plan.lead.clone()),
            None => departments.first().cloned(),
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
            given.push(department.as_str().to_owned());
        }
        if !given.is_empty() {
            self.move_to(Act::Dispatch, IncidentState::Dispatched);
        }
        given.len()
    }

    /// Position of the task that a command is about: the department's that it names, the one that the actor holds, the actor's
    /// department's, or the lead's.
    fn task_for(&self, command: &Command) -> Result<usize, Refused> {
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

    fn claim(&mut self, command: &Command) -> Result<(), Refused> {
        if self.incident.state != IncidentState::Dispatched {
            self.dispatch(&[])?;
        }
        let position = self.task_for(command)?;
        let task = &mut self.incident.tasks[position];
        match task.state {
            TaskState::Dispatched => {
                task.state = TaskState::Claimed;
                task.holder = Some(command.actor.user.clone());
                task.claimed_at = Some(self.at);
                let department = task.department.clone();
                self.record(
                    Act::Claim,
                    Some(department),
                    &TaskState::Dispatched,
                    &TaskState::Claimed,
                );
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
            TaskState::Resolved | TaskState::Released => self.over(position),
        }
    }

    fn over<T>(&self, position: usize) -> Result<T, Refused> {
        self.refuse(
            Reason::AlreadyDone,
            self.incident.tasks[position].holder.as_ref(),
        )
    }

    fn arrive(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.task_for(command)?;
        let task = &mut self.incident.tasks[position];
        let is_holder = task.holder.as_ref() == Some(&command.actor.user);
        match task.state {
            TaskState::Claimed if is_holder => {
                task.state = TaskState::OnScene;
                task.arrived_at = Some(self.at);
                let department = task.department.clone();
                self.record(
                    Act::Arrive,
                    Some(department),
                    &TaskState::Claimed,
                    &TaskState::OnScene,
                );
                Ok(())
            }
            TaskState::Claimed => {
                let holder = task.holder.clone();
                self.refuse(Reason::HeldByOther, holder.as_ref())
            }
            TaskState::Dispatched => self.refuse(Reason::NotClaimed, None),
            TaskState::OnScene | TaskState::Resolved | TaskState::Released => self.over(position),
        }
    }

    /// The holder may, and so may their department: shifts change. Who serves in no department must hold the task.
    fn resolve(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.task_for(command)?;
        let task = &mut self.incident.tasks[position];
        let is_holder = task.holder.as_ref() == Some(&command.actor.user);
        let is_theirs = command.actor.department.as_ref() == Some(&task.department);
        match task.state {
            TaskState::Dispatched => return self.refuse(Reason::NotClaimed, None),
            TaskState::Resolved | TaskState::Released => return self.over(position),
            TaskState::Claimed | TaskState::OnScene if !is_holder && !is_theirs => {
                let holder = task.holder.clone();
                return self.refuse(Reason::HeldByOther, holder.as_ref());
            }
            TaskState::Claimed | TaskState::OnScene => {}
        }
        let from = std::mem::replace(&mut task.state, TaskState::Resolved);
        task.resolved_at = Some(self.at);
        let (department, is_lead) = (task.department.clone(), task.lead);
        self.record(Act::Resolve, Some(department), &from, &TaskState::Resolved);
        if is_lead {
            self.release_open_tasks();
            self.incident.resolved_at = Some(self.at);
            let cause = command.cause.as_deref().unwrap_or(CAUSE_UNSPECIFIED);
            self.incident.cause = Some(cause.to_owned());
            self.move_to(Act::Resolve, IncidentState::Resolved);
            self.effects.push(Effect::AcknowledgeAlarms);
        }
        Ok(())
    }

    pub(super) fn release_open_tasks(&mut self) {
        let mut released = Vec::new();
        for task in self.incident.tasks.iter_mut().filter(|t| t.state.is_open()) {
            let from = std::mem::replace(&mut task.state, TaskState::Released);
            released.push((task.department.clone(), from));
        }
        for (department, from) in released {
            self.record(Act::Release, Some(department), &from, &TaskState::Released);
        }
    }

    fn close(&mut self) {
        self.incident.closed_at = Some(self.at);
        self.move_to(Act::Close, IncidentState::Closed);
        self.effects.push(Effect::AcknowledgeAlarms);
    }
}
