//! `key-value` as the engine calls it: what a store shows is lowered from where it is, without a copy in between.
//!
//! The generated interface would have every entry copied first, all its texts, for each read.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Linker, Lower};

use super::bindings::agent::tickets::key_value::{Condition, Error, Freshness, Page};
use super::host_ctx::HostCtx;
use ticket_store::{self as store, Fields};

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Entry {
    fields: Arc<Fields>,
    revision: Arc<str>,
    #[component(name = "expires-at-ms")]
    expires_at_ms: u64,
}

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Lookup {
    pub(super) entry: Option<Entry>,
}

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Outcome {
    applied: bool,
    revision: Option<Arc<str>>,
    #[component(name = "expires-at-ms")]
    expires_at_ms: u64,
    current: Option<Entry>,
}

impl From<store::Entry> for Entry {
    fn from(entry: store::Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision.into(), expires_at_ms: entry.expires_at_ms }
    }
}

impl From<store::Outcome> for Outcome {
    fn from(outcome: store::Outcome) -> Self {
        let (applied, written, current) = match outcome {
            store::Outcome::Written { revision, expires_at_ms } => (true, Some((revision, expires_at_ms)), None),
            store::Outcome::Removed => (true, None, None),
            store::Outcome::Refused(current) => (false, None, current.map(Into::into)),
        };
        let (revision, expires_at_ms) = written.map_or((None, 0), |(revision, at)| (Some(revision.into()), at));
        Self { applied, revision, expires_at_ms, current }
    }
}

type Written = (String, Vec<(String, String)>, u64, Condition);

/// Lends the five functions.
pub(super) fn add_to_linker(linker: &mut Linker<HostCtx>) -> wasmtime::Result<()> {
    let mut ctx = linker.instance("agent:tickets/key-value@0.1.0")?;
    ctx.func_wrap_async("read", |mut store, (key, freshness): (String, Freshness)| {
        Box::new(async move { answer(store.data_mut().read(&key, freshness).await) })
    })?;
    ctx.func_wrap_async("write", |mut store, (key, fields, ttl_ms, when): Written| {
        Box::new(async move { answer(store.data_mut().write(&key, fields, ttl_ms, when).await) })
    })?;
    ctx.func_wrap_async("touch", |mut store, (key, ttl_ms): (String, u64)| {
        Box::new(async move { answer(store.data_mut().touch(&key, ttl_ms).await) })
    })?;
    ctx.func_wrap_async("remove", |mut store, (key, when): (String, Condition)| {
        Box::new(async move { answer(store.data_mut().remove(&key, when).await) })
    })?;
    ctx.func_wrap_async("scan", |mut store, (cursor, limit): (Option<String>, u32)| {
        Box::new(async move { answer::<Page>(store.data_mut().scan(cursor, limit).await) })
    })
}

/// The one result of a function.
#[expect(clippy::unnecessary_wraps, reason = "what could fail here is a trap, and none of these does")]
fn answer<T>(answer: Result<T, Error>) -> wasmtime::Result<(Result<T, Error>,)> {
    Ok((answer,))
}
