//! A strict InfluxDB 2 for tests: real HTTP, an independent line-protocol parser, answers in annotated CSV with Go's line ends.
//!
//! It says no as the real one does: 400 and nothing stored for a bad line, 422 and the rest stored for a type conflict or a
//! point out of retention, 413, 401, 404. It can be switched off (connections die), slowed down, or told to answer anything.

mod flux;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use influxdb_line_protocol::{FieldValue, parse_lines};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::Target;

pub(super) const TOKEN: &str = "secret-token";

/// A value of a field or column.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(i64),
}

/// Measurement, tags and time: what makes a point one point.
pub(super) type Key = (String, BTreeMap<String, String>, i64);

/// What is stored, and what is to be answered.
#[derive(Default)]
pub(super) struct Db {
    pub(super) points: BTreeMap<Key, BTreeMap<String, Value>>,
    types: HashMap<String, std::mem::Discriminant<Value>>,
    /// Points written, also those that overwrote one.
    pub(super) written: u64,
    /// Requests to write.
    pub(super) requests: u64,
    /// Answer this to every request.
    pub(super) answer: Option<u16>,
    /// Wait this long first.
    pub(super) delay: Duration,
    /// Lines with this text cannot be parsed.
    pub(super) unparsable: Option<String>,
    /// Points before this time are out of retention.
    pub(super) retained_from_ns: i64,
    /// Larger bodies are too large.
    pub(super) lines_max: Option<usize>,
}

pub(super) struct Fake {
    address: SocketAddr,
    db: Arc<Mutex<Db>>,
    runtime: Option<Runtime>,
}

impl Fake {
    pub(super) fn start() -> Self {
        let mut fake = Self {
            address: ([127, 0, 0, 1], 0).into(),
            db: Arc::default(),
            runtime: None,
        };
        fake.switch_on();
        fake
    }

    /// Listens, on the same port as before.
    pub(super) fn switch_on(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        self.address = listener.local_addr().expect("an address");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let router = Router::new()
            .route("/api/v2/write", post(write))
            .route("/api/v2/query", post(query))
            .layer(DefaultBodyLimit::disable())
            .with_state(self.db.clone());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await
        });
        self.runtime = Some(runtime);
    }

    /// Closes the port and every connection.
    pub(super) fn switch_off(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(super) fn target(&self) -> Target {
        Target {
            url: format!("http://{}", self.address),
            org: "jiming".to_owned(),
            bucket: "events".to_owned(),
            token: TOKEN.to_owned(),
        }
    }

    pub(super) fn db(&self) -> parking_lot::MutexGuard<'_, Db> {
        self.db.lock()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.switch_off();
    }
}

type Answer = (StatusCode, String);

fn no(status: u16, message: &str) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = serde_json::json!({"code": "error", "message": message});
    (status, body.to_string())
}

/// What every request must have.
async fn admit(
    db: &Mutex<Db>,
    headers: &HeaderMap,
    params: &HashMap<String, String>,
) -> Result<(), Answer> {
    let (delay, answer) = {
        let db = db.lock();
        (db.delay, db.answer)
    };
    tokio::time::sleep(delay).await;
    if let Some(status) = answer {
        return Err(no(status, "as told"));
    }
    let token = headers.get("authorization").and_then(|v| v.to_str().ok());
    if token != Some(&format!("Token {TOKEN}")) {
        return Err(no(401, "unauthorized access"));
    }
    if params.get("org").map(String::as_str) != Some("jiming") {
        return Err(no(404, "organization name not found"));
    }
    Ok(())
}

async fn write(
    State(db): State<Arc<Mutex<Db>>>,
    Query(params): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    db.lock().requests += 1;
    if let Err(answer) = admit(&db, &headers, &params).await {
        return answer;
    }
    if params.get("bucket").map(String::as_str) != Some("events") {
        return no(404, "bucket not found");
    }
    assert_eq!(params.get("precision").map(String::as_str), Some("ns"));
    let mut text = String::new();
    let gzipped = headers.get("content-encoding").is_some_and(|v| v == "gzip");
    let read = if gzipped {
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text)
    } else {
        (&body[..]).read_to_string(&mut text)
    };
    match read {
        Ok(_) => store(&mut db.lock(), &text),
        Err(e) => no(400, &e.to_string()),
    }
}

fn store(db: &mut Db, text: &str) -> Answer {
    let mut points = Vec::new();
    for line in parse_lines(text) {
        let line = match line {
            Ok(line) => line,
            Err(e) => return no(400, &format!("unable to parse: {e}")),
        };
        let tags = line.series.tag_set.iter().flatten();
        let tags: BTreeMap<String, String> = tags
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let fields: BTreeMap<String, Value> = line
            .field_set
            .iter()
            .map(|(key, value)| (key.to_string(), field(value)))
            .collect();
        if fields.len() != line.field_set.len() {
            return no(400, "unable to parse: a field is there twice");
        }
        let key = (
            line.series.measurement.to_string(),
            tags,
            line.timestamp.unwrap_or(i64::MAX),
        );
        points.push((key, fields));
    }
    if db.unparsable.as_ref().is_some_and(|bad| text.contains(bad)) {
        return no(400, "unable to parse 'that line'");
    }
    if db.lines_max.is_some_and(|max| points.len() > max) {
        return no(413, "request too large");
    }
    let mut dropped = 0;
    for (key, fields) in points {
        let conflict = fields.iter().any(|(name, value)| {
            let kind = std::mem::discriminant(value);
            *db.types.entry(name.clone()).or_insert(kind) != kind
        });
        if conflict || key.2 < db.retained_from_ns {
            dropped += 1;
            continue;
        }
        db.written += 1;
        db.points.entry(key).or_default().extend(fields);
    }
    if dropped > 0 {
        return no(
            422,
            &format!(
                "failure writing points to database: partial write: not these dropped={dropped}"
            ),
        );
    }
    (StatusCode::NO_CONTENT, String::new())
}

fn field(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::I64(n) => Value::Int(*n),
        FieldValue::U64(n) => Value::Int(*n as i64),
        FieldValue::F64(n) => Value::Float(*n),
        FieldValue::String(text) => Value::Text(text.to_string()),
        FieldValue::Boolean(b) => Value::Bool(*b),
    }
}

async fn query(
    State(db): State<Arc<Mutex<Db>>>,
    Query(params): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if let Err(answer) = admit(&db, &headers, &params).await {
        return answer;
    }
    let body: serde_json::Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(e) => return no(400, &e.to_string()),
    };
    let text = body["query"].as_str().unwrap_or_default();
    let answer = tables::run(&db.lock(), text);
    match answer {
        Ok(csv) => (StatusCode::OK, csv),
        Err(e) => no(400, &format!("{e} in {text}")),
    }
}
