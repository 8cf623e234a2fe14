//! One store for one check, empty and of its own, with its time and its other handles.

use std::fmt;
use std::sync::Arc;

use super::backend::{BoxError, Damage, RawClient, TestBackend};
use ticket_host::store::{Condition, Entry, Fields, Freshness, Key, Namespace, Revision, SharedStore};
use ticket_host::{Settings, Tickets};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

/// Time to live that foreign programs give, in milliseconds.
pub const FOREIGN_TTL_MS: u64 = 1_800_000;
/// Patience for a busy machine.
const DEADLINE_MS: u64 = 60_000;
/// How far deadlines may be from what a store with a time of its own says: it goes on meanwhile, and a host knows it to
/// about the length of a round trip.
const OWN_TIME_SLACK_MS: u64 = 2_000;

/// One empty store that no other check sees.
///
/// Its public methods panic where what they need does not work: in a check that is the verdict.
pub struct Fixture {
    /// A handle to it.
    pub store: SharedStore,
    /// The clock that dates changes of tickets; it stands still until [`Fixture::pass`] moves it.
    pub clock: ManualClock,
    backend: Arc<dyn TestBackend>,
    /// What the namespaces of this fixture begin with, and no other's.
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
    /// A store on a ground; all its namespaces begin with `base`, which no other fixture's do.
    ///
    /// # Errors
    /// Where the store cannot be opened.
    pub async fn new(backend: Arc<dyn TestBackend>, base: &str, seed: u64) -> Result<Self, ticket_store::Error> {
        let namespace = Namespace::parse(&format!("{base}a"))?;
        let store = backend.open(Some(&namespace)).await?;
        let clock = backend.clock().cloned().unwrap_or_else(|| ManualClock::at(SystemClock.now_ms()));
        Ok(Self { store, clock, backend, base: base.to_owned(), namespace, seed })
    }

    /// Where its entries are.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn TestBackend> {
        &self.backend
    }

    /// The namespace of [`Fixture::store`].
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Whether its entries end by a clock that is moved by hand, and not by a time of their own.
    #[must_use]
    pub fn moves_clock(&self) -> bool {
        self.backend.clock().is_some()
    }

    /// A second handle to the same entries.
    pub async fn second(&self) -> SharedStore {
        self.backend.open(Some(&self.namespace)).await.expect("a second handle")
    }

    /// A handle to the entries of another namespace, which [`Fixture::own_namespace`] names; none is the plain names.
    pub async fn in_namespace(&self, name: Option<&str>) -> SharedStore {
        let namespace = name.map(|name| Namespace::parse(name).expect("a namespace"));
        self.backend.open(namespace.as_ref()).await.expect("a handle to a namespace")
    }

    /// A namespace that no other fixture uses, and that is not the one of [`Fixture::store`].
    #[must_use]
    pub fn own_namespace(&self, name: &str) -> String {
        format!("{}b{name}", self.base)
    }

    /// A generator for one use: the same numbers for the same seed and name.
    #[must_use]
    pub fn rng(&self, name: &str) -> fastrand::Rng {
        let of_name = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        fastrand::Rng::with_seed(self.seed ^ of_name)
    }

    /// The tickets of this store, with the default settings and this fixture's clock.
    #[must_use]
    pub fn tickets(&self) -> Tickets {
        self.tickets_over(Arc::clone(&self.store))
    }

    /// The same over a wrapper of the store, or another handle.
    #[must_use]
    pub fn tickets_over(&self, store: SharedStore) -> Tickets {
        Tickets::new(store, self.settings()).expect("tickets")
    }

    /// The default settings with this fixture's clock, and patience for a busy machine.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings { clock: Arc::new(self.clock.clone()), deadline_ms: DEADLINE_MS, ..Settings::default() }
    }

    /// Lets time pass for entries and for the dates of changes. Where the store keeps its own time every deadline
    /// comes nearer instead, which changes revisions; see [`Fixture::moved`].
    pub async fn pass(&self, ms: u64) {
        done(self.try_pass(ms).await);
    }

    /// What a revision that was held before `pass(ms)` is called after it, for the revisions of this project's stores,
    /// which begin with the deadline.
    #[must_use]
    pub fn moved(&self, revision: &str, ms: u64) -> String {
        match revision.split_once('.') {
            Some((deadline_ms, rest)) if deadline_ms != "0" && !self.moves_clock() => {
                let deadline_ms: u64 = deadline_ms.parse().unwrap_or_default();
                format!("{}.{rest}", deadline_ms.saturating_sub(ms))
            }
            _ => revision.to_owned(),
        }
    }

    /// Milliseconds since the epoch by the clock that ends entries.
    pub async fn now_ms(&self) -> u64 {
        done(self.try_now_ms().await)
    }

    /// Unix seconds by the clock that dates changes.
    #[must_use]
    pub fn clock_s(&self) -> u64 {
        self.clock.now_ms() / 1_000
    }

    /// How far deadlines may be from what [`Fixture::now_ms`] says, besides the jitter.
    #[must_use]
    pub fn clock_slack_ms(&self) -> u64 {
        if self.moves_clock() { 0 } else { OWN_TIME_SLACK_MS }
    }

    /// What is under a key, and when it ends.
    pub async fn entry(&self, key: &Key) -> Option<Entry> {
        self.store.read(key, Freshness::Latest).await.expect("read")
    }
}

/// What foreign hands do; where there are none, as far as the store itself can do it.
impl Fixture {
    fn raw_client(&self) -> &dyn RawClient {
        self.backend.raw_client().expect("a hand that reaches the entries behind the store's back")
    }

    /// The name of a key in the store.
    #[must_use]
    pub fn stored_name(&self, key: &Key) -> String {
        format!("{}:{key}", self.namespace.as_str())
    }

    /// The damage that foreign programs can do to this store; none in the memory of a process.
    #[must_use]
    pub fn damages(&self) -> &'static [Damage] {
        self.backend.raw_client().map_or(&[], RawClient::damages)
    }

    /// Leaves damage under a key, whatever was there.
    pub async fn damage(&self, key: &Key, damage: Damage) {
        done(self.raw_client().damage(&self.stored_name(key), damage).await);
    }

    /// Takes the deadline from an entry.
    pub async fn lose_deadline(&self, key: &Key) {
        done(self.raw_client().lose_deadline(&self.stored_name(key)).await);
    }

    /// Writes an entry as a foreign program does; where none can, as one that uses the store. Fields that are not given
    /// may stay, as a plain `HSET` has it.
    pub async fn foreign_write(&self, key: &Key, fields: &Fields) {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.write(&self.stored_name(key), fields, FOREIGN_TTL_MS, true).await),
            None => done(self.write_through(key, fields, FOREIGN_TTL_MS).await),
        }
    }

    /// The revision of what is stored, asked behind the back of its store; none where nothing is or nobody can ask.
    pub async fn foreign_revision(&self, key: &Key) -> Option<Revision> {
        done(self.backend.raw_client()?.revision(&self.stored_name(key)).await)
    }

    /// Deletes an entry behind the back of its store.
    pub async fn foreign_delete(&self, key: &Key) {
        done(self.try_delete(key).await);
    }

    /// All that a foreign program sees of a key: deadline and content, as text to compare.
    pub async fn seen(&self, key: &Key) -> String {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.seen(&self.stored_name(key)).await),
            None => format!("{:?}", self.entry(key).await),
        }
    }

    /// The fields that a foreign program reads under a key; none where there is no entry or nobody can look.
    pub async fn foreign_fields(&self, key: &Key) -> Option<Fields> {
        done(self.backend.raw_client()?.fields(&self.stored_name(key)).await)
    }

    /// Leaves names that look like a ticket's and are none; in the memory of a process nobody can.
    pub async fn plant_names(&self, names: &[&str]) {
        if let Some(raw_client) = self.backend.raw_client() {
            done(raw_client.plant_names(&format!("{}:", self.namespace.as_str()), names).await);
        }
    }

    /// All names that this fixture's store has; none where nobody but the store can look.
    pub async fn names(&self) -> Option<Vec<String>> {
        Some(done(self.backend.raw_client()?.names(&format!("{}:", self.namespace.as_str()), false).await))
    }

    /// The same of entries that have not ended; empty where nobody can look.
    pub async fn names_alive(&self) -> Vec<String> {
        match self.backend.raw_client() {
            Some(raw_client) => done(raw_client.names(&format!("{}:", self.namespace.as_str()), true).await),
            None => Vec::new(),
        }
    }

    /// Deletes all that this fixture has left, where a foreign hand can.
    ///
    /// # Errors
    /// Where it cannot.
    pub async fn clean(&self) -> Result<(), BoxError> {
        let Some(raw_client) = self.backend.raw_client() else { return Ok(()) };
        for name in raw_client.names(&self.base, false).await? {
            raw_client.delete(&name).await?;
        }
        Ok(())
    }
}

/// What a scenario does, in whose play a failure is an error and no verdict.
impl Fixture {
    pub(super) async fn try_pass(&self, ms: u64) -> Result<(), BoxError> {
        self.clock.advance(ms);
        if !self.moves_clock() {
            self.raw_client().bring_nearer(&self.base, ms).await?;
        }
        Ok(())
    }

    pub(super) async fn try_now_ms(&self) -> Result<u64, BoxError> {
        match self.backend.clock() {
            Some(clock) => Ok(clock.now_ms()),
            None => self.raw_client().now_ms().await,
        }
    }

    /// Makes fields the whole entry, as [`Fixture::foreign_write`], to end in `ttl_ms`.
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

/// What a foreign hand brought.
#[track_caller]
fn done<T>(result: Result<T, BoxError>) -> T {
    result.expect("the hand that reaches the entries behind the store's back")
}
