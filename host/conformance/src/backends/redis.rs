//! A store in a Redis server.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticket_host::store::{Error, Namespace, Options, RedisPrimary, RedisStore, SharedStore};
use ticket_store::clock::ManualClock;

use crate::backend::{RawClient, TestBackend};
use crate::raw_redis::RawRedis;

/// Time limit of a call: a slow machine is not an outage.
const CALL_TIME: Duration = Duration::from_secs(20);

/// Opens the store of a namespace.
pub type OpenStoreAsync =
    Box<dyn Fn(Option<Namespace>) -> Pin<Box<dyn Future<Output = Result<SharedStore, Error>> + Send>> + Send + Sync>;

/// A Redis server; its entries end by the clock of the server.
pub struct RedisBackend {
    open: OpenStoreAsync,
    is_private: bool,
    raw_client: RawRedis,
}

impl RedisBackend {
    /// The server of a URL, which other clients may use too.
    ///
    /// # Errors
    /// `Invalid` for an invalid URL, and `Unavailable` or `Denied` if the server cannot be used.
    pub async fn shared(url: &str) -> Result<Self, Error> {
        // Checks the URL, with the message of the store. It does not connect, because the handshake writes, and the
        // user may have no rights without a namespace.
        drop(RedisPrimary::new(url, None, &Options::default())?);
        let url_of_store = url.to_owned();
        let open: OpenStoreAsync = Box::new(move |namespace| Box::pin(open(url_of_store.clone(), namespace)));
        Ok(Self { open, is_private: false, raw_client: RawRedis::connect(url).await? })
    }

    /// A server of the tests alone, with a function that opens the store under test, for example one with a fallback.
    ///
    /// # Errors
    /// As [`RedisBackend::shared`].
    pub async fn private(url: &str, open: OpenStoreAsync) -> Result<Self, Error> {
        Ok(Self { open, is_private: true, raw_client: RawRedis::connect(url).await? })
    }
}

async fn open(url: String, namespace: Option<Namespace>) -> Result<SharedStore, Error> {
    let options = Options::default().namespace(namespace).call_time(CALL_TIME);
    Ok(Arc::new(RedisStore::open(&url, &options).await?))
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisBackend")
    }
}

#[async_trait]
impl TestBackend for RedisBackend {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        (self.open)(namespace.cloned()).await
    }

    fn clock(&self) -> Option<&ManualClock> {
        None
    }

    fn is_private(&self) -> bool {
        self.is_private
    }

    fn raw_client(&self) -> Option<&dyn RawClient> {
        Some(&self.raw_client)
    }
}
