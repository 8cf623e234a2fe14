//! What one state of a ticket tells about another: whether it came from it, is older, or where both parted. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use serde_json::value::RawValue;

use super::record::{field, incarnation, same_content};
use crate::merge::State;
use ticket_store::{Entry, Fields};

/// The fields of an entry of the present schema, and no other.
const FIELDS: [&str; 6] = ["facts", "history", "last_decision", "created_at", "updated_at", "version"];
/// Deepest nesting that is looked into, as deep as the engine lets any nest.
const DEPTH_MAX: u32 = 64;
/// The schema version whose states are merged.
const VERSION: &str = "1";

/// The mergeable part of an entry; none where it is no ticket of the present schema.
pub(super) fn state(entry: &Entry) -> Option<State> {
    let sound = entry.fields.len() == FIELDS.len()
        && FIELDS.iter().all(|name| entry.fields.iter().any(|(field, _)| field == name))
        && field(entry, "version") == VERSION;
    let text = |name| field(entry, name).to_owned();
    sound.then_some(())?;
    Some(State {
        facts: text("facts"),
        history: text("history"),
        last_decision: text("last_decision"),
        created_at: field(entry, "created_at").parse().ok()?,
        updated_at: field(entry, "updated_at").parse().ok()?,
    })
}

/// The entry of a state, with a deadline.
pub(super) fn entry(state: &State, expires_at_ms: u64) -> Entry {
    let texts = [
        state.facts.clone(),
        state.history.clone(),
        state.last_decision.clone(),
        state.created_at.to_string(),
        state.updated_at.to_string(),
        VERSION.to_owned(),
    ];
    Entry::new(FIELDS.map(str::to_owned).into_iter().zip(texts).collect::<Fields>(), expires_at_ms)
}

/// Whether `later` can be seen to go on from `sent`, a write of which it is not known whether it was made after
/// `base`: the messages that it added stand where it put them.
pub(super) fn descends_from(later: &Entry, sent: &Entry, base: Option<&Entry>) -> bool {
    if same_content(later, sent) {
        return true;
    }
    if incarnation(later) != incarnation(sent) {
        return false;
    }
    let (said, before) = (messages(sent), base.map(messages).unwrap_or_default());
    // A new ticket of the same second and id is ours, or somebody was as fast with the very same.
    let added = base.is_none() || said.len() > before.len();
    added && begins_with(&messages(later), &said)
}

/// A state with the history of another.
pub(super) fn with_history(entry: &Entry, other: &Entry) -> Entry {
    let fields = entry.fields.iter().map(|(name, text)| match name.as_str() {
        "history" => (name.clone(), field(other, "history").to_owned()),
        _ => (name.clone(), text.clone()),
    });
    Entry::new(fields.collect::<Fields>(), entry.expires_at_ms)
}

/// Whether everything in `part` is in `whole` too, so that nothing is lost with it.
pub(super) fn contains(whole: &Entry, part: &Entry) -> bool {
    let facts = |entry| serde_json::from_str::<Value>(field(entry, "facts")).ok();
    let known = match (facts(whole), facts(part)) {
        (Some(Value::Object(whole)), Some(Value::Object(part))) => {
            part.iter().all(|(key, value)| whole.get(key) == Some(value))
        }
        _ => field(whole, "facts") == field(part, "facts"),
    };
    known
        && begins_with(&messages(whole), &messages(part))
        && field(whole, "last_decision") == field(part, "last_decision")
}

/// Whether `whole` can take the place of `part`, an older state, and nothing that was said or learnt goes with it: it
/// has every message, in whatever order, and a value of every fact.
pub(super) fn supersedes(whole: &Entry, part: &Entry) -> bool {
    let facts = |entry| serde_json::from_str::<BTreeMap<String, &RawValue>>(field(entry, "facts")).ok();
    let known = match (facts(whole), facts(part)) {
        (Some(whole), Some(part)) => part.keys().all(|key| whole.contains_key(key)),
        (_, _) => field(whole, "facts") == field(part, "facts"),
    };
    let mut others = Bag::of(&messages(whole));
    known && messages(part).into_iter().all(|item| others.take(item))
}

/// Whether the messages that `sent` adds to `base` are all in `there` too, wherever: it was made, and somebody has moved
/// them since.
pub(super) fn contains_additions(there: &Entry, sent: &Entry, base: Option<&Entry>) -> bool {
    let before = base.map(messages).unwrap_or_default();
    let (mut others, mut known) = (Bag::of(&messages(there)), Bag::of(&before));
    for item in &before {
        others.take(item);
    }
    let added: Vec<&RawValue> = messages(sent).into_iter().filter(|item| !known.take(item)).collect();
    !added.is_empty() && added.into_iter().all(|item| others.take(item))
}

/// Where two states parted that both came from `base`: what both have put right after it, as by a rollback to the same
/// snapshot, they share.
pub(super) fn common_ancestor(base: State, ours: &State, theirs: &State) -> State {
    let (before, mine, others) = (items(&base.history), items(&ours.history), items(&theirs.history));
    let shared = mine.iter().zip(&others).take_while(|(one, other)| same(one, other)).count();
    if shared <= before.len() || !begins_with(&mine, &before) {
        return base;
    }
    let shared: Vec<&str> = mine.iter().take(shared).map(|item| item.get()).collect();
    State { history: format!("[{}]", shared.join(",")), ..base }
}

/// A base, and ours as it goes on from there, where `tried` is an own write that was not found after it: messages of it
/// that are in `theirs` now did get there, and came back by another hand. They are past, as what both share.
pub(super) fn count_once(base: State, ours: State, theirs: &State, tried: &Entry) -> (State, State) {
    let (before, mine) = (items(&base.history), items(&ours.history));
    if !begins_with(&mine, &before) {
        return (base, ours);
    }
    let (mut gained, mut sent) = (Bag::of(&items(&theirs.history)), Bag::of(&messages(tried)));
    for item in &before {
        gained.take(item);
        sent.take(item);
    }
    let mut common: Vec<&str> = before.iter().map(|item| item.get()).collect();
    let mut own: Vec<&str> = Vec::new();
    for item in mine.iter().skip(before.len()) {
        if sent.take(item) && gained.take(item) { common.push(item.get()) } else { own.push(item.get()) }
    }
    let shared = format!("[{}]", common.join(","));
    common.append(&mut own);
    let history = format!("[{}]", common.join(","));
    (State { history: shared, ..base }, State { history, ..ours })
}

/// Two states of one life whose common past is not known: a base, and ours as it goes on from there. What both
/// hold is the past, in whatever order; a message that both have said is one.
pub(super) fn infer_base(ours: &State, theirs: &State) -> (State, State) {
    let mut others = Bag::of(&items(&theirs.history));
    let (mut common, mut own): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for item in items(&ours.history) {
        if others.take(item) { common.push(item.get()) } else { own.push(item.get()) }
    }
    let base = State {
        facts: "{}".into(),
        history: format!("[{}]", common.join(",")),
        last_decision: "{}".into(),
        created_at: ours.created_at,
        updated_at: ours.updated_at.min(theirs.updated_at),
    };
    common.append(&mut own);
    (base, State { history: format!("[{}]", common.join(",")), ..ours.clone() })
}

fn messages(entry: &Entry) -> Vec<&RawValue> {
    items(field(entry, "history"))
}

fn items(history: &str) -> Vec<&RawValue> {
    serde_json::from_str(history).unwrap_or_default()
}

fn begins_with(whole: &[&RawValue], part: &[&RawValue]) -> bool {
    whole.len() >= part.len() && part.iter().zip(whole).all(|(one, other)| same(one, other))
}

/// Whether two messages are the same JSON, whoever wrote them.
fn same(one: &RawValue, other: &RawValue) -> bool {
    one.get() == other.get() || canonical(one) == canonical(other)
}

/// The text that all writings of a message share: keys in order, no white space, no needless escapes. Numbers stay as they
/// are written: two long ones are not the same because a machine rounds them alike.
fn canonical(item: &RawValue) -> String {
    let mut out = String::with_capacity(item.get().len());
    write_canonical(item, DEPTH_MAX, &mut out);
    out
}

fn write_canonical(item: &RawValue, depth_left: u32, out: &mut String) {
    let text = item.get();
    match (text.as_bytes().first(), depth_left) {
        (Some(b'{'), 1..) => {
            if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
                out.push('{');
                for (key, value) in members {
                    out.push_str(&Value::String(key).to_string());
                    out.push(':');
                    write_canonical(value, depth_left - 1, out);
                    out.push(',');
                }
                return out.push('}');
            }
        }
        (Some(b'['), 1..) => {
            if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
                out.push('[');
                for item in items {
                    write_canonical(item, depth_left - 1, out);
                    out.push(',');
                }
                return out.push(']');
            }
        }
        (Some(b'"'), _) => {
            if let Ok(text) = serde_json::from_str::<String>(text) {
                return out.push_str(&Value::String(text).to_string());
            }
        }
        (_, _) => {}
    }
    out.push_str(text);
}

/// Messages in no order, each as often as it stands there.
struct Bag(HashMap<String, usize>);

impl Bag {
    fn of(items: &[&RawValue]) -> Self {
        let mut counts = HashMap::with_capacity(items.len());
        for item in items {
            *counts.entry(canonical(item)).or_default() += 1;
        }
        Self(counts)
    }

    /// Takes one out; whether it was there.
    fn take(&mut self, item: &RawValue) -> bool {
        match self.0.get_mut(&canonical(item)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn ticket(facts: &str, history: &str, decision: &str, expires_at_ms: u64) -> Entry {
        let state = State {
            facts: facts.into(),
            history: history.into(),
            last_decision: decision.into(),
            created_at: 7,
            updated_at: 9,
        };
        entry(&state, expires_at_ms)
    }

    #[test]
    fn a_state_goes_there_and_back_and_foreign_fields_have_none() {
        let mut there = ticket(r#"{"a":1}"#, "[]", "{}", 5);
        assert_eq!(entry(&state(&there).expect("state"), 5), there);
        Arc::make_mut(&mut there.fields).push(("seventh".into(), String::new()));
        assert_eq!(state(&there), None);
    }

    #[test]
    fn a_later_state_goes_on_from_a_write_that_added_what_it_shows() {
        let base = ticket("{}", r#"["a"]"#, "{}", 5);
        let sent = ticket("{}", r#"["a","b"]"#, "{}", 6);
        let later = ticket("{}", r#"["a", "b", "c"]"#, "{}", 7);
        let without = ticket("{}", r#"["a","c"]"#, "{}", 7);
        assert!(descends_from(&later, &sent, Some(&base)));
        assert!(!descends_from(&without, &sent, Some(&base)));
        assert!(!descends_from(&later, &ticket("{}", r#"["a"]"#, "1", 6), Some(&base)), "nothing to be seen by");
        assert!(descends_from(&later, &ticket("{}", "[]", "{}", 6), None), "created here");
    }

    #[test]
    fn a_whole_holds_what_it_has_of_messages_facts_and_decision() {
        let whole = ticket(r#"{"a":1,"b":2}"#, r#"["x","y"]"#, "1", 5);
        assert!(contains(&whole, &ticket(r#"{"b": 2}"#, r#"["x"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket(r#"{"b":3}"#, r#"["x"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket("{}", r#"["y"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket("{}", r#"["x"]"#, "2", 4)));
    }

    #[test]
    fn what_covers_an_older_state_has_all_its_messages_and_facts() {
        let older = ticket(r#"{"a":1}"#, r#"["x","y"]"#, "1", 5);
        assert!(supersedes(&ticket(r#"{"a":2,"b":1}"#, r#"["y","x","z"]"#, "2", 6), &older));
        assert!(!supersedes(&ticket(r#"{"b":1}"#, r#"["x","y"]"#, "1", 6), &older), "a fact");
        assert!(!supersedes(&ticket(r#"{"a":1}"#, r#"["x","z"]"#, "1", 6), &older), "a message");
    }

    #[test]
    fn messages_that_somebody_moved_are_found_and_older_ones_of_the_same_words_are_not() {
        let base = ticket("{}", r#"["yes"]"#, "{}", 5);
        let sent = ticket("{}", r#"["yes","b","yes"]"#, "{}", 6);
        assert!(contains_additions(&ticket("{}", r#"["b","x","yes","yes"]"#, "{}", 7), &sent, Some(&base)));
        assert!(
            !contains_additions(&ticket("{}", r#"["b","x","yes"]"#, "{}", 7), &sent, Some(&base)),
            "it was said before"
        );
        assert!(!contains_additions(&base, &base, Some(&base)), "nothing is added");
    }

    #[test]
    fn what_two_states_share_is_their_past_whatever_its_order() {
        let ours = state(&ticket("{}", r#"["a","o",1,"x"]"#, "{}", 5)).expect("state");
        let theirs = state(&ticket("{}", r#"["a", 1, "t", "x"]"#, "{}", 5)).expect("state");
        let (base, ours) = infer_base(&ours, &theirs);
        assert_eq!((base.history.as_str(), ours.history.as_str()), (r#"["a",1,"x"]"#, r#"["a",1,"x","o"]"#));
    }
}
