//! Identifiers, one type each, so that a zone can never be passed for a device.
//!
//! Two families: *slugs* are given by people (registry files) and stand in MQTT topics; *made* ids are `UUIDv7` behind a prefix
//! (`inc_0190…`) and are made by the hub. Parsing checks the shape once, at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest slug in bytes; topics stay short and tag values of time-series databases stay legal.
pub const SLUG_BYTES_MAX: usize = 64;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Empty, too long, or with a character outside `[a-z0-9-]`.
    #[error("`{0}` is not an id (hint: 1 to 64 of a-z, 0-9 and -, as in `smoke-0215`)")]
    Slug(String),
    /// Not the prefix and UUID of this kind of id.
    #[error(
        "`{text}` is not an id of this kind (hint: it starts with `{prefix}` and a UUID follows)"
    )]
    Made {
        /// What was given.
        text: String,
        /// What it should have started with.
        prefix: &'static str,
    },
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SLUG_BYTES_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text as it stands in topics, files and tables.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_slug(text) { Ok(Self(text.into())) } else { Err(BadId::Slug(text.chars().take(80).collect())) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug!(
    /// A quarter (小区): the second word of its devices' topics.
    SiteId
);
slug!(
    /// A device; equal to its MQTT client id and user name.
    DeviceId
);
slug!(
    /// A zone: fire compartment, gate lane, lift, stair, door.
    ZoneId
);
slug!(
    /// A building (楼栋) of a site.
    BuildingId
);
slug!(
    /// A micro-grid (微网格).
    GridId
);
slug!(
    /// A self-governance committee (自治委员会).
    CommitteeId
);
slug!(
    /// A department of the joint-duty station: `police`, `market`, `enforcement`, `traffic`, `fire`, `property`.
    DepartmentId
);
slug!(
    /// A person of the registry.
    PersonId
);
slug!(
    /// A household (户) of the registry.
    HouseholdId
);
slug!(
    /// A post of the roster: what somebody is on duty as, such as `fire-duty` or `station-lead`.
    PostId
);
slug!(
    /// A vehicle or a piece of equipment of a department.
    ResourceId
);
slug!(
    /// A user of dashboard and API (the log-in name).
    UserId
);

/// A rule's number in the catalogue, such as `S1` or `B3b`: 1 to 16 of letters, digits and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(std::sync::Arc<str>);

impl RuleId {
    /// The text as it stands in rule files and tables.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl FromStr for RuleId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let ok = (1..=16).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if ok {
            Ok(Self(text.into()))
        } else {
            Err(BadId::Slug(text.chars().take(80).collect()))
        }
    }
}
impl TryFrom<String> for RuleId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}
impl From<RuleId> for String {
    fn from(id: RuleId) -> String {
        id.0.to_string()
    }
}
impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! made {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;
            /// Wraps a UUID (version 7) that the caller made.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The UUID without the prefix; it doubles as trace id.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| BadId::Made { text: text.chars().take(80).collect(), prefix: $prefix })
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }
    };
}

made!(
    /// One canonical event. Made from receive time and journal position, so that a replay makes the same id again.
    EventId, "evt_"
);
made!(
    /// One episode of an alarm, from raise to return.
    AlarmId, "alm_"
);
made!(
    /// One incident; people say its short number instead.
    IncidentId, "inc_"
);
made!(
    /// One department's part in an incident.
    TaskId, "tsk_"
);
made!(
    /// One maintenance window.
    MaintenanceId, "mnt_"
);
made!(
    /// Incidents of one rule in one building that a flood folds together.
    StormId, "stm_"
);
made!(
    /// Leave to see what is about people in full, for one incident and for a while.
    UnmaskingId, "unm_"
);
made!(
    /// Somebody's word that what is about people around an incident stays until a day.
    HoldId, "hld_"
);
made!(
    /// One command to one device.
    CommandId, "cmd_"
);
made!(
    /// Fire mode of one building, from its release to its end.
    FireModeId, "fmd_"
);
made!(
    /// What one person reported once.
    ReportId, "rep_"
);

impl EventId {
    /// The id of the `index`-th event of the uplink at journal position `seq`, received at `received_at`.
    pub fn of_uplink(received_at: jiff::Timestamp, seq: Seq, index: u16) -> Self {
        let ms = u64::try_from(received_at.as_millisecond()).unwrap_or(0);
        let mut tail = [0u8; 10];
        tail[..2].copy_from_slice(&index.to_be_bytes());
        tail[2..].copy_from_slice(&seq.0.to_be_bytes());
        Self(uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid())
    }
}

/// Position in the journal: the order in which the hub accepted things. The first record has 1; 0 stands for "nothing yet".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a change of state as the live feed counts them, gap-free and in commit order. Not a [`Seq`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_takes_what_topics_take_and_nothing_else() {
        for good in ["a", "smoke-0215", "q1-b2", &"x".repeat(64)] {
            assert!(good.parse::<DeviceId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "烟感",
            "a/b",
            "a+b",
            "a#",
            "a b",
            "a\0",
            "$sys",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn made_ids_print_and_parse_with_their_prefix_only() {
        let id = IncidentId::new(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<IncidentId>(), Ok(id));
        assert!(id.to_string().parse::<AlarmId>().is_err());
    }

    #[test]
    fn an_event_id_is_the_same_on_replay_and_differs_between_positions() {
        let at = jiff::Timestamp::from_millisecond(1_700_000_000_123).expect("in range");
        let first = EventId::of_uplink(at, Seq(41), 0);
        assert_eq!(first, EventId::of_uplink(at, Seq(41), 0));
        assert_ne!(first, EventId::of_uplink(at, Seq(42), 0));
        assert_ne!(first, EventId::of_uplink(at, Seq(41), 1));
        assert_eq!(first.uuid().get_version_num(), 7);
    }
}
