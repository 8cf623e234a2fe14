//! One store of each kind, empty and of its own, with its time and its other handles.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use ticket_conformance::{self as conformance, InFile, OnServer, OpenLater, RawClient, TestBackend};
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::fallback::{FallbackStore, Parts};
use ticket_host::store::{Error, Namespace, Options, RedisStore, SharedStore, SqliteStore};
use ticket_host::{Settings, merge};

use crate::alone::Alone;
use crate::flaky::{Flaky, Mood};
use crate::{RedisServer, seed};

/// How long a call to Redis may take here: a busy machine is no outage.
const CALL_MS: u64 = 20_000;

/// The stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// In this process.
    Memory,
    /// In a file.
    Sqlite,
    /// In a server.
    Redis,
    /// In a server that is asked before every change.
    RedisAsked,
    /// In a server, with a fallback that has nothing to do.
    Healthy,
    /// The same, and the server is asked before every change.
    HealthyAsked,
    /// In a fallback whose primary was never there.
    Down,
    /// In a primary that comes and goes, and its fallback.
    Flapping,
}

impl StoreKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Memory,
        Self::Sqlite,
        Self::Redis,
        Self::RedisAsked,
        Self::Healthy,
        Self::HealthyAsked,
        Self::Down,
        Self::Flapping,
    ];

    /// Whether a fallback is around it.
    fn has_fallback(self) -> bool {
        matches!(self, Self::Healthy | Self::HealthyAsked | Self::Down | Self::Flapping)
    }

    /// Whether every change asks first what is there.
    fn is_asked(self) -> bool {
        matches!(self, Self::RedisAsked | Self::HealthyAsked)
    }

    /// Whether its entries are in a server in the end.
    #[must_use]
    pub fn is_on_server(self) -> bool {
        matches!(self, Self::Redis | Self::RedisAsked | Self::Healthy | Self::HealthyAsked)
    }

    /// Whether other programs reach its entries.
    #[must_use]
    pub fn has_hand(self) -> bool {
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

/// One empty store that no other test sees: a fixture of the kit, and what only this project's stores have.
#[derive(Debug)]
pub struct Fixture {
    /// Its kind.
    pub kind: StoreKind,
    kit: conformance::Fixture,
    folder: Option<TempDir>,
    server: Option<Arc<RedisServer>>,
}

impl Deref for Fixture {
    type Target = conformance::Fixture;

    fn deref(&self) -> &Self::Target {
        &self.kit
    }
}

impl Fixture {
    /// An empty store of a kind. Redis: a namespace of the shared server.
    pub async fn new(kind: StoreKind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let base = format!("test-{}-", NUMBER.fetch_add(1, Ordering::Relaxed));
        let clock = ManualClock::at(SystemClock.now_ms());
        let (mut folder, mut server) = (None, None);
        let backend: Arc<dyn TestBackend> = match kind {
            StoreKind::Memory => Arc::new(conformance::memory(&clock)),
            StoreKind::Down => Arc::new(Behind::new(Mood::Down, clock)),
            StoreKind::Flapping => Arc::new(Behind::new(Mood::Flapping, clock)),
            StoreKind::Sqlite => {
                let made = TempDir::new().expect("a folder for the file");
                let path = folder.insert(made).path().join(FILE);
                // The file must be there before foreign hands are.
                drop(SqliteStore::open(path.clone(), None, &Options::default()).await.expect("sqlite store"));
                Arc::new(InFile::private(path, clock))
            }
            StoreKind::Redis | StoreKind::RedisAsked | StoreKind::Healthy | StoreKind::HealthyAsked => {
                let url = server.insert(RedisServer::shared()).url();
                Arc::new(OnServer::private(&url, opening(url.clone(), kind)).await.expect("a server"))
            }
        };
        let kit = conformance::Fixture::new(backend, &base, seed::seed()).await.expect("a fixture");
        Self { kind, kit, folder, server }
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The fixture as the checks of the kit take it, and what must live as long.
    #[must_use]
    pub fn into_kit(self) -> (conformance::Fixture, impl Sized) {
        (self.kit, (self.folder, self.server))
    }

    /// What a process of its own needs to reach the same entries: URL and namespace.
    #[must_use]
    pub fn address(&self) -> Option<(String, String)> {
        let url = match (&self.folder, &self.server) {
            (Some(_), _) => format!("sqlite:{}", self.path().display()),
            (_, Some(server)) => server.url(),
            (None, None) => return None,
        };
        Some((url, self.namespace().as_str().to_owned()))
    }

    /// The file of a SQLite fixture.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let folder = self.folder.as_ref().unwrap_or_else(|| panic!("{} has no file", self.name()));
        folder.path().join(FILE)
    }

    /// A plain client of the server of a Redis fixture.
    pub async fn redis_client(&self) -> MultiplexedConnection {
        let server = self.server.as_ref().unwrap_or_else(|| panic!("{} is no redis", self.name()));
        server.client().await
    }
}

/// The file of a SQLite fixture in its folder.
const FILE: &str = "tickets.db";

/// How a store of a kind is opened on a server.
fn opening(url: String, kind: StoreKind) -> OpenLater {
    Box::new(move |namespace| {
        let url = url.clone();
        Box::pin(async move { redis(&url, namespace, kind).await })
    })
}

async fn redis(url: &str, namespace: Option<Namespace>, kind: StoreKind) -> Result<SharedStore, Error> {
    let usual = Options { namespace, call_ms: CALL_MS, ..Options::default() };
    let options = if kind.is_asked() { Options { copies_bytes_max: 0, ..usual } } else { usual };
    if !kind.has_fallback() {
        return Ok(Arc::new(RedisStore::open(url, &options).await?));
    }
    let primary = Arc::new(RedisStore::unconnected(url, None, &options)?);
    let usual = Parts::new(merge(&Settings::default()).expect("engine"));
    let parts = Parts { call_ms: CALL_MS, recent: !kind.is_asked(), ..usual };
    Ok(Arc::new(FallbackStore::open(primary, parts).await?))
}

/// A fallback in this process, whose primary is away or comes and goes.
struct Behind {
    mood: Mood,
    clock: ManualClock,
    /// By namespace, each made once.
    made: tokio::sync::Mutex<BTreeMap<Option<String>, SharedStore>>,
}

impl Behind {
    fn new(mood: Mood, clock: ManualClock) -> Self {
        Self { mood, clock, made: tokio::sync::Mutex::default() }
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Behind({:?})", self.mood)
    }
}

#[async_trait]
impl TestBackend for Behind {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let mut made = self.made.lock().await;
        let name = namespace.map(|namespace| namespace.as_str().to_owned());
        if let Some(store) = made.get(&name) {
            return Ok(Arc::clone(store));
        }
        let primary = Flaky::new(self.mood, self.clock.clone(), seed::rng("flaky"));
        let merge = merge(&Settings::default()).expect("engine");
        let parts = Parts { clock: Arc::new(self.clock.clone()), ..Parts::new(merge) };
        let store = FallbackStore::open(primary, parts).await?;
        let store: SharedStore = Arc::new(Alone::new(store, self.clock.clone()));
        made.insert(name, Arc::clone(&store));
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
