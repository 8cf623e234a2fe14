//! Merges a branch into its ticket, or creates the ticket again if it is gone.

use super::branches::Branch;
use super::merge_base;
use super::record::{incarnation, same_content};
use super::store::FallbackStore;
use ticket_model::ticket::Merged;
use ticket_store::{Condition, Entry, Error, Freshness, Key, Kind, Outcome, Store};

/// Most attempts against other clients that change the ticket.
const ATTEMPTS_MAX: u32 = 16;

impl FallbackStore {
    /// Merges a branch into its ticket with a TTL of `ttl_ms`, and drops the branch. The branch stays if the result is
    /// only in the memory of this process.
    pub async fn apply_branch(&self, branch: &Branch, ttl_ms: u64) -> Result<(), Error> {
        let number = branch.number;
        let key = Key::of_ticket(&branch.id)?;
        for _ in 0..ATTEMPTS_MAX {
            let (entry, when) = match self.read(&key, Freshness::Latest).await? {
                None => (branch.entry.clone(), Condition::Absent),
                Some(current) if same_content(&current, &branch.entry) => return self.applied(&key, number).await,
                Some(current) => {
                    let merged = self.merge_branch(branch, &current).await?;
                    (merged, Condition::At(current.revision))
                }
            };
            if let Outcome::Written { .. } = self.write(&key, entry.into_fields(), ttl_ms, &when).await? {
                return self.applied(&key, number).await;
            }
        }
        let text = format!("cannot apply branch {number}: its ticket was changed {ATTEMPTS_MAX} times meanwhile");
        Err(Error::new(Kind::Unavailable, text))
    }

    /// The entry, without a deadline, that a branch and its ticket become.
    async fn merge_branch(&self, branch: &Branch, current: &Entry) -> Result<Entry, Error> {
        let number = branch.number;
        if incarnation(current) != incarnation(&branch.entry) {
            return Err(Error::invalid(format!(
                "branch {number} is of an earlier ticket `{}`, not of the present one",
                branch.id
            )));
        }
        let (Some(ours), Some(theirs)) = (merge_base::state(&branch.entry), merge_base::state(current)) else {
            return Err(Error::invalid(format!(
                "cannot merge branch {number}: it or its ticket is not of the present schema"
            )));
        };
        let (base, ours) = merge_base::infer_base(&ours, &theirs, false);
        let Merged { state, branch: loser } = (self.inner.merge)(base, ours, theirs).await.map_err(|error| {
            Error::invalid(format!("cannot merge branch {number} into its ticket")).caused_by(error)
        })?;
        match loser {
            None => Ok(merge_base::entry(&state, 0)),
            Some(_) => Err(Error::invalid(format!(
                "branch {number} and its ticket cannot be combined: look at the branch, say or learn what is missing, \
                 and drop it"
            ))),
        }
    }

    /// Drops the branch, unless its ticket is pending in the memory of this process.
    async fn applied(&self, key: &Key, number: u64) -> Result<(), Error> {
        if self.inner.copies.replica.lost_with_process().contains(key) {
            return Ok(());
        }
        self.branches().drop_branch(number).await.map(drop)
    }
}
