//! E27: the merge of two states that came from one.

use std::sync::Arc;

use crate::interposed::Refusing;
use crate::{ErrorKind, Fixture};
use ticket_host::{Side, State};
use ticket_store::Kind;

use super::refusal;
use crate::promise::promises;

promises![e27_merge_is_three_way_and_asks_no_store];

fn state(facts: &str, history: &str, last_decision: &str, updated_at: u64) -> State {
    let (facts, history, last_decision) = (facts.into(), history.into(), last_decision.into());
    State { facts, history, last_decision, created_at: 10, updated_at }
}

async fn e27_merge_is_three_way_and_asks_no_store(fixture: Fixture) {
    // A store that refuses everything: nobody asks it.
    let tickets = fixture.tickets_over(Arc::new(Refusing(Kind::Unavailable)));
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
    assert_eq!(later.state.last_decision, "1", "the later one");
    let tie = tickets.merge(&base, &State { updated_at: 40, ..ours.clone() }, &theirs).await.expect("merged");
    assert_eq!(tie.state.last_decision, "2", "a tie is theirs");

    let other_life = State { created_at: 11, ..theirs.clone() };
    let merged = tickets.merge(&base, &ours, &other_life).await.expect("merged");
    assert_eq!((merged.state, merged.branch), (other_life, Some(Side::Ours)));
    let rolled_back = state("{}", "[]", "{}", 15);
    let merged = tickets.merge(&base, &rolled_back, &base).await.expect("merged");
    assert_eq!((&merged.state, merged.branch), (&rolled_back, None), "a rollback is taken whole");
    let merged = tickets.merge(&base, &rolled_back, &theirs).await.expect("merged");
    assert_eq!((&merged.state, merged.branch), (&theirs, Some(Side::Ours)), "nothing is mixed into a rollback");
    for bad in [state("[]", "[]", "{}", 1), state("{}", "{}", "{}", 1), state("{}", "[]", "NaN", 1)] {
        assert_eq!(refusal(tickets.merge(&bad, &ours, &theirs).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.merge(&base, &bad, &theirs).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.merge(&base, &ours, &bad).await), ErrorKind::Invalid);
    }
}
