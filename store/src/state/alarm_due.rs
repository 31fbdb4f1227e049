//! What is due by the clock: shelves that end, maintenance windows that begin and end, chattering and floods that are over.
//!
//! Rows say what is due; nothing waits in memory, so a hub that was away does at its start what it has missed.

use domain::Timestamp;
use domain::alarm::flood::window_start;
use domain::rule::RuleBook;

use super::batch::Committed;
use super::device::Touched;
use super::error::StateError;
use super::finding::Annunciator;
use super::{State, alarm, alarms, maintenance, tally};

/// Rows of each sort that are dealt with in one transaction; the others are due again at once.
const DUE_MAX: i64 = 200;

impl State {
    /// Does what is due by `now`, in one transaction. Asking costs six look-ups in indexes when nothing is.
    ///
    /// # Errors
    /// A database that cannot be read or written: nothing has happened, and it stays due.
    pub async fn run_alarms_due(
        &self,
        now: Timestamp,
        book: &RuleBook,
    ) -> Result<Committed, StateError> {
        if !self.is_alarm_due(now).await? {
            return Ok(Committed {
                revision: self.revision(),
                ..Committed::default()
            });
        }
        let mut tx = self.begin().await?;
        let mut annunciator = Annunciator::new(book, &self.shared, &mut tx);
        annunciator.end_if_calm(now).await?;
        let windows = maintenance::turn_due(&mut annunciator, now, DUE_MAX).await?;
        let connection = annunciator.ledger.settled().await?;
        for before in alarms::shelf_due(connection, now, DUE_MAX).await? {
            alarm::shelf_over(&mut annunciator, before, now).await?;
        }
        let connection = annunciator.ledger.settled().await?;
        for (rule, subject) in tally::forget(connection, now, DUE_MAX).await? {
            annunciator.calm_down(&rule, &subject, now).await?;
        }
        let connection = annunciator.ledger.settled().await?;
        for before in alarms::quiet_due(connection, now, DUE_MAX).await? {
            let mut alarm = before.clone();
            alarm.flags.quiet_until = None;
            annunciator.let_go(&before, alarm, now).await?;
        }
        let outcome = annunciator.finish().await?;
        let mut news = self
            .news(&mut tx, &outcome, &Touched::default(), now)
            .await?;
        news.extend(maintenance::news(&windows));
        let revision = self.publish(&mut tx, news).await?;
        tx.commit().await?;
        let revision = revision.unwrap_or_else(|| self.revision());
        self.announce(revision);
        Ok(Committed {
            revision,
            opened: outcome.opened,
            changed: outcome.changed.into_iter().collect(),
            alarms: outcome.alarms,
        })
    }

    async fn is_alarm_due(&self, now: Timestamp) -> Result<bool, StateError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM alarm WHERE shelved_until IS NOT NULL AND shelved_until <= $1)
               OR EXISTS (SELECT 1 FROM maintenance WHERE state = 'planned' AND starts_at <= $1)
               OR EXISTS (SELECT 1 FROM maintenance WHERE state = 'active' AND ends_at <= $1)
               OR EXISTS (SELECT 1 FROM alarm_tally WHERE forgotten_at <= $1)
               OR EXISTS (SELECT 1 FROM alarm WHERE state <> 'normal' AND quiet_until IS NOT NULL AND quiet_until <= $1)
               OR EXISTS (SELECT 1 FROM flood WHERE ended_at IS NULL AND (SELECT COUNT(*) FROM
                    (SELECT 1 FROM alarm WHERE annunciated_at > $2 LIMIT $3)) < $3)",
        )
        .bind(now.as_microsecond())
        .bind(window_start(now).as_microsecond())
        .bind(i64::try_from(self.shared.seats.calm_rank()).unwrap_or(i64::MAX))
        .fetch_one(&self.shared.read)
        .await?)
    }
}
