//! E33, E34: parts of tickets, and listings by prefix.

use ticket_host::Tickets;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, learn, record, refusal, say, the_key};

promises![e33_parts_agree_with_the_ticket, e34_a_listing_has_the_tickets_of_a_prefix];

async fn e33_parts_agree_with_the_ticket(fixture: Fixture) {
    let tickets = fixture.tickets();
    assert!(!tickets.exists(ID).await.expect("answered"));
    for refused in [
        tickets.get_summary(ID).await.map(drop),
        tickets.get_messages(ID, 1, None).await.map(drop),
        tickets.get_fact(ID, "").await.map(drop),
    ] {
        assert_eq!(refusal(refused), ErrorKind::NotFound);
    }
    let changes = [say("\"a\""), say("{\"id\":\"m\"}"), learn("{\"x\":{\"y\":[1.0,null]}}"), decide("[2]")];
    let ticket = tickets.create(Some(ID), &changes).await.expect("created");
    let dumped = fixture.dump(&the_key()).await;
    assert!(tickets.exists(ID).await.expect("answered"));
    let summary = tickets.get_summary(ID).await.expect("summary");
    let bytes = [summary.facts_bytes, summary.history_bytes, summary.last_decision_bytes].map(|bytes| bytes as usize);
    assert_eq!(bytes, [ticket.facts.len(), ticket.history.len(), ticket.last_decision.len()]);
    assert_eq!((&summary.id, summary.history_entries, summary.version), (&ticket.id, 2, ticket.version));
    assert_eq!((summary.created_at, summary.updated_at), (ticket.created_at, ticket.updated_at));
    assert_eq!((&summary.revision, summary.expires_at_ms), (&ticket.revision, ticket.expires_at_ms));
    for (entries_max, bytes_max, wanted) in [
        (9, None, &["\"a\"", "{\"id\":\"m\"}"][..]),
        (1, None, &["{\"id\":\"m\"}"]),
        (9, Some(10), &["{\"id\":\"m\"}"]),
        (9, Some(9), &[]),
        (0, None, &[]),
    ] {
        let newest = tickets.get_messages(ID, entries_max, bytes_max).await.expect("messages");
        assert_eq!(newest.messages, wanted, "{entries_max} {bytes_max:?}");
        assert_eq!((newest.history_entries, &newest.revision), (2, &ticket.revision));
    }
    for (pointer, wanted) in [
        ("", Some(ticket.facts.as_str())),
        ("/x/y/0", Some("1.0")),
        ("/x/y/1", Some("null")),
        ("/x/y/2", None),
        ("/z", None),
    ] {
        let fact = tickets.get_fact(ID, pointer).await.expect("fact");
        assert_eq!((fact.value.as_deref(), &fact.revision), (wanted, &ticket.revision), "{pointer}");
    }
    assert_eq!(refusal(tickets.get_fact(ID, "x").await), ErrorKind::Invalid);
    assert_eq!(fixture.dump(&the_key()).await, dumped, "reads change nothing");
    fixture.external_write(&the_key(), &record("{", "[]", "{}", 1, 1, "1")).await;
    assert!(tickets.exists(ID).await.expect("answered"), "damaged, but there");
    assert_eq!(refusal(tickets.get_summary(ID).await), ErrorKind::Corrupt);
}

async fn e34_a_listing_has_the_tickets_of_a_prefix(fixture: Fixture) {
    let tickets = fixture.tickets();
    for id in ["user-1", "user-2", "user", "order-1"] {
        tickets.create(Some(id), &[say("\"x\"")]).await.expect("created");
    }
    fixture
        .external_write(&ticket_store::Key::of_ticket("user-3").expect("key"), &record("{", "[]", "{}", 1, 1, "1"))
        .await;
    for (prefix, wanted) in [
        ("", &["order-1", "user", "user-1", "user-2", "user-3"][..]),
        ("user", &["user", "user-1", "user-2", "user-3"]),
        ("user-", &["user-1", "user-2", "user-3"]),
        ("user-1", &["user-1"]),
        ("x", &[]),
    ] {
        assert_eq!(ids(&tickets, prefix).await, wanted, "{prefix}");
        let (summaries, unreadable) = summaries(&tickets, prefix).await;
        let damaged: &[&str] = if wanted.contains(&"user-3") { &["user-3"] } else { &[] };
        assert_eq!(unreadable, damaged, "{prefix}");
        assert_eq!(summaries.len() + damaged.len(), wanted.len(), "{prefix}");
        assert!(summaries.iter().all(|(id, entries)| wanted.contains(&id.as_str()) && *entries == 1), "{prefix}");
    }
    for prefix in ["user:", "-", "a b", &"x".repeat(129)] {
        assert_eq!(refusal(tickets.list(prefix, None).await), ErrorKind::Invalid, "{prefix}");
        assert_eq!(refusal(tickets.list_summaries(prefix, None).await), ErrorKind::Invalid, "{prefix}");
    }
}

/// All ids, sorted, each once.
async fn ids(tickets: &Tickets, prefix: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let page = tickets.list(prefix, cursor.as_deref()).await.expect("page");
        ids.extend(page.ids);
        cursor = page.cursor;
        if cursor.is_none() {
            ids.sort_unstable();
            ids.dedup();
            return ids;
        }
    }
}

/// Id and messages of each ticket once, and the ids that cannot be read.
async fn summaries(tickets: &Tickets, prefix: &str) -> (Vec<(String, u32)>, Vec<String>) {
    let (mut summaries, mut unreadable, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = tickets.list_summaries(prefix, cursor.as_deref()).await.expect("page");
        summaries.extend(page.summaries.into_iter().map(|summary| (summary.id, summary.history_entries)));
        unreadable.extend(page.unreadable);
        cursor = page.cursor;
        if cursor.is_none() {
            summaries.sort_unstable();
            summaries.dedup();
            unreadable.dedup();
            return (summaries, unreadable);
        }
    }
}
