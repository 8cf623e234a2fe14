//! E27: the merge of two states with a common base.

use std::sync::Arc;

use ticket_host::{Side, State};
use ticket_store::Kind;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::interposed::Interposed;
use crate::promise::promises;
use crate::promises::engine::steps::refusal;

promises![e27_merge_is_three_way_and_calls_no_store];

fn state(facts: &str, history: &str, last_decision: &str, updated_at: u64) -> State {
    let (facts, history, last_decision) = (facts.into(), history.into(), last_decision.into());
    State { facts, history, last_decision, created_at: 10, updated_at }
}

async fn e27_merge_is_three_way_and_calls_no_store(fixture: Fixture) {
    // The store refuses every call, so a merge that calls it fails.
    let store = Interposed::refusing(fixture.store.clone(), Kind::Unavailable);
    let tickets = fixture.tickets_over(Arc::new(store));
    let base = state("{\"k\":1.0,\"o\":1,\"t\":1,\"both\":1}", "[\"a\"]", "0", 20);
    let ours = state("{\"k\":1.0,\"o\":2,\"t\":1,\"both\":2,\"new\":{}}", "[\"a\",\"b\",{\"id\":\"m\"}]", "1", 30);
    let theirs = state("{\"k\":1.0,\"o\":1,\"t\":3,\"both\":3}", "[\"a\",{\"id\":\"m\"},\"c\"]", "2", 40);
    let merged = tickets.merge(&base, &ours, &theirs).await.expect("merged");
    assert_eq!(merged.state.history, "[\"a\",{\"id\":\"m\"},\"c\",\"b\"]");
    let facts: serde_json::Value = serde_json::from_str(&merged.state.facts).expect("facts");
    assert_eq!(facts, serde_json::json!({"k": 1.0, "o": 2, "t": 3, "both": 3, "new": {}}));
    assert!(merged.state.facts.contains("\"k\":1.0"), "{}", merged.state.facts);
    assert_eq!((merged.state.last_decision.as_str(), merged.branch), ("2", None));
    assert_eq!((merged.state.created_at, merged.state.updated_at), (10, 40));

    for (ours, theirs, expected) in [(&base, &theirs, &theirs), (&ours, &base, &ours), (&base, &base, &base)] {
        let merged = tickets.merge(&base, ours, theirs).await.expect("merged");
        assert_eq!((&merged.state, merged.branch), (expected, None));
    }
    let later = tickets.merge(&base, &State { updated_at: 50, ..ours.clone() }, &theirs).await.expect("merged");
    assert_eq!(later.state.last_decision, "1", "the later decision");
    let tie = tickets.merge(&base, &State { updated_at: 40, ..ours.clone() }, &theirs).await.expect("merged");
    assert_eq!(tie.state.last_decision, "2", "on a tie theirs");

    let other_incarnation = State { created_at: 11, ..theirs.clone() };
    let merged = tickets.merge(&base, &ours, &other_incarnation).await.expect("merged");
    assert_eq!((merged.state, merged.branch), (other_incarnation, Some(Side::Ours)));
    let rolled_back = state("{}", "[]", "{}", 15);
    let merged = tickets.merge(&base, &rolled_back, &base).await.expect("merged");
    assert_eq!((&merged.state, merged.branch), (&rolled_back, None), "a rollback is taken completely");
    let merged = tickets.merge(&base, &rolled_back, &theirs).await.expect("merged");
    assert_eq!(
        (&merged.state, merged.branch),
        (&theirs, Some(Side::Ours)),
        "a rollback is not mixed with other changes"
    );
    for bad in [state("[]", "[]", "{}", 1), state("{}", "{}", "{}", 1), state("{}", "[]", "NaN", 1)] {
        assert_eq!(refusal(tickets.merge(&bad, &ours, &theirs).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.merge(&base, &bad, &theirs).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.merge(&base, &ours, &bad).await), ErrorKind::Invalid);
    }
}
