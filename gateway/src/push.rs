//! The door for web hooks: devices and platforms that speak HTTP instead of MQTT. What comes is journalled as it is, and answered with 2xx
//! once it is on disk, however odd it is; only whoever may not send at all hears something else.
//!
//! Who it is: the account of a bridge and its secret, as HTTP Basic authentication (RFC 7617) or as the first two segments of the path
//! (`/zigbee-q1/the-secret/whatever/the/device/adds`), because many devices can be given an address and nothing else.
//!
//! Platforms that ask before they deliver (`OPTIONS` with `WebHook-Request-Origin`, CloudEvents' "HTTP 1.1 Web Hooks for Event Delivery" 1.0.1,
//! section 4) are told that they may; who they are is asked of them as of everybody.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::{IncomingStream, Listener};
use base64::Engine as _;
use dashboard_api::Proxies as Networks;
use domain::{Timestamp, Uplink, UplinkExtra, UplinkFlags};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use store::journal::{AppendError, Journal};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::adapters::format::Reply;
use crate::adapters::message::{Door, Message};
use crate::adapters::onenet::signature::Token;
use crate::adapters::properties::{self, Carried};
use crate::adapters::{Bridges, foreign, lane_of, text};
use crate::clock::Clock;
use crate::listener::{Directory, PrincipalKind};

/// Longest body, in bytes: an event of a camera with its pictures.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest path with its query, in bytes; a topic has at most 512.
const TARGET_BYTES_MAX: usize = 400;
/// How long a request may take until its last byte.
const READ: Duration = Duration::from_secs(30);
/// How often the question of a terminal for commands is kept, which tells nothing but that it is there.
const ASKED_EVERY: Duration = Duration::from_mins(1);
/// Terminals whose questions are remembered; of more of them no question is kept.
const ASKED_MAX: usize = 4096;
/// Connections at one time.
const CONNECTIONS_MAX: usize = 512;
/// How long one may be silent: a sender that keeps its line open connects again.
const IDLE: Duration = Duration::from_mins(1);
/// Requests at one time; what comes beyond waits.
const REQUESTS_MAX: usize = 64;
/// How somebody may say who it is: many senders wait until they are asked.
const ASKED_FOR: &str = "Basic realm=\"jiming\", charset=\"UTF-8\"";
/// Headers that are kept beside the content type: those of `CloudEvents` in binary mode.
const KEPT: &str = "ce-";
/// Most headers that are kept.
const KEPT_MAX: usize = 64;

/// Whose events somebody wants to deliver, and how many a minute; and the answers to both.
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// What the door needs.
pub struct Push {
    /// Where it goes.
    pub journal: Journal,
    /// Who may send.
    pub accounts: Arc<dyn Directory>,
    /// In which format.
    pub bridges: Arc<Bridges>,
    /// Who is known by a serial number, from where.
    pub terminals: Vec<Terminals>,
    /// Whose pushes must be signed, and with what.
    pub tokens: HashMap<String, Token>,
    /// The hub's clock.
    pub clock: Clock,
}

/// Terminals that push to a path of their own and can carry no secret.
pub struct Terminals {
    /// The bridge that they are.
    pub account: String,
    /// Their serial numbers.
    pub serials: Vec<String>,
    /// From where they may come.
    pub networks: Networks,
}

struct Porch {
    push: Push,
    places: Semaphore,
    /// When the last question of a terminal was kept, by its account and its serial number.
    asked: Mutex<HashMap<(String, String), Instant>>,
}

/// The port: so many connections, none of which may be silent for long.
struct Port {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Listener for Port {
    type Io = Patient<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // further ones wait in the system's queue
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (socket, peer) = Listener::accept(&mut self.listener).await;
        (Patient::new(socket, IDLE, place), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Port>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A stream that fails when its other end neither sends nor takes anything for some time.
struct Patient<S> {
    stream: S,
    idle: Duration,
    ends: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<S> Patient<S> {
    fn new(stream: S, idle: Duration, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            stream,
            idle,
            ends: Box::pin(sleep(idle)),
            _place: place,
        }
    }

    /// What came of it, and how long it may take until the next.
    fn watched<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let next = Instant::now() + self.idle;
            self.ends.as_mut().reset(next);
            return polled;
        }
        self.ends
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        self.watched(polled, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watched(polled, context)
    }
}

/// Answers web hooks until `stop`.
///
/// # Errors
/// A port that fails.
pub async fn serve(
    listener: TcpListener,
    push: Push,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let door = Arc::new(Porch {
        push,
        places: Semaphore::new(REQUESTS_MAX),
        asked: Mutex::default(),
    });
    let app = Router::new().fallback(take).with_state(door);
    let app = app.into_make_service_with_connect_info::<Peer>();
    let port = Port {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    axum::serve(port, app)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await?;
    Ok(())
}

/// Who sent a request, and what is left of its path.
struct Sent {
    account: String,
    target: String,
}

async fn take(
    State(door): State<Arc<Porch>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let Ok(_place) = door.places.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match tokio::time::timeout(READ, door.take(request, peer)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(refused)) => {
            metrics::counter!("hub_push_refused_total", "status" => refused.0.as_u16().to_string())
                .increment(1);
            debug!(network.peer = %peer, http.status = refused.0.as_u16(), "web hook refused");
            let mut response = refused.into_response();
            if refused.0 == StatusCode::UNAUTHORIZED {
                let basic = HeaderValue::from_static(ASKED_FOR);
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, basic);
            }
            response
        }
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body took too long\n").into_response(),
    }
}

type Refused = (StatusCode, &'static str);

impl Porch {
    async fn take(&self, request: Request, peer: SocketAddr) -> Result<Response, Refused> {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |all| all.as_str());
        let sent = self.sender(request.headers(), target, peer).ok_or((
            StatusCode::UNAUTHORIZED,
            "who are you? (hint: the account and the secret of a bridge, by Basic authentication or as /account/secret/ before the path)\n",
        ))?;
        if sent.target.len() > TARGET_BYTES_MAX {
            return Err((
                StatusCode::URI_TOO_LONG,
                "the path is longer than 400 bytes\n",
            ));
        }
        if request.method() == Method::OPTIONS {
            return Ok(may_deliver(request.headers()));
        }
        let asks = request.method() == Method::GET || request.method() == Method::HEAD;
        let carried = carried(request.headers());
        let body = body(request.into_body()).await?;
        let token = self.push.tokens.get(&sent.account);
        if token.is_some_and(|token| !token.signed(&sent.target, &body)) {
            warn!(network.peer = %peer, account = sent.account, "a push was not signed with the account's token (hint: `onenet_token_file`)");
            return Err((
                StatusCode::FORBIDDEN,
                "not signed with the token of this account (hint: the token of the data push, in `onenet_token_file`)\n",
            ));
        }
        let received_at = self.push.clock.now();
        // a question tells nothing, but that a terminal is there
        let is_question = asks && body.is_empty();
        if !is_question || self.is_due(&sent) {
            self.keep(&sent, &carried, body.clone(), received_at)
                .await?;
        }
        let reply = self.reply(sent, carried, body, received_at).await;
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
        let kind = [(header::CONTENT_TYPE, reply.content_type)];
        Ok((status, kind, reply.body).into_response())
    }

    /// Whether a question is one of a terminal, and it is time to keep one again.
    fn is_due(&self, sent: &Sent) -> bool {
        let path = sent.target.split('?').next().unwrap_or_default();
        let Some(serial) = serial(&sent.target).filter(|_| path.contains("/iclock/")) else {
            return false;
        };
        let now = Instant::now();
        let is_early = |last: &Instant| now.duration_since(*last) < ASKED_EVERY;
        let mut asked = self.asked.lock();
        if asked.len() >= ASKED_MAX {
            asked.retain(|_, last| is_early(last));
        }
        let terminal = (sent.account.clone(), text::clip(&serial, 64));
        if asked.get(&terminal).is_some_and(is_early) || asked.len() >= ASKED_MAX {
            return false;
        }
        asked.insert(terminal, now);
        true
    }

    /// Journals what was sent; whoever sent it hears of it only afterwards.
    async fn keep(
        &self,
        sent: &Sent,
        carried: &Carried,
        body: bytes::Bytes,
        received_at: Timestamp,
    ) -> Result<(), Refused> {
        let topic = format!("{}{}{}", foreign::HTTP, sent.account, sent.target);
        let uplink = Uplink {
            received_at,
            principal: sent.account.clone(),
            epoch: 0,
            flags: UplinkFlags::new(1),
            extra: Some(Box::new(UplinkExtra {
                properties: properties::write(carried),
                ..UplinkExtra::default()
            })),
            payload: body,
            topic,
        };
        metrics::counter!("hub_push_messages_total").increment(1);
        let lane = lane_of(&uplink.topic, &self.push.bridges.formats);
        match self.push.journal.append_durable(lane, uplink).await {
            Ok(()) => Ok(()),
            Err(AppendError::TooLarge) => {
                Err((StatusCode::PAYLOAD_TOO_LARGE, "too long for the journal\n"))
            }
            Err(_) => Err((
                StatusCode::SERVICE_UNAVAILABLE,
                "not on disk, send it again\n",
            )),
        }
    }

    fn sender(&self, headers: &HeaderMap, target: &str, peer: SocketAddr) -> Option<Sent> {
        if let Some((account, secret)) = basic(headers) {
            return self.is_bridge(&account, &secret).then(|| Sent {
                account,
                target: target.to_owned(),
            });
        }
        if let Some(account) = self.terminal(target, peer) {
            return Some(Sent {
                account: account.to_owned(),
                target: target.to_owned(),
            });
        }
        let mut parts = target.splitn(4, '/').skip(1);
        let (account, secret) = (parts.next()?, parts.next()?);
        let rest = parts.next().unwrap_or_default();
        // a query may follow the secret at once
        let (secret, query) = secret
            .split_once('?')
            .map_or((secret, None), |(s, q)| (s, Some(q)));
        self.is_bridge(account, secret).then(|| Sent {
            account: account.to_owned(),
            target: match query {
                Some(query) => format!("/?{query}"),
                None => format!("/{rest}"),
            },
        })
    }

    /// The bridge of a terminal that says its serial number, one of those configured, and comes from where it stands.
    fn terminal(&self, target: &str, peer: SocketAddr) -> Option<&str> {
        let serial = serial(target)?;
        let known = self.push.terminals.iter().find(|terminals| {
            terminals.serials.contains(&serial) && terminals.networks.contain(peer.ip())
        });
        known.map(|terminals| terminals.account.as_str())
    }

    fn is_bridge(&self, account: &str, secret: &str) -> bool {
        let known = self.push.accounts.authenticate(account, secret.as_bytes());
        known.is_some_and(|principal| principal.kind == PrincipalKind::Bridge)
    }

    /// What the sender's format wants to hear.
    async fn reply(
        &self,
        sent: Sent,
        carried: Carried,
        body: bytes::Bytes,
        received_at: Timestamp,
    ) -> Reply {
        let bridges = Arc::clone(&self.push.bridges);
        let reply = move || {
            let bridge = bridges.by_account.get(&sent.account);
            let zone = bridge.map_or(TimeZone::UTC, |bridge| bridge.zone.clone());
            let door = Door::Http {
                target: &sent.target,
            };
            let mut message = Message::new(door, &body, received_at, &zone);
            message.content_type = carried.content_type.as_deref();
            message.headers = &carried.user;
            let only = bridge
                .map(|bridge| bridge.formats.as_slice())
                .unwrap_or_default();
            let format = bridges.formats.of(&message, only);
            format.map_or_else(Reply::default, |format| format.reply(&message))
        };
        // the program of a declared adapter may take its time
        let replied = tokio::task::spawn_blocking(reply).await;
        replied.unwrap_or_default()
    }
}

/// The serial number that a terminal says of itself.
fn serial(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = text::form_pairs(query);
    let (_, serial) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("SN"))?;
    Some(serial)
}

/// Leave to deliver, for whoever asks for it. At any rate: what is too much waits here (`REQUESTS_MAX`). `WebHook-Request-Callback` is not
/// called, since the answer is given at once, and the hub asks no address that somebody else names.
fn may_deliver(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let told = response.headers_mut();
    told.insert(
        header::ALLOW,
        HeaderValue::from_static("GET, OPTIONS, POST, PUT"),
    );
    if let Some(origin) = asked.get(REQUEST_ORIGIN) {
        told.insert(ALLOWED_ORIGIN, origin.clone());
        if asked.contains_key(REQUEST_RATE) {
            told.insert(ALLOWED_RATE, HeaderValue::from_static("*"));
        }
    }
    response
}

/// `Authorization: Basic …`
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(coded.trim())
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (account, secret) = text.split_once(':')?;
    Some((account.to_owned(), secret.to_owned()))
}

fn carried(headers: &HeaderMap) -> Carried {
    let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
    Carried {
        content_type: headers.get(header::CONTENT_TYPE).and_then(text),
        user: headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(KEPT))
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
            .take(KEPT_MAX)
            .collect(),
    }
}

async fn body(body: Body) -> Result<bytes::Bytes, Refused> {
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 8 MiB, or was cut off\n",
        )
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_line_that_is_silent_ends_and_one_that_speaks_goes_on() {
        let (mut far, near) = tokio::io::duplex(64);
        let idle = Duration::from_millis(300);
        let mut near = Patient::new(near, idle, None);
        let mut byte = [0];
        for _ in 0..4 {
            tokio::time::sleep(idle / 3).await;
            far.write_all(b"x").await.expect("written");
            near.read_exact(&mut byte).await.expect("it spoke in time");
        }
        let silent = near.read_exact(&mut byte).await.expect_err("silent");
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }
}
