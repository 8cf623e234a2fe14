//! What a replica holds, and what a step does to it.

use crate::record::Record;

/// A record, and a number that changes with it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) record: Record,
    pub(crate) stamp: u64,
}

/// What a step does to a record.
#[derive(Debug)]
pub(crate) enum RecordUpdate {
    Keep,
    Put(Record),
    Forget,
}

impl RecordUpdate {
    /// Whether nothing of the ticket is pending after it.
    pub(super) fn ends_pending(&self) -> bool {
        match self {
            Self::Keep => false,
            Self::Put(record) => record.pending.is_none(),
            Self::Forget => true,
        }
    }
}

/// The names of the notes beside the records; their texts are in files already written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoteName {
    /// The primary that the records are of.
    Store,
    /// The data set of the primary that the records were compared with.
    DatasetId,
    /// The last sync, as JSON.
    SyncReport,
}

impl NoteName {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::DatasetId => "origin",
            Self::SyncReport => "reconciliation",
        }
    }
}
