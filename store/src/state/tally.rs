//! How often each (rule, subject) has come lately, as rows: chattering survives a restart.

use domain::RuleId;
use domain::alarm::Tally;
use domain::rule::Finding;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::chunks;
use super::error::StateError;
use super::incidents::{opt_time, word};

/// The tally of a (rule, subject); an empty one when it has not come lately.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    finding: &Finding,
) -> Result<Tally, StateError> {
    type Columns = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let row: Option<Columns> = sqlx::query_as(
        "SELECT last_at, before_last_at, chattering_since, annunciated_at FROM alarm_tally WHERE rule = $1 AND subject = $2",
    )
    .bind(finding.rule.as_str())
    .bind(&finding.subject)
    .fetch_optional(connection)
    .await?;
    let Some((last, before_last, chattering_since, annunciated_at)) = row else {
        return Ok(Tally::default());
    };
    Ok(Tally {
        last: opt_time(last)?,
        before_last: opt_time(before_last)?,
        chattering_since: opt_time(chattering_since)?,
        annunciated_at: opt_time(annunciated_at)?,
    })
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    tallies: &[(RuleId, String, Tally)],
) -> Result<(), StateError> {
    let us = |at: domain::Timestamp| at.as_microsecond();
    for chunk in chunks(tallies) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO alarm_tally (rule, subject, last_at, before_last_at, chattering_since, annunciated_at, forgotten_at) ",
        );
        query.push_values(chunk, |mut values, (rule, subject, tally)| {
            values
                .push_bind(rule.as_str())
                .push_bind(subject)
                .push_bind(tally.last.map(us))
                .push_bind(tally.before_last.map(us))
                .push_bind(tally.chattering_since.map(us))
                .push_bind(tally.annunciated_at.map(us))
                .push_bind(us(tally.forgotten_at()));
        });
        query.push(
            " ON CONFLICT (rule, subject) DO UPDATE SET last_at = excluded.last_at, before_last_at = excluded.before_last_at,
               chattering_since = excluded.chattering_since, annunciated_at = excluded.annunciated_at,
               forgotten_at = excluded.forgotten_at",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The station was told of it.
pub(super) async fn annunciated(
    connection: &mut SqliteConnection,
    finding: &Finding,
) -> Result<(), StateError> {
    sqlx::query("UPDATE alarm_tally SET annunciated_at = $1 WHERE rule = $2 AND subject = $3")
        .bind(finding.at.as_microsecond())
        .bind(finding.rule.as_str())
        .bind(&finding.subject)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets those that have been quiet until `now`, at most `limit`; gives those that chattered.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    now: domain::Timestamp,
    limit: i64,
) -> Result<Vec<(RuleId, String)>, StateError> {
    let rows: Vec<(String, String, Option<i64>)> = sqlx::query_as(
        "SELECT rule, subject, chattering_since FROM alarm_tally WHERE forgotten_at <= $1 ORDER BY forgotten_at LIMIT $2",
    )
    .bind(now.as_microsecond())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut chattered = Vec::new();
    for (rule, subject, since) in rows {
        sqlx::query("DELETE FROM alarm_tally WHERE rule = $1 AND subject = $2")
            .bind(&rule)
            .bind(&subject)
            .execute(&mut *connection)
            .await?;
        if since.is_some() {
            chattered.push((word(&rule)?, subject));
        }
    }
    Ok(chattered)
}
