//! Who did what cannot be rewritten unnoticed: rows deleted, edited, swapped, added or cut off at the end are named.

use blackbox::{Hub, Outcome, Tool, bin, publish};
use serde_json::json;

/// What is done to the table, and which row the verifier names.
const TAMPERINGS: [(&str, &str); 6] = [
    ("UPDATE audit SET actor = 'somebody' WHERE id = 2", "audit row 2: the row was changed"),
    ("UPDATE audit SET at = at + 1 WHERE id = 3", "audit row 3: the row was changed"),
    ("DELETE FROM audit WHERE id = 3", "audit row 4: a row before it is missing"),
    (
        "UPDATE audit SET id = CASE id WHEN 2 THEN -3 ELSE -2 END WHERE id IN (2, 3); UPDATE audit SET id = -id WHERE id < 0",
        "audit row 2: the row was changed",
    ),
    (
        "DELETE FROM audit WHERE id = (SELECT MAX(id) FROM audit)",
        "the end of the chain is missing",
    ),
    (
        "INSERT INTO audit SELECT id + 1, at, actor, act, object, department, from_word, to_word, note, note_salt, note_digest, hash, hash
         FROM audit ORDER BY id DESC LIMIT 1",
        "the row was changed",
    ),
];

#[tokio::test]
async fn whatever_is_done_to_the_audit_trail_shows() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let detector = hub.demo.device("fire_sensor").clone();
    let smoke = json!({"id": "s", "kind": "fire.smoke", "phase": "raised"}).to_string();
    let topic = detector.event_topic("fire.smoke");
    let sent = publish(&hub.demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success());
    let api = hub.api("operator");
    let incident = api.incident_of("S1").await;
    let id = incident["id"].as_str().expect("an id");
    api.advance(id, "acknowledge", json!({"note": "看到了"}))
        .await;
    api.advance(id, "claim", json!({})).await;
    assert!(hub.stop().await.success());

    let state = dir.path().join("state.db");
    // what is still in the log goes into the file, so that the file is the whole
    let whole = rusqlite::Connection::open(&state).expect("opens");
    whole
        .pragma_update(None, "wal_checkpoint", "TRUNCATE")
        .expect("written");
    whole.close().expect("closed");
    let untouched = std::fs::read(&state).expect("the state");
    let verify = || async {
        let mut command = std::process::Command::new(bin("gateway"));
        command
            .args(["audit", "verify"])
            .env("JIMING__DATA__DIR", dir.path());
        Tool::start_command("gateway", &mut command)
            .finish(std::time::Duration::from_mins(1))
            .await
    };
    let told = |outcome: Outcome| (outcome.code, outcome.stdout, outcome.stderr);
    let (code, said, _) = told(verify().await);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("each as it was written"), "{said}");
    for (sql, expected) in TAMPERINGS {
        for companion in ["state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(companion));
        }
        std::fs::write(&state, &untouched).expect("as it was");
        let database = rusqlite::Connection::open(&state).expect("opens");
        database.execute_batch(sql).expect("tampered");
        database.close().expect("written");
        let (code, _, said) = told(verify().await);
        assert_eq!(code, Some(1), "after {sql}: {said}");
        assert!(said.contains(expected), "after {sql}: {said}");
    }
}
