//! The scripts of the host, executed in Rust step by step with the same answers as on a server.

use std::collections::BTreeSet;

use super::data::{Hash, Snapshot};
use super::modes::Gate;
use super::resp::Reply;
use super::scripts::{Kind, Script};

/// As in entry.lua.
const BYTES_MAX: usize = 16_777_216;
const MARGIN_MS: f64 = 20.0;

/// One run of a script on one key.
pub(super) struct Run<'run> {
    pub(super) script: &'static Script,
    pub(super) data: &'run mut Snapshot,
    pub(super) gate: &'run mut Gate,
    pub(super) now_ms: u64,
    pub(super) key: &'run [u8],
    /// The second key, empty without one.
    pub(super) staged: &'run [u8],
    pub(super) arguments: &'run [Vec<u8>],
    pub(super) has_written: bool,
}

/// The answer, or the error that ended the script.
pub(super) type Done = Result<Reply, Reply>;

impl Run<'_> {
    pub(super) fn run(mut self) -> Reply {
        let done = match self.script.kind {
            Kind::Read => self.read(),
            Kind::Write => self.write(),
            Kind::InPlace => self.in_place(),
            Kind::Replace => self.replace(),
            Kind::Touch => self.touch(),
            Kind::Remove => self.remove(),
            Kind::Probe => self.probe(),
        };
        done.unwrap_or_else(|error| error)
    }

    fn read(&mut self) -> Done {
        match self.kind() {
            "none" => Ok(tagged(&["none"])),
            "hash" => self.entry("entry"),
            other => Ok(tagged(&["type", other])),
        }
    }

    fn remove(&mut self) -> Done {
        let condition = self.argument(2).unwrap_or_default();
        let kind = self.kind();
        if kind == "none" {
            let done = condition == b"absent" || self.is_repeated();
            return Ok(tagged(&[if done { "removed" } else { "refused" }]));
        }
        if condition != b"present" {
            if kind != "hash" {
                return Ok(tagged(&["type", kind]));
            }
            if condition == b"absent" || !self.is_at(self.argument(3)) {
                return self.refused();
            }
        }
        let deleted = self.del();
        self.called(deleted, "redis.call('DEL', key)")?;
        Ok(tagged(&["removed"]))
    }

    fn touch(&mut self) -> Done {
        let (wanted, slack, ahead_max) = (self.number(2)?, self.number(3)?, self.number(4)?);
        let base = self.argument(5);
        match self.kind() {
            "none" => return Ok(tagged(&["refused"])),
            "hash" => {}
            other => return Ok(tagged(&["type", other])),
        }
        // A missing base differs from an empty one.
        if base != Some(b"") && !self.is_at(base) {
            return self.refused();
        }
        if let Some(mistake) = self.mistaken(wanted, ahead_max) {
            return Ok(mistake);
        }
        let wanted = deadline(wanted, slack, self.expires());
        let state = self.revision(wanted);
        let set = self.pexpireat(wanted);
        self.called(set, "redis.call('PEXPIREAT', key, number(wanted))")?;
        Ok(tagged(&["written", &digits(wanted), &self.now_ms.to_string(), &state]))
    }

    fn write(&mut self) -> Done {
        let condition = self.argument(2).unwrap_or_default();
        let (mut wanted, slack, ahead_max) = (self.number(4)?, self.number(5)?, self.number(6)?);
        let kind = self.kind();
        if kind != "none" && kind != "hash" && condition != b"present" {
            return Ok(tagged(&["type", kind]));
        }
        let expires = self.expires();
        let is_this = self.is_repeated() && kind == "hash" && same(expires, wanted) && self.is_written();
        if !is_this {
            let holds = match condition {
                b"absent" => kind == "none",
                b"present" => kind != "none",
                _ => kind == "hash" && self.is_at(self.argument(3)),
            };
            if !holds {
                return self.refused();
            }
            if let Some(mistake) = self.mistaken(wanted, ahead_max) {
                return Ok(mistake);
            }
            if kind == "hash" {
                if condition == b"present" {
                    wanted = deadline(wanted, slack, expires);
                }
                self.overwrite(wanted)?;
            } else {
                if kind != "none" {
                    wanted = deadline(wanted, slack, expires);
                }
                self.write_anew(wanted)?;
            }
        }
        Ok(tagged(&["written", &digits(wanted), &self.now_ms.to_string()]))
    }

    /// Writes over a hash, with the commands that may fail first.
    fn overwrite(&mut self, wanted: f64) -> Result<(), Reply> {
        let given = self.given();
        let mut others: Vec<Vec<u8>> = self.hash().pairs().iter().map(|(name, _)| name.to_vec()).collect();
        let names: BTreeSet<&Vec<u8>> = given.iter().step_by(2).collect();
        others.retain(|name| !names.contains(name));
        if !others.is_empty() {
            let answer = self.hdel(b"no field of a ticket");
            self.called(answer, "redis.call('HDEL', key, 'no field of a ticket')")?;
        }
        if let Some(created_at) = self.hash().get(b"created_at").map(<[u8]>::to_vec) {
            let set = self.hset(&[b"created_at".to_vec(), created_at]);
            self.called(set, "redis.call('HSET', key, 'created_at', created_at)")?;
        }
        let set = self.pexpireat(wanted);
        self.called(set, "redis.call('PEXPIREAT', key, number(wanted))")?;
        self.set_fields(given)?;
        for name in others {
            let removed = self.hdel(&name);
            self.called(removed, "redis.call('HDEL', key, name)")?;
        }
        Ok(())
    }

    /// Writes a new hash, over a value of another type if there is one.
    fn write_anew(&mut self, wanted: f64) -> Result<(), Reply> {
        let given = self.given();
        if self.kind() != "none" {
            match self.hset(&[given.first().cloned().unwrap_or_default(), Vec::new()]) {
                Err(error) if error.starts_with("WRONGTYPE") => {}
                // An error of `pcall` names no line.
                answer => return Err(Reply::error(answer.expect_err("no hash"))),
            }
            let deleted = self.del();
            self.called(deleted, "redis.call('DEL', key)")?;
        }
        self.set_fields(given)?;
        match self.pexpireat(wanted) {
            Ok(()) => Ok(()),
            Err(error) => {
                let deleted = self.del();
                self.called(deleted, "redis.call('DEL', key)")?;
                Err(Reply::error(error))
            }
        }
    }

    fn probe(&mut self) -> Done {
        let mut failed = Vec::new();
        let mut note = |name: &str, done: Result<(), String>| {
            if let Err(error) = done {
                failed.extend([Reply::bulk(name), Reply::bulk(error)]);
            }
        };
        note("HSET", self.hset(&[b"probe".to_vec(), b"1".to_vec()]));
        note("PEXPIREAT", self.pexpireat(float(self.now_ms) + 1_000.0));
        for name in ["HGETALL", "HLEN", "HKEYS", "HGET", "HMGET", "HSTRLEN"] {
            note(name, self.data.hash(self.key).map(drop));
        }
        note("HDEL", self.hdel(b"probe"));
        note("DEL", self.del());
        Ok(Reply::Array(failed))
    }

    fn set_fields(&mut self, given: &[Vec<u8>]) -> Result<(), Reply> {
        // The same chunks as in the script; an error names the first of these calls.
        for chunk in given.chunks(2_000) {
            let set = self.hset(chunk);
            self.called(set, "redis.call('HSET', key, unpack(ARGV")?;
        }
        Ok(())
    }

    /// An error of `redis.call` ends the script and names its line.
    pub(super) fn called(&self, done: Result<(), String>, code: &str) -> Result<(), Reply> {
        done.map_err(|error| self.script.error(&error, code))
    }
}

/// The commands with which scripts write.
impl Run<'_> {
    pub(super) fn may_write(&mut self, grows: bool) -> Result<(), String> {
        self.gate.check_in_script(grows, self.has_written)?;
        self.has_written = true;
        Ok(())
    }

    pub(super) fn hset(&mut self, given: &[Vec<u8>]) -> Result<(), String> {
        self.may_write(true)?;
        self.data.hset(self.key, given).map(drop)
    }

    fn hdel(&mut self, name: &[u8]) -> Result<(), String> {
        self.may_write(false)?;
        self.data.hdel(self.key, name)
    }

    fn del(&mut self) -> Result<(), String> {
        self.may_write(false)?;
        self.data.del(self.key);
        Ok(())
    }

    pub(super) fn pexpireat(&mut self, deadline: f64) -> Result<(), String> {
        self.pexpireat_of(self.key, deadline)
    }

    pub(super) fn pexpireat_of(&mut self, key: &[u8], deadline: f64) -> Result<(), String> {
        self.may_write(false)?;
        let deadline_ms = digits(deadline).parse().map_err(|_| "ERR value is not an integer or out of range")?;
        self.data.pexpireat(key, deadline_ms, self.now_ms);
        Ok(())
    }
}

/// The functions of entry.lua.
impl<'run> Run<'run> {
    /// Counted from one, as in Lua.
    pub(super) fn argument(&self, at: usize) -> Option<&'run [u8]> {
        self.arguments.get(at - 1).map(Vec::as_slice)
    }

    pub(super) fn number(&self, at: usize) -> Result<f64, Reply> {
        let text = self.argument(at).and_then(|bytes| std::str::from_utf8(bytes).ok());
        // The host never sends anything else, so the text of this error does not matter.
        text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| Reply::error("ERR attempt to use a nil value"))
    }

    /// The fields that a write gives.
    fn given(&self) -> &'run [Vec<u8>] {
        self.arguments.get(6..).unwrap_or_default()
    }

    fn is_repeated(&self) -> bool {
        self.argument(1) == Some(b"1")
    }

    fn kind(&self) -> &'static str {
        self.data.kind(self.key)
    }

    pub(super) fn hash(&self) -> &Hash {
        self.data.hash(self.key).ok().flatten().expect("looked at before")
    }

    #[expect(clippy::cast_precision_loss, reason = "Lua has no other numbers")]
    pub(super) fn expires(&self) -> f64 {
        self.data.expires(self.key) as f64
    }

    fn is_at(&self, base: Option<&[u8]>) -> bool {
        base == Some(self.revision(self.expires()).as_bytes())
    }

    fn revision(&self, expires: f64) -> String {
        let text = |name: &str| self.hash().get(name.as_bytes()).unwrap_or_default();
        format!(
            "{}.{}.{}.{}.{}.{}",
            digits(expires.max(0.0)),
            seconds(text("created_at")),
            seconds(text("updated_at")),
            text("facts").len(),
            text("history").len(),
            text("last_decision").len()
        )
    }

    fn is_written(&self) -> bool {
        let (hash, given) = (self.hash(), self.given());
        hash.len() == given.len() / 2 && given.chunks_exact(2).all(|pair| hash.get(&pair[0]) == Some(&pair[1]))
    }

    fn entry(&self, tag: &str) -> Done {
        let pairs = self.hash().pairs();
        if pairs.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>() > BYTES_MAX {
            return Ok(tagged(&["large"]));
        }
        let fields = pairs.into_iter().flat_map(|(name, text)| [Reply::bulk(name), Reply::bulk(text)]);
        let expires = digits(self.expires().max(0.0));
        Ok(Reply::Array(vec![Reply::bulk(tag), Reply::bulk(expires), Reply::Array(fields.collect())]))
    }

    fn refused(&self) -> Done {
        if self.kind() == "none" { Ok(tagged(&["refused"])) } else { self.entry("refused") }
    }

    fn mistaken(&self, wanted: f64, ahead_max: f64) -> Option<Reply> {
        let now = float(self.now_ms);
        let mistaken = wanted <= now + MARGIN_MS || wanted > now + ahead_max;
        mistaken.then(|| tagged(&["clock", &self.now_ms.to_string()]))
    }
}

fn deadline(wanted: f64, slack: f64, expires: f64) -> f64 {
    if expires >= wanted && expires - wanted <= slack { expires + 1.0 } else { wanted }
}

fn seconds(text: &[u8]) -> &str {
    match std::str::from_utf8(text) {
        Ok(digits) if digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        Ok(_) | Err(_) => "?",
    }
}

fn tagged(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(|text| Reply::bulk(*text)).collect())
}

/// As `%.0f`.
pub(super) fn digits(number: f64) -> String {
    format!("{number:.0}")
}

#[expect(clippy::float_cmp, reason = "whole numbers, as Lua compares them")]
pub(super) fn same(one: f64, other: f64) -> bool {
    one == other
}

#[expect(clippy::cast_precision_loss, reason = "Lua has no other numbers")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
