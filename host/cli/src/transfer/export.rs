//! `ticket export`: writes tickets as JSON lines, sorted by id, and a total.

use indicatif::ProgressBar;
use serde_json::value::RawValue;
use ticket_host::{Error, Tickets};

use super::{Digests, Snapshot, TicketLine, TotalLine, internal};
use crate::escape::printable;
use crate::exit::{self, Failure};
use crate::list;
use crate::output::Output;
use crate::render;
use ticket_model::json;

/// A ticket as it is exported.
struct Exported {
    expires_at_ms: u64,
    snapshot: String,
}

/// Exports the tickets whose ids begin with `prefix` and come after `after`.
pub(crate) async fn run(tickets: &Tickets, prefix: &str, after: Option<&str>, output: &Output) -> Result<(), Failure> {
    let (mut ids, is_partial) = list::all_ids(tickets, prefix).await?;
    if is_partial {
        let text =
            format!("{} is down, and this host does not know all of its tickets: nothing is exported", tickets.store());
        return Err(Error::Unavailable(text.into()).into());
    }
    ids.retain(|id| after.is_none_or(|after| id.as_str() > after));
    let bar = ProgressBar::new(ids.len() as u64);
    let (mut digests, mut unreadable) = (Digests::default(), 0_u64);
    for ids in ids.chunks(list::READS_MAX) {
        for (id, read) in ids.iter().zip(list::read(tickets, ids, read).await?) {
            match read {
                Ok(exported) => {
                    let Exported { expires_at_ms, snapshot } = &exported;
                    digests.add(json::from_object::<Snapshot>(snapshot).map_err(internal)?);
                    let snapshot: &RawValue = serde_json::from_str(snapshot).map_err(internal)?;
                    let line = TicketLine { expires_at_ms: *expires_at_ms, snapshot };
                    bar.suspend(|| output.json(&line)).map_err(cut)?;
                }
                // It ended since it was listed.
                Err(Error::NotFound(_)) => {}
                Err(error) if list::is_unreadable(&error) => {
                    unreadable += 1;
                    let text = printable(&format!("warning: ticket `{id}` is not exported: {error}"));
                    bar.suspend(|| exit::tell(&text));
                }
                Err(error) => return Err(error.into()),
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let total = digests.total(after);
    output.remark(&format!("{} exported, SHA-256 {}", render::tickets(total.tickets), total.sha256));
    output.json(&TotalLine { total }).map_err(cut)?;
    match unreadable {
        0 => Ok(()),
        count => {
            Err(Error::Corrupt(format!("{count} entries are not exported, because they cannot be read").into()).into())
        }
    }
}

/// A reader that is gone has not all of it: unlike for other commands, that is a failure.
fn cut(failure: Failure) -> Failure {
    match failure {
        Failure::Output(error) => Error::Unavailable(format!("the export was cut: {error}").into()).into(),
        failure => failure,
    }
}

/// Reads one ticket.
async fn read(tickets: Tickets, id: String) -> Result<Exported, Error> {
    let snapshot = tickets.snapshot(&id).await?;
    // A change in between only moved the deadline further, or comes with the next export.
    let expires_at_ms = tickets.get_summary(&id).await?.expires_at_ms;
    Ok(Exported { expires_at_ms, snapshot })
}
