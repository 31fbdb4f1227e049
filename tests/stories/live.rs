//! Ten tabs of one browser (headless Chromium) over a wire that is cut, goes dead, and a hub that is killed: one stream, nothing lost,
//! no row of what is over, and a feed that says nothing is told in red and by sound.

use std::path::Path;
use std::time::Duration;

use blackbox::{Api, Browser, Device, Hub, Proxy, eventually, publish};
use serde_json::{Value, json};

const TABS: usize = 10;
const CUT: Duration = Duration::from_secs(4);

/// Tabs at the board of one browser, the first of them logged in and live.
fn tabs(base: &str, login: &str, password: &str) -> Browser {
    let mut browser = Browser::start("live", &[base, login, password]);
    browser.says("READY");
    browser
}

async fn streams(hub: &Hub) -> Option<u64> {
    let metrics = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("{}/metrics", hub.demo.http))
        .bearer_auth(&hub.demo.user("administrator").token)
        .send()
        .await
        .ok()?
        .text()
        .await
        .ok()?;
    let line = metrics
        .lines()
        .find_map(|l| l.strip_prefix("hub_api_streams "))?;
    line.parse().ok()
}

fn smoke(hub: &Hub, device: &Device, id: &str, phase: &str) {
    let event = json!({"id": id, "kind": "fire.smoke", "phase": phase}).to_string();
    let topic = device.event_topic("fire.smoke");
    let sent = publish(&hub.demo, device, &topic, event.as_bytes(), 1, "mqttv5");
    assert!(sent.status.success(), "{sent:?}");
}

/// The board as the API has it: ids and states.
async fn board(api: &Api) -> Option<Vec<String>> {
    let items = api.items("/api/v1/incidents?state=active&limit=500").await;
    let mut rows: Vec<String> = items
        .ok()?
        .iter()
        .map(|i| {
            format!(
                "{} {}",
                i["id"].as_str().unwrap_or("-"),
                i["state"].as_str().unwrap_or("-")
            )
        })
        .collect();
    rows.sort();
    Some(rows)
}

/// Waits until every tab shows what the API has, and gives that.
async fn agree(browser: &mut Browser, api: &Api, what: &str) -> Vec<String> {
    let browser = std::cell::RefCell::new(browser);
    eventually(what, Duration::from_mins(1), || {
        let shown = browser.borrow_mut().ask("boards");
        async move {
            let rows = board(api).await?;
            let same = shown.as_array()?.iter().all(|tab| *tab == json!(rows));
            (same && !rows.is_empty()).then_some(rows)
        }
    })
    .await
}

/// An incident that is over: cancelled by the station lead.
async fn cancel(hub: &Hub, row: &str) {
    let id = row.split(' ').next().expect("an id");
    hub.api("station_lead")
        .advance(id, "cancel", json!({"cause": "drill", "note": "演练"}))
        .await;
}

/// Indices of the tabs that made a sound.
fn sounding(sounds: &Value) -> Vec<usize> {
    let all = sounds.as_array().expect("a list").iter().enumerate();
    all.filter(|(_, tones)| tones.as_array().is_some_and(|t| !t.is_empty()))
        .map(|(n, _)| n)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_tabs_over_a_bad_wire_have_one_stream_and_the_hubs_board() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut hub = Hub::start(dir.path()).await;
    let wire = Proxy::before(&hub.demo.http).await;
    let operator = hub.demo.user("operator").clone();
    let detectors: Vec<Device> = hub
        .demo
        .devices
        .iter()
        .filter(|d| d.class == "fire_sensor")
        .step_by(7)
        .take(12)
        .cloned()
        .collect();
    let mut fresh = detectors.iter();
    let mut browser = tabs(&wire.base(), &operator.login, &operator.password);
    assert_eq!(browser.ask(&format!("tabs {TABS}")), TABS);
    eventually(
        "ten tabs have one stream",
        Duration::from_secs(10),
        || async { (streams(&hub).await? == 1).then_some(()) },
    )
    .await;

    // as it should be; one tab sounds
    let api = hub.api("operator");
    for detector in fresh.by_ref().take(3) {
        smoke(&hub, detector, "first", "raised");
    }
    let rows = agree(&mut browser, &api, "the alarms are on all boards").await;
    assert!(rows.len() >= 3, "{rows:?}");
    let one = eventually("a P1 rings", Duration::from_secs(20), || {
        let sounds = browser.ask("sounds");
        async move { sounding(&sounds).first().copied() }
    })
    .await;

    // cut for four seconds: incidents come, and one is over
    wire.cut();
    let began = tokio::time::Instant::now();
    for detector in fresh.by_ref().take(2) {
        smoke(&hub, detector, "cut", "raised");
    }
    cancel(&hub, &rows[0]).await;
    tokio::time::sleep_until(began + CUT).await;
    wire.mend();
    let after = agree(&mut browser, &api, "nothing is lost by a cut").await;
    assert!(
        !after.contains(&rows[0]),
        "what was cancelled stays as a ghost"
    );
    let sounds = browser.ask("sounds");
    assert_eq!(sounding(&sounds), [one], "only one tab sounds: {sounds}");

    // a wire that is dead: the tabs say so, in red and with a sound
    wire.deaden();
    browser.ask("state stale");
    let bars = browser.ask("bars");
    for bar in bars.as_array().expect("a list") {
        let text = bar["text"].as_str().unwrap_or_default();
        assert!(text.contains("NOT LIVE"), "{bars}");
        assert_eq!(bar["colour"], "rgb(227, 36, 46)", "{bars}");
    }
    browser.ask("picture not-live");
    eventually("the loss sounds", Duration::from_secs(15), || {
        let sounds = browser.ask("sounds");
        assert!(sounding(&sounds).iter().all(|n| *n == one), "{sounds}");
        let lost = sounds[one]
            .as_array()
            .is_some_and(|t| t.contains(&json!(440)));
        async move { lost.then_some(()) }
    })
    .await;
    // meanwhile more comes than the hub keeps of its feed, so that the tabs cannot go on where they were
    for detector in fresh.by_ref().take(2) {
        smoke(&hub, detector, "ring", "raised");
    }
    cancel(&hub, &after[0]).await;
    let demo = hub.demo.clone();
    hub.kill9();
    go_over_the_ring(dir.path());
    hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    wire.mend();
    browser.ask("state live");
    let after_reset = agree(&mut browser, &api, "nothing is lost by a reset").await;
    assert!(!after_reset.contains(&after[0]), "a ghost after a reset");

    // kill -9 and a start on the same port; meanwhile the tab that sounds crashes, and another one takes over
    hub.kill9();
    browser.ask(&format!("crash {one}"));
    hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    for detector in fresh.by_ref().take(1) {
        smoke(&hub, detector, "again", "raised");
    }
    cancel(&hub, &after_reset[0]).await;
    browser.ask("state live");
    let at_last = agree(&mut browser, &api, "nothing is lost by a kill").await;
    assert!(!at_last.contains(&after_reset[0]), "a ghost after a kill");
    browser.ask("sounds");
    let other = eventually("another tab sounds", Duration::from_secs(20), || {
        let sounds = browser.ask("sounds");
        async move { sounding(&sounds).first().copied() }
    })
    .await;
    let chips = browser.ask("chips");
    let chips = chips.as_array().expect("a list");
    assert_eq!(chips[other], "armed", "{chips:?}");
    assert_eq!(
        chips.iter().filter(|chip| *chip == "elsewhere").count(),
        TABS - 2,
        "{chips:?}"
    );

    // silence holds in all tabs, whichever was asked
    browser.ask(&format!("press {} Space", (other + 1) % (TABS - 1)));
    eventually("it is silent", Duration::from_secs(20), || {
        browser.ask("sounds");
        let (one, two) = (browser.ask("chips"), other);
        async move { (one[two] == "silenced").then_some(()) }
    })
    .await;
    eventually(
        "there is still one stream",
        Duration::from_secs(10),
        || async { (streams(&hub).await? == 1).then_some(()) },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_whose_session_ends_stays_and_asks_for_the_password() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let api = hub.api("operator");
    let operator = hub.demo.user("operator").clone();
    let mut browser = tabs(&hub.demo.http, &operator.login, &operator.password);
    browser.ask("tabs 2");
    let mut detectors = hub.demo.devices.iter().filter(|d| d.class == "fire_sensor");
    smoke(&hub, detectors.next().expect("one"), "before", "raised");
    let before = agree(&mut browser, &api, "the alarm is on both boards").await;

    // logged out behind the back of both tabs
    let cookie = browser.ask("cookie");
    let ended = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .delete(format!("{}/api/v1/session", hub.demo.http))
        .header("cookie", cookie.as_str().expect("text"))
        .header("origin", &hub.demo.http)
        .send()
        .await
        .expect("answers");
    assert_eq!(ended.status(), 204);
    eventually("both tabs ask", Duration::from_secs(10), || {
        let locked = browser.ask("locked");
        async move { (locked == json!([true, true])).then_some(()) }
    })
    .await;
    browser.ask("state stale");
    smoke(&hub, detectors.next().expect("two"), "meanwhile", "raised");
    assert_eq!(browser.ask("boards"), json!([before, before]), "they stay");
    browser.ask("picture session-over");

    browser.ask("unlock 1 wrong-password");
    assert_eq!(browser.ask("locked")[1], true);
    browser.ask(&format!("unlock 1 {}", operator.password));
    browser.ask("state live");
    let after = agree(&mut browser, &api, "both boards go on").await;
    assert!(after.len() > before.len(), "{after:?}");
    assert_eq!(browser.ask("locked"), json!([false, false]));
}

/// Takes away what the hub keeps of its feed but for the end, as if more had come meanwhile than it keeps. Nobody else has the file open.
fn go_over_the_ring(dir: &Path) {
    let state = rusqlite::Connection::open(dir.join("state.db")).expect("opens");
    let gone = state
        .execute(
            "DELETE FROM feed WHERE revision < (SELECT max(revision) FROM feed)",
            [],
        )
        .expect("deletes");
    assert!(gone > 0, "there was a feed");
}
