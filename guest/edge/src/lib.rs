//! Tickets over HTTP, on hosts of the standard `wasi:http`: requests become operations of the ticket engine.
//!
//! | request | answer |
//! |---|---|
//! | `POST /tickets`, `{"id"?: ID, "changes"?: [CHANGE], "ttl_ms"?: N}` or nothing | 201, the new ticket, its `Location` |
//! | `GET /tickets`, `?prefix=PREFIX`, `?cursor=CURSOR` | 200, `{"ids": [ID], "cursor": CURSOR or null}` |
//! | `GET /tickets?summaries=true`, and those above | 200, `{"summaries": [SUMMARY], "unreadable": [ID], "cursor": …}` |
//! | `GET /tickets/ID` | 200, the ticket |
//! | `HEAD /tickets/ID` | 200 if there is an entry, else 404 |
//! | `PUT /tickets/ID`, `{"changes"?: [CHANGE], "ttl_ms"?: N}` or nothing | 200, the ticket; 201 and `Location` if it is new |
//! | `DELETE /tickets/ID` | 204 |
//! | `POST /tickets/ID/apply`, `{"changes": [CHANGE], "ttl_ms"?: N}` | 200, the ticket as it is then |
//! | `POST /tickets/ID/touch`, `{"ttl_ms": N}` or nothing | 200, the ticket as it is then |
//! | `GET /tickets/ID/summary` | 200, SUMMARY: sizes, times and revision |
//! | `GET /tickets/ID/messages?entries_max=N`, `&bytes_max=N` | 200, `{"messages": [JSON], "history_entries": N, "revision": …}` |
//! | `GET /tickets/ID/facts`, `?pointer=POINTER` | 200, `{"value": JSON, "revision": …}`; no `value` where the pointer names nothing |
//! | `GET /tickets/ID/snapshot` | 200, the snapshot as plain text |
//! | `POST /tickets/ID/rollback`, a snapshot | 200, the ticket as it is then |
//! | `POST /restore`, a snapshot | 201, the ticket, its `Location` |
//!
//! CHANGE is one of [`ticket_model::written`], such as `{"say": JSON}`, the JSON kept as it was sent. A ticket is the
//! object that `ticket show --format json` prints. After changes it also has `retracted`, the messages that were taken
//! back, and `trimmed`, how many were dropped, unless there are none. SUMMARY has the members of `tickets.summary`. A
//! revision is also an `ETag`, in quotes; `apply`, `rollback` and `DELETE` take it back as `If-Match`, and answer 409
//! where it is no longer the ticket's. Bodies hold 8 MiB at most.
//!
//! An error is `{"error": CASE, "message": TEXT}`, and the case is that of `tickets.error`; `conflict` has the `ticket` as
//! it is now, or null. Beside these there are `no-route` (404), `wrong-method` (405, with `Allow`) and `bug` (500).
//!
//! Restoring has a path outside `/tickets/`, because every name below it may be a ticket. Only `component` uses WASI.
//! Data flows one way: `component` → `routes` → `request` → the port `Tickets` → `response`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
mod port;
mod request;
mod response;
mod routes;

pub use port::{Error, Tickets};
pub use request::{BODY_BYTES_MAX, Request};
pub use response::Response;
pub use routes::answer;
pub use ticket_model::ticket::{
    Applied, Bounds, Change, Effect, Fact, IdPage, Messages, Put, State, Summary, SummaryPage, Ticket,
};
