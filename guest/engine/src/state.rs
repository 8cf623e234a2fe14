//! The state of a ticket and the changes to it: pure, and checked against the limits.

use crate::error::Error;
use crate::history::{self, Said};
use crate::json::{self, Kind};
use crate::port::Settings;

/// What a ticket is, apart from its id and its place in a store: stored texts and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// A JSON object.
    pub facts: String,
    /// A JSON array.
    pub history: String,
    /// JSON.
    pub last_decision: String,
    /// Unix seconds; never changes after creation.
    pub created_at: u64,
    /// Unix seconds of the last change.
    pub updated_at: u64,
}

/// One change to a ticket; each holds JSON text from the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Appends a message, a string or an object.
    Say(String),
    /// Merges facts by a merge patch.
    Learn(String),
    /// Replaces the last decision.
    Decide(String),
}

impl Change {
    /// Checks a change by itself and makes its JSON compact, once, before any store is asked.
    pub(crate) fn checked(self, settings: &Settings) -> Result<Self, Error> {
        let ticket_bytes_max = settings.ticket_bytes_max as usize;
        match self {
            Self::Say(text) => {
                let message =
                    input("message", &text, settings.message_bytes_max as usize, &[Kind::String, Kind::Object])?;
                Ok(Self::Say(message))
            }
            Self::Learn(text) => Ok(Self::Learn(input("patch of facts", &text, ticket_bytes_max, &[Kind::Object])?)),
            Self::Decide(text) => Ok(Self::Decide(input("decision", &text, ticket_bytes_max, &[])?)),
        }
    }
}

/// A caller's JSON, compact; `kinds` lists what it may be, empty for anything.
fn input(what: &str, text: &str, bytes_max: usize, kinds: &[Kind]) -> Result<String, Error> {
    if text.len() > bytes_max {
        return Err(Error::TooLarge(format!("{what} has {} bytes, the limit is {bytes_max}", text.len())));
    }
    let shape =
        json::check_strict(text).map_err(|fault| Error::Invalid(format!("{what} is not strict JSON: {fault}")))?;
    if !kinds.is_empty() && !kinds.contains(&shape.kind) {
        let wanted = if kinds.contains(&Kind::String) { "a JSON string or object" } else { "a JSON object" };
        return Err(Error::Invalid(format!("{what} is not {wanted}")));
    }
    Ok(json::compact(text))
}

impl State {
    /// The state of a ticket that nobody has changed.
    pub(crate) fn new(now_s: u64) -> Self {
        Self {
            facts: "{}".into(),
            history: "[]".into(),
            last_decision: "{}".into(),
            created_at: now_s,
            updated_at: now_s,
        }
    }

    /// This state with checked changes applied in their order, and whether anything was there to apply:
    /// not so where every change was a message that is stored already.
    pub(crate) fn with(&self, changes: &[Change], now_s: u64, settings: &Settings) -> Result<(Self, bool), Error> {
        let mut next = self.clone();
        let mut changed = false;
        for change in changes {
            match change {
                Change::Say(message) => match history::append(&next.history, message)? {
                    Said::Appended(history) => {
                        next.history = history;
                        changed = true;
                    }
                    Said::Known => {}
                },
                Change::Learn(patch) => {
                    next.facts = json::merge_patch(&next.facts, patch);
                    changed = true;
                }
                Change::Decide(decision) => {
                    next.last_decision.clone_from(decision);
                    changed = true;
                }
            }
        }
        if changed {
            next.updated_at = now_s.max(self.updated_at);
        }
        // This state was sound, so it is the changes that are not.
        next.check(settings).map_err(|error| match error {
            Error::Corrupt(text) => Error::Invalid(format!("with these changes, {text}")),
            other => other,
        })?;
        Ok((next, changed))
    }

    /// Checks what is in the state: JSON of the right kind, within the limits.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), Error> {
        let bytes: usize = self.facts.len()
            + self.history.len()
            + self.last_decision.len()
            + decimal_digits(self.created_at)
            + decimal_digits(self.updated_at)
            + crate::record::VERSION_TEXT.len();
        if bytes > settings.ticket_bytes_max as usize {
            let bytes_max = settings.ticket_bytes_max;
            return Err(Error::TooLarge(format!(
                "ticket has {bytes} bytes in its six fields, the limit is {bytes_max}"
            )));
        }
        self.check_field("facts", &self.facts, Some(Kind::Object))?;
        self.check_field("last_decision", &self.last_decision, None)?;
        let entries = self.check_field("history", &self.history, Some(Kind::Array))?;
        if entries > settings.history_entries_max as usize {
            let entries_max = settings.history_entries_max;
            return Err(Error::TooLarge(format!("history has {entries} entries, the limit is {entries_max}")));
        }
        Ok(())
    }

    fn check_field(&self, field: &str, text: &str, kind: Option<Kind>) -> Result<usize, Error> {
        let shape =
            json::check(text).map_err(|fault| Error::Corrupt(format!("field `{field}` is not JSON: {fault}")))?;
        if kind.is_some_and(|kind| kind != shape.kind) {
            let wanted = if kind == Some(Kind::Array) { "a JSON array" } else { "a JSON object" };
            return Err(Error::Corrupt(format!("field `{field}` is not {wanted}")));
        }
        Ok(shape.entries)
    }
}

fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { ttl_ms: 1_800_000, message_bytes_max: 64, ticket_bytes_max: 400, history_entries_max: 3 };

    fn checked(change: Change) -> Result<Change, Error> {
        change.checked(&SETTINGS)
    }

    fn say(text: &str) -> Change {
        checked(Change::Say(text.into())).unwrap()
    }

    #[test]
    fn changes_apply_in_their_order_and_the_clock_never_runs_back() {
        let old = State { updated_at: 50, ..State::new(10) };
        let changes = [
            say("\"a\""),
            checked(Change::Learn("{\"x\": 1, \"y\": null}".into())).unwrap(),
            say("{\"id\": \"m\"}"),
            checked(Change::Decide("[ 1 ]".into())).unwrap(),
            checked(Change::Learn("{\"x\":null,\"z\":{}}".into())).unwrap(),
        ];
        let (new, changed) = old.with(&changes, 40, &SETTINGS).unwrap();
        assert!(changed);
        assert_eq!(new.history, "[\"a\",{\"id\":\"m\"}]");
        assert_eq!(new.facts, "{\"z\":{}}");
        assert_eq!(new.last_decision, "[1]");
        assert_eq!((new.created_at, new.updated_at), (10, 50));
    }

    #[test]
    fn a_known_message_alone_changes_nothing() {
        let (old, _) = State::new(10).with(&[say("{\"id\":\"m\"}")], 10, &SETTINGS).unwrap();
        let (same, changed) = old.with(&[say("{\"id\":\"m\"}")], 99, &SETTINGS).unwrap();
        assert!(!changed);
        assert_eq!(same, old);
        let (more, changed) = old.with(&[say("{\"id\":\"m\"}"), say("\"b\"")], 99, &SETTINGS).unwrap();
        assert!(changed);
        assert_eq!((more.history.as_str(), more.updated_at), ("[{\"id\":\"m\"},\"b\"]", 99));
    }

    #[test]
    fn input_past_a_limit_or_of_the_wrong_kind_is_refused() {
        let long = format!("\"{}\"", "x".repeat(63));
        assert!(matches!(checked(Change::Say(long)), Err(Error::TooLarge(_))));
        for bad in ["1", "[]", "null", "true", "", "{\"a\":1,\"a\":1}", "\"\\ud800\"", "NaN"] {
            assert!(matches!(checked(Change::Say(bad.into())), Err(Error::Invalid(_))), "{bad}");
        }
        for bad in ["[]", "1", "null", "\"a\"", "{\"a\":NaN}", "{\"a\":1"] {
            assert!(matches!(checked(Change::Learn(bad.into())), Err(Error::Invalid(_))), "{bad}");
        }
        assert!(matches!(checked(Change::Decide("nope".into())), Err(Error::Invalid(_))));
        assert!(checked(Change::Decide("null".into())).is_ok());
    }

    #[test]
    fn a_message_may_nest_as_deep_as_its_history_may() {
        let settings = Settings { message_bytes_max: 1_000, ..SETTINGS };
        let said = |depth: usize| {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
            let message = Change::Say(text).checked(&settings).unwrap();
            State::new(0).with(&[message], 0, &settings)
        };
        assert!(said(63).is_ok());
        assert!(matches!(said(64), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_state_past_a_limit_is_refused() {
        let four: Vec<Change> = (0..4).map(|n| say(&format!("\"{n}\""))).collect();
        assert!(matches!(State::new(0).with(&four, 0, &SETTINGS), Err(Error::TooLarge(_))));
        let big = checked(Change::Decide(format!("\"{}\"", "x".repeat(392)))).unwrap();
        assert!(matches!(State::new(0).with(&[big], 0, &SETTINGS), Err(Error::TooLarge(_))));
        let exact = 400 - "{}[]1".len() - 2 - 2;
        let fits = Change::Decide(format!("\"{}\"", "x".repeat(exact)));
        assert!(State::new(0).with(&[fits], 0, &SETTINGS).is_ok(), "the limit itself is allowed");
    }
}
