//! How long the rule engine takes per event: 200 rules of all sorts, 10,000 devices, every event of a kind that rules ask for;
//! two of three events change a row, which is far from life and near the worst. Then the same events with the rules that ship.
//!
//! `cargo run --release -p domain --example rules_bench [EVENTS]`. The budget is 5 µs per interested event.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::place::Registry;
use domain::rule::{Engine, RuleSet};
use domain::{Attrs, ClockSource, Event, EventId, Kind, Phase, Seq, Timestamp};

const RULES: usize = 200;
const DEVICES: usize = 10_000;
/// How many sorts of rule there are.
const SORTS: usize = 12;
const CLASSES: [&str; 4] = ["fire_sensor", "barrier", "access", "camera"];

/// Rules of all sorts, spread over all kinds, as many per kind as a large site would have.
fn rules() -> RuleSet {
    let mut text = String::new();
    for n in 0..RULES {
        let kind = Kind::ALL[n % Kind::ALL.len()];
        let before = n.saturating_sub(SORTS);
        let (subject, when) = match n % SORTS {
            0 => ("device", format!("is = \"match\"\nkinds = [\"{kind}\"]")),
            1 => (
                "door",
                format!("is = \"count\"\nkinds = [\"{kind}\"]\nat_least = 5\nwithin_s = 120"),
            ),
            2 => (
                "zone",
                format!("is = \"independent\"\nkinds = [\"{kind}\"]\nat_least = 2\nwithin_s = 300"),
            ),
            3 => (
                "plate@site",
                format!("is = \"match\"\nkinds = [\"{kind}\"]\nwatch_list = true"),
            ),
            4 => (
                "credential@site",
                format!(
                    "is = \"count\"\nkinds = [\"{kind}\"]\nat_least = 3\nwithin_s = 600\ndistinct = \"door\"\nwhere = {{ confidence = {{ at_least = 0.5 }} }}"
                ),
            ),
            5 => (
                "device",
                format!("is = \"held\"\nkinds = [\"{kind}\"]\nfor_s = 60"),
            ),
            6 => (
                "device",
                format!(
                    "is = \"threshold\"\nkinds = [\"{kind}\"]\nreading = \"level\"\nabove = 0.8\nclear_below = 0.6"
                ),
            ),
            7 => (
                "device",
                format!("is = \"fleeting\"\nkinds = [\"{kind}\"]\nwithin_s = 30"),
            ),
            8 => (
                "zone",
                format!(
                    "is = \"sequence\"\nwithin_s = 120\n[[rule.when.step]]\nkinds = [\"{kind}\"]\n[[rule.when.step]]\nkinds = [\"camera.tamper\"]"
                ),
            ),
            9 => (
                "device",
                format!(
                    "is = \"days\"\nkinds = [\"{kind}\"]\nedge = \"attrs.label\"\nat_least = 20\ndays = 3\nof_days = 7"
                ),
            ),
            10 => (
                "device",
                format!(
                    "is = \"match\"\nkinds = [\"{kind}\"]\nexpr = \"attrs.level > 0.8 && zone.kind == 'fire_compartment'\""
                ),
            ),
            // listens to a match of its own
            _ => (
                "site",
                format!(
                    "is = \"share\"\nrules = [\"R{}\"]\nclass = \"camera\"\nshare = 0.3\nwithin_s = 600",
                    before / SORTS * SORTS
                ),
            ),
        };
        write!(
            text,
            "[[rule]]\nid = \"R{n}\"\ntitle_zh = \"规则\"\ntitle_en = \"Rule\"\nseverity = \"P3\"\nseverity_hours = {{ \"23:00-06:00\" = \"P2\" }}\n\
             subject = \"{subject}\"\ndedupe_s = 300\nlead = \"fire\"\nsop_zh = [\"看\"]\nsop_en = [\"look\"]\n[rule.when]\n{when}\n"
        )
        .expect("writing into a String cannot fail");
    }
    text.push_str(
        "[[rule]]\nid = \"S7\"\ntitle_zh = \"失联\"\ntitle_en = \"Silent\"\nseverity = \"P3\"\nsubject = \"device\"\ndedupe_s = 300\nlead = \"fire\"\n\
         sop_zh = [\"看\"]\nsop_en = [\"look\"]\n[rule.when]\nis = \"absence\"\nclass = [\"fire_sensor\", \"barrier\", \"access\", \"camera\"]\nheartbeats = 2\n",
    );
    RuleSet::parse(&[("bench.toml".to_owned(), text)]).expect("the rules are good")
}

fn registry() -> Registry {
    let mut places = String::from(
        "[community]\nname = \"x\"\nname_en = \"x\"\nstation = \"x\"\nstation_en = \"x\"\ntime_zone = \"Asia/Shanghai\"\n\
         [[committee]]\nid = \"c\"\nname = \"c\"\n[[person]]\nid = \"p\"\nname = \"p\"\n[[grid]]\nid = \"g\"\nname = \"g\"\ncommittee = \"c\"\ncaptain = \"p\"\n\
         [[site]]\nid = \"q1\"\nname = \"x\"\nname_en = \"x\"\nwidth_m = 1.0\nheight_m = 1.0\nx_m = 0.0\ny_m = 0.0\n",
    );
    let mut devices = String::from("id,site,zone,class,name,model,heartbeat_s,x_m,y_m\n");
    for zone in 0..DEVICES / 10 {
        writeln!(
            places,
            "[[zone]]\nid = \"z{zone}\"\nsite = \"q1\"\nkind = \"fire_compartment\"\nname = \"z\"\ngrid = \"g\""
        )
        .expect("writing into a String cannot fail");
    }
    for device in 0..DEVICES {
        let class = CLASSES[device % CLASSES.len()];
        writeln!(devices, "d{device},q1,z{},{class},n,m,60,0,0", device / 10)
            .expect("writing into a String cannot fail");
    }
    Registry::from_files([("places.toml", &*places), ("devices.csv", &*devices)])
        .expect("the registry is good")
}

fn main() {
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(500_000);
    let registry = Arc::new(registry());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/config/rules");
    let shipped = std::fs::read_dir(folder)
        .expect("the folder ships")
        .map(|entry| {
            let path = entry.expect("readable").path();
            let text = std::fs::read_to_string(&path).expect("readable");
            (path.display().to_string(), text)
        });
    let shipped = RuleSet::parse(&shipped.collect::<Vec<_>>()).expect("they are good");
    run("made up", rules(), &registry, count);
    run("shipped", shipped, &registry, count);
}

fn run(name: &str, rules: RuleSet, registry: &Arc<Registry>, count: usize) {
    let rules = Arc::new(rules);
    let mut engine = Engine::new(Arc::clone(&rules), Arc::clone(registry));
    let devices: Vec<_> = registry.devices.values().collect();
    let attrs = Attrs::from_value(&serde_json::json!({
        "plate": "浙A12345", "confidence": 0.93, "direction": "in", "lane": 2, "credential_ref": "5f1c0e", "level": 0.7,
        "label": "person", "vehicle": { "type": "car", "color": "white" },
    }));
    let start = Timestamp::from_second(1_772_416_800).expect("in range");
    let phases = [
        Phase::Raised,
        Phase::Updated,
        Phase::Cleared,
        Phase::Instant,
    ];
    // multiplying by a number without a common factor visits devices and kinds in an order that caches do not like
    let events: Vec<Event> = (0..count.min(100_000))
        .map(|n| {
            let device = devices[(n * 7919) % devices.len()];
            let seq = Seq(n as u64 + 1);
            Event {
                id: EventId::of_uplink(start, seq, 0),
                seq,
                site: device.site.clone(),
                device: device.id.clone(),
                class: device.class,
                component: None,
                kind: Kind::ALL[(n * 31) % Kind::ALL.len()],
                phase: phases[(n / 3) % phases.len()],
                dedupe_key: String::new(),
                occurred_at: start,
                received_at: start,
                clock: ClockSource::Gateway,
                attrs: attrs.clone(),
            }
        })
        .collect();

    let (mut on_event, mut seen, mut tick, mut write) = <[Duration; 4]>::default().into();
    let (mut findings, mut rows, mut ticks) = (0, 0, 0);
    for n in 0..count {
        // 1,000 events a second: a tick every 1,000, a batch every 200
        let now = start + Duration::from_millis(n as u64);
        let mut event = events[n % events.len()].clone();
        event.received_at = now;
        event.occurred_at = now;
        let clock = Instant::now();
        engine.seen(&event.device, now);
        seen += clock.elapsed();
        let clock = Instant::now();
        findings += engine.on_event(&event).len();
        on_event += clock.elapsed();
        if n % 200 == 199 {
            let clock = Instant::now();
            rows += engine.take_dirty().len();
            write += clock.elapsed();
        }
        if n % 1000 == 999 {
            let clock = Instant::now();
            findings += engine.on_tick(now).len();
            tick += clock.elapsed();
            ticks += 1;
        }
    }
    let per = |time: Duration, n: usize| time.as_secs_f64() * 1e6 / n.max(1) as f64;
    println!(
        "{} rules {name}, {DEVICES} devices, {count} events",
        rules.rules().len()
    );
    println!("on_event   {:8.2} µs per event", per(on_event, count));
    println!("seen       {:8.2} µs per word", per(seen, count));
    println!("on_tick    {:8.2} µs per tick", per(tick, ticks));
    println!(
        "take_dirty {:8.2} µs per row, {rows} rows",
        per(write, rows)
    );
    println!(
        "findings {findings}, subjects {}, evicted {}, expressions without an answer {}, resident {} MB",
        engine.subjects(),
        engine.evicted(),
        engine.expr_errors(),
        resident_bytes() / 1_000_000
    );
}

/// What the process holds in memory, where the system tells.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
