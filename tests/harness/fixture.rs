//! One empty store of each kind, as a fixture of the kit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use ticket_conformance::{self as conformance, OpenStoreAsync, RawClient, RedisBackend, SqliteBackend, TestBackend};
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::fallback::{self, FallbackStore};
use ticket_host::store::{Error, Namespace, Options, RedisPrimary, RedisStore, SharedStore, SqliteStore};
use ticket_host::{Limits, merge};

use crate::flaky::{Behavior, Flaky};
use crate::sole_user::SoleUserStore;
use crate::{RedisServer, seed};

/// Time limit of a call to Redis: a slow machine is not an outage.
const CALL_TIME: Duration = Duration::from_secs(20);

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// Memory of this process.
    Memory,
    /// A file.
    Sqlite,
    /// A server.
    Redis,
    /// A server that is read before every change.
    RedisAsked,
    /// A server whose user may not run transactions: every write is a script.
    RedisScripts,
    /// A server with a fallback, always up.
    Healthy,
    /// The same, read before every change.
    HealthyAsked,
    /// A fallback whose primary is always down.
    Down,
    /// A fallback whose primary goes up and down.
    Flapping,
}

impl StoreKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Memory,
        Self::Sqlite,
        Self::Redis,
        Self::RedisAsked,
        Self::RedisScripts,
        Self::Healthy,
        Self::HealthyAsked,
        Self::Down,
        Self::Flapping,
    ];

    /// Whether it has a fallback.
    fn has_fallback(self) -> bool {
        matches!(self, Self::Healthy | Self::HealthyAsked | Self::Down | Self::Flapping)
    }

    /// Whether every change reads first.
    fn reads_first(self) -> bool {
        matches!(self, Self::RedisAsked | Self::HealthyAsked)
    }

    /// Whether its entries are in a server.
    #[must_use]
    pub fn is_on_server(self) -> bool {
        matches!(self, Self::Redis | Self::RedisAsked | Self::RedisScripts | Self::Healthy | Self::HealthyAsked)
    }

    /// Whether a raw client can reach its entries.
    #[must_use]
    pub fn has_raw_client(self) -> bool {
        self == Self::Sqlite || self.is_on_server()
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::RedisAsked => "redis-asked",
            Self::RedisScripts => "redis-scripts",
            Self::Healthy => "healthy",
            Self::HealthyAsked => "healthy-asked",
            Self::Down => "down",
            Self::Flapping => "flapping",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One empty store that no other test uses, with the file or server that it needs.
#[derive(Debug)]
pub struct TestStore {
    /// Its kind.
    pub kind: StoreKind,
    /// The store as the checks of the kit take it.
    pub fixture: conformance::Fixture,
    folder: Option<TempDir>,
    server: Option<Arc<RedisServer>>,
}

impl TestStore {
    /// An empty store of a kind; for Redis, a namespace of the shared server.
    pub async fn new(kind: StoreKind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let base = format!("test-{}-", NUMBER.fetch_add(1, Ordering::Relaxed));
        let clock = ManualClock::at(SystemClock.now_ms());
        let (mut folder, mut server) = (None, None);
        let backend: Arc<dyn TestBackend> = match kind {
            StoreKind::Memory => Arc::new(conformance::memory(&clock)),
            StoreKind::Down => Arc::new(FallbackBackend::new(Behavior::Down, clock)),
            StoreKind::Flapping => Arc::new(FallbackBackend::new(Behavior::Flapping, clock)),
            StoreKind::Sqlite => {
                let made = TempDir::new().expect("a folder for the file");
                let path = folder.insert(made).path().join(FILE);
                // Opening creates the file, which the raw client needs.
                drop(SqliteStore::open(path.clone(), None, &Options::default()).await.expect("sqlite store"));
                Arc::new(SqliteBackend::private(path, clock))
            }
            StoreKind::Redis
            | StoreKind::RedisAsked
            | StoreKind::RedisScripts
            | StoreKind::Healthy
            | StoreKind::HealthyAsked => {
                let server = server.insert(RedisServer::shared());
                let url = if kind == StoreKind::RedisScripts { server.scripts_url() } else { server.url() };
                Arc::new(RedisBackend::private(&server.url(), opening(url, kind)).await.expect("a server"))
            }
        };
        let fixture = conformance::Fixture::new(backend, &base, seed::seed()).await.expect("a fixture");
        Self { kind, fixture, folder, server }
    }

    /// URL and namespace with which another process reaches the same entries; `None` for a store in this process.
    #[must_use]
    pub fn address(&self) -> Option<(String, String)> {
        let url = match (&self.folder, &self.server) {
            (Some(_), _) => format!("sqlite:{}", self.path().display()),
            (_, Some(server)) => server.url(),
            (None, None) => return None,
        };
        Some((url, self.fixture.namespace().as_str().to_owned()))
    }

    /// The path of a SQLite file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let folder = self.folder.as_ref().unwrap_or_else(|| panic!("{} has no file", self.kind));
        folder.path().join(FILE)
    }

    /// A client of the Redis server.
    pub async fn redis_client(&self) -> MultiplexedConnection {
        let server = self.server.as_ref().unwrap_or_else(|| panic!("{} has no server", self.kind));
        server.client().await
    }
}

/// The name of a SQLite file in its folder.
const FILE: &str = "tickets.db";

/// Opens stores of a kind on a server.
fn opening(url: String, kind: StoreKind) -> OpenStoreAsync {
    Box::new(move |namespace| {
        let url = url.clone();
        Box::pin(async move { redis(&url, namespace, kind).await })
    })
}

async fn redis(url: &str, namespace: Option<Namespace>, kind: StoreKind) -> Result<SharedStore, Error> {
    let usual = Options::default().namespace(namespace).call_time(CALL_TIME);
    let options = if kind.reads_first() { usual.cache_bytes_max(0) } else { usual };
    if !kind.has_fallback() {
        return Ok(Arc::new(RedisStore::open(url, &options).await?));
    }
    let primary = Arc::new(RedisPrimary::new(url, None, &options)?);
    let mut options = fallback::Options::new(merge(Limits::default()).expect("engine"));
    options.call_time = CALL_TIME;
    options.feeds_changes = !kind.reads_first();
    Ok(Arc::new(FallbackStore::open(primary, options).await?))
}

/// A store with a fallback, in this process, whose primary is down or goes up and down.
struct FallbackBackend {
    behavior: Behavior,
    clock: ManualClock,
    /// The store of each namespace.
    open: tokio::sync::Mutex<BTreeMap<Option<String>, SharedStore>>,
}

impl FallbackBackend {
    fn new(behavior: Behavior, clock: ManualClock) -> Self {
        Self { behavior, clock, open: tokio::sync::Mutex::default() }
    }
}

impl fmt::Debug for FallbackBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FallbackBackend({:?})", self.behavior)
    }
}

#[async_trait]
impl TestBackend for FallbackBackend {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let mut open = self.open.lock().await;
        let name = namespace.map(|namespace| namespace.as_str().to_owned());
        if let Some(store) = open.get(&name) {
            return Ok(Arc::clone(store));
        }
        let primary = Flaky::new(self.behavior, self.clock.clone(), seed::rng("flaky"));
        let merge = merge(Limits::default()).expect("engine");
        let mut options = fallback::Options::new(merge);
        options.clock = Arc::new(self.clock.clone());
        let store = FallbackStore::open(primary, options).await?;
        let store: SharedStore = Arc::new(SoleUserStore::new(store, self.clock.clone()));
        open.insert(name, Arc::clone(&store));
        Ok(store)
    }

    fn clock(&self) -> Option<&ManualClock> {
        Some(&self.clock)
    }

    fn is_private(&self) -> bool {
        true
    }

    fn raw_client(&self) -> Option<&dyn RawClient> {
        None
    }
}
