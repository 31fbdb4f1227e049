//! The disk refuses, or is slow, or is cut off between two steps: shown with strace on a running hub, which injects what a kernel would say.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use blackbox::{Hub, Tool, eventually, run};

/// A tracer on a running process; it lets go when dropped.
struct Tracer {
    child: Child,
    log: PathBuf,
}

impl Tracer {
    /// Attaches, and waits until it has.
    async fn attach(pid: u32, log: PathBuf, arguments: &[&str]) -> Self {
        let child = Command::new("strace")
            .args(["-f", "-y", "-p", &pid.to_string(), "-o"])
            .arg(&log)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace starts (hint: Debian package strace, and the right to trace)");
        eventually(
            "every thread is traced",
            Duration::from_secs(20),
            || async {
                let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
                let is_traced = |task: std::io::Result<std::fs::DirEntry>| {
                    let status =
                        task.and_then(|t| std::fs::read_to_string(t.path().join("status")));
                    status.is_ok_and(|s| !s.contains("TracerPid:\t0\n"))
                };
                threads.into_iter().all(is_traced).then_some(())
            },
        )
        .await;
        Self { child, log }
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // SIGINT: it detaches and leaves the process running
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

fn load(dir: &Path, seconds: &str) -> Tool {
    let path = |name: &str| dir.join(name).display().to_string();
    std::fs::copy(dir.join("demo.json"), dir.join("credentials.json")).expect("copied");
    let arguments = [
        "load",
        "--credentials",
        &path("credentials.json"),
        "--connections",
        "10",
        "--window",
        "20",
        "--rate",
        "2000",
        "--seconds",
        seconds,
        "--drain-seconds",
        "20",
        "--payload-bytes",
        "250",
        "--acked",
        &path("acked"),
        "--report",
        &path("load.json"),
    ];
    Tool::start("device-sim", &arguments)
}

/// Every message that was acknowledged is in history once.
async fn nothing_is_lost(hub: &Hub, dir: &Path) {
    let acked = dir.join("acked").display().to_string();
    let token = &hub.demo.user("administrator").token;
    let verdict = run(
        "device-sim",
        &[
            "verify",
            "--acked",
            &acked,
            "--api",
            &hub.demo.http,
            "--token",
            token,
        ],
    )
    .await;
    assert_eq!(
        verdict.code,
        Some(0),
        "{}{}",
        verdict.stdout,
        verdict.stderr
    );
    assert!(
        verdict.stdout.contains("lost 0 doubled 0"),
        "{}",
        verdict.stdout
    );
    assert!(
        !verdict.stdout.starts_with("acknowledged 0 "),
        "{}",
        verdict.stdout
    );
    println!("{}", verdict.stdout.lines().next().unwrap_or_default());
}

fn newest_segment(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir.join("journal")).expect("a journal");
    let names = files.map(|f| f.expect("a file").path());
    let segments = names.filter(|p| p.extension().is_some_and(|e| e == "seg"));
    segments.max().expect("a segment")
}

#[tokio::test]
async fn a_failed_sync_ends_the_hub_without_a_false_word() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let demo = hub.demo.clone();
    let segment = newest_segment(dir.path()).display().to_string();
    let mut load = load(dir.path(), "8");
    let log = dir.path().join("strace.log");
    let inject = [
        "-P",
        &segment,
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=40+",
    ];
    let tracer = Tracer::attach(hub.pid(), log, &inject).await;
    let ended = hub.ended(Duration::from_secs(30)).await;
    assert!(!ended.success(), "it says that it failed");
    let lines = tracer.lines();
    let failed = lines
        .iter()
        .filter(|l| l.contains("EIO") && l.contains("INJECTED"))
        .count();
    assert_eq!(
        failed, 1,
        "what has failed is never synced again: {lines:#?}"
    );
    drop(tracer);
    let hub = Hub::start_again(dir.path(), &demo, &["--devices", "0"]).await;
    assert!(load.is_running(), "the devices are still there");
    let outcome = load.finish(Duration::from_mins(1)).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    nothing_is_lost(&hub, dir.path()).await;
}

#[tokio::test]
async fn a_slow_disk_makes_acknowledgements_late_and_not_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let log = dir.path().join("strace.log");
    let slow = [
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:delay_exit=20000",
    ];
    let tracer = Tracer::attach(hub.pid(), log, &slow).await;
    let outcome = load(dir.path(), "4").finish(Duration::from_mins(1)).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    println!("{}", outcome.stdout.trim());
    assert!(
        tracer.lines().iter().any(|l| l.contains("DELAYED")),
        "the disk was slow"
    );
    drop(tracer);
    nothing_is_lost(&hub, dir.path()).await;
}

#[tokio::test]
async fn a_segment_is_in_its_directory_for_good_before_anything_in_it_is_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start_set(dir.path(), &[("JIMING__JOURNAL__SEGMENT_BYTES", "1048576")]).await;
    let log = dir.path().join("strace.log");
    let tracer = Tracer::attach(
        hub.pid(),
        log,
        &["-e", "trace=rename,renameat,renameat2,fsync,fdatasync"],
    )
    .await;
    let outcome = load(dir.path(), "8").finish(Duration::from_mins(1)).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines = tracer.lines();
    drop(tracer);
    let journal = dir.path().join("journal");
    let in_journal = |line: &&String| line.contains(&journal.display().to_string());
    // the segment that is born and not yet in its directory for good; other files there are synced by other threads meanwhile
    let (mut births, mut unsynced) = (0, None);
    for line in lines.iter().filter(in_journal) {
        // a call that another thread's came into between stands in two lines, the names in the first
        if line.contains("rename") && (line.contains("= 0") || line.contains("<unfinished")) {
            births += 1;
            unsynced = line.split('"').nth_back(1);
        } else if line.contains("fsync(") && line.contains(&format!("<{}>", journal.display())) {
            unsynced = None;
        } else if line.contains("fdatasync(") {
            assert!(
                !unsynced.is_some_and(|born| line.contains(&format!("<{born}>"))),
                "synced into a segment that a power cut would take away: {line}"
            );
        }
    }
    assert!(births >= 2, "{births} segments were born");
    nothing_is_lost(&hub, dir.path()).await;
}
