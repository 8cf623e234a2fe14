//! A conversation is replayed as a whole or not at all.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use ticket_host::Change;

use super::*;

/// Longer than a message may be.
const TOO_LONG: usize = 70_000;

/// Replays a text on these tickets.
async fn replay(tickets: &Tickets, text: &str, replace: bool) -> Result<Total, Failure> {
    let options = Options { reading: Reading::default(), replace, strict: false };
    let output = Output::new(Some(Format::Table));
    let bar = ProgressBar::hidden();
    let (rows, total, notes) = (vec![], Total::default(), Notes::default());
    let mut replay = Replay { tickets, options, output: &output, bar: &bar, rows, total, notes };
    replay.documents(Documents::new(text.as_bytes())).await?;
    Ok(replay.total)
}

/// A message of the user, of which `length` characters are said.
fn said(length: usize) -> String {
    format!(r#"{{"role":"user","content":"{}"}}"#, "x".repeat(length))
}

#[tokio::test]
async fn a_conversation_that_fails_leaves_what_was_there() {
    let tickets = Tickets::builder("memory:").open().await.expect("memory");
    let text = format!(r#"{{"id":"a","messages":[{},{}]}}"#, said(3), said(TOO_LONG));
    let error = replay(&tickets, &text, false).await.map(drop).expect_err("too long");
    assert!(matches!(error, Failure::Replay { source: Error::TooLarge(_), .. }), "{error}");
    assert!(matches!(tickets.get("a").await, Err(Error::NotFound(_))));
    let before = tickets.create(Some("a"), &[Change::say("before")]).await.expect("created");
    replay(&tickets, &text, true).await.map(drop).expect_err("too long");
    let after = tickets.get("a").await.expect("there again");
    assert_eq!((after.history, after.created_at), (before.history, before.created_at));
}

#[test]
fn random_conversations_are_whole_or_absent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tickets = runtime.block_on(Tickets::builder("memory:").open()).expect("memory");
    let wrong = Just(r#"{"role":"user"}"#.to_owned());
    let call = Just(r#"{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}"#.to_owned());
    let failed = Just(r#"{"role":"function","name":"f","content":"Error"}"#.to_owned());
    let message =
        prop_oneof![8 => (0..9_usize).prop_map(said), 1 => Just(said(TOO_LONG)), 1 => wrong, 2 => call, 2 => failed];
    let conversations = prop::collection::vec(prop::collection::vec(message, 0..8), 1..4);
    let done = TestRunner::default().run(&conversations, |conversations| {
        let lines: Vec<String> = conversations
            .iter()
            .enumerate()
            .map(|(id, messages)| format!(r#"{{"id":"c{id}","messages":[{}]}}"#, messages.join(",")))
            .collect();
        let whole = |messages: &Vec<String>| {
            messages.iter().all(|message| message.len() < TOO_LONG && message.as_str() != r#"{"role":"user"}"#)
        };
        let expected = conversations.iter().take_while(|messages| whole(messages)).count();
        runtime.block_on(async {
            let done = replay(&tickets, &lines.join("\n"), false).await;
            prop_assert_eq!(done.is_ok(), expected == conversations.len());
            for (place, messages) in conversations.iter().enumerate() {
                let id = format!("c{place}");
                let ticket = tickets.get(&id).await;
                prop_assert_eq!(ticket.is_ok(), place < expected, "{}", id);
                if let Ok(ticket) = ticket {
                    let history: Vec<&RawValue> = serde_json::from_str(&ticket.history).expect("an array");
                    prop_assert_eq!(history.len(), messages.iter().filter(|it| it.contains("user")).count());
                    tickets.close(&id, None).await.expect("closed");
                }
            }
            Ok(())
        })
    });
    done.expect("whole or absent");
}
