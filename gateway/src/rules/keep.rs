//! Rules as people look after them in the browser: read, tried on the past, and saved.
//!
//! A text is looked at within its whole set of files, as `gateway rules check` and `test` would. What is saved goes to the file; from there
//! [`Follow`](super::Follow) takes it as it takes every other change: there is one way into the detector.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashboard_api::rule_keeper::{
    ALARMS_LISTED_MAX, Checked, Cut, Judge, Known, Place, Raised, RuleKeepError, Save, Side, Span,
    Text, Trial, Wanted,
};
use domain::rule::{CaseFailure, RuleBook, RuleError, RuleSet};
use domain::{RuleId, Timestamp};
use jiff::SignedDuration;
use parking_lot::Mutex as Short;
use sha2::{Digest as _, Sha256};
use store::events::EventStore;
use store::state::{RuleChanged, State};
use tokio::sync::{Mutex, watch};
use tracing::info;

use super::replay::{Reader, Replay};
use super::text;
use crate::clock::Clock;
use crate::embedded;
use crate::hub::folder;
use crate::registry::replace;

/// How long before a span windows begin to fill.
const WARM_UP: SignedDuration = SignedDuration::from_hours(24);
/// After each page of history the others get their turn.
const BREATH: Duration = Duration::from_millis(5);

/// How much a trial may cost.
#[derive(Debug, Clone, Copy)]
struct Limits {
    events: u64,
    time: Duration,
    alarms: usize,
}

const LIMITS: Limits = Limits {
    events: 1_000_000,
    time: Duration::from_secs(20),
    alarms: 50_000,
};

/// Looks after the rules of a hub.
pub struct Keeper {
    /// The directory; empty: what is built in.
    dir: PathBuf,
    state: State,
    events: Arc<dyn EventStore>,
    clock: Clock,
    /// The rules at work.
    rules: watch::Receiver<Arc<RuleSet>>,
    /// One change at a time.
    turn: Mutex<()>,
    /// What was last known, and of which files.
    known: Short<Option<(String, Arc<Known>)>>,
}

/// Names below the directory, and texts.
type Files = Vec<(String, String)>;

impl Keeper {
    /// Over a directory of rule files, or what is built in when `dir` is empty.
    pub fn new(
        dir: PathBuf,
        state: State,
        events: Arc<dyn EventStore>,
        clock: Clock,
        rules: watch::Receiver<Arc<RuleSet>>,
    ) -> Self {
        Self {
            dir,
            state,
            events,
            clock,
            rules,
            turn: Mutex::default(),
            known: Short::default(),
        }
    }

    fn at_work(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.borrow())
    }

    async fn files(&self) -> Result<Files, RuleKeepError> {
        let dir = self.dir.clone();
        blocking(move || {
            let files = folder(&dir, embedded::RULES)?;
            let below = |name: String| {
                let path = Path::new(&name);
                let below = path.strip_prefix(&dir).map(|p| p.display().to_string());
                below.unwrap_or(name)
            };
            let files = files.into_iter();
            Ok(files.map(|(name, text)| (below(name), text)).collect())
        })
        .await
    }

    async fn look(&self) -> Result<Arc<Known>, RuleKeepError> {
        let files = self.files().await?;
        let (rules, registry) = (self.at_work(), self.state.registry());
        let print = print(&files);
        if let Some((of, known)) = &*self.known.lock()
            && *of == print
            && Arc::ptr_eq(&known.rules, &rules)
        {
            return Ok(Arc::clone(known));
        }
        let known = blocking(move || {
            let read = RuleSet::parse_lenient(&files, &registry, Some(&rules));
            Ok(Known {
                places: places(&files),
                mistakes: read.errors,
                failures: rules.self_test(),
                rules,
            })
        })
        .await?;
        let known = Arc::new(known);
        *self.known.lock() = Some((print, Arc::clone(&known)));
        Ok(known)
    }

    /// The files with a text in them, the file that it stands in, and how that is found out.
    async fn put(&self, wanted: Wanted) -> Result<(Checked, Put), RuleKeepError> {
        let files = self.files().await?;
        let (before, registry) = (self.at_work(), self.state.registry());
        blocking(move || {
            let mut files = files;
            let put = Put::into(&mut files, &wanted);
            let read = RuleSet::parse_lenient(&files, &registry, Some(&before));
            let old = RuleSet::parse_lenient(&put.untouched(&files), &registry, Some(&before));
            let place = Place {
                file: put.file.clone(),
                line: put.line,
                version: put.before.as_deref().map(version).unwrap_or_default(),
            };
            let mut mistakes: Vec<RuleError> = read.errors;
            // what is wrong elsewhere, and was before, is not this text's fault
            mistakes.retain(|e| e.file == put.file || !old.errors.contains(e));
            mistakes.extend(put.foreign(&wanted, &place));
            let after = read.rules;
            let cases = after.cases_for(&wanted.rule);
            let mut failures: Vec<CaseFailure> = Vec::new();
            if mistakes.is_empty() {
                if cases == 0 {
                    mistakes.push(mistake(
                        &place,
                        &wanted.rule,
                        "case",
                        "has no case",
                        "`[[rule.case]]`: it rings, it returns to normal, and the nearest thing at which it must not ring",
                    ));
                }
                failures = after.self_test();
                if failures.iter().any(|failure| failure.rule != wanted.rule) {
                    let known = old.rules.self_test();
                    let is_known = |f: &CaseFailure| {
                        known.iter().any(|k| k.rule == f.rule && k.case == f.case)
                    };
                    failures.retain(|f| f.rule == wanted.rule || !is_known(f));
                }
            }
            let checked = Checked {
                is_new: put.is_new,
                place,
                mistakes,
                cases,
                failures,
                before,
                after: Arc::new(after),
            };
            Ok((checked, put))
        })
        .await
    }

    async fn replay(
        &self,
        checked: &Checked,
        rules: &BTreeSet<RuleId>,
        span: Span,
        limits: Limits,
    ) -> Result<Trial, RuleKeepError> {
        let started = Instant::now();
        let registry = self.state.registry();
        let side = |set: &RuleSet| {
            let set = Arc::new(set.with_heard(rules));
            Replay::new(set, Arc::clone(&registry), span.from)
        };
        let (mut was, mut would) = (side(&checked.before), side(&checked.after));
        let kinds = was.kinds().zip(would.kinds()).map(|(mut kinds, more)| {
            kinds.extend(more);
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        });
        let begin = span.from.checked_sub(WARM_UP).unwrap_or(Timestamp::MIN);
        let mut reader = Reader::new(&*self.events, begin, span.to, kinds);
        let (mut events, mut until, mut cut) = (0_u64, begin, None);
        let failed = |e: &dyn std::fmt::Display| RuleKeepError::Internal(e.to_string());
        while let Some(page) = reader.next().await.map_err(|e| failed(&e))? {
            events += page.len() as u64;
            until = page.last().map_or(until, |event| event.received_at);
            // the caller may go away between two pages, which ends it
            let work = move || {
                for event in &page {
                    was.event(event);
                    would.event(event);
                }
                (was, would)
            };
            let worked = tokio::task::spawn_blocking(work).await;
            (was, would) = worked.map_err(|e| failed(&e))?;
            cut = if events >= limits.events {
                Some(Cut::Events)
            } else if started.elapsed() >= limits.time {
                Some(Cut::Time)
            } else if was.raised.len().max(would.raised.len()) >= limits.alarms {
                Some(Cut::Alarms)
            } else {
                None
            };
            if cut.is_some() {
                break;
            }
            tokio::time::sleep(BREATH).await;
        }
        if cut.is_none() {
            until = span.to;
            let end = move || {
                was.end(span.to);
                would.end(span.to);
                (was, would)
            };
            let ended = tokio::task::spawn_blocking(end).await;
            (was, would) = ended.map_err(|e| failed(&e))?;
        }
        Ok(Trial {
            until: until.max(span.from),
            cut,
            events,
            was: side_of(&was, rules, checked.before.book()),
            would: side_of(&would, rules, checked.after.book()),
        })
    }
}

/// A text within the files.
struct Put {
    file: String,
    line: usize,
    is_new: bool,
    /// The file as it was; none for a new one.
    before: Option<String>,
    /// And as it is to be.
    after: String,
}

impl Put {
    /// Puts a text in the place of the rule's part, or into a file of its own.
    fn into(files: &mut Files, wanted: &Wanted) -> Self {
        for (file, whole) in files.iter_mut() {
            let parts = text::parts(whole);
            let is_it = |part: &&text::Part| part.id.as_deref() == Some(wanted.rule.as_str());
            let Some(part) = parts.iter().find(is_it) else {
                continue;
            };
            let after = text::with(whole, part, &wanted.text);
            let before = std::mem::replace(whole, after.clone());
            return Self {
                file: file.clone(),
                line: part.line,
                is_new: false,
                before: Some(before),
                after,
            };
        }
        let own = format!("{}.toml", wanted.rule.as_str().to_ascii_lowercase());
        let after = format!("{}\n", wanted.text.trim());
        let put = |before| Self {
            file: own.clone(),
            line: 1,
            is_new: true,
            before,
            after: after.clone(),
        };
        if let Some((_, whole)) = files.iter_mut().find(|(file, _)| *file == own) {
            // of that name, and the rule is not in it: it is not overwritten
            return put(Some(std::mem::replace(whole, after.clone())));
        }
        files.push((own.clone(), after.clone()));
        files.sort();
        put(None)
    }

    /// The files as they were.
    fn untouched(&self, files: &Files) -> Files {
        let mut files = files.clone();
        match &self.before {
            None => files.retain(|(file, _)| *file != self.file),
            Some(before) => {
                for (_, text) in files.iter_mut().filter(|(file, _)| *file == self.file) {
                    text.clone_from(before);
                }
            }
        }
        files
    }

    /// A text is one rule, and the one that it is said to be.
    fn foreign(&self, wanted: &Wanted, place: &Place) -> Option<RuleError> {
        let say = |what: &str, hint: &str| Some(mistake(place, &wanted.rule, "id", what, hint));
        if self.is_new && self.before.is_some() {
            let what = format!("there is a file `{}` already, without this rule", self.file);
            return say(&what, "another id");
        }
        let parts = text::parts(&wanted.text);
        match parts.as_slice() {
            [one] if one.id.as_deref() == Some(wanted.rule.as_str()) => None,
            [_] => say(
                "is another rule",
                "the id stays; a rule with another id is a new one",
            ),
            [] => say(
                "there is no rule in this text",
                "a rule starts with `[[rule]]`",
            ),
            _ => say("there is more than one rule in this text", "one at a time"),
        }
    }
}

fn mistake(place: &Place, rule: &RuleId, field: &str, what: &str, hint: &str) -> RuleError {
    RuleError {
        file: place.file.clone(),
        line: place.line,
        rule: Some(rule.to_string()),
        field: field.to_owned(),
        what: what.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, RuleKeepError> {
    let failed = |e: anyhow::Error| RuleKeepError::Internal(format!("{e:#}"));
    let worked = tokio::task::spawn_blocking(work).await;
    worked
        .map_err(|e| RuleKeepError::Internal(e.to_string()))?
        .map_err(failed)
}

/// Another word for every other content.
fn version(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

fn print(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name.as_bytes(), text.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

fn places(files: &Files) -> BTreeMap<RuleId, Place> {
    let mut places = BTreeMap::new();
    for (file, text) in files {
        let version = version(text);
        for part in text::parts(text) {
            let Some(id) = part.id.and_then(|id| id.parse().ok()) else {
                continue;
            };
            let place = Place {
                file: file.clone(),
                line: part.line,
                version: version.clone(),
            };
            // of two with one id the first counts
            places.entry(id).or_insert(place);
        }
    }
    places
}

fn side_of(replay: &Replay, rules: &BTreeSet<RuleId>, book: &RuleBook) -> Side {
    const HOUR_S: i64 = 3600;
    let mut side = Side::default();
    for raised in replay.raised.iter().filter(|r| rules.contains(&r.rule)) {
        side.raised += 1;
        let index = usize::try_from(raised.severity.number() - 1).unwrap_or(3);
        side.severities[index] += 1;
        let second = raised.at.as_second();
        let hour = Timestamp::from_second(second - second.rem_euclid(HOUR_S));
        *side.hours.entry(hour.unwrap_or(raised.at)).or_default() += 1;
        let lead = book.get(&raised.rule).map_or("", |meta| meta.lead.as_str());
        *side.leads.entry(lead.to_owned()).or_default() += 1;
        if side.first.len() < ALARMS_LISTED_MAX {
            side.first.push(Raised {
                subject: raised.subject.clone(),
                severity: raised.severity,
                at: raised.at,
            });
        }
    }
    side
}

#[async_trait::async_trait]
impl dashboard_api::rule_keeper::RuleKeeper for Keeper {
    fn is_built_in(&self) -> bool {
        self.dir.as_os_str().is_empty()
    }

    async fn known(&self) -> Result<Arc<Known>, RuleKeepError> {
        self.look().await
    }

    async fn text(&self, rule: &RuleId) -> Result<Option<Text>, RuleKeepError> {
        let known = self.look().await?;
        let Some(place) = known.places.get(rule) else {
            return Ok(None);
        };
        let files = self.files().await?;
        let Some((_, whole)) = files.iter().find(|(file, _)| *file == place.file) else {
            return Ok(None);
        };
        let parts = text::parts(whole);
        let is_it = |part: &&text::Part| part.id.as_deref() == Some(rule.as_str());
        Ok(parts.iter().find(is_it).map(|part| Text {
            place: Place {
                file: place.file.clone(),
                line: part.line,
                version: version(whole),
            },
            text: format!("{}\n", whole[part.bytes.clone()].trim_end()),
            stage: text::stage(whole),
        }))
    }

    async fn check(&self, wanted: Wanted) -> Result<Checked, RuleKeepError> {
        Ok(self.put(wanted).await?.0)
    }

    async fn trial(
        &self,
        checked: &Checked,
        rules: &BTreeSet<RuleId>,
        span: Span,
    ) -> Result<Trial, RuleKeepError> {
        self.replay(checked, rules, span, LIMITS).await
    }

    async fn save(&self, save: Save, may: Judge<'_>) -> Result<String, RuleKeepError> {
        if self.dir.as_os_str().is_empty() {
            return Err(RuleKeepError::BuiltIn);
        }
        let _turn = self.turn.lock().await;
        let rule = save.wanted.rule.clone();
        let (checked, put) = self.put(save.wanted).await?;
        if let Some(why) = may(&checked) {
            return Err(RuleKeepError::Refused(why));
        }
        let expected = save.expected.unwrap_or_default();
        if expected != checked.place.version {
            let version = checked.place.version;
            return Err(RuleKeepError::Stale { version });
        }
        if !checked.is_whole() {
            return Err(RuleKeepError::NotWhole(Box::new(checked)));
        }
        let after = version(&put.after);
        if after == checked.place.version {
            return Ok(after);
        }
        let target = self.dir.join(&put.file);
        write(&target, &put.after).await?;
        let change = RuleChanged {
            rule: rule.clone(),
            by: save.by,
            act: if put.is_new {
                "make_rule"
            } else {
                "change_rule"
            },
            from: checked.place.version,
            to: after.clone(),
            note: save.note,
        };
        let now = self.clock.now();
        if let Err(e) = self.state.note_rule_changed(change, now).await {
            // nobody would know who it was: it is as it was
            if let Some(before) = &put.before {
                write(&target, before).await?;
            } else {
                let removed = std::fs::remove_file(&target);
                removed.map_err(|e| RuleKeepError::Internal(e.to_string()))?;
            }
            return Err(RuleKeepError::Internal(e.to_string()));
        }
        info!(rule.id = %rule, rule.file = put.file, rule.version = after, "rule saved");
        Ok(after)
    }
}

/// Puts a text in the place of a file at once.
async fn write(target: &Path, text: &str) -> Result<(), RuleKeepError> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let (path, text) = (target.to_owned(), text.to_owned());
    let written = tokio::task::spawn_blocking(move || replace(&path, &text)).await;
    let written = written.map_err(|e| RuleKeepError::Internal(e.to_string()))?;
    let name = || target.file_name().unwrap_or_default().to_string_lossy();
    match written {
        Ok(()) => Ok(()),
        Err(e) if matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            Err(RuleKeepError::ReadOnly(name().into_owned()))
        }
        Err(e) => {
            let e = anyhow::Error::from(e).context(format!("cannot write {}", name()));
            Err(RuleKeepError::Internal(format!("{e:#}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::alarm::flood::Seats;
    use domain::place::Registry;
    use domain::{Attrs, ClockSource, DeviceClass, Event, EventId, Kind, Phase, Seq};
    use store::events::sqlite::SqliteEvents;

    use super::*;

    const RULE: &str = r#"
        [[rule]]
        id = "L1"
        title_zh = "测试"
        title_en = "test"
        severity = "P3"
        subject = "device"
        dedupe_s = 60
        lead = "fire"
        sop_zh = ["看"]
        sop_en = ["look"]
        [rule.when]
        is = "match"
        kinds = ["device.test", "device.tamper"]
    "#;

    fn event(seq: u64, second: i64, kind: Kind) -> Event {
        let at = Timestamp::from_second(1_800_000_000 + second).expect("a time");
        Event {
            id: EventId::of_uplink(at, Seq(seq), 0),
            seq: Seq(seq),
            site: "q1".parse().expect("an id"),
            device: format!("smoke-{seq}").parse().expect("an id"),
            class: DeviceClass::FireSensor,
            component: None,
            kind,
            phase: Phase::Instant,
            dedupe_key: format!("#{seq}"),
            occurred_at: at,
            received_at: at,
            clock: ClockSource::Gateway,
            attrs: Attrs::empty(),
        }
    }

    #[tokio::test]
    async fn a_trial_reads_what_concerns_it_and_is_cut_when_it_costs_too_much() {
        let dir = tempfile::tempdir().expect("a directory");
        let registry = Arc::new(Registry::default());
        let path = dir.path().join("state.db");
        let state = State::open_with(&path, registry, Seats::new(1)).await;
        let events = SqliteEvents::open(&dir.path().join("events"), None).expect("opens");
        let mut all = Vec::new();
        // kinds take turns, so that what is merged shows its order
        for seq in 1..=40_u64 {
            let kind = match seq % 4 {
                0 => Kind::DeviceTest,
                1 => Kind::DeviceTamper,
                _ => Kind::DeviceTelemetry,
            };
            all.push(event(seq, seq.cast_signed() * 100, kind));
        }
        events.append(Seq(40), all).await.expect("stored");
        let set = RuleSet::parse(&[("l.toml".to_owned(), RULE.to_owned())]);
        let set = Arc::new(set.unwrap_or_else(|e| panic!("{}", e[0])));
        let (_rules, at_work) = watch::channel(Arc::clone(&set));
        let keeper = Keeper::new(
            PathBuf::new(),
            state.expect("opens"),
            Arc::new(events),
            Clock::new(Timestamp::UNIX_EPOCH),
            at_work,
        );
        let checked = Checked {
            before: Arc::clone(&set),
            after: set,
            is_new: false,
            place: Place {
                file: String::new(),
                line: 1,
                version: String::new(),
            },
            mistakes: Vec::new(),
            cases: 1,
            failures: Vec::new(),
        };
        let id: RuleId = "L1".parse().expect("an id");
        let rules = BTreeSet::from([id]);
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let span = Span {
            from: at(1000),
            to: at(5000),
        };
        let run = async |limits| {
            let trial = keeper.replay(&checked, &rules, span, limits).await;
            trial.expect("runs")
        };
        let whole = run(LIMITS).await;
        // telemetry is not even read; what rang before the span is not counted
        assert_eq!((whole.events, whole.cut, whole.until), (20, None, at(5000)));
        assert_eq!((whole.was.raised, whole.would.raised), (15, 15));
        let first: Vec<&str> = whole.would.first.iter().map(|r| &*r.subject).collect();
        assert_eq!(
            first[..3],
            ["device:smoke-12", "device:smoke-13", "device:smoke-16"]
        );
        assert_eq!(whole.would.severities, [0, 0, 15, 0]);
        for (limits, cut) in [
            (
                Limits {
                    events: 1,
                    ..LIMITS
                },
                Cut::Events,
            ),
            (
                Limits {
                    time: Duration::ZERO,
                    ..LIMITS
                },
                Cut::Time,
            ),
            (
                Limits {
                    alarms: 1,
                    ..LIMITS
                },
                Cut::Alarms,
            ),
        ] {
            let trial = run(limits).await;
            assert_eq!(trial.cut, Some(cut));
            assert!(trial.until < span.to, "{}", trial.until);
        }
    }
}
