//! The clocks of duty: rows that are due, acted on in one transaction each time.
//!
//! There are no timers: an incident's row says when time alone next changes it. Reading what is due and writing what follows is one
//! transaction of the only writer, so nothing is done twice, and a hub that was away goes on where it stood.

use domain::incident::{Incident, Stage};
use domain::rule::{Finding, FindingKind, RuleBook};
use domain::{IncidentId, RuleId, Severity, Timestamp};
use sqlx::SqliteConnection;

use super::State;
use super::batch::Committed;
use super::device::Touched;
use super::error::StateError;
use super::finding::Annunciator;
use super::incidents;

/// Incidents of one transaction.
const INCIDENTS_MAX: i64 = 64;
/// The rule under which an exhausted ladder becomes an alarm.
pub const EXHAUSTED_RULE: &str = "E1";
pub(super) const EXHAUSTED: &str = "exhausted";
pub(super) const RECOVERED: &str = "recovered";

/// Leaves a note for the next round: this incident's ladder is exhausted, or is no longer.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    incident: IncidentId,
    what: &str,
    stage: Option<Stage>,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO station_note (id, incident, what, stage)
         SELECT value + 1, $1, $2, $3 FROM counter WHERE name = 'station_note'",
    )
    .bind(incident.to_string())
    .bind(what)
    .bind(stage.map(|stage| stage.to_string()))
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE counter SET value = value + 1 WHERE name = 'station_note'")
        .execute(connection)
        .await?;
    Ok(())
}

impl State {
    /// When time alone next changes something; none while nothing is pending.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StateError> {
        let due: Option<i64> =
            sqlx::query_scalar("SELECT MIN(due_at) FROM incident WHERE due_at IS NOT NULL")
                .fetch_one(&self.shared.read)
                .await?;
        let notes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM station_note")
            .fetch_one(&self.shared.read)
            .await?;
        if notes > 0 {
            return Ok(Some(Timestamp::UNIX_EPOCH));
        }
        incidents::opt_time(due)
    }

    /// Does everything that is due at `now`: acknowledgements expire, claims lapse, ladders are climbed, reviews begin and end; shelves and
    /// maintenance windows end ([`run_alarms_due`](Self::run_alarms_due)).
    ///
    /// # Errors
    /// A database that cannot be written: what was done before stays, the rest is due again.
    pub async fn run_due(&self, now: Timestamp, book: &RuleBook) -> Result<Committed, StateError> {
        let mut all = Committed {
            revision: self.revision(),
            ..Committed::default()
        };
        let held = self.run_alarms_due(now, book).await?;
        all.revision = held.revision;
        all.alarms += held.alarms;
        all.opened.extend(held.opened);
        all.changed.extend(held.changed);
        while self.next_due().await?.is_some_and(|due| due <= now) {
            let some = self.run_some_due(now, book).await?;
            all.revision = some.revision;
            all.alarms += some.alarms;
            all.opened.extend(some.opened);
            all.changed.extend(some.changed);
        }
        Ok(all)
    }

    async fn run_some_due(&self, now: Timestamp, book: &RuleBook) -> Result<Committed, StateError> {
        let mut tx = self.begin().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM incident WHERE due_at <= $1 ORDER BY due_at, number LIMIT $2",
        )
        .bind(now.as_microsecond())
        .bind(INCIDENTS_MAX)
        .fetch_all(&mut *tx)
        .await?;
        let mut annunciator = Annunciator::new(book, &self.shared, &mut tx);
        for id in ids {
            let id: IncidentId = incidents::word(&id)?;
            let connection = annunciator.ledger.settled().await?;
            let (incident, _) = incidents::load(connection, id)
                .await?
                .ok_or_else(|| StateError::damaged(format_args!("{id} is not there")))?;
            let step = incident.on_time(now);
            incidents::keep(connection, &self.shared.registry(), &incident, step).await?;
            annunciator.outcome.changed.insert(id);
        }
        tell_of_ladders(now, &mut annunciator).await?;
        let outcome = annunciator.finish().await?;
        let news = self
            .news(&mut tx, &outcome, &Touched::default(), now)
            .await?;
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
}

/// A ladder that is exhausted is an alarm of its own, under the rule that the catalogue has for it.
async fn tell_of_ladders(
    now: Timestamp,
    annunciator: &mut Annunciator<'_>,
) -> Result<(), StateError> {
    let notes: Vec<(i64, String, String, Option<String>)> =
        sqlx::query_as("SELECT id, incident, what, stage FROM station_note ORDER BY id LIMIT 256")
            .fetch_all(annunciator.ledger.settled().await?)
            .await?;
    let rule: RuleId = EXHAUSTED_RULE.parse().expect("a rule id");
    for (note, id, what, stage) in notes {
        let connection = annunciator.ledger.settled().await?;
        sqlx::query("DELETE FROM station_note WHERE id = $1")
            .bind(note)
            .execute(&mut *connection)
            .await?;
        let id: IncidentId = incidents::word(&id)?;
        let found = incidents::load(connection, id).await?;
        // its own ladder may be exhausted too: that is told once, not for ever
        let Some((incident, _)) = found.filter(|(incident, _)| incident.rule != rule) else {
            continue;
        };
        if !annunciator.book.contains_key(&rule) {
            continue;
        }
        let mut told = about(&incident, &rule, now);
        if what == RECOVERED {
            told.what = FindingKind::Cleared;
        }
        if let Some(stage) = stage {
            told.detail.insert("stage".to_owned(), stage);
        }
        annunciator.apply(&told).await?;
    }
    Ok(())
}

fn about(incident: &Incident, rule: &RuleId, now: Timestamp) -> Finding {
    Finding {
        rule: rule.clone(),
        subject: format!("incident:{}", incident.number),
        what: FindingKind::Raised,
        severity: incident.severity.min(Severity::P2),
        site: incident.site.clone(),
        class: incident.class,
        zone: incident.zone.clone(),
        device: None,
        at: now,
        occurred_at: now,
        event: None,
        seq: None,
        lasting: false,
        detail: [
            ("incident".to_owned(), format!("#{}", incident.number)),
            ("of_rule".to_owned(), incident.rule.to_string()),
            (
                "level".to_owned(),
                incident.course.escalation.highest.to_string(),
            ),
        ]
        .into(),
    }
}
