//! A web hook: one POST per message, sent again until it is taken, as platforms and cameras do.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::Said;

/// How often a message is sent before it is given up.
const TRIES: u32 = 4;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where messages go, and who says so.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The address, such as `http://127.0.0.1:8090`; a path in it stands before that of each message.
    pub url: String,
    /// Account and secret, for Basic authentication; none where the address has them in its path.
    pub login: Option<(String, String)>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Taken, after so many tries.
    Taken(u32),
    /// Not taken: the last status, or none where nobody answered.
    Refused(Option<u16>),
}

impl Hook {
    /// Sends a message until it is taken, or given up.
    pub async fn post(&self, client: &reqwest::Client, said: &Said) -> anyhow::Result<Door> {
        let url = format!(
            "{}/{}",
            self.url.trim_end_matches('/'),
            said.to.trim_start_matches('/')
        );
        let mut last = None;
        for tried in 1..=TRIES {
            let mut request = client
                .post(&url)
                .timeout(PATIENCE)
                .body(said.payload.clone());
            if let Some(kind) = &said.content_type {
                request = request.header("content-type", kind);
            }
            if let Some((account, secret)) = &self.login {
                request = request.basic_auth(account, Some(secret));
            }
            let request = request
                .build()
                .with_context(|| format!("`{}` is no address", self.url))?;
            last = client
                .execute(request)
                .await
                .ok()
                .map(|answer| answer.status().as_u16());
            match last {
                Some(status) if (200..300).contains(&status) => return Ok(Door::Taken(tried)),
                // who may not send at all need not try again
                Some(status) if (400..500).contains(&status) && status != 408 && status != 429 => {
                    break;
                }
                _ if tried < TRIES => sleep(PAUSE).await,
                _ => {}
            }
        }
        Ok(Door::Refused(last))
    }
}
