//! Who may do what: `routes` is one table of routes × roles × scopes; here is what of incidents, tables, rules and reports is whose.

mod routes;
#[cfg(test)]
mod tests;

use domain::UserId;
use domain::incident::{IncidentState, Verb};
use domain::place::{Registry, TableKind, Zone};
use domain::rule::{Rule, RuleSet};
use domain::scope::Places;
use domain::{DepartmentId, Reach, RuleId, Scope, Severity, ZoneId};
use store::state::{Role, User};

use Role::{
    Administrator, Auditor, GridCaptain, Operator, PropertyManager, Responder, StationLead,
};
pub use routes::{Callers, ROUTES, Scoped, callers, calls, covers, scoped};

/// What is asked of which incident.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What.
    pub verb: Verb,
    /// Whose task, if one was named.
    pub department: Option<&'a DepartmentId>,
    /// How urgent it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// Where it is, where known.
    pub zone: Option<&'a ZoneId>,
    /// Who reported it.
    pub reporter: Option<&'a UserId>,
    /// Who has closed it by force and waits for a second person.
    pub force_by: Option<&'a UserId>,
}

/// Why somebody may not do something to an incident; none when they may.
///
/// Who does what is RULES' table: the desk acknowledges, verifies, dispatches and merges; departments claim, arrive and resolve; the
/// station lead overrides. A grid captain takes on what was given out in the own micro-grid, and goes on with it as whoever holds it.
/// Whoever reported it says whether it is settled.
pub fn refuses(user: &User, asked: Asked<'_>, registry: &Registry) -> Option<&'static str> {
    let Asked {
        verb, department, ..
    } = asked;
    let is_theirs = asked.reporter == Some(&user.login);
    if verb == Verb::Answer && is_theirs {
        return None;
    }
    let is_duty = verb.is_of_task();
    let is_aside = matches!(verb, Verb::Note | Verb::Tick | Verb::Untick);
    match user.role {
        StationLead | Administrator => None,
        Operator => match verb {
            Verb::Assign | Verb::Cancel | Verb::Reopen => {
                Some("the station lead assigns, cancels and reopens")
            }
            Verb::ForceClose if asked.force_by.is_none() => {
                Some("the station lead closes by force, an operator agrees")
            }
            _ => None,
        },
        Responder if is_duty => {
            let is_own = department.is_none() || department == user.department.as_ref();
            (!is_own).then_some("a responder acts for the own department only")
        }
        Responder if is_aside => None,
        Responder => {
            Some("a responder claims, arrives, says how it stands, hands back, resolves and notes")
        }
        PropertyManager if asked.severity >= Severity::P3 => match verb {
            Verb::Assign | Verb::Cancel | Verb::Reopen | Verb::ForceClose => {
                Some("the station lead assigns, cancels, reopens and closes by force")
            }
            _ => None,
        },
        PropertyManager => Some("a property manager handles P3 and P4"),
        GridCaptain if is_duty || is_aside => match asked.zone {
            None => Some("nobody knows in whose micro-grid this is"),
            Some(zone) if !is_captain_of(user, zone, registry) => {
                Some("a grid captain claims in the own micro-grid, this is in another")
            }
            // claiming would send the departments as well: that is the desk's
            Some(_) if verb == Verb::Claim && asked.state != IncidentState::Dispatched => {
                Some("a grid captain claims what has been dispatched, and this has not yet")
            }
            Some(_) => None,
        },
        GridCaptain => Some(
            "a grid captain reports, claims in the own micro-grid, and says of the own reports whether they are settled",
        ),
        Auditor => Some("this role reads only"),
    }
}

/// Whether somebody keeps the watch list, and so sees it in full: the police, and who leads the station.
pub fn keeps_watch(user: &User) -> bool {
    matches!(user.role, StationLead | Administrator) || is_police(user)
}

/// Whether somebody serves in the department whose duty listed plates are (RULES, B1: masked for all but the police).
pub fn is_police(user: &User) -> bool {
    user.department
        .as_ref()
        .is_some_and(|department| department.as_str() == "police")
}

/// Whether somebody sees how to reach people: those who call them, and who looks after the list.
pub fn sees_contacts(user: &User) -> bool {
    matches!(user.role, Operator | StationLead | Administrator)
}

/// Whether somebody may look into a table of the registry. Plates and contacts in it are masked as everywhere.
pub fn reads_table(user: &User, table: TableKind) -> bool {
    match user.role {
        Operator | StationLead | PropertyManager | Auditor | Administrator => true,
        Responder => table == TableKind::Watch && keeps_watch(user),
        GridCaptain => false,
    }
}

/// Why somebody may not change a table of the registry; none when they may.
///
/// Property managers keep devices and places. Who a person is says what they may do (a log-in, a micro-grid's captain), so that is the
/// station lead's. What is watched belongs to those who see it in full.
pub fn refuses_table(user: &User, table: TableKind) -> Option<&'static str> {
    if !user.scope.is_whole() {
        return Some("an account that is limited to places or departments changes no table");
    }
    let may = match table {
        TableKind::Watch => keeps_watch(user),
        TableKind::People | TableKind::Grids => matches!(user.role, StationLead | Administrator),
        TableKind::Devices | TableKind::Zones | TableKind::Households | TableKind::Rentals => {
            matches!(user.role, StationLead | PropertyManager | Administrator)
        }
    };
    if may && user.role != Auditor {
        return None;
    }
    Some(match table {
        TableKind::Watch => "the police and the station lead keep the watch list",
        TableKind::People | TableKind::Grids => "the station lead keeps people and micro-grids",
        _ => "property managers and the station lead keep this table",
    })
}

/// Why somebody may neither admit nor dismiss a device that was heard; none when they may.
///
/// Those who keep the table of devices do. It adds one line and changes none, so whoever is limited to places does it within them.
pub fn refuses_admission(user: &User) -> Option<&'static str> {
    let whole = User {
        scope: Scope::default(),
        ..user.clone()
    };
    refuses_table(&whole, TableKind::Devices)
}

/// Whether somebody keeps the list of households, and so sees in it who needs help out of a building.
pub fn keeps_households(user: &User) -> bool {
    refuses_table(user, TableKind::Households).is_none()
}

/// Why somebody may not make of one set of rules another by changing a rule; none when they may.
///
/// Property managers keep the rules of what they handle, P3 and P4. What a rule holds back or takes over, and what more urgent rules
/// listen to, decides whether others ring: that is the station lead's.
pub fn refuses_rule(
    user: &User,
    id: &RuleId,
    before: &RuleSet,
    after: &RuleSet,
) -> Option<&'static str> {
    if !user.scope.is_whole() {
        return Some("an account that is limited to places or departments changes no rule");
    }
    match user.role {
        StationLead | Administrator => return None,
        PropertyManager => {}
        Operator | Responder | GridCaptain | Auditor => {
            return Some("the station lead and property managers change rules");
        }
    }
    let is_urgent = |rule: &Rule| rule.urgency.most_urgent() < Severity::P3;
    for set in [before, after] {
        if set.rule(id).is_some_and(is_urgent) {
            return Some(
                "a property manager changes rules of P3 and P4; the station lead changes this one",
            );
        }
        if set.heard_by(id).into_iter().any(is_urgent) {
            return Some("a rule of P1 or P2 listens to this one: the station lead changes it");
        }
    }
    let holds = |set: &RuleSet| {
        let meta = set.meta(id);
        let suppresses = meta.and_then(|meta| meta.suppresses.clone());
        (
            suppresses,
            meta.map_or_else(Vec::new, |meta| meta.absorbs.clone()),
        )
    };
    (holds(before) != holds(after))
        .then_some("what a rule holds back or takes over is the station lead's to change")
}

/// Whether somebody may report: everybody but those who only read.
pub fn reports(user: &User) -> bool {
    user.role != Auditor
}

/// Whether somebody sees a report that is not their own: the station does, a grid captain what is of the own micro-grid.
pub fn sees_report(user: &User, zone: Option<&ZoneId>, registry: &Registry) -> bool {
    match user.role {
        GridCaptain => zone.is_some_and(|zone| is_captain_of(user, zone, registry)),
        Operator | Responder | StationLead | PropertyManager | Auditor | Administrator => true,
    }
}

/// Where somebody sees events and their counts; none for everywhere. A grid captain sees the own micro-grid, as far as it lies in the
/// account's places.
pub fn places_of_history(user: &User, registry: &Registry) -> Option<Places> {
    let reach = user.scope.within(registry);
    if user.role != GridCaptain {
        return reach.place;
    }
    let own = registry.zones.values().filter(|zone| {
        reach.sees(&zone.site, Some(&zone.id)) && is_captain_of(user, &zone.id, registry)
    });
    Some(Places {
        zones: own.map(|zone| zone.id.clone()).collect(),
        ..Places::default()
    })
}

/// Whether a zone lies in the micro-grid whose captain somebody is.
pub fn is_captain_of(user: &User, zone: &ZoneId, registry: &Registry) -> bool {
    let captain = registry.captain_of(zone);
    captain.is_some_and(|person| person.login.as_ref() == Some(&user.login))
}

/// Whether somebody is shown a place when they report: everybody what is public, a grid captain the own micro-grid, the station all.
/// What is public is so outside a scope too.
pub fn sees_zone(user: Option<&User>, reach: &Reach, zone: &Zone, registry: &Registry) -> bool {
    let is_theirs = |user| {
        reach.sees(&zone.site, Some(&zone.id)) && sees_report(user, Some(&zone.id), registry)
    };
    zone.kind.is_public() || user.is_some_and(is_theirs)
}
