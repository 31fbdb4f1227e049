//! Taking what is about people out of the files of days whose time is over. The event stays; a value becomes [`domain::privacy::DELETED`].
//!
//! A file says what was done to it (table `destroyed`): which classes, and around which holds they were left. When either is another,
//! the day is gone through again; so what a hold kept goes when the hold is over, and a hub that was away goes on where it stood.
//!
//! **Invariant:** when a day is said to be done, neither the file nor its log has the bytes: the file is written anew without them, and the
//! log is folded in and cut, before it is said.

use domain::Timestamp;
use domain::privacy::{self, Personal, Surroundings};
use domain::{Attrs, SiteId};
use rusqlite::{Connection, OptionalExtension, params};

use super::day::Day;
use super::schema;
use super::writer::Writer;
use crate::events::{Destroyed, EventsError};

/// Events that are looked at in one step: what waits to be stored waits no longer than for that.
const STEP: usize = 2_000;
/// Files that are opened in one step only to read what was done to them.
const LOOKED_MAX: usize = 20;

const SAID: &str = "CREATE TABLE IF NOT EXISTS destroyed (one INTEGER PRIMARY KEY CHECK (one = 1), said TEXT NOT NULL) STRICT";
const SAY: &str =
    "INSERT INTO destroyed VALUES (1, ?1) ON CONFLICT DO UPDATE SET said = excluded.said";

/// Where a day is being gone through.
#[derive(Debug)]
pub(super) struct Under {
    day: Day,
    said: String,
    after: i64,
    /// There was something in it: the file is written anew at the end.
    is_touched: bool,
}

impl Writer {
    /// One step: the oldest day that is not as it should be. `due` are classes, and before which time their values go by whole days.
    pub(super) fn destroy(
        &mut self,
        due: &[(Personal, Timestamp)],
    ) -> Result<Destroyed, EventsError> {
        // whoever holds something meanwhile waits for this step, and holds what is there then
        let shared = self.held.clone();
        let held = shared.read();
        let mut looked = 0;
        for (day, _) in self.catalogue.days() {
            let due = due.iter().filter(|(_, before)| day < Day::of(*before));
            let classes: Vec<Personal> = due.map(|(class, _)| *class).collect();
            if classes.is_empty() {
                continue;
            }
            let around: Vec<&Surroundings> = held.iter().filter(|one| day.touches(one)).collect();
            let said = said(&classes, &around);
            if self.destroyed.get(&day) == Some(&said) {
                continue;
            }
            let file = schema::open_writer(&self.catalogue.path(day))?;
            if done(&file)?.as_ref() == Some(&said) {
                self.destroyed.insert(day, said);
                looked += 1;
                if looked >= LOOKED_MAX {
                    return Ok(Destroyed::default());
                }
                continue;
            }
            let under = self.under.take();
            let under = under.filter(|under| under.day == day && under.said == said);
            let (after, is_touched) =
                under.map_or((i64::MIN, false), |under| (under.after, under.is_touched));
            let Step { events, seen, last } = step(&file, &classes, &around, after)?;
            drop(held);
            let is_touched = is_touched || seen > 0;
            if let Some(after) = last {
                self.under = Some(Under {
                    day,
                    said,
                    after,
                    is_touched,
                });
            } else if !is_touched || write_anew(&file)? {
                file.execute(SAY, [&said])
                    .map_err(EventsError::sqlite("say what was destroyed"))?;
                self.destroyed.insert(day, said);
            } else {
                // somebody reads the file: it is gone through again in the next round
                return Ok(Destroyed {
                    events,
                    is_done: true,
                });
            }
            return Ok(Destroyed {
                events,
                is_done: false,
            });
        }
        Ok(Destroyed {
            events: 0,
            is_done: true,
        })
    }
}

/// What a file says when these classes are gone from it but for what these holds keep.
fn said(classes: &[Personal], around: &[&Surroundings]) -> String {
    let mut said: Vec<String> = classes.iter().map(ToString::to_string).collect();
    let mut kept: Vec<String> = around
        .iter()
        .map(|one| {
            let (from, until) = one.span();
            let until = until.map_or_else(String::new, |until| until.to_string());
            format!("{} {from}/{until}", one.site)
        })
        .collect();
    kept.sort_unstable();
    kept.dedup();
    said.sort_unstable();
    said.extend(kept);
    said.join(";")
}

fn done(file: &Connection) -> Result<Option<String>, EventsError> {
    file.execute_batch(SAID)
        .and_then(|()| {
            file.query_row("SELECT said FROM destroyed", [], |row| row.get(0))
                .optional()
        })
        .map_err(EventsError::sqlite("read what was destroyed"))
}

/// What one transaction did.
struct Step {
    /// Events that lost something.
    events: u64,
    /// Events that were looked at.
    seen: usize,
    /// Where to go on, when there may be more.
    last: Option<i64>,
}

/// Goes through the next events of a file in one transaction.
fn step(
    file: &Connection,
    classes: &[Personal],
    around: &[&Surroundings],
    after: i64,
) -> Result<Step, EventsError> {
    let failed = EventsError::sqlite("destroy what is about people");
    let transaction = || -> rusqlite::Result<Step> {
        file.execute_batch("BEGIN IMMEDIATE")?;
        let rows = candidates(file, classes, after)?;
        let mut update = file.prepare("UPDATE event SET attrs = ?2 WHERE position = ?1")?;
        let mut events = 0;
        for (position, received_at_us, site, attrs) in &rows {
            let at = Timestamp::from_microsecond(*received_at_us).unwrap_or(Timestamp::MAX);
            let site: Option<SiteId> = site.parse().ok();
            let is_held = |site| around.iter().any(|one| one.covers(site, at));
            if site.as_ref().is_some_and(is_held) {
                continue;
            }
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(attrs);
            // what cannot be read was never shown, and goes whole
            let is_damaged = parsed.is_err();
            let mut value = parsed.unwrap_or_else(|_| serde_json::json!({}));
            if privacy::destroy(&mut value, classes, "") || is_damaged {
                let attrs = Attrs::from_value(&value);
                events += update.execute(params![position, attrs.as_json()])? as u64;
            }
        }
        let last = rows.last().filter(|_| rows.len() == STEP);
        let last = last.map(|(position, ..)| *position);
        file.execute_batch("COMMIT")?;
        let seen = rows.len();
        Ok(Step { events, seen, last })
    };
    // what fails is rolled back when the file is closed
    transaction().map_err(failed)
}

type Candidate = (i64, i64, String, String);

/// Events whose attributes may name one of the classes, by the text: a name may also be written with `\u`.
fn candidates(
    file: &Connection,
    classes: &[Personal],
    after: i64,
) -> rusqlite::Result<Vec<Candidate>> {
    let names = classes.iter().flat_map(|class| class.attrs());
    let names = names.chain(&["subject"]).map(|name| format!("\"{name}\""));
    let texts: Vec<String> = names
        .chain(["\\u".to_owned()])
        .map(|text| format!("instr(e.attrs, '{text}') > 0"))
        .collect();
    let sql = format!(
        "SELECT e.position, e.received_at_us, w.text, e.attrs FROM event e JOIN word w ON w.id = e.site \
         WHERE e.position > ?1 AND ({}) ORDER BY e.position LIMIT {STEP}",
        texts.join(" OR ")
    );
    let mut rows = file.prepare(&sql)?;
    let rows = rows.query_map([after], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}

/// Writes the file anew, without what SQLite has freed or moved, and folds and cuts the log; says whether nobody was in the way.
fn write_anew(file: &Connection) -> Result<bool, EventsError> {
    file.execute_batch("VACUUM")
        .map_err(EventsError::sqlite("write a day's file anew"))?;
    let busy: i64 = file
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(EventsError::sqlite("fold a day's log"))?;
    Ok(busy == 0)
}
