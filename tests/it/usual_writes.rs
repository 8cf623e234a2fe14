//! The usual write fails closed, in place and staged: whatever happens while it is sent, the entry is as it was or as the
//! whole write makes it, the answer says which, and nothing else is left.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Value;
use ticket_host::store::{
    Answer, Condition, Entry, Expiry, Failure, Fields, Key, Kind, Options, Primary, RedisPrimary, Revision,
    WriteRequest,
};
use ticket_tests::RedisServer;
use ticket_tests::seed::rng;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use held::Gate;

mod held;
mod uninterrupted;

const TTL_MS: u64 = 600_000;
const CALL_TIME: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A write, and the bytes in it before which it is held back.
struct Way {
    history: &'static str,
    held_before: &'static [u8],
}

/// A small write is in place, a larger one staged.
static WAYS: LazyLock<[Way; 2]> = LazyLock::new(|| {
    let large = format!("[0,\"{}\"]", "x".repeat(6_000)).leak();
    [Way { history: "[0,1]", held_before: b"EVALSHA" }, Way { history: large, held_before: b"*1\r\n$4\r\nEXEC\r\n" }]
});

/// A server, a primary behind a gate that logs in as the user `app`, and an entry.
struct Scene {
    server: RedisServer,
    gate: Gate,
    primary: Arc<RedisPrimary>,
    key: Key,
    base: Entry,
}

fn fields(history: &str) -> Fields {
    let texts = [
        ("facts", "{}"),
        ("history", history),
        ("last_decision", "{}"),
        ("created_at", "1750000000"),
        ("updated_at", "1750000000"),
        ("version", "1"),
    ];
    texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

/// Writes from a base, or where there is nothing.
async fn write(primary: &RedisPrimary, id: &str, history: &str, base: Option<&Entry>) -> Result<Answer, Failure> {
    let (key, fields) = (Key::of_ticket(id).unwrap(), fields(history));
    let expiry = Expiry::choose(primary.now_ms().unwrap(), TTL_MS, base.map_or(0, |base| base.expires_at_ms));
    let condition = &base.map_or(Condition::Absent, |base| Condition::At(base.revision.clone()));
    let request = WriteRequest { key: &key, fields: &fields, base, expiry, condition, repeated: false };
    primary.write(request, Instant::now() + CALL_TIME).await
}

impl Scene {
    async fn new() -> Self {
        let server = RedisServer::start(&["--user", "app", "on", ">pw", "~ticket:*", "+@all"]);
        let gate = Gate::before(server.port());
        let options = Options::default().call_time(CALL_TIME);
        let url = server.url_of("app", "pw");
        let primary = RedisPrimary::new(&url, Some(Box::new(gate.clone())), &options).unwrap();
        let key = Key::of_ticket("t").unwrap();
        let base = Entry::new(fields("[]"), 0);
        let mut scene = Self { server, gate, primary: Arc::new(primary), key, base };
        scene.renew().await;
        scene
    }

    /// Sends a command of the operator.
    async fn order(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let answer = self.server.client().await.send_packed_command(&command).await;
        assert!(matches!(&answer, Ok(value) if !matches!(value, Value::ServerError(_))), "{words:?}: {answer:?}");
    }

    /// A new connection, and a new entry; the server knows the scripts of the usual write.
    async fn renew(&mut self) {
        self.gate.open();
        self.primary.handshake().await.unwrap();
        self.order(&["DEL", "ticket:t"]).await;
        let histories = [("[]", true)].into_iter().chain(WAYS.iter().rev().map(|way| (way.history, false)));
        for (history, is_new) in histories.chain([("[0]", false)]) {
            let answer = write(&self.primary, "t", history, (!is_new).then_some(&self.base)).await;
            assert!(matches!(answer, Ok(Answer::Written { .. })), "{answer:?}");
            self.base = self.stored().await.expect("an entry");
        }
    }

    /// The usual write, from the base.
    async fn write(&self, history: &str) -> Result<Answer, Failure> {
        write(&self.primary, "t", history, Some(&self.base)).await
    }

    /// The same, begun and held back.
    async fn begin(&self, way: &Way) -> JoinHandle<Result<Answer, Failure>> {
        self.gate.hold_before(way.held_before);
        let (primary, base, history) = (Arc::clone(&self.primary), self.base.clone(), way.history);
        let writing = tokio::spawn(async move { write(&primary, "t", history, Some(&base)).await });
        while !self.gate.holds() {
            assert!(!writing.is_finished(), "it was never held back");
            sleep(LOOK_EVERY).await;
        }
        writing
    }

    /// The answer to a write during which the operator orders this.
    async fn write_around(&self, way: &Way, words: &[&str]) -> Result<Answer, Failure> {
        let writing = self.begin(way).await;
        self.order(words).await;
        self.gate.open();
        writing.await.unwrap()
    }

    /// What another client sees.
    async fn stored(&self) -> Option<Entry> {
        let mut look = redis::pipe();
        look.cmd("PEXPIRETIME").arg("ticket:t").hgetall("ticket:t");
        let (expires_at_ms, fields): (i64, BTreeMap<String, String>) =
            look.query_async(&mut self.server.client().await).await.unwrap();
        let expires_at_ms = u64::try_from(expires_at_ms).ok()?;
        let mut ordered = fields_in_order(&fields);
        ordered.extend(
            fields.iter().filter(|(name, _)| !is_of_ticket(name)).map(|(name, text)| (name.clone(), text.clone())),
        );
        Some(Entry::new(ordered, expires_at_ms))
    }

    async fn keys(&self) -> Vec<String> {
        redis::cmd("KEYS").arg("*").query_async(&mut self.server.client().await).await.unwrap()
    }

    /// The entry is as the answer says, and there is nothing beside it.
    async fn is_as_answered(&self, answer: &Result<Answer, Failure>, history: &str, what: &str) {
        let stored = self.stored().await;
        match answer {
            Ok(Answer::Written { revision, .. }) => {
                let stored = stored.unwrap_or_else(|| panic!("{what}: gone"));
                assert_eq!((&stored.revision, &*stored.fields), (revision, &fields(history)), "{what}");
            }
            Ok(Answer::Refused(theirs)) => {
                assert_eq!(theirs.as_ref().map(in_order), stored.as_ref().map(in_order), "{what}")
            }
            Err(_) => assert_eq!(stored.as_ref(), Some(&self.base), "{what}: {answer:?}"),
            Ok(other) => panic!("{what}: {other:?}"),
        }
        let others: Vec<String> = self.keys().await.into_iter().filter(|key| key != "ticket:t").collect();
        assert_eq!(others, [""; 0], "{what}");
    }
}

fn is_of_ticket(name: &str) -> bool {
    fields("").iter().any(|(field, _)| field == name)
}

/// The server gives the fields of a large entry in any order.
fn in_order(entry: &Entry) -> (&Revision, BTreeMap<&str, &str>) {
    (&entry.revision, entry.fields.iter().map(|(name, text)| (&**name, &**text)).collect())
}

fn fields_in_order(stored: &BTreeMap<String, String>) -> Fields {
    fields("").into_iter().filter_map(|(name, _)| Some((name.clone(), stored.get(&name)?.clone()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_withdrawn_in_the_middle_changes_nothing_unseen() {
    const COMMANDS: [&str; 13] = [
        "copy",
        "hset",
        "evalsha",
        "eval",
        "hmget",
        "pexpiretime",
        "hstrlen",
        "hlen",
        "time",
        "pexpireat",
        "rename",
        "exec",
        "multi",
    ];
    let mut scene = Scene::new().await;
    for (way, command) in WAYS.iter().flat_map(|way| COMMANDS.map(|command| (way, command))) {
        let answer = scene.write_around(way, &["ACL", "SETUSER", "app", &format!("-{command}")]).await;
        scene.is_as_answered(&answer, way.history, command).await;
        scene.order(&["ACL", "SETUSER", "app", "+@all"]).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_begins_in_the_middle_refuses_the_write() {
    const STATES: [(&[&str], &[&str]); 3] = [
        (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]),
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]),
        (&["CONFIG", "SET", "min-replicas-to-write", "1"], &["CONFIG", "SET", "min-replicas-to-write", "0"]),
    ];
    let mut scene = Scene::new().await;
    for (way, (begin, end)) in WAYS.iter().flat_map(|way| STATES.map(|state| (way, state))) {
        let answer = scene.write_around(way, begin).await;
        let kind = answer.as_ref().map_err(|failure| failure.error.kind()).unwrap_err();
        assert_eq!(kind, Kind::Unavailable, "{begin:?}: {answer:?}");
        scene.order(end).await;
        scene.is_as_answered(&answer, way.history, begin[0]).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_client_does_in_the_middle_wins() {
    const EDITS: [&[&str]; 6] = [
        &["HSET", "ticket:t", "history", "[7]", "updated_at", "1750000001"],
        &["HSET", "ticket:t", "facts", r#"{"a":1}"#],
        &["PEXPIRE", "ticket:t", "300000"],
        &["HDEL", "ticket:t", "updated_at"],
        &["DEL", "ticket:t"],
        &["RENAME", "ticket:t", "other"],
    ];
    let mut scene = Scene::new().await;
    for (way, edit) in WAYS.iter().flat_map(|way| EDITS.map(|edit| (way, edit))) {
        let answer = scene.write_around(way, edit).await;
        assert!(matches!(answer, Ok(Answer::Refused(_))), "{edit:?}: {answer:?}");
        scene.order(&["DEL", "other"]).await;
        scene.is_as_answered(&answer, way.history, &edit.join(" ")).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_another_client_does_not_outlive_the_write() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        let answer = scene.write_around(way, &["HSET", "ticket:t", "mood", "good"]).await;
        assert!(matches!(answer, Ok(Answer::Written { .. })), "the revision does not tell of other fields: {answer:?}");
        scene.is_as_answered(&answer, way.history, "another field").await;
        scene.renew().await;
    }
}

/// So many fields as before, but others: the count alone does not tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_another_client_in_place_of_one_of_ours_is_seen() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        for taken in ["version", "facts", "last_decision", "created_at"] {
            let writing = scene.begin(way).await;
            scene.order(&["HDEL", "ticket:t", taken]).await;
            scene.order(&["HSET", "ticket:t", "mood", "good"]).await;
            scene.gate.open();
            let answer = writing.await.unwrap();
            scene.is_as_answered(&answer, way.history, taken).await;
            scene.renew().await;
        }
    }
}

/// The base of a write may be what another client made of an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_over_other_fields_leaves_its_own_alone() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        scene.order(&["HDEL", "ticket:t", "version"]).await;
        scene.order(&["HSET", "ticket:t", "mood", "good"]).await;
        scene.base = scene.stored().await.expect("an entry");
        let answer = scene.write(way.history).await;
        assert!(matches!(answer, Ok(Answer::Written { .. })), "{answer:?}");
        scene.is_as_answered(&answer, way.history, "over other fields").await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_expires_in_the_middle_stays_gone() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        scene.order(&["PEXPIRE", "ticket:t", "150"]).await;
        scene.base = scene.stored().await.expect("an entry");
        let writing = scene.begin(way).await;
        sleep(Duration::from_millis(300)).await;
        scene.gate.open();
        let answer = writing.await.unwrap();
        assert!(matches!(answer, Ok(Answer::Refused(None))), "{answer:?}");
        assert_eq!(scene.keys().await, [""; 0]);
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_forgotten_in_the_middle_are_sent_again() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        let answer = scene.write_around(way, &["SCRIPT", "FLUSH"]).await;
        assert!(matches!(answer, Ok(Answer::Written { .. })), "{answer:?}");
        scene.is_as_answered(&answer, way.history, "SCRIPT FLUSH").await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_in_the_middle_disturbs_no_other() {
    let mut scene = Scene::new().await;
    for way in &*WAYS {
        let writing = scene.begin(way).await;
        writing.abort();
        assert!(writing.await.unwrap_err().is_cancelled());
        let until = Instant::now() + CALL_TIME;
        let read = {
            let (primary, key) = (Arc::clone(&scene.primary), scene.key.clone());
            tokio::spawn(async move { primary.read(&key, until).await })
        };
        sleep(Duration::from_millis(20)).await;
        scene.gate.open();
        // What was sent is executed, and the next caller gets the answer to its own call.
        let read = read.await.unwrap().unwrap().expect("an entry");
        let stored = scene.stored().await.expect("an entry");
        assert_eq!(in_order(&read), in_order(&stored));
        assert_eq!(*stored.fields, fields(way.history));
        assert_eq!(scene.keys().await, ["ticket:t"]);
        scene.renew().await;
    }
}

/// Waits until the server has read what it was sent, and has no client but the one that asks.
async fn ended(server: &RedisServer) {
    let mut client = server.client().await;
    loop {
        let info: String = redis::cmd("INFO").arg("clients").query_async(&mut client).await.unwrap();
        if info.contains("connected_clients:1\r\n") {
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Writes a history while the connection is cut after so many bytes.
async fn cut(scene: &mut Scene, history: &str, at: usize, whole: usize) {
    scene.gate.cut_after(at);
    let answer = scene.write(history).await;
    if at < whole {
        ended(&scene.server).await;
    }
    let stored = scene.stored().await.expect("an entry");
    if at < whole {
        assert_eq!(answer.as_ref().unwrap_err().error.kind(), Kind::Uncertain, "cut at {at} of {whole}: {answer:?}");
        assert_eq!(stored, scene.base, "cut at {at} of {whole}");
    } else {
        assert_eq!(*stored.fields, fields(history), "whole");
    }
    assert_eq!(scene.keys().await, ["ticket:t"], "cut at {at} of {whole}");
    scene.renew().await;
}

/// Bytes of a write.
async fn bytes_of(scene: &mut Scene, history: &str) -> usize {
    scene.gate.open();
    assert!(matches!(scene.write(history).await, Ok(Answer::Written { .. })));
    let bytes = scene.gate.sent_bytes();
    scene.renew().await;
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_cut_anywhere_is_whole_or_not_there() {
    let mut scene = Scene::new().await;
    let mut rng = rng("cut writes");
    for way in &*WAYS {
        let whole = bytes_of(&mut scene, way.history).await;
        for at in (1..whole).step_by(whole / 30).chain(whole - 15..=whole) {
            cut(&mut scene, way.history, at, whole).await;
        }
    }
    // Of many reads of the server.
    let history = format!("[{}]", "0,".repeat(150_000) + "1");
    let large = bytes_of(&mut scene, &history).await;
    for _ in 0..20 {
        cut(&mut scene, &history, rng.usize(1..large), large).await;
    }
}
