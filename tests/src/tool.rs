//! Our executables as a person at a shell uses them: arguments in, exit code and words out.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
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

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// What it has printed and complained of so far.
    pub fn printed(&self) -> String {
        [&self.stdout, &self.stderr].map(so_far).concat()
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
            stdout: so_far(&self.stdout),
            stderr: so_far(&self.stderr),
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

/// Reads without moving the place where the program writes.
fn so_far(file: &File) -> String {
    let len = file.metadata().expect("a file").len();
    let mut bytes = vec![0; usize::try_from(len).expect("it fits into memory")];
    file.read_exact_at(&mut bytes, 0)
        .expect("a file that reads");
    String::from_utf8_lossy(&bytes).into_owned()
}
