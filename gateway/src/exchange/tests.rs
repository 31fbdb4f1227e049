use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::{Lane, Timestamp, Uplink, UplinkExtra, UplinkFlags};
use store::journal::{Journal, Options};

use super::*;
use crate::adapters::Formats;

/// A journal and an exchange over it, which can be stopped and started again on the same files.
struct Bench {
    dir: tempfile::TempDir,
    journal: Journal,
    exchange: Exchange,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
    now_s: Arc<AtomicI64>,
}

impl Bench {
    fn start() -> Self {
        Self::on(
            tempfile::tempdir().expect("a directory"),
            Arc::new(AtomicI64::new(1_800_000_000)),
        )
    }

    fn on(dir: tempfile::TempDir, now_s: Arc<AtomicI64>) -> Self {
        let options = Options {
            segment_bytes: 1 << 20,
            ..Options::default()
        };
        let (journal, _) = Journal::open(&dir.path().join("journal"), options).expect("opens");
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = {
            let now_s = Arc::clone(&now_s);
            Arc::new(move || Timestamp::from_second(now_s.load(Ordering::Relaxed)).expect("a time"))
        };
        let path = dir.path().join("sessions.db");
        let (exchange, worker) =
            Exchange::open(&path, &journal, clock, Formats::default()).expect("opens");
        let thread = std::thread::spawn(move || worker.run());
        Self {
            dir,
            journal,
            exchange,
            thread,
            now_s,
        }
    }

    async fn restart(self) -> Self {
        self.journal.close().await.expect("closes");
        self.thread.join().expect("ends").expect("without an error");
        drop((self.journal, self.exchange));
        Self::on(self.dir, self.now_s)
    }

    fn pass(&self, seconds: i64) {
        self.now_s.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The worker has handled what was asked of it so far.
    async fn settled(&self) {
        let ghost = self.comes("ghost", u64::MAX, 0, true).await;
        let gone = self
            .exchange
            .detach(ghost.session, u64::MAX, None, Departure::Goodbye);
        gone.await;
    }

    async fn comes(&self, client: &str, epoch: u64, expiry_s: u32, clean: bool) -> Attached {
        self.comes_with(client, epoch, expiry_s, clean, None).await
    }

    async fn comes_with(
        &self,
        client: &str,
        epoch: u64,
        expiry_s: u32,
        clean_start: bool,
        will: Option<WillMessage>,
    ) -> Attached {
        let arrival = Arrival {
            account: "station".to_owned(),
            client: client.to_owned(),
            epoch,
            clean_start,
            expiry_s,
            will,
        };
        self.exchange.attach(arrival).await.expect("attaches")
    }

    async fn subscribes(&self, session: &Arc<Session>, filter: &str, qos: u8) {
        let options = SubscribeOptions {
            qos,
            ..SubscribeOptions::default()
        };
        let wishes = vec![(filter.to_owned(), options)];
        let done = self.exchange.subscribe(session, wishes, None).await;
        done.expect("subscribes");
    }

    async fn publishes(&self, topic: &str, payload: &str, qos: u8, retain: bool) {
        self.publishes_as(77, topic, payload, qos, retain, None)
            .await;
    }

    async fn publishes_as(
        &self,
        epoch: u64,
        topic: &str,
        payload: &str,
        qos: u8,
        retain: bool,
        extra: Option<UplinkExtra>,
    ) {
        let flags = UplinkFlags::new(qos);
        let uplink = Uplink {
            received_at: Timestamp::from_second(self.now_s.load(Ordering::Relaxed))
                .expect("a time"),
            principal: "bridge".to_owned(),
            epoch,
            flags: if retain { flags.with_retain() } else { flags },
            topic: topic.to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            extra: extra.map(Box::new),
        };
        let stored = self.journal.append_durable(Lane::Telemetry, uplink).await;
        stored.expect("is stored");
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now_s.load(Ordering::Relaxed)).expect("a time")
    }

    async fn next(&self, session: &Session, epoch: u64) -> Next {
        let in_time = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let bell = session.woken();
                match session.next(epoch, 10, self.now()) {
                    Next::Wait => bell.await,
                    other => return other,
                }
            }
        });
        in_time.await.expect("something in time")
    }

    async fn hears(&self, session: &Session, epoch: u64) -> Delivery {
        match self.next(session, epoch).await {
            Next::Deliver(delivery) => delivery,
            other => panic!("not a delivery: {other:?}"),
        }
    }

    async fn payload(&self, session: &Session, epoch: u64) -> String {
        let delivery = self.hears(session, epoch).await;
        if delivery.qos == 1 {
            assert!(session.acknowledged(delivery.id));
        }
        String::from_utf8_lossy(&delivery.message.payload).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_missed_waits_for_it_and_survives_a_restart() {
    let bench = Bench::start();
    let a = bench.comes("a", 1, 3600, false).await;
    assert!(!a.present);
    bench.subscribes(&a.session, "t/#", 2).await;
    bench
        .exchange
        .detach(a.session, 1, None, Departure::Lost)
        .await;
    for n in 0..50 {
        bench.publishes("t/x", &format!("m{n}"), 1, false).await;
    }
    bench
        .publishes("t/x", "nobody waits for quality 0", 0, false)
        .await;
    bench.publishes("elsewhere", "not mine", 1, false).await;
    let bench = bench.restart().await;
    let a = bench.comes("a", 2, 3600, false).await;
    assert!(a.present);
    for n in 0..50 {
        assert_eq!(bench.payload(&a.session, 2).await, format!("m{n}"));
    }
    bench.publishes("t/x", "live again", 1, false).await;
    assert_eq!(bench.payload(&a.session, 2).await, "live again");
    let fresh = bench.comes("a", 3, 0, true).await;
    assert!(!fresh.present, "a clean start forgets");
    assert_eq!(a.session.next(2, 10, bench.now()), Next::Gone(0x8e));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_time() {
    let bench = Bench::start();
    let a = bench.comes("a", 1, 60, false).await;
    bench
        .exchange
        .detach(a.session, 1, None, Departure::Goodbye)
        .await;
    bench.settled().await;
    bench.pass(59);
    let a = bench.comes("a", 2, 60, false).await;
    assert!(a.present);
    bench
        .exchange
        .detach(a.session, 2, None, Departure::Goodbye)
        .await;
    bench.settled().await;
    bench.pass(61);
    assert!(!bench.comes("a", 3, 60, false).await.present);
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_two_out_is_once_across_restarts_at_every_step() {
    let mut bench = Bench::start();
    let a = bench.comes("a", 1, 3600, false).await;
    bench.subscribes(&a.session, "t", 2).await;
    bench.publishes("t", "once", 2, false).await;
    let first = bench.hears(&a.session, 1).await;
    assert_eq!((first.qos, first.dup), (2, false));
    // the hub ends without a word from the client: the same id again, marked
    bench = bench.restart().await;
    let a = bench.comes("a", 2, 3600, false).await;
    let again = bench.hears(&a.session, 2).await;
    assert_eq!((again.id, again.dup), (first.id, true));
    assert!(a.session.received(again.id));
    assert_eq!(bench.next(&a.session, 2).await, Next::Release(first.id));
    // PUBREL was sent, so it is on disk that the client has it: never the message again
    bench = bench.restart().await;
    let a = bench.comes("a", 3, 3600, false).await;
    assert_eq!(bench.next(&a.session, 3).await, Next::Release(first.id));
    assert!(a.session.completed(first.id));
    bench.publishes("t", "next", 1, false).await;
    assert_eq!(bench.payload(&a.session, 3).await, "next");
    assert_eq!(a.session.owed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_two_in_is_known_again_after_a_restart_until_it_is_released() {
    let bench = Bench::start();
    let a = bench.comes("a", 1, 3600, false).await;
    let extra = |packet_id| UplinkExtra {
        packet_id,
        ..UplinkExtra::default()
    };
    for id in [5, 6] {
        a.session.unreleased().lock().insert(id, None);
        bench
            .publishes_as(1, "t", "x", 2, false, Some(extra(id)))
            .await;
    }
    bench
        .exchange
        .release(&a.session, 5)
        .await
        .expect("releases");
    let bench = bench.restart().await;
    let a = bench.comes("a", 2, 3600, false).await;
    let known: Vec<u16> = a.session.unreleased().lock().keys().copied().collect();
    assert_eq!(known, [6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_survive_and_can_be_taken_back() {
    let bench = Bench::start();
    bench.publishes("r/1", "old", 1, true).await;
    bench.publishes("r/1", "new", 1, true).await;
    bench.publishes("r/2", "gone", 1, true).await;
    bench.publishes("r/2", "", 1, true).await;
    bench.publishes("r/3", "not kept", 1, false).await;
    let short = UplinkExtra {
        expiry_s: Some(10),
        ..UplinkExtra::default()
    };
    bench
        .publishes_as(7, "r/4", "short-lived", 1, true, Some(short))
        .await;
    let bench = bench.restart().await;
    let a = bench.comes("a", 1, 0, true).await;
    bench.subscribes(&a.session, "r/#", 1).await;
    let first = bench.hears(&a.session, 1).await;
    assert_eq!(
        (&first.message.payload[..], first.retain, first.qos),
        (&b"new"[..], true, 1)
    );
    assert_eq!(
        &bench.hears(&a.session, 1).await.message.payload[..],
        b"short-lived"
    );
    assert_eq!(a.session.next(1, 10, bench.now()), Next::Wait);
    bench.pass(11);
    let b = bench.comes("b", 2, 0, true).await;
    bench.subscribes(&b.session, "r/4", 1).await;
    assert_eq!(b.session.next(2, 10, bench.now()), Next::Wait);
}

fn will(topic: &str, delay_s: u32) -> WillMessage {
    WillMessage {
        topic: topic.to_owned(),
        payload: Bytes::from_static(b"gone"),
        qos: 1,
        retain: false,
        delay_s,
        expiry_s: None,
        forwarded: Forwarded::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_is_said_when_its_time_comes_and_once() {
    let bench = Bench::start();
    let ear = bench.comes("ear", 1, 0, true).await.session;
    bench.subscribes(&ear, "w/#", 1).await;
    // at once, not at all, later, never because it came back
    let a = bench
        .comes_with("a", 2, 0, true, Some(will("w/a", 0)))
        .await;
    bench
        .exchange
        .detach(a.session, 2, None, Departure::Lost)
        .await;
    assert_eq!(bench.hears(&ear, 1).await.message.topic, "w/a");
    let b = bench
        .comes_with("b", 3, 0, true, Some(will("w/b", 0)))
        .await;
    bench
        .exchange
        .detach(b.session, 3, None, Departure::Goodbye)
        .await;
    let c = bench
        .comes_with("c", 4, 600, true, Some(will("w/c", 30)))
        .await;
    bench
        .exchange
        .detach(c.session, 4, None, Departure::Lost)
        .await;
    let d = bench
        .comes_with("d", 5, 600, true, Some(will("w/d", 30)))
        .await;
    bench
        .exchange
        .detach(d.session, 5, None, Departure::Lost)
        .await;
    bench.settled().await;
    bench.pass(29);
    bench.comes("d", 6, 600, false).await;
    bench.pass(2);
    assert_eq!(bench.hears(&ear, 1).await.message.topic, "w/c");
    bench.pass(60);
    // what comes after all of them comes next
    bench.publishes("w/end", "x", 1, false).await;
    assert_eq!(bench.hears(&ear, 1).await.message.topic, "w/end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_outlives_the_hub_and_waits_for_the_client_to_come_back() {
    let bench = Bench::start();
    let ear = bench.comes("ear", 1, 3600, true).await.session;
    bench.subscribes(&ear, "w/#", 1).await;
    bench
        .comes_with("a", 2, 0, true, Some(will("w/a", 0)))
        .await;
    bench
        .comes_with("b", 3, 0, true, Some(will("w/b", 0)))
        .await;
    let bench = bench.restart().await;
    let ear = bench.comes("ear", 4, 3600, false).await.session;
    let b = bench
        .comes_with("b", 5, 0, true, Some(will("w/b", 0)))
        .await;
    bench.pass(11);
    // b had begun anew, which ends the session that left the will: that one is said
    let mut said = vec![bench.payload(&ear, 4).await, bench.payload(&ear, 4).await];
    said.sort();
    assert_eq!(said, ["gone", "gone"]);
    bench
        .exchange
        .detach(b.session, 5, None, Departure::Goodbye)
        .await;
    let bench = bench.restart().await;
    let ear = bench.comes("ear", 6, 3600, false).await.session;
    bench.pass(60);
    bench.publishes("w/end", "nothing before", 1, false).await;
    assert_eq!(bench.payload(&ear, 6).await, "nothing before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_too_far_behind_loses_its_session_and_is_told() {
    let bench = Bench::start();
    let a = bench.comes("a", 1, 3600, false).await;
    bench.subscribes(&a.session, "t", 1).await;
    for _ in 0..=session::QUEUE_MESSAGES_MAX {
        bench.exchange.offer("t", Bytes::from_static(b"x"));
        let flags = UplinkFlags::new(1);
        let uplink = Uplink {
            received_at: bench.now(),
            principal: "bridge".to_owned(),
            epoch: 9,
            flags,
            topic: "t".to_owned(),
            payload: Bytes::new(),
            extra: None,
        };
        let taken = bench.journal.append(Lane::Telemetry, uplink).await;
        taken.expect("is taken");
    }
    let end = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Next::Gone(code) = a.session.next(1, 0, bench.now()) {
                return code;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(end.await.expect("ends"), 0x97);
    assert!(!bench.comes("a", 2, 3600, false).await.present);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_speaks_only_to_who_may_hear_it() {
    let bench = Bench::start();
    let topic = "ssg/v1/q1/_gw/evt/camera/camera-object";
    let a = bench.comes("a", 1, 0, true).await.session;
    bench.subscribes(&a, "t/#", 1).await;
    assert!(!bench.exchange.has_listeners());
    bench.subscribes(&a, "ssg/v1/+/_gw/evt/#", 1).await;
    assert!(bench.exchange.has_listeners());
    bench.exchange.offer(topic, Bytes::from_static(b"{}"));
    assert_eq!(bench.hears(&a, 1).await.message.topic, topic);
    let filters = vec!["ssg/v1/+/_gw/evt/#".to_owned(), "never".to_owned()];
    let was = bench.exchange.unsubscribe(&a, filters).await;
    assert_eq!(was.expect("answers"), [true, false]);
    assert!(!bench.exchange.has_listeners());
}
