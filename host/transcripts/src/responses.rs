//! OpenAI Responses: a list of items, in which the calls of one turn follow each other.

use serde_json::value::RawValue;

use crate::invalid::Invalid;
use crate::object::Object;
use crate::steps::{Answer, NewCall, Outcome, Steps};

pub(crate) fn read(items: &[&RawValue], steps: &mut Steps<'_>) -> Result<(), Invalid> {
    let mut turn = Vec::new();
    steps.each(items, |steps, item| self::item(steps, item, &mut turn))?;
    steps.decide(turn)
}

fn item<'a>(steps: &mut Steps<'_>, json: &'a RawValue, turn: &mut Vec<NewCall<'a>>) -> Result<(), Invalid> {
    if json.get().starts_with('"') {
        let said = steps.contents.read(json)?;
        return steps.say(&said);
    }
    let item = Object::parse(json)?;
    let kind = item.text("type")?.unwrap_or_else(|| "message".into());
    match kind.as_str() {
        "function_call" => turn.push(call(&item, "arguments")?),
        "custom_tool_call" => turn.push(call(&item, "input")?),
        // What the model thought between two calls does not end the turn.
        "reasoning" => {}
        _ => {
            steps.decide(std::mem::take(turn))?;
            other(steps, &item, &kind)?;
        }
    }
    Ok(())
}

fn call<'a>(item: &Object<'a>, arguments: &str) -> Result<NewCall<'a>, Invalid> {
    let tool = item.needed("name")?;
    let arguments =
        item.member(arguments).ok_or_else(|| Invalid::new(format!("the call of `{tool}` has no {arguments}")))?;
    Ok(NewCall { id: item.text("call_id")?, tool, arguments: Some(arguments) })
}

fn other(steps: &mut Steps<'_>, item: &Object<'_>, kind: &str) -> Result<(), Invalid> {
    match kind {
        "message" => message(steps, item),
        "function_call_output" | "custom_tool_call_output" => {
            let output = item.get("output").ok_or_else(|| Invalid::new(format!("a {kind} has no output")))?;
            let content = steps.contents.read(output).map_err(|wrong| wrong.within("output"))?;
            let id = Some(item.needed("call_id")?);
            steps.answer(Outcome { id, tool: None, answer: Answer::Content(content), failed: false })
        }
        "item_reference" | "compaction" => Ok(()),
        // Tools that the server runs itself, and what is yet to come.
        other => {
            steps.skip(format!("an item of type `{other}`"));
            Ok(())
        }
    }
}

fn message(steps: &mut Steps<'_>, item: &Object<'_>) -> Result<(), Invalid> {
    match item.needed("role")?.as_str() {
        "user" => {
            let content = item.get("content").ok_or_else(|| Invalid::new("a user message has no content"))?;
            let content = steps.contents.read(content).map_err(|wrong| wrong.within("content"))?;
            steps.say(&content)
        }
        "assistant" | "system" | "developer" => Ok(()),
        other => Err(Invalid::new(format!("invalid role {other:?}: use system, developer, user or assistant"))),
    }
}
