//! Faults in how a store URL is written: what a copy, a secret's file or a file of variables leaves around it.

use crate::error::Error;

/// The schemes of stores.
const SCHEMES: [&str; 4] = ["memory", "sqlite", "redis", "rediss"];
const REMOTE: [&str; 2] = ["redis", "rediss"];
const QUOTES: [char; 2] = ['"', '\''];

/// Refuses a URL with a fault that can be named. The URL is not shown, because it may contain a password.
///
/// # Errors
/// `Invalid`, with what to correct.
pub(crate) fn check(url: &str) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("invalid store URL: {why}")));
    if url.trim().is_empty() {
        return refuse("it is empty: name a store, for example redis://HOST");
    }
    if url.trim() != url {
        return refuse("it begins or ends with a blank or a line break: remove that");
    }
    if url.starts_with(QUOTES) {
        return refuse(
            "it begins with a quote, which a shell removes and a file of variables may keep: remove the quotes",
        );
    }
    let scheme = scheme(url);
    let known = scheme.to_lowercase();
    if scheme != known && SCHEMES.contains(&known.as_str()) {
        return refuse(&format!("its scheme is {scheme}: write {known}, in lower case"));
    }
    Ok(())
}

/// Whether the store of a URL is reached over a network, and so can be down. A fault in how it is written does not count.
#[must_use]
pub fn is_remote(url: &str) -> bool {
    let url = url.trim().trim_start_matches(QUOTES).trim_start();
    REMOTE.contains(&scheme(url).to_lowercase().as_str())
}

/// What is before the first colon, which is not secret in the URL of a store.
fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_around_a_url_is_named_without_the_url() {
        for (url, fault) in [
            ("REDIS://u:s3cret@h", "its scheme is REDIS: write redis, in lower case"),
            ("Rediss://u:s3cret@h", "its scheme is Rediss: write rediss, in lower case"),
            ("SQLite:s3cret.db", "its scheme is SQLite: write sqlite, in lower case"),
            (" redis://u:s3cret@h", "a blank or a line break"),
            ("redis://u:s3cret@h\n", "a blank or a line break"),
            ("redis://u:s3cret@h\r", "a blank or a line break"),
            ("\"redis://u:s3cret@h\"", "remove the quotes"),
            ("'rediss://u:s3cret@h'", "remove the quotes"),
            ("", "it is empty"),
            (" ", "it is empty"),
        ] {
            let error = check(url).expect_err(url).to_string();
            assert!(error.contains(fault) && !error.contains("s3cret"), "{url:?}: {error}");
        }
        for url in ["redis://u:s3cret@h", "sqlite:a b.db", "memory:", "mysql://h", "no colon"] {
            assert!(check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_fault_does_not_make_a_remote_store_local() {
        for url in ["redis://h", "rediss://h", "REDIS://h", " redis://h", "\"redis://h\"", "' redis://h'"] {
            assert!(is_remote(url), "{url}");
        }
        for url in ["memory:", "sqlite:redis", "redis", "mysql://h", ""] {
            assert!(!is_remote(url), "{url}");
        }
    }
}
