//! After a server came back with another data set: finds what it lost of our acknowledged changes.
//!
//! There is no log to ask. But a state has a revision of its own, so the newest own change that is still there at
//! exactly its revision shows what survived, and what was acknowledged after it and is not there did not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Inner;
use super::after_loss::after_loss;
use super::record::{AckedState, LastAck, same_content};
use super::replica::{Lock, NoteName};
use ticket_store::Entry;
use ticket_store::Key;
use ticket_store::{Cause, DatasetId, Failure};
use ticket_store::{Error, Kind};

/// Tickets that are asked for at once after a loss.
const LOOKS_AT_ONCE: usize = 64;
/// Pause between attempts to get the lock that another process has.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Attempts in a row that a broken file may keep the primary away: some two seconds.
const UNREADABLE_ATTEMPTS_MAX: u32 = 3;
/// Most attempts to mark a ticket that callers change all the while.
const MARKS_MAX: u32 = 16;

/// Why a comparison came to no end.
enum Stopped {
    /// The primary gave no answer.
    NoAnswer(Error),
    /// What this host knows cannot be read, or what was lost not be marked, as with a broken or full file.
    ReplicaFailed(Error),
}

impl Inner {
    /// Speaks of the data set of `origin` from now on; where that is another one, what it lost is to be written back.
    pub(super) async fn accept_dataset(self: &Arc<Self>, dataset: DatasetId) -> Result<(), Error> {
        match self.compare(&dataset).await {
            Ok(()) => {
                self.unreadable_attempts.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(Stopped::NoAnswer(error)) => Err(error),
            // It may pass. Where it does not, a primary that is well must not be kept away for it.
            Err(Stopped::ReplicaFailed(error)) => {
                if self.unreadable_attempts.fetch_add(1, Ordering::Relaxed) < UNREADABLE_ATTEMPTS_MAX {
                    return Err(error);
                }
                self.replica_failed(&error);
                Ok(())
            }
        }
    }

    async fn compare(self: &Arc<Self>, dataset: &DatasetId) -> Result<(), Stopped> {
        let noted = async || self.replica.note(NoteName::DatasetId).await.map_err(Stopped::ReplicaFailed);
        // A server that does not tell may have lost data each time.
        let is_known = |known: &Option<String>| dataset.0.is_some() && *known == dataset.0;
        if is_known(&noted().await?) {
            return Ok(());
        }
        let _lock = self.lock().await?;
        // Another process may have been first.
        let known = noted().await?;
        if is_known(&known) {
            return Ok(());
        }
        if known.is_some() {
            let lost = self.mark_lost_records().await?;
            if lost > 0 || dataset.0.is_some() {
                self.reporter.data_lost(lost);
            }
        }
        let dataset = dataset.0.clone().unwrap_or_default();
        self.replica.set_note(NoteName::DatasetId, dataset).await.map_err(Stopped::ReplicaFailed)
    }

    /// The right to mark records, for which another process is waited for as long as one call may take.
    async fn lock(&self) -> Result<Lock, Stopped> {
        let until = Instant::now() + self.call_time;
        loop {
            match self.replica.lock().map_err(Stopped::ReplicaFailed)? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < until => sleep(LOCK_PAUSE).await,
                None => {
                    let text = format!("another process finds out what {} has lost", self.primary);
                    return Err(Stopped::NoAnswer(Error::new(Kind::Unavailable, text)));
                }
            }
        }
    }

    /// Finds what was acknowledged after the newest own change that is still there, and marks it as unsaved.
    async fn mark_lost_records(self: &Arc<Self>) -> Result<u64, Stopped> {
        let mut shown = BTreeMap::new();
        let mut survived_ms = None;
        // The newest first, some at a time; what is older than one that survived was there before that, and is.
        for own in self.replica.last_acks().await.map_err(Stopped::ReplicaFailed)?.chunks(LOOKS_AT_ONCE) {
            if own.first().is_some_and(|(_, own)| survived_ms.is_some_and(|survived_ms| own.at_ms < survived_ms)) {
                break;
            }
            let looked = self.read_many(own.iter().map(|(key, _)| key.clone())).await?;
            for (key, own) in own {
                let there = looked.get(key).cloned().flatten();
                if own.is_proof && survived_ms.is_none() && self.survived(key, own, there.as_ref()).await? {
                    survived_ms = Some(own.at_ms);
                }
                if survived_ms.is_none_or(|survived_ms| own.at_ms >= survived_ms) {
                    shown.insert(key.clone(), there);
                }
            }
        }
        let pending = self.replica.pending().await.map_err(Stopped::ReplicaFailed)?;
        for keys in pending.chunks(LOOKS_AT_ONCE) {
            shown.extend(self.read_many(keys.iter().filter(|key| !shown.contains_key(*key)).cloned()).await?);
        }
        let mut lost = 0;
        for (key, entry) in shown {
            lost += u64::from(self.mark_lost(&key, entry, survived_ms).await?);
        }
        Ok(lost)
    }

    /// Whether what is there is the very state that the last own change made. The revision alone might be that of
    /// another's state of the same lengths, named for the same millisecond.
    async fn survived(&self, key: &Key, own: &LastAck, there: Option<&Entry>) -> Result<bool, Stopped> {
        let (Some(there), AckedState::State(revision)) = (there, &own.acked) else { return Ok(false) };
        let known = self.replica.get(key, self.now_ms()).await.map_err(Stopped::ReplicaFailed)?;
        let local = known.and_then(|known| known.record.local);
        Ok(there.revision == *revision
            && local.is_some_and(|local| local.revision == *revision && same_content(&local, there)))
    }

    /// What the primary has under some keys, asked at once.
    async fn read_many(
        self: &Arc<Self>,
        keys: impl Iterator<Item = Key>,
    ) -> Result<BTreeMap<Key, Option<Entry>>, Stopped> {
        let mut looks = JoinSet::new();
        for key in keys {
            let inner = Arc::clone(self);
            looks.spawn(async move { inner.look(&key).await.map(|entry| (key, entry)) });
        }
        let looked: Result<_, Failure> = looks.join_all().await.into_iter().collect();
        looked.map_err(|failure| Stopped::NoAnswer(failure.error))
    }

    /// What the primary has under a key; damage counts as nothing that we could compare.
    async fn look(&self, key: &Key) -> Result<Option<Entry>, Failure> {
        match self.primary.read(key, Instant::now() + self.call_time).await {
            Err(Failure { cause: Cause::Data, .. }) => Ok(None),
            answer => answer,
        }
    }

    async fn mark_lost(&self, key: &Key, shown: Option<Entry>, survived_ms: Option<u64>) -> Result<bool, Stopped> {
        match self.try_mark_lost(key, shown, survived_ms).await {
            // A record that cannot be read is reported and left; others need not wait for it.
            Err(error) if error.kind() == Kind::Corrupt => {
                self.replica_failed(&error);
                Ok(false)
            }
            marked => marked.map_err(Stopped::ReplicaFailed),
        }
    }

    async fn try_mark_lost(&self, key: &Key, shown: Option<Entry>, survived_ms: Option<u64>) -> Result<bool, Error> {
        for _ in 0..MARKS_MAX {
            let now_ms = self.now_ms();
            let Some(known) = self.replica.get(key, now_ms).await? else { return Ok(false) };
            let resolved = after_loss(&known.record, shown.as_ref(), survived_ms, now_ms);
            let revision = |entry: Option<&Entry>| entry.map(|entry| entry.revision.to_string());
            let (ours, theirs) = (revision(known.record.local.as_ref()), revision(shown.as_ref()));
            tracing::debug!(%key, ours, theirs, survived_ms, lost = resolved.is_some(), "compared after a loss");
            let Some(resolved) = resolved else { return Ok(false) };
            if let Some(aside) = resolved.conflict_copy {
                self.keep_conflict_copy(key, aside).await?;
            }
            // Where a caller changed it meanwhile, that was made on what is lost too.
            if self.replace(key, known.stamp, resolved.record).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
