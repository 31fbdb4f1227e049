//! The holding list: heard in memory, bounded whatever comes, and settled by the registry.

use std::sync::Arc;

use domain::place::Registry;
use domain::{DeviceClass, Kind, Phase, Reach, Scope, Timestamp};

use super::fixture::{Hub, at, batch, registry};
use crate::state::newcomers::{BACK_AFTER, FORGOTTEN_AFTER, OF_ACCOUNT_MAX};
use crate::state::{
    Batch, DeviceState, Dismissal, NewcomerItem, NewcomerPage, NewcomerTouch, RegistryChange,
    newcomer_id, registry_address,
};

fn heard(account: &str, address: &str, at: Timestamp) -> NewcomerTouch {
    NewcomerTouch {
        account: account.to_owned(),
        address: address.to_owned(),
        device: address.parse().expect("an id"),
        site: "q1".parse().expect("an id"),
        class: Some(DeviceClass::FireSensor),
        format: "zigbee2mqtt".to_owned(),
        vendor: None,
        model: None,
        at,
        said: Some((Kind::DeviceTamper, Phase::Raised)),
        has_rung: false,
        messages: 1,
    }
}

async fn hear(hub: &Hub, newcomers: Vec<NewcomerTouch>) {
    let cursor = hub.state.cursor("detect").await.expect("a cursor").0 + 1;
    hub.commit(Batch {
        newcomers,
        ..batch(cursor, Vec::new())
    })
    .await;
}

fn page(hub: &Hub, is_dismissed: bool) -> NewcomerPage {
    let everywhere = Reach::default();
    let page = hub.state.newcomers(&everywhere, is_dismissed, None, 500);
    page.expect("reads")
}

fn only(hub: &Hub) -> NewcomerItem {
    let mut items = page(hub, false).items;
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

#[tokio::test]
async fn who_is_new_is_written_at_once_and_who_speaks_on_seldom() {
    let hub = Hub::start().await;
    hear(&hub, vec![heard("zigbee", "0x1", at(0))]).await;
    for second in 1..50 {
        hear(&hub, vec![heard("zigbee", "0x1", at(second))]).await;
    }
    assert_eq!(only(&hub).messages, 50);
    let hub = hub.crash().await;
    // the last minute's words are not known any more, and nothing else is lost
    let item = only(&hub);
    assert_eq!((item.messages, item.first_heard_at.0), (1, at(0)));
    hear(&hub, vec![heard("zigbee", "0x1", at(70))]).await;
    let rings = NewcomerTouch {
        has_rung: true,
        model: Some("SD-1".to_owned()),
        ..heard("zigbee", "0x1", at(71))
    };
    hear(&hub, vec![rings]).await;
    let item = only(&hub.crash().await);
    assert_eq!(item.last_heard_at.0, at(71), "that it rings is news");
    assert!(item.has_rung);
    assert_eq!(item.model.as_deref(), Some("SD-1"));
    assert_eq!(item.last_event.as_deref(), Some("device.tamper raised"));
}

#[tokio::test]
async fn a_bridge_that_invents_addresses_fills_its_own_part_and_what_rings_finds_a_place() {
    let hub = Hub::start().await;
    for lot in 0..50_i64 {
        let lot = (0..100).map(|n| heard("zigbee", &format!("a-{lot}-{n}"), at(lot)));
        hear(&hub, lot.collect()).await;
    }
    let counted = page(&hub, false);
    assert_eq!(counted.waiting as usize, OF_ACCOUNT_MAX);
    assert_eq!(counted.turned_away, 5_000 - OF_ACCOUNT_MAX as u64);
    // another bridge has room, and a fire takes the place of who was not heard for the longest time
    let fire = NewcomerTouch {
        has_rung: true,
        ..heard("zigbee", "burning", at(100))
    };
    hear(&hub, vec![heard("lora", "eui-1", at(100)), fire]).await;
    let hub = hub.crash().await;
    let now = page(&hub, false);
    assert_eq!(now.waiting as usize, OF_ACCOUNT_MAX + 1);
    let has = |address: &str| now.items.iter().any(|item| item.address == address);
    assert!(has("burning") && has("eui-1"));
    // pages go through all of them, each once
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = hub
            .state
            .newcomers(&Reach::default(), false, cursor.as_deref(), 200);
        let page = page.expect("reads");
        seen.extend(page.items.into_iter().map(|item| item.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(
        (seen.len(), count),
        (OF_ACCOUNT_MAX + 1, OF_ACCOUNT_MAX + 1)
    );
}

#[tokio::test]
async fn who_was_not_heard_for_a_month_leaves_the_list() {
    let hub = Hub::start().await;
    hear(&hub, vec![heard("zigbee", "old", at(0))]).await;
    let later = at(0) + FORGOTTEN_AFTER + jiff::SignedDuration::from_secs(1);
    hear(&hub, vec![heard("zigbee", "new", later)]).await;
    assert_eq!(only(&hub).address, "new");
    assert_eq!(only(&hub.crash().await).address, "new");
}

#[tokio::test]
async fn who_was_dismissed_waits_again_a_month_later() {
    let hub = Hub::start().await;
    hear(&hub, vec![heard("zigbee", "0x1", at(0))]).await;
    let (id, by) = (newcomer_id("zigbee", "0x1"), "wu".parse().expect("a user"));
    let dismissal = |at| Dismissal {
        by: &by,
        reason: "next door's",
        at,
    };
    let dismiss = async |hub: &Hub, second| {
        let done = hub.state.dismiss_newcomer(&id, dismissal(at(second))).await;
        done.expect("written").expect("it is there")
    };
    let audited = async |hub: &Hub| -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM audit WHERE act = 'dismiss_newcomer'")
            .fetch_one(&hub.state.shared.read)
            .await
            .expect("reads")
    };
    assert_eq!(dismiss(&hub, 5).await.dismissed.expect("so").at.0, at(5));
    assert_eq!(dismiss(&hub, 9).await.dismissed.expect("so").at.0, at(5));
    assert_eq!(audited(&hub).await, 1, "twice is once");
    let nobody = hub.state.dismiss_newcomer("new_0", dismissal(at(9))).await;
    assert_eq!(nobody.expect("reads"), None);
    hear(&hub, vec![heard("zigbee", "0x1", at(100))]).await;
    let hub = hub.crash().await;
    assert_eq!(page(&hub, false).items, []);
    let dismissed = page(&hub, true).items;
    assert_eq!(
        dismissed[0].dismissed.as_ref().expect("so").reason,
        "next door's"
    );
    // it is heard on and on, so it is not forgotten
    let half = at(5) + BACK_AFTER / 2;
    hear(&hub, vec![heard("zigbee", "0x1", half)]).await;
    hear(&hub, vec![heard("zigbee", "0x1", at(5) + BACK_AFTER)]).await;
    assert_eq!(only(&hub).address, "0x1");
}

#[tokio::test]
async fn a_registry_that_has_it_takes_it_off_and_knows_when_it_was_heard() {
    let hub = Hub::start().await;
    hear(
        &hub,
        vec![heard("zigbee", "0x1", at(7)), heard("zigbee", "0x2", at(8))],
    )
    .await;
    let mut with: Registry = (*registry()).clone();
    let mut device = with.devices.values().next().expect("one").clone();
    device.id = "0x1".parse().expect("an id");
    device.address = Some(registry_address("zigbee", "0x1"));
    let address = device.address.clone().expect("just said");
    with.addresses.insert(address, device.id.clone());
    with.devices.insert(device.id.clone(), device);
    let change = RegistryChange {
        version: "v2".to_owned(),
        by: "wu".to_owned(),
        act: "admit_device",
        ..RegistryChange::default()
    };
    let put = hub.state.replace_registry(Arc::new(with), change, at(9));
    put.await.expect("written");
    assert_eq!(only(&hub).address, "0x2");
    let devices = hub.state.devices(at(10)).await.expect("reads").items;
    let device = devices.iter().find(|d| d.id.as_str() == "0x1").expect("it");
    assert_eq!(device.last_seen.map(|at| at.0), Some(at(7)));
    assert_eq!(device.state, DeviceState::Normal);
    // a batch that was read with the registry before brings it back to nobody's list
    hear(&hub, vec![heard("zigbee", "0x1", at(11))]).await;
    assert_eq!(only(&hub).address, "0x2");
}

#[tokio::test]
async fn whoever_is_limited_to_another_quarter_does_not_see_it() {
    let hub = Hub::start().await;
    hear(&hub, vec![heard("zigbee", "0x1", at(0))]).await;
    let reach = |quarter: &str| {
        let scope = Scope {
            quarters: [quarter.parse().expect("an id")].into(),
            ..Scope::default()
        };
        scope.within(&registry())
    };
    let seen = |quarter| {
        let page = hub.state.newcomers(&reach(quarter), false, None, 10);
        page.expect("reads").waiting
    };
    assert_eq!((seen("q1"), seen("q2")), (1, 0));
    let id = newcomer_id("zigbee", "0x1");
    assert!(hub.state.newcomer(&id, &reach("q2")).is_none());
    assert!(hub.state.newcomer(&id, &reach("q1")).is_some());
}
