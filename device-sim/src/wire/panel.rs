//! The line of a fire panel to its monitoring centre (GB/T 26875.3-2011): a frame, its confirmation, up to three more tries, and a
//! new connection when the old one is gone.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::vendor::gbt26875::{Answer, answer_in};

/// A frame is sent so often: once, and three times more (clause 6).
const TRIES: u32 = 4;
/// Before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(300);
/// Answers that are kept until they are whole, in bytes.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A panel's line.
#[derive(Debug)]
pub struct Panel {
    address: String,
    answer_within: Duration,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// Connections that came to be.
    pub connects: u64,
    /// Frames that were sent again.
    pub resent: u64,
}

impl Panel {
    /// A panel that waits so long for each answer (at most ten seconds by the standard).
    pub fn new(address: &str, answer_within: Duration) -> Self {
        Self {
            address: address.trim_start_matches("tcp://").to_owned(),
            answer_within,
            stream: None,
            buffer: Vec::new(),
            connects: 0,
            resent: 0,
        }
    }

    /// Sends a frame until it is confirmed; the last answer, or none.
    pub async fn send(&mut self, frame: &[u8]) -> Option<Answer> {
        let mut last = None;
        for tried in 0..TRIES {
            self.resent += u64::from(tried > 0);
            last = self.once(frame).await;
            if last == Some(Answer::Confirmed) {
                return last;
            }
        }
        last
    }

    /// Sends a frame once, and waits for its answer.
    pub async fn once(&mut self, frame: &[u8]) -> Option<Answer> {
        let until = Instant::now() + self.answer_within;
        let answer = timeout_at(until, self.exchange(frame)).await;
        match answer {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(error = %error, "a panel's line is lost");
                self.cut();
                sleep(PAUSE).await;
                None
            }
            Err(_) => None,
        }
    }

    /// Loses the connection.
    pub fn cut(&mut self) {
        self.stream = None;
        self.buffer.clear();
    }

    async fn exchange(&mut self, frame: &[u8]) -> std::io::Result<Answer> {
        if self.stream.is_none() {
            self.stream = Some(TcpStream::connect(&self.address).await?);
            self.connects += 1;
        }
        let Some(stream) = &mut self.stream else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        stream.write_all(frame).await?;
        loop {
            if let Some(answer) = answer_in(&mut self.buffer, frame) {
                return Ok(answer);
            }
            if self.buffer.len() > BUFFER_BYTES_MAX {
                return Err(std::io::Error::other("no answer is that long"));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
