//! What a caller is shown in full: what they have leave for, and what their department is there for. Everything else is masked.
//!
//! **Invariant:** nothing is shown in full before the audit trail says so; when it cannot be written, the answer is an error.

use domain::incident::IncidentState;
use domain::place::Registry;
use domain::{DepartmentId, Event, IncidentId, Severity, Shows};
use serde_json::Value;
use store::state::{Ground, IncidentItem, Role, UnmaskingItem, User};

use crate::auth::Caller;
use crate::{Api, Problem, access, mask, schema};

/// What one caller may see in full now.
pub(crate) struct Sight<'a> {
    user: &'a User,
    leave: Vec<UnmaskingItem>,
}

impl<'a> Sight<'a> {
    pub(crate) async fn of(api: &Api, caller: &'a Caller) -> Result<Self, Problem> {
        let user = &caller.user;
        let now = (api.deps.clock)();
        let leave = api.deps.state.unmaskings_of(&user.login, now).await?;
        Ok(Self { user, leave })
    }

    fn leave_for(&self, incident: IncidentId) -> Option<&UnmaskingItem> {
        self.leave.iter().find(|leave| leave.incident == incident)
    }

    /// Why an incident is shown to the caller in full; none when it is not.
    fn ground(&self, item: &IncidentItem) -> Option<Ground> {
        match self.leave_for(item.id) {
            Some(leave) => Some(Ground::Leave(leave.id)),
            None => is_duty(self.user, &item.departments, item.state).then_some(Ground::Duty),
        }
    }

    /// Why a snapshot of an incident is shown to the caller; none when it is not. A place is shown to those who are shown photos; a car or a face
    /// is masked besides, as the plate and the name are.
    pub(crate) fn snapshot_ground(
        &self,
        item: &IncidentItem,
        registry: &Registry,
        shows: Shows,
    ) -> Option<Ground> {
        if !sees_photos(self.user, item, registry) {
            None
        } else if shows.is_masked() {
            self.ground(item)
        } else {
            Some(Ground::Photos)
        }
    }

    /// The incident for which an event is shown to the caller in full; none when it is not.
    pub(crate) fn incident_of(&self, event: &Event) -> Option<IncidentId> {
        let covers = |leave: &&UnmaskingItem| leave.around.covers(&event.site, event.received_at);
        self.leave.iter().find(covers).map(|leave| leave.incident)
    }

    /// An incident and what belongs to it, masked unless the caller has a ground, and how it stands with that.
    pub(crate) async fn show(
        &self,
        api: &Api,
        item: &IncidentItem,
        parts: Vec<&mut Value>,
    ) -> Result<schema::Sight, Problem> {
        let ground = self.ground(item);
        let mut holds = false;
        for part in parts {
            let mut masked = part.clone();
            mask::value(&mut masked);
            if masked != *part {
                holds = true;
                if ground.is_none() {
                    *part = masked;
                }
            }
        }
        if holds && let Some(ground) = &ground {
            let now = (api.deps.clock)();
            let state = &api.deps.state;
            state
                .note_shown(&self.user.login, item.id, ground, now)
                .await?;
        }
        let leave = self.leave_for(item.id);
        Ok(schema::Sight {
            is_masked: holds && ground.is_none(),
            shown_until: leave.map(|leave| leave.expires_at.to_string()),
            unmasking: leave.map(|leave| leave.id.to_string()),
            may_unmask: holds && may_unmask(self.user, item),
        })
    }
}

/// Whether the department that the caller serves in is there for what the incident names.
fn is_duty(user: &User, departments: &[DepartmentId], state: IncidentState) -> bool {
    user.role == Role::Responder
        && access::is_police(user)
        && user
            .department
            .as_ref()
            .is_some_and(|department| departments.contains(department))
        && !matches!(
            state,
            IncidentState::Closed | IncidentState::Merged | IncidentState::Cancelled
        )
}

/// Who may ask to see an incident in full: who handles it, and who leads the station. Administrators look after accounts, auditors read
/// the trail: neither needs a plate.
pub(crate) fn may_unmask(user: &User, item: &IncidentItem) -> bool {
    match user.role {
        Role::Operator | Role::StationLead => true,
        Role::Responder => user
            .department
            .as_ref()
            .is_some_and(|department| item.departments.contains(department)),
        Role::PropertyManager => item.severity >= Severity::P3,
        Role::GridCaptain | Role::Auditor | Role::Administrator => false,
    }
}

/// Whether somebody is shown photos of an incident and of its reports, which may show anybody's face: who handles it, and who leads the
/// station. A grid captain handles what is in the own micro-grid. Administrators and auditors do not, and leave to see plates does not help.
pub(crate) fn sees_photos(user: &User, item: &IncidentItem, registry: &Registry) -> bool {
    match user.role {
        Role::GridCaptain => item
            .zone
            .as_ref()
            .is_some_and(|zone| access::is_captain_of(user, zone, registry)),
        _ => may_unmask(user, item),
    }
}

/// Whether somebody may search history for a plate, a card or a person: who answers at the gate, and the police.
pub(crate) fn may_search(user: &User) -> bool {
    match user.role {
        Role::Operator | Role::StationLead | Role::PropertyManager => true,
        Role::Responder => access::is_police(user),
        Role::GridCaptain | Role::Auditor | Role::Administrator => false,
    }
}

#[cfg(test)]
mod tests {
    use domain::Scope;

    use super::*;

    #[test]
    fn duty_is_that_of_police_officers_in_what_they_have_a_part_in_while_it_goes_on() {
        use IncidentState::{Acknowledged, Cancelled, Closed, Dispatched, Merged, Open, Resolved};
        let department = |id: &str| -> DepartmentId { id.parse().expect("an id") };
        let check = |role, of: Option<&str>, parts: &[&str], state, expect: bool| {
            let user = User {
                login: "somebody".parse().expect("a login"),
                name: String::new(),
                role,
                department: of.map(department),
                scope: Scope::default(),
            };
            let parts: Vec<DepartmentId> = parts.iter().map(|id| department(id)).collect();
            let is = is_duty(&user, &parts, state);
            assert_eq!(is, expect, "{role:?} of {of:?} in {parts:?}, {state:?}");
        };
        let both = ["police", "traffic"];
        for state in [Open, Acknowledged, Dispatched, Resolved] {
            check(Role::Responder, Some("police"), &both, state, true);
        }
        for state in [Closed, Merged, Cancelled] {
            check(Role::Responder, Some("police"), &both, state, false);
        }
        check(Role::Responder, Some("traffic"), &both, Open, false);
        check(Role::Responder, None, &both, Open, false);
        check(Role::Responder, Some("police"), &["fire"], Open, false);
        check(Role::Responder, Some("police"), &[], Open, false);
        for role in Role::ALL.iter().filter(|role| **role != Role::Responder) {
            check(*role, Some("police"), &both, Open, false);
        }
    }
}
