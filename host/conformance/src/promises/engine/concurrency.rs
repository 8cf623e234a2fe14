//! E10, E11, E12: somebody else was first.

use std::sync::Arc;

use crate::interposed::{ExternalWrites, Interposed};
use crate::{ErrorKind, Fixture};
use ticket_host::{Change, Settings, Tickets};
use ticket_store::SharedStore;

use super::{ID, conflict, decide, learn, refusal, say, the_key};
use crate::promise::promises;
use crate::promises::steps::TTL_MS;

promises![
    e10_with_at_another_revision_is_a_conflict_that_brings_the_ticket,
    e11_without_at_what_others_changed_is_kept,
    e12_a_change_to_a_ticket_that_ended_meanwhile_brings_nothing_back,
];

async fn e10_with_at_another_revision_is_a_conflict_that_brings_the_ticket(fixture: Fixture) {
    let tickets = fixture.tickets();
    let first = tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let second = tickets.apply(ID, &[say("\"x\"")], Some(&first.revision)).await.expect("the current revision");
    let seen = fixture.seen(&the_key()).await;
    for at in [first.revision.as_str(), "", "0", "no revision", "1.2.3.4.5.6", &"9".repeat(100_000)] {
        let change = tickets.apply(ID, &[say("\"y\"")], Some(at)).await;
        assert_eq!(conflict(change), second, "{at:.40}");
        assert_eq!(conflict(tickets.rollback(ID, &snapshot, Some(at)).await), second, "{at:.40}");
        assert_eq!(conflict(tickets.close(ID, Some(at)).await), second, "{at:.40}");
    }
    assert_eq!(fixture.seen(&the_key()).await, seen);
    let touched = tickets.touch(ID).await.expect("touched");
    assert_eq!(conflict(tickets.apply(ID, &[say("\"y\"")], Some(&second.revision)).await), touched);
    let third = tickets.apply(ID, &[decide("1")], Some(&touched.revision)).await.expect("current");
    let fourth = tickets.rollback(ID, &snapshot, Some(&third.revision)).await.expect("current");
    assert_eq!(conflict(tickets.close(ID, Some(&third.revision)).await), fourth);

    // Somebody changes it between our read and our write.
    let (fixture, other) = (Arc::new(fixture), tickets.clone());
    let (between, ours) = between(&fixture, fixture.settings(), says(&other));
    for operation in 0..3 {
        let at = tickets.get(ID).await.expect("got").revision;
        between.arm(1);
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

async fn e11_without_at_what_others_changed_is_kept(fixture: Fixture) {
    let tickets = fixture.tickets();
    let fixture = Arc::new(fixture);
    tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let (between, ours) = between(&fixture, fixture.settings(), says(&tickets));
    for times in [1, 2, 5] {
        between.arm(times);
        let before = tickets.get(ID).await.expect("got").message_count();
        let changes = [say("\"ours\""), learn("{\"ours\":1}")];
        let ticket = ours.apply(ID, &changes, None).await.expect("applied");
        assert_eq!(ticket.message_count(), before + usize::try_from(times).expect("times") + 1);
        assert!(ticket.history.ends_with("\"other\",\"ours\"]"), "ours on top: {}", ticket.history);
    }
    between.arm(2);
    assert_eq!(ours.rollback(ID, &snapshot, None).await.expect("rolled back").history, "[]");
    between.arm(2);
    ours.close(ID, None).await.expect("closed, whatever was said meanwhile");
    assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound);

    // No time for a second attempt.
    tickets.create(Some(ID), &[]).await.expect("created");
    let hasty = Settings { deadline_ms: 0, ..fixture.settings() };
    let (between, ours) = self::between(&fixture, hasty, says(&tickets));
    between.arm(1);
    let current = conflict(ours.apply(ID, &[say("\"ours\"")], None).await);
    assert_eq!(current, tickets.get(ID).await.expect("got"));
    assert_eq!(current.history, "[\"other\"]");
    ours.apply(ID, &[say("\"ours\"")], None).await.expect("nobody else");
}

async fn e12_a_change_to_a_ticket_that_ended_meanwhile_brings_nothing_back(fixture: Fixture) {
    let tickets = fixture.tickets();
    let fixture = Arc::new(fixture);
    let expires: fn(Arc<Fixture>) -> ExternalWrites = |fixture| {
        Box::new(move || {
            let fixture = Arc::clone(&fixture);
            Box::pin(async move { fixture.pass(TTL_MS + 1_000).await })
        })
    };
    let is_deleted: fn(Arc<Fixture>) -> ExternalWrites = |fixture| {
        Box::new(move || {
            let fixture = Arc::clone(&fixture);
            Box::pin(async move { fixture.foreign_delete(&the_key()).await })
        })
    };
    for external_write in [expires, is_deleted] {
        let (between, ours) = between(&fixture, fixture.settings(), external_write(Arc::clone(&fixture)));
        for operation in 0..3 {
            tickets.create(Some(ID), &[]).await.expect("created");
            let snapshot = tickets.snapshot(ID).await.expect("snapshot");
            between.arm(1);
            let kind = match operation {
                0 => refusal(ours.apply(ID, &[say("\"x\"")], None).await),
                1 => refusal(ours.rollback(ID, &snapshot, None).await),
                _ => refusal(ours.close(ID, None).await),
            };
            assert_eq!(kind, ErrorKind::NotFound);
            assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound, "nothing was brought back");
        }
    }
    // A new life under the same id, begun meanwhile, takes no rollback to the old one.
    tickets.create(Some(ID), &[say("\"old\"")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let (between, ours) = between(&fixture, fixture.settings(), new_life(&fixture, &tickets));
    between.arm(1);
    assert_eq!(refusal(ours.rollback(ID, &snapshot, None).await), ErrorKind::Invalid);
    assert_eq!(tickets.get(ID).await.expect("the new one").history, "[\"new\"]");
}

fn new_life(fixture: &Arc<Fixture>, tickets: &Tickets) -> ExternalWrites {
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

/// Somebody says something.
fn says(tickets: &Tickets) -> ExternalWrites {
    let tickets = tickets.clone();
    Box::new(move || {
        let tickets = tickets.clone();
        Box::pin(async move {
            let change: [Change; 1] = [say("\"other\"")];
            tickets.apply(ID, &change, None).await.expect("the other's change");
        })
    })
}

/// Tickets before whose changes somebody else acts, and what arms that.
fn between(fixture: &Fixture, settings: Settings, external_write: ExternalWrites) -> (Arc<Interposed>, Tickets) {
    let store = Arc::new(Interposed::new(Arc::clone(&fixture.store), external_write));
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    (store, Tickets::new(shared, settings).expect("tickets"))
}
