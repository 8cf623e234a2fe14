//! Messages as LangChain dumps them: flat, with their members in `data`, or as the arguments of a constructor.

use serde_json::value::RawValue;

use crate::content::Content;
use crate::invalid::Invalid;
use crate::object::Object;
use crate::steps::{Answer, NewCall, Outcome, Steps};

pub(crate) fn read(messages: &[&RawValue], steps: &mut Steps<'_>) -> Result<(), Invalid> {
    steps.each(messages, message)
}

fn message(steps: &mut Steps<'_>, json: &RawValue) -> Result<(), Invalid> {
    let outer = Object::parse(json)?;
    let mut kind = outer.needed("type")?;
    let message = match kind.as_str() {
        "constructor" => {
            let kwargs = outer.object("kwargs")?.ok_or_else(|| Invalid::new("`kwargs` is missing"))?;
            let id = outer.items("id")?;
            let class = id.last().ok_or_else(|| Invalid::new("`id` names no class"))?;
            kind = crate::object::text(class)?;
            kwargs
        }
        _ => outer.object("data")?.unwrap_or(outer),
    };
    let role = message.text("role")?;
    match (kind.trim_end_matches("Chunk"), role.as_deref()) {
        ("human" | "HumanMessage", _) | ("chat" | "ChatMessage", Some("user" | "human")) => {
            let content = content(steps, &message)?;
            steps.say(&content)
        }
        ("ai" | "AIMessage", _) | ("chat" | "ChatMessage", Some("assistant" | "ai")) => decide(steps, &message),
        ("tool" | "ToolMessage", _) => {
            let answer = Answer::Content(content(steps, &message)?);
            let (id, tool) = (message.text("tool_call_id")?, message.text("name")?);
            steps.answer(Outcome { id, tool, answer, failed: message.is("status", "error") })
        }
        ("function" | "FunctionMessage", _) => {
            let answer = Answer::Content(content(steps, &message)?);
            steps.answer(Outcome { id: None, tool: message.text("name")?, answer, failed: false })
        }
        ("system" | "SystemMessage", _) | ("chat" | "ChatMessage", Some("system" | "developer")) => Ok(()),
        (other, None) => Err(Invalid::new(format!("invalid type {other:?}: use human, ai, tool or system"))),
        (_, Some(role)) => Err(Invalid::new(format!("invalid role {role:?}: use user, assistant or system"))),
    }
}

fn content(steps: &mut Steps<'_>, message: &Object<'_>) -> Result<Content, Invalid> {
    steps.contents.member(message, "content", "the message")
}

fn decide(steps: &mut Steps<'_>, message: &Object<'_>) -> Result<(), Invalid> {
    let mut calls = Vec::new();
    for call in message.items("tool_calls")? {
        let call = Object::parse(call).map_err(|wrong| wrong.within("tool_calls"))?;
        calls.push(NewCall { id: call.text("id")?, tool: call.needed("name")?, arguments: call.get("args") });
    }
    if !message.items("invalid_tool_calls")?.is_empty() {
        steps.skip("tool calls that LangChain calls invalid");
    }
    // Messages from before tool calls keep what the API sent.
    let beside = message.object("additional_kwargs")?;
    if let Some(function) = beside.map(|beside| beside.object("function_call")).transpose()?.flatten()
        && calls.is_empty()
    {
        calls.push(NewCall { id: None, tool: function.needed("name")?, arguments: function.get("arguments") });
    }
    steps.decide(calls)
}
