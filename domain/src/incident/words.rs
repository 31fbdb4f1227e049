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
    /// Give departments their tasks.
    Dispatch = "dispatch",
    /// "I take it."
    Claim = "claim",
    /// "I am there."
    Arrive = "arrive",
    /// "It is done."
    Resolve = "resolve",
    /// "It is settled."
    Close = "close",
);

words!(
    /// What stands in the timeline: what people asked for, and what rules brought about.
    Act, "act":
    /// A rule opened it.
    Open = "open",
    /// See [`Verb::Acknowledge`].
    Acknowledge = "acknowledge",
    /// Departments got their tasks, by a person or because it is P1.
    Dispatch = "dispatch",
    /// See [`Verb::Claim`].
    Claim = "claim",
    /// See [`Verb::Arrive`].
    Arrive = "arrive",
    /// A task was resolved, or the incident.
    Resolve = "resolve",
    /// A task is no longer needed.
    Release = "release",
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
);

impl From<Verb> for Act {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Acknowledge => Self::Acknowledge,
            Verb::Dispatch => Self::Dispatch,
            Verb::Claim => Self::Claim,
            Verb::Arrive => Self::Arrive,
            Verb::Resolve => Self::Resolve,
            Verb::Close => Self::Close,
        }
    }
}

impl Verb {
    /// The states in which it can be asked for; in all others it is refused. Guards of its own come on top.
    pub const fn from_states(self) -> &'static [IncidentState] {
        use IncidentState::{Acknowledged, Dispatched, Open, Resolved, Review, Verifying};
        match self {
            Self::Acknowledge => &[Open, Verifying, Dispatched],
            Self::Dispatch | Self::Claim => &[Open, Acknowledged, Verifying, Dispatched],
            Self::Arrive | Self::Resolve => &[Dispatched],
            Self::Close => &[Resolved, Review],
        }
    }
}
