//! The usual write is one transaction that fails closed: whatever happens between its commands, the entry is as it was or
//! as the whole write makes it, the answer says which, and nothing else is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use ticket_host::store::{
    Answer, Condition, Entry, Expiry, Failure, Fields, Key, Kind, Options, Primary, RedisPrimary, WriteRequest,
};
use ticket_tests::RedisServer;
use ticket_tests::seed::rng;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use held::Gate;

mod held;

const TTL_MS: u64 = 600_000;
const CALL_TIME: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

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

    /// A new connection, and a new entry, written twice: the server knows the script of the usual write.
    async fn renew(&mut self) {
        self.gate.open();
        self.primary.handshake().await.unwrap();
        self.order(&["DEL", "ticket:t"]).await;
        for (history, is_new) in [("[]", true), ("[0]", false)] {
            let answer = write(&self.primary, "t", history, (!is_new).then_some(&self.base)).await;
            assert!(matches!(answer, Ok(Answer::Written { .. })), "{answer:?}");
            self.base = self.stored().await.expect("an entry");
        }
    }

    /// The usual write, from the base.
    async fn write(&self, history: &str) -> Result<Answer, Failure> {
        write(&self.primary, "t", history, Some(&self.base)).await
    }

    /// The same, begun and held back before `EXEC`.
    async fn begin(&self, history: &'static str) -> JoinHandle<Result<Answer, Failure>> {
        self.gate.hold_before(EXEC);
        let (primary, base) = (Arc::clone(&self.primary), self.base.clone());
        let writing = tokio::spawn(async move { write(&primary, "t", history, Some(&base)).await });
        while !self.gate.holds() {
            assert!(!writing.is_finished(), "it was never held back");
            sleep(LOOK_EVERY).await;
        }
        writing
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
            Ok(Answer::Refused(theirs)) => assert_eq!(theirs, &stored, "{what}"),
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

fn fields_in_order(stored: &BTreeMap<String, String>) -> Fields {
    fields("").into_iter().filter_map(|(name, _)| Some((name.clone(), stored.get(&name)?.clone()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_withdrawn_in_the_middle_changes_nothing_unseen() {
    let mut scene = Scene::new().await;
    for command in ["copy", "hset", "evalsha", "eval", "hmget", "pexpiretime", "hstrlen", "hlen", "time", "pexpireat"]
        .into_iter()
        .chain(["rename", "exec", "multi"])
    {
        let writing = scene.begin("[0,1]").await;
        scene.order(&["ACL", "SETUSER", "app", &format!("-{command}")]).await;
        scene.gate.open();
        let answer = writing.await.unwrap();
        scene.is_as_answered(&answer, "[0,1]", command).await;
        scene.order(&["ACL", "SETUSER", "app", "+@all"]).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_begins_in_the_middle_refuses_the_write() {
    let mut scene = Scene::new().await;
    for (begin, end, kind) in [
        (&["REPLICAOF", "127.0.0.1", "1"] as &[&str], &["REPLICAOF", "NO", "ONE"] as &[&str], Kind::Unavailable),
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], Kind::Unavailable),
        (
            &["CONFIG", "SET", "min-replicas-to-write", "1"],
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
            Kind::Unavailable,
        ),
    ] {
        let writing = scene.begin("[0,1]").await;
        scene.order(begin).await;
        scene.gate.open();
        let answer = writing.await.unwrap();
        assert_eq!(answer.as_ref().map_err(|failure| failure.error.kind()).unwrap_err(), kind, "{begin:?}: {answer:?}");
        scene.order(end).await;
        scene.is_as_answered(&answer, "[0,1]", begin[0]).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_client_does_in_the_middle_wins() {
    let mut scene = Scene::new().await;
    for edit in [
        &["HSET", "ticket:t", "history", "[7]", "updated_at", "1750000001"] as &[&str],
        &["HSET", "ticket:t", "facts", r#"{"a":1}"#],
        &["PEXPIRE", "ticket:t", "300000"],
        &["HDEL", "ticket:t", "updated_at"],
        &["DEL", "ticket:t"],
        &["RENAME", "ticket:t", "other"],
    ] {
        let writing = scene.begin("[0,1]").await;
        scene.order(edit).await;
        scene.gate.open();
        let answer = writing.await.unwrap();
        assert!(matches!(answer, Ok(Answer::Refused(_))), "{edit:?}: {answer:?}");
        scene.order(&["DEL", "other"]).await;
        scene.is_as_answered(&answer, "[0,1]", &edit.join(" ")).await;
        scene.renew().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_another_client_does_not_outlive_the_write() {
    let scene = Scene::new().await;
    let writing = scene.begin("[0,1]").await;
    scene.order(&["HSET", "ticket:t", "mood", "good"]).await;
    scene.gate.open();
    let answer = writing.await.unwrap();
    assert!(matches!(answer, Ok(Answer::Written { .. })), "the revision does not tell of other fields: {answer:?}");
    scene.is_as_answered(&answer, "[0,1]", "another field").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_expires_in_the_middle_stays_gone() {
    let mut scene = Scene::new().await;
    scene.order(&["PEXPIRE", "ticket:t", "150"]).await;
    scene.base = scene.stored().await.expect("an entry");
    let writing = scene.begin("[0,1]").await;
    sleep(Duration::from_millis(300)).await;
    scene.gate.open();
    let answer = writing.await.unwrap();
    assert!(matches!(answer, Ok(Answer::Refused(None))), "{answer:?}");
    assert_eq!(scene.keys().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_forgotten_in_the_middle_are_sent_again() {
    let scene = Scene::new().await;
    let writing = scene.begin("[0,1]").await;
    scene.order(&["SCRIPT", "FLUSH"]).await;
    scene.gate.open();
    let answer = writing.await.unwrap();
    assert!(matches!(answer, Ok(Answer::Written { .. })), "{answer:?}");
    scene.is_as_answered(&answer, "[0,1]", "SCRIPT FLUSH").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_in_the_middle_disturbs_no_other() {
    let scene = Scene::new().await;
    let writing = scene.begin("[0,1]").await;
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
    assert_eq!(*read.fields, fields("[0,1]"));
    assert_eq!(scene.stored().await, Some(read));
    assert_eq!(scene.keys().await, ["ticket:t"]);
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
    let small = bytes_of(&mut scene, "[0,1]").await;
    for at in (1..small).step_by(13).chain(small - 15..=small) {
        cut(&mut scene, "[0,1]", at, small).await;
    }
    // Of many reads of the server.
    let history = format!("[{}]", "0,".repeat(150_000) + "1");
    let large = bytes_of(&mut scene, &history).await;
    for _ in 0..20 {
        cut(&mut scene, &history, rng.usize(1..large), large).await;
    }
}

/// The first words of the commands that the server runs for others than `MONITOR`, with the client's address.
async fn monitored(port: u16) -> (JoinHandle<Vec<(String, String)>>, tokio::sync::oneshot::Sender<()>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
    let (end, mut ended) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.unwrap().expect("a line"),
                _ = &mut ended => break,
            };
            // +1750000000.123456 [0 127.0.0.1:4711] "MULTI"
            let mut parts = line.split(' ').skip(2);
            let (address, command) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            seen.push((address.trim_end_matches(']').to_owned(), command.trim_matches('"').to_owned()));
        }
        seen
    });
    (reading, end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_between_the_commands_of_a_write() {
    const CALLERS: usize = 40;
    let scene = Arc::new(Scene::new().await);
    let (reading, end) = monitored(scene.server.port()).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move {
                let id = format!("t{number}");
                let mut rng = fastrand::Rng::with_seed(number as u64);
                drop(write(&scene.primary, &id, "[]", None).await.unwrap());
                for round in 0..50 {
                    let (key, until) = (Key::of_ticket(&id).unwrap(), Instant::now() + CALL_TIME);
                    let base = scene.primary.read(&key, until).await.unwrap().expect("an entry");
                    let history = format!("[{round},\"{}\"]", "x".repeat(rng.usize(..40_000)));
                    let write = write(&scene.primary, &id, &history, Some(&base));
                    // Some callers give up before or after it is sent.
                    let patience = if rng.u8(..3) == 0 { Duration::from_micros(rng.u64(..800)) } else { CALL_TIME };
                    drop(timeout(patience, write).await);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    sleep(Duration::from_millis(200)).await;
    end.send(()).unwrap();
    let seen: Vec<_> = reading.await.unwrap().into_iter().filter(|(address, _)| address != "lua").collect();
    let whole = ["MULTI", "COPY", "HSET", "EVALSHA", "DEL", "EXEC"];
    let mut transactions = 0;
    for (at, (address, command)) in seen.iter().enumerate().filter(|(_, (_, command))| command == "MULTI") {
        let after: Vec<&str> =
            seen[at..].iter().filter(|(other, _)| other == address).map(|(_, command)| &**command).take(6).collect();
        assert_eq!(after, whole, "{command} at {at} of {address}");
        transactions += 1;
    }
    assert!(transactions > CALLERS * 30, "{transactions}");
}
