//! The API answers what its document says: every member is there, no other is, and words are of their lists. Clients are made from it.

use std::time::Duration;

use blackbox::{Hub, eventually, publish};
use serde_json::{Map, Value, json};

/// Checks values against the schemas of a document.
struct Document(Value);

impl Document {
    fn schema(&self, name: &str) -> &Value {
        let found = &self.0["components"]["schemas"][name];
        assert!(found.is_object(), "the document has no {name}");
        found
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => self.schema(path.rsplit('/').next().expect("a name")),
            None => schema,
        }
    }

    /// Members and required ones of an object, of all its parts.
    fn members<'a>(
        &'a self,
        schema: &'a Value,
        known: &mut Map<String, Value>,
        required: &mut Vec<&'a str>,
    ) {
        let schema = self.resolve(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.members(part, known, required);
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            known.insert(name.clone(), member.clone());
        }
        let names = schema["required"].as_array().into_iter().flatten();
        required.extend(names.filter_map(Value::as_str));
    }

    /// Everything that is not as the schema says.
    fn faults(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.resolve(schema);
        if let Some(kinds) = schema["oneOf"].as_array() {
            let tried: Vec<_> = kinds.iter().map(|s| self.faults(s, value, at)).collect();
            if tried.iter().any(Vec::is_empty) {
                return Vec::new();
            }
            return tried.into_iter().flatten().collect();
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ if schema["allOf"].is_array() => vec!["object"],
            _ => return Vec::new(),
        };
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = kinds.contains(&is) || (is == "integer" && kinds.contains(&"number"));
        if !fits {
            return vec![format!("{at} is {is}, not {kinds:?}")];
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            return vec![format!("{at} is {value}, none of {words:?}")];
        }
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .flat_map(|(n, item)| self.faults(&schema["items"], item, &format!("{at}[{n}]")))
                .collect(),
            Value::Object(members) => self.object_faults(schema, members, at),
            _ => Vec::new(),
        }
    }

    fn object_faults(&self, schema: &Value, value: &Map<String, Value>, at: &str) -> Vec<String> {
        let (mut known, mut required) = (Map::new(), Vec::new());
        self.members(schema, &mut known, &mut required);
        let mut faults: Vec<_> = required
            .iter()
            .filter(|name| !value.contains_key(**name))
            .map(|name| format!("{at}.{name} is missing"))
            .collect();
        let others = &schema["additionalProperties"];
        for (name, member) in value {
            let at = format!("{at}.{name}");
            match known.get(name) {
                Some(schema) => faults.extend(self.faults(schema, member, &at)),
                None if others.is_object() => faults.extend(self.faults(others, member, &at)),
                None if known.is_empty() => {}
                None => faults.push(format!("{at} is not in the document")),
            }
        }
        faults
    }

    /// The schema of a route's good answer.
    fn answer(&self, method: &str, path: &str) -> &Value {
        let content = &self.0["paths"][path][method]["responses"]["200"]["content"];
        &content["application/json"]["schema"]
    }

    fn assert_is(&self, schema: &Value, value: &Value, what: &str) {
        let faults = self.faults(schema, value, what);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[test]
fn the_check_sees_what_is_missing_foreign_and_of_no_list() {
    let document = Document(json!({"components": {"schemas": {
        "A": {"type": "object", "required": ["word"], "additionalProperties": false,
            "properties": {"word": {"type": "string", "enum": ["yes"]}, "n": {"type": ["integer", "null"]}}},
        "B": {"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "object", "required": ["all"],
            "properties": {"all": {"type": "array", "items": {"$ref": "#/components/schemas/A"}}}}]},
    }}}));
    for (value, faults) in [
        (json!({"word": "yes", "all": []}), 0),
        (
            json!({"word": "yes", "n": null, "all": [{"word": "yes"}]}),
            0,
        ),
        (json!({"word": "no", "all": []}), 1),
        (json!({"all": [{"n": "1"}]}), 3),
        (json!({"word": "yes", "all": [], "more": 1}), 1),
        (json!([]), 1),
    ] {
        let found = document.faults(document.schema("B"), &value, "b");
        assert_eq!(found.len(), faults, "{value}: {found:?}");
    }
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("administrator");
    let document = api.get("/api/v1/openapi.json").await.expect("a document");
    let document = Document(document);

    let detector = hub.demo.device("fire_sensor").clone();
    let topic = detector.event_topic("fire.smoke");
    let telemetry = format!("ssg/v1/{}/{}/tele", detector.site, detector.id);
    let smoke = json!({"id": "s", "kind": "fire.smoke", "phase": "raised", "attrs": {"level": 9}});
    for (topic, said) in [(topic, smoke.to_string()), (telemetry, "{".to_owned())] {
        let sent = publish(&hub.demo, &detector, &topic, said.as_bytes(), 1, "mqttv5");
        assert!(sent.status.success());
    }
    let incident = api.incident_of("S1").await;
    let id = incident["id"].as_str().expect("an id");
    let taken = api.advance(id, "claim", json!({})).await;
    let command = "/api/v1/incidents/{id}/{verb}";
    document.assert_is(document.answer("post", command), &taken, command);
    let key = "too-late";
    let (status, refused) = api
        .command(id, "arrive", key, &json!({"expected_version": 1}))
        .await
        .expect("answers");
    assert_eq!(status, 409);
    document.assert_is(document.schema("Problem"), &refused, "the conflict");
    eventually(
        "what cannot be read is listed",
        Duration::from_secs(10),
        || async {
            let all = api.items("/api/v1/quarantine").await.ok()?;
            (!all.is_empty()).then_some(())
        },
    )
    .await;
    let lead = hub.api("station_lead");
    let (status, handover) = lead
        .post("/api/v1/handover", "h", &json!({}))
        .await
        .expect("answers");
    assert_eq!(status, 200);
    document.assert_is(
        document.answer("post", "/api/v1/handover"),
        &handover,
        "handover",
    );

    // what it tells of itself: everything has a bound, nothing is behind, and there is one channel
    eventually(
        "both readers have caught up and the disk was looked at since",
        Duration::from_secs(40),
        || async {
            let status = api.get("/api/v1/status").await.ok()?;
            let cursors = status["cursors"].as_array()?;
            // it is looked at now and then, and may have been before there was a day
            let storage = &status["storage"];
            let is_there = storage["history_days"] == 1
                && storage["history_bytes"].as_u64() > Some(0)
                && cursors.iter().all(|c| c["lag"] == 0);
            is_there.then_some(())
        },
    )
    .await;
    let status = api.get("/api/v1/status").await.expect("a status");
    for (list, names) in [
        (
            &status["queues"],
            ["alarm_lane", "telemetry_lane", "exchange"],
        ),
        (&status["places"], ["streams", "histories", "uploads"]),
        (&status["cursors"], ["detect", "project", "exchange"]),
    ] {
        let is: Vec<_> = list.as_array().expect("a list").iter().collect();
        let told: Vec<_> = is.iter().map(|q| q["name"].clone()).collect();
        assert_eq!(told, names, "{status}");
        for queue in is.iter().filter(|q| !q["bound"].is_null()) {
            assert!(queue["used"].as_u64() <= queue["bound"].as_u64(), "{queue}");
            assert!(queue["bound"].as_u64() > Some(0), "{queue}");
        }
    }
    let storage = &status["storage"];
    let parts = ["journal", "state", "history", "photos", "other"];
    let bytes = |name: &str| storage[format!("{name}_bytes")].as_u64().expect("bytes");
    assert_eq!(parts.map(bytes).iter().sum::<u64>(), bytes("used"));
    assert!(bytes("journal") > 0 && bytes("state") > 0 && bytes("history") > 0);
    assert_eq!(storage["history_days"], 1, "{storage}");
    assert_eq!(status["journal"]["oldest_seq"], 1, "{status}");
    assert!(status["journal"]["oldest_at"].is_string(), "{status}");
    assert_eq!(status["channels"], json!([{"name": "live"}]));
    assert_eq!(status["certificates"], json!([]));
    assert_eq!(status["quarantine"], 1, "{status}");
    assert_eq!(status["clock"]["is_off"], false, "{status}");
    assert!(status["rules"]["count"].as_u64() > Some(20), "{status}");

    let paths: Vec<String> = document.0["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(_, methods)| methods["get"].is_object())
        .map(|(path, _)| path.clone())
        .collect();
    // something to look at: a command to a barrier that is not there, and a drill
    let lead = hub.api("station_lead");
    let raise = json!({"command": "raise", "reason": "test"});
    let asked = lead
        .post("/api/v1/devices/gate-q1-0101/commands", "raise", &raise)
        .await;
    let command = asked.expect("answers").1["id"].clone();
    let drill = json!({"zone": "q1-e2-f6", "reason": "test", "drill": true, "with_devices": true});
    let drilled = lead.post("/api/v1/fire-modes", "", &drill).await;
    let (status, drilled) = drilled.expect("answers");
    assert_eq!(status, 200, "{drilled}");
    let mut read = 0;
    for path in paths {
        let real = match path.as_str() {
            // a stream; what leads a browser elsewhere; and what is a file, or is asked for with a secret
            "/api/v1/live"
            | "/api/v1/session/oidc"
            | "/api/v1/session/oidc/callback"
            | "/api/v1/reports/{id}"
            | "/api/v1/report/photos/{sha256}"
            | "/api/v1/snapshots/{link}"
            | "/api/v1/incidents/{id}/photos/{sha256}" => continue,
            "/api/v1/incidents/{id}" => format!("/api/v1/incidents/{id}"),
            "/api/v1/commands/{id}" => {
                format!("/api/v1/commands/{}", command.as_str().expect("an id"))
            }
            "/api/v1/incidents/{id}/evacuation" => format!("/api/v1/incidents/{id}/evacuation"),
            "/api/v1/rules/{id}" => "/api/v1/rules/S1".to_owned(),
            "/api/v1/registry/{table}" => "/api/v1/registry/devices".to_owned(),
            "/api/v1/counts" => format!("{path}?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"),
            "/api/v1/kpi" => format!("{path}?from=2026-Q4&to=2027-Q1"),
            _ => path.clone(),
        };
        // those who look after accounts go into no building
        let answer = if path.ends_with("/evacuation") {
            hub.api("operator").get(&real).await
        } else {
            api.get(&real).await
        };
        let answer = answer.expect("answers");
        document.assert_is(document.answer("get", &path), &answer, &path);
        read += 1;
    }
    assert!(read >= 15, "only {read} routes were read");
}
