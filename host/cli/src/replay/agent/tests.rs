//! What stays on a ticket when calls fail.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use ticket_transcripts::{Documents, Reading, read};

use super::*;

async fn tickets() -> Tickets {
    Tickets::builder("memory:").open().await.expect("memory")
}

/// Facts, history and last decision after these steps.
async fn after(tickets: &Tickets, steps: &[Step]) -> [String; 3] {
    let id = tickets.create(None, &[]).await.expect("created").id;
    Agent::run(tickets, &id, steps).await.expect("steps");
    let ticket = tickets.get(&id).await.expect("read");
    [ticket.facts, ticket.history, ticket.last_decision]
}

/// The same of a conversation with these messages.
async fn after_messages(tickets: &Tickets, messages: &str) -> [String; 3] {
    let text = format!("{{\"id\":\"a\",\"messages\":[{messages}]}}");
    let text = Documents::new(text.as_bytes()).read_next().expect("JSON").expect("a document");
    let conversation = read(&text.conversations().expect("one")[0], &Reading::default()).expect("a conversation");
    after(tickets, &conversation.steps).await
}

fn turn(calls: &[&str]) -> String {
    let call = |id: &&str| format!(r#"{{"id":"{id}","function":{{"name":"{id}","arguments":"{{}}"}}}}"#);
    let calls: Vec<String> = calls.iter().map(call).collect();
    format!(r#"{{"role":"assistant","tool_calls":[{}]}}"#, calls.join(","))
}

fn result(id: &str, content: &str) -> String {
    format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"{content}"}}"#)
}

#[tokio::test]
async fn a_failed_call_leaves_what_others_did() {
    const HI: &str = r#"{"role":"user","content":"hi"}"#;
    const WELL: &str = r#"{"role":"user","content":"well?"}"#;
    let tickets = tickets().await;
    let (look, pay) = (result("look", "1"), result("pay", "Error: boom"));
    let (two, three) = (turn(&["look", "pay"]), turn(&["pay", "look", "ask"]));
    let decided = |tool: &str| format!(r#"{{"tool":"{tool}","arguments":{{}}}}"#);
    let (facts, hi, both) = (r#"{"look":1}"#, r#"["hi"]"#, r#"["hi","well?"]"#);
    for (messages, expected) in [
        (vec![HI, &two, &look, &pay], [facts, hi, &decided("look")]),
        (vec![HI, &two, &pay, &look], [facts, hi, &decided("look")]),
        (vec![HI, &turn(&["pay", "look"]), &pay, &look], [facts, hi, &decided("look")]),
        (vec![HI, &three, &look, &result("ask", "2"), &pay], [r#"{"look":1,"ask":2}"#, hi, &decided("ask")]),
        (vec![HI, &two, WELL, &look, &pay], [facts, both, &decided("look")]),
        (vec![HI, &two, &look, WELL, &pay], [facts, both, &decided("look")]),
        // A call that never gets a result stays decided.
        (vec![HI, &three, &pay, &look], [facts, hi, &decided("ask")]),
        (vec![HI, &two, &pay, &result("look", "error")], ["{}", hi, "{}"]),
        // It fails after it answered.
        (vec![HI, &two, &result("pay", "7"), &look, &pay], [facts, hi, &decided("look")]),
        // It answers after it failed.
        (vec![HI, &two, &pay, &look, &result("pay", "7")], [r#"{"look":1,"pay":7}"#, hi, &decided("look")]),
        // A later turn fails after an earlier one.
        (vec![HI, &turn(&["pay"]), &turn(&["look"]), &pay, &result("look", "error")], ["{}", hi, "{}"]),
    ] {
        assert_eq!(after_messages(&tickets, &messages.join(",")).await, expected, "{messages:?}");
    }
}

/// Steps with up to three calls a turn; a call answers or fails at any time after its turn.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 0..24).prop_map(|picks| {
        let mut steps: Vec<Step> = Vec::new();
        let mut calls: Vec<Call> = Vec::new();
        for (place, (kind, index)) in picks.into_iter().enumerate() {
            match kind {
                0 => steps.push(Step::Say(format!("\"{place}\""))),
                1 => {
                    let count = index.index(3) + 1;
                    calls.extend((0..count).map(|decision| Call { turn: steps.len(), decision }));
                    steps.push(Step::Decide((0..count).map(|decision| format!("[{place},{decision}]")).collect()));
                }
                _ if calls.is_empty() => {}
                2 => {
                    let name = format!("tool-{}", index.index(3));
                    let patches = [format!("{{\"{name}\":null}}"), format!("{{\"{name}\":{place}}}")];
                    steps.push(Step::Learn(patches, Some(calls[index.index(calls.len())])));
                }
                _ => steps.push(Step::Undo(calls.remove(index.index(calls.len())))),
            }
        }
        steps
    })
}

#[test]
fn a_ticket_ends_as_if_failed_calls_had_never_been_made() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tickets = runtime.block_on(tickets());
    let done = TestRunner::default().run(&steps(), |steps| {
        let failed = |call: &Call, place: usize| {
            steps.iter().skip(place).any(|step| matches!(step, Step::Undo(undone) if undone == call))
        };
        // The same steps without what failed calls did.
        let lasting = steps.iter().enumerate().filter_map(|(place, step)| match step {
            Step::Say(said) => Some(Step::Say(said.clone())),
            Step::Decide(decisions) => {
                let lasting = decisions.iter().enumerate();
                let lasting =
                    lasting.filter(|(decision, _)| !failed(&Call { turn: place, decision: *decision }, place));
                Some(Step::Decide(lasting.map(|(_, decision)| decision.clone()).collect()))
            }
            Step::Learn(patches, call) => {
                let lasts = call.is_none_or(|call| !failed(&call, place));
                lasts.then(|| Step::Learn(patches.clone(), None))
            }
            Step::Undo(_) => None,
        });
        let lasting: Vec<Step> = lasting.collect();
        let (ends, expected) =
            runtime.block_on(async { (after(&tickets, &steps).await, after(&tickets, &lasting).await) });
        prop_assert_eq!(ends, expected);
        Ok(())
    });
    done.expect("the same end");
}
