//! Who is on duty, who looks after which micro-grid, and who needs help out of a building that burns: by the API, and in a real browser
//! (headless Chromium).

use std::path::Path;

use blackbox::{Api, Browser, Hub, publish};
use serde_json::{Value, json};

use crate::registry::hub_over;

/// The fire station's people are away for two hours of tomorrow's afternoon, by the community's clock.
fn nobody_tomorrow(compound: &Path) -> jiff::civil::Date {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let tomorrow = jiff::Timestamp::now()
        .to_zoned(zone)
        .date()
        .tomorrow()
        .expect("a day");
    let absences = ["fire-1", "fire-2", "fire-3"].map(|person| {
        let (from, until) = (format!("{tomorrow}T14:00"), format!("{tomorrow}T16:00"));
        format!("[[absence]]\nperson = \"{person}\"\nfrom = \"{from}\"\nuntil = \"{until}\"\n")
    });
    std::fs::write(compound.join("away.toml"), absences.concat()).expect("written");
    tomorrow
}

fn by<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut items = list.as_array().expect("a list").iter();
    let found = items.find(|item| item[key] == value);
    found.unwrap_or_else(|| panic!("no {key} {value} in {list}"))
}

/// A hub whose fire station has a gap tomorrow, one of whose micro-grids has no captain, and one of whose floors has manual call points only.
async fn hub(dir: &Path) -> (Hub, jiff::civil::Date) {
    let compound = crate::registry::own_compound(dir);
    let tomorrow = nobody_tomorrow(&compound);
    let file = compound.join("grids.csv");
    let grids = std::fs::read_to_string(&file).expect("it ships");
    let vacant = grids.replace(",captain-q1-a2", ",");
    assert_ne!(grids, vacant);
    std::fs::write(&file, vacant).expect("written");
    let file = compound.join("devices.csv");
    let devices = std::fs::read_to_string(&file).expect("it ships");
    let pressed = devices.lines().map(|line| {
        let is_there = line.contains(",q1-a2-f4-6,fire_sensor,");
        let line = if is_there {
            line.replace(",smoke", ",manual_call")
        } else {
            line.to_owned()
        };
        line + "\n"
    });
    std::fs::write(&file, pressed.collect::<String>()).expect("written");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let folder = compound.display().to_string();
    let hub = Hub::start_set(&data, &[("JIMING__REGISTRY__DIR", &folder)]).await;
    (hub, tomorrow)
}

#[tokio::test]
async fn a_week_says_who_is_on_when_and_which_hours_have_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, tomorrow) = hub(dir.path()).await;
    let week = async |role: &str, of: &str| {
        let path = format!("/api/v1/roster/week?of={of}");
        hub.api(role).get(&path).await.expect("answers")
    };
    let told = week("operator", &tomorrow.to_string()).await;
    let days = told["days"].as_array().expect("days");
    assert_eq!(days.len(), 7);
    assert!(days.iter().any(|day| day["date"] == tomorrow.to_string()));
    let monday: jiff::civil::Date = days[0]["date"]
        .as_str()
        .expect("a day")
        .parse()
        .expect("one");
    assert_eq!(monday.weekday(), jiff::civil::Weekday::Monday);

    // every hour has its person but those two, and nothing is told twice
    let post = by(&told["posts"], "id", "fire-duty");
    let gap = json!([{"from": format!("{tomorrow}T14:00"), "until": format!("{tomorrow}T16:00")}]);
    assert_eq!(post["gaps"], gap);
    let mut until = format!("{monday}T00:00");
    for stint in post["stints"].as_array().expect("stints") {
        if stint["from"] != until.as_str() {
            assert_eq!(json!(until), gap[0]["from"], "{stint}");
            assert_eq!(stint["from"], gap[0]["until"]);
        }
        until = stint["until"].as_str().expect("a time").to_owned();
    }
    let sunday = monday
        .checked_add(jiff::Span::new().days(7))
        .expect("a day");
    assert_eq!(until, format!("{sunday}T00:00"));

    // whom an incident would be told to now
    let ladder = by(&told["ladders"], "department", "fire");
    let rungs = ladder["rungs"].as_array().expect("rungs");
    assert_eq!(rungs.len(), 5);
    let duty = hub
        .api("operator")
        .get("/api/v1/roster")
        .await
        .expect("answers");
    let duty = &by(&duty["posts"], "id", "fire-duty")["on_duty"][0]["person"];
    assert_eq!(&rungs[0]["people"][0], duty);
    assert_eq!(rungs[0]["fell_through"], false);

    // numbers for those who call; whether there is one, for everybody
    let person = by(&told["people"], "id", "fire-1");
    assert!(
        person["contact"].is_string() && person["has_contact"] == true,
        "{person}"
    );
    let hidden = week("auditor", &tomorrow.to_string()).await;
    let person = by(&hidden["people"], "id", "fire-1");
    assert!(
        person["contact"].is_null() && person["has_contact"] == true,
        "{person}"
    );

    // holidays of the calendar, and a year that nobody knows
    let spring = week("auditor", "2026-02-16").await;
    if spring["days"].is_array() {
        assert_eq!(spring["days"][0]["holiday"], "春节");
        assert_eq!(spring["days"][0]["is_working_day"], false);
    }
    let auditor = hub.api("auditor");
    let far = auditor.get_raw("/api/v1/roster/week?of=1999-01-01").await;
    assert_eq!(far.expect("answers").0, 400);
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn a_micro_grid_shows_who_looks_after_it_and_where_nothing_watches() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub(dir.path()).await;
    let operator = hub.api("operator");
    let (mut grids, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/grids?limit=25{next}");
        let page = operator.get(&path).await.expect("a page");
        grids.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        next = format!("&cursor={cursor}");
    }
    let table = operator.get("/api/v1/registry").await.expect("an overview");
    let rows = &by(&table["tables"], "table", "grids")["rows"];
    assert_eq!(
        rows.as_u64(),
        Some(grids.len() as u64),
        "page by page, each once"
    );
    let grids = json!(grids);
    let first = by(&grids, "id", "q1-a1");
    assert_eq!(first["captain"]["login"], "captain");
    assert_eq!(by(&grids, "id", "q1-a2")["captain"], Value::Null);
    assert_eq!(
        (&first["households"], &first["residents"]),
        (&json!(2), &json!(4))
    );
    let sensors = by(&first["devices"], "class", "fire_sensor");
    assert_eq!(sensors["count"], 2);
    // its upper floors have detectors, its lower ones have not
    let bare = &first["without_fire_sensor"]["first"];
    assert!(
        bare.as_array()
            .expect("zones")
            .iter()
            .all(|z| z["id"] != "q1-a1-f4-6"),
        "{bare}"
    );
    assert_eq!(by(bare, "id", "q1-a1-f1-3")["kind"], "fire_compartment");
    // what only a person can press covers nothing
    let pressed = &by(&grids, "id", "q1-a2")["without_fire_sensor"]["first"];
    assert_eq!(by(pressed, "id", "q1-a2-f4-6")["kind"], "fire_compartment");
    let empty = first["without_device"]["first"].as_array().expect("zones");
    assert!(empty.iter().all(|zone| zone["kind"] != "unit"), "{empty:?}");

    // an open incident counts where it is
    smoke(&hub, "smoke-q1-0203");
    operator.incident_of("S1").await;
    let grids = json!(operator.items("/api/v1/grids").await.expect("grids"));
    assert_eq!(by(&grids, "id", "q1-a1")["incidents"], json!({"P1": 1}));
    assert_eq!(by(&grids, "id", "q1-a2")["incidents"], json!({}));
    for (role, status) in [("auditor", 200), ("responder", 403), ("grid_captain", 403)] {
        let answer = hub.api(role).get_raw("/api/v1/grids").await;
        assert_eq!(answer.expect("answers").0, status, "{role}");
    }
    assert!(hub.stop().await.success());
}

fn smoke(hub: &Hub, id: &str) {
    let mut devices = hub.demo.devices.iter();
    let device = devices.find(|device| device.id == id).expect("it ships");
    let body =
        json!({"id": format!("s-{id}"), "kind": "fire.smoke", "phase": "raised", "attrs": {}});
    let topic = device.event_topic("fire.smoke");
    let sent = publish(
        &hub.demo,
        device,
        &topic,
        body.to_string().as_bytes(),
        1,
        "mqttv5",
    );
    assert!(sent.status.success());
}

fn of_login(hub: &Hub, login: &str) -> Api {
    let mut users = hub.demo.users.iter();
    let user = users.find(|user| user.login == login).expect("it is made");
    Api::new(&hub.demo.http, &user.token)
}

#[tokio::test]
async fn who_needs_help_out_is_shown_while_it_burns_there_and_on_record() {
    const NOTE: &str = "独居，行走需扶";
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, _) = hub_over(dir.path(), &[]).await;
    // in the list of households to those who keep it, and on record
    let households = async |role: &str| {
        let path = "/api/v1/registry/households";
        hub.api(role).get(path).await.expect("answers").to_string()
    };
    for (role, sees) in [
        ("operator", false),
        ("auditor", false),
        ("property_manager", true),
    ] {
        assert_eq!(households(role).await.contains(NOTE), sees, "{role}");
    }
    let operator = hub.api("operator");
    let path = "/api/v1/registry/households?q=%E5%8D%A7%E5%BA%8A";
    let found = operator.get(path).await.expect("answers");
    assert_eq!(
        found["items"],
        json!([]),
        "what is hidden cannot be searched for"
    );

    smoke(&hub, "smoke-q1-0203");
    let fire = operator.incident_of("S1").await;
    let id = fire["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/incidents/{id}/evacuation");
    for _ in 0..2 {
        let told = operator.get(&path).await.expect("answers");
        assert_eq!(told["ground"], "fire", "{told}");
        assert_eq!(told["building_name"], "A1幢");
        let homes = told["households"].as_array().expect("households");
        assert_eq!(
            homes.len(),
            1,
            "of this building, and who needs help: {told}"
        );
        assert_eq!(
            (&homes[0]["zone"], &homes[0]["note"], &homes[0]["contact"]),
            (
                &json!("q1-a1-301"),
                &json!(NOTE),
                &json!("community-book-001")
            )
        );
    }
    // those who go in are not those who call
    let told = of_login(&hub, "fire").get(&path).await.expect("answers");
    assert_eq!(told["households"][0]["note"], NOTE);
    assert_eq!(told["households"][0]["contact"], Value::Null);
    // a department that has no part in it sends nobody in
    let told = of_login(&hub, "property").get(&path).await;
    let told = told.expect("answers");
    assert_eq!(
        (&told["ground"], &told["households"]),
        (&Value::Null, &json!([]))
    );
    for role in ["grid_captain", "auditor", "administrator"] {
        let answer = hub.api(role).get_raw(&path).await.expect("answers");
        assert_eq!(answer.0, 403, "{role}");
    }

    // nothing burns: nothing is shown
    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    assert!(
        publish(&hub.demo, &detector, &topic, b"not json", 1, "mqttv5")
            .status
            .success()
    );
    let odd = hub.api("administrator").incident_of("HUB1").await;
    let other = format!(
        "/api/v1/incidents/{}/evacuation",
        odd["id"].as_str().expect("an id")
    );
    let told = operator.get(&other).await.expect("answers");
    assert_eq!(
        (&told["ground"], &told["households"]),
        (&Value::Null, &json!([]))
    );
    let lead = hub.api("station_lead");
    lead.advance(&id, "cancel", json!({"cause": "drill", "note": "演练"}))
        .await;
    let told = operator.get(&path).await.expect("answers");
    assert_eq!(
        (&told["ground"], &told["households"]),
        (&Value::Null, &json!([]))
    );

    let rows = hub
        .api("auditor")
        .items("/api/v1/audit")
        .await
        .expect("the trail");
    let shown = |act: &str, actor: &str| {
        let is_it = |row: &&Value| row["act"] == act && row["actor"] == actor;
        rows.iter().filter(is_it).count()
    };
    let manager = &hub.demo.user("property_manager").login;
    assert_eq!(shown("show_households", manager), 1, "{rows:?}");
    assert_eq!(
        shown("show_households", &hub.demo.user("operator").login),
        0
    );
    assert_eq!(
        shown("show", &hub.demo.user("operator").login),
        1,
        "once for the incident"
    );
    assert_eq!(shown("show", "fire"), 1);
    assert!(hub.stop().await.success());
}

#[tokio::test]
async fn the_demo_brings_files_of_its_own_and_never_takes_a_change_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let overview = hub.api("property_manager").get("/api/v1/registry").await;
    assert_eq!(overview.expect("answers")["is_built_in"], false);
    let change = json!({"table": "households", "put": [{"id": "hh-q1-a1-502", "residents": "2"}]});
    let manager = hub.api("property_manager");
    let done = manager
        .post("/api/v1/registry/import", "once", &change)
        .await;
    assert_eq!(done.expect("answers").0, 200);
    hub.kill9();
    let file = dir.path().join("compound/households.csv");
    let text = std::fs::read_to_string(&file).expect("it is there");
    assert!(text.contains("hh-q1-a1-502,q1-a1-502,2,"), "{text}");
    let again = Hub::start(dir.path()).await;
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text);
    assert!(again.stop().await.success());
}

#[tokio::test]
async fn people_are_found_in_the_browser() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, tomorrow) = hub(dir.path()).await;
    smoke(&hub, "smoke-q1-0203");
    hub.api("operator").incident_of("S1").await;
    let (lead, operator) = (hub.demo.user("station_lead"), hub.demo.user("operator"));
    let fire = hub.demo.users.iter().find(|user| user.login == "fire");
    let fire = fire.expect("the fire station's responder");
    let arguments = [
        &hub.demo.http,
        &lead.login,
        &lead.password,
        &operator.login,
        &operator.password,
        &fire.login,
        &fire.password,
        &tomorrow.to_string(),
    ];
    Browser::start("people", &arguments.map(String::as_str)).done();
}
