//! What a URL may lead to instead of a store: each gets a clear error at once, and nothing is touched.

use tempfile::TempDir;
use ticket_host::store::{self, Kind, Options};
use ticket_host::{Change, Error, Tickets};
use ticket_tests::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Something that listens, and gives this answer to whatever it is sent; its URL.
async fn listener(answer: impl Fn(&[u8]) -> &'static [u8] + Clone + Send + 'static) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
                    // The other side may have heard enough.
                    let _ = stream.write_all(answer(&buffer[..bytes])).await;
                }
            });
        }
    });
    format!("redis://127.0.0.1:{port}")
}

/// The kind and the text of the error that opening a store gives.
async fn refusal(url: &str) -> (Kind, String) {
    let error = store::open(url, &Options::default()).await.expect_err(url);
    (error.kind(), error.chain())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_will_not_do_is_named() {
    let old = |request: &[u8]| -> &'static [u8] {
        match request.windows(4).any(|word| word == b"TIME") {
            true => b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n",
            false => b"$22\r\nredis_version:6.2.14\r\n\r\n",
        }
    };
    let (kind, text) = refusal(&listener(old).await).await;
    assert_eq!(kind, Kind::Denied);
    assert!(text.contains("6.2.14") && text.contains("7.0"), "{text}");

    for answer in
        [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" as &[u8], b"SSH-2.0-OpenSSH_9.2\r\n", b"+OK\r\n"]
    {
        let (kind, text) = refusal(&listener(move |_: &[u8]| answer).await).await;
        assert!(matches!(kind, Kind::Denied | Kind::Unavailable), "{kind:?} {text}");
        assert!(text.contains("127.0.0.1"), "{text}");
    }

    let (kind, text) = refusal("redis://127.0.0.1:1").await;
    assert_eq!(kind, Kind::Unavailable);
    assert!(text.contains("127.0.0.1:1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_is_denied_and_never_shown() {
    let server = RedisServer::start(&["--requirepass", "s3cret"]);
    assert!(store::open(&server.url_of("", "s3cret"), &Options::default()).await.is_ok());
    for url in [server.url(), server.url_of("", "wr0ng"), server.url_of("unknown", "wr0ng")] {
        let (kind, text) = refusal(&url).await;
        assert_eq!(kind, Kind::Denied, "{text}");
        assert!(!text.contains("wr0ng") && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_needed_command_is_told_which() {
    let server = RedisServer::start(&["--user", "app", "on", ">pw", "~ticket:*", "+@all", "-hset"]);
    let (kind, text) = refusal(&server.url_of("app", "pw")).await;
    assert_eq!(kind, Kind::Denied, "{text}");
    assert!(text.to_lowercase().contains("hset"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recommended_redis_user_suffices() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md")).unwrap();
    let rule =
        page.lines().find_map(|line| line.strip_prefix("ACL SETUSER tickets ")).expect("the rule in docs/operating.md");
    let rule = rule.replace("PASSWORD", "pw");
    let server = RedisServer::start(&["--user", "tickets"].into_iter().chain(rule.split(' ')).collect::<Vec<_>>());
    let tickets = Tickets::open(&server.url_of("tickets", "pw")).await.unwrap();
    let before = tickets.create(Some("t"), &[]).await.unwrap();
    let snapshot = tickets.snapshot("t").await.unwrap();
    tickets.apply("t", &[Change::say("x")], Some(&before.revision)).await.unwrap();
    tickets.rollback("t", &snapshot, None).await.unwrap();
    tickets.touch("t").await.unwrap();
    assert_eq!(tickets.list("", None).await.unwrap().ids, ["t"]);
    assert!(tickets.store().health().await.unwrap().findings.iter().all(|finding| !finding.text.contains("refused")));
    tickets.close("t", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_application_is_refused_and_kept() {
    let folder = TempDir::new().unwrap();
    let foreign = folder.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Mia');").unwrap();
    drop(connection);
    let text = folder.path().join("letter.txt");
    std::fs::write(&text, "Dear Mia, ".repeat(1_000)).unwrap();
    for file in [&foreign, &text] {
        let before = std::fs::read(file).unwrap();
        let (kind, error) = refusal(&format!("sqlite:{}", file.display())).await;
        assert!(matches!(kind, Kind::Invalid | Kind::Corrupt), "{kind:?} {error}");
        assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(file).unwrap(), before);
    }
    let (kind, error) = refusal(&format!("sqlite:{}", folder.path().display())).await;
    assert!(matches!(kind, Kind::Denied | Kind::Unavailable | Kind::Invalid), "a folder: {kind:?} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_refuses_writes_and_keeps_what_it_has() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}?max_page_count=32", folder.path().join("t.db").display());
    let tickets = Tickets::open(&url).await.unwrap();
    let said = tickets.create(Some("t"), &[Change::say("kept")]).await.unwrap();
    let big = Change::say(&"x".repeat(60_000));
    let full = loop {
        match tickets.apply("t", std::slice::from_ref(&big), None).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(&full, Error::Unavailable(text) if text.contains("full")), "{full:?}");
    let kept = tickets.get("t").await.unwrap();
    assert!(kept.history.starts_with(r#"["kept""#) && kept.message_count() >= 1);
    assert_eq!(kept.created_at, said.created_at);
    tickets.close("t", None).await.unwrap();
    tickets.create(Some("t"), &[Change::say("room again")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_is_denied() {
    /// Where a database says what may write it; programs that know only older versions must not.
    const WRITE_VERSION_AT: usize = 18;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.db");
    let url = format!("sqlite:{}", file.display());
    Tickets::open(&url).await.unwrap().create(Some("t"), &[]).await.unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    // File modes mean nothing to root; this means something to SQLite, whichever user runs it.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[WRITE_VERSION_AT] = 9;
    std::fs::write(&file, &bytes).unwrap();
    let refused = match Tickets::open(&url).await {
        Ok(tickets) => tickets.apply("t", &[Change::say("x")], None).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(&refused, Err(Error::Denied(_))), "{refused:?}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}
