//! MQTT over WebSocket (MQTT 5.0 §6, RFC 6455): path `/mqtt`, subprotocol `mqtt`, binary messages whose borders mean nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{
    HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::tungstenite::http::uri::Authority;
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Refused;

const PATH: &str = "/mqtt";
const SUBPROTOCOL: &str = "mqtt";
/// Largest message that we send, in bytes.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// The fixed header of an MQTT packet, in bytes, at most.
const HEADER_BYTES_MAX: usize = 5;

/// From which pages a browser may connect. Other clients send no `Origin` and are not asked.
#[derive(Debug, Default)]
pub struct Origins(Vec<String>);

/// A text that is no origin.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an origin (hint: as in https://station.example:8443, without a path)")]
pub struct BadOrigin(String);

impl Origins {
    /// Those listed and no others; with an empty list those pages whose host is the one that was connected to.
    ///
    /// # Errors
    /// A text that is not `scheme://host` or `scheme://host:port`.
    pub fn new(listed: &[String]) -> Result<Self, BadOrigin> {
        let listed = listed.iter().map(|text| match host_of_origin(text) {
            Some(_) => Ok(text.to_ascii_lowercase()),
            None => Err(BadOrigin(text.clone())),
        });
        Ok(Self(listed.collect::<Result<_, _>>()?))
    }

    fn allow(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else {
            return false;
        };
        if !self.0.is_empty() {
            return self.0.contains(&origin);
        }
        let host = host
            .and_then(|h| h.to_str().ok())
            .and_then(|h| h.to_ascii_lowercase().parse::<Authority>().ok());
        match (host_of_origin(&origin), host) {
            (Some(of_page), Some(ours)) => of_page == ours.host(),
            _ => false,
        }
    }
}

/// The host in lower case, if the text is an origin.
fn host_of_origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let uri: Uri = text.parse().ok()?;
    let is_origin = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https")
        && !rest.contains(['/', '?', '#', '@']);
    let host = uri.host().filter(|host| !host.is_empty())?;
    is_origin.then(|| host.to_ascii_lowercase())
}

/// The server's part of the opening handshake.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origins: &Origins,
    packet_bytes_max: usize,
) -> Result<MessageStream<S>, Refused> {
    let bytes_max = packet_bytes_max + HEADER_BYTES_MAX;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * SEND_BYTES_MAX)
        .max_message_size(Some(bytes_max))
        .max_frame_size(Some(bytes_max));
    #[expect(
        clippy::result_large_err,
        reason = "the crate's callback has this shape"
    )]
    let decide = |request: &Request, response: Response| answer(request, response, origins);
    let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, decide, Some(config))
        .await
        .map_err(|e| Refused::WebSocket(e.to_string()))?;
    Ok(MessageStream {
        socket,
        rest: Bytes::new(),
        is_flushed: true,
    })
}

#[expect(
    clippy::result_large_err,
    reason = "the crate's callback has this shape"
)]
fn answer(
    request: &Request,
    mut response: Response,
    origins: &Origins,
) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    if request.uri().path() != PATH {
        return Err(refusal(StatusCode::NOT_FOUND, "MQTT is at /mqtt\n"));
    }
    let is_allowed = |origin| origins.allow(origin, headers.get(HOST));
    if !headers.get_all(ORIGIN).iter().all(is_allowed) {
        let what = "this page may not connect (hint: `mqtt.ws_origins`)\n";
        return Err(refusal(StatusCode::FORBIDDEN, what));
    }
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let is_offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL);
    if !is_offered {
        let what = "the subprotocol `mqtt` is not offered\n";
        return Err(refusal(StatusCode::BAD_REQUEST, what));
    }
    response.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(response)
}

fn refusal(status: StatusCode, what: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(what.to_owned()));
    *response.status_mut() = status;
    let headers: [(HeaderName, HeaderValue); 3] = [
        (
            HeaderName::from_static("content-length"),
            HeaderValue::from(what.len()),
        ),
        (
            HeaderName::from_static("content-type"),
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            HeaderName::from_static("connection"),
            HeaderValue::from_static("close"),
        ),
    ];
    response.headers_mut().extend(headers);
    response
}

/// The bytes of all binary messages, one after the other.
pub(super) struct MessageStream<S: AsyncRead + AsyncWrite + Unpin> {
    socket: WebSocketStream<S>,
    /// What of the last message is not read yet.
    rest: Bytes,
    /// Whether the stream below has all that was written; nobody above flushes.
    is_flushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageStream<S> {
    fn flush_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_flushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            flushed.map_err(broken)?;
            self.is_flushed = true;
        }
        Ok(())
    }

    /// Says why and ends the stream.
    fn refuse(&mut self, cx: &mut Context<'_>, code: CloseCode, what: &'static str) -> io::Error {
        let frame = CloseFrame {
            code,
            reason: what.into(),
        };
        // it is being turned away: whether it hears why is its own affair
        if Pin::new(&mut self.socket)
            .start_send(Message::Close(Some(frame)))
            .is_ok()
        {
            let _ = Pin::new(&mut self.socket).poll_flush(cx);
        }
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(e) => e,
        other => io::Error::other(other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MessageStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.flush_on(cx)?;
        loop {
            if !self.rest.is_empty() {
                let n = self.rest.len().min(buf.remaining());
                buf.put_slice(&self.rest.split_to(n));
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(_))) => {
                    let what = "MQTT is in binary messages";
                    return Poll::Ready(Err(self.refuse(cx, CloseCode::Unsupported, what)));
                }
                // answered below us
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Err(Error::Capacity(_))) => {
                    let what = "the message is too large";
                    return Poll::Ready(Err(self.refuse(cx, CloseCode::Size, what)));
                }
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
                    let what = "not as RFC 6455 has it";
                    return Poll::Ready(Err(self.refuse(cx, CloseCode::Protocol, what)));
                }
                Some(Err(e)) => return Poll::Ready(Err(broken(e))),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MessageStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let taken = &bytes[..bytes.len().min(SEND_BYTES_MAX)];
        let message = Message::Binary(Bytes::copy_from_slice(taken));
        Pin::new(&mut self.socket)
            .start_send(message)
            .map_err(broken)?;
        self.is_flushed = false;
        self.flush_on(cx)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(broken)?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(broken)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for MessageStream<S> {
    fn drop(&mut self) {
        // says good-bye if the stream below takes it at once
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.socket).poll_close(&mut cx);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    use super::*;

    #[tokio::test]
    async fn what_was_written_leaves_while_the_other_side_is_read() {
        // takes far less than is written at once
        let (ours, theirs) = tokio::io::duplex(512);
        let mut request = "ws://hub.test/mqtt".into_client_request().expect("a URL");
        let mqtt = HeaderValue::from_static("mqtt");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, mqtt);
        let origins = Origins::default();
        let (accepted, connected) = tokio::join!(
            accept(ours, &origins, 1024),
            tokio_tungstenite::client_async(request, theirs)
        );
        let mut stream = accepted.map_err(|_| "refused").expect("accepted");
        let (mut client, _) = connected.expect("connected");
        stream.write_all(&[7; 8000]).await.expect("taken");
        tokio::spawn(async move { stream.read(&mut [0; 16]).await });
        let next = tokio::time::timeout(Duration::from_secs(20), client.next()).await;
        let message = next.expect("in time").expect("open").expect("good");
        assert_eq!(message.into_data(), vec![7; 8000]);
    }
}
