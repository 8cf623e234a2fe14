//! The state of a ticket and the changes to it: pure, and checked against the limits.

use crate::error::Error;
use crate::history::{self, Said};
use crate::patch::{self, merge_patch};
use crate::pointer::Pointer;
use ticket_model::field::{FACTS, HISTORY, LAST_DECISION, SCHEMA_VERSION_TEXT};
use ticket_model::id::excerpt;
use ticket_model::json::{self, Kind};
use ticket_model::limits::JSON_DEPTH_MAX;
use ticket_model::port::Settings;
use ticket_model::ticket::{Bounds, Change, Effect, Put, State};

/// A change that is valid by itself, its JSON compact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Appends this message, of so many levels.
    Say { message: String, depth: u32 },
    /// Merges facts by this patch.
    Learn(String),
    /// Makes this the last decision.
    Decide(String),
    /// Sets the member of the facts that the pointer names.
    Put { pointer: Pointer, value: String, only_if_absent: bool },
    /// Takes back so many messages.
    Retract(u32),
    /// Drops the oldest messages.
    Trim(Bounds),
}

impl Checked {
    /// Bytes that it adds to a history at most.
    fn said_bytes(&self) -> usize {
        match self {
            Self::Say { message, .. } => history::pushed_bytes(message),
            _ => 0,
        }
    }

    /// Checks a change by itself, once, before the store is read.
    pub(crate) fn new(change: Change, settings: &Settings) -> Result<Self, Error> {
        let ticket_bytes_max = settings.ticket_bytes_max as usize;
        match change {
            Change::Say(text) => {
                let kinds = [Kind::String, Kind::Object];
                let (message, depth) = input("message", text, settings.message_bytes_max as usize, &kinds)?;
                Ok(Self::Say { message, depth })
            }
            Change::Learn(text) => {
                let (patch, _) = input("patch of facts", text, ticket_bytes_max, &[Kind::Object])?;
                Ok(Self::Learn(patch))
            }
            Change::Decide(text) => {
                let (decision, _) = input("decision", text, ticket_bytes_max, &[])?;
                Ok(Self::Decide(decision))
            }
            Change::Put(Put { pointer, value, only_if_absent }) => {
                let pointer = Pointer::parse(&pointer)?;
                if pointer.tokens().is_empty() {
                    return Err(Error::Invalid("the empty JSON pointer is the facts as a whole, not one fact".into()));
                }
                let (value, _) = input("fact", value, ticket_bytes_max, &[])?;
                Ok(Self::Put { pointer, value, only_if_absent })
            }
            Change::Retract(count) => Ok(Self::Retract(count)),
            Change::Trim(Bounds { entries_max: None, bytes_max: None }) => {
                Err(Error::Invalid("a trim has no bound: name entries or bytes".into()))
            }
            Change::Trim(bounds) => Ok(Self::Trim(bounds)),
        }
    }
}

/// A caller's JSON, compact, and how deep it nests; `kinds` lists what it may be, empty for anything.
fn input(what: &str, text: String, bytes_max: usize, kinds: &[Kind]) -> Result<(String, u32), Error> {
    if text.len() > bytes_max {
        return Err(Error::TooLarge(format!("{what} has {} bytes, the limit is {bytes_max}", text.len())));
    }
    let shape =
        json::check_strict(&text).map_err(|fault| Error::Invalid(format!("{what} is not strict JSON: {fault}")))?;
    if !kinds.is_empty() && !kinds.contains(&shape.kind) {
        let wanted = if kinds.contains(&Kind::String) { "a JSON string or object" } else { "a JSON object" };
        return Err(Error::Invalid(format!("{what} is not {wanted}")));
    }
    Ok((if shape.spaced { json::compact(&text) } else { text }, shape.depth))
}

/// Checks what is in a state: JSON of the right kind, within the limits. Returns the entries of its history.
pub(crate) fn check(state: &State, settings: &Settings) -> Result<usize, Error> {
    check_bytes(state, settings)?;
    check_field(FACTS, &state.facts, Some(Kind::Object))?;
    check_field(LAST_DECISION, &state.last_decision, None)?;
    let entries = check_field(HISTORY, &state.history, Some(Kind::Array))?;
    check_entries(entries, settings)
}

fn check_bytes(state: &State, settings: &Settings) -> Result<(), Error> {
    let bytes: usize = state.facts.len()
        + state.history.len()
        + state.last_decision.len()
        + decimal_digits(state.created_at)
        + decimal_digits(state.updated_at)
        + SCHEMA_VERSION_TEXT.len();
    if bytes > settings.ticket_bytes_max as usize {
        let bytes_max = settings.ticket_bytes_max;
        return Err(Error::TooLarge(format!("ticket has {bytes} bytes in its six fields, the limit is {bytes_max}")));
    }
    Ok(())
}

fn check_field(field: &str, text: &str, kind: Option<Kind>) -> Result<usize, Error> {
    let shape = json::check(text).map_err(|fault| Error::Corrupt(format!("field `{field}` is not JSON: {fault}")))?;
    if kind.is_some_and(|kind| kind != shape.kind) {
        let wanted = if kind == Some(Kind::Array) { "a JSON array" } else { "a JSON object" };
        return Err(Error::Corrupt(format!("field `{field}` is not {wanted}")));
    }
    Ok(shape.entries)
}

fn check_entries(entries: usize, settings: &Settings) -> Result<usize, Error> {
    if entries > settings.history_entries_max as usize {
        let entries_max = settings.history_entries_max;
        return Err(Error::TooLarge(format!("history has {entries} entries, the limit is {entries_max}")));
    }
    Ok(entries)
}

/// A state that passed [`check`], so that only what changes needs another check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sound {
    state: State,
    /// Entries of its history.
    entries: usize,
}

/// What changes did to a state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    said: usize,
    /// A new message may be too deep for the history.
    deep: bool,
    learnt: bool,
    decided: bool,
    retracted: Vec<String>,
    trimmed: usize,
}

impl Done {
    /// Whether anything was there to do.
    pub(crate) fn changed(&self) -> bool {
        self.said > 0 || self.learnt || self.decided || !self.retracted.is_empty() || self.trimmed > 0
    }

    /// What the ticket does not show of it.
    pub(crate) fn into_effect(self, created: bool) -> Effect {
        let trimmed = u32::try_from(self.trimmed).unwrap_or(u32::MAX);
        Effect { created, retracted: self.retracted, trimmed }
    }
}

impl Sound {
    /// The state of a new ticket.
    pub(crate) fn new(now_s: u64) -> Self {
        let state = State {
            facts: "{}".into(),
            history: "[]".into(),
            last_decision: "{}".into(),
            created_at: now_s,
            updated_at: now_s,
        };
        Self { state, entries: 0 }
    }

    /// A state, checked as a whole.
    pub(crate) fn of(state: State, settings: &Settings) -> Result<Self, Error> {
        let entries = check(&state, settings)?;
        Ok(Self { state, entries })
    }

    pub(crate) fn into_state(self) -> State {
        self.state
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Messages in its history.
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    /// This state with checked changes applied in their order, and what they did.
    pub(crate) fn with(mut self, changes: &[Checked], now_s: u64, settings: &Settings) -> Result<(Self, Done), Error> {
        self.state.history.reserve_exact(changes.iter().map(Checked::said_bytes).sum());
        let mut done = Done::default();
        for change in changes {
            self.apply(change, &mut done)?;
        }
        if done.changed() {
            self.state.updated_at = now_s.max(self.state.updated_at);
        }
        // This state was valid, so the changes are at fault.
        self.check_after(&done, settings).map_err(|error| match error {
            Error::Corrupt(text) => Error::Invalid(format!("with these changes, {text}")),
            other => other,
        })?;
        Ok((self, done))
    }

    fn apply(&mut self, change: &Checked, done: &mut Done) -> Result<(), Error> {
        let state = &mut self.state;
        match change {
            Checked::Say { message, depth } => match history::append(&mut state.history, message)? {
                Said::Appended => {
                    self.entries += 1;
                    done.said += 1;
                    done.deep |= *depth >= JSON_DEPTH_MAX;
                }
                Said::Known => {}
            },
            Checked::Learn(patch) => {
                state.facts = merge_patch(&state.facts, patch);
                done.learnt = true;
            }
            Checked::Decide(decision) => {
                state.last_decision.clone_from(decision);
                done.decided = true;
            }
            Checked::Put { pointer, value, only_if_absent } => {
                let put = patch::put(&state.facts, pointer.tokens(), value, *only_if_absent);
                let put = put.map_err(|patch::NoObject| {
                    let (pointer, parent) = (pointer.to_string(), pointer.parent().to_string());
                    Error::Invalid(format!(
                        "facts have no object at {} to put {} into: put or learn that first",
                        excerpt(&parent),
                        excerpt(&pointer)
                    ))
                })?;
                done.learnt |= put.is_some();
                state.facts = put.unwrap_or_else(|| std::mem::take(&mut state.facts));
            }
            Checked::Retract(count) => {
                let retracted = history::retract(&mut state.history, *count as usize);
                self.entries -= retracted.len();
                // Several changes may take back: the oldest message comes first.
                done.retracted.splice(..0, retracted);
            }
            Checked::Trim(bounds) => {
                let over = |max: Option<u32>, size: usize| max.is_some_and(|max| size > max as usize);
                if over(bounds.entries_max, self.entries) || over(bounds.bytes_max, state.history.len()) {
                    let dropped = history::trim(&mut state.history, *bounds);
                    self.entries -= dropped;
                    done.trimmed += dropped;
                }
            }
        }
        Ok(())
    }

    /// Finds what [`check`] would find, in its order, but skips what was valid before: of the history only the
    /// depth of a new message is checked, and a decision was checked by itself.
    fn check_after(&self, done: &Done, settings: &Settings) -> Result<(), Error> {
        let state = &self.state;
        check_bytes(state, settings)?;
        if done.learnt {
            check_field(FACTS, &state.facts, Some(Kind::Object))?;
        }
        if done.deep {
            check_field(HISTORY, &state.history, Some(Kind::Array))?;
        }
        check_entries(self.entries, settings).map(drop)
    }
}

fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests;
