//! E29, E30, E31, E36: messages that are taken back or dropped, and single facts.

use ticket_host::{Bounds, Change, Effect, Put};

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, record, refusal, say, the_key};

promises![
    e29_retract_takes_back_the_newest_messages,
    e30_trim_drops_the_oldest_messages,
    e31_put_sets_one_member,
    e36_bounds_of_the_operator_trim_with_every_change,
];

fn trim(entries_max: Option<u32>, bytes_max: Option<u32>) -> Change {
    Change::Trim(Bounds { entries_max, bytes_max })
}

async fn e29_retract_takes_back_the_newest_messages(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    let fields = record("{}", "[ \"a\" ,{\"id\": \"m\"}, \"c\" ]", "{}", now_s - 9, now_s - 5, "1");
    fixture.external_write(&the_key(), &fields).await;
    let back = tickets.apply(ID, &[Change::Retract(2)], None).await.expect("applied");
    assert_eq!(back.history, "[ \"a\"]");
    assert_eq!(back.effect.retracted, ["{\"id\": \"m\"}", "\"c\""]);
    assert!(back.updated_at >= now_s);
    assert_eq!(tickets.get(ID).await.expect("ticket"), back);
    // The id is free, for other content too; what the same call said is taken back as well.
    let changes = [say("{\"id\":\"m\",\"n\":2}"), say("\"d\""), Change::Retract(1)];
    let again = tickets.apply(ID, &changes, None).await.expect("applied");
    assert_eq!(
        (again.history.as_str(), &again.effect.retracted[..]),
        ("[ \"a\",{\"id\":\"m\",\"n\":2}]", &["\"d\"".to_owned()][..])
    );
    let all = tickets.apply(ID, &[Change::Retract(9)], None).await.expect("applied");
    assert_eq!((all.history.as_str(), all.effect.retracted.len()), ("[]", 2));
    fixture.pass(5_000).await;
    let none = tickets.apply(ID, &[Change::Retract(9), Change::Retract(0)], None).await.expect("applied");
    assert_eq!((none.updated_at, &none.effect), (all.updated_at, &Effect::default()));
    let stale = Some(back.revision.as_str());
    assert_eq!(refusal(tickets.apply(ID, &[Change::Retract(1)], stale).await), ErrorKind::Conflict);
}

async fn e30_trim_drops_the_oldest_messages(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    let history = "[ \"a\" , \"bb\",{\"id\": \"m\"} ]";
    for (change, left, trimmed) in [
        (trim(Some(2), None), "[\"bb\",{\"id\": \"m\"} ]", 1),
        (trim(Some(0), None), "[]", 3),
        (trim(Some(3), Some(u32::MAX)), history, 0),
        (trim(None, Some(20)), "[\"bb\",{\"id\": \"m\"} ]", 1),
        (trim(None, Some(0)), "[{\"id\": \"m\"} ]", 2),
        (trim(Some(2), Some(0)), "[{\"id\": \"m\"} ]", 2),
    ] {
        let fields = record("{}", history, "{}", now_s - 9, now_s - 5, "1");
        fixture.external_write(&the_key(), &fields).await;
        let kept = tickets.apply(ID, std::slice::from_ref(&change), None).await.expect("applied");
        assert_eq!((kept.history.as_str(), kept.effect.trimmed), (left, trimmed), "{change:?}");
        assert_eq!(kept.updated_at == now_s - 5, trimmed == 0, "{change:?}");
        assert_eq!(tickets.get(ID).await.expect("ticket"), kept);
        // Another deadline than the one that the next external write sets.
        fixture.pass(60_000).await;
    }
    assert_eq!(refusal(tickets.apply(ID, &[trim(None, None)], None).await), ErrorKind::Invalid);
}

async fn e31_put_sets_one_member(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    let facts = "{ \"a\": {\"b\" : 1.0, \"l\":[ 1 ]},\n \"n\": null}";
    let fields = record(facts, "[]", "{}", now_s - 9, now_s - 5, "1");
    fixture.external_write(&the_key(), &fields).await;
    let put = |pointer: &str, value: &str, only_if_absent| {
        Change::Put(Put { pointer: pointer.into(), value: value.into(), only_if_absent })
    };
    let kept = [put("/a/b", "2", true), put("/n", "3", true)];
    let same = tickets.apply(ID, &kept, None).await.expect("applied");
    assert_eq!((same.facts.as_str(), same.updated_at), (facts, now_s - 5));
    let changes = [put("/a/b", " null ", false), put("/a/x~1y", "[ 1.0 ]", true)];
    let set = tickets.apply(ID, &changes, None).await.expect("applied");
    assert_eq!(set.facts, "{ \"a\": {\"b\" : null, \"l\":[ 1 ],\"x/y\":[1.0]},\n \"n\": null}");
    assert_eq!(tickets.get(ID).await.expect("ticket"), set);
    let dumped = fixture.dump(&the_key()).await;
    for (pointer, value) in
        [("", "1"), ("a", "1"), ("/a/l/0", "1"), ("/none/x", "1"), ("/n/x", "1"), ("/a/~", "1"), ("/a", "NaN")]
    {
        let refused = refusal(tickets.apply(ID, &[say("\"x\""), put(pointer, value, false)], None).await);
        assert_eq!(refused, ErrorKind::Invalid, "{pointer}");
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
}

async fn e36_bounds_of_the_operator_trim_with_every_change(fixture: Fixture) {
    let bounds = Bounds { entries_max: Some(2), bytes_max: None };
    let tickets = fixture.builder().history_bounds(bounds).build().expect("tickets");
    let made = tickets.create(Some(ID), &[say("\"1\""), say("\"2\""), say("\"3\"")]).await.expect("created");
    assert_eq!((made.history.as_str(), made.effect.trimmed), ("[\"2\",\"3\"]", 1));
    let more = tickets.apply(ID, &[say("\"4\"")], None).await.expect("applied");
    assert_eq!((more.history.as_str(), more.effect.trimmed), ("[\"3\",\"4\"]", 1));
    let ensured = tickets.ensure(ID, &[say("\"5\"")]).await.expect("ensured");
    assert_eq!((ensured.history.as_str(), ensured.effect.trimmed), ("[\"4\",\"5\"]", 1));
    let learnt = tickets.apply(ID, &[Change::Learn("{}".into())], None).await.expect("applied");
    assert_eq!((learnt.history.as_str(), learnt.effect.trimmed), ("[\"4\",\"5\"]", 0));
    assert_eq!(refusal(tickets.apply(ID, &[], None).await), ErrorKind::Invalid, "no change, so no trim");
}
