//! The groups as a table for a spreadsheet.

use super::{Measured, Percentile, Ranking, Stage};
use crate::Severity;

/// A cell that a spreadsheet takes for what it is: one that would begin a formula gets an apostrophe in front.
pub fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// One line a group, one column a figure, the names of the columns first; times are milliseconds, `>` in front of those that the curve does
/// not reach, shares are thousandths.
pub fn cells(ranking: &Ranking) -> Vec<Vec<String>> {
    let mut lines = vec![head()];
    for group in ranking.groups.iter().chain([&ranking.total]) {
        let is_total = std::ptr::eq(group, &raw const ranking.total);
        let name = if is_total { "*" } else { &group.name };
        let mut cells = vec![name.to_owned(), group.incidents.to_string()];
        for severity in SEVERITIES {
            let n = group.by_severity.get(&severity).copied();
            cells.push(n.unwrap_or(0).to_string());
        }
        cells.push(group.turns.to_string());
        for stage in Stage::ALL {
            let found = group
                .times
                .iter()
                .find(|m| m.stage == *stage && m.severity.is_none());
            cells.extend(times(found));
        }
        let q = &group.quality;
        for n in [q.resolved, q.genuine, q.false_alarms, q.cause_unknown] {
            cells.push(n.to_string());
        }
        cells.extend(
            [
                q.false_permille,
                q.cause_known_permille,
                q.reopened_permille,
            ]
            .map(opt),
        );
        cells.extend([q.hand_backs, q.lapses].map(|n| n.to_string()));
        cells.push(opt(q.self_corrected_permille));
        cells.extend([q.asked, q.answered, q.satisfied].map(|n| n.to_string()));
        cells.extend([q.answered_permille, q.satisfied_permille].map(opt));
        let score = ranking.scores.iter().find(|s| s.department == group.name);
        cells.push(score.map_or_else(String::new, |s| s.rank.to_string()));
        cells.push(opt(score.and_then(|s| s.score)));
        let rating = score.and_then(|s| s.rating);
        cells.push(rating.map_or_else(String::new, |r| r.to_string()));
        lines.push(cells);
    }
    lines
}

/// The [`cells`] as CSV. It begins with the byte order mark by which Excel knows UTF-8.
pub fn sheet(ranking: &Ranking) -> String {
    sheet_of(&cells(ranking))
}

/// Any table as CSV, its lines of one length; as [`sheet`].
pub fn sheet_of(lines: &[Vec<String>]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for line in lines {
        writer
            .write_record(line.iter().map(|cell| harmless(cell)))
            .expect("a table in memory takes every line: all have the same number of cells");
    }
    let bytes = writer.into_inner().expect("memory can be flushed");
    format!("\u{feff}{}", String::from_utf8_lossy(&bytes))
}

const SEVERITIES: [Severity; 4] = [Severity::P1, Severity::P2, Severity::P3, Severity::P4];

fn head() -> Vec<String> {
    let mut head: Vec<String> = ["group", "incidents", "p1", "p2", "p3", "p4", "turns"]
        .map(str::to_owned)
        .into();
    for stage in Stage::ALL {
        for figure in [
            "n",
            "censored",
            "mean_ms",
            "p50_ms",
            "p90_ms",
            "p95_ms",
            "in_time_permille",
        ] {
            head.push(format!("{stage}_{figure}"));
        }
    }
    head.extend(
        [
            "resolved",
            "genuine",
            "false_alarms",
            "cause_unknown",
            "false_permille",
            "cause_known_permille",
            "reopened_permille",
            "hand_backs",
            "lapses",
            "self_corrected_permille",
            "asked",
            "answered",
            "satisfied",
            "answered_permille",
            "satisfied_permille",
            "rank",
            "score_permille",
            "rating",
        ]
        .map(str::to_owned),
    );
    head
}

fn times(measured: Option<&Measured>) -> [String; 7] {
    let Some(m) = measured else {
        return Default::default();
    };
    let ms = |p: Option<Percentile>| match p {
        Some(Percentile::Ms(ms)) => ms.to_string(),
        Some(Percentile::MoreThanMs(ms)) => format!(">{ms}"),
        None => String::new(),
    };
    [
        m.n.to_string(),
        m.censored.to_string(),
        ms(m.mean),
        ms(m.p50),
        ms(m.p90),
        ms(m.p95),
        opt(m.in_time_permille),
    ]
}

fn opt(n: Option<u64>) -> String {
    n.map_or_else(String::new, |n| n.to_string())
}
