//! Pictures that devices send: a camera posts one with its event, a recorder sends one after it, and whoever handles the incident sees them, without
//! where they were taken, by a link of their own. A power cut loses none and doubles none.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blackbox::{Api, Hello, Hub, Mqtt, Props, bin, eventually};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::clock::shown;
use crate::registry::own_compound;

const SOON: Duration = Duration::from_secs(30);
const CAMERA: &str = "cam-q1-0404";
const FAR_CAMERA: &str = "cam-q1-0402";

/// What stands beside the picture, and must not be kept.
const EXIF: &[u8] = b"\xff\xe1\x00\x26Exif\x00\x00MM\x00*GPSLatitude 29 18 33.4 N\x00\x00";

/// A JPEG as a camera sends it, and as it is kept.
fn picture(seed: u8) -> (Vec<u8>, Vec<u8>) {
    let rest = [
        &b"\xff\xc0\x00\x0b\x08\x000\x00@\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00?\x00"[..],
        &[seed; 200],
        &[0xff, 0xd9],
    ]
    .concat();
    let with = [&b"\xff\xd8"[..], EXIF, &rest].concat();
    (with, [&b"\xff\xd8"[..], &rest].concat())
}

fn name(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A hub in which two cameras are known by their addresses, one to a recorder, one to a bridge of cameras that post.
async fn hub(dir: &Path, more: &[(&str, &str)]) -> Hub {
    let compound = own_compound(dir);
    let file = compound.join("devices.csv");
    let mut table = String::new();
    for line in std::fs::read_to_string(&file).expect("it ships").lines() {
        table.push_str(line);
        if line.starts_with("id,") {
            table.push_str(",address");
        } else if line.starts_with(&format!("{CAMERA},")) {
            table.push_str(",nvr:yard");
        } else if line.starts_with(&format!("{FAR_CAMERA},")) {
            table.push_str(",cams:10.31.4.9");
        } else if !line.starts_with('#') {
            table.push(',');
        }
        table.push('\n');
    }
    std::fs::write(&file, table).expect("written");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    Hub::start_set(&data, &settings(&compound.display().to_string(), more)).await
}

fn settings<'a>(compound: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("JIMING__REGISTRY__DIR", compound),
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
        ("JIMING__BRIDGES__CAMS__SITE", "q1"),
        ("JIMING__BRIDGES__NVR__SITE", "q1"),
    ];
    all.extend(more);
    all
}

/// Makes the account of a bridge; gives its secret.
fn account(dir: &Path, login: &str, publish: &str) -> String {
    let out = Command::new(bin("gateway"))
        .args(["credential", "add", "--bridge", "--publish", publish, login])
        .env("JIMING__DATA__DIR", dir.join("data"))
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Posts as a camera does: an event and its pictures.
async fn post(hub: &Hub, secret: &str, event: &str, pictures: &[(&str, &[u8])]) {
    let port = hub.push_address().await;
    let mut body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"event.xml\"\r\nContent-Type: application/xml\r\n\r\n{event}\r\n"
    )
    .into_bytes();
    for (name, bytes) in pictures {
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    eventually("it is taken", SOON, || async {
        let request = client
            .post(format!("http://{port}/cams/{secret}/alarm"))
            .header("content-type", "multipart/form-data; boundary=edge")
            .body(body.clone());
        let answer = request.send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
}

/// A camera's event, in its maker's words.
fn alert(kind: &str, more: &str) -> String {
    let now = jiff::Timestamp::now();
    format!(
        "<EventNotificationAlert version=\"2.0\" xmlns=\"http://www.hikvision.com/ver20/XMLSchema\"><ipAddress>10.31.4.9</ipAddress>\
         <channelID>1</channelID><dateTime>{now}</dateTime><activePostCount>1</activePostCount><eventType>{kind}</eventType>\
         <eventState>active</eventState>{more}</EventNotificationAlert>"
    )
}

/// Somebody who is logged in.
struct Desk {
    api: Api,
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Desk {
    fn of(hub: &Hub, login: &str) -> Self {
        let users = &hub.demo.users;
        let user = users.iter().find(|user| user.login == login);
        let user = user.unwrap_or_else(|| hub.demo.user(login));
        Self {
            api: Api::new(&hub.demo.http, &user.token),
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            base: hub.demo.http.trim_end_matches('/').to_owned(),
            token: user.token.clone(),
        }
    }

    async fn open(&self, url: &str) -> Response {
        let request = self.client.get(format!("{}{url}", self.base));
        request
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("answers")
    }

    /// What is answered to a link: status and code.
    async fn refused(&self, url: &str) -> (u16, String) {
        let answer = self.open(url).await;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn snapshots(&self, incident: &str) -> Vec<Value> {
        let path = format!("/api/v1/incidents/{incident}");
        let view = self.api.get(&path).await.expect("an incident");
        view["snapshots"].as_array().expect("a list").clone()
    }

    /// Snapshots of an incident, once there are so many.
    async fn so_many(&self, incident: &str, many: usize) -> Vec<Value> {
        eventually("the snapshots are there", SOON, || async {
            let all = self.snapshots(incident).await;
            (all.len() == many).then_some(all)
        })
        .await
    }
}

async fn incident(desk: &Desk, rule: &str) -> String {
    eventually("the incident is open", SOON, || async {
        let all = desk.api.items("/api/v1/incidents?limit=200").await.ok()?;
        let found = all.into_iter().find(|incident| incident["rule"] == rule)?;
        found["id"].as_str().map(str::to_owned)
    })
    .await
}

fn url(snapshot: &Value) -> &str {
    snapshot["url"].as_str().expect("a link")
}

#[tokio::test]
async fn a_picture_that_came_with_an_alarm_is_seen_by_those_who_handle_it_without_where_it_was_taken()
 {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path(), &[]).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let (sent, kept) = picture(1);
    let bomb = [
        &b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0"[..],
        &[0; 200],
    ]
    .concat();
    let pictures: [(&str, &[u8]); 3] = [
        ("detectionPicture", &sent),
        ("second", &bomb),
        ("third", b"<svg onload=alert(1)>"),
    ];
    post(&hub, &secret, &alert("smokeDetection", ""), &pictures).await;
    let operator = Desk::of(&hub, "operator");
    let fire = incident(&operator, "C4").await;
    let all = operator.so_many(&fire, 3).await;
    let of = |name: &str| {
        let found = all.iter().find(|one| one["sha256"] == name);
        found.unwrap_or_else(|| panic!("{name} in {all:?}"))
    };
    let good = of(&name(&sent));
    assert_eq!(
        json!([
            good["device"],
            good["shows"],
            good["media_type"],
            good["width"],
            good["height"],
            good["refused"]
        ]),
        json!([FAR_CAMERA, "scene", "image/jpeg", 64, 48, null])
    );
    assert_eq!(of(&name(&bomb))["refused"], "too_many_pixels");
    assert_eq!(of(&name(b"<svg onload=alert(1)>"))["refused"], "no_picture");
    let events = operator.api.get(&format!("/api/v1/incidents/{fire}")).await;
    let events = events.expect("an incident")["events"].clone();
    assert_eq!(events[0]["event_id"], good["event"], "{events}");

    // the same pixels, and nothing else
    let answer = operator.open(url(good)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.bytes().await.expect("bytes"), kept);

    // nobody else's session opens it, and those who are shown no photos of it are not told of any
    let firefighter = Desk::of(&hub, "fire");
    let own = firefighter.so_many(&fire, 3).await;
    let own = own
        .iter()
        .find(|one| one["url"].is_string())
        .expect("a link");
    assert_ne!(url(own), url(good));
    assert_eq!(firefighter.open(url(own)).await.status(), 200);
    let bad = (403, "bad_link".to_owned());
    assert_eq!(firefighter.refused(url(good)).await, bad);
    let forged = url(good).replace(&name(&sent), &name(&bomb));
    assert_eq!(operator.refused(&forged).await, bad);
    for login in ["auditor", "administrator", "property_manager"] {
        let other = Desk::of(&hub, login);
        assert_eq!(other.snapshots(&fire).await, Vec::<Value>::new(), "{login}");
        assert_eq!(other.refused(url(good)).await, bad, "{login}");
    }
    let nobody = operator
        .client
        .get(format!("{}{}", operator.base, url(good)));
    assert_eq!(nobody.send().await.expect("answers").status(), 401);

    // it is on record who has seen the place, once
    assert_eq!(operator.open(url(good)).await.status(), 200);
    let trail = hub.api("auditor").items("/api/v1/audit?act=show").await;
    let actors: Vec<Value> = trail
        .expect("a trail")
        .iter()
        .map(|line| line["actor"].clone())
        .collect();
    assert_eq!(actors.len(), 2, "{actors:?}");
    // the picture of another scope
    let (login, password) = limited(dir.path(), "elsewhere", "q2");
    let cookie = log_in(&hub, &login, &password).await;
    let request = operator
        .client
        .get(format!("{}{}", operator.base, url(good)));
    let answer = request.header("cookie", cookie).send().await;
    assert_eq!(answer.expect("answers").status(), 403);
    let on_disk = std::fs::read(
        dir.path()
            .join("data/photos")
            .join(&name(&sent)[..2])
            .join(name(&sent)),
    );
    assert_eq!(on_disk.expect("a file"), kept);
    assert!(
        !hub.log().contains(&url(good)[20..]),
        "a link is in the log"
    );
}

/// An operator of one quarter: log-in name and password.
fn limited(dir: &Path, login: &str, quarter: &str) -> (String, String) {
    let out = Command::new(bin("gateway"))
        .args([
            "user",
            "add",
            login,
            "--role",
            "operator",
            "--scope-quarter",
            quarter,
        ])
        .env("JIMING__DATA__DIR", dir.join("data"))
        .output()
        .expect("runs");
    assert!(out.status.success(), "{out:?}");
    let password = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    (login.to_owned(), password)
}

/// Logs in as a browser does; gives the cookie.
async fn log_in(hub: &Hub, login: &str, password: &str) -> String {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.build().expect("a client");
    let base = hub.demo.http.trim_end_matches('/');
    let body = json!({"login": login, "password": password});
    let request = client.post(format!("{base}/api/v1/session")).json(&body);
    let answer = request.send().await.expect("answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_link_is_over_some_minutes_later_also_when_the_hub_was_started_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path(), &[]).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let (sent, kept) = picture(2);
    post(&hub, &secret, &alert("smokeDetection", ""), &[("p", &sent)]).await;
    let operator = Desk::of(&hub, "operator");
    let fire = incident(&operator, "C4").await;
    let all = operator.so_many(&fire, 1).await;
    let link = url(&all[0]).to_owned();
    assert!(hub.stop().await.success());
    let again = async |shift: &str| {
        let told = dir.path().join("shift");
        std::fs::write(&told, shift).expect("written");
        let clock = shown(&told.display().to_string());
        let compound = dir.path().join("compound").display().to_string();
        let clock: Vec<(&str, &str)> = clock.iter().map(|(n, to)| (*n, to.as_str())).collect();
        Hub::start_set(&dir.path().join("data"), &settings(&compound, &clock)).await
    };
    let hub = again("+0s").await;
    let answer = Desk::of(&hub, "operator").open(&link).await;
    assert_eq!(answer.bytes().await.expect("bytes"), kept);
    assert!(hub.stop().await.success());
    let hub = again("+11m").await;
    let operator = Desk::of(&hub, "operator");
    assert_eq!(operator.refused(&link).await, (403, "link_over".to_owned()));
    let all = operator.so_many(&fire, 1).await;
    assert_eq!(operator.open(url(&all[0])).await.status(), 200);
    assert!(hub.stop().await.success());

    // its days after the end are over, and so is the picture
    let file = dir
        .path()
        .join("data/photos")
        .join(&name(&sent)[..2])
        .join(name(&sent));
    assert!(file.is_file());
    let hub = again("+12m").await;
    for login in ["station_lead", "operator"] {
        let body = json!({"cause": "false_alarm", "note": "蒸汽", "evidence": [{"kind": "video", "reference": "回放"}]});
        let desk = Desk::of(&hub, login);
        desk.api.advance(&fire, "force_close", body).await;
    }
    let operator = Desk::of(&hub, "operator");
    let state = operator.api.get(&format!("/api/v1/incidents/{fire}")).await;
    if state.expect("an incident")["state"] != "closed" {
        operator.api.advance(&fire, "close", json!({})).await;
    }
    assert!(hub.stop().await.success());
    let hub = again("+40d").await;
    eventually("the picture is gone", SOON, || {
        std::future::ready((!file.exists()).then_some(()))
    })
    .await;
    assert_eq!(
        Desk::of(&hub, "operator").snapshots(&fire).await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn the_picture_of_a_car_is_masked_like_its_plate_and_each_look_is_on_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path(), &[]).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let (sent, kept) = picture(3);
    let car = "<ANPR><licensePlate>浙G8K2M6</licensePlate><confidenceLevel>97</confidenceLevel><line>1</line></ANPR>";
    post(
        &hub,
        &secret,
        &alert("ANPR", car),
        &[("licensePlatePicture", &sent)],
    )
    .await;
    let (operator, police) = (Desk::of(&hub, "operator"), Desk::of(&hub, "police"));
    let seen = incident(&operator, "B1").await;
    let masked = &operator.so_many(&seen, 1).await[0];
    assert_eq!(
        json!([
            masked["shows"],
            masked["is_masked"],
            masked["url"],
            masked["sha256"]
        ]),
        json!(["plate", true, null, null])
    );
    // the police, whose duty it is, see it; each look is on record
    let own = police.so_many(&seen, 1).await;
    for _ in 0..2 {
        let answer = police.open(url(&own[0])).await;
        assert_eq!(answer.bytes().await.expect("bytes"), kept);
    }
    // and so does an operator who has asked
    let view = operator.api.get(&format!("/api/v1/incidents/{seen}")).await;
    assert_eq!(view.expect("an incident")["sight"]["may_unmask"], true);
    let asks =
        json!({"incident": seen, "purpose": "verification", "minutes": 30, "reason": "核对车牌"});
    let (status, leave) = operator
        .api
        .post("/api/v1/unmaskings", "u1", &asks)
        .await
        .expect("answers");
    assert_eq!(status, 200, "{leave}");
    let now = operator.so_many(&seen, 1).await;
    assert_eq!(operator.open(url(&now[0])).await.status(), 200);
    let trail = hub
        .api("auditor")
        .items("/api/v1/audit?act=show_snapshot")
        .await;
    assert_eq!(trail.expect("a trail").len(), 3);
}

async fn recorder(hub: &Hub, secret: &str) -> Mqtt {
    let (host, port) = hub.demo.mqtt_address();
    let hello = Hello {
        version: 5,
        client: "nvr".to_owned(),
        clean: true,
        keep_alive_s: 60,
        login: Some(("nvr".to_owned(), secret.to_owned())),
        will: None,
        props: Props::default(),
    };
    let address = format!("{host}:{port}");
    eventually("the account is known", SOON, || async {
        let (client, welcome) = Mqtt::connect(&address, &hello).await;
        welcome.filter(|welcome| welcome.code == 0).map(|_| client)
    })
    .await
}

#[tokio::test]
async fn a_recorders_snapshot_belongs_to_what_it_told_just_before_and_a_devices_to_the_event_that_names_it()
 {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = hub(dir.path(), &[]).await;
    let secret = account(dir.path(), "nvr", "frigate/#");
    let mut line = recorder(&hub, &secret).await;
    let now = jiff::Timestamp::now().as_second();
    let object = json!({"id": format!("{now}.1-abc"), "camera": "yard", "label": "fight", "score": 0.9, "start_time": now,
        "end_time": null, "has_snapshot": true, "has_clip": false, "false_positive": false, "current_zones": [], "entered_zones": []});
    let told = json!({"type": "new", "before": object, "after": object}).to_string();
    assert_eq!(line.publish("frigate/events", &told, 1, false).await, 0);
    let (sent, kept) = picture(4);
    assert_eq!(
        line.publish("frigate/yard/fight/snapshot", &sent, 1, false)
            .await,
        0
    );
    // one of something that nobody told of, and one that is none
    let (other, _) = picture(5);
    assert_eq!(
        line.publish("frigate/yard/bird/snapshot", &other, 1, false)
            .await,
        0
    );
    assert_eq!(
        line.publish("frigate/yard/fight/snapshot", "none", 1, false)
            .await,
        0
    );
    let police = Desk::of(&hub, "police");
    let fight = incident(&police, "C5").await;
    let all = police.so_many(&fight, 2).await;
    let good = all
        .iter()
        .find(|one| one["url"].is_string())
        .expect("a link");
    assert_eq!(
        (&good["device"], &good["sha256"]),
        (&json!(CAMERA), &json!(name(&sent)))
    );
    let answer = police.open(url(good)).await;
    assert_eq!(answer.bytes().await.expect("bytes"), kept);
    let row = eventually("what is no picture is in quarantine", SOON, || async {
        let keeper = hub.api("property_manager");
        let rows = keeper.items("/api/v1/quarantine").await.ok()?;
        rows.into_iter().find(|row| row["principal"] == "nvr")
    })
    .await;
    assert_eq!(row["reason"], "no_picture", "{row}");

    // a device of our own: the picture first, then the event that names it; and one that is not what was told
    let detector = hub.demo.device("fire_sensor").clone();
    let mut own = Mqtt::connect(
        &{
            let (host, port) = hub.demo.mqtt_address();
            format!("{host}:{port}")
        },
        &Hello {
            version: 5,
            ..Hello::of(&detector)
        },
    )
    .await
    .0;
    let (smoke, _) = picture(6);
    let media = |word: &str| format!("ssg/v1/{}/{}/media/{word}", detector.site, detector.id);
    let told = |sha256: &str| Props::default().user("sha256", sha256);
    let reason = own
        .publish_with(&media("m-1"), &smoke, 1, false, &told(&name(&smoke)))
        .await;
    assert_eq!(reason, 0);
    let (wrong, _) = picture(7);
    let reason = own
        .publish_with(&media("m-2"), &wrong, 1, false, &told(&name(&smoke)))
        .await;
    assert_eq!(reason, 0, "what is on disk is acknowledged");
    let event = json!({"id": "s1", "kind": "fire.smoke", "phase": "raised", "attrs": {"media": [{"id": "m-1"}, {"id": "m-2"}]}});
    own.publish(
        &detector.event_topic("fire.smoke"),
        &event.to_string(),
        1,
        false,
    )
    .await;
    let operator = Desk::of(&hub, "operator");
    let fire = incident(&operator, "S1").await;
    let all = operator.so_many(&fire, 2).await;
    let refused = |bytes: &[u8]| {
        let one = all.iter().find(|one| one["sha256"] == name(bytes));
        one.expect("listed")["refused"].clone()
    };
    assert_eq!(refused(&smoke), Value::Null);
    assert_eq!(refused(&wrong), "wrong_sha256");
}

#[tokio::test]
async fn a_power_cut_loses_no_picture_and_doubles_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut hub = hub(dir.path(), &[]).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let compound = dir.path().join("compound").display().to_string();
    let mut sent = Vec::new();
    for round in 0..4_u8 {
        for n in 0..3 {
            let (bytes, _) = picture(10 + round * 3 + n);
            let car = format!(
                "<UUID>{round}-{n}</UUID><ANPR><licensePlate>浙G8K2M6</licensePlate><confidenceLevel>97</confidenceLevel></ANPR>"
            );
            post(&hub, &secret, &alert("ANPR", &car), &[("p", &bytes)]).await;
            sent.push(name(&bytes));
        }
        // answered is on disk; whether anybody has looked at it yet is chance
        hub.kill9();
        hub = Hub::start_set(&dir.path().join("data"), &settings(&compound, &[])).await;
    }
    let folder = dir.path().join("data/photos");
    let file = |name: &String| folder.join(&name[..2]).join(name);
    eventually("all pictures are there", SOON, || {
        std::future::ready(sent.iter().all(|name| file(name).is_file()).then_some(()))
    })
    .await;
    let folders = std::fs::read_dir(&folder).expect("a folder");
    let files = folders.map(|entry| {
        let inside = std::fs::read_dir(entry.expect("an entry").path());
        inside.expect("a folder").count()
    });
    assert_eq!(files.sum::<usize>(), sent.len(), "none is left half-way");
    // a car that stays in sight is one finding: the incident shows its picture, once
    let police = Desk::of(&hub, "police");
    let seen = incident(&police, "B1").await;
    let all = police.so_many(&seen, 1).await;
    assert_eq!(all[0]["sha256"], sent[0]);
    assert_eq!(police.open(url(&all[0])).await.status(), 200);
}

/// A server of pictures: who asked for what.
async fn server(picture: Vec<u8>, elsewhere: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut failed = false;
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = socket.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            told.lock().expect("unharmed").push(path.clone());
            let answer = match path.as_str() {
                "/moved.jpg" => format!(
                    "HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"
                )
                .into_bytes(),
                // the first time it has none yet
                _ if !failed => {
                    failed = true;
                    b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n".to_vec()
                }
                _ => {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                        picture.len()
                    );
                    [head.as_bytes(), &picture].concat()
                }
            };
            let _ = socket.write_all(&answer).await;
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_picture_is_fetched_from_where_it_is_listed_and_nobody_else_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let (sent, kept) = picture(8);
    let (elsewhere, never) = server(sent.clone(), String::new()).await;
    let moved = format!("http://{elsewhere}/secret.jpg");
    let (listed, asked) = server(sent.clone(), moved.clone()).await;
    let place = format!("http://{listed}/");
    let hub = hub(dir.path(), &[("JIMING__BRIDGES__CAMS__FETCH", &place)]).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let more = format!(
        "<picURL>http://{listed}/a.jpg?token=s3cr3t&amp;x=1</picURL><bkgURL>{moved}</bkgURL><other>http://{listed}/moved.jpg</other>\
         <third>http://user:word@{listed}/b.jpg</third><fourth>http://localhost:1/c.jpg</fourth>"
    );
    post(&hub, &secret, &alert("smokeDetection", &more), &[]).await;
    let operator = Desk::of(&hub, "operator");
    let fire = incident(&operator, "C4").await;
    let all = operator.so_many(&fire, 2).await;
    let good = all
        .iter()
        .find(|one| one["url"].is_string())
        .expect("a link");
    assert_eq!(good["sha256"], name(&sent));
    let answer = operator.open(url(good)).await;
    assert_eq!(answer.bytes().await.expect("bytes"), kept);
    let refused: Vec<&Value> = all
        .iter()
        .filter_map(|one| one.get("refused"))
        .filter(|why| why.is_string())
        .collect();
    assert_eq!(refused, ["not_fetched"], "it is somewhere else");
    let mut paths = asked.lock().expect("unharmed").clone();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths, ["/a.jpg?token=s3cr3t&x=1", "/moved.jpg"]);
    assert_eq!(*never.lock().expect("unharmed"), Vec::<String>::new());
    assert!(!hub.log().contains("s3cr3t"), "an address is in the log");
}

#[tokio::test]
async fn a_hub_that_is_killed_while_a_picture_comes_fetches_it_again_and_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (sent, _) = picture(9);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = format!("http://{}/", listener.local_addr().expect("an address"));
    let more = [("JIMING__BRIDGES__CAMS__FETCH", place.as_str())];
    let hub = hub(dir.path(), &more).await;
    let secret = account(dir.path(), "cams", "$http/none");
    let address = format!("<picURL>{place}a.jpg</picURL>");
    post(&hub, &secret, &alert("smokeDetection", &address), &[]).await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
    let answer = async |bytes: &[u8]| {
        let came = tokio::time::timeout(SOON, listener.accept()).await;
        let (mut socket, _) = came.expect("the hub asks").expect("a connection");
        let asked = socket.read(&mut [0; 4096]).await.expect("a request");
        assert!(asked > 0, "it says what it wants");
        socket.write_all(head.as_bytes()).await.expect("written");
        socket.write_all(bytes).await.expect("written");
        socket
    };
    // half of it is there when the hub goes
    let half = answer(&sent[..sent.len() / 2]).await;
    hub.kill9();
    drop(half);
    let compound = dir.path().join("compound").display().to_string();
    let hub = Hub::start_set(&dir.path().join("data"), &settings(&compound, &more)).await;
    drop(answer(&sent).await);
    let operator = Desk::of(&hub, "operator");
    let fire = incident(&operator, "C4").await;
    let all = operator.so_many(&fire, 1).await;
    assert_eq!(all[0]["sha256"], name(&sent));
    assert_eq!(operator.open(url(&all[0])).await.status(), 200);
    // longer than the fetcher waits between two looks
    let again = tokio::time::timeout(Duration::from_secs(3), listener.accept()).await;
    assert!(again.is_err(), "it is asked for a third time");
}
