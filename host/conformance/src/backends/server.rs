//! A store in a Redis server.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{RawClient, TestBackend};
use crate::raw_redis::RawRedis;
use ticket_host::store::{Error, Namespace, Options, RedisStore, SharedStore};
use ticket_store::clock::ManualClock;

/// How long a call may take: a busy machine is no outage.
const CALL_MS: u64 = 20_000;

/// Opens the store of a namespace.
pub type OpenLater =
    Box<dyn Fn(Option<Namespace>) -> Pin<Box<dyn Future<Output = Result<SharedStore, Error>> + Send>> + Send + Sync>;

/// A Redis server; its entries end by its own time.
pub struct OnServer {
    open: OpenLater,
    is_private: bool,
    raw_client: RawRedis,
}

impl OnServer {
    /// The server of a URL, which others may use too.
    ///
    /// # Errors
    /// `Invalid` for a URL that is none, `Unavailable` and `Denied` as the server has it.
    pub async fn shared(url: &str) -> Result<Self, Error> {
        let of_store = url.to_owned();
        let open: OpenLater = Box::new(move |namespace| {
            let url = of_store.clone();
            Box::pin(async move {
                let options = Options { namespace, call_ms: CALL_MS, ..Options::default() };
                Ok(Arc::new(RedisStore::open(&url, &options).await?) as SharedStore)
            })
        });
        Ok(Self { open, is_private: false, raw_client: RawRedis::connect(url).await? })
    }

    /// A server of the tests alone, and how a store on it is opened, as with something around it.
    ///
    /// # Errors
    /// As [`OnServer::shared`].
    pub async fn private(url: &str, open: OpenLater) -> Result<Self, Error> {
        Ok(Self { open, is_private: true, raw_client: RawRedis::connect(url).await? })
    }
}

impl fmt::Debug for OnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnServer")
    }
}

#[async_trait]
impl TestBackend for OnServer {
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
