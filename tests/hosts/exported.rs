//! Conversions and calls of the engine's exports, for every host in Rust: a macro, because each host has its own
//! bindings.

/// Converts the types of `tickets` and calls its functions; the argument is the path of the generated module.
macro_rules! exported {
    ($($tickets:tt)+) => {
        use $($tickets)+ as wit;
        use ticket_conformance::{Answer, Call};
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
                let branch = merged.aside.map(|side| match side {
                    wit::Side::Ours => Side::Ours,
                    wit::Side::Theirs => Side::Theirs,
                });
                Self { state: State { facts, history, last_decision, created_at, updated_at }, branch }
            }
        }

        impl From<wit::Error> for Error {
            fn from(error: wit::Error) -> Self {
                match error {
                    wit::Error::Invalid(text) => Self::Invalid(text.into()),
                    wit::Error::TooLarge(text) => Self::TooLarge(text.into()),
                    wit::Error::Exists(text) => Self::Exists(text.into()),
                    wit::Error::NotFound(text) => Self::NotFound(text.into()),
                    wit::Error::Conflict(current) => Self::Conflict(current.map(|ticket| Box::new(ticket.into()))),
                    wit::Error::Corrupt(text) => Self::Corrupt(text.into()),
                    wit::Error::UnsupportedVersion(text) => Self::UnsupportedVersion(text.into()),
                    wit::Error::Denied(text) => Self::Denied(text.into()),
                    wit::Error::Unavailable(text) => Self::Unavailable(text.into()),
                    wit::Error::Uncertain(text) => Self::Uncertain(text.into()),
                }
            }
        }

        fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
            items.into_iter().map(Into::into).collect()
        }

        /// Runs an operation of a scenario.
        pub(crate) async fn answer<T: Send>(
            store: &mut wasmtime::Store<T>,
            tickets: &wit::Guest,
            call: Call,
        ) -> wasmtime::Result<Result<Answer, Error>> {
            let ticket = match call {
                Call::Create { id, changes } => tickets.call_create(store, id.as_deref(), &all(changes)).await?,
                Call::Get { id } => tickets.call_get(store, &id).await?,
                Call::Apply { id, changes, at } => tickets.call_apply(store, &id, &all(changes), at.as_deref()).await?,
                Call::Touch { id } => tickets.call_touch(store, &id).await?,
                Call::Rollback { id, snapshot, at } => {
                    tickets.call_rollback(store, &id, &snapshot, at.as_deref()).await?
                }
                Call::Restore { snapshot } => tickets.call_restore(store, &snapshot).await?,
                Call::Snapshot { id } => {
                    return Ok(tickets.call_snapshot(store, &id).await?.map(Answer::Snapshot).map_err(Into::into));
                }
                Call::Close { id, at } => {
                    let closed = tickets.call_close(store, &id, at.as_deref()).await?;
                    return Ok(closed.map(|()| Answer::Done).map_err(Into::into));
                }
                Call::List => return list(store, tickets).await,
                Call::Merge { base, ours, theirs } => {
                    let merged = tickets.call_merge(store, &base.into(), &ours.into(), &theirs.into()).await?;
                    return Ok(merged.map(|merged| Answer::Merged(merged.into())).map_err(Into::into));
                }
            };
            Ok(ticket.map(|ticket| Answer::Ticket(ticket.into())).map_err(Into::into))
        }

        /// All ids, page by page.
        async fn list<T: Send>(
            store: &mut wasmtime::Store<T>,
            tickets: &wit::Guest,
        ) -> wasmtime::Result<Result<Answer, Error>> {
            let (mut ids, mut cursor) = (Vec::new(), None::<String>);
            loop {
                match tickets.call_list_ids(&mut *store, cursor.as_deref()).await? {
                    Ok(page) => {
                        ids.extend(page.ids);
                        cursor = page.cursor;
                    }
                    Err(error) => return Ok(Err(error.into())),
                }
                if cursor.is_none() {
                    return Ok(Ok(Answer::Ids(ids)));
                }
            }
        }
    };
}
pub(crate) use exported;
