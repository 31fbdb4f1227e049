//! What a screen promises, by its structure and never by the time it took here: rows that are seen, frames until an answer shows, sounds and
//! their order, rows that stay where they are, what is held after the garbage is collected, and all of it over plain HTTP on a network.
//! The scripts let devices speak themselves; `tests/bench/live` prints the times.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::Command;

use blackbox::{Browser, Hub};
use serde_json::{Value, json};

/// A script beside a hub of its own.
async fn tell(script: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let _hub = Hub::start(dir.path()).await;
    play(script, &dir.path().join("demo.json"));
}

fn play(script: &str, demo: &Path) {
    Browser::start(script, &[&demo.display().to_string()]).done();
}

#[tokio::test]
async fn two_dozen_rows_are_seen_beside_drawer_map_and_chart() {
    tell("rows").await;
}

#[tokio::test]
async fn one_action_acknowledges_and_shows_in_the_next_frame() {
    tell("acknowledge").await;
}

#[tokio::test]
async fn a_critical_alarm_is_heard_until_somebody_is_on_it() {
    tell("sound").await;
}

#[tokio::test]
async fn a_burst_moves_nothing_under_the_hand() {
    tell("burst").await;
}

#[tokio::test]
async fn a_board_holds_no_more_after_days_of_use() {
    tell("soak").await;
}

#[tokio::test]
async fn the_board_works_over_plain_http_in_a_network() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_open(dir.path(), "0.0.0.0:0").await;
    let (_, port) = hub.demo.http.rsplit_once(':').expect("a port");
    let at = format!("http://{}:{port}", network_address());
    let told = dir.path().join("demo.json");
    let text = std::fs::read(&told).expect("demo.json");
    let mut demo: Value = serde_json::from_slice(&text).expect("is JSON");
    demo["http"] = json!(at);
    let there = dir.path().join("demo-there.json");
    std::fs::write(&there, demo.to_string()).expect("is written");
    play("lan", &there);
}

/// An address of this machine that browsers do not take for itself; made when there is none.
fn network_address() -> IpAddr {
    // nothing is sent: it only asks which address would be used
    let socket = UdpSocket::bind("0.0.0.0:0").expect("binds");
    let asked = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr());
    if let Some(address) = asked.ok().filter(|address| !address.ip().is_loopback()) {
        return address.ip();
    }
    let made = "198.51.100.7";
    let ip = ["ip", "addr", "replace", "198.51.100.7/32", "dev", "lo"];
    let by = |command: &[&str]| Command::new(command[0]).args(&command[1..]).status();
    let sudo: Vec<&str> = ["sudo", "-n"].into_iter().chain(ip).collect();
    let is_made = by(&ip).is_ok_and(|s| s.success()) || by(&sudo).is_ok_and(|s| s.success());
    assert!(is_made, "{made} can be made (hint: root, or `sudo -n`)");
    made.parse().expect("an address")
}
