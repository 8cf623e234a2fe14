//! What this host knows of one ticket, and what its callers' changes make of that. Pure: no I/O, no clock.
//!
//! | record | event | next |
//! |---|---|---|
//! | none, saved | the primary shows an entry or none | saved, as it shows |
//! | unsaved | the primary shows something | unsaved: the reconciliation asks for itself |
//! | none, saved | the primary made a change of ours | saved, as changed, by an own write |
//! | known | a change here, not sent or refused | unsaved, from what the primary had |
//! | known | a change here, sent and not answered | unsaved, and sent |
//! | unsaved | a change here | unsaved, from the same base |
//! | none | a change here with `absent` | unsaved, from nothing |
//! | none | any other change, or a read | not known: `unavailable` |

use serde::{Deserialize, Serialize};

use ticket_store::deadline::is_over;
use ticket_store::{Condition, Entry, Outcome, Revision};

/// How long it is remembered that there was no entry, in milliseconds: as long as most tickets live.
const ABSENCE_KEPT_MS: u64 = 30 * 60 * 1_000;

/// What this host knows of one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What callers are shown; none where the ticket is gone.
    pub(super) local: Option<Entry>,
    /// Where the primary is behind.
    #[serde(rename = "unsaved")]
    pub(super) pending: Option<Pending>,
    /// The last own change that the primary acknowledged; none where others' changes alone are known.
    #[serde(rename = "own")]
    pub(super) last_ack: Option<LastAck>,
    /// When a record of a ticket that is gone says nothing any more, in milliseconds since the epoch.
    pub(super) gone_until_ms: u64,
}

/// What the primary has not been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// What the primary had before; none for nothing.
    pub(super) base: Option<Entry>,
    /// What was sent last and not answered.
    #[serde(rename = "sent")]
    pub(super) in_flight: Option<InFlight>,
    /// What was sent without an answer since the base and not found there later: it may have been made, undone by
    /// another host, and come back by a rollback there.
    #[serde(default, rename = "tried")]
    pub(super) unconfirmed: Option<Box<Entry>>,
    /// When the life began that was closed here since, as its entry says it.
    #[serde(rename = "closed_life")]
    pub(super) closed_incarnation: Option<String>,
    /// When the first of these changes was made, for the order of reconciliation.
    pub(super) since_ms: u64,
    /// The primary had it and lost it: whatever it has now of this life is an older state, or comes from one.
    pub(super) lost: bool,
}

/// A change that the primary may have made, or may still make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum InFlight {
    Write(Entry),
    Removal,
}

impl InFlight {
    /// For the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Write(_) => "write",
            Self::Removal => "removal",
        }
    }
}

/// An own change that the primary acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastAck {
    /// The primary's time of it.
    pub(super) at_ms: u64,
    /// What it made.
    #[serde(rename = "made")]
    pub(super) acked: AckedState,
    /// Whether finding it shows that the primary's data set is as new. What was sent again or written back after a
    /// loss may come into an older one too; so may another deadline for the same content, by the hand of a host that
    /// writes that content back and happens to draw it.
    pub(super) is_proof: bool,
}

/// What an acknowledged change left with the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AckedState {
    /// This state.
    State(Revision),
    /// Nothing of this life of the ticket.
    End(String),
}

/// A change by a caller that the fallback makes.
#[derive(Clone, Debug)]
pub(super) enum Change<'a> {
    /// The whole entry, with its new deadline.
    Write(&'a Entry),
    /// Another deadline.
    Touch(u64),
    /// None.
    Remove,
}

/// The text that tells one life of a ticket from another.
pub(super) fn incarnation(entry: &Entry) -> &str {
    field(entry, "created_at")
}

/// A field's text, empty where there is none.
pub(super) fn field<'a>(entry: &'a Entry, name: &str) -> &'a str {
    entry.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
}

/// Whether two entries hold the same, deadlines apart.
pub(super) fn same_content(one: &Entry, other: &Entry) -> bool {
    one.fields.len() == other.fields.len() && one.fields.iter().all(|field| other.fields.contains(field))
}

impl Record {
    /// What the primary shows.
    pub(super) fn saved(local: Option<Entry>, last_ack: Option<LastAck>, now_ms: u64) -> Self {
        let saved = Self { local, pending: None, last_ack, gone_until_ms: 0 };
        let ends_ms = saved.alive_until_ms().unwrap_or(now_ms);
        Self { gone_until_ms: ends_ms.saturating_add(ABSENCE_KEPT_MS), ..saved }
    }

    /// What callers are shown now.
    pub(super) fn alive(&self, now_ms: u64) -> Option<&Entry> {
        self.local.as_ref().filter(|entry| !is_over(entry.expires_at_ms, now_ms))
    }

    /// Until when there is something to show; none where the ticket is gone.
    pub(super) fn alive_until_ms(&self) -> Option<u64> {
        self.local.as_ref().map(|entry| if entry.expires_at_ms == 0 { u64::MAX } else { entry.expires_at_ms })
    }

    /// Whether it says nothing any more: a ticket that is gone for so long may have come back elsewhere.
    pub(super) fn is_stale(&self, now_ms: u64) -> bool {
        self.pending.is_none() && self.alive(now_ms).is_none() && now_ms > self.gone_until_ms
    }

    /// Bytes of texts that it holds, for the bound on memory.
    pub(super) fn bytes(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |pending| {
            let sent = if let Some(InFlight::Write(sent)) = &pending.in_flight { sent.bytes() } else { 0 };
            sent + pending.base.as_ref().map_or(0, Entry::bytes)
                + pending.unconfirmed.as_ref().map_or(0, |tried| tried.bytes())
        });
        pending + self.local.as_ref().map_or(0, Entry::bytes)
    }

    /// After an answer that shows what the primary has.
    pub(super) fn heard(known: Option<Self>, shown: Option<Entry>, now_ms: u64) -> Self {
        match known {
            Some(record) if record.pending.is_some() => record,
            Some(record) => Self::saved(shown, record.last_ack, now_ms),
            None => Self::saved(shown, None, now_ms),
        }
    }

    /// After an own change that the primary acknowledged.
    pub(super) fn acknowledged(
        known: Option<Self>,
        local: Option<Entry>,
        last_ack: Option<LastAck>,
        now_ms: u64,
    ) -> Self {
        match known {
            // Its caller went by an older look; the reconciliation meets what was made.
            Some(record) if record.pending.is_some() => record,
            Some(record) => Self::saved(local, last_ack.or(record.last_ack), now_ms),
            None => Self::saved(local, last_ack, now_ms),
        }
    }

    /// Makes a change here. `sent` says that it was sent to the primary, which did not answer. None where
    /// nothing is known of the ticket that the condition could be held against.
    pub(super) fn change(
        known: Option<Self>,
        change: &Change<'_>,
        when: &Condition,
        sent: bool,
        now_ms: u64,
    ) -> Option<(Option<Self>, Outcome)> {
        let there = known.as_ref().and_then(|record| record.alive(now_ms)).cloned();
        if known.is_none() && *when != Condition::Absent {
            return None;
        }
        // Its answer was lost, and somebody who looked meanwhile has seen it made.
        if sent
            && let (Change::Write(entry), Some(there)) = (change, &there)
            && entry.expires_at_ms == there.expires_at_ms
            && same_content(entry, there)
        {
            let (revision, expires_at_ms) = (there.revision.clone(), there.expires_at_ms);
            return Some((known, Outcome::Written { revision, expires_at_ms }));
        }
        if !when.holds(there.as_ref()) {
            let shown = if matches!(change, Change::Touch(_)) { None } else { there };
            return Some((known, Outcome::Refused(shown)));
        }
        let next = match (change, &there) {
            (Change::Write(entry), _) => Some((*entry).clone()),
            (Change::Touch(expires_at_ms), Some(entry)) => Some(Entry::new(entry.fields.clone(), *expires_at_ms)),
            (Change::Remove | Change::Touch(_), _) => None,
        };
        let outcome = match &next {
            Some(Entry { revision, expires_at_ms, .. }) => {
                Outcome::Written { revision: revision.clone(), expires_at_ms: *expires_at_ms }
            }
            None => Outcome::Removed,
        };
        Some((Some(Self::changed(known, there, next, sent.then_some(change), now_ms)), outcome))
    }

    /// The record after a change here from `there` to `next`.
    fn changed(
        known: Option<Self>,
        there: Option<Entry>,
        next: Option<Entry>,
        sent: Option<&Change<'_>>,
        now_ms: u64,
    ) -> Self {
        let (last_ack, pending) = known.map_or((None, None), |record| (record.last_ack, record.pending));
        let mut pending = pending.unwrap_or_else(|| Pending {
            base: there.clone(),
            in_flight: None,
            unconfirmed: None,
            closed_incarnation: None,
            since_ms: now_ms,
            lost: false,
        });
        let sent = match sent {
            Some(Change::Write(entry)) => Some(InFlight::Write((*entry).clone())),
            Some(Change::Remove) => Some(InFlight::Removal),
            // A deadline alone needs no settling: the content is the same with it and without.
            Some(Change::Touch(_)) | None => None,
        };
        // What was sent first is settled first.
        pending.in_flight = pending.in_flight.or(sent);
        if let (Some(gone), None) = (&there, &next) {
            pending.closed_incarnation = Some(incarnation(gone).to_owned());
        }
        let ends_ms = [&next, &there].into_iter().flatten().map(|entry| entry.expires_at_ms).max().unwrap_or(now_ms);
        Self { local: next, pending: Some(pending), last_ack, gone_until_ms: ends_ms.saturating_add(ABSENCE_KEPT_MS) }
    }
}

#[cfg(test)]
mod tests;
