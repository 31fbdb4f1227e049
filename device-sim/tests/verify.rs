//! The check of the oracle against a hub that is made up: it pages, waits for what comes late, and names what never comes.

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::hub::hub;
use device_sim::verify::{self, Question, VerifyError};
use tempfile::TempDir;

fn messages(n: u32) -> Vec<(String, String)> {
    (0..n)
        .map(|at| (format!("door-{}", at % 3), format!("r1-{at}")))
        .collect()
}

fn question(folder: &TempDir, acked: &[(String, String)], api: String) -> Question {
    let path: PathBuf = folder.path().join("acked");
    let lines: Vec<String> = acked
        .iter()
        .map(|(device, id)| format!("{device} {id}"))
        .collect();
    std::fs::write(&path, lines.join("\n")).expect("writes");
    Question {
        acked: path,
        api,
        token: "secret".to_owned(),
        after_seq: 0,
        wait: Duration::from_millis(1_200),
    }
}

#[tokio::test]
async fn a_store_that_is_behind_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = messages(50);
    let api = hub(all.clone()).await;
    let verdict = verify::run(&question(&folder, &all, api))
        .await
        .expect("an answer");
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!((verdict.found, verdict.events_read), (50, 50));
}

#[tokio::test]
async fn the_lost_and_the_doubled_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = messages(30);
    let mut stored = all.clone();
    stored[17] = stored[3].clone();
    let api = hub(stored).await;
    let verdict = verify::run(&question(&folder, &all, api))
        .await
        .expect("an answer");
    assert!(!verdict.is_good());
    assert_eq!(verdict.lost_ids, ["door-2 r1-17"]);
    assert_eq!(verdict.doubled_ids, ["door-0 r1-3"]);
}

#[tokio::test]
async fn a_wrong_token_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = messages(3);
    let mut question = question(&folder, &all, hub(all.clone()).await);
    question.token = "wrong".to_owned();
    let error = verify::run(&question).await.expect_err("refused");
    assert!(matches!(error, VerifyError::Refused { .. }), "{error}");
}
