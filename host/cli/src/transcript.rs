//! Parses a chat transcript of an LLM API into the steps that an agent would take on its ticket.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ticket_host::store::Key;
use ticket_model::json;
use ticket_model::limits::JSON_DEPTH_MAX;

/// The prefix of a failed tool's result.
const FAILED: &str = "Error";
/// Deepest nesting of a value that becomes part of a message, of facts or of a decision, which add two levels.
const DEPTH_MAX: u32 = JSON_DEPTH_MAX - 2;

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

/// The decision for a tool call.
#[derive(Serialize)]
struct Decision<'a> {
    tool: &'a str,
    arguments: &'a RawValue,
}

/// The message for content in parts.
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

/// A tool call without a result yet.
struct OpenCall {
    id: Option<String>,
    tool: String,
    step: usize,
}

/// Parses one line; the error says which message is wrong, and in what.
pub(crate) fn parse(line: &str) -> Result<Conversation, String> {
    let Line { id, messages } = serde_json::from_str(line).map_err(fault)?;
    Key::of_ticket(&id).map_err(|_| format!("`id` {id:?} is not a ticket id"))?;
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
            other => Err(format!("invalid role {other:?}: use system, developer, user, assistant or tool")),
        }
    }

    fn say(&mut self, content: Option<&RawValue>) -> Result<(), String> {
        let content = content.ok_or("a user message has no content")?;
        check(content.get()).map_err(|wrong| format!("content: {wrong}"))?;
        let said = match content.get().as_bytes() {
            [b'"', ..] => plain(content.get())?,
            [b'[', ..] => to_json(&Parts { role: "user", content })?,
            _ => return Err("content of a user message is neither a string nor an array of parts".into()),
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
                    check(arguments.get()).map_err(|wrong| format!("arguments of `{name}`: {wrong}"))?;
                    arguments
                }
            };
            decisions.push(to_json(&Decision { tool: &name, arguments })?);
            self.open.push(OpenCall { id, tool: name, step });
        }
        self.steps.push(Step::Decide(decisions));
        Ok(())
    }

    fn learn(&mut self, message: Message<'_>) -> Result<(), String> {
        let content = message.content.ok_or("a tool message has no content")?;
        let result = result_text(content)?;
        let call = self.answered(message.tool_call_id.as_deref(), message.name.as_deref());
        if let Some(call) = &call
            && result.starts_with(FAILED)
        {
            self.steps.push(Step::RollBack(call.step));
            return Ok(());
        }
        let tool = message.name.or_else(|| call.map(|call| call.tool));
        let tool = tool.ok_or("a tool message has no name, and no earlier call has its id")?;
        let value = match parsed(&result) {
            Some(value) => value.get().to_owned(),
            None => to_json(&result)?,
        };
        let name = to_json(&tool)?;
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

/// Checks that a ticket takes a JSON text, before anything is written.
fn check(text: &str) -> Result<(), String> {
    let shape = json::check_strict(text).map_err(|fault| fault.to_string())?;
    if shape.depth > DEPTH_MAX {
        return Err(format!("nests deeper than {DEPTH_MAX}"));
    }
    // Numbers past the range of a double are refused too: hardly any other reader takes them.
    serde_json::from_str::<serde_json::Value>(text).map(drop).map_err(fault)
}

/// A text as JSON, none if it is not JSON or a ticket does not take it.
fn parsed(text: &str) -> Option<&RawValue> {
    check(text).ok()?;
    serde_json::from_str(text).ok()
}

/// A JSON string with as few escapes as possible.
fn plain(string: &str) -> Result<String, String> {
    to_json(&serde_json::from_str::<String>(string).map_err(fault)?)
}

/// What is wrong with a JSON text, without its line, which is always 1.
fn fault(error: serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

fn to_json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(fault)
}

#[cfg(test)]
mod tests;
