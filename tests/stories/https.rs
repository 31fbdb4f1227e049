//! The dashboard's own HTTPS: a certificate in one command, cookies that never leave it, a new certificate without a restart.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use blackbox::{Hub, bin, eventually};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, rustls};

fn make(dir: &Path) -> std::process::Output {
    Command::new(bin("gateway"))
        .args([
            "certificate",
            "self-signed",
            "--name",
            "127.0.0.1",
            "--name",
            "hub.lan",
            "--dir",
        ])
        .arg(dir)
        .output()
        .expect("runs")
}

/// What is answered over TLS to one request; none when the certificate is not the one of the file.
async fn ask(address: &str, trusted: &Path, request: &str) -> Option<String> {
    let certificate = CertificateDer::from_pem_file(trusted).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("trusted");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name: ServerName<'static> = "hub.lan".try_into().expect("a name");
    let socket = TcpStream::connect(address).await.expect("connects");
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, socket).await.ok()?;
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    // the end without a farewell is an end all the same
    let _ = stream.read_to_string(&mut answer).await;
    Some(answer)
}

#[tokio::test]
async fn the_dashboard_speaks_https_with_a_certificate_of_one_command_and_takes_a_new_one() {
    let (dir, keys) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("a directory"),
    );
    let made = make(keys.path());
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        said.contains("certificate_file = ") && said.contains("SHA-256 "),
        "{said}"
    );
    assert_eq!(
        make(keys.path()).status.code(),
        Some(1),
        "nothing is overwritten"
    );
    let (certificate, key) = (keys.path().join("hub.pem"), keys.path().join("hub.key"));
    let hub = Hub::start_set(
        dir.path(),
        &[
            (
                "JIMING__HTTP__CERTIFICATE_FILE",
                certificate.to_str().expect("text"),
            ),
            ("JIMING__HTTP__KEY_FILE", key.to_str().expect("text")),
            ("JIMING__HTTP__HSTS_S", "600"),
        ],
    )
    .await;
    let address = hub
        .demo
        .http
        .strip_prefix("https://")
        .expect("it says so")
        .to_owned();

    let healthy = "GET /healthz HTTP/1.1\r\nhost: hub.lan\r\nconnection: close\r\n\r\n";
    let answer = ask(&address, &certificate, healthy)
        .await
        .expect("the certificate fits");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer
            .to_lowercase()
            .contains("strict-transport-security: max-age=600"),
        "{answer}"
    );
    let operator = hub.demo.user("operator");
    let body = json!({"login": operator.login, "password": operator.password}).to_string();
    let log_in = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: hub.lan\r\norigin: https://hub.lan\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&address, &certificate, &log_in)
        .await
        .expect("the certificate fits");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; Secure"), "{answer}");

    // it is told how long the certificate is good
    let token = &hub.demo.user("administrator").token;
    let status = format!(
        "GET /api/v1/status HTTP/1.1\r\nhost: hub.lan\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    let answer = ask(&address, &certificate, &status)
        .await
        .expect("the certificate fits");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status: Value = serde_json::from_str(body).expect("JSON");
    let told = &status["certificates"][0];
    assert_eq!(
        (&told["of"], &told["state"], &told["subject"]),
        (&json!("https"), &json!("good"), &json!("CN=127.0.0.1")),
        "{status}"
    );
    let days_left = told["days_left"].as_i64();
    assert!(matches!(days_left, Some(395..=397)), "{told}");

    // plain HTTP is no way in, and a socket that says nothing holds up nobody
    let silent = TcpStream::connect(&address).await.expect("connects");
    let mut plain = TcpStream::connect(&address).await.expect("connects");
    plain.write_all(healthy.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(
        !String::from_utf8_lossy(&answer).contains("200"),
        "{answer:?}"
    );
    assert!(ask(&address, &certificate, healthy).await.is_some());
    drop(silent);

    // a new certificate is taken while the hub runs
    let later = tempfile::tempdir().expect("a directory");
    assert!(make(later.path()).status.success());
    let renewed = later.path().join("hub.pem");
    assert!(ask(&address, &renewed, healthy).await.is_none(), "not yet");
    std::fs::copy(later.path().join("hub.key"), &key).expect("put there");
    std::fs::copy(&renewed, &certificate).expect("put there");
    eventually(
        "the new certificate serves",
        Duration::from_secs(30),
        || async { ask(&address, &renewed, healthy).await.map(drop) },
    )
    .await;
    // the hub's own probe goes the same way
    assert!(!hub.log().contains("self-probe missed"), "{}", hub.log());
    assert!(hub.stop().await.success());
}
