//! Which request is which operation.

use crate::port::{Error, Tickets};
use crate::request::{self, Request};
use crate::response::Response;

/// A known path.
enum Route {
    Tickets,
    Restore,
    Ticket(String),
    Apply(String),
    Touch(String),
    Snapshot(String),
    Rollback(String),
}

impl Route {
    fn of(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Some(match segments[..] {
            ["tickets"] => Self::Tickets,
            ["restore"] => Self::Restore,
            ["tickets", id] if !id.is_empty() => Self::Ticket(id.to_owned()),
            ["tickets", id, "apply"] => Self::Apply(id.to_owned()),
            ["tickets", id, "touch"] => Self::Touch(id.to_owned()),
            ["tickets", id, "snapshot"] => Self::Snapshot(id.to_owned()),
            ["tickets", id, "rollback"] => Self::Rollback(id.to_owned()),
            _ => return None,
        })
    }

    fn allowed(&self) -> &'static str {
        match self {
            Self::Tickets => "GET, POST",
            Self::Ticket(_) => "DELETE, GET",
            Self::Restore | Self::Apply(_) | Self::Touch(_) | Self::Rollback(_) => "POST",
            Self::Snapshot(_) => "GET",
        }
    }
}

/// Answers a request by the engine.
pub fn answer(tickets: &impl Tickets, mut request: Request<'_>) -> Response {
    let (segments, query) = request.target();
    let Some(route) = Route::of(&segments) else {
        return Response::no_route();
    };
    let query = query.map(str::to_owned);
    let answered = answered(tickets, &mut request, &route, query.as_deref());
    answered.unwrap_or_else(|error| Some(error.into())).unwrap_or_else(|| Response::wrong_method(route.allowed()))
}

/// The answer of a route; `None` if it does not take the method.
fn answered(
    tickets: &impl Tickets,
    request: &mut Request<'_>,
    route: &Route,
    query: Option<&str>,
) -> Result<Option<Response>, Error> {
    let method = request.method;
    if !route.allowed().split(", ").any(|allowed| allowed == method) {
        return Ok(None);
    }
    let is_changed = matches!(route, Route::Apply(_) | Route::Rollback(_)) || method == "DELETE";
    let at = if is_changed { request.at()? } else { request.unconditional().map(|()| None)? };
    let at = at.as_deref();
    if !matches!((route, method), (Route::Tickets, "GET")) {
        request::no_query(query)?;
    }
    Ok(Some(match (route, method) {
        (Route::Tickets, "GET") => Response::page(&tickets.list_ids(request::cursor(query)?.as_deref())?),
        (Route::Tickets, _) => {
            let (id, changes) = request::creation(&request.text()?)?;
            Response::created(&tickets.create(id.as_deref(), changes)?)
        }
        (Route::Restore, _) => Response::created(&tickets.restore(&request.text()?)?),
        (Route::Ticket(id), "GET") => Response::ticket(&tickets.get(id)?),
        (Route::Ticket(id), _) => tickets.close(id, at).map(|()| Response::done())?,
        (Route::Apply(id), _) => {
            let changes = request::interaction(&request.text()?)?;
            Response::ticket(&tickets.apply(id, changes, at)?)
        }
        (Route::Touch(id), _) => Response::ticket(&tickets.touch(id)?),
        (Route::Snapshot(id), _) => Response::text(tickets.snapshot(id)?),
        (Route::Rollback(id), _) => Response::ticket(&tickets.rollback(id, &request.text()?, at)?),
    }))
}

#[cfg(test)]
mod tests;
