//! After a server came back with another data set: finds which acknowledged changes of this host it lost.
//!
//! Every state has its own revision: the newest acknowledged change that the server still has at exactly its revision
//! shows what survived. What was acknowledged later, and is missing, was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::after_loss::{after_loss, may_be_lost};
use super::copies::{Applied, Copies};
use super::link::PrimaryLink;
use super::record::{AckedState, LastAck, Record, same_content};
use super::replica::{Lock, NoteName};
use ticket_store::{Cause, DatasetId, Entry, Error, Failure, Key, Kind};

/// Tickets that are read at once after a loss.
const READS_AT_ONCE: usize = 16;
/// Pause between attempts to get the lock that another process holds.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Attempts in a row in which a replica that fails may keep the primary out of use: about two seconds.
const REPLICA_FAILURES_MAX: u32 = 3;
/// How long one of these reads may take. No caller waits for it: large tickets need more than the time of a call.
const READ_TIME: Duration = Duration::from_secs(2);

/// Why a comparison was not completed.
enum Stopped {
    /// The primary did not answer.
    NoAnswer(Error),
    /// The replica could not be read or written, for example because its file is damaged or its disk full.
    ReplicaFailed(Error),
}

/// Compares the records with the primary when its data set is another one.
pub(super) struct DataLoss {
    link: Arc<PrimaryLink>,
    copies: Arc<Copies>,
    /// Comparisons in a row that the replica failed.
    replica_failures: AtomicU32,
}

impl DataLoss {
    pub(super) fn new(link: Arc<PrimaryLink>, copies: Arc<Copies>) -> Self {
        Self { link, copies, replica_failures: AtomicU32::new(0) }
    }

    /// Compares the records with a data set if it is another one than before; what it lost becomes pending.
    pub(super) async fn compare(&self, dataset: &DatasetId) -> Result<(), Error> {
        match self.try_compare(dataset).await {
            Ok(()) => {
                self.replica_failures.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(Stopped::NoAnswer(error)) => Err(error),
            // It may pass. If not, it must not keep a healthy primary out of use.
            Err(Stopped::ReplicaFailed(error)) => {
                if self.replica_failures.fetch_add(1, Ordering::Relaxed) < REPLICA_FAILURES_MAX {
                    return Err(error);
                }
                self.copies.failed(&error);
                Ok(())
            }
        }
    }

    async fn try_compare(&self, dataset: &DatasetId) -> Result<(), Stopped> {
        let noted = async || self.copies.replica.note(NoteName::DatasetId).await.map_err(Stopped::ReplicaFailed);
        // A server that does not tell may have lost data each time.
        let is_known = |known: &Option<String>| dataset.0.is_some() && *known == dataset.0;
        if is_known(&noted().await?) {
            return Ok(());
        }
        let _lock = self.lock().await?;
        // Another process may have compared meanwhile.
        let known = noted().await?;
        if is_known(&known) {
            return Ok(());
        }
        if known.is_some() {
            let lost = self.mark_lost_records().await?;
            if lost > 0 || dataset.0.is_some() {
                self.link.reporter.data_lost(lost);
            }
        }
        let dataset = dataset.0.clone().unwrap_or_default();
        self.copies.replica.set_note(NoteName::DatasetId, dataset).await.map_err(Stopped::ReplicaFailed)
    }

    /// The lock for marking records. Another process is waited for as long as one call may take.
    async fn lock(&self) -> Result<Lock, Stopped> {
        let until = Instant::now() + self.link.call_time;
        loop {
            match self.copies.replica.lock().map_err(Stopped::ReplicaFailed)? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < until => sleep(LOCK_PAUSE).await,
                None => {
                    let text = format!("another process is finding out what {} has lost", self.link.primary);
                    return Err(Stopped::NoAnswer(Error::new(Kind::Unavailable, text)));
                }
            }
        }
    }

    /// Marks what was acknowledged after the newest surviving change as pending; how many records.
    async fn mark_lost_records(&self) -> Result<u64, Stopped> {
        let mut read = BTreeMap::new();
        let survived_ms = self.find_survivor(&mut read).await?;
        let pending = self.copies.replica.pending().await.map_err(Stopped::ReplicaFailed)?;
        for keys in pending.chunks(READS_AT_ONCE) {
            read.extend(self.read_many(keys.iter().filter(|key| !read.contains_key(*key)).cloned()).await?);
        }
        let mut lost = 0;
        for (key, theirs) in read {
            lost += u64::from(self.mark_lost(&key, theirs.as_ref(), survived_ms).await?);
        }
        Ok(lost)
    }

    /// When the newest surviving change was acknowledged; what was acknowledged then or later is read into `read`. What
    /// is older survived too.
    async fn find_survivor(&self, read: &mut BTreeMap<Key, Option<Entry>>) -> Result<Option<u64>, Stopped> {
        let (mut survived_ms, mut before) = (None, None);
        loop {
            let acks = self.copies.replica.last_acks(before.as_ref()).await.map_err(Stopped::ReplicaFailed)?;
            let Some((key, oldest)) = acks.last() else { return Ok(survived_ms) };
            before = Some((oldest.at_ms, key.clone()));
            for acks in acks.chunks(READS_AT_ONCE) {
                if acks.first().is_some_and(|(_, last_ack)| !may_be_lost(last_ack, survived_ms)) {
                    return Ok(survived_ms);
                }
                let entries = self.read_many(acks.iter().map(|(key, _)| key.clone())).await?;
                for (key, last_ack) in acks {
                    if !may_be_lost(last_ack, survived_ms) {
                        return Ok(survived_ms);
                    }
                    let theirs = entries.get(key).cloned().flatten();
                    let may_prove = last_ack.is_proof && survived_ms.is_none();
                    if may_prove && self.survived(key, last_ack, theirs.as_ref()).await? {
                        survived_ms = Some(last_ack.at_ms);
                    }
                    read.insert(key.clone(), theirs);
                }
            }
        }
    }

    /// Whether the primary has the very state that the last acknowledged change made. Its revision alone could be that
    /// of another state with fields of the same lengths, written for the same millisecond.
    async fn survived(&self, key: &Key, last_ack: &LastAck, theirs: Option<&Entry>) -> Result<bool, Stopped> {
        let (Some(theirs), AckedState::State(revision)) = (theirs, &last_ack.acked) else { return Ok(false) };
        let known = self.copies.replica.get(key, self.link.now_ms()).await.map_err(Stopped::ReplicaFailed)?;
        let local = known.and_then(|known| known.record.local);
        Ok(theirs.revision == *revision
            && local.is_some_and(|local| local.revision == *revision && same_content(&local, theirs)))
    }

    /// What the primary has under some keys, read at once.
    async fn read_many(&self, keys: impl Iterator<Item = Key>) -> Result<BTreeMap<Key, Option<Entry>>, Stopped> {
        let mut reads = JoinSet::new();
        for key in keys {
            let link = Arc::clone(&self.link);
            reads.spawn(async move {
                match link.primary.read(&key, Instant::now() + READ_TIME).await {
                    // Damage cannot be compared: it counts as nothing.
                    Err(Failure { cause: Cause::Data, .. }) => Ok((key, None)),
                    Ok(theirs) => Ok((key, theirs)),
                    Err(failure) => Err(failure),
                }
            });
        }
        let entries: Result<_, Failure> = reads.join_all().await.into_iter().collect();
        entries.map_err(|failure| Stopped::NoAnswer(failure.error))
    }

    async fn mark_lost(&self, key: &Key, theirs: Option<&Entry>, survived_ms: Option<u64>) -> Result<bool, Stopped> {
        match self.try_mark_lost(key, theirs, survived_ms).await {
            // A record that cannot be parsed is reported and left; others need not wait for it.
            Err(error) if error.kind() == Kind::Corrupt => {
                self.copies.failed(&error);
                Ok(false)
            }
            marked => marked.map_err(Stopped::ReplicaFailed),
        }
    }

    async fn try_mark_lost(&self, key: &Key, theirs: Option<&Entry>, survived_ms: Option<u64>) -> Result<bool, Error> {
        // A change that a caller made meanwhile was based on what is lost too.
        let resolution = |record: &Record, now_ms| {
            let resolved = after_loss(record, theirs, survived_ms, now_ms);
            let revision = |entry: Option<&Entry>| entry.map(|entry| entry.revision.to_string());
            let (ours, theirs) = (revision(record.local.as_ref()), revision(theirs));
            tracing::debug!(%key, ours, theirs, survived_ms, lost = resolved.is_some(), "compared after a loss");
            resolved
        };
        Ok(matches!(self.copies.apply(key, &mut 0, resolution).await?, Applied::Changed { .. }))
    }
}
