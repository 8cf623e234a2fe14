//! An agent that takes the steps of a conversation on its ticket.

use std::collections::{HashMap, HashSet};

use ticket_host::{Change, Error, Tickets};
use ticket_transcripts::{Call, Step};

/// Most changes of one write when steps are taken again.
const CHANGES_MAX: usize = 1_000;

/// What an agent has done.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) messages: u64,
    /// Those that were undone too.
    pub(super) decisions: u64,
    pub(super) rollbacks: u64,
}

/// One conversation on its ticket.
pub(super) struct Agent<'a> {
    tickets: &'a Tickets,
    id: &'a str,
    steps: &'a [Step],
    /// Turns with a call that fails later. An agent cannot know them and takes a snapshot before each turn; only theirs
    /// are kept.
    failing: HashSet<usize>,
    snapshots: HashMap<usize, String>,
    /// Failed calls, each with the step at which it failed.
    undone: HashMap<Call, usize>,
    counts: Counts,
}

impl<'a> Agent<'a> {
    /// Takes all steps on the ticket `id`.
    pub(super) async fn run(tickets: &'a Tickets, id: &'a str, steps: &'a [Step]) -> Result<Counts, Error> {
        let failing = steps.iter().filter_map(|step| if let Step::Undo(call) = step { Some(call.turn) } else { None });
        let mut agent = Self {
            tickets,
            id,
            steps,
            failing: failing.collect(),
            snapshots: HashMap::new(),
            undone: HashMap::new(),
            counts: Counts::default(),
        };
        for (place, step) in steps.iter().enumerate() {
            match step {
                Step::Undo(call) => {
                    agent.undo(*call, place).await?;
                    continue;
                }
                Step::Say(_) => agent.counts.messages += 1,
                Step::Decide(decisions) => {
                    agent.counts.decisions += decisions.len() as u64;
                    agent.take_snapshot(place).await?;
                }
                Step::Learn(..) => {}
            }
            agent.write(&mut agent.changes(place)).await?;
        }
        Ok(agent.counts)
    }

    /// Goes back to before the turn of a call that failed at step `now`, and takes all later steps again but its own.
    async fn undo(&mut self, call: Call, now: usize) -> Result<(), Error> {
        self.counts.rollbacks += 1;
        self.undone.insert(call, now);
        let snapshot = self.snapshots.get(&call.turn).map(String::as_str).unwrap_or_default();
        self.tickets.rollback(self.id, snapshot, None).await?;
        let mut changes = Vec::new();
        for place in call.turn..now {
            // The snapshot of a later turn holds the decision that is undone now.
            if place != call.turn && self.snapshots.contains_key(&place) {
                self.write(&mut changes).await?;
                self.take_snapshot(place).await?;
            }
            changes.append(&mut self.changes(place));
            if changes.len() >= CHANGES_MAX {
                self.write(&mut changes).await?;
            }
        }
        self.write(&mut changes).await
    }

    async fn take_snapshot(&mut self, turn: usize) -> Result<(), Error> {
        let snapshot = self.tickets.snapshot(self.id).await?;
        if self.failing.contains(&turn) {
            self.snapshots.insert(turn, snapshot);
        }
        Ok(())
    }

    /// The changes of a step, without those of calls that failed after it.
    fn changes(&self, place: usize) -> Vec<Change> {
        match &self.steps[place] {
            Step::Say(message) => vec![Change::Say(message.clone())],
            Step::Decide(decisions) => {
                let lasting = decisions
                    .iter()
                    .enumerate()
                    .filter(|(decision, _)| !self.undone.contains_key(&Call { turn: place, decision: *decision }));
                lasting.map(|(_, decision)| Change::Decide(decision.clone())).collect()
            }
            Step::Learn(_, Some(call)) if self.undone.get(call).is_some_and(|failed| *failed > place) => vec![],
            Step::Learn(patches, _) => patches.iter().map(|patch| Change::Learn(patch.clone())).collect(),
            Step::Undo(_) => vec![],
        }
    }

    async fn write(&self, changes: &mut Vec<Change>) -> Result<(), Error> {
        if !changes.is_empty() {
            self.tickets.apply(self.id, changes, None).await?;
            changes.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
