//! How an incident ends, and how it begins again.

use super::task::after;
use super::work::Work;
use super::{
    Act, CAUSE_UNSPECIFIED, Command, Condition, Effect, EvidenceKind, FORCE_ALONE_S, Force,
    IncidentState, REVIEW_AFTER_S, Reason, Refused, Review, SAMPLED_ONE_IN, Satisfaction, Stage,
    TaskState, Verdict, review_s, verdict,
};
use crate::{DeviceClass, Severity};

impl Work {
    /// The holder is done. The lead's "done" is the incident's: it says what it was and shows it (whoever was on the scene has seen
    /// it), and what started it must be over.
    pub(super) fn resolve(&mut self, command: &Command) -> Result<(), Refused> {
        let position = self.held_task(command)?;
        let task = &self.incident.tasks[position];
        if task.lead {
            let was_there = task.state == TaskState::OnScene;
            let shown = was_there || command.note.is_some() || !command.evidence.is_empty();
            let cause = self.cause(command)?;
            let goes_on = self.incident.condition == Condition::Active;
            if goes_on && self.incident.course.lasting {
                return self.refuse(Reason::ConditionActive, None);
            }
            if !shown {
                return self.refuse(Reason::NeedsEvidence, None);
            }
            if verdict(&cause) == Some(Verdict::False) && !was_there {
                self.must_be_proven(command)?;
            }
            self.done(position);
            self.end_as(Act::Resolve, &cause);
        } else {
            self.done(position);
        }
        Ok(())
    }

    fn done(&mut self, position: usize) {
        let task = &mut self.incident.tasks[position];
        let holder = task.holder.clone();
        let from = task.let_go(TaskState::Resolved);
        task.holder = holder;
        task.resolved_at = Some(self.at);
        let department = task.department.clone();
        self.record(Act::Resolve, Some(department), &from, &TaskState::Resolved);
    }

    fn cause(&self, command: &Command) -> Result<String, Refused> {
        match command.cause.as_deref() {
            None | Some("" | CAUSE_UNSPECIFIED) => self.refuse(Reason::NeedsCause, None),
            Some(cause) if verdict(cause).is_none() => self.refuse(Reason::WrongCause, None),
            Some(cause) => Ok(cause.to_owned()),
        }
    }

    /// That a fire alarm was nothing must be seen (GB 25201 5.3: confirm by the fastest means, find and record the cause).
    fn must_be_proven(&self, command: &Command) -> Result<(), Refused> {
        let is_fire = self.incident.class == DeviceClass::FireSensor
            && self.incident.severity == Severity::P1;
        let proves = |kind| {
            matches!(
                kind,
                EvidenceKind::Photo | EvidenceKind::Video | EvidenceKind::OnSite
            )
        };
        let mut all = command
            .evidence
            .iter()
            .chain(&self.incident.course.evidence);
        if is_fire && !all.any(|e| proves(e.kind)) {
            return self.refuse(Reason::NeedsProof, None);
        }
        Ok(())
    }

    /// Nothing: from the desk, after somebody looked.
    pub(super) fn dismiss(&mut self, command: &Command) -> Result<(), Refused> {
        let cause = self.cause(command)?;
        if verdict(&cause) != Some(Verdict::False) {
            return self.refuse(Reason::WrongCause, None);
        }
        if command.evidence.is_empty() && command.note.is_none() {
            return self.refuse(Reason::NeedsEvidence, None);
        }
        self.must_be_proven(command)?;
        self.see(&command.actor);
        self.end_as(Act::Dismiss, &cause);
        Ok(())
    }

    /// Although its condition goes on. Of P1 two people say so; the second says nothing but yes.
    pub(super) fn force_close(&mut self, command: &Command) -> Result<(), Refused> {
        let user = &command.actor.user;
        let first = self.incident.course.force.clone();
        if let Some(first) = first.filter(|_| self.incident.severity == Severity::P1) {
            if first.by == *user {
                return self.refuse(Reason::NeedsSecondPerson, Some(&first.by));
            }
            self.incident.course.forced_by = vec![first.by, user.clone()];
            self.end_as(Act::ForceClose, &first.cause);
            return Ok(());
        }
        let cause = self.cause(command)?;
        let Some(note) = command.note.clone() else {
            return self.refuse(Reason::NeedsNote, None);
        };
        self.see(&command.actor);
        if self.incident.severity == Severity::P1 {
            self.incident.course.force = Some(Force {
                by: user.clone(),
                alone_at: after(self.at, FORCE_ALONE_S),
                cause,
                note,
            });
            let state = self.incident.state;
            self.move_to(Act::ForceClose, state);
        } else {
            self.incident.course.forced_by = vec![user.clone()];
            self.end_as(Act::ForceClose, &cause);
        }
        Ok(())
    }

    pub(super) fn end_as(&mut self, act: Act, cause: &str) {
        self.release_open_tasks();
        let at = self.at;
        let incident = &mut self.incident;
        incident.resolved_at = Some(at);
        incident.cause = Some(cause.to_owned());
        let course = &mut incident.course;
        course.is_false = verdict(cause) == Some(Verdict::False);
        course.verifying = None;
        course.acknowledge_expires_at = None;
        course.force = None;
        let is_sampled = incident.number.is_multiple_of(SAMPLED_ONE_IN);
        let begins_at = after(at, REVIEW_AFTER_S);
        course.review = Some(Review {
            begins_at,
            ends_at: after(at, review_s(incident.severity)),
            is_asked: incident.reporter.is_some()
                || incident.severity == Severity::P1
                || is_sampled,
        });
        self.move_to(act, IncidentState::Resolved);
        self.effects.push(Effect::AcknowledgeAlarms);
    }

    /// It was none.
    pub(super) fn cancel(&mut self, command: &Command) -> Result<(), Refused> {
        let cause = self.cause(command)?;
        if verdict(&cause) != Some(Verdict::Void) {
            return self.refuse(Reason::WrongCause, None);
        }
        if command.note.is_none() {
            return self.refuse(Reason::NeedsNote, None);
        }
        self.release_open_tasks();
        self.incident.cause = Some(cause);
        self.incident.closed_at = Some(self.at);
        self.move_to(Act::Cancel, IncidentState::Cancelled);
        self.effects.push(Effect::AcknowledgeAlarms);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.incident.closed_at = Some(self.at);
        self.move_to(Act::Close, IncidentState::Closed);
        self.effects.push(Effect::AcknowledgeAlarms);
    }

    /// What those concerned say. Satisfied closes, dissatisfied opens again; the second time the community secretary hears of it.
    pub(super) fn answer(&mut self, said: Option<Satisfaction>) -> Result<(), Refused> {
        self.must_be_in_time()?;
        match said {
            Some(Satisfaction::Satisfied) => {
                self.satisfied(Satisfaction::Satisfied);
                if self.incident.state == IncidentState::Review {
                    self.close();
                }
                Ok(())
            }
            Some(Satisfaction::Dissatisfied) => {
                self.satisfied(Satisfaction::Dissatisfied);
                self.incident.course.dissatisfied += 1;
                self.open_again();
                if self.incident.course.dissatisfied >= 2 {
                    let lead = self.incident.lead().clone();
                    let due = self.incident.due.acknowledge;
                    self.notify(lead, 3, Stage::Acknowledge, due);
                }
                Ok(())
            }
            _ => self.refuse(Reason::NeedsAnswer, None),
        }
    }

    fn satisfied(&mut self, said: Satisfaction) {
        let from = std::mem::replace(&mut self.incident.course.satisfaction, said);
        self.record(Act::Answer, None, &from, &said);
    }

    pub(super) fn reopen(&mut self, command: &Command) -> Result<(), Refused> {
        self.must_be_in_time()?;
        if command.note.is_none() {
            return self.refuse(Reason::NeedsNote, None);
        }
        self.open_again();
        Ok(())
    }

    fn must_be_in_time(&self) -> Result<(), Refused> {
        let ends_at = self.incident.course.review.map(|r| r.ends_at);
        if ends_at.is_none_or(|ends_at| self.at > ends_at) {
            return self.refuse(Reason::TooLate, None);
        }
        Ok(())
    }

    /// The same incident, another round: the lead's task anew, all clocks from now.
    pub(super) fn open_again(&mut self) {
        let at = self.at;
        let incident = &mut self.incident;
        incident.resolved_at = None;
        incident.closed_at = None;
        incident.cause = None;
        incident.acknowledged = None;
        incident.storm = None;
        incident.due.acknowledge = after(at, incident.plan.clocks.acknowledge_s);
        incident.due.resolve = after(at, incident.plan.clocks.resolve_s);
        let course = &mut incident.course;
        course.round += 1;
        course.hand_backs = 0;
        course.review = None;
        course.is_false = false;
        course.forced_by.clear();
        course.ticked.clear();
        course.acknowledge_expires_at = None;
        let (clocks, resolve_due) = (incident.plan.clocks, incident.due.resolve);
        let lead = incident.lead().clone();
        for task in &mut incident.tasks {
            if task.department == lead {
                task.dispatch_again(at, clocks, resolve_due);
            }
        }
        self.move_to(Act::Reopen, IncidentState::Dispatched);
        if self.incident.tasks.is_empty() {
            // it had been closed from the desk, before anybody was sent
            self.give_tasks(&[lead]);
        } else {
            self.tell_duty(&lead);
        }
    }
}
