//! Which days there are, which journal positions each holds, and how far the whole is: the little that writer and readers share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Seq;
use parking_lot::RwLock;

use super::EventsError;
use super::day::Day;
use super::schema;

/// Days without an event after which a new day alone is not believed.
const GAP_DAYS_MAX: i64 = 31;

/// First and last position in a day's file; `None` in a file without events.
pub(super) type Span = Option<(i64, i64)>;

#[derive(Debug)]
pub(super) struct Catalogue {
    dir: PathBuf,
    days: RwLock<BTreeMap<Day, Span>>,
    cursor: AtomicU64,
}

impl Catalogue {
    /// Looks into every day's file once. The cursor is the highest that any file has: files are committed one after the
    /// other, and only the last of a batch gets the batch's cursor.
    pub(super) fn load(dir: &Path) -> Result<Self, EventsError> {
        let unusable = |source| EventsError::Directory {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(unusable)?;
        let mut days = BTreeMap::new();
        let mut cursor = 0;
        for entry in fs::read_dir(dir).map_err(unusable)? {
            let name = entry.map_err(unusable)?.file_name();
            let Some(day) = name.to_str().and_then(Day::from_file_name) else {
                continue;
            };
            let Some(connection) = schema::open_reader(&dir.join(name))? else {
                continue;
            };
            let sql = "SELECT cursor_seq, (SELECT min(position) FROM event), (SELECT max(position) FROM event) FROM meta";
            let (seq, first, last) = connection
                .query_row(sql, [], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, Option<i64>>(1)?,
                        row.get::<_, Option<i64>>(2)?,
                    ))
                })
                .map_err(EventsError::sqlite("read a day's span"))?;
            cursor = cursor.max(seq as u64);
            days.insert(day, first.zip(last));
        }
        Ok(Self {
            dir: dir.to_owned(),
            days: RwLock::new(days),
            cursor: AtomicU64::new(cursor),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
    pub(super) fn path(&self, day: Day) -> PathBuf {
        self.dir.join(day.file_name())
    }
    pub(super) fn cursor(&self) -> Seq {
        Seq(self.cursor.load(Ordering::Acquire))
    }
    /// Call after the commit that made it true.
    pub(super) fn advance(&self, cursor: Seq) {
        self.cursor.fetch_max(cursor.0, Ordering::AcqRel);
    }
    pub(super) fn has(&self, day: Day) -> bool {
        self.days.read().contains_key(&day)
    }
    pub(super) fn newest(&self) -> Option<Day> {
        self.days.read().last_key_value().map(|(day, _)| *day)
    }
    /// The newest day that another one precedes by at most a month: what retention counts from. A clock that jumped years
    /// ahead for one event must not cost the history.
    pub(super) fn today(&self) -> Option<Day> {
        let days = self.days.read();
        let newest_first = days.keys().rev();
        let with_older = newest_first.clone().zip(newest_first.skip(1));
        let (lived, _) = with_older
            .into_iter()
            .find(|(day, older)| day.0 - older.0 <= GAP_DAYS_MAX)?;
        Some(*lived)
    }
    /// All days, oldest first.
    pub(super) fn days(&self) -> Vec<(Day, Span)> {
        self.days.read().iter().map(|(d, s)| (*d, *s)).collect()
    }
    /// Makes the day known and widens its span.
    pub(super) fn widen(&self, day: Day, span: Span) {
        let mut days = self.days.write();
        let known = days.entry(day).or_default();
        *known = match (*known, span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }
    pub(super) fn forget(&self, day: Day) {
        self.days.write().remove(&day);
    }
}
