//! E10, E11, E12: another client changes the ticket first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ticket_host::{Change, Tickets};

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::interposed::{Action, Interposed};
use crate::promise::promises;
use crate::promises::engine::steps::{ID, conflict, decide, learn, refusal, say, the_key};
use crate::promises::steps::TTL_MS;

promises![
    e10_at_another_revision_the_conflict_returns_the_ticket,
    e11_without_at_changes_of_others_are_kept,
    e12_a_change_does_not_recreate_a_ticket_that_ended,
];

async fn e10_at_another_revision_the_conflict_returns_the_ticket(fixture: Fixture) {
    let tickets = fixture.tickets();
    let first = tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let second = tickets.apply(ID, &[say("\"x\"")], Some(&first.revision)).await.expect("the current revision");
    let dumped = fixture.dump(&the_key()).await;
    for at in [first.revision.as_str(), "", "0", "no revision", "1.2.3.4.5.6", &"9".repeat(100_000)] {
        let change = tickets.apply(ID, &[say("\"y\"")], Some(at)).await;
        assert_eq!(conflict(change), second, "{at:.40}");
        assert_eq!(conflict(tickets.rollback(ID, &snapshot, Some(at)).await), second, "{at:.40}");
        assert_eq!(conflict(tickets.close(ID, Some(at)).await), second, "{at:.40}");
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    let touched = tickets.touch(ID).await.expect("touched");
    assert_eq!(conflict(tickets.apply(ID, &[say("\"y\"")], Some(&second.revision)).await), touched);
    let third = tickets.apply(ID, &[decide("1")], Some(&touched.revision)).await.expect("current");
    let fourth = tickets.rollback(ID, &snapshot, Some(&third.revision)).await.expect("current");
    assert_eq!(conflict(tickets.close(ID, Some(&third.revision)).await), fourth);

    // Another client changes it between our read and our write.
    let (fixture, other) = (Arc::new(fixture), tickets.clone());
    let (times, ours) = interposed(&fixture, None, say_other(&other));
    for operation in 0..3 {
        let at = tickets.get(ID).await.expect("got").revision;
        times.store(1, Ordering::SeqCst);
        let current = match operation {
            0 => conflict(ours.apply(ID, &[say("\"y\"")], Some(&at)).await),
            1 => conflict(ours.rollback(ID, &snapshot, Some(&at)).await),
            _ => conflict(ours.close(ID, Some(&at)).await),
        };
        assert_eq!(current, tickets.get(ID).await.expect("got"));
        assert_ne!(current.revision, at);
    }
    tickets.close(ID, Some(&tickets.get(ID).await.expect("got").revision)).await.expect("the current revision");
    assert_eq!(refusal(tickets.apply(ID, &[say("\"y\"")], Some(&fourth.revision)).await), ErrorKind::NotFound);
}

async fn e11_without_at_changes_of_others_are_kept(fixture: Fixture) {
    let tickets = fixture.tickets();
    let fixture = Arc::new(fixture);
    tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let (times, ours) = interposed(&fixture, None, say_other(&tickets));
    for count in [1, 2, 5] {
        times.store(count, Ordering::SeqCst);
        let before = tickets.get(ID).await.expect("got").message_count();
        let changes = [say("\"ours\""), learn("{\"ours\":1}")];
        let ticket = ours.apply(ID, &changes, None).await.expect("applied");
        assert_eq!(ticket.message_count(), before + usize::try_from(count).expect("a small number") + 1);
        assert!(ticket.history.ends_with("\"other\",\"ours\"]"), "ours on top: {}", ticket.history);
    }
    times.store(2, Ordering::SeqCst);
    assert_eq!(ours.rollback(ID, &snapshot, None).await.expect("rolled back").history, "[]");
    times.store(2, Ordering::SeqCst);
    ours.close(ID, None).await.expect("closed, whatever the other client said");
    assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound);

    // Without time for a second attempt.
    tickets.create(Some(ID), &[]).await.expect("created");
    let hasty = Some(Duration::ZERO);
    let (times, ours) = interposed(&fixture, hasty, say_other(&tickets));
    times.store(1, Ordering::SeqCst);
    let current = conflict(ours.apply(ID, &[say("\"ours\"")], None).await);
    assert_eq!(current, tickets.get(ID).await.expect("got"));
    assert_eq!(current.history, "[\"other\"]");
    ours.apply(ID, &[say("\"ours\"")], None).await.expect("applied without a race");
}

async fn e12_a_change_does_not_recreate_a_ticket_that_ended(fixture: Fixture) {
    let tickets = fixture.tickets();
    let fixture = Arc::new(fixture);
    let expire: fn(Arc<Fixture>) -> Action = |fixture| {
        Box::new(move || {
            let fixture = Arc::clone(&fixture);
            Box::pin(async move { fixture.pass(TTL_MS + 1_000).await })
        })
    };
    let delete: fn(Arc<Fixture>) -> Action = |fixture| {
        Box::new(move || {
            let fixture = Arc::clone(&fixture);
            Box::pin(async move { fixture.external_delete(&the_key()).await })
        })
    };
    for end in [expire, delete] {
        let (times, ours) = interposed(&fixture, None, end(Arc::clone(&fixture)));
        for operation in 0..3 {
            tickets.create(Some(ID), &[]).await.expect("created");
            let snapshot = tickets.snapshot(ID).await.expect("snapshot");
            times.store(1, Ordering::SeqCst);
            let kind = match operation {
                0 => refusal(ours.apply(ID, &[say("\"x\"")], None).await),
                1 => refusal(ours.rollback(ID, &snapshot, None).await),
                _ => refusal(ours.close(ID, None).await),
            };
            assert_eq!(kind, ErrorKind::NotFound);
            assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound, "the ticket was created again");
        }
    }
    // A new incarnation, created meanwhile, refuses a rollback to the old one.
    tickets.create(Some(ID), &[say("\"old\"")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let (times, ours) = interposed(&fixture, None, recreate(&fixture, &tickets));
    times.store(1, Ordering::SeqCst);
    assert_eq!(refusal(ours.rollback(ID, &snapshot, None).await), ErrorKind::Invalid);
    assert_eq!(tickets.get(ID).await.expect("the new incarnation").history, "[\"new\"]");
}

/// The other client closes the ticket and creates it again.
fn recreate(fixture: &Arc<Fixture>, tickets: &Tickets) -> Action {
    let (fixture, tickets) = (Arc::clone(fixture), tickets.clone());
    Box::new(move || {
        let (fixture, tickets) = (Arc::clone(&fixture), tickets.clone());
        Box::pin(async move {
            tickets.close(ID, None).await.expect("closed");
            fixture.pass(2_000).await;
            tickets.create(Some(ID), &[say("\"new\"")]).await.expect("created");
        })
    })
}

/// The other client says something.
fn say_other(tickets: &Tickets) -> Action {
    let tickets = tickets.clone();
    Box::new(move || {
        let tickets = tickets.clone();
        Box::pin(async move {
            let change: [Change; 1] = [say("\"other\"")];
            tickets.apply(ID, &change, None).await.expect("the other's change");
        })
    })
}

/// Tickets over a store in which the other client acts before as many changes as the returned number says.
fn interposed(fixture: &Fixture, deadline: Option<Duration>, action: Action) -> (Arc<AtomicU32>, Tickets) {
    let times = Arc::new(AtomicU32::new(0));
    let store = Interposed::before_changes(Arc::clone(&fixture.store), Arc::clone(&times), action);
    let builder = fixture.builder_over(Arc::new(store));
    let builder = if let Some(deadline) = deadline { builder.deadline(deadline) } else { builder };
    (times, builder.build().expect("tickets"))
}
