//! The scripted joint-duty case: a fire lane is blocked while a flat burns. Five departments, one of which says "not ours"; each has
//! its own clocks, and the record tells all of it in order.

use super::apply_tests::{actor, at, finding, meta};
use super::{Act, Command, Condition, Effect, Incident, IncidentState, Standing, TaskState, Verb};
use crate::{IncidentId, Severity};

/// The incident and what has been written of it: second, act, who, whose.
struct Case {
    incident: Incident,
    told: Vec<(i64, Act, String, String)>,
}

impl Case {
    fn note(&mut self, (incident, effects): (Incident, Vec<Effect>)) {
        self.incident = incident;
        for effect in effects {
            if let Effect::Record(step) = effect {
                let second = step.at.as_second() - at(0).as_second();
                let department = step.department.map_or(String::new(), |d| d.to_string());
                self.told
                    .push((second, step.act, step.by.to_string(), department));
            }
        }
    }

    /// Somebody of a department (or of the desk) does something; the clocks run up to then.
    fn does(&mut self, second: i64, user: &str, department: Option<&str>, verb: Verb, note: &str) {
        self.passes(second);
        let asked = Command {
            at: at(second),
            note: (!note.is_empty()).then(|| note.to_owned()),
            cause: (verb == Verb::Resolve).then(|| "violation".to_owned()),
            ..Command::new(verb, actor(user, department), at(second))
        };
        let step = self.incident.apply(&asked);
        self.note(step.unwrap_or_else(|refused| panic!("{verb} by {user} at {second}: {refused}")));
    }

    fn passes(&mut self, second: i64) {
        while let Some(due) = self.incident.next_due().filter(|due| *due <= at(second)) {
            self.note(self.incident.on_time(due));
        }
    }
}

/// A department, where its part stands, and its seconds to claim, arrival and end.
type Clocks<'a> = (&'a str, TaskState, Option<i64>, Option<i64>, Option<i64>);

#[test]
fn a_blocked_fire_lane_is_cleared_by_five_departments_one_of_which_hands_it_back() {
    let id = IncidentId::new(uuid::Uuid::from_u128(3 << 80));
    let found = finding("B3c", "zone:lane-1", Severity::P1, 0);
    let rule = meta(
        "B3c",
        "traffic",
        &["fire", "police", "enforcement", "property"],
    );
    let (incident, effects) = Incident::open(id, 1042, &found, &rule);
    let told_at_once: Vec<String> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify(notice) if notice.level == 0 => Some(notice.department.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told_at_once,
        ["traffic", "fire", "police", "enforcement", "property"],
        "nobody waits for the desk"
    );
    let mut case = Case {
        incident: incident.clone(),
        told: Vec::new(),
    };
    case.note((incident, effects));

    case.does(12, "wang", None, Verb::Acknowledge, "");
    case.does(20, "sun", Some("traffic"), Verb::Claim, "");
    case.does(25, "li", Some("fire"), Verb::Claim, "");
    case.does(
        40,
        "qian",
        Some("enforcement"),
        Verb::HandBack,
        "the driver is known to traffic",
    );
    case.does(50, "wu", Some("property"), Verb::Claim, "");
    // the police take longer than their minute
    case.does(75, "zhao", Some("police"), Verb::Claim, "");
    case.does(110, "wu", Some("property"), Verb::Arrive, "");
    case.does(140, "sun", Some("traffic"), Verb::Arrive, "");
    case.does(150, "li", Some("fire"), Verb::Arrive, "");
    case.does(170, "zhao", Some("police"), Verb::Arrive, "");
    case.does(
        300,
        "wu",
        Some("property"),
        Verb::Resolve,
        "barrier raised, hydrant free",
    );
    let standing = Standing {
        condition: Condition::Normal,
        lasting: false,
    };
    case.note(
        case.incident
            .set_condition(standing, at(400), &case.incident.rule),
    );
    case.does(420, "sun", Some("traffic"), Verb::Resolve, "towed");

    let expected: &[(i64, Act, &str, &str)] = &[
        (0, Act::Open, "rule:B3c", ""),
        (0, Act::Dispatch, "rule:B3c", ""),
        (12, Act::Acknowledge, "wang", ""),
        (20, Act::Claim, "sun", "traffic"),
        (25, Act::Claim, "li", "fire"),
        (40, Act::HandBack, "qian", "enforcement"),
        (50, Act::Claim, "wu", "property"),
        (60, Act::Overdue, "clock", "police"),
        (75, Act::Claim, "zhao", "police"),
        (110, Act::Arrive, "wu", "property"),
        (140, Act::Arrive, "sun", "traffic"),
        (150, Act::Arrive, "li", "fire"),
        (170, Act::Arrive, "zhao", "police"),
        (300, Act::Resolve, "wu", "property"),
        (400, Act::Return, "rule:B3c", ""),
        (420, Act::Resolve, "sun", "traffic"),
        (420, Act::Release, "sun", "fire"),
        (420, Act::Release, "sun", "police"),
        (420, Act::Resolve, "sun", ""),
    ];
    let told: Vec<(i64, Act, &str, &str)> = case
        .told
        .iter()
        .map(|(second, act, by, department)| (*second, *act, by.as_str(), department.as_str()))
        .collect();
    assert_eq!(told, expected);

    // each department by its own clocks: seconds from dispatch to claim, arrival, end
    let clocks: Vec<Clocks<'_>> = case
        .incident
        .tasks
        .iter()
        .map(|task| {
            let since = |then: Option<crate::Timestamp>| {
                then.map(|then| then.as_second() - task.dispatched_at.as_second())
            };
            (
                task.department.as_str(),
                task.state,
                since(task.claimed_at),
                since(task.arrived_at),
                since(task.resolved_at),
            )
        })
        .collect();
    assert_eq!(
        clocks,
        [
            (
                "traffic",
                TaskState::Resolved,
                Some(20),
                Some(140),
                Some(420)
            ),
            ("fire", TaskState::Released, Some(25), Some(150), None),
            ("police", TaskState::Released, Some(75), Some(170), None),
            ("enforcement", TaskState::HandedBack, None, None, None),
            (
                "property",
                TaskState::Resolved,
                Some(50),
                Some(110),
                Some(300)
            ),
        ]
    );
    assert_eq!(case.incident.state, IncidentState::Resolved);
}
