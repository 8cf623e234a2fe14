//! What a composed component looks like from outside: generated, and converted from and to the types of the scenarios.

wasmtime::component::bindgen!({
    path: ["../wit", "../wit/adapters"],
    inline: "
        package agent:hosts;
        world composed {
            import agent:adapters/interposition@0.1.0;
            export agent:tickets/tickets@0.1.0;
            export agent:tickets/key-value@0.1.0;
        }
    ",
    world: "agent:hosts/composed",
    exports: { default: async },
});

use exports::agent::tickets::tickets as wit;
use ticket_host::{Change, Error, Merged, ServedBy, Side, State, Ticket};

impl From<Change> for wit::Change {
    fn from(change: Change) -> Self {
        match change {
            Change::Say(text) => Self::Say(text),
            Change::Learn(text) => Self::Learn(text),
            Change::Decide(text) => Self::Decide(text),
        }
    }
}

impl From<State> for wit::State {
    fn from(state: State) -> Self {
        let State { facts, history, last_decision, created_at, updated_at } = state;
        Self { facts, history, last_decision, created_at, updated_at }
    }
}

impl From<wit::Ticket> for Ticket {
    fn from(ticket: wit::Ticket) -> Self {
        Self {
            id: ticket.id,
            facts: ticket.facts,
            history: ticket.history,
            last_decision: ticket.last_decision,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            version: ticket.version,
            revision: ticket.revision,
            expires_at_ms: ticket.expires_at_ms,
            served_by: ServedBy::Store,
        }
    }
}

impl From<wit::Merged> for Merged {
    fn from(merged: wit::Merged) -> Self {
        let wit::State { facts, history, last_decision, created_at, updated_at } = merged.state;
        let aside = merged.aside.map(|side| match side {
            wit::Side::Ours => Side::Ours,
            wit::Side::Theirs => Side::Theirs,
        });
        Self { state: State { facts, history, last_decision, created_at, updated_at }, aside }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Invalid(text) => Self::Invalid(text),
            wit::Error::TooLarge(text) => Self::TooLarge(text),
            wit::Error::Exists(text) => Self::Exists(text),
            wit::Error::NotFound(text) => Self::NotFound(text),
            wit::Error::Conflict(current) => Self::Conflict(current.map(|ticket| Box::new(ticket.into()))),
            wit::Error::Corrupt(text) => Self::Corrupt(text),
            wit::Error::UnsupportedVersion(text) => Self::UnsupportedVersion(text),
            wit::Error::Denied(text) => Self::Denied(text),
            wit::Error::Unavailable(text) => Self::Unavailable(text),
            wit::Error::Uncertain(text) => Self::Uncertain(text),
        }
    }
}
