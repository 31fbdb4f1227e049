//! What the protocol promises: acknowledgements, qualities of service, wills, takeover, and what happens to broken packets.

use std::time::Duration;

use gateway::listener::Limits;

use crate::bench::{Bench, NOTHING, again, connect, publish, publish5};

const TOPIC: &str = "ssg/v1/q1/smoke-1/evt/fire-smoke";

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_come_in_order_and_only_for_what_is_on_disk() {
    let bench = Bench::start().await;
    let mut client = bench.device("smoke-1").await;
    let burst: Vec<u8> = (1..=1000)
        .flat_map(|id| publish(1, id, TOPIC, &format!("m{id}")))
        .collect();
    client.write(&burst).await;
    for id in 1..=1000u16 {
        assert_eq!(client.read(4).await, [0x40, 2, (id >> 8) as u8, id as u8]);
        if id % 250 == 0 {
            assert!(
                bench.said().len() >= usize::from(id),
                "{id} was acknowledged before it was stored"
            );
        }
    }
    let expected: Vec<_> = (1..=1000).map(|id| format!("m{id}")).collect();
    assert_eq!(bench.said(), expected);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_quality_two_is_taken_once_however_often_it_is_sent() {
    let bench = Bench::start().await;
    let mut client = bench.device("smoke-1").await;
    client.write(&publish(2, 7, TOPIC, "once")).await;
    assert_eq!(client.read(4).await, [0x50, 2, 0, 7], "PUBREC");
    for _ in 0..3 {
        client.write(&again(2, 7, TOPIC, "once")).await;
        assert_eq!(client.read(4).await, [0x50, 2, 0, 7], "PUBREC again");
    }
    for _ in 0..2 {
        client.write(&[0x62, 2, 0, 7]).await;
        assert_eq!(client.read(4).await, [0x70, 2, 0, 7], "PUBCOMP");
    }
    assert_eq!(bench.said(), ["once"]);
    client.write(&publish(2, 7, TOPIC, "the next one")).await;
    assert_eq!(client.read(4).await, [0x50, 2, 0, 7]);
    assert_eq!(bench.said(), ["once", "the next one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_mean_the_same_wherever_the_network_cuts_them() {
    let bench = Bench::start().await;
    let bytes = publish(1, 3, TOPIC, "whole");
    let mut client = bench.device("smoke-1").await;
    for cut in 1..bytes.len() {
        client.write(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        client.write(&bytes[cut..]).await;
        assert_eq!(client.read(4).await, [0x40, 2, 0, 3], "cut at {cut}");
    }
    assert_eq!(bench.said().len(), bytes.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_takes_over_and_the_older_one_leaves_its_will() {
    let bench = Bench::start().await;
    let will = Some(("ssg/v1/q1/smoke-1/avail", "gone"));
    let mut older = bench
        .connect(&connect(5, "smoke-1", "smoke-1", "secret", 60, will))
        .await;
    assert_eq!(older.read(1).await, [0x20]);
    bench.noted("$hub/presence/smoke-1", "online").await;
    let _newer = bench.device("smoke-1").await;
    assert!(
        older.until_closed().await.ends_with(&[0xe0, 1, 0x8e]),
        "told that it was taken over"
    );
    bench.noted("$hub/presence/smoke-1", "takeover").await;
    bench.comes_to_say(&["gone"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_is_said_on_loss_and_void_after_a_goodbye() {
    let bench = Bench::start().await;
    let will = Some(("ssg/v1/q1/smoke-1/avail", "lost"));
    let mut polite = bench
        .connect(&connect(4, "smoke-1", "smoke-1", "secret", 60, will))
        .await;
    polite.read(4).await;
    polite.write(&[0xe0, 0]).await;
    polite.until_closed().await;
    bench.noted("$hub/presence/smoke-1", "disconnect").await;
    assert!(bench.said().is_empty());

    let mut dropped = bench
        .connect(&connect(4, "smoke-1", "smoke-1", "secret", 60, will))
        .await;
    dropped.read(4).await;
    drop(dropped);
    bench.noted("$hub/presence/smoke-1", "closed").await;
    bench.comes_to_say(&["lost"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_beyond_the_keepalive_ends_the_connection() {
    let bench = Bench::start().await;
    let mut client = bench
        .connect(&connect(4, "smoke-1", "smoke-1", "secret", 1, None))
        .await;
    client.read(4).await;
    let begun = std::time::Instant::now();
    client.until_closed().await;
    let silent = begun.elapsed();
    assert!(
        silent > Duration::from_millis(1300) && silent < Duration::from_secs(4),
        "{silent:?}"
    );
    bench.noted("$hub/presence/smoke-1", "keepalive").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_acknowledged_before_the_hub_goes() {
    let bench = Bench::start().await;
    let mut client = bench
        .connect(&connect(5, "smoke-1", "smoke-1", "secret", 60, None))
        .await;
    let head = client.read(2).await;
    client.read(usize::from(head[1])).await;
    client.write(&publish5(1, 5, TOPIC, "last word")).await;
    while bench
        .stats
        .received
        .load(std::sync::atomic::Ordering::Relaxed)
        == 0
    {
        tokio::task::yield_now().await;
    }
    let stored = bench.journal.clone();
    bench.stop().await;
    let told = client.until_closed().await;
    assert_eq!(
        told,
        [0x40, 2, 0, 5, 0xe0, 1, 0x8b],
        "PUBACK, then DISCONNECT: server shutting down"
    );
    assert!(stored.stats().last_seq.0 >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_packet_ends_its_connection_and_nothing_else() {
    let bench = Bench::start().await;
    let broken: [(&str, Vec<u8>); 17] = [
        (
            "a second CONNECT",
            connect(4, "smoke-1", "smoke-1", "secret", 60, None),
        ),
        ("QoS 3", publish(3, 1, TOPIC, "x")),
        ("packet id 0", publish(1, 0, TOPIC, "x")),
        ("DUP with QoS 0", again(0, 0, TOPIC, "x")),
        ("an empty topic", publish(1, 1, "", "x")),
        (
            "a wildcard in a topic",
            publish(1, 1, "ssg/v1/q1/smoke-1/evt/+", "x"),
        ),
        (
            "a NUL in a topic",
            publish(1, 1, "ssg/v1/q1/smoke-1/evt/\0", "x"),
        ),
        ("a topic that is no UTF-8", vec![0x30, 4, 0, 2, 0xff, 0xfe]),
        (
            "a topic longer than the packet",
            vec![0x30, 4, 0, 200, b'a', b'b'],
        ),
        ("CONNACK from a client", vec![0x20, 2, 0, 0]),
        ("SUBACK from a client", vec![0x90, 3, 0, 1, 0]),
        ("PINGRESP from a client", vec![0xd0, 0]),
        (
            "SUBSCRIBE without its flags",
            vec![0x80, 6, 0, 1, 0, 1, b'a', 0],
        ),
        ("SUBSCRIBE without a filter", vec![0x82, 2, 0, 1]),
        ("PUBREL without its flags", vec![0x60, 2, 0, 1]),
        (
            "a length of five bytes",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("AUTH", vec![0xf0, 0]),
    ];
    for (what, bytes) in broken {
        let mut client = bench.device("smoke-1").await;
        client.write(&bytes).await;
        assert_eq!(client.until_closed().await, NOTHING, "{what}");
    }
    assert!(bench.said().is_empty(), "{:?}", bench.said());
    bench.is_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_begin_with_a_good_connect_gets_nowhere() {
    let bench = Bench::start().await;
    let good = connect(4, "smoke-1", "smoke-1", "secret", 60, None);
    let mut reserved = good.clone();
    reserved[9] |= 1;
    let mut level = good.clone();
    level[8] = 6;
    let mut name = good.clone();
    name[4] = b'X';
    for (what, bytes) in [
        ("PUBLISH first", publish(1, 1, TOPIC, "x")),
        ("the reserved flag", reserved),
        ("an unknown level", level),
        ("another protocol", name),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a huge length", vec![0x10, 0xff, 0xff, 0xff, 0x7f]),
    ] {
        let mut client = bench.connect(&bytes).await;
        let answer = client.until_closed().await;
        assert!(
            answer.is_empty() || answer == [0x20, 2, 0, 1],
            "{what}: {answer:?}"
        );
    }
    assert!(bench.said().is_empty());
    bench.is_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_packet_is_refused_by_its_announcement() {
    let bench = Bench::with(Limits {
        packet_bytes_max: 1024,
        ..Limits::default()
    })
    .await;
    let mut client = bench
        .connect(&connect(5, "smoke-1", "smoke-1", "secret", 60, None))
        .await;
    let head = client.read(2).await;
    client.read(usize::from(head[1])).await;
    client.write(&[0x32, 0xff, 0xff, 0x7f]).await; // two megabytes, none of which is sent
    let goodbye = client.until_closed().await;
    assert_eq!((goodbye[0], goodbye[2]), (0xe0, 0x95));
    assert!(
        String::from_utf8_lossy(&goodbye).contains("2097155 bytes"),
        "it says why"
    );
    bench.noted("$hub/security/smoke-1", "oversize").await;
    bench.is_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_and_says_nothing_is_sent_away() {
    let bench = Bench::with(Limits {
        connect_deadline: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut mute = Vec::new();
    for _ in 0..50 {
        mute.push(bench.connect(&[0x10]).await);
    }
    bench.is_alive().await;
    for client in &mut mute {
        assert_eq!(client.until_closed().await, NOTHING);
    }
}
