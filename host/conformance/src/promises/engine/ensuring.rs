//! E32, E35: tickets that are made where they are absent, and times to live of single calls.

use std::time::Duration;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, learn, refusal, say, the_key};
use crate::promises::steps::TTL_MS;

promises![e32_ensure_creates_or_changes, e35_a_call_names_its_time_to_live];

/// Writers that race to make one ticket.
const WRITERS: usize = 8;

async fn e32_ensure_creates_or_changes(fixture: Fixture) {
    let tickets = fixture.tickets();
    let made = tickets.ensure(ID, &[say("\"a\"")]).await.expect("created");
    assert!(made.effect.created && made.created_at == fixture.clock_s());
    let changed = tickets.ensure(ID, &[say("\"b\"")]).await.expect("changed");
    assert_eq!((changed.effect.created, changed.history.as_str()), (false, "[\"a\",\"b\"]"));
    let same = tickets.ensure(ID, &[]).await.expect("there");
    assert!(same.history == changed.history && same.revision != changed.revision, "its deadline moves");
    let empty = tickets.ensure("other", &[]).await.expect("created");
    assert_eq!((empty.effect.created, empty.history.as_str()), (true, "[]"));
    assert_eq!(refusal(tickets.ensure(ID, &[learn("[]")]).await), ErrorKind::Invalid);
    assert_eq!(tickets.get(ID).await.expect("ticket"), same);

    let mut writers = tokio::task::JoinSet::new();
    for number in 0..WRITERS {
        // Each over a connection of its own, so that they race in the store.
        let tickets = fixture.tickets();
        writers.spawn(async move { tickets.ensure("raced", &[say(&format!("\"{number}\""))]).await });
    }
    let answers = writers.join_all().await;
    let created = answers.iter().filter(|answer| answer.as_ref().expect("ensured").effect.created).count();
    assert_eq!(created, 1, "one writer makes the ticket");
    assert_eq!(tickets.get("raced").await.expect("ticket").message_count(), WRITERS);
}

async fn e35_a_call_names_its_time_to_live(fixture: Fixture) {
    let tickets = fixture.tickets();
    let (short, long) = (Duration::from_millis(TTL_MS / 10), Duration::from_millis(TTL_MS * 10));
    let left_ms = |deadline_ms: u64, now_ms: u64| deadline_ms.saturating_sub(now_ms);
    let near = |left_ms: u64, ttl: Duration| {
        let ttl_ms = u64::try_from(ttl.as_millis()).expect("a short time");
        left_ms + ttl_ms / 1_000 + fixture.clock_slack_ms() > ttl_ms && left_ms < ttl_ms + 1_000
    };
    let usual = Duration::from_millis(TTL_MS);
    let made = tickets.with_ttl(long).create(Some(ID), &[]).await.expect("created");
    assert!(near(left_ms(made.expires_at_ms, fixture.now_ms().await), long));
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    for ttl in [Some(short), None, Some(long), Some(short)] {
        let lasting = ttl.map_or_else(|| tickets.clone(), |ttl| tickets.with_ttl(ttl));
        for changed in [
            lasting.apply(ID, &[say("\"x\"")], None).await.expect("applied"),
            lasting.touch(ID).await.expect("touched"),
            lasting.ensure(ID, &[]).await.expect("ensured"),
            lasting.rollback(ID, &snapshot, None).await.expect("rolled back"),
        ] {
            let left_ms = left_ms(changed.expires_at_ms, fixture.now_ms().await);
            assert!(near(left_ms, ttl.unwrap_or(usual)), "{left_ms} ms are left, not {ttl:?}");
        }
    }
    tickets.close(ID, None).await.expect("closed");
    let again = tickets.with_ttl(short).restore(&snapshot).await.expect("restored");
    assert!(near(left_ms(again.expires_at_ms, fixture.now_ms().await), short));
    let dumped = fixture.dump(&the_key()).await;
    for ttl in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(367 * 24 * 60 * 60)] {
        let lasting = tickets.with_ttl(ttl);
        assert_eq!(refusal(lasting.touch(ID).await), ErrorKind::Invalid, "{ttl:?}");
        assert_eq!(refusal(lasting.apply(ID, &[say("\"x\"")], None).await), ErrorKind::Invalid, "{ttl:?}");
        assert_eq!(refusal(lasting.create(Some("other"), &[]).await), ErrorKind::Invalid, "{ttl:?}");
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);
}
