//! E1, E2, E3, E7, E13, E14, E18, E19: creating, storing, listing and closing tickets.

use std::collections::BTreeSet;

use ticket_host::{Change, Ticket, Tickets};

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, learn, record_of, refusal, say, the_key};
use crate::promises::steps::{TTL_MS, sorted};

promises![
    e01_create_makes_a_ticket_with_all_changes,
    e02_create_refuses_an_id_that_exists,
    e03_no_operation_creates_a_missing_ticket,
    e07_a_ticket_is_six_fields_under_one_key_with_a_ttl,
    e13_changes_move_the_deadline_and_reads_do_not,
    e14_answers_are_what_the_next_get_returns,
    e18_close_deletes_and_the_id_is_free,
    e19_list_returns_every_ticket_and_nothing_else,
];

async fn e01_create_makes_a_ticket_with_all_changes(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    let empty = tickets.create(Some(ID), &[]).await.expect("created");
    assert_eq!((empty.id.as_str(), empty.facts.as_str(), empty.history.as_str()), (ID, "{}", "[]"));
    assert_eq!((empty.last_decision.as_str(), empty.version), ("{}", 1));
    assert_eq!((empty.created_at, empty.updated_at), (now_s, now_s));
    let changes = [say("\"hello\""), learn("{\"a\": 1}"), decide("[ 1.0 ]"), say("{\"role\": \"user\"}")];
    let full = tickets.create(None, &changes).await.expect("created");
    assert_eq!(full.history, "[\"hello\",{\"role\":\"user\"}]");
    assert_eq!((full.facts.as_str(), full.last_decision.as_str()), ("{\"a\":1}", "[1.0]"));
    let mut ids = BTreeSet::from([full.id]);
    for _ in 0..50 {
        assert!(ids.insert(tickets.create(None, &[]).await.expect("created").id), "a fresh id was used before");
    }
    for id in ["9", "A.b_c-d", &"x".repeat(128)] {
        assert_eq!(tickets.create(Some(id), &[]).await.expect(id).id, id);
    }
}

async fn e02_create_refuses_an_id_that_exists(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[say("\"first\"")]).await.expect("created");
    let dumped = fixture.dump(&the_key()).await;
    for changes in [&[][..], &[say("\"second\"")]] {
        assert_eq!(refusal(tickets.create(Some(ID), changes).await), ErrorKind::Exists);
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
}

async fn e03_no_operation_creates_a_missing_ticket(fixture: Fixture) {
    let tickets = fixture.tickets();
    let (gone, ended) = ("closed", "ended");
    let revision = tickets.create(Some(gone), &[]).await.expect("created").revision;
    let snapshot = tickets.snapshot(gone).await.expect("snapshot");
    tickets.close(gone, None).await.expect("closed");
    tickets.create(Some(ended), &[]).await.expect("created");
    fixture.pass(TTL_MS + 1_000).await;
    for id in [gone, ended, "never"] {
        assert_eq!(refusal(tickets.get(id).await), ErrorKind::NotFound);
        assert_eq!(refusal(tickets.touch(id).await), ErrorKind::NotFound);
        assert_eq!(refusal(tickets.snapshot(id).await), ErrorKind::NotFound);
        for at in [None, Some(revision.as_str()), Some("not a revision")] {
            assert_eq!(refusal(tickets.apply(id, &[say("\"x\"")], at).await), ErrorKind::NotFound);
            assert_eq!(refusal(tickets.close(id, at).await), ErrorKind::NotFound);
        }
    }
    assert_eq!(refusal(tickets.rollback(gone, &snapshot, None).await), ErrorKind::NotFound);
    assert_eq!(tickets.list("", None).await.expect("page").ids, Vec::<String>::new());
    assert_eq!(fixture.live_names().await, Vec::<String>::new());
}

async fn e07_a_ticket_is_six_fields_under_one_key_with_a_ttl(fixture: Fixture) {
    let tickets = fixture.tickets();
    stored_as(&fixture, &tickets.create(Some(ID), &[]).await.expect("created")).await;
    let changes = [say("\"é\""), learn("{\"a\":{\"b\":null,\"c\":1}}"), decide("null")];
    for change in changes {
        stored_as(&fixture, &tickets.apply(ID, &[change], None).await.expect("applied")).await;
    }
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    stored_as(&fixture, &tickets.touch(ID).await.expect("touched")).await;
    stored_as(&fixture, &tickets.rollback(ID, &snapshot, None).await.expect("rolled back")).await;
    tickets.close(ID, None).await.expect("closed");
    assert_eq!(fixture.names().await.unwrap_or_default(), Vec::<String>::new());
    stored_as(&fixture, &tickets.restore(&snapshot).await.expect("restored")).await;
}

/// Checks the stored form of the only ticket.
async fn stored_as(fixture: &Fixture, ticket: &Ticket) {
    let entry = fixture.entry(&the_key()).await.expect("entry");
    assert_eq!(sorted(entry.clone().into_fields()), sorted(record_of(ticket)));
    assert_eq!((entry.revision.as_str(), entry.expires_at_ms), (ticket.revision.as_str(), ticket.expires_at_ms));
    let left_ms = entry.expires_at_ms - fixture.now_ms().await;
    assert!(left_ms > 0 && left_ms <= TTL_MS + fixture.clock_slack_ms() + 250, "{left_ms} ms are left");
    if let Some(names) = fixture.names().await {
        assert_eq!(names, [fixture.stored_name(&the_key())], "another name in the store");
    }
    if let Some(fields) = fixture.raw_fields(&the_key()).await {
        assert_eq!(sorted(fields), sorted(record_of(ticket)), "the fields as another client reads them");
    }
}

async fn e13_changes_move_the_deadline_and_reads_do_not(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[say("{\"id\":\"m\"}")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let slides = async |ticket: Ticket| {
        let left_ms = ticket.expires_at_ms.abs_diff(fixture.now_ms().await);
        assert!(left_ms.abs_diff(TTL_MS) <= TTL_MS / 2_000 + fixture.clock_slack_ms() + 1, "{left_ms} ms are left");
        fixture.pass(100_000).await;
    };
    slides(tickets.apply(ID, &[decide("1")], None).await.expect("applied")).await;
    slides(tickets.apply(ID, &[say("{\"id\":\"m\"}")], None).await.expect("known message")).await;
    slides(tickets.touch(ID).await.expect("touched")).await;
    slides(tickets.rollback(ID, &snapshot, None).await.expect("rolled back")).await;
    let (before, dumped) = (tickets.get(ID).await.expect("got"), fixture.dump(&the_key()).await);
    for _ in 0..3 {
        assert_eq!(tickets.get(ID).await.expect("got"), before);
        tickets.snapshot(ID).await.expect("snapshot");
        tickets.list("", None).await.expect("listed");
        assert_eq!(refusal(tickets.apply(ID, &[], None).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.apply(ID, &[say("\"x\"")], Some("other")).await), ErrorKind::Conflict);
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    fixture.pass(TTL_MS - 200_000).await;
    tickets.get(ID).await.expect("before the deadline");
    fixture.pass(201_000).await;
    assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound, "reading moved the deadline");
}

async fn e14_answers_are_what_the_next_get_returns(fixture: Fixture) {
    let tickets = fixture.tickets();
    let second = fixture.tickets_over(fixture.second().await);
    let shown = async |ticket: Ticket| {
        for tickets in [&tickets, &second] {
            assert_eq!(tickets.get(ID).await.expect("got"), ticket);
        }
        ticket
    };
    shown(tickets.create(Some(ID), &[say("\"a\"")]).await.expect("created")).await;
    let snapshot = second.snapshot(ID).await.expect("snapshot");
    for _ in 0..3 {
        let changes = [learn("{\"é\":[1.0,{}]}"), decide("\"x\""), say("{\"id\":\"m\"}")];
        shown(second.apply(ID, &changes, None).await.expect("applied")).await;
        shown(tickets.apply(ID, &[say("{\"id\":\"m\"}")], None).await.expect("known message")).await;
        let touched = shown(tickets.touch(ID).await.expect("touched")).await;
        shown(second.rollback(ID, &snapshot, Some(&touched.revision)).await.expect("rolled back")).await;
    }
    tickets.close(ID, None).await.expect("closed");
    shown(second.restore(&snapshot).await.expect("restored")).await;
}

async fn e18_close_deletes_and_the_id_is_free(fixture: Fixture) {
    let tickets = fixture.tickets();
    for round in 0..3 {
        let ticket = tickets.create(Some(ID), &[say("\"x\"")]).await.expect("created");
        let at = (round > 0).then_some(ticket.revision.as_str());
        tickets.close(ID, at).await.expect("closed");
        assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound);
        assert_eq!(refusal(tickets.close(ID, None).await), ErrorKind::NotFound);
        assert_eq!(fixture.names().await.unwrap_or_default(), Vec::<String>::new());
    }
    assert_eq!(tickets.create(Some(ID), &[]).await.expect("created").history, "[]");
}

async fn e19_list_returns_every_ticket_and_nothing_else(fixture: Fixture) {
    let tickets = fixture.tickets();
    assert_eq!(all_ids(&tickets).await, BTreeSet::new());
    let mut ids = BTreeSet::new();
    // Enough for more than one page.
    for number in 0..1_100 {
        let id = format!("t{number}");
        tickets.create(Some(&id), &[]).await.expect("created");
        ids.insert(id);
    }
    fixture.add_names(&["ticket:", "ticket:a b", "ticket:a:b", "ticket:{a}", "ticketx", "ticket:é", "session:a"]).await;
    assert_eq!(all_ids(&tickets).await, ids);
    for number in (0..1_100).step_by(2) {
        let id = format!("t{number}");
        tickets.close(&id, None).await.expect("closed");
        ids.remove(&id);
    }
    assert_eq!(all_ids(&tickets).await, ids);
    for cursor in ["x", "-1", "ticket:a b", "99999999999999999999999"] {
        if let Err(error) = tickets.list("", Some(cursor)).await {
            assert_eq!(ErrorKind::from(&error), ErrorKind::Invalid, "{cursor}");
        }
    }
    let changes: [Change; 1] = [say("\"x\"")];
    tickets.apply("t1", &changes, None).await.expect("applied");
}

async fn all_ids(tickets: &Tickets) -> BTreeSet<String> {
    const PAGES_MAX: u32 = 10_000;
    let (mut ids, mut cursor) = (BTreeSet::new(), None);
    for _ in 0..PAGES_MAX {
        let page = tickets.list("", cursor.as_deref()).await.expect("page");
        ids.extend(page.ids);
        cursor = page.cursor;
        if cursor.is_none() {
            return ids;
        }
    }
    panic!("the listing does not end");
}
