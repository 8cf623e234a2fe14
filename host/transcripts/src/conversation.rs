//! One conversation as the steps on its ticket.

use std::fmt::Write;

use serde_json::value::RawValue;
use ticket_model::id;

use crate::digest::hex;
use crate::documents::{Document, Place};
use crate::form::Form;
use crate::invalid::Invalid;
use crate::object::{self, Object};
use crate::reading::Reading;
use crate::steps::{Skipped, Step, Steps};
use crate::{anthropic, gemini, langchain, openai, responses};

/// Digits of a SHA-256 in the id of a conversation without one: 48 bits tell the lines of a file apart.
const ID_DIGITS: usize = 12;

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
    let messages = form.messages(&object, bare)?;
    match form {
        Form::OpenAi => openai::read(&messages, &mut steps)?,
        Form::Anthropic => anthropic::read(&messages, &mut steps)?,
        Form::LangChain => langchain::read(&messages, &mut steps)?,
        Form::Gemini => gemini::read(&messages, &mut steps)?,
        Form::Responses => responses::read(&messages, &mut steps)?,
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
