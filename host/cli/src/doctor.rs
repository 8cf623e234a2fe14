//! `ticket doctor`: the health of a store.

use std::collections::BTreeMap;

use serde::Serialize;
use ticket_host::Tickets;
use ticket_host::store::{Finding, Health, Options, RedisPrimary, Severity};

use super::args::Format;
use super::escape::printable;
use super::exit::{self, Failure};
use super::output::Output;
use super::render;

#[derive(Serialize)]
struct Report<'a> {
    store: &'a str,
    facts: BTreeMap<&'a str, &'a str>,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    text: &'a str,
}

/// Shows why a store cannot be used as a problem, if the error names a setting of it; `url` is that of the store.
pub(crate) fn refused(url: &str, refused: &Failure, output: &Output) -> Result<(), Failure> {
    let Failure::Ticket(error) = refused else { return Ok(()) };
    let Some(setting) = exit::misconfiguration(error) else { return Ok(()) };
    let Ok(primary) = RedisPrimary::new(url, None, &Options::default()) else { return Ok(()) };
    let text = format!("the store {setting}: {}", setting.remedy("the store URL"));
    let findings = vec![Finding { severity: Severity::Problem, text }];
    show(&primary.to_string(), &Health { facts: Vec::new(), findings }, output)
}

/// Shows facts and findings; a problem among them is a failure.
pub(crate) async fn run(tickets: &Tickets, output: &Output) -> Result<(), Failure> {
    let store = tickets.store().to_string();
    let health = tickets.store().health().await?;
    show(&store, &health, output)?;
    match health.findings.iter().filter(|finding| finding.severity == Severity::Problem).count() {
        0 => Ok(()),
        1 => Err(Failure::Unhealthy("a problem".into())),
        problems => Err(Failure::Unhealthy(format!("{problems} problems"))),
    }
}

fn show(store: &str, health: &Health, output: &Output) -> Result<(), Failure> {
    match output.format() {
        Format::Json => output.json(&report(store, health)),
        Format::Table => {
            let mut table = render::plain();
            table.add_row(["store", &printable(store)]);
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
            Ok(())
        }
    }
}

fn report<'a>(store: &'a str, health: &'a Health) -> Report<'a> {
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
