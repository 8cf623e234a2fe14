//! The three-way merge of two states that came from one: pure, and bounded by the limits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::Error;
use crate::history;
use crate::patch::{self, Edit, New};
use crate::state::check;
use ticket_model::json::{self, Member};
use ticket_model::port::Settings;
use ticket_model::ticket::{Merged, Side, State};

/// Merges `ours` and `theirs`, which both came from `base`; `tickets.wit` has the rules.
///
/// # Errors
/// `Invalid` if a state is malformed, `TooLarge` if one or the result is over a limit.
pub fn merge(base: &State, ours: &State, theirs: &State, settings: &Settings) -> Result<Merged, Error> {
    for (name, state) in [("base", base), ("ours", ours), ("theirs", theirs)] {
        check(state, settings).map_err(|error| match error {
            Error::Corrupt(text) => Error::Invalid(format!("state `{name}`: {text}")),
            other => other,
        })?;
    }
    if ours.created_at != theirs.created_at {
        return Ok(Merged { state: theirs.clone(), branch: Some(Side::Ours) });
    }
    if theirs == base || theirs == ours {
        return Ok(Merged { state: ours.clone(), branch: None });
    }
    let Some(said) = ours_after(base, ours) else {
        let ours_later = ours.updated_at > theirs.updated_at;
        let (state, branch) = if ours_later { (ours, Side::Theirs) } else { (theirs, Side::Ours) };
        return Ok(Merged { state: state.clone(), branch: Some(branch) });
    };
    let ours_wins = ours.updated_at > theirs.updated_at;
    let (history, all_said) = append_new(&theirs.history, &said);
    let state = State {
        facts: facts(&base.facts, &ours.facts, &theirs.facts, ours_wins),
        history,
        last_decision: pick(&base.last_decision, &ours.last_decision, &theirs.last_decision, ours_wins).to_owned(),
        created_at: theirs.created_at,
        updated_at: ours.updated_at.max(theirs.updated_at),
    };
    check(&state, settings)?;
    Ok(Merged { state, branch: (!all_said).then_some(Side::Ours) })
}

/// What `ours` said after `base`; `None` if `ours` does not continue `base`, as after a rollback.
fn ours_after<'a>(base: &State, ours: &'a State) -> Option<Vec<&'a str>> {
    if ours.updated_at < base.updated_at {
        return None;
    }
    let before: Vec<_> = json::items(&base.history)?.collect();
    let mut after: Vec<_> = json::items(&ours.history)?.collect();
    let continues = after.len() >= before.len() && before.iter().zip(&after).all(|(one, other)| json::same(one, other));
    continues.then(|| after.split_off(before.len()))
}

/// Their history and our messages after it, and whether it has all of ours. A message with an id of theirs is not
/// added: where its content differs, theirs stays.
fn append_new(theirs: &str, said: &[&str]) -> (String, bool) {
    let items = json::items(theirs).into_iter().flatten();
    let known: BTreeMap<_, &str> = items.filter_map(|item| history::message_id(item).map(|id| (id, item))).collect();
    let mut merged = theirs.to_owned();
    let mut complete = true;
    for message in said {
        match history::message_id(message).and_then(|id| known.get(&id)) {
            None => history::push(&mut merged, message),
            Some(known) => complete &= json::same(known, message),
        }
    }
    (merged, complete)
}

/// Their facts with our changes since the base, key by key.
fn facts(base: &str, ours: &str, theirs: &str, ours_wins: bool) -> String {
    let part = |text| json::by_key(text).unwrap_or_default();
    let (before, ours, theirs_now) = (part(base), part(ours), part(theirs));
    let tokens: BTreeMap<&Cow<'_, [u8]>, &str> =
        before.iter().chain(&ours).map(|(key, member)| (key, member.key)).collect();
    let mut edits = Vec::new();
    for (key, token) in tokens {
        let (old, mine) = (before.get(key), ours.get(key));
        if changed(old, mine) && (ours_wins || !changed(old, theirs_now.get(key))) {
            edits.push(Edit { key: token, new: mine.map_or(New::Nothing, |member| New::Value(member.value)) });
        }
    }
    patch::edit(theirs, &edits)
}

fn changed(old: Option<&Member<'_>>, new: Option<&Member<'_>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => !json::same(old.value, new.value),
        (old, new) => old.is_some() != new.is_some(),
    }
}

/// The text that changed since the base; where both did, the winner's.
fn pick<'a>(base: &str, ours: &'a str, theirs: &'a str, ours_wins: bool) -> &'a str {
    let (ours_changed, theirs_changed) = (!json::same(base, ours), !json::same(base, theirs));
    if ours_changed && (ours_wins || !theirs_changed) { ours } else { theirs }
}

#[cfg(test)]
mod tests;
