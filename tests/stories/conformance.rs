//! The interoperability areas of MQTT 3.1.1 and 5.0, written from the OASIS texts (section numbers are of MQTT 5.0 unless said), over a
//! real hub: the 10 and 27 that brokers are commonly measured by, and what they leave out. Differences are listed in docs/mqtt.md.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use blackbox::{Hello, Hub, Message, Mqtt, Props, Welcome, bin, eventually, packet};

const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_ID: u8 = 0x0b;
const SESSION_EXPIRY: u8 = 0x11;
const ASSIGNED_CLIENT: u8 = 0x12;
const SERVER_KEEP_ALIVE: u8 = 0x13;
const WILL_DELAY: u8 = 0x18;
const REASON_STRING: u8 = 0x1f;
const RECEIVE_MAXIMUM: u8 = 0x21;
const TOPIC_ALIAS_MAX: u8 = 0x22;
const TOPIC_ALIAS: u8 = 0x23;
const PACKET_BYTES_MAX: u8 = 0x27;

/// A hub with one account that may speak and hear below `test/` and below a name in Chinese.
struct Bench {
    hub: Hub,
    dir: tempfile::TempDir,
    secret: String,
}

fn credential(data: &Path, arguments: &[&str]) -> String {
    let out = Command::new(bin("gateway"))
        .args(["credential"])
        .args(arguments)
        .env("JIMING__DATA__DIR", data)
        .output()
        .expect("runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

impl Bench {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let hub = Hub::start(dir.path()).await;
        let patterns = ["test/#", "$share/#", "烟感/#", "$test/#"];
        let mut arguments = vec!["add", "--bridge"];
        for pattern in patterns {
            arguments.extend(["--publish", pattern, "--subscribe", pattern]);
        }
        arguments.push("interop");
        let secret = credential(dir.path(), &arguments);
        let bench = Self { hub, dir, secret };
        eventually("the account is known", Duration::from_secs(20), || async {
            let (_, welcome) = Mqtt::connect(&bench.address(), &bench.hello(4, "probe")).await;
            welcome.filter(|w| w.code == 0)
        })
        .await;
        bench
    }

    fn address(&self) -> String {
        let (host, port) = self.hub.demo.mqtt_address();
        format!("{host}:{port}")
    }

    fn hello(&self, version: u8, client: &str) -> Hello {
        Hello {
            version,
            client: client.to_owned(),
            clean: true,
            keep_alive_s: 60,
            login: Some(("interop".to_owned(), self.secret.clone())),
            will: None,
            props: Props::default(),
        }
    }

    async fn enter(&self, hello: &Hello) -> (Mqtt, Welcome) {
        let (client, welcome) = Mqtt::connect(&self.address(), hello).await;
        let welcome = welcome.expect("an answer");
        assert_eq!(welcome.code, 0, "let in");
        (client, welcome)
    }

    async fn client(&self, version: u8, client: &str) -> Mqtt {
        self.enter(&self.hello(version, client)).await.0
    }

    /// A session that outlives its connection; begun anew in version 5, in 3.1.1 after [`Bench::forget`].
    fn lasting(&self, version: u8, client: &str, clean: bool) -> Hello {
        let hello = self.hello(version, client);
        Hello {
            clean: clean && version == 5,
            props: Props::default().four(SESSION_EXPIRY, 600),
            ..hello
        }
    }

    async fn forget(&self, version: u8, client: &str) {
        self.client(version, client)
            .await
            .goodbye(0, &Props::default())
            .await;
    }
}

fn told(message: &Message) -> (&str, &str, u8, bool) {
    (
        &message.topic,
        &message.payload,
        message.qos,
        message.retain,
    )
}

// --- both versions -----------------------------------------------------------------------------------------------------------------

async fn basic(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    assert_eq!(
        a.subscribe(&[("test/basic", 2), ("烟感/+", 1)]).await,
        [2, 1]
    );
    for qos in 0..3 {
        a.publish("test/basic", &format!("quality {qos}"), qos, false)
            .await;
        let message = a.take().await;
        assert_eq!(
            told(&message),
            ("test/basic", format!("quality {qos}").as_str(), qos, false)
        );
    }
    a.publish("烟感/01", "烟", 1, false).await;
    assert_eq!(told(&a.take().await), ("烟感/01", "烟", 1, false));
    a.publish("test/basic", "", 1, false).await;
    assert_eq!(told(&a.take().await), ("test/basic", "", 1, false));
    // a second CONNECT is a protocol error ([MQTT-3.1.0-2])
    a.raw(&packet(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x01x"))
        .await;
    assert_eq!(a.closed().await, (v == 5).then_some(0x82));
}

async fn retained(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    for qos in 0..3 {
        a.publish(&format!("test/kept/{qos}"), &format!("q{qos}"), qos, true)
            .await;
    }
    let mut late = b.client(v, "late").await;
    late.subscribe(&[("test/kept/+", 2)]).await;
    let mut found = [late.take().await, late.take().await, late.take().await];
    found.sort_by(|x, y| x.topic.cmp(&y.topic));
    for (qos, message) in found.iter().enumerate() {
        let topic = format!("test/kept/{qos}");
        let qos = u8::try_from(qos).expect("small");
        assert_eq!(
            told(message),
            (topic.as_str(), format!("q{qos}").as_str(), qos, true)
        );
    }
    // live, the flag is not set ([MQTT-3.3.1-12] with retain as published 0)
    a.publish("test/kept/1", "newer", 1, true).await;
    assert_eq!(told(&late.take().await), ("test/kept/1", "newer", 1, false));
    // an empty one takes it back, and is not kept itself ([MQTT-3.3.1-6], [MQTT-3.3.1-7])
    for qos in 0..3 {
        a.publish(&format!("test/kept/{qos}"), "", 1, true).await;
        assert_eq!(late.take().await.payload, "");
    }
    let mut later = b.client(v, "later").await;
    later.subscribe(&[("test/kept/+", 2)]).await;
    later.silence().await;
    // an empty message that is not retained takes nothing back
    a.publish("test/kept/9", "stays", 1, true).await;
    assert_eq!(later.take().await.payload, "stays");
    a.publish("test/kept/9", "", 1, false).await;
    assert_eq!(later.take().await.payload, "");
    let mut last = b.client(v, "last").await;
    last.subscribe(&[("test/kept/9", 1)]).await;
    assert_eq!(last.take().await.payload, "stays");
    a.publish("test/kept/9", "", 1, true).await;
}

async fn offline_queueing(b: &Bench, v: u8) {
    b.forget(v, "sleeper").await;
    let (mut sleeper, welcome) = b.enter(&b.lasting(v, "sleeper", true)).await;
    assert!(!welcome.present);
    sleeper.subscribe(&[("test/queue/#", 2)]).await;
    sleeper.goodbye(0, &Props::default()).await;
    let mut a = b.client(v, "a").await;
    for qos in 0..3 {
        a.publish("test/queue/x", &format!("q{qos}"), qos, false)
            .await;
    }
    let (mut sleeper, welcome) = b.enter(&b.lasting(v, "sleeper", false)).await;
    assert!(welcome.present, "[MQTT-3.2.2-3]");
    let first = sleeper.take().await;
    assert_eq!(
        (first.payload.as_str(), first.qos),
        ("q1", 1),
        "quality 0 does not wait"
    );
    assert_eq!(sleeper.take().await.payload, "q2");
    sleeper.silence().await;
    let (_, welcome) = b.enter(&b.hello(v, "sleeper")).await;
    assert!(!welcome.present, "[MQTT-3.1.2-4]");
    b.forget(v, "sleeper").await;
}

async fn will(b: &Bench, v: u8) {
    let mut ear = b.client(v, "ear").await;
    ear.subscribe(&[("test/will", 2)]).await;
    let mut hello = b.hello(v, "mortal");
    hello.will = Some((
        "test/will".to_owned(),
        "gone".to_owned(),
        2,
        true,
        Props::default(),
    ));
    let (mortal, _) = b.enter(&hello).await;
    drop(mortal);
    assert_eq!(told(&ear.take().await), ("test/will", "gone", 2, false));
    let mut late = b.client(v, "late").await;
    late.subscribe(&[("test/will", 1)]).await;
    assert_eq!(
        told(&late.take().await),
        ("test/will", "gone", 1, true),
        "a retained will"
    );
    late.publish("test/will", "", 1, true).await;
    assert_eq!(ear.take().await.payload, "");
    b.enter(&hello).await.0.goodbye(0, &Props::default()).await;
    ear.silence().await;
}

async fn zero_length_client_id(b: &Bench, v: u8) {
    let (mut nameless, welcome) = b.enter(&b.hello(v, "")).await;
    nameless.subscribe(&[("test/nameless", 1)]).await;
    nameless.publish("test/nameless", "x", 1, false).await;
    nameless.take().await;
    if v == 5 {
        let name = welcome
            .props
            .string(ASSIGNED_CLIENT)
            .expect("[MQTT-3.2.2-16]");
        assert!(!name.is_empty());
    } else {
        // 3.1.1: without a clean session it is refused with 0x02 ([MQTT-3.1.3-8] of 3.1.1)
        let hello = Hello {
            clean: false,
            ..b.hello(4, "")
        };
        let (_, welcome) = Mqtt::connect(&b.address(), &hello).await;
        assert_eq!(welcome.expect("an answer").code, 2);
    }
}

async fn overlapping(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    a.subscribe(&[("test/over/#", 2), ("test/over/+", 1)]).await;
    a.publish("test/over/x", "once", 2, false).await;
    let message = a.take().await;
    assert_eq!(
        (message.payload.as_str(), message.qos),
        ("once", 2),
        "the highest quality (3.3.4)"
    );
    a.silence().await;
}

async fn keepalive(b: &Bench, v: u8) {
    let mut ear = b.client(v, "ear").await;
    ear.subscribe(&[("test/silent", 1)]).await;
    let mut hello = b.hello(v, "silent");
    hello.keep_alive_s = 1;
    hello.will = Some((
        "test/silent".to_owned(),
        "silent".to_owned(),
        1,
        false,
        Props::default(),
    ));
    let (_held, _) = b.enter(&hello).await;
    assert_eq!(ear.take().await.payload, "silent", "[MQTT-3.1.2-22]");
    let (mut free, welcome) = b
        .enter(&Hello {
            keep_alive_s: 0,
            ..b.hello(v, "free")
        })
        .await;
    if v == 5 {
        assert!(
            welcome.props.number(SERVER_KEEP_ALIVE).is_some(),
            "the server decides (3.2.2.3.14)"
        );
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    free.silence().await;
}

async fn redelivery(b: &Bench, v: u8) {
    b.forget(v, "flaky").await;
    let (mut flaky, _) = b.enter(&b.lasting(v, "flaky", true)).await;
    flaky.subscribe(&[("test/again", 2)]).await;
    let mut a = b.client(v, "a").await;
    a.publish("test/again", "one", 1, false).await;
    a.publish("test/again", "two", 2, false).await;
    let (one, two) = (flaky.message().await, flaky.message().await);
    assert!(!one.dup && !two.dup);
    drop(flaky);
    let (mut flaky, welcome) = b.enter(&b.lasting(v, "flaky", false)).await;
    assert!(welcome.present);
    for old in [&one, &two] {
        let again = flaky.message().await;
        assert_eq!(
            (again.id, again.dup, &again.payload),
            (old.id, true, &old.payload),
            "[MQTT-4.4.0-1], [MQTT-3.3.1-1]"
        );
    }
    flaky.ack(4, one.id).await;
    flaky.ack(5, two.id).await;
    assert_eq!(flaky.acked(6).await, two.id);
    drop(flaky);
    // PUBREL is owed, and not the message
    let (mut flaky, _) = b.enter(&b.lasting(v, "flaky", false)).await;
    assert_eq!(flaky.acked(6).await, two.id);
    flaky.ack(7, two.id).await;
    flaky.silence().await;
    flaky.goodbye(0, &Props::default()).await;
    let (mut flaky, _) = b.enter(&b.lasting(v, "flaky", false)).await;
    flaky.silence().await;
    drop(flaky);
    b.forget(v, "flaky").await;
}

async fn exactly_once_in(b: &Bench, v: u8) {
    b.forget(v, "teller").await;
    let mut ear = b.client(v, "ear").await;
    ear.subscribe(&[("test/once", 2)]).await;
    let (mut teller, _) = b.enter(&b.lasting(v, "teller", true)).await;
    teller
        .send("test/once", "first", 2, false, 9, &Props::default())
        .await;
    assert_eq!(teller.acked(5).await, 9);
    drop(teller);
    let (mut teller, welcome) = b.enter(&b.lasting(v, "teller", false)).await;
    assert!(welcome.present);
    teller
        .send_as(0x3c, "test/once", "first", 9, &Props::default())
        .await;
    assert_eq!(teller.acked(5).await, 9, "[MQTT-4.3.3-10]");
    teller.ack(6, 9).await;
    assert_eq!(teller.acked(7).await, 9);
    teller
        .send("test/once", "second", 2, false, 9, &Props::default())
        .await;
    assert_eq!(teller.acked(5).await, 9);
    assert_eq!(ear.take().await.payload, "first");
    assert_eq!(ear.take().await.payload, "second");
    ear.silence().await;
    drop(teller);
    b.forget(v, "teller").await;
}

async fn subscribe_failure(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    let refused = if v == 5 { 0x87 } else { 0x80 };
    assert_eq!(
        a.subscribe(&[
            ("test/yes", 1),
            ("nosubscribe", 2),
            ("#", 0),
            ("test/also", 2)
        ])
        .await,
        [1, refused, refused, 2]
    );
    let malformed = if v == 5 { 0x8f } else { 0x80 };
    assert_eq!(
        a.subscribe(&[("test/a#", 1), ("test/#/b", 1), ("", 1)])
            .await,
        [malformed; 3]
    );
    a.publish("test/also", "heard", 1, false).await;
    assert_eq!(a.take().await.payload, "heard");
}

async fn dollar_topics(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    // what starts with $ is not matched by a wildcard in the first level ([MQTT-4.7.2-1]); here, nobody may even ask for that
    assert!(a.subscribe(&[("+/x", 1)]).await[0] >= 0x80);
    assert_eq!(a.subscribe(&[("$test/x", 1)]).await, [1]);
    a.publish("$test/x", "by name", 1, false).await;
    assert_eq!(a.take().await.payload, "by name");
}

async fn unsubscribe(b: &Bench, v: u8) {
    let mut a = b.client(v, "a").await;
    a.subscribe(&[("test/u/1", 1), ("test/u/2", 1), ("test/u/3", 1)])
        .await;
    let codes = a.unsubscribe(&["test/u/1", "test/u/9", "test/u/2"]).await;
    assert_eq!(codes, if v == 5 { vec![0, 0x11, 0] } else { vec![] });
    for n in 1..4 {
        a.publish(&format!("test/u/{n}"), "x", 1, false).await;
    }
    assert_eq!(a.take().await.topic, "test/u/3");
    a.silence().await;
}

async fn takeover(b: &Bench, v: u8) {
    let mut older = b.client(v, "twin").await;
    let mut newer = b.client(v, "twin").await;
    let reason = older.closed().await;
    assert_eq!(reason, (v == 5).then_some(0x8e), "[MQTT-3.1.4-3]");
    newer.silence().await;
}

async fn both_versions(b: &Bench, v: u8) {
    basic(b, v).await;
    retained(b, v).await;
    zero_length_client_id(b, v).await;
    offline_queueing(b, v).await;
    will(b, v).await;
    overlapping(b, v).await;
    keepalive(b, v).await;
    redelivery(b, v).await;
    subscribe_failure(b, v).await;
    dollar_topics(b, v).await;
    unsubscribe(b, v).await;
    exactly_once_in(b, v).await;
    takeover(b, v).await;
}

#[tokio::test]
async fn version_3_1_1_as_the_standard_has_it() {
    let bench = Bench::start().await;
    both_versions(&bench, 4).await;
    assert!(!bench.hub.log().contains("panicked"));
}

// --- version 5 ---------------------------------------------------------------------------------------------------------------------

async fn will_delay(b: &Bench) {
    let mut ear = b.client(5, "ear").await;
    ear.subscribe(&[("test/later", 1)]).await;
    let mut hello = b.lasting(5, "mortal", true);
    let delay = |s| Props::default().four(WILL_DELAY, s);
    hello.will = Some(("test/later".to_owned(), "w".to_owned(), 1, false, delay(2)));
    let start = std::time::Instant::now();
    drop(b.enter(&hello).await);
    assert_eq!(ear.take().await.payload, "w");
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "[MQTT-3.1.3-9] not before its time"
    );
    // back in time: it is not said; with the end of the session it is, however long the delay
    drop(b.enter(&hello).await);
    let (back, _) = b.enter(&b.lasting(5, "mortal", false)).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    ear.silence().await;
    drop(back);
    hello.will = Some((
        "test/later".to_owned(),
        "session over".to_owned(),
        1,
        false,
        delay(600),
    ));
    hello.props = Props::default().four(SESSION_EXPIRY, 1);
    drop(b.enter(&hello).await);
    assert_eq!(ear.take().await.payload, "session over");
    // 0x04: good-bye with the will
    hello.will = Some((
        "test/later".to_owned(),
        "asked for".to_owned(),
        1,
        false,
        Props::default(),
    ));
    b.enter(&hello).await.0.goodbye(4, &Props::default()).await;
    assert_eq!(ear.take().await.payload, "asked for");
}

async fn session_expiry(b: &Bench) {
    let expiry = |s| Props::default().four(SESSION_EXPIRY, s);
    let hello = |clean, s| Hello {
        clean,
        props: expiry(s),
        ..b.hello(5, "guest")
    };
    b.enter(&hello(true, 0))
        .await
        .0
        .goodbye(0, &Props::default())
        .await;
    assert!(
        !b.enter(&hello(false, 1)).await.1.present,
        "expiry 0 ends with the connection"
    );
    b.enter(&hello(false, 1))
        .await
        .0
        .goodbye(0, &Props::default())
        .await;
    assert!(b.enter(&hello(false, 1)).await.1.present);
    b.enter(&hello(false, 1))
        .await
        .0
        .goodbye(0, &Props::default())
        .await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(
        !b.enter(&hello(false, 60)).await.1.present,
        "its time was over"
    );
    // changed with the good-bye
    b.enter(&hello(false, 60))
        .await
        .0
        .goodbye(0, &expiry(0))
        .await;
    let (mut guest, welcome) = b.enter(&hello(false, 0)).await;
    assert!(!welcome.present);
    // from 0 to more is a protocol error (3.14.2.2.2)
    guest
        .raw(&packet(0xe0, &[0, 5, SESSION_EXPIRY, 0, 0, 0, 9]))
        .await;
    assert_eq!(guest.closed().await, Some(0x82));
}

async fn shared_subscriptions(b: &Bench) {
    let (mut one, mut two) = (b.client(5, "one").await, b.client(5, "two").await);
    let mut all = b.client(5, "all").await;
    for member in [&mut one, &mut two] {
        assert_eq!(member.subscribe(&[("$share/g/test/share/#", 1)]).await, [1]);
    }
    all.subscribe(&[("test/share/#", 1)]).await;
    let mut a = b.client(5, "a").await;
    for n in 0..10 {
        a.publish("test/share/x", &n.to_string(), 1, false).await;
    }
    for n in 0..10 {
        assert_eq!(all.take().await.payload, n.to_string());
    }
    for member in [&mut one, &mut two] {
        for _ in 0..5 {
            member.take().await;
        }
        member.silence().await;
    }
    // the same group name on another filter is another group (4.8.2)
    two.subscribe(&[("$share/g/test/other", 1)]).await;
    a.publish("test/other", "mine", 1, false).await;
    assert_eq!(two.take().await.payload, "mine");
    assert_eq!(
        one.subscribe(&[
            ("$share//test/x", 1),
            ("$share/g", 1),
            ("$share/+/test/x", 1)
        ])
        .await,
        [0x8f; 3]
    );
    assert_eq!(one.subscribe(&[("$share/g/nosubscribe", 1)]).await, [0x87]);
    two.goodbye(0, &Props::default()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..4 {
        a.publish("test/share/x", "left", 1, false).await;
        assert_eq!(one.take().await.payload, "left");
        all.take().await;
    }
    // no local on a shared subscription is a protocol error ([MQTT-3.8.3-4])
    one.raw(&packet(0x82, b"\0\x05\0\0\x0e$share/g/test/\x05"))
        .await;
    assert!(matches!(one.closed().await, Some(0x82 | 0x81)));
}

async fn properties(b: &Bench) {
    let mut a = b.client(5, "a").await;
    let mut old = b.client(4, "old").await;
    a.subscribe(&[("test/props", 2)]).await;
    old.subscribe(&[("test/props", 2)]).await;
    let sent = Props::default()
        .byte(0x01, 1)
        .text(CONTENT_TYPE, "text/plain")
        .text(RESPONSE_TOPIC, "test/answer")
        .text(CORRELATION_DATA, "nr 7")
        .user("c", "1")
        .user("a", "2")
        .user("c", "3");
    for qos in 0..3 {
        a.publish_with("test/props", "x", qos, false, &sent).await;
        assert_eq!(
            a.take().await.props,
            sent,
            "unaltered and in order ([MQTT-3.3.2-4] to [MQTT-3.3.2-20])"
        );
        assert_eq!(
            told(&old.take().await),
            ("test/props", "x", qos, false),
            "3.1.1 gets it without"
        );
    }
    old.publish("test/props", "from 3.1.1", 1, false).await;
    assert_eq!(a.take().await.props, Props::default());
    old.take().await;
    // request and response
    let mut asker = b.client(5, "asker").await;
    asker.subscribe(&[("test/answer", 1)]).await;
    a.subscribe(&[("test/question", 1)]).await;
    let ask = Props::default()
        .text(RESPONSE_TOPIC, "test/answer")
        .text(CORRELATION_DATA, "42");
    asker
        .publish_with("test/question", "what?", 1, false, &ask)
        .await;
    let question = a.take().await;
    let to = question.props.string(RESPONSE_TOPIC).expect("where to");
    let which = question.props.string(CORRELATION_DATA).expect("which");
    a.publish_with(
        &to,
        "that",
        1,
        false,
        &Props::default().text(CORRELATION_DATA, &which),
    )
    .await;
    assert_eq!(
        asker.take().await.props.string(CORRELATION_DATA).as_deref(),
        Some("42")
    );
}

async fn message_expiry(b: &Bench) {
    b.forget(5, "sleeper").await;
    let (mut sleeper, _) = b.enter(&b.lasting(5, "sleeper", true)).await;
    sleeper.subscribe(&[("test/expiry", 1)]).await;
    sleeper.goodbye(0, &Props::default()).await;
    let mut a = b.client(5, "a").await;
    let lives = |s| Props::default().four(MESSAGE_EXPIRY, s);
    a.publish_with("test/expiry", "short", 1, false, &lives(1))
        .await;
    a.publish_with("test/expiry", "long", 1, false, &lives(100))
        .await;
    a.publish_with("test/expiry/kept", "short", 1, true, &lives(1))
        .await;
    tokio::time::sleep(Duration::from_millis(2200)).await;
    let (mut sleeper, _) = b.enter(&b.lasting(5, "sleeper", false)).await;
    let message = sleeper.take().await;
    assert_eq!(message.payload, "long", "[MQTT-3.3.2-5]");
    let left = message.props.number(MESSAGE_EXPIRY).expect("what is left");
    assert!((1..=98).contains(&left), "[MQTT-3.3.2-6]: {left}");
    sleeper.subscribe(&[("test/expiry/kept", 1)]).await;
    sleeper.silence().await;
    drop(sleeper);
    b.forget(5, "sleeper").await;
}

async fn subscription_options(b: &Bench) {
    let mut a = b.client(5, "a").await;
    let mut other = b.client(5, "other").await;
    // no local: bit 2
    a.subscribe(&[("test/local", 2 | 0b100)]).await;
    other.subscribe(&[("test/local", 2)]).await;
    a.publish("test/local", "mine", 1, false).await;
    assert_eq!(other.take().await.payload, "mine");
    a.silence().await;
    // retain as published: bit 3
    a.subscribe(&[("test/rap/1", 1 | 0b1000), ("test/rap/0", 1)])
        .await;
    for topic in ["test/rap/0", "test/rap/1"] {
        other.publish(topic, "r", 1, true).await;
        let message = a.take().await;
        assert_eq!(
            message.retain,
            topic == "test/rap/1",
            "[MQTT-3.3.1-12], [MQTT-3.3.1-13]"
        );
    }
    // retain handling: bits 4 and 5
    let mut c = b.client(5, "c").await;
    c.subscribe(&[("test/rap/1", 1 | 0x20)]).await;
    c.silence().await;
    c.unsubscribe(&["test/rap/1"]).await;
    c.subscribe(&[("test/rap/1", 1 | 0x10)]).await;
    assert_eq!(c.take().await.payload, "r", "new");
    c.subscribe(&[("test/rap/1", 1 | 0x10)]).await;
    c.silence().await;
    c.subscribe(&[("test/rap/1", 1)]).await;
    assert_eq!(c.take().await.payload, "r", "every time");
    for topic in ["test/rap/0", "test/rap/1"] {
        other.publish(topic, "", 1, true).await;
    }
    // options that there are not are malformed ([MQTT-3.8.3-5])
    c.raw(&packet(0x82, b"\0\x05\0\0\x06test/x\xc1")).await;
    assert_eq!(c.closed().await, Some(0x81));
}

async fn subscription_ids(b: &Bench) {
    let mut a = b.client(5, "a").await;
    let number = |n| Props::default().variable(SUBSCRIPTION_ID, n);
    a.subscribe_with(&[("test/ids/#", 1)], &number(456_789))
        .await;
    a.subscribe_with(&[("test/ids/x", 2)], &number(2)).await;
    a.subscribe(&[("test/+/x", 1)]).await;
    a.publish("test/ids/x", "both", 1, false).await;
    let message = a.take().await;
    let mut found: Vec<u32> = message
        .props
        .all(SUBSCRIPTION_ID)
        .iter()
        .map(|bytes| {
            bytes
                .iter()
                .rev()
                .fold(0, |sum, b| (sum << 7) | u32::from(b & 0x7f))
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [2, 456_789],
        "[MQTT-3.3.4-3]: one copy with all of them"
    );
    a.silence().await;
    a.raw(&packet(0x82, b"\0\x05\x02\x0b\0\0\x06test/x\x01"))
        .await;
    assert_eq!(a.closed().await, Some(0x82), "subscription id 0");
}

async fn topic_aliases(b: &Bench) {
    let (mut a, welcome) = b.enter(&b.hello(5, "a")).await;
    let most = welcome.props.number(TOPIC_ALIAS_MAX).expect("some aliases");
    assert!(most > 1);
    a.subscribe(&[("test/alias/#", 1)]).await;
    let alias = |n| Props::default().two(TOPIC_ALIAS, n);
    a.publish_with("test/alias/1", "named", 1, false, &alias(1))
        .await;
    assert_eq!(told(&a.take().await), ("test/alias/1", "named", 1, false));
    a.publish_with("", "by alias", 1, false, &alias(1)).await;
    assert_eq!(
        told(&a.take().await),
        ("test/alias/1", "by alias", 1, false)
    );
    a.publish_with("test/alias/2", "renamed", 1, false, &alias(1))
        .await;
    a.take().await;
    a.publish_with("", "by alias", 1, false, &alias(1)).await;
    assert_eq!(a.take().await.topic, "test/alias/2");
    // aliases end with the connection
    let mut again = b.client(5, "a").await;
    again.send("", "x", 1, false, 3, &alias(1)).await;
    assert_eq!(again.closed().await, Some(0x82), "(3.3.2.3.4)");
    for bad in [0, u16::try_from(most).expect("small") + 1] {
        let mut odd = b.client(5, "odd").await;
        odd.send("test/alias/1", "x", 1, false, 3, &alias(bad))
            .await;
        assert_eq!(odd.closed().await, Some(0x94), "alias {bad}");
    }
    // towards a client that takes one
    let hello = Hello {
        props: Props::default().two(TOPIC_ALIAS_MAX, 1),
        ..b.hello(5, "taker")
    };
    let (mut taker, _) = b.enter(&hello).await;
    taker.subscribe(&[("test/+", 0)]).await;
    let mut b2 = b.client(5, "b2").await;
    for (topic, sent, number) in [
        ("test/m", "test/m", Some(1)),
        ("test/n", "test/n", None),
        ("test/m", "", Some(1)),
    ] {
        b2.publish(topic, "x", 0, false).await;
        let message = taker.take().await;
        assert_eq!(
            (message.topic.as_str(), message.props.number(TOPIC_ALIAS)),
            (sent, number)
        );
    }
}

async fn maximum_packet_size(b: &Bench) {
    let hello = Hello {
        props: Props::default().four(PACKET_BYTES_MAX, 80),
        ..b.hello(5, "small")
    };
    let (mut small, welcome) = b.enter(&hello).await;
    let theirs = welcome.props.number(PACKET_BYTES_MAX).expect("a limit");
    small.subscribe(&[("test/size", 2)]).await;
    let mut a = b.client(5, "a").await;
    a.publish("test/size", &"x".repeat(200), 1, false).await;
    a.publish("test/size", "fits", 1, false).await;
    assert_eq!(small.take().await.payload, "fits", "[MQTT-3.1.2-25]");
    a.send(
        "test/size",
        &"x".repeat(theirs as usize + 1),
        1,
        false,
        9,
        &Props::default(),
    )
    .await;
    assert_eq!(a.closed().await, Some(0x95));
}

async fn server_keep_alive(b: &Bench) {
    let (_, welcome) = b
        .enter(&Hello {
            keep_alive_s: 65_535,
            ..b.hello(5, "lazy")
        })
        .await;
    let decided = welcome
        .props
        .number(SERVER_KEEP_ALIVE)
        .expect("[MQTT-3.1.2-21]");
    assert!(decided < 65_535);
    let (_, welcome) = b
        .enter(&Hello {
            keep_alive_s: 10,
            ..b.hello(5, "fine")
        })
        .await;
    assert_eq!(welcome.props.number(SERVER_KEEP_ALIVE), None);
}

async fn flow_control(b: &Bench) {
    // towards the client: never more than it takes ([MQTT-3.3.4-9])
    let hello = Hello {
        props: Props::default().two(RECEIVE_MAXIMUM, 2),
        ..b.hello(5, "slow")
    };
    let (mut slow, welcome) = b.enter(&hello).await;
    slow.subscribe(&[("test/flow", 2)]).await;
    let mut a = b.client(5, "a").await;
    for n in 0..6 {
        a.publish("test/flow", &n.to_string(), 1 + n % 2, false)
            .await;
    }
    let (first, second) = (slow.message().await, slow.message().await);
    slow.silence().await;
    slow.ack(4, first.id).await;
    assert_eq!(slow.message().await.payload, "2");
    slow.ack(5, second.id).await;
    assert_eq!(slow.acked(6).await, second.id);
    slow.silence().await;
    slow.ack(7, second.id).await;
    assert_eq!(slow.message().await.payload, "3", "PUBCOMP frees the place");
    // from the client: who sends more than it was offered is sent away (3.3.4)
    let most =
        u16::try_from(welcome.props.number(RECEIVE_MAXIMUM).expect("a limit")).expect("two bytes");
    let mut pushy = b.client(5, "pushy").await;
    for id in 1..=most + 1 {
        pushy
            .send("test/flood", "x", 2, false, id, &Props::default())
            .await;
    }
    assert_eq!(pushy.closed().await, Some(0x93));
}

async fn reasons(b: &Bench) {
    let mut a = b.client(5, "a").await;
    assert_eq!(a.publish("elsewhere", "x", 1, false).await, 0x87);
    assert_eq!(a.publish("elsewhere", "x", 2, false).await, 0x87);
    a.silence().await;
    a.raw(&packet(0x62, &[0, 77])).await;
    let (first, body) = a.read().await.expect("an answer");
    assert_eq!(
        (first, &body[..]),
        (0x70, &[0, 77, 0x92][..]),
        "nothing to release"
    );
    a.raw(&packet(0x32, b"\0\x01#\0\x01\0x")).await;
    let mut said = None;
    while let Some((first, body)) = a.read().await {
        if first == 0xe0 {
            said = Some(body);
        }
    }
    let said = said.expect("a DISCONNECT");
    assert_eq!(said[0], 0x90);
    assert!(Props(said[2..].to_vec()).string(REASON_STRING).is_some());
}

#[tokio::test]
async fn version_5_as_the_standard_has_it() {
    let bench = Bench::start().await;
    both_versions(&bench, 5).await;
    will_delay(&bench).await;
    session_expiry(&bench).await;
    shared_subscriptions(&bench).await;
    properties(&bench).await;
    message_expiry(&bench).await;
    subscription_options(&bench).await;
    subscription_ids(&bench).await;
    topic_aliases(&bench).await;
    maximum_packet_size(&bench).await;
    server_keep_alive(&bench).await;
    flow_control(&bench).await;
    reasons(&bench).await;
    assert!(!bench.hub.log().contains("panicked"));
}

// --- what no suite asks ------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn sessions_retained_messages_and_wills_outlive_a_killed_hub() {
    let mut b = Bench::start().await;
    let (mut sleeper, _) = b.enter(&b.lasting(5, "sleeper", true)).await;
    let ids = Props::default().variable(SUBSCRIPTION_ID, 9);
    sleeper.subscribe_with(&[("test/k/#", 2)], &ids).await;
    let (mut teller, _) = b.enter(&b.lasting(5, "teller", true)).await;
    let mut hello = b.lasting(5, "mortal", true);
    hello.will = Some((
        "test/k/will".to_owned(),
        "gone".to_owned(),
        1,
        false,
        Props::default(),
    ));
    let (mortal, _) = b.enter(&hello).await;
    teller.publish("test/k/live", "half-way", 2, false).await;
    let half = sleeper.message().await;
    sleeper.ack(5, half.id).await;
    assert_eq!(sleeper.acked(6).await, half.id);
    drop(sleeper);
    for n in 0..200 {
        teller
            .publish("test/k/q", &n.to_string(), 1, n == 199)
            .await;
    }
    teller
        .send("test/k/once", "x", 2, false, 77, &Props::default())
        .await;
    assert_eq!(teller.acked(5).await, 77);
    // no farewell, and no time to write anything either
    let demo = b.hub.demo.clone();
    b.hub.kill9();
    b.hub = Hub::start_again(b.dir.path(), &demo, &["--devices", "0"]).await;
    drop(mortal);
    let (mut teller, welcome) = b.enter(&b.lasting(5, "teller", false)).await;
    assert!(welcome.present);
    teller
        .send_as(0x3c, "test/k/once", "x", 77, &Props::default())
        .await;
    assert_eq!(
        teller.acked(5).await,
        77,
        "known again, and not taken twice"
    );
    teller.ack(6, 77).await;
    assert_eq!(teller.acked(7).await, 77);
    let (mut sleeper, welcome) = b.enter(&b.lasting(5, "sleeper", false)).await;
    assert!(welcome.present);
    assert_eq!(
        sleeper.acked(6).await,
        half.id,
        "the message itself never comes again"
    );
    sleeper.ack(7, half.id).await;
    for n in 0..200 {
        let message = sleeper.take().await;
        assert_eq!(
            (message.payload.as_str(), message.qos),
            (n.to_string().as_str(), 1)
        );
        assert_eq!(message.props.number(SUBSCRIPTION_ID), Some(9));
    }
    assert_eq!(sleeper.take().await.topic, "test/k/once");
    let will = tokio::time::timeout(Duration::from_secs(30), sleeper.patient_message()).await;
    assert_eq!(
        will.expect("in time").topic,
        "test/k/will",
        "said by the run after, because it stayed away"
    );
    sleeper.silence().await;
    let mut late = b.client(5, "late").await;
    late.subscribe(&[("test/k/q", 1)]).await;
    assert_eq!(told(&late.take().await), ("test/k/q", "199", 1, true));
}

#[tokio::test]
async fn whoever_is_revoked_is_cut_off_and_stays_out() {
    let b = Bench::start().await;
    let mut client = b.client(5, "a").await;
    client.silence().await;
    credential(b.dir.path(), &["revoke", "interop"]);
    let reason = tokio::time::timeout(Duration::from_mins(1), client.patient_end()).await;
    assert_eq!(reason.expect("cut within a minute"), Some(0x87));
    let (_, welcome) = Mqtt::connect(&b.address(), &b.hello(5, "a")).await;
    assert_eq!(welcome.expect("an answer").code, 0x86);
    assert!(!credential(b.dir.path(), &["list"]).contains("interop\t"));
}
