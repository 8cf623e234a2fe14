//! What this host holds: a record of each ticket it has met, and the conflict copies.
//!
//! Callers have their answer from the primary whether or not a record can be kept up to date, so failures of the
//! replica end here while the primary is up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::branches::Branches;
use super::link::PrimaryLink;
use super::record::{LastAck, Record};
use super::replica::{self, Known, RecordUpdate, Replica};
use super::resolution::ConflictCopy;
use ticket_store::operation;
use ticket_store::{Entry, Error, Key, Kind};

/// How long a call waits for the replica if the time of its operation is over.
const UPDATE_TIME: Duration = Duration::from_millis(10);

/// The replica and the conflict copies.
pub(super) struct Copies {
    pub(super) replica: Replica,
    pub(super) branches: Branches,
    link: Arc<PrimaryLink>,
}

impl Copies {
    pub(super) fn new(replica: Replica, branches: Branches, link: Arc<PrimaryLink>) -> Self {
        Self { replica, branches, link }
    }

    /// The record of a ticket. If it cannot be read while the primary is up, nothing is known.
    pub(super) async fn get(&self, key: &Key, now_ms: u64) -> Result<Option<Known>, Error> {
        match self.replica.get(key, now_ms).await {
            Err(error) if self.link.is_up() => {
                self.failed(&error);
                Ok(None)
            }
            known => known,
        }
    }

    /// A record could not be kept up to date, for example because the disk is full. The primary's answer is valid all
    /// the same; in an outage this host would know an older state.
    pub(super) fn failed(&self, error: &Error) {
        tracing::warn!(store = %self.link.primary, error = %error.chain(), "the replica of the fallback failed");
        self.link.reporter.failed(&error.chain());
    }

    /// The primary has shown what it has. That is not news if the record was changed after `stamp`, when it was asked.
    pub(super) async fn after_read(&self, key: &Key, stamp: Option<u64>, there: Option<Entry>) {
        let now_ms = self.link.now_ms();
        let step = move |known: Option<&Known>| {
            RecordUpdate::Put(Record::after_read(known.map(|known| known.record.clone()), there, now_ms))
        };
        self.in_time(self.replica.update_at(key, stamp, now_ms, step)).await;
    }

    /// The primary has acknowledged a change of this host, which left `local`.
    pub(super) async fn after_ack(&self, key: &Key, local: Option<Entry>, last_ack: Option<LastAck>) {
        let now_ms = self.link.now_ms();
        let step = move |known: Option<&Known>| {
            let known = known.map(|known| known.record.clone());
            (RecordUpdate::Put(Record::after_ack(known, local, last_ack, now_ms)), ())
        };
        self.in_time(self.replica.update(key, now_ms, step)).await;
    }

    /// What the primary has is not known: the record goes, unless it has pending changes.
    pub(super) async fn forget(&self, key: &Key) {
        let step = |known: Option<&Known>| match known {
            Some(known) if known.record.pending.is_none() => (RecordUpdate::Forget, ()),
            Some(_) | None => (RecordUpdate::Keep, ()),
        };
        self.in_time(self.replica.update(key, self.link.now_ms(), step)).await;
    }

    /// Waits for an update that follows from an answer, but not beyond the time of the operation.
    async fn in_time<T>(&self, update: impl Future<Output = Result<T, Error>>) {
        let soon = Instant::now() + UPDATE_TIME;
        let until = operation::until().map_or(soon, |until| until.max(soon));
        match timeout_at(until, update).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.failed(&error),
            Err(_) => self.failed(&replica::late(Kind::Unavailable)),
        }
    }

    /// Replaces a record unless it was changed after `stamp`; whether it did.
    pub(super) async fn replace(&self, key: &Key, stamp: u64, record: Record) -> Result<bool, Error> {
        self.replica.update_at(key, Some(stamp), self.link.now_ms(), |_| RecordUpdate::Put(record)).await
    }

    pub(super) async fn keep_conflict_copy(&self, key: &Key, copy: ConflictCopy) -> Result<(), Error> {
        let ConflictCopy { entry, reason } = copy;
        self.branches.add(key, reason, entry, self.link.now_ms()).await?;
        self.link.reporter.branched(key, reason.text());
        Ok(())
    }

    /// Ids of the tickets of which this process alone has something.
    pub(super) fn lost_with_process(&self) -> Vec<String> {
        let pending = self.replica.lost_with_process();
        let mut ids: BTreeSet<String> = pending.iter().map(|key| key.ticket_id().to_owned()).collect();
        ids.extend(self.branches.lost_with_process());
        ids.into_iter().collect()
    }
}
