//! A running hub: the process, its directory, and its API.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::wait::eventually;

/// What the hub writes to `demo.json` when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub struct Demo {
    /// Base address of dashboard and API, without a slash at the end.
    pub http: String,
    /// `mqtt://host:port`.
    pub mqtt: String,
    /// What devices check the signatures of commands with.
    pub command_key: String,
    /// The demo's users, one a role.
    pub users: Vec<Login>,
    /// The registered devices with their secrets.
    pub devices: Vec<Device>,
    /// May read `ssg/v1/+/_gw/#` and nothing else.
    pub integration: Credentials,
}

/// A user of the demo.
#[derive(Debug, Clone, Deserialize)]
pub struct Login {
    /// Its role.
    pub role: String,
    /// Log-in name.
    pub login: String,
    /// Password.
    pub password: String,
    /// API token.
    pub token: String,
}

/// A device of the demo.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    /// Device id, and MQTT client id.
    pub id: String,
    /// Its site.
    pub site: String,
    /// `fire_sensor`, `barrier`, `access` or `camera`.
    pub class: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: String,
}

impl Device {
    /// The topic of an event of this kind, as in `fire.smoke`.
    pub fn event_topic(&self, kind: &str) -> String {
        format!(
            "ssg/v1/{}/{}/evt/{}",
            self.site,
            self.id,
            kind.replace(['.', '_'], "-")
        )
    }
}

/// An MQTT account.
#[derive(Debug, Clone, Deserialize)]
pub struct Credentials {
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: String,
}

impl Demo {
    /// Host and port of the MQTT listener.
    pub fn mqtt_address(&self) -> (String, u16) {
        let rest = self
            .mqtt
            .trim_start_matches("mqtt://")
            .trim_end_matches('/');
        let (host, port) = rest.rsplit_once(':').expect("an address with a port");
        (host.to_owned(), port.parse().expect("a port"))
    }
    /// The first device of a class.
    pub fn device(&self, class: &str) -> &Device {
        self.devices
            .iter()
            .find(|d| d.class == class)
            .expect("the demo has all four classes")
    }
    /// The user with this role.
    pub fn user(&self, role: &str) -> &Login {
        self.users
            .iter()
            .find(|u| u.role == role)
            .unwrap_or_else(|| panic!("the demo has no {role}"))
    }
}

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the repository")
}

/// Where screenshots and reports of a test run are kept.
pub fn artefacts() -> PathBuf {
    let dir = repository().join("artefacts");
    std::fs::create_dir_all(&dir).expect("artefacts can be written");
    dir
}

/// One of our executables, built by `tests/run` beside the test itself.
///
/// # Panics
/// When it is not there.
pub fn bin(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test
        .ancestors()
        .nth(2)
        .expect("target/debug/deps/test")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing (hint: `cargo build -p gateway -p device-sim`, or `tests/run`)",
        path.display()
    );
    path
}

/// A hub of our own; killed when dropped.
#[derive(Debug)]
pub struct Hub {
    child: Child,
    dir: PathBuf,
    /// What it told in `demo.json`.
    pub demo: Demo,
}

impl Hub {
    /// Starts `gateway demo --devices 0` (no simulator) on free ports over `dir`.
    pub async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &["--devices", "0"]).await
    }

    /// Starts `gateway demo` on free ports over `dir` with further arguments, and waits until it is ready.
    pub async fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_at(dir, ["127.0.0.1:0", "127.0.0.1:0"], arguments, &[]).await
    }

    /// Starts `gateway demo --devices 0` with settings as the environment gives them: `("JIMING__JOURNAL__SEGMENT_BYTES", "1048576")`.
    pub async fn start_set(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let free = ["127.0.0.1:0", "127.0.0.1:0"];
        Self::start_at(dir, free, &["--devices", "0"], settings).await
    }

    /// The same with its pages where the settings say that they are: on a port that was free a moment ago.
    pub async fn start_set_on(dir: &Path, port: u16, settings: &[(&str, &str)]) -> Self {
        let http = format!("127.0.0.1:{port}");
        let places = ["127.0.0.1:0", &http];
        Self::start_at(dir, places, &["--devices", "0"], settings).await
    }

    /// Starts `gateway demo --devices 0` with its pages on an address that is not of this machine alone, as in `0.0.0.0:0`.
    pub async fn start_open(dir: &Path, http: &str) -> Self {
        Self::start_at(dir, ["127.0.0.1:0", http], &["--devices", "0"], &[]).await
    }

    /// Starts it where the last hub over this directory was: on the same ports.
    pub async fn start_again(dir: &Path, demo: &Demo, arguments: &[&str]) -> Self {
        let address = |url: &str| {
            url.split("://")
                .nth(1)
                .expect("an address with a scheme")
                .to_owned()
        };
        let (mqtt, http) = (address(&demo.mqtt), address(&demo.http));
        Self::start_at(dir, [&mqtt, &http], arguments, &[]).await
    }

    /// The same without a simulator and with settings.
    pub async fn start_again_set(dir: &Path, demo: &Demo, settings: &[(&str, &str)]) -> Self {
        let address = |url: &str| url.split("://").nth(1).unwrap_or_default().to_owned();
        let (mqtt, http) = (address(&demo.mqtt), address(&demo.http));
        Self::start_at(dir, [&mqtt, &http], &["--devices", "0"], settings).await
    }

    async fn start_at(
        dir: &Path,
        [mqtt, http]: [&str; 2],
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let told = dir.join("demo.json");
        let _ = std::fs::remove_file(&told);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("hub.log"))
            .expect("a log file");
        let child = Command::new(bin("gateway"))
            .args(["demo", "--mqtt", mqtt, "--http", http, "--data"])
            .arg(dir)
            .args(arguments)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the hub starts");
        let mut hub = Self {
            child,
            dir: dir.to_owned(),
            demo: Demo::nothing(),
        };
        hub.demo = eventually("the hub is ready", Duration::from_mins(1), || {
            let died = hub.child.try_wait().expect("a child");
            assert!(
                died.is_none(),
                "the hub ended with {died:?}:\n{}",
                hub.log()
            );
            let demo = std::fs::read(&told)
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok());
            std::future::ready(demo)
        })
        .await;
        hub
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("hub.log")).unwrap_or_default()
    }

    /// Host and port of its door for web hooks, once it is told.
    pub async fn push_address(&self) -> String {
        eventually(
            "the door for web hooks is told",
            Duration::from_secs(20),
            || async {
                let log = self.log();
                let (_, told) = log.rsplit_once("push.address=")?;
                told.split_whitespace().next().map(str::to_owned)
            },
        )
        .await
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The API as the user with this role.
    pub fn api(&self, role: &str) -> Api {
        Api::new(&self.demo.http, &self.demo.user(role).token)
    }

    /// Kills it as a power cut would: SIGKILL, no farewell.
    pub fn kill9(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until it ends by itself, as with `--for`.
    pub async fn ended(mut self, patience: Duration) -> ExitStatus {
        eventually("the hub ends by itself", patience, || {
            std::future::ready(self.child.try_wait().expect("a child"))
        })
        .await
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub async fn stop(mut self) -> ExitStatus {
        let asked = Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(asked.success());
        eventually(
            "the hub ends after SIGTERM",
            Duration::from_secs(20),
            || std::future::ready(self.child.try_wait().expect("a child")),
        )
        .await
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            eprintln!("--- the hub's last lines");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Demo {
    fn nothing() -> Self {
        Self {
            http: String::new(),
            mqtt: String::new(),
            command_key: String::new(),
            users: Vec::new(),
            devices: Vec::new(),
            integration: Credentials {
                username: String::new(),
                password: String::new(),
            },
        }
    }
}

/// The HTTP API with one user's token.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    /// For the hub at `base`.
    pub fn new(base: &str, token: &str) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    /// Status and body of a GET below the base address.
    pub async fn get_raw(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        let reply = self
            .client
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .send()
            .await?;
        let status = reply.status().as_u16();
        Ok((
            status,
            serde_json::from_slice(&reply.bytes().await?).unwrap_or(Value::Null),
        ))
    }

    /// The body of a GET that must succeed.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.get_raw(path).await?;
        ensure!(status == 200, "GET {path} answered {status}: {body}");
        Ok(body)
    }

    /// The `items` of a list.
    pub async fn items(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let body = self.get(path).await?;
        body["items"]
            .as_array()
            .cloned()
            .with_context(|| format!("GET {path} has no items: {body}"))
    }

    /// Status and body of a POST under an idempotency key.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let reply = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key)
            .json(body)
            .send()
            .await?;
        let status = reply.status().as_u16();
        Ok((
            status,
            serde_json::from_slice(&reply.bytes().await?).unwrap_or(Value::Null),
        ))
    }

    /// Status of a DELETE.
    pub async fn delete(&self, path: &str) -> anyhow::Result<u16> {
        let request = self.client.delete(format!("{}{path}", self.base));
        let reply = request.bearer_auth(&self.token).send().await?;
        Ok(reply.status().as_u16())
    }

    /// Status and body of a command on an incident.
    pub async fn command(
        &self,
        id: &str,
        verb: &str,
        key: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let path = format!("/api/v1/incidents/{id}/{verb}");
        self.post(&path, key, body).await
    }

    /// Runs a command that must succeed on whatever version the incident has now; more findings may be refreshing it meanwhile.
    pub async fn advance(&self, id: &str, verb: &str, body: Value) -> Value {
        eventually(
            &format!("{verb} is taken"),
            Duration::from_secs(10),
            || async {
                let now = self.get(&format!("/api/v1/incidents/{id}")).await.ok()?;
                let mut body = body.clone();
                body["expected_version"] = now["version"].clone();
                let key = format!("{id}-{verb}-{}", now["version"]);
                let (status, answer) = self.command(id, verb, &key, &body).await.ok()?;
                if status == 409 && answer["code"] == "version_conflict" {
                    return None;
                }
                assert_eq!(status, 200, "{verb}: {answer}");
                Some(answer)
            },
        )
        .await
    }

    /// The first incident of a rule, waited for.
    pub async fn incident_of(&self, rule: &str) -> Value {
        eventually(
            &format!("an incident of rule {rule}"),
            Duration::from_secs(20),
            || async {
                let items = self
                    .items("/api/v1/incidents?state=active&limit=200")
                    .await
                    .ok()?;
                items.into_iter().find(|i| i["rule"] == rule)
            },
        )
        .await
    }
}
