//! OpenAI Chat Completions, with the older `function_call` and the role `function`.

use serde_json::value::RawValue;

use crate::invalid::Invalid;
use crate::object::{self, Object};
use crate::steps::{Answer, NewCall, Outcome, Steps};

pub(crate) fn read(messages: &[&RawValue], steps: &mut Steps<'_>) -> Result<(), Invalid> {
    steps.each(messages, message)
}

/// Types of blocks that another form has. Read as parts of a message, they would be something that the user said.
const BLOCKS: [&str; 2] = ["tool_use", "tool_result"];

fn message(steps: &mut Steps<'_>, json: &RawValue) -> Result<(), Invalid> {
    let message = Object::parse(json)?;
    for block in message.get("content").and_then(|content| object::items(content).ok()).into_iter().flatten() {
        if Object::parse(block).is_ok_and(|block| BLOCKS.iter().any(|kind| block.is("type", kind))) {
            return Err(Invalid::new("blocks of type `tool_use` and `tool_result` are of the form anthropic"));
        }
    }
    match message.needed("role")?.as_str() {
        "user" => {
            let content = steps.contents.member(&message, "content", "a user message")?;
            steps.say(&content)
        }
        "assistant" => decide(steps, &message),
        role @ ("tool" | "function") => {
            let content = steps.contents.member(&message, "content", &format!("a {role} message"))?;
            steps.answer(Outcome {
                id: message.text("tool_call_id")?,
                tool: message.text("name")?,
                answer: Answer::Content(content),
                failed: false,
            })
        }
        "system" | "developer" => Ok(()),
        other => Err(Invalid::new(format!("invalid role {other:?}: use system, developer, user, assistant or tool"))),
    }
}

fn decide(steps: &mut Steps<'_>, message: &Object<'_>) -> Result<(), Invalid> {
    let mut calls = Vec::new();
    for call in message.items("tool_calls")? {
        let call = Object::parse(call).map_err(|wrong| wrong.within("tool_calls"))?;
        let id = call.text("id")?;
        if let Some(function) = call.object("function")? {
            calls.push(NewCall::named(id, &function, "arguments")?);
        } else if let Some(custom) = call.object("custom")? {
            calls.push(NewCall::named(id, &custom, "input")?);
        } else {
            return Err(Invalid::new("a tool call has neither `function` nor `custom`"));
        }
    }
    if let Some(function) = message.object("function_call")? {
        calls.push(NewCall::named(None, &function, "arguments")?);
    }
    steps.decide(calls)
}
