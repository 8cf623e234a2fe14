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
        "function_call" => turn.push(NewCall::named(item.text("call_id")?, &item, "arguments")?),
        "custom_tool_call" => turn.push(NewCall::named(item.text("call_id")?, &item, "input")?),
        // What the model thought between two calls does not end the turn.
        "reasoning" => {}
        _ => {
            steps.decide(std::mem::take(turn))?;
            other(steps, &item, &kind)?;
        }
    }
    Ok(())
}

fn other(steps: &mut Steps<'_>, item: &Object<'_>, kind: &str) -> Result<(), Invalid> {
    match kind {
        "message" => message(steps, item),
        "function_call_output" | "custom_tool_call_output" => {
            let content = steps.contents.member(item, "output", &format!("a {kind}"))?;
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
            let content = steps.contents.member(item, "content", "a user message")?;
            steps.say(&content)
        }
        "assistant" | "system" | "developer" => Ok(()),
        other => Err(Invalid::new(format!("invalid role {other:?}: use system, developer, user or assistant"))),
    }
}
