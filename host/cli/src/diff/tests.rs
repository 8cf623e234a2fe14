//! A patch makes the one state of the other.

use proptest::prelude::*;
use serde_json::{Value, json};
use ticket_host::{Effect, ServedBy};

use super::*;

fn ticket(facts: &str, history: &str, last_decision: &str) -> Ticket {
    Ticket {
        id: "t".into(),
        facts: facts.into(),
        history: history.into(),
        last_decision: last_decision.into(),
        created_at: 1,
        updated_at: 1,
        version: 1,
        revision: "r".into(),
        expires_at_ms: 1,
        served_by: ServedBy::Store,
        effect: Effect::default(),
    }
}

fn value(ticket: &Ticket) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    json!({
        "facts": parsed(&ticket.facts),
        "history": parsed(&ticket.history),
        "last_decision": parsed(&ticket.last_decision),
    })
}

fn patch(before: &Ticket, after: &Ticket) -> String {
    serde_json::to_string(&operations(before, after).expect("operations")).expect("JSON")
}

#[test]
fn a_patch_names_what_differs_with_values_as_stored() {
    let before = ticket(r#"{"a": 1.0, "gone": 1, "s/l~": "\u0041"}"#, r#"["one", "two"]"#, "{}");
    let after = ticket(r#"{"s/l~": "A", "a": 1.50, "big": 123456789012345678901}"#, r#"["one", "three"]"#, "[1]");
    let expected = concat!(
        r#"[{"op":"remove","path":"/facts/gone"},{"op":"replace","path":"/facts/a","value":1.50},"#,
        r#"{"op":"add","path":"/facts/big","value":123456789012345678901},"#,
        r#"{"op":"remove","path":"/history/1"},{"op":"add","path":"/history/1","value":"three"},"#,
        r#"{"op":"replace","path":"/last_decision","value":[1]}]"#
    );
    assert_eq!(patch(&before, &after), expected);
    assert_eq!(patch(&before, &before), "[]");
    assert_eq!(
        patch(&ticket("{}", "[1,2,3]", "{}"), &ticket("{}", "[2,3]", "{}")),
        r#"[{"op":"remove","path":"/history/0"}]"#
    );
}

proptest! {
    #[test]
    fn a_patch_makes_one_state_of_another(
        facts in prop::array::uniform2(prop::collection::btree_map("[a~/]{0,2}", 0..3_u8, 0..4)),
        histories in prop::array::uniform2(prop::collection::vec(0..3_u8, 0..6)),
        decisions in prop::array::uniform2(0..2_u8),
    ) {
        let text = |value: &dyn Fn(usize) -> Value, side: usize| serde_json::to_string(&value(side)).expect("JSON");
        let [before, after] = [0, 1].map(|side| {
            ticket(
                &text(&|side| json!(facts[side]), side),
                &text(&|side| json!(histories[side]), side),
                &text(&|side| json!(decisions[side]), side),
            )
        });
        let patch: json_patch::Patch = serde_json::from_str(&patch(&before, &after)).expect("a patch");
        let mut patched = value(&before);
        json_patch::patch(&mut patched, &patch).expect("applies");
        prop_assert_eq!(patched, value(&after));
    }
}
