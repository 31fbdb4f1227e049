//! A hub that is alive and deaf ends itself, comes back by its supervisor, and says so on the board.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blackbox::{Hub, eventually};

/// Lets the process run on without its tracer.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_hub_that_lets_nobody_in_ends_itself_and_says_so_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_set(dir.path(), &[("JIMING__PROBE__EVERY_S", "1")]).await;
    let demo = hub.demo.clone();
    // every accept fails, as when another part has eaten the descriptors: the process lives and nobody gets in
    let strace = Command::new("strace")
        .args(["-f", "-p", &hub.pid().to_string(), "-o", "/dev/null"])
        .args(["-e", "trace=accept4", "-e", "inject=accept4:error=EMFILE"])
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts (hint: Debian package strace, and the right to trace)");
    let tracer = Tracer(strace);
    let began = Instant::now();
    let ended = hub.ended(Duration::from_mins(1)).await;
    println!("it ended itself after {:?}", began.elapsed());
    drop(tracer);
    assert!(!ended.success());

    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    let incident = hub.api("operator").incident_of("HUB3").await;
    assert!(
        incident.to_string().contains("self-probe missed 3 times"),
        "{incident}"
    );
    // and an end that was asked for is none to ring about
    assert!(hub.stop().await.success());
    let before = incident["id"].clone();
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    let api = hub.api("operator");
    let path = format!("/api/v1/incidents/{}", before.as_str().expect("an id"));
    let told = api.get(&path).await.expect("it is there");
    assert_eq!(
        told["version"], incident["version"],
        "not rung again: {told}"
    );
}

#[tokio::test]
async fn a_disk_that_stalls_is_no_reason_to_start_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut hub = Hub::start_set(dir.path(), &[("JIMING__PROBE__EVERY_S", "1")]).await;
    let strace = Command::new("strace")
        .args(["-f", "-p", &hub.pid().to_string(), "-o", "/dev/null"])
        .args([
            "-e",
            "trace=fdatasync",
            "-e",
            "inject=fdatasync:delay_exit=30000000",
        ])
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts");
    let tracer = Tracer(strace);
    eventually("the stall is told", Duration::from_secs(40), || async {
        let stalls = hub.log().matches("waits for its disk").count();
        (stalls >= 2).then_some(())
    })
    .await;
    assert!(hub.is_running());
    drop(tracer);
}
