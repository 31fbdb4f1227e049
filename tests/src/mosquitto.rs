//! Debian's mosquitto clients: somebody else's MQTT, which knows nothing of us.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::hub::{Demo, Device};

fn client(program: &str, demo: &Demo, username: &str, password: &str, id: &str) -> Command {
    let (host, port) = demo.mqtt_address();
    let mut command = Command::new(program);
    command.args([
        "-h",
        &host,
        "-p",
        &port.to_string(),
        "-u",
        username,
        "-P",
        password,
        "-i",
        id,
    ]);
    command
}

/// Publishes one message as a device with `mosquitto_pub`; its exit code tells whether the hub acknowledged.
pub fn publish(
    demo: &Demo,
    device: &Device,
    topic: &str,
    payload: &[u8],
    qos: u8,
    version: &str,
) -> Output {
    let mut child = client(
        "mosquitto_pub",
        demo,
        &device.username,
        &device.password,
        &device.id,
    )
    .args(["-V", version, "-q", &qos.to_string(), "-t", topic, "-s"])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("mosquitto_pub is installed (hint: apt-get install mosquitto-clients, or `tests/run`)");
    // it may have been turned away before it read anything
    let _ = child.stdin.take().expect("piped").write_all(payload);
    child.wait_with_output().expect("mosquitto_pub ends")
}

/// A running `mosquitto_sub`.
#[derive(Debug)]
pub struct Subscriber {
    child: Child,
    lines: Receiver<String>,
}

impl Subscriber {
    /// Subscribes and returns once the process runs; lines are `topic payload`. With `-d` in `extra` its own log comes too.
    pub fn start(
        demo: &Demo,
        username: &str,
        password: &str,
        id: &str,
        filter: &str,
        extra: &[&str],
    ) -> Self {
        let mut child = client("mosquitto_sub", demo, username, password, id)
            .args(["-v", "-q", "1", "-t", filter])
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub is installed (hint: apt-get install mosquitto-clients, or `tests/run`)");
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, lines }
    }

    /// The next line that holds `part`, or none within `patience`.
    pub fn line_with(&self, part: &str, patience: Duration) -> Option<String> {
        let end = std::time::Instant::now() + patience;
        loop {
            let left = end.checked_duration_since(std::time::Instant::now())?;
            let line = self.lines.recv_timeout(left).ok()?;
            if line.contains(part) {
                return Some(line);
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
