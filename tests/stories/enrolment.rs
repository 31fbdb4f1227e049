//! A device's identity from the outside: invited, enrolled once, renewed without a gap, revoked and gone within a minute.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use blackbox::{Device, Hello, Hub, Mqtt, Props, bin, eventually};
use serde_json::{Value, json};

fn hello(login: &str, password: &str) -> Hello {
    Hello {
        version: 5,
        client: login.to_owned(),
        clean: true,
        keep_alive_s: 60,
        login: Some((login.to_owned(), password.to_owned())),
        will: None,
        props: Props::default(),
    }
}

fn address(hub: &Hub) -> String {
    let (host, port) = hub.demo.mqtt_address();
    format!("{host}:{port}")
}

async fn code(hub: &Hub, device: &Device, password: &str) -> u8 {
    let (_, welcome) = Mqtt::connect(&address(hub), &hello(&device.id, password)).await;
    welcome.expect("an answer").code
}

async fn post(hub: &Hub, path: &str, role: Option<&str>, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(format!("{}{path}", hub.demo.http))
        .json(body);
    let request = match role {
        Some(role) => request.bearer_auth(&hub.demo.user(role).token),
        None => request,
    };
    let reply = request.send().await.expect("answers");
    let status = reply.status().as_u16();
    (status, reply.json().await.unwrap_or(Value::Null))
}

async fn invited(hub: &Hub, device: &str) -> String {
    let path = format!("/api/v1/devices/{device}/invitation");
    let (status, body) = post(hub, &path, Some("property_manager"), &json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn an_invited_device_gets_a_secret_and_renews_it_without_a_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = Hub::start(dir.path()).await;
    let device = hub.demo.device("fire_sensor").clone();
    let other = hub.demo.device("barrier").clone();
    let enrol = |device: &str, token: &str| json!({"device": device, "token": token});

    // who may invite, and whom
    let path = format!("/api/v1/devices/{}/invitation", device.id);
    assert_eq!(post(&hub, &path, Some("operator"), &json!({})).await.0, 403);
    assert_eq!(post(&hub, &path, None, &json!({})).await.0, 401);
    let unknown = "/api/v1/devices/nobody/invitation";
    assert_eq!(
        post(&hub, unknown, Some("administrator"), &json!({}))
            .await
            .0,
        404
    );

    // a live connection with the secret of before
    let (mut live, welcome) =
        Mqtt::connect(&address(&hub), &hello(&device.id, &device.password)).await;
    assert_eq!(welcome.expect("an answer").code, 0);

    let token = invited(&hub, &device.id).await;
    let (status, body) = post(&hub, "/api/v1/enrol", None, &enrol(&other.id, &token)).await;
    assert_eq!(status, 403, "for another device: {body}");
    let (status, body) = post(&hub, "/api/v1/enrol", None, &enrol(&device.id, &token)).await;
    assert_eq!(status, 200, "{body}");
    let renewed = body["password"].as_str().expect("a password").to_owned();
    let (status, body) = post(&hub, "/api/v1/enrol", None, &enrol(&device.id, &token)).await;
    assert_eq!(status, 403, "a second time: {body}");
    assert!(
        body["detail"].as_str().is_some_and(|d| d.contains("hint")),
        "{body}"
    );

    // both secrets open, and the connection of before has not noticed
    live.silence().await;
    assert_eq!(
        live.publish(&device.event_topic("fire.smoke"), "{}", 1, false)
            .await,
        0
    );
    eventually("the new secret opens", Duration::from_secs(10), || async {
        (code(&hub, &device, &renewed).await == 0).then_some(())
    })
    .await;
    assert_eq!(
        code(&hub, &device, &device.password).await,
        0,
        "the one before as well"
    );
    assert_eq!(code(&hub, &device, "guessed").await, 0x86);

    // revoked: out, and out for both
    let (mut live, _) = Mqtt::connect(&address(&hub), &hello(&device.id, &renewed)).await;
    let began = Instant::now();
    credential(dir.path(), "revoke", &device.id);
    assert_eq!(live.patient_end().await, Some(0x87));
    println!("cut after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_mins(1));
    assert_eq!(code(&hub, &device, &renewed).await, 0x86);
    assert_eq!(code(&hub, &device, &device.password).await, 0x86);
    let audit = std::fs::read_to_string(dir.path().join("hub.log")).expect("a log");
    assert!(
        !audit.contains(&token) && !audit.contains(&renewed),
        "secrets are not logged"
    );
}

/// `gateway credential VERB LOGIN` over the running hub's data.
fn credential(data: &Path, verb: &str, login: &str) {
    let out = Command::new(bin("gateway"))
        .args(["credential", verb, login])
        .env("JIMING__DATA__DIR", data)
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
}

/// Runs openssl, which stands in for a device's own.
fn openssl(dir: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("openssl runs (hint: Debian package openssl)")
}

fn publish_tls(dir: &Path, port: u16, topic: &str) -> std::process::Output {
    let file = |name: &str| dir.join(name).display().to_string();
    Command::new("mosquitto_pub")
        .args([
            "-h",
            "localhost",
            "-p",
            &port.to_string(),
            "-V",
            "mqttv5",
            "-q",
            "1",
        ])
        .args(["--cafile", &file("server.pem")])
        .args(["--cert", &file("device.pem"), "--key", &file("device.key")])
        .args([
            "-t",
            topic,
            "-m",
            r#"{"id":"c1","kind":"fire.smoke","phase":"raised"}"#,
        ])
        .output()
        .expect("runs")
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("bound").port()
}

#[tokio::test]
async fn a_device_makes_its_own_key_and_the_hub_signs_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys: PathBuf = dir.path().join("keys");
    std::fs::create_dir(&keys).expect("made");
    let subject = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ];
    let made = openssl(
        &keys,
        &[
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ][..],
            &["-keyout", "server.key", "-out", "server.pem"],
            &subject,
        ]
        .concat(),
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let (port, file) = (free_port(), |name: &str| {
        keys.join(name).display().to_string()
    });
    let listen = format!("127.0.0.1:{port}");
    let settings = [
        ("JIMING__MQTT__TLS_LISTEN", listen.as_str()),
        ("JIMING__TLS__CERTIFICATE_FILE", &file("server.pem")),
        ("JIMING__TLS__KEY_FILE", &file("server.key")),
        ("JIMING__TLS__CLIENT_CERTIFICATES", "required"),
        ("JIMING__TLS__OWN_AUTHORITY", "true"),
    ];
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let hub = Hub::start_set(&data, &settings).await;
    let device = hub.demo.device("fire_sensor").clone();

    // the device makes a key and asks in a name that it likes
    let asked = openssl(
        &keys,
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "device.key",
            "-subj",
            "/CN=administrator",
            "-out",
            "device.csr",
        ],
    );
    assert!(
        asked.status.success(),
        "{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    let csr = std::fs::read_to_string(keys.join("device.csr")).expect("a request");
    let token = invited(&hub, &device.id).await;
    let body = json!({"device": device.id, "token": token, "csr": "-----BEGIN NONSENSE-----"});
    let (status, told) = post(&hub, "/api/v1/enrol", None, &body).await;
    assert_eq!(status, 400, "{told}");
    let body = json!({"device": device.id, "token": token, "csr": csr});
    let (status, told) = post(&hub, "/api/v1/enrol", None, &body).await;
    assert_eq!(
        status, 200,
        "a bad request has not used the token up: {told}"
    );
    let certificate = told["certificate"].as_str().expect("a certificate");
    std::fs::write(keys.join("device.pem"), certificate).expect("written");
    let shown = openssl(
        &keys,
        &[
            "x509",
            "-in",
            "device.pem",
            "-noout",
            "-subject",
            "-ext",
            "extendedKeyUsage",
        ],
    );
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains(&device.id) && shown.contains("Client Auth"),
        "{shown}"
    );
    std::fs::write(
        keys.join("ca.pem"),
        told["authority"].as_str().expect("an authority"),
    )
    .expect("written");
    let good = openssl(&keys, &["verify", "-CAfile", "ca.pem", "device.pem"]);
    assert!(
        good.status.success(),
        "{}",
        String::from_utf8_lossy(&good.stderr)
    );

    let topic = device.event_topic("fire.smoke");
    let out = publish_tls(&keys, port, &topic);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    hub.api("operator").incident_of("S1").await;

    // revoked: the list says so to anybody who reads it, and the door is shut
    let began = Instant::now();
    credential(&data, "revoke", &device.id);
    eventually("the door is shut", Duration::from_mins(1), || async {
        (!publish_tls(&keys, port, &topic).status.success()).then_some(())
    })
    .await;
    println!("shut after {:?}", began.elapsed());
    let list = data.join("authority/crl.pem").display().to_string();
    eventually("the list names it", Duration::from_mins(1), || async {
        let out = openssl(
            &keys,
            &[
                "verify",
                "-crl_check",
                "-CAfile",
                "ca.pem",
                "-CRLfile",
                &list,
                "device.pem",
            ],
        );
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        said.contains("certificate revoked").then_some(())
    })
    .await;
    // an account that is made anew does not bring the old certificate back
    credential(&data, "add", &device.id);
    let token = invited(&hub, &device.id).await;
    let body = json!({"device": device.id, "token": token, "csr": csr});
    let (status, told) = post(&hub, "/api/v1/enrol", None, &body).await;
    assert_eq!(status, 200, "{told}");
    let fresh = told["certificate"].as_str().expect("a certificate");
    let old = std::fs::read_to_string(keys.join("device.pem")).expect("there");
    std::fs::write(keys.join("device.pem"), fresh).expect("written");
    eventually(
        "the new certificate opens",
        Duration::from_secs(20),
        || async {
            publish_tls(&keys, port, &topic)
                .status
                .success()
                .then_some(())
        },
    )
    .await;
    std::fs::write(keys.join("device.pem"), old).expect("written");
    assert!(
        !publish_tls(&keys, port, &topic).status.success(),
        "it is on the list"
    );
}
