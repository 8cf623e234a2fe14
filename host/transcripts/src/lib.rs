//! Chat transcripts in the forms of the LLM APIs, as the steps that an agent takes on its ticket.
//!
//! ```text
//! documents     a stream of bytes → JSON documents → the conversations in them
//! form          which API wrote a conversation
//! openai, responses, anthropic, langchain, gemini
//!               the messages of one form → what was said, called and answered
//! steps         what was said, called and answered → steps on a ticket
//! content       texts, parts and media of a message or a result
//! object        JSON objects by name, with raw values
//! ```
#![forbid(unsafe_code)]

mod anthropic;
mod content;
mod documents;
mod form;
mod gemini;
mod langchain;
mod object;
mod openai;
mod responses;
mod steps;

pub use documents::{Document, Documents, Place};
pub use form::Form;
pub use steps::{Call, Skipped, Step};

use std::fmt::Write;

use regex::Regex;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ticket_model::id;

use object::Object;
use steps::Steps;

/// Digits of a SHA-256 in the id of a conversation without one: 48 bits tell the lines of a file apart.
const ID_DIGITS: usize = 12;

/// Why a text is not a conversation: the place in it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same, inside of `place`.
    fn within(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl From<serde_json::Error> for Invalid {
    /// Without the line, which is always 1.
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string().replace(" at line 1 column ", " at column "))
    }
}

/// How transcripts are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The form of every conversation; none tells it from each.
    pub form: Option<Form>,
    /// A result of a tool that matches is a failure, beside those that are one anyway.
    pub error_pattern: Option<Regex>,
    /// Whether base64 payloads stay in messages; else a reference takes their place.
    pub keep_media: bool,
}

/// One conversation.
#[derive(Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The id of its ticket.
    pub id: String,
    /// The form that it was read as.
    pub form: Form,
    /// What happens to the ticket, in order.
    pub steps: Vec<Step>,
    /// What has no effect on the ticket although the form does not say so.
    pub skipped: Vec<Skipped>,
    /// Payloads that references stand for.
    pub references: usize,
}

/// Reads one conversation; the error says which message is wrong, and in what.
///
/// # Errors
/// [`Invalid`] if it is of no known form, or a message of it is malformed or is JSON that a ticket does not take.
pub fn read(document: &Document<'_>, reading: &Reading) -> Result<Conversation, Invalid> {
    let json = document.json;
    let (object, bare) = match json.get().as_bytes() {
        [b'[', ..] => (Object::default(), Some(object::items(json)?)),
        _ => (Object::parse(json)?, None),
    };
    let id = match object.get("id") {
        Some(id) => ticket_id(id)?,
        None => id_of(document.place, json.get()),
    };
    let form = match reading.form {
        Some(form) => form,
        None => Form::of(&object, bare.as_deref())?,
    };
    let mut steps = Steps::new(reading);
    match form {
        Form::OpenAi => openai::read(&form.messages(&object, bare)?, &mut steps)?,
        Form::Anthropic => anthropic::read(&form.messages(&object, bare)?, &mut steps)?,
        Form::LangChain => langchain::read(&form.messages(&object, bare)?, &mut steps)?,
        Form::Gemini => gemini::read(&form.messages(&object, bare)?, &mut steps)?,
        Form::Responses => responses::read(&form.messages(&object, bare)?, &mut steps)?,
    }
    let (steps, skipped, references) = steps.finish();
    Ok(Conversation { id, form, steps, skipped, references })
}

/// The ticket id that a conversation names: a string, or a whole number.
fn ticket_id(given: &RawValue) -> Result<String, Invalid> {
    let json = given.get();
    let text = if json.starts_with('"') { object::text(given)? } else { json.to_owned() };
    let is_number = json.bytes().all(|byte| byte.is_ascii_digit());
    if id::is_id(&text) && (is_number || json.starts_with('"')) {
        return Ok(text);
    }
    Err(Invalid::new(format!("`id` {} is not a ticket id: {}", id::excerpt(&text), id::advice(&text))))
}

/// The id of a conversation that names none: the same for the same text at the same place.
fn id_of(place: Place, json: &str) -> String {
    let mut id = format!("conversation-{}", place.line);
    if let Some(item) = place.item {
        // Writing to a string cannot fail.
        let _ = write!(id, ".{item}");
    }
    id.push('-');
    id.push_str(&hex(json.as_bytes())[..ID_DIGITS]);
    id
}

/// The SHA-256 of bytes, as 64 hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests;
