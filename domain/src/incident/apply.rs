//! What people ask: one command in, one version further, or refused with the reason.

use super::work::Work;
use super::{
    Act, Actor, By, Command, Effect, Evidence, EvidenceKind, Incident, Reason, Refused, Reporter,
    STEPS_MAX, Satisfaction, Verb,
};
use crate::{DepartmentId, Timestamp, UserId};

impl Incident {
    /// Carries out what a person asks. After a [step](Verb::is_step) the incident given back has the next version; nothing changes
    /// when refused.
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
            Verb::Verify => next.verify(&command.actor)?,
            Verb::Dismiss => next.dismiss(command)?,
            Verb::Dispatch => next.dispatch(command)?,
            Verb::Assign => next.assign(command)?,
            Verb::Claim => next.claim(command)?,
            Verb::Arrive => next.arrive(command)?,
            Verb::Progress => next.progress(command)?,
            Verb::HandBack => next.hand_back(command)?,
            Verb::Resolve => next.resolve(command)?,
            Verb::ForceClose => next.force_close(command)?,
            Verb::Merge => next.merge(command)?,
            Verb::Unmerge => next.unmerge()?,
            Verb::Cancel => next.cancel(command)?,
            Verb::Answer => next.answer(command.answer)?,
            Verb::Reopen => next.reopen(command)?,
            Verb::Close => next.close(),
            Verb::Note => next.note(command)?,
            Verb::Tick | Verb::Untick => next.tick(command)?,
            Verb::Escalate => next.escalate_to(command)?,
        }
        next.keep_evidence(command);
        if command.verb.is_step() {
            next.incident.version += 1;
        }
        next.attach_note(command.verb.into(), command.note.as_ref());
        next.wait();
        Ok((next.incident, next.effects))
    }

    /// Whether a person who says all that has to be said could have it now: [`apply`](Self::apply) itself is asked, with words,
    /// proof and a fitting cause, so that what is offered and what is decided are one. `departments` are all there are.
    ///
    /// # Errors
    /// [`Refused`] for what no words would change.
    pub fn could(
        &self,
        verb: Verb,
        actor: &Actor,
        department: Option<&DepartmentId>,
        departments: &[DepartmentId],
        at: Timestamp,
    ) -> Result<(), Refused> {
        let cause = match verb {
            Verb::Dismiss => "false_alarm",
            Verb::Cancel => "drill",
            _ => "genuine",
        };
        let step = |n: &u8| self.course.ticked.contains(n) == (verb == Verb::Untick);
        let another = crate::IncidentId::new(uuid::Uuid::from_u128(self.id.uuid().as_u128() ^ 1));
        let leads = (verb == Verb::Assign).then(|| self.lead());
        let asked = Command {
            note: Some(String::new()),
            cause: Some(cause.to_owned()),
            departments: match verb {
                Verb::Dispatch => departments.to_vec(),
                _ => Vec::new(),
            },
            department: department.or(leads).cloned(),
            evidence: vec![Evidence {
                kind: EvidenceKind::OnSite,
                reference: String::new(),
            }],
            into: Some((another, 0)),
            answer: Some(Satisfaction::Satisfied),
            step: (1..=STEPS_MAX).find(step),
            ..Command::new(verb, actor.clone(), at)
        };
        self.apply(&asked).map(|_| ())
    }

    /// Whoever reported it says whether it is settled; see [`Verb::Answer`]. They need no account.
    ///
    /// # Errors
    /// [`Refused`], as for a command.
    pub fn answer(
        &self,
        reporter: &Reporter,
        said: Satisfaction,
        note: Option<&String>,
        at: Timestamp,
    ) -> Result<(Self, Vec<Effect>), Refused> {
        if !Verb::Answer.from_states().contains(&self.state) {
            return Err(self.refused(Reason::WrongState, self.holder()));
        }
        let mut next = Work {
            incident: self.clone(),
            effects: Vec::new(),
            by: reporter.by(),
            at,
        };
        next.answer(Some(said))?;
        next.incident.version += 1;
        next.attach_note(Act::Answer, note);
        next.wait();
        Ok((next.incident, next.effects))
    }

    pub(super) fn refused(&self, reason: Reason, holder: Option<&UserId>) -> Refused {
        Refused {
            reason,
            state: self.state,
            holder: holder.cloned(),
        }
    }
}
