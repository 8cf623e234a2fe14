//! What becomes of a request: the checks before it, and whether it is executed at once or queued in a transaction.

use super::commands::unknown;
use super::faults::Fault;
use super::modes::{Gate, Traits};
use super::resp::{Reply, Request};
use super::server::Server;

/// The server's state of one client.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) is_logged_in: bool,
    pub(super) transaction: Option<Transaction>,
}

/// What was sent since `MULTI`.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    queued: Vec<Request>,
    /// Whether a command was refused.
    is_aborted: bool,
    /// Whether one of the commands writes, or may use more memory.
    traits: Traits,
}

/// A command: the least and most words, and its traits.
struct Form {
    words_min: usize,
    words_max: usize,
    before_login: bool,
    traits: Traits,
}

fn form(name: &str) -> Option<Form> {
    let plain = Traits::default();
    let early = Traits { while_loading: true, ..plain };
    let login = Traits { while_loading: true, while_busy: true, ..plain };
    let write = Traits { write: true, ..plain };
    let many = usize::MAX;
    let (words_min, words_max, traits) = match name {
        "ping" => (1, many, Traits { ping: true, ..plain }),
        "auth" => (2, many, login),
        "hello" => (1, many, login),
        "select" => (2, 2, early),
        "time" => (1, 1, early),
        "info" => (1, many, early),
        "client" | "config" | "acl" => (2, many, early),
        "scan" | "exists" => (2, many, plain),
        "hgetall" | "pexpiretime" | "type" => (2, 2, plain),
        "hset" => (4, many, Traits { grows: true, ..write }),
        "pexpireat" => (3, many, write),
        "del" => (2, many, write),
        "copy" => (3, many, Traits { grows: true, ..write }),
        "multi" => (1, 1, login),
        "exec" => (1, 1, early),
        "flushall" => (1, many, write),
        "script" => (2, many, plain),
        "eval" | "evalsha" => (3, many, plain),
        _ => return None,
    };
    Some(Form { words_min, words_max, before_login: matches!(name, "auth" | "hello"), traits })
}

/// Whether a command has this subcommand.
fn is_subcommand(name: &str, what: &[u8]) -> bool {
    let known: &[&str] = match name {
        "client" => &["setinfo", "setname", "getname", "id"],
        "config" => &["get"],
        "acl" => &["whoami"],
        "script" => &["flush", "load"],
        _ => return true,
    };
    known.iter().any(|known| what.eq_ignore_ascii_case(known.as_bytes()))
}

impl Server {
    /// Answers a request with this fault.
    pub(super) fn execute(&mut self, session: &mut Session, request: &Request, fault: Option<Fault>) -> Reply {
        let Some(first) = request.first() else { return Reply::error("ERR unknown command") };
        let name = String::from_utf8_lossy(first).to_ascii_lowercase();
        let is_exec = name == "exec";
        let traits = session.transaction.as_ref().filter(|_| is_exec).map(|transaction| transaction.traits);
        let mut modes = self.modes.clone();
        let drawn = if let Some(Fault::Mode(mode)) = fault { Some(mode) } else { None };
        modes.extend(drawn);
        let mut gate = Gate::new(modes);
        let checked = self.check(session, &name, request, fault, &mut gate, traits);
        let reply = match (checked, &mut session.transaction) {
            (Err(error), Some(_)) if is_exec => {
                session.transaction = None;
                Reply::Error(format!("EXECABORT Transaction discarded because of: {error}"))
            }
            (Err(error), transaction) => {
                transaction.iter_mut().for_each(|transaction| transaction.is_aborted = true);
                Reply::Error(error)
            }
            (Ok(_), Some(_)) if is_exec => self.exec(session, &mut gate),
            (Ok(_), Some(_)) if name == "multi" => Reply::error("ERR MULTI calls can not be nested"),
            (Ok(traits), Some(transaction)) => {
                transaction.traits.write |= traits.write;
                transaction.traits.grows |= traits.grows;
                transaction.queued.push(request.clone());
                Reply::Simple("QUEUED")
            }
            (Ok(_), None) => self.serve(session, &name, &request[1..], &mut gate),
        };
        if let Some(mode) = drawn.filter(|mode| gate.has_met(*mode)) {
            self.count(Fault::Mode(mode).name());
        }
        reply
    }

    /// What Redis checks before it runs or queues a command: the error, or its traits.
    fn check(
        &mut self,
        session: &Session,
        name: &str,
        request: &Request,
        fault: Option<Fault>,
        gate: &mut Gate,
        of_transaction: Option<Traits>,
    ) -> Result<Traits, String> {
        let Some(form) = form(name) else { return Err(unknown(request)) };
        if !(form.words_min..=form.words_max).contains(&request.len()) {
            return Err(format!("ERR wrong number of arguments for '{name}' command"));
        }
        if let Some(what) = request.get(1).filter(|what| !is_subcommand(name, what)) {
            let what = String::from_utf8_lossy(what);
            let command = name.to_ascii_uppercase();
            return Err(format!("ERR unknown subcommand '{what}'. Try {command} HELP."));
        }
        let is_denied = fault == Some(Fault::Noauth);
        if !form.before_login && (is_denied || (self.password.is_some() && !session.is_logged_in)) {
            if is_denied {
                self.count(Fault::Noauth.name());
            }
            return Err("NOAUTH Authentication required.".to_owned());
        }
        if self.forbids_transactions && matches!(name, "multi" | "exec") {
            return Err(format!("NOPERM User default has no permissions to run the '{name}' command"));
        }
        // With full memory nothing is queued.
        let is_queued = session.transaction.is_some() && name != "exec";
        let own = Traits { grows: form.traits.grows || is_queued, ..form.traits };
        let traits = of_transaction.map_or(own, |all| Traits { write: all.write, grows: all.grows, ..own });
        gate.check(traits)?;
        Ok(form.traits)
    }

    /// Executes what was queued; nothing comes in between.
    fn exec(&mut self, session: &mut Session, gate: &mut Gate) -> Reply {
        let Some(transaction) = session.transaction.take() else { return Reply::error("ERR EXEC without MULTI") };
        if transaction.is_aborted {
            return Reply::error("EXECABORT Transaction discarded because of previous errors.");
        }
        let one = |request: &Request| {
            let name = String::from_utf8_lossy(&request[0]).to_ascii_lowercase();
            self.serve(session, &name, &request[1..], gate)
        };
        Reply::Array(transaction.queued.iter().map(one).collect())
    }
}
