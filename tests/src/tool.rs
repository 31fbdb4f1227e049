//! Our executables as a person at a shell uses them: arguments in, exit code and words out.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::hub::bin;
use crate::wait::eventually;

/// What a finished program left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A running program of ours; killed when dropped.
#[derive(Debug)]
pub struct Tool {
    name: String,
    child: Child,
    stdout: File,
    stderr: File,
}

impl Tool {
    /// Starts `name` with these arguments and no input.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_command(name, Command::new(bin(name)).args(arguments))
    }

    /// Starts any prepared command; `name` is for messages.
    pub fn start_command(name: &str, command: &mut Command) -> Self {
        let file = || tempfile::tempfile().expect("a temporary file");
        let (stdout, stderr) = (file(), file());
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().expect("a second handle"))
            .stderr(stderr.try_clone().expect("a second handle"))
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        Self {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
        }
    }

    /// It has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until it ends by itself.
    pub async fn finish(mut self, patience: Duration) -> Outcome {
        let what = format!("{} ends", self.name);
        let status: ExitStatus = eventually(&what, patience, || {
            std::future::ready(self.child.try_wait().expect("a child"))
        })
        .await;
        Outcome {
            code: status.code(),
            stdout: whole(&mut self.stdout),
            stderr: whole(&mut self.stderr),
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one of our programs to its end.
pub async fn run(name: &str, arguments: &[&str]) -> Outcome {
    Tool::start(name, arguments)
        .finish(Duration::from_mins(1))
        .await
}

fn whole(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a file that seeks");
    file.read_to_end(&mut bytes).expect("a file that reads");
    String::from_utf8_lossy(&bytes).into_owned()
}
