//! The part of Sparkplug's `sparkplug_b.proto` (eclipse-sparkplug/sparkplug) that tells events; other fields are skipped.

/// A payload.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    /// Milliseconds since 1970.
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    /// What it tells.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
    /// 0 to 255, again and again.
    #[prost(uint64, optional, tag = "3")]
    pub seq: Option<u64>,
}

/// One value with its name, or with the alias that a birth gave it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Metric {
    /// Such as `Hall/Smoke`; missing where there is an alias.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// The number that stands for the name.
    #[prost(uint64, optional, tag = "2")]
    pub alias: Option<u64>,
    /// Milliseconds since 1970.
    #[prost(uint64, optional, tag = "3")]
    pub timestamp: Option<u64>,
    /// An old value, sent late.
    #[prost(bool, optional, tag = "5")]
    pub is_historical: Option<bool>,
    /// There is no value.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// The value.
    #[prost(oneof = "MetricValue", tags = "10, 11, 12, 13, 14, 15")]
    pub value: Option<MetricValue>,
}

/// A value of the types that events have.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum MetricValue {
    /// Whole numbers up to 32 bits.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// Whole numbers of 64 bits.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// A number.
    #[prost(float, tag = "12")]
    Float(f32),
    /// A number.
    #[prost(double, tag = "13")]
    Double(f64),
    /// Yes or no.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// A text.
    #[prost(string, tag = "15")]
    Text(String),
}
