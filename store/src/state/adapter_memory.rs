//! What adapters remember between messages, as rows: a restart forgets no value, so nothing that is told again rings again.

use domain::Seq;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::State;
use super::chunks::chunks;
use super::error::StateError;

/// A value that an adapter remembers of a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The account that sent it.
    pub sender: String,
    /// What it is the value of.
    pub key: String,
    /// The value, and the message that changed it; none where it is forgotten.
    pub value: Option<(String, Seq)>,
}

impl State {
    /// Everything that adapters remember.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn adapter_memory(&self) -> Result<Vec<Remembered>, StateError> {
        type Columns = (String, String, String, i64);
        let rows: Vec<Columns> =
            sqlx::query_as("SELECT sender, key, value, since FROM adapter_memory")
                .fetch_all(&self.shared.read)
                .await?;
        let row = |(sender, key, value, since): Columns| Remembered {
            sender,
            key,
            value: Some((value, Seq(since.cast_unsigned()))),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    rows: &[Remembered],
) -> Result<(), StateError> {
    let (mut put, mut forget) = (Vec::new(), Vec::new());
    for row in rows {
        match &row.value {
            Some((value, since)) => put.push((row, value, *since)),
            None => forget.push(row),
        }
    }
    for chunk in chunks(&put) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO adapter_memory (sender, key, value, since) ");
        query.push_values(chunk, |mut values, (row, value, since)| {
            values
                .push_bind(&row.sender)
                .push_bind(&row.key)
                .push_bind(*value)
                .push_bind(since.0.cast_signed());
        });
        query.push(
            " ON CONFLICT (sender, key) DO UPDATE SET value = excluded.value, since = excluded.since",
        );
        query.build().execute(&mut *connection).await?;
    }
    for row in forget {
        sqlx::query("DELETE FROM adapter_memory WHERE sender = $1 AND key = $2")
            .bind(&row.sender)
            .bind(&row.key)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
