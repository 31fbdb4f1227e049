//! What became of the commands that reached the fleet: the other side's claims ("none late, none twice") are checked against it.

use std::collections::BTreeMap;

use domain::DeviceId;
use serde::Serialize;

use crate::command::{Note, Status, What};

/// Most commands that are told of one by one; the counts go on.
const COMMANDS_MAX: usize = 10_000;

/// What became of one command, at one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandRecord {
    /// The sender's id.
    pub command_id: String,
    /// Which device heard it.
    pub device: DeviceId,
    /// What it was.
    pub command: String,
    /// How many messages with this id came.
    pub heard: u32,
    /// How many times it was executed.
    pub executed: u32,
    /// Of them, after its deadline by the true time.
    pub late: u32,
    /// The last answer.
    pub status: Option<Status>,
}

/// What became of all commands.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CommandReport {
    /// Messages that came.
    pub heard: u64,
    /// Of them, passed over without an answer.
    pub ignored: u64,
    /// Executions.
    pub executed: u64,
    /// Executions after the deadline by the true time.
    pub late: u64,
    /// Executions of a command that had been executed already.
    pub double: u64,
    /// Answers.
    pub answered: u64,
    /// The commands one by one, up to a limit; later ones are only counted.
    pub by_id: Vec<CommandRecord>,
}

#[derive(Debug, Default)]
pub(super) struct Orders {
    counts: CommandReport,
    by_id: BTreeMap<(String, DeviceId), CommandRecord>,
}

impl Orders {
    pub(super) fn note(&mut self, device: &DeviceId, note: &Note) {
        let counts = &mut self.counts;
        match note.what {
            What::Heard => counts.heard += 1,
            What::Ignored => counts.ignored += 1,
            What::Answered(_) => counts.answered += 1,
            What::Executed { is_late } => {
                counts.executed += 1;
                counts.late += u64::from(is_late);
            }
        }
        if note.command_id.is_empty() {
            return;
        }
        let key = (note.command_id.clone(), device.clone());
        if self.by_id.len() >= COMMANDS_MAX && !self.by_id.contains_key(&key) {
            return;
        }
        let record = self.by_id.entry(key).or_insert_with(|| CommandRecord {
            command_id: note.command_id.clone(),
            device: device.clone(),
            command: note.command.clone(),
            heard: 0,
            executed: 0,
            late: 0,
            status: None,
        });
        match note.what {
            What::Heard => record.heard += 1,
            What::Ignored => {}
            What::Answered(status) => record.status = Some(status),
            What::Executed { is_late } => {
                counts.double += u64::from(record.executed > 0);
                record.executed += 1;
                record.late += u32::from(is_late);
            }
        }
    }

    pub(super) fn report(&self) -> CommandReport {
        CommandReport {
            by_id: self.by_id.values().cloned().collect(),
            ..self.counts.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_and_double_are_counted() {
        let mut orders = Orders::default();
        let device = "door-1".parse().expect("an id");
        let mut note = |id: &str, what| {
            let note = Note {
                command_id: id.to_owned(),
                command: "lock".to_owned(),
                what,
            };
            orders.note(&device, &note);
        };
        note("c-1", What::Heard);
        note("c-1", What::Executed { is_late: false });
        note("c-1", What::Answered(Status::Done));
        note("c-2", What::Heard);
        note("c-2", What::Executed { is_late: true });
        note("c-2", What::Executed { is_late: false });
        note("", What::Ignored);
        let report = orders.report();
        assert_eq!((report.heard, report.ignored, report.answered), (2, 1, 1));
        assert_eq!((report.executed, report.late, report.double), (3, 1, 1));
        let counts: Vec<_> = report.by_id.iter().map(|r| (r.executed, r.late)).collect();
        assert_eq!(counts, [(1, 0), (2, 1)]);
    }
}
