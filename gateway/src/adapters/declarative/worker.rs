//! The process in which a declared adapter's programs run: this executable again, with nothing but a line to the hub.
//!
//! jq has no limit on steps or memory, and none can be put into it. So a program that does not come to an end, that wants all memory or that
//! falls down its stack does so where it can be killed: the message goes to quarantine, and the next one finds a new process. A
//! program that does it again and again is switched off until its file changes.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tracing::{error, warn};

use super::super::Reject;
use super::super::message::Message;
use super::file::Mistake;
use super::frame::{Answer, Ask, FRAME_BYTES_MAX, Head, lengths, split};

/// The word on the command line that makes a process one of these.
pub const COMMAND: &str = "adapter-worker";
/// How long a program may take for a message.
pub const RUN: Duration = Duration::from_secs(1);
/// How long a process may take to start and to compile the programs.
const START: Duration = Duration::from_secs(20);
/// So often within [`STRIKES_WITHIN`] a program may not come to an end; then it is switched off.
const STRIKES_MAX: usize = 3;
const STRIKES_WITHIN: Duration = Duration::from_hours(1);

/// Programs in a process of their own.
pub struct Worker {
    exe: PathBuf,
    path: String,
    text: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    line: Option<Line>,
    strikes: Vec<Instant>,
    off: bool,
}

/// A process and the line to it.
struct Line {
    child: Child,
    socket: UnixStream,
}

impl Drop for Line {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why there is no answer.
enum Lost {
    /// It took too long.
    Late,
    /// The process has ended.
    Ended,
}

impl Worker {
    /// Starts a process for a file.
    ///
    /// # Errors
    /// What is wrong with the file's programs.
    pub fn start(exe: &Path, path: &str, text: &str) -> Result<Self, Mistake> {
        let worker = Self::at_need(exe, path, text);
        let line = worker.line().map_err(|what| match what {
            Unstarted::Mistake(mistake) => mistake,
            Unstarted::Lost(what) => Mistake {
                file: path.to_owned(),
                line: 1,
                what,
            },
        })?;
        worker.state.lock().line = Some(line);
        Ok(worker)
    }

    /// The same for a file that is known to be good: its process is started with the first message.
    pub fn at_need(exe: &Path, path: &str, text: &str) -> Self {
        let (exe, path, text) = (exe.to_owned(), path.to_owned(), text.to_owned());
        Self {
            exe,
            path,
            text,
            state: Mutex::default(),
        }
    }

    /// Whether it was switched off.
    pub fn is_off(&self) -> bool {
        self.state.lock().off
    }

    /// What the program tells of a message.
    ///
    /// # Errors
    /// What it rejects; `too_slow`, `program_died`, `adapter_off`.
    pub fn read(&self, message: &Message<'_>) -> Result<Vec<Value>, Reject> {
        self.ask(&Ask::Read(Head::of(message)), message.payload)
    }

    /// What the reply's program answers.
    ///
    /// # Errors
    /// The same.
    pub fn answer(&self, message: &Message<'_>, events: Vec<Value>) -> Result<Value, Reject> {
        let mut values = self.ask(&Ask::Answer(Head::of(message), events), message.payload)?;
        values
            .pop()
            .ok_or_else(|| Reject::new("program_failed", "no answer"))
    }

    fn ask(&self, ask: &Ask, body: &[u8]) -> Result<Vec<Value>, Reject> {
        let mut state = self.state.lock();
        if state.off {
            let detail = "its program did not come to an end again and again, and it was switched off (hint: mend its file, then read this again)";
            return Err(Reject::new("adapter_off", detail));
        }
        loop {
            let (mut line, is_new) = match state.line.take() {
                Some(line) => (line, false),
                None => match self.line() {
                    Ok(line) => (line, true),
                    Err(unstarted) => {
                        return Err(self.strike(
                            &mut state,
                            "program_died",
                            &unstarted.to_string(),
                        ));
                    }
                },
            };
            match line.exchange(ask, body, RUN) {
                Ok(answer) => {
                    state.line = Some(line);
                    return match answer {
                        Answer::Values(values) => Ok(values),
                        Answer::Rejected { code, detail } => {
                            Err(Reject::new(known_code(&code), detail))
                        }
                        Answer::Loaded | Answer::Mistake(_) => {
                            Err(Reject::new("program_died", "it answers something else"))
                        }
                    };
                }
                Err(Lost::Late) => {
                    let detail = format!("the program took longer than {} s", RUN.as_secs());
                    return Err(self.strike(&mut state, "too_slow", &detail));
                }
                // whoever stops the hub stops its processes, too: that says nothing about the program
                Err(Lost::Ended) if !is_new => {}
                Err(Lost::Ended) => {
                    let detail =
                        "the program wants more memory than it may have, or nests without an end";
                    return Err(self.strike(&mut state, "program_died", detail));
                }
            }
        }
    }

    fn strike(&self, state: &mut State, code: &'static str, detail: &str) -> Reject {
        let now = Instant::now();
        state
            .strikes
            .retain(|at| now.duration_since(*at) < STRIKES_WITHIN);
        state.strikes.push(now);
        state.off = state.strikes.len() >= STRIKES_MAX;
        metrics::counter!("hub_adapter_programs_killed_total").increment(1);
        if state.off {
            error!(
                adapter.file = self.path,
                reason = detail,
                "adapter switched off until its file changes; what it should have read goes to quarantine"
            );
        } else {
            warn!(
                adapter.file = self.path,
                reason = detail,
                "program of an adapter ended by force"
            );
        }
        Reject::new(code, detail)
    }

    fn line(&self) -> Result<Line, Unstarted> {
        let mut line = Line::open(&self.exe)
            .map_err(|e| Unstarted::Lost(format!("no process for it: {e}")))?;
        let load = Ask::Load {
            path: self.path.clone(),
        };
        match line.exchange(&load, self.text.as_bytes(), START) {
            Ok(Answer::Loaded) => Ok(line),
            Ok(Answer::Mistake(mistake)) => Err(Unstarted::Mistake(mistake)),
            Ok(_) => Err(Unstarted::Lost(
                "its process answers something else".to_owned(),
            )),
            Err(Lost::Late) => Err(Unstarted::Lost(format!(
                "its programs are not compiled after {} s",
                START.as_secs()
            ))),
            Err(Lost::Ended) => Err(Unstarted::Lost(
                "its programs cannot be compiled (hint: do they nest too deep?)".to_owned(),
            )),
        }
    }
}

/// Why there is no process.
#[derive(thiserror::Error, Debug)]
enum Unstarted {
    #[error("{0}")]
    Mistake(Mistake),
    #[error("{0}")]
    Lost(String),
}

impl Line {
    fn open(exe: &Path) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = Command::new(exe)
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the hub
            .process_group(0)
            .spawn()?;
        Ok(Self { child, socket })
    }

    fn exchange(&mut self, ask: &Ask, body: &[u8], within: Duration) -> Result<Answer, Lost> {
        let ends = Instant::now() + within;
        let head = serde_json::to_vec(ask).map_err(|_| Lost::Ended)?;
        let mut frame = lengths(&head, body).to_vec();
        frame.extend_from_slice(&head);
        frame.extend_from_slice(body);
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            self.socket
                .set_write_timeout(Some(left(ends)?))
                .map_err(|_| Lost::Ended)?;
            let written = again(self.socket.write(rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        let head = self.receive(8, ends)?;
        let (head, body) = split(&head).ok_or(Lost::Ended)?;
        if head + body > FRAME_BYTES_MAX {
            return Err(Lost::Ended);
        }
        let answer = self.receive(head + body, ends)?;
        serde_json::from_slice(answer.get(..head).unwrap_or_default()).map_err(|_| Lost::Ended)
    }

    fn receive(&mut self, count: usize, ends: Instant) -> Result<Vec<u8>, Lost> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.socket
                .set_read_timeout(Some(left(ends)?))
                .map_err(|_| Lost::Ended)?;
            match self.socket.read(rest) {
                Ok(0) => return Err(Lost::Ended),
                read => filled += again(read)?,
            }
        }
        Ok(bytes)
    }
}

/// What is left of the time.
fn left(ends: Instant) -> Result<Duration, Lost> {
    let left = ends.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(Lost::Late)
    } else {
        Ok(left)
    }
}

/// A wait that was over too early, and was not the end, is none.
fn again(moved: io::Result<usize>) -> Result<usize, Lost> {
    match moved {
        Ok(moved) => Ok(moved),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
        {
            Ok(0)
        }
        Err(_) => Err(Lost::Ended),
    }
}

/// Codes are words of ours, whoever sends them.
fn known_code(code: &str) -> &'static str {
    const CODES: [&str; 8] = [
        "bad_json",
        "bad_xml",
        "bad_text",
        "bad_shape",
        "too_long",
        "too_deep",
        "too_many",
        "program_failed",
    ];
    CODES
        .into_iter()
        .find(|known| *known == code)
        .unwrap_or("program_failed")
}
