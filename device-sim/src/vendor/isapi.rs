//! The port of a Hikvision device itself: a small HTTP server that asks for digest authentication and hands what is asked of it to
//! whoever plays the device. One request per connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::digest::Account;

/// Longest request, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at one time.
const CONNECTIONS_MAX: usize = 32;
/// Questions that are not answered yet; the oldest go first.
const NONCES_MAX: usize = 64;

/// What was asked of a device, by somebody who may.
#[derive(Debug)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    /// Where the answer goes; dropped for none.
    pub answer: oneshot::Sender<Told>,
}

/// What a device tells whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is done, as far as it says.
    Done,
    /// It is not, and why.
    Refused(String),
    /// There is no such thing.
    Unknown,
}

impl Told {
    fn response(&self, path: &str) -> String {
        let (status, code, word) = match self {
            Self::Done => ("200 OK", 1, "OK"),
            Self::Refused(_) => ("403 Forbidden", 4, "Invalid Operation"),
            Self::Unknown => ("404 Not Found", 4, "Invalid Operation"),
        };
        let sub = match self {
            Self::Done => "ok",
            Self::Refused(reason) => reason,
            Self::Unknown => "notSupport",
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ResponseStatus version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\
            <requestURL>{}</requestURL><statusCode>{code}</statusCode><statusString>{word}</statusString>\
            <subStatusCode>{}</subStatusCode></ResponseStatus>\n",
            escaped(path),
            escaped(sub)
        );
        response(status, "", &body)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn response(status: &str, header: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

struct Port {
    account: Account,
    asked: mpsc::Sender<Asked>,
    nonces: Mutex<VecDeque<String>>,
}

/// Serves a device's port for as long as the future lives.
pub async fn serve(listener: TcpListener, account: Account, asked: mpsc::Sender<Asked>) {
    let port = Arc::new(Port {
        account,
        asked,
        nonces: Mutex::default(),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let port = Arc::clone(&port);
        connections.spawn(async move {
            let _place = place;
            // whoever is too slow or too long hears nothing
            let _ = timeout(PATIENCE, port.connection(stream)).await;
        });
    }
}

/// A request as it came.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

impl Port {
    async fn connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut came = Vec::new();
        let request = loop {
            if let Some(request) = request_in(&came) {
                break request;
            }
            if came.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut came).await? == 0 {
                return Ok(());
            }
        };
        if let Some(answer) = self.answer(request).await {
            stream.write_all(answer.as_bytes()).await?;
        }
        stream.shutdown().await
    }

    async fn answer(&self, request: Request) -> Option<String> {
        if !self.is_known(&request).await {
            let nonce = format!("{:032x}", rand::random::<u128>());
            let question = self.account.question(&nonce);
            let mut nonces = self.nonces.lock().await;
            if nonces.len() >= NONCES_MAX {
                nonces.pop_front();
            }
            nonces.push_back(nonce);
            let header = format!("WWW-Authenticate: {question}\r\n");
            return Some(response("401 Unauthorized", &header, ""));
        }
        if request.method != "PUT" {
            return Some(Told::Unknown.response(&request.path));
        }
        let (answer, told) = oneshot::channel();
        let path = request.path.clone();
        let asked = Asked {
            path: request.path,
            body: request.body,
            answer,
        };
        self.asked.send(asked).await.ok()?;
        Some(told.await.ok()?.response(&path))
    }

    /// Whether the request answers a question of ours, which counts once.
    async fn is_known(&self, request: &Request) -> bool {
        let mut nonces = self.nonces.lock().await;
        let answers = |nonce: &String| {
            self.account.has_answered(
                &request.authorization,
                nonce,
                &request.method,
                &request.path,
            )
        };
        let Some(at) = nonces.iter().position(answers) else {
            return false;
        };
        nonces.remove(at);
        true
    }
}

/// The request that came, when it is whole.
fn request_in(came: &[u8]) -> Option<Request> {
    let end = came.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&came[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (
        first.next()?.to_owned(),
        first.next().unwrap_or_default().to_owned(),
    );
    let header = |name: &str| {
        let mut found = head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let found = found.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length")
        .and_then(|value| value.parse::<usize>().ok())
        .unwrap_or_default();
    let body = came.get(end + 4..)?;
    Some(Request {
        method,
        path,
        authorization: header("authorization").unwrap_or_default(),
        body: body.get(..length)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let text = b"PUT /ISAPI/x HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 3\r\nAuthorization: Digest a=b\r\n\r\nabcd";
        for end in 0..text.len() - 1 {
            assert_eq!(request_in(&text[..end]), None, "{end}");
        }
        let request = request_in(text).expect("whole");
        assert_eq!(
            (
                request.method.as_str(),
                request.path.as_str(),
                &request.body[..]
            ),
            ("PUT", "/ISAPI/x", &b"abc"[..])
        );
        assert_eq!(request.authorization, "Digest a=b");
    }

    #[tokio::test]
    async fn whoever_has_no_password_opens_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let (sender, mut asked) = mpsc::channel(4);
        let account = Account {
            realm: "DS-K1T".to_owned(),
            user: "admin".to_owned(),
            password: "geheim".to_owned(),
        };
        let server = tokio::spawn(serve(listener, account.clone(), sender));
        let url = format!("http://{address}/ISAPI/AccessControl/RemoteControl/door/1");
        let client = reqwest::Client::new();
        let put = |header: Option<String>| {
            let request = client.put(&url).body("<cmd>open</cmd>");
            match header {
                Some(header) => request.header("authorization", header),
                None => request,
            }
            .send()
        };
        let answer = put(None).await.expect("answers");
        assert_eq!(answer.status(), 401);
        let question = answer.headers()["www-authenticate"]
            .to_str()
            .expect("text")
            .to_owned();
        let nonce = question
            .split("nonce=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a nonce");
        let header = |password: &str| {
            let path = "/ISAPI/AccessControl/RemoteControl/door/1";
            let who = Account {
                password: password.to_owned(),
                ..account.clone()
            };
            let response = who.response(nonce, "00000001", "c", "PUT", path);
            format!(
                "Digest username=\"admin\", realm=\"DS-K1T\", nonce=\"{nonce}\", uri=\"{path}\", qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\""
            )
        };
        assert_eq!(
            put(Some(header("falsch"))).await.expect("answers").status(),
            401
        );
        let (answer, ()) = tokio::join!(put(Some(header("geheim"))), async {
            let asked = asked.recv().await.expect("is asked");
            assert_eq!(
                (asked.path.ends_with("door/1"), &asked.body[..]),
                (true, &b"<cmd>open</cmd>"[..])
            );
            asked.answer.send(Told::Done).expect("waits");
        });
        assert_eq!(answer.expect("answers").status(), 200);
        let again = put(Some(header("geheim"))).await.expect("answers");
        assert_eq!(again.status(), 401, "an answer counts once");
        server.abort();
    }
}
