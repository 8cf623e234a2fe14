//! The edge as a component: requests and responses of `wasi:http`, and the engine's functions; nothing else.

mod bindings {
    wit_bindgen::generate!({
        path: ["wit", "wit/adapters"],
        world: "agent:adapters/edge",
        generate_all,
    });
}

use bindings::agent::tickets0_2_0::tickets as engine;
use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use bindings::wasi::io::streams::StreamError;

use ticket_model::ticket::{
    Applied, Bounds, Change, Effect, Fact, IdPage, Messages, Put, State, Summary, SummaryPage, Ticket,
};

use crate::port::{Error, Tickets};
use crate::request::{BODY_BYTES_MAX, Request};
use crate::response::Response;
use crate::routes::answer;

/// Bytes of a body that are asked for at a time.
const READ_BYTES: u64 = 64 * 1024;
/// Most bytes that `blocking-write-and-flush` takes.
const WRITE_BYTES: usize = 4_096;

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path_with_query = request.path_with_query().unwrap_or_default();
        let headers = request.headers();
        let method = method(request.method());
        let response = answer(
            &Engine,
            Request {
                method: &method,
                path_with_query: &path_with_query,
                if_match: headers.get("if-match"),
                body: &mut || body(&request, &headers),
            },
        );
        send(out, response);
    }
}

fn method(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    }
    .to_owned()
}

fn body(request: &IncomingRequest, headers: &Fields) -> Result<Vec<u8>, Error> {
    let too_large = || Error::TooLarge(format!("body is over the limit of {BODY_BYTES_MAX} bytes"));
    let broken = || Error::Invalid("body ended before it was complete".into());
    let length = headers.get("content-length").pop().and_then(|value| String::from_utf8(value).ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let incoming = request.consume().map_err(|()| broken())?;
    let stream = incoming.stream().map_err(|()| broken())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(read) => bytes.extend(read),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(broken()),
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
    }
}

/// Sends a response; errors are ignored, because they mean that the client is gone.
fn send(out: ResponseOutparam, response: Response) {
    let headers = Fields::new();
    for (name, value) in &response.headers {
        let _ = headers.append(name, value.as_bytes());
    }
    // HTTP forbids a length of 0 in the answers that have no body, those to `HEAD` and of status 204.
    if !response.body.is_empty() {
        let _ = headers.append("content-length", response.body.len().to_string().as_bytes());
    }
    let outgoing = OutgoingResponse::new(headers);
    let _ = outgoing.set_status_code(response.status);
    let body = outgoing.body();
    ResponseOutparam::set(out, Ok(outgoing));
    let Ok(body) = body else { return };
    if let Ok(stream) = body.write() {
        for part in response.body.as_bytes().chunks(WRITE_BYTES) {
            if stream.blocking_write_and_flush(part).is_err() {
                break;
            }
        }
    }
    drop(OutgoingBody::finish(body, None));
}

/// The imported engine as the port.
struct Engine;

impl Tickets for Engine {
    fn create(&self, id: Option<&str>, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        Ok(engine::create(id, &all(changes), ttl_ms)?.into())
    }

    fn ensure(&self, id: &str, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        Ok(engine::ensure(id, &all(changes), ttl_ms)?.into())
    }

    fn apply(&self, id: &str, changes: Vec<Change>, at: Option<&str>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        Ok(engine::apply(id, &all(changes), at, ttl_ms)?.into())
    }

    fn touch(&self, id: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        Ok(engine::touch(id, ttl_ms)?.into())
    }

    fn get(&self, id: &str) -> Result<Ticket, Error> {
        Ok(engine::get(id)?.into())
    }

    fn exists(&self, id: &str) -> Result<bool, Error> {
        Ok(engine::exists(id)?)
    }

    fn get_summary(&self, id: &str) -> Result<Summary, Error> {
        Ok(engine::get_summary(id)?.into())
    }

    fn get_messages(&self, id: &str, entries_max: u32, bytes_max: Option<u32>) -> Result<Messages, Error> {
        let found = engine::get_messages(id, entries_max, bytes_max)?;
        Ok(Messages { messages: found.messages, history_entries: found.history_entries, revision: found.revision })
    }

    fn get_fact(&self, id: &str, pointer: &str) -> Result<Fact, Error> {
        let found = engine::get_fact(id, pointer)?;
        Ok(Fact { value: found.value, revision: found.revision })
    }

    fn snapshot(&self, id: &str) -> Result<String, Error> {
        Ok(engine::snapshot(id)?)
    }

    fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error> {
        Ok(engine::rollback(id, snapshot, at, None)?.into())
    }

    fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        Ok(engine::restore(snapshot, None)?.into())
    }

    fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        Ok(engine::close(id, at)?)
    }

    fn list_ids(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error> {
        let page = engine::list_ids(prefix, cursor)?;
        Ok(IdPage { ids: page.ids, cursor: page.cursor })
    }

    fn list_summaries(&self, prefix: &str, cursor: Option<&str>) -> Result<SummaryPage, Error> {
        let page = engine::list_summaries(prefix, cursor)?;
        let summaries = page.summaries.into_iter().map(Into::into).collect();
        Ok(SummaryPage { summaries, unreadable: page.unreadable, cursor: page.cursor })
    }
}

fn all(changes: Vec<Change>) -> Vec<engine::Change> {
    changes.into_iter().map(Into::into).collect()
}

impl From<Change> for engine::Change {
    fn from(change: Change) -> Self {
        match change {
            Change::Say(text) => Self::Say(text),
            Change::Learn(text) => Self::Learn(text),
            Change::Decide(text) => Self::Decide(text),
            Change::Put(Put { pointer, value, only_if_absent }) => {
                Self::Put(engine::Put { pointer, value, only_if_absent })
            }
            Change::Retract(count) => Self::Retract(count),
            Change::Trim(Bounds { entries_max, bytes_max }) => Self::Trim(engine::Bounds { entries_max, bytes_max }),
        }
    }
}

impl From<engine::Applied> for Applied {
    fn from(engine::Applied { ticket, effect }: engine::Applied) -> Self {
        let effect = Effect { created: effect.created, retracted: effect.retracted, trimmed: effect.trimmed };
        Self { ticket: ticket.into(), effect }
    }
}

impl From<engine::Ticket> for Ticket {
    fn from(ticket: engine::Ticket) -> Self {
        let state = State {
            facts: ticket.facts,
            history: ticket.history,
            last_decision: ticket.last_decision,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
        };
        Self { id: ticket.id, state, revision: ticket.revision, expires_at_ms: ticket.expires_at_ms }
    }
}

impl From<engine::Summary> for Summary {
    fn from(summary: engine::Summary) -> Self {
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

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Invalid(text) => Self::Invalid(text),
            engine::Error::TooLarge(text) => Self::TooLarge(text),
            engine::Error::Exists(text) => Self::Exists(text),
            engine::Error::NotFound(text) => Self::NotFound(text),
            engine::Error::Conflict(ticket) => Self::Conflict(ticket.map(|ticket| Box::new(ticket.into()))),
            engine::Error::Corrupt(text) => Self::Corrupt(text),
            engine::Error::UnsupportedVersion(text) => Self::UnsupportedVersion(text),
            engine::Error::Denied(text) => Self::Denied(text),
            engine::Error::Unavailable(text) => Self::Unavailable(text),
            engine::Error::Uncertain(text) => Self::Uncertain(text),
        }
    }
}
