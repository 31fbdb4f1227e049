//! Key figures of the station.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use domain::kpi::{self, By};
use serde::Deserialize;
use store::state::KpiQuery;

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
    // a report over years reads millions of rows: one at a time, and the others wait
    let _turn = api.computing.acquire().await;
    let report = api.deps.state.kpi(asked, (api.deps.clock)()).await?;
    Ok(match format {
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

/// What a browser keeps as a file.
fn file(name: &str, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let kept = format!("attachment; filename=\"{name}\"");
    let head: [(HeaderName, String); 2] = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, kept),
    ];
    (head, bytes).into_response()
}
