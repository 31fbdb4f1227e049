//! Every rule of the catalogue has a scenario that makes it ring, and a scenario rings what it names and nothing else. Played
//! in virtual time: simulated devices → native payloads → adapters → rules, without network, store and waiting.
//!
//! The story `scenarios` plays what fits into a minute over real MQTT. `cargo test -p gateway --test catalogue -- --nocapture`
//! prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use device_sim::native;
use device_sim::script::{Line, Script};
use device_sim::{Scenario, SimDevice};
use domain::place::Registry;
use domain::rule::{Condition, Engine, FindingKind, RuleSet};
use domain::{Kind, Seq, Timestamp, Uplink, UplinkFlags};
use gateway::adapters::{self, Context, hub};
use gateway::embedded;
use jiff::SignedDuration;
use jiff::civil::date;

/// What the hub says of itself, and the story in which it does: no device can make it ring.
const OF_THE_HUB: &[(&str, &str)] = &[
    ("A13", "tests/stories/commands.rs"),
    ("B5c", "tests/stories/vendor_commands.rs"),
    ("S4", "tests/stories/fire_mode.rs"),
    ("X4c", "tests/stories/bridges/lost.rs"),
    ("HUB2", "tests/stories/disk_full.rs"),
    ("HUB3", "tests/stories/self_probe.rs"),
    ("HUB4", "tests/stories/bad_input.rs"),
    ("HUB5", "tests/stories/alarms.rs"),
    ("HUB6", "tests/stories/rule_files.rs"),
    ("HUB7", "tests/stories/clock.rs"),
];
/// Played on after a scenario's last step, for what follows a little later.
const AFTERWARDS: Duration = Duration::from_secs(90);
/// The hub puts time to the rules every second; a scenario of weeks need not, but never seldomer than this.
const TICK: Duration = Duration::from_secs(20);

fn registry() -> Arc<Registry> {
    let registry = Registry::from_files(embedded::COMPOUND.iter().copied());
    Arc::new(registry.unwrap_or_else(|errors| panic!("{}", errors[0])))
}

fn rules(registry: &Registry) -> Arc<RuleSet> {
    let files: Vec<(String, String)> = embedded::RULES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let rules = RuleSet::parse_for(&files, registry);
    Arc::new(rules.unwrap_or_else(|errors| panic!("{}", errors[0])))
}

fn fleet(registry: &Registry) -> Vec<SimDevice> {
    let device = |d: &domain::place::Device| SimDevice {
        id: d.id.clone(),
        site: d.site.clone(),
        class: d.class,
        username: d.id.to_string(),
        password: String::new(),
        heartbeat_s: d.heartbeat_s,
    };
    registry.devices.values().map(device).collect()
}

/// The hub without network and disk: what arrives goes through the adapters into the rules.
struct Hub<'a> {
    registry: &'a Registry,
    engine: Engine,
    start: Timestamp,
    now: Duration,
    seq: u64,
    played: Played,
}

/// What came of a scenario.
#[derive(Default)]
struct Played {
    /// Rules that rang, each with its first subject and detail for the message of a failure.
    rang: BTreeMap<String, String>,
    /// The devices that made them ring.
    by: BTreeSet<(String, String)>,
    /// What its steps expect: rule and device.
    expected: BTreeSet<(String, String)>,
    /// What no adapter could read.
    rejected: Vec<String>,
}

impl Hub<'_> {
    fn at(&self, offset: Duration) -> Timestamp {
        self.start + SignedDuration::try_from(offset).expect("a scenario is shorter than a year")
    }

    fn note(&mut self, findings: Vec<domain::rule::Finding>) {
        for finding in findings {
            if finding.what == FindingKind::Raised {
                let told = format!("{} {:?}", finding.subject, finding.detail);
                let rule = finding.rule.to_string();
                let device = finding.device.map(|id| id.to_string()).unwrap_or_default();
                self.played.by.insert((rule.clone(), device));
                self.played.rang.entry(rule).or_insert(told);
            }
        }
    }

    /// Lets time pass, as often as the rules have something due.
    fn pass_time(&mut self, until: Duration) {
        while self.now < until {
            let due = self.engine.next_due();
            let due = due.map(|due| due.duration_since(self.start));
            let due = due.and_then(|due| Duration::try_from(due).ok());
            let longest = self.now + TICK;
            // the next whole second after what is due, as the hub's own tick would come
            let next = due.map_or(longest, |due| due.max(self.now) + Duration::from_secs(1));
            self.now = next.min(longest).min(until);
            let findings = self.engine.on_tick(self.at(self.now));
            self.note(findings);
        }
    }

    fn arrives(&mut self, principal: &str, topic: String, payload: Vec<u8>) {
        self.seq += 1;
        let seq = Seq(self.seq);
        let uplink = Uplink {
            received_at: self.at(self.now),
            principal: principal.to_owned(),
            epoch: 1,
            flags: UplinkFlags::default(),
            topic,
            payload: payload.into(),
            extra: None,
        };
        let context = Context {
            registry: self.registry,
            bridges: &adapters::Bridges::default(),
        };
        let parsed = adapters::parse(seq, &uplink, &context, &mut adapters::Memory::default());
        if let Some(reject) = parsed.reject
            && reject.code != hub::REFUSED
        {
            let what = format!("{}: {}", uplink.topic, reject.detail);
            self.played.rejected.push(what);
        }
        for event in parsed.events {
            if !matches!(event.kind, Kind::DeviceOffline | Kind::GatewayRefused) {
                self.engine.seen(&event.device, event.received_at);
            }
            let findings = self.engine.on_event(&event);
            self.note(findings);
        }
    }

    /// What the listener journals when a device comes or goes.
    fn presence(&mut self, device: &SimDevice, state: &str) {
        let payload = format!(r#"{{"state": "{state}", "epoch": {}}}"#, self.seq + 1);
        let topic = format!("$hub/presence/{}", device.id);
        self.arrives(domain::uplink::HUB, topic, payload.into_bytes());
    }

    /// A line of the script, as the listener would let it in.
    fn hears(&mut self, device: &SimDevice, line: &Line, number: usize) {
        let Some(say) = &line.say else { return };
        let clock = self.at(self.now) + line.clock_off;
        let message = native::encode(device, say, format!("v-{number}"), clock);
        let own = format!("{}/", native::topic_root(device));
        if message.topic.starts_with(&own) {
            self.arrives(device.id.as_str(), message.topic, message.payload);
        } else {
            // denied by the access list; the listener's tests prove that it is, and that this is what it writes
            let note = serde_json::json!({
                "what": "acl_publish", "detail": message.topic, "principal": device.id.as_str(),
            });
            let topic = "$hub/security/acl_publish".to_owned();
            self.arrives(domain::uplink::HUB, topic, note.to_string().into_bytes());
        }
    }
}

/// Plays one round of a scenario.
fn play(scenario: &Scenario, seed: u64, registry: &Arc<Registry>, rules: &Arc<RuleSet>) -> Played {
    let devices = fleet(registry);
    assert!(
        device_sim::script::missing(&devices, scenario).is_empty(),
        "{}: the compound has no {:?}",
        scenario.title,
        device_sim::script::missing(&devices, scenario)
    );
    let hour = scenario.hour.unwrap_or(jiff::civil::time(12, 0, 0, 0));
    let shanghai = domain::rule::time_zone("Asia/Shanghai").expect("China's zone is built in");
    // a Monday
    let start = date(2026, 11, 23).to_datetime(hour);
    let start = shanghai.to_timestamp(start).expect("a time");
    let mut hub = Hub {
        registry,
        engine: Engine::new(Arc::clone(rules), Arc::clone(registry)),
        start,
        now: Duration::ZERO,
        seq: 0,
        played: Played::default(),
    };
    hub.engine.on_tick(start);
    // without readings the others are left out of it: they would all fall silent
    for device in devices.iter().filter(|_| scenario.background.telemetry) {
        hub.presence(device, "online");
    }
    let end = scenario.length() + AFTERWARDS;
    let mut back: BTreeSet<(Duration, usize)> = BTreeSet::new();
    let mut scenario = scenario.clone();
    scenario.repeat = None;
    let script = Script::new(&devices, scenario, seed).take_while(|line| line.at <= end);
    for (number, line) in script.enumerate() {
        while let Some(&(at, device)) = back.first().filter(|(at, _)| *at <= line.at) {
            back.pop_first();
            hub.pass_time(at);
            hub.presence(&devices[device], "online");
        }
        hub.pass_time(line.at);
        let device = &devices[line.device];
        if let Some(span) = line.offline {
            let (topic, payload) = native::will(device, "boot");
            hub.arrives(device.id.as_str(), topic, payload);
            hub.presence(device, "offline");
            back.insert((line.at + span, line.device));
        }
        hub.hears(device, &line, number);
        if let Some(rule) = line.expect {
            let who = (rule.to_string(), device.id.to_string());
            hub.played.expected.insert(who);
        }
    }
    for (at, device) in back {
        hub.pass_time(at);
        hub.presence(&devices[device], "online");
    }
    hub.pass_time(end);
    hub.played
}

/// What is wrong, unless those rules rang that the scenario names, at the devices of its steps, and no others.
fn check(name: &str, scenario: &Scenario, played: &Played) -> Vec<String> {
    let Played {
        rang,
        by,
        expected,
        rejected,
    } = played;
    let wanted: BTreeSet<String> = scenario.fires.iter().map(ToString::to_string).collect();
    let mut wrong = Vec::new();
    for rule in wanted.iter().filter(|rule| !rang.contains_key(*rule)) {
        wrong.push(format!("{name} does not fire {rule}"));
    }
    for (rule, told) in rang.iter().filter(|(rule, _)| !wanted.contains(*rule)) {
        wrong.push(format!("{name} fires {rule} besides: {told}"));
    }
    for (rule, device) in expected.difference(by) {
        wrong.push(format!("{name}: {rule} does not ring at {device}"));
    }
    if !wanted.contains("HUB1") {
        wrong.extend(rejected.iter().map(|what| format!("{name}: {what}")));
    }
    wrong
}

#[test]
fn a_quiet_day_gives_no_rule_anything_to_say() {
    let registry = registry();
    let rules = rules(&registry);
    let mut quiet = Scenario::named("quiet-day").expect("ships");
    quiet.lasts = Some(Duration::from_mins(20));
    for seed in 0..3 {
        let played = play(&quiet, seed, &registry, &rules);
        assert!(played.rang.is_empty(), "seed {seed}: {:#?}", played.rang);
        assert!(played.rejected.is_empty(), "{:?}", played.rejected);
    }
}

#[test]
fn every_rule_of_the_catalogue_has_a_scenario_that_makes_it_ring() {
    let registry = registry();
    let rules = rules(&registry);
    let mut covered: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap_or_else(|e| panic!("{e}"));
        let played = play(&scenario, 1, &registry, &rules);
        wrong.extend(check(name, &scenario, &played));
        let wanted = scenario.fires.iter().map(ToString::to_string);
        for rule in wanted {
            covered.entry(rule).or_default().push(name);
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut table = String::from("rule       scenario\n");
    let mut without = Vec::new();
    for rule in rules.rules() {
        let id = rule.meta.id.as_str();
        let of_hub = OF_THE_HUB.iter().find(|(hub, _)| *hub == id);
        let by = match (&rule.condition, of_hub, covered.remove(id)) {
            (Condition::Report(_), ..) => "a person's report".to_owned(),
            (Condition::Station, ..) => "the station's own clocks".to_owned(),
            (_, Some((_, story)), _) => {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
                let text = std::fs::read_to_string(root.join(story)).expect("the story is there");
                assert!(text.contains(id), "{story} does not tell of {id} any more");
                format!("the hub itself: {story}")
            }
            (_, None, Some(names)) => names.join(", "),
            (_, None, None) => {
                without.push(id.to_owned());
                "NONE".to_owned()
            }
        };
        writeln!(table, "{id:<10} {by}").expect("a string grows");
    }
    println!("{table}");
    assert!(without.is_empty(), "no scenario fires {without:?}\n{table}");
    assert!(
        covered.is_empty(),
        "scenarios name rules that do not ship: {covered:?}"
    );
}
