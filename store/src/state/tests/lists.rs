//! Lists: what they hold and how they come.

use domain::incident::Verb;
use domain::{Reach, Seq, Severity, Uplink, UplinkFlags};

use super::fixture::{Hub, at, batch, command, finding, numbers, smoke};
use crate::state::{Batch, IncidentFilter, QuarantineRow, Reran, RerunAsked, Stage};

#[tokio::test]
async fn the_list_item_has_the_fields_of_the_api() {
    let hub = Hub::start().await;
    hub.find(vec![smoke("smoke-1", 7)]).await;
    let item = serde_json::to_value(&hub.items().await[0]).expect("serialises");
    for field in [
        "id",
        "number",
        "version",
        "severity",
        "state",
        "condition",
        "rule",
        "class",
        "subject",
        "site",
        "zone",
        "zone_name",
        "building",
        "building_name",
        "floor",
        "device",
        "device_name",
        "lead",
        "departments",
        "opened_at",
        "occurred_at",
        "last_event_at",
        "count",
        "acknowledged_at",
        "acknowledged_by",
        "holder",
        "resolved_at",
        "closed_at",
        "cause",
        "due",
        "detail",
        "revision",
    ] {
        assert!(item.get(field).is_some(), "{field} is not in {item}");
    }
    assert_eq!(item["severity"], "P1");
    assert_eq!(item["class"], "fire_sensor");
    assert_eq!(item["opened_at"], "2023-11-14T22:13:27.000Z");
    assert_eq!(item["due"]["acknowledge"], "2023-11-14T22:13:57.000Z");
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_listed() {
    let hub = Hub::start().await;
    let uplink = Uplink {
        received_at: at(1),
        principal: "smoke-1".to_owned(),
        epoch: 1,
        flags: UplinkFlags::new(1),
        topic: "ssg/v1/q1/smoke-1/evt/fire-smoke".to_owned(),
        payload: bytes::Bytes::from_static(b"\0 no json"),
        extra: None,
    };
    let row = |seq| QuarantineRow::new(Seq(seq), &uplink, "bad_json", "not JSON at byte 0");
    let rows = Batch {
        quarantine: (1..=3).map(row).collect(),
        ..batch(3, Vec::new())
    };
    hub.commit(rows.clone()).await;
    hub.commit(rows).await;
    let page = hub
        .state
        .quarantine(None, 2, &Reach::default())
        .await
        .expect("reads");
    let seqs: Vec<u64> = page.items.iter().map(|item| item.seq.0).collect();
    assert_eq!(
        (seqs.as_slice(), page.next.as_deref()),
        (&[3, 2][..], Some("2"))
    );
    let rest = hub
        .state
        .quarantine(page.next.as_deref(), 2, &Reach::default())
        .await
        .expect("reads");
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert_eq!(
        (rest.items[0].raw_base64.as_str(), rest.items[0].bytes),
        ("ACBubyBqc29u", 9)
    );
    assert!(
        hub.state
            .quarantine(Some("x"), 2, &Reach::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_read_again_is_asked_for_once_and_marked_once() {
    let hub = Hub::start().await;
    let uplink = Uplink {
        received_at: at(1),
        principal: "smoke-1".to_owned(),
        epoch: 1,
        flags: UplinkFlags::new(1),
        topic: "ssg/v1/q1/smoke-1/tele".to_owned(),
        payload: bytes::Bytes::from_static(b"{}"),
        extra: None,
    };
    let row = |seq| QuarantineRow::new(Seq(seq), &uplink, "unknown_device", "not registered");
    hub.commit(Batch {
        quarantine: (1..=3).map(row).collect(),
        ..batch(3, Vec::new())
    })
    .await;
    let claim = async |seqs: &[u64], second| {
        let seqs: Vec<Seq> = seqs.iter().map(|seq| Seq(*seq)).collect();
        let asked = RerunAsked {
            by: "manager".parse().expect("a login"),
            object: "quarantine:unknown_device".to_owned(),
        };
        let claimed = hub.state.claim_reruns(&seqs, asked, at(second)).await;
        let claimed = claimed.expect("written").into_iter();
        claimed.map(|seq| seq.0).collect::<Vec<u64>>()
    };
    assert_eq!(claim(&[1, 2, 9], 10).await, [1, 2]);
    // under way; a minute later it is lost
    assert_eq!(claim(&[1, 2, 3], 69).await, [3]);
    assert_eq!(claim(&[2], 71).await, [2]);

    let came = |seq, of, outcome, reject| Reran {
        seq: Seq(seq),
        of: Seq(of),
        outcome,
        detail: "device.telemetry instant".to_owned(),
        reject,
    };
    let still = Some(("bad_json".to_owned(), "not JSON".to_owned()));
    let marks = Batch {
        reran: vec![came(4, 1, "read", None), came(5, 2, "rejected", still)],
        ..batch(5, Vec::new())
    };
    hub.commit(marks.clone()).await;
    hub.commit(marks).await;
    // a second note of the same changes nothing
    hub.commit(Batch {
        reran: vec![came(6, 1, "known", None)],
        ..batch(6, Vec::new())
    })
    .await;
    let page = hub.state.quarantine(None, 9, &Reach::default()).await;
    let told: Vec<(u64, String, String)> = page
        .expect("reads")
        .items
        .into_iter()
        .map(|item| {
            let rerun = item.rerun.expect("asked for");
            (item.seq.0, rerun.outcome, item.reason)
        })
        .collect();
    let told: Vec<(u64, &str, &str)> = told.iter().map(|(s, o, r)| (*s, &**o, &**r)).collect();
    let unknown = "unknown_device";
    assert_eq!(
        told,
        [
            (3, "waiting", unknown),
            (2, "rejected", "bad_json"),
            (1, "read", unknown)
        ]
    );
    // what was read is done, what was not may be asked for again
    assert_eq!(claim(&[1, 2], 900).await, [2]);
    let (left, has_more) = hub
        .state
        .quarantined_for(unknown, "/tele", &Reach::default())
        .await
        .expect("reads");
    assert_eq!((left.len(), left[0].row.seq, has_more), (1, Seq(3), false));
}

#[tokio::test]
async fn lists_come_page_by_page_and_by_department_and_state() {
    let hub = Hub::start().await;
    let found = (1..=5)
        .map(|n| finding("B1", &format!("plate:{n}"), Severity::P2, n))
        .collect();
    let opened = hub.find(found).await.opened;
    let smoke = hub.find(vec![smoke("smoke-1", 6)]).await.opened[0];
    hub.act(opened[0], command(Verb::Claim, "zhao", Some("police")))
        .await
        .expect("claimed");
    hub.force(opened[0]).await;
    hub.act(opened[0], command(Verb::Close, "wang", None))
        .await
        .expect("closed");

    let list = async |stage: Option<&str>, department: Option<&str>| {
        let filter = IncidentFilter {
            stage: stage.map(|text| text.parse().expect("stage")),
            department: department.map(|text| text.parse().expect("department")),
            ..IncidentFilter::default()
        };
        numbers(
            &hub.state
                .incidents(&filter, None, 100)
                .await
                .expect("reads")
                .items,
        )
    };
    assert_eq!(list(None, None).await, [1006, 1005, 1004, 1003, 1002, 1001]);
    assert_eq!(
        list(Some("active"), None).await,
        [1006, 1005, 1004, 1003, 1002]
    );
    assert_eq!(list(Some("closed"), None).await, [1001]);
    assert_eq!(list(None, Some("fire")).await, [1006]);
    assert_eq!(
        list(Some("open"), Some("traffic")).await,
        [1005, 1004, 1003, 1002]
    );
    assert!("nonsense".parse::<Stage>().is_err());

    let with = async |filter: IncidentFilter| {
        let page = hub.state.incidents(&filter, None, 100).await;
        numbers(&page.expect("reads").items)
    };
    let all = IncidentFilter::default;
    let one = IncidentFilter {
        number: Some(1003),
        ..all()
    };
    assert_eq!(with(one).await, [1003]);
    let urgent = IncidentFilter {
        severity: Some(Severity::P1),
        ..all()
    };
    assert_eq!(with(urgent).await, [1006]);
    let of_rule = IncidentFilter {
        rule: Some("B1".parse().expect("rule")),
        from: Some(at(2)),
        to: Some(at(4)),
        ..all()
    };
    assert_eq!(
        with(of_rule).await,
        [1003, 1002],
        "the end of a span is outside, its beginning inside"
    );
    let elsewhere = IncidentFilter {
        site: Some("q9".parse().expect("site")),
        ..all()
    };
    assert_eq!(with(elsewhere).await, Vec::<u64>::new());

    let all = all();
    let first = hub.state.incidents(&all, None, 4).await.expect("reads");
    let rest = hub
        .state
        .incidents(&all, first.next.as_deref(), 4)
        .await
        .expect("reads");
    assert_eq!(numbers(&first.items), [1006, 1005, 1004, 1003]);
    assert_eq!((numbers(&rest.items), rest.next), (vec![1002, 1001], None));
    assert!(hub.view(smoke).await.item.revision <= first.revision);
}
