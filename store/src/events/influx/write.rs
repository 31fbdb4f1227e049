//! Brings batches to the server.
//!
//! | answer | what it means | what we do |
//! |---|---|---|
//! | 204 | all of it is stored | go on |
//! | 400 | a line cannot be parsed, nothing is stored | halve until the line is found, set it aside |
//! | 422 | some lines cannot be stored (type of a field, retention), the rest is | the same; a rewrite changes nothing |
//! | 413 | too large | halve; a single line is set aside |
//! | 401 403 404 | token, organisation or bucket | nothing is set aside: somebody has to look |
//! | 429 503 other | not now | come again |

use std::io::Write as _;
use std::ops::Range;
use std::time::Duration;

use domain::{Event, Seq};
use flate2::Compression;
use flate2::write::GzEncoder;
use influxdb2::{Client, ClientBuilder, RequestError};
use reqwest_influx::Url;
use reqwest_influx::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use super::Target;
use super::error::InfluxError;
use super::files::{Files, Rejected};
use super::line::Lines;
use crate::events::model::Cursor;

/// Lines of one request.
const LINES_MAX: usize = 5_000;
/// Bytes of one request before compression.
const BYTES_MAX: usize = 4 << 20;
/// How long the server may take to answer one request.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Characters kept of an answer.
const ANSWER_CHARS_MAX: usize = 500;
/// A line that no server can misunderstand: when this is refused with 400, it is not the lines.
const PROBE: &str = "jiming_probe ok=true\n";

#[derive(Debug)]
pub(super) struct Writer {
    client: Client,
    org: String,
    bucket: String,
    files: Files,
}

/// What one request came to.
enum Reply {
    Stored,
    /// 400, 413, 422: because of what is in it.
    Lines {
        status: u16,
        answer: String,
    },
}

/// A client for `target`, which sends `headers` with every request.
pub(super) fn client(target: &Target, headers: HeaderMap) -> Result<Client, InfluxError> {
    let bad = |why: String| InfluxError::Url {
        url: target.url.clone(),
        why,
    };
    // The crate panics on a bad URL and drops its path without a word.
    let url = Url::parse(&target.url).map_err(|e| bad(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("neither http:// nor https://".to_owned()));
    }
    if !matches!(url.path(), "" | "/") {
        return Err(bad("a path is not supported".to_owned()));
    }
    let builder = reqwest_influx::Client::builder()
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy();
    ClientBuilder::with_builder(builder, &target.url, &target.org, &target.token)
        .build()
        .map_err(|e| InfluxError::Client(Box::new(e)))
}

/// An answer that is not about what was sent.
pub(super) fn failure(doing: &'static str, error: RequestError) -> InfluxError {
    match error {
        RequestError::Http { status, text } => {
            let (status, answer) = (status.as_u16(), cut(&text));
            match status {
                401 | 403 | 404 => InfluxError::Refused { status, answer },
                _ => InfluxError::Busy { status, answer },
            }
        }
        source => InfluxError::Unreachable {
            doing,
            source: Box::new(source),
        },
    }
}

fn cut(answer: &str) -> String {
    answer.chars().take(ANSWER_CHARS_MAX).collect()
}

impl Writer {
    pub(super) fn new(target: &Target, files: Files) -> Result<Self, InfluxError> {
        let gzip = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        Ok(Self {
            client: client(target, gzip)?,
            org: target.org.clone(),
            bucket: target.bucket.clone(),
            files,
        })
    }

    /// Writes the events, sets aside what cannot be written, and moves the cursor. Gives how many were written.
    pub(super) async fn append(
        &self,
        upto: Seq,
        events: &[(Cursor, Event)],
    ) -> Result<u64, InfluxError> {
        let mut stored = 0;
        let mut lines = Lines::default();
        for (place, event) in events {
            lines.push(event, *place);
            if lines.len() >= LINES_MAX || lines.bytes() >= BYTES_MAX {
                stored += self.deliver(&lines).await?;
                lines = Lines::default();
            }
        }
        stored += self.deliver(&lines).await?;
        let files = self.files.clone();
        blocking(move || files.set_cursor(upto)).await?;
        Ok(stored)
    }

    /// Writes the lines; what the server will never take is on disk when this returns.
    async fn deliver(&self, lines: &Lines) -> Result<u64, InfluxError> {
        let mut todo: Vec<Range<usize>> = Vec::new();
        if lines.len() > 0 {
            todo.push(0..lines.len());
        }
        let (mut stored, mut rejected) = (0, Vec::new());
        // Each round ends a range or halves it: at most twice as many rounds as lines.
        while let Some(range) = todo.pop() {
            let reply = self.post(lines.slice(range.start, range.end)).await?;
            let Reply::Lines { status, answer } = reply else {
                stored += range.len() as u64;
                continue;
            };
            if range.len() > 1 && dropped(&answer) != Some(range.len()) {
                let middle = range.start + range.len() / 2;
                todo.push(middle..range.end);
                todo.push(range.start..middle);
                continue;
            }
            if status == 400 && stored == 0 && rejected.is_empty() {
                self.probe().await?;
            }
            rejected.extend(range.map(|line| {
                let (event_id, seq) = lines.of(line);
                Rejected {
                    event_id,
                    seq,
                    status,
                    answer: answer.clone(),
                    line: lines.slice(line, line + 1).trim_end().to_owned(),
                }
            }));
        }
        metrics::counter!("hub_influx_points_total").increment(stored);
        if !rejected.is_empty() {
            let n = rejected.len() as u64;
            metrics::counter!("hub_influx_points_rejected_total").increment(n);
            tracing::error!(influx.rejected = n, journal.seq = %rejected[0].seq, answer = %rejected[0].answer, "influxdb rejected points");
            let files = self.files.clone();
            blocking(move || files.reject(&rejected)).await?;
        }
        Ok(stored)
    }

    /// Fails when the server refuses even a line that is good.
    async fn probe(&self) -> Result<(), InfluxError> {
        match self.post(PROBE).await? {
            Reply::Lines { status, answer } if status == 400 => {
                Err(InfluxError::Refused { status, answer })
            }
            _ => Ok(()),
        }
    }

    async fn post(&self, text: &str) -> Result<Reply, InfluxError> {
        let mut gzip = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
        let body = gzip
            .write_all(text.as_bytes())
            .and_then(|()| gzip.finish())
            .expect("writing to memory cannot fail");
        let request = self
            .client
            .write_line_protocol(&self.org, &self.bucket, body);
        match tokio::time::timeout(WRITE_TIMEOUT, request).await {
            Err(_) => Err(InfluxError::Timeout {
                after: WRITE_TIMEOUT,
            }),
            Ok(Ok(())) => Ok(Reply::Stored),
            Ok(Err(RequestError::Http { status, text }))
                if matches!(status.as_u16(), 400 | 413 | 422) =>
            {
                Ok(Reply::Lines {
                    status: status.as_u16(),
                    answer: cut(&text),
                })
            }
            Ok(Err(error)) => Err(failure("write to", error)),
        }
    }
}

/// How many lines a partial write has dropped, as the server says: `… dropped=5000`.
fn dropped(answer: &str) -> Option<usize> {
    let digits = answer.rsplit_once("dropped=")?.1;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InfluxError> + Send + 'static,
) -> Result<T, InfluxError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| InfluxError::Stopped)?
}
