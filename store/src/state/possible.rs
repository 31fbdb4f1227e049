//! What a person could ask of an incident now, for buttons: the machine and the same look at the other incidents are asked that decide
//! when the command comes. Whether the person may is the API's business.

use domain::incident::{Actor, Reason, Refused, Verb};
use domain::{DepartmentId, IncidentId, Timestamp};

use super::error::StateError;
use super::{State, incidents};

/// One thing to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// What.
    pub verb: Verb,
    /// Whose task is named; none for a verb of the whole, and for what is meant when nothing is named.
    pub department: Option<DepartmentId>,
    /// What no words would change; none when it could be had.
    pub refused: Option<Refused>,
}

impl State {
    /// Every verb as this person would be answered at `at`, those of tasks for every task besides; empty if there is no such incident.
    ///
    /// # Errors
    /// [`StateError`] when the database fails.
    pub async fn possible(
        &self,
        id: IncidentId,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<Vec<Possible>, StateError> {
        let mut snapshot = self.snapshot().await?;
        let Some((incident, _)) = incidents::load(&mut snapshot, id).await? else {
            return Ok(Vec::new());
        };
        let (now, _) = incident.on_time(at);
        let is_taken = incidents::open_of(&mut snapshot, &now.rule, &now.subject)
            .await?
            .is_some_and(|open| open.id != id);
        let all: Vec<DepartmentId> = self.shared.registry().departments.keys().cloned().collect();
        let ask = |verb: Verb, department: Option<&DepartmentId>| {
            let answer = now.could(verb, actor, department, &all, at);
            let elsewhere = is_taken && matches!(verb, Verb::Unmerge | Verb::Reopen);
            let refused = answer.err().or_else(|| {
                elsewhere.then_some(Refused {
                    reason: Reason::OpenElsewhere,
                    state: now.state,
                    holder: None,
                })
            });
            Possible {
                verb,
                department: department.cloned(),
                refused,
            }
        };
        let mut possible = Vec::new();
        for &verb in Verb::ALL {
            possible.push(ask(verb, None));
            if verb.is_of_task() {
                possible.extend(now.tasks.iter().map(|t| ask(verb, Some(&t.department))));
            }
        }
        Ok(possible)
    }
}
