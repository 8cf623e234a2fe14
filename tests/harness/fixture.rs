//! One store of each kind, empty and of its own, with its time and its other handles.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::store::{
    FallbackStore, Freshness, Key, MemoryStore, Namespace, Options, Parts, RedisStore, SharedStore, SqliteStore,
};
use ticket_host::{Settings, Tickets, merge};

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

/// Where the entries of a fixture are in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In this process.
    Memory,
    /// In a file.
    Sqlite,
    /// In a server.
    Redis,
}

/// One empty store that no other test sees.
#[derive(Debug)]
pub struct Fixture {
    /// Its name in tables.
    pub name: &'static str,
    /// A handle to it.
    pub store: SharedStore,
    /// The clock that dates changes of tickets; it stands still until [`Fixture::pass`] moves it.
    pub clock: ManualClock,
    pub(crate) ground: Ground,
}

/// Where the entries are.
pub(crate) enum Ground {
    Memory { spaces: Spaces },
    Sqlite { folder: TempDir },
    Redis { server: Arc<RedisServer>, namespace: String, client: MultiplexedConnection, kind: StoreKind },
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { .. } => f.write_str("Memory"),
            Self::Sqlite { folder } => write!(f, "Sqlite({})", folder.path().display()),
            Self::Redis { server, namespace, .. } => write!(f, "Redis({}, {namespace})", server.url()),
        }
    }
}

impl Fixture {
    /// An empty store of a kind. Redis: a namespace of the shared server.
    pub async fn new(kind: StoreKind) -> Self {
        let clock = ManualClock::at(SystemClock.now_ms());
        match kind {
            StoreKind::Memory => {
                let plain = MemoryStore::new(Arc::new(clock.clone()));
                Self::inside(kind, clock, Spaces::new(Box::new(move |name| Making::Made(memory(&plain, name))))).await
            }
            StoreKind::Down | StoreKind::Flapping => {
                let mood = if kind == StoreKind::Down { Mood::Down } else { Mood::Flapping };
                let of_store = clock.clone();
                let make = move |_: Option<&str>| Making::Waiting(Box::pin(behind(mood, of_store.clone())));
                Self::inside(kind, clock, Spaces::new(Box::new(make))).await
            }
            StoreKind::Sqlite => {
                let folder = TempDir::new().expect("a folder for the file");
                let store = sqlite(folder.path(), &clock, None).await;
                Self { name: kind.name(), store, clock, ground: Ground::Sqlite { folder } }
            }
            StoreKind::Redis | StoreKind::RedisAsked | StoreKind::Healthy | StoreKind::HealthyAsked => {
                Self::on(RedisServer::shared(), clock, kind).await
            }
        }
    }

    /// A store in this process.
    async fn inside(kind: StoreKind, clock: ManualClock, spaces: Spaces) -> Self {
        let store = spaces.get(None).await;
        Self { name: kind.name(), store, clock, ground: Ground::Memory { spaces } }
    }

    /// An empty namespace of a server.
    async fn on(server: Arc<RedisServer>, clock: ManualClock, kind: StoreKind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("test-{}-a", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = server.client().await;
        let store = redis(&server, Some(&namespace), kind).await;
        let ground = Ground::Redis { server, namespace, client, kind };
        Self { name: kind.name(), store, clock, ground }
    }

    /// Where its entries are in the end: in memory, in a file, or in a server.
    #[must_use]
    pub fn home(&self) -> Home {
        match &self.ground {
            Ground::Memory { .. } => Home::Memory,
            Ground::Sqlite { .. } => Home::Sqlite,
            Ground::Redis { .. } => Home::Redis,
        }
    }

    /// A second handle to the same entries: a clone, a connection of its own to the file or to the server.
    pub async fn second(&self) -> SharedStore {
        match &self.ground {
            Ground::Memory { .. } => Arc::clone(&self.store),
            Ground::Sqlite { folder } => sqlite(folder.path(), &self.clock, None).await,
            Ground::Redis { server, namespace, kind, .. } => redis(server, Some(namespace), *kind).await,
        }
    }

    /// A handle to the entries of a namespace in the same memory, file or server; none is the plain names.
    /// [`Fixture::own_namespace`] gives names for it.
    pub async fn in_namespace(&self, namespace: Option<&str>) -> SharedStore {
        match &self.ground {
            Ground::Memory { spaces } => spaces.get(namespace).await,
            Ground::Sqlite { folder } => sqlite(folder.path(), &self.clock, namespace).await,
            Ground::Redis { server, kind, .. } => redis(server, namespace, *kind).await,
        }
    }

    /// A namespace that no other fixture uses, and that is not the one of [`Fixture::store`].
    #[must_use]
    pub fn own_namespace(&self, name: &str) -> String {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => name.to_owned(),
            Ground::Redis { namespace, .. } => format!("{}b{name}", own_names(namespace)),
        }
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
        Settings { clock: Arc::new(self.clock.clone()), deadline_ms: 60_000, ..Settings::default() }
    }

    /// What a process of its own needs to reach the same entries: URL and namespace (empty for none).
    #[must_use]
    pub fn address(&self) -> Option<(String, String)> {
        match &self.ground {
            Ground::Memory { .. } => None,
            Ground::Sqlite { folder } => Some((format!("sqlite:{}", file(folder.path()).display()), String::new())),
            Ground::Redis { server, namespace, .. } => Some((server.url(), namespace.clone())),
        }
    }

    /// Lets time pass for entries and for the dates of changes. Redis keeps its own time: there every deadline
    /// comes nearer instead, which changes revisions; see [`Fixture::moved`].
    pub async fn pass(&self, ms: u64) {
        self.clock.advance(ms);
        if let Ground::Redis { namespace, client, .. } = &self.ground {
            let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
                              local deadline = redis.call('PEXPIRETIME', key) \
                              if deadline > 0 then \
                                  redis.call('PEXPIREAT', key, string.format('%.0f', deadline - ARGV[2])) \
                              end \
                          end";
            let mut eval = redis::cmd("EVAL");
            eval.arg(script).arg(0).arg(format!("{}*", own_names(namespace))).arg(ms);
            let () = eval.query_async(&mut client.clone()).await.expect("deadlines moved");
        }
    }

    /// What a revision that was held before `pass(ms)` is called after it.
    #[must_use]
    pub fn moved(&self, revision: &str, ms: u64) -> String {
        match (&self.ground, revision.split_once('.')) {
            (Ground::Redis { .. }, Some((deadline_ms, rest))) if deadline_ms != "0" => {
                let deadline_ms: u64 = deadline_ms.parse().expect("deadline of a revision");
                format!("{}.{rest}", deadline_ms.saturating_sub(ms))
            }
            _ => revision.to_owned(),
        }
    }

    /// Milliseconds since the epoch by the clock that ends entries.
    pub async fn now_ms(&self) -> u64 {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => self.clock.now_ms(),
            Ground::Redis { client, .. } => {
                let time: (u64, u64) = redis::cmd("TIME").query_async(&mut client.clone()).await.expect("TIME");
                time.0 * 1_000 + time.1 / 1_000
            }
        }
    }

    /// Unix seconds by the clock that dates changes.
    #[must_use]
    pub fn clock_s(&self) -> u64 {
        self.clock.now_ms() / 1_000
    }

    /// How far deadlines may be from what this fixture's [`Fixture::now_ms`] says, besides the jitter: Redis
    /// goes on with its own time, and the host knows it to about the length of a round trip.
    #[must_use]
    pub fn clock_slack_ms(&self) -> u64 {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => 0,
            Ground::Redis { .. } => 2_000,
        }
    }

    /// The file of a SQLite fixture.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.ground {
            Ground::Sqlite { folder } => file(folder.path()),
            Ground::Memory { .. } | Ground::Redis { .. } => panic!("{} has no file", self.name),
        }
    }

    /// What is under a key, and when it ends.
    pub async fn entry(&self, key: &Key) -> Option<ticket_host::store::Entry> {
        self.store.read(key, Freshness::Latest).await.expect("read")
    }
}

/// What the names of one fixture in the shared server begin with, and no other's.
fn own_names(namespace: &str) -> &str {
    namespace.strip_suffix('a').unwrap_or(namespace)
}

/// The file of a SQLite fixture.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("tickets.db")
}

async fn sqlite(folder: &Path, clock: &ManualClock, namespace: Option<&str>) -> SharedStore {
    let options = Options { clock: Arc::new(clock.clone()), namespace: parsed(namespace), ..Options::default() };
    Arc::new(SqliteStore::open(file(folder), None, &options).await.expect("sqlite store"))
}

async fn redis(server: &RedisServer, namespace: Option<&str>, kind: StoreKind) -> SharedStore {
    let usual = Options { namespace: parsed(namespace), call_ms: CALL_MS, ..Options::default() };
    let options = if kind.is_asked() { Options { copies_bytes_max: 0, ..usual } } else { usual };
    if !kind.has_fallback() {
        return Arc::new(RedisStore::open(&server.url(), &options).await.expect("redis store"));
    }
    let primary = Arc::new(RedisStore::unconnected(&server.url(), None, &options).expect("url"));
    let usual = Parts::new(merge(&Settings::default()).expect("engine"));
    let parts = Parts { call_ms: CALL_MS, recent: !kind.is_asked(), ..usual };
    Arc::new(FallbackStore::open(primary, parts).await.expect("store with fallback"))
}

fn memory(plain: &MemoryStore, namespace: Option<&str>) -> SharedStore {
    match parsed(namespace) {
        Some(namespace) => Arc::new(plain.in_namespace(&namespace)),
        None => Arc::new(plain.clone()),
    }
}

async fn behind(mood: Mood, clock: ManualClock) -> SharedStore {
    let primary = Flaky::new(mood, clock.clone(), seed::rng("flaky"));
    let merge = merge(&Settings::default()).expect("engine");
    let parts = Parts { clock: Arc::new(clock.clone()), ..Parts::new(merge) };
    Arc::new(Alone::new(FallbackStore::open(primary, parts).await.expect("store with fallback"), clock))
}

/// The namespaces of a store in this process, each made once.
pub(crate) struct Spaces {
    make: Make,
    made: tokio::sync::Mutex<BTreeMap<Option<String>, SharedStore>>,
}

/// Makes the store of a namespace.
type Make = Box<dyn Fn(Option<&str>) -> Making + Send + Sync>;

enum Making {
    Made(SharedStore),
    Waiting(Pin<Box<dyn Future<Output = SharedStore> + Send>>),
}

impl Spaces {
    fn new(make: Make) -> Self {
        Self { make, made: tokio::sync::Mutex::default() }
    }

    async fn get(&self, namespace: Option<&str>) -> SharedStore {
        let mut made = self.made.lock().await;
        let name = namespace.map(str::to_owned);
        if let Some(store) = made.get(&name) {
            return Arc::clone(store);
        }
        let store = match (self.make)(namespace) {
            Making::Made(store) => store,
            Making::Waiting(store) => store.await,
        };
        made.insert(name, Arc::clone(&store));
        store
    }
}

fn parsed(namespace: Option<&str>) -> Option<Namespace> {
    namespace.map(|name| Namespace::parse(name).expect("namespace"))
}
