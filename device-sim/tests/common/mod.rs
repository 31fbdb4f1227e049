//! What several tests need: a mosquitto on a free loopback port with a temporary configuration, ended by its process when
//! dropped; the files of a configuration folder.

#![allow(dead_code, reason = "every test takes its part")]

pub(crate) mod hub;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Debian's package installs it here.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

pub(crate) struct Mosquitto {
    child: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Mosquitto {
    pub(crate) fn start() -> Self {
        Self::start_on(free_port())
    }

    pub(crate) fn start_on(port: u16) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("mosquitto.conf");
        let mut file = std::fs::File::create(&config).expect("a configuration");
        writeln!(
            file,
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0"
        )
        .expect("writes");
        let child = Command::new(MOSQUITTO)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts (hint: apt-get install mosquitto)");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not listen");
            std::thread::yield_now();
        }
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // it may be gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

/// Name and text of every file of a folder of the repository, in order.
pub(crate) fn folder(path: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let mut files: Vec<(String, String)> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| {
            let path = entry.expect("an entry reads").path();
            let name = path.file_name().expect("a file has a name");
            let text = std::fs::read_to_string(&path).expect("a file reads");
            (name.to_string_lossy().into_owned(), text)
        })
        .collect();
    files.sort();
    files
}
