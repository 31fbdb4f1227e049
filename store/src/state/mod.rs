//! The state: alarms, incidents, tasks, devices, users, audit; every change is one transaction with its feed row.
//!
//! SQLite through sqlx. One connection writes, a pool of others reads; every statement is written so that PostgreSQL takes it too.
//! Everything that a batch of the journal brings about moves together with the cursor ([`State::commit_batch`]); people act by
//! commands ([`State::command`]). Nobody edits rows.
//!
//! **Invariant:** a revision is given out inside the transaction that it numbers: the feed is gap-free and in commit order.

mod accounts;
mod adapter_memory;
mod alarm;
mod alarm_due;
mod alarms;
mod audit;
mod audit_list;
mod batch;
mod chunks;
mod command;
mod commit;
mod counted;
mod credential;
mod device;
mod device_command;
mod due;
mod duty_log;
mod enrolment;
mod error;
mod evidence;
mod feed;
mod finding;
mod fire_mode;
mod flood;
mod forgotten;
mod handover;
mod hold;
mod incidents;
mod kpi;
mod kpi_books;
mod kpi_record;
mod ledger;
mod legal_hold;
mod maintenance;
mod merge;
mod newcomers;
mod notified;
mod open;
mod outbox;
mod possible;
mod quarantine;
mod query;
mod reach;
mod record;
mod registry;
mod report;
mod report_view;
mod roster;
mod rule;
mod second_factor;
mod seen;
mod session;
mod set_back;
mod snapshot;
mod snapshot_fetch;
mod snapshot_forget;
mod tally;
#[cfg(test)]
mod tests;
mod token;
mod unmasking;
mod user;
mod view;

pub use accounts::{ACCOUNTS_MAX, AccountAct, AccountError, AccountItem};
pub use adapter_memory::Remembered;
pub use alarm::{AlarmAct, AlarmError, AlarmFilter, AlarmStage, ShelfEnd};
pub use audit::{AuditBreak, AuditReport};
pub use audit_list::{AuditFilter, AuditItem};
pub use batch::{Batch, Committed, DeviceTouch, QuarantineRow, Reran};
pub use command::{CommandError, IDEMPOTENCY_KEY_BYTES_MAX, NOTE_CHARS_MAX};
pub use counted::Counted;
pub use credential::{Credential, CredentialKind};
pub use device_command::{Claimed, CommandAskError, CommandItem, Heard, NewCommand};
pub use due::EXHAUSTED_RULE;
pub use duty_log::{DutyLine, DutyLog, DutyNote, Line as DutyLineText};
pub use enrolment::{CertificateRow, Enrolled, INVITATION_LIFE, OVERLAP};
pub use error::StateError;
pub use evidence::{COMMAND_PHOTOS_MAX, EVIDENCE_PHOTOS_MAX, PhotoItem};
pub use feed::{FEED_ROWS_MAX, FeedRow};
pub use fire_mode::{FireModeItem, NewFireMode};
pub use flood::{LoadReport, METRICS_SPAN_MAX, Rate, STORMS_MAX, StormAcknowledged, StormItem};
pub use handover::{HandoverError, HandoverItem};
pub use kpi::{Coverage, KpiQuery, KpiReport, KpiSettings, Listed, Standing};
pub use legal_hold::{HOLD_DAYS_MAX, HoldError, HoldItem, NewHold};
pub use maintenance::{MaintenanceError, NewWindow};
pub use newcomers::{
    ADDRESS_BYTES_MAX, DISMISSAL_CHARS_MAX, Dismissal, DismissedItem, NewcomerItem, NewcomerPage,
    NewcomerTouch, newcomer_id, registry_address,
};
pub use notified::{NOTIFIED_MAX, NotifiedItem, ToldItem};
pub use outbox::{ATTEMPTS_MAX, BOARD, Delivery, NotificationItem, PEOPLE_MAX, PersonItem};
pub use possible::Possible;
pub use quarantine::{Quarantined, RERUN_MAX, RerunAsked};
pub use query::{IncidentFilter, PAGE_MAX, Page, Stage};
pub use reach::HIDDEN;
pub use registry::{RegistryChange, RegistryVersion};
pub use report::{
    CONTACT_CHARS_MAX, NewReport, PHOTOS_MAX, PLACE_CHARS_MAX, REPORT_CHARS_MAX, ReportContact,
    ReportError, ReportPhoto, Reported, ReportedBy,
};
pub use report_view::{
    FoundReport, IncidentReport, ProgressItem, REPORTS_SHOWN_MAX, ReportItem, ReportState,
};
pub use rule::{RuleChanged, Rung};
pub use second_factor::{SecondFactor, SecondFactorError};
pub use session::{
    Origin, Owes, SESSION_IDLE, SESSION_IDLE_ADMINISTRATOR, SESSION_LIFE, SessionCaller,
    SessionItem, Way,
};
pub use snapshot::{
    INCIDENT_SNAPSHOTS_MAX, KeptSnapshot, NamedSnapshot, NewSnapshot, SNAPSHOTS, SnapshotBatch,
    SnapshotCounts, SnapshotItem, SnapshotWord, WRONG_SHA256,
};
pub use snapshot_fetch::{FETCHES_MAX, SnapshotFetch};
pub use snapshot_forget::SNAPSHOT_LOOSE_KEPT;
pub use token::{NewToken, TOKEN_DAYS_MAX, TokenItem};
pub use unmasking::{Ground, NewUnmasking, REASON_CHARS_MAX, UnmaskingItem};
pub use user::{NewUser, Role, UnknownRole, User, random_password};
pub use view::{
    AlarmItem, DeviceItem, DeviceState, DueItem, EVENTS_MAX, IncidentItem, IncidentView,
    MaintenanceItem, Moment, QuarantineItem, RAW_BYTES_SHOWN, RerunItem, ShelfItem, TaskItem,
    TimelineItem,
};

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use domain::Revision;
use domain::alarm::flood::Seats;
use domain::place::Registry;
use sqlx::SqlitePool;
use tokio::sync::{Mutex, Semaphore, watch};

/// A handle on the state; clones share it.
#[derive(Clone)]
pub struct State {
    shared: Arc<Shared>,
}

struct Shared {
    /// The one connection that writes.
    write: SqlitePool,
    /// Connections that only read.
    read: SqlitePool,
    /// Places, people and devices as they are now.
    registry: watch::Sender<Arc<Registry>>,
    /// Operators' seats: they say how much is a flood.
    seats: Seats,
    /// How much rings, as it was last measured.
    rate: watch::Sender<Rate>,
    /// What devices last said of themselves.
    devices: device::Presence,
    /// Commands to devices that are under way.
    commands: device_command::Watch,
    /// Devices that nobody has registered.
    newcomers: newcomers::Newcomers,
    /// Rows of the table of what rules have seen.
    seen_rows: AtomicI64,
    /// The last revision that is committed.
    revision: watch::Sender<Revision>,
    /// Password hashing takes 19 MiB and a core each: so many at a time.
    hashing: Semaphore,
    /// Whoever tells what is held, one after the other.
    holding: Mutex<()>,
}

impl Shared {
    /// The registry for one piece of work: another may be there for the next.
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.borrow())
    }
}
