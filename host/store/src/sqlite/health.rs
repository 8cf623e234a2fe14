//! What an operator must know about a SQLite file.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::errors;
use super::file_time;
use super::rows;
use super::worker::Worker;
use crate::error::Error;
use crate::health::{Finding, Health, Severity};
use crate::text::printable;

/// Longest report of damage that is shown, in characters.
const REPORT_CHARS_MAX: usize = 200;
/// The permissions of other users.
const MODE_OF_OTHERS: u32 = 0o077;

pub(super) fn report(worker: &Worker, what: &str) -> Result<Health, Error> {
    let sql = |e| errors::of(what, e);
    let connection = &worker.connection;
    let text = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    let journal = text("PRAGMA journal_mode").map_err(sql)?;
    let integrity = text("PRAGMA quick_check(1)").unwrap_or_else(|error| error.to_string());
    let clock_ms = worker.clock.now_ms();
    let counts = rows::count(connection, clock_ms).map_err(sql)?;
    let ahead_ms = file_time::load(connection).map_err(sql)?.map_or(0, |time| time.ahead_of(clock_ms));
    let started = Instant::now();
    worker.begin().and_then(rusqlite::Transaction::commit).map_err(sql)?;
    let latency_us = started.elapsed().as_micros();
    let metadata = std::fs::metadata(&worker.path);
    let size = metadata.as_ref().map_or_else(|_| "unknown".to_owned(), |metadata| metadata.len().to_string());

    let mut findings = Vec::new();
    if integrity != "ok" {
        let report = printable(&integrity, REPORT_CHARS_MAX);
        findings.push(Finding {
            severity: Severity::Problem,
            text: format!("the file is damaged ({report}): tickets may be lost; restore it from a backup"),
        });
    }
    if journal != "wal" {
        findings.push(Finding {
            severity: Severity::Warning,
            text: format!(
                "the journal mode is {journal}, not wal, as on a network file system: processes block each other; \
                 move the file to a local disk"
            ),
        });
    }
    findings.extend(of_clock(ahead_ms, counts.too_late));
    match metadata.map(|metadata| metadata.permissions().mode() & 0o777) {
        Ok(mode) if mode & MODE_OF_OTHERS != 0 => findings.push(Finding {
            severity: Severity::Warning,
            text: format!("mode {mode:03o} lets other users read or change the tickets; run `chmod 600` on the file"),
        }),
        Ok(_) | Err(_) => {}
    }
    Ok(Health {
        facts: vec![
            ("server", format!("SQLite {}", rusqlite::version())),
            ("path", worker.path.display().to_string()),
            ("file_bytes", size),
            ("entries", counts.live.to_string()),
            ("expired_entries", counts.expired.to_string()),
            ("clock_behind_ms", ahead_ms.to_string()),
            ("journal_mode", journal),
            ("integrity", printable(&integrity, REPORT_CHARS_MAX)),
            ("latency_us", latency_us.to_string()),
        ],
        findings,
    })
}

/// What the file shows of clocks that are or were wrong: how far it is ahead of this clock, and how many deadlines are
/// later than any time to live allows.
fn of_clock(ahead_ms: u64, too_late: i64) -> Vec<Finding> {
    let warning = |text| Finding { severity: Severity::Warning, text };
    let behind = (ahead_ms > 0).then(|| {
        warning(format!(
            "the clock of this machine is {} s behind the last change of the file: it is wrong, or a process had a clock \
             ahead; deadlines are counted from the file's time until the clock has run for an hour; check it with `date`",
            ahead_ms.div_ceil(1_000)
        ))
    });
    let late = (too_late > 0).then(|| {
        let tickets = if too_late == 1 { "1 ticket has".into() } else { format!("{too_late} tickets have") };
        warning(format!(
            "{tickets} a deadline more than 366 days ahead, later than any time to live: a clock was ahead \
             when they were written, or this one is behind; `ticket touch` sets a new deadline, `ticket close` removes one"
        ))
    });
    behind.into_iter().chain(late).collect()
}
