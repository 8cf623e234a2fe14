//! A real server and the fake Redis, given the same commands at random.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use redis::aio::MultiplexedConnection;
use redis::{Arg, Cmd, Value, cmd};
use ticket_tests::RedisServer;
use ticket_tests::fake_redis::{FakeRedis, Kind, Script};
use ticket_tests::seed::rng;

use super::{ask, client, eval, words};

/// As the host's furthest deadline from now.
const AHEAD_MS_MAX: u64 = 31_622_400_000;
/// More than the two servers' clocks and the calls to them are apart, on a busy machine.
const TOLERANCE_MS: u64 = 5_000;
const KEYS: [&str; 5] = ["ticket:a", "ticket:b", "ticket:c", "s:ticket:d", "ticket:e"];

/// A real server and the fake Redis, which are given the same commands.
pub(super) struct Pair {
    pub(super) real: MultiplexedConnection,
    pub(super) fake_redis: FakeRedis,
    ours: MultiplexedConnection,
    rng: Rng,
    tags: BTreeMap<String, u32>,
    last: Option<Cmd>,
}

impl Pair {
    pub(super) async fn new(server: &RedisServer, name: &str) -> Self {
        let real = server.client().await;
        let time: (u64, u64) = cmd("TIME").query_async(&mut real.clone()).await.unwrap();
        let rng = rng(name);
        let fake_redis = FakeRedis::new(time.0 * 1_000 + time.1 / 1_000, 1);
        let ours = client(&fake_redis).await;
        Self { real, fake_redis, ours, rng, tags: BTreeMap::new(), last: None }
    }

    /// Gives both the command; the answers must be the same.
    pub(super) async fn both(&mut self, command: &Cmd) -> Value {
        let theirs = ask(&self.real, command).await.expect("answer of the real server");
        let ours = ask(&self.ours, command).await.expect("answer of the fake Redis");
        let shown = String::from_utf8_lossy(&command.get_packed_command()).into_owned();
        // The scripts are long and well known.
        let shown = &shown[shown.char_indices().rev().nth(600).map_or(0, |(at, _)| at)..];
        let mut times = [Vec::new(), Vec::new()];
        assert_eq!(
            masked(ours, &mut times[0]),
            masked(theirs.clone(), &mut times[1]),
            "the real server last, after {shown:?}"
        );
        let [ours, real] = times;
        assert_eq!(ours.len(), real.len());
        assert!(ours.iter().zip(&real).all(|(ours, real)| ours.abs_diff(*real) < TOLERANCE_MS), "{ours:?} {real:?}");
        *self.tags.entry(tag(&theirs)).or_default() += 1;
        theirs
    }

    pub(super) async fn both_words(&mut self, text: &[&str]) -> Value {
        self.both(&words(text)).await
    }

    fn one_of<'item>(&mut self, items: &[&'item str]) -> &'item str {
        items[self.rng.usize(..items.len())]
    }

    /// The revision that is there now, or one that might be.
    fn revision(&mut self, key: &str) -> String {
        let (fields, deadline_ms) = self.fake_redis.entry(key).unwrap_or_default();
        let text = |name: &str| fields.get(name).map_or("", String::as_str);
        let seconds = |name: &str| {
            let text = text(name);
            if text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) { text } else { "?" }
        };
        let lengths = [text("facts").len(), text("history").len(), text("last_decision").len()];
        let mut revision = format!("{deadline_ms}.{}.{}", seconds("created_at"), seconds("updated_at"));
        lengths.iter().for_each(|length| revision += &format!(".{length}"));
        match self.rng.u8(..12) {
            0 => revision.push('0'),
            1 => revision.clear(),
            2 => revision.replace_range(0..1, "9"),
            _ => {}
        }
        revision
    }

    /// A deadline: ahead as a host wants it, near what is there, past, or too far.
    fn deadline(&mut self, key: &str) -> u64 {
        let now_ms = self.fake_redis.now_ms();
        let stored_ms = self.fake_redis.entry(key).map_or(0, |(_, deadline_ms)| deadline_ms);
        match self.rng.u8(..20) {
            0 => now_ms - self.rng.u64(0..100_000),
            1 => now_ms + self.rng.u64(0..5),
            2 => now_ms + AHEAD_MS_MAX + TOLERANCE_MS + self.rng.u64(0..100_000),
            3..=8 if stored_ms > now_ms + 60_000 => {
                stored_ms - [0, 1, 7, 999, 1_000, 1_001, 2_000][self.rng.usize(..7)]
            }
            _ => now_ms + self.rng.u64(120_000..4_000_000),
        }
    }

    fn text(&mut self) -> Vec<u8> {
        match self.rng.u8(..12) {
            0 => Vec::new(),
            1 => vec![0xff, b'\r', b'\n', 0],
            2 => vec![b'x'; self.rng.usize(50..300)],
            3 => "grün".into(),
            4 => b"12a".to_vec(),
            5 => vec![b'1'; self.rng.usize(19..23)],
            6 => b"\n17".to_vec(),
            _ => self.rng.u32(..2_000).to_string().into_bytes(),
        }
    }

    /// Names and texts, now and then a name twice.
    fn fields(&mut self) -> Vec<Vec<u8>> {
        const NAMES: [&str; 7] = ["facts", "history", "last_decision", "created_at", "updated_at", "more", ""];
        let mut fields = Vec::new();
        for _ in 0..self.rng.usize(1..9) {
            let name = self.one_of(&NAMES);
            let again = fields.iter().step_by(2).any(|given: &Vec<u8>| given == name.as_bytes());
            if !again || self.rng.u8(..20) == 0 {
                fields.extend([name.into(), self.text()]);
            }
        }
        fields
    }

    /// A call of a script, as the host makes it and as no host makes it.
    fn script(&mut self, key: &str) -> Cmd {
        let by_name = self.rng.u8(..4) > 0;
        let mut arguments = vec![if self.rng.u8(..4) == 0 { b"1".to_vec() } else { Vec::new() }];
        let kind = [Kind::Read, Kind::Write, Kind::Write, Kind::Touch, Kind::Remove, Kind::Probe][self.rng.usize(..6)];
        let condition = self.one_of(&["absent", "present", "at", "at"]);
        let revision = self.revision(key);
        let deadline_ms = self.deadline(key);
        let deadline = [deadline_ms, self.rng.u64(900..1_100), AHEAD_MS_MAX].map(|number| number.to_string().into());
        match kind {
            Kind::Read => {}
            Kind::Remove => arguments.extend([condition.into(), revision.into()]),
            Kind::Touch => {
                arguments.extend(deadline);
                match self.rng.u8(..8) {
                    0 => {}
                    1..=3 => arguments.push(revision.into()),
                    _ => arguments.push(Vec::new()),
                }
            }
            Kind::Write => {
                arguments.extend([condition.into(), revision.into()]);
                arguments.extend(deadline);
                arguments.extend(self.fields());
            }
            Kind::InPlace | Kind::Replace => unreachable!("the usual write"),
            Kind::Probe => return eval(kind, by_name, "probe:none", &arguments),
        }
        eval(kind, by_name, key, &arguments)
    }

    /// What foreign clients do, and what they do wrong.
    fn plain(&mut self, key: &str) -> Cmd {
        let now_ms = self.fake_redis.now_ms();
        let ahead_ms = (now_ms + self.rng.u64(120_000..4_000_000)).to_string();
        match self.rng.u8(..24) {
            0 => words(&["HGETALL", key]),
            1..=4 => {
                let mut set = words(&["HSET", key]);
                set.arg(self.fields());
                set
            }
            5 => words(&["DEL", key, "ticket:none", key]),
            6 => words(&["PEXPIREAT", key, &ahead_ms]),
            7 => words(&["PEXPIREAT", key, self.one_of(&["1", "-1", "x", "99999999999999999999"])]),
            8 => words(&["PEXPIRETIME", key]),
            9 => words(&["TYPE", key]),
            10 => words(&["EXISTS", key, "ticket:a", key]),
            11 => words(&["PING"]),
            12 => words(&["TIME"]),
            13 => words(&["SCRIPT", self.one_of(&["FLUSH", "flush", "FOO"])]),
            14 => words(&[self.one_of(&["BOGUS", "ping", "hget'"]), "a", key]),
            15 => words(&[self.one_of(&["HSET", "HGETALL", "TYPE", "AUTH", "EVAL", "SCAN", "SELECT"])]),
            16 => words(&["AUTH", "secret"]),
            17 => words(&["SELECT", self.one_of(&["0", "99", "x"])]),
            18 => words(&["EVALSHA", &"ab".repeat(20), self.one_of(&["1", "2", "x"]), key]),
            19 => words(&["ACL", "WHOAMI"]),
            20 => words(&["CONFIG", "GET", self.one_of(&["maxmemory-policy", "none"])]),
            21 => words(&["SCAN", self.one_of(&["x", "0"]), self.one_of(&["COUNT", "FOO"]), "0"]),
            22 if self.rng.u8(..4) == 0 => words(&["FLUSHALL"]),
            _ => eval(Kind::Read, true, key, &[Vec::new()]),
        }
    }

    async fn step(&mut self) {
        let key = self.one_of(&KEYS);
        match self.rng.u8(..20) {
            0 => {
                let planted = ask(&self.real, &words(&["SET", key, "x"])).await.unwrap();
                // A server that cannot write has planted nothing.
                if planted == Value::Okay {
                    self.fake_redis.plant_string(key);
                }
            }
            1 => self.listing().await,
            8..=11 => self.usual(key).await,
            2..=4 => {
                let command = self.plain(key);
                self.both(&command).await;
            }
            5..=7 if self.last.is_some() => {
                let last = self.last.take().expect("a call");
                self.both(&last).await;
            }
            _ => {
                let call = self.script(key);
                self.both(&call).await;
                let mark = self.one_of(&["1", "1", ""]);
                self.last = self.rng.bool().then(|| again(&call, mark));
            }
        }
    }

    /// A usual write, as the host sends it and as no host does.
    async fn usual(&mut self, key: &str) {
        if self.rng.u8(..4) > 0 {
            self.both_words(&["HSET", key, "created_at", "17", "updated_at", "18", "version", "1"]).await;
            let later_ms = (self.fake_redis.now_ms() + self.rng.u64(120_000..4_000_000)).to_string();
            self.both_words(&["PEXPIREAT", key, &later_ms]).await;
        }
        let (revision, fields) = (self.revision(key), self.fields());
        let stored = self.fake_redis.entry(key).map(|(fields, _)| fields).unwrap_or_default();
        let set = fields.iter().step_by(2).map(|name| String::from_utf8_lossy(name).into_owned());
        let count = stored.into_keys().chain(set).collect::<BTreeSet<_>>().len() + self.rng.usize(..8) / 7;
        let mut arguments: Vec<Vec<u8>> = revision.split('.').map(Into::into).collect();
        arguments.resize(6, b"x".to_vec());
        // The usual write does not look at the clock: a deadline that is over soon is over for one server only.
        let soon_ms = self.fake_redis.now_ms() + 1_000;
        let deadline_ms = Some(self.deadline(key))
            .filter(|ms| !(soon_ms - 1_000..soon_ms).contains(ms))
            .unwrap_or(soon_ms + TOLERANCE_MS);
        arguments.push(deadline_ms.to_string().into());
        if self.rng.bool() {
            self.in_place(key, arguments, count, fields).await
        } else {
            self.staged(key, arguments, count, fields).await
        }
    }

    async fn in_place(&mut self, key: &str, mut arguments: Vec<Vec<u8>>, count: usize, fields: Vec<Vec<u8>>) {
        let kept = ["facts", "version"].into_iter().take(self.rng.usize(..3));
        arguments.extend([count, kept.len()].map(|number| number.to_string().into()));
        arguments.extend(kept.map(Into::into));
        arguments.extend(fields);
        let by_name = self.rng.u8(..4) > 0;
        let answer = self.both(&usual_script(Kind::InPlace, by_name, &[key], &arguments)).await;
        self.count_usual("in place", &answer);
    }

    async fn staged(&mut self, key: &str, mut arguments: Vec<Vec<u8>>, count: usize, fields: Vec<Vec<u8>>) {
        let staged = format!("{key}{{{key}}}1");
        let (is_copied, by_name) = (self.rng.bool(), self.rng.u8(..4) > 0);
        let mark = self.one_of(&["mark", "mark", "mark", "other"]);
        if is_copied {
            arguments.extend([mark.into(), count.to_string().into(), b"facts".to_vec()]);
        }
        let call = usual_script(Kind::Replace, by_name, &[key, &staged], &arguments);
        let mut commands = vec![words(&["MULTI"])];
        commands.extend(is_copied.then(|| words(&["COPY", key, &staged])));
        let mut set = words(&["HSET", &staged]);
        set.arg(fields);
        if is_copied {
            set.arg("mark").arg("");
        }
        commands.extend([set, call, words(&["DEL", &staged])]);
        match self.rng.u8(..16) {
            0 => commands.insert(1, words(&["MULTI"])),
            1 => commands.insert(1, words(&["HSET", key])),
            2 => drop(commands.remove(0)),
            _ => {}
        }
        for command in commands {
            self.both(&command).await;
        }
        let executed = self.both(&words(&["EXEC"])).await;
        if let Value::Array(results) = executed {
            self.count_usual("replace", results.iter().nth_back(1).expect("of the script"));
        }
    }

    fn count_usual(&mut self, script: &str, answer: &Value) {
        let result = match answer {
            Value::Array(_) => "done".to_owned(),
            Value::Nil => "refused".to_owned(),
            result => tag(result),
        };
        *self.tags.entry(format!("{script} {result}")).or_default() += 1;
    }

    /// Both list the same keys, in whatever order.
    async fn listing(&mut self) {
        let mut listed = [Vec::new(), Vec::new()];
        for (connection, listed) in [&self.real, &self.ours].into_iter().zip(&mut listed) {
            let mut cursor = "0".to_owned();
            loop {
                let page = ask(connection, &words(&["SCAN", &cursor, "MATCH", "ticket:*", "COUNT", "2"])).await;
                let (next, names): (String, Vec<String>) = redis::from_redis_value(page.unwrap()).unwrap();
                listed.extend(names);
                if next == "0" {
                    break;
                }
                cursor = next;
            }
            listed.sort();
        }
        assert_eq!(listed[0], listed[1]);
    }

    pub(super) async fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step().await;
        }
    }

    /// Only single commands, and reads.
    pub(super) async fn plain_steps(&mut self, count: usize) {
        for _ in 0..count {
            let key = self.one_of(&KEYS);
            let command = self.plain(key);
            self.both(&command).await;
        }
    }

    /// How often both gave an answer that begins like this.
    pub(super) fn met(&self, tag: &str) -> u32 {
        self.tags.iter().filter(|(found, _)| found.starts_with(tag)).map(|(_, count)| *count).sum()
    }
}

/// A call of a script of the usual write.
fn usual_script(kind: Kind, by_name: bool, keys: &[&str], arguments: &[Vec<u8>]) -> Cmd {
    let script = Script::of(kind);
    let mut call = cmd(if by_name { "EVALSHA" } else { "EVAL" });
    call.arg(if by_name { &script.sha1 } else { script.text }).arg(keys.len()).arg(keys).arg(arguments);
    call
}

/// The same call of a script, marked as one whose answer was lost, or not.
fn again(call: &Cmd, mark: &str) -> Cmd {
    const MARK: usize = 4;
    let mut again = Cmd::new();
    for (at, argument) in call.args_iter().enumerate() {
        match argument {
            Arg::Simple(_) if at == MARK => again.arg(mark),
            Arg::Simple(bytes) => again.arg(bytes),
            _ => panic!("only plain arguments"),
        };
    }
    again
}

fn tag(value: &Value) -> String {
    match value {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            first => format!("{first:?}"),
        },
        Value::ServerError(error) => error.code().to_owned(),
        other => format!("{other:?}"),
    }
}

/// An answer without what may differ: the order of fields, and `written` and `clock` and TIME say what time it is.
pub(super) fn masked(value: Value, times: &mut Vec<u64>) -> Value {
    let Value::Array(mut parts) = value else { return value };
    let text = |part: Option<&Value>| match part {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let number = |part: Option<&Value>| text(part).parse::<u64>();
    match (text(parts.first()).as_str(), parts.len()) {
        ("written", 3..) => times.extend(number(Some(&std::mem::replace(&mut parts[2], Value::Nil)))),
        ("clock", 2) => times.extend(number(Some(&std::mem::replace(&mut parts[1], Value::Nil)))),
        ("entry" | "refused", 3) => {
            let fields = std::mem::replace(&mut parts[2], Value::Nil);
            parts[2] = masked(fields, times);
        }
        (_, 2) if let (Ok(seconds), Ok(_)) = (number(parts.first()), number(parts.get(1))) => {
            times.push(seconds * 1_000);
            parts.clear();
        }
        _ => {
            parts = parts.into_iter().map(|part| masked(part, times)).collect();
            let mut pairs: Vec<Vec<Value>> = parts.chunks(2).map(<[Value]>::to_vec).collect();
            pairs.sort_by_key(|pair| format!("{pair:?}"));
            parts = pairs.concat();
        }
    }
    Value::Array(parts)
}
