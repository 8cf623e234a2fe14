//! An instance of the engine, and the functions of `tickets` that it exports.
//!
//! Where the component has them is found once, and their types are compared when an instance first calls them. The
//! generated bindings would compare those of all functions in every new instance, which takes longer than a short call.

use std::sync::Arc;

use wasmtime::component::{self, Component, ComponentExportIndex, InstancePre, TypedFunc};
use wasmtime::{Error, Store};

use super::bindings::exports::agent::tickets0_2_0::tickets as wit;
use super::host_ctx::HostCtx;

const INTERFACE: &str = "agent:tickets/tickets@0.2.0";

/// What a call into the engine gives: an answer, or a trap.
pub(super) type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

/// An instance with a store of its own.
pub(super) struct Instance {
    guest: component::Instance,
    store: Store<HostCtx>,
    exports: Arc<Exports>,
    called: Functions,
}

impl Instance {
    pub(super) async fn new(
        component: &InstancePre<HostCtx>,
        exports: &Arc<Exports>,
        ctx: HostCtx,
    ) -> wasmtime::Result<Self> {
        let mut store = Store::new(component.engine(), ctx);
        store.limiter(|ctx| ctx);
        let guest = component.instantiate_async(&mut store).await?;
        Ok(Self { guest, store, exports: Arc::clone(exports), called: Functions::default() })
    }

    pub(super) fn ctx(&self) -> &HostCtx {
        self.store.data()
    }

    pub(super) fn ctx_mut(&mut self) -> &mut HostCtx {
        self.store.data_mut()
    }
}

macro_rules! functions {
    ($($name:ident($parameters:ident) -> $answer:ty;)*) => {
        /// Where a component has its functions.
        pub(super) struct Exports {
            $($name: ComponentExportIndex,)*
        }

        impl Exports {
            pub(super) fn of(component: &Component) -> wasmtime::Result<Self> {
                let tickets = find(component, None, INTERFACE)?;
                Ok(Self { $($name: find(component, Some(&tickets), &stringify!($name).replace('_', "-"))?,)* })
            }
        }

        /// The functions of one instance that were called before.
        #[derive(Default)]
        struct Functions {
            $($name: Option<TypedFunc<$parameters<'static>, (Result<$answer, wit::Error>,)>>,)*
        }

        impl Instance {
            $(
                pub(super) async fn $name(&mut self, parameters: $parameters<'_>) -> Answer<$answer> {
                    let function = match self.called.$name {
                        Some(function) => function,
                        None => {
                            let function = self.guest.get_typed_func(&mut self.store, self.exports.$name)?;
                            *self.called.$name.insert(function)
                        }
                    };
                    let (answer,) = function.call_async(&mut self.store, parameters).await?;
                    Ok(answer)
                }
            )*
        }
    };
}

functions! {
    create(Create) -> wit::Applied;
    ensure(Ensure) -> wit::Applied;
    apply(Apply) -> wit::Applied;
    touch(Touch) -> wit::Ticket;
    get(Get) -> wit::Ticket;
    exists(Get) -> bool;
    get_summary(Get) -> wit::Summary;
    get_messages(GetMessages) -> wit::Messages;
    get_fact(GetFact) -> wit::Fact;
    snapshot(Get) -> String;
    rollback(Rollback) -> wit::Ticket;
    restore(Restore) -> wit::Ticket;
    close(Close) -> ();
    list_ids(ListIds) -> wit::IdPage;
    merge(Merge) -> wit::Merged;
}

type Create<'a> = (Option<&'a str>, &'a [wit::Change<'a>], Option<u64>);
type Ensure<'a> = (&'a str, &'a [wit::Change<'a>], Option<u64>);
type Apply<'a> = (&'a str, &'a [wit::Change<'a>], Option<&'a str>, Option<u64>);
type Touch<'a> = (&'a str, Option<u64>);
type Get<'a> = (&'a str,);
type GetMessages<'a> = (&'a str, u32, Option<u32>);
type GetFact<'a> = (&'a str, &'a str);
type Rollback<'a> = (&'a str, &'a str, Option<&'a str>, Option<u64>);
type Restore<'a> = (&'a str, Option<u64>);
type Close<'a> = (&'a str, Option<&'a str>);
type ListIds<'a> = (&'a str, Option<&'a str>);
type Merge<'a> = (wit::StateParam<'a>, wit::StateParam<'a>, wit::StateParam<'a>);

fn find(
    component: &Component,
    interface: Option<&ComponentExportIndex>,
    name: &str,
) -> wasmtime::Result<ComponentExportIndex> {
    let export = component.get_export_index(interface, name);
    export.ok_or_else(|| Error::msg(format!("the component does not export {name}")))
}
