//! Devices that are asked over HTTP: Hikvision's ISAPI, with digest authentication (RFC 7616).

use std::sync::Arc;
use std::time::Duration;

use digest_auth::{AuthContext, HttpMethod};
use domain::device_command::Action;
use reqwest::{Client, Response, StatusCode, header};

/// Longest time for the first request, which a device answers with its challenge and carries nothing out.
const CHALLENGE_WITHIN: Duration = Duration::from_secs(4);

/// A device that is asked over HTTP.
#[derive(Clone)]
pub struct Target {
    /// Without redirects: a device that sends elsewhere is not asked there.
    client: Client,
    url: Arc<str>,
    user: Arc<str>,
    password: Arc<str>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The device says that it has done it.
    Done,
    /// It would not.
    Refused(String),
    /// It has certainly not been asked.
    NotSent(String),
    /// It may have been asked.
    NoAnswer(String),
}

/// Path and body for an action at one of its doors; none for one that cannot be said.
fn request(action: Action, number: u16) -> Option<(String, String)> {
    const DOOR: &str = "/ISAPI/AccessControl/RemoteControl/door";
    const BARRIER: &str = "/ISAPI/Parking/channels/1/barrierGate";
    let door = |cmd: &str| {
        let body = format!(
            r#"<RemoteControlDoor version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><cmd>{cmd}</cmd></RemoteControlDoor>"#
        );
        (format!("{DOOR}/{number}"), body)
    };
    let barrier = |mode: &str| {
        let body = format!("<BarrierGate><ctrlMode>{mode}</ctrlMode></BarrierGate>");
        (BARRIER.to_owned(), body)
    };
    Some(match action {
        Action::OpenDoor | Action::Unlock => door("open"),
        Action::HoldOpen => door("alwaysOpen"),
        Action::Lock => door("close"),
        Action::Raise if number == 1 => barrier("open"),
        Action::Lower if number == 1 => barrier("close"),
        _ => return None,
    })
}

impl Target {
    /// A device at an address such as `http://10.20.0.9`.
    ///
    /// # Errors
    /// A client that cannot be made.
    pub fn new(url: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').into(),
            user: user.into(),
            password: password.into(),
        })
    }

    /// Whether an action can be said to this door of it.
    pub fn says(&self, action: Action, door: u16) -> bool {
        request(action, door).is_some()
    }

    /// Asks, within the time that is left. The first request carries no proof of who asks, so that no device acts on it; the second one does.
    pub async fn ask(&self, action: Action, door: u16, left: Duration) -> Outcome {
        let begun = tokio::time::Instant::now();
        let Some((path, body)) = request(action, door) else {
            return Outcome::NotSent("not_supported".to_owned());
        };
        let within = left.min(CHALLENGE_WITHIN);
        let first = match self.put(&path, None, &body, within).await {
            Ok(first) => first,
            Err(e) if e.is_connect() => return Outcome::NotSent(plain(&e)),
            // one that asks nobody who they are may have acted
            Err(e) => return Outcome::NoAnswer(plain(&e)),
        };
        if first.status() != StatusCode::UNAUTHORIZED {
            // a device that asks nobody who they are has acted on the first
            return outcome(&first);
        }
        let challenge = first.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok());
        let Some(proof) = challenge.and_then(|text| self.proof(text, &path, &body)) else {
            return Outcome::NotSent("no_digest_challenge".to_owned());
        };
        let Some(left) = left
            .checked_sub(begun.elapsed())
            .filter(|left| !left.is_zero())
        else {
            return Outcome::NotSent("too_late".to_owned());
        };
        match self.put(&path, Some(&proof), &body, left).await {
            Ok(second) => outcome(&second),
            Err(e) if e.is_connect() => Outcome::NotSent(plain(&e)),
            Err(e) => Outcome::NoAnswer(plain(&e)),
        }
    }

    fn proof(&self, challenge: &str, path: &str, body: &str) -> Option<String> {
        let mut prompt = digest_auth::parse(challenge).ok()?;
        let context = AuthContext::new_with_method(
            &*self.user,
            &*self.password,
            path,
            Some(body.as_bytes()),
            HttpMethod::PUT,
        );
        Some(prompt.respond(&context).ok()?.to_header_string())
    }

    async fn put(
        &self,
        path: &str,
        proof: Option<&str>,
        body: &str,
        within: Duration,
    ) -> reqwest::Result<Response> {
        let mut request = self
            .client
            .put(format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, "application/xml")
            .timeout(within)
            .body(body.to_owned());
        if let Some(proof) = proof {
            request = request.header(header::AUTHORIZATION, proof);
        }
        request.send().await
    }
}

fn outcome(response: &Response) -> Outcome {
    match response.status() {
        status if status.is_success() => Outcome::Done,
        StatusCode::UNAUTHORIZED => Outcome::Refused("wrong_credentials".to_owned()),
        status => Outcome::Refused(format!("http_{}", status.as_u16())),
    }
}

/// An error without the address, which may stand in a log that others read.
fn plain(error: &reqwest::Error) -> String {
    let word = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "unreachable"
    } else {
        "connection_broken"
    };
    word.to_owned()
}
