//! Conversions and calls of the engine's exports, for every host in Rust: a macro, because each host has its own
//! bindings.

/// Converts the types of `tickets` and calls its functions; the argument is the path of the generated module.
macro_rules! exported {
    ($($tickets:tt)+) => {
        use $($tickets)+ as wit;
        use ticket_conformance::{Answer, Call};
        use ticket_host::{
            Bounds, Change, Effect, Error, Fact, Merged, Messages, Put, ServedBy, Side, State, Summary, Ticket,
        };

        impl From<Change> for wit::Change {
            fn from(change: Change) -> Self {
                match change {
                    Change::Say(text) => Self::Say(text),
                    Change::Learn(text) => Self::Learn(text),
                    Change::Decide(text) => Self::Decide(text),
                    Change::Put(Put { pointer, value, only_if_absent }) => {
                        Self::Put(wit::Put { pointer, value, only_if_absent })
                    }
                    Change::Retract(count) => Self::Retract(count),
                    Change::Trim(Bounds { entries_max, bytes_max }) => {
                        Self::Trim(wit::Bounds { entries_max, bytes_max })
                    }
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
                    effect: Effect::default(),
                }
            }
        }

        impl From<wit::Applied> for Ticket {
            fn from(applied: wit::Applied) -> Self {
                let wit::Effect { created, retracted, trimmed } = applied.effect;
                Self { effect: Effect { created, retracted, trimmed }, ..applied.ticket.into() }
            }
        }

        impl From<wit::Summary> for Summary {
            fn from(summary: wit::Summary) -> Self {
                Self {
                    id: summary.id,
                    facts_bytes: summary.facts_bytes,
                    history_bytes: summary.history_bytes,
                    last_decision_bytes: summary.last_decision_bytes,
                    history_entries: summary.history_entries,
                    created_at: summary.created_at,
                    updated_at: summary.updated_at,
                    version: summary.version,
                    revision: summary.revision,
                    expires_at_ms: summary.expires_at_ms,
                }
            }
        }

        impl From<wit::Messages> for Messages {
            fn from(found: wit::Messages) -> Self {
                Self { messages: found.messages, history_entries: found.history_entries, revision: found.revision }
            }
        }

        impl From<wit::Fact> for Fact {
            fn from(found: wit::Fact) -> Self {
                Self { value: found.value, revision: found.revision }
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

        /// An answer of the engine as one of a scenario.
        fn shown<T, U: From<T>>(answer: Result<T, wit::Error>, show: impl Fn(U) -> Answer) -> Result<Answer, Error> {
            answer.map(|answer| show(answer.into())).map_err(Into::into)
        }

        /// Runs an operation of a scenario.
        pub(crate) async fn answer<T: Send>(
            store: &mut wasmtime::Store<T>,
            tickets: &wit::Guest,
            call: Call,
        ) -> wasmtime::Result<Result<Answer, Error>> {
            Ok(match call {
                Call::Create { id, changes, ttl_ms } => {
                    let answer = tickets.call_create(store, id.as_deref(), &all(changes), ttl_ms).await?;
                    shown(answer, Answer::Ticket)
                }
                Call::Ensure { id, changes, ttl_ms } => {
                    shown(tickets.call_ensure(store, &id, &all(changes), ttl_ms).await?, Answer::Ticket)
                }
                Call::Get { id } => shown(tickets.call_get(store, &id).await?, Answer::Ticket),
                Call::Exists { id } => shown(tickets.call_exists(store, &id).await?, Answer::Exists),
                Call::GetSummary { id } => shown(tickets.call_get_summary(store, &id).await?, Answer::Summary),
                Call::GetMessages { id, entries_max, bytes_max } => {
                    let answer = tickets.call_get_messages(store, &id, entries_max, bytes_max).await?;
                    shown(answer, |messages| Answer::Messages(id.clone(), messages))
                }
                Call::GetFact { id, pointer } => {
                    let answer = tickets.call_get_fact(store, &id, &pointer).await?;
                    shown(answer, |fact| Answer::Fact(id.clone(), fact))
                }
                Call::Apply { id, changes, at, ttl_ms } => {
                    let answer = tickets.call_apply(store, &id, &all(changes), at.as_deref(), ttl_ms).await?;
                    shown(answer, Answer::Ticket)
                }
                Call::Touch { id, ttl_ms } => shown(tickets.call_touch(store, &id, ttl_ms).await?, Answer::Ticket),
                Call::Rollback { id, snapshot, at, ttl_ms } => {
                    let answer = tickets.call_rollback(store, &id, &snapshot, at.as_deref(), ttl_ms).await?;
                    shown(answer, Answer::Ticket)
                }
                Call::Restore { snapshot, ttl_ms } => {
                    shown(tickets.call_restore(store, &snapshot, ttl_ms).await?, Answer::Ticket)
                }
                Call::Snapshot { id } => shown(tickets.call_snapshot(store, &id).await?, Answer::Snapshot),
                Call::Close { id, at } => {
                    shown(tickets.call_close(store, &id, at.as_deref()).await?, |()| Answer::Done)
                }
                Call::List { prefix } => return list(store, tickets, &prefix).await,
                Call::ListSummaries { prefix } => return list_summaries(store, tickets, &prefix).await,
                Call::Merge { base, ours, theirs } => {
                    let merged = tickets.call_merge(store, &base.into(), &ours.into(), &theirs.into()).await?;
                    shown(merged, Answer::Merged)
                }
            })
        }

        /// All ids, page by page.
        async fn list<T: Send>(
            store: &mut wasmtime::Store<T>,
            tickets: &wit::Guest,
            prefix: &str,
        ) -> wasmtime::Result<Result<Answer, Error>> {
            let (mut ids, mut cursor) = (Vec::new(), None::<String>);
            loop {
                match tickets.call_list_ids(&mut *store, prefix, cursor.as_deref()).await? {
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

        /// All summaries, page by page.
        async fn list_summaries<T: Send>(
            store: &mut wasmtime::Store<T>,
            tickets: &wit::Guest,
            prefix: &str,
        ) -> wasmtime::Result<Result<Answer, Error>> {
            let (mut summaries, mut unreadable, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
            loop {
                match tickets.call_list_summaries(&mut *store, prefix, cursor.as_deref()).await? {
                    Ok(page) => {
                        summaries.extend(all::<_, Summary>(page.summaries));
                        unreadable.extend(page.unreadable);
                        cursor = page.cursor;
                    }
                    Err(error) => return Ok(Err(error.into())),
                }
                if cursor.is_none() {
                    return Ok(Ok(Answer::Summaries(summaries, unreadable)));
                }
            }
        }
    };
}
pub(crate) use exported;
