//! The forms of transcripts, and which of them a conversation has.

use std::fmt;

use serde_json::value::RawValue;

use crate::invalid::Invalid;
use crate::object::{self, Object};

/// The form of a transcript: which API wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Form {
    /// OpenAI Chat Completions: `messages` with `tool_calls` or the older `function_call`. Most other servers speak it.
    OpenAi,
    /// OpenAI Responses: `input` with items such as `message`, `function_call` and `function_call_output`.
    Responses,
    /// Anthropic Messages: `messages` with blocks such as `tool_use` and `tool_result`.
    Anthropic,
    /// Messages as LangChain dumps them: `type` is `human`, `ai`, `tool` or `system`.
    LangChain,
    /// Google Gemini: `contents` with `parts` such as `functionCall` and `functionResponse`.
    Gemini,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 5] = [Self::OpenAi, Self::Responses, Self::Anthropic, Self::LangChain, Self::Gemini];

    /// Its name, as an option names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::LangChain => "langchain",
            Self::Gemini => "gemini",
        }
    }

    /// The member of a conversation that holds its messages.
    fn member(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Anthropic | Self::LangChain => "messages",
            Self::Responses => "input",
            Self::Gemini => "contents",
        }
    }

    /// Tells the form of a conversation from its members, or from its messages if it is an array of them alone.
    pub(crate) fn of(conversation: &Object<'_>, bare: Option<&[&RawValue]>) -> Result<Self, Invalid> {
        if let Some(messages) = bare {
            return Ok(Self::of_messages(messages));
        }
        if conversation.get("contents").is_some() {
            return Ok(Self::Gemini);
        }
        if conversation.get("input").is_some() {
            return Ok(Self::Responses);
        }
        match conversation.get("messages") {
            // Only Anthropic has the system prompt beside the messages.
            Some(_) if conversation.get("system").is_some() => Ok(Self::Anthropic),
            Some(messages) => {
                Ok(Self::of_messages(&object::items(messages).map_err(|wrong| wrong.within("messages"))?))
            }
            None => Err(Invalid::new(
                "it is of no known form: it needs `messages` (openai, anthropic, langchain), `input` (responses) or \
                 `contents` (gemini)",
            )),
        }
    }

    /// The first message that only one form has decides; OpenAI's form is what the others have in common.
    fn of_messages(messages: &[&RawValue]) -> Self {
        messages.iter().find_map(|message| Self::of_message(message)).unwrap_or(Self::OpenAi)
    }

    fn of_message(message: &RawValue) -> Option<Self> {
        let message = Object::parse(message).ok()?;
        if message.get("parts").is_some() {
            return Some(Self::Gemini);
        }
        if let Some(kind) = message.text("type").ok().flatten() {
            return match kind.as_str() {
                "human" | "ai" | "tool" | "system" | "function" | "chat" | "constructor" => Some(Self::LangChain),
                chunk if chunk.ends_with("MessageChunk") => Some(Self::LangChain),
                // Anthropic's answers are messages with a type.
                "message" if message.get("role").is_some() => Self::of_blocks(&message).or(Some(Self::Responses)),
                _ => Some(Self::Responses),
            };
        }
        let is_result = message.is("role", "tool") || message.is("role", "function");
        if is_result || message.any(&["tool_calls", "function_call"]).is_some() {
            return Some(Self::OpenAi);
        }
        Self::of_blocks(&message)
    }

    fn of_blocks(message: &Object<'_>) -> Option<Self> {
        let blocks = object::items(message.get("content")?).ok()?;
        let blocks: Vec<Object<'_>> = blocks.into_iter().filter_map(|block| Object::parse(block).ok()).collect();
        let has = |kind: &str| blocks.iter().any(|block| block.is("type", kind));
        if ["tool_use", "tool_result", "thinking", "image", "document"].into_iter().any(has) {
            return Some(Self::Anthropic);
        }
        None
    }

    /// The messages of a conversation.
    pub(crate) fn messages<'a>(
        self,
        conversation: &Object<'a>,
        bare: Option<Vec<&'a RawValue>>,
    ) -> Result<Vec<&'a RawValue>, Invalid> {
        if let Some(messages) = bare {
            return Ok(messages);
        }
        let member = self.member();
        match conversation.get(member) {
            // A request of the Responses API may hold one text alone.
            Some(text) if self == Self::Responses && text.get().starts_with('"') => Ok(vec![text]),
            Some(messages) => object::items(messages).map_err(|wrong| wrong.within(member)),
            None => Err(Invalid::new(format!("`{member}` is missing, which the form {self} has"))),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
