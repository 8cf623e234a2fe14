//! The functions of `key-value`, as the engine imports them. Wired by hand because the generated interface would copy
//! every entry (see `entry`).

use wasmtime::component::Linker;

use super::bindings::agent::tickets0_1_0::key_value::{Condition, Error, Freshness, Page};
use super::host_ctx::HostCtx;

type Written = (String, Vec<(String, String)>, u64, Condition);

/// Adds the five functions.
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
