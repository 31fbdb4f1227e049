//! What people ask: one command in, one version further, or refused with the reason.

use super::work::Work;
use super::{Act, By, Command, Effect, Incident, Reason, Refused, Reporter, Satisfaction, Verb};
use crate::{Timestamp, UserId};

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
        }
        next.keep_evidence(command);
        next.incident.version += 1;
        next.attach_note(command.verb.into(), command.note.as_ref());
        next.wait();
        Ok((next.incident, next.effects))
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
