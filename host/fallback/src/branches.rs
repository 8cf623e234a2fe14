//! Branches: conflict copies, kept until an operator has reviewed them.
//!
//! They hold what users said, so they are in a store of their own and never in a log: in memory, or in a file of mode
//! 0600. Each is kept for 30 days, and 10,000 at most; the log says if an older one was dropped.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::resolution::Reason;
use branch::{BRANCH_BYTES_MAX, BRANCHES_MAX, KEPT_MS};
use file::FileBranches;
use ticket_store::Entry;
use ticket_store::Error;
use ticket_store::Key;

mod branch;
mod file;

pub use branch::Branch;

/// The branches of a fallback. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub struct Branches(Storage);

#[derive(Clone, Debug)]
enum Storage {
    Memory(Arc<Mutex<MemoryBranches>>),
    File(FileBranches),
}

#[derive(Debug, Default)]
struct MemoryBranches {
    branches: VecDeque<Branch>,
    last_number: u64,
}

impl Branches {
    /// Branches in this process, lost with it.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Storage::Memory(Arc::default()))
    }

    /// Branches in a file, which is created with mode 0600 if there is none.
    ///
    /// # Errors
    /// As opening a SQLite store.
    pub async fn in_file(path: PathBuf) -> Result<Self, Error> {
        Ok(Self(Storage::File(FileBranches::open(path).await?)))
    }

    /// All branches, the oldest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn list(&self) -> Result<Vec<Branch>, Error> {
        match &self.0 {
            Storage::Memory(kept) => Ok(lock(kept).branches.iter().cloned().collect()),
            Storage::File(file) => file.list().await,
        }
    }

    /// The branch of a number.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn get(&self, number: u64) -> Result<Option<Branch>, Error> {
        match &self.0 {
            Storage::Memory(kept) => Ok(lock(kept).branches.iter().find(|branch| branch.number == number).cloned()),
            Storage::File(file) => file.get(number).await,
        }
    }

    /// Ids of the tickets whose branches are lost when this process ends.
    pub(super) fn lost_with_process(&self) -> Vec<String> {
        match &self.0 {
            Storage::Memory(kept) => lock(kept).branches.iter().map(|branch| branch.id.clone()).collect(),
            Storage::File(_) => Vec::new(),
        }
    }

    /// How many there are.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn count(&self) -> Result<u64, Error> {
        match &self.0 {
            Storage::Memory(kept) => Ok(lock(kept).branches.len() as u64),
            Storage::File(file) => file.count().await,
        }
    }

    /// Drops the branch of a number; whether it was there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn drop_branch(&self, number: u64) -> Result<bool, Error> {
        match &self.0 {
            Storage::Memory(kept) => {
                let mut kept = lock(kept);
                let before = kept.branches.len();
                kept.branches.retain(|branch| branch.number != number);
                Ok(kept.branches.len() < before)
            }
            Storage::File(file) => file.drop_branch(number).await,
        }
    }

    /// Keeps a conflict copy.
    pub(super) async fn add(&self, key: &Key, reason: Reason, entry: Entry, now_ms: u64) -> Result<(), Error> {
        let id = key.ticket_id().to_owned();
        let branch = Branch { number: 0, id, why: reason.text().into(), at_ms: now_ms, entry };
        let dropped = match &self.0 {
            Storage::Memory(kept) => lock(kept).add(branch),
            Storage::File(file) => file.add(branch).await?,
        };
        if dropped > 0 {
            tracing::warn!(dropped, "old branches are dropped");
        }
        Ok(())
    }
}

fn lock(kept: &Mutex<MemoryBranches>) -> MutexGuard<'_, MemoryBranches> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryBranches {
    /// Adds a branch; how many old ones were dropped.
    fn add(&mut self, branch: Branch) -> usize {
        self.last_number += 1;
        let now_ms = branch.at_ms;
        self.branches.push_back(Branch { number: self.last_number, ..branch });
        let mut bytes: usize = self.branches.iter().map(|branch| branch.entry.bytes()).sum();
        let before = self.branches.len();
        while let Some(oldest) = self.branches.front()
            && (self.branches.len() > BRANCHES_MAX
                || bytes > BRANCH_BYTES_MAX
                || oldest.at_ms.saturating_add(KEPT_MS) < now_ms)
        {
            bytes -= oldest.entry.bytes();
            self.branches.pop_front();
        }
        before - self.branches.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::parse("ticket:a").expect("key")
    }

    async fn keeps_branches(branches: Branches) {
        for at_ms in 1..=3 {
            let entry = Entry::new(vec![("facts".into(), at_ms.to_string())], at_ms);
            branches.add(&key(), Reason::GoneElsewhere, entry, at_ms).await.expect("kept");
        }
        let all = branches.list().await.expect("list");
        assert_eq!(
            all.iter().map(|branch| (branch.number, branch.at_ms)).collect::<Vec<_>>(),
            [(1, 1), (2, 2), (3, 3)]
        );
        assert_eq!(branches.get(2).await.expect("get").as_ref(), all.get(1));
        assert!(branches.drop_branch(2).await.expect("dropped"));
        assert!(!branches.drop_branch(2).await.expect("gone"));
        assert_eq!(branches.count().await.expect("count"), 2);
        let entry = Entry::new(vec![("facts".into(), "late".into())], 1);
        branches.add(&key(), Reason::ClosedHere, entry, KEPT_MS + 3).await.expect("kept");
        let left: Vec<u64> = branches.list().await.expect("list").iter().map(|branch| branch.number).collect();
        assert_eq!(left, [3, 4], "after 30 days the first is dropped");
    }

    #[tokio::test]
    async fn dropped_branches_leave_their_room_to_later_ones() {
        let branches = Branches::in_memory();
        let large = || Entry::new(vec![("facts".into(), "x".repeat(BRANCH_BYTES_MAX / 2))], 1);
        for number in 1..=4 {
            branches.add(&key(), Reason::ClosedHere, large(), 1).await.expect("kept");
            assert!(branches.drop_branch(number).await.expect("dropped"), "branch {number} was kept");
        }
    }

    #[tokio::test]
    async fn branches_are_kept_for_30_days_in_memory_and_in_a_file() {
        keeps_branches(Branches::in_memory()).await;
        let folder = tempfile::tempdir().expect("folder");
        keeps_branches(Branches::in_file(folder.path().join("branches.db")).await.expect("file")).await;
    }
}
