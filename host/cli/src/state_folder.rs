//! Where this user's files are: the default store, the fallback's files, workflows, failed runs, the cache.

use std::env;
use std::path::PathBuf;

use ticket_host::store::{Namespace, RedisPrimary};

use super::exit::Failure;

/// The URL of the default store: a file, so that two commands in a row see the same tickets.
pub(crate) fn default_store() -> Result<String, Failure> {
    let folder = folder("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
        Failure::Input(
            "HOME is not set, so there is no default store: name one with `--store`, for example `--store sqlite:tickets.db`"
                .into(),
        )
    })?;
    let path = folder.join("tickets.db");
    match path.to_str() {
        Some(path) => Ok(format!("sqlite:{path}")),
        None => Err(Failure::Input(format!(
            "the path of the default store, {}, is not UTF-8: name a store with `--store`",
            folder.display()
        ))),
    }
}

/// The files of the fallback of one store.
pub(crate) struct FallbackFiles {
    /// Pending changes.
    pub(crate) pending: PathBuf,
    /// Branches.
    pub(crate) branches: PathBuf,
}

/// Files of their own for each server, database, user and namespace; none if HOME is not set.
///
/// # Errors
/// As [`RedisPrimary::identity_of`].
pub(crate) fn fallback_files(url: &str, namespace: Option<&Namespace>) -> Result<Option<FallbackFiles>, Failure> {
    let Some(folder) = folder("XDG_STATE_HOME", ".local/state") else { return Ok(None) };
    let name = RedisPrimary::identity_of(url, namespace)?;
    let file = |kind: &str| folder.join(format!("{kind}-{name}.db"));
    Ok(Some(FallbackFiles { pending: file("fallback"), branches: file("branches") }))
}

/// Where compiled images of the engine are cached; none if HOME is not set.
pub(crate) fn image_folder() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache")
}

/// Where failed runs of workflows are kept; none if HOME is not set.
pub(crate) fn failed_runs() -> Option<PathBuf> {
    Some(folder("XDG_STATE_HOME", ".local/state")?.join("failed-runs"))
}

/// The registry of workflows; none if HOME is not set.
pub(crate) fn workflows() -> Option<PathBuf> {
    Some(folder("XDG_STATE_HOME", ".local/state")?.join("workflows"))
}

/// This program's folder in the one of a variable, else in the home folder. Relative paths do not count.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = named(variable).or_else(|| Some(named("HOME")?.join(below_home)))?;
    Some(base.join("ticket"))
}
