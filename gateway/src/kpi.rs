//! `gateway kpi`: key figures on the command line, computed from the state database beside a running hub or without one.

use std::io::Write as _;

use anyhow::Context as _;
use domain::Timestamp;
use domain::kpi::{self, By};
use store::state::KpiQuery;

use crate::accounts;
use crate::config::Config;

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Everything, as the API answers it.
    Json,
    /// A table for a spreadsheet.
    Csv,
    /// The bytes that the hash is over.
    Canonical,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Opened then or later.
    pub from: String,
    /// Opened before.
    pub to: String,
    /// What is compared.
    pub by: By,
    /// The last row of the audit trail that counts.
    pub as_of: Option<i64>,
    /// How it is printed.
    pub shape: Shape,
}

/// Computes and prints.
///
/// # Errors
/// Moments that are none, a span or a row that is none, a state database that cannot be read.
pub async fn print(config: &Config, wanted: &Wanted) -> anyhow::Result<()> {
    let (catalogue, state) = accounts::open(config).await?;
    let zone = &catalogue.registry.roster.calendar.time_zone;
    let asked = KpiQuery {
        query: kpi::Query {
            from: kpi::moment(&wanted.from, zone).context("`--from`")?,
            to: kpi::moment(&wanted.to, zone).context("`--to`")?,
            by: wanted.by,
        },
        as_of: wanted.as_of,
        settings: config.kpi_settings(),
    };
    let report = state.kpi(asked, Timestamp::now()).await;
    state.close().await;
    let report = report.context("computing key figures")?;
    let bytes = match wanted.shape {
        Shape::Json => {
            let mut text = serde_json::to_string_pretty(&report)?;
            text.push('\n');
            text.into_bytes()
        }
        Shape::Csv => kpi::sheet(&report.ranking).into_bytes(),
        Shape::Canonical => report.bytes,
    };
    // whoever reads it may go away
    let _ = std::io::stdout().lock().write_all(&bytes);
    Ok(())
}
