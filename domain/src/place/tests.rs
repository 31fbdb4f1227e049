use super::load::Loader;
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
    for part in ["sitee", "d.csv", "SMOKE", "d.csv:4"] {
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
        [
            "d.csv:4: column `zone`: device `s-2` names zone `nowhere`, which does not exist (hint: known are `z1`)"
        ]
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
        [[household]]
        id = "h3"
        zone = "z2"
        residents = 1
        elder_alone = true
        consent_contact = true
        language = "zh"
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
    assert_eq!(care, [true, false, false], "not without consent");
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

#[test]
fn a_mistake_in_toml_is_told_with_its_line_and_without_its_text() {
    let toml = "[[household]]\nid = 'h'\nzone = 'z2'\ncontact = '13800000000'\nresidents = 'two'\nlanguage = 'zh'";
    assert_eq!(
        mistakes(toml),
        ["c.toml:5: invalid type: string \"two\", expected u16"]
    );
    let toml =
        "zone = [\n { id = 'z3', site = 'q1', kind = 'stairs', name = 'n', grid = 'g1' },\n]";
    let told = mistakes(toml);
    assert!(
        told[0].starts_with("c.toml:2: unknown variant `stairs`"),
        "{told:?}"
    );
    let toml = "zone = [\n { id = 'z1', site = 'q1', kind = 'stair', name = 'n', grid = 'g1' },\n { id = 'z3', site = 'q1', kind = 'stair', name = 'n', grid = 'g1' },\n]";
    assert_eq!(
        mistakes(toml),
        [
            "c.toml:2: zone `z1` is there twice (hint: ids are unique over all files; the first is in a.toml:21)"
        ]
    );
}

fn plan(kind: TableKind, text: &str, folder: &[(&str, &str)]) -> Result<Import, Vec<String>> {
    let mut files = vec![
        ("a.toml".to_owned(), SMALL.to_owned()),
        ("b.toml".to_owned(), FLAT.to_owned()),
    ];
    files.extend(
        folder
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned())),
    );
    Import::plan(&files, kind, "new.csv", text)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

const HOUSEHOLDS: &str =
    "id,zone,residents,elder_alone,consent_care,consent_contact,language,contact\n";

#[test]
fn an_import_says_what_it_would_change() {
    let old = format!(
        "# a remark\n{HOUSEHOLDS}h1,z2,1,true,true,false,zh,\nh2,z2,3,,,,en,\nh3,z2,2,,,,zh,\n"
    );
    // as a spreadsheet writes it: a byte order mark, capitals, an empty line, columns in another order
    let new = "\u{feff}ID,contact,zone,residents,elder_alone,consent_care,consent_contact,language\r\n\
        h2,'+8613800000000,z2,4,FALSE,否,是,en\r\nh1,,z2,1,TRUE,TRUE,FALSE,zh\r\nh4,,z2,1,,,,ar\r\n,,,,,,,\r\n";
    let import = plan(TableKind::Households, new, &[("households.csv", &old)]).expect("good");
    assert_eq!(import.file.as_deref(), Some("households.csv"));
    assert_eq!(import.added, ["h4"]);
    assert_eq!(import.removed, ["h3"]);
    assert_eq!(import.unchanged, 1);
    let changed: Vec<_> = import.changed.iter().map(|c| c.key.as_str()).collect();
    assert_eq!(changed, ["h2"]);
    let columns: Vec<_> = import.changed[0].columns.iter().map(|c| c.0).collect();
    assert_eq!(columns, ["residents", "consent_contact", "contact"]);
    assert_eq!(
        import.text,
        "# a remark\nid,zone,residents,elder_alone,consent_care,consent_contact,language,contact,evacuation\n\
         h1,z2,1,true,true,false,zh,,\nh2,z2,4,false,false,true,en,'+8613800000000,\nh4,z2,1,false,false,false,ar,,\n"
    );
    let again = plan(
        TableKind::Households,
        &import.text,
        &[("households.csv", &import.text)],
    );
    assert!(again.expect("good").is_nothing());
}

#[test]
fn an_import_lists_every_mistake_by_line_and_column() {
    let new = format!(
        "{HOUSEHOLDS}H1,z2,many,perhaps,,,zh,\nh2,z2,1,,,,zh\nh3,z2,1,,,,zh,\nh3,z2,1,,,,zh,\n"
    );
    assert_eq!(
        plan(TableKind::Households, &new, &[]).expect_err("refused"),
        [
            "new.csv:2: column `id`: `H1` is not an id (hint: 1 to 64 of a-z, 0-9 and -, as in `smoke-0215`)",
            "new.csv:2: column `residents`: `many` is no such number (hint: how many people, such as 3)",
            "new.csv:2: column `elder_alone`: `perhaps` is neither yes nor no (hint: true or false, 是 or 否)",
            "new.csv:3: 7 cells instead of 8 (hint: a text with a comma stands in double quotes)",
            "new.csv:5: household `h3` is there twice (hint: ids are unique over all files; the first is in new.csv:4)",
        ]
    );
    let new = format!("{HOUSEHOLDS}h1,z22,1,,,,zh,\nh2,z1,1,,,,zh,\n");
    assert_eq!(
        plan(TableKind::Households, &new, &[]).expect_err("refused"),
        [
            "new.csv:2: column `zone`: household `h1` names zone `z22`, which does not exist (hint: did you mean `z2`?)",
            "new.csv:3: column `zone`: household `h2` names zone `z1`, which is no flat (hint: a zone of kind `unit`)",
        ]
    );
    assert_eq!(
        plan(TableKind::Rentals, "zone,registred,from,until\n", &[]).expect_err("refused"),
        [
            "new.csv:1: unknown column `registred` (hint: did you mean `registered`?)",
            "new.csv:1: column `registered`: a table of rentals needs this column",
            "new.csv:1: column `declared_on`: a table of rentals needs this column",
        ]
    );
    assert_eq!(
        plan(TableKind::Watch, "", &[]).expect_err("refused"),
        [
            "new.csv:1: the table has no line of column names (hint: the first line is plate,credential,person,reason,violent,owner,expires_on)"
        ]
    );
}

#[test]
fn what_a_toml_file_holds_stays_there_and_is_not_contradicted() {
    let zones = "id,site,building,floor,floor_to,kind,name,grid\n";
    let new = format!("{zones}z1,q1,,,,stair,一单元,g1\nz3,q1,,-1,,unit,地下室,g1\n");
    let import = plan(TableKind::Zones, &new, &[]).expect("good");
    assert_eq!(import.file, None);
    assert_eq!(
        (import.added, import.kept),
        (vec!["z3".to_owned()], vec!["z2".to_owned()])
    );
    assert_eq!(import.text, format!("{zones}z3,q1,,-1,,unit,地下室,g1\n"));
    let new = format!("{zones}z1,q1,,,,lift,一单元,g1\n");
    assert_eq!(
        plan(TableKind::Zones, &new, &[]).expect_err("refused"),
        [
            "new.csv:2: column `kind`: zone `z1` says something else than a.toml:21 (hint: change it there, or take it out of there)"
        ]
    );
}

#[test]
fn a_zone_over_several_floors_says_the_lowest_and_the_highest() {
    let zones = "id,site,building,floor,floor_to,kind,name,grid\n";
    let new = |floors: &str| format!("{zones}z3,q1,,{floors},stair,4–6层,g1\n");
    let import = plan(TableKind::Zones, &new("4,6"), &[]).expect("good");
    assert_eq!(import.text, new("4,6"));
    for (floors, what) in [
        (
            "6,4",
            "goes over no floors (hint: `floor` is the lowest, `floor_to` the highest)",
        ),
        (
            "6,6",
            "goes over no floors (hint: `floor` is the lowest, `floor_to` the highest)",
        ),
        (
            ",6",
            "has `floor_to` and no `floor` (hint: `floor` is the lowest)",
        ),
    ] {
        let told = plan(TableKind::Zones, &new(floors), &[]).expect_err("refused");
        assert!(
            told[0].contains("column `floor_to`") && told[0].ends_with(what),
            "{told:?}"
        );
    }
}

#[test]
fn a_removal_that_leaves_something_without_its_place_is_refused() {
    let zones = "id,site,building,floor,kind,name,grid\n";
    let old = format!("{zones}z3,q1,,,unit,301,g1\n");
    let rentals = "zone,registered,from,until,declared_on\nz3,2,2026/1/1,2026/12/31,2025-12-20\n";
    let told = plan(
        TableKind::Zones,
        zones,
        &[("zones-q1.csv", &old), ("rentals.csv", rentals)],
    );
    assert_eq!(
        told.expect_err("refused"),
        [
            "rentals.csv:2: column `zone`: rental `z3 2025-12-20 2026-01-01` names zone `z3`, which does not exist (hint: known are `z1`, `z2`)"
        ]
    );
}

#[test]
fn what_is_exported_reads_back_the_same() {
    let csv = format!("{HEAD}smoke-1,q1,z1,fire_sensor,\"=烟感,1\",,60,1.0,2.5\n");
    let zones = "id,site,building,floor,floor_to,kind,name,grid\nz4,q1,,-1,,unit,301,g1\n";
    let watch = "plate,reason,violent,owner,expires_on\n浙G·12345,找人,是,p1,2030/1/2\n";
    // a table without the columns that nothing stands in
    let cards = "credential,reason,owner,expires_on\nc-12,失窃,p1,2030-01-02\n";
    let files = [
        ("a.toml", SMALL),
        ("d.csv", csv.as_str()),
        ("zones.csv", zones),
        ("watch.csv", watch),
        ("watch-cards.csv", cards),
    ];
    let registry = Registry::from_files(files).expect("loads");
    for (kind, line) in [
        (
            TableKind::Devices,
            "smoke-1,q1,z1,fire_sensor,\"'=烟感,1\",,60,1.0,2.5,,",
        ),
        (TableKind::Zones, "z4,q1,,-1,,unit,301,g1"),
        (TableKind::Watch, "浙G·12345,,,找人,true,p1,2030-01-02"),
        (TableKind::Watch, ",c-12,,失窃,false,p1,2030-01-02"),
        (TableKind::People, "p1,王磊,,,"),
        (TableKind::Grids, "g1,一格,c1,p1"),
    ] {
        let text = registry.export(kind);
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
        let name = format!("{kind}.csv");
        let mut read = Loader::default();
        read.add(&name, &text);
        assert_eq!(read.errors, [], "{kind}");
        assert_eq!(read.registry.export(kind), text, "{kind}");
    }
}

#[test]
fn a_line_of_the_watch_list_is_about_one_thing_and_no_message_says_whom() {
    let head = "plate,credential,person,reason,violent,owner,expires_on\n";
    let new = format!("{head},,,找人,,p1,2030-01-02\n浙G1,c-12,,找人,,p1,2030-01-02\n");
    assert_eq!(
        plan(TableKind::Watch, &new, &[]).expect_err("refused"),
        [
            "new.csv:2: column `plate`: a watched item names one of `plate`, `credential` and `person` (hint: fill in one of the three)",
            "new.csv:3: column `plate`: a watched item names one of `plate`, `credential` and `person` (hint: fill in one of the three)",
        ]
    );
    let line = |owner: &str| format!(",,王小明,找人,,{owner},2030-01-02\n");
    for (lines, what) in [
        (line("p1") + &line("p1"), "a watched item is there twice"),
        (line("p9"), "a watched item names owner `p9`"),
    ] {
        let told = plan(TableKind::Watch, &format!("{head}{lines}"), &[]).expect_err("refused");
        assert!(told[0].contains(what), "{told:?}");
        assert!(!told[0].contains("王小明"), "{told:?}");
    }
}

#[test]
fn every_kind_of_zone_has_its_word() {
    for (word, kind) in ZoneKind::WORDS {
        assert_eq!(kind.as_str(), *word);
        let parsed: Result<ZoneKind, _> = serde_json::from_value((*word).into());
        assert_eq!(parsed.ok(), Some(*kind));
    }
}

#[test]
fn a_login_leads_to_its_person() {
    let people = "[[person]]\nid = 'p2'\nname = 'a'\nlogin = 'wang'";
    let registry = Registry::from_files([("a.toml", SMALL), ("p.toml", people)]).expect("loads");
    let person = |login: &str| registry.person_of(&login.parse().expect("a login"));
    assert_eq!(person("wang").map(|p| p.id.as_str()), Some("p2"));
    assert!(person("li").is_none());
}

#[test]
fn a_telephone_number_without_quotes_is_taken_and_never_told() {
    let people = "[[person]]\nid = 'p2'\nname = 'a'\ncontact = 13800000000";
    let registry = Registry::from_files([("a.toml", SMALL), ("p.toml", people)]).expect("loads");
    let contact = registry.people[&"p2".parse().expect("id")].contact.as_ref();
    assert_eq!(contact.map(Contact::reveal), Some("13800000000"));
    for wrong in ["[13800000000]", "1.38", "true", "''"] {
        let told = mistakes(&people.replace("13800000000", wrong));
        assert_eq!(
            told,
            [
                "c.toml:4: a contact is empty, too long or has control characters (hint: a telephone number, or where it is kept, in at most 64 bytes)"
            ]
        );
    }
}
