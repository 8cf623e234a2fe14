//! Which request is which operation.

use crate::port::{Error, Tickets};
use crate::request::Request;
use crate::request::body::{self, Applying, Creation, Ensuring, Touching};
use crate::request::query::{self, Listing, Newest};
use crate::response::Response;

/// A known path.
enum Route {
    Tickets,
    Restore,
    Ticket(String),
    Apply(String),
    Touch(String),
    Summary(String),
    Messages(String),
    Facts(String),
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
            ["tickets", id, "summary"] => Self::Summary(id.to_owned()),
            ["tickets", id, "messages"] => Self::Messages(id.to_owned()),
            ["tickets", id, "facts"] => Self::Facts(id.to_owned()),
            ["tickets", id, "snapshot"] => Self::Snapshot(id.to_owned()),
            ["tickets", id, "rollback"] => Self::Rollback(id.to_owned()),
            _ => return None,
        })
    }

    fn allowed(&self) -> &'static str {
        match self {
            Self::Tickets => "GET, POST",
            Self::Ticket(_) => "DELETE, GET, HEAD, PUT",
            Self::Restore | Self::Apply(_) | Self::Touch(_) | Self::Rollback(_) => "POST",
            Self::Summary(_) | Self::Messages(_) | Self::Facts(_) | Self::Snapshot(_) => "GET",
        }
    }
}

/// Answers a request by the engine.
pub fn answer(tickets: &impl Tickets, mut request: Request<'_>) -> Response {
    let (segments, query) = request.target();
    let query = query.map(str::to_owned);
    let response = match Route::of(&segments) {
        None => Response::no_route(),
        Some(route) => match answered(tickets, &mut request, &route, query.as_deref()) {
            Ok(Some(response)) => response,
            Ok(None) => Response::wrong_method(route.allowed()),
            Err(error) => error.into(),
        },
    };
    if request.method == "HEAD" { response.without_body() } else { response }
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
    if !matches!((route, method), (Route::Tickets, "GET") | (Route::Messages(_) | Route::Facts(_), _)) {
        query::none(query)?;
    }
    Ok(Some(match (route, method) {
        (Route::Tickets, "GET") => listed(tickets, &query::listing(query)?)?,
        (Route::Tickets, _) => {
            let Creation { id, changes, ttl_ms } = body::read_optional(&request.text()?)?;
            Response::applied(&tickets.create(id.as_deref(), changes, ttl_ms)?)
        }
        (Route::Restore, _) => Response::created(&tickets.restore(&request.text()?)?),
        (Route::Ticket(id), "GET") => Response::ticket(&tickets.get(id)?),
        (Route::Ticket(id), "HEAD") => Response::existence(tickets.exists(id)?),
        (Route::Ticket(id), "PUT") => {
            let Ensuring { changes, ttl_ms } = body::read_optional(&request.text()?)?;
            Response::applied(&tickets.ensure(id, changes, ttl_ms)?)
        }
        (Route::Ticket(id), _) => tickets.close(id, at).map(|()| Response::done())?,
        (Route::Apply(id), _) => {
            let Applying { changes, ttl_ms } = body::read(&request.text()?)?;
            Response::applied(&tickets.apply(id, changes, at, ttl_ms)?)
        }
        (Route::Touch(id), _) => {
            let Touching { ttl_ms } = body::read_optional(&request.text()?)?;
            Response::ticket(&tickets.touch(id, ttl_ms)?)
        }
        (Route::Summary(id), _) => Response::summary(&tickets.get_summary(id)?),
        (Route::Messages(id), _) => {
            let Newest { entries_max, bytes_max } = query::newest(query)?;
            Response::messages(&tickets.get_messages(id, entries_max, bytes_max)?)
        }
        (Route::Facts(id), _) => Response::fact(&tickets.get_fact(id, &query::pointer(query)?)?),
        (Route::Snapshot(id), _) => Response::text(tickets.snapshot(id)?),
        (Route::Rollback(id), _) => Response::ticket(&tickets.rollback(id, &request.text()?, at)?),
    }))
}

/// A page of a listing.
fn listed(tickets: &impl Tickets, listing: &Listing) -> Result<Response, Error> {
    let (prefix, cursor) = (&listing.prefix, listing.cursor.as_deref());
    Ok(match listing.summaries {
        true => Response::summaries(&tickets.list_summaries(prefix, cursor)?),
        false => Response::ids(&tickets.list_ids(prefix, cursor)?),
    })
}

#[cfg(test)]
mod tests;
