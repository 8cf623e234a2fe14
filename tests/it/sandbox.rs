//! The engine in its sandbox: what makes it trap costs its caller an answer, and no other caller anything.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ticket_host::clock::SystemClock;
use ticket_host::store::{
    Condition, Entry, Error as StoreError, Fields, Freshness, Health, Key, MemoryStore, Outcome, Page, Store,
};
use ticket_host::{Change, Error, Limits, Tickets};

/// More than an instance of the engine may have, which no store of ours would give.
const SWOLLEN_BYTES: usize = 100 * 1024 * 1024;

/// A store that gives entries beyond every limit while it is swollen.
#[derive(Debug)]
struct Swelling {
    inner: MemoryStore,
    swollen: AtomicBool,
}

impl fmt::Display for Swelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("swelling:")
    }
}

#[async_trait]
impl Store for Swelling {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, StoreError> {
        let entry = self.inner.read(key, freshness).await?;
        if !self.swollen.load(Ordering::SeqCst) {
            return Ok(entry);
        }
        let fields = vec![("facts".to_owned(), "x".repeat(SWOLLEN_BYTES))];
        Ok(entry.map(|entry| Entry { fields: fields.into(), ..entry }))
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, StoreError> {
        self.inner.write(key, fields, ttl_ms, when).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, StoreError> {
        self.inner.touch(key, ttl_ms).await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, StoreError> {
        self.inner.remove(key, when).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        self.inner.scan(cursor, limit).await
    }

    async fn health(&self) -> Result<Health, StoreError> {
        self.inner.health().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_an_error_for_its_caller_alone() {
    let inner = MemoryStore::new(Arc::new(SystemClock));
    let store = Arc::new(Swelling { inner, swollen: AtomicBool::new(false) });
    for fresh_instances in [false, true] {
        let tickets = Tickets::builder_over(store.clone()).fresh_instances(fresh_instances).build().unwrap();
        let id = format!("t-{fresh_instances}");
        let ticket = tickets.create(Some(&id), &[Change::say("kept")]).await.unwrap();
        for _ in 0..3 {
            store.swollen.store(true, Ordering::SeqCst);
            assert!(matches!(tickets.get(&id).await, Err(Error::Internal(_))));
            assert!(matches!(tickets.apply(&id, &[Change::say("x")], None).await, Err(Error::Internal(_))));
            store.swollen.store(false, Ordering::SeqCst);
            assert_eq!(tickets.get(&id).await.unwrap(), ticket, "a new instance serves");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_callers_take_no_instance_with_them() {
    let tickets = Tickets::open("memory:").await.unwrap();
    tickets.create(Some("t"), &[]).await.unwrap();
    // More than the pool has places.
    for round in 0..600 {
        let caller = tokio::spawn({
            let tickets = tickets.clone();
            async move { tickets.apply("t", &[Change::say("x")], None).await }
        });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        // Some are done before they are aborted.
        let _ = caller.await;
    }
    let before = tickets.get("t").await.unwrap().message_count();
    assert_eq!(tickets.apply("t", &[Change::say("y")], None).await.unwrap().message_count(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_of_many_tickets_are_all_served() {
    serve_many(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_are_all_served_by_instances_of_their_own() {
    serve_many(true).await;
}

async fn serve_many(fresh_instances: bool) {
    let builder = Tickets::builder_over(Arc::new(MemoryStore::new(Arc::new(SystemClock))));
    let tickets = builder.fresh_instances(fresh_instances).build().unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..1_000_u32 {
        let tickets = tickets.clone();
        callers.spawn(async move {
            let id = format!("t{}", number % 50);
            let created = tickets.create(Some(&id), &[]).await;
            assert!(matches!(created, Ok(_) | Err(Error::Exists(_))), "{created:?}");
            tickets.apply(&id, &[Change::say(&number.to_string())], None).await.unwrap();
        });
    }
    callers.join_all().await;
    let mut said = 0;
    for number in 0..50 {
        said += tickets.get(&format!("t{number}")).await.unwrap().message_count();
    }
    assert_eq!(said, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_an_instance_can_take_in_is_refused_before_it_does() {
    let tickets = Tickets::open("memory:").await.unwrap();
    let ticket = tickets.create(Some("t"), &[]).await.unwrap();
    let huge = "x".repeat(70_000_000);
    for refused in [
        tickets.apply("t", &[Change::say(&huge)], None).await,
        tickets.apply("t", &[Change::say("x")], Some(&huge)).await,
        tickets.rollback("t", &huge, None).await,
        tickets.restore(&huge).await,
        tickets.create(Some(&huge), &[]).await,
    ] {
        assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    }
    let many = vec![Change::say("x"); 10_001];
    assert!(matches!(tickets.apply("t", &many, None).await, Err(Error::TooLarge(_))));
    assert!(matches!(tickets.get(&huge[..10_000_000]).await, Err(Error::Invalid(_))));
    assert_eq!(tickets.get("t").await.unwrap(), ticket);
    let raised = Tickets::builder_over(tickets.store().clone()).limits(Limits::default().ticket_bytes_max(u32::MAX));
    assert!(matches!(raised.build(), Err(Error::Invalid(_))));
}
