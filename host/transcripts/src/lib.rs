//! Chat transcripts in the forms of the LLM APIs, as the steps that an agent takes on its ticket.
//!
//! | module | what it does |
//! |---|---|
//! | `documents` | a stream of bytes becomes JSON documents, and those the conversations in them |
//! | `conversation`, `reading` | one conversation becomes its steps, and how it is read |
//! | `form` | tells which API wrote a conversation |
//! | `openai`, `responses`, `anthropic`, `langchain`, `gemini` | the messages of one form become what was said, called and answered |
//! | `steps` | what was said, called and answered becomes steps on a ticket |
//! | `content` | texts, parts and media of a message or a result |
//! | `object`, `digest`, `invalid` | JSON objects by name, SHA-256, what is wrong with a transcript |
#![forbid(unsafe_code)]

mod anthropic;
mod content;
mod conversation;
mod digest;
mod documents;
mod form;
mod gemini;
mod invalid;
mod langchain;
mod object;
mod openai;
mod reading;
mod responses;
mod steps;

pub use conversation::{Conversation, read};
pub use documents::{Document, Documents, Place, Text};
pub use form::Form;
pub use invalid::Invalid;
pub use reading::Reading;
pub use steps::{Call, Skipped, Step};

#[cfg(test)]
mod tests;
