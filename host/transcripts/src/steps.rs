//! What was said, called and answered in a conversation, as steps on a ticket.

use regex::Regex;
use serde::Serialize;
use serde_json::value::RawValue;
use ticket_model::json;
use ticket_model::limits::JSON_DEPTH_MAX;

use crate::content::{self, Content, Contents, Part};
use crate::invalid::Invalid;
use crate::object::{self, Object};
use crate::reading::Reading;

/// The first word of the result of a failed tool, in any case.
const FAILED: &str = "error";
/// Deepest nesting of a value that becomes part of a message, of facts or of a decision, which add two levels.
const DEPTH_MAX: u32 = JSON_DEPTH_MAX - 2;

/// What an agent does on a ticket; all texts are JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The user said something.
    Say(String),
    /// The agent calls tools in one turn: a snapshot is taken, then these are decided.
    Decide(Vec<String>),
    /// A tool answered: two merge patches, which replace its last answer. The call that it answers, if one is known.
    Learn([String; 2], Option<Call>),
    /// A call failed: its decision and its answers are undone, everything else stays.
    Undo(Call),
}

/// A call of a tool, by its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// The place of its turn among all steps.
    pub turn: usize,
    /// Its place among the decisions of the turn.
    pub decision: usize,
}

/// Something of a conversation that has no effect on the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is, for example `message 3`.
    pub place: String,
    /// What it is.
    pub what: String,
}

/// A call that the agent makes.
pub(crate) struct NewCall<'a> {
    pub(crate) id: Option<String>,
    pub(crate) tool: String,
    /// JSON, or a string that may hold JSON; none for a call without arguments.
    pub(crate) arguments: Option<&'a RawValue>,
}

impl<'a> NewCall<'a> {
    /// A call that its form names by `name`, with its arguments in the member `arguments`, which must be there.
    pub(crate) fn named(id: Option<String>, call: &Object<'a>, arguments: &str) -> Result<Self, Invalid> {
        let tool = call.needed("name")?;
        let arguments =
            call.member(arguments).ok_or_else(|| Invalid::new(format!("the call of `{tool}` has no {arguments}")))?;
        Ok(Self { id, tool, arguments: Some(arguments) })
    }
}

/// What a tool answered.
pub(crate) enum Answer {
    Content(Content),
    /// JSON that is not a content.
    Json(String),
}

/// A tool's result.
pub(crate) struct Outcome {
    pub(crate) id: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) answer: Answer,
    /// Whether the API marks it as failed.
    pub(crate) failed: bool,
}

/// A call that was made before.
struct Made {
    id: Option<String>,
    tool: String,
    call: Call,
    answered: bool,
    undone: bool,
}

/// Collects the steps of one conversation.
pub(crate) struct Steps<'a> {
    /// Reads the contents of messages and results.
    pub(crate) contents: Contents,
    error_pattern: Option<&'a Regex>,
    place: String,
    steps: Vec<Step>,
    made: Vec<Made>,
    skipped: Vec<Skipped>,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(reading: &'a Reading) -> Self {
        Self {
            contents: Contents { keep_media: reading.keep_media, references: 0 },
            error_pattern: reading.error_pattern.as_ref(),
            place: String::new(),
            steps: vec![],
            made: vec![],
            skipped: vec![],
        }
    }

    /// Reads messages one by one; an error names the place of its message.
    pub(crate) fn each<'m>(
        &mut self,
        messages: &[&'m RawValue],
        mut read: impl FnMut(&mut Self, &'m RawValue) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        for (place, message) in messages.iter().enumerate() {
            self.place = format!("message {}", place + 1);
            read(self, message).map_err(|wrong| wrong.within(&self.place))?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> (Vec<Step>, Vec<Skipped>, usize) {
        (self.steps, self.skipped, self.contents.references)
    }

    /// Leaves something out, and says so.
    pub(crate) fn skip(&mut self, what: impl Into<String>) {
        self.skipped.push(Skipped { place: self.place.clone(), what: what.into() });
    }

    /// The user said this.
    pub(crate) fn say(&mut self, content: &Content) -> Result<(), Invalid> {
        #[derive(Serialize)]
        struct Message<'a> {
            role: &'static str,
            content: &'a RawValue,
        }
        let said = match content {
            Content::Text(text) => serde_json::to_string(text)?,
            Content::Parts(parts) => {
                let parts = content::array(parts)?;
                check(&parts).map_err(|wrong| wrong.within("content"))?;
                serde_json::to_string(&Message { role: "user", content: serde_json::from_str(&parts)? })?
            }
        };
        self.steps.push(Step::Say(said));
        Ok(())
    }

    /// The agent calls these tools in one turn.
    pub(crate) fn decide(&mut self, calls: Vec<NewCall<'_>>) -> Result<(), Invalid> {
        #[derive(Serialize)]
        struct Decision<'a> {
            tool: &'a str,
            arguments: &'a RawValue,
        }
        if calls.is_empty() {
            return Ok(());
        }
        let turn = self.steps.len();
        let mut decisions = Vec::with_capacity(calls.len());
        for NewCall { id, tool, arguments } in calls {
            // The APIs write arguments as a string that holds JSON, or as the JSON itself.
            let inside = match arguments {
                Some(json) if json.get().starts_with('"') => {
                    Some(object::text(json).map_err(|w| w.within("arguments"))?)
                }
                _ => None,
            };
            let arguments = match (arguments, inside.as_deref().and_then(parsed)) {
                (_, Some(json)) => json,
                (Some(json), None) => {
                    check(json.get()).map_err(|wrong| wrong.within(&format!("arguments of `{tool}`")))?;
                    json
                }
                (None, None) => serde_json::from_str("{}")?,
            };
            let call = Call { turn, decision: decisions.len() };
            decisions.push(serde_json::to_string(&Decision { tool: &tool, arguments })?);
            self.made.push(Made { id, tool, call, answered: false, undone: false });
        }
        self.steps.push(Step::Decide(decisions));
        Ok(())
    }

    /// A tool answered.
    pub(crate) fn answer(&mut self, outcome: Outcome) -> Result<(), Invalid> {
        let Outcome { id, tool, answer, failed } = outcome;
        let text = match &answer {
            Answer::Content(content) => content.whole_text(),
            Answer::Json(_) => None,
        };
        let failed = failed || text.as_deref().is_some_and(|text| self.is_failure(text));
        let made = self.answered(id.as_deref(), tool.as_deref()).map(|place| &mut self.made[place]);
        let (call, its_tool) = match made {
            Some(made) => {
                made.answered = true;
                if failed {
                    let call = made.call;
                    if !std::mem::replace(&mut made.undone, true) {
                        self.steps.push(Step::Undo(call));
                    }
                    return Ok(());
                }
                (Some(made.call), Some(made.tool.clone()))
            }
            None => (None, None),
        };
        let Some(tool) = tool.or(its_tool) else {
            let id = id.map(|id| format!(" `{id}`")).unwrap_or_default();
            self.skip(format!("a result that names no tool, of the call{id} that is not in the conversation"));
            return Ok(());
        };
        let value = match (answer, text) {
            (Answer::Json(json), _) => {
                check(&json).map_err(|wrong| wrong.within(&format!("result of `{tool}`")))?;
                json
            }
            (_, Some(text)) => match parsed(&text) {
                Some(value) => value.get().to_owned(),
                None => serde_json::to_string(&text)?,
            },
            (Answer::Content(content), None) => {
                let parts = if let Content::Parts(parts) = content { parts } else { vec![] };
                parts_value(&parts).map_err(|wrong| wrong.within(&format!("result of `{tool}`")))?
            }
        };
        let name = serde_json::to_string(&tool)?;
        self.steps.push(Step::Learn([format!("{{{name}:null}}"), format!("{{{name}:{value}}}")], call));
        Ok(())
    }

    /// Whether a text says that its tool failed: its first word does, or it matches the pattern.
    fn is_failure(&self, text: &str) -> bool {
        let first = text.trim_start();
        let by_word = first.get(..FAILED.len()).is_some_and(|word| word.eq_ignore_ascii_case(FAILED))
            && first[FAILED.len()..].chars().next().is_none_or(|next| next == ':' || next.is_whitespace());
        by_word || self.error_pattern.is_some_and(|pattern| pattern.is_match(text))
    }

    /// The place of the call that a result answers: the newest of its id. Without an id, of its tool: the oldest that is
    /// open in the newest turn that has one, since the tools of a turn answer in order; else the newest.
    fn answered(&self, id: Option<&str>, tool: Option<&str>) -> Option<usize> {
        if let Some(id) = id {
            return self.made.iter().rposition(|made| made.id.as_deref() == Some(id));
        }
        let of_tool = |made: &Made| Some(made.tool.as_str()) == tool;
        let open = |made: &Made| of_tool(made) && !made.answered;
        match self.made.iter().rfind(|made| open(made)) {
            Some(Made { call: newest, .. }) => {
                self.made.iter().position(|made| open(made) && made.call.turn == newest.turn)
            }
            None => self.made.iter().rposition(of_tool),
        }
    }
}

/// The parts of a result that is not text alone.
fn parts_value(parts: &[Part]) -> Result<String, Invalid> {
    let json = content::array(parts)?;
    check(&json)?;
    Ok(json)
}

/// Checks that a ticket takes a JSON text, before anything is written.
fn check(text: &str) -> Result<(), Invalid> {
    let shape = json::check_strict(text).map_err(|fault| Invalid::new(fault.to_string()))?;
    if shape.depth > DEPTH_MAX {
        return Err(Invalid::new(format!("it nests deeper than {DEPTH_MAX}")));
    }
    // Numbers past the range of a double are refused too: hardly any other reader takes them.
    serde_json::from_str::<serde_json::Value>(text)?;
    Ok(())
}

/// A text as JSON, none if it is not JSON or a ticket does not take it.
fn parsed(text: &str) -> Option<&RawValue> {
    check(text).ok()?;
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
