//! E15, E16, E17: snapshots, rollback and restore.

use ticket_host::Limits;

use crate::error_kind::ErrorKind;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::engine::steps::{ID, decide, learn, record, record_of, refusal, say, the_key};
use crate::promises::steps::{TTL_MS, sorted};

promises![
    e15_rollback_restores_all_six_fields,
    e16_rollback_refuses_other_tickets_and_damaged_snapshots,
    e17_restore_creates_a_ticket_that_is_gone,
];

async fn e15_rollback_restores_all_six_fields(fixture: Fixture) {
    let tickets = fixture.tickets();
    let now_s = fixture.clock_s();
    let facts = "{ \"a\": 1.0,\n \"\\ud800\": \"\\u00e9 \\\\ \\\" \u{1f3ab}\" }";
    let fields = record(facts, "[ \"x\" ,{\"id\": \"m\"}]", "null", now_s - 9, now_s - 5, "1");
    fixture.external_write(&the_key(), &fields).await;
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    assert!(!snapshot.contains('\n'), "one line");
    assert_eq!(tickets.snapshot(ID).await.expect("snapshot"), snapshot, "it depends on the ticket alone");
    for round in 0..3 {
        fixture.pass(100_000).await;
        let changes = [say("\"y\""), learn("{\"a\":null,\"b\":2}"), decide("[]")];
        tickets.apply(ID, &changes[..=round], None).await.expect("applied");
        let back = tickets.rollback(ID, &snapshot, None).await.expect("rolled back");
        assert_eq!(sorted(record_of(&back)), sorted(fields.clone()));
        let entry = fixture.entry(&the_key()).await.expect("entry");
        assert_eq!(sorted(entry.clone().into_fields()), sorted(fields.clone()));
        let left_ms = entry.expires_at_ms - fixture.now_ms().await;
        assert!(left_ms + TTL_MS / 1_000 + fixture.clock_slack_ms() > TTL_MS, "{left_ms} ms are left");
        tickets.rollback(ID, &snapshot, None).await.expect("rolled back again");
    }
}

async fn e16_rollback_refuses_other_tickets_and_damaged_snapshots(fixture: Fixture) {
    let tickets = fixture.tickets();
    tickets.create(Some("other"), &[]).await.expect("created");
    tickets.create(Some(ID), &[say("\"old incarnation\"")]).await.expect("created");
    let (of_other, of_old_incarnation) = (tickets.snapshot("other").await, tickets.snapshot(ID).await);
    let (of_other, of_old_incarnation) = (of_other.expect("snapshot"), of_old_incarnation.expect("snapshot"));
    tickets.close(ID, None).await.expect("closed");
    fixture.pass(2_000).await;
    tickets.create(Some(ID), &[say("\"new incarnation\"")]).await.expect("created");
    let good = tickets.snapshot(ID).await.expect("snapshot");
    let revision = tickets.apply(ID, &[decide("1")], None).await.expect("applied").revision;
    let dumped = fixture.dump(&the_key()).await;

    let mut bad = vec![of_other, of_old_incarnation.clone(), String::new(), "{}".into(), "null".into(), "\0".into()];
    bad.push(good.replace("new incarnation", "few incarnation"));
    bad.push(good.replace(ID, "t-2"));
    bad.push(good.replace("\"1\"", "\"2\""));
    bad.push(format!("{good}x"));
    bad.push(good.replacen('{', "{\"more\":1,", 1));
    bad.extend((0..good.len()).step_by(7).filter(|&end| good.is_char_boundary(end)).map(|end| good[..end].to_owned()));
    for digit in '0'..='9' {
        // At most one of these is the right last digit of the digest.
        let edited = format!("{}{digit}\"}}", &good[..good.len() - 3]);
        if edited != good {
            bad.push(edited);
        }
    }
    for snapshot in &bad {
        for at in [None, Some(revision.as_str())] {
            let refused = refusal(tickets.rollback(ID, snapshot, at).await);
            assert_eq!(refused, ErrorKind::Invalid, "{snapshot}");
        }
        if *snapshot != of_old_incarnation && !snapshot.contains("other") {
            assert_eq!(refusal(tickets.restore(snapshot).await), ErrorKind::Invalid, "{snapshot}");
        }
    }
    assert_eq!(fixture.dump(&the_key()).await, dumped);

    let strict = fixture.builder().limits(Limits::default().ticket_bytes_max(30)).build().expect("tickets");
    assert_eq!(refusal(strict.rollback(ID, &good, None).await), ErrorKind::TooLarge);
    assert_eq!(refusal(strict.restore(&good).await), ErrorKind::TooLarge);
    assert_eq!(refusal(tickets.rollback(ID, &" ".repeat(8 << 20), None).await), ErrorKind::TooLarge);
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    tickets.rollback(ID, &good, Some(&revision)).await.expect("the snapshot of this ticket");
}

async fn e17_restore_creates_a_ticket_that_is_gone(fixture: Fixture) {
    let tickets = fixture.tickets();
    let before = tickets.create(Some(ID), &[say("\"x\""), learn("{\"a\":1.0}")]).await.expect("created");
    let snapshot = tickets.snapshot(ID).await.expect("snapshot");
    let dumped = fixture.dump(&the_key()).await;
    assert_eq!(refusal(tickets.restore(&snapshot).await), ErrorKind::Exists);
    assert_eq!(fixture.dump(&the_key()).await, dumped);
    for is_closed in [false, true] {
        if is_closed {
            tickets.close(ID, None).await.expect("closed");
        } else {
            fixture.pass(TTL_MS + 1_000).await;
        }
        let again = tickets.restore(&snapshot).await.expect("restored");
        assert_eq!(sorted(record_of(&again)), sorted(record_of(&before)));
        let left_ms = again.expires_at_ms - fixture.now_ms().await;
        assert!(left_ms + TTL_MS / 1_000 + fixture.clock_slack_ms() > TTL_MS, "{left_ms} ms are left");
        assert_eq!(refusal(tickets.restore(&snapshot).await), ErrorKind::Exists);
        tickets.rollback(ID, &snapshot, None).await.expect("the same incarnation");
    }
}
