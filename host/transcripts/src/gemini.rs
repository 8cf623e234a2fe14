//! Google Gemini: contents of parts, in the spelling of the API or of its Python client.

use serde_json::value::RawValue;

use crate::content::Content;
use crate::invalid::Invalid;
use crate::object::{self, Object};
use crate::steps::{Answer, NewCall, Outcome, Steps};

/// Members of parts that have no effect on a ticket: what the model thought and ran itself.
const IGNORED: &[&str] =
    &["thought", "executableCode", "executable_code", "codeExecutionResult", "code_execution_result"];

pub(crate) fn read(contents: &[&RawValue], steps: &mut Steps<'_>) -> Result<(), Invalid> {
    steps.each(contents, message)
}

fn message(steps: &mut Steps<'_>, json: &RawValue) -> Result<(), Invalid> {
    let message = Object::parse(json)?;
    let role = message.text("role")?.unwrap_or_else(|| "user".into());
    match role.as_str() {
        "user" | "function" | "tool" | "model" => {}
        "system" => return Ok(()),
        other => return Err(Invalid::new(format!("invalid role {other:?}: use user or model"))),
    }
    let mut said = Vec::new();
    let mut calls = Vec::new();
    for json in message.items("parts")? {
        let part = Object::parse(json).map_err(|wrong| wrong.within("parts"))?;
        if let Some(call) = part.any(&["functionCall", "function_call"]) {
            let call = Object::parse(call).map_err(|wrong| wrong.within("functionCall"))?;
            calls.push(NewCall { id: call.text("id")?, tool: call.needed("name")?, arguments: call.get("args") });
        } else if let Some(response) = part.any(&["functionResponse", "function_response"]) {
            let response = Object::parse(response).map_err(|wrong| wrong.within("functionResponse"))?;
            result(steps, &response).map_err(|wrong| wrong.within("functionResponse"))?;
        } else if role != "model" && part.any(IGNORED).is_none() {
            said.push(steps.contents.part(json).map_err(|wrong| wrong.within("parts"))?);
        }
    }
    if !said.is_empty() {
        steps.say(&Content::of(said))?;
    }
    steps.decide(calls)
}

/// A result. By the API `output` holds it and `error` says that it failed; without them the whole response is the result.
fn result(steps: &mut Steps<'_>, response: &Object<'_>) -> Result<(), Invalid> {
    let (id, tool) = (response.text("id")?, Some(response.needed("name")?));
    let whole = response.get("response").ok_or_else(|| Invalid::new("`response` is missing"))?;
    let inner = Object::parse(whole)?;
    let failed = inner.get("error").is_some();
    let answer = match inner.get("output") {
        Some(output) if output.get().starts_with('"') => Answer::Content(Content::Text(object::text(output)?)),
        Some(output) => Answer::Json(output.get().to_owned()),
        None => Answer::Json(whole.get().to_owned()),
    };
    steps.answer(Outcome { id, tool, answer, failed })
}
