//! Answers: status, headers and body of each result.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::port::{Error, IdPage, Ticket};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// A ticket as the command line prints it: its JSON as it is stored.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    facts: &'a RawValue,
    history: &'a RawValue,
    last_decision: &'a RawValue,
    created_at: u64,
    updated_at: u64,
    version: u32,
    revision: &'a str,
    expires_at_ms: u64,
}

impl<'a> Shown<'a> {
    fn new(ticket: &'a Ticket) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: &ticket.id,
            facts: serde_json::from_str(&ticket.facts)?,
            history: serde_json::from_str(&ticket.history)?,
            last_decision: serde_json::from_str(&ticket.last_decision)?,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            version: ticket.version,
            revision: &ticket.revision,
            expires_at_ms: ticket.expires_at_ms,
        })
    }
}

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
    message: &'a str,
    // Only for `conflict`; null means that there is no ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<Option<Shown<'a>>>,
}

impl Response {
    /// A ticket, and its revision as its tag.
    pub(crate) fn ticket(ticket: &Ticket) -> Self {
        let Ok(mut response) = Shown::new(ticket).and_then(|shown| Self::json(200, &shown)) else {
            return Self::internal("the engine answered with a ticket that is not JSON");
        };
        response.headers.extend(tag(&ticket.revision));
        response
    }

    /// A new ticket.
    pub(crate) fn created(ticket: &Ticket) -> Self {
        let mut response = Self::ticket(ticket);
        if response.status == 200 {
            response.status = 201;
            // An id needs no encoding.
            response.headers.push(("location", format!("/tickets/{}", ticket.id)));
        }
        response
    }

    /// A snapshot.
    pub(crate) fn text(text: String) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/plain; charset=utf-8".into())], body: text }
    }

    /// Success without a body.
    pub(crate) fn done() -> Self {
        Self { status: 204, headers: Vec::new(), body: String::new() }
    }

    /// A page of ids.
    pub(crate) fn page(page: &IdPage) -> Self {
        #[derive(Serialize)]
        struct ShownPage<'a> {
            ids: &'a [String],
            cursor: Option<&'a str>,
        }
        let shown = ShownPage { ids: &page.ids, cursor: page.cursor.as_deref() };
        Self::json(200, &shown).unwrap_or_else(|_| Self::internal("ids cannot be written as JSON"))
    }

    /// The path is unknown.
    pub(crate) fn no_route() -> Self {
        Self::refusal(404, "no-route", "unknown path", None)
    }

    /// The path has other methods.
    pub(crate) fn wrong_method(allowed: &str) -> Self {
        let mut response = Self::refusal(405, "wrong-method", &format!("this path takes {allowed}"), None);
        response.headers.push(("allow", allowed.to_owned()));
        response
    }

    fn internal(message: &str) -> Self {
        Self::refusal(500, "bug", message, None)
    }

    fn refusal(status: u16, error: &str, message: &str, ticket: Option<Option<Shown<'_>>>) -> Self {
        let refusal = Refusal { error, message, ticket };
        // Strings can always be written as JSON.
        Self::json(status, &refusal).unwrap_or(Self { status, headers: Vec::new(), body: String::new() })
    }

    fn json(status: u16, body: &impl Serialize) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(body)? + "\n";
        Ok(Self { status, headers: vec![("content-type", "application/json".into())], body })
    }
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        let (status, case, text) = match &error {
            Error::Invalid(text) => (400, "invalid", text.as_str()),
            Error::TooLarge(text) => (413, "too-large", text.as_str()),
            Error::Exists(text) => (409, "exists", text.as_str()),
            Error::NotFound(text) => (404, "not-found", text.as_str()),
            Error::Corrupt(text) => (500, "corrupt", text.as_str()),
            Error::UnsupportedVersion(text) => (500, "unsupported-version", text.as_str()),
            Error::Denied(text) => (502, "denied", text.as_str()),
            Error::Unavailable(text) => (503, "unavailable", text.as_str()),
            Error::Uncertain(text) => (504, "uncertain", text.as_str()),
            Error::Conflict(ticket) => return conflict(ticket.as_deref()),
        };
        Self::refusal(status, case, text, None)
    }
}

fn conflict(ticket: Option<&Ticket>) -> Response {
    let Some(ticket) = ticket else {
        return Response::refusal(409, "conflict", "the ticket was removed or damaged by another client", Some(None));
    };
    let Ok(shown) = Shown::new(ticket) else {
        return Response::internal("the engine answered with a ticket that is not JSON");
    };
    let message =
        format!("ticket `{}` was changed by another client and is at revision {}", ticket.id, ticket.revision);
    let mut response = Response::refusal(409, "conflict", &message, Some(Some(shown)));
    response.headers.extend(tag(&ticket.revision));
    response
}

/// The tag of a revision; none for one with characters that a tag cannot have, which only a foreign client makes.
fn tag(revision: &str) -> Option<(&'static str, String)> {
    let fits = revision.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    fits.then(|| ("etag", format!("\"{revision}\"")))
}
