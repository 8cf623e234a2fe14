//! `ticket conform`: checks the promises of a store, and runs scenarios on it.

use std::panic;
use std::sync::Arc;

use ticket_conformance as conformance;
use ticket_conformance::{
    BoxError, Checked, Comparison, Fixture, NativeHost, Options, Report, Scenario, TestBackend, Verdict,
};
use ticket_host::Error;
use ticket_host::store;

use super::args::{Common, FallbackArg, Format};
use super::escape::printable;
use super::exit::Failure;
use super::output::Output;
use super::{render, session};

/// What to check.
pub(crate) struct Wanted {
    pub(crate) only: Vec<String>,
    pub(crate) random: u32,
    pub(crate) seed: Option<u64>,
}

/// Checks the store that the options name, and shows a verdict for each promise.
pub(crate) async fn run(common: Common, wanted: Wanted, output: &Output) -> Result<(), Failure> {
    let only: Vec<String> = wanted.only.iter().map(|number| number.to_ascii_uppercase()).collect();
    let known: Vec<&str> = conformance::sentences().map(|(number, _)| number).collect();
    if let Some(unknown) = only.iter().find(|number| !known.contains(&number.as_str())) {
        let last = |letter| known.iter().rfind(|number| number.starts_with(letter)).unwrap_or(&"");
        let (unknown, of_store, of_engine, of_workflows) = (printable(unknown), last('P'), last('E'), last('W'));
        let text =
            format!("unknown promise `{unknown}`: use P1 to {of_store}, E1 to {of_engine} and W1 to {of_workflows}");
        return Err(Failure::Input(text));
    }
    let (backend, namespace) = backend(&common).await?;
    let usual = Options { namespace, scenarios: wanted.random, only, ..Options::default() };
    let options = Options { seed: wanted.seed.unwrap_or(usual.seed), ..usual };
    output.remark(&format!("checking, with --seed {}", options.seed));
    // A check that fails panics: here that is a verdict, not a defect of this program.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let report = conformance::run(backend, &options).await;
    panic::set_hook(hook);
    let report = report.map_err(|error| Failure::Unchecked(error.into()))?;
    show(&report, output)?;
    match report.broken() {
        0 => Ok(()),
        1 => Err(Failure::Broken("it breaks a promise".into())),
        broken => Err(Failure::Broken(format!("it breaks {broken} promises"))),
    }
}

fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(report);
    }
    let mut table = render::headed(&["promise", "verdict", "text"]);
    for Checked { promise, sentence, verdict } in &report.promises {
        table.add_row([promise.as_str(), word(verdict), *sentence]);
    }
    let Comparison { scenarios, answers, unrepeated, difference, .. } = &report.comparison;
    let compared = format!("{scenarios} random scenarios, {answers} answers, compared with memory");
    table.add_row(["random", if difference.is_none() { "equal" } else { "BROKEN" }, &compared]);
    output.table(&table)?;
    for Checked { promise, verdict, .. } in &report.promises {
        match verdict {
            Verdict::Kept => {}
            Verdict::Broken(seen) => output.remark(&format!("{promise} is broken: {seen}")),
            Verdict::NotChecked(reason) => output.remark(&format!("{promise} is not checked: {reason}")),
        }
    }
    if *unrepeated > 0 {
        output.remark(&format!("{unrepeated} of the random scenarios differed once, and not when run again"));
    }
    if let Some(difference) = difference {
        output.remark(&format!("memory answers {}", difference.expected));
        output.remark(&format!("this store     {}", difference.found));
        output.remark("in this scenario, which `--scenario` runs:");
        for line in difference.scenario.lines() {
            output.remark(line);
        }
    }
    Ok(())
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Kept => "kept",
        Verdict::Broken(_) => "BROKEN",
        Verdict::NotChecked(_) => "—",
    }
}

/// Runs a scenario on the store that the options name, and prints its transcript.
pub(crate) async fn run_scenario(common: Common, scenario: &str, output: &Output) -> Result<(), Failure> {
    let scenario = Scenario::parse(scenario)?;
    let (backend, namespace) = backend(&common).await?;
    let base = format!("{namespace}conform-{:08x}-", fastrand::u32(..));
    let open = || Fixture::new(Arc::clone(&backend), &base, 0);
    let cleaner = open().await?;
    let mut host = NativeHost::new(open().await?, &scenario.header.settings).await.map_err(stopped)?;
    let transcript = conformance::run_scenario(&scenario, &mut host).await;
    cleaner.clean().await.map_err(Failure::Scenario)?;
    output.script(transcript.map_err(stopped)?.text().as_bytes())
}

/// Why a run stopped: an error of the engine or the store has its own exit code.
fn stopped(error: BoxError) -> Failure {
    let error = match error.downcast::<store::Error>() {
        Ok(error) => return Failure::Ticket((*error).into()),
        Err(other) => other,
    };
    match error.downcast::<Error>() {
        Ok(error) => Failure::Ticket(*error),
        Err(other) => Failure::Scenario(other),
    }
}

/// The store as a backend under test, and the prefix of all ids in it.
async fn backend(common: &Common) -> Result<(Arc<dyn TestBackend>, String), Failure> {
    if !matches!(common.fallback, None | Some(FallbackArg::None)) {
        return Err(Failure::Input("conform checks a store without a fallback: leave `--fallback` out".into()));
    }
    if common.ttl.is_some() {
        return Err(Failure::Input("conform uses TTLs of its own: leave `--ttl` out".into()));
    }
    let url = session::store_url(common)?;
    let backend = conformance::backend(&url).await;
    let backend = backend.map_err(|error| session::naming_variable(error.into(), common.store_is_from_variable))?;
    let namespace = common.namespace.as_ref().map(|name| format!("{}.", name.as_str())).unwrap_or_default();
    Ok((backend, namespace))
}
