//! Who is on duty with what, seen by those who call them and those who do not; and a shift that is swapped.

use blackbox::Hub;
use serde_json::{Value, json};

async fn swap(hub: &Hub, role: &str, body: &Value) -> (u16, Value) {
    let reply = reqwest::Client::new()
        .post(format!("{}/api/v1/roster/swaps", hub.demo.http))
        .bearer_auth(&hub.demo.user(role).token)
        .json(body)
        .send()
        .await
        .expect("answers");
    let status = reply.status().as_u16();
    (status, reply.json().await.expect("a body"))
}

fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut items = list.as_array().expect("a list").iter();
    items
        .find(|item| item[key] == value)
        .unwrap_or_else(|| panic!("no {key} {value} in {list}"))
}

#[tokio::test]
async fn a_swap_counts_at_once_and_contacts_are_for_those_who_call() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    for (role, sees) in [
        ("operator", true),
        ("station_lead", true),
        ("responder", false),
        ("auditor", false),
    ] {
        let resources = hub
            .api(role)
            .get("/api/v1/resources")
            .await
            .expect("answers");
        let fire = find(&resources["departments"], "department", "fire");
        assert!(
            fire["resources"]
                .as_array()
                .is_some_and(|r| r.iter().any(|r| r["kind"] == "vehicle"))
        );
        let duty = &fire["on_duty"][0];
        assert!(duty["name"].is_string(), "{duty}");
        assert_eq!(duty["contact"].is_string(), sees, "{role}: {duty}");
    }

    let roster = hub
        .api("auditor")
        .get("/api/v1/roster")
        .await
        .expect("answers");
    assert_eq!(roster["time_zone"], "Asia/Shanghai");
    assert_eq!(roster["gaps"], json!([]));
    let post = find(&roster["posts"], "id", "fire-duty");
    assert!(post["next_change_at"].is_string(), "{post}");
    let duty = &post["on_duty"][0];
    let gives = duty["person"].as_str().expect("somebody");
    let people = roster["people"].as_array().expect("people");
    assert!(
        people
            .iter()
            .any(|p| p["id"] == "fire-2" && p["department"] == "fire")
    );
    let takes = if gives == "fire-1" {
        "fire-2"
    } else {
        "fire-1"
    };
    // shifts begin at 8:00 in Shanghai: the day is the same in UTC
    let on = &duty["since"].as_str().expect("a time")[..10];
    let body =
        json!({"post": "fire-duty", "on": on, "gives": gives, "takes": takes, "note": "看病"});
    assert_eq!(swap(&hub, "operator", &body).await.0, 403);
    let (status, answer) = swap(&hub, "station_lead", &body).await;
    assert_eq!(status, 200, "{answer}");

    let then = format!(
        "/api/v1/roster?at={}",
        roster["at"].as_str().expect("a time")
    );
    let roster = hub.api("auditor").get(&then).await.expect("answers");
    let duty = &find(&roster["posts"], "id", "fire-duty")["on_duty"][0];
    assert_eq!(
        (&duty["person"], &duty["instead_of"]),
        (&json!(takes), &json!(gives))
    );

    let (status, answer) = swap(&hub, "station_lead", &body).await;
    assert_eq!(status, 400, "it is no longer theirs to give");
    assert!(
        answer["detail"]
            .as_str()
            .is_some_and(|d| d.contains("does not have")),
        "{answer}"
    );
    let far = hub
        .api("auditor")
        .get_raw("/api/v1/roster?at=1999-01-01T00:00:00Z")
        .await;
    assert_eq!(far.expect("answers").0, 400);
}
