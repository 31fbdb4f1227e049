use super::*;

fn message(text: &str) -> MessageRow {
    MessageRow {
        topic: format!("烟感/{text}"),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        properties: Bytes::from_static(&[1, 1]),
        expires_at: Timestamp::from_microsecond(5_000_000).ok(),
    }
}

fn session(id: u64) -> SessionRow {
    SessionRow {
        id,
        account: "station".to_owned(),
        client: format!("c{id}"),
        expiry_s: u32::MAX,
        epoch: u64::MAX - id,
        detached_at: None,
    }
}

fn everything() -> Vec<Change> {
    let entry = |place, qos| EntryRow {
        session: 1,
        place,
        qos,
        retain: place == 1,
        subscriptions: vec![7, 268_435_455],
        packet_id: 9,
        phase: if qos == 2 {
            Phase::Received
        } else {
            Phase::Waiting
        },
        message: message("entry"),
    };
    vec![
        Change::PutSession(session(1)),
        Change::PutSession(session(2)),
        Change::PutSubscription(SubscriptionRow {
            session: 1,
            filter: "$share/g/烟感/#".to_owned(),
            options: 0b10_1101,
            number: 7,
        }),
        Change::PutEntry(entry(1, 1)),
        Change::PutEntry(entry(2, 2)),
        Change::PutUnreleased(1, 65_535),
        Change::PutWill(WillRow {
            session: 1,
            principal: "station".to_owned(),
            epoch: 3,
            qos: 1,
            retain: true,
            delay_s: 5,
            expiry_s: None,
            due_at: None,
            message: message("will"),
        }),
        Change::PutRetained(1, message("kept")),
    ]
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("sessions.db");
    let mut store = SessionStore::open(&path, Seq(40)).expect("opens");
    assert_eq!(
        store.load().expect("reads").cursor,
        Seq(40),
        "a new file begins where it is told"
    );
    let changes = everything();
    store.commit(Seq(41), &changes).expect("commits");
    drop(store);
    let store = SessionStore::open(&path, Seq(99)).expect("opens");
    let kept = store.load().expect("reads");
    assert_eq!(kept.cursor, Seq(41));
    let mut back: Vec<Change> = Vec::new();
    back.extend(kept.sessions.into_iter().map(Change::PutSession));
    back.extend(kept.subscriptions.into_iter().map(Change::PutSubscription));
    back.extend(kept.entries.into_iter().map(Change::PutEntry));
    back.extend(
        kept.unreleased
            .into_iter()
            .map(|(s, p)| Change::PutUnreleased(s, p)),
    );
    back.extend(kept.wills.into_iter().map(Change::PutWill));
    back.extend(
        kept.retained
            .into_iter()
            .map(|(q, m)| Change::PutRetained(q, m)),
    );
    assert_eq!(back, changes);
}

#[test]
fn a_session_goes_with_all_that_hangs_on_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = SessionStore::open(&dir.path().join("s.db"), Seq(0)).expect("opens");
    store.commit(Seq(1), &everything()).expect("commits");
    store
        .commit(
            Seq(2),
            &[
                Change::DropSession(1),
                Change::DropRetained("烟感/kept".to_owned()),
            ],
        )
        .expect("commits");
    let kept = store.load().expect("reads");
    assert_eq!(kept.sessions, [session(2)]);
    let rest = (
        kept.subscriptions.len(),
        kept.entries.len(),
        kept.unreleased.len(),
        kept.wills.len(),
        kept.retained.len(),
    );
    assert_eq!(rest, (0, 0, 0, 0, 0));
}

#[test]
fn a_refused_transaction_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = SessionStore::open(&dir.path().join("s.db"), Seq(0)).expect("opens");
    store
        .commit(Seq(1), &[Change::PutSession(session(1))])
        .expect("commits");
    let twin = SessionRow {
        id: 5,
        ..session(1)
    };
    store
        .commit(Seq(2), &[Change::DropSession(9), Change::PutSession(twin)])
        .expect_err("the client has a session");
    let kept = store.load().expect("reads");
    assert_eq!((kept.cursor, kept.sessions), (Seq(1), vec![session(1)]));
}
