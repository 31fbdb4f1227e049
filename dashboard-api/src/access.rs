//! Who may do what: one table of routes × roles × scopes, and one of verbs × roles. A route that is in no table is refused to everybody.

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

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Anybody, without logging in.
    Anybody,
    /// Whoever is logged in with one of these roles.
    Roles(&'static [Role]),
}

/// What of a route's answer an account that is limited gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoped {
    /// The same for everybody: it is about no place and no incident.
    Open,
    /// What is the caller's own, wherever.
    Own,
    /// What lies in their quarters and micro-grids; departments do not limit it.
    Place,
    /// What lies in their places and in which one of their departments has a part: incidents, and what hangs on them.
    Work,
    /// Nothing: it goes over the whole compound and cannot be taken apart.
    Whole,
}

const EVERYBODY: Callers = Callers::Roles(Role::ALL);
/// Those who keep the station's books, and who look into them.
const KEEPERS: Callers = Callers::Roles(&[
    Operator,
    StationLead,
    PropertyManager,
    Auditor,
    Administrator,
]);

/// Those who see what devices were told.
const ORDERED: Callers = Callers::Roles(&[
    Operator,
    Responder,
    StationLead,
    PropertyManager,
    Auditor,
    Administrator,
]);
/// Those who tell devices something.
const ORDERERS: Callers = Callers::Roles(&[Operator, StationLead, PropertyManager]);

/// Those who manage users and accounts.
const ADMINISTRATORS: Callers = Callers::Roles(&[Administrator]);
/// Those who look into what was done.
const INSPECTORS: Callers = Callers::Roles(&[StationLead, Auditor, Administrator]);

/// Method, path as the router has it, callers, scope.
pub const ROUTES: &[(&str, &str, Callers, Scoped)] = &[
    ("POST", "/api/v1/session", Callers::Anybody, Scoped::Own),
    // nobody is logged in yet who goes to the identity provider, comes back, or shows the code of the second step
    (
        "GET",
        "/api/v1/session/ways",
        Callers::Anybody,
        Scoped::Open,
    ),
    ("GET", "/api/v1/session/oidc", Callers::Anybody, Scoped::Own),
    (
        "GET",
        "/api/v1/session/oidc/callback",
        Callers::Anybody,
        Scoped::Own,
    ),
    (
        "POST",
        "/api/v1/session/oidc",
        Callers::Anybody,
        Scoped::Own,
    ),
    ("GET", "/api/v1/session", EVERYBODY, Scoped::Own),
    ("DELETE", "/api/v1/session", EVERYBODY, Scoped::Own),
    // one's own, and no others
    ("GET", "/api/v1/sessions", EVERYBODY, Scoped::Own),
    ("DELETE", "/api/v1/sessions", EVERYBODY, Scoped::Own),
    ("DELETE", "/api/v1/sessions/{id}", EVERYBODY, Scoped::Own),
    ("POST", "/api/v1/session/password", EVERYBODY, Scoped::Own),
    (
        "GET",
        "/api/v1/session/second-factor",
        EVERYBODY,
        Scoped::Own,
    ),
    (
        "POST",
        "/api/v1/session/second-factor",
        EVERYBODY,
        Scoped::Own,
    ),
    (
        "POST",
        "/api/v1/session/second-factor/confirmation",
        EVERYBODY,
        Scoped::Own,
    ),
    (
        "POST",
        "/api/v1/session/second-factor/end",
        EVERYBODY,
        Scoped::Own,
    ),
    (
        "GET",
        "/api/v1/openapi.json",
        Callers::Anybody,
        Scoped::Open,
    ),
    ("GET", "/api/v1/meta", EVERYBODY, Scoped::Place),
    (
        "GET",
        "/api/v1/status",
        Callers::Roles(&[
            Operator,
            StationLead,
            PropertyManager,
            Auditor,
            Administrator,
        ]),
        Scoped::Whole,
    ),
    ("GET", "/api/v1/incidents", EVERYBODY, Scoped::Work),
    ("GET", "/api/v1/incidents/{id}", EVERYBODY, Scoped::Work),
    (
        "POST",
        "/api/v1/incidents/{id}/{verb}",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            GridCaptain,
            Administrator,
        ]),
        Scoped::Work,
    ),
    // while a building is to be emptied, and for those who go in or send somebody
    (
        "GET",
        "/api/v1/incidents/{id}/evacuation",
        Callers::Roles(&[Operator, Responder, StationLead, PropertyManager]),
        Scoped::Work,
    ),
    // for those who handle the incident: who that is, and who is shown them, is decided by incident
    (
        "PUT",
        "/api/v1/incidents/{id}/photos/{sha256}",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            GridCaptain,
            Administrator,
        ]),
        Scoped::Work,
    ),
    (
        "GET",
        "/api/v1/incidents/{id}/photos/{sha256}",
        EVERYBODY,
        Scoped::Work,
    ),
    // by a link that was given to them, for an incident that they still may see
    ("GET", "/api/v1/snapshots/{link}", EVERYBODY, Scoped::Work),
    // a grid captain those of the own micro-grid, see `places_of_history`
    ("GET", "/api/v1/events", EVERYBODY, Scoped::Place),
    // the own ones; all of them for those who look over it
    ("GET", "/api/v1/unmaskings", EVERYBODY, Scoped::Own),
    (
        "POST",
        "/api/v1/unmaskings",
        Callers::Roles(&[Operator, Responder, StationLead, PropertyManager]),
        Scoped::Work,
    ),
    ("DELETE", "/api/v1/unmaskings/{id}", EVERYBODY, Scoped::Own),
    // who leads the station answers for what is kept longer than its time; who looks into what was done sees it
    ("GET", "/api/v1/holds", INSPECTORS, Scoped::Work),
    (
        "POST",
        "/api/v1/holds",
        Callers::Roles(&[StationLead]),
        Scoped::Work,
    ),
    (
        "DELETE",
        "/api/v1/holds/{id}",
        Callers::Roles(&[StationLead]),
        Scoped::Work,
    ),
    ("GET", "/api/v1/counts", EVERYBODY, Scoped::Place),
    ("GET", "/api/v1/alarms", EVERYBODY, Scoped::Work),
    (
        "POST",
        "/api/v1/alarms/{id}/shelve",
        Callers::Roles(&[StationLead, Administrator]),
        Scoped::Work,
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/unshelve",
        Callers::Roles(&[StationLead, Administrator]),
        Scoped::Work,
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/acknowledge",
        Callers::Roles(&[Operator, StationLead, PropertyManager, Administrator]),
        Scoped::Work,
    ),
    ("GET", "/api/v1/maintenance", EVERYBODY, Scoped::Place),
    (
        "POST",
        "/api/v1/maintenance",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/maintenance/{id}/end",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    // who watches and who manages the devices; who opens one is in the audit trail
    ("GET", "/api/v1/commands", ORDERED, Scoped::Place),
    ("GET", "/api/v1/commands/{id}", ORDERED, Scoped::Place),
    (
        "POST",
        "/api/v1/devices/{id}/commands",
        ORDERERS,
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/commands/{id}/confirm",
        ORDERERS,
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/commands/{id}/withdraw",
        ORDERERS,
        Scoped::Place,
    ),
    ("GET", "/api/v1/fire-modes", ORDERED, Scoped::Place),
    (
        "POST",
        "/api/v1/fire-modes",
        Callers::Roles(&[Operator, StationLead]),
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/fire-modes/{id}/confirm",
        ORDERERS,
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/fire-modes/{id}/end",
        Callers::Roles(&[Operator, StationLead]),
        Scoped::Place,
    ),
    ("GET", "/api/v1/devices", EVERYBODY, Scoped::Place),
    // whoever is limited admits what was heard in their places to zones in them
    ("GET", "/api/v1/newcomers", KEEPERS, Scoped::Place),
    (
        "POST",
        "/api/v1/newcomers/{id}/admission",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/newcomers/{id}/dismissal",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    ("GET", "/api/v1/grids", KEEPERS, Scoped::Work),
    (
        "POST",
        "/api/v1/devices/{id}/invitation",
        Callers::Roles(&[PropertyManager, Administrator]),
        Scoped::Place,
    ),
    // the token is what it comes with
    ("POST", "/api/v1/enrol", Callers::Anybody, Scoped::Open),
    (
        "GET",
        "/api/v1/quarantine",
        Callers::Roles(&[
            Operator,
            StationLead,
            PropertyManager,
            Auditor,
            Administrator,
        ]),
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/quarantine/{id}/rerun",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    (
        "POST",
        "/api/v1/quarantine/rerun",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Place,
    ),
    ("GET", "/api/v1/roster", EVERYBODY, Scoped::Open),
    ("GET", "/api/v1/roster/week", EVERYBODY, Scoped::Open),
    // the police look after the watch list and see no other table
    (
        "GET",
        "/api/v1/registry",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            Auditor,
            Administrator,
        ]),
        Scoped::Whole,
    ),
    (
        "GET",
        "/api/v1/registry/{table}",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            Auditor,
            Administrator,
        ]),
        Scoped::Whole,
    ),
    (
        "POST",
        "/api/v1/registry/import",
        Callers::Roles(&[Responder, StationLead, PropertyManager, Administrator]),
        Scoped::Whole,
    ),
    ("GET", "/api/v1/rules", KEEPERS, Scoped::Whole),
    ("GET", "/api/v1/rules/{id}", KEEPERS, Scoped::Whole),
    // how urgent it is decides who may save it
    (
        "PUT",
        "/api/v1/rules/{id}",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Whole,
    ),
    (
        "POST",
        "/api/v1/rules/trial",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Scoped::Whole,
    ),
    ("GET", "/api/v1/resources", EVERYBODY, Scoped::Open),
    (
        "POST",
        "/api/v1/roster/swaps",
        Callers::Roles(&[StationLead]),
        Scoped::Whole,
    ),
    ("GET", "/api/v1/duty-log", KEEPERS, Scoped::Whole),
    (
        "POST",
        "/api/v1/duty-log/notes",
        Callers::Roles(&[Operator, StationLead]),
        Scoped::Whole,
    ),
    ("GET", "/api/v1/handovers", KEEPERS, Scoped::Whole),
    (
        "POST",
        "/api/v1/handover",
        Callers::Roles(&[Operator, StationLead]),
        Scoped::Whole,
    ),
    (
        "POST",
        "/api/v1/handovers/{number}/sign",
        Callers::Roles(&[Operator, StationLead]),
        Scoped::Whole,
    ),
    // figures of departments and places, none of persons
    ("GET", "/api/v1/kpi", KEEPERS, Scoped::Whole),
    ("GET", "/api/v1/load", EVERYBODY, Scoped::Whole),
    ("GET", "/api/v1/storms", EVERYBODY, Scoped::Work),
    // what is folded is P3 and P4: property managers handle it too
    (
        "POST",
        "/api/v1/storms/{id}/acknowledge",
        Callers::Roles(&[Operator, StationLead, PropertyManager, Administrator]),
        Scoped::Work,
    ),
    (
        "GET",
        "/api/v1/report/form",
        Callers::Anybody,
        Scoped::Place,
    ),
    // without a log-in: a secret of one's own, and so many from an address
    ("POST", "/api/v1/reports", Callers::Anybody, Scoped::Own),
    ("GET", "/api/v1/reports/mine", EVERYBODY, Scoped::Own),
    // the secret, or a log-in that may see it
    (
        "GET",
        "/api/v1/reports/{id}",
        Callers::Anybody,
        Scoped::Work,
    ),
    (
        "POST",
        "/api/v1/reports/{id}/answer",
        Callers::Anybody,
        Scoped::Own,
    ),
    (
        "PUT",
        "/api/v1/report/photos/{sha256}",
        Callers::Anybody,
        Scoped::Own,
    ),
    (
        "GET",
        "/api/v1/report/photos/{sha256}",
        EVERYBODY,
        Scoped::Work,
    ),
    ("GET", "/api/v1/live", EVERYBODY, Scoped::Work),
    // the station lead answers for what the station did
    ("GET", "/api/v1/audit", INSPECTORS, Scoped::Whole),
    (
        "POST",
        "/api/v1/audit/verification",
        INSPECTORS,
        Scoped::Whole,
    ),
    ("GET", "/api/v1/users", ADMINISTRATORS, Scoped::Whole),
    ("POST", "/api/v1/users", ADMINISTRATORS, Scoped::Whole),
    (
        "PUT",
        "/api/v1/users/{login}",
        ADMINISTRATORS,
        Scoped::Whole,
    ),
    (
        "POST",
        "/api/v1/users/{login}/{act}",
        ADMINISTRATORS,
        Scoped::Whole,
    ),
    ("GET", "/api/v1/tokens", ADMINISTRATORS, Scoped::Whole),
    ("POST", "/api/v1/tokens", ADMINISTRATORS, Scoped::Whole),
    (
        "DELETE",
        "/api/v1/tokens/{id}",
        ADMINISTRATORS,
        Scoped::Whole,
    ),
    (
        "GET",
        "/metrics",
        Callers::Roles(&[Administrator]),
        Scoped::Whole,
    ),
];

/// Who may call this route; nobody when it is not in the table.
pub fn callers(method: &str, path: &str) -> Callers {
    let found = ROUTES.iter().find(|(m, p, ..)| *m == method && *p == path);
    found.map_or(Callers::Roles(&[]), |(_, _, callers, _)| *callers)
}

/// What of this route an account that is limited gets; nothing when it is not in the table.
pub fn scoped(method: &str, path: &str) -> Option<Scoped> {
    let found = ROUTES.iter().find(|(m, p, ..)| *m == method && *p == path);
    found.map(|(.., scoped)| *scoped)
}

/// Routes that somebody of this role and scope may call, as `POST /api/v1/handover`: for screens, so that they offer no more.
pub fn calls(role: Role, scope: &Scope) -> Vec<String> {
    let is_theirs = |callers: Callers| match callers {
        Callers::Anybody => true,
        Callers::Roles(roles) => roles.contains(&role),
    };
    ROUTES
        .iter()
        .filter(|(_, _, _, scoped)| *scoped != Scoped::Whole || scope.is_whole())
        .filter(|(_, _, callers, _)| is_theirs(*callers))
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect()
}

/// Whether a role may call all that another may: a token of the other is then within it.
pub fn covers(role: Role, other: Role) -> bool {
    let is_within = |callers: Callers| match callers {
        Callers::Anybody => true,
        Callers::Roles(roles) => roles.contains(&role) || !roles.contains(&other),
    };
    ROUTES.iter().all(|(_, _, callers, _)| is_within(*callers))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_api_is_in_the_table_and_no_other() {
        let document = serde_json::to_value(crate::openapi()).expect("serialises");
        let mut served: Vec<(String, String)> = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for method in methods.as_object().expect("methods").keys() {
                served.push((method.to_uppercase(), path.clone()));
            }
        }
        for (method, path) in &served {
            assert_ne!(
                callers(method, path),
                Callers::Roles(&[]),
                "{method} {path} is in no table"
            );
        }
        for (method, path, ..) in ROUTES
            .iter()
            .filter(|(_, p, ..)| *p != "/metrics" && *p != "/api/v1/openapi.json")
        {
            assert!(
                served.contains(&((*method).to_owned(), (*path).to_owned())),
                "{method} {path} is not served"
            );
        }
    }

    #[test]
    fn a_role_is_told_what_it_may_call_and_no_more() {
        let shelve = "POST /api/v1/alarms/{id}/shelve".to_owned();
        assert!(calls(StationLead, &Scope::default()).contains(&shelve));
        for role in [Operator, Responder, Auditor] {
            assert!(
                !calls(role, &Scope::default()).contains(&shelve),
                "{role:?}"
            );
        }
        assert!(
            calls(Auditor, &Scope::default())
                .iter()
                .all(|call| call.starts_with("GET") || !call.contains("incidents"))
        );
        // pages too: rules go over the whole compound, micro-grids lie somewhere
        let (rules, grids) = ("GET /api/v1/rules", "GET /api/v1/grids");
        let limited = Scope {
            quarters: ["q1".parse().expect("an id")].into(),
            ..Scope::default()
        };
        for (role, scope, expected) in [
            (Operator, Scope::default(), [true, true]),
            (Operator, limited, [false, true]),
            (GridCaptain, Scope::default(), [false, false]),
        ] {
            let has = calls(role, &scope);
            let is = [rules, grids].map(|route| has.iter().any(|call| call == route));
            assert_eq!(is, expected, "{role:?} {scope:?}");
        }
    }

    #[test]
    fn a_token_stays_within_the_role_that_makes_it() {
        for role in Role::ALL {
            assert!(covers(*role, *role), "{role:?}");
        }
        assert!(covers(Administrator, Auditor) && covers(StationLead, Operator));
        // the administrator asks to see nobody's plate in full
        assert!(!covers(Administrator, PropertyManager));
        // the administrator neither hands over nor swaps shifts
        assert!(!covers(Administrator, StationLead) && !covers(Administrator, Operator));
        assert!(!covers(Operator, Auditor) && !covers(Auditor, Operator));
        assert!(!covers(PropertyManager, Administrator));
    }

    #[test]
    fn property_managers_change_rules_of_what_they_handle() {
        let rule = |id: &str, severity: &str, more: &str, when: &str| {
            format!(
                "[[rule]]\nid = \"{id}\"\ntitle_zh = \"规则\"\ntitle_en = \"rule\"\nseverity = \"{severity}\"\nsubject = \"zone\"\n\
                 dedupe_s = 60\nlead = \"property\"\nsop_zh = [\"看\"]\nsop_en = [\"look\"]\n{more}\n[rule.when]\nis = \"match\"\n{when}\n"
            )
        };
        let set = |texts: &[String]| {
            let text = texts.concat();
            RuleSet::parse(&[("a.toml".to_owned(), text)]).unwrap_or_else(|e| panic!("{}", e[0]))
        };
        let tests = "kinds = [\"device.test\"]";
        let plain = rule("L1", "P3", "", tests);
        let user = |role| User {
            login: "somebody".parse().expect("a login"),
            name: String::new(),
            role,
            department: None,
            scope: Scope::default(),
        };
        let id: RuleId = "L1".parse().expect("an id");
        let why = |role, before: &[String], after: &[String]| {
            refuses_rule(&user(role), &id, &set(before), &set(after))
        };
        let one = std::slice::from_ref(&plain);
        for (role, may) in [
            (StationLead, true),
            (Administrator, true),
            (PropertyManager, true),
            (Operator, false),
            (Auditor, false),
        ] {
            assert_eq!(why(role, one, one).is_none(), may, "{role:?}");
        }
        let other = rule("L2", "P4", "", tests);
        let with_other = [plain.clone(), other.clone()];
        let urgent_at_night = rule(
            "L1",
            "P4",
            "severity_hours = { \"22:00-05:00\" = \"P2\" }",
            tests,
        );
        let absorbing = rule("L1", "P3", "absorbs = [\"L2\"]", tests);
        let listener = rule("L2", "P1", "", "rules = [\"L1\"]");
        for (before, after, part) in [
            (one.to_vec(), vec![urgent_at_night.clone()], "P3 and P4"),
            (vec![urgent_at_night], one.to_vec(), "P3 and P4"),
            (with_other.to_vec(), vec![absorbing, other], "takes over"),
            (
                vec![plain.clone(), listener.clone()],
                vec![plain.clone(), listener],
                "listens",
            ),
        ] {
            let refused = why(PropertyManager, &before, &after);
            assert!(
                refused.is_some_and(|said| said.contains(part)),
                "{part}: {refused:?}"
            );
            assert_eq!(why(StationLead, &before, &after), None, "{part}");
        }
    }

    #[test]
    fn an_unknown_route_is_nobodys() {
        assert_eq!(callers("GET", "/api/v1/secrets"), Callers::Roles(&[]));
    }

    #[test]
    fn responders_act_for_their_department_and_managers_on_small_things() {
        let fire: DepartmentId = "fire".parse().expect("an id");
        let police: DepartmentId = "police".parse().expect("an id");
        let user = |role, department: Option<&DepartmentId>| User {
            login: "somebody".parse().expect("a login"),
            name: "Somebody".to_owned(),
            role,
            department: department.cloned(),
            scope: Scope::default(),
        };
        for (user, verb, severity, department, may) in [
            (
                user(Responder, Some(&fire)),
                Verb::Claim,
                Severity::P1,
                None,
                true,
            ),
            (
                user(Responder, Some(&fire)),
                Verb::Claim,
                Severity::P1,
                Some(&police),
                false,
            ),
            (
                user(Responder, Some(&fire)),
                Verb::Close,
                Severity::P1,
                None,
                false,
            ),
            (
                user(PropertyManager, None),
                Verb::Resolve,
                Severity::P1,
                None,
                false,
            ),
            (
                user(PropertyManager, None),
                Verb::Resolve,
                Severity::P3,
                None,
                true,
            ),
            (
                user(Auditor, None),
                Verb::Acknowledge,
                Severity::P4,
                None,
                false,
            ),
            (
                user(GridCaptain, None),
                Verb::Claim,
                Severity::P4,
                None,
                false,
            ),
            (
                user(Responder, Some(&fire)),
                Verb::Note,
                Severity::P1,
                None,
                true,
            ),
            (
                user(Responder, Some(&fire)),
                Verb::Escalate,
                Severity::P1,
                None,
                false,
            ),
            (user(Auditor, None), Verb::Note, Severity::P4, None, false),
            (user(Operator, None), Verb::Close, Severity::P1, None, true),
            (
                user(Operator, None),
                Verb::Cancel,
                Severity::P1,
                None,
                false,
            ),
            (
                user(Operator, None),
                Verb::ForceClose,
                Severity::P1,
                None,
                false,
            ),
            (
                user(StationLead, None),
                Verb::ForceClose,
                Severity::P1,
                None,
                true,
            ),
            (
                user(GridCaptain, None),
                Verb::Answer,
                Severity::P3,
                None,
                false,
            ),
        ] {
            assert_eq!(
                refuses(
                    &user,
                    Asked {
                        verb,
                        department,
                        severity,
                        state: IncidentState::Dispatched,
                        zone: None,
                        reporter: Some(&"wang".parse().expect("a login")),
                        force_by: None,
                    },
                    &Registry::default(),
                )
                .is_none(),
                may,
                "{:?} {verb:?}",
                user.role
            );
        }
    }

    #[test]
    fn each_table_of_the_registry_has_its_keepers_and_none_of_a_limited_account() {
        use TableKind::{Devices, Grids, Households, People, Rentals, Watch, Zones};
        let user = |role, department: Option<&str>| User {
            login: "somebody".parse().expect("a login"),
            name: String::new(),
            role,
            department: department.map(|id| id.parse().expect("an id")),
            scope: Scope::default(),
        };
        let places = [Devices, Zones, Households, Rentals];
        for (role, department, keeps) in [
            (Operator, None, &[][..]),
            (Responder, Some("fire"), &[]),
            (Responder, Some("police"), &[Watch]),
            (StationLead, None, TableKind::ALL.as_slice()),
            (PropertyManager, None, &places),
            (GridCaptain, None, &[]),
            (Auditor, None, &[]),
            // also where somebody put them into the police
            (Auditor, Some("police"), &[]),
            (Administrator, None, TableKind::ALL.as_slice()),
        ] {
            let whole = user(role, department);
            let limited = User {
                scope: Scope {
                    quarters: ["q1".parse().expect("an id")].into(),
                    ..Scope::default()
                },
                ..whole.clone()
            };
            for table in [Devices, Grids, Households, People, Rentals, Watch, Zones] {
                let may = refuses_table(&whole, table).is_none();
                assert_eq!(
                    may,
                    keeps.contains(&table),
                    "{role:?} {department:?} {table:?}"
                );
                assert!(
                    refuses_table(&limited, table).is_some(),
                    "{role:?} {table:?}"
                );
            }
        }
    }

    #[test]
    fn whoever_reported_it_answers_and_a_second_person_agrees() {
        let user = |login: &str, role| User {
            login: login.parse().expect("a login"),
            name: String::new(),
            role,
            department: None,
            scope: Scope::default(),
        };
        let registry = Registry::default();
        let (liu, zhou): (UserId, UserId) =
            ("liu".parse().expect("id"), "zhou".parse().expect("id"));
        let asked = |verb| Asked {
            verb,
            department: None,
            severity: Severity::P1,
            state: IncidentState::Dispatched,
            zone: None,
            reporter: Some(&liu),
            force_by: Some(&zhou),
        };
        assert_eq!(
            refuses(&user("liu", GridCaptain), asked(Verb::Answer), &registry),
            None
        );
        assert!(refuses(&user("chen", GridCaptain), asked(Verb::Answer), &registry).is_some());
        assert_eq!(
            refuses(&user("wang", Operator), asked(Verb::ForceClose), &registry),
            None
        );
    }

    #[test]
    fn a_grid_captain_acts_in_the_own_micro_grid_on_what_was_dispatched() {
        const PLACES: &str = r#"
            committee = [{ id = "c1", name = "一委" }]
            person = [{ id = "p1", name = "周", login = "zhou" }, { id = "p2", name = "沈", login = "shen" }]
            grid = [
                { id = "g1", name = "一格", committee = "c1", captain = "p1" },
                { id = "g2", name = "二格", committee = "c1", captain = "p2" },
            ]
            site = [{ id = "q1", name = "一区", name_en = "Q1", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 }]
            zone = [
                { id = "z1", site = "q1", kind = "gate_lane", name = "东门", grid = "g1" },
                { id = "z2", site = "q1", kind = "gate_lane", name = "西门", grid = "g2" },
            ]
        "#;
        use IncidentState::{Acknowledged, Dispatched, Open};
        let registry = Registry::from_files([("places.toml", PLACES)]);
        let registry = registry.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let zhou = User {
            login: "zhou".parse().expect("a login"),
            name: "周".to_owned(),
            role: GridCaptain,
            department: None,
            scope: Scope::default(),
        };
        let check = |verb, zone: Option<&str>, state, why: Option<&str>| {
            let zone: Option<ZoneId> = zone.map(|id| id.parse().expect("an id"));
            let asked = Asked {
                verb,
                department: None,
                severity: Severity::P2,
                state,
                zone: zone.as_ref(),
                reporter: None,
                force_by: None,
            };
            let refused = refuses(&zhou, asked, &registry);
            let fits = match why {
                None => refused.is_none(),
                Some(why) => refused.is_some_and(|said| said.contains(why)),
            };
            assert!(fits, "{verb:?} {zone:?} {state:?}: {refused:?}");
        };
        for verb in [
            Verb::Claim,
            Verb::Arrive,
            Verb::Progress,
            Verb::HandBack,
            Verb::Resolve,
        ] {
            check(verb, Some("z1"), Dispatched, None);
            check(verb, Some("z2"), Dispatched, Some("this is in another"));
            check(verb, None, Dispatched, Some("nobody knows"));
        }
        for state in [Open, Acknowledged] {
            check(Verb::Claim, Some("z1"), state, Some("has been dispatched"));
        }
        for verb in [Verb::Acknowledge, Verb::Dispatch, Verb::Close, Verb::Answer] {
            check(verb, Some("z1"), Dispatched, Some("a grid captain reports"));
        }
    }
}
