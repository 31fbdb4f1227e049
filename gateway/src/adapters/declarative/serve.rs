//! What the process of a declared adapter's programs does: it limits itself, compiles, and answers until its hub has gone.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::super::Reject;
use super::file::File;
use super::frame::{Answer, Ask, FRAME_BYTES_MAX, lengths, split};
use super::programs::Programs;

/// Memory of a process, in bytes: what it may write to, and all that it may map.
const DATA_BYTES_MAX: u64 = 256 << 20;
const MAPPED_BYTES_MAX: u64 = 2 << 30;
/// Seconds of processor time for one request: a process whose hub has died ends by itself.
const CPU_S: u64 = 30;

/// What the process does, until its hub has gone.
pub fn serve() -> ExitCode {
    match serve_line() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn serve_line() -> io::Result<()> {
    limit(Resource::Core, 0)?;
    limit(Resource::Data, DATA_BYTES_MAX)?;
    limit(Resource::As, MAPPED_BYTES_MAX)?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut programs = None;
    loop {
        let mut lengths_read = [0; 8];
        match socket.read_exact(&mut lengths_read) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        }
        let (head, body) = split(&lengths_read).unwrap_or_default();
        if head + body > FRAME_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut frame = vec![0; head + body];
        socket.read_exact(&mut frame)?;
        let (head, body) = frame.split_at(head);
        let ask: Ask = serde_json::from_slice(head)?;
        spend(CPU_S)?;
        let answer = serde_json::to_vec(&done(ask, body, &mut programs))?;
        socket.write_all(&lengths(&answer, &[]))?;
        socket.write_all(&answer)?;
    }
}

fn done(ask: Ask, body: &[u8], programs: &mut Option<Programs>) -> Answer {
    let values = match (ask, programs.as_ref()) {
        (Ask::Load { path }, _) => {
            let text = String::from_utf8_lossy(body);
            let compiled =
                File::parse(&path, &text).and_then(|file| Programs::compile(&path, file));
            return match compiled {
                Ok(compiled) => {
                    *programs = Some(compiled);
                    Answer::Loaded
                }
                Err(mistake) => Answer::Mistake(mistake),
            };
        }
        (_, None) => Err(Reject::new("program_failed", "nothing was loaded")),
        (Ask::Read(head), Some(programs)) => programs.read(&head.message(body, &head.zone())),
        (Ask::Answer(head, events), Some(programs)) => programs
            .answer(&head.message(body, &head.zone()), events)
            .map(|answer| vec![answer]),
    };
    match values {
        Ok(values) => Answer::Values(values),
        Err(Reject { code, detail }) => Answer::Rejected {
            code: code.to_owned(),
            detail,
        },
    }
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}

/// From now on so many seconds of processor time.
fn spend(seconds: u64) -> io::Result<()> {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let until = Some(spent.unsigned_abs() + seconds);
    Ok(setrlimit(
        Resource::Cpu,
        Rlimit {
            current: until,
            maximum: None,
        },
    )?)
}
