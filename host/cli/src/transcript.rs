//! A chat transcript as the LLM APIs write it, made into the steps that an agent would take on its ticket.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ticket_host::store::Key;

use super::strict_json;

/// What a result begins with that says that a tool failed.
const FAILED: &str = "Error";

/// One conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// The id of its ticket.
    pub(crate) id: String,
    /// What happens to the ticket, in order.
    pub(crate) steps: Vec<Step>,
}

/// What an agent does on a ticket; all texts are JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The user said something.
    Say(String),
    /// The agent calls tools: a snapshot is taken, then these are decided.
    Decide(Vec<String>),
    /// A tool answered: two merge patches, which replace its last answer.
    Learn([String; 2]),
    /// A tool failed: back to the snapshot that was taken at this step, by its place among all steps.
    RollBack(usize),
}

#[derive(Deserialize)]
struct Line<'a> {
    id: String,
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    tool_call_id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    id: Option<String>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    name: String,
    #[serde(borrow)]
    arguments: &'a RawValue,
}

/// What is decided for a tool call.
#[derive(Serialize)]
struct Decision<'a> {
    tool: &'a str,
    arguments: &'a RawValue,
}

/// What is said for a message in parts.
#[derive(Serialize)]
struct Parts<'a> {
    role: &'static str,
    content: &'a RawValue,
}

/// A part of a tool's result.
#[derive(Deserialize)]
struct TextPart {
    text: String,
}

/// A tool call that nobody has answered yet.
struct OpenCall {
    id: Option<String>,
    tool: String,
    step: usize,
}

/// Parses one line; the error says which message is wrong, and in what.
pub(crate) fn parse(line: &str) -> Result<Conversation, String> {
    let Line { id, messages } = serde_json::from_str(line).map_err(fault)?;
    Key::of_ticket(&id).map_err(|_| format!("`id` {id:?} cannot be the id of a ticket"))?;
    let mut reader = Reader::default();
    for (place, message) in messages.iter().enumerate() {
        reader.take(message.get()).map_err(|wrong| format!("message {}: {wrong}", place + 1))?;
    }
    Ok(Conversation { id, steps: reader.steps })
}

#[derive(Default)]
struct Reader {
    steps: Vec<Step>,
    open: Vec<OpenCall>,
}

impl Reader {
    fn take(&mut self, message: &str) -> Result<(), String> {
        let message: Message<'_> = serde_json::from_str(message).map_err(fault)?;
        match message.role.as_str() {
            "user" => self.say(message.content),
            "assistant" => self.decide(message.tool_calls.unwrap_or_default()),
            "tool" => self.learn(message),
            "system" | "developer" => Ok(()),
            other => Err(format!("role {other:?} is none of system, developer, user, assistant, tool")),
        }
    }

    fn say(&mut self, content: Option<&RawValue>) -> Result<(), String> {
        let content = content.ok_or("a user message has no content")?;
        strict_json::check(content.get()).map_err(|error| format!("content: {}", fault(error)))?;
        let said = match content.get().as_bytes() {
            [b'"', ..] => plain(content.get())?,
            [b'[', ..] => json(&Parts { role: "user", content })?,
            _ => return Err("content of a user is neither a string nor an array of parts".into()),
        };
        self.steps.push(Step::Say(said));
        Ok(())
    }

    fn decide(&mut self, calls: Vec<ToolCall<'_>>) -> Result<(), String> {
        if calls.is_empty() {
            return Ok(());
        }
        let step = self.steps.len();
        let mut decisions = Vec::with_capacity(calls.len());
        for ToolCall { id, function: Function { name, arguments } } in calls {
            // The APIs write arguments as a string that holds JSON; some servers write the JSON itself.
            let inside = serde_json::from_str::<String>(arguments.get()).ok();
            let arguments = match inside.as_deref().and_then(parsed) {
                Some(json) => json,
                None => {
                    strict_json::check(arguments.get())
                        .map_err(|error| format!("arguments of `{name}`: {}", fault(error)))?;
                    arguments
                }
            };
            decisions.push(json(&Decision { tool: &name, arguments })?);
            self.open.push(OpenCall { id, tool: name, step });
        }
        self.steps.push(Step::Decide(decisions));
        Ok(())
    }

    fn learn(&mut self, message: Message<'_>) -> Result<(), String> {
        let content = message.content.ok_or("a tool's message has no content")?;
        let result = result_text(content)?;
        let call = self.answered(message.tool_call_id.as_deref(), message.name.as_deref());
        if let Some(call) = &call
            && result.starts_with(FAILED)
        {
            self.steps.push(Step::RollBack(call.step));
            return Ok(());
        }
        let tool = message.name.or_else(|| call.map(|call| call.tool));
        let tool = tool.ok_or("a tool's message has no name, and answers no call before it")?;
        let value = match parsed(&result) {
            Some(value) => value.get().to_owned(),
            None => json(&result)?,
        };
        let name = json(&tool)?;
        self.steps.push(Step::Learn([format!("{{{name}:null}}"), format!("{{{name}:{value}}}")]));
        Ok(())
    }

    /// The newest open call that a result answers: the one of its id, or without an id one of its name.
    fn answered(&mut self, id: Option<&str>, tool: Option<&str>) -> Option<OpenCall> {
        let place = self.open.iter().rposition(|call| match id {
            Some(id) => call.id.as_deref() == Some(id),
            None => Some(call.tool.as_str()) == tool,
        })?;
        Some(self.open.remove(place))
    }
}

/// The text of a tool's result: a string, or parts of text, which are put together.
fn result_text(content: &RawValue) -> Result<String, String> {
    let text = match content.get().as_bytes() {
        [b'[', ..] => serde_json::from_str(content.get())
            .map(|parts: Vec<TextPart>| parts.into_iter().map(|part| part.text).collect()),
        _ => serde_json::from_str(content.get()),
    };
    text.map_err(|error| format!("content of a tool is neither a string nor parts of text: {}", fault(error)))
}

/// A text as the JSON that it is, none where it is not, or is JSON that no ticket takes.
fn parsed(text: &str) -> Option<&RawValue> {
    strict_json::check(text).ok()?;
    serde_json::from_str(text).ok()
}

/// A JSON string with as few escapes as can be.
fn plain(string: &str) -> Result<String, String> {
    json(&serde_json::from_str::<String>(string).map_err(fault)?)
}

/// What is wrong with one line of JSON; that it is line 1 of itself would confuse.
fn fault(error: serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(fault)
}

#[cfg(test)]
mod tests;
