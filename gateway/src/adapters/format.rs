//! What a vendor's format is: it says which messages are its own, and reads them. One folder beside this file for each.

use super::Reject;
use super::draft::{Draft, Reading};
use super::message::Message;
use super::picture::{self, Picture, Word};

/// How sure a format is that a message is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// It is not.
    No,
    /// The payload looks like it; whoever knows the topic or path goes before.
    Shape,
    /// Topic, path or protocol say so.
    Address,
}

/// What a web hook hears once its message is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 2xx.
    pub status: u16,
    /// `text/plain`.
    pub content_type: &'static str,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 200,
            content_type: "text/plain; charset=utf-8",
            body: b"OK".to_vec(),
        }
    }
}

impl Reply {
    /// 200 with a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            body: text.into().into_bytes(),
            ..Self::default()
        }
    }
}

/// A vendor's format. A pure function of a message and of what was remembered; it never blocks and never panics.
pub trait Format: Sync {
    /// Its name in quarantine rows, metrics and configuration.
    fn name(&self) -> &str;
    /// Whether a message is its own.
    fn claim(&self, message: &Message<'_>) -> Claim;
    /// Whether a message is its own by what earlier messages of the same sender said.
    fn claim_learnt(&self, message: &Message<'_>, _recall: &dyn Recall) -> Claim {
        self.claim(message)
    }
    /// Whether every message of a bridge that may speak this format alone is its own, whatever it looks like.
    fn claims_all_of_its_bridge(&self) -> bool {
        false
    }
    /// Reads a message of its own. No drafts: understood, and nothing happened.
    ///
    /// # Errors
    /// What cannot be read, in a sentence; the message goes to quarantine.
    fn read(&self, message: &Message<'_>, recall: &dyn Recall) -> Result<Reading, Reject>;
    /// Whether a message of its own may tell of an alarm. What surely does not (counters, signal strength, heartbeats) waits behind alarms.
    fn may_alarm(&self, _topic: &str) -> bool {
        true
    }
    /// The pictures in a message of its own.
    fn pictures<'a>(&self, message: &Message<'a>, _recall: &dyn Recall) -> Vec<Picture<'a>> {
        picture::inside(message)
    }
    /// Pictures that come by themselves and belong to what a message tells.
    fn names(&self, _drafts: &[Draft]) -> Vec<Word> {
        Vec::new()
    }
    /// What a web hook of its own wants to hear, once the message is on disk; also for questions, which tell nothing (`GET`).
    fn reply(&self, _message: &Message<'_>) -> Reply {
        Reply::default()
    }
}

/// What earlier messages of the same sender left behind ([`Reading::learn`]).
pub trait Recall {
    /// The value that was learnt under a key.
    fn recall(&self, key: &str) -> Option<&str>;
}

/// Nothing was left behind.
pub struct Nothing;

impl Recall for Nothing {
    fn recall(&self, _key: &str) -> Option<&str> {
        None
    }
}
