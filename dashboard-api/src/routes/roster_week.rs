//! A week of the roster: who is on which post from when to when, hours with nobody, and whom the ladder names now.

use std::collections::BTreeSet;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use domain::id::PersonId;
use domain::place::{Contact, Registry};
use domain::roster::{Gap, Level, Post, Roster, Stint};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;

use super::parse;
use crate::auth::Caller;
use crate::schema::{roster as shape, word};
use crate::{Api, Problem, access, schema};

const DAYS: i64 = 7;
/// How far from today a week may be asked for.
const AWAY_DAYS_MAX: i32 = 366;

/// Which week.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Week {
    /// A day of it, such as `2026-11-23`, at most a year from today; without it today.
    of: Option<String>,
}

/// The roster of a week, from Monday to Sunday.
#[utoipa::path(get, path = "/api/v1/roster/week", operation_id = "roster_week", tag = "roster", params(Week),
    responses((status = 200, body = shape::RosterWeek), (status = 400, body = schema::Problem)))]
pub(crate) async fn week(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Week>, QueryRejection>,
) -> Result<Json<shape::RosterWeek>, Problem> {
    let Query(query) = query?;
    let now = (api.deps.clock)();
    let roster = api.deps.state.roster().await?;
    let registry = api.deps.registry();
    let calendar = &roster.calendar;
    let today = calendar.day(now);
    let of: Date = parse("of", query.of.as_deref())?.unwrap_or(today);
    let away = today.until(of).map_or(i32::MAX, |span| span.get_days());
    if away.abs() > AWAY_DAYS_MAX {
        return Err(Problem::bad_request("`of` is more than a year from today"));
    }
    let back = i64::from(of.weekday().to_monday_zero_offset());
    let (monday, sunday) = (add(of, -back), add(of, DAYS - 1 - back));
    let span = (
        monday.to_datetime(Time::midnight()),
        add(monday, DAYS).to_datetime(Time::midnight()),
    );
    let gaps = roster.gaps(span.0, span.1);
    let posts: Vec<_> = roster
        .posts
        .values()
        .map(|post| post_of(&roster, post, span, &gaps))
        .collect();
    let ladders: Vec<_> = registry
        .departments
        .keys()
        .map(|department| shape::Ladder {
            department: department.to_string(),
            rungs: Level::ALL
                .into_iter()
                .map(|level| {
                    let rung = roster.ladder(department, level, now);
                    shape::LadderRung {
                        level: rung.asked as u8,
                        told_level: rung.level as u8,
                        fell_through: rung.fell_through(),
                        is_off_duty: rung.is_off_duty,
                        people: rung.people.iter().map(ToString::to_string).collect(),
                    }
                })
                .collect(),
        })
        .collect();
    Ok(Json(shape::RosterWeek {
        at: now.to_string(),
        time_zone: registry
            .community
            .as_ref()
            .map_or("UTC", |c| c.time_zone.as_str())
            .to_owned(),
        today: today.to_string(),
        knows_holidays: calendar.knows_year(monday) && calendar.knows_year(sunday),
        days: monday
            .series(1.day())
            .take(usize::try_from(DAYS).unwrap_or(0))
            .map(|day| day_of(&roster, day))
            .collect(),
        people: people(&registry, &roster, &posts, &caller),
        posts,
        ladders,
    }))
}

fn add(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

fn clock(local: DateTime) -> String {
    local.strftime("%Y-%m-%dT%H:%M").to_string()
}

fn day_of(roster: &Roster, day: Date) -> shape::RosterDay {
    let holidays = &roster.calendar.holidays;
    let off = holidays.iter().find(|h| (h.from..=h.until).contains(&day));
    let made_up = holidays.iter().find(|h| h.made_up_on.contains(&day));
    shape::RosterDay {
        date: day.to_string(),
        is_working_day: roster.calendar.is_working_day(day),
        holiday: off.map(|h| h.name.clone()),
        makes_up_for: made_up.map(|h| h.name.clone()),
    }
}

fn post_of(
    roster: &Roster,
    post: &Post,
    (from, until): (DateTime, DateTime),
    gaps: &[Gap],
) -> shape::WeekPost {
    let stint = |stint: Stint| shape::Stint {
        person: stint.duty.person.to_string(),
        from: clock(stint.from),
        until: clock(stint.until),
        shift_from: clock(stint.duty.since),
        shift_until: clock(stint.duty.until),
        instead_of: stint.duty.instead_of.as_ref().map(ToString::to_string),
        gives: stint.duty.agreed.to_string(),
    };
    let stints = roster.stints(&post.id, from, until);
    let gaps = gaps.iter().filter(|gap| gap.post == post.id);
    shape::WeekPost {
        id: post.id.to_string(),
        name: post.name.clone(),
        name_en: post.name_en.clone(),
        kind: word(post.kind),
        department: post.department.as_ref().map(ToString::to_string),
        cover: word(post.covered()),
        stints: stints.into_iter().map(stint).collect(),
        gaps: gaps
            .map(|gap| shape::WeekGap {
                from: clock(gap.from),
                until: clock(gap.until),
            })
            .collect(),
    }
}

/// Everybody of the roster. Those whom a swap names are people of the registry, and may be none of it.
fn people(
    registry: &Registry,
    roster: &Roster,
    posts: &[shape::WeekPost],
    caller: &Caller,
) -> Vec<shape::WeekPerson> {
    let named = posts.iter().flat_map(|post| &post.stints);
    let named = named.filter_map(|stint| stint.person.parse::<PersonId>().ok());
    let mut ids: BTreeSet<PersonId> = named.collect();
    ids.extend(roster.people().into_iter().cloned());
    let with_contacts = access::sees_contacts(&caller.user);
    ids.iter()
        .filter_map(|id| registry.people.get(id))
        .map(|person| shape::WeekPerson {
            id: person.id.to_string(),
            name: person.name.clone(),
            department: person.department.as_ref().map(ToString::to_string),
            login: person.login.as_ref().map(ToString::to_string),
            has_contact: person.contact.is_some(),
            contact: person
                .contact
                .as_ref()
                .filter(|_| with_contacts)
                .map(|contact| Contact::reveal(contact).to_owned()),
        })
        .collect()
}
