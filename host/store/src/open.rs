//! The one place that turns a store URL into a store.

use std::path::PathBuf;
use std::sync::Arc;

use super::SharedStore;
use super::error::Error;
use super::key::excerpt;
use super::memory::MemoryStore;
use super::options::Options;
use super::redis::RedisStore;
use super::sqlite::SqliteStore;

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
    use crate::error::Kind;

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
