//! The command line as the person who installs the hub meets it: what it says of mistakes, and the secrets it makes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blackbox::{
    Credentials, Demo, Device, Hub, Subscriber, Tool, eventually, publish, repository, run,
};
use serde_json::json;

/// `EX_USAGE`: the configuration is wrong.
const USAGE: Option<i32> = Some(64);

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// A copy of a folder without sub-folders.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, to.join(name)).expect("copied");
    }
}

/// Replaces the first `old` of a file and returns its line, counted from 1.
fn spoil(path: &Path, old: &str, new: &str) -> usize {
    let text = std::fs::read_to_string(path).expect("text");
    let at = text
        .find(old)
        .unwrap_or_else(|| panic!("{} has no {old}", path.display()));
    std::fs::write(path, text.replacen(old, new, 1)).expect("written");
    text[..at].lines().count() + usize::from(text[..at].ends_with('\n') || at == 0)
}

#[tokio::test]
async fn check_says_which_key_is_wrong_and_which_was_meant() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = file(
        dir.path(),
        "good.toml",
        "[http]\nlisten = \"0.0.0.0:8443\"\n",
    );
    let outcome = run("gateway", &["check", "--config", &good]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for part in [
        "configuration is good",
        "9 sites",
        "322 devices",
        "http.listen 0.0.0.0:8443",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
    let cases: [(&str, &[&str]); 8] = [
        (
            "[http]\nlistne = \"x\"",
            &["`http.listne`", "did you mean `http.listen`?"],
        ),
        (
            "[jurnal]\nsegment_bytes = 1",
            &["`jurnal.segment_bytes`", "`journal.segment_bytes`"],
        ),
        ("[http]\nlisten = \"here\"", &["listen"]),
        (
            "[mqtt]\nreceive_maximum = 0",
            &["`mqtt.receive_maximum`", "1 to 65535"],
        ),
        ("[data]\ndir = \"\"", &["`data.dir`"]),
        (
            "[influx]\nurl = \"http://127.0.0.1:1\"",
            &["`influx.token_file`"],
        ),
        ("[http", &["line 1"]),
        ("[rules]\ndir = \"/nowhere\"", &["/nowhere", "`rules.dir`"]),
    ];
    for (text, parts) in cases {
        let path = file(dir.path(), "bad.toml", text);
        for command in ["check", "run"] {
            let outcome = run("gateway", &[command, "--config", &path]).await;
            assert_eq!(outcome.code, USAGE, "{command} with {text}: {outcome:?}");
            for part in parts {
                assert!(
                    outcome.stderr.contains(part),
                    "{command} with {text}: {part} is not in {}",
                    outcome.stderr
                );
            }
        }
    }
    let outcome = run("gateway", &["check", "--config", "/nowhere.toml"]).await;
    assert_eq!(outcome.code, USAGE, "{outcome:?}");
    assert!(outcome.stderr.contains("/nowhere.toml"), "{outcome:?}");
}

#[tokio::test]
async fn mistakes_in_registry_and_rules_are_listed_with_file_and_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let (registry, rules) = (dir.path().join("compound"), dir.path().join("rules"));
    let shipped = repository().join("deploy/config");
    let text = format!(
        "[registry]\ndir = {registry:?}\n[rules]\ndir = {rules:?}\n[data]\ndir = {:?}\n",
        dir.path().join("data")
    );
    let config = file(dir.path(), "gateway.toml", &text);
    let check = || async { run("gateway", &["check", "--config", &config]).await };

    copy(&shipped.join("compound"), &registry);
    copy(&shipped.join("rules"), &rules);
    let outcome = check().await;
    assert_eq!(outcome.code, Some(0), "as shipped: {outcome:?}");

    let kind = spoil(
        &registry.join("q1.toml"),
        "fire_compartment\"",
        "fire_compartmnt\"",
    );
    let class = spoil(
        &registry.join("devices.csv"),
        ",fire_sensor,",
        ",fire_sensr,",
    );
    let outcome = check().await;
    assert_eq!(outcome.code, USAGE);
    let q1 = registry.join("q1.toml").display().to_string();
    let devices = registry.join("devices.csv").display().to_string();
    for part in [
        format!("{q1}:{kind}: "),
        "`fire_compartmnt`".to_owned(),
        format!("{devices}:{class}: column `class`: unknown word `fire_sensr`"),
        "did you mean `fire_sensor`?".to_owned(),
    ] {
        assert!(outcome.stderr.contains(&part), "{part}: {}", outcome.stderr);
    }
    assert!(
        !outcome.stderr.contains("does not exist"),
        "what only follows from the above is not told: {}",
        outcome.stderr
    );

    copy(&shipped.join("compound"), &registry);
    let zone = spoil(
        &registry.join("devices.csv"),
        ",q1-gate-in,",
        ",q1-gate-inn,",
    );
    let outcome = check().await;
    assert_eq!(outcome.code, USAGE);
    let told = format!(
        "{devices}:{zone}: column `zone`: device `gate-q1-0101` names zone `q1-gate-inn`, which does not exist (hint: did you mean `q1-gate-in`?)"
    );
    assert!(outcome.stderr.contains(&told), "{told}: {}", outcome.stderr);

    copy(&shipped.join("compound"), &registry);
    let path = rules.join("access.toml");
    let field = spoil(&path, "dedupe_s = 120", "dedupes_s = 120");
    let kind = spoil(&path, "\"access.forced_open\"", "\"access.forced_opn\"");
    let outcome = check().await;
    assert_eq!(outcome.code, USAGE);
    let path = path.display();
    for part in [
        format!("{path}:{field}: rule A1: field `dedupes_s`"),
        "did you mean `dedupe_s`?".to_owned(),
        format!("{path}:{kind}: rule A1: field `when.kinds`"),
        "did you mean `access.forced_open`?".to_owned(),
    ] {
        assert!(outcome.stderr.contains(&part), "{part}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_setting_it_came_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let data = dir.path().display().to_string();
    for (mqtt, http, setting) in [
        (address.as_str(), "127.0.0.1:0", "mqtt.listen"),
        ("127.0.0.1:0", address.as_str(), "http.listen"),
    ] {
        let arguments = ["demo", "--data", &data, "--mqtt", mqtt, "--http", http];
        let outcome = run("gateway", &arguments).await;
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        for part in [setting, &address, "in use"] {
            assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        }
        assert!(!dir.path().join("demo.json").exists());
    }
}

#[tokio::test]
async fn a_journal_is_verified_and_damage_is_located() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let door = hub.demo.device("access").clone();
    for n in 0..20 {
        let payload = json!({"id": format!("entry-{n}"), "kind": "access.granted", "phase": "instant", "attrs": {"door": "door-1"}});
        let out = publish(
            &hub.demo,
            &door,
            &door.event_topic("access.granted"),
            payload.to_string().as_bytes(),
            1,
            "mqttv5",
        );
        assert!(out.status.success());
    }
    let journal = dir.path().join("journal");
    let verify = |dir: PathBuf| async move {
        let dir = dir.display().to_string();
        run("gateway", &["journal", "verify", &dir]).await
    };
    let running = verify(journal.clone()).await;
    assert_eq!(running.code, Some(0), "while the hub runs: {running:?}");
    assert!(hub.stop().await.success());
    let sound = verify(journal.clone()).await;
    assert_eq!(sound.code, Some(0), "{sound:?}");
    assert!(sound.stdout.ends_with("\nsound\n"), "{}", sound.stdout);

    // a few bytes in the middle of what was written, in a copy
    let copied = dir.path().join("copied");
    copy(&journal, &copied);
    let segment = copied.join("00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let at = bytes
        .windows(8)
        .position(|w| w == b"entry-10")
        .expect("the payload is in it");
    bytes[at..at + 4].fill(b'#');
    std::fs::write(&segment, bytes).expect("written");
    let damaged = verify(copied).await;
    assert_eq!(damaged.code, Some(1), "{damaged:?}");
    let line = damaged
        .stdout
        .lines()
        .find(|line| line.starts_with("damage: "))
        .unwrap_or_else(|| panic!("{damaged:?}"));
    assert!(line.contains("00000000000000000001.seg at byte "), "{line}");
    let offset: usize = line
        .split("at byte ")
        .nth(1)
        .and_then(|rest| rest.split(':').next())
        .and_then(|number| number.parse().ok())
        .expect("a number");
    assert!(
        offset <= at && at - offset < 2048,
        "byte {offset}, and the damage is at {at}"
    );
    assert!(damaged.stdout.contains("NOT SOUND"), "{damaged:?}");
    assert!(damaged.stderr.contains("damaged"), "{damaged:?}");

    let nowhere = verify(dir.path().join("nowhere")).await;
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    assert!(nowhere.stderr.contains("nowhere"), "{nowhere:?}");
}

#[tokio::test]
async fn users_and_accounts_are_made_with_secrets_that_work() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[data]\ndir = {:?}\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n",
        dir.path().join("data")
    );
    let config = file(dir.path(), "gateway.toml", &text);
    let make = |words: &'static [&'static str]| {
        let arguments: Vec<_> = words.iter().copied().chain(["--config", &config]).collect();
        async move { run("gateway", &arguments).await }
    };
    let secret = |words: &'static [&'static str]| {
        let made = make(words);
        async move {
            let outcome = made.await;
            assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
            let secret = outcome.stdout.trim().to_owned();
            assert!(
                secret.len() >= 20 && secret.lines().count() == 1,
                "nothing but the secret is printed: {outcome:?}"
            );
            secret
        }
    };
    let operator = secret(&["user", "add", "nightshift", "--role", "operator"]).await;
    let manager = secret(&[
        "user",
        "add",
        "gate2",
        "--role",
        "property_manager",
        "--scope-quarter",
        "q2",
        "--scope-quarter",
        "q1",
        "--scope-department",
        "property",
    ])
    .await;
    let lead = secret(&["user", "add", "chief", "--role", "station_lead"]).await;
    let device = secret(&["credential", "add", "smoke-q1-0215"]).await;
    let integration = secret(&["credential", "add", "archive", "--integration"]).await;
    for (words, parts) in [
        (
            &["user", "add", "crew", "--role", "responder"] as &'static [&'static str],
            ["department", "--department fire"],
        ),
        (&["user", "add", "boss", "--role", "king"], ["role", "king"]),
        (
            &[
                "user",
                "add",
                "far",
                "--role",
                "auditor",
                "--scope-quarter",
                "q99",
            ],
            ["quarter", "`q99`"],
        ),
        (
            &["credential", "add", "smoke-unknown"],
            ["`smoke-unknown`", "registry"],
        ),
    ] {
        let outcome = make(words).await;
        assert_ne!(outcome.code, Some(0), "{words:?}");
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "{part}: {outcome:?}");
        }
    }

    let hub = Tool::start("gateway", &["run", "--config", &config]);
    let (mqtt, http) = eventually("the hub serves", Duration::from_secs(30), || {
        let line = hub
            .printed()
            .lines()
            .find(|line| line.contains("hub serves"))
            .and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let address = |line: &serde_json::Value, key: &str| line[key].as_str().map(str::to_owned);
        std::future::ready(
            line.and_then(|l| Some((address(&l, "mqtt.address")?, address(&l, "http.address")?))),
        )
    })
    .await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    for (password, expected) in [(operator.as_str(), 200), ("nightshift", 401)] {
        let answer = client
            .post(format!("http://{http}/api/v1/session"))
            .json(&json!({"login": "nightshift", "password": password}))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), expected);
    }
    let answer = client
        .post(format!("http://{http}/api/v1/session"))
        .json(&json!({"login": "gate2", "password": manager}))
        .send()
        .await
        .expect("an answer");
    let told: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(
        told["user"]["scope"],
        json!({"quarters": ["q1", "q2"], "grids": [], "departments": ["property"]})
    );
    // rules that are built in are looked at, and not saved
    let answer = client
        .post(format!("http://{http}/api/v1/session"))
        .json(&json!({"login": "chief", "password": lead}))
        .send()
        .await
        .expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let rule = format!("http://{http}/api/v1/rules/S1");
    let asked = client.get(&rule).header("cookie", &cookie).send().await;
    let detail: serde_json::Value = asked.expect("an answer").json().await.expect("JSON");
    assert_eq!(detail["is_built_in"], true, "{detail}");
    let save = json!({"text": detail["text"], "expected_version": detail["version"], "note": "x"});
    let answer = client
        .put(&rule)
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin")
        .json(&save)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 409);
    let told: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(told["code"], "built_in", "{told}");
    let demo = Demo {
        command_key: String::new(),
        http: format!("http://{http}"),
        mqtt: format!("mqtt://{mqtt}"),
        users: Vec::new(),
        devices: Vec::new(),
        integration: Credentials {
            username: "archive".to_owned(),
            password: integration,
        },
    };
    let archive = &demo.integration;
    let listening = Subscriber::start(
        &demo,
        &archive.username,
        &archive.password,
        "archive-1",
        "ssg/v1/+/_gw/evt/#",
        &["-d"],
    );
    let detector = Device {
        id: "smoke-q1-0215".to_owned(),
        site: "q1".to_owned(),
        class: "fire_sensor".to_owned(),
        username: "smoke-q1-0215".to_owned(),
        password: device,
    };
    let topic = detector.event_topic("fire.smoke");
    // the subscription may not be there yet when the first one is published
    let heard = (0..20).find_map(|n| {
        let id = format!("by-hand-{n}");
        let smoke = json!({"id": id, "kind": "fire.smoke", "phase": "raised"}).to_string();
        let out = publish(&demo, &detector, &topic, smoke.as_bytes(), 1, "mqttv311");
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{told}");
        listening.line_with("by-hand", Duration::from_secs(1))
    });
    assert!(
        heard.is_some_and(|line| line.contains("ssg/v1/q1/_gw/evt/fire_sensor/fire-smoke")),
        "the archive hears of it"
    );
}

#[tokio::test]
async fn a_table_goes_out_to_a_spreadsheet_and_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let outcome = run("gateway", &["registry", "unpack", &at("compound")]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let text = format!("[registry]\ndir = {:?}\n", at("compound"));
    let config = file(dir.path(), "gateway.toml", &text);
    let registry = async |arguments: &[&str]| {
        let mut all = vec!["registry"];
        all.extend(arguments);
        all.extend(["--config", &config]);
        run("gateway", &all).await
    };
    let outcome = registry(&["export", "--kind", "rentals"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let table = outcome.stdout;
    assert!(
        table.starts_with("zone,registered,from,until,declared_on\n"),
        "{table}"
    );

    let bad = format!("{table}q1-a1-5002,5,2026/1/1,soon,2026/1/2\n");
    let bad = file(dir.path(), "bad.csv", &bad);
    let outcome = registry(&["import", "--kind", "rentals", &bad, "--dry-run"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let line = table.lines().count() + 1;
    let told = format!("{bad}:{line}: column `until`: `soon` is no day");
    assert!(outcome.stderr.contains(&told), "{told}: {}", outcome.stderr);

    let good = format!("{table}q1-a1-502,5,2026/1/1,2026/12/31,2026/1/2\n");
    let good = file(dir.path(), "good.csv", &good);
    let import = ["import", "--kind", "rentals", &good];
    let outcome = registry(&[&import[..], &["--dry-run"]].concat()).await;
    assert!(
        outcome.stdout.contains("1 added, 0 changed, 0 removed"),
        "{outcome:?}"
    );
    let outcome = registry(&import).await;
    assert!(outcome.stdout.contains("within seconds"), "{outcome:?}");
    let outcome = registry(&import).await;
    assert!(outcome.stdout.contains("nothing changes"), "{outcome:?}");
    let outcome = run("gateway", &["check", "--config", &config]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // without a folder of its own there is nothing to write to
    let outcome = run("gateway", &import_without(&good)).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("registry unpack"),
        "{}",
        outcome.stderr
    );
}

fn import_without(table: &str) -> [&str; 5] {
    ["registry", "import", "--kind", "rentals", table]
}
