//! What only a file can show: several processes, other programs, full disks, permissions.

mod clock;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::open::{self, TICKETS};
use super::{SqliteStore, cleanup};
use crate::clock::ManualClock;
use crate::contract::Store;
use crate::entry::{Condition, Freshness, Outcome};
use crate::error::{Error, Kind};
use crate::fields::Fields;
use crate::health::Severity;
use crate::key::{Key, Namespace};
use crate::options::Options;

const TTL_MS: u64 = 10_000;
const NOW_MS: u64 = 1_000_000;

struct Fixture {
    folder: TempDir,
    clock: ManualClock,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), clock: ManualClock::at(NOW_MS) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("new").join("tickets.db")
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

    /// A connection of another program.
    fn other_program(&self) -> Connection {
        std::fs::create_dir_all(self.folder.path().join("new")).expect("folder");
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
async fn processes_share_a_file_that_only_its_owner_may_read() {
    let fixture = Fixture::new();
    let (one, another) = (fixture.store().await, fixture.store().await);
    let entry = fields(&[("a", "1\0\u{10ffff}"), ("b", "")]);
    let written = one.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect("written");
    let read = another.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry");
    assert_eq!(*read.fields, entry);
    assert_eq!(written, Outcome::Written { revision: read.revision.clone(), expires_at_ms: read.expires_at_ms });
    let path = fixture.path();
    assert_eq!(mode(path.parent().expect("folder")), 0o700);
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(Path::new(&format!("{}{end}", path.display()))), 0o600, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_create_the_file_at_once_all_open_it() {
    for _ in 0..20 {
        let fixture = Arc::new(Fixture::new());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let fixture = Arc::clone(&fixture);
                tokio::spawn(async move { fixture.open().await.map(|_| ()) })
            })
            .collect();
        for task in tasks {
            task.await.expect("task").expect("opened");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_at_one_revision_in_many_connections_one_wins() {
    let fixture = Fixture::new();
    let first = fixture.store().await;
    first.write(&key("a"), fields(&[("facts", "{}")]), TTL_MS, &Condition::Absent).await.expect("written");
    let base = first.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").revision;
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let (store, when) = (fixture.store().await, Condition::At(base.clone()));
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
async fn files_of_other_programs_are_refused_and_unchanged() {
    let garbage = "not a database, but long enough to be looked at as one. ".repeat(40);
    let other =
        |sql: &'static str| move |fixture: &Fixture| fixture.other_program().execute_batch(sql).expect("executed");
    let text = |text: String| {
        move |fixture: &Fixture| {
            std::fs::create_dir_all(fixture.folder.path().join("new")).expect("folder");
            std::fs::write(fixture.path(), &text).expect("file");
        }
    };
    let newer = |fixture: &Fixture| {
        drop(open::open(&fixture.path(), None, &TICKETS).expect("created"));
        fixture.other_program().execute_batch("PRAGMA user_version = 2; PRAGMA journal_mode = delete").expect("newer");
    };
    type Case<'case> = (&'case dyn Fn(&Fixture), Kind);
    let cases: [Case; 5] = [
        (&text(garbage), Kind::Corrupt),
        (&text("short".into()), Kind::Corrupt),
        (&other("CREATE TABLE theirs (a)"), Kind::Invalid),
        (&other("PRAGMA application_id = 7; PRAGMA user_version = 1"), Kind::Invalid),
        (&newer, Kind::Denied),
    ];
    for (number, (create, kind)) in cases.iter().enumerate() {
        let fixture = Fixture::new();
        create(&fixture);
        let before = std::fs::read(fixture.path()).expect("file");
        let error = fixture.open().await.expect_err("refused");
        assert_eq!(error.kind(), *kind, "{number}: {}", error.chain());
        assert_eq!(std::fs::read(fixture.path()).expect("file"), before, "{number}");
    }
}

#[tokio::test]
async fn an_edit_that_is_not_text_is_corrupt_until_it_is_replaced() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    let entry = fields(&[("facts", "{}"), ("history", "[]")]);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect("written");
    fixture
        .other_program()
        .execute("UPDATE field SET value = CAST(x'ff' AS TEXT) WHERE name = 'facts'", [])
        .expect("edit");
    let error = store.read(&key("a"), Freshness::Latest).await.expect_err("corrupt");
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("ticket:a") && error.to_string().contains("facts"), "{error}");
    let refused = store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Absent).await.expect_err("corrupt");
    assert_eq!(refused.kind(), Kind::Corrupt);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Present).await.expect("replaced");
    assert_eq!(*store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields, entry);
}

#[tokio::test]
async fn a_value_that_is_not_text_cannot_be_inserted() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    store.write(&key("a"), fields(&[("facts", "{}")]), TTL_MS, &Condition::Absent).await.expect("written");
    for value in ["x'ff'", "NULL"] {
        assert!(fixture.other_program().execute(&format!("UPDATE field SET value = {value}"), []).is_err(), "{value}");
    }
}

#[tokio::test]
async fn a_full_file_has_room_again_when_entries_expire() {
    let fixture = Fixture::new();
    let store = SqliteStore::open(fixture.path(), Some(40), &fixture.options()).await.expect("store");
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
    fixture.clock.advance(TTL_MS + 1);
    store.write(&key("new"), fields(&[("facts", &big)]), TTL_MS, &Condition::Absent).await.expect("room");
    let again = store.write(&key("new"), fields(&[("facts", "{}")]), TTL_MS, &Condition::Present).await;
    assert!(matches!(again, Ok(Outcome::Written { .. })), "{again:?}");
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_blocks_no_executor() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    let other = fixture.other_program();
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
async fn a_write_stores_only_what_differs() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    let big = "x".repeat(500_000);
    store.write(&key("a"), fields(&[("big", &big), ("old", "1")]), TTL_MS, &Condition::Absent).await.expect("written");
    let wal = || std::fs::metadata(format!("{}-wal", fixture.path().display())).expect("wal").len();
    let before = wal();
    let entry = fields(&[("big", &big), ("new", "2")]);
    store.write(&key("a"), entry.clone(), TTL_MS, &Condition::Present).await.expect("written");
    assert!(wal() - before < 100_000, "{} bytes for a small change", wal() - before);
    assert_eq!(*store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields, entry);
}

#[tokio::test]
async fn namespaces_in_one_file_are_separate() {
    let fixture = Fixture::new();
    let plain = fixture.store().await;
    let options = Options { namespace: Some(Namespace::parse("shop").expect("namespace")), ..fixture.options() };
    let shop = SqliteStore::open(fixture.path(), None, &options).await.expect("store");
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
async fn health_warns_of_a_file_that_others_may_read() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    assert!(store.health().await.expect("health").findings.is_empty());
    std::fs::set_permissions(fixture.path(), std::fs::Permissions::from_mode(0o644)).expect("mode");
    let findings = store.health().await.expect("health").findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].severity == Severity::Warning && findings[0].text.contains("644"), "{findings:?}");
}

#[tokio::test]
async fn a_full_log_is_written_from_its_beginning_again() {
    let fixture = Fixture::new();
    let store = fixture.store().await;
    let connection = open::open(&fixture.path(), None, &TICKETS).expect("connection");
    let wal = || std::fs::metadata(format!("{}-wal", fixture.path().display())).expect("wal").len();
    let put = async |id: &str| {
        let entry = fields(&[("facts", &"x".repeat(20_000))]);
        store.write(&key(id), entry, TTL_MS, &Condition::Absent).await.expect("written");
    };
    put("a").await;
    put("b").await;
    let before = wal();
    assert!(cleanup::make_room(&connection, NOW_MS, true).expect("room"), "the log could not be copied");
    put("c").await;
    assert_eq!(wal(), before, "the space of the log is not used again");
    assert!(!cleanup::make_room(&connection, NOW_MS, false).expect("room"), "nothing has expired");
    assert_eq!(store.scan(None, 10).await.expect("page").keys.len(), 3);
    assert!(cleanup::make_room(&connection, NOW_MS + 2 * TTL_MS, false).expect("room"));
    assert_eq!(store.scan(None, 10).await.expect("page").keys, []);
}
