//! Store URLs.

use std::path::PathBuf;
use std::sync::Arc;

use crate::contract::SharedStore;
use crate::error::Error;
use crate::file_url;
use crate::memory::MemoryStore;
use crate::options::Options;
use crate::redis::RedisStore;
use crate::sqlite::SqliteStore;
use crate::text::excerpt;
use crate::written_url;

/// Opens the store that a URL names: `memory:`, `sqlite:PATH`, `redis://…` or `rediss://…`.
///
/// PATH is taken literally up to a `?`, after which `max_page_count=N` may limit the file to so many pages of 4 KiB;
/// `sqlite:///PATH` is an absolute path too. [`sqlite_path`](crate::sqlite_path) says which paths are refused.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ticket_store::Error> {
/// let store = ticket_store::open("memory:", &ticket_store::Options::default()).await?;
/// assert_eq!(store.to_string(), "memory:");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Invalid` for any other URL, and the errors of [`SqliteStore::open`] and [`RedisStore::open`].
///
/// [`RedisStore::open`]: crate::RetryingStore::open
pub async fn open(url: &str, options: &Options) -> Result<SharedStore, Error> {
    written_url::check(url)?;
    // The part before the first colon of a URL is not secret; the rest may be.
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "memory" if url == "memory:" => Ok(Arc::new(memory(options))),
        "sqlite" => {
            let (path, max_page_count) = parse_file(url)?;
            Ok(Arc::new(SqliteStore::open(path, max_page_count, options).await?))
        }
        "redis" | "rediss" => Ok(Arc::new(RedisStore::open(url, options).await?)),
        _ => {
            Err(Error::invalid("invalid store URL: use memory:, sqlite:PATH for a file, redis://HOST or rediss://HOST"))
        }
    }
}

fn memory(options: &Options) -> MemoryStore {
    let store = MemoryStore::new(Arc::clone(&options.clock));
    match &options.namespace {
        Some(namespace) => store.in_namespace(namespace),
        None => store,
    }
}

fn parse_file(url: &str) -> Result<(PathBuf, Option<u32>), Error> {
    let (path, options) = file_url::split(url)?;
    let mut max_page_count = None;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=').map(|(name, value)| (name, value.parse::<u32>())) {
            Some(("max_page_count", Ok(pages))) if pages > 0 => max_page_count = Some(pages),
            Some(_) | None => {
                let option = excerpt(option);
                return Err(Error::invalid(format!("invalid option {option} in the store URL: use max_page_count=N")));
            }
        }
    }
    Ok((path, max_page_count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[tokio::test]
    async fn invalid_urls_are_refused_without_their_secrets() {
        let options = Options::default();
        for url in [
            "",
            "memory",
            "memory:x",
            "mysql://u:s3cret@h",
            "u:s3cret@h",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://t.db",
            "file:t.db",
            "t.db",
            "sqlite:a?b=1",
            "sqlite:a?max_page_count=0",
            "redis:s3cret",
            "REDIS://u:s3cret@h",
            "redis://u:s3cret@h\n",
        ] {
            let error = open(url, &options).await.expect_err(url);
            assert_eq!(error.kind(), Kind::Invalid, "{url}");
            assert!(!error.chain().contains("s3cret"), "{url}: {}", error.chain());
        }
    }

    #[tokio::test]
    async fn display_is_the_url_that_opens_the_store() {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("sqlite:{}", folder.path().join("a b").join("t.db").display());
        for url in ["memory:", &url] {
            assert_eq!(open(url, &Options::default()).await.expect(url).to_string(), url);
        }
    }
}
