//! What this host holds: a record of each ticket that it has read or written, and the conflict copies.
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
use super::resolution::{ConflictCopy, Resolved};
use ticket_store::operation;
use ticket_store::{Entry, Error, Key, Kind};

/// How long a call waits for the replica if the time of its operation is over.
const UPDATE_TIME: Duration = Duration::from_millis(10);

/// Most attempts to change a record that callers change all the while.
const ATTEMPTS_MAX: u32 = 16;

/// What [`Copies::apply`] did to a record.
pub(super) enum Applied {
    /// Nothing: there is no record, or nothing to change in it.
    Unchanged,
    /// The record was changed; a state of the primary may have to be merged into it.
    Changed { merge_with: Option<Entry> },
    /// Nothing: the record was changed by others at every attempt.
    Contended,
}

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

    /// The primary returned its entry. Ignored if the record was changed after `stamp`, when the primary was asked.
    pub(super) async fn after_read(&self, key: &Key, stamp: Option<u64>, current: Option<Entry>) {
        let now_ms = self.link.now_ms();
        let step = move |known: Option<&Known>| {
            RecordUpdate::Put(Record::after_read(known.map(|known| known.record.clone()), current, now_ms))
        };
        self.in_time(self.replica.update_at(key, stamp, now_ms, step)).await;
    }

    /// The primary has acknowledged a change of this host, which left `local`. The record had this stamp before. If
    /// another process is quicker to keep a later change, that one stays.
    pub(super) async fn after_ack(
        &self,
        key: &Key,
        stamp: Option<u64>,
        local: Option<Entry>,
        last_ack: Option<LastAck>,
    ) {
        let now_ms = self.link.now_ms();
        let step = move |known: Option<&Known>| {
            if let Some(known) = known
                && Some(known.stamp) != stamp
                && known.record.is_later_than(local.as_ref(), last_ack.as_ref())
            {
                return (RecordUpdate::Keep, ());
            }
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

    /// Waits for an update that follows from an answer, for as long as the operation has time and [`UPDATE_TIME`] at
    /// least.
    async fn in_time<T>(&self, update: impl Future<Output = Result<T, Error>>) {
        let grace_end = Instant::now() + UPDATE_TIME;
        let until = operation::until().map_or(grace_end, |until| until.max(grace_end));
        match timeout_at(until, update).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.failed(&error),
            Err(_) => self.failed(&replica::late(Kind::Unavailable)),
        }
    }

    /// Changes a record by a pure resolution. A conflict copy is kept before the record drops the state, and counted in
    /// `branches`. If the record is changed in between, it is resolved again.
    pub(super) async fn apply(
        &self,
        key: &Key,
        branches: &mut u64,
        resolution: impl Fn(&Record, u64) -> Option<Resolved>,
    ) -> Result<Applied, Error> {
        let mut kept: Option<Entry> = None;
        for _ in 0..ATTEMPTS_MAX {
            let now_ms = self.link.now_ms();
            let Some(Known { record, stamp }) = self.replica.get(key, now_ms).await? else {
                return Ok(Applied::Unchanged);
            };
            let Some(Resolved { record, conflict_copy, merge_with }) = resolution(&record, now_ms) else {
                return Ok(Applied::Unchanged);
            };
            if let Some(copy) = conflict_copy
                && kept.as_ref() != Some(&copy.entry)
            {
                kept = Some(copy.entry.clone());
                self.keep_conflict_copy(key, copy).await?;
                *branches += 1;
            }
            if self.replica.update_at(key, Some(stamp), now_ms, |_| RecordUpdate::Put(record)).await? {
                return Ok(Applied::Changed { merge_with });
            }
        }
        Ok(Applied::Contended)
    }

    async fn keep_conflict_copy(&self, key: &Key, copy: ConflictCopy) -> Result<(), Error> {
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
