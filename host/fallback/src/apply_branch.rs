//! Puts a branch back: merges it into its ticket, or makes the ticket again where that is gone.

use super::branches::Branch;
use super::record::{incarnation, same_content};
use super::{FallbackStore, merge_base};
use crate::merge::Merged;
use ticket_store::Key;
use ticket_store::Store;
use ticket_store::{Condition, Freshness, Outcome};
use ticket_store::{Error, Kind};

/// Most attempts against others who change the ticket.
const ATTEMPTS_MAX: u32 = 16;

impl FallbackStore {
    /// Puts a branch back for `ttl_ms` and drops it; it stays while the memory of this process alone has what came of
    /// it.
    pub async fn apply_branch(&self, branch: &Branch, ttl_ms: u64) -> Result<(), Error> {
        let number = branch.number;
        let key = Key::of_ticket(&branch.id)?;
        for _ in 0..ATTEMPTS_MAX {
            let (fields, when) = match self.read(&key, Freshness::Latest).await? {
                None => (branch.entry.clone().into_fields(), Condition::Absent),
                Some(there) if same_content(&there, &branch.entry) => return self.done(&key, number).await,
                Some(there) if incarnation(&there) != incarnation(&branch.entry) => {
                    let text =
                        format!("branch {number} is of an earlier ticket `{}`, not of the one there is", branch.id);
                    return Err(Error::invalid(text));
                }
                Some(there) => {
                    let (Some(ours), Some(theirs)) = (merge_base::state(&branch.entry), merge_base::state(&there))
                    else {
                        return Err(Error::invalid(format!(
                            "branch {number} or its ticket has a form that cannot merge"
                        )));
                    };
                    let (base, ours) = merge_base::infer_base(&ours, &theirs);
                    let merged = (self.inner.merge)(base, ours, theirs).await;
                    let Merged { state, branch } = merged.map_err(|error| {
                        Error::invalid(format!("branch {number} cannot be merged into its ticket")).caused_by(error)
                    })?;
                    if branch.is_some() {
                        return Err(Error::invalid(format!(
                            "branch {number} and its ticket do not mix: look at it, say or learn what is missing, and \
                             drop it"
                        )));
                    }
                    (merge_base::entry(&state, 0).into_fields(), Condition::At(there.revision))
                }
            };
            if let Outcome::Written { .. } = self.write(&key, fields, ttl_ms, &when).await? {
                return self.done(&key, number).await;
            }
        }
        Err(Error::new(Kind::Unavailable, format!("branch {number}: others change its ticket all the time")))
    }

    /// Drops the branch, unless what was made of it ends with this process.
    async fn done(&self, key: &Key, number: u64) -> Result<(), Error> {
        if self.inner.replica.lost_with_process().contains(key) {
            return Ok(());
        }
        self.branches().drop_branch(number).await.map(drop)
    }
}
