//! The former interface, `tickets` of 0.1.0, as a consumer that was built against it calls it.

use ticket_conformance::{Answer, Call};
use ticket_host::{Change, Effect, Error, Merged, ServedBy, Side, State, Ticket};
use wasmtime::Store;

use crate::engine::Engine;
use crate::engine::exports::agent::tickets0_1_0::tickets as wit;
use crate::tickets;

/// Runs an operation of a scenario by the former interface, or by the present one where the former has no such thing.
pub(crate) async fn answer<T: Send>(
    store: &mut Store<T>,
    instance: &Engine,
    call: Call,
) -> wasmtime::Result<Result<Answer, Error>> {
    let former = instance.agent_tickets0_1_0_tickets();
    Ok(match call {
        Call::Create { id, changes, ttl_ms: None } if let Some(changes) = basic(&changes) => {
            shown(former.call_create(store, id.as_deref(), &changes).await?)
        }
        Call::Get { id } => shown(former.call_get(store, &id).await?),
        Call::Apply { id, changes, at, ttl_ms: None } if let Some(changes) = basic(&changes) => {
            shown(former.call_apply(store, &id, &changes, at.as_deref()).await?)
        }
        Call::Touch { id, ttl_ms: None } => shown(former.call_touch(store, &id).await?),
        Call::Snapshot { id } => former.call_snapshot(store, &id).await?.map(Answer::Snapshot).map_err(error),
        Call::Rollback { id, snapshot, at, ttl_ms: None } => {
            shown(former.call_rollback(store, &id, &snapshot, at.as_deref()).await?)
        }
        Call::Restore { snapshot, ttl_ms: None } => shown(former.call_restore(store, &snapshot).await?),
        Call::Close { id, at } => {
            former.call_close(store, &id, at.as_deref()).await?.map(|()| Answer::Done).map_err(error)
        }
        Call::List { prefix } if prefix.is_empty() => {
            let (mut ids, mut cursor) = (Vec::new(), None::<String>);
            loop {
                match former.call_list_ids(&mut *store, cursor.as_deref()).await? {
                    Ok(page) => {
                        ids.extend(page.ids);
                        cursor = page.cursor;
                    }
                    Err(refused) => break Err(error(refused)),
                }
                if cursor.is_none() {
                    break Ok(Answer::Ids(ids));
                }
            }
        }
        Call::Merge { base, ours, theirs } => {
            let merged = former.call_merge(store, &lowered(base), &lowered(ours), &lowered(theirs)).await?;
            merged.map(|merged| Answer::Merged(lifted(merged))).map_err(error)
        }
        call => return tickets::answer(store, instance.agent_tickets0_2_0_tickets(), call).await,
    })
}

/// Changes that the former interface has; none if one is not.
fn basic(changes: &[Change]) -> Option<Vec<wit::Change>> {
    let change = |change: &Change| match change {
        Change::Say(text) => Some(wit::Change::Say(text.clone())),
        Change::Learn(text) => Some(wit::Change::Learn(text.clone())),
        Change::Decide(text) => Some(wit::Change::Decide(text.clone())),
        _ => None,
    };
    changes.iter().map(change).collect()
}

fn shown(answer: Result<wit::Ticket, wit::Error>) -> Result<Answer, Error> {
    answer.map(|answer| Answer::Ticket(ticket(answer))).map_err(error)
}

fn ticket(ticket: wit::Ticket) -> Ticket {
    Ticket {
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
        effect: Effect::default(),
    }
}

fn lowered(state: State) -> wit::State {
    let State { facts, history, last_decision, created_at, updated_at } = state;
    wit::State { facts, history, last_decision, created_at, updated_at }
}

fn lifted(merged: wit::Merged) -> Merged {
    let wit::State { facts, history, last_decision, created_at, updated_at } = merged.state;
    let branch = merged.aside.map(|side| match side {
        wit::Side::Ours => Side::Ours,
        wit::Side::Theirs => Side::Theirs,
    });
    Merged { state: State { facts, history, last_decision, created_at, updated_at }, branch }
}

fn error(error: wit::Error) -> Error {
    match error {
        wit::Error::Invalid(text) => Error::Invalid(text.into()),
        wit::Error::TooLarge(text) => Error::TooLarge(text.into()),
        wit::Error::Exists(text) => Error::Exists(text.into()),
        wit::Error::NotFound(text) => Error::NotFound(text.into()),
        wit::Error::Conflict(current) => Error::Conflict(current.map(|current| Box::new(ticket(current)))),
        wit::Error::Corrupt(text) => Error::Corrupt(text.into()),
        wit::Error::UnsupportedVersion(text) => Error::UnsupportedVersion(text.into()),
        wit::Error::Denied(text) => Error::Denied(text.into()),
        wit::Error::Unavailable(text) => Error::Unavailable(text.into()),
        wit::Error::Uncertain(text) => Error::Uncertain(text.into()),
    }
}
