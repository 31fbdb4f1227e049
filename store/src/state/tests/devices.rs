//! Devices: online by the highest epoch, seen in memory, told when something is news.

use domain::{DeviceId, Severity};

use super::fixture::{Hub, at, batch, cleared, finding, smoke};
use crate::state::{Batch, DeviceItem, DeviceState, DeviceTouch};

fn id(text: &str) -> DeviceId {
    text.parse().expect("id")
}

async fn touch(hub: &Hub, cursor: u64, touch: DeviceTouch) {
    hub.commit(Batch {
        devices: vec![touch],
        ..batch(cursor, Vec::new())
    })
    .await;
}

async fn device(hub: &Hub, name: &str, second: i64) -> DeviceItem {
    let page = hub.state.devices(at(second)).await.expect("reads");
    page.items
        .into_iter()
        .find(|item| item.id == id(name))
        .expect("is registered")
}

#[tokio::test]
async fn the_highest_epoch_decides_whether_a_device_is_online() {
    let hub = Hub::start().await;
    assert_eq!(
        device(&hub, "smoke-1", 0).await.state,
        DeviceState::NeverSeen
    );
    let said = |second, presence| DeviceTouch {
        presence: Some(presence),
        ..DeviceTouch::new(id("smoke-1"), at(second))
    };
    touch(&hub, 1, said(1, (7, true))).await;
    assert_eq!(device(&hub, "smoke-1", 2).await.online, Some(true));
    // the end of an older connection comes late
    touch(&hub, 2, said(2, (6, false))).await;
    assert_eq!(device(&hub, "smoke-1", 3).await.online, Some(true));
    touch(&hub, 3, said(3, (7, false))).await;
    let item = device(&hub, "smoke-1", 4).await;
    assert_eq!(
        (item.online, item.state),
        (Some(false), DeviceState::Offline)
    );
    let hub = hub.crash().await;
    let item = device(&hub, "smoke-1", 4).await;
    assert_eq!(
        (item.online, item.last_seen.map(|at| at.0)),
        (Some(false), Some(at(3)))
    );
}

#[tokio::test]
async fn two_missed_heartbeats_make_silent_and_an_urgent_alarm_outranks_it() {
    let hub = Hub::start().await;
    touch(&hub, 1, DeviceTouch::new(id("smoke-1"), at(0))).await;
    assert_eq!(
        device(&hub, "smoke-1", 120).await.state,
        DeviceState::Normal
    );
    assert_eq!(
        device(&hub, "smoke-1", 121).await.state,
        DeviceState::Silent
    );
    hub.find(vec![finding("B1", "device:smoke-1", Severity::P3, 2)])
        .await;
    assert_eq!(
        device(&hub, "smoke-1", 121).await.state,
        DeviceState::Silent
    );
    assert_eq!(device(&hub, "smoke-1", 100).await.state, DeviceState::Alarm);
    hub.find(vec![smoke("smoke-1", 3)]).await;
    assert_eq!(device(&hub, "smoke-1", 500).await.state, DeviceState::Alarm);
    hub.find(vec![cleared(smoke("smoke-1", 3), 4)]).await;
    assert_eq!(
        device(&hub, "smoke-1", 500).await.state,
        DeviceState::Silent
    );
}

#[tokio::test]
async fn only_news_is_told() {
    let hub = Hub::start().await;
    let battery = |second, percent| DeviceTouch {
        battery_percent: Some(percent),
        ..DeviceTouch::new(id("smoke-1"), at(second))
    };
    let mut told = Vec::new();
    for (cursor, word) in [
        (1, DeviceTouch::new(id("smoke-1"), at(1))),
        (2, DeviceTouch::new(id("smoke-1"), at(2))),
        (3, battery(3, 93.2)),
        (4, battery(4, 93.1)),
        (5, battery(5, 91.0)),
        (6, DeviceTouch::new(id("nobody-knows"), at(6))),
        // it had been silent
        (7, DeviceTouch::new(id("smoke-1"), at(500))),
    ] {
        let before = hub.state.revision();
        touch(&hub, cursor, word).await;
        told.push(hub.state.revision().0 - before.0);
    }
    assert_eq!(told, [1, 0, 1, 0, 1, 0, 1]);
    let item = device(&hub, "smoke-1", 500).await;
    assert_eq!(
        (item.battery_percent, item.state),
        (Some(91.0), DeviceState::Normal)
    );
    assert_eq!(item.last_seen.map(|at| at.0), Some(at(500)));
}

#[tokio::test]
async fn an_alarm_turns_its_device_red_in_the_feed() {
    let hub = Hub::start().await;
    hub.find(vec![smoke("smoke-1", 1)]).await;
    let rows = hub
        .state
        .feed_after(domain::Revision(0), 10)
        .await
        .expect("reads");
    let row = rows
        .iter()
        .find(|row| row.kind == "device")
        .expect("was told");
    let item: DeviceItem = serde_json::from_str(&row.json).expect("is an item");
    assert_eq!((item.id, item.state), (id("smoke-1"), DeviceState::Alarm));
}
