//! The check of the oracle against a hub that is made up: it pages, waits for what comes late, and names what never comes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use device_sim::verify::{self, Question, VerifyError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers `GET …?after_seq=N&limit=M` from a list of (device, id), numbered from 1; ten more are visible with every request.
async fn hub(stored: Vec<(String, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let (stored, asked) = (Arc::new(stored), Arc::new(AtomicU32::new(0)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (stored, asked) = (Arc::clone(&stored), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let number = |name: &str| -> usize {
                    let (_, rest) = request.split_once(name).expect("is asked for");
                    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
                    digits.and_then(|d| d.parse().ok()).expect("a number")
                };
                let visible = 10 * (asked.fetch_add(1, Ordering::SeqCst) as usize + 1);
                let items: Vec<_> = stored
                    .iter()
                    .enumerate()
                    .take(visible)
                    .skip(number("after_seq="))
                    .take(number("limit=").min(7))
                    .map(|(at, (device, id))| {
                        serde_json::json!({"seq": at + 1, "device": device, "id": id, "kind": "access.granted"})
                    })
                    .collect();
                let body = serde_json::json!({"items": items, "next": null}).to_string();
                let status = if request.contains("authorization: bearer secret") {
                    "200 OK"
                } else {
                    "401 Unauthorized"
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // a client that has gone is no failure of the hub
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

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
