//! Two hosts that share tickets in one Redis at the same time: this one and one in Python.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use ticket_host::store::Namespace;
use ticket_host::{Change, Fallback, Tickets};
use ticket_tests::RedisServer;
use ticket_tests::python::Agent;

const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/python/agent.py");
const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");
const NAMESPACE: &str = "together";
/// Writers in each host, and messages of each writer.
const WRITERS: usize = 2;
const MESSAGES: usize = 60;
/// A long time limit, because the machine may be slow.
const DEADLINE: Duration = Duration::from_secs(60);

/// The tests of this module.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("together/no_update_of_either_host_is_lost", || no_update_is_lost().map_err(Into::into)),
        Trial::test("together/snapshots_of_one_host_roll_back_in_the_other", || {
            snapshots_roll_back().map_err(Into::into)
        }),
    ]
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())
}

async fn native(url: &str) -> Result<Tickets, String> {
    let namespace = Namespace::parse(NAMESPACE).map_err(|error| error.to_string())?;
    let builder = Tickets::builder(url).namespace(namespace).fallback(Fallback::none()).deadline(DEADLINE);
    builder.open().await.map_err(|error| error.to_string())
}

fn python(url: &str) -> Agent {
    Agent::start(Path::new(AGENT), &[ENGINE, url, NAMESPACE])
}

/// The ticket in an answer of Python.
fn ticket(answer: &Value) -> Result<&Value, String> {
    answer.get("ticket").filter(|_| answer.get("error").is_none()).ok_or_else(|| answer.to_string())
}

fn no_update_is_lost() -> Result<(), String> {
    let server = RedisServer::start(&[]);
    let (url, runtime) = (server.url(), runtime()?);
    let tickets = runtime.block_on(native(&url))?;
    runtime.block_on(tickets.create(Some("shared"), &[])).map_err(|error| error.to_string())?;
    let mut agents: Vec<Agent> = (0..WRITERS).map(|_| python(&url)).collect();
    // In every round each writer says one message, all at the same time.
    for number in 0..MESSAGES {
        let ours = |writer: usize| {
            let message = Change::say(&format!("native{writer}-{number}"));
            runtime.block_on(tickets.apply("shared", &[message], None)).map(drop).map_err(|error| error.to_string())
        };
        let theirs = |(writer, agent): (usize, &mut Agent)| {
            let text = Value::from(format!("python{writer}-{number}")).to_string();
            ticket(&agent.step(&json!({"op": "apply", "id": "shared", "changes": [{"say": text}]}))).map(drop)
        };
        std::thread::scope(|round| {
            let ours = (0..WRITERS).map(|writer| round.spawn(move || ours(writer))).collect::<Vec<_>>();
            let theirs =
                agents.iter_mut().enumerate().map(|agent| round.spawn(move || theirs(agent))).collect::<Vec<_>>();
            let mut writers = ours.into_iter().chain(theirs);
            writers.try_for_each(|writer| writer.join().map_err(|_| "a writer panicked".to_owned())?)
        })?;
    }
    let history = runtime.block_on(tickets.get("shared")).map_err(|error| error.to_string())?.history;
    check(&serde_json::from_str::<Vec<String>>(&history).map_err(|error| error.to_string())?)
}

/// Checks that every message is there once, those of each writer in order, and that the hosts alternated.
fn check(history: &[String]) -> Result<(), String> {
    for writer in ["native0", "native1", "python0", "python1"] {
        let own: Vec<&String> = history.iter().filter(|message| message.starts_with(writer)).collect();
        let expected: Vec<String> = (0..MESSAGES).map(|number| format!("{writer}-{number}")).collect();
        if own != expected.iter().collect::<Vec<_>>() {
            return Err(format!("messages of {writer}: {own:?}"));
        }
    }
    let alternations = history.windows(2).filter(|pair| pair[0].as_bytes()[0] != pair[1].as_bytes()[0]).count();
    if history.len() != 2 * WRITERS * MESSAGES || alternations < MESSAGES {
        return Err(format!("{} messages, {alternations} of them after one of the other host", history.len()));
    }
    Ok(())
}

fn snapshots_roll_back() -> Result<(), String> {
    let server = RedisServer::start(&[]);
    let (url, runtime) = (server.url(), runtime()?);
    let mut agent = python(&url);
    runtime.block_on(async {
        let said = |error: ticket_host::Error| error.to_string();
        let tickets = native(&url).await?;
        let facts = Change::Learn(r#"{"n":1.0,"big":123456789012345678901}"#.into());
        let first = tickets.create(Some("t"), &[facts, Change::say("é")]).await.map_err(said)?;
        let ours = tickets.snapshot("t").await.map_err(said)?;

        let decided =
            agent.step(&json!({"op": "apply", "id": "t", "changes": [{"decide": "1"}], "at": first.revision}));
        let revision = ticket(&decided)?["revision"].as_str().unwrap_or_default().to_owned();
        let theirs =
            agent.step(&json!({"op": "snapshot", "id": "t"}))["snapshot"].as_str().unwrap_or_default().to_owned();
        let back = agent.step(&json!({"op": "rollback", "id": "t", "snapshot": ours, "at": revision}));
        let seen = tickets.get("t").await.map_err(said)?;
        equal("facts after a rollback in Python", &seen.facts, &first.facts)?;
        equal("decision after that rollback", &seen.last_decision, "{}")?;
        equal("revision in both hosts", &seen.revision, ticket(&back)?["revision"].as_str().unwrap_or_default())?;

        let forward = tickets.rollback("t", &theirs, Some(&seen.revision)).await.map_err(said)?;
        equal("decision after a rollback in this host", &forward.last_decision, "1")?;
        let stale = agent.step(&json!({"op": "close", "id": "t", "at": seen.revision}));
        equal("error at an old revision", stale["error"].as_str().unwrap_or_default(), "conflict")?;
        equal(
            "the ticket of the conflict",
            stale["ticket"]["revision"].as_str().unwrap_or_default(),
            &forward.revision,
        )?;
        tickets.close("t", None).await.map_err(said)?;
        let again = agent.step(&json!({"op": "restore", "snapshot": ours}));
        equal(
            "history after a restore in Python",
            ticket(&again)?["history"].as_str().unwrap_or_default(),
            &first.history,
        )
    })
}

fn equal(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found} is not {expected}")) }
}
