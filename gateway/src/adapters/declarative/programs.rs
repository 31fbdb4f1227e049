//! A file with its programs compiled: from a message to the values that they give.

use serde_json::{Map, Value, json};

use super::super::Reject;
use super::super::message::{Door, Message};
use super::file::{Code, File, Mistake};
use super::natives;
use super::program::{Given, Program};

/// A file whose programs can run.
pub struct Programs {
    /// What it says.
    pub file: File,
    program: Program,
    reply: Option<Program>,
}

impl Programs {
    /// Compiles them.
    ///
    /// # Errors
    /// The first mistake in them.
    pub fn compile(path: &str, file: File) -> Result<Self, Mistake> {
        let compile = |code: &Code| {
            Program::compile(&code.text).map_err(|mistake| {
                let before = code.text.as_bytes().get(..mistake.at).unwrap_or_default();
                let line = code.line - 1 + before.split(|byte| *byte == b'\n').count();
                Mistake {
                    file: path.to_owned(),
                    line,
                    what: format!("the program: {}", mistake.what),
                }
            })
        };
        let program = compile(&file.program)?;
        let reply = file
            .reply
            .as_ref()
            .map(|reply| compile(&reply.program))
            .transpose()?;
        Ok(Self {
            file,
            program,
            reply,
        })
    }

    /// What the program tells of a message.
    ///
    /// # Errors
    /// What cannot be decoded, what the program rejects.
    pub fn read(&self, message: &Message<'_>) -> Result<Vec<Value>, Reject> {
        let input = self.file.decode.value(message)?;
        self.program.run(&input, &self.given(message))
    }

    /// What the file's second program answers to a message that told these events.
    ///
    /// # Errors
    /// The same; `program_failed` where it gives no answer or several.
    pub fn answer(&self, message: &Message<'_>, events: Vec<Value>) -> Result<Value, Reject> {
        let none = || Reject::new("program_failed", "the reply's program gives not one answer");
        let reply = self.reply.as_ref().ok_or_else(none)?;
        let input = self.file.decode.value(message)?;
        let given = Given {
            events: events.into(),
            ..self.given(message)
        };
        let mut answers = reply.run(&input, &given)?;
        match (answers.pop(), answers.is_empty()) {
            (Some(answer), true) => Ok(answer),
            _ => Err(none()),
        }
    }

    fn given(&self, message: &Message<'_>) -> Given {
        natives::set_zone(message.zone);
        Given {
            message: described(message),
            name: self.file.names(message),
            list: self.file.lists.clone(),
            events: Value::Null,
        }
    }
}

impl File {
    /// What named levels of topic or path hold, if one of its patterns is theirs.
    pub fn taken<'a>(&'a self, message: &Message<'a>) -> Option<Vec<(&'a str, &'a str)>> {
        let (patterns, address) = match message.door {
            Door::Mqtt { topic, .. } => (&self.mqtt, topic),
            Door::Http { .. } => (&self.http, message.path()),
            Door::Tcp { .. } => return None,
        };
        patterns.iter().find_map(|pattern| pattern.take(address))
    }

    fn names(&self, message: &Message<'_>) -> Value {
        let taken = self.taken(message).unwrap_or_default();
        taken
            .into_iter()
            .map(|(name, held)| (name.to_owned(), Value::from(held)))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// Which way a message came, and what came with it.
fn described(message: &Message<'_>) -> Value {
    let mut query = Map::new();
    if let Door::Http { target } = message.door
        && let Some((_, text)) = target.split_once('?')
    {
        for (key, value) in super::super::text::form_pairs(text) {
            query.entry(key).or_insert_with(|| value.into());
        }
    }
    let headers: Map<String, Value> = message
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    json!({
        "topic": message.topic(), "retained": message.is_retained(), "path": message.path(), "query": query,
        "content_type": message.content_type, "headers": headers, "received_at": message.received_at.to_string(),
    })
}
