//! Anthropic Messages: contents are blocks, and the results of tools are blocks of user messages.

use serde_json::value::RawValue;

use crate::content::Content;
use crate::invalid::Invalid;
use crate::object::{self, Object};
use crate::steps::{Answer, NewCall, Outcome, Steps};

pub(crate) fn read(messages: &[&RawValue], steps: &mut Steps<'_>) -> Result<(), Invalid> {
    steps.each(messages, message)
}

fn message(steps: &mut Steps<'_>, json: &RawValue) -> Result<(), Invalid> {
    let message = Object::parse(json)?;
    let role = message.needed("role")?;
    if message.any(&["tool_calls", "function_call"]).is_some() {
        return Err(Invalid::new("`tool_calls` and `function_call` are of the form openai"));
    }
    if role == "system" {
        return Ok(());
    }
    let content =
        message.get("content").ok_or_else(|| Invalid::new(format!("a message of the {role} has no content")))?;
    match (role.as_str(), content.get().starts_with('"')) {
        ("user", true) => {
            let content = steps.contents.read(content).map_err(|wrong| wrong.within("content"))?;
            steps.say(&content)
        }
        ("user", false) => user(steps, content).map_err(|wrong| wrong.within("content")),
        ("assistant", true) => Ok(()),
        ("assistant", false) => assistant(steps, content).map_err(|wrong| wrong.within("content")),
        (other, _) => Err(Invalid::new(format!("invalid role {other:?}: use user or assistant"))),
    }
}

fn user(steps: &mut Steps<'_>, content: &RawValue) -> Result<(), Invalid> {
    let mut said = Vec::new();
    let mut results = 0;
    for json in object::items(content)? {
        if !json.get().starts_with('"') {
            let block = Object::parse(json)?;
            if block.is("type", "tool_result") {
                results += 1;
                result(steps, &block)?;
                continue;
            }
        }
        said.push(steps.contents.part(json)?);
    }
    // A message of results alone is not something that the user said.
    if said.is_empty() && results > 0 { Ok(()) } else { steps.say(&Content::of(said)) }
}

fn result(steps: &mut Steps<'_>, block: &Object<'_>) -> Result<(), Invalid> {
    let content = match block.get("content") {
        Some(content) => steps.contents.read(content).map_err(|wrong| wrong.within("tool_result"))?,
        None => Content::Text(String::new()),
    };
    let failed = block.get("is_error").is_some_and(|is_error| is_error.get() == "true");
    let id = Some(block.needed("tool_use_id")?);
    steps.answer(Outcome { id, tool: None, answer: Answer::Content(content), failed })
}

fn assistant(steps: &mut Steps<'_>, content: &RawValue) -> Result<(), Invalid> {
    let mut calls = Vec::new();
    for json in object::items(content)? {
        let block = Object::parse(json)?;
        match block.needed("type")?.as_str() {
            "tool_use" => calls.push(NewCall {
                id: block.text("id")?,
                tool: block.needed("name")?,
                arguments: block.get("input"),
            }),
            "text" | "thinking" | "redacted_thinking" => {}
            // Tools that the server runs itself, and what is yet to come.
            other => steps.skip(format!("a block of type `{other}`")),
        }
    }
    steps.decide(calls)
}
