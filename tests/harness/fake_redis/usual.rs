//! The scripts of the usual write.

use super::data::Hash;
use super::resp::Reply;
use super::run::{Done, Run, digits, float, same};

impl Run<'_> {
    pub(super) fn in_place(&mut self) -> Done {
        if !self.has_parts() || !same(float(self.hash().len() as u64), self.number(8)?) {
            return Ok(Reply::Nil);
        }
        let kept: usize = digits(self.number(9)?).parse().map_err(|_| Reply::error("ERR a count"))?;
        let created_at = self.hash().get(b"created_at").unwrap_or_default().to_vec();
        let probed = self.hset(&[b"created_at".to_vec(), created_at]);
        self.called(probed, "call('HSET', key, 'created_at', times[1])")?;
        let set = self.pexpireat(self.number(7)?);
        self.called(set, "call('PEXPIREAT', key, ARGV[7])")?;
        let set = self.hset(self.arguments.get(9 + kept..).unwrap_or_default());
        self.called(set, "call('HSET', key, unpack(ARGV, first))")?;
        Ok(self.time())
    }

    pub(super) fn replace(&mut self) -> Done {
        if !self.has_parts() {
            return Ok(Reply::Nil);
        }
        if let Some(mark) = self.argument(8) {
            let marked = self.unmark(mark).map_err(|error| self.script.error(&error, "'HDEL', staged"))?;
            let count = self.data.hash(self.staged).ok().flatten().map_or(0, Hash::len);
            if !marked || !same(float(count as u64), self.number(9)?) {
                return Ok(Reply::Nil);
            }
        }
        let set = self.pexpireat_of(self.staged, self.number(7)?);
        self.called(set, "call('PEXPIREAT', staged, ARGV[7])")?;
        let renamed = self.rename(self.staged, self.key);
        self.called(renamed, "call('RENAME', staged, key)")?;
        Ok(self.time())
    }

    /// As the command `TIME`.
    fn time(&self) -> Reply {
        let parts = [self.now_ms / 1_000, self.now_ms % 1_000 * 1_000];
        Reply::Array(parts.iter().map(|part| Reply::bulk(part.to_string())).collect())
    }

    /// Whether the entry has the parts of the revision that are given.
    fn has_parts(&self) -> bool {
        let Ok(Some(hash)) = self.data.hash(self.key) else { return false };
        let is_number = |at, number: f64| self.number(at).is_ok_and(|given| same(given, number));
        let is_long = |at, name: &str| is_number(at, float(hash.get(name.as_bytes()).unwrap_or_default().len() as u64));
        hash.get(b"created_at").is_some_and(|text| self.argument(2) == Some(text))
            && hash.get(b"updated_at").is_some_and(|text| self.argument(3) == Some(text))
            && hash.get(b"version").is_some()
            && is_number(1, self.expires())
            && is_long(4, "facts")
            && is_long(5, "history")
            && is_long(6, "last_decision")
    }

    /// Removes the mark of a staged entry; whether it was there.
    fn unmark(&mut self, mark: &[u8]) -> Result<bool, String> {
        self.may_write(false)?;
        let is_there = self.data.hash(self.staged)?.is_some_and(|hash| hash.get(mark).is_some());
        self.data.hdel(self.staged, mark)?;
        Ok(is_there)
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        self.may_write(false)?;
        self.data.rename(from, to)
    }
}
