//! The ladder reaches persons: who is on duty at that moment, with swaps, absences and changes of shift; and never nobody.

use std::sync::Arc;

use domain::incident::{Command, Verb};
use domain::place::Registry;
use domain::roster::Swap;

use super::fixture::{Hub, at, book, command, registry_with, smoke};
use crate::state::{NotifiedItem, PEOPLE_MAX};

/// The clock of the tests begins at 22:13:20; duty and head of the fire station change at 22:14.
const ROSTER: &str = r#"
    person = [
        { id = "a", name = "甲", department = "fire", login = "li" },
        { id = "b", name = "乙", department = "fire" },
        { id = "c", name = "丙", department = "fire" },
        { id = "d", name = "丁", department = "police", login = "zhao" },
        { id = "t", name = "戊", department = "traffic" },
        { id = "h1", name = "己", department = "fire" },
        { id = "h2", name = "庚", department = "fire" },
        { id = "lead", name = "辛", login = "wang" },
        { id = "boss", name = "壬" },
    ]
    post = [
        { id = "fire-duty", kind = "duty", department = "fire", name = "值班", name_en = "Duty", cover = "never" },
        { id = "fire-deputy", kind = "deputy", department = "fire", name = "备勤", name_en = "Deputy" },
        { id = "fire-head", kind = "head", department = "fire", name = "负责人", name_en = "Head" },
        { id = "police-duty", kind = "duty", department = "police", name = "值班", name_en = "Duty" },
        { id = "traffic-duty", kind = "duty", department = "traffic", name = "值班", name_en = "Duty" },
        { id = "lead", kind = "station_lead", name = "站长", name_en = "Lead" },
        { id = "secretary", kind = "secretary", name = "书记", name_en = "Secretary" },
    ]
    shift = [
        { post = "fire-duty", people = ["a"], from = "08:00", until = "22:14" },
        { post = "fire-duty", people = ["b"], from = "22:14", until = "08:00" },
        { post = "fire-deputy", people = ["b"], deputies = ["c"], from = "08:00", until = "22:14" },
        { post = "fire-deputy", people = ["c"], from = "22:14", until = "08:00" },
        { post = "fire-head", people = ["h1"], from = "10:00", until = "22:14" },
        { post = "fire-head", people = ["h2"], from = "22:14", until = "10:00" },
        { post = "police-duty", people = ["d"], from = "00:00", until = "00:00" },
        { post = "traffic-duty", people = ["t"], from = "00:00", until = "00:00" },
        { post = "lead", people = ["lead"], from = "00:00", until = "00:00" },
        { post = "secretary", people = ["boss"], from = "00:00", until = "00:00" },
    ]
"#;

fn with(more: &str) -> Arc<Registry> {
    registry_with(&format!("{ROSTER}{more}"))
}

/// A P1 of the fire station, opened at 22:13:21, on a clock that went up to a second.
async fn fire(hub: &Hub, seconds: &[i64]) -> Vec<NotifiedItem> {
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    for second in seconds {
        let done = hub.state.run_due(at(*second), &book()).await;
        done.expect("runs");
    }
    hub.view(id).await.notified
}

/// What one department was told, as "asked level: people (what is odd about it)".
fn rungs(notified: &[NotifiedItem], department: &str) -> Vec<String> {
    let of = |n: &&NotifiedItem| n.department.as_str() == department;
    let words = |n: &NotifiedItem| {
        let told: Vec<&str> = n.told.iter().map(|told| &*told.recipient).collect();
        let on = match n.told_level {
            Some(level) if level != n.level => format!(" on {level}"),
            Some(_) => String::new(),
            None => " nobody".to_owned(),
        };
        let off = if n.is_off_duty { " off duty" } else { "" };
        let odd = on != *"" || n.is_off_duty;
        assert_eq!(n.fell_through, odd, "{n:?}");
        format!("{}: {}{on}{off}", n.level, told.join(" "))
    };
    notified.iter().filter(of).map(words).collect()
}

#[tokio::test]
async fn each_rung_comes_to_those_on_duty_then_also_where_a_shift_ends_between_two() {
    let hub = Hub::start_with(with("")).await;
    let notified = fire(&hub, &[31, 61, 121, 181]).await;
    assert_eq!(
        rungs(&notified, "fire"),
        [
            "0: a",
            "1: b lead",
            "2: h2",
            "3: boss",
            // there is no sub-district here: those below, from the top
            "4: boss on 3",
        ]
    );
    // a helper's clock: the station lead stands in for a deputy that there is not
    assert_eq!(rungs(&notified, "police"), ["0: d", "1: lead"]);
    let told = &notified[0].told[0];
    let person = told.person.as_ref().expect("a person");
    assert_eq!(
        (person.id.as_str(), person.name.as_deref()),
        ("a", Some("甲"))
    );
    assert_eq!((&*told.channel, &*told.state), ("board", "waiting"));
}

#[tokio::test]
async fn who_comes_back_after_a_crash_tells_those_who_are_on_duty_by_then() {
    let hub = Hub::start_with(with("")).await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let hub = hub.crash().await;
    let done = hub.state.run_due(at(45), &book()).await;
    done.expect("runs");
    let notified = hub.view(id).await.notified;
    assert_eq!(rungs(&notified, "fire"), ["0: a", "1: c lead"]);
}

#[tokio::test]
async fn a_swap_while_the_ladder_is_climbed_counts_for_the_next_rung() {
    let hub = Hub::start_with(with("")).await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let swap = Swap {
        post: "fire-head".parse().expect("an id"),
        on: "2023-11-14".parse().expect("a day"),
        from: Some("22:14".parse().expect("a time")),
        gives: "h2".parse().expect("an id"),
        takes: "c".parse().expect("an id"),
        by: "wang".to_owned(),
        at: at(10),
    };
    hub.state.add_swap(swap, None).await.expect("agreed");
    for second in [31, 61] {
        let done = hub.state.run_due(at(second), &book()).await;
        done.expect("runs");
    }
    let notified = hub.view(id).await.notified;
    assert_eq!(rungs(&notified, "fire"), ["0: a", "1: b lead", "2: c"]);
}

#[tokio::test]
async fn for_the_absent_others_step_in_or_the_next_rung() {
    let absent = |person: &str| {
        format!(
            "[[absence]]\nperson = '{person}'\nfrom = '2023-11-14T20:00'\nuntil = '2023-11-15T20:00'\n"
        )
    };
    for (absent, expected) in [
        (absent("b"), ["0: a", "1: c lead"]),
        (absent("a"), ["0: b lead on 1", "1: b lead"]),
        // the deputy's deputy is away too: the station lead is left
        (absent("b") + &absent("c"), ["0: a", "1: lead"]),
    ] {
        let hub = Hub::start_with(with(&absent)).await;
        let notified = fire(&hub, &[31]).await;
        assert_eq!(rungs(&notified, "fire"), expected, "{absent}");
    }
}

#[tokio::test]
async fn with_nobody_on_duty_at_all_somebody_is_told_all_the_same_and_it_says_so() {
    let people = r#"
        person = [{ id = "a", name = "甲", department = "fire" }, { id = "b", name = "乙", department = "fire" }]
    "#;
    let hub = Hub::start_with(registry_with(people)).await;
    let notified = fire(&hub, &[31]).await;
    assert_eq!(
        rungs(&notified, "fire"),
        ["0: a b off duty", "1: a b off duty"]
    );
    // whoever there is, where a department has nobody
    assert_eq!(rungs(&notified, "police"), ["0: a b off duty"]);
}

#[tokio::test]
async fn where_nobody_is_configured_the_rung_itself_is_told_on_the_board() {
    let hub = Hub::start().await;
    let notified = fire(&hub, &[31]).await;
    assert_eq!(
        rungs(&notified, "fire"),
        ["0: fire/0 nobody off duty", "1: fire/1 nobody off duty"]
    );
    let leased = hub.state.lease_deliveries(at(31), 10).await;
    let leased = leased.expect("leases");
    let told = hub.state.delivered(&leased[0], at(32)).await.expect("told");
    assert!(told.is_some(), "it is in the feed");
}

#[tokio::test]
async fn a_swap_that_cannot_be_read_keeps_nobody_from_being_told() {
    let hub = Hub::start_with(with("")).await;
    for (number, on, takes) in [(1, "2023-11-14", "nobody-any-more"), (2, "2023-11-14", "?")] {
        sqlx::query(
            "INSERT INTO roster_swap (number, post, on_day, from_time, gives, takes, agreed_by, agreed_at)
             VALUES ($1, 'fire-duty', $2, NULL, 'a', $3, 'wang', 0)",
        )
        .bind(number)
        .bind(on)
        .bind(takes)
        .execute(&hub.state.shared.write)
        .await
        .expect("written");
    }
    let notified = fire(&hub, &[]).await;
    assert_eq!(rungs(&notified, "fire"), ["0: a"]);
}

#[tokio::test]
async fn a_rung_of_a_whole_department_has_an_end() {
    use std::fmt::Write as _;
    let mut people = String::new();
    for n in 0..40 {
        let _ = writeln!(
            people,
            "[[person]]\nid = 'n{n}'\nname = '某'\ndepartment = 'fire'"
        );
    }
    let hub = Hub::start_with(registry_with(&people)).await;
    let notified = fire(&hub, &[]).await;
    assert_eq!(notified[0].told.len(), PEOPLE_MAX);
}

#[tokio::test]
async fn each_person_has_a_delivery_and_the_board_hears_once() {
    let hub = Hub::start_with(with("")).await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    hub.state.run_due(at(31), &book()).await.expect("runs");
    let before = hub.state.revision();
    loop {
        let leased = hub.state.lease_deliveries(at(31), 2).await.expect("leases");
        if leased.is_empty() {
            break;
        }
        for delivery in leased {
            let told = hub.state.delivered(&delivery, at(32)).await;
            told.expect("told");
        }
    }
    let feed = hub.state.feed_after(before, 100).await.expect("reads");
    let told: Vec<serde_json::Value> = feed
        .iter()
        .filter(|row| row.kind == "notification")
        .map(|row| serde_json::from_str(&row.json).expect("JSON"))
        .collect();
    let people = |n: usize| told[n]["people"].as_array().expect("a list").len();
    // fire and police at once, then the deputy with the station lead
    assert_eq!((told.len(), people(0), people(2)), (3, 1, 2), "{told:?}");
    assert_eq!(told[2]["people"][1]["id"], "lead");
    let notified = hub.view(id).await.notified;
    let mut all = notified.iter().flat_map(|n| &n.told);
    assert!(all.all(|told| told.state == "delivered"), "{notified:?}");
}

#[tokio::test]
async fn who_acts_from_a_login_of_a_person_has_answered_what_that_person_was_told() {
    let hub = Hub::start_with(with("")).await;
    let id = hub.find(vec![smoke("smoke-1", 1)]).await.opened[0];
    let claim = Command {
        at: at(12),
        ..command(Verb::Claim, "li", Some("fire"))
    };
    hub.act(id, claim).await.expect("claimed");
    let answered: Vec<(String, bool)> = hub
        .view(id)
        .await
        .notified
        .iter()
        .flat_map(|n| &n.told)
        .map(|told| (told.recipient.clone(), told.answered_at.is_some()))
        .collect();
    assert_eq!(
        answered,
        [("a".to_owned(), true), ("d".to_owned(), false)],
        "`li` is a's login"
    );
}
