//! Key figures of the station.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use domain::kpi::{self, By};
use domain::privacy::masked_subject;
use serde::Deserialize;
use store::state::{KpiQuery, KpiReport};

use super::{parse, shown};
use crate::{Api, Problem, schema, xlsx};

/// Of which incidents, and how.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KpiOf {
    /// Opened then or later: an instant (RFC 3339), or `2026-10-01`, `2026-10` or `2026-Q4` of the community's wall clock.
    from: String,
    /// Opened before: the same.
    to: String,
    /// `department` (when not given), `micro_grid`, `quarter` or `rule`.
    by: Option<String>,
    /// The last row of the audit trail that counts; the last there is when not given.
    as_of: Option<i64>,
    /// `json` (when not given), `csv`, `xlsx`, or `canonical` for the bytes that the hash is over.
    format: Option<String>,
    /// Of `csv` and `xlsx`: `ranking` (when not given), or the load of the seats: `figures`, `steps`, `sources`, `listed`. A workbook has all four.
    table: Option<String>,
}

/// Key figures of the incidents that opened in a span; see docs/kpi.md for each. With `as_of` of an earlier answer the ranking is the
/// same, byte for byte.
#[utoipa::path(get, path = "/api/v1/kpi", tag = "kpi", params(KpiOf),
    responses((status = 200, body = schema::kpi::Kpi), (status = 400, body = schema::Problem)))]
pub(crate) async fn kpi(
    State(api): State<Api>,
    query: Result<Query<KpiOf>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let registry = api.deps.registry();
    let zone = &registry.roster.calendar.time_zone;
    let moment = |name: &str, text: &str| {
        kpi::moment(text, zone).map_err(|e| Problem::bad_request(format!("`{name}`: {e}")))
    };
    let asked = KpiQuery {
        query: kpi::Query {
            from: moment("from", &query.from)?,
            to: moment("to", &query.to)?,
            by: parse("by", query.by.as_deref())?.unwrap_or(By::Department),
        },
        as_of: query.as_of,
        settings: api.deps.kpi,
    };
    let format = query.format.as_deref().unwrap_or("json");
    if !matches!(format, "json" | "csv" | "xlsx" | "canonical") {
        return Err(Problem::bad_request(
            "`format` is none of json, csv, xlsx and canonical",
        ));
    }
    let table = query.table.as_deref().unwrap_or("ranking");
    if table != "ranking" && !LOAD_TABLES.contains(&table) {
        return Err(Problem::bad_request(
            "`table` is none of ranking, figures, steps, sources and listed",
        ));
    }
    // a report over years reads millions of rows: one at a time, and the others wait
    let _turn = api.computing.acquire().await;
    let report = api.deps.state.kpi(asked, (api.deps.clock)()).await?;
    let is_load = table != "ranking";
    Ok(match format {
        "csv" if is_load => {
            let name = format!("alarms-{table}.csv");
            let sheet = kpi::sheet_of(&load_cells(&report, table));
            file(&name, "text/csv; charset=utf-8", sheet.into())
        }
        "xlsx" if is_load => {
            let tables = LOAD_TABLES.map(|name| (name, load_cells(&report, name)));
            let book = xlsx::book(&tables).map_err(|e| Problem::broken(&e.to_string()))?;
            file("alarms.xlsx", xlsx::TYPE, book)
        }
        "csv" => file(
            "kpi.csv",
            "text/csv; charset=utf-8",
            kpi::sheet(&report.ranking).into(),
        ),
        "xlsx" => {
            let book = xlsx::book(&[("kpi", kpi::cells(&report.ranking))])
                .map_err(|e| Problem::broken(&e.to_string()))?;
            file("kpi.xlsx", xlsx::TYPE, book)
        }
        "canonical" => ([(header::CONTENT_TYPE, "application/json")], report.bytes).into_response(),
        _ => shown(&report).map(Json::into_response)?,
    })
}

/// Tables of the load of the seats.
const LOAD_TABLES: [&str; 4] = ["figures", "steps", "sources", "listed"];

/// One of them, the names of the columns first.
fn load_cells(report: &KpiReport, table: &str) -> Vec<Vec<String>> {
    fn cells<const N: usize>(line: [String; N]) -> Vec<String> {
        line.into()
    }
    let head = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let opt = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    let (load, standing) = (&report.load, &report.standing);
    let mut lines: Vec<Vec<String>> = Vec::new();
    match table {
        "figures" => {
            lines.push(head(&["figure", "value", "good", "at_most", "source"]));
            lines.extend(load.figures.iter().map(|f| {
                let (name, source) = (f.figure.to_owned(), f.source.to_owned());
                cells([name, opt(f.value), opt(f.good), opt(f.at_most), source])
            }));
            let now = [
                ("shelved_now", standing.shelved),
                ("suppressed_now", standing.suppressed),
                ("out_of_service_now", standing.out_of_service),
                ("chattering_now", standing.chattering),
                ("stale_now", standing.stale),
            ];
            lines.extend(now.map(|(name, n)| {
                let none = String::new;
                cells([name.to_owned(), n.to_string(), none(), none(), none()])
            }));
        }
        "steps" => {
            lines.push(head(&["from", "rung", "peak_10_min", "flood_periods"]));
            lines.extend(load.steps.iter().map(|s| {
                let numbers = [s.rung, s.peak_10_min, s.flood_periods].map(|n| n.to_string());
                [vec![s.from.to_string()], numbers.into()].concat()
            }));
        }
        "sources" => {
            lines.push(head(&["rule", "subject", "n"]));
            lines.extend(load.top.iter().map(|s| {
                let subject = masked_subject(&s.subject).unwrap_or_else(|| s.subject.clone());
                cells([s.rule.clone(), subject, s.n.to_string()])
            }));
        }
        _ => {
            lines.push(head(&[
                "why", "rule", "subject", "site", "severity", "since", "until", "reason",
            ]));
            lines.extend(standing.listed.iter().map(|l| {
                let subject = masked_subject(&l.subject).unwrap_or_else(|| l.subject.clone());
                cells([
                    l.why.to_owned(),
                    l.rule.clone(),
                    subject,
                    l.site.clone(),
                    l.severity.to_string(),
                    l.since.to_string(),
                    l.until.map_or_else(String::new, |at| at.to_string()),
                    l.reason.clone().unwrap_or_default(),
                ])
            }));
        }
    }
    lines
}

/// What a browser keeps as a file.
fn file(name: &str, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let kept = format!("attachment; filename=\"{name}\"");
    let head: [(HeaderName, String); 2] = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, kept),
    ];
    (head, bytes).into_response()
}
