//! Who may call which route, and what of its answer an account that is limited gets: one table. A route that is not in it is refused to
//! everybody.

use domain::Scope;
use store::state::Role;

use Callers::Anybody;
use Role::{
    Administrator, Auditor, GridCaptain, Operator, PropertyManager, Responder, StationLead,
};
use Scoped::{Open, Own, Place, Whole, Work};

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
    ("POST", "/api/v1/session", Anybody, Own),
    // nobody is logged in yet who goes to the identity provider, comes back, or shows the code of the second step
    ("GET", "/api/v1/session/ways", Anybody, Open),
    ("GET", "/api/v1/session/oidc", Anybody, Own),
    ("GET", "/api/v1/session/oidc/callback", Anybody, Own),
    ("POST", "/api/v1/session/oidc", Anybody, Own),
    ("GET", "/api/v1/session", EVERYBODY, Own),
    ("DELETE", "/api/v1/session", EVERYBODY, Own),
    // one's own, and no others
    ("GET", "/api/v1/sessions", EVERYBODY, Own),
    ("DELETE", "/api/v1/sessions", EVERYBODY, Own),
    ("DELETE", "/api/v1/sessions/{id}", EVERYBODY, Own),
    ("POST", "/api/v1/session/password", EVERYBODY, Own),
    ("GET", "/api/v1/session/second-factor", EVERYBODY, Own),
    ("POST", "/api/v1/session/second-factor", EVERYBODY, Own),
    (
        "POST",
        "/api/v1/session/second-factor/confirmation",
        EVERYBODY,
        Own,
    ),
    ("POST", "/api/v1/session/second-factor/end", EVERYBODY, Own),
    ("GET", "/api/v1/openapi.json", Anybody, Open),
    ("GET", "/api/v1/meta", EVERYBODY, Place),
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
        Whole,
    ),
    ("GET", "/api/v1/incidents", EVERYBODY, Work),
    ("GET", "/api/v1/incidents/{id}", EVERYBODY, Work),
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
        Work,
    ),
    // while a building is to be emptied, and for those who go in or send somebody
    (
        "GET",
        "/api/v1/incidents/{id}/evacuation",
        Callers::Roles(&[Operator, Responder, StationLead, PropertyManager]),
        Work,
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
        Work,
    ),
    (
        "GET",
        "/api/v1/incidents/{id}/photos/{sha256}",
        EVERYBODY,
        Work,
    ),
    // by a link that was given to them, for an incident that they still may see
    ("GET", "/api/v1/snapshots/{link}", EVERYBODY, Work),
    // a grid captain those of the own micro-grid, see `places_of_history`
    ("GET", "/api/v1/events", EVERYBODY, Place),
    // the own ones; all of them for those who look over it
    ("GET", "/api/v1/unmaskings", EVERYBODY, Own),
    (
        "POST",
        "/api/v1/unmaskings",
        Callers::Roles(&[Operator, Responder, StationLead, PropertyManager]),
        Work,
    ),
    ("DELETE", "/api/v1/unmaskings/{id}", EVERYBODY, Own),
    // who leads the station answers for what is kept longer than its time; who looks into what was done sees it
    ("GET", "/api/v1/holds", INSPECTORS, Work),
    (
        "POST",
        "/api/v1/holds",
        Callers::Roles(&[StationLead]),
        Work,
    ),
    (
        "DELETE",
        "/api/v1/holds/{id}",
        Callers::Roles(&[StationLead]),
        Work,
    ),
    ("GET", "/api/v1/counts", EVERYBODY, Place),
    ("GET", "/api/v1/alarms", EVERYBODY, Work),
    (
        "POST",
        "/api/v1/alarms/{id}/shelve",
        Callers::Roles(&[StationLead, Administrator]),
        Work,
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/unshelve",
        Callers::Roles(&[StationLead, Administrator]),
        Work,
    ),
    (
        "POST",
        "/api/v1/alarms/{id}/acknowledge",
        Callers::Roles(&[Operator, StationLead, PropertyManager, Administrator]),
        Work,
    ),
    ("GET", "/api/v1/maintenance", EVERYBODY, Place),
    (
        "POST",
        "/api/v1/maintenance",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    (
        "POST",
        "/api/v1/maintenance/{id}/end",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    // who watches and who manages the devices; who opens one is in the audit trail
    ("GET", "/api/v1/commands", ORDERED, Place),
    ("GET", "/api/v1/commands/{id}", ORDERED, Place),
    ("POST", "/api/v1/devices/{id}/commands", ORDERERS, Place),
    ("POST", "/api/v1/commands/{id}/confirm", ORDERERS, Place),
    ("POST", "/api/v1/commands/{id}/withdraw", ORDERERS, Place),
    ("GET", "/api/v1/fire-modes", ORDERED, Place),
    (
        "POST",
        "/api/v1/fire-modes",
        Callers::Roles(&[Operator, StationLead]),
        Place,
    ),
    ("POST", "/api/v1/fire-modes/{id}/confirm", ORDERERS, Place),
    (
        "POST",
        "/api/v1/fire-modes/{id}/end",
        Callers::Roles(&[Operator, StationLead]),
        Place,
    ),
    ("GET", "/api/v1/devices", EVERYBODY, Place),
    // whoever is limited admits what was heard in their places to zones in them
    ("GET", "/api/v1/newcomers", KEEPERS, Place),
    (
        "POST",
        "/api/v1/newcomers/{id}/admission",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    (
        "POST",
        "/api/v1/newcomers/{id}/dismissal",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    ("GET", "/api/v1/grids", KEEPERS, Work),
    (
        "POST",
        "/api/v1/devices/{id}/invitation",
        Callers::Roles(&[PropertyManager, Administrator]),
        Place,
    ),
    // the token is what it comes with
    ("POST", "/api/v1/enrol", Anybody, Open),
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
        Place,
    ),
    (
        "POST",
        "/api/v1/quarantine/{id}/rerun",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    (
        "POST",
        "/api/v1/quarantine/rerun",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Place,
    ),
    ("GET", "/api/v1/roster", EVERYBODY, Open),
    ("GET", "/api/v1/roster/week", EVERYBODY, Open),
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
        Whole,
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
        Whole,
    ),
    (
        "POST",
        "/api/v1/registry/import",
        Callers::Roles(&[Responder, StationLead, PropertyManager, Administrator]),
        Whole,
    ),
    ("GET", "/api/v1/rules", KEEPERS, Whole),
    ("GET", "/api/v1/rules/{id}", KEEPERS, Whole),
    // how urgent it is decides who may save it
    (
        "PUT",
        "/api/v1/rules/{id}",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Whole,
    ),
    (
        "POST",
        "/api/v1/rules/trial",
        Callers::Roles(&[StationLead, PropertyManager, Administrator]),
        Whole,
    ),
    ("GET", "/api/v1/resources", EVERYBODY, Open),
    (
        "POST",
        "/api/v1/roster/swaps",
        Callers::Roles(&[StationLead]),
        Whole,
    ),
    ("GET", "/api/v1/duty-log", KEEPERS, Whole),
    (
        "POST",
        "/api/v1/duty-log/notes",
        Callers::Roles(&[Operator, StationLead]),
        Whole,
    ),
    ("GET", "/api/v1/handovers", KEEPERS, Whole),
    (
        "POST",
        "/api/v1/handover",
        Callers::Roles(&[Operator, StationLead]),
        Whole,
    ),
    (
        "POST",
        "/api/v1/handovers/{number}/sign",
        Callers::Roles(&[Operator, StationLead]),
        Whole,
    ),
    // figures of departments and places, none of persons
    ("GET", "/api/v1/kpi", KEEPERS, Whole),
    ("GET", "/api/v1/load", EVERYBODY, Whole),
    ("GET", "/api/v1/storms", EVERYBODY, Work),
    // what is folded is P3 and P4: property managers handle it too
    (
        "POST",
        "/api/v1/storms/{id}/acknowledge",
        Callers::Roles(&[Operator, StationLead, PropertyManager, Administrator]),
        Work,
    ),
    ("GET", "/api/v1/report/form", Anybody, Place),
    // without a log-in: a secret of one's own, and so many from an address
    ("POST", "/api/v1/reports", Anybody, Own),
    ("GET", "/api/v1/reports/mine", EVERYBODY, Own),
    // the secret, or a log-in that may see it
    ("GET", "/api/v1/reports/{id}", Anybody, Work),
    ("POST", "/api/v1/reports/{id}/answer", Anybody, Own),
    ("PUT", "/api/v1/report/photos/{sha256}", Anybody, Own),
    ("GET", "/api/v1/report/photos/{sha256}", EVERYBODY, Work),
    ("GET", "/api/v1/live", EVERYBODY, Work),
    // the station lead answers for what the station did
    ("GET", "/api/v1/audit", INSPECTORS, Whole),
    ("POST", "/api/v1/audit/verification", INSPECTORS, Whole),
    ("GET", "/api/v1/users", ADMINISTRATORS, Whole),
    ("POST", "/api/v1/users", ADMINISTRATORS, Whole),
    ("PUT", "/api/v1/users/{login}", ADMINISTRATORS, Whole),
    ("POST", "/api/v1/users/{login}/{act}", ADMINISTRATORS, Whole),
    ("GET", "/api/v1/tokens", ADMINISTRATORS, Whole),
    ("POST", "/api/v1/tokens", ADMINISTRATORS, Whole),
    ("DELETE", "/api/v1/tokens/{id}", ADMINISTRATORS, Whole),
    ("GET", "/metrics", Callers::Roles(&[Administrator]), Whole),
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
