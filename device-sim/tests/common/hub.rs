//! A made-up hub that answers one question: which events come after this position?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers `GET …?after_seq=N&limit=M` from a list of (device, id), numbered from 1; ten more are visible with every request.
pub(crate) async fn hub(stored: Vec<(String, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let (stored, asked) = (Arc::new(stored), Arc::new(AtomicU32::new(0)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (stored, asked) = (Arc::clone(&stored), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let number = |name: &str| -> usize {
                    let (_, rest) = request.split_once(name).expect("is asked for");
                    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
                    digits.and_then(|d| d.parse().ok()).expect("a number")
                };
                let visible = 10 * (asked.fetch_add(1, Ordering::SeqCst) as usize + 1);
                let items: Vec<_> = stored
                    .iter()
                    .enumerate()
                    .take(visible)
                    .skip(number("after_seq="))
                    .take(number("limit=").min(7))
                    .map(|(at, (device, id))| {
                        serde_json::json!({"seq": at + 1, "device": device, "id": id, "kind": "access.granted"})
                    })
                    .collect();
                let body = serde_json::json!({"items": items, "next": null}).to_string();
                let status = if request.contains("authorization: bearer secret") {
                    "200 OK"
                } else {
                    "401 Unauthorized"
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // a client that has gone is no failure of the hub
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}
