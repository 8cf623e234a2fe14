//! The file of a fallback: several processes on one, its limit, and what becomes of calls where it is broken.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::fallback::{Event, Status};
use ticket_host::store::Key;
use ticket_host::{Change, Error, Fallback, Tickets};
use ticket_tests::flaky::{Behavior, Flaky};
use ticket_tests::seed;

/// A primary, and a folder with the file of its fallback.
struct Scene {
    primary: Arc<Flaky>,
    folder: TempDir,
}

impl Scene {
    fn new(behavior: Behavior, name: &str) -> Self {
        let clock = ManualClock::at(SystemClock.now_ms());
        Self { primary: Flaky::new(behavior, clock, seed::rng(name)), folder: TempDir::new().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("fallback.db")
    }

    /// What another process with the same file has.
    async fn tickets(&self, bytes_max: usize) -> Tickets {
        let fallback = Fallback::file(self.file()).bytes_max(bytes_max);
        Tickets::builder_over_primary(self.primary.clone()).fallback(fallback).open().await.expect("tickets")
    }

    fn stored(&self, id: &str) -> bool {
        self.primary.entry(&Key::of_ticket(id).expect("key")).is_some()
    }
}

const ROOM: usize = 1 << 20;

fn execute(file: &Path, sql: &str) {
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

async fn status(tickets: &Tickets) -> Status {
    tickets.fallback().expect("fallback").status().await.expect("status")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_file_that_cannot_be_written_fails_no_call() {
    let scene = Scene::new(Behavior::Up, "broken");
    let tickets = scene.tickets(ROOM).await;
    tickets.create(Some("t"), &[]).await.unwrap();
    execute(&scene.file(), "DROP TABLE record");
    for _ in 0..3 {
        tickets.apply("t", &[Change::say("said")], None).await.unwrap();
    }
    assert_eq!(tickets.get("t").await.unwrap().message_count(), 3);
    tickets.close("t", None).await.unwrap();
    assert!(!scene.stored("t"));
    scene.primary.set_behavior(Behavior::Down);
    assert!(matches!(tickets.create(Some("u"), &[]).await, Err(Error::Unavailable(_))), "and in an outage it says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_replica_file_keeps_no_store_down() {
    let scene = Scene::new(Behavior::Up, "blind");
    let tickets = scene.tickets(ROOM).await;
    let mut events = tickets.fallback().expect("fallback").events();
    execute(&scene.file(), "DROP TABLE note");
    scene.primary.lose_data();
    assert!(matches!(events.recv().await, Ok(Event::Down(_))));
    assert!(matches!(events.recv().await, Ok(Event::Up { .. })));
    tickets.create(Some("t"), &[]).await.unwrap();
    assert!(scene.stored("t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_change_that_no_replica_takes_is_uncertain() {
    let scene = Scene::new(Behavior::Silent, "mute");
    let tickets = scene.tickets(ROOM).await;
    execute(&scene.file(), "DROP TABLE record");
    let refused = tickets.create(Some("t"), &[]).await;
    assert!(matches!(refused, Err(Error::Uncertain(_))), "{refused:?}");
    assert!(scene.stored("t"), "for it may have been made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_data_serves_once_a_process_knows_what() {
    let scene = Scene::new(Behavior::Up, "lock");
    let first = scene.tickets(ROOM).await;
    first.create(Some("t"), &[]).await.unwrap();
    drop(first);
    scene.primary.lose_data();
    let another = File::create(scene.folder.path().join("fallback.db.lock")).unwrap();
    another.try_lock().expect("the lock of another process");
    let second = scene.tickets(ROOM).await;
    let waiting = status(&second).await;
    assert!(!waiting.primary_is_up, "{waiting:?}");
    assert!(waiting.last_error.expect("why").contains("another process"));
    another.unlock().unwrap();
    while !status(&second).await.primary_is_up || !scene.stored("t") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_pending_record_stays_and_is_reported() {
    let scene = Scene::new(Behavior::Down, "damaged");
    let first = scene.tickets(ROOM).await;
    first.create(Some("t"), &[Change::say("kept")]).await.unwrap();
    drop(first);
    execute(&scene.file(), "UPDATE record SET text = '{\"local\": \"s3cret\"}'");
    scene.primary.set_behavior(Behavior::Up);
    // What it lost is looked for, and this one cannot be compared.
    execute(&scene.file(), "INSERT OR REPLACE INTO note VALUES ('origin', 'another')");
    let second = scene.tickets(ROOM).await;
    assert!(status(&second).await.primary_is_up);
    let left = second.fallback().expect("fallback").shutdown(Duration::from_millis(300)).await.unwrap();
    assert_eq!(left.pending, ["t"]);
    let error = status(&second).await.last_error.expect("an error");
    assert!(error.contains("ticket:t") && error.contains("damaged") && !error.contains("s3cret"), "{error}");
    second.create(Some("t"), &[]).await.expect("the store has none");
    assert!(second.list("", None).await.expect("a page").ids.contains(&"t".to_owned()));
    let text: String = Connection::open(scene.file())
        .unwrap()
        .query_row("SELECT text FROM record WHERE key = 'ticket:t'", [], |row| row.get(0))
        .unwrap();
    assert!(text.contains("s3cret"), "nothing was written over it: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_that_locks_the_file_fails_no_call() {
    let scene = Scene::new(Behavior::Up, "held");
    let tickets = scene.tickets(ROOM).await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let held = Connection::open(scene.file()).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    tickets.apply("t", &[Change::say("meanwhile")], None).await.expect("the store has done it");
    assert_eq!(tickets.get("t").await.unwrap().message_count(), 1);
    scene.primary.set_behavior(Behavior::Down);
    let refused = tickets.apply("t", &[Change::say("kept by no one")], None).await;
    assert!(matches!(refused, Err(Error::Uncertain(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_is_full_for_the_next_process_too() {
    let scene = Scene::new(Behavior::Down, "full");
    let fact = [Change::learn(&serde_json::json!({ "long": "ä".repeat(500) }))];
    let first = scene.tickets(100_000).await;
    let mut made = 0;
    // It is looked how full it is now and then.
    while first.create(Some(&format!("t{made}")), &fact).await.is_ok() {
        made += 1;
    }
    assert!((40..=192).contains(&made), "{made}");
    drop(first);
    let second = scene.tickets(100_000).await;
    assert!(matches!(second.create(Some("more"), &fact).await, Err(Error::Unavailable(_))));
    second.apply("t0", &[Change::say("still here")], None).await.expect("an old one goes on");
}
