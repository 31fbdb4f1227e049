//! Swaps lie over the files' roster, survive a restart and stand in the audit trail.

use std::sync::Arc;

use domain::Timestamp;
use domain::place::Registry;
use domain::roster::{DutyOf, Swap};

use crate::state::State;

const ROSTER: &str = r#"
    department = [{ id = "fire", name = "消防", name_en = "Fire", chip = "消" }]
    person = [
        { id = "a", name = "甲", department = "fire" },
        { id = "b", name = "乙", department = "fire" },
    ]
    post = [{ id = "fire-duty", kind = "duty", department = "fire", name = "值班", name_en = "Duty" }]
    shift = [
        { post = "fire-duty", people = ["a"], from = "08:00", until = "20:00" },
        { post = "fire-duty", people = ["b"], from = "20:00", until = "08:00" },
    ]
"#;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn swap(on: &str, gives: &str, takes: &str, second: i64) -> Swap {
    Swap {
        post: "fire-duty".parse().expect("an id"),
        on: on.parse().expect("a day"),
        from: Some("08:00".parse().expect("a time")),
        gives: gives.parse().expect("an id"),
        takes: takes.parse().expect("an id"),
        by: "lead".to_owned(),
        at: Timestamp::from_second(1_770_000_000 + second).expect("in range"),
    }
}

async fn on_duty(state: &State, time: &str) -> Vec<String> {
    let post = "fire-duty".parse().expect("an id");
    let roster = state.roster().await.expect("read");
    let people = roster.on_duty(DutyOf::Post(&post), at(time));
    people.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_swap_holds_for_its_shift_and_over_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let registry = Registry::from_files([("roster.toml", ROSTER)]).expect("loads");
    let registry = Arc::new(registry);
    let path = dir.path().join("state.db");
    let state = State::open(&path, Arc::clone(&registry))
        .await
        .expect("opens");
    let noon = "2026-03-02T12:00:00Z";
    assert_eq!(on_duty(&state, noon).await, ["a"]);
    state
        .add_swap(swap("2026-03-02", "a", "b", 0), Some("看病".to_owned()))
        .await
        .expect("agreed");
    state.close().await;
    let state = State::open(&path, registry).await.expect("opens again");
    assert_eq!(on_duty(&state, noon).await, ["b"]);
    assert_eq!(
        on_duty(&state, "2026-03-03T12:00:00Z").await,
        ["a"],
        "one day only"
    );
    // and back again
    state
        .add_swap(swap("2026-03-02", "b", "a", 1), None)
        .await
        .expect("agreed");
    assert_eq!(on_duty(&state, noon).await, ["a"]);
    let report = state.verify_audit().await.expect("read");
    assert_eq!((report.rows, report.broken), (2, None));
}

#[tokio::test]
async fn a_swap_that_cannot_be_leaves_no_trace() {
    let dir = tempfile::tempdir().expect("a folder");
    let registry = Registry::from_files([("roster.toml", ROSTER)]).expect("loads");
    let state = State::open(&dir.path().join("state.db"), Arc::new(registry))
        .await
        .expect("opens");
    let elsewhere = Swap {
        post: "desk".parse().expect("an id"),
        ..swap("2026-03-02", "a", "b", 0)
    };
    for (swap, note, part) in [
        (swap("2026-03-02", "b", "a", 0), None, "`b` does not have"),
        (swap("2026-03-02", "a", "a", 0), None, "with themselves"),
        (swap("2026-03-02", "a", "c", 0), None, "no person `c`"),
        (elsewhere, None, "no post `desk`"),
        (
            swap("2026-03-02", "a", "b", 0),
            Some("长".repeat(5_000)),
            "the note is longer",
        ),
    ] {
        let error = state
            .add_swap(swap, note)
            .await
            .expect_err(part)
            .to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(state.verify_audit().await.expect("read").rows, 0);
    assert_eq!(on_duty(&state, "2026-03-02T12:00:00Z").await, ["a"]);
}
