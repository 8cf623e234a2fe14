//! Answers: status, headers and body of each result.

use serde::Serialize;
use ticket_model::ticket::{Applied, Fact, IdPage, Messages, Summary, SummaryPage, Ticket};

use crate::port::Error;

mod shown;

use shown::{ShownFact, ShownIds, ShownMessages, ShownSummaries, ShownSummary, ShownTicket};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for an answer without one.
    pub body: String,
}

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
    message: &'a str,
    // Only for `conflict`; null means that there is no ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<Option<ShownTicket<'a>>>,
}

impl Response {
    /// A ticket, and its revision as its tag.
    pub(crate) fn ticket(ticket: &Ticket) -> Self {
        Self::tagged(&ticket.revision, ShownTicket::new(ticket))
    }

    /// A new ticket.
    pub(crate) fn created(ticket: &Ticket) -> Self {
        Self::ticket(ticket).located(ticket)
    }

    /// A ticket after changes, and what else they did.
    pub(crate) fn applied(Applied { ticket, effect }: &Applied) -> Self {
        let response = Self::tagged(&ticket.revision, ShownTicket::new(ticket).and_then(|shown| shown.with(effect)));
        if effect.created { response.located(ticket) } else { response }
    }

    /// A ticket without its texts.
    pub(crate) fn summary(summary: &Summary) -> Self {
        Self::tagged(&summary.revision, Ok(ShownSummary::from(summary)))
    }

    /// The newest messages of a ticket.
    pub(crate) fn messages(found: &Messages) -> Self {
        Self::tagged(&found.revision, ShownMessages::new(found))
    }

    /// One fact of a ticket.
    pub(crate) fn fact(found: &Fact) -> Self {
        Self::tagged(&found.revision, ShownFact::new(found))
    }

    /// A page of ids.
    pub(crate) fn ids(page: &IdPage) -> Self {
        Self::shown(Ok(ShownIds::from(page)))
    }

    /// A page of summaries.
    pub(crate) fn summaries(page: &SummaryPage) -> Self {
        Self::shown(Ok(ShownSummaries::from(page)))
    }

    /// A snapshot.
    pub(crate) fn text(text: String) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/plain; charset=utf-8".into())], body: text }
    }

    /// Success without a body.
    pub(crate) fn done() -> Self {
        Self { status: 204, headers: Vec::new(), body: String::new() }
    }

    /// Whether there is a ticket.
    pub(crate) fn existence(exists: bool) -> Self {
        Self { status: if exists { 200 } else { 404 }, headers: Vec::new(), body: String::new() }
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

    /// The answer to `HEAD`, which never has a body.
    pub(crate) fn without_body(self) -> Self {
        Self { body: String::new(), ..self }
    }

    /// Makes an answer with a ticket that of a new one.
    fn located(mut self, ticket: &Ticket) -> Self {
        if self.status == 200 {
            self.status = 201;
            // An id needs no encoding.
            self.headers.push(("location", format!("/tickets/{}", ticket.id)));
        }
        self
    }

    /// An answer whose revision is its tag.
    fn tagged(revision: &str, shown: Result<impl Serialize, serde_json::Error>) -> Self {
        let mut response = Self::shown(shown);
        if response.status == 200 {
            response.headers.extend(tag(revision));
        }
        response
    }

    fn shown(shown: Result<impl Serialize, serde_json::Error>) -> Self {
        shown.and_then(|shown| Self::json(200, &shown)).unwrap_or_else(|_| Self::not_json())
    }

    fn not_json() -> Self {
        Self::refusal(500, "bug", "the engine answered with a text that is not JSON", None)
    }

    fn refusal(status: u16, error: &str, message: &str, ticket: Option<Option<ShownTicket<'_>>>) -> Self {
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
    let Ok(shown) = ShownTicket::new(ticket) else {
        return Response::not_json();
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
