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
    let (liu, zhou): (UserId, UserId) = ("liu".parse().expect("id"), "zhou".parse().expect("id"));
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
