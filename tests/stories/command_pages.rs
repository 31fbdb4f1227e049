//! Commands and fire mode in a real browser (headless Chromium), with a fleet of devices of which some are silent or lie.

use blackbox::{Browser, Hub};

use crate::commands::{fleet, online};
use crate::fire_mode::raises;

#[tokio::test]
async fn an_operator_opens_doors_and_reads_what_became_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let more = ["--commands", "door-q1-0302=mute"];
    let _fleet = fleet(&hub, dir.path(), &more);
    online(&hub, &["door-q1-0301", "door-q1-0302"]).await;
    let (operator, lead) = (hub.demo.user("operator"), hub.demo.user("station_lead"));
    Browser::start(
        "commands",
        &[
            &hub.demo.http,
            &operator.login,
            &operator.password,
            &lead.login,
            &lead.password,
            "door-q1-0301",
            "door-q1-0302",
        ],
    )
    .done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_detectors_show_fire_mode_on_every_screen_until_a_person_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let more = [
        "--commands",
        "gate-q1-0102=mute",
        "--commands",
        "gate-q1-0103=lie",
    ];
    let _fleet = fleet(&hub, dir.path(), &more);
    online(
        &hub,
        &[
            "exit-q1-0312",
            "gate-q1-0101",
            "gate-q1-0102",
            "gate-q1-0103",
        ],
    )
    .await;
    let (operator, lead) = (hub.demo.user("operator"), hub.demo.user("station_lead"));
    let mut browser = Browser::start(
        "fire",
        &[
            &hub.demo.http,
            &operator.login,
            &operator.password,
            &lead.login,
            &lead.password,
        ],
    );
    browser.says("READY");
    raises(&hub, "smoke-q1-0215", "fire.smoke");
    browser.says("ONE");
    raises(&hub, "smoke-q1-0216", "fire.smoke");
    browser.done();
}
