//! Is every acknowledged message in the hub's store exactly once? Compares the load generator's oracle with what
//! `GET /api/v1/events?after_seq=` lists.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// Events asked for at a time.
const PAGE: u32 = 1000;
/// Between two questions while the store catches up.
const PAUSE: Duration = Duration::from_millis(500);
/// How many lost or doubled ids a report names.
const NAMED_MAX: usize = 20;
/// One answer of the hub may take this long.
const ANSWER: Duration = Duration::from_secs(30);

/// What to compare.
#[derive(Clone)]
pub struct Question {
    /// The oracle: one line `device id` per acknowledged message.
    pub acked: PathBuf,
    /// The hub's URL: `http://127.0.0.1:8080`.
    pub api: String,
    /// A bearer token that may read events.
    pub token: String,
    /// Events up to this position are not read.
    pub after_seq: u64,
    /// Give up when for so long nothing more of the acknowledged messages has appeared.
    pub wait: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Messages in the oracle.
    pub acknowledged: u64,
    /// Of them, in the store.
    pub found: u64,
    /// Of them, not in the store.
    pub lost: u64,
    /// Of them, in the store more than once.
    pub doubled: u64,
    /// Events that were read, those of others included.
    pub events_read: u64,
    /// The first of what was lost, as `device id`.
    pub lost_ids: Vec<String>,
    /// The first of what was doubled.
    pub doubled_ids: Vec<String>,
}

impl Verdict {
    /// Nothing lost and nothing doubled.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.doubled == 0
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The oracle cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The oracle is not one.
    #[error("line {line}: {what}")]
    Oracle {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The hub refuses to answer.
    #[error("the hub answers {status} (hint: a token that may read events)")]
    Refused {
        /// Its status.
        status: StatusCode,
    },
    /// The hub did not answer for the whole waiting time.
    #[error("cannot ask the hub")]
    Ask(#[source] reqwest::Error),
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    device: String,
    id: String,
    seq: u64,
}

/// Reads the store until everything is found, or nothing more comes.
pub async fn run(question: &Question) -> Result<Verdict, VerifyError> {
    let text = std::fs::read_to_string(&question.acked).map_err(|source| VerifyError::Read {
        path: question.acked.display().to_string(),
        source,
    })?;
    let mut expected = Expected::read(&text)?;
    let client = reqwest::Client::builder()
        .timeout(ANSWER)
        .build()
        .map_err(VerifyError::Ask)?;
    let url = format!("{}/api/v1/events", question.api.trim_end_matches('/'));
    let (mut after, mut read) = (question.after_seq, 0);
    let mut progress_at = Instant::now();
    loop {
        let waited_long = progress_at.elapsed() >= question.wait;
        match page(&client, &url, &question.token, after).await {
            Ok(page) if page.items.is_empty() => {
                if expected.missing == 0 || waited_long {
                    return Ok(expected.verdict(read));
                }
                sleep(PAUSE).await;
            }
            Ok(page) => {
                let missing = expected.missing;
                for item in page.items {
                    expected.seen(&item.device, &item.id);
                    after = after.max(item.seq);
                    read += 1;
                }
                if expected.missing < missing {
                    progress_at = Instant::now();
                }
            }
            Err(VerifyError::Ask(e)) if !waited_long => {
                tracing::debug!(error = %e, "the hub does not answer yet");
                sleep(PAUSE).await;
            }
            Err(e) => return Err(e),
        }
    }
}

async fn page(
    client: &reqwest::Client,
    url: &str,
    token: &str,
    after: u64,
) -> Result<Page, VerifyError> {
    let answer = client
        .get(url)
        .query(&[("after_seq", after), ("limit", PAGE.into())])
        .bearer_auth(token)
        .send()
        .await
        .map_err(VerifyError::Ask)?;
    let status = answer.status();
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return Err(VerifyError::Refused { status });
    }
    answer
        .error_for_status()
        .map_err(VerifyError::Ask)?
        .json()
        .await
        .map_err(VerifyError::Ask)
}

/// How often each acknowledged message was seen.
struct Expected<'a> {
    seen: HashMap<&'a str, u32>,
    missing: usize,
    key: String,
}

impl<'a> Expected<'a> {
    fn read(text: &'a str) -> Result<Self, VerifyError> {
        let mut seen = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let wrong = |what| VerifyError::Oracle { line: at + 1, what };
            let (device, id) = line
                .split_once(' ')
                .ok_or_else(|| wrong("it is not `device id`"))?;
            if device.is_empty() || id.is_empty() {
                return Err(wrong("it is not `device id`"));
            }
            if seen.insert(line, 0).is_some() {
                return Err(wrong("the same message was acknowledged before"));
            }
        }
        Ok(Self {
            missing: seen.len(),
            seen,
            key: String::new(),
        })
    }

    /// An event of the store. Those that nobody waits for are of no interest.
    fn seen(&mut self, device: &str, id: &str) {
        self.key.clear();
        // writing to a String does not fail
        let _ = write!(self.key, "{device} {id}");
        if let Some(times) = self.seen.get_mut(self.key.as_str()) {
            self.missing -= usize::from(*times == 0);
            *times += 1;
        }
    }

    fn verdict(&self, events_read: u64) -> Verdict {
        let which = |wanted: fn(u32) -> bool| {
            let mut ids: Vec<String> = self
                .seen
                .iter()
                .filter(|(_, times)| wanted(**times))
                .map(|(line, _)| (*line).to_owned())
                .collect();
            ids.sort_unstable();
            ids
        };
        let (mut lost, mut doubled) = (which(|times| times == 0), which(|times| times > 1));
        let verdict = Verdict {
            acknowledged: self.seen.len() as u64,
            found: (self.seen.len() - lost.len()) as u64,
            lost: lost.len() as u64,
            doubled: doubled.len() as u64,
            events_read,
            ..Verdict::default()
        };
        lost.truncate(NAMED_MAX);
        doubled.truncate(NAMED_MAX);
        Verdict {
            lost_ids: lost,
            doubled_ids: doubled,
            ..verdict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(acked: &str, stored: &[(&str, &str)], lost: &[&str], doubled: &[&str]) {
        let mut expected = Expected::read(acked).expect("an oracle");
        for (device, id) in stored {
            expected.seen(device, id);
        }
        let verdict = expected.verdict(stored.len() as u64);
        assert_eq!(verdict.lost_ids, lost);
        assert_eq!(verdict.doubled_ids, doubled);
        assert_eq!(verdict.lost, lost.len() as u64);
        assert_eq!(expected.missing, lost.len());
        assert_eq!(verdict.is_good(), lost.is_empty() && doubled.is_empty());
    }

    #[test]
    fn everything_once_is_good_and_others_do_not_matter() {
        let stored = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "tele:x")];
        check("a 1\na 2\nb 1\n", &stored, &[], &[]);
    }

    #[test]
    fn what_is_lost_or_doubled_is_named() {
        let stored = [("a", "1"), ("a", "1"), ("a", "1"), ("b", "1")];
        check("a 1\na 2\nb 1\nb 2\n", &stored, &["a 2", "b 2"], &["a 1"]);
    }

    #[test]
    fn the_same_id_of_another_device_is_another_message() {
        check("a 1\n", &[("b", "1")], &["a 1"], &[]);
    }

    #[test]
    fn a_broken_oracle_is_refused_with_its_line() {
        for (text, line) in [("a 1\nb\n", 2), ("a 1\nb 1\na 1\n", 3), (" 1\n", 1)] {
            match Expected::read(text) {
                Err(VerifyError::Oracle { line: found, .. }) => assert_eq!(found, line),
                _ => panic!("{text:?} is no oracle"),
            }
        }
    }
}
