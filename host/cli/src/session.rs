//! One run of a command on the tickets of a store: opened with its fallback, shut down in order.

use std::path::PathBuf;
use std::time::Duration;

use ticket_host::fallback::{Branches, Outage, ReplicaStorage, ShutdownReport};
use ticket_host::store::{self, Key};
use ticket_host::{Bounds, Error, Fallback, StoreUrl, Tickets, TicketsBuilder};

use super::args::{Common, FallbackArg};
use super::escape::printable;
use super::exit::{self, Failure};
use super::state_folder::{self, FallbackFiles};

/// How long one operation of a command waits for a store: a new process may take longer than a call of a service, and its
/// store may be far.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long a command syncs the pending changes of earlier commands.
const SYNC_TIME: Duration = Duration::from_secs(1);

/// The tickets of the store that the options name.
pub(crate) struct Session {
    pub(crate) tickets: Tickets,
    storage: Option<ReplicaStorage>,
    /// What this user calls the store URL.
    url_name: &'static str,
}

impl Session {
    /// Opens the store, and syncs pending changes of the ticket `first` before others.
    pub(crate) async fn open(common: Common, first: Option<&str>) -> Result<Self, Failure> {
        let is_from_variable = common.store_is_from_variable;
        Self::open_store(common, first).await.map_err(|failure| naming_variable(failure, is_from_variable))
    }

    async fn open_store(common: Common, first: Option<&str>) -> Result<Self, Failure> {
        let url = store_url(&common)?;
        let first = first.and_then(|id| Key::of_ticket(id).ok());
        let mut replica = replica(&common, &url)?;
        let mut builder = builder(&url).deadline(DEADLINE);
        if let Some(namespace) = common.namespace {
            builder = builder.namespace(namespace);
        }
        if let Some(ttl_ms) = common.ttl {
            builder = builder.ttl(Duration::from_millis(ttl_ms));
        }
        let bounds = Bounds { entries_max: common.history_max_entries, bytes_max: common.history_max_bytes };
        let builder = builder.history_bounds(bounds);
        let open = |replica: Option<Replica>| builder.clone().fallback(fallback(replica, first.clone())).open();
        let tickets = match open(replica.clone()).await {
            // The default file must not fail a command that the store can serve.
            Err(error)
                if common.fallback.is_none()
                    && matches!(&replica, Some(Replica { storage: ReplicaStorage::File(_), .. })) =>
            {
                let branches = usable(replica.and_then(|replica| replica.branches)).await;
                let in_memory = Some(Replica { storage: ReplicaStorage::Memory, branches });
                let tickets = open(in_memory.clone()).await?;
                let effect = "changes pending in that file stay there, and new ones are kept in memory alone";
                exit::tell(&printable(&format!("warning: {error}: {effect}")));
                replica = in_memory;
                tickets
            }
            tickets => tickets?,
        };
        tickets.sync(SYNC_TIME).await?;
        let url_name = if common.store_is_from_variable { "TICKET_STORE" } else { "--store" };
        Ok(Self { tickets, storage: replica.map(|replica| replica.storage), url_name })
    }

    /// Syncs what is pending within `wait`, and warns of what is kept or reports what is lost. A failure of the command,
    /// which is `done`, comes first.
    pub(crate) async fn shutdown(self, wait: Option<Duration>, done: Result<(), Failure>) -> Result<(), Failure> {
        // An error already says that the store is down.
        let said = matches!(
            &done,
            Err(Failure::Ticket(Error::Unavailable(_))
                | Failure::Replay { .. }
                | Failure::Import { .. }
                | Failure::Unhealthy(_))
        );
        match (done, self.sync_or_warn(wait, said).await) {
            (Err(done), Err(left)) => {
                exit::report(&left);
                Err(done)
            }
            (done, left) => done.and(left),
        }
    }

    async fn sync_or_warn(self, wait: Option<Duration>, said: bool) -> Result<(), Failure> {
        let Some(fallback) = self.tickets.fallback() else { return Ok(()) };
        let status = fallback.status().await?;
        let may_sync = status.primary_is_up && status.writes_refused.is_none();
        let within = wait.unwrap_or(if may_sync { SYNC_TIME } else { Duration::ZERO });
        let ShutdownReport { pending, lost } = fallback.shutdown(within).await?;
        let status = fallback.status().await?;
        let store = self.tickets.store().to_string();
        let outage = status.outage.filter(|_| !said);
        if !lost.is_empty() {
            if let Some(outage) = outage {
                exit::tell(&printable(&format!("warning: {}", outage.describe(&store, self.url_name))));
            }
            return Err(Failure::Lost { ids: lost });
        }
        if let Some(outage) = outage {
            let (end, until) = match outage {
                Outage::Misconfigured { .. } => (';', "until then"),
                _ => (':', "until it is up again"),
            };
            let text =
                format!("{}{end} {}", outage.describe(&store, self.url_name), self.pending_text(pending.len(), until));
            exit::tell(&printable(&format!("warning: {text}")));
        } else if let Some(error) = status.writes_refused.filter(|_| !said && !pending.is_empty()) {
            let pending = self.pending_text(pending.len(), "until it makes changes again");
            exit::tell(&printable(&format!("warning: {store} refuses changes ({error}): {pending}")));
        } else if !said && !pending.is_empty() {
            let pending = self.pending_text(pending.len(), "until then");
            exit::tell(&printable(&format!("warning: {store} is not synced completely yet: {pending}")));
        }
        Ok(())
    }

    /// How many tickets are pending, and where, until something happens.
    fn pending_text(&self, count: usize, until: &str) -> String {
        let tickets = match count {
            0 => return format!("the fallback serves {until}"),
            1 => "1 ticket is pending".to_owned(),
            count => format!("{count} tickets are pending"),
        };
        match &self.storage {
            Some(ReplicaStorage::File(path)) => format!("{tickets} in {} {until}", path.display()),
            _ => format!("{tickets} {until}"),
        }
    }
}

/// Begins to open the tickets of a store, with the compiled engine from the cache of this user.
pub(crate) fn builder(url: &str) -> TicketsBuilder<StoreUrl> {
    let builder = Tickets::builder(url);
    match state_folder::image_folder() {
        Some(folder) => builder.image_folder(folder),
        None => builder,
    }
}

/// The branches of the store that the options name; no connection is needed.
pub(crate) async fn branches(common: &Common) -> Result<Branches, Failure> {
    let url = store_url(common)?;
    if !store::is_remote(&url) {
        return Err(Failure::Input("only a Redis store has branches: name one with `--store` or TICKET_STORE".into()));
    }
    let files = state_folder::fallback_files(&url, common.namespace.as_ref())
        .map_err(|failure| naming_variable(failure, common.store_is_from_variable))?;
    match branches_file(common, files.as_ref()) {
        Some(path) => Ok(Branches::in_file(path).await?),
        None => Err(Failure::Input(
            "HOME is not set, so there is no file of branches: name a fallback with `--fallback sqlite:PATH`, and they \
             are kept beside it"
                .into(),
        )),
    }
}

/// The same failure, which says where an invalid store URL may come from.
pub(crate) fn naming_variable(failure: Failure, store_is_from_variable: bool) -> Failure {
    match failure {
        Failure::Ticket(Error::Invalid(text)) if store_is_from_variable => {
            Failure::Input(format!("{text} (the store is named by the variable TICKET_STORE)"))
        }
        failure => failure,
    }
}

/// A file of branches, if it can be used.
async fn usable(branches: Option<PathBuf>) -> Option<PathBuf> {
    let path = branches?;
    Branches::in_file(path.clone()).await.ok().map(|_| path)
}

/// The URL of the store that the options name, else of the default store of this user.
pub(crate) fn store_url(common: &Common) -> Result<String, Failure> {
    match common.store.clone() {
        Some(url) => Ok(url),
        None => state_folder::default_store(),
    }
}

/// Where the changes and the branches of this host are kept while a Redis server is down.
#[derive(Clone)]
struct Replica {
    storage: ReplicaStorage,
    branches: Option<PathBuf>,
}

/// What the options say of the fallback; none for other stores than Redis, which cannot be down.
fn replica(common: &Common, url: &str) -> Result<Option<Replica>, Failure> {
    if !store::is_remote(url) {
        return Ok(None);
    }
    let files = state_folder::fallback_files(url, common.namespace.as_ref())?;
    let branches = branches_file(common, files.as_ref());
    let storage = match (&common.fallback, files) {
        (Some(FallbackArg::None), _) => return Ok(None),
        (Some(FallbackArg::File(path)), _) => ReplicaStorage::File(path.clone()),
        (None, Some(files)) => ReplicaStorage::File(files.pending),
        (Some(FallbackArg::Memory), _) | (None, None) => ReplicaStorage::Memory,
    };
    Ok(Some(Replica { storage, branches }))
}

fn fallback(replica: Option<Replica>, sync_first: Option<Key>) -> Fallback {
    let Some(Replica { storage, branches }) = replica else { return Fallback::none() };
    let mut fallback = match storage {
        ReplicaStorage::Memory => Fallback::memory(),
        ReplicaStorage::File(path) => Fallback::file(path),
    };
    if let Some(branches) = branches {
        fallback = fallback.branches(branches);
    }
    if let Some(key) = sync_first {
        fallback = fallback.sync_first(key);
    }
    fallback
}

/// Where branches are kept: in this user's folder, else beside the file that was named.
fn branches_file(common: &Common, files: Option<&FallbackFiles>) -> Option<PathBuf> {
    match (files, &common.fallback) {
        (Some(files), _) => Some(files.branches.clone()),
        (None, Some(FallbackArg::File(path))) => {
            let mut path = path.clone().into_os_string();
            path.push(".branches");
            Some(path.into())
        }
        (None, _) => None,
    }
}
