//! The host context of an instance: WASI of Wasmtime with a manual clock, and the interface `interposition`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ticket_conformance::{ExternalWrite, Fault, Interruption, Interruptions, Limits, START_MS, StoreCall, StoreError};
use ticket_tests::broken::Rule;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_keyvalue::{WasiKeyValue, WasiKeyValueCtx, WasiKeyValueCtxBuilder};

use crate::bindings::agent::adapters::interposition;

/// A wall clock that stands still until a test moves it; a clone is the same clock.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Lets time pass.
    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The state of one instance.
pub(crate) struct HostCtx {
    table: ResourceTable,
    wasi: WasiCtx,
    key_value: WasiKeyValueCtx,
    pub(crate) clock: Clock,
    pub(crate) ahead_ms: i64,
    /// What happens during the running operation.
    pub(crate) interruptions: Interruptions,
    rule: Option<Rule>,
}

impl HostCtx {
    /// An empty store with these settings, at the start of a scenario.
    pub(crate) fn new(limits: &Limits, rule: Option<Rule>) -> Self {
        let Limits { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max } = limits;
        let settings = format!(
            "ttl_ms={ttl_ms} message_bytes_max={message_bytes_max} ticket_bytes_max={ticket_bytes_max} \
             history_entries_max={history_entries_max}"
        );
        let clock = Clock(Arc::new(AtomicU64::new(START_MS)));
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().wall_clock(clock.clone()).build(),
            key_value: WasiKeyValueCtxBuilder::new().in_memory_data([("settings", settings)]).build(),
            clock,
            ahead_ms: 0,
            interruptions: Interruptions::default(),
            rule,
        }
    }

    /// Links everything that such an instance may import.
    pub(crate) fn link(linker: &mut Linker<Self>) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::add_to_linker_async(linker)?;
        wasmtime_wasi_keyvalue::add_to_linker(linker, |host_ctx: &mut Self| {
            WasiKeyValue::new(&host_ctx.key_value, &mut host_ctx.table)
        })?;
        interposition::add_to_linker::<_, HasSelf<Self>>(linker, |host_ctx| host_ctx)
    }
}

impl WasiView for HostCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl interposition::Host for HostCtx {
    fn before(&mut self, call: interposition::Call) -> interposition::Script {
        let call = match call {
            interposition::Call::Read => StoreCall::Read,
            interposition::Call::Write => StoreCall::Write,
            interposition::Call::Touch => StoreCall::Touch,
            interposition::Call::Remove => StoreCall::Remove,
            interposition::Call::Scan => StoreCall::Scan,
        };
        let Interruption { external_writes, fault } = self.interruptions.take(call);
        let fault = fault.map(|Fault { error, made }| interposition::Fault { answer: error.into(), made });
        interposition::Script { deeds: external_writes.into_iter().map(deed).collect(), fault }
    }

    fn broken(&mut self) -> Option<interposition::BrokenRule> {
        self.rule.map(|rule| match rule {
            Rule::TtlNotRefreshed => interposition::BrokenRule::TtlNotRefreshed,
            Rule::MergeInsteadOfReplace => interposition::BrokenRule::MergeInsteadOfReplace,
            Rule::RevisionNotRaised => interposition::BrokenRule::RevisionNotRaised,
        })
    }

    fn ahead_ms(&mut self) -> i64 {
        self.ahead_ms
    }
}

fn deed(write: ExternalWrite) -> interposition::Deed {
    match write {
        ExternalWrite::Put { id, fields, ttl_ms } => interposition::Deed::Put(interposition::Replacement {
            key: format!("ticket:{id}"),
            fields: fields.into_iter().collect(),
            ttl_ms,
        }),
        ExternalWrite::Drop { id } => interposition::Deed::Drop(format!("ticket:{id}")),
    }
}

impl From<StoreError> for interposition::Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid => Self::Invalid,
            StoreError::TooLarge => Self::TooLarge,
            StoreError::Denied => Self::Denied,
            StoreError::Unavailable => Self::Unavailable,
            StoreError::Uncertain => Self::Uncertain,
            StoreError::Corrupt => Self::Corrupt,
        }
    }
}
