//! Tickets over HTTP, on hosts of the standard `wasi:http`: requests become operations of the ticket engine.
//!
//! | request | answer |
//! |---|---|
//! | `POST /tickets`, `{"id"?: ID, "changes"?: [CHANGE]}` or nothing | 201, the new ticket, its `Location` |
//! | `GET /tickets`, `GET /tickets?cursor=CURSOR` | 200, `{"ids": [ID], "cursor": CURSOR or null}` |
//! | `GET /tickets/ID` | 200, the ticket |
//! | `DELETE /tickets/ID` | 204 |
//! | `POST /tickets/ID/apply`, `{"changes": [CHANGE]}` | 200, the ticket as it is then |
//! | `POST /tickets/ID/touch` | 200, the ticket as it is then |
//! | `GET /tickets/ID/snapshot` | 200, the snapshot as plain text |
//! | `POST /tickets/ID/rollback`, a snapshot | 200, the ticket as it is then |
//! | `POST /restore`, a snapshot | 201, the ticket, its `Location` |
//!
//! CHANGE is `{"say": JSON}`, `{"learn": JSON}` or `{"decide": JSON}`, the JSON kept as it was sent. A ticket is the object
//! that `ticket show --format json` prints. Its revision is also its `ETag`, in quotes; `apply`, `rollback` and
//! `DELETE` take it back as `If-Match`, and answer 409 where it is no longer the ticket's. Bodies hold 8 MiB at most.
//!
//! An error is `{"error": CASE, "message": TEXT}`, and the case is that of `tickets.error`; `conflict` has the `ticket` as
//! it is now, or null. Beside these there are `no-route` (404), `wrong-method` (405, with `Allow`) and `bug` (500).
//!
//! Restoring has a path outside `/tickets/`, because every name below it may be a ticket. Only `component` uses WASI. Data flows one way: `component` → `routes` → `request` → the port `Tickets` →
//! `response`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
mod port;
mod request;
mod response;
mod routes;

pub use port::{Change, Error, IdPage, Ticket, Tickets};
pub use request::{BODY_BYTES_MAX, Request};
pub use response::Response;
pub use routes::answer;
