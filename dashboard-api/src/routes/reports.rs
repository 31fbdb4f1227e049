//! What people report, with a log-in or without, and what they are told of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::{Extension, Json};
use domain::incident::Satisfaction;
use domain::place::{Registry, Site, Zone};
use domain::rule::{ReportType, rule_for_report};
use domain::{Reach, ReportId, SiteId, Timestamp, ZoneId};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use store::photos::{self, PHOTO_BYTES_MAX, PhotoError, Pinned};
use store::state::{
    FoundReport, IncidentView, NewReport, PHOTOS_MAX, REPORT_CHARS_MAX, ReportContact, ReportPhoto,
    ReportedBy, User,
};
use tracing::info;
use uuid::Uuid;

use super::{idempotency_key, shown};
use crate::auth::{self, Caller};
use crate::schema::report as schema;
use crate::schema::{Problem as ProblemSchema, ReportPage};
use crate::throttle::ByAddress;
use crate::{Api, Problem, access, mask, sight};

/// Header with the secret of somebody who reported without a log-in.
const SECRET: &str = "report-secret";
/// Characters of a secret: 32 bytes in base64url without padding.
const SECRET_CHARS: usize = 43;
/// Words that a refusal lists.
const POSSIBLE_MAX: usize = 100;

const EMERGENCY_ZH: &str =
    "有危险请先拨打电话：火警 119，报警 110，急救 120。本页面不能代替紧急电话。";
const EMERGENCY_EN: &str = "In danger, call first: fire 119, police 110, ambulance 120. This page does not replace the emergency call.";
const CONTACT_ZH: &str = "可不填。只用于就此事回电，处理完结一段时间后删除。";
const CONTACT_EN: &str =
    "Optional. Only to call you back about this; deleted some time after it is closed.";

/// What a form for reports needs: types, places that the caller may name, limits, and the sentence to show first. Without a log-in only
/// places that everybody knows; a grid captain has the own micro-grid besides, the station everything.
#[utoipa::path(get, path = "/api/v1/report/form", operation_id = "report_form", tag = "reports",
    responses((status = 200, body = schema::ReportForm)))]
pub(crate) async fn form(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<schema::ReportForm>, Problem> {
    let user = auth::caller(&api, &headers, &method).await?;
    let book = api.deps.book();
    let types = ReportType::WORDS.iter().map(|(word, about)| {
        let meta = rule_for_report(&book, *about);
        let (zh, en) = meta.map_or((*word, *word), |meta| {
            (title(&meta.title_zh), title(&meta.title_en))
        });
        schema::ReportKind {
            r#type: (*word).to_owned(),
            title_zh: zh.to_owned(),
            title_en: en.to_owned(),
        }
    });
    let registry = api.deps.registry();
    let sites = &registry.sites;
    let reach = reach_of(&registry, user.as_ref());
    Ok(Json(schema::ReportForm {
        types: types.collect(),
        sites: sites
            .values()
            .map(|site| site_of(&registry, user.as_ref(), &reach, site))
            .collect(),
        limits: schema::ReportLimits {
            text_chars: REPORT_CHARS_MAX as u32,
            photos: PHOTOS_MAX as u32,
            photo_bytes: PHOTO_BYTES_MAX,
        },
        emergency_zh: EMERGENCY_ZH.to_owned(),
        emergency_en: EMERGENCY_EN.to_owned(),
        contact_zh: CONTACT_ZH.to_owned(),
        contact_en: CONTACT_EN.to_owned(),
    }))
}

/// `群众上报：噪声` is a title for the station; whoever reports knows that they do.
fn title(text: &str) -> &str {
    let rest = text.split_once('：').or_else(|| text.split_once(": "));
    rest.map_or(text, |(_, rest)| rest)
}

/// How far whoever reports sees. Without a log-in only places that everybody knows are shown, whatever the scope.
fn reach_of(registry: &Registry, user: Option<&User>) -> Reach {
    user.map_or_else(Reach::default, |user| user.scope.within(registry))
}

fn site_of(
    registry: &Registry,
    user: Option<&User>,
    reach: &Reach,
    site: &Site,
) -> schema::ReportSite {
    let zones = registry.zones.values().filter(|zone| zone.site == site.id);
    let seen = zones.filter(|zone| access::sees_zone(user, reach, zone, registry));
    schema::ReportSite {
        id: site.id.to_string(),
        name_zh: site.name.clone(),
        name_en: site.name_en.clone(),
        zones: seen
            .map(|zone| {
                // the registry has one name for a zone
                let name = zone_name(registry, zone);
                schema::ReportZone {
                    id: zone.id.to_string(),
                    name_zh: name.clone(),
                    name_en: name,
                }
            })
            .collect(),
    }
}

fn zone_name(registry: &Registry, zone: &Zone) -> String {
    let building = zone
        .building
        .as_ref()
        .and_then(|id| registry.buildings.get(id));
    match building {
        Some(building) if !zone.name.starts_with(&building.name) => {
            format!("{} {}", building.name, zone.name)
        }
        _ => zone.name.clone(),
    }
}

/// What somebody reports.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReportBody {
    /// One of the form's types.
    r#type: String,
    /// One of the form's sites.
    site: String,
    /// One of the form's zones of that site.
    zone: Option<String>,
    /// What, in 1 to 1000 characters.
    text: String,
    /// Where, in at most 200 characters.
    place: Option<String>,
    /// RFC 3339: when the person pressed send. More than ten minutes ago: it is opened marked late.
    occurred_at: String,
    /// SHA-256 in hex of photos that were sent before, at most 4.
    #[serde(default)]
    photos: Vec<String>,
    /// Whom to call back.
    contact: Option<schema::ReportContact>,
    /// 32 random bytes of the phone's own, base64url without padding. Whoever has it and the report's id sees how it goes on. Needed without a
    /// log-in.
    secret: Option<String>,
}

/// Report something. Sent again with the same key it is the same report. 201: it is on disk, with its incident.
#[utoipa::path(post, path = "/api/v1/reports", operation_id = "send_report", tag = "reports", request_body = NewReportBody,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = schema::ReportTaken), (status = 400, body = ProblemSchema), (status = 401, body = ProblemSchema),
        (status = 403, body = ProblemSchema), (status = 422, body = ProblemSchema), (status = 429, body = ProblemSchema),
        (status = 503, body = ProblemSchema)))]
pub(crate) async fn report(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Result<Json<NewReportBody>, JsonRejection>,
) -> Result<(StatusCode, Json<schema::ReportTaken>), Problem> {
    let user = auth::caller(&api, &headers, &method).await?;
    match &user {
        None => allow(&api.reports, address(peer))?,
        Some(user) if !access::reports(user) => {
            return Err(Problem::forbidden("this role reads only"));
        }
        Some(_) => {}
    }
    let Json(body) = body?;
    let names = body.photos.clone();
    let mut new = read(&api, &headers, user.as_ref(), body)?;
    let (by, at) = (new.by.clone(), new.at);
    let photos = pin(&api, &names).await?;
    new.photos = names
        .iter()
        .filter_map(|name| {
            let stored = photos.stored(name)?.to_owned();
            Some(ReportPhoto {
                name: name.clone(),
                stored,
            })
        })
        .collect();
    let reported = api.deps.state.report(new, &api.deps.book()).await?;
    photos.named();
    if reported.is_new {
        let is_resident = by.user.is_none();
        info!(report.id = %reported.id, incident.id = %reported.incident, is_resident, "report taken");
        metrics::counter!("hub_report_reports_total").increment(1);
    }
    let found = api.deps.state.find_report(reported.id, at).await?;
    let item = found.ok_or_else(|| Problem::not_found("report"))?.item;
    let taken = schema::ReportTaken {
        id: reported.id.to_string(),
        number: item.number,
        incident: user.map(|_| reported.incident.to_string()),
        state: item.state.as_str().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(taken)))
}

fn read(
    api: &Api,
    headers: &HeaderMap,
    user: Option<&User>,
    body: NewReportBody,
) -> Result<NewReport, Problem> {
    let key = idempotency_key(headers)?;
    let key = Uuid::try_parse(key).map_err(|_| {
        Problem::unprocessable(
            "Idempotency-Key",
            "no UUID (hint: a random one, made when the person pressed send)",
        )
    })?;
    let registry = &api.deps.registry();
    let words = || ReportType::WORDS.iter().map(|(word, _)| (*word).to_owned());
    let known = ReportType::WORDS.iter().find(|(w, _)| *w == body.r#type);
    let (_, about) = known.ok_or_else(|| unknown("type", &body.r#type, words()))?;
    let site: Option<SiteId> = body.site.parse().ok();
    let site = site.filter(|site| registry.sites.contains_key(site));
    let sites = || registry.sites.keys().map(ToString::to_string);
    let site = site.ok_or_else(|| unknown("site", &body.site, sites()))?;
    let zone = match &body.zone {
        None => None,
        Some(text) => {
            let id: Option<ZoneId> = text.parse().ok();
            let reach = reach_of(registry, user);
            let may =
                |zone: &&Zone| zone.site == site && access::sees_zone(user, &reach, zone, registry);
            let zone = id.and_then(|id| registry.zones.get(&id)).filter(may);
            let zones = || {
                registry
                    .zones
                    .values()
                    .filter(may)
                    .map(|zone| zone.id.to_string())
            };
            Some(
                zone.ok_or_else(|| unknown("zone", text, zones()))?
                    .id
                    .clone(),
            )
        }
    };
    let occurred_at: Timestamp = body.occurred_at.parse().map_err(|_| {
        Problem::unprocessable(
            "occurred_at",
            "no time (hint: RFC 3339, as in 2026-01-31T08:00:00+08:00)",
        )
    })?;
    let secret_hash = match &body.secret {
        None => None,
        Some(secret) => Some(secret_hash(secret).ok_or_else(|| {
            let what = format!("not {SECRET_CHARS} characters of A-Z, a-z, 0-9, - and _ (hint: 32 random bytes, base64url without padding)");
            Problem::unprocessable("secret", what)
        })?),
    };
    Ok(NewReport {
        key: key.to_string(),
        about: *about,
        site,
        zone,
        place: body
            .place
            .map(|text| plain(&text))
            .filter(|text| !text.is_empty()),
        text: plain(&body.text),
        occurred_at,
        photos: Vec::new(),
        contact: contact(body.contact),
        by: ReportedBy {
            user: user.map(|user| user.login.clone()),
            secret_hash,
        },
        at: (api.deps.clock)(),
    })
}

fn unknown(field: &str, text: &str, possible: impl Iterator<Item = String>) -> Problem {
    let text: String = text.chars().take(80).collect();
    let what = format!(
        "there is no `{text}` (hint: one of `possible`; `GET /report/form` has all types and places)"
    );
    let possible: Vec<String> = possible.take(POSSIBLE_MAX).collect();
    Problem::unprocessable(field, what).with("possible", possible)
}

/// Holds the photos that a report names.
async fn pin(api: &Api, names: &[String]) -> Result<Pinned, Problem> {
    if let Some(bad) = names.iter().find(|name| !photos::is_name(name)) {
        let bad: String = bad.chars().take(80).collect();
        let what = format!("`{bad}` is no SHA-256 (hint: 64 of 0-9 and a-f)");
        return Err(Problem::unprocessable("photos", what));
    }
    if names.len() > PHOTOS_MAX {
        let what = format!("at most {PHOTOS_MAX}");
        return Err(Problem::unprocessable("photos", what));
    }
    let pinned = api.deps.photos.pin(names).await.map_err(PhotoError::from)?;
    pinned.map_err(|missing| {
        let what =
            "not all of them are here (hint: send those in `missing` and then the report again)";
        Problem::unprocessable("photos", what).with("missing", missing)
    })
}

/// Whom to call back; nobody when no number was given.
fn contact(given: Option<schema::ReportContact>) -> Option<ReportContact> {
    let contact = given.map(|c| ReportContact {
        name: plain(&c.name),
        phone: plain(&c.phone),
    });
    contact.filter(|c| !c.phone.is_empty())
}

/// Without what no keyboard writes; lines stay.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| *c == '\n' || !c.is_control());
    kept.collect::<String>().trim().to_owned()
}

/// The hash of a secret that has the right form.
fn secret_hash(secret: &str) -> Option<String> {
    let is_good = secret.len() == SECRET_CHARS
        && secret
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_good.then(|| hex::encode(Sha256::digest(secret)))
}

pub(super) fn address(peer: Option<Extension<ConnectInfo<SocketAddr>>>) -> IpAddr {
    peer.map_or_else(
        || [0, 0, 0, 0].into(),
        |Extension(ConnectInfo(peer))| peer.ip(),
    )
}

pub(super) fn allow(allowance: &ByAddress, address: IpAddr) -> Result<(), Problem> {
    allowance.take_for(address, Instant::now()).map_err(|wait| {
        metrics::counter!("hub_report_refused_total").increment(1);
        let detail = "too much at once from this address; it is kept on the phone, send it a little later (hint: in danger call 110, 119 or 120)";
        Problem::too_many(detail, wait.as_secs() + 1)
    })
}

/// Which of the caller's reports.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// What the caller reported, the newest first.
#[utoipa::path(get, path = "/api/v1/reports/mine", operation_id = "my_reports", tag = "reports", params(Filter),
    responses((status = 200, body = ReportPage), (status = 400, body = ProblemSchema)))]
pub(crate) async fn mine(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(100);
    let (user, now) = (&caller.user.login, (api.deps.clock)());
    let state = &api.deps.state;
    let page = state.reports_by(user, query.cursor.as_deref(), limit, now);
    shown(&page.await?)
}

/// One report and how it goes on: for whoever made it, by log-in or with the header `Report-Secret`, and for the station. No names of persons
/// and no notes of the station.
#[utoipa::path(get, path = "/api/v1/reports/{id}", operation_id = "report", tag = "reports",
    params(("id" = String, Path), ("Report-Secret" = Option<String>, Header)),
    responses((status = 200, body = schema::Report), (status = 401, body = ProblemSchema), (status = 404, body = ProblemSchema)))]
pub(crate) async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let asked = find(&api, &id, &method, &headers).await?;
    let registry = &api.deps.registry();
    let zone = asked.found.item.zone.as_ref();
    let sees = |user: &&User| access::sees_report(user, zone, registry);
    let is_seen = match asked.user.as_ref().filter(sees) {
        _ if asked.is_theirs => true,
        Some(user) => {
            let (incident, reach) = (asked.found.incident, user.scope.within(registry));
            api.deps.state.sees_incident(incident, &reach).await?
        }
        None => false,
    };
    if !is_seen {
        return Err(Problem::not_found("report"));
    }
    let mut item = asked.found.item;
    if let Some(user) = asked.user.filter(|_| !asked.is_theirs) {
        let incident = api.deps.state.incident(asked.found.incident).await?;
        if !incident.is_some_and(|view| sight::sees_photos(&user, &view.item, registry)) {
            item.photos.clear();
        }
    }
    let body = serde_json::to_value(&item);
    Ok(Json(body.map_err(|e| Problem::broken(&e.to_string()))?))
}

/// What whoever reported says of the outcome.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// `satisfied` or `dissatisfied`.
    satisfaction: String,
    /// In their words.
    note: Option<String>,
}

/// Say whether it is settled, as whoever reported it. Dissatisfied opens the incident again, twice and the community secretary hears of it. 409
/// with the current state while nobody asks.
#[utoipa::path(post, path = "/api/v1/reports/{id}/answer", operation_id = "answer_report", tag = "reports", request_body = AnswerBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header), ("Report-Secret" = Option<String>, Header)),
    responses((status = 200, body = schema::Report), (status = 401, body = ProblemSchema), (status = 404, body = ProblemSchema),
        (status = 409, body = ProblemSchema), (status = 422, body = ProblemSchema)))]
pub(crate) async fn answer(
    State(api): State<Api>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<AnswerBody>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let asked = find(&api, &id, &method, &headers).await?;
    if !asked.is_theirs {
        return Err(Problem::not_found("report of yours"));
    }
    let Json(body) = body?;
    let key = idempotency_key(&headers)?;
    let said = match body.satisfaction.as_str() {
        "satisfied" => Satisfaction::Satisfied,
        "dissatisfied" => Satisfaction::Dissatisfied,
        other => {
            let words = ["satisfied", "dissatisfied"].map(str::to_owned);
            return Err(unknown("satisfaction", other, words.into_iter()));
        }
    };
    let (id, now) = (asked.found.item.id, (api.deps.clock)());
    let note = body
        .note
        .map(|note| plain(&note))
        .filter(|note| !note.is_empty());
    let item = api
        .deps
        .state
        .answer_report(id, key, said, note, now)
        .await?;
    info!(report.id = %id, report.satisfaction = said.as_str(), "reporter answered");
    let body = serde_json::to_value(&item);
    Ok(Json(body.map_err(|e| Problem::broken(&e.to_string()))?))
}

/// A report that somebody asks for.
struct Asked {
    found: FoundReport,
    user: Option<User>,
    /// Whoever asks made it.
    is_theirs: bool,
}

async fn find(api: &Api, id: &str, method: &Method, headers: &HeaderMap) -> Result<Asked, Problem> {
    let none = || Problem::not_found("report");
    let user = auth::caller(api, headers, method).await?;
    let secret = headers.get(SECRET).and_then(|value| value.to_str().ok());
    if user.is_none() && secret.is_none() {
        return Err(Problem::unauthenticated());
    }
    let id: ReportId = id.parse().map_err(|_| none())?;
    let found = api.deps.state.find_report(id, (api.deps.clock)()).await?;
    let found = found.ok_or_else(none)?;
    // hashes of 256 random bits: how long they are compared tells nothing
    let given = secret.and_then(secret_hash);
    let has_secret = given.is_some() && given == found.secret_hash;
    let is_reporter = user
        .as_ref()
        .is_some_and(|user| found.reporter.as_ref() == Some(&user.login));
    Ok(Asked {
        found,
        user,
        is_theirs: has_secret || is_reporter,
    })
}

/// What was reported of an incident, as this caller may see it.
pub(super) async fn of_incident(
    api: &Api,
    caller: &Caller,
    view: &IncidentView,
) -> Result<Value, Problem> {
    let user = &caller.user;
    let registry = &api.deps.registry();
    let holds = view
        .tasks
        .iter()
        .any(|task| task.holder.as_ref() == Some(&user.login));
    let sees_contact = access::sees_contacts(user) || holds;
    let sees_photos = sight::sees_photos(user, &view.item, registry);
    let mut reports = Vec::new();
    for report in api.deps.state.reports_of(view.item.id).await? {
        let is_theirs = report.reporter.as_ref() == Some(&user.login);
        if !is_theirs && !access::sees_report(user, report.zone.as_ref(), registry) {
            continue;
        }
        let is_shown = sees_contact || is_theirs;
        let contact = report.contact.map(|c| shown_contact(c, is_shown));
        reports.push(schema::IncidentReport {
            id: report.id.to_string(),
            r#type: report.about.as_str().to_owned(),
            zone: report.zone.map(String::from),
            place: report.place,
            text: report.text,
            photos: if is_theirs || sees_photos {
                report.photos
            } else {
                Vec::new()
            },
            created_at: report.created_at.to_string(),
            occurred_at: report.occurred_at.to_string(),
            is_late: report.is_late,
            reporter: report.reporter.map(String::from),
            contact,
        });
    }
    serde_json::to_value(reports).map_err(|e| Problem::broken(&e.to_string()))
}

fn shown_contact(contact: ReportContact, is_shown: bool) -> schema::ReportContact {
    let ReportContact { name, phone } = contact;
    if is_shown {
        schema::ReportContact { name, phone }
    } else {
        schema::ReportContact {
            name: mask::name(&name),
            phone: mask::phone(&phone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_43_characters_of_base64url() {
        assert!(secret_hash(&"aB3-_".repeat(9)[..43]).is_some());
        assert!(secret_hash(&"a".repeat(42)).is_none());
        assert!(secret_hash(&"a".repeat(44)).is_none());
        assert!(secret_hash(&format!("{}=", "a".repeat(42))).is_none());
        assert!(secret_hash("").is_none());
    }

    #[test]
    fn a_title_for_those_who_report_says_only_what() {
        assert_eq!(title("群众上报：消防隐患"), "消防隐患");
        assert_eq!(title("Reported: fire hazard"), "fire hazard");
        assert_eq!(title("噪声"), "噪声");
    }

    #[test]
    fn text_keeps_its_lines_and_loses_what_no_keyboard_writes() {
        assert_eq!(plain(" 楼道\n有烟\u{0}\u{1b}[31m "), "楼道\n有烟[31m");
    }
}
