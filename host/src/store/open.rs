//! The one place that turns a store URL into a store.

use std::path::PathBuf;
use std::sync::Arc;

use super::SharedStore;
use super::error::Error;
use super::key::{Namespace, excerpt};
use super::memory::MemoryStore;
use super::redis::RedisStore;
use super::sqlite::SqliteStore;
use crate::clock::{Clock, SystemClock};

/// Longest time of one call of a Redis store in milliseconds, connecting included. A server that is well answers
/// in one; a second is what a person waits without wondering, and leaves time to settle a lost answer.
const CALL_MS: u64 = 1_000;
/// Most bytes of last known copies: some 50,000 tickets of 5 KB.
const COPIES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a store needs to know besides its URL.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keeps these tickets apart from others in the same place.
    pub namespace: Option<Namespace>,
    /// The time, for stores whose deadlines no server keeps.
    pub clock: Arc<dyn Clock>,
    /// Longest time of one call of a Redis store in milliseconds, connecting included; 1,000 unless set.
    pub call_ms: u64,
    /// Most bytes of last known copies that a Redis store keeps of its entries, so that a change of one is a single round
    /// trip; 256 MiB unless set. With a fallback, what that remembers serves for it. 0: every change asks first.
    pub copies_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { namespace: None, clock: Arc::new(SystemClock), call_ms: CALL_MS, copies_bytes_max: COPIES_BYTES_MAX }
    }
}

/// Opens the store that a URL names: `memory:`, `sqlite:PATH`, `redis://…` or `rediss://…`.
///
/// PATH is taken as it stands, up to a `?`; after that may come `max_page_count=N`, which bounds the file.
///
/// # Errors
/// `Invalid` for another URL, and what opening the store of that kind may end with.
pub async fn open(url: &str, options: &Options) -> Result<SharedStore, Error> {
    // What stands before the first colon of a URL is no secret; what comes after may be.
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if url == "memory:" => Ok(Arc::new(memory(options))),
        "sqlite" => {
            let (path, max_page_count) = parse_file(rest)?;
            Ok(Arc::new(SqliteStore::open(path, max_page_count, options).await?))
        }
        "redis" | "rediss" => Ok(Arc::new(RedisStore::open(url, options).await?)),
        _ => Err(Error::invalid("store URL is none of memory:, sqlite:PATH, redis://HOST and rediss://HOST")),
    }
}

/// Whether the store of a URL is behind a network, and so can be away.
#[must_use]
pub fn is_remote(url: &str) -> bool {
    matches!(url.split_once(':'), Some(("redis" | "rediss", _)))
}

fn memory(options: &Options) -> MemoryStore {
    let store = MemoryStore::new(Arc::clone(&options.clock));
    match &options.namespace {
        Some(namespace) => store.in_namespace(namespace),
        None => store,
    }
}

fn parse_file(text: &str) -> Result<(PathBuf, Option<u32>), Error> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    // The names by which SQLite means files that vanish.
    if path.is_empty() || path == ":memory:" {
        return Err(Error::invalid(format!("sqlite store has no path but {}", excerpt(path))));
    }
    let mut max_page_count = None;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=').map(|(name, value)| (name, value.parse::<u32>())) {
            Some(("max_page_count", Ok(pages))) if pages > 0 => max_page_count = Some(pages),
            Some(_) | None => {
                let option = excerpt(option);
                return Err(Error::invalid(format!("sqlite store has the option {option}, not max_page_count=N")));
            }
        }
    }
    Ok((PathBuf::from(path), max_page_count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::Kind;

    #[tokio::test]
    async fn urls_of_no_store_are_refused_without_their_secrets() {
        let options = Options::default();
        for url in [
            "",
            "memory",
            "memory:x",
            "mysql://u:s3cret@h",
            "u:s3cret@h",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?b=1",
            "sqlite:a?max_page_count=0",
            "redis:s3cret",
        ] {
            let error = open(url, &options).await.expect_err(url);
            assert_eq!(error.kind(), Kind::Invalid, "{url}");
            assert!(!error.chain().contains("s3cret"), "{url}: {}", error.chain());
        }
    }

    #[tokio::test]
    async fn a_store_shows_the_url_that_opens_it() {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("sqlite:{}", folder.path().join("a b").join("t.db").display());
        for url in ["memory:", &url] {
            assert_eq!(open(url, &Options::default()).await.expect(url).to_string(), url);
        }
    }
}
