//! Who may do what: one table of routes × roles, and one of verbs × roles. A route that is in no table is refused to everybody.

use domain::incident::Verb;
use domain::{DepartmentId, Severity};
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

const EVERYBODY: Callers = Callers::Roles(Role::ALL);

/// Method, path as the router has it, callers.
pub const ROUTES: &[(&str, &str, Callers)] = &[
    ("POST", "/api/v1/session", Callers::Anybody),
    ("GET", "/api/v1/session", EVERYBODY),
    ("DELETE", "/api/v1/session", EVERYBODY),
    ("GET", "/api/v1/openapi.json", Callers::Anybody),
    ("GET", "/api/v1/meta", EVERYBODY),
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
    ),
    ("GET", "/api/v1/incidents", EVERYBODY),
    ("GET", "/api/v1/incidents/{id}", EVERYBODY),
    (
        "POST",
        "/api/v1/incidents/{id}/{verb}",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            Administrator,
        ]),
    ),
    (
        "GET",
        "/api/v1/events",
        Callers::Roles(&[
            Operator,
            Responder,
            StationLead,
            PropertyManager,
            Auditor,
            Administrator,
        ]),
    ),
    ("GET", "/api/v1/counts", EVERYBODY),
    ("GET", "/api/v1/alarms", EVERYBODY),
    (
        "POST",
        "/api/v1/alarms/{id}/shelve",
        Callers::Roles(&[StationLead, Administrator]),
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/unshelve",
        Callers::Roles(&[StationLead, Administrator]),
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/acknowledge",
        Callers::Roles(&[Operator, StationLead, PropertyManager, Administrator]),
    ),
    ("GET", "/api/v1/maintenance", EVERYBODY),
    (
        "POST",
        "/api/v1/maintenance",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
    ),
    (
        "POST",
        "/api/v1/maintenance/{id}/end",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
    ),
    ("GET", "/api/v1/devices", EVERYBODY),
    (
        "POST",
        "/api/v1/devices/{id}/invitation",
        Callers::Roles(&[PropertyManager, Administrator]),
    ),
    // the token is what it comes with
    ("POST", "/api/v1/enrol", Callers::Anybody),
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
    ),
    ("GET", "/api/v1/roster", EVERYBODY),
    ("GET", "/api/v1/resources", EVERYBODY),
    (
        "POST",
        "/api/v1/roster/swaps",
        Callers::Roles(&[StationLead]),
    ),
    ("GET", "/api/v1/live", EVERYBODY),
    ("GET", "/metrics", Callers::Roles(&[Administrator])),
];

/// Who may call this route; nobody when it is not in the table.
pub fn callers(method: &str, path: &str) -> Callers {
    let found = ROUTES.iter().find(|(m, p, _)| *m == method && *p == path);
    found.map_or(Callers::Roles(&[]), |(_, _, callers)| *callers)
}

/// Why somebody may not do something to an incident; none when they may.
pub fn refuses(
    user: &User,
    verb: Verb,
    severity: Severity,
    department: Option<&DepartmentId>,
) -> Option<&'static str> {
    match user.role {
        Operator | StationLead | Administrator => None,
        Responder => match verb {
            Verb::Claim | Verb::Arrive | Verb::Resolve => {
                let is_own = department.is_none() || department == user.department.as_ref();
                (!is_own).then_some("a responder acts for the own department only")
            }
            _ => Some("a responder claims, arrives and resolves"),
        },
        PropertyManager if severity >= Severity::P3 => None,
        PropertyManager => Some("a property manager handles P3 and P4"),
        GridCaptain | Auditor => Some("this role reads only"),
    }
}

/// Whether somebody sees number plates in full. Everybody else sees the start; unmasking for a purpose comes later.
pub fn sees_plates(user: &User) -> bool {
    match user.role {
        StationLead | Administrator => true,
        _ => user
            .department
            .as_ref()
            .is_some_and(|d| d.as_str() == "police"),
    }
}

/// Whether somebody sees how to reach people: those who call them, and who looks after the list.
pub fn sees_contacts(user: &User) -> bool {
    matches!(user.role, Operator | StationLead | Administrator)
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
        for (method, path, _) in ROUTES
            .iter()
            .filter(|(_, p, _)| *p != "/metrics" && *p != "/api/v1/openapi.json")
        {
            assert!(
                served.contains(&((*method).to_owned(), (*path).to_owned())),
                "{method} {path} is not served"
            );
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
            (user(Operator, None), Verb::Close, Severity::P1, None, true),
        ] {
            assert_eq!(
                refuses(&user, verb, severity, department).is_none(),
                may,
                "{:?} {verb:?}",
                user.role
            );
        }
    }
}
