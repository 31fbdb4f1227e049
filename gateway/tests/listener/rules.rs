//! Who may come in, and what they may say and hear.

use gateway::listener::Limits;

use crate::bench::{Bench, NOTHING, connect, publish, publish5, subscribe};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_comes_in_under_its_own_name_only() {
    let bench = Bench::start().await;
    for (what, id, login, secret, code) in [
        ("another's id", "door-1", "smoke-1", "secret", 2),
        ("an id with a slash", "a/b", "smoke-1", "secret", 2),
        ("an id with a wildcard", "+", "smoke-1", "secret", 2),
        ("a wrong secret", "smoke-1", "smoke-1", "guess", 4),
        ("an unknown log-in", "smoke-9", "smoke-9", "secret", 4),
    ] {
        for _ in 0..2 {
            let mut client = bench
                .connect(&connect(4, id, login, secret, 60, None))
                .await;
            assert_eq!(client.until_closed().await, [0x20, 2, 0, code], "{what}");
        }
    }
    bench
        .noted("$hub/security/", "wrong log-in or secret")
        .await;
    bench.is_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_on_foreign_ground_is_refused_at_the_door() {
    let bench = Bench::start().await;
    let will = Some(("ssg/v1/q1/door-1/avail", "x"));
    let mut client = bench
        .connect(&connect(4, "smoke-1", "smoke-1", "secret", 60, will))
        .await;
    assert_eq!(client.until_closed().await, [0x20, 2, 0, 5]);
    bench.noted("$hub/security/smoke-1", "acl_will").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_not_stored_and_not_acknowledged_as_done() {
    let bench = Bench::start().await;
    for topic in [
        "ssg/v1/q1/door-1/evt/access-granted",
        "烟感/01",
        "ssg/v1/q1/smoke-1/cmd/x",
        "$SYS/x",
        "ssg/v1/q2/smoke-1/evt/x",
    ] {
        let mut old = bench.device("smoke-1").await;
        old.write(&publish(1, 1, topic, "forged")).await;
        assert_eq!(
            old.until_closed().await,
            NOTHING,
            "3.1.1 cannot say no: {topic}"
        );

        let mut new = bench
            .connect(&connect(5, "smoke-1", "smoke-1", "secret", 60, None))
            .await;
        let head = new.read(2).await;
        new.read(usize::from(head[1])).await;
        new.write(&publish5(1, 4, topic, "forged")).await;
        assert_eq!(new.read(5).await, [0x40, 3, 0, 4, 0x87], "{topic}");
        new.write(&publish5(2, 5, topic, "forged")).await;
        assert_eq!(new.read(5).await, [0x50, 3, 0, 5, 0x87], "{topic}");
    }
    bench.noted("$hub/security/smoke-1", "acl_publish").await;
    assert!(bench.said().is_empty(), "{:?}", bench.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_hears_its_own_commands_and_nothing_else() {
    let bench = Bench::start().await;
    let mut client = bench.device("smoke-1").await;
    for (filter, code) in [
        ("ssg/v1/q1/smoke-1/cmd/#", 1),
        ("#", 0x80),
        ("+/+/+", 0x80),
        ("ssg/v1/q1/door-1/cmd/#", 0x80),
        ("ssg/v1/+/_gw/#", 0x80),
        ("$SYS/#", 0x80),
        ("$share/g/ssg/v1/q1/smoke-1/cmd/#", 0x80),
        ("ssg/v1/#/cmd", 0x80),
    ] {
        client.write(&subscribe(6, filter)).await;
        assert_eq!(client.read(5).await, [0x90, 3, 0, 6, code], "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_connections_and_a_place_comes_free_again() {
    let bench = Bench::with(Limits {
        connections_max: 2,
        ..Limits::default()
    })
    .await;
    let first = bench.device("smoke-1").await;
    let _second = bench.device("door-1").await;
    for _ in 0..20 {
        let mut third = bench
            .connect(&connect(4, "smoke-1", "smoke-1", "secret", 60, None))
            .await;
        assert_eq!(third.until_closed().await, NOTHING);
    }
    drop(first);
    bench.noted("$hub/presence/smoke-1", "offline").await;
    for _ in 0..100 {
        let mut client = bench
            .connect(&connect(4, "smoke-1", "smoke-1", "secret", 60, None))
            .await;
        let mut answer = [0; 4];
        if tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut answer)
            .await
            .is_ok()
        {
            assert_eq!(answer, [0x20, 2, 0, 0]);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no place came free");
}
