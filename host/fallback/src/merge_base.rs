//! What one state of a ticket says about another: whether it descends from it, contains it, or where both began to
//! differ. Pure.
//!
//! Messages and facts are compared as JSON (`ticket_model::json`), never by their spelling, and numbers never by what a
//! machine rounds them to.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::record::{field, incarnation, same_content};
use ticket_model::field::{ALL, CREATED_AT, FACTS, HISTORY, LAST_DECISION, SCHEMA_VERSION_TEXT, UPDATED_AT, VERSION};
use ticket_model::json::{self, Canonical};
use ticket_model::ticket::State;
use ticket_store::{Entry, Fields};

/// The mergeable part of an entry; none if it is not a ticket of the present schema.
pub(super) fn state(entry: &Entry) -> Option<State> {
    let is_present = |name: &&str| entry.fields.iter().any(|(field, _)| field == name);
    if entry.fields.len() != ALL.len() || !ALL.iter().all(is_present) || field(entry, VERSION) != SCHEMA_VERSION_TEXT {
        return None;
    }
    let text = |name| field(entry, name).to_owned();
    Some(State {
        facts: text(FACTS),
        history: text(HISTORY),
        last_decision: text(LAST_DECISION),
        created_at: field(entry, CREATED_AT).parse().ok()?,
        updated_at: field(entry, UPDATED_AT).parse().ok()?,
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
        SCHEMA_VERSION_TEXT.to_owned(),
    ];
    Entry::new(ALL.map(str::to_owned).into_iter().zip(texts).collect::<Fields>(), expires_at_ms)
}

/// Whether `later` can be seen to descend from `write`, a write from `base` that may have been applied: the messages that
/// it added stand where it put them.
pub(super) fn descends_from(later: &Entry, write: &Entry, base: Option<&Entry>) -> bool {
    if same_content(later, write) {
        return true;
    }
    if incarnation(later) != incarnation(write) {
        return false;
    }
    let (written, before) = (messages(write), base.map(messages).unwrap_or_default());
    // Without a base the ticket was created here; another client with the same id and second counts as this host.
    let has_added = base.is_none() || written.len() > before.len();
    has_added && begins_with(&messages(later), &written)
}

/// A state with the history of another.
pub(super) fn with_history(entry: &Entry, other: &Entry) -> Entry {
    let fields = entry.fields.iter().map(|(name, text)| match name.as_str() {
        HISTORY => (name.clone(), field(other, HISTORY).to_owned()),
        _ => (name.clone(), text.clone()),
    });
    Entry::new(fields.collect::<Fields>(), entry.expires_at_ms)
}

/// Whether everything in `part` is in `whole` too: the messages in their order, the facts with their values, the
/// decision.
pub(super) fn contains(whole: &Entry, part: &Entry) -> bool {
    let has_facts = match (facts(whole), facts(part)) {
        (Some(whole), Some(part)) => {
            part.iter().all(|(key, fact)| whole.get(key).is_some_and(|known| json::same(known, fact)))
        }
        _ => field(whole, FACTS) == field(part, FACTS),
    };
    has_facts
        && begins_with(&messages(whole), &messages(part))
        && same(field(whole, LAST_DECISION), field(part, LAST_DECISION))
}

/// Whether `whole` can replace `part`, an older state, and nothing that was said or learnt is lost: it has every message,
/// in any order, and a value for every fact.
pub(super) fn supersedes(whole: &Entry, part: &Entry) -> bool {
    let has_facts = match (facts(whole), facts(part)) {
        (Some(whole), Some(part)) => part.keys().all(|key| whole.contains_key(key)),
        _ => field(whole, FACTS) == field(part, FACTS),
    };
    has_facts && has_messages(whole, part)
}

/// Whether `whole` has every message of `part`, in any order.
pub(super) fn has_messages(whole: &Entry, part: &Entry) -> bool {
    let mut others = Multiset::of(&messages(whole));
    messages(part).into_iter().all(|message| others.take(message))
}

/// Whether the messages that `write` adds to `base` are all in `theirs` too, in any order: it was applied, and another host
/// has moved them since.
pub(super) fn contains_additions(theirs: &Entry, write: &Entry, base: Option<&Entry>) -> bool {
    let before = base.map(messages).unwrap_or_default();
    let (mut others, mut known) = (Multiset::of(&messages(theirs)), Multiset::of(&before));
    for message in &before {
        others.take(message);
    }
    let added: Vec<&str> = messages(write).into_iter().filter(|message| !known.take(message)).collect();
    !added.is_empty() && added.into_iter().all(|message| others.take(message))
}

/// The base of two states that both descend from `base`, moved forward: messages that both have right after it, as by a
/// rollback to the same snapshot, belong to it.
pub(super) fn with_common_prefix(base: State, ours: &State, theirs: &State) -> State {
    let (before, mine, others) = (items(&base.history), items(&ours.history), items(&theirs.history));
    let common = mine.iter().zip(&others).take_while(|(one, other)| json::same(one, other)).count();
    if common <= before.len() || !begins_with(&mine, &before) {
        return base;
    }
    State { history: array(mine.iter().take(common)), ..base }
}

/// A base and ours, given an own write from that base that was not found after it. Messages of that write that `theirs`
/// has now did arrive, and came back by another host: they move into the base, so that they count once.
pub(super) fn with_unconfirmed(base: State, ours: State, theirs: &State, unconfirmed: &Entry) -> (State, State) {
    let (before, mine) = (items(&base.history), items(&ours.history));
    if !begins_with(&mine, &before) {
        return (base, ours);
    }
    let (mut gained, mut write) = (Multiset::of(&items(&theirs.history)), Multiset::of(&messages(unconfirmed)));
    for message in &before {
        gained.take(message);
        write.take(message);
    }
    let (arrived, added): (Vec<&str>, Vec<&str>) =
        mine.iter().copied().skip(before.len()).partition(|message| write.take(message) && gained.take(message));
    let shared = array(before.iter().chain(&arrived));
    let history = array(before.iter().chain(&arrived).chain(&added));
    (State { history: shared, ..base }, State { history, ..ours })
}

/// A base for two states of one incarnation whose common past is not known, and ours as it descends from that base. What
/// both have is the past, in any order; a message that both have said is one. If theirs is later, what ours has before
/// the first message of that past was trimmed there, and does not come back.
pub(super) fn infer_base(ours: &State, theirs: &State, is_theirs_later: bool) -> (State, State) {
    let mut others = Multiset::of(&items(&theirs.history));
    let mine: Vec<(bool, &str)> =
        items(&ours.history).into_iter().map(|message| (others.take(message), message)).collect();
    let first_common = mine.iter().position(|(is_common, _)| *is_common).unwrap_or_default();
    let trimmed = if is_theirs_later { first_common } else { 0 };
    let (common, added): (Vec<_>, Vec<_>) = mine.into_iter().skip(trimmed).partition(|(is_common, _)| *is_common);
    let [common, added] = [common, added].map(|part| part.into_iter().map(|(_, message)| message).collect::<Vec<_>>());
    let base = State {
        facts: "{}".into(),
        history: array(&common),
        last_decision: "{}".into(),
        created_at: ours.created_at,
        updated_at: ours.updated_at.min(theirs.updated_at),
    };
    (base, State { history: array(common.iter().chain(&added)), ..ours.clone() })
}

/// Whether one state was made after another, as far as its deadline or the time of its last change tell.
pub(super) fn is_later(one: &Entry, other: &Entry) -> bool {
    let updated_at = |entry| field(entry, UPDATED_AT).parse::<u64>().ok();
    one.expires_at_ms > other.expires_at_ms || updated_at(one) > updated_at(other)
}

/// The facts by key; none if they are not an object.
fn facts(entry: &Entry) -> Option<BTreeMap<Cow<'_, [u8]>, &str>> {
    let facts = json::by_key(valid(field(entry, FACTS))?)?;
    Some(facts.into_iter().map(|(key, fact)| (key, fact.value)).collect())
}

fn messages(entry: &Entry) -> Vec<&str> {
    items(field(entry, HISTORY))
}

/// The items of an array; none of anything else.
fn items(history: &str) -> Vec<&str> {
    valid(history).and_then(json::items).map(Iterator::collect).unwrap_or_default()
}

/// Whether two texts are the same JSON, or the same text that is not JSON.
fn same(one: &str, other: &str) -> bool {
    one == other || (valid(one).is_some() && valid(other).is_some() && json::same(one, other))
}

/// A text if it is JSON.
fn valid(text: &str) -> Option<&str> {
    json::check(text).is_ok().then_some(text)
}

fn array<'a>(items: impl IntoIterator<Item = &'a &'a str>) -> String {
    let items: Vec<&str> = items.into_iter().copied().collect();
    format!("[{}]", items.join(","))
}

fn begins_with(whole: &[&str], part: &[&str]) -> bool {
    whole.len() >= part.len() && part.iter().zip(whole).all(|(one, other)| json::same(one, other))
}

/// Messages in no order, each as often as it occurs.
struct Multiset(HashMap<Canonical, usize>);

impl Multiset {
    fn of(items: &[&str]) -> Self {
        let mut counts = HashMap::with_capacity(items.len());
        for item in items {
            *counts.entry(Canonical::of(item)).or_default() += 1;
        }
        Self(counts)
    }

    /// Takes one out; whether it was there.
    fn take(&mut self, item: &str) -> bool {
        match self.0.get_mut(&Canonical::of(item)) {
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

    fn with_facts(facts: &str) -> Entry {
        ticket(facts, "[]", "{}", 5)
    }

    fn with_messages(history: &str) -> Entry {
        ticket("{}", history, "{}", 5)
    }

    #[test]
    fn a_state_becomes_an_entry_and_back() {
        let mut theirs = ticket(r#"{"a":1}"#, "[]", "{}", 5);
        assert_eq!(entry(&state(&theirs).expect("state"), 5), theirs);
        Arc::make_mut(&mut theirs.fields).push(("seventh".into(), String::new()));
        assert_eq!(state(&theirs), None, "it has a field that no ticket has");
    }

    #[test]
    fn a_state_descends_from_a_write_whose_messages_it_shows() {
        let base = with_messages(r#"["a"]"#);
        let write = with_messages(r#"["a","b"]"#);
        let later = with_messages(r#"["a", "b", "c"]"#);
        assert!(descends_from(&later, &write, Some(&base)));
        assert!(!descends_from(&with_messages(r#"["a","c"]"#), &write, Some(&base)));
        let decided = ticket("{}", r#"["a"]"#, "1", 6);
        assert!(!descends_from(&later, &decided, Some(&base)), "it added no message to be seen");
        assert!(descends_from(&later, &with_messages("[]"), None), "created here");
    }

    #[test]
    fn a_whole_contains_its_messages_facts_and_decision() {
        let whole = ticket(r#"{"a":1,"b":2}"#, r#"["x","y"]"#, "1", 5);
        assert!(contains(&whole, &ticket(r#"{"b": 2}"#, r#"["x"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket(r#"{"b":3}"#, r#"["x"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket("{}", r#"["y"]"#, "1", 4)));
        assert!(!contains(&whole, &ticket("{}", r#"["x"]"#, "2", 4)));
        let decided = |decision| ticket("{}", "[]", decision, 5);
        assert!(contains(&decided(r#"{"a":1,"b":"\u0078"}"#), &decided(r#"{"b": "x", "a": 1}"#)));
        assert!(!contains(&decided("123456789012345678901"), &decided("123456789012345678902")));
    }

    #[test]
    fn facts_with_long_numbers_that_differ_are_two_facts() {
        let (one, other) = (r#"{"n":123456789012345678901}"#, r#"{"n":123456789012345678902}"#);
        assert!(contains(&with_facts(one), &with_facts(one)));
        assert!(!contains(&with_facts(one), &with_facts(other)));
        let nested = |n: &str| with_facts(&format!(r#"{{"a":[{{"n":{n}}}]}}"#));
        assert!(!contains(&nested("1e400"), &nested("2e400")));
    }

    #[test]
    fn facts_with_spellings_of_one_text_are_one_fact() {
        let spellings = [(r#"{"a":"\ud800"}"#, r#"{ "a": "\uD800" }"#), (r#"{"\ud800":1}"#, r#"{"\uD800": 1}"#)];
        for (one, other) in spellings {
            assert!(contains(&with_facts(one), &with_facts(other)), "{one} {other}");
            assert!(supersedes(&with_facts(one), &with_facts(other)), "{one} {other}");
        }
    }

    #[test]
    fn messages_with_spellings_of_one_text_are_one_message() {
        let (one, other) = (with_messages(r#"["\ud800"]"#), with_messages(r#"[ "\uD800" ]"#));
        assert!(contains(&one, &other) && supersedes(&one, &other));
        let [ours, theirs] = [r#"["\ud800","o"]"#, r#"["\uD800","t"]"#].map(|text| state(&with_messages(text)));
        let (base, _) = infer_base(&ours.expect("ours"), &theirs.expect("theirs"), true);
        assert_eq!(base.history, r#"["\ud800"]"#);
    }

    #[test]
    fn a_superseding_state_has_all_messages_and_facts() {
        let older = ticket(r#"{"a":1}"#, r#"["x","y"]"#, "1", 5);
        assert!(supersedes(&ticket(r#"{"a":2,"b":1}"#, r#"["y","x","z"]"#, "2", 6), &older));
        assert!(!supersedes(&ticket(r#"{"b":1}"#, r#"["x","y"]"#, "1", 6), &older), "a fact is missing");
        assert!(!supersedes(&ticket(r#"{"a":1}"#, r#"["x","z"]"#, "1", 6), &older), "a message is missing");
    }

    #[test]
    fn moved_messages_are_found_and_older_equal_ones_are_not() {
        let base = with_messages(r#"["yes"]"#);
        let write = with_messages(r#"["yes","b","yes"]"#);
        assert!(contains_additions(&with_messages(r#"["b","x","yes","yes"]"#), &write, Some(&base)));
        assert!(!contains_additions(&with_messages(r#"["b","x","yes"]"#), &write, Some(&base)), "it was said before");
        assert!(!contains_additions(&base, &base, Some(&base)), "nothing is added");
    }

    #[test]
    fn the_inferred_base_is_what_both_have_in_any_order() {
        let ours = state(&with_messages(r#"["a","o",1,"x"]"#)).expect("state");
        let theirs = state(&with_messages(r#"["a", 1, "t", "x"]"#)).expect("state");
        let (base, ours) = infer_base(&ours, &theirs, true);
        assert_eq!((base.history.as_str(), ours.history.as_str()), (r#"["a",1,"x"]"#, r#"["a",1,"x","o"]"#));
    }

    #[test]
    fn what_a_later_state_has_trimmed_is_not_in_ours() {
        let inferred = |theirs, is_theirs_later| {
            let [ours, theirs] = [r#"["a","b","o"]"#, theirs].map(|text| state(&with_messages(text)).expect("state"));
            infer_base(&ours, &theirs, is_theirs_later).1.history
        };
        assert_eq!(inferred(r#"["b","t"]"#, true), r#"["b","o"]"#);
        assert_eq!(inferred(r#"["b","t"]"#, false), r#"["b","a","o"]"#, "ours is later");
        assert_eq!(inferred(r#"["t"]"#, true), r#"["a","b","o"]"#, "nothing shows that it was trimmed");
        assert_eq!(inferred(r#"["a","t"]"#, true), r#"["a","b","o"]"#, "it may have been lost");
    }
}
