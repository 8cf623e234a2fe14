//! Another process for the tests: it reads an entry of a store, or appends messages to a ticket.
//!
//! - `read URL NAMESPACE KEY` prints a line of name, tab and text for each field.
//! - `announce URL ID PREFIX` appends `PREFIX-NUMBER` until it is killed, and prints each acknowledged message.
//! - `announce-behind URL FILE ID PREFIX` does so with a fallback in a file.
//! - `append URL NAMESPACE ID WRITER TASKS COUNT` lets TASKS tasks append COUNT messages each.

use std::time::Duration;

use anyhow::{Context, bail};
use ticket_host::store::{self, Freshness, Key, Namespace, Options};
use ticket_host::{Change, Error, Fallback, Tickets};
use ticket_tests::appending;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["read", url, namespace, key] => {
            let entry = open(url, namespace).await?.read(&Key::parse(key)?, Freshness::Latest).await?;
            let mut fields = entry.context("no entry")?.into_fields();
            fields.sort();
            for (name, text) in fields {
                println!("{name}\t{text}");
            }
        }
        ["append", url, namespace, id, writer, tasks, count] => {
            let builder = Tickets::builder_over(open(url, namespace).await?);
            let tickets = builder.deadline(appending::DEADLINE).build()?;
            appending::by_tasks(&tickets, id, writer, tasks.parse()?, count.parse()?).await;
        }
        ["announce", url, id, prefix] => {
            announce(&Tickets::open(url).await?, id, prefix).await?;
        }
        ["announce-behind", url, file, id, prefix] => {
            let tickets = Tickets::builder(url).fallback(Fallback::file(file)).open().await?;
            announce(&tickets, id, prefix).await?;
        }
        _ => bail!("unknown arguments {arguments:?}"),
    }
    Ok(())
}

async fn announce(tickets: &Tickets, id: &str, prefix: &str) -> anyhow::Result<()> {
    for number in 0.. {
        let message = format!("{prefix}-{number}");
        loop {
            match tickets.apply(id, &[Change::say(&message)], None).await {
                Ok(_) => break println!("{message}"),
                // It is there or not, and no one was told that it is.
                Err(Error::Uncertain(_)) => break,
                // Too many lost races with another process on the same file: nothing was written.
                Err(Error::Conflict(Some(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn open(url: &str, namespace: &str) -> anyhow::Result<store::SharedStore> {
    let namespace = if namespace.is_empty() { None } else { Some(Namespace::parse(namespace)?) };
    Ok(store::open(url, &Options::default().namespace(namespace).call_time(Duration::from_secs(20))).await?)
}
