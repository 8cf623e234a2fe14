//! Stdout: one JSON document a line for programs, tables for people. Remarks go to stderr.

use std::io::{self, IsTerminal, Write};

use comfy_table::Table;
use serde::Serialize;
use ticket_host::{Error, Ticket};

use super::args::Format;
use super::escape::{printable, printable_json};
use super::exit::{self, Failure};
use super::render;

/// How results are shown.
pub(crate) struct Output {
    format: Format,
    terminal: bool,
}

impl Output {
    /// In the format that was asked for, else a table on a terminal and JSON elsewhere.
    pub(crate) fn new(asked: Option<Format>) -> Self {
        let terminal = io::stdout().is_terminal();
        let format = asked.unwrap_or(if terminal { Format::Table } else { Format::Json });
        Self { format, terminal }
    }

    /// The format of results.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// A ticket.
    pub(crate) fn ticket(&self, ticket: &Ticket) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(ticket),
            Format::Table => self.table(&render::ticket(ticket)),
        }
    }

    /// A JSON document, on one line.
    pub(crate) fn json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(document).map_err(|error| Error::Internal(error.into()))?;
        // Other clients may store white space; line breaks in strings are escaped.
        self.json_text(&text.replace(['\n', '\r'], " "))
    }

    /// A JSON text, as it is.
    pub(crate) fn json_text(&self, text: &str) -> Result<(), Failure> {
        if self.terminal { write_line(&printable_json(text)) } else { write_line(text) }
    }

    /// A table, whose cells are printable.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Failure> {
        write_line(&table.trim_fmt())
    }

    /// Ticket ids, one a line; no character of theirs needs to be escaped.
    pub(crate) fn ids(&self, ids: &[String]) -> Result<(), Failure> {
        write_line(&ids.join("\n"))
    }

    /// A line for people.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        write_line(&printable(text))
    }

    /// A text of our own, as it is.
    pub(crate) fn script(&self, text: &[u8]) -> Result<(), Failure> {
        write(text)
    }

    /// A note for people, not for programs.
    pub(crate) fn remark(&self, text: &str) {
        if self.format == Format::Table {
            exit::tell(&printable(text));
        }
    }
}

fn write_line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

fn write(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text).and_then(|()| stdout.flush()).map_err(Failure::Output)
}
