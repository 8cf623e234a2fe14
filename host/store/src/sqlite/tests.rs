//! What only a file can show: several processes, foreign hands, full disks, permissions.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::health::Severity;
use crate::key::Namespace;

const TTL_MS: u64 = 10_000;
const NOW_MS: u64 = 1_000_000;

struct ReplicaStorage {
    folder: TempDir,
    clock: ManualClock,
}

impl ReplicaStorage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), clock: ManualClock::at(NOW_MS) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("made").join("tickets.db")
    }

    fn options(&self) -> Options {
        Options { clock: Arc::new(self.clock.clone()), ..Options::default() }
    }

    async fn open(&self) -> Result<SqliteStore, Error> {
        SqliteStore::open(self.path(), None, &self.options()).await
    }

    async fn store(&self) -> SqliteStore {
        self.open().await.expect("store")
    }

    /// Another process with SQLite of its own.
    fn foreign(&self) -> Connection {
        std::fs::create_dir_all(self.folder.path().join("made")).expect("folder");
        Connection::open(self.path()).expect("connection")
    }
}

fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[tokio::test]
async fn what_one_handle_writes_another_process_reads_and_only_the_owner_may() {
    let place = ReplicaStorage::new();
    let (ours, theirs) = (place.store().await, place.store().await);
    let entry = fields(&[("a", "1\0\u{10ffff}"), ("b", "")]);
    let written = ours.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect("written");
    let read = theirs.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry");
    assert_eq!(*read.fields, entry);
    assert_eq!(written, Outcome::Written { revision: read.revision.clone(), expires_at_ms: read.expires_at_ms });
    let path = place.path();
    assert_eq!(mode(path.parent().expect("folder")), 0o700);
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(Path::new(&format!("{}{end}", path.display()))), 0o600, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_make_the_file_at_once_all_open_it() {
    for _ in 0..20 {
        let place = Arc::new(ReplicaStorage::new());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let place = Arc::clone(&place);
                tokio::spawn(async move { place.open().await.map(|_| ()) })
            })
            .collect();
        for task in tasks {
            task.await.expect("task").expect("opened");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_at_one_revision_in_several_connections_one_is_applied() {
    let place = ReplicaStorage::new();
    let first = place.store().await;
    first.write(&key("a"), fields(&[("facts", "{}")]), TTL_MS, &Condition::Absent).await.expect("written");
    let base = first.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").revision;
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let (store, when) = (place.store().await, Condition::At(base.clone()));
        let entry = fields(&[("facts", &format!("{{\"writer\":{writer}}}"))]);
        tasks.push(tokio::spawn(async move { store.write(&key("a"), entry, TTL_MS, &when).await.expect("outcome") }));
    }
    let mut applied = 0;
    for task in tasks {
        match task.await.expect("task") {
            Outcome::Written { .. } => applied += 1,
            Outcome::Refused(entry) => assert!(entry.is_some()),
            Outcome::Removed => panic!("removed"),
        }
    }
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused_and_not_touched() {
    let garbage = "not a database, but long enough to be looked at as one. ".repeat(40);
    let other = |sql: &'static str| move |place: &ReplicaStorage| place.foreign().execute_batch(sql).expect("made");
    let text = |text: String| {
        move |place: &ReplicaStorage| {
            std::fs::create_dir_all(place.folder.path().join("made")).expect("folder");
            std::fs::write(place.path(), &text).expect("file");
        }
    };
    let newer = |place: &ReplicaStorage| {
        drop(file::open(&place.path(), None, &file::TICKETS).expect("ours"));
        place.foreign().execute_batch("PRAGMA user_version = 2; PRAGMA journal_mode = delete").expect("newer");
    };
    type Case<'make> = (&'make dyn Fn(&ReplicaStorage), Kind);
    let cases: [Case; 5] = [
        (&text(garbage), Kind::Corrupt),
        (&text("short".into()), Kind::Corrupt),
        (&other("CREATE TABLE theirs (a)"), Kind::Invalid),
        (&other("PRAGMA application_id = 7; PRAGMA user_version = 1"), Kind::Invalid),
        (&newer, Kind::Denied),
    ];
    for (number, (make, kind)) in cases.iter().enumerate() {
        let place = ReplicaStorage::new();
        make(&place);
        let before = std::fs::read(place.path()).expect("file");
        let error = place.open().await.expect_err("refused");
        assert_eq!(error.kind(), *kind, "{number}: {}", error.chain());
        assert_eq!(std::fs::read(place.path()).expect("file"), before, "{number}");
    }
}

#[tokio::test]
async fn a_foreign_edit_that_is_no_text_is_corrupt_and_stays_until_it_is_replaced() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    let entry = fields(&[("facts", "{}"), ("history", "[]")]);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect("written");
    place.foreign().execute("UPDATE field SET value = CAST(x'ff' AS TEXT) WHERE name = 'facts'", []).expect("edit");
    let error = store.read(&key("a"), Freshness::Latest).await.expect_err("corrupt");
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("ticket:a") && error.to_string().contains("facts"), "{error}");
    let refused = store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect_err("corrupt");
    assert_eq!(refused.kind(), Kind::Corrupt);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Present).await.expect("replaced");
    assert_eq!(*store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields, entry);
}

#[tokio::test]
async fn a_type_that_is_no_text_cannot_be_edited_in() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    store.write(&key("a"), fields(&[("facts", "{}")]), TTL_MS, &Condition::Absent).await.expect("written");
    for value in ["x'ff'", "NULL"] {
        assert!(place.foreign().execute(&format!("UPDATE field SET value = {value}"), []).is_err(), "{value}");
    }
}

#[tokio::test]
async fn a_full_file_writes_nothing_and_has_room_again_when_entries_expire() {
    let place = ReplicaStorage::new();
    let store = SqliteStore::open(place.path(), Some(40), &place.options()).await.expect("store");
    let big = "x".repeat(20_000);
    let mut kept = 0;
    let error = loop {
        match store.write(&key(&kept.to_string()), fields(&[("facts", &big)]), TTL_MS, &Condition::Absent).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100);
    };
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert_eq!(store.read(&key(&kept.to_string()), Freshness::Latest).await.expect("read"), None);
    assert_eq!(store.scan(None, 1_000).await.expect("page").keys.len(), kept);
    place.clock.advance(TTL_MS + 1);
    store.write(&key("new"), fields(&[("facts", &big)]), TTL_MS, &Condition::Absent).await.expect("room");
}

#[tokio::test]
async fn a_file_that_stays_locked_is_unavailable_and_nobody_is_blocked() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    let other = place.foreign();
    other.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let key = key("a");
    let write = store.write(&key, fields(&[("facts", "{}")]), TTL_MS, &Condition::Absent);
    let (mut ticks, mut tick) = (0, tokio::time::interval(std::time::Duration::from_millis(50)));
    tokio::pin!(write);
    let error = loop {
        tokio::select! {
            outcome = &mut write => break outcome.expect_err("locked"),
            _ = tick.tick() => ticks += 1,
        }
    };
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(ticks > 10, "{ticks}");
    other.execute_batch("ROLLBACK").expect("unlock");
    assert_eq!(store.read(&key, Freshness::Latest).await.expect("read"), None);
}

#[tokio::test]
async fn only_what_differs_is_written_and_nothing_else_is_left() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    let big = "x".repeat(500_000);
    store.write(&key("a"), fields(&[("big", &big), ("old", "1")]), TTL_MS, &Condition::Absent).await.expect("written");
    let wal = || std::fs::metadata(format!("{}-wal", place.path().display())).expect("wal").len();
    let before = wal();
    let entry = fields(&[("big", &big), ("new", "2")]);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Present).await.expect("written");
    assert!(wal() - before < 100_000, "{} bytes for a small change", wal() - before);
    assert_eq!(*store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields, entry);
}

#[tokio::test]
async fn what_has_expired_leaves_the_file() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    let count = |place: &ReplicaStorage| -> i64 {
        place.foreign().query_row("SELECT count(*) FROM field", [], |row| row.get(0)).expect("count")
    };
    for id in 0..10 {
        store.write(&key(&format!("a{id}")), fields(&[("f", "")]), TTL_MS, &Condition::Absent).await.expect("written");
    }
    place.clock.advance(TTL_MS + 1);
    assert_eq!(store.scan(None, 100).await.expect("page").keys, []);
    for id in 0..CHANGES_BETWEEN_DROPS {
        store.write(&key(&format!("b{id}")), fields(&[("f", "")]), TTL_MS, &Condition::Absent).await.expect("written");
    }
    assert_eq!(count(&place), i64::from(CHANGES_BETWEEN_DROPS));
    place.clock.advance(TTL_MS + 1);
    drop(place.store().await);
    assert_eq!(count(&place), 0);
}

#[tokio::test]
async fn namespaces_share_a_file_and_see_none_of_each_other() {
    let place = ReplicaStorage::new();
    let plain = place.store().await;
    let options = Options { namespace: Some(Namespace::parse("shop").expect("namespace")), ..place.options() };
    let shop = SqliteStore::open(place.path(), None, &options).await.expect("store");
    for (store, facts) in [(&plain, "1"), (&shop, "2")] {
        for id in ["a", "b", "c"] {
            store.write(&key(id), fields(&[("facts", facts)]), TTL_MS, &Condition::Absent).await.expect("written");
        }
        let first = store.scan(None, 2).await.expect("page");
        let second = store.scan(first.cursor.as_deref(), 2).await.expect("page");
        assert_eq!((first.keys, second.keys, second.cursor), (vec![key("a"), key("b")], vec![key("c")], None));
    }
    assert_eq!(plain.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields[0].1, "1");
    assert!(plain.scan(Some("shop:ticket:a"), 2).await.is_err());
}

#[tokio::test]
async fn health_tells_of_a_file_that_others_may_read() {
    let place = ReplicaStorage::new();
    let store = place.store().await;
    assert!(store.health().await.expect("health").findings.is_empty());
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o644)).expect("mode");
    let findings = store.health().await.expect("health").findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].severity == Severity::Warning && findings[0].text.contains("644"), "{findings:?}");
}
