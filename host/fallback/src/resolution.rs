//! What resolving an answer leads to: the record as it is then, and what else must be done.

use super::record::Record;
use ticket_store::Entry;

/// How far a deadline is moved at most so that a state gets a new revision: two hosts rarely choose the same step.
const STEP_MS_MAX: u64 = 63;

/// A record after an answer of the primary, and what follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) record: Record,
    /// Must be kept before the record is stored.
    pub(super) conflict_copy: Option<ConflictCopy>,
    /// The primary's state, to be merged with the local one from the record's base.
    pub(super) merge_with: Option<Entry>,
}

/// A state that no longer has a place in its ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConflictCopy {
    pub(super) entry: Entry,
    pub(super) reason: Reason,
}

/// Why a state is kept as a conflict copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    GoneElsewhere,
    OtherIncarnation,
    CreatedTwice,
    ClosedHere,
    NotMixed,
    Unmergeable,
    Trimmed,
    WrittenBack,
    Damage,
}

impl Reason {
    /// For people; kept with the branch.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::GoneElsewhere => "the ticket was closed or evicted elsewhere",
            Self::OtherIncarnation => "another ticket of this id was created elsewhere",
            Self::CreatedTwice => "the ticket was created here and elsewhere",
            Self::ClosedHere => "the ticket was changed elsewhere and closed here",
            Self::NotMixed => "it was changed here and elsewhere in ways that cannot be combined",
            Self::Unmergeable => "it was changed elsewhere into a form that cannot be merged",
            Self::Trimmed => "it has messages that another client seems to have trimmed",
            Self::WrittenBack => {
                "messages that it lacks were written back after a loss of data; another client may have taken them back"
            }
            Self::Damage => "the key holds something that is not a ticket",
        }
    }
}

impl From<Record> for Resolved {
    fn from(record: Record) -> Self {
        Self { record, conflict_copy: None, merge_with: None }
    }
}

impl Resolved {
    /// The primary's state stays; ours becomes a conflict copy.
    pub(super) fn keep_theirs(
        record: &Record,
        ours: Entry,
        reason: Reason,
        theirs: Option<Entry>,
        now_ms: u64,
    ) -> Self {
        Self {
            record: Record::saved(theirs, record.last_ack.clone(), now_ms),
            conflict_copy: Some(ConflictCopy { entry: ours, reason }),
            merge_with: None,
        }
    }
}

/// The same content under a revision that no store has.
pub(super) fn without_deadline(entry: &Entry) -> Entry {
    Entry::new(entry.fields.clone(), 0)
}

/// A deadline a little later than another, so that the state has a revision of its own.
pub(super) fn later_than(expires_at_ms: u64) -> u64 {
    expires_at_ms.saturating_add(fastrand::u64(1..=STEP_MS_MAX))
}
