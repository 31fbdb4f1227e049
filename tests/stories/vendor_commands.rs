//! Commands in the words of devices' makers: over a bridge's own connection, and over HTTP with digest authentication.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use blackbox::{Api, Hello, Hub, Mqtt, Props, bin, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::registry::own_compound;

const SOON: Duration = Duration::from_secs(20);
/// After so long without a request a terminal of the test ends.
const QUIET: Duration = Duration::from_secs(8);

/// A compound in which these devices are known by an address.
fn compound(dir: &Path, addresses: &[(&str, &str)]) -> String {
    let folder = own_compound(dir);
    let file = folder.join("devices.csv");
    let mut table = String::new();
    for line in std::fs::read_to_string(&file).expect("it ships").lines() {
        let id = line.split(',').next().unwrap_or_default();
        table.push_str(line);
        if line.starts_with("id,") {
            table.push_str(",address");
        } else if !line.starts_with('#') {
            let known = addresses.iter().find(|(device, _)| *device == id);
            table.push(',');
            table.push_str(known.map_or("", |(_, address)| address));
        }
        table.push('\n');
    }
    std::fs::write(&file, table).expect("written");
    folder.display().to_string()
}

/// A bridge that is connected and hears what goes to its devices.
async fn bridge(hub: &Hub, dir: &Path, login: &str, [publish, subscribe]: [&str; 2]) -> Mqtt {
    let out = Command::new(bin("gateway"))
        .args([
            "credential",
            "add",
            "--bridge",
            "--publish",
            publish,
            "--subscribe",
            subscribe,
            login,
        ])
        .env("JIMING__DATA__DIR", dir.join("data"))
        .output()
        .expect("runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let secret = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let (host, port) = hub.demo.mqtt_address();
    let hello = Hello {
        version: 5,
        client: login.to_owned(),
        clean: true,
        keep_alive_s: 60,
        login: Some((login.to_owned(), secret)),
        will: None,
        props: Props::default(),
    };
    let address = format!("{host}:{port}");
    let mut client = eventually("the bridge is let in", SOON, || async {
        let (client, welcome) = Mqtt::try_connect(&address, &hello).await?;
        (welcome?.code == 0).then_some(client)
    })
    .await;
    assert_eq!(client.subscribe(&[(subscribe, 1)]).await, [1]);
    client
}

async fn asks(api: &Api, device: &str, command: &str) -> Value {
    let body = json!({"command": command, "reason": "访客已核实"});
    let path = format!("/api/v1/devices/{device}/commands");
    let key = format!("{device}-{command}-{}", jiff::Timestamp::now());
    let (status, item) = api.post(&path, &key, &body).await.expect("answers");
    assert_eq!(status, 200, "{item}");
    item["id"].clone()
}

async fn ends(api: &Api, id: &Value) -> (String, String) {
    let path = format!("/api/v1/commands/{}", id.as_str().expect("an id"));
    eventually("the command is over", SOON, || async {
        let item = api.get(&path).await.ok()?;
        let word = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        (item["is_over"] == true).then(|| (word("stage"), word("detail")))
    })
    .await
}

fn pair(stage: &str, detail: &str) -> (String, String) {
    (stage.to_owned(), detail.to_owned())
}

#[tokio::test]
async fn a_zigbee_lock_a_plate_camera_and_a_relay_are_told_by_their_bridges() {
    let dir = tempfile::tempdir().expect("a directory");
    let addresses = [
        ("door-q1-0301", "zigbee:front door"),
        ("gate-q1-0101", "cameras:3f7a02c1-9b44e610"),
        ("door-q1-0302", "relays:shellyplus1-a8032ab12345/switch:1"),
        ("door-q1-0303", "silent:0xffff"),
    ];
    let folder = compound(dir.path(), &addresses);
    let settings = [
        ("JIMING__REGISTRY__DIR", folder.as_str()),
        ("JIMING__BRIDGES__ZIGBEE__SITE", "q1"),
        ("JIMING__BRIDGES__ZIGBEE__COMMANDS__FORMAT", "zigbee2mqtt"),
        ("JIMING__BRIDGES__CAMERAS__SITE", "q1"),
        ("JIMING__BRIDGES__CAMERAS__COMMANDS__FORMAT", "vzenith"),
        ("JIMING__BRIDGES__RELAYS__SITE", "q1"),
        ("JIMING__BRIDGES__RELAYS__COMMANDS__FORMAT", "shelly"),
        ("JIMING__BRIDGES__SILENT__SITE", "q1"),
    ];
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings).await;
    let api = hub.api("operator");

    // a lock says nothing to a command; its state does
    let mut zigbee = bridge(
        &hub,
        dir.path(),
        "zigbee",
        ["zigbee2mqtt/#", "zigbee2mqtt/+/set"],
    )
    .await;
    let asked = asks(&api, "door-q1-0301", "unlock").await;
    let told = zigbee.take().await;
    assert_eq!(told.topic, "zigbee2mqtt/front door/set");
    assert_eq!(
        (told.payload.as_str(), told.retain),
        (r#"{"state":"UNLOCK"}"#, false)
    );
    let state = json!({"state": "UNLOCK", "lock_state": "unlocked", "battery": 80}).to_string();
    zigbee
        .publish("zigbee2mqtt/front door", &state, 1, false)
        .await;
    assert_eq!(ends(&api, &asked).await, pair("done", "seen_in_state"));

    // a camera answers with the command's id and a code
    let mut camera = bridge(
        &hub,
        dir.path(),
        "cameras",
        ["device/#", "device/+/message/down/+"],
    )
    .await;
    let reply = "device/3f7a02c1-9b44e610/message/down/gpio_out/reply";
    for (code, expected) in [(200, pair("done", "")), (400, pair("failed", "code_400"))] {
        let asked = asks(&api, "gate-q1-0101", "raise").await;
        let told = camera.take().await;
        assert_eq!(told.topic, "device/3f7a02c1-9b44e610/message/down/gpio_out");
        let order: Value = serde_json::from_str(&told.payload).expect("JSON");
        assert_eq!((&order["id"], &order["name"]), (&asked, &json!("gpio_out")));
        assert_eq!(
            order["payload"]["body"],
            json!({"io": 0, "value": 2, "delay": 500})
        );
        let answer =
            json!({"id": order["id"], "sn": order["sn"], "name": "gpio_out", "code": code})
                .to_string();
        camera.publish(reply, &answer, 1, false).await;
        assert_eq!(ends(&api, &asked).await, expected);
    }
    // a barrier that could not is somebody's work
    assert_eq!(api.incident_of("B5c").await["site"], "q1");

    let mut relay = bridge(
        &hub,
        dir.path(),
        "relays",
        ["+/rpc", "shellyplus1-a8032ab12345/rpc"],
    )
    .await;
    let asked = asks(&api, "door-q1-0302", "open-door").await;
    let told = relay.take().await;
    assert_eq!(told.topic, "shellyplus1-a8032ab12345/rpc");
    let order: Value = serde_json::from_str(&told.payload).expect("JSON");
    assert_eq!(order["method"], "Switch.Set");
    assert_eq!(
        order["params"],
        json!({"id": 1, "on": true, "toggle_after": 1})
    );
    let answer = json!({"id": order["id"], "src": "shellyplus1-a8032ab12345", "dst": "jiming", "result": {"was_on": false}});
    relay
        .publish("jiming/rpc", &answer.to_string(), 1, false)
        .await;
    assert_eq!(ends(&api, &asked).await.0, "done");

    // a bridge of which the configuration says nothing takes no commands
    let body = json!({"command": "unlock", "reason": "x"});
    let (status, refused) = api
        .post("/api/v1/devices/door-q1-0303/commands", "k", &body)
        .await
        .expect("answers");
    assert_eq!((status, &refused["code"]), (409, &json!("not_possible")));
}

/// A door terminal as Hikvision's: digest authentication, and what it was asked with the right proof.
async fn terminal(listener: TcpListener, password: &'static str, answers: bool) -> Vec<String> {
    let mut asked = Vec::new();
    loop {
        let Ok(Ok((mut socket, _))) = tokio::time::timeout(QUIET, listener.accept()).await else {
            return asked;
        };
        while let Some((head, body)) = request(&mut socket).await {
            let Some(proof) = head.lines().find(|line| {
                line.to_ascii_lowercase()
                    .starts_with("authorization: digest")
            }) else {
                let reply = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest qop=\"auth\", realm=\"DS-K1T\", nonce=\"4e6a\"\r\nContent-Length: 0\r\n\r\n";
                socket.write_all(reply.as_bytes()).await.expect("writes");
                continue;
            };
            let mut prompt =
                digest_auth::parse("Digest qop=\"auth\", realm=\"DS-K1T\", nonce=\"4e6a\"")
                    .expect("parses");
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            let cnonce = proof
                .split("cnonce=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .expect("a cnonce");
            let mut context = digest_auth::AuthContext::new_with_method(
                "hub",
                password,
                &path,
                None::<&[u8]>,
                digest_auth::HttpMethod::PUT,
            );
            context.set_custom_cnonce(cnonce);
            let expected = prompt.respond(&context).expect("responds").response;
            if !proof.contains(&expected) {
                socket
                    .write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                    .await
                    .expect("writes");
                continue;
            }
            asked.push(format!("{path} {body}"));
            if !answers {
                break;
            }
            socket
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await
                .expect("writes");
        }
    }
}

async fn request(socket: &mut TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            });
            let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        // connections are kept for the next request, which does not come
        let read = tokio::time::timeout(QUIET, socket.read(&mut piece));
        let read = read.await.ok()?.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

#[tokio::test]
async fn a_door_terminal_is_asked_over_http_with_digest_and_never_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = compound(
        dir.path(),
        &[
            ("door-q1-0301", "good:A1/door-2"),
            ("door-q1-0302", "wrong:B1"),
            ("door-q1-0303", "mute:C1"),
            ("door-q1-0304", "away:D1"),
        ],
    );
    let mut servers = Vec::new();
    let mut urls = Vec::new();
    for (password, answers) in [("right", true), ("another", true), ("right", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        urls.push(format!(
            "http://{}",
            listener.local_addr().expect("an address")
        ));
        servers.push(tokio::spawn(terminal(listener, password, answers)));
    }
    // nobody listens there
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    urls.push(format!(
        "http://{}",
        closed.local_addr().expect("an address")
    ));
    drop(closed);
    let password = dir.path().join("password");
    std::fs::write(&password, "right\n").expect("written");
    let password = password.display().to_string();
    let mut settings = vec![("JIMING__REGISTRY__DIR".to_owned(), folder)];
    for (name, url) in ["GOOD", "WRONG", "MUTE", "AWAY"].iter().zip(&urls) {
        let of = |key: &str| format!("JIMING__BRIDGES__{name}__{key}");
        settings.push((of("SITE"), "q1".to_owned()));
        settings.push((of("COMMANDS__FORMAT"), "hikvision".to_owned()));
        settings.push((of("COMMANDS__URL"), url.clone()));
        settings.push((of("COMMANDS__USER"), "hub".to_owned()));
        settings.push((of("COMMANDS__PASSWORD_FILE"), password.clone()));
    }
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let hub = Hub::start_set(&data, &settings).await;
    let api = hub.api("operator");
    let mut asked = Vec::new();
    for door in [
        "door-q1-0301",
        "door-q1-0302",
        "door-q1-0303",
        "door-q1-0304",
    ] {
        asked.push(asks(&api, door, "open-door").await);
    }
    let mut ended = Vec::new();
    for id in &asked {
        ended.push(ends(&api, id).await);
    }
    assert_eq!(ended[0], pair("done", ""));
    assert_eq!(ended[1], pair("rejected", "wrong_credentials"));
    assert_eq!(
        ended[2],
        pair("unknown", "no_answer"),
        "it heard the command and hung up"
    );
    assert_eq!(ended[3], pair("failed", "unreachable"));
    let mut heard = Vec::new();
    for server in servers {
        heard.push(server.await.expect("ends"));
    }
    let open = r#"<RemoteControlDoor version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><cmd>open</cmd></RemoteControlDoor>"#;
    let [second, first] =
        [2, 1].map(|door| format!("/ISAPI/AccessControl/RemoteControl/door/{door} {open}"));
    assert_eq!(heard[0], [second], "the door of the part");
    assert!(heard[1].is_empty());
    assert_eq!(heard[2], [first], "and is asked no second time");
    assert!(!hub.log().contains("right"), "no password in the log");
}
