//! What can go wrong with an InfluxDB, and which of it passes by itself.

use std::path::PathBuf;
use std::time::Duration;

/// What the InfluxDB back end could not do.
#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    /// Not a URL that we can use.
    #[error("`{url}` is no InfluxDB address: {why} (hint: as in http://127.0.0.1:8086)")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// More devices of micro-grids than one query can name.
    #[error(
        "InfluxDB is asked for at most {max} single devices at a time, not for {devices} (hint: limit the account to quarters)"
    )]
    TooMany {
        /// How many.
        devices: usize,
        /// Most.
        max: usize,
    },
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our own files beside it: the cursor, the rejected lines.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What we were doing.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server was not reached or hung up.
    #[error("cannot {doing} InfluxDB")]
    Unreachable {
        /// `write to` or `query`.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<influxdb2::RequestError>,
    },
    /// The server did not answer in time.
    #[error("InfluxDB did not answer within {} s", after.as_secs())]
    Timeout {
        /// How long we waited.
        after: Duration,
    },
    /// The server is there but cannot now: 429, 503 and whatever else is not about the lines.
    #[error("InfluxDB answered {status}: {answer}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The first 500 characters of its answer.
        answer: String,
    },
    /// 401, 403, 404, or 400 even to a line that cannot be wrong: somebody has to look at the settings.
    #[error("InfluxDB refuses us with {status}: {answer} (hint: check url, org, bucket and token)")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The first 500 characters of its answer.
        answer: String,
    },
    /// The process is ending, or a task of ours panicked.
    #[error("the work on our files was stopped")]
    Stopped,
    /// An answer to a query that is not what was asked for.
    #[error("cannot read the answer of InfluxDB: {0}")]
    Answer(String),
}
