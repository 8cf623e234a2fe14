//! One empty store for one check, with its clock, further handles and a raw client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ticket_host::store::{Condition, Entry, Fields, Freshness, Key, Namespace, Revision, SharedStore};
use ticket_host::{Tickets, TicketsBuilder};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

use crate::backend::{BoxError, Damage, EXTERNAL_TTL_MS, RawClient, TestBackend};

/// Time limit of an operation on tickets: long, because the machine may be slow.
const DEADLINE: Duration = Duration::from_secs(60);
/// Tolerance for deadlines of a store with a clock of its own: that clock keeps running, and a host knows it only to
/// the precision of a round trip.
const OWN_CLOCK_SLACK_MS: u64 = 2_000;

/// One empty store that no other check uses.
///
/// Methods without a `Result` panic if the backend fails; in a check that is the verdict.
pub struct Fixture {
    /// A handle to the store.
    pub store: SharedStore,
    /// The clock that dates changes of tickets; it stands still except for [`Fixture::pass`].
    pub clock: ManualClock,
    backend: Arc<dyn TestBackend>,
    /// The prefix of all namespaces of this fixture, and of no other.
    base: String,
    namespace: Namespace,
    seed: u64,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixture({:?}, {})", self.backend, self.base)
    }
}

impl Fixture {
    /// A store in a backend. `base` is the prefix of all its namespaces; no other fixture may use that prefix.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub async fn new(backend: Arc<dyn TestBackend>, base: &str, seed: u64) -> Result<Self, ticket_store::Error> {
        let namespace = Namespace::parse(&format!("{base}a"))?;
        let store = backend.open(Some(&namespace)).await?;
        let clock = backend.clock().cloned().unwrap_or_else(|| ManualClock::at(SystemClock.now_ms()));
        Ok(Self { store, clock, backend, base: base.to_owned(), namespace, seed })
    }

    /// The backend of the store.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn TestBackend> {
        &self.backend
    }

    /// The namespace of [`Fixture::store`].
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Whether entries end by a clock that the check moves, not by a clock of the store.
    #[must_use]
    pub fn has_manual_clock(&self) -> bool {
        self.backend.clock().is_some()
    }

    /// A second handle to the same entries.
    pub async fn second(&self) -> SharedStore {
        self.backend.open(Some(&self.namespace)).await.expect("a second handle")
    }

    /// A handle to the entries of another namespace, from [`Fixture::own_namespace`]; `None` means no namespace.
    pub async fn in_namespace(&self, name: Option<&str>) -> SharedStore {
        let namespace = name.map(|name| Namespace::parse(name).expect("a valid namespace"));
        self.backend.open(namespace.as_ref()).await.expect("a handle to a namespace")
    }

    /// The name of a namespace that no other fixture uses, different from that of [`Fixture::store`].
    #[must_use]
    pub fn own_namespace(&self, name: &str) -> String {
        format!("{}b{name}", self.base)
    }

    /// A random number generator for one purpose: the same numbers for the same seed and name.
    #[must_use]
    pub fn rng(&self, name: &str) -> fastrand::Rng {
        let of_name = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        fastrand::Rng::with_seed(self.seed ^ of_name)
    }

    /// Tickets over the store, with the clock of this fixture and a long deadline.
    #[must_use]
    pub fn tickets(&self) -> Tickets {
        self.tickets_over(Arc::clone(&self.store))
    }

    /// Tickets over a wrapper of the store, or another handle.
    #[must_use]
    pub fn tickets_over(&self, store: SharedStore) -> Tickets {
        self.builder_over(store).build().expect("tickets")
    }

    /// Sets options of tickets over this store, with the clock of this fixture and a long deadline.
    pub fn builder(&self) -> TicketsBuilder<SharedStore> {
        self.builder_over(Arc::clone(&self.store))
    }

    /// Sets options of tickets over a wrapper of the store, or another handle.
    pub fn builder_over(&self, store: SharedStore) -> TicketsBuilder<SharedStore> {
        Tickets::builder_over(store).clock(Arc::new(self.clock.clone())).deadline(DEADLINE)
    }

    /// Lets time pass, for entries and for the dates of changes. If the clock of the store cannot be moved, all
    /// deadlines become earlier instead. That changes revisions: see [`Fixture::revision_after`].
    pub async fn pass(&self, ms: u64) {
        done(self.try_pass(ms).await);
    }

    /// The revision after `pass(ms)` of a state that had `revision` before, for stores whose revisions begin with the
    /// deadline, as those of this project do.
    #[must_use]
    pub fn revision_after(&self, revision: &str, ms: u64) -> String {
        match revision.split_once('.') {
            Some((deadline_ms, rest)) if deadline_ms != "0" && !self.has_manual_clock() => {
                let deadline_ms: u64 = deadline_ms.parse().unwrap_or_default();
                format!("{}.{rest}", deadline_ms.saturating_sub(ms))
            }
            _ => revision.to_owned(),
        }
    }

    /// Milliseconds since the Unix epoch by the clock that ends entries.
    pub async fn now_ms(&self) -> u64 {
        done(self.try_now_ms().await)
    }

    /// Seconds since the Unix epoch by the clock that dates changes.
    #[must_use]
    pub fn clock_s(&self) -> u64 {
        self.clock.now_ms() / 1_000
    }

    /// How far a deadline may be from what [`Fixture::now_ms`] says, besides the jitter.
    #[must_use]
    pub fn clock_slack_ms(&self) -> u64 {
        if self.has_manual_clock() { 0 } else { OWN_CLOCK_SLACK_MS }
    }

    /// The entry under a key.
    pub async fn entry(&self, key: &Key) -> Option<Entry> {
        self.store.read(key, Freshness::Latest).await.expect("read")
    }
}

/// What another client does and reads. Without a raw client, the store itself does it as far as it can.
impl Fixture {
    fn raw_client(&self) -> &dyn RawClient {
        self.backend.raw_client().expect("a raw client")
    }

    /// The name of a key in the backend.
    #[must_use]
    pub fn stored_name(&self, key: &Key) -> String {
        format!("{}:{key}", self.namespace.as_str())
    }

    /// The kinds of damage that the backend can contain; none without a raw client.
    #[must_use]
    pub fn damages(&self) -> &'static [Damage] {
        self.backend.raw_client().map_or(&[], RawClient::damages)
    }

    /// Replaces the entry under a key by damage.
    pub async fn damage(&self, key: &Key, damage: Damage) {
        done(self.raw_client().damage(&self.stored_name(key), damage).await);
    }

    /// Removes the deadline of an entry.
    pub async fn clear_deadline(&self, key: &Key) {
        done(self.raw_client().clear_deadline(&self.stored_name(key)).await);
    }

    /// Writes fields as another client does. Without a raw client the store writes. Other fields of the entry may stay,
    /// as after a plain `HSET`.
    pub async fn external_write(&self, key: &Key, fields: &Fields) {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.write(&self.stored_name(key), fields, EXTERNAL_TTL_MS, true).await),
            None => done(self.write_through(key, fields, EXTERNAL_TTL_MS).await),
        }
    }

    /// The revision under a key, computed by the raw client; `None` without an entry or a raw client.
    pub async fn raw_revision(&self, key: &Key) -> Option<Revision> {
        done(self.backend.raw_client()?.revision(&self.stored_name(key)).await)
    }

    /// Deletes an entry as another client does.
    pub async fn external_delete(&self, key: &Key) {
        done(self.try_delete(key).await);
    }

    /// Deadline and content under a key, as text to compare.
    pub async fn dump(&self, key: &Key) -> String {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.dump(&self.stored_name(key)).await),
            None => format!("{:?}", self.entry(key).await),
        }
    }

    /// The fields under a key, read by the raw client; `None` without an entry or a raw client.
    pub async fn raw_fields(&self, key: &Key) -> Option<Fields> {
        done(self.backend.raw_client()?.fields(&self.stored_name(key)).await)
    }

    /// Adds names that are not those of tickets; does nothing without a raw client.
    pub async fn add_names(&self, names: &[&str]) {
        if let Some(raw_client) = self.backend.raw_client() {
            done(raw_client.add_names(&format!("{}:", self.namespace.as_str()), names).await);
        }
    }

    /// All names of the store in the backend; `None` without a raw client.
    pub async fn names(&self) -> Option<Vec<String>> {
        Some(done(self.backend.raw_client()?.names(&format!("{}:", self.namespace.as_str()), false).await))
    }

    /// The names of entries that have not expired; empty without a raw client.
    pub async fn live_names(&self) -> Vec<String> {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.names(&format!("{}:", self.namespace.as_str()), true).await),
            None => Vec::new(),
        }
    }

    /// Deletes everything that this fixture has left; does nothing without a raw client.
    ///
    /// # Errors
    /// If the raw client fails.
    pub async fn clean(&self) -> Result<(), BoxError> {
        let Some(raw_client) = self.backend.raw_client() else { return Ok(()) };
        for name in raw_client.names(&self.base, false).await? {
            raw_client.delete(&name).await?;
        }
        Ok(())
    }
}

/// Steps of a scenario, in which a failure is an error and not a verdict.
impl Fixture {
    pub(super) async fn try_pass(&self, ms: u64) -> Result<(), BoxError> {
        self.clock.advance(ms);
        if !self.has_manual_clock() {
            self.raw_client().advance_deadlines(&self.base, ms).await?;
        }
        Ok(())
    }

    pub(super) async fn try_now_ms(&self) -> Result<u64, BoxError> {
        match self.backend.clock() {
            Some(clock) => Ok(clock.now_ms()),
            None => self.raw_client().now_ms().await,
        }
    }

    /// Makes fields the whole entry, as another client does.
    pub(super) async fn try_replace(&self, key: &Key, fields: &Fields, ttl_ms: u64) -> Result<(), BoxError> {
        match self.backend.raw_client() {
            Some(raw_client) => raw_client.write(&self.stored_name(key), fields, ttl_ms, false).await,
            None => self.write_through(key, fields, ttl_ms).await,
        }
    }

    pub(super) async fn try_delete(&self, key: &Key) -> Result<(), BoxError> {
        match self.backend.raw_client() {
            Some(raw_client) => raw_client.delete(&self.stored_name(key)).await,
            None => Ok(self.store.remove(key, &Condition::Present).await.map(drop)?),
        }
    }

    async fn write_through(&self, key: &Key, fields: &Fields, ttl_ms: u64) -> Result<(), BoxError> {
        for when in [Condition::Present, Condition::Absent] {
            self.store.write(key, fields.clone(), ttl_ms, &when).await?;
        }
        Ok(())
    }
}

#[track_caller]
fn done<T>(result: Result<T, BoxError>) -> T {
    result.expect("the raw client, or the store in its place")
}
