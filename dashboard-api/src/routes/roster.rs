//! Who is on duty and with what; and shifts that are swapped while the hub runs.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::{Extension, Json};
use domain::Timestamp;
use domain::place::{Contact, Registry};
use domain::roster::{self, DutyOf, Roster};
use jiff::{SignedDuration, ToSpan as _};
use serde::Deserialize;
use tracing::info;

use super::parse;
use crate::auth::Caller;
use crate::schema::{roster as shape, word};
use crate::{Api, Problem, access, schema};

/// How far from now may be asked for.
const AT_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Days in which gaps are looked for.
const GAP_DAYS: i64 = 7;

/// For which instant.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct At {
    /// An instant as in RFC 3339, at most a year from now; without it now.
    at: Option<String>,
}

impl At {
    fn instant(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        let at = parse("at", self.at.as_deref())?.unwrap_or(now);
        if at.duration_since(now).abs() > AT_MAX {
            return Err(Problem::bad_request("`at` is more than a year from now"));
        }
        Ok(at)
    }
}

/// What a caller may see of people.
struct Seen<'a> {
    registry: &'a Registry,
    roster: &'a Roster,
    with_contacts: bool,
}

impl Seen<'_> {
    fn duties(&self, of: DutyOf<'_>, at: Timestamp) -> Vec<shape::Duty> {
        let duties = self.roster.duties(of, at);
        duties.into_iter().map(|duty| self.duty(&duty)).collect()
    }

    fn duty(&self, duty: &roster::Duty) -> shape::Duty {
        let person = self.registry.people.get(&duty.person);
        let contact = person.and_then(|p| p.contact.as_ref());
        let instant = |local| self.roster.calendar.instant(local).map(|at| at.to_string());
        shape::Duty {
            person: duty.person.to_string(),
            name: person.map_or_else(|| duty.person.to_string(), |p| p.name.clone()),
            post: duty.post.to_string(),
            login: person
                .and_then(|p| p.login.as_ref())
                .map(ToString::to_string),
            contact: contact
                .filter(|_| self.with_contacts)
                .map(|c| Contact::reveal(c).to_owned()),
            since: instant(duty.since),
            until: instant(duty.until),
            instead_of: duty.instead_of.as_ref().map(ToString::to_string),
        }
    }
}

/// Who is on every post at an instant, when that changes, and hours without anybody in the week after it.
#[utoipa::path(get, path = "/api/v1/roster", tag = "roster", params(At),
    responses((status = 200, body = shape::Roster), (status = 400, body = schema::Problem)))]
pub(crate) async fn roster(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<At>, QueryRejection>,
) -> Result<Json<shape::Roster>, Problem> {
    let Query(query) = query?;
    let at = query.instant((api.deps.clock)())?;
    let roster = api.deps.state.roster().await?;
    let registry = api.deps.registry();
    let seen = Seen {
        registry: &registry,
        roster: &roster,
        with_contacts: access::sees_contacts(&caller.user),
    };
    let posts = roster.posts.values().map(|post| shape::Post {
        id: post.id.to_string(),
        name: post.name.clone(),
        name_en: post.name_en.clone(),
        kind: word(post.kind),
        department: post.department.as_ref().map(ToString::to_string),
        on_duty: seen.duties(DutyOf::Post(&post.id), at),
        next_change_at: roster
            .next_change(DutyOf::Post(&post.id), at)
            .map(|at| at.to_string()),
    });
    let calendar = &roster.calendar;
    let local = calendar.time_zone.to_datetime(at);
    let week = local.checked_add(GAP_DAYS.days()).unwrap_or(local);
    let instant = |local| calendar.instant(local).map(|at| at.to_string());
    let gaps = roster.gaps(local, week);
    let community = registry.community.as_ref();
    Ok(Json(shape::Roster {
        at: at.to_string(),
        time_zone: community.map_or("UTC", |c| c.time_zone.as_str()).to_owned(),
        is_working_day: calendar.is_working_day(local.date()),
        knows_holidays: calendar.knows_year(local.date()),
        posts: posts.collect(),
        gaps: gaps
            .iter()
            .map(|gap| shape::Gap {
                post: gap.post.to_string(),
                from: instant(gap.from),
                until: instant(gap.until),
            })
            .collect(),
        people: roster
            .people()
            .into_iter()
            .filter_map(|id| registry.people.get(id))
            .map(|person| shape::RosterPerson {
                id: person.id.to_string(),
                name: person.name.clone(),
                department: person.department.as_ref().map(ToString::to_string),
            })
            .collect(),
    }))
}

/// What every department has now: who is on duty, vehicles and equipment.
#[utoipa::path(get, path = "/api/v1/resources", tag = "roster", params(At),
    responses((status = 200, body = shape::Resources), (status = 400, body = schema::Problem)))]
pub(crate) async fn resources(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<At>, QueryRejection>,
) -> Result<Json<shape::Resources>, Problem> {
    let Query(query) = query?;
    let at = query.instant((api.deps.clock)())?;
    let roster = api.deps.state.roster().await?;
    let registry = &api.deps.registry();
    let seen = Seen {
        registry,
        roster: &roster,
        with_contacts: access::sees_contacts(&caller.user),
    };
    let departments = registry
        .departments
        .keys()
        .map(|department| shape::DepartmentResources {
            department: department.to_string(),
            on_duty: seen.duties(DutyOf::Department(department), at),
            resources: roster
                .resources_of(department)
                .map(|resource| shape::Resource {
                    id: resource.id.to_string(),
                    kind: word(resource.kind),
                    name: resource.name.clone(),
                    name_en: resource.name_en.clone(),
                    count: resource.count,
                })
                .collect(),
        });
    Ok(Json(shape::Resources {
        at: at.to_string(),
        departments: departments.collect(),
    }))
}

/// Somebody takes a shift of somebody else. It counts at once and stands in the audit trail; a second swap takes it back.
#[utoipa::path(post, path = "/api/v1/roster/swaps", operation_id = "swap_shift", tag = "roster", request_body = shape::NewSwap,
    responses((status = 200, body = shape::Swap), (status = 400, body = schema::Problem)))]
pub(crate) async fn swap(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<shape::NewSwap>, JsonRejection>,
) -> Result<Json<shape::Swap>, Problem> {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
        name: &str,
        text: &str,
    ) -> Result<T, Problem> {
        parse(name, Some(text))?.ok_or_else(|| Problem::bad_request(format!("`{name}` is empty")))
    }
    let Json(body) = body?;
    let swap = roster::Swap {
        post: read("post", &body.post)?,
        on: read("on", &body.on)?,
        from: parse("from", body.from.as_deref())?,
        gives: read("gives", &body.gives)?,
        takes: read("takes", &body.takes)?,
        by: caller.user.login.to_string(),
        at: (api.deps.clock)(),
    };
    api.deps.state.add_swap(swap.clone(), body.note).await?;
    info!(user.login = swap.by, roster.post = %swap.post, "shift swapped");
    Ok(Json(shape::Swap {
        post: swap.post.to_string(),
        on: swap.on.to_string(),
        from: swap.from.map(|from| from.to_string()),
        gives: swap.gives.to_string(),
        takes: swap.takes.to_string(),
        by: swap.by,
        at: swap.at.to_string(),
    }))
}
