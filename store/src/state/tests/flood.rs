//! Floods: when they begin and end, what they fold and what never, and what a person does about a card.

use domain::incident::Verb;
use domain::rule::Finding;
use domain::scope::Places;
use domain::{IncidentId, Reach, Severity, Timestamp};
use proptest::prelude::*;

use super::fixture::{Hub, actor, at, batch, book, finding};
use crate::state::{CommandError, IncidentItem, State, StormItem};

fn alarm(seq: u64, severity: Severity) -> Finding {
    finding("B1", &format!("plate:{seq}"), severity, seq)
}

/// An alarm at a second, of a position of its own.
fn alarm_at(second: i64, seq: u64, severity: Severity) -> Finding {
    Finding {
        at: at(second),
        occurred_at: at(second),
        ..alarm(seq, severity)
    }
}

async fn ring(hub: &Hub, seqs: std::ops::RangeInclusive<u64>, severity: Severity) {
    hub.find(seqs.map(|seq| alarm(seq, severity)).collect())
        .await;
}

async fn tick(state: &State, second: i64) {
    let done = state.run_due(at(second), &book()).await;
    done.expect("what is due is done");
}

async fn folded(hub: &Hub) -> Vec<(u64, bool)> {
    let mut items: Vec<IncidentItem> = hub.items().await;
    items.sort_by_key(|item| item.number);
    let folded = items
        .iter()
        .map(|item| (item.number - 1001, item.storm.is_some()));
    folded.collect()
}

async fn storms(hub: &Hub) -> Vec<StormItem> {
    hub.state.storms(&Reach::default()).await.expect("reads")
}

#[tokio::test]
async fn ten_alarms_in_ten_minutes_are_no_flood_and_the_eleventh_folds_them() {
    let hub = Hub::start().await;
    ring(&hub, 1..=10, Severity::P3).await;
    assert!(folded(&hub).await.iter().all(|(_, is_folded)| !is_folded));
    assert_eq!(storms(&hub).await, []);

    ring(&hub, 11..=11, Severity::P3).await;
    assert!(folded(&hub).await.iter().all(|(_, is_folded)| *is_folded));
    let cards = storms(&hub).await;
    assert_eq!(cards.len(), 1);
    assert_eq!((cards[0].incidents, cards[0].flood), (11, 1));
    assert_eq!(cards[0].rule.as_str(), "B1");
    assert_eq!(cards[0].building_name.as_deref(), Some("1幢"));
    assert_eq!(cards[0].last_at.0, at(11));
}

#[tokio::test]
async fn alarms_that_are_further_apart_than_ten_minutes_are_no_flood() {
    let hub = Hub::start().await;
    // ten, and the eleventh in the moment in which the first has left the window
    let mut alarms: Vec<Finding> = (1..=10).map(|seq| alarm(seq, Severity::P3)).collect();
    alarms.push(alarm_at(601, 11, Severity::P3));
    hub.find(alarms).await;
    assert_eq!(storms(&hub).await, []);
}

#[tokio::test]
async fn what_is_urgent_is_never_folded_and_what_becomes_urgent_comes_out() {
    let hub = Hub::start().await;
    ring(&hub, 1..=4, Severity::P1).await;
    ring(&hub, 5..=8, Severity::P2).await;
    ring(&hub, 9..=12, Severity::P4).await;
    ring(&hub, 13..=13, Severity::P1).await;
    let expected: Vec<(u64, bool)> = (0..13).map(|n| (n, (8..12).contains(&n))).collect();
    assert_eq!(folded(&hub).await, expected);

    let urgent = Finding {
        subject: "plate:9".to_owned(),
        ..alarm(14, Severity::P2)
    };
    hub.find(vec![urgent]).await;
    let is_folded = folded(&hub).await;
    assert_eq!(is_folded[8], (8, false));
    assert_eq!(is_folded[9], (9, true));
}

#[tokio::test]
async fn what_a_person_has_seen_before_is_not_folded_away() {
    let hub = Hub::start().await;
    ring(&hub, 1..=10, Severity::P3).await;
    let seen = hub.items().await[0].id;
    let asked = super::fixture::command(Verb::Acknowledge, "wang", None);
    hub.act(seen, asked).await.expect("is acknowledged");
    ring(&hub, 16..=16, Severity::P3).await;
    assert_eq!(hub.view(seen).await.item.storm, None);
    assert_eq!(storms(&hub).await[0].incidents, 10);
}

#[tokio::test]
async fn a_flood_is_over_below_five_and_the_next_alarm_stands_alone() {
    let hub = Hub::start().await;
    ring(&hub, 1..=12, Severity::P3).await;
    // the fifth newest of 1 to 12 rang at second 8
    tick(&hub.state, 607).await;
    let rate = hub.state.measure_rate(at(607)).await.expect("reads");
    assert_eq!(rate.flood_since.map(|since| since.0), Some(at(11)));
    tick(&hub.state, 608).await;
    let rate = hub.state.measure_rate(at(608)).await.expect("reads");
    assert_eq!(
        (rate.flood_since, rate.alarms, rate.flood_from),
        (None, 4, 11)
    );
    assert_eq!(hub.state.rate(), rate);

    hub.find(vec![alarm_at(609, 13, Severity::P3)]).await;
    assert_eq!(folded(&hub).await[12], (12, false));
    // what was folded stays in its card
    assert_eq!(folded(&hub).await[0], (0, true));
    assert_eq!(storms(&hub).await[0].incidents, 12);
}

#[tokio::test]
async fn a_flood_goes_on_through_a_crash_in_the_same_cards() {
    let hub = Hub::start().await;
    ring(&hub, 1..=11, Severity::P3).await;
    let card = storms(&hub).await[0].id;
    let hub = hub.crash().await;
    ring(&hub, 12..=20, Severity::P3).await;
    let cards = storms(&hub).await;
    assert_eq!(cards.len(), 1);
    assert_eq!((cards[0].id, cards[0].incidents), (card, 20));
}

#[tokio::test]
async fn two_seats_bear_twice_as_much() {
    let dir = tempfile::tempdir().expect("a directory");
    let seats = domain::alarm::flood::Seats::new(2);
    let file = dir.path().join("state.db");
    let state = State::open_with(&file, super::fixture::registry(), seats).await;
    let state = state.expect("opens");
    for (last, cards) in [(20, 0), (21, 1)] {
        let findings = (1..=last).map(|seq| alarm(seq, Severity::P3)).collect();
        let done = state.commit_batch(batch(last, findings), &book()).await;
        done.expect("commits");
        assert_eq!(
            state.storms(&Reach::default()).await.expect("reads").len(),
            cards,
            "{last}"
        );
    }
}

#[tokio::test]
async fn the_feed_tells_of_cards_and_of_what_went_into_them() {
    let hub = Hub::start().await;
    let before = hub.state.revision();
    ring(&hub, 1..=11, Severity::P3).await;
    let rows = hub.state.feed_after(before, 100).await.expect("reads");
    let cards: Vec<_> = rows.iter().filter(|row| row.kind == "storm").collect();
    assert_eq!(cards.len(), 1);
    let card: StormItem = serde_json::from_str(&cards[0].json).expect("a card");
    assert_eq!(card, storms(&hub).await[0]);
    let told = rows.iter().filter(|row| row.kind == "incident");
    for row in told {
        let item: IncidentItem = serde_json::from_str(&row.json).expect("an incident");
        assert_eq!(item.storm, Some(card.id));
    }
}

#[tokio::test]
async fn acknowledging_a_card_takes_what_was_seen_and_nothing_later() {
    let hub = Hub::start().await;
    let uneven = |seq: u64| {
        let at = at(seq.cast_signed()) + jiff::SignedDuration::from_micros(700);
        Finding {
            at,
            ..alarm(seq, Severity::P3)
        }
    };
    // more than one transaction's worth
    hub.find((1..=80).map(uneven).collect()).await;
    let card = storms(&hub).await[0].clone();
    // as a client has it: in milliseconds
    let seen_at: Timestamp = card.last_at.to_string().parse().expect("a time");
    hub.find((81..=83).map(uneven).collect()).await;
    let acknowledge = |seen_at: Timestamp| {
        let state = hub.state.clone();
        async move {
            let by = actor("wang", None);
            state
                .acknowledge_storm(card.id, seen_at, by, at(90), Reach::default())
                .await
                .map(|done| done.acknowledged)
        }
    };
    assert_eq!(acknowledge(seen_at).await.expect("is done"), 80);
    assert_eq!(acknowledge(seen_at).await.expect("is done"), 0);
    let waiting: Vec<u64> = hub
        .items()
        .await
        .iter()
        .filter(|item| item.acknowledged_at.is_none())
        .map(|item| item.number)
        .collect();
    assert_eq!(waiting.len(), 3, "{waiting:?}");
    assert!(waiting.iter().all(|number| *number > 1080), "{waiting:?}");
    let first = hub.items().await.into_iter().find(|i| i.number == 1001);
    let view = hub.view(first.expect("the first").id).await;
    assert_eq!(
        view.item.acknowledged_by.expect("somebody").as_str(),
        "wang"
    );
    assert!(
        hub.state
            .verify_audit()
            .await
            .expect("reads")
            .broken
            .is_none()
    );

    let nowhere = IncidentId::new(uuid::Uuid::from_u128(1));
    let unknown = format!("stm_{}", nowhere.uuid().simple());
    let unknown = unknown.parse().expect("an id");
    let none = hub
        .state
        .acknowledge_storm(
            unknown,
            at(1),
            actor("wang", None),
            at(90),
            Reach::default(),
        )
        .await;
    assert!(matches!(none, Err(CommandError::NotFound)), "{none:?}");
}

#[tokio::test]
async fn acknowledging_a_card_in_a_scope_touches_nothing_outside() {
    let hub = Hub::start().await;
    // one card of what stands in no building: in the gate's zone, and nobody knows where
    let spot = |seq: u64| Finding {
        zone: seq.is_multiple_of(2).then(|| "z2".parse().expect("a zone")),
        ..alarm(seq, Severity::P3)
    };
    hub.find((1..=12).map(spot).collect()).await;
    let [card] = storms(&hub).await.try_into().expect("one card");
    assert_eq!(card.incidents, 12);
    let zones = |ids: &[&str]| Reach {
        place: Some(Places {
            zones: ids.iter().map(|id| id.parse().expect("a zone")).collect(),
            ..Places::default()
        }),
        departments: None,
    };
    let work = |id: &str| Reach {
        departments: Some([id.parse().expect("a department")].into()),
        ..zones(&["z2"])
    };
    let acknowledge = async |reach: Reach| {
        let state = &hub.state;
        state
            .acknowledge_storm(card.id, at(60), actor("wang", None), at(90), reach)
            .await
    };
    let before = hub.items().await;
    for nothing in [zones(&["z1"]), zones(&[]), work("fire")] {
        let refused = acknowledge(nothing.clone()).await;
        assert!(
            matches!(refused, Err(CommandError::NotFound)),
            "{nothing:?}"
        );
    }
    assert_eq!(hub.items().await, before, "nobody's was touched");
    let seen = hub.state.storms(&work("traffic")).await.expect("reads");
    assert_eq!(seen[0].incidents, 6);
    let done = acknowledge(work("traffic")).await.expect("is done");
    assert_eq!(done.acknowledged, 6);
    let gate = Some("z2".parse().expect("a zone"));
    for item in hub.items().await {
        let is_inside = item.zone == gate;
        assert_eq!(item.acknowledged_at.is_some(), is_inside, "{}", item.number);
        let untouched = before.contains(&item);
        assert_eq!(untouched, !is_inside, "{}", item.number);
    }
    let done = acknowledge(Reach::default()).await.expect("is done");
    assert_eq!(
        done.acknowledged, 6,
        "the others were left for who sees them"
    );
}

#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
#[tokio::test]
async fn metrics_are_of_what_rang_and_refuse_a_span_they_cannot_answer() {
    let hub = Hub::start().await;
    ring(&hub, 1..=12, Severity::P3).await;
    let load = hub.state.load(at(-3600), at(20)).await.expect("reads");
    assert_eq!(load.rate.alarms, 12);
    assert_eq!(load.metrics.alarm_count, 12);
    assert_eq!(load.metrics.maximum_alarm_rate, 12.0);
    assert_eq!(load.metrics.maximum_un_ack, 19.0);
    for since in [at(20), at(21), at(-32 * 24 * 3600)] {
        assert!(hub.state.load(since, at(20)).await.is_err(), "{since}");
    }
}

/// What the definition says, by looking at all alarms each time.
fn floods_of(rang: &[i64], until: i64) -> Vec<(i64, Option<i64>)> {
    let mut floods: Vec<(i64, Option<i64>)> = Vec::new();
    for (n, now) in rang.iter().enumerate() {
        if let Some((_, end @ None)) = floods.last_mut()
            && rang[n - 5] + 600 <= *now
        {
            *end = Some(rang[n - 5] + 600);
        }
        let within = rang[..=n].iter().filter(|at| **at > now - 600).count();
        let goes_on = floods.last().is_some_and(|(_, end)| end.is_none());
        if !goes_on && within > 10 {
            floods.push((*now, None));
        }
    }
    if let Some((_, end @ None)) = floods.last_mut() {
        let over = rang[rang.len() - 5] + 600;
        *end = (over <= until).then_some(over);
    }
    floods
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Ring(Severity),
    Wait(i64),
    Tick,
    Crash,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let severity = prop_oneof![Just(Severity::P1), Just(Severity::P3), Just(Severity::P4)];
    let one = prop_oneof![
        8 => severity.prop_map(Move::Ring),
        4 => (1_i64..240).prop_map(Move::Wait),
        1 => Just(Move::Tick),
        1 => Just(Move::Crash),
    ];
    proptest::collection::vec(one, 30..90)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whenever the clock looks, and however often the hub dies: floods are those of the definition, and nothing urgent is folded.
    #[test]
    fn floods_follow_from_when_alarms_rang(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut hub = Hub::start().await;
            let (mut now, mut seq, mut rang) = (0, 0, Vec::new());
            for a_move in moves {
                match a_move {
                    Move::Ring(severity) => {
                        seq += 1;
                        rang.push(now);
                        hub.find(vec![alarm_at(now, seq, severity)]).await;
                    }
                    Move::Wait(seconds) => now += seconds,
                    Move::Tick => drop(hub.state.run_alarms_due(at(now), &book()).await.expect("is done")),
                    Move::Crash => hub = hub.crash().await,
                }
            }
            hub.state.run_alarms_due(at(now), &book()).await.expect("is done");
            let rows: Vec<(i64, Option<i64>)> =
                sqlx::query_as("SELECT started_at, ended_at FROM flood ORDER BY number")
                    .fetch_all(&hub.state.shared.read).await.expect("reads");
            let second = |us: i64| us / 1_000_000 - at(0).as_second();
            let floods: Vec<_> = rows.into_iter().map(|(start, end)| (second(start), end.map(second))).collect();
            prop_assert_eq!(floods, floods_of(&rang, now));
            for item in hub.items().await {
                prop_assert!(item.storm.is_none() || item.severity >= Severity::P3, "{:?}", item);
            }
            Ok(())
        })?;
    }
}
