//! Formats that files declare: read through a bridge, changed while the hub runs, refused when they are bad, killed when they do not end, and
//! asked by a gate that waits.

use std::path::Path;
use std::time::Duration;

use blackbox::{Hub, eventually, run};
use serde_json::{Value, json};

use crate::bridges::{account, alarm, bridge, told};

const SOON: Duration = Duration::from_secs(30);

/// A format of this site.
const ACME: &str = r#"
about = "Detectors of Acme."
decode = "json"
class = "fire_sensor"
program = '''
if .loop then def forever: forever; forever
else condition(.smoke) + {kind: "fire.smoke", address: "acme-\($name.id)", attrs: {level: .level, version: 1}} end
'''
match.mqtt = ["acme/+id/up"]
[[test]]
about = "smoke"
mqtt = "acme/7/up"
payload = { smoke = true, level = 3 }
expect = [{ kind = "fire.smoke", phase = "raised", attrs = { address = "acme-7", level = 3 } }]
[[test]]
about = "broken"
mqtt = "acme/7/up"
text = "{"
reject = "bad_json"
"#;

const SETTINGS: [(&str, &str); 5] = [
    ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
    ("JIMING__BRIDGES__ACME__SITE", "q1"),
    ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
    ("JIMING__BRIDGES__PARK__SITE", "q2"),
    ("JIMING__BRIDGES__PARK__FORMATS", "parking-platform"),
];

/// A hub of the demo, whose adapter files stand in `data/adapters`.
async fn hub(dir: &Path) -> Hub {
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    Hub::start_set(&data, &SETTINGS).await
}

fn put(dir: &Path, text: &str) {
    // as an editor does it: never half a file
    let (new, file) = (dir.join("acme.new"), dir.join("data/adapters/acme.toml"));
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, file).expect("put");
}

async fn reloads(hub: &Hub, count: usize) {
    eventually("the files are read again", SOON, || async {
        (hub.log().matches("adapter files read again").count() >= count).then_some(())
    })
    .await;
}

/// The hub rings no more about its files.
async fn over(hub: &Hub) {
    let api = hub.api("operator");
    eventually("the mistake is over", SOON, || async {
        let all = api.items("/api/v1/alarms?limit=200").await.ok()?;
        let stands = |alarm: &Value| {
            let state = alarm["state"].as_str().unwrap_or_default();
            alarm["rule"] == "HUB6" && state.starts_with("active")
        };
        (!all.iter().any(stands)).then_some(())
    })
    .await;
}

async fn reasons(hub: &Hub, account: &str) -> Vec<String> {
    let api = hub.api("property_manager");
    let rows = api.items("/api/v1/quarantine").await.unwrap_or_default();
    let own = rows.iter().filter(|row| row["principal"] == account);
    own.filter_map(|row| row["reason"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_file_makes_a_format_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path()).await;
    let secret = account(dir.path(), "acme", "acme/#");
    put(dir.path(), ACME);
    reloads(&hub, 1).await;
    let mut line = bridge(&hub, "acme", &secret).await;
    let smoke = json!({"smoke": true, "level": 4}).to_string();
    let version = |device: &'static str| {
        let hub = &hub;
        eventually("history has it", SOON, move || async move {
            let told = told(hub, device, "fire.smoke").await;
            Some(told.first()?["attrs"]["version"].clone())
        })
    };
    line.publish("acme/1/up", &smoke, 1, false).await;
    line.publish("acme/1/up", &smoke, 1, false).await;
    assert_eq!(version("acme-1").await, 1);
    assert_eq!(told(&hub, "acme-1", "fire.smoke").await.len(), 1);

    // taken while the hub runs
    put(dir.path(), &ACME.replace("version: 1", "version: 2"));
    reloads(&hub, 2).await;
    line.publish("acme/2/up", &smoke, 1, false).await;
    assert_eq!(version("acme-2").await, 2);

    // one that fails its own test is not: the last good one goes on, and the hub rings about it
    let wrong = ACME
        .replace("version: 1", "version: 3")
        .replace("level = 3 } }", "level = 9 } }");
    put(dir.path(), &wrong);
    reloads(&hub, 3).await;
    let rung = alarm(&hub, "HUB6", "active_unacked").await;
    let log = hub.log();
    assert!(
        log.contains("adapter file not taken") && log.contains("acme.toml:"),
        "{log}"
    );
    line.publish("acme/3/up", &smoke, 1, false).await;
    assert_eq!(version("acme-3").await, 2, "{rung}");

    // mended, it is over
    put(dir.path(), &ACME.replace("version: 1", "version: 4"));
    over(&hub).await;
    line.publish("acme/4/up", &smoke, 1, false).await;
    assert_eq!(version("acme-4").await, 4);
}

#[tokio::test]
async fn a_program_that_does_not_end_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path().join("data/adapters")).expect("made");
    put(dir.path(), ACME);
    let hub = hub(dir.path()).await;
    let (acme, zigbee) = (
        account(dir.path(), "acme", "acme/#"),
        account(dir.path(), "zigbee", "zigbee2mqtt/#"),
    );
    let mut bad = bridge(&hub, "acme", &acme).await;
    let mut good = bridge(&hub, "zigbee", &zigbee).await;
    for _ in 0..20 {
        bad.publish("acme/1/up", "{\"loop\":true}", 1, false).await;
    }
    let before = std::time::Instant::now();
    let smoke = json!({"smoke": true, "battery_low": false}).to_string();
    good.publish("zigbee2mqtt/0xacce55", &smoke, 1, false).await;
    eventually("the other one's fire is told", SOON, || async {
        let told = told(&hub, "0xacce55", "fire.smoke").await;
        (!told.is_empty()).then_some(())
    })
    .await;
    // three times a second, for the detector and for history
    assert!(
        before.elapsed() < Duration::from_secs(10),
        "{:?}",
        before.elapsed()
    );
    let reasons = eventually("it is in quarantine", SOON, || async {
        let reasons = reasons(&hub, "acme").await;
        (reasons.len() == 20).then_some(reasons)
    })
    .await;
    let count = |code: &str| reasons.iter().filter(|reason| *reason == code).count();
    assert!((1..=3).contains(&count("too_slow")), "{reasons:?}");
    assert_eq!(count("too_slow") + count("adapter_off"), 20, "{reasons:?}");
    alarm(&hub, "HUB6", "active_unacked").await;
    assert!(hub.log().contains("adapter switched off"));

    // a file that is mended is taken, and reads
    put(
        dir.path(),
        &ACME.replace("forever; forever", "empty; forever"),
    );
    over(&hub).await;
    bad.publish("acme/5/up", "{\"smoke\":true}", 1, false).await;
    eventually("it reads again", SOON, || async {
        let told = told(&hub, "acme-5", "fire.smoke").await;
        (!told.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_gate_that_waits_hears_open_or_refuse() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path()).await;
    let secret = account(dir.path(), "park", "$http/none");
    let port = hub.push_address().await;
    let client = reqwest::Client::new();
    let ask = |body: String| {
        let hook = client.post(format!("http://{port}/park/{secret}/park/check"));
        async move {
            let answer = hook.body(body).send().await.ok()?;
            let is_known = answer.status() == 200;
            let text = answer.text().await.ok()?;
            is_known.then(|| serde_json::from_str::<Value>(&text).unwrap_or(Value::Null))
        }
    };
    let waits = |plate: &str, kind: &str| {
        json!({"ParkID": "P77", "Plate": plate, "ChannelNo": "lane-5", "IsIn": true, "CarType": kind}).to_string()
    };
    let stranger = waits("浙G88X66", "临时车");
    let known = eventually("the account is known", SOON, || ask(stranger.clone())).await;
    assert_eq!(known, json!({"result": "refuse", "reason": "unknown"}));
    let open = ask(waits("浙G88X77", "月租车")).await;
    assert_eq!(open, Some(json!({"result": "open", "reason": "resident"})));
    // whatever cannot be read opens no gate
    for broken in ["{\"ParkID\":\"P77\",\"Pla", "", "[[[[", "\u{feff}null"] {
        let shut = ask(broken.to_owned()).await.unwrap_or_default();
        assert_ne!(shut["result"], "open", "{broken}: {shut}");
    }
    // a list of the file is changed while the hub runs
    let file = dir.path().join("data/adapters/parking-platform.toml");
    let text = std::fs::read_to_string(&file).expect("the demo has its own");
    let listed = text.replace("open = []", "open = [\"浙G55K99\"]");
    assert_ne!(text, listed);
    std::fs::write(&file, listed).expect("written");
    eventually("the list counts", SOON, || async {
        let answer = ask(waits("浙g·55k99", "临时车")).await?;
        (answer == json!({"result": "open", "reason": "listed"})).then_some(())
    })
    .await;
    // what was answered is on disk
    let last = ask(waits("浙G00X11", "业主")).await;
    assert_eq!(last, Some(json!({"result": "open", "reason": "resident"})));
    let demo = hub.demo.clone();
    hub.kill9();
    let again = Hub::start_again_set(&dir.path().join("data"), &demo, &SETTINGS).await;
    eventually("history has all that were answered", SOON, || async {
        let told = told(&again, "lane-5", "vehicle.plate_read").await;
        (told.len() >= 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn tests_of_files_run_at_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("acme.toml");
    let path = file.display().to_string();
    let tried = async |text: String| {
        std::fs::write(&file, text).expect("written");
        run("gateway", &["adapter", "test", &path]).await
    };
    let good = tried(ACME.to_owned()).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("2 tests, 0 failed"), "{good:?}");
    let failed = tried(ACME.replace("level = 3 } }", "level = 9 } }")).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stdout.contains("FAILED") && failed.stdout.contains("\"level\":3"),
        "{failed:?}"
    );
    let wrong = tried(ACME.replace(".smoke)", ".smoke")).await;
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    assert!(
        wrong.stderr.contains("acme.toml:8: the program:"),
        "{wrong:?}"
    );
    let endless = tried(ACME.replace("if .loop", "if true")).await;
    assert_eq!(endless.code, Some(1), "{endless:?}");
    assert!(endless.stdout.contains("too_slow"), "{endless:?}");
    // those that ship
    let shipped = run("gateway", &["adapter", "test"]).await;
    assert_eq!(shipped.code, Some(0), "{shipped:?}");
    assert!(shipped.stdout.contains("parking-platform: "), "{shipped:?}");
}
