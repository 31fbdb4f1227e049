//! The words of the machine: each is one variant in code and one text in tables, API and screens.

/// An enum whose variants are words: prints, parses and serialises as its text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal: $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word as it stands in tables and in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::event::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(crate::event::UnknownWord::new($what, text)),
                }
            }
        }
    };
}
pub(crate) use words;

words!(
    /// Where an incident stands. Escalation is an attribute, never a state.
    IncidentState, "incident state":
    /// Nobody has looked at it.
    Open = "open",
    /// An operator has seen it.
    Acknowledged = "acknowledged",
    /// Somebody is finding out whether it is real.
    Verifying = "verifying",
    /// Departments have their tasks.
    Dispatched = "dispatched",
    /// The lead department is done.
    Resolved = "resolved",
    /// Those concerned are being asked whether it is settled.
    Review = "review",
    /// Finished.
    Closed = "closed",
    /// Goes on under another number.
    Merged = "merged",
    /// Was none: test, drill, duplicate.
    Cancelled = "cancelled",
);

impl IncidentState {
    /// The station still has to do something: it holds the open key of its (rule, subject), and findings attach to it.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Open | Self::Acknowledged | Self::Verifying | Self::Dispatched
        )
    }
    /// It is on the board: everything but closed, merged and cancelled.
    pub const fn is_on_board(self) -> bool {
        !matches!(self, Self::Closed | Self::Merged | Self::Cancelled)
    }
}

words!(
    /// Where one department's part stands.
    TaskState, "task state":
    /// The department has been told.
    Dispatched = "dispatched",
    /// Somebody has taken it.
    Claimed = "claimed",
    /// They are there.
    OnScene = "on_scene",
    /// They are done.
    Resolved = "resolved",
    /// No longer needed: the lead department was done first.
    Released = "released",
    /// "Not ours": given back to the station.
    HandedBack = "handed_back",
);

impl TaskState {
    /// Somebody still has to do something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Dispatched | Self::Claimed | Self::OnScene)
    }
    /// Somebody is at work on it.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Claimed | Self::OnScene)
    }
}

words!(
    /// Whether what the rule watches for is still so.
    Condition, "condition":
    /// At least one attached alarm is active.
    Active = "active",
    /// All have returned.
    Normal = "normal",
);

words!(
    /// What a person can ask of an incident.
    Verb, "verb":
    /// "I have seen it."
    Acknowledge = "acknowledge",
    /// "I am finding out whether it is real."
    Verify = "verify",
    /// "It was nothing": resolved as false, with the cause and what shows it.
    Dismiss = "dismiss",
    /// Give departments their tasks.
    Dispatch = "dispatch",
    /// Who leads, decided by the station lead.
    Assign = "assign",
    /// "I take it."
    Claim = "claim",
    /// "I am there."
    Arrive = "arrive",
    /// "This is how it stands": renews what runs out without a word.
    Progress = "progress",
    /// "Not ours."
    HandBack = "hand_back",
    /// "It is done."
    Resolve = "resolve",
    /// "It is done although its condition goes on"; of P1, two people say so.
    ForceClose = "force_close",
    /// It goes on under another number.
    Merge = "merge",
    /// It was another matter after all.
    Unmerge = "unmerge",
    /// It was none: test, drill, duplicate.
    Cancel = "cancel",
    /// What those concerned say of the outcome.
    Answer = "answer",
    /// It is not settled after all.
    Reopen = "reopen",
    /// "It is settled."
    Close = "close",
    /// Words for whoever works on it, now or later.
    Note = "note",
    /// "This step of the procedure is done."
    Tick = "tick",
    /// "It is not done after all."
    Untick = "untick",
    /// More people are told, before the clock would.
    Escalate = "escalate",
);

words!(
    /// What stands in the timeline: what people asked for, and what rules and clocks brought about.
    Act, "act":
    /// A rule or a report opened it.
    Open = "open",
    /// Somebody reported the same.
    Report = "report",
    /// See [`Verb::Acknowledge`].
    Acknowledge = "acknowledge",
    /// Nothing followed the acknowledgement.
    Expire = "expire",
    /// See [`Verb::Verify`].
    Verify = "verify",
    /// See [`Verb::Dismiss`].
    Dismiss = "dismiss",
    /// Departments got their tasks, by a person or because it is P1.
    Dispatch = "dispatch",
    /// See [`Verb::Assign`].
    Assign = "assign",
    /// See [`Verb::Claim`].
    Claim = "claim",
    /// Whoever had claimed said nothing for too long.
    Lapse = "lapse",
    /// See [`Verb::Arrive`].
    Arrive = "arrive",
    /// See [`Verb::Progress`].
    Progress = "progress",
    /// See [`Verb::HandBack`].
    HandBack = "hand_back",
    /// Another department leads from now on.
    Lead = "lead",
    /// A task was resolved, or the incident.
    Resolve = "resolve",
    /// A task is no longer needed.
    Release = "release",
    /// See [`Verb::ForceClose`]; the first of two people asked.
    ForceClose = "force_close",
    /// Those concerned are asked.
    Review = "review",
    /// See [`Verb::Answer`].
    Answer = "answer",
    /// It is open again.
    Reopen = "reopen",
    /// See [`Verb::Close`].
    Close = "close",
    /// It became more urgent.
    Raise = "raise",
    /// The condition is normal again.
    Return = "return",
    /// The condition came back.
    Recur = "recur",
    /// A rule that says more took it over.
    Absorb = "absorb",
    /// It goes on under another number.
    Merge = "merge",
    /// It goes on under its own number again.
    Unmerge = "unmerge",
    /// See [`Verb::Cancel`].
    Cancel = "cancel",
    /// A clock ran out: the next level is told.
    Escalate = "escalate",
    /// A department's own clock ran out.
    Overdue = "overdue",
    /// Everybody on the ladder has been told, and still nothing.
    Exhaust = "exhaust",
    /// See [`Verb::Note`].
    Note = "note",
    /// See [`Verb::Tick`].
    Tick = "tick",
    /// See [`Verb::Untick`].
    Untick = "untick",
);

impl From<Verb> for Act {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Acknowledge => Self::Acknowledge,
            Verb::Verify => Self::Verify,
            Verb::Dismiss => Self::Dismiss,
            Verb::Dispatch => Self::Dispatch,
            Verb::Assign => Self::Assign,
            Verb::Claim => Self::Claim,
            Verb::Arrive => Self::Arrive,
            Verb::Progress => Self::Progress,
            Verb::HandBack => Self::HandBack,
            Verb::Resolve => Self::Resolve,
            Verb::ForceClose => Self::ForceClose,
            Verb::Merge => Self::Merge,
            Verb::Unmerge => Self::Unmerge,
            Verb::Cancel => Self::Cancel,
            Verb::Answer => Self::Answer,
            Verb::Reopen => Self::Reopen,
            Verb::Close => Self::Close,
            Verb::Note => Self::Note,
            Verb::Tick => Self::Tick,
            Verb::Untick => Self::Untick,
            Verb::Escalate => Self::Escalate,
        }
    }
}

impl Verb {
    /// The states in which it can be asked for; in all others it is refused. Guards of its own come on top.
    pub const fn from_states(self) -> &'static [IncidentState] {
        use IncidentState::{
            Acknowledged, Cancelled, Closed, Dispatched, Merged, Open, Resolved, Review, Verifying,
        };
        match self {
            Self::Acknowledge => &[Open, Verifying, Dispatched],
            Self::Verify => &[Open, Acknowledged, Dispatched],
            Self::Dismiss => &[Verifying, Dispatched],
            Self::Dispatch
            | Self::Claim
            | Self::Assign
            | Self::ForceClose
            | Self::Merge
            | Self::Cancel
            | Self::Tick
            | Self::Untick
            | Self::Escalate => &[Open, Acknowledged, Verifying, Dispatched],
            Self::Arrive | Self::Progress | Self::HandBack | Self::Resolve => &[Dispatched],
            Self::Unmerge => &[Merged],
            Self::Answer => &[Review, Closed],
            Self::Reopen => &[Resolved, Review, Closed],
            Self::Close => &[Resolved, Review],
            // what is merged is noted at the incident that goes on
            Self::Note => &[
                Open,
                Acknowledged,
                Verifying,
                Dispatched,
                Resolved,
                Review,
                Closed,
                Cancelled,
            ],
        }
    }

    /// Whether it counts as a step of the work: what does not, turns nobody away who was about to act.
    pub const fn is_step(self) -> bool {
        !matches!(
            self,
            Self::Note | Self::Tick | Self::Untick | Self::Escalate
        )
    }

    /// Whether it is about one department's task.
    pub const fn is_of_task(self) -> bool {
        matches!(
            self,
            Self::Claim | Self::Arrive | Self::Progress | Self::HandBack | Self::Resolve
        )
    }
}

words!(
    /// What an incident waits for: each has a clock and a ladder.
    Stage, "stage":
    /// A person who has seen it.
    Acknowledge = "acknowledge",
    /// Word whether it is real.
    Verify = "verify",
    /// Somebody of the lead department who takes it.
    Claim = "claim",
    /// They are there.
    Arrive = "arrive",
    /// It is done.
    Resolve = "resolve",
    /// Somebody who decides who leads, after two departments gave it back.
    Decide = "decide",
);

words!(
    /// What those concerned said of the outcome.
    Satisfaction, "satisfaction":
    /// Nobody was asked.
    NotAsked = "not_asked",
    /// Somebody is being asked, or never answered: counted apart from those who are satisfied.
    NoAnswer = "no_answer",
    /// It is well.
    Satisfied = "satisfied",
    /// It is not.
    Dissatisfied = "dissatisfied",
);

words!(
    /// What shows that it was so.
    EvidenceKind, "kind of evidence":
    /// A picture; its reference names the stored media.
    Photo = "photo",
    /// A clip or a look at a camera.
    Video = "video",
    /// Somebody stood there.
    OnSite = "on_site",
    /// The household or reporter was called back.
    CallBack = "call_back",
    /// A paper, a form, another system's number.
    Document = "document",
);
