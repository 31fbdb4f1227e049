//! What stands in the files: posts, shifts, exceptions, resources.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use crate::DepartmentId;
use crate::id::{PersonId, PostId, ResourceId};

/// What somebody is on duty as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// Its name, such as `消防站值班`.
    pub name: String,
    /// Its English name.
    pub name_en: String,
    /// Where it stands in the ladder.
    pub kind: PostKind,
    /// The department, for `duty`, `deputy` and `head`.
    #[serde(default)]
    pub department: Option<DepartmentId>,
    /// When somebody must be there: without it `always` for `duty` and `desk`, and `never` for the others.
    #[serde(default)]
    pub cover: Option<Cover>,
}

impl Post {
    /// When somebody must be there.
    pub fn covered(&self) -> Cover {
        self.cover.unwrap_or(match self.kind {
            PostKind::Duty | PostKind::Desk => Cover::Always,
            _ => Cover::Never,
        })
    }
}

/// Where a post stands in the ladder of escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKind {
    /// Operators at the station's desk: on no rung, they see everything first.
    Desk,
    /// The duty person of a department: L0.
    Duty,
    /// The deputy of a department: L1.
    Deputy,
    /// The station lead: L1.
    StationLead,
    /// The head of a department; the manager of the property company: L2.
    Head,
    /// The secretary of the community: L3.
    Secretary,
    /// The duty office of the sub-district: L4.
    SubDistrict,
}

impl PostKind {
    /// Whether it is a department's.
    pub fn has_department(self) -> bool {
        matches!(self, Self::Duty | Self::Deputy | Self::Head)
    }
}

/// When a post must not be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cover {
    /// Every hour of every day.
    Always,
    /// In office hours of working days.
    OfficeHours,
    /// It may be empty.
    Never,
}

/// Who is on duty in which hours of which days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The post.
    pub post: PostId,
    /// Who is on.
    pub people: Vec<PersonId>,
    /// Who steps in, in this order, for somebody who is absent.
    #[serde(default)]
    pub deputies: Vec<PersonId>,
    /// On which days it begins.
    #[serde(default)]
    pub days: Days,
    /// When it begins.
    pub from: Time,
    /// When it ends; not later than `from`: on the next day. The same: after 24 hours.
    pub until: Time,
    /// On every so many days only, for people who take turns.
    #[serde(default)]
    pub turn: Option<Turn>,
}

/// The days on which a shift begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Days {
    /// Every day.
    #[default]
    Every,
    /// Working days: Monday to Friday without holidays, and weekends that are worked to make up for one.
    Working,
    /// The others.
    Free,
    /// These days of the week, holiday or not.
    #[serde(untagged)]
    Week(Vec<Day>),
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// As jiff has it.
    pub fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

/// Turns: the shift begins on `since`, and on every `of`-th day before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// How many days a round has.
    pub of: u16,
    /// A day on which it begins.
    pub since: Date,
}

/// Somebody does a shift for somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// The post.
    pub post: PostId,
    /// The day on which the shift begins.
    pub on: Date,
    /// When the shift begins, where it is not all shifts of that day.
    #[serde(default)]
    pub from: Option<Time>,
    /// Whose shift it was.
    pub gives: PersonId,
    /// Who does it.
    pub takes: PersonId,
    /// Who agreed to it: a person or a log-in.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody is away, in the community's wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// Who.
    pub person: PersonId,
    /// From then on.
    pub from: DateTime,
    /// Until then.
    pub until: DateTime,
}

/// A vehicle or a piece of equipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Whose it is.
    pub department: DepartmentId,
    /// What it is.
    pub kind: ResourceKind,
    /// Its name, such as `微型消防车`.
    pub name: String,
    /// Its English name.
    pub name_en: String,
    /// How many there are.
    pub count: u16,
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Something to go with.
    Vehicle,
    /// Something to work with.
    Equipment,
}
