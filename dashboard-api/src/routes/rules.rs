//! Rules: what rings and how often, a trial of another text on the past, and saving it.

use std::collections::BTreeSet;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use domain::rule::{Rule, RuleSet};
use domain::{RuleId, Timestamp};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use store::state::{Rung, User};

use super::shown;
use crate::auth::Caller;
use crate::rule_keeper::{Checked, Known, RULE_BYTES_MAX, Save, Span, Wanted};
use crate::schema::rules as shape;
use crate::{Api, Problem, access, schema};

/// How far back the list counts.
const COUNTED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Items of a page.
const PAGE: usize = 500;
/// Days of history that a trial goes over.
const DAYS: u32 = 7;
const DAYS_MAX: u32 = 30;
/// When to come again while somebody else's trial runs, in seconds.
const TRY_AGAIN_S: u64 = 5;
/// Longest reason of a change, in characters.
const NOTE_CHARS_MAX: usize = 500;

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RulesOf {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 500 when not given, and at most.
    limit: Option<usize>,
}

/// The rules at work, by id: what each looks for, who leads, where it stands, and how often it rang in the last 7 days.
#[utoipa::path(get, path = "/api/v1/rules", operation_id = "list_rules", tag = "rules", params(RulesOf),
    responses((status = 200, body = shape::RulePage)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<RulesOf>, QueryRejection>,
) -> Result<Json<shape::RulePage>, Problem> {
    let Query(query) = query?;
    let keeper = &api.deps.rule_keeper;
    let known = keeper.known().await?;
    let rung = api.deps.state.rung_since(counted_from(&api)).await?;
    let mut rules: Vec<&Rule> = known.rules.rules().iter().collect();
    rules.sort_by(|a, b| a.meta.id.cmp(&b.meta.id));
    if let Some(cursor) = &query.cursor {
        rules.retain(|rule| rule.meta.id.as_str() > cursor.as_str());
    }
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let has_more = rules.len() > limit;
    rules.truncate(limit);
    let of = |rule: &&Rule| {
        let rung = rung.get(&rule.meta.id).copied().unwrap_or_default();
        item(rule, &known, rung, &caller.user, keeper.is_built_in())
    };
    Ok(Json(shape::RulePage {
        items: rules.iter().map(of).collect(),
        next: rules
            .last()
            .filter(|_| has_more)
            .map(|rule| rule.meta.id.to_string()),
        is_built_in: keeper.is_built_in(),
        mistakes: known.mistakes.iter().map(shape::RuleMistake::of).collect(),
    }))
}

/// A rule with its text.
#[utoipa::path(get, path = "/api/v1/rules/{id}", operation_id = "get_rule", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = shape::RuleDetail), (status = 404, body = schema::Problem)))]
pub(crate) async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<shape::RuleDetail>, Problem> {
    let id: RuleId = id.parse().map_err(|_| Problem::not_found("rule"))?;
    let keeper = &api.deps.rule_keeper;
    let known = keeper.known().await?;
    let text = keeper.text(&id).await?;
    let rule = known.rules.rule(&id);
    if text.is_none() && rule.is_none() {
        return Err(Problem::not_found("rule"));
    }
    let rung = api.deps.state.rung_since(counted_from(&api)).await?;
    let rung = rung.get(&id).copied().unwrap_or_default();
    let is_built_in = keeper.is_built_in();
    let (mut file, mut version, mut body, mut stage) = Default::default();
    let mut line = 1;
    if let Some(text) = text {
        (file, version, line) = (text.place.file, text.place.version, text.place.line);
        (body, stage) = (text.text, text.stage);
    }
    let of_it = known.mistakes.iter();
    let of_it = of_it.filter(|error| match &error.rule {
        Some(rule) => *rule == *id.as_str(),
        None => error.file == file,
    });
    let mistake = |error: &domain::rule::RuleError| shape::RuleMistake {
        text_line: (error.line >= line).then(|| shape::count(error.line - line + 1)),
        ..shape::RuleMistake::of(error)
    };
    Ok(Json(shape::RuleDetail {
        id: id.to_string(),
        rule: rule.map(|rule| item(rule, &known, rung, &caller.user, is_built_in)),
        is_built_in,
        mistakes: of_it.map(mistake).collect(),
        file,
        version,
        text: body,
        stage,
    }))
}

/// A text to be tried.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryRule {
    /// The id of the rule that it is. One that is in no file is new.
    rule: String,
    /// The rule with its cases, as TOML; at most 48 KiB.
    text: String,
    /// Days of history, up to now: 7 when not given, at most 30.
    days: Option<u32>,
}

/// Look at a rule's text: its mistakes, its own cases, and, when all is well, how often it would have rung, beside what the rule at work
/// makes of the same days. Nothing is written. One runs at a time; it ends when the caller goes away.
#[utoipa::path(post, path = "/api/v1/rules/trial", operation_id = "try_rule", tag = "rules", request_body = TryRule,
    responses((status = 200, body = shape::RuleTrial), (status = 422, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn trial(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<TryRule>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let wanted = wanted(&request.rule, request.text)?;
    let days = request.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        let what = format!("1 to {DAYS_MAX} days");
        return Err(Problem::unprocessable("days", what));
    }
    let Ok(_turn) = api.trying.try_acquire() else {
        let what = "somebody else tries a rule now";
        return Err(Problem::too_many(what, TRY_AGAIN_S));
    };
    let keeper = &api.deps.rule_keeper;
    let id = wanted.rule.clone();
    let checked = keeper.check(wanted).await?;
    let run = if checked.is_whole() {
        let to = (api.deps.clock)();
        let back = SignedDuration::from_hours(24 * i64::from(days));
        let from = to.checked_sub(back).unwrap_or(Timestamp::MIN);
        let rules = BTreeSet::from([id.clone()]);
        let trial = keeper.trial(&checked, &rules, Span { from, to }).await?;
        let (from, to) = (from.to_string(), to.to_string());
        Some(shape::TrialRun::of(trial, from, to))
    } else {
        None
    };
    let (mistakes, case_failures) = shape::outcome_of(&checked);
    // what it is about may be a plate
    shown(&shape::RuleTrial {
        rule: id.to_string(),
        is_new: checked.is_new,
        refused: refused(&caller.user, &id, &checked).map(str::to_owned),
        file: checked.place.file,
        version: checked.place.version,
        mistakes,
        cases: shape::count(checked.cases),
        case_failures,
        run,
    })
}

/// A text to be kept.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveRule {
    /// The rule with its cases, as TOML; at most 48 KiB.
    text: String,
    /// The version of its file that was on the screen; another one is a conflict. None for a new rule.
    expected_version: Option<String>,
    /// Why.
    note: String,
}

/// Put a rule's text in the place of the one that is there, or make a new rule. It must be without mistakes and do what its cases say; the
/// hub works with it within seconds.
#[utoipa::path(put, path = "/api/v1/rules/{id}", operation_id = "save_rule", tag = "rules", request_body = SaveRule,
    params(("id" = String, Path)),
    responses((status = 200, body = shape::RuleSaved), (status = 403, body = schema::Problem), (status = 409, body = schema::Problem),
        (status = 422, body = schema::Problem)))]
pub(crate) async fn save(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Result<Json<SaveRule>, JsonRejection>,
) -> Result<Json<shape::RuleSaved>, Problem> {
    let Json(request) = request?;
    let note = request.note.trim().to_owned();
    if !(1..=NOTE_CHARS_MAX).contains(&note.chars().count()) {
        let what = format!("1 to {NOTE_CHARS_MAX} characters");
        return Err(Problem::unprocessable("note", what));
    }
    let wanted = wanted(&id, request.text)?;
    let rule = wanted.rule.clone();
    let save = Save {
        wanted,
        expected: request.expected_version,
        by: caller.user.login.clone(),
        note,
    };
    let may = |checked: &Checked| refused(&caller.user, &rule, checked);
    let version = api.deps.rule_keeper.save(save, &may).await?;
    Ok(Json(shape::RuleSaved {
        rule: rule.to_string(),
        version,
    }))
}

fn wanted(rule: &str, text: String) -> Result<Wanted, Problem> {
    let Ok(rule) = rule.parse() else {
        let what = "1 to 16 letters, digits and -, starting with a letter";
        return Err(Problem::unprocessable("rule", what));
    };
    if text.len() > RULE_BYTES_MAX {
        let what = format!("longer than {RULE_BYTES_MAX} bytes");
        return Err(Problem::unprocessable("text", what));
    }
    Ok(Wanted { rule, text })
}

fn refused(user: &User, rule: &RuleId, checked: &Checked) -> Option<&'static str> {
    access::refuses_rule(user, rule, &checked.before, &checked.after)
}

fn counted_from(api: &Api) -> Timestamp {
    let now = (api.deps.clock)();
    now.checked_sub(COUNTED).unwrap_or(Timestamp::MIN)
}

fn item(rule: &Rule, known: &Known, rung: Rung, user: &User, is_built_in: bool) -> shape::RuleItem {
    let meta = &rule.meta;
    let place = known.places.get(&meta.id);
    let rules: &RuleSet = &known.rules;
    let failed = known.failures.iter().filter(|f| f.rule == meta.id);
    let is_kept = known.mistakes.iter().any(|error| match &error.rule {
        Some(rule) => *rule == *meta.id.as_str() && !error.field.starts_with("case"),
        None => place.is_none_or(|place| place.file == error.file),
    });
    shape::RuleItem {
        id: meta.id.to_string(),
        title_zh: meta.title_zh.clone(),
        title_en: meta.title_en.clone(),
        sort: rule.condition.as_str().to_owned(),
        severity: rule.urgency.always.to_string(),
        most_urgent: rule.urgency.most_urgent().to_string(),
        mode: schema::word(meta.mode),
        lead: meta.lead.to_string(),
        co: meta.co.iter().map(ToString::to_string).collect(),
        sop_zh: meta.sop_zh.clone(),
        sop_en: meta.sop_en.clone(),
        file: place.map(|place| place.file.clone()),
        line: place.map(|place| shape::count(place.line)),
        version: place.map(|place| place.version.clone()),
        is_kept,
        cases: shape::count(rules.cases_for(&meta.id)),
        cases_failed: shape::count(failed.count()),
        told_7d: rung.told,
        silent_7d: rung.silent,
        may_change: !is_built_in && access::refuses_rule(user, &meta.id, rules, rules).is_none(),
    }
}
