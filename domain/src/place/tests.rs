use super::*;

const SMALL: &str = r#"
    [[committee]]
    id = "c1"
    name = "一委"
    [[person]]
    id = "p1"
    name = "王磊"
    [[grid]]
    id = "g1"
    name = "一格"
    committee = "c1"
    captain = "p1"
    [[site]]
    id = "q1"
    name = "一区"
    name_en = "Quarter 1"
    width_m = 100.0
    height_m = 80.0
    x_m = 0.0
    y_m = 0.0
    [[zone]]
    id = "z1"
    site = "q1"
    kind = "stair"
    name = "一单元"
    grid = "g1"
"#;
const HEAD: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m\n";

#[test]
fn a_small_folder_loads() {
    let csv = format!("{HEAD}smoke-1,q1,z1,fire_sensor,烟感-1,sim,60,1.0,2.0\n");
    let registry = Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect("loads");
    assert_eq!(
        registry
            .zone_of(&"smoke-1".parse().expect("id"))
            .map(|z| z.name.as_str()),
        Some("一单元")
    );
}

#[test]
fn every_mistake_is_listed_with_its_file() {
    let csv = format!(
        "{HEAD}smoke-1,q1,nowhere,fire_sensor,n,m,60,1,2\nSMOKE,q1,z1,fire_sensor,n,m,60,1,2\nsmoke-3,q1,z1,toaster,n,m,60,1,2\n"
    );
    let errors = Registry::from_files([
        ("a.toml", SMALL),
        ("b.toml", "[[sitee]]\nid = \"x\""),
        ("d.csv", &csv),
    ])
    .expect_err("refused");
    let all = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    for part in ["sitee", "d.csv", "SMOKE", "line: 4"] {
        assert!(all.contains(part), "{part} is not in:\n{all}");
    }
    assert!(
        !all.contains("nowhere"),
        "not before the files are read: {all}"
    );
}

#[test]
fn a_device_in_no_zone_is_told_with_its_line() {
    let csv = format!(
        "# a remark\n{HEAD}s-1,q1,z1,fire_sensor,n,m,60,1,2\ns-2,q1,nowhere,fire_sensor,n,m,60,1,2\n"
    );
    let errors = Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect_err("refused");
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["d.csv:4: device `s-2` names zone `nowhere`, which does not exist"]
    );
}

#[test]
fn plates_compare_by_their_letters() {
    assert_eq!(normal_plate(" 浙ｇ·１２３４５ "), "浙G12345");
}

const FLAT: &str = r#"
    [[zone]]
    id = "z2"
    site = "q1"
    kind = "unit"
    name = "101室"
    grid = "g1"
"#;

fn mistakes(toml: &str) -> Vec<String> {
    let files = [("a.toml", SMALL), ("b.toml", FLAT), ("c.toml", toml)];
    match Registry::from_files(files) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_flat_knows_its_grid_its_households_and_its_tenants() {
    let households = r#"
        [[household]]
        id = "h1"
        zone = "z2"
        residents = 1
        elder_alone = true
        consent_care = true
        language = "zh"
        contact = "13800000000"
        [[household]]
        id = "h2"
        zone = "z2"
        residents = 3
        language = "en"
        [[rental]]
        zone = "z2"
        registered = 4
        from = "2026-01-01"
        until = "2026-12-31"
        declared_on = "2025-12-20"
        [[rental]]
        zone = "z2"
        registered = 2
        from = "2026-06-01"
        until = "2026-06-30"
        declared_on = "2026-05-30"
    "#;
    let files = [("a.toml", SMALL), ("b.toml", FLAT), ("c.toml", households)];
    let registry = Registry::from_files(files).expect("loads");
    let zone = "z2".parse().expect("id");
    assert_eq!(registry.grid_of(&zone).map(|g| g.id.as_str()), Some("g1"));
    let captain = registry.captain_of(&zone);
    assert_eq!(captain.map(|p| p.id.as_str()), Some("p1"));
    let committee = registry.committee_of(&zone);
    assert_eq!(committee.map(|c| c.id.as_str()), Some("c1"));
    let care: Vec<_> = registry
        .households_in(&zone)
        .map(Household::is_in_elder_care)
        .collect();
    assert_eq!(care, [true, false]);
    for (day, registered) in [
        ("2025-12-31", None),
        ("2026-01-01", Some(4)),
        ("2026-05-31", Some(4)),
        ("2026-06-01", Some(2)),
        ("2026-06-30", Some(2)),
        ("2026-07-01", Some(4)),
        ("2026-12-31", Some(4)),
        ("2027-01-01", None),
    ] {
        let day = day.parse().expect("a day");
        assert_eq!(registry.registered_on(&zone, day), registered, "{day}");
    }
    assert!(
        !format!("{registry:?}").contains("13800000000"),
        "a number is printed"
    );
}

#[test]
fn households_and_declarations_that_cannot_be_are_told() {
    for (toml, part) in [
        (
            "[[household]]\nid = 'h'\nzone = 'nowhere'\nresidents = 1\nlanguage = 'zh'",
            "`nowhere`, which does not exist",
        ),
        (
            "[[household]]\nid = 'h'\nzone = 'z1'\nresidents = 1\nlanguage = 'zh'",
            "`z1`, which is no flat",
        ),
        (
            "[[household]]\nid = 'h'\nzone = 'z2'\nresidents = 0\nlanguage = 'zh'",
            "no residents",
        ),
        (
            "[[household]]\nid = 'h'\nzone = 'z2'\nresidents = 2\nelder_alone = true\nlanguage = 'zh'",
            "more than one resident",
        ),
        (
            "[[household]]\nid = 'h'\nzone = 'z2'\nresidents = 2\nlanguage = 'Chinese'",
            "no language tag",
        ),
        (
            "[[rental]]\nzone = 'z2'\nregistered = 2\nfrom = '2026-02-01'\nuntil = '2026-01-01'\ndeclared_on = '2026-01-01'",
            "ends before it begins",
        ),
        (
            "[[person]]\nid = 'p2'\nname = 'a'\nlogin = 'wang'\n[[person]]\nid = 'p3'\nname = 'b'\nlogin = 'wang'",
            "`p2`'s",
        ),
    ] {
        let told = mistakes(toml);
        assert!(
            matches!(&told[..], [one] if one.contains(part)),
            "{part}: {told:?}"
        );
    }
}
