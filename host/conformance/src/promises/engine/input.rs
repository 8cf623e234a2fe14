//! E25, E26, E28: input that is refused before anything is written, and errors of the store.

use std::sync::Arc;

use ticket_host::{Change, Limits, Tickets};
use ticket_store::Kind;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::interposed::Interposed;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, learn, record, refusal, say, the_key};

promises![
    e25_above_a_limit_nothing_is_written,
    e26_json_that_is_not_strict_is_invalid,
    e28_errors_of_the_store_reach_the_caller,
];

/// A JSON string of this many bytes.
fn text_of_bytes(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

async fn e25_above_a_limit_nothing_is_written(fixture: Fixture) {
    let limits = Limits::default().message_bytes_max(100).ticket_bytes_max(1_000).history_entries_max(5);
    let tickets = fixture.builder().limits(limits).build().expect("tickets");
    refuse_ids(&fixture, &tickets).await;
    tickets.create(Some(ID), &[]).await.expect("created");

    tickets.apply(ID, &[say(&text_of_bytes(100))], None).await.expect("a message at the limit");
    let dumped = fixture.dump(&the_key()).await;
    let too_large = [
        vec![say(&text_of_bytes(101))],
        vec![say(&format!("{{\"a\":{}}}", text_of_bytes(95)))],
        // Spaces count too: the limit is on the text as given.
        vec![say(&format!("\"\"{}", " ".repeat(99)))],
        (0..5).map(|number| say(&number.to_string().replace(|_| true, "\"\""))).collect(),
        vec![decide(&text_of_bytes(1_001))],
        vec![decide(&text_of_bytes(900))],
        vec![learn(&format!("{{\"a\":{}}}", text_of_bytes(890)))],
        vec![learn(&format!("{{\"a\":{}}}", text_of_bytes(450))), decide(&text_of_bytes(450))],
    ];
    for changes in too_large {
        let refused = refusal(tickets.apply(ID, &changes, None).await);
        assert_eq!(refused, ErrorKind::TooLarge, "{changes:.200?}");
        let kind = refusal(tickets.create(Some("new"), &[&changes[..], &[decide(&text_of_bytes(990))]].concat()).await);
        assert_eq!(kind, ErrorKind::TooLarge, "{changes:.200?}");
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    assert_eq!(refusal(tickets.get("new").await), ErrorKind::NotFound);
    let four = [say("1"), say("2"), say("3"), say("4")].map(|_| say("\"\""));
    tickets.apply(ID, &four, None).await.expect("a history at the limit");
    let ticket = tickets.get(ID).await.expect("got");
    let used = ticket.facts.len() + ticket.history.len() + 10 + 10 + 1;
    tickets.apply(ID, &[decide(&text_of_bytes(1_000 - used))], None).await.expect("a ticket at the limit");
    let over = tickets.apply(ID, &[decide(&text_of_bytes(1_001 - used))], None).await;
    assert_eq!(refusal(over), ErrorKind::TooLarge);

    stored_above_a_limit(&fixture, &tickets).await;
    depth(&fixture.tickets()).await;
    default_limits(&fixture.tickets()).await;
}

async fn refuse_ids(fixture: &Fixture, tickets: &Tickets) {
    let long = "x".repeat(129);
    let huge = "x".repeat(1 << 20);
    for id in ["", "-a", ".a", "_a", "{a}", "a b", "a*", "a:b", "a/b", "a\r\n", "a\0", "ä", "ticket:a", &long, &huge] {
        let snapshot = "{}";
        assert_eq!(refusal(tickets.create(Some(id), &[]).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.get(id).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.apply(id, &[decide("1")], None).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.touch(id).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.snapshot(id).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.rollback(id, snapshot, None).await), ErrorKind::Invalid, "{id:.40?}");
        assert_eq!(refusal(tickets.close(id, None).await), ErrorKind::Invalid, "{id:.40?}");
    }
    assert_eq!(fixture.names().await.unwrap_or_default(), Vec::<String>::new());
}

/// A ticket that a client with other limits stored is not returned and not changed, but can be closed.
async fn stored_above_a_limit(fixture: &Fixture, tickets: &Tickets) {
    let now_s = fixture.clock_s();
    let large = record("{}", "[]", &text_of_bytes(1_000), now_s, now_s, "1");
    let long = record("{}", "[1,2,3,4,5,6]", "{}", now_s, now_s, "1");
    for stored in [large, long] {
        fixture.external_delete(&the_key()).await;
        fixture.external_write(&the_key(), &stored).await;
        let dumped = fixture.dump(&the_key()).await;
        assert_eq!(refusal(tickets.get(ID).await), ErrorKind::TooLarge);
        assert_eq!(refusal(tickets.apply(ID, &[decide("1")], None).await), ErrorKind::TooLarge);
        assert_eq!(refusal(tickets.snapshot(ID).await), ErrorKind::TooLarge);
        assert_eq!(fixture.dump(&the_key()).await, dumped);
        fixture.tickets().get(ID).await.expect("valid with other limits");
        tickets.close(ID, None).await.expect("closed");
    }
}

async fn depth(tickets: &Tickets) {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    tickets.create(Some("deep"), &[decide(&nested(64))]).await.expect("the limit itself");
    let before = tickets.get("deep").await.expect("got");
    for depth in [65, 66, 1_000, 30_000] {
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(refusal(tickets.apply("deep", &[decide(&nested(depth))], None).await), ErrorKind::Invalid);
        assert_eq!(refusal(tickets.apply("deep", &[learn(&objects)], None).await), ErrorKind::Invalid);
        assert!(tickets.apply("deep", &[say(&objects)], None).await.is_err());
    }
    assert_eq!(tickets.get("deep").await.expect("got"), before);
}

async fn default_limits(tickets: &Tickets) {
    let id = "large";
    tickets.create(Some(id), &[say(&text_of_bytes(64 * 1024))]).await.expect("64 KiB");
    assert_eq!(refusal(tickets.apply(id, &[say(&text_of_bytes(64 * 1024 + 1))], None).await), ErrorKind::TooLarge);
    let rest = 1024 * 1024 - (64 * 1024 + 2) - "{}".len() - 10 - 10 - 1;
    tickets.apply(id, &[decide(&text_of_bytes(rest))], None).await.expect("1 MiB");
    assert_eq!(refusal(tickets.apply(id, &[decide(&text_of_bytes(rest + 1))], None).await), ErrorKind::TooLarge);
    let snapshot = tickets.snapshot(id).await.expect("snapshot");
    tickets.rollback(id, &snapshot, None).await.expect("rolled back");
    tickets.close(id, None).await.expect("closed");
}

async fn e26_json_that_is_not_strict_is_invalid(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[]).await.expect("created");
    let dumped = fixture.dump(&the_key()).await;
    let invalid = [
        "",
        " ",
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "nul",
        "TRUE",
        "'a'",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{,}",
        "{",
        "}",
        "\"",
        "\"a",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":5.}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":0x1}",
        "{\"a\":-}",
        "{\"a\":1}{}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
        "{}\0",
        "/* */{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"\\ud83d\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"b\":{\"a\":1,\"a\":1}}",
        "{\"b\":[{\"a\":1,\"a\":1}]}",
        "{\"a\":\u{a0}1}",
    ];
    for text in invalid {
        for change in [say(text), learn(text), decide(text)] {
            assert_eq!(
                refusal(tickets.apply(ID, std::slice::from_ref(&change), None).await),
                ErrorKind::Invalid,
                "{change:?}"
            );
            assert_eq!(refusal(tickets.create(Some("new"), &[change]).await), ErrorKind::Invalid, "{text:?}");
        }
    }
    for other in ["1", "null", "true", "[]", "[\"a\"]", "-0.0"] {
        assert_eq!(refusal(tickets.apply(ID, &[say(other)], None).await), ErrorKind::Invalid, "{other}");
        assert_eq!(refusal(tickets.apply(ID, &[learn(other)], None).await), ErrorKind::Invalid, "{other}");
    }
    assert_eq!(refusal(tickets.apply(ID, &[learn("\"a\"")], None).await), ErrorKind::Invalid);
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    assert_eq!(refusal(tickets.get("new").await), ErrorKind::NotFound);
    let odd: [Change; 3] = [say("\"\\ud83c\\udfab\""), learn(" {\"\":{\"\":0}} "), decide("1E400")];
    let ticket = tickets.apply(ID, &odd, None).await.expect("unusual but valid JSON");
    assert_eq!(ticket.history, "[\"\\ud83c\\udfab\"]");
    assert_eq!((ticket.facts.as_str(), ticket.last_decision.as_str()), ("{\"\":{\"\":0}}", "1E400"));
}

async fn e28_errors_of_the_store_reach_the_caller(fixture: Fixture) {
    let snapshot = {
        let tickets = fixture.tickets();
        tickets.create(Some(ID), &[]).await.expect("created");
        tickets.snapshot(ID).await.expect("snapshot")
    };
    for (kind, expected) in [
        (Kind::Denied, ErrorKind::Denied),
        (Kind::Unavailable, ErrorKind::Unavailable),
        (Kind::Uncertain, ErrorKind::Uncertain),
        (Kind::TooLarge(7), ErrorKind::TooLarge),
        (Kind::Corrupt, ErrorKind::Corrupt),
        (Kind::Invalid, ErrorKind::Invalid),
    ] {
        let tickets = fixture.tickets_over(Arc::new(Interposed::refusing(fixture.store.clone(), kind)));
        assert_eq!(refusal(tickets.create(None, &[]).await), expected);
        assert_eq!(refusal(tickets.get(ID).await), expected);
        assert_eq!(refusal(tickets.apply(ID, &[decide("1")], None).await), expected);
        assert_eq!(refusal(tickets.touch(ID).await), expected);
        assert_eq!(refusal(tickets.snapshot(ID).await), expected);
        assert_eq!(refusal(tickets.rollback(ID, &snapshot, None).await), expected);
        assert_eq!(refusal(tickets.restore(&snapshot).await), expected);
        assert_eq!(refusal(tickets.close(ID, None).await), expected);
        assert_eq!(refusal(tickets.list("", None).await), expected);
    }
    fixture.tickets().get(ID).await.expect("unchanged");
}
