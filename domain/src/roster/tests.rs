use jiff::civil::date;
use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;

use super::*;
use crate::place::Registry;

const PLACES: &str = r#"
community = { name = "a", name_en = "a", station = "s", station_en = "s", time_zone = "Asia/Shanghai" }
department = [
    { id = "fire", name = "消防", name_en = "Fire", chip = "消" },
    { id = "police", name = "公安", name_en = "Police", chip = "公" },
]
person = [
    { id = "a", name = "甲", department = "fire" },
    { id = "b", name = "乙", department = "fire" },
    { id = "c", name = "丙", department = "fire" },
    { id = "d", name = "丁", department = "police" },
    { id = "lead", name = "站长" },
    { id = "head", name = "负责人" },
    { id = "secretary", name = "书记" },
]
"#;

/// Three take turns of 24 hours; police works by day and has nobody at night, which is allowed here.
const ROSTER: &str = r#"
post = [
    { id = "fire-duty", kind = "duty", department = "fire", name = "消防值班", name_en = "Fire duty" },
    { id = "police-duty", kind = "duty", department = "police", name = "公安值班", name_en = "Police duty", cover = "office_hours" },
    { id = "lead", kind = "station_lead", name = "站长", name_en = "Lead" },
    { id = "secretary", kind = "secretary", name = "书记", name_en = "Secretary" },
]
shift = [
    { post = "fire-duty", people = ["a"], deputies = ["c"], from = "08:00", until = "08:00", turn = { of = 3, since = "2026-01-01" } },
    { post = "fire-duty", people = ["b"], deputies = ["a"], from = "08:00", until = "08:00", turn = { of = 3, since = "2026-01-02" } },
    { post = "fire-duty", people = ["c"], deputies = ["a"], from = "08:00", until = "08:00", turn = { of = 3, since = "2026-01-03" } },
    { post = "police-duty", people = ["d"], days = "working", from = "08:00", until = "18:00" },
    { post = "lead", people = ["lead"], days = ["mon", "tue"], from = "22:00", until = "06:00" },
    { post = "secretary", people = ["secretary"], from = "00:00", until = "00:00" },
]
holiday = [
    { name = "春节", from = "2026-02-15", until = "2026-02-23", made_up_on = ["2026-02-14", "2026-02-28"] },
]
"#;

fn load(roster: &str) -> Result<Roster, Vec<String>> {
    Registry::from_files([("places.toml", PLACES), ("roster.toml", roster)])
        .map(|registry| registry.roster)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn roster(more: &str) -> Roster {
    load(&format!("{ROSTER}{more}")).expect("loads")
}

/// An instant by the clock in Shanghai.
fn at(local: &str) -> Timestamp {
    format!("{local}:00+08:00").parse().expect("a time")
}

fn on(roster: &Roster, post: &str, local: &str) -> Vec<String> {
    let post = post.parse().expect("an id");
    let people = roster.on_duty(DutyOf::Post(&post), at(local));
    people.iter().map(ToString::to_string).collect()
}

#[test]
fn turns_go_on_over_the_ends_of_months_and_years() {
    let roster = roster("");
    for (local, person) in [
        ("2026-01-01T08:00", "a"),
        ("2026-01-02T07:59", "a"),
        ("2026-01-02T08:00", "b"),
        ("2026-01-31T08:00", "a"),
        ("2026-02-01T03:00", "a"),
        ("2026-02-01T08:00", "b"),
        ("2026-02-28T12:00", "b"),
        ("2026-03-01T12:00", "c"),
        ("2026-12-31T23:59", "b"),
        ("2027-01-01T09:00", "c"),
        ("2025-12-31T09:00", "c"),
    ] {
        assert_eq!(on(&roster, "fire-duty", local), [person], "{local}");
    }
}

#[test]
fn a_shift_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let roster = roster("");
    for (local, is_on) in [
        ("2026-03-02T21:59", false), // a Monday
        ("2026-03-02T22:00", true),
        ("2026-03-03T05:59", true),
        ("2026-03-03T06:00", false),
        ("2026-03-04T05:59", true), // the night of Tuesday
        ("2026-03-04T22:00", false),
        ("2026-03-02T03:00", false), // the night of Sunday
    ] {
        assert_eq!(!on(&roster, "lead", local).is_empty(), is_on, "{local}");
    }
}

#[test]
fn holidays_are_free_and_weekends_that_make_up_for_them_are_worked() {
    let roster = roster("");
    for (day, works) in [
        (date(2026, 2, 13), true),
        (date(2026, 2, 14), true), // a Saturday
        (date(2026, 2, 15), false),
        (date(2026, 2, 16), false), // a Monday
        (date(2026, 2, 23), false),
        (date(2026, 2, 24), true),
        (date(2026, 2, 28), true),
        (date(2026, 3, 1), false),
    ] {
        assert_eq!(roster.calendar.is_working_day(day), works, "{day}");
        let noon = format!("{day}T12:00");
        assert_eq!(
            !on(&roster, "police-duty", &noon).is_empty(),
            works,
            "{day}"
        );
    }
}

#[test]
fn the_next_working_half_day_begins_after_the_instant() {
    let calendar = roster("").calendar;
    for (now, begins, ends) in [
        ("2026-03-02T07:00", "2026-03-02T08:30", "2026-03-02T12:00"),
        ("2026-03-02T08:30", "2026-03-02T14:00", "2026-03-02T17:30"),
        ("2026-03-02T11:59", "2026-03-02T14:00", "2026-03-02T17:30"),
        ("2026-03-02T15:00", "2026-03-03T08:30", "2026-03-03T12:00"),
        ("2026-03-06T20:00", "2026-03-09T08:30", "2026-03-09T12:00"), // over a weekend
        ("2026-02-14T18:00", "2026-02-24T08:30", "2026-02-24T12:00"), // over the Spring Festival
        ("2026-02-27T18:00", "2026-02-28T08:30", "2026-02-28T12:00"), // a Saturday that is worked
    ] {
        let half = calendar
            .next_working_half_day(at(now))
            .expect("there is one");
        assert_eq!(
            (half.begins_at, half.ends_at),
            (at(begins), at(ends)),
            "{now}"
        );
    }
}

#[test]
fn a_swap_moves_one_shift_and_a_second_moves_it_on() {
    let swaps = r#"
swap = [
    { post = "fire-duty", on = "2026-01-01", gives = "a", takes = "b", by = "lead", at = "2025-12-30T10:00:00+08:00" },
    { post = "fire-duty", on = "2026-01-01", gives = "b", takes = "c", by = "lead", at = "2025-12-31T10:00:00+08:00" },
    { post = "fire-duty", on = "2026-01-03", from = "08:00", gives = "c", takes = "a", by = "lead", at = "2025-12-31T10:00:00+08:00" },
]
"#;
    let roster = roster(swaps);
    for (local, person) in [
        ("2026-01-01T12:00", "c"),
        ("2026-01-02T07:00", "c"),
        ("2026-01-02T12:00", "b"),
        ("2026-01-03T12:00", "a"),
        ("2026-01-04T12:00", "a"),
    ] {
        assert_eq!(on(&roster, "fire-duty", local), [person], "{local}");
    }
    let post = "fire-duty".parse().expect("an id");
    let duty = roster.duties(DutyOf::Post(&post), at("2026-01-01T12:00"));
    assert_eq!(duty[0].instead_of.as_ref().map(PersonId::as_str), Some("a"));
}

#[test]
fn a_swap_that_is_of_no_shift_is_refused() {
    for (swap, part) in [
        (
            "on = '2026-01-02', gives = 'a', takes = 'b'",
            "`a` does not have",
        ),
        (
            "on = '2026-01-01', gives = 'a', takes = 'a'",
            "with themselves",
        ),
        (
            "on = '2026-01-01', from = '09:00', gives = 'a', takes = 'b'",
            "`a` does not have",
        ),
        (
            "on = '2026-01-01', gives = 'a', takes = 'nobody'",
            "`nobody`, which does not exist",
        ),
    ] {
        let text = format!(
            "{ROSTER}swap = [{{ post = 'fire-duty', {swap}, by = 'lead', at = '2025-12-30T10:00:00Z' }}]"
        );
        let told = load(&text).expect_err("refused");
        assert!(
            matches!(&told[..], [one] if one.contains(part)),
            "{part}: {told:?}"
        );
    }
}

#[test]
fn the_deputy_steps_in_for_somebody_who_is_absent() {
    let roster = roster(
        "absence = [{ person = 'a', from = '2026-01-01T12:00', until = '2026-01-01T20:00' }, { person = 'b', from = '2026-01-02T00:00', until = '2026-01-03T00:00' }, { person = 'a', from = '2026-01-02T12:00', until = '2026-01-02T14:00' }]",
    );
    for (local, people) in [
        ("2026-01-01T11:00", &["a"][..]),
        ("2026-01-01T12:00", &["c"]),
        ("2026-01-01T20:00", &["a"]),
        ("2026-01-02T11:00", &["a"]),
        ("2026-01-02T13:00", &[]),
    ] {
        assert_eq!(on(&roster, "fire-duty", local), people, "{local}");
    }
    let told = roster.warnings();
    assert!(
        told.iter()
            .any(|w| w.contains("fire-duty") && w.contains("2026-01-02 12:00–14:00")),
        "{told:?}"
    );
    assert!(told.iter().all(|w| !w.contains("2026-01-01")), "{told:?}");
}

#[test]
fn the_next_change_is_when_somebody_else_is_on() {
    let roster = roster("");
    let next = |post: &str, local| {
        let post = post.parse().expect("an id");
        roster.next_change(DutyOf::Post(&post), at(local))
    };
    assert_eq!(
        next("fire-duty", "2026-01-31T23:00"),
        Some(at("2026-02-01T08:00"))
    );
    assert_eq!(
        next("lead", "2026-03-04T06:00"),
        Some(at("2026-03-09T22:00"))
    );
    // day by day the same: nothing changes at midnight
    assert_eq!(next("secretary", "2026-01-31T23:00"), None);
}

#[test]
fn a_calendar_that_ends_says_so_two_months_before() {
    let calendar = roster("").calendar;
    let told = |year, month, day| calendar.warnings(date(year, month, day));
    assert_eq!(told(2026, 11, 1), Vec::<String>::new());
    assert_eq!(told(2026, 1, 1), Vec::<String>::new());
    let soon = told(2026, 11, 2);
    assert_eq!(soon.len(), 1);
    assert!(
        soon[0].contains("ends with 2026 and no holidays of 2027"),
        "{soon:?}"
    );
    let over = told(2027, 1, 1);
    assert_eq!(over.len(), 1);
    assert!(over[0].starts_with("no holidays of 2027"), "{over:?}");
    assert_eq!(calendar.day(at("2026-12-31T23:59")), date(2026, 12, 31));
    // a community that has none may mean it
    let without = Calendar::new(jiff::tz::TimeZone::UTC);
    assert_eq!(without.warnings(date(2026, 12, 1)), Vec::<String>::new());
}

#[test]
fn the_changes_of_a_span_are_those_in_it() {
    let roster = roster("");
    let check = |post: &str, from, to, expect: &[&str]| {
        let post = post.parse().expect("an id");
        let found = roster.changes(DutyOf::Post(&post), at(from), at(to));
        let expect: Vec<Timestamp> = expect.iter().map(|local| at(local)).collect();
        assert_eq!(found, expect, "{post} {from} {to}");
    };
    let (noon, noon_after) = ("2026-01-31T12:00", "2026-02-02T12:00");
    let mornings = ["2026-02-01T08:00", "2026-02-02T08:00"];
    check("fire-duty", noon, noon_after, &mornings);
    // the first moment counts, the last does not
    check("fire-duty", mornings[0], mornings[1], &mornings[..1]);
    check("fire-duty", "2026-02-01T08:01", mornings[1], &[]);
    // somebody comes and goes at a post that is empty between
    check(
        "lead",
        "2026-03-09T00:00",
        "2026-03-10T12:00",
        &["2026-03-09T22:00", "2026-03-10T06:00"],
    );
    check("secretary", noon, noon_after, &[]);
}

#[test]
fn an_hour_without_anybody_is_a_mistake_with_its_hours() {
    let nights = ROSTER.replace(
        "{ post = \"police-duty\"",
        "{ post = \"fire-duty\", people = [\"a\"], from = \"10:00\", until = \"11:00\" },\n    { post = \"police-duty\"",
    );
    assert!(load(&nights).is_ok());
    for (from, to, part) in [
        // a turn that nobody has
        (
            "since = \"2026-01-03\"",
            "since = \"2026-01-02\"",
            "post `fire-duty` has nobody on duty",
        ),
        // it ends an hour before the next begins
        (
            "people = [\"a\"], deputies = [\"c\"], from = \"08:00\", until = \"08:00\"",
            "people = [\"a\"], deputies = [\"c\"], from = \"08:00\", until = \"07:00\"",
            "07:00–08:00",
        ),
        // holidays are no reason: only offices may be empty
        (
            "days = \"working\", from = \"08:00\"",
            "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"08:00\"",
            "2026-02-14 08:30–12:00",
        ),
        (
            "cover = \"office_hours\"",
            "cover = \"always\"",
            "post `police-duty` has nobody on duty",
        ),
    ] {
        let text = ROSTER.replacen(from, to, 1);
        assert_ne!(text, ROSTER, "{from}");
        let told = load(&text).expect_err("refused");
        assert!(told.iter().any(|e| e.contains(part)), "{part}: {told:?}");
        assert!(
            told.iter().all(|e| e.starts_with("roster.toml:")),
            "{told:?}"
        );
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let day = "{ person = 'a', from = '2026-03-05T08:00', until = '2026-03-05T09:00' },";
    let text = format!("{ROSTER}absence = [{}]", day.repeat(2_001));
    let told = load(&text).expect_err("refused");
    assert!(
        matches!(&told[..], [one] if one.contains("one of 2001, and 2000 are the most")),
        "{told:?}"
    );
}

#[test]
fn names_of_nobody_and_departments_without_duty_are_told() {
    let told = load(&ROSTER.replace("people = [\"d\"]", "people = [\"dd\"]")).expect_err("refused");
    assert!(
        told[0].contains("names people `dd`, which does not exist"),
        "{told:?}"
    );
    let told = load(&ROSTER.replace(
        "{ id = \"police-duty\", kind = \"duty\"",
        "{ id = \"police-duty\", kind = \"deputy\"",
    ))
    .expect_err("refused");
    assert!(
        told[0].contains("department `police` has no duty post"),
        "{told:?}"
    );
}

#[test]
fn the_ladder_falls_through_and_is_marked() {
    let roster = roster("");
    let (fire, police) = ("fire".parse().expect("id"), "police".parse().expect("id"));
    let rung = |department, level, local| {
        let rung = roster.ladder(department, level, at(local));
        let people: Vec<_> = rung.people.iter().map(ToString::to_string).collect();
        (people.join(","), rung.level, rung.fell_through())
    };
    let own = |people: &str, level| (people.to_owned(), level, false);
    let fell = |people: &str, level| (people.to_owned(), level, true);
    // Monday night: the lead is there; nobody is head
    let night = "2026-03-02T23:00";
    assert_eq!(rung(&fire, Level::L0, night), own("a", Level::L0));
    assert_eq!(rung(&fire, Level::L1, night), own("lead", Level::L1));
    assert_eq!(rung(&fire, Level::L2, night), fell("secretary", Level::L3));
    assert_eq!(rung(&police, Level::L0, night), fell("lead", Level::L1));
    // nobody stands above the secretary
    assert_eq!(rung(&fire, Level::L4, night), fell("secretary", Level::L3));
    // without a roster the department's people are told
    let bare = load("").expect("loads").ladder(&fire, Level::L1, at(night));
    assert_eq!(bare.people.len(), 3);
    assert!(bare.fell_through());
    let nobody = Roster::default().ladder(&fire, Level::L0, at(night));
    assert!(nobody.people.is_empty());
}

fn shipped() -> Registry {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/config/compound");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it ships") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        files.push((name, std::fs::read_to_string(path).expect("text")));
    }
    let texts = files.iter().map(|(name, text)| (&**name, &**text));
    Registry::from_files(texts).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

#[test]
fn the_roster_that_ships_has_no_gap_and_every_rung_of_its_own() {
    let registry = shipped();
    let roster = &registry.roster;
    assert!(roster.posts.len() >= 6 * 3 + 4);
    assert_eq!(roster.warnings(), Vec::<String>::new());
    let begin = date(2026, 1, 1).at(0, 0, 0, 0);
    assert_eq!(roster.gaps(begin, date(2027, 1, 31).at(0, 0, 0, 0)), []);
    for department in registry.departments.keys() {
        assert!(
            roster.resources_of(department).next().is_some(),
            "{department}"
        );
        for hour in 0..(24 * 40_i64) {
            let at = at("2026-02-01T00:30") + hour.hours();
            for level in Level::ALL {
                let rung = roster.ladder(department, level, at);
                assert!(
                    !rung.fell_through() && !rung.people.is_empty(),
                    "{department} {level} {at}"
                );
            }
        }
    }
    assert!(roster.calendar.knows_year(date(2026, 6, 1)));
}

#[test]
fn who_comes_next_is_the_deputy_and_nobody_has_two_shifts_in_a_row() {
    let registry = shipped();
    for department in registry.departments.keys() {
        for day in 0..60_i64 {
            let now = at("2026-02-01T12:00") + (day * 24).hours();
            let duty = registry.roster.ladder(department, Level::L0, now).people;
            let next = registry
                .roster
                .ladder(department, Level::L0, now + 24.hours())
                .people;
            let deputy = format!("{department}-deputy").parse().expect("an id");
            assert_ne!(duty, next);
            assert_eq!(registry.roster.on_duty(DutyOf::Post(&deputy), now), next);
        }
    }
}

proptest! {
    /// Whatever the hours and turns: a shift lasts from its begin to its end, over midnight and the ends of months, and is on
    /// exactly in the hours that its own arithmetic says.
    #[test]
    fn a_shift_is_on_exactly_in_its_hours(
        from in 0_i64..1440, until in 0_i64..1440, of in 1_i64..9, first in 0_i64..400, asked in 0_i64..(400 * 1440),
    ) {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let since = date(2026, 1, 1).checked_add(first.days()).expect("a day");
        let roster = roster("");
        let shift = Shift {
            post: "lead".parse().expect("id"),
            people: vec!["head".parse().expect("id")],
            deputies: Vec::new(),
            days: Days::Every,
            from: clock(from).parse().expect("a time"),
            until: clock(until).parse().expect("a time"),
            turn: Some(Turn { of: of as u16, since }),
        };
        let roster = Roster { shifts: vec![shift], ..roster };
        // minutes since the first of January, by the wall clock
        let lasts = if until > from { until - from } else { until - from + 1440 };
        let is_on = |day: i64| {
            (day - first).rem_euclid(of) == 0 && (day * 1440 + from..day * 1440 + from + lasts).contains(&asked)
        };
        let expected = is_on(asked / 1440) || is_on(asked / 1440 - 1);
        let now = at("2026-01-01T00:00") + asked.minutes();
        let post = "lead".parse().expect("id");
        prop_assert_eq!(!roster.on_duty(DutyOf::Post(&post), now).is_empty(), expected);
        if let Some(next) = roster.next_change(DutyOf::Post(&post), now) {
            prop_assert!(next > now);
            prop_assert_ne!(roster.on_duty(DutyOf::Post(&post), next), roster.on_duty(DutyOf::Post(&post), now));
            let before = roster.on_duty(DutyOf::Post(&post), next - 1.second());
            prop_assert_eq!(before, roster.on_duty(DutyOf::Post(&post), now));
        }
    }

    /// The gaps of a plan are exactly the minutes in which nobody is on.
    #[test]
    fn gaps_are_the_hours_without_anybody(hours in proptest::collection::vec((0_i8..24, 0_i8..24, 1_u16..4, 0_i64..4), 0..4), asked in 0_i64..(14 * 24)) {
        // an absence of somebody else cuts the hours in pieces, which are one gap all the same
        let base = roster("absence = [{ person = 'b', from = '2026-05-02T03:00', until = '2026-05-03T05:00' }]");
        let shifts = hours.iter().map(|(from, until, of, first)| Shift {
            post: "fire-duty".parse().expect("id"),
            people: vec!["a".parse().expect("id")],
            deputies: Vec::new(),
            days: Days::Every,
            from: jiff::civil::time(*from, 0, 0, 0),
            until: jiff::civil::time(*until, 0, 0, 0),
            turn: Some(Turn { of: *of, since: date(2026, 5, 1).checked_add(first.days()).expect("a day") }),
        });
        let roster = Roster { shifts: shifts.collect(), ..base };
        let begin = date(2026, 5, 1).at(0, 0, 0, 0);
        let gaps = roster.gaps(begin, begin.checked_add(14.days()).expect("in range"));
        let local = begin.checked_add(asked.hours().minutes(30)).expect("in range");
        let is_in_gap = gaps.iter().any(|g| g.post.as_str() == "fire-duty" && (g.from..g.until).contains(&local));
        let post = "fire-duty".parse().expect("id");
        prop_assert_eq!(is_in_gap, roster.on_duty(DutyOf::Post(&post), at(&local.strftime("%Y-%m-%dT%H:%M").to_string())).is_empty());
    }
}
