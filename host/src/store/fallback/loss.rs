//! After a server came back with another data set: finds what it lost of our acknowledged changes.
//!
//! There is no log to ask. But a state has a revision of its own, so the newest own change that is still there at
//! exactly its revision shows what survived, and what was acknowledged after it and is not there did not.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Inner;
use super::record::{Made, Own, same_content};
use super::settle;
use super::shadow::NoteName;
use crate::store::entry::Entry;
use crate::store::error::Error;
use crate::store::key::Key;
use crate::store::primary::{Cause, Failure, Origin};

/// Tickets that are asked for at once after a loss.
const LOOKS_AT_ONCE: usize = 64;
/// Most attempts to mark a ticket that callers change all the while.
const MARKS_MAX: u32 = 16;

impl Inner {
    /// Speaks of the data set of `origin` from now on; where that is another one, what it lost is to be written back.
    pub(super) async fn adopt(self: &Arc<Self>, origin: Origin) -> Result<(), Error> {
        let known = self.shadow.note(NoteName::Origin).await?;
        // A server that does not tell may have lost data each time.
        if origin.0.is_some() && known == origin.0 {
            return Ok(());
        }
        let Some(_lock) = self.shadow.lock()? else { return Ok(()) };
        if known.is_some() {
            let lost = self.find_lost().await.map_err(|failure| failure.error)?;
            if lost > 0 || origin.0.is_some() {
                self.board.data_lost(lost);
            }
        }
        self.shadow.set_note(NoteName::Origin, origin.0.unwrap_or_default()).await
    }

    /// Finds what was acknowledged after the newest own change that is still there, and marks it as unsaved.
    async fn find_lost(self: &Arc<Self>) -> Result<u64, Failure> {
        let local = |error| Failure { error, cause: Cause::Data };
        let mut shown = BTreeMap::new();
        let mut survived_ms = None;
        // The newest first, some at a time; what is older than one that survived was there before that, and is.
        for own in self.shadow.own().await.map_err(local)?.chunks(LOOKS_AT_ONCE) {
            if own.first().is_some_and(|(_, own)| survived_ms.is_some_and(|survived_ms| own.at_ms < survived_ms)) {
                break;
            }
            let looked = self.look_at(own.iter().map(|(key, _)| key.clone())).await?;
            for (key, own) in own {
                let there = looked.get(key).cloned().flatten();
                if own.is_proof
                    && survived_ms.is_none()
                    && self.survived(key, own, there.as_ref()).await.map_err(local)?
                {
                    survived_ms = Some(own.at_ms);
                }
                if survived_ms.is_none_or(|survived_ms| own.at_ms >= survived_ms) {
                    shown.insert(key.clone(), there);
                }
            }
        }
        let unsaved = self.shadow.unsaved().await.map_err(local)?;
        for keys in unsaved.chunks(LOOKS_AT_ONCE) {
            shown.extend(self.look_at(keys.iter().filter(|key| !shown.contains_key(*key)).cloned()).await?);
        }
        let mut lost = 0;
        for (key, entry) in shown {
            lost += u64::from(self.mark_lost(&key, entry, survived_ms).await.map_err(local)?);
        }
        Ok(lost)
    }

    /// Whether what is there is the very state that the last own change made. The revision alone might be that of
    /// another's state of the same lengths, named for the same millisecond.
    async fn survived(&self, key: &Key, own: &Own, there: Option<&Entry>) -> Result<bool, Error> {
        let (Some(there), Made::State(revision)) = (there, &own.made) else { return Ok(false) };
        let known = self.shadow.get(key, self.now_ms()).await?;
        let local = known.and_then(|known| known.record.local);
        Ok(there.revision == *revision
            && local.is_some_and(|local| local.revision == *revision && same_content(&local, there)))
    }

    /// What the primary has under some keys, asked at once.
    async fn look_at(
        self: &Arc<Self>,
        keys: impl Iterator<Item = Key>,
    ) -> Result<BTreeMap<Key, Option<Entry>>, Failure> {
        let mut looks = JoinSet::new();
        for key in keys {
            let inner = Arc::clone(self);
            looks.spawn(async move { inner.look(&key).await.map(|entry| (key, entry)) });
        }
        looks.join_all().await.into_iter().collect()
    }

    /// What the primary has under a key; damage counts as nothing that we could compare.
    async fn look(&self, key: &Key) -> Result<Option<Entry>, Failure> {
        match self.primary.read(key, Instant::now() + self.call_time).await {
            Err(Failure { cause: Cause::Data, .. }) => Ok(None),
            answer => answer,
        }
    }

    async fn mark_lost(&self, key: &Key, shown: Option<Entry>, survived_ms: Option<u64>) -> Result<bool, Error> {
        for _ in 0..MARKS_MAX {
            let now_ms = self.now_ms();
            let Some(known) = self.shadow.get(key, now_ms).await? else { return Ok(false) };
            let concluded = settle::after_loss(&known.record, shown.as_ref(), survived_ms, now_ms);
            let revision = |entry: Option<&Entry>| entry.map(|entry| entry.revision.to_string());
            let (ours, theirs) = (revision(known.record.local.as_ref()), revision(shown.as_ref()));
            tracing::debug!(%key, ours, theirs, survived_ms, lost = concluded.is_some(), "compared after a loss");
            let Some(concluded) = concluded else { return Ok(false) };
            if let Some(aside) = concluded.aside {
                self.keep_aside(key, aside).await?;
            }
            // Where a caller changed it meanwhile, that was made on what is lost too.
            if self.replace(key, known.stamp, concluded.record).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
