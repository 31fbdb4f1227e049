//! Figures that were computed by hand, and that nothing depends on the order in which the record is handed over.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::incident::CAUSE_UNSPECIFIED;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("in range")
}

/// An incident as a test tells it: every row of the audit trail has the next number.
struct Told {
    record: IncidentRecord,
    row: i64,
}

impl Told {
    fn new(number: u64, severity: Severity, lead: &str) -> Self {
        let fact = Fact {
            audit: 1,
            severity,
            rule: "S1".parse().expect("a rule"),
            class: DeviceClass::FireSensor,
            site: "q1".parse().expect("a site"),
            zone: Some("z1".parse().expect("a zone")),
            lead: lead.parse().expect("a department"),
            acknowledge_due: at(30),
            resolve_due: at(1800),
            cause: None,
            is_drill: false,
            is_asked: false,
        };
        let record = IncidentRecord {
            number,
            opened_at: at(0),
            facts: vec![fact],
            parts: Vec::new(),
            steps: Vec::new(),
        };
        Self { record, row: 1 }
    }

    fn step(mut self, second: i64, act: Act, by_person: bool, to: &str) -> Self {
        self.row += 1;
        self.record.steps.push(Line {
            audit: self.row,
            at: at(second),
            act,
            by_person,
            department: None,
            to: to.to_owned(),
        });
        self
    }

    fn fact(mut self, change: impl FnOnce(&mut Fact)) -> Self {
        let mut fact = self.record.facts.last().expect("there is one").clone();
        fact.audit = self.row;
        change(&mut fact);
        self.record.facts.push(fact);
        self
    }

    fn resolved(self, second: i64, cause: &str) -> Self {
        self.step(second, Act::Resolve, true, "resolved")
            .fact(|fact| fact.cause = Some(cause.to_owned()))
    }

    /// A turn from 0 s on: claimed, there and done then, where it was; claim due after 60 s, arrival after 180 s, the end after 1800 s.
    fn turn(mut self, department: &str, steps: [Option<i64>; 3], over: Option<TaskState>) -> Self {
        let mut part = Part {
            audit: self.row,
            at: at(0),
            department: department.parse().expect("a department"),
            state: TaskState::Dispatched,
            dispatched_at: at(0),
            claimed_at: None,
            arrived_at: None,
            resolved_at: None,
            claim_due: at(60),
            arrive_due: at(180),
            resolve_due: at(1800),
        };
        self.record.parts.push(part.clone());
        for (position, second) in steps.into_iter().enumerate() {
            let Some(second) = second else { continue };
            self.row += 1;
            (part.audit, part.at) = (self.row, at(second));
            match position {
                0 => (part.claimed_at, part.state) = (Some(at(second)), TaskState::Claimed),
                1 => (part.arrived_at, part.state) = (Some(at(second)), TaskState::OnScene),
                _ => (part.resolved_at, part.state) = (Some(at(second)), TaskState::Resolved),
            }
            self.record.parts.push(part.clone());
        }
        if let Some(state) = over {
            self.row += 1;
            (part.audit, part.state) = (self.row, state);
            self.record.parts.push(part);
        }
        self
    }
}

fn ranked(told: Vec<Told>, by: By, until: i64) -> Ranking {
    let record = Record {
        as_of: 1000,
        as_of_at: at(until),
        incidents: told.into_iter().map(|told| told.record).collect(),
    };
    let query = Query {
        from: at(0),
        to: at(1),
        by,
    };
    rank(&record, query, Scoring::default(), |_| {
        Some("g1".to_owned())
    })
}

fn times(group: &Group, stage: Stage) -> &Measured {
    let mut found = group.times.iter();
    found
        .find(|m| m.stage == stage && m.severity.is_none())
        .expect("was timed")
}

#[test]
fn who_was_never_acknowledged_is_in_the_percentiles_and_by_number_in_the_list() {
    let told = vec![
        Told::new(1001, Severity::P1, "fire").step(20, Act::Acknowledge, true, "dispatched"),
        Told::new(1002, Severity::P1, "fire").step(70, Act::Claim, true, "claimed"),
        // what a clock does is no acknowledgement
        Told::new(1003, Severity::P1, "fire").step(50, Act::Dispatch, false, "dispatched"),
        Told::new(1004, Severity::P3, "fire"),
    ];
    let ranking = ranked(told, By::Rule, 500);
    let seen = times(&ranking.total, Stage::Acknowledge);
    assert_eq!((seen.n, seen.censored), (4, 2));
    assert_eq!(seen.p50, Some(Percentile::Ms(70_000)));
    assert_eq!(seen.p90, Some(Percentile::MoreThanMs(500_000)));
    assert_eq!((seen.in_time, seen.late, seen.undecided), (1, 3, 0));
    let missed: Vec<_> = ranking
        .missed_p1
        .iter()
        .map(|m| (m.number, m.waited))
        .collect();
    assert_eq!(
        missed,
        [
            (1002, Percentile::Ms(70_000)),
            (1003, Percentile::MoreThanMs(500_000)),
        ]
    );
    assert_eq!(ranking.total.by_severity[&Severity::P1], 3);
}

#[test]
fn a_p1_counts_from_when_it_became_one_and_an_open_minute_is_not_missed_yet() {
    let raised = |second| {
        Told::new(1001, Severity::P2, "fire")
            .step(second, Act::Raise, false, "P1")
            .fact(|fact| fact.severity = Severity::P1)
    };
    let missed = |told, until| ranked(vec![told], By::Rule, until).missed_p1.len();
    assert_eq!(missed(raised(100), 160), 0);
    assert_eq!(missed(raised(100), 161), 1);
    let seen = |second| raised(100).step(second, Act::Acknowledge, true, "acknowledged");
    assert_eq!(missed(seen(160), 999), 0);
    assert_eq!(missed(seen(161), 999), 1);
    let before = Told::new(1001, Severity::P2, "fire")
        .step(5, Act::Acknowledge, true, "acknowledged")
        .step(100, Act::Raise, false, "P1")
        .fact(|fact| fact.severity = Severity::P1);
    assert_eq!(missed(before, 999), 0);
}

#[test]
fn drills_cancelled_and_merged_ones_are_out_and_come_back_when_unmerged() {
    let told = vec![
        Told::new(1001, Severity::P2, "fire").fact(|fact| fact.is_drill = true),
        Told::new(1002, Severity::P2, "fire").step(5, Act::Cancel, true, "cancelled"),
        Told::new(1003, Severity::P2, "fire").step(5, Act::Merge, true, "#1001"),
        Told::new(1004, Severity::P2, "fire").resolved(5, "test"),
        Told::new(1005, Severity::P2, "fire")
            .step(5, Act::Merge, true, "#1001")
            .step(6, Act::Unmerge, true, "open"),
    ];
    let ranking = ranked(told, By::Rule, 10);
    let out = &ranking.left_out;
    assert_eq!(
        (out.drill, out.cancelled, out.merged, out.void),
        (1, 1, 1, 1)
    );
    assert_eq!(ranking.total.incidents, 1);
}

#[test]
fn causes_that_nobody_gave_are_in_neither_share() {
    let told = |number, cause| Told::new(number, Severity::P2, "fire").resolved(9, cause);
    let ranking = ranked(
        vec![
            told(1, "cooking"),
            told(2, "fire"),
            told(3, "resolved_by_reminder"),
            told(4, CAUSE_UNSPECIFIED),
            Told::new(5, Severity::P2, "fire"),
        ],
        By::MicroGrid,
        10,
    );
    assert_eq!(ranking.groups[0].name, "g1");
    let q = &ranking.groups[0].quality;
    assert_eq!(
        (q.resolved, q.genuine, q.false_alarms, q.cause_unknown),
        (4, 2, 1, 1)
    );
    assert_eq!(
        (q.false_permille, q.cause_known_permille),
        (Some(333), Some(750))
    );
    assert_eq!(q.self_corrected_permille, Some(500));
}

#[test]
fn a_department_is_timed_by_its_own_turns() {
    let told = vec![
        Told::new(1001, Severity::P1, "fire")
            .turn("fire", [Some(30), Some(170), Some(900)], None)
            .turn("police", [Some(90), None, None], Some(TaskState::Released)),
        Told::new(1002, Severity::P1, "fire")
            .turn("fire", [Some(50), Some(200), Some(2000)], None)
            .turn("police", [None; 3], None),
    ];
    let ranking = ranked(told, By::Department, 3000);
    let [fire, police] = &ranking.groups[..] else {
        panic!("two departments");
    };
    assert_eq!(
        (fire.incidents, fire.turns, police.incidents, police.turns),
        (2, 2, 0, 2)
    );
    let claim = times(fire, Stage::Claim);
    assert_eq!(
        (claim.in_time, claim.p50),
        (2, Some(Percentile::Ms(30_000)))
    );
    let arrive = times(fire, Stage::Arrive);
    assert_eq!((arrive.in_time, arrive.late), (1, 1));
    let finish = times(fire, Stage::Finish);
    assert_eq!(
        (finish.in_time, finish.late, finish.p90),
        (1, 1, Some(Percentile::Ms(2_000_000)))
    );
    // one came 30 s late, the other not at all: due and not done is late
    let claim = times(police, Stage::Claim);
    assert_eq!((claim.n, claim.censored, claim.late), (2, 1, 2));
    // released while on the way: nobody knows whether it would have been in time
    let arrive = times(police, Stage::Arrive);
    assert_eq!((arrive.late, arrive.undecided), (1, 1));
}

/// Twenty turns of fire and five of police, all P1 smoke: fire claims 16 in time, police 1; nobody arrives or is done in time to tell.
fn two_departments() -> Vec<Told> {
    let turn = |number, department: &str, claimed| {
        Told::new(number, Severity::P1, department).turn(
            department,
            [Some(claimed), Some(claimed + 1), None],
            Some(TaskState::Released),
        )
    };
    let fire = (0..20).map(|n| turn(1000 + n, "fire", if n < 16 { 10 } else { 500 }));
    let police = (0..5).map(|n| turn(2000 + n, "police", if n < 1 { 10 } else { 500 }));
    fire.chain(police).collect()
}

#[test]
fn few_cases_are_filled_up_with_the_station_s_mean() {
    let ranking = ranked(two_departments(), By::Department, 600);
    let [fire, police] = &ranking.scores[..] else {
        panic!("two departments");
    };
    // claims and arrivals: 34 of 50 at the station; one stratum a step, so the mix changes nothing
    assert_eq!((fire.response.n, fire.response.good), (40, 32));
    assert_eq!(
        (fire.response.raw, fire.response.adjusted),
        (Some(800), Some(800))
    );
    assert_eq!(fire.response.counted, Some(800));
    // police: 2 of 10, which is a full sample
    assert_eq!(
        (police.response.n, police.response.counted),
        (10, Some(200))
    );
    // nobody finished or answered: the score is the response alone
    assert_eq!((fire.solve.counted, fire.score), (None, Some(800)));
    assert_eq!((fire.rank, fire.rating), (1, Some(Rating::Yellow)));
    assert_eq!((police.rank, police.rating), (2, Some(Rating::Black)));

    let mut fewer = two_departments();
    fewer.truncate(21);
    let ranking = ranked(fewer, By::Department, 600);
    let police = ranking.scores.iter().find(|s| s.department == "police");
    let police = &police.expect("there").response;
    // 2 of 2; the station 34 of 42 = 810; adjusted 34/42 × 2 ÷ (2 × 17/21) = 1; (2 × 1000 + 8 × 810) ÷ 10
    assert_eq!((police.n, police.adjusted), (2, Some(1000)));
    assert_eq!(police.counted, Some(848));
}

#[test]
fn who_gets_the_hard_cases_is_not_blamed_for_them() {
    // P1 claims succeed in 5 of 10 at the station, P3 in 15 of 15; police has P1 only, market P3 only, fire both
    let turn = |number, severity, department: &str, is_good: bool| {
        let claimed = if is_good { 10 } else { 500 };
        Told::new(number, severity, department).turn(
            department,
            [Some(claimed), None, None],
            Some(TaskState::HandedBack),
        )
    };
    let mut told = Vec::new();
    for n in 0..5 {
        told.push(turn(n, Severity::P1, "police", n < 3));
        told.push(turn(100 + n, Severity::P1, "fire", n < 2));
        told.push(turn(200 + n, Severity::P3, "fire", true));
    }
    for n in 0..10 {
        told.push(turn(300 + n, Severity::P3, "market", true));
    }
    let ranking = ranked(told, By::Department, 600);
    let of = |department: &str| {
        let mut scores = ranking.scores.iter();
        let score = scores.find(|s| s.department == department).expect("there");
        (score.response.raw, score.response.adjusted)
    };
    // arrivals of those 500 s late count as late: police P1 3/5 and 0/2; all of the station: 20 of 30
    let (raw, adjusted) = of("police");
    assert_eq!(raw, Some(429));
    assert!(adjusted > raw, "{adjusted:?}");
    let (raw, adjusted) = of("market");
    assert_eq!(raw, Some(1000));
    // as good as everybody is at such cases: the station's rate
    assert_eq!(adjusted, Some(667));
}

#[test]
fn the_load_of_a_seat_is_counted_in_tens_of_minutes() {
    let rung = |second: i64, subject: &str, held_h: i64| Rung {
        at: at(second),
        rule: "S1".parse().expect("a rule"),
        subject: subject.to_owned(),
        severity: Severity::P3,
        active_at: at(second),
        cleared_at: Some(at(second) + SignedDuration::from_hours(held_h)),
    };
    let mut all: Vec<Rung> = (0..11).map(|n| rung(590 + n, "device:a", 1)).collect();
    all.push(rung(3000, "device:b", 25));
    all.push(rung(3600, "device:c", 1));
    let load = Load::of(all, at(0), at(3600), 1);
    // half-open: what rings at the end is of the next hour
    assert_eq!((load.rung, load.per_hour_and_seat_milli), (12, 12_000));
    // eleven within eleven seconds, over the border of two periods
    assert_eq!(
        (load.peak_10_min, load.periods, load.flood_periods),
        (11, 6, 0)
    );
    assert_eq!((load.stale, load.stale_permille), (1, Some(83)));
    assert_eq!(load.top[0].n, 11);
    assert_eq!(load.top_10_permille, Some(1000));
    assert_eq!(
        (load.per_10_min_and_seat_milli, load.per_day_and_seat_milli),
        (2000, 288_000)
    );
    assert_eq!(load.peak_10_min_at, Some(at(590)));
    assert_eq!((load.hours, load.busy_hours), (1, 0));
    let burst = (0..11).map(|n| rung(n, "device:a", 1)).collect();
    let load = Load::of(burst, at(0), at(3600), 1);
    assert_eq!((load.flood_periods, load.flood_permille), (1, Some(167)));
    assert_eq!(load.steps.len(), 1);
    assert_eq!((load.steps[0].rung, load.steps[0].flood_periods), (11, 1));
}

#[test]
fn a_span_is_told_by_hours_or_days_and_every_alarm_once() {
    let rung = |second: i64| Rung {
        at: at(second),
        rule: "S1".parse().expect("a rule"),
        subject: "device:a".to_owned(),
        severity: Severity::P2,
        active_at: at(second),
        cleared_at: None,
    };
    let (hour, day) = (3600, 24 * 3600);
    // 31 within an hour are busy at one seat and not at two; the last hour is cut off
    let all: Vec<Rung> = (0..31)
        .map(|n| rung(hour + n * 100))
        .chain([rung(2 * hour)])
        .collect();
    let by_hour = Load::of(all.clone(), at(0), at(2 * hour + 1), 1);
    let counts = |load: &Load| load.steps.iter().map(|s| s.rung).collect::<Vec<_>>();
    assert_eq!(counts(&by_hour), [0, 31, 1]);
    assert_eq!(
        (by_hour.busy_hours, by_hour.busy_hours_permille),
        (1, Some(333))
    );
    assert_eq!(by_hour.steps[1].from, at(hour));
    assert_eq!(by_hour.steps[1].peak_10_min, 6);
    let two_seats = Load::of(all.clone(), at(0), at(2 * hour + 1), 2);
    assert_eq!(two_seats.busy_hours, 0);
    let by_day = Load::of(all.clone(), at(-2 * day), at(day), 1);
    assert_eq!(counts(&by_day), [0, 0, 32]);
    // a span without end stays a list that a screen can show
    let endless = Load::of(all, at(0), Timestamp::MAX, 1);
    assert!(endless.steps.len() <= 400, "{}", endless.steps.len());
    assert_eq!(counts(&endless).iter().sum::<u64>(), 32);
    let nothing = Load::of(Vec::new(), at(0), at(0), 1);
    assert!(nothing.steps.is_empty());
}

#[test]
fn figures_stand_beside_what_is_asked_of_them() {
    let rung = |n: i64, severity| Rung {
        at: at(n * 60),
        rule: "S1".parse().expect("a rule"),
        subject: format!("device:{n}"),
        severity,
        active_at: at(n * 60),
        cleared_at: None,
    };
    let all = (0..20).map(|n| rung(n, if n == 0 { Severity::P1 } else { Severity::P3 }));
    let load = Load::of(all.collect(), at(0), at(3600), 2);
    let of = |name: &str| {
        let mut figures = load.figures.iter();
        let found = figures.find(|f| f.figure == name).expect("there");
        (found.value, found.good, found.at_most)
    };
    assert_eq!(
        of("per_hour_and_seat_milli"),
        (Some(10_000), Some(6000), Some(12_000))
    );
    assert_eq!(of("peak_10_min_and_seat"), (Some(5), None, Some(10)));
    assert_eq!(of("p1_permille"), (Some(50), Some(50), None));
    assert_eq!(of("p3_p4_permille"), (Some(950), Some(800), None));
    let nothing = Load::of(Vec::new(), at(0), at(3600), 1);
    let share = nothing.figures.iter().find(|f| f.figure == "p1_permille");
    assert_eq!(share.expect("there").value, None);
}

#[test]
fn a_sheet_has_no_formulas_and_as_many_cells_in_every_line() {
    for (cell, harmless_cell) in [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("a=1", "a=1"),
        ("", ""),
    ] {
        assert_eq!(harmless(cell), harmless_cell);
    }
    let sheet = sheet(&ranked(two_departments(), By::Department, 600));
    assert!(sheet.starts_with('\u{feff}'));
    let cells: Vec<usize> = sheet.lines().map(|l| l.split(',').count()).collect();
    assert_eq!(cells.len(), 4, "{sheet}");
    assert!(cells.iter().all(|n| *n == cells[0]), "{sheet}");
    assert!(
        sheet.contains(",>500000,") || sheet.contains(",1,800,yellow"),
        "{sheet}"
    );
}

/// Some incidents of all sorts.
fn incidents() -> impl Strategy<Value = Vec<IncidentRecord>> {
    let one = (
        0_u8..4,
        0_u8..3,
        prop::option::of(1_i64..4000),
        prop::option::of(1_i64..4000),
        0_u8..6,
    );
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let told = all.into_iter().enumerate();
        told.map(|(n, (severity, lead, seen, claimed, end))| {
            let severity = Severity::from_number(i64::from(severity) + 1).expect("1 to 4");
            let lead = ["fire", "police", "market"][usize::from(lead)];
            let mut told = Told::new(1000 + n as u64, severity, lead);
            if let Some(second) = seen {
                told = told.step(second, Act::Acknowledge, true, "acknowledged");
            }
            let arrived = claimed.map(|second| second + 60);
            told = told.turn(lead, [claimed, arrived, None], None);
            told = match end {
                0 => told.resolved(4100, "cooking"),
                1 => told.resolved(4100, "fire"),
                2 => told.step(4100, Act::Cancel, true, "cancelled"),
                3 => told
                    .resolved(4100, "fire")
                    .step(4200, Act::Answer, true, "satisfied"),
                _ => told,
            };
            told.record
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_the_record_and_what_came_later_change_no_byte(
        original in incidents(),
        seed in any::<u64>(),
    ) {
        let bytes = |incidents: Vec<IncidentRecord>| {
            let record = Record { as_of: 1000, as_of_at: at(5000), incidents };
            let query = Query { from: at(0), to: at(10), by: By::Department };
            let ranking = rank(&record, query, Scoring::default(), |_| None);
            canonical(&serde_json::to_value(&ranking).expect("serialises"))
        };
        let mut shuffled = original.clone();
        let mut state = seed | 1;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % below.max(1)
        };
        for position in (1..shuffled.len()).rev() {
            shuffled.swap(position, next(position + 1));
        }
        for incident in &mut shuffled {
            incident.facts.reverse();
            incident.parts.reverse();
            incident.steps.reverse();
            // rows after the one that counts
            let later = Line { audit: 1001, at: at(1), act: Act::Cancel, by_person: true, department: None, to: "cancelled".to_owned() };
            incident.steps.push(later);
            let fact = Fact { audit: 1001, is_drill: true, ..incident.facts[0].clone() };
            incident.facts.push(fact);
        }
        let text = String::from_utf8(bytes(original.clone())).expect("text");
        // integers only: no number has a fraction or an exponent
        let words: Vec<&str> = text.split('"').step_by(2).collect();
        prop_assert!(words.iter().all(|w| !w.contains('.') && !w.contains('e') || w.contains("null") || w.contains("true") || w.contains("false")), "{text}");
        prop_assert_eq!(bytes(original), bytes(shuffled));
    }
}
