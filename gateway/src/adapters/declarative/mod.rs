//! Declared adapters: a file instead of a folder in Rust. It says whose message is its own, how its bytes are decoded, what a jq program makes of
//! them, and which tests it has passed; `docs/adding-a-device.md` has it step by step.
//!
//! Dramatis personae: a [`File`](file::File) is what is written; [`Programs`](programs::Programs) are its programs, compiled; a
//! [`Worker`](worker::Worker) is the process in which they run; [`Declared`] is the format that the rest of the hub sees.

pub mod decode;
pub mod drafts;
pub mod file;
mod frame;
mod natives;
pub mod pattern;
pub mod program;
pub mod programs;
mod serve;
pub mod trial;
mod value;
pub mod worker;

pub use serve::serve;

use std::path::PathBuf;

use serde_json::Value;

use super::Reject;
use super::draft::Reading;
use super::format::{Claim, Format, Recall, Reply};
use super::message::Message;
use file::{ANSWER_BYTES_MAX, File, Lane, Mistake, Shape};
use programs::Programs;
use worker::Worker;

/// Where programs run.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a process of their own: this executable, started again.
    Apart(PathBuf),
    /// Where they are called. For tests and for programs that ship: nobody ends one that does not end by itself.
    Here,
}

/// A format that a file declares.
pub struct Declared {
    /// The file.
    pub path: String,
    text: String,
    file: File,
    runner: Runner,
}

enum Runner {
    Apart(Worker),
    Here(Box<Programs>),
}

/// What a test came to.
pub struct Tried {
    /// The line of it.
    pub line: usize,
    /// What it is about.
    pub about: String,
    /// What is wrong, if something is.
    pub fault: Option<String>,
}

impl Declared {
    /// Reads and compiles a file. Its tests have not been run yet.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn read(path: &str, text: &str, place: &Place) -> Result<Self, Mistake> {
        let file = File::parse(path, text)?;
        let runner = match place {
            Place::Apart(exe) => Runner::Apart(Worker::start(exe, path, text)?),
            Place::Here => {
                Runner::Here(Box::new(Programs::compile(path, File::parse(path, text)?)?))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            file,
            runner,
        })
    }

    /// One that shipped, and was tried before: its process starts when there is something to read.
    ///
    /// # Errors
    /// A file that should not have shipped.
    pub fn shipped(path: &str, text: &str, place: &Place) -> Result<Self, Mistake> {
        let Place::Apart(exe) = place else {
            return Self::read(path, text, place);
        };
        let runner = Runner::Apart(Worker::at_need(exe, path, text));
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            file: File::parse(path, text)?,
            runner,
        })
    }

    /// Reads a file and runs its tests.
    ///
    /// # Errors
    /// The first mistake in it, or the first test that fails.
    pub fn proven(path: &str, text: &str, place: &Place) -> Result<Self, Mistake> {
        let declared = Self::read(path, text, place)?;
        match declared
            .tried()
            .into_iter()
            .find_map(|tried| Some((tried.line, tried.about, tried.fault?)))
        {
            None => Ok(declared),
            Some((line, about, fault)) => {
                let what = format!(
                    "test `{about}`: {fault} (hint: `gateway adapter test {path}` shows all)"
                );
                Err(Mistake {
                    file: path.to_owned(),
                    line,
                    what,
                })
            }
        }
    }

    /// Whether it was made of this text.
    pub fn is_of(&self, text: &str) -> bool {
        self.text == text
    }

    /// What it is, in a sentence.
    pub fn about(&self) -> &str {
        &self.file.about
    }

    /// Runs its tests.
    pub fn tried(&self) -> Vec<Tried> {
        let pick = |message: &Message<'_>, _: &dyn Recall| -> Option<&dyn Format> {
            let is_own = self.file.named || self.claim(message) != Claim::No;
            is_own.then_some(self as &dyn Format)
        };
        let run = |test: &file::Test| Tried {
            line: test.line,
            about: test.said["about"]
                .as_str()
                .unwrap_or("without `about`")
                .to_owned(),
            fault: trial::run(&test.said, &pick).err(),
        };
        self.file.tests.iter().map(run).collect()
    }

    /// Its tests, as samples.
    pub fn samples(&self) -> impl Iterator<Item = &Value> {
        self.file.tests.iter().map(|test| &test.said)
    }

    /// Whether its programs did not come to an end so often that nobody runs them any more.
    pub fn is_off(&self) -> bool {
        matches!(&self.runner, Runner::Apart(worker) if worker.is_off())
    }

    fn outputs(&self, message: &Message<'_>) -> Result<Vec<Value>, Reject> {
        match &self.runner {
            Runner::Apart(_) if message.payload.len() > decode::INPUT_BYTES_MAX => {
                let detail = format!(
                    "{} bytes, at most {} are read",
                    message.payload.len(),
                    decode::INPUT_BYTES_MAX
                );
                Err(Reject::new("too_long", detail))
            }
            Runner::Apart(worker) => worker.read(message),
            Runner::Here(programs) => programs.read(message),
        }
    }

    /// What the door answers: `otherwise` where anything fails.
    fn answer(&self, message: &Message<'_>) -> Option<String> {
        let mut events = self.outputs(message).ok()?;
        drafts::of(&self.file, message, &events).ok()?;
        events.retain(drafts::is_event);
        let answer = match &self.runner {
            Runner::Apart(worker) => worker.answer(message, events),
            Runner::Here(programs) => programs.answer(message, events),
        };
        let text = match answer.ok()? {
            Value::String(text) if !self.file.reply.as_ref()?.is_json => text,
            answer => answer.to_string(),
        };
        (text.len() <= ANSWER_BYTES_MAX).then_some(text)
    }
}

impl Format for Declared {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn claim(&self, message: &Message<'_>) -> Claim {
        if self.file.taken(message).is_some() {
            return Claim::Address;
        }
        if self.file.shapes.iter().any(|shape| shape.is_of(message)) {
            return Claim::Shape;
        }
        Claim::No
    }

    fn claims_all_of_its_bridge(&self) -> bool {
        self.file.named
    }

    fn read(&self, message: &Message<'_>, _recall: &dyn Recall) -> Result<Reading, Reject> {
        let outputs = self.outputs(message)?;
        drafts::of(&self.file, message, &outputs)
    }

    fn may_alarm(&self, _topic: &str) -> bool {
        self.file.lane == Lane::Alarm
    }

    fn reply(&self, message: &Message<'_>) -> Reply {
        let Some(reply) = &self.file.reply else {
            return Reply::default();
        };
        let content_type = if reply.is_json {
            "application/json"
        } else {
            "text/plain; charset=utf-8"
        };
        let body = self
            .answer(message)
            .unwrap_or_else(|| reply.otherwise.clone());
        Reply {
            content_type,
            ..Reply::text(body)
        }
    }
}

impl Shape {
    /// Whether each of its groups has a member at the top of a payload, or in an object right below.
    fn is_of(&self, message: &Message<'_>) -> bool {
        let Some(top) = message.object() else {
            return false;
        };
        let below = top.values().filter_map(|value| match value {
            Value::Object(object) => Some(object),
            Value::Array(list) => list.first()?.as_object(),
            _ => None,
        });
        let objects: Vec<_> = std::iter::once(top).chain(below.take(16)).collect();
        let has = |name: &String| {
            let mut members = objects.iter().flat_map(|object| object.iter().take(200));
            members
                .any(|(key, value)| !value.is_null() && natives::is_spelling(key.as_bytes(), name))
        };
        self.0.iter().all(|names| names.iter().any(has))
    }
}
