//! `ticket doctor`: the health of a store.

use std::collections::BTreeMap;

use serde::Serialize;
use ticket_host::Tickets;
use ticket_host::store::{Finding, Health, Severity};

use super::args::Format;
use super::escape::printable;
use super::exit::Failure;
use super::output::Output;
use super::render;

#[derive(Serialize)]
struct Report<'a> {
    store: String,
    facts: BTreeMap<&'a str, &'a str>,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    text: &'a str,
}

/// Shows facts and findings; a problem among them is a failure.
pub(crate) async fn run(tickets: &Tickets, output: &Output) -> Result<(), Failure> {
    let store = tickets.store().to_string();
    let health = tickets.store().health().await?;
    match output.format() {
        Format::Json => output.json(&report(store, &health))?,
        Format::Table => {
            let mut table = render::plain();
            table.add_row(["store", &printable(&store)]);
            for (name, text) in &health.facts {
                table.add_row([*name, &printable(text)]);
            }
            for finding in &health.findings {
                table.add_row([word(finding), &printable(&finding.text)]);
            }
            output.table(&table)?;
            if health.findings.is_empty() {
                output.remark("no problems found");
            }
        }
    }
    match health.findings.iter().filter(|finding| finding.severity == Severity::Problem).count() {
        0 => Ok(()),
        1 => Err(Failure::Unhealthy("a problem".into())),
        problems => Err(Failure::Unhealthy(format!("{problems} problems"))),
    }
}

fn report(store: String, health: &Health) -> Report<'_> {
    Report {
        store,
        facts: health.facts.iter().map(|(name, text)| (*name, text.as_str())).collect(),
        findings: health.findings.iter().map(|finding| Line { severity: word(finding), text: &finding.text }).collect(),
    }
}

fn word(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
    }
}
