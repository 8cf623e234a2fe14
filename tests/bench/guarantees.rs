//! The contenders on Redis beside each other: which lose updates, and what an interaction costs.

use std::fmt::Write;
use std::sync::Arc;

use ticket_tests::RedisServer;
use tokio::task::JoinSet;

use crate::contenders::{ByHand, CompareAndSet, Component, Contender, Driver, NotInstalled, Watch, node, python};
use crate::cpu::Meter;
use crate::grid::HISTORIES;
use crate::rounds::{Load, Ratio, Spent, spent};

/// Rounds for each history and number of callers. A contender whose turn takes longer than [`LONG_S`] has one.
const ROUNDS: usize = 7;
const LONG_S: f64 = 1.0;
const CALLERS: [usize; 2] = [1, 64];
/// About how long a turn takes, in seconds: the contenders differ too much for one number of interactions.
const TURN_S: f64 = 0.25;
/// Most interactions of a caller in one turn.
const INTERACTIONS_MAX: usize = 1_000;
/// Callers that say messages to one ticket at once, 25 each.
const AT_ONCE: Load = Load { callers: 8, interactions: 25, history: 10 };

const NO_LOST_UPDATE: &str = "no lost update";
const BLIND: &str = "blind";

/// One line of the table.
struct Line {
    contender: Arc<dyn Contender>,
    guarantee: &'static str,
    /// What it stores and how.
    note: String,
    kept: usize,
    /// What was measured, by number of callers and history.
    spent: [[Vec<Spent>; HISTORIES.len()]; CALLERS.len()],
}

impl Line {
    fn new(contender: impl Contender + 'static, guarantee: &'static str, note: impl Into<String>) -> Self {
        Self { contender: Arc::new(contender), guarantee, note: note.into(), kept: 0, spent: Default::default() }
    }

    fn text(&self) -> String {
        let cell = |callers: usize, format: &dyn Fn(&[Spent]) -> String| {
            let texts: Vec<String> = self.spent[callers].iter().map(|rounds| format(rounds)).collect();
            texts.join(" / ")
        };
        let us = cell(0, &|rounds| short(median(rounds, |spent| spent.seconds * 1e6)));
        let server_us = cell(1, &|rounds| short(median(rounds, |spent| spent.server_s * 1e6)));
        let thousands = cell(1, &|rounds| short(median(rounds, |spent| 1e-3 / spent.seconds)));
        let Self { contender, guarantee, kept, .. } = self;
        format!("| {} | {guarantee} | {kept} | {us} | {server_us} | {thousands} |", contender.name())
    }
}

fn median(rounds: &[Spent], value: impl Fn(&Spent) -> f64) -> f64 {
    Ratio::of(rounds.iter().map(value).collect()).middle
}

/// With three digits, where they are known.
fn short(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Measures all contenders alternately and prints the table.
pub(crate) async fn print(server: &Arc<RedisServer>) {
    let meter = Meter::of(server).await;
    let (mut lines, missing) = lines(server).await;
    for line in &mut lines {
        line.kept = kept(&line.contender).await;
    }
    for (at, callers) in CALLERS.into_iter().enumerate() {
        for (place, history) in HISTORIES.into_iter().enumerate() {
            eprintln!("contenders: {callers} at once, history {history}");
            let mut loads = Vec::new();
            for line in &lines {
                loads.push(fitting(&line.contender, callers, history, &meter).await);
            }
            for round in 0..ROUNDS {
                for (line, (load, rounds)) in lines.iter_mut().zip(&loads) {
                    if round < *rounds {
                        let spent = spent(&line.contender, *load, &meter).await;
                        line.spent[at][place].push(spent);
                    }
                }
            }
        }
    }
    println!("\n{}", table(&lines, &missing));
}

fn table(lines: &[Line], missing: &[String]) -> String {
    let mut text = format!(
        "| Redis, history 10 / 100 / 1,000 | if two change a ticket | kept of {} | µs, 1 caller | \
         server CPU µs, 64 callers | thousand a second, 64 callers |\n|---|---|---|---|---|---|\n",
        AT_ONCE.callers * AT_ONCE.interactions
    );
    for line in lines.iter().map(Line::text).chain(missing.iter().cloned()) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(
        text,
        "\nMedians of {ROUNDS} rounds; one round if it takes more than a second. *Kept*: the messages in a ticket to which \
         {} callers said {} each at once. A process of Python or Node.js uses one core.\n",
        AT_ONCE.callers, AT_ONCE.interactions
    );
    for Line { contender, note, .. } in lines {
        let _ = writeln!(text, "- {}: {note}", contender.name());
    }
    text
}

/// The lines of contenders that run, and the texts of those that are not installed.
async fn lines(server: &Arc<RedisServer>) -> (Vec<Line>, Vec<String>) {
    let mut lines = vec![
        Line::new(
            Component::on_redis(server).await,
            NO_LOST_UPDATE,
            "six fields of a hash, written if the revision is still the one that was read.",
        ),
        Line::new(ByHand::on_redis(server).await, BLIND, "`HGETALL`; `HSET` of six fields and `EXPIRE`."),
        Line::new(
            Watch::on_redis(server).await,
            NO_LOST_UPDATE,
            "`WATCH`; `HGETALL`; a transaction of `HSET` and `PEXPIREAT`. A connection for each caller, from a pool.",
        ),
        Line::new(
            CompareAndSet::on_redis(server).await,
            NO_LOST_UPDATE,
            "`HGETALL`; a script that compares a counter in `version`, then `HSET` and `EXPIRE`.",
        ),
    ];
    let redis_py = python::redis_py(server);
    let note = format!("as by hand. {}.", redis_py.versions);
    lines.push(Line::new(redis_py, BLIND, note));
    let mut missing = Vec::new();
    let others = [
        (
            "OpenAI Agents, RedisSession",
            python::openai_agents(server),
            NO_LOST_UPDATE,
            "a list; reads all, appends the message in a transaction. It has no place for a decision.",
            "pip install 'openai-agents[redis]' hiredis",
        ),
        (
            "Google ADK, RedisSessionService",
            python::google_adk(server),
            BLIND,
            "one JSON text; reads all, stores all. The message is an event, and the decision its change of the state.",
            "pip install google-adk-community hiredis",
        ),
        (
            "Node.js, connect-redis",
            node::connect_redis(server),
            BLIND,
            "one JSON text with the six fields; reads all, stores all.",
            "npm install --prefix target/bench/connect-redis connect-redis express-session redis",
        ),
    ];
    for (name, opened, guarantee, note, install) in others {
        match opened {
            Ok(driver) => lines.push(with_versions(driver, guarantee, note)),
            Err(NotInstalled(why)) => missing.push(format!("| {name} | — not installed: {install} ({why}) | | | | |")),
        }
    }
    (lines, missing)
}

fn with_versions(driver: Driver, guarantee: &'static str, note: &str) -> Line {
    let note = format!("{note} {}.", driver.versions);
    Line::new(driver, guarantee, note)
}

/// A load that takes about [`TURN_S`], and how often to measure it.
async fn fitting(contender: &Arc<dyn Contender>, callers: usize, history: usize, meter: &Meter) -> (Load, usize) {
    let few = Load { callers, interactions: if callers == 1 { 10 } else { 1 }, history };
    let mut turn_s = f64::MAX;
    // The first run opens connections.
    for _ in 0..2 {
        let spent = spent(contender, few, meter).await;
        turn_s = spent.seconds * (callers * few.interactions) as f64;
        if turn_s > LONG_S {
            return (few, 1);
        }
    }
    let interactions = few.interactions as f64 * TURN_S / turn_s;
    (Load { interactions: (interactions as usize).clamp(1, INTERACTIONS_MAX), ..few }, ROUNDS)
}

/// How many messages one ticket keeps if callers say theirs to it at once.
async fn kept(contender: &Arc<dyn Contender>) -> usize {
    if let Some(kept) = contender.kept_apart(AT_ONCE).await {
        return kept;
    }
    let id = format!("b{:016x}", fastrand::u64(..));
    contender.prepare(std::slice::from_ref(&id), AT_ONCE.history).await;
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE.callers {
        let (contender, id) = (Arc::clone(contender), id.clone());
        callers.spawn(async move {
            for number in 0..AT_ONCE.interactions {
                contender.interact(&id, number).await;
            }
        });
    }
    callers.join_all().await;
    contender.messages(&id).await - AT_ONCE.history
}
