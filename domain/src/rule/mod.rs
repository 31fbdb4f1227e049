//! Rules: what of the stream of events deserves a human's attention.
//!
//! [`RuleSet`] reads and checks rule files, [`Engine`] applies them. A rule is data: its condition, how urgent it is, what its
//! alarm is about, who leads and what they do; and test cases that prove it ([`RuleSet::self_test`]).

mod book;
mod case;
mod check;
mod condition;
mod engine;
mod error;
mod expr;
mod fields;
mod finding;
mod key;
mod lenient;
mod parse;
mod set;
#[cfg(test)]
mod shipped_tests;
mod view;

pub use book::{
    Clocks, Mode, Reach, ReportPlan, ReportType, RuleBook, RuleMeta, Side, Suppression, Threshold,
    rule_for_report,
};
pub use case::CaseFailure;
pub use condition::{
    AttrTest, Condition, Hours, Limit, Matcher, Scalar, Step, Test, Urgency, time_zone,
};
pub use engine::{Engine, LATE_S, Limits, REFRESH_S, Reloaded};
pub use error::RuleError;
pub(crate) use error::nearest_hint;
pub use expr::{EXPR_BYTES_MAX, Expr};
pub use finding::{Finding, FindingKind, WindowChange, WindowRow};

pub use key::{Key, SUBJECT_BYTES_MAX};
pub use lenient::Lenient;
pub use set::{CHAIN_MAX, FILE_BYTES_MAX, RULES_MAX, Rule, RuleSet};
