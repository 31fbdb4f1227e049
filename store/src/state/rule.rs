//! What is kept of rules beside their files: how often each rang, and who changed one.

use std::collections::BTreeMap;

use domain::{RuleId, Timestamp, UserId};

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::incidents::word;

/// How many alarms a rule has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rung {
    /// Those that were told to people.
    pub told: u64,
    /// Those that were not: a notice, a shadow, or held back all the time.
    pub silent: u64,
}

/// A change of a rule's text as it is written down.
#[derive(Debug, Clone)]
pub struct RuleChanged {
    /// Which.
    pub rule: RuleId,
    /// Who did it.
    pub by: UserId,
    /// `change_rule` or `make_rule`.
    pub act: &'static str,
    /// The digest of its file before; empty for a new one.
    pub from: String,
    /// And after.
    pub to: String,
    /// Why, in the person's words.
    pub note: String,
}

impl State {
    /// How many alarms each rule has made since a time.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn rung_since(&self, since: Timestamp) -> Result<BTreeMap<RuleId, Rung>, StateError> {
        // each has an index of its own
        const TOLD: &str =
            "SELECT rule, COUNT(*) FROM alarm WHERE annunciated_at >= $1 GROUP BY rule";
        const SILENT: &str = "SELECT rule, COUNT(*) FROM alarm WHERE annunciated_at IS NULL AND raised_at >= $1 GROUP BY rule";
        let mut rung: BTreeMap<RuleId, Rung> = BTreeMap::new();
        for (query, is_told) in [(TOLD, true), (SILENT, false)] {
            let rows: Vec<(String, i64)> = sqlx::query_as(query)
                .bind(since.as_microsecond())
                .fetch_all(&self.shared.read)
                .await?;
            for (rule, n) in rows {
                let of_rule = rung.entry(word(&rule)?).or_default();
                if is_told {
                    of_rule.told = n.cast_unsigned();
                } else {
                    of_rule.silent = n.cast_unsigned();
                }
            }
        }
        Ok(rung)
    }

    /// Writes down who has changed a rule's file.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn note_rule_changed(
        &self,
        change: RuleChanged,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let object = format!("rule:{}", change.rule);
        let line = Entry {
            from: change.from,
            note: Some(change.note),
            ..Entry::by(&change.by, now, change.act, object, change.to)
        };
        let mut tx = self.begin().await?;
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(())
    }
}
