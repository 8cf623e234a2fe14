//! Where this user's files are: the default store, and what may be made anew at any time.

use std::env;
use std::path::PathBuf;

use ticket_host::store::{Namespace, RedisPrimary};

use super::exit::Failure;

/// The URL of the store that is used where none is named: a file that two commands in a row both find.
pub(crate) fn default_store() -> Result<String, Failure> {
    let folder = folder("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
        Failure::Input(
            "no store is named and HOME is not set: name one with `--store`, for example `--store sqlite:tickets.db`"
                .into(),
        )
    })?;
    let path = folder.join("tickets.db");
    match path.to_str() {
        Some(path) => Ok(format!("sqlite:{path}")),
        None => Err(Failure::Input(format!(
            "the folder of the default store, {}, has a name that is not UTF-8: name a store with `--store`",
            folder.display()
        ))),
    }
}

/// The files of the fallback of one store.
pub(crate) struct FallbackFiles {
    /// What the store has not been told of.
    pub(crate) pending: PathBuf,
    /// States that found no place in their tickets.
    pub(crate) branches: PathBuf,
}

/// Files of their own for each server, database, user and namespace; none where HOME is not set.
///
/// # Errors
/// As [`RedisPrimary::identity_of`].
pub(crate) fn fallback_files(url: &str, namespace: Option<&Namespace>) -> Result<Option<FallbackFiles>, Failure> {
    let Some(folder) = folder("XDG_STATE_HOME", ".local/state") else { return Ok(None) };
    let name = RedisPrimary::identity_of(url, namespace)?;
    let file = |kind: &str| folder.join(format!("{kind}-{name}.db"));
    Ok(Some(FallbackFiles { pending: file("fallback"), branches: file("branches") }))
}

/// Where compiled images of the engine are kept; none where nothing says whose they would be.
pub(crate) fn image_folder() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache")
}

/// Our folder of a kind: below the variable's, else below the home folder. Relative ones do not count.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = named(variable).or_else(|| Some(named("HOME")?.join(below_home)))?;
    Some(base.join("ticket"))
}
