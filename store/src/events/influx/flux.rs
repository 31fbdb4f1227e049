//! The texts of our Flux queries. Every text that comes from outside goes through [`literal`].
//!
//! Columns that could be empty are asked for as strings: the client panics on an empty number.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use domain::{DeviceId, Kind, SiteId, Timestamp};

use super::line::MEASUREMENT;
use crate::events::{Bucket, CountBy, HistoryQuery, Order, Within};

/// Last nanosecond that InfluxDB can tell.
const NS_MAX: i64 = 9_223_372_036_854_775_806;

/// Single devices that one query names: each is a condition of its own, which storage looks into.
pub(super) const DEVICES_MAX: usize = 500;

/// String fields of a point as they are asked for, beside the numbers.
const TEXTS: [&str; 5] = ["attrs", "clock", "component", "key", "phase"];
const NUMBERS: [&str; 3] = ["occurred_at_us", "position", "received_at_us"];
const TAGS: [&str; 4] = ["class", "device", "kind", "site"];

/// Point times asked for, in nanoseconds; the end is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start_ns: i64,
    pub(super) stop_ns: i64,
}

impl Times {
    /// From the millisecond of `from` to before `to`, rounded up to the millisecond.
    pub(super) fn of(from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        let ns = |ms: i64| ms.saturating_mul(1_000_000).clamp(0, NS_MAX);
        let up = |to: Timestamp| {
            let ms = to.as_millisecond();
            let whole = Timestamp::from_millisecond(ms).is_ok_and(|at| at == to);
            ns(if whole { ms } else { ms.saturating_add(1) })
        };
        Self {
            start_ns: from.map_or(0, |from| ns(from.as_millisecond())),
            stop_ns: to.map_or(NS_MAX, up),
        }
    }
    fn text(self) -> String {
        format!(
            "range(start: time(v: {}), stop: time(v: {}))",
            self.start_ns, self.stop_ns
        )
    }
}

/// A string literal. `${` would be replaced by an expression's value.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '$' => out.push_str("\\x24"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// ` and r.device == "…"` for each condition of the query on a tag.
fn tag_conditions(query: &HistoryQuery) -> String {
    let mut out = String::new();
    let conditions = [
        ("device", query.device.as_ref().map(DeviceId::as_str)),
        ("kind", query.kind.map(Kind::as_str)),
        ("site", query.site.as_ref().map(SiteId::as_str)),
    ];
    for (tag, text) in conditions {
        if let Some(text) = text {
            let _ = write!(out, " and r.{tag} == {}", literal(text));
        }
    }
    out.push_str(&standing(query.within.as_ref()));
    out
}

/// ` and (r.site == "…" or r.device == "…")`: what lies in one of these places.
fn standing(within: Option<&Within>) -> String {
    let Some(within) = within else {
        return String::new();
    };
    let of = |tag: &str, id: &str| format!("r.{tag} == {}", literal(id));
    let sites = within.sites.iter().map(|id| of("site", id.as_str()));
    let devices = within.devices.iter().map(|id| of("device", id.as_str()));
    let any: Vec<String> = sites.chain(devices).collect();
    format!(" and ({})", any.join(" or "))
}

/// First step of a history: the places and times (`position`, `t` in ns) of at most `want` events.
pub(super) fn places(
    bucket: &str,
    query: &HistoryQuery,
    times: Times,
    bounds: &RangeInclusive<i64>,
    want: usize,
) -> String {
    let pick = match query.order {
        Order::NewestFirst => "top",
        Order::OldestFirst => "bottom",
    };
    format!(
        "from(bucket: {bucket}) |> {range} \
         |> filter(fn: (r) => r._measurement == \"{MEASUREMENT}\" and r._field == \"position\"{tags}) \
         |> filter(fn: (r) => r._value >= {first} and r._value <= {last}) \
         |> group() |> {pick}(n: {want}, columns: [\"_value\"]) \
         |> map(fn: (r) => ({{position: r._value, t: int(v: r._time)}}))",
        bucket = literal(bucket),
        range = times.text(),
        tags = tag_conditions(query),
        first = bounds.start(),
        last = bounds.end(),
    )
}

/// Second step: the events between the places found. Readings are not asked for, as not every point has them.
pub(super) fn events(
    bucket: &str,
    query: &HistoryQuery,
    times: Times,
    bounds: &RangeInclusive<i64>,
) -> String {
    let fields: Vec<String> = TEXTS
        .iter()
        .chain(&NUMBERS)
        .map(|field| format!("r._field == \"{field}\""))
        .collect();
    let mut columns: Vec<String> = TAGS
        .iter()
        .chain(&TEXTS)
        .map(|column| format!("{column}: r.{column}"))
        .collect();
    columns.extend(
        NUMBERS
            .iter()
            .map(|column| format!("{column}: string(v: r.{column})")),
    );
    format!(
        "from(bucket: {bucket}) |> {range} \
         |> filter(fn: (r) => r._measurement == \"{MEASUREMENT}\"{tags} and ({fields})) \
         |> pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\") \
         |> filter(fn: (r) => r.position >= {first} and r.position <= {last}) \
         |> group() |> sort(columns: [\"position\"]) \
         |> map(fn: (r) => ({{{columns}}}))",
        bucket = literal(bucket),
        range = times.text(),
        tags = tag_conditions(query),
        fields = fields.join(" or "),
        first = bounds.start(),
        last = bounds.end(),
        columns = columns.join(", "),
    )
}

/// Events per bucket (`t` in ns) and key. Counting comes before regrouping: storage does it.
pub(super) fn counts(
    bucket: &str,
    times: Times,
    every: Bucket,
    by: CountBy,
    within: Option<&Within>,
) -> String {
    format!(
        "from(bucket: {bucket}) |> {range} \
         |> filter(fn: (r) => r._measurement == \"{MEASUREMENT}\" and r._field == \"position\"{places}) \
         |> aggregateWindow(every: {every}, fn: count, createEmpty: false, timeSrc: \"_start\") \
         |> group(columns: [\"{by}\", \"_time\"]) |> sum() |> group() \
         |> map(fn: (r) => ({{key: r.{by}, n: r._value, t: int(v: r._time)}}))",
        bucket = literal(bucket),
        range = times.text(),
        places = standing(within),
        every = match every {
            Bucket::Hour => "1h",
            Bucket::Day => "1d",
        },
        by = by.column(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_leave_its_quotes() {
        for (text, expected) in [
            ("cam-1", r#""cam-1""#),
            (r#"x" or true //"#, r#""x\" or true //""#),
            (r"C:\", r#""C:\\""#),
            ("${secret}", r#""\x24{secret}""#),
            ("a\nb", r#""a\nb""#),
        ] {
            assert_eq!(literal(text), expected);
        }
    }

    #[test]
    fn times_are_cut_to_the_millisecond_outwards() {
        let at = |time: &str| time.parse::<Timestamp>().ok();
        let times = Times::of(
            at("1970-01-01T00:00:01.0005Z"),
            at("1970-01-01T00:00:02.0005Z"),
        );
        let expected = Times {
            start_ns: 1_000_000_000,
            stop_ns: 2_001_000_000,
        };
        assert_eq!(times, expected);
    }
}
