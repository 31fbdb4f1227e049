//! A browser at work: a script of `tests/browser` in Node, whose lines and ours take turns.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::hub::repository;

/// A running script; the end of its input ends it, and so does dropping this.
#[derive(Debug)]
pub struct Browser {
    script: String,
    child: Child,
    input: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts `tests/browser/SCRIPT.mjs` with these arguments.
    ///
    /// # Panics
    /// When Node is not there.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new("node")
            .arg(repository().join(format!("tests/browser/{script}.mjs")))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        Self {
            script: script.to_owned(),
            input: child.stdin.take(),
            said: BufReader::new(child.stdout.take().expect("piped")),
            child,
        }
    }

    /// The next line; none when it has ended. It blocks its thread: what is waited for happens in other processes, or on other threads.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let mut read = || self.said.read_line(&mut line).expect("reads");
        let handle = Handle::try_current().map(|h| h.runtime_flavor());
        if handle.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) {
            tokio::task::block_in_place(read);
        } else {
            read();
        }
        (!line.is_empty()).then(|| line.trim().to_owned())
    }

    /// Waits until it says this word next.
    ///
    /// # Panics
    /// When it says another one, or ends.
    pub fn says(&mut self, word: &str) {
        let said = self.line();
        let pictures = format!("see artefacts/{}-failed-*.png", self.script);
        assert_eq!(said.as_deref(), Some(word), "{pictures}");
    }

    /// Tells it a line.
    ///
    /// # Panics
    /// When it has ended.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("is open until the end");
        writeln!(input, "{line}").expect("node listens");
    }

    /// Tells it a line, and gives what it answers.
    ///
    /// # Panics
    /// When that is not a line of JSON.
    pub fn ask(&mut self, what: &str) -> Value {
        self.tell(what);
        let answer = self.line().unwrap_or_default();
        serde_json::from_str(&answer).unwrap_or_else(|_| {
            let script = &self.script;
            panic!("`{what}`: {answer:?}, see artefacts/{script}-failed-*.png")
        })
    }

    /// Waits until it has said DONE and ended well.
    ///
    /// # Panics
    /// When it has not.
    pub fn done(mut self) {
        self.says("DONE");
        assert!(self.child.wait().expect("node ends").success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.input.take());
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
