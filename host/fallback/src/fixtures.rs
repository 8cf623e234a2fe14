//! Tickets for the unit tests of the pure modules.

use super::merge_base;
use super::record::Pending;
use super::resolution::Resolved;
use ticket_model::ticket::State;
use ticket_store::Entry;

pub(super) const NOW_MS: u64 = 1_000_000;
pub(super) const LATER_MS: u64 = NOW_MS + 60_000;

pub(super) fn ticket(history: &str, created_at: u64, expires_at_ms: u64) -> Entry {
    let state = State {
        facts: "{}".into(),
        history: history.into(),
        last_decision: "{}".into(),
        created_at,
        updated_at: created_at + 1,
    };
    merge_base::entry(&state, expires_at_ms)
}

pub(super) fn base() -> Entry {
    ticket(r#"["a"]"#, 7, LATER_MS)
}

pub(super) fn ours() -> Entry {
    ticket(r#"["a","o"]"#, 7, LATER_MS + 10)
}

pub(super) fn pending(resolved: &Resolved) -> &Pending {
    resolved.record.pending.as_ref().expect("pending")
}
