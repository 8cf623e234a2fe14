//! E4, E5, E6, E8, E9: what changes do to a ticket, and what they leave unchanged.

use ticket_host::{Change, Tickets};

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, learn, record, refusal, say, the_key};

promises![
    e04_apply_makes_all_its_changes_or_none,
    e05_say_appends_learn_merges_decide_replaces,
    e06_json_that_is_not_changed_keeps_every_byte,
    e08_times_never_decrease,
    e09_a_message_with_an_id_is_stored_once,
];

async fn e04_apply_makes_all_its_changes_or_none(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[say("{\"id\":\"m\",\"n\":1}")]).await.expect("created");
    let dumped = fixture.dump(&the_key()).await;
    let good =
        [say("\"a\""), learn("{\"x\":1}"), decide("2"), say("\"b\""), learn("{\"x\":null,\"y\":3}"), decide("4")];
    let bad = [say("not json"), learn("[]"), decide("NaN"), say("{\"id\":\"m\",\"n\":2}"), say("1"), decide("")];
    for bad in bad {
        for position in 0..=good.len() {
            let mut changes = good.to_vec();
            changes.insert(position, bad.clone());
            assert_eq!(refusal(tickets.apply(ID, &changes, None).await), ErrorKind::Invalid, "{bad:?} at {position}");
        }
    }
    assert_eq!(refusal(tickets.apply(ID, &[], None).await), ErrorKind::Invalid);
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    let ticket = tickets.apply(ID, &good, None).await.expect("applied");
    assert_eq!(ticket.history, "[{\"id\":\"m\",\"n\":1},\"a\",\"b\"]");
    assert_eq!((ticket.facts.as_str(), ticket.last_decision.as_str()), ("{\"y\":3}", "4"));
    // Two messages with one id in one call are stored once if equal, and invalid otherwise.
    let twice = [say("{\"id\":\"k\"}"), say("{ \"id\" : \"k\" }")];
    let ticket = tickets.apply(ID, &twice, None).await.expect("applied");
    assert_eq!(ticket.history, "[{\"id\":\"m\",\"n\":1},\"a\",\"b\",{\"id\":\"k\"}]");
    let different = [say("{\"id\":\"l\"}"), say("{\"id\":\"l\",\"n\":1}")];
    assert_eq!(refusal(tickets.apply(ID, &different, None).await), ErrorKind::Invalid);
    assert_eq!(tickets.get(ID).await.expect("got"), ticket);
}

async fn e05_say_appends_learn_merges_decide_replaces(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[]).await.expect("created");
    // The examples of RFC 7396 with objects, one after the other on the same facts.
    let steps = [
        (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
        (r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"b":"c"}"#, r#"{"a":"c","b":"c"}"#),
        (r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"b":null,"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"c"}}"#),
        (r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[{"b":"c"}]}"#),
        (r#"{"a":[1, null]}"#, r#"{"a":[1,null]}"#),
        (r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        (r#"{ "z" : 1e2 , "é":"\u00e9" }"#, r#"{"a":{"bb":{}},"z":1e2,"é":"\u00e9"}"#),
        (r#"{"\u007a":null}"#, r#"{"a":{"bb":{}},"é":"\u00e9"}"#),
        ("{}", r#"{"a":{"bb":{}},"é":"\u00e9"}"#),
    ];
    for (patch, facts) in steps {
        assert_eq!(tickets.apply(ID, &[learn(patch)], None).await.expect(patch).facts, facts, "{patch}");
    }
    for (decision, stored) in
        [(" [ 1 , 2 ] ", "[1,2]"), ("null", "null"), ("\"a b\"", "\"a b\""), ("-0.50e+1", "-0.50e+1")]
    {
        assert_eq!(tickets.apply(ID, &[decide(decision)], None).await.expect(decision).last_decision, stored);
    }
    for message in ["\"\"", "{ }", "\"]\"", "{\"a\" : [ { } ]}", "\"\\u0000\""] {
        tickets.apply(ID, &[say(message)], None).await.expect(message);
    }
    let ticket = tickets.get(ID).await.expect("got");
    assert_eq!(ticket.history, "[\"\",{},\"]\",{\"a\":[{}]},\"\\u0000\"]");
    assert_eq!(ticket.facts, steps[steps.len() - 1].1);
}

async fn e06_json_that_is_not_changed_keeps_every_byte(fixture: Fixture) {
    let facts = "{\"big\": 123456789012345678901234567890, \"real\": 1.0, \"e\": 1E+2,\n \
                 \"h\\u00e9\": \"\\ud800 \\/\", \"z\": {\"b\": 1, \"a\": [ 2 ]}, \"a\": -0}";
    let history = "[\"h\\u00e9llo\", {\"n\": 1.0, \"\\ud83d\": [ ]} ]";
    let decision = " {\"order\": {\"z\":1, \"a\":2}, \"price\": 0.10} ";
    let now_s = fixture.clock_s();
    fixture.external_write(&the_key(), &record(facts, history, decision, now_s, now_s, "1")).await;
    let tickets = fixture.tickets();
    let texts = |ticket: ticket_host::Ticket| (ticket.facts, ticket.history, ticket.last_decision);
    let stored = (facts.to_owned(), history.to_owned(), decision.to_owned());
    assert_eq!(texts(tickets.get(ID).await.expect("got")), stored);
    assert_eq!(texts(tickets.touch(ID).await.expect("touched")), stored);
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");

    let said = tickets.apply(ID, &[say("\"x\"")], None).await.expect("said");
    assert_eq!((said.facts.as_str(), said.last_decision.as_str()), (facts, decision));
    assert!(said.history.starts_with(history.trim_end_matches(']').trim_end()), "{}", said.history);
    let learnt = tickets.apply(ID, &[learn("{\"z\":{\"c\":3},\"new\":true}")], None).await.expect("learnt");
    assert_eq!((&learnt.history, learnt.last_decision.as_str()), (&said.history, decision));
    for kept in [
        "\"big\": 123456789012345678901234567890, \"real\": 1.0, \"e\": 1E+2,\n \"h\\u00e9\": \"\\ud800 \\/\"",
        "\"b\": 1, \"a\": [ 2 ]",
        "\"a\": -0",
    ] {
        assert!(learnt.facts.contains(kept), "{kept} in {}", learnt.facts);
    }
    let decided = tickets.apply(ID, &[decide("1")], None).await.expect("decided");
    assert_eq!((&decided.facts, &decided.history), (&learnt.facts, &learnt.history));
    assert_eq!(texts(tickets.rollback(ID, &snapshot, None).await.expect("rolled back")), stored);
    tickets.close(ID, None).await.expect("closed");
    assert_eq!(texts(tickets.restore(&snapshot).await.expect("restored")), stored);
}

async fn e08_times_never_decrease(fixture: Fixture) {
    let tickets = fixture.tickets();
    let start_s = fixture.clock_s();
    tickets.create(Some(ID), &[]).await.expect("created");
    let times = |ticket: ticket_host::Ticket| (ticket.created_at - start_s, ticket.updated_at - start_s);
    let changes = [say("\"x\"")];
    fixture.clock.set((start_s + 100) * 1_000 + 999);
    assert_eq!(times(tickets.apply(ID, &changes, None).await.expect("applied")), (0, 100), "whole seconds");
    fixture.clock.set((start_s + 50) * 1_000);
    assert_eq!(times(tickets.apply(ID, &changes, None).await.expect("applied")), (0, 100), "the clock went back");
    fixture.clock.set((start_s + 101) * 1_000);
    assert_eq!(times(tickets.touch(ID).await.expect("touched")), (0, 100), "a touch is not a change");
    assert_eq!(times(tickets.get(ID).await.expect("got")), (0, 100));
    assert_eq!(times(tickets.apply(ID, &[learn("{}")], None).await.expect("applied")), (0, 101));
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    fixture.clock.set((start_s + 200) * 1_000);
    assert_eq!(times(tickets.apply(ID, &[decide("1")], None).await.expect("applied")), (0, 200));
    assert_eq!(times(tickets.rollback(ID, &snapshot, None).await.expect("rolled back")), (0, 101));
    tickets.close(ID, None).await.expect("closed");
    assert_eq!(times(tickets.restore(&snapshot).await.expect("restored")), (0, 101));
}

async fn e09_a_message_with_an_id_is_stored_once(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[say("\"m1\"")]).await.expect("created");
    let before = tickets.snapshot(ID).await.expect("snapshot");
    let first = tickets.apply(ID, &[say("{\"id\":\"m1\",\"text\":\"hé\",\"n\":1.0}")], None).await.expect("said");
    fixture.pass(5_000).await;
    // Where the clock cannot be moved, a deadline after the pass may be that before it.
    let passed = fixture.revision_after(&first.revision, 5_000);
    for same in
        ["{\"id\":\"m1\",\"text\":\"hé\",\"n\":1.0}", "{ \"n\":1.0, \"text\": \"h\\u00e9\", \"\\u0069d\":\"m1\" }"]
    {
        let again = tickets.apply(ID, &[say(same)], None).await.expect(same);
        assert_eq!((&again.history, again.updated_at), (&first.history, first.updated_at), "{same}");
        assert_ne!(again.revision, passed, "the deadline moved");
    }
    let dumped = fixture.dump(&the_key()).await;
    for other in [
        "{\"id\":\"m1\"}",
        "{\"id\":\"m1\",\"text\":\"hé\",\"n\":1}",
        "{\"id\":\"m1\",\"text\":\"hé\",\"n\":1.0,\"x\":null}",
    ] {
        let changes = [decide("9"), say(other)];
        assert_eq!(refusal(tickets.apply(ID, &changes, None).await), ErrorKind::Invalid, "{other}");
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    let mixed = [say("{\"id\":\"m1\",\"text\":\"hé\",\"n\":1.0}"), say("\"new\"")];
    let mixed = tickets.apply(ID, &mixed, None).await.expect("said");
    assert!(mixed.history.ends_with(",\"new\"]") && mixed.updated_at == fixture.clock_s(), "{mixed:?}");
    messages_without_an_id(&tickets).await;
    tickets.rollback(ID, &before, None).await.expect("rolled back");
    let free = tickets.apply(ID, &[say("{\"id\":\"m1\"}")], None).await.expect("the id is free again");
    assert_eq!(free.history, "[\"m1\",{\"id\":\"m1\"}]");
}

/// A message whose id is not a string is stored every time.
async fn messages_without_an_id(tickets: &Tickets) {
    for message in ["{\"id\":1}", "{\"id\":null}", "{\"ID\":\"m1\"}", "{\"a\":{\"id\":\"m1\"}}", "\"m1\""] {
        let changes: [Change; 2] = [say(message), say(message)];
        let ticket = tickets.apply(ID, &changes, None).await.expect(message);
        assert!(ticket.history.ends_with(&format!("{message},{message}]")), "{}", ticket.history);
    }
}
