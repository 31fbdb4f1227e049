//! The registry's tables: read, taken away as spreadsheets, and changed.
//!
//! There is one way to change a table, whole or line by line: what it would come to is said first (`dry_run`), then all of it is done or
//! nothing. What the caller may not see comes as `***`, and means "as it is" when it comes back.

use std::collections::BTreeMap;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use domain::place::{Cells, Import, Registry, TableKind, masked_watch_key};
use domain::privacy::{Personal, masked};
use domain::{Reach, SiteId, ZoneId};
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{parse, shown};
use crate::auth::Caller;
use crate::keeper::{Content, HIDDEN, KeepError, TableChange, Then};
use crate::schema::registry as shape;
use crate::{Api, Problem, access, schema};

/// Largest table that may be sent, in bytes.
const TABLE_BYTES_MAX: usize = 8 << 20;
/// Most lines of one sort that an answer lists.
const LISTED_MAX: usize = 500;
/// Changes that the overview lists.
const VERSIONS_SHOWN: u32 = 50;
/// Items of a page.
const PAGE: usize = 100;
const PAGE_MAX: usize = 500;
/// The column of households that says who needs help out of a building.
const EVACUATION: &str = "evacuation";
/// Longest reason of a change, in characters.
const NOTE_CHARS_MAX: usize = 500;

/// What takes a larger body than the rest.
pub(crate) fn large() -> OpenApiRouter<Api> {
    let routes = OpenApiRouter::new().routes(routes!(import));
    routes.layer(DefaultBodyLimit::max(TABLE_BYTES_MAX))
}

/// The tables that the caller may read, and who changed the registry when.
#[utoipa::path(get, path = "/api/v1/registry", operation_id = "registry", tag = "registry",
    responses((status = 200, body = shape::RegistryOverview)))]
pub(crate) async fn overview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let (user, registry) = (&caller.user, api.deps.registry());
    let reach = user.scope.within(&registry);
    let tables = TableKind::ALL.into_iter();
    let tables = tables.filter(|kind| access::reads_table(user, *kind));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let info = |kind: TableKind| shape::TableInfo {
        table: kind.as_str().to_owned(),
        columns: columns(kind),
        rows: count(rows(&registry, kind, &reach).len()),
        may_change: access::refuses_table(user, kind).is_none(),
    };
    let versions = api.deps.state.registry_versions(VERSIONS_SHOWN).await?;
    let seen = versions.into_iter().filter(|version| {
        let kind = version.kind.as_deref().and_then(|kind| kind.parse().ok());
        kind.is_none_or(|kind| access::reads_table(user, kind))
    });
    let keeper = &api.deps.keeper;
    let overview = shape::RegistryOverview {
        version: keeper.version().await,
        is_built_in: keeper.is_built_in(),
        watch_days_max: keeper.watch_days_max(),
        tables: tables.map(info).collect(),
        versions: seen
            .map(|version| shape::RegistryVersion {
                number: version.number,
                version: version.version,
                at: version.at.to_string(),
                by: version.by,
                act: version.act,
                kind: version.kind,
                added: version.added,
                changed: version.changed,
                removed: version.removed,
                can_undo: version.can_undo,
            })
            .collect(),
    };
    shown(&overview)
}

/// Which lines, and how.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TableOf {
    /// `json` (when not given), or `csv` for the whole table as a spreadsheet takes it.
    format: Option<String>,
    /// Only lines in one of whose cells this stands.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<usize>,
}

/// A table of the registry in the order of its keys.
#[utoipa::path(get, path = "/api/v1/registry/{table}", operation_id = "registry_table", tag = "registry",
    params(("table" = String, Path), TableOf),
    responses((status = 200, content((shape::TablePage = "application/json"), (String = "text/csv"))),
        (status = 400, body = schema::Problem), (status = 404, body = schema::Problem)))]
pub(crate) async fn table(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(table): Path<String>,
    query: Result<Query<TableOf>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let kind = readable(&table, &caller)?;
    let is_csv = match query.format.as_deref().unwrap_or("json") {
        "csv" => true,
        "json" => false,
        _ => return Err(Problem::bad_request("`format` is none of json and csv")),
    };
    let registry = api.deps.registry();
    let reach = caller.user.scope.within(&registry);
    let mut rows = rows(&registry, kind, &reach);
    for (key, cells) in &mut rows {
        hide(kind, key, cells, &caller);
    }
    let mut has_more = false;
    if !is_csv {
        rows = select(rows, &query);
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        has_more = rows.len() > limit;
        rows.truncate(limit);
    }
    let is_note = |cells: &Cells| {
        let note = cells.get(EVACUATION);
        note.is_some_and(|note| !note.is_empty() && note != HIDDEN)
    };
    let notes = rows.iter().filter(|(_, cells)| is_note(cells)).count();
    note_evacuation(&api, &caller, notes).await?;
    if is_csv {
        let lines: Vec<Cells> = rows.into_iter().map(|(_, cells)| cells).collect();
        let text = format!("\u{feff}{}", Registry::table(kind, &lines));
        let name = format!("attachment; filename=\"{kind}.csv\"");
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ];
        return Ok((headers, text).into_response());
    }
    let page = shape::TablePage {
        table: kind.as_str().to_owned(),
        version: api.deps.keeper.version().await,
        columns: columns(kind),
        next: rows.last().filter(|_| has_more).map(|(key, _)| key.clone()),
        items: rows
            .into_iter()
            .map(|(id, cells)| shape::TableRow { id, cells })
            .collect(),
    };
    Ok(Json(page).into_response())
}

/// What a table is to be: whole as `text`, or the same with other lines, or as it was before a change.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportTable {
    /// Which.
    table: String,
    /// The whole table as CSV; what is not in it is removed.
    text: Option<String>,
    /// Lines that are new or others, by column; cells that are not named stay.
    #[serde(default)]
    put: Vec<BTreeMap<String, String>>,
    /// Keys of lines that go.
    #[serde(default)]
    remove: Vec<String>,
    /// The number of a change that is taken back.
    undo: Option<i64>,
    /// The version that was on the screen; another one is a conflict.
    expected_version: Option<String>,
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
    /// Why.
    note: Option<String>,
}

/// Change a table of the registry, or say what would come of it. All of it is done, at once, or nothing; mistakes come with line and column.
#[utoipa::path(post, path = "/api/v1/registry/import", operation_id = "import_registry", tag = "registry", request_body = ImportTable,
    responses((status = 200, body = shape::TableOutcome), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 409, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn import(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<ImportTable>, JsonRejection>,
) -> Result<Json<shape::TableOutcome>, Problem> {
    let Json(request) = request?;
    let kind = readable(&request.table, &caller)?;
    if let Some(why) = access::refuses_table(&caller.user, kind) {
        return Err(Problem::forbidden(why));
    }
    let note = request.note.map(|note| note.trim().to_owned());
    let note = note.filter(|note| !note.is_empty());
    if note
        .as_ref()
        .is_some_and(|n| n.chars().count() > NOTE_CHARS_MAX)
    {
        let what = format!("longer than {NOTE_CHARS_MAX} characters");
        return Err(Problem::unprocessable("note", what));
    }
    let has_lines = !request.put.is_empty() || !request.remove.is_empty();
    let (content, act) = match (request.text, has_lines, request.undo) {
        (Some(text), false, None) => (Content::Whole(text), "import_registry"),
        (None, true, None) => {
            let (put, remove) = (request.put, request.remove);
            (known_columns(kind, put, remove)?, "edit_registry")
        }
        (None, false, Some(number)) => {
            let before = api.deps.state.registry_before(number).await?;
            match before.filter(|(of, _)| of == kind.as_str()) {
                Some((_, text)) => (Content::Whole(text), "undo_registry"),
                None => {
                    return Err(Problem::not_found(
                        "change of this table that is still kept",
                    ));
                }
            }
        }
        _ => {
            let what = "one of `text`, `undo`, and lines (`put`, `remove`) is needed, and only one";
            return Err(Problem::bad_request(what));
        }
    };
    let wanted = TableChange {
        kind,
        content,
        expected: request.expected_version,
        by: caller.user.login.clone(),
        act,
        note,
    };
    let then = if request.dry_run {
        Then::Stop
    } else {
        Then::Apply
    };
    let outcome = match api.deps.keeper.change(wanted, then).await {
        Ok(changed) => {
            let shown = changed.import.changed.iter().take(LISTED_MAX);
            let cells = shown.flat_map(|line| &line.columns);
            let is_note = |(column, before, _): &&(&str, String, String)| {
                *column == EVACUATION && !before.is_empty()
            };
            note_evacuation(&api, &caller, cells.filter(is_note).count()).await?;
            let mut outcome = outcome_of(kind, &changed.import, &caller);
            outcome.version = changed.version;
            outcome.applied = then == Then::Apply;
            outcome
        }
        Err(KeepError::Mistakes(mistakes)) if then == Then::Stop => {
            let mut outcome = empty(kind);
            outcome.version = api.deps.keeper.version().await;
            outcome.mistakes = mistakes.iter().map(shape::TableMistake::from).collect();
            outcome
        }
        Err(e) => return Err(e.into()),
    };
    Ok(Json(outcome))
}

fn readable(table: &str, caller: &Caller) -> Result<TableKind, Problem> {
    let kind: Option<TableKind> = parse("table", Some(table)).ok().flatten();
    kind.filter(|kind| access::reads_table(&caller.user, *kind))
        .ok_or_else(|| Problem::not_found("table"))
}

fn columns(kind: TableKind) -> Vec<String> {
    kind.columns().into_iter().map(str::to_owned).collect()
}

/// The lines that are asked for, from where the page begins.
fn select(mut rows: Vec<(String, Cells)>, query: &TableOf) -> Vec<(String, Cells)> {
    if let Some(q) = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        let q = q.to_lowercase();
        rows.retain(|(_, cells)| cells.values().any(|c| c.to_lowercase().contains(&q)));
    }
    if let Some(cursor) = &query.cursor {
        rows.retain(|(key, _)| key > cursor);
    }
    rows
}

/// Evacuation notes are about people's health: that somebody is shown them is on record before it is done.
async fn note_evacuation(api: &Api, caller: &Caller, notes: usize) -> Result<(), Problem> {
    if notes > 0 {
        let now = (api.deps.clock)();
        let (state, login) = (&api.deps.state, &caller.user.login);
        state.note_shown_households(login, notes, now).await?;
    }
    Ok(())
}

/// The lines that lie where the caller sees.
fn rows(registry: &Registry, kind: TableKind, reach: &Reach) -> Vec<(String, Cells)> {
    let mut rows = registry.rows(kind);
    let zone_column = match kind {
        TableKind::Devices | TableKind::Households | TableKind::Rentals => "zone",
        TableKind::Zones => "id",
        TableKind::People | TableKind::Grids | TableKind::Watch => return rows,
    };
    if reach.place.is_none() {
        return rows;
    }
    rows.retain(|(_, cells)| {
        let zone: Option<ZoneId> = cells.get(zone_column).and_then(|id| id.parse().ok());
        let of_zone = zone.as_ref().and_then(|id| registry.zones.get(id));
        let named: Option<SiteId> = cells.get("site").and_then(|id| id.parse().ok());
        let site = named.or_else(|| of_zone.map(|zone| zone.site.clone()));
        site.is_some_and(|site| reach.sees(&site, zone.as_ref()))
    });
    rows
}

/// Takes out what the caller may not see.
fn hide(kind: TableKind, key: &mut String, cells: &mut Cells, caller: &Caller) {
    if !access::sees_contacts(&caller.user)
        && let Some(contact) = cells.get_mut("contact").filter(|c| !c.is_empty())
    {
        HIDDEN.clone_into(contact);
    }
    if !access::keeps_households(&caller.user)
        && let Some(note) = cells.get_mut(EVACUATION).filter(|note| !note.is_empty())
    {
        HIDDEN.clone_into(note);
    }
    if kind == TableKind::Watch && !access::keeps_watch(&caller.user) {
        *key = masked_watch_key(key);
        for class in Personal::ALL {
            if let Some(name) = cells.get_mut(class.as_str()).filter(|n| !n.is_empty()) {
                *name = masked(name);
            }
        }
    }
}

fn known_columns(
    kind: TableKind,
    put: Vec<BTreeMap<String, String>>,
    remove: Vec<String>,
) -> Result<Content, Problem> {
    let known = kind.columns();
    let mut named = put.iter().flat_map(BTreeMap::keys);
    match named.find(|name| !known.contains(&name.as_str())) {
        None => Ok(Content::Lines { put, remove }),
        Some(unknown) => {
            let what = format!(
                "`{kind}` has no column `{unknown}` (hint: {})",
                known.join(", ")
            );
            Err(Problem::unprocessable("put", what))
        }
    }
}

fn empty(kind: TableKind) -> shape::TableOutcome {
    shape::TableOutcome {
        table: kind.as_str().to_owned(),
        version: String::new(),
        applied: false,
        added: Vec::new(),
        changed: Vec::new(),
        removed: Vec::new(),
        added_count: 0,
        changed_count: 0,
        removed_count: 0,
        unchanged_count: 0,
        kept_count: 0,
        mistakes: Vec::new(),
    }
}

fn outcome_of(kind: TableKind, import: &Import, caller: &Caller) -> shape::TableOutcome {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let line = |key: &String| import.lines.get(key).map(|line| count(*line));
    let sees = access::sees_contacts(&caller.user);
    let cell = |(column, before, after): &(&str, String, String)| {
        let shown = |text: &String| {
            if *column == "contact" && !sees && !text.is_empty() {
                HIDDEN.to_owned()
            } else {
                text.clone()
            }
        };
        shape::TableCell {
            column: (*column).to_owned(),
            before: shown(before),
            after: shown(after),
        }
    };
    let added = import.added.iter().take(LISTED_MAX);
    let changed = import.changed.iter().take(LISTED_MAX);
    shape::TableOutcome {
        added: added
            .map(|key| shape::TableLine {
                key: key.clone(),
                line: line(key),
                cells: Vec::new(),
            })
            .collect(),
        changed: changed
            .map(|changed| shape::TableLine {
                key: changed.key.clone(),
                line: line(&changed.key),
                cells: changed.columns.iter().map(cell).collect(),
            })
            .collect(),
        removed: import.removed.iter().take(LISTED_MAX).cloned().collect(),
        added_count: count(import.added.len()),
        changed_count: count(import.changed.len()),
        removed_count: count(import.removed.len()),
        unchanged_count: count(import.unchanged),
        kept_count: count(import.kept.len()),
        ..empty(kind)
    }
}
