//! Thirty power cuts under load: what was acknowledged before each of them is in history exactly once after it.

use std::process::Command;

use blackbox::{bin, repository};

const CUTS: &str = "30";

#[test]
fn thirty_power_cuts_lose_nothing_and_double_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = repository().join("tests/stories/power_cut.sh");
    // mounts need root; as anybody else the test says so and fails, it does not pass unseen
    let is_root = Command::new("id").arg("-u").output().expect("runs").stdout == b"0\n";
    let mut command = Command::new(if is_root { "unshare" } else { "sudo" });
    if !is_root {
        command.args(["-n", "unshare"]);
    }
    let out = command
        .args(["-m", "--propagation", "private"])
        .arg(script)
        .arg(bin("gateway"))
        .arg(bin("device-sim"))
        .arg(CUTS)
        .arg(dir.path())
        .output()
        .expect("runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(
        out.status.success(),
        "(hint: it needs root, loop devices and xfsprogs)\n{stdout}\n{stderr}"
    );
    // every cut has something to lose
    let acknowledged: Vec<u64> = stdout
        .lines()
        .filter_map(|line| {
            line.split_once(": acknowledged ")?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    assert_eq!(acknowledged.len().to_string(), CUTS, "{stdout}");
    assert!(acknowledged.windows(2).all(|w| w[0] < w[1]), "{stdout}");
    println!("{}", stdout.lines().last().unwrap_or_default());
}
