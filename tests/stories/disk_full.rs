//! The disk fills up under a running hub, a real file system with no byte left: telemetry is refused first and by name, alarms go on in the
//! reserve and reach the board, nothing unstored is ever acknowledged, and with room again everything goes on without a restart.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use blackbox::{Device, Hello, Hub, Mqtt, Props, eventually};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);

/// A small file system in memory; taken down when dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn mount(size: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = format!("size={size},mode=0700");
        as_root(
            &["mount", "-t", "tmpfs", "-o", &options, "jiming-test"],
            dir.path(),
        );
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Takes what is left.
    fn fill(&self) {
        let filler = self.dir.path().join("filler");
        let out = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096"])
            .arg(format!("of={}", filler.display()))
            .args(["oflag=append", "conv=notrunc"])
            .output()
            .expect("runs");
        assert!(!out.status.success(), "it ends for want of room");
    }

    fn relieve(&self) {
        std::fs::remove_file(self.dir.path().join("filler")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        as_root(&["umount", "-l"], self.dir.path());
    }
}

/// Mounts need root; as anybody else the test says so and fails, it does not pass unseen.
fn as_root(arguments: &[&str], path: &Path) {
    let is_root = Command::new("id").arg("-u").output().expect("runs").stdout == b"0\n";
    let mut command = Command::new(if is_root { arguments[0] } else { "sudo" });
    if is_root {
        command.args(&arguments[1..]);
    } else {
        command.arg("-n").args(arguments);
    }
    let out = command.arg(path).output().expect("runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "(hint: it needs root) {said}");
}

async fn client(hub: &Hub, device: &Device, version: u8) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let hello = Hello {
        version,
        client: device.id.clone(),
        clean: true,
        keep_alive_s: 60,
        login: Some((device.username.clone(), device.password.clone())),
        will: None,
        props: Props::default(),
    };
    let (client, welcome) = Mqtt::connect(&format!("{host}:{port}"), &hello).await;
    assert_eq!(welcome.expect("an answer").code, 0);
    client
}

fn alarm(n: usize, bytes: usize) -> String {
    let attrs = json!({"note": "x".repeat(bytes)});
    json!({"id": format!("a{n}"), "kind": "fire.smoke", "phase": "updated", "attrs": attrs})
        .to_string()
}

#[tokio::test]
async fn a_full_disk_costs_telemetry_and_no_alarm() {
    let disk = Disk::mount("64m");
    std::fs::create_dir(disk.path()).expect("made");
    // its log is read here, and would end in the middle of a line on the full disk
    let beside = tempfile::tempdir().expect("a directory");
    let log = |dir: &Path| dir.join("hub.log");
    std::os::unix::fs::symlink(log(beside.path()), log(&disk.path())).expect("linked");
    let settings = [
        ("JIMING__JOURNAL__SEGMENT_BYTES", "1048576"),
        ("JIMING__JOURNAL__RESERVE_BYTES", "4194304"),
        ("JIMING__DATA__RESERVE_BYTES", "8388608"),
    ];
    let hub = Hub::start_set(&disk.path(), &settings).await;
    let api = hub.api("administrator");
    let smoke = hub.demo.device("fire_sensor").clone();
    let (alarms, telemetry) = (smoke.event_topic("fire.smoke"), |d: &Device| {
        format!("ssg/v1/{}/{}/tele", d.site, d.id)
    });
    let gate = hub.demo.device("barrier").clone();
    let camera = hub.demo.device("camera").clone();
    let mut five = client(&hub, &gate, 5).await;
    let mut four = client(&hub, &camera, 4).await;
    let reading = r#"{"battery_percent": 88}"#;
    assert_eq!(five.publish(&telemetry(&gate), reading, 1, false).await, 0);
    assert_eq!(
        four.publish(&telemetry(&camera), reading, 1, false).await,
        0
    );

    disk.fill();
    // the reserve of the databases is given back: somebody else takes that, too
    eventually("telemetry is refused", PATIENCE, || async {
        let (_, ready) = api.get_raw("/readyz").await.ok()?;
        ready
            .to_string()
            .contains("telemetry is refused")
            .then_some(())
    })
    .await;
    assert_eq!(
        five.publish(&telemetry(&gate), reading, 1, false).await,
        0x97,
        "5.0 is told: quota exceeded"
    );
    four.send(&telemetry(&camera), reading, 1, false, 9, &Props::default())
        .await;
    four.silence().await;
    let incident = api.incident_of("HUB2").await;
    assert_eq!(incident["severity"], "P2", "{incident}");

    // two segments' worth of alarms go into the reserve, and the board has the fire
    let mut fire = client(&hub, &smoke, 4).await;
    let raised = json!({"id": "f1", "kind": "fire.smoke", "phase": "raised"}).to_string();
    assert_eq!(fire.publish(&alarms, &raised, 1, false).await, 0);
    api.incident_of("S1").await;
    let mut sent = 0;
    while sent < 80 {
        fire.publish(&alarms, &alarm(sent, 30_000), 1, false).await;
        sent += 1;
    }

    // the reserve ends as well: no false word, and the hub stays. There are 4 MiB of the journal's own and 8 MiB that the databases gave back, of
    // which they may leave it anything; 24 MB fit into that by no means
    let mut unanswered = false;
    while !unanswered && sent < 800 {
        let payload = alarm(sent, 30_000);
        let said = fire.publish(&alarms, &payload, 1, false);
        unanswered = tokio::time::timeout(Duration::from_secs(3), said)
            .await
            .is_err();
        sent += 1;
    }
    assert!(
        unanswered,
        "{sent} alarms of 30 kB fit into what is not there"
    );
    assert!(
        hub.log().contains("its reserve is used up"),
        "{}",
        hub.log()
    );

    disk.relieve();
    assert_eq!(
        fire.acked(4).await,
        0x7001,
        "it was kept, and is stored now"
    );
    // 3.1.1 is cut off, so that it comes back and sends again what was not acknowledged
    assert_eq!(four.patient_end().await, None);
    let mut four = client(&hub, &camera, 4).await;
    four.send_as(0x3a, &telemetry(&camera), reading, 9, &Props::default())
        .await;
    assert_eq!(four.acked(4).await, 9);
    eventually("telemetry is taken again", PATIENCE, || async {
        let (status, _) = api.get_raw("/readyz").await.ok()?;
        (status == 200).then_some(())
    })
    .await;
    assert_eq!(five.publish(&telemetry(&gate), reading, 1, false).await, 0);

    // every alarm is in history once
    let path = format!(
        "/api/v1/events?device={}&kind=fire.smoke&limit=1000",
        smoke.id
    );
    let stored = eventually("history has caught up", PATIENCE, || async {
        let items = api.items(&path).await.ok()?;
        (items.len() > sent).then_some(items)
    })
    .await;
    assert_eq!(stored.len(), sent + 1, "each once");
    eventually("the disk is normal again", PATIENCE, || async {
        let path = "/api/v1/incidents?state=active&limit=200";
        let items = api.items(path).await.ok()?;
        let incident = items.into_iter().find(|i| i["rule"] == "HUB2")?;
        (incident["condition"] == "normal").then_some(())
    })
    .await;
    println!("{sent} alarms on a full disk, all stored; telemetry refused by name");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_makes_an_incident_before_it_costs_anything() {
    let dir = tempfile::tempdir().expect("a directory");
    let budget = [
        ("JIMING__JOURNAL__SEGMENT_BYTES", "1048576"),
        ("JIMING__JOURNAL__RESERVE_BYTES", "1048576"),
        ("JIMING__DATA__RESERVE_BYTES", "0"),
        ("JIMING__DATA__BUDGET_BYTES", "100000000"),
    ];
    let hub = Hub::start_set(dir.path(), &budget).await;
    let api = hub.api("administrator");
    std::fs::write(dir.path().join("somebody-elses"), vec![1; 79_000_000]).expect("written");
    let incident = api.incident_of("HUB2").await;
    let text = incident.to_string();
    assert!(text.contains("filling"), "{text}");
    let gate = hub.demo.device("barrier").clone();
    let mut five = client(&hub, &gate, 5).await;
    let topic = format!("ssg/v1/{}/{}/tele", gate.site, gate.id);
    assert_eq!(five.publish(&topic, "{}", 1, false).await, 0, "still taken");
}
