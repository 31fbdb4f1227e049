//! Why a message could not be read.

/// Why an uplink could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Stable word for filters and counters, such as `bad_json`.
    pub code: &'static str,
    /// One sentence for people: what, where, what to do.
    pub detail: String,
}

impl Reject {
    /// A rejection with its code and its sentence.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
