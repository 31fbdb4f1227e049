//! A small station: three departments, three rules, two detectors and a door in one zone, and a hub that can be killed.

use std::path::PathBuf;
use std::sync::Arc;

use domain::incident::{Actor, Command, Evidence, EvidenceKind, Satisfaction, Verb};
use domain::place::Registry;
use domain::rule::{Finding, FindingKind, RuleBook, RuleMeta};
use domain::{DeviceClass, EventId, IncidentId, Seq, Severity, Timestamp};

use crate::state::{
    Batch, CommandError, Committed, IncidentFilter, IncidentItem, IncidentView, State,
};

pub(super) const CONSUMER: &str = "detect";

const PLACES: &str = r#"
    [[department]]
    id = "fire"
    name = "微型消防站"
    name_en = "Micro fire station"
    chip = "消"
    [[department]]
    id = "police"
    name = "公安"
    name_en = "Police"
    chip = "公"
    [[department]]
    id = "traffic"
    name = "交通"
    name_en = "Traffic"
    chip = "交"
    [[committee]]
    id = "c1"
    name = "一委"
    [[person]]
    id = "p1"
    name = "王磊"
    [[grid]]
    id = "g1"
    name = "一格"
    committee = "c1"
    captain = "p1"
    [[site]]
    id = "q1"
    name = "一区"
    name_en = "Quarter 1"
    width_m = 100.0
    height_m = 80.0
    x_m = 0.0
    y_m = 0.0
    [[building]]
    id = "q1-b1"
    site = "q1"
    name = "1幢"
    floors = 6
    outline = { x_m = 0.0, y_m = 0.0, width_m = 10.0, height_m = 10.0 }
    [[zone]]
    id = "z1"
    site = "q1"
    building = "q1-b1"
    floor = 6
    kind = "fire_compartment"
    name = "6层"
    grid = "g1"
    [[zone]]
    id = "z2"
    site = "q1"
    kind = "gate_lane"
    name = "东门"
    grid = "g1"
"#;
const DEVICES: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m
smoke-1,q1,z1,fire_sensor,烟感-1,sim,60,1.0,2.0
smoke-2,q1,z1,fire_sensor,烟感-2,sim,60,1.0,2.0
smoke-3,q1,z1,fire_sensor,烟感-3,sim,60,1.0,2.0
door-1,q1,z1,access,门-1,sim,60,1.0,2.0
";

pub(super) fn registry() -> Arc<Registry> {
    registry_with("")
}

/// The same with people and a roster.
pub(super) fn registry_with(roster: &str) -> Arc<Registry> {
    let files = [
        ("places.toml", PLACES),
        ("devices.csv", DEVICES),
        ("roster.toml", roster),
    ];
    let registry = Registry::from_files(files);
    Arc::new(registry.unwrap_or_else(|mistakes| panic!("{}", mistakes[0])))
}

pub(super) fn rule(id: &str, lead: &str, co: &[&str], latched: bool, absorbs: &[&str]) -> RuleMeta {
    RuleMeta {
        id: id.parse().expect("rule"),
        title_zh: id.to_owned(),
        title_en: id.to_owned(),
        lead: lead.parse().expect("department"),
        co: co.iter().map(|d| d.parse().expect("department")).collect(),
        dedupe_s: 300,
        latched,
        absorbs: absorbs.iter().map(|r| r.parse().expect("rule")).collect(),
        sop_zh: Vec::new(),
        sop_en: Vec::new(),
        clocks: None,
        mode: domain::rule::Mode::default(),
        verify: false,
        silent: false,
        fire_mode: false,
        suppresses: None,
        reports: None,
        threshold: None,
    }
}

/// S1 as in the catalogue, S2 that absorbs it, B1 without a latch.
pub(super) fn book() -> RuleBook {
    [
        rule("S1", "fire", &["police"], true, &[]),
        rule("S2", "fire", &["police", "traffic"], true, &["S1"]),
        rule("B1", "police", &["traffic"], false, &[]),
        rule("E1", "property", &["police"], true, &[]),
    ]
    .into_iter()
    .map(|meta| (meta.id.clone(), meta))
    .collect()
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

/// A finding of an event at a journal position, received in that second.
pub(super) fn finding(rule: &str, subject: &str, severity: Severity, seq: u64) -> Finding {
    let at = at(seq.cast_signed());
    Finding {
        rule: rule.parse().expect("rule"),
        subject: subject.to_owned(),
        what: FindingKind::Raised,
        severity,
        site: "q1".parse().expect("site"),
        class: DeviceClass::FireSensor,
        zone: Some("z1".parse().expect("zone")),
        device: subject
            .strip_prefix("device:")
            .and_then(|id| id.parse().ok()),
        at,
        occurred_at: at,
        event: Some(EventId::of_uplink(at, Seq(seq), 0)),
        seq: Some(Seq(seq)),
        lasting: true,
        detail: [("level".to_owned(), "7".to_owned())].into(),
    }
}

pub(super) fn smoke(device: &str, seq: u64) -> Finding {
    finding("S1", &format!("device:{device}"), Severity::P1, seq)
}

pub(super) fn cleared(finding: Finding, seq: u64) -> Finding {
    let (at, seq) = (at(seq.cast_signed()), Seq(seq));
    Finding {
        what: FindingKind::Cleared,
        at,
        event: Some(EventId::of_uplink(at, seq, 0)),
        seq: Some(seq),
        ..finding
    }
}

pub(super) fn batch(cursor: u64, findings: Vec<Finding>) -> Batch {
    Batch {
        consumer: CONSUMER,
        cursor: Seq(cursor),
        findings,
        ..Batch::default()
    }
}

pub(super) fn actor(user: &str, department: Option<&str>) -> Actor {
    Actor {
        user: user.parse().expect("user"),
        department: department.map(|d| d.parse().expect("department")),
    }
}

/// The verb with all that its guards ask for.
pub(super) fn command(verb: Verb, user: &str, department: Option<&str>) -> Command {
    let cause = match verb {
        Verb::Resolve => Some("genuine"),
        Verb::Dismiss => Some("false_alarm"),
        Verb::ForceClose => Some("fault"),
        Verb::Cancel => Some("drill"),
        _ => None,
    };
    let evidence = Evidence {
        kind: EvidenceKind::OnSite,
        reference: user.to_owned(),
    };
    Command {
        cause: cause.map(str::to_owned),
        note: Some("so it was".to_owned()),
        evidence: cause.map(|_| evidence).into_iter().collect(),
        answer: Some(Satisfaction::Satisfied),
        step: Some(1),
        ..Command::new(verb, actor(user, department), at(15))
    }
}

pub(super) fn numbers(items: &[IncidentItem]) -> Vec<u64> {
    items.iter().map(|item| item.number).collect()
}

/// A state in a directory of its own.
pub(super) struct Hub {
    dir: tempfile::TempDir,
    registry: Arc<Registry>,
    pub(super) state: State,
}

impl Hub {
    pub(super) async fn start() -> Self {
        Self::start_with(registry()).await
    }

    pub(super) async fn start_with(registry: Arc<Registry>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db"), Arc::clone(&registry)).await;
        Self {
            dir,
            state: state.expect("opens"),
            registry,
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    /// Drops everything as a crash does, without closing, and starts again.
    pub(super) async fn crash(self) -> Self {
        let Self {
            dir,
            registry,
            state,
        } = self;
        drop(state);
        let state = State::open(&dir.path().join("state.db"), Arc::clone(&registry)).await;
        Self {
            dir,
            state: state.expect("opens"),
            registry,
        }
    }

    pub(super) async fn commit(&self, batch: Batch) -> Committed {
        self.state
            .commit_batch(batch, &book())
            .await
            .expect("commits")
    }

    /// Commits these findings as one batch that ends at the last one's position.
    pub(super) async fn find(&self, findings: Vec<Finding>) -> Committed {
        let cursor = findings
            .iter()
            .filter_map(|f| f.seq)
            .max()
            .expect("findings of events");
        self.commit(batch(cursor.0, findings)).await
    }

    /// A P2 incident, which waits for an operator.
    pub(super) async fn open_incident(&self) -> IncidentId {
        let seq = self.state.cursor(CONSUMER).await.expect("a cursor").0 + 1;
        let found = finding("B1", &format!("plate:{seq}"), Severity::P2, seq);
        self.find(vec![found]).await.opened[0]
    }

    /// Two people close it by force, whatever its alarms say.
    pub(super) async fn force(&self, id: IncidentId) -> IncidentView {
        for user in ["zhou", "wang"] {
            if self.view(id).await.item.state.is_open() {
                let asked = self.act(id, command(Verb::ForceClose, user, None)).await;
                asked.expect("closed by force");
            }
        }
        self.view(id).await
    }

    pub(super) async fn view(&self, id: IncidentId) -> IncidentView {
        self.state
            .incident(id)
            .await
            .expect("reads")
            .expect("is there")
    }

    pub(super) async fn items(&self) -> Vec<IncidentItem> {
        let page = self
            .state
            .incidents(&IncidentFilter::default(), None, 500)
            .await;
        page.expect("reads").items
    }

    /// Carries out a command on the version that is there now, under a key of its own.
    pub(super) async fn act(
        &self,
        id: IncidentId,
        command: Command,
    ) -> Result<IncidentView, CommandError> {
        let version = self.view(id).await.item.version;
        let key = format!("{:032x}", rand::random::<u128>());
        self.state.command(id, version, &key, command).await
    }
}
