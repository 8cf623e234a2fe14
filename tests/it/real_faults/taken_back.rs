//! A server restarts with all its data after one of two hosts shortened a history: the other, of whose writes none is left
//! to be seen, cannot tell that from a loss. Either way nothing is gone without a branch.

use std::time::Instant;

use ticket_host::fallback::Branch;
use ticket_host::{Bounds, Change, Tickets};
use ticket_tests::RedisServer;

use super::scene::{LOOK_EVERY, SYNC_TIME_MAX, open};

const ID: &str = "shared";

/// What the other host has after the restart, once it has kept a branch: the history of the ticket, and the branch.
async fn after_restart(shorten: &[Change]) -> (String, Branch) {
    let server = RedisServer::start_durable();
    let [one, other] = [open(&server.url()).await, open(&server.url()).await];
    one.create(Some(ID), &[Change::say("first"), Change::say("one")]).await.unwrap();
    other.apply(ID, &[Change::say("other")], None).await.unwrap();
    one.apply(ID, shorten, None).await.unwrap();
    server.kill();
    server.restart_keeping();
    let branch = only_branch(&other).await;
    super::scene::synced(&other).await;
    assert_eq!(one.fallback().unwrap().branches().list().await.unwrap(), [], "its own write is there");
    (other.get(ID).await.unwrap().history, branch)
}

async fn only_branch(tickets: &Tickets) -> Branch {
    let until = Instant::now() + SYNC_TIME_MAX;
    loop {
        let mut branches = tickets.fallback().unwrap().branches().list().await.unwrap();
        if let Some(branch) = branches.pop() {
            assert_eq!(branches, []);
            return branch;
        }
        assert!(Instant::now() < until, "no branch; the ticket: {:?}", tickets.get(ID).await);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn history(branch: &Branch) -> &str {
    branch.entry.fields.iter().find(|(name, _)| name == "history").map_or("", |(_, text)| text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retract_undone_by_a_restart_is_in_a_branch() {
    let (ticket, branch) = after_restart(&[Change::Retract(1)]).await;
    assert_eq!((ticket.as_str(), history(&branch)), (r#"["first","one","other"]"#, r#"["first","one"]"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trim_stays_after_a_restart_and_the_rest_is_in_a_branch() {
    let trim = Change::Trim(Bounds { entries_max: Some(2), bytes_max: None });
    let (ticket, branch) = after_restart(&[Change::say("two"), trim]).await;
    assert_eq!((ticket.as_str(), history(&branch)), (r#"["other","two"]"#, r#"["first","one","other"]"#));
}
