//! E20 to E24: records of other versions, damaged records, and records without a deadline.

use ticket_host::{Error, Tickets};
use ticket_store::Fields;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, record, record_of, refusal, say, the_key};
use crate::promises::steps::{TTL_MS, fields, sorted};

promises![
    e20_version_0_reads_as_1_and_the_next_change_stores_it,
    e21_a_newer_version_is_never_overwritten,
    e22_damage_is_named_and_not_overwritten,
    e23_rollback_and_close_replace_damage,
    e24_a_missing_deadline_is_restored_by_the_next_change,
];

async fn e20_version_0_reads_as_1_and_the_next_change_stores_it(fixture: Fixture) {
    let tickets = fixture.tickets();
    let bare = [("facts", "{\"n\": 1.0}"), ("history", "[\"h\\u00e9\", {\"id\": \"m\"}]"), ("last_decision", "{ }")];
    let now_s = fixture.clock_s();
    let (some, other) = ((now_s - 9).to_string(), (now_s - 5).to_string());
    // The times in the record, and those of the ticket.
    let cases = [
        (&[][..], 0, 0),
        (&[("created_at", some.as_str()), ("updated_at", other.as_str())], now_s - 9, now_s - 5),
        (&[("updated_at", some.as_str())], now_s - 9, now_s - 9),
        (&[("created_at", some.as_str())], now_s - 9, now_s - 9),
    ];
    for (times, created_at, updated_at) in cases {
        let old = fields(&[&bare[..], times].concat());
        fixture.external_delete(&the_key()).await;
        fixture.external_write(&the_key(), &old).await;
        let ticket = tickets.get(ID).await.expect("got");
        assert_eq!((ticket.version, ticket.created_at, ticket.updated_at), (1, created_at, updated_at));
        assert_eq!((ticket.facts.as_str(), ticket.history.as_str()), (bare[0].1, bare[1].1));
        assert_eq!(ticket.last_decision, bare[2].1);
        let snapshot = tickets.snapshot(ID).await.expect("snapshot");
        tickets.touch(ID).await.expect("touched");
        assert_eq!(tickets.get(ID).await.expect("got").created_at, created_at, "the same in every read");
        assert_eq!(
            sorted(fixture.entry(&the_key()).await.expect("entry").into_fields()),
            sorted(old),
            "reading changed the record"
        );

        let changed = tickets.apply(ID, &[say("\"x\"")], None).await.expect("applied");
        assert_eq!((changed.version, changed.created_at, changed.updated_at), (1, created_at, now_s));
        let entry = fixture.entry(&the_key()).await.expect("entry");
        assert_eq!(sorted(entry.clone().into_fields()), sorted(record_of(&changed)), "six fields, of version 1");
        let back = tickets.rollback(ID, &snapshot, None).await.expect("the snapshot contains the migrated record");
        assert_eq!((back.version, back.updated_at, back.history.as_str()), (1, updated_at, bare[1].1));
        let entry = fixture.entry(&the_key()).await.expect("entry");
        assert_eq!(sorted(entry.clone().into_fields()), sorted(record_of(&back)));
    }
}

async fn e21_a_newer_version_is_never_overwritten(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let six = record("{}", "[]", "{}", now_s, now_s, "2");
    let seven = [six.clone(), fields(&[("mood", "good")])].concat();
    let unknown = fields(&[("version", "17"), ("everything", "else")]);
    for newer in [six, seven, unknown] {
        fixture.external_delete(&the_key()).await;
        fixture.external_write(&the_key(), &newer).await;
        let dumped = fixture.dump(&the_key()).await;
        let unsupported = ErrorKind::UnsupportedVersion;
        assert_eq!(refusal(tickets.get(ID).await), unsupported);
        assert_eq!(refusal(tickets.snapshot(ID).await), unsupported);
        for at in [None, Some("other")] {
            assert_eq!(refusal(tickets.apply(ID, &[say("\"x\"")], at).await), unsupported);
            assert_eq!(refusal(tickets.rollback(ID, &snapshot, at).await), unsupported);
        }
        assert_eq!(refusal(tickets.touch(ID).await), unsupported);
        assert_eq!(refusal(tickets.create(Some(ID), &[]).await), ErrorKind::Exists);
        assert_eq!(refusal(tickets.restore(&snapshot).await), ErrorKind::Exists);
        assert_eq!(fixture.dump(&the_key()).await, dumped, "the deadline changed");
        let entry = fixture.entry(&the_key()).await.expect("entry");
        assert_eq!(sorted(entry.clone().into_fields()), sorted(newer));
    }
}

/// Records that are not tickets, and the field that the error must name.
fn damaged_records(now_s: u64) -> Vec<(Fields, &'static str)> {
    let good = || record("{\"a\":1}", "[\"x\"]", "{}", now_s, now_s, "1");
    let without = |name: &str| good().into_iter().filter(|(field, _)| field != name).collect::<Fields>();
    let with = |name: &str, text: &str| [without(name), fields(&[(name, text)])].concat();
    let mut damaged = vec![([good(), fields(&[("mood", "good")])].concat(), "mood")];
    for name in ["facts", "history", "last_decision", "created_at", "updated_at"] {
        damaged.push((without(name), name));
    }
    for (name, texts) in [
        ("facts", &["", "[]", "null", "{", "{\"a\":NaN}", "{'a':1}", "{\"a\":1}x", "\u{feff}{}"][..]),
        ("history", &["", "{}", "null", "[", "[1,]", "[\"\u{1}\"]"][..]),
        ("last_decision", &["", "nan", "NaN", "Infinity", "\"", "{} {}"][..]),
        ("created_at", &["", "-1", "+1", "01", "1.0", "1e3", "x", " 1", "18446744073709551616"][..]),
        ("updated_at", &["", "-1", "2026-01-01"][..]),
        ("version", &["", "0", "-1", "01", "1.0", "one"][..]),
    ] {
        damaged.extend(texts.iter().map(|text| (with(name, text), name)));
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    damaged.push((with("facts", &deep), "facts"));
    damaged
}

async fn e22_damage_is_named_and_not_overwritten(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some(ID), &[]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    for (damaged, field) in damaged_records(fixture.clock_s()) {
        fixture.external_delete(&the_key()).await;
        fixture.external_write(&the_key(), &damaged).await;
        let dumped = fixture.dump(&the_key()).await;
        let errors = [
            tickets.get(ID).await.map(drop),
            tickets.snapshot(ID).await.map(drop),
            tickets.apply(ID, &[say("\"x\"")], None).await.map(drop),
            tickets.apply(ID, &[say("\"x\"")], Some("other")).await.map(drop),
        ];
        for error in errors.map(|answer| answer.expect_err("damage")) {
            assert!(matches!(error, Error::Corrupt(_)), "{damaged:?}: {error:?}");
            let text = error.to_string();
            assert!(text.contains(the_key().as_str()) && text.contains(field), "{damaged:?}: {text}");
        }
        assert_eq!(refusal(tickets.create(Some(ID), &[]).await), ErrorKind::Exists);
        assert_eq!(refusal(tickets.restore(&snapshot).await), ErrorKind::Exists);
        assert_eq!(refusal(tickets.touch(ID).await), ErrorKind::Corrupt);
        assert_eq!(fixture.dump(&the_key()).await, dumped, "{damaged:?}");
        assert_eq!(sorted(fixture.entry(&the_key()).await.expect("entry").into_fields()), sorted(damaged));
    }
    for &damage in fixture.damages() {
        fixture.damage(&the_key(), damage).await;
        let dumped = fixture.dump(&the_key()).await;
        let errors = [
            tickets.get(ID).await.map(drop),
            tickets.snapshot(ID).await.map(drop),
            tickets.apply(ID, &[say("\"x\"")], None).await.map(drop),
            tickets.apply(ID, &[say("\"x\"")], Some("other")).await.map(drop),
            tickets.create(Some(ID), &[]).await.map(drop),
            tickets.restore(&snapshot).await.map(drop),
        ];
        for error in errors.map(|answer| answer.expect_err("damage")) {
            assert!(matches!(error, Error::Corrupt(_)), "{damage:?}: {error:?}");
            assert!(error.to_string().contains(the_key().as_str()), "{damage:?}: {error}");
        }
        assert_eq!(fixture.dump(&the_key()).await, dumped, "{damage:?}");
    }
}

async fn e23_rollback_and_close_replace_damage(fixture: Fixture) {
    let tickets = fixture.tickets();
    let ticket = tickets.create(Some(ID), &[say("\"x\""), decide("1")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let restore = async || {
        let back = tickets.rollback(ID, &snapshot, None).await.expect("rolled back");
        assert_eq!(sorted(record_of(&back)), sorted(record_of(&ticket)));
        let entry = fixture.entry(&the_key()).await.expect("entry");
        assert_eq!(sorted(entry.clone().into_fields()), sorted(record_of(&ticket)), "part of the damage stays");
        assert!(entry.expires_at_ms > fixture.now_ms().await);
    };
    for (damaged, field) in damaged_records(ticket.created_at) {
        let write_damage = async || {
            fixture.external_delete(&the_key()).await;
            fixture.external_write(&the_key(), &damaged).await;
        };
        write_damage().await;
        if field != "version" {
            // A conflict over a damaged record contains no ticket.
            let refused = tickets.rollback(ID, &snapshot, Some("other")).await;
            assert!(matches!(refused, Err(Error::Conflict(None))), "{damaged:?}: {refused:?}");
        }
        restore().await;
        write_damage().await;
        closes(&tickets).await;
    }
    for &damage in fixture.damages() {
        fixture.damage(&the_key(), damage).await;
        assert_eq!(refusal(tickets.rollback(ID, &snapshot, Some("other")).await), ErrorKind::Corrupt, "{damage:?}");
        assert_eq!(refusal(tickets.close(ID, Some("other")).await), ErrorKind::Corrupt, "{damage:?}");
        restore().await;
        fixture.damage(&the_key(), damage).await;
        closes(&tickets).await;
    }
}

async fn closes(tickets: &Tickets) {
    tickets.close(ID, None).await.expect("closed");
    assert_eq!(refusal(tickets.get(ID).await), ErrorKind::NotFound);
}

async fn e24_a_missing_deadline_is_restored_by_the_next_change(fixture: Fixture) {
    let tickets = fixture.tickets();
    let ticket = tickets.create(Some(ID), &[say("\"x\"")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    for operation in 0..5 {
        fixture.clear_deadline(&the_key()).await;
        fixture.pass(TTL_MS * 2).await;
        let lasting = tickets.get(ID).await.expect("a ticket without a deadline");
        assert_eq!(lasting.expires_at_ms, 0);
        assert_eq!(lasting.history, ticket.history);
        assert_eq!(tickets.get(ID).await.expect("got"), lasting, "a read changed it");
        let restored = match operation {
            0 => tickets.touch(ID).await,
            1 => tickets.apply(ID, &[decide("1")], None).await,
            2 => tickets.apply(ID, &[decide("2")], Some(&lasting.revision)).await,
            3 => tickets.rollback(ID, &snapshot, Some(&lasting.revision)).await,
            _ => tickets.rollback(ID, &snapshot, None).await,
        };
        let restored = restored.expect("restored");
        let left_ms = restored.expires_at_ms.saturating_sub(fixture.now_ms().await);
        assert!(left_ms.abs_diff(TTL_MS) <= TTL_MS / 2_000 + fixture.clock_slack_ms() + 1, "{left_ms} ms are left");
        assert_eq!(tickets.get(ID).await.expect("got"), restored);
    }
    fixture.clear_deadline(&the_key()).await;
    tickets.close(ID, None).await.expect("closed");
}
