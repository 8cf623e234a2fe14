//! What a merge makes of two states that came from one.

use super::*;

const SETTINGS: Settings =
    Settings { ttl_ms: 1_800_000, message_bytes_max: 1_000, ticket_bytes_max: 1_000, history_entries_max: 10 };

fn state(facts: &str, history: &str, last_decision: &str, updated_at: u64) -> State {
    State {
        facts: facts.into(),
        history: history.into(),
        last_decision: last_decision.into(),
        created_at: 1,
        updated_at,
    }
}

fn base() -> State {
    state(r#"{"a":1,"b":1.0}"#, r#"["x"]"#, r#"{"d":0}"#, 10)
}

fn merged(ours: &State, theirs: &State) -> Merged {
    merge(&base(), ours, theirs, &SETTINGS).unwrap()
}

#[test]
fn two_sides_that_did_the_same_leave_no_conflict_copy() {
    let trimmed = state("{}", r#"["b"]"#, "{}", 20);
    let merged = merge(&state("{}", r#"["a","b"]"#, "{}", 10), &trimmed, &trimmed, &SETTINGS).unwrap();
    assert_eq!((merged.state, merged.branch), (trimmed, None));
}

#[test]
fn one_changed_side_is_taken_whole() {
    let changed = state(r#"{"a":2}"#, r#"["x","y"]"#, "1", 11);
    assert_eq!(merged(&changed, &base()), Merged { state: changed.clone(), branch: None });
    assert_eq!(merged(&base(), &changed), Merged { state: changed, branch: None });
}

#[test]
fn histories_are_theirs_then_ours_and_ids_once() {
    let ours = state(r#"{"a":1,"b":1.0}"#, r#"["x","o1",{"id":"m"},"o2"]"#, r#"{"d":0}"#, 12);
    let theirs = state(r#"{"a":1,"b":1.0}"#, r#"["x", {"id": "m"}, "t1"]"#, r#"{"d":0}"#, 13);
    let result = merged(&ours, &theirs);
    assert_eq!(result.state.history, r#"["x", {"id": "m"}, "t1","o1","o2"]"#);
    assert_eq!((result.state.updated_at, result.branch), (13, None));
}

#[test]
fn a_message_id_with_two_contents_makes_ours_a_branch() {
    let ours = state(r#"{"a":1,"b":1.0}"#, r#"["x",{"id":"m","v":1},"o"]"#, r#"{"d":0}"#, 12);
    let theirs = state(r#"{"a":1,"b":1.0}"#, r#"["x",{"id":"m","v":2}]"#, r#"{"d":0}"#, 11);
    let result = merged(&ours, &theirs);
    assert_eq!(result.state.history, r#"["x",{"id":"m","v":2},"o"]"#);
    assert_eq!(result.branch, Some(Side::Ours));
}

#[test]
fn facts_merge_by_key_and_the_later_wins_where_both_changed() {
    let ours = state(r#"{"a":2,"b":1.0,"o":{"x": 1}}"#, r#"["x"]"#, r#"{"d":0}"#, 12);
    let theirs = state(r#"{ "a":3, "t":null}"#, r#"["x"]"#, r#"{"d":0}"#, 11);
    assert_eq!(merged(&ours, &theirs).state.facts, r#"{ "a":2, "t":null,"o":{"x": 1}}"#);
    let tie = State { updated_at: 12, ..theirs };
    assert_eq!(merged(&ours, &tie).state.facts, r#"{ "a":3, "t":null,"o":{"x": 1}}"#);
    let removed_here = state("{}", r#"["x"]"#, r#"{"d":0}"#, 12);
    let changed_there = state(r#"{"a":1,"b":9}"#, r#"["x"]"#, r#"{"d":0}"#, 13);
    assert_eq!(merged(&removed_here, &changed_there).state.facts, r#"{"b":9}"#);
}

#[test]
fn a_decision_is_of_the_changed_side_or_the_later_one() {
    let decided = |decision: &str, updated_at| state(r#"{"a":1,"b":1.0}"#, r#"["x"]"#, decision, updated_at);
    assert_eq!(merged(&decided("1", 11), &decided(r#"{"d":0}"#, 99)).state.last_decision, "1");
    assert_eq!(merged(&decided("1", 12), &decided("2", 11)).state.last_decision, "1");
    assert_eq!(merged(&decided("1", 11), &decided("2", 11)).state.last_decision, "2");
}

#[test]
fn a_rollback_is_never_mixed() {
    let changed = state(r#"{"a":2}"#, r#"["x","t"]"#, "1", 20);
    for rolled_back in [state("{}", "[]", "{}", 15), state(r#"{"a":1}"#, r#"["x"]"#, "0", 5)] {
        assert_eq!(merged(&rolled_back, &base()).state, rolled_back, "theirs unchanged: ours whole");
        let result = merged(&rolled_back, &changed);
        assert_eq!((result.state, result.branch), (changed.clone(), Some(Side::Ours)));
    }
    let late = state("{}", "[]", "{}", 30);
    let result = merged(&late, &changed);
    assert_eq!((result.state, result.branch), (late, Some(Side::Theirs)));
}

#[test]
fn two_incarnations_are_never_merged() {
    let other_incarnation = State { created_at: 2, ..base() };
    let result = merged(&base(), &other_incarnation);
    assert_eq!((result.state, result.branch), (other_incarnation, Some(Side::Ours)));
}

#[test]
fn a_merge_is_bounded_and_takes_only_states() {
    let full: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let theirs = state("{}", &format!("[{}]", full.join(",")), "{}", 11);
    let ours = state("{}", r#"["x","y"]"#, "{}", 11);
    assert!(matches!(merge(&base(), &ours, &theirs, &SETTINGS), Err(Error::TooLarge(_))));
    let broken = State { history: "[".into(), ..base() };
    assert!(matches!(merge(&base(), &broken, &theirs, &SETTINGS), Err(Error::Invalid(_))));
}
