//! The commands of the fake Redis.

use std::collections::BTreeSet;

use super::data::Snapshot;
use super::modes::{Gate, Mode};
use super::requests::{Session, Transaction};
use super::resp::{Reply, Request};
use super::run::Run;
use super::scripts::{Kind, Script};
use super::server::Server;

impl Server {
    pub(super) fn serve(&mut self, session: &mut Session, name: &str, arguments: &[Vec<u8>], gate: &mut Gate) -> Reply {
        let now_ms = self.now_ms();
        self.data.expire(now_ms);
        match name {
            "multi" => {
                session.transaction = Some(Transaction::default());
                Reply::Simple("OK")
            }
            "exec" => Reply::error("ERR EXEC without MULTI"),
            "ping" if arguments.len() > 1 => Reply::error("ERR wrong number of arguments for 'ping' command"),
            "ping" => arguments.first().map_or(Reply::Simple("PONG"), |text| Reply::bulk(text.as_slice())),
            "auth" => self.auth(session, arguments),
            "hello" => hello(arguments),
            "select" => select(&arguments[0]),
            "time" => {
                let micros = self.now_us();
                let parts = [micros / 1_000_000, micros % 1_000_000];
                Reply::Array(parts.iter().map(|part| Reply::bulk(part.to_string())).collect())
            }
            "info" => Reply::bulk(self.info()),
            "client" => client(&arguments[0]),
            "config" => config(&arguments[1..]),
            "acl" => Reply::bulk("default"),
            "script" => self.script(arguments),
            "eval" | "evalsha" => self.evaluate(name == "evalsha", arguments, gate),
            "flushall" => {
                self.data = Snapshot::default();
                Reply::Simple("OK")
            }
            _ => of_keys(&mut self.data, name, arguments, now_ms),
        }
    }

    fn evaluate(&mut self, is_named: bool, arguments: &[Vec<u8>], gate: &mut Gate) -> Reply {
        const SHA1_DIGITS: usize = 40;
        let unknown = || Reply::error("NOSCRIPT No matching script. Please use EVAL.");
        if is_named && arguments[0].len() != SHA1_DIGITS {
            return unknown();
        }
        let keys = match integer(&arguments[1]) {
            None => return not_an_integer(),
            Some(count) if usize::try_from(count).is_ok_and(|count| count > arguments.len() - 2) => {
                return Reply::error("ERR Number of keys can't be greater than number of args");
            }
            Some(..0) => return Reply::error("ERR Number of keys can't be negative"),
            Some(count) => {
                usize::try_from(count).ok().and_then(|count| arguments.get(2..2 + count)).unwrap_or_default()
            }
        };
        let script = if is_named {
            let known = Script::by_sha1(&arguments[0]).filter(|script| self.scripts.contains(&script.kind));
            let Some(script) = known else { return unknown() };
            script
        } else {
            let Some(script) = Script::by_text(&arguments[0]) else { return unknown_script() };
            self.scripts.insert(script.kind);
            script
        };
        let (key, staged) = match (keys, script.kind) {
            ([key, staged], Kind::Replace) => (key.as_slice(), staged.as_slice()),
            ([key], kind) if kind != Kind::Replace => (key.as_slice(), &b""[..]),
            _ => return Reply::error("ERR Lua redis lib command arguments must be strings or integers"),
        };
        let now_ms = self.now_ms();
        let (data, arguments) = (&mut self.data, &arguments[2 + keys.len()..]);
        Run { script, data, gate, now_ms, key, staged, arguments, has_written: false }.run()
    }

    fn auth(&self, session: &mut Session, arguments: &[Vec<u8>]) -> Reply {
        let (user, password) = match arguments {
            [password] => (None, password),
            [user, password] => (Some(user), password),
            _ => return Reply::error("ERR syntax error"),
        };
        let is_right = match &self.password {
            None if user.is_none() => {
                return Reply::error(
                    "ERR AUTH <password> called without any password configured for the default user. \
                     Are you sure your configuration is correct?",
                );
            }
            None => true,
            Some(wanted) => password == wanted.as_bytes(),
        };
        if !is_right || user.is_some_and(|user| user != b"default") {
            return Reply::error("WRONGPASS invalid username-password pair or user is disabled.");
        }
        session.is_logged_in = true;
        Reply::Simple("OK")
    }

    fn info(&self) -> String {
        let (is_replica, is_loading) = (self.modes.contains(&Mode::Readonly), self.modes.contains(&Mode::Loading));
        let role = if is_replica { "slave" } else { "master" };
        let saved = if self.modes.contains(&Mode::Misconf) { "err" } else { "ok" };
        format!(
            "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:{}\r\n\r\n\
             # Clients\r\nconnected_clients:1\r\n\r\n\
             # Memory\r\nused_memory:1000000\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\r\n\
             # Persistence\r\nloading:{}\r\nrdb_last_bgsave_status:{saved}\r\naof_enabled:1\r\n\
             aof_last_write_status:ok\r\n\r\n\
             # Replication\r\nrole:{role}\r\nmaster_replid:{}\r\n",
            self.run_id,
            u8::from(is_loading),
            self.replid,
        )
    }

    /// SCRIPT FLUSH, or LOAD with a text.
    fn script(&mut self, arguments: &[Vec<u8>]) -> Reply {
        if arguments[0].eq_ignore_ascii_case(b"flush") {
            self.scripts.clear();
            return Reply::Simple("OK");
        }
        let Some(script) = arguments.get(1).and_then(|text| Script::by_text(text)) else { return unknown_script() };
        self.scripts.insert(script.kind);
        Reply::bulk(script.sha1.as_str())
    }
}

/// The scripts that a server has cached.
pub(super) type Cache = BTreeSet<Kind>;

fn of_keys(data: &mut Snapshot, name: &str, arguments: &[Vec<u8>], now_ms: u64) -> Reply {
    let key = &arguments[0];
    let count = |met: usize| Reply::Int(i64::try_from(met).expect("few keys"));
    match name {
        "hgetall" => match data.hash(key) {
            Err(error) => Reply::Error(error),
            Ok(None) => Reply::Array(Vec::new()),
            Ok(Some(hash)) => {
                let fields = hash.pairs().into_iter().flat_map(|(name, text)| [Reply::bulk(name), Reply::bulk(text)]);
                Reply::Array(fields.collect())
            }
        },
        "hset" if arguments.len().is_multiple_of(2) => Reply::error("ERR wrong number of arguments for 'hset' command"),
        "hset" => data.hset(key, &arguments[1..]).map_or_else(Reply::Error, Reply::Int),
        "copy" if arguments.len() > 2 => Reply::error("ERR syntax error"),
        "copy" => count(usize::from(data.copy(key, &arguments[1]))),
        "del" => count(arguments.iter().filter(|key| data.del(key)).count()),
        "exists" => count(arguments.iter().filter(|key| data.keys.contains_key(*key)).count()),
        "type" => Reply::Simple(data.kind(key)),
        "pexpiretime" => Reply::Int(data.expires(key)),
        "pexpireat" if arguments.len() > 2 => {
            Reply::error(format!("ERR Unsupported option {}", String::from_utf8_lossy(&arguments[2])))
        }
        "pexpireat" => match integer(&arguments[1]) {
            Some(deadline_ms) => Reply::Int(i64::from(data.pexpireat(key, deadline_ms, now_ms))),
            None => not_an_integer(),
        },
        "scan" => scan(data, arguments),
        _ => Reply::error(format!("ERR unknown subcommand of '{name}'")),
    }
}

/// A cursor is a hash of a key: a key that exists throughout is returned, whatever happens to others meanwhile.
fn scan(data: &Snapshot, arguments: &[Vec<u8>]) -> Reply {
    let cursor = std::str::from_utf8(&arguments[0]).ok().and_then(|digits| digits.parse::<u64>().ok());
    let Some(cursor) = cursor else { return Reply::error("ERR invalid cursor") };
    let (mut pattern, mut limit) = (&b"*"[..], 10);
    for option in arguments[1..].chunks(2) {
        match option {
            [name, text] if name.eq_ignore_ascii_case(b"match") => pattern = text,
            [name, text] if name.eq_ignore_ascii_case(b"count") => match integer(text) {
                None => return not_an_integer(),
                Some(count) => match usize::try_from(count) {
                    Ok(count) if count > 0 => limit = count,
                    Ok(_) | Err(_) => return Reply::error("ERR syntax error"),
                },
            },
            _ => return Reply::error("ERR syntax error"),
        }
    }
    let mut keys: Vec<(u64, &Vec<u8>)> = data.keys.keys().map(|key| (slot(key), key)).collect();
    keys.retain(|(slot, _)| *slot >= cursor);
    keys.sort_unstable();
    // Keys with the same hash are on the same page.
    let last = keys.get(limit - 1).map_or(u64::MAX, |(slot, _)| *slot);
    let next = keys.iter().find(|(slot, _)| *slot > last).map_or(0, |(slot, _)| *slot);
    let page = keys.iter().take_while(|(slot, _)| *slot <= last);
    let names = page.filter(|(_, key)| is_like(key, pattern)).map(|(_, key)| Reply::bulk(key.as_slice()));
    Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(names.collect())])
}

/// A hash of 48 bits, never 0, which means the end of a scan.
fn slot(key: &[u8]) -> u64 {
    let hash = key
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    1 + (hash >> 16)
}

/// Matches a pattern with `*`, `?` and `\`; character classes are not supported.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|from| is_like(&text[from..], rest)),
        ([b'?', rest @ ..], [_, text @ ..]) => is_like(text, rest),
        ([b'\\', wanted, rest @ ..] | [wanted, rest @ ..], [byte, text @ ..]) => byte == wanted && is_like(text, rest),
        _ => false,
    }
}

fn hello(arguments: &[Vec<u8>]) -> Reply {
    match arguments.first().map(Vec::as_slice) {
        None | Some(b"2") => {
            let text = |text: &str| Reply::bulk(text);
            Reply::Array(vec![
                text("server"),
                text("redis"),
                text("version"),
                text("7.2.4"),
                text("proto"),
                Reply::Int(2),
                text("mode"),
                text("standalone"),
                text("role"),
                text("master"),
            ])
        }
        Some(_) => Reply::error("NOPROTO unsupported protocol version"),
    }
}

fn select(index: &[u8]) -> Reply {
    match integer(index) {
        Some(0) => Reply::Simple("OK"),
        // There is only one database.
        Some(_) => Reply::error("ERR DB index is out of range"),
        None => not_an_integer(),
    }
}

fn client(what: &[u8]) -> Reply {
    match what.to_ascii_lowercase().as_slice() {
        b"id" => Reply::Int(1),
        b"getname" => Reply::Nil,
        _ => Reply::Simple("OK"),
    }
}

fn config(names: &[Vec<u8>]) -> Reply {
    let known = [("save", ""), ("appendonly", "yes"), ("maxmemory", "0"), ("maxmemory-policy", "noeviction")];
    let met = known.iter().filter(|(name, _)| names.iter().any(|wanted| is_like(name.as_bytes(), wanted)));
    Reply::Array(met.flat_map(|(name, value)| [Reply::bulk(*name), Reply::bulk(*value)]).collect())
}

pub(super) fn unknown(request: &Request) -> String {
    let name = String::from_utf8_lossy(&request[0]);
    let mut shown = String::new();
    for argument in &request[1..] {
        if shown.len() >= 128 {
            break;
        }
        shown += &format!("'{}' ", String::from_utf8_lossy(argument));
    }
    format!("ERR unknown command '{name}', with args beginning with: {shown}")
}

fn unknown_script() -> Reply {
    Reply::error("ERR Error compiling script (new function): user_script:1: the fake Redis does not know this script")
}

fn not_an_integer() -> Reply {
    Reply::error("ERR value is not an integer or out of range")
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok())
}
