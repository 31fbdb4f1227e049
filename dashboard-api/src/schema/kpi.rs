//! Key figures, as the API answers them. Times are whole milliseconds, shares thousandths; nothing has a fraction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Key figures of a span.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kpi {
    pub ranking: Ranking,
    /// SHA-256 over the canonical bytes of `ranking` (`format=canonical`).
    pub sha256: String,
    pub load: Load,
    pub duty: Duty,
    pub held: Held,
    pub standing: Standing,
    pub not_answered: Vec<NotAnswered>,
}

/// What is computed from the record, and from it alone.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiRanking)]
pub struct Ranking {
    /// The last row of the audit trail that counts: with it the same bytes can be had again.
    pub as_of: i64,
    pub as_of_at: String,
    pub from: String,
    pub to: String,
    /// `department`, `micro_grid`, `quarter` or `rule`.
    pub by: String,
    pub total: Group,
    pub groups: Vec<Group>,
    pub left_out: LeftOut,
    pub missed_p1: Vec<Missed>,
    /// By department: the best first.
    pub scores: Vec<Score>,
    pub scoring: Scoring,
    /// By micro-grid: which zones were in which.
    pub places_sha256: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiGroup)]
pub struct Group {
    pub name: String,
    pub incidents: u64,
    pub by_severity: BTreeMap<String, u64>,
    pub turns: u64,
    pub times: Vec<Measured>,
    pub quality: Quality,
}

/// `{"ms": …}`, or `{"more_than_ms": …}` where too much has not ended to say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KpiPercentile)]
pub enum Percentile {
    Ms(i64),
    MoreThanMs(i64),
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiMeasured)]
pub struct Measured {
    /// `acknowledge`, `claim`, `arrive`, `finish` or `resolve`.
    pub stage: String,
    pub severity: Option<String>,
    pub n: u64,
    pub censored: u64,
    pub mean: Option<Percentile>,
    pub p50: Option<Percentile>,
    pub p90: Option<Percentile>,
    pub p95: Option<Percentile>,
    pub in_time: u64,
    pub late: u64,
    pub undecided: u64,
    pub in_time_permille: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiQuality)]
pub struct Quality {
    pub resolved: u64,
    pub genuine: u64,
    pub false_alarms: u64,
    pub cause_unknown: u64,
    pub false_permille: Option<u64>,
    pub cause_known_permille: Option<u64>,
    pub reopened: u64,
    pub reopened_permille: Option<u64>,
    pub hand_backs: u64,
    pub lapses: u64,
    pub self_corrected: u64,
    pub self_corrected_permille: Option<u64>,
    pub asked: u64,
    pub answered: u64,
    pub satisfied: u64,
    pub answered_permille: Option<u64>,
    pub satisfied_permille: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiLeftOut)]
pub struct LeftOut {
    pub drill: u64,
    pub cancelled: u64,
    pub merged: u64,
    pub void: u64,
}

/// A P1 that no person acknowledged within 60 s.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiMissed)]
pub struct Missed {
    pub number: u64,
    pub rule: String,
    pub lead: String,
    pub waited: Percentile,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiScore)]
pub struct Score {
    pub rank: u64,
    pub department: String,
    pub score: Option<u64>,
    /// `red` (praise), `yellow` or `black`.
    pub rating: Option<String>,
    pub response: Component,
    pub solve: Component,
    pub satisfaction: Component,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiComponent)]
pub struct Component {
    pub n: u64,
    pub good: u64,
    pub raw: Option<u64>,
    pub adjusted: Option<u64>,
    pub counted: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiScoring)]
pub struct Scoring {
    pub weights: Weights,
    pub thresholds: Thresholds,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiWeights)]
pub struct Weights {
    pub response: u8,
    pub solve: u8,
    pub satisfaction: u8,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiThresholds)]
pub struct Thresholds {
    pub red_from: u16,
    pub black_below: u16,
}

/// How much rang, from the alarms as they stand; not hashed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiLoad)]
pub struct Load {
    /// Counted up to then: the end of the span, or now while it lasts.
    pub until: String,
    pub rung: u64,
    pub seats: u64,
    /// Thousandths of an alarm.
    pub per_hour_and_seat_milli: u64,
    pub per_day_and_seat_milli: u64,
    pub per_10_min_and_seat_milli: u64,
    pub peak_10_min: u64,
    /// When the first of those rang.
    pub peak_10_min_at: Option<String>,
    pub hours: u64,
    /// With more than 30 alarms a seat.
    pub busy_hours: u64,
    pub busy_hours_permille: Option<u64>,
    pub periods: u64,
    pub flood_periods: u64,
    pub flood_permille: Option<u64>,
    pub stale: u64,
    pub stale_permille: Option<u64>,
    pub top: Vec<Source>,
    pub top_10_permille: Option<u64>,
    pub by_severity: BTreeMap<String, u64>,
    /// Hour by hour up to two days, else day by day.
    pub steps: Vec<Step>,
    /// Figures beside what ISA-18.2, IEC 62682 and EEMUA 191 ask.
    pub figures: Vec<Figure>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiStep)]
pub struct Step {
    pub from: String,
    pub rung: u64,
    pub peak_10_min: u64,
    /// Tens of minutes with more than 10 alarms a seat.
    pub flood_periods: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiFigure)]
pub struct Figure {
    /// A name that ends in `_milli` or `_permille` is in thousandths.
    pub figure: String,
    pub value: Option<u64>,
    /// Very likely to be acceptable.
    pub good: Option<u64>,
    /// The most that can be managed.
    pub at_most: Option<u64>,
    /// Standard and clause.
    pub source: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiSource)]
pub struct Source {
    pub rule: String,
    pub subject: String,
    pub n: u64,
}

/// The duty book of the span; not hashed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiDuty)]
pub struct Duty {
    pub lines: u64,
    /// Written more than five minutes after their hours.
    pub lines_late: u64,
    /// Hours that are over and have no line.
    pub lines_missing: u64,
    /// Changes of shift at the desk.
    pub changes: u64,
    /// With a handover that both had signed within a quarter of an hour before or after.
    pub on_time: u64,
    pub on_time_permille: Option<u64>,
    /// The first hundred of the others.
    pub not_on_time: Vec<String>,
}

/// What was held back in the span; not hashed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiHeld)]
pub struct Held {
    /// Made in the span.
    pub shelves: u64,
    /// More than a minute past their hour.
    pub shelves_overdue: u64,
    pub shelves_without_reason: u64,
    /// Maintenance windows that began in the span.
    pub windows: u64,
    /// More than a minute past their hour.
    pub windows_overdue: u64,
    /// Came in the span and never rang because of their cause.
    pub suppressed: u64,
    /// Came in the span and never rang because of a maintenance window.
    pub out_of_service: u64,
}

/// What stands now, whatever span was asked for; not hashed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiStanding)]
pub struct Standing {
    pub shelved: u64,
    pub shelved_overdue: u64,
    pub shelved_without_reason: u64,
    pub suppressed: u64,
    pub out_of_service: u64,
    pub unknown: u64,
    pub chattering: u64,
    /// Of the span.
    pub chatter_work_orders: u64,
    /// On for more than 24 hours.
    pub stale: u64,
    /// Put aside, chattering or stale, the oldest first.
    pub listed: Vec<Listed>,
    /// There are more than are listed.
    pub is_cut: bool,
    pub coverage: Vec<Coverage>,
}

/// An alarm that does not ring as it should.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiListed)]
pub struct Listed {
    /// `shelved`, `suppressed`, `out_of_service`, `chattering` or `stale`.
    pub why: String,
    pub alarm: String,
    pub rule: String,
    pub subject: String,
    pub site: String,
    #[schema(value_type = super::words::Severity)]
    pub severity: String,
    pub since: String,
    pub until: Option<String>,
    /// The reason that was given, or the rule of the cause.
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiCoverage)]
pub struct Coverage {
    pub class: String,
    pub building: Option<String>,
    pub devices: u64,
    pub healthy: u64,
    pub healthy_permille: Option<u64>,
}

/// What the record cannot answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KpiNotAnswered)]
pub struct NotAnswered {
    pub kpi: String,
    pub reason_zh: String,
    pub reason_en: String,
}

#[cfg(test)]
mod tests {
    use domain::kpi::{By, Duty, Held, Load, NOT_ANSWERED, Query, Record, Scoring, rank};
    use store::state::KpiReport;

    #[test]
    fn an_answer_has_the_shape_of_the_document() {
        let (from, to) = (domain::Timestamp::UNIX_EPOCH, domain::Timestamp::MAX);
        let record = Record {
            as_of: 0,
            as_of_at: from,
            incidents: Vec::new(),
        };
        let by = By::Department;
        let report = KpiReport {
            ranking: rank(&record, Query { from, to, by }, Scoring::default(), |_| {
                None
            }),
            bytes: Vec::new(),
            sha256: String::new(),
            load: Load::of(Vec::new(), from, to, 1),
            duty: Duty::default(),
            held: Held::default(),
            standing: store::state::Standing::default(),
            not_answered: NOT_ANSWERED,
        };
        let value = serde_json::to_value(&report).expect("serialises");
        let read: super::Kpi = serde_json::from_value(value.clone()).expect("as documented");
        assert_eq!(serde_json::to_value(&read).expect("serialises"), value);
    }
}
