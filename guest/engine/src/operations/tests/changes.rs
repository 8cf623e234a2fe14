//! Changes beyond the first three, tickets made where they are absent, parts, prefixes and times to live.

use super::*;

#[test]
fn ensure_makes_a_ticket_or_changes_it() {
    let fake = Fake::default();
    fake.attempts_max.set(3);
    let engine = Engine::new(&fake);
    let made = engine.ensure("t".into(), say("\"a\""), None).unwrap();
    assert!(made.effect.created && made.ticket.state.created_at == 100);
    let changed = engine.ensure("t".into(), say("\"b\""), None).unwrap();
    assert!(!changed.effect.created && changed.ticket.state.history == "[\"a\",\"b\"]");
    let same = engine.ensure("t".into(), vec![], None).unwrap();
    assert_eq!((&same.ticket.state, same.effect), (&changed.ticket.state, Effect::default()));
    assert_ne!(same.ticket.revision, changed.ticket.revision, "the deadline moves");
}

#[test]
fn ensure_loses_no_race() {
    let fake = Fake::default();
    fake.attempts_max.set(3);
    // Made by another client just before the write, then closed just before the next one.
    *fake.rivals.borrow_mut() = vec![None, Some(record("[1]"))];
    let made = Engine::new(&fake).ensure("t".into(), say("\"us\""), None).unwrap();
    assert!(made.effect.created && made.ticket.state.history == "[\"us\"]");
    {
        let conditions = fake.conditions.borrow();
        assert!(matches!(conditions[..], [Condition::Absent, Condition::At(_), Condition::Absent]), "{conditions:?}");
    }
    fake.attempts_max.set(1);
    *fake.rivals.borrow_mut() = vec![None];
    let late = Engine::new(&fake).ensure("t".into(), say("\"us\""), None);
    assert!(matches!(late, Err(Error::Conflict(None))), "it ended, and the time is up: {late:?}");
}

#[test]
fn the_answer_has_what_was_taken_back_and_dropped() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    fake.put("ticket:t", record("[1,{\"id\":\"m\"},3]"));
    let changes = vec![Change::Retract(1), Change::Say("{\"id\":\"n\"}".into()), Change::Retract(2)];
    let Applied { ticket, effect } = engine.apply("t".into(), changes, None, None).unwrap();
    assert_eq!(ticket.state.history, "[1]");
    assert_eq!(effect.retracted, ["{\"id\":\"m\"}", "{\"id\":\"n\"}", "3"]);
    assert_eq!(ticket.state.updated_at, 100);
    let bounds = Bounds { entries_max: Some(2), bytes_max: None };
    let changes = vec![Change::Say("\"b\"".into()), Change::Say("\"c\"".into()), Change::Trim(bounds)];
    let Applied { ticket, effect } = engine.apply("t".into(), changes, None, None).unwrap();
    assert_eq!((ticket.state.history.as_str(), effect.trimmed), ("[\"b\",\"c\"]", 1));
    // A trim is not one of the changes that a history limits.
    let mut most: Vec<_> =
        (0..SETTINGS.history_entries_max).map(|number| Change::Say(format!("\"{number}\""))).collect();
    most.push(Change::Trim(bounds));
    assert_eq!(engine.apply("t".into(), most.clone(), None, None).unwrap().effect.trimmed, 100);
    most.push(Change::Retract(1));
    assert!(matches!(engine.apply("t".into(), most, None, None), Err(Error::TooLarge(_))));
}

#[test]
fn what_finds_nothing_to_do_leaves_the_time_of_the_last_change() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    fake.put("ticket:t", record("[]"));
    let put = Put { pointer: "/a".into(), value: "1".into(), only_if_absent: true };
    let trim = Change::Trim(Bounds { entries_max: Some(1), bytes_max: Some(9) });
    let nothing = vec![Change::Retract(3), trim];
    let applied = engine.apply("t".into(), nothing, None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.effect), (50, Effect::default()));
    let applied = engine.apply("t".into(), vec![Change::Put(put.clone())], None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.ticket.state.facts.as_str()), (100, "{\"a\":1}"));
    fake.put(
        "ticket:t",
        record("[]")
            .into_iter()
            .map(|(name, text)| match name.as_str() {
                "facts" => (name, "{\"a\":null}".into()),
                _ => (name, text),
            })
            .collect(),
    );
    let applied = engine.apply("t".into(), vec![Change::Put(put)], None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.ticket.state.facts.as_str()), (50, "{\"a\":null}"));
}

#[test]
fn parts_of_a_ticket_are_read() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let changes =
        vec![Change::Learn("{\"a\":{\"b\":[1,2]}}".into()), Change::Say("\"x\"".into()), Change::Say("\"y\"".into())];
    engine.create(Some("t".into()), changes, None).unwrap();
    assert_eq!(engine.get_fact("t".into(), "/a/b/1").unwrap().value.as_deref(), Some("2"));
    assert_eq!(engine.get_fact("t".into(), "/a/c").unwrap().value, None);
    let messages = engine.get_messages("t".into(), 1, None).unwrap();
    assert_eq!((messages.messages, messages.history_entries), (vec!["\"y\"".to_owned()], 2));
    let summary = engine.get_summary("t".into()).unwrap();
    assert_eq!((summary.facts_bytes, summary.history_bytes, summary.history_entries), (17, 9, 2));
    assert_eq!(summary.revision, engine.get("t".into()).unwrap().revision);
    assert!(engine.exists("t".into()).unwrap() && !engine.exists("u".into()).unwrap());
    for error in [engine.get_fact("u".into(), "").map(drop), engine.get_messages("u".into(), 1, None).map(drop)] {
        assert!(matches!(error, Err(Error::NotFound(_))));
    }
    assert!(matches!(engine.get_fact("t".into(), "a"), Err(Error::Invalid(_))));
}

#[test]
fn a_listing_has_the_tickets_of_a_prefix() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    for id in ["user-1", "user-2", "order"] {
        engine.create(Some(id.into()), vec![], None).unwrap();
    }
    fake.put("ticket:user-3", record("["));
    assert_eq!(engine.list_ids("user-", None).unwrap().ids, ["user-1", "user-2", "user-3"]);
    let page = engine.list_summaries("user-", None).unwrap();
    let ids: Vec<_> = page.summaries.iter().map(|summary| summary.id.as_str()).collect();
    assert_eq!((ids, page.unreadable), (vec!["user-1", "user-2"], vec!["user-3".to_owned()]));
    for prefix in ["user:", "-", "a b", &"x".repeat(129)] {
        assert!(matches!(engine.list_ids(prefix, None), Err(Error::Invalid(_))), "{prefix}");
    }
}

#[test]
fn a_call_names_its_time_to_live_within_the_limits() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    engine.create(Some("t".into()), vec![], Some(1_000)).unwrap();
    engine.apply("t".into(), say("\"x\""), None, Some(31_622_400_000)).unwrap();
    engine.ensure("t".into(), vec![], None).unwrap();
    engine.touch("t".into(), Some(5_000)).unwrap();
    assert_eq!(*fake.ttls_ms.borrow(), [1_000, 31_622_400_000, 1_800_000, 5_000]);
    for ttl_ms in [0, 999, 31_622_400_001] {
        assert!(matches!(engine.touch("t".into(), Some(ttl_ms)), Err(Error::Invalid(_))), "{ttl_ms}");
        assert!(matches!(engine.ensure("u".into(), vec![], Some(ttl_ms)), Err(Error::Invalid(_))), "{ttl_ms}");
    }
}
