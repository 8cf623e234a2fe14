//! A store that is misconfigured is told from one that is down, and one that does not answer says how far it came.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::fallback::{self, Event, FallbackStore, Outage};
use ticket_host::store::{Connector, Misconfiguration, Options, Primary, RedisPrimary, Store, Stream};
use ticket_host::{Fallback, Merged, Tickets};
use ticket_tests::flaky::{Behavior, Flaky};
use ticket_tests::program::User;
use ticket_tests::{RedisServer, seed};
use tokio::time::Instant;

/// A server on which each user lacks something.
fn server() -> RedisServer {
    let users = [
        &["me", "on", ">pw", "~ticket:*", "+@all"] as &[&str],
        &["nohset", "on", ">pw", "~ticket:*", "+@all", "-hset"],
        &["nokeys", "on", ">pw", "~other:*", "+@all"],
        &["noeval", "on", ">pw", "~ticket:*", "+@all", "-eval", "-evalsha"],
    ];
    let arguments = users.iter().flat_map(|user| [&["--user"], *user].concat()).collect::<Vec<_>>();
    RedisServer::start(&[&arguments[..], &["--requirepass", "s3cret"]].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_leads_with_what_to_correct() {
    let server = server();
    let place = format!("redis://127.0.0.1:{}", server.port());
    for (url, cause, remedy) in [
        (server.url_of("me", "wr0ng"), "0 refused the login of user me", "check user and password in "),
        (server.url_of("", "wr0ng"), "0 refused the login of user default", "check user and password in "),
        (server.url(), "0 requires a login, and the store URL has none", "add user and password to "),
        (server.url_of("nohset", "pw"), "0 does not permit HSET to user nohset", "grant it with ACL SETUSER"),
        (server.url_of("noeval", "pw"), "0 does not permit EVAL to user noeval", "grant it with ACL SETUSER"),
        (
            server.url_of("nokeys", "pw"),
            "0 does not permit the keys of tickets to user nokeys",
            "grant it with ACL SETUSER",
        ),
        (format!("{}/99", server.url_of("me", "pw")), "99 has no database 99", "check the database number in "),
    ] {
        let user = User::of(&url);
        let run = user.run(&["new", "--id", "t"]);
        assert_eq!(run.code, Some(0), "the fallback serves: {run:?}");
        let url_named = |name: &str| if remedy.ends_with(' ') { format!("{remedy}{name}") } else { remedy.to_owned() };
        let warning = format!("warning: {place}/{cause}: {}; 1 ticket is pending in ", url_named("TICKET_STORE"));
        assert!(run.stderr.starts_with(&warning) && run.stderr.ends_with(" until then\n"), "{warning}: {run:?}");
        let doctor = user.run(&["doctor", "--format", "json"]);
        let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
        assert_eq!((doctor.code, &report["facts"]["primary"]), (Some(75), &json!("misconfigured")), "{doctor:?}");
        let problem = report["findings"][0]["text"].as_str().expect("a problem");
        assert!(
            problem.starts_with(&format!("the store {}: {remedy}", &cause[cause.find(' ').unwrap() + 1..])),
            "{problem}"
        );
        let unknown = user.run(&["show", "unknown"]);
        let error = format!("error: {place}/{cause}: {}; its fallback does not know", url_named("the store URL"));
        assert_eq!((unknown.code, unknown.stderr.starts_with(&error)), (Some(75), true), "{error}: {unknown:?}");
        assert!(unknown.stderr.contains("\nhint: ") && !unknown.stderr.contains("store runs"), "{unknown:?}");
        assert!(!format!("{run:?} {doctor:?} {unknown:?}").contains("wr0ng"), "{url}");
    }
    server.stop();
    let user = User::of(&server.url_of("me", "pw"));
    let run = user.run(&["new"]);
    assert!(run.stderr.starts_with(&format!("warning: {place}/0 is down (")), "{run:?}");
    assert_eq!(serde_json::from_str::<Value>(&user.run(&["doctor"]).stdout).unwrap()["facts"]["primary"], "down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_names_the_option_and_precedes_lost_changes() {
    let server = server();
    let (url, user) = (server.url_of("me", "wr0ng"), User::new());
    let run = user.run(&["new", "--id", "t", "--store", &url, "--fallback", "memory:"]);
    assert_eq!(run.code, Some(75), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].ends_with("refused the login of user me: check user and password in --store"), "{run:?}");
    assert!(lines[1].contains("lost with this process: t"), "{run:?}");
    let denied = user.run(&["new", "--store", &url, "--fallback", "none"]);
    assert_eq!(denied.code, Some(77), "{denied:?}");
    assert!(denied.stderr.contains("refused the login of user me: WRONGPASS"), "{denied:?}");
    assert!(denied.stderr.contains("hint: check user and password in "), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_clients_are_not_a_wrong_password() {
    let server = RedisServer::start(&["--requirepass", "s3cret"]);
    let mut operator = server.client_of(&server.url_of("", "s3cret")).await;
    let mut set = redis::cmd("CONFIG");
    let _: () = set.arg("SET").arg("maxclients").arg(1).query_async(&mut operator).await.unwrap();
    let tickets = Tickets::open(&server.url_of("", "s3cret")).await.unwrap();
    let outage = tickets.fallback().expect("fallback").status().await.unwrap().outage;
    assert!(matches!(&outage, Some(Outage::Down { .. })), "{outage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_has_the_setting_until_it_is_corrected() {
    let server = server();
    let tickets = Tickets::open(&server.url_of("late", "pw")).await.unwrap();
    let fallback = tickets.fallback().expect("fallback");
    tickets.create(Some("t"), &[]).await.unwrap();
    let status = fallback.status().await.unwrap();
    let outage = status.outage.expect("an outage");
    let login = Misconfiguration::Login { user: "late".into() };
    assert_eq!((status.primary_is_up, outage.misconfiguration()), (false, Some(&login)), "{outage:?}");
    assert!(outage.error().contains("WRONGPASS"), "the words of the server: {outage:?}");
    let mut operator = server.client_of(&server.url_of("", "s3cret")).await;
    let mut grant = redis::cmd("ACL");
    grant.arg(&["SETUSER", "late", "on", ">pw", "~ticket:*", "+@all"]);
    let _: () = grant.query_async(&mut operator).await.unwrap();
    assert!(fallback.shutdown(Duration::from_secs(20)).await.unwrap().pending.is_empty());
    let status = fallback.status().await.unwrap();
    assert_eq!((status.primary_is_up, status.outage), (true, None));
}

async fn over(primary: Arc<dyn Primary>) -> FallbackStore {
    let merge: fallback::Merge = Arc::new(|_, ours, _| Box::pin(async { Ok(Merged { state: ours, branch: None }) }));
    FallbackStore::open(primary, fallback::Options::new(merge)).await.expect("a fallback")
}

fn flaky(behavior: Behavior) -> Arc<Flaky> {
    Flaky::new(behavior, ManualClock::at(SystemClock.now_ms()), seed::rng("misconfigured"))
}

#[tokio::test(start_paused = true)]
async fn an_event_tells_each_change_of_the_cause_once() {
    let primary = flaky(Behavior::Up);
    let store = over(primary.clone()).await;
    let mut events = store.events();
    primary.set_behavior(Behavior::Down);
    primary.disconnect();
    assert!(matches!(events.recv().await, Ok(Event::Down(_))));
    primary.set_behavior(Behavior::Locked);
    let login = Misconfiguration::Login { user: "app".into() };
    let event = events.recv().await;
    assert!(
        matches!(&event, Ok(Event::Misconfigured { misconfiguration, .. }) if *misconfiguration == login),
        "{event:?}"
    );
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(events.try_recv().is_err(), "the same cause at every attempt");
    primary.set_behavior(Behavior::Down);
    assert!(matches!(events.recv().await, Ok(Event::Down(_))));
    primary.set_behavior(Behavior::Up);
    assert!(matches!(events.recv().await, Ok(Event::Up { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_how_far_a_frozen_server_came() {
    let server = RedisServer::start(&["--requirepass", "s3cret"]);
    server.pause();
    for (url, done) in [
        (server.url(), "did not answer within 1000 ms (TCP connected, no command answered): check "),
        (server.url_of("", "s3cret"), "did not answer within 1000 ms (TCP connected, login not answered): check "),
        (
            format!("rediss://127.0.0.1:{}", server.port()),
            "did not answer within 1000 ms (TCP connected, TLS not): check ",
        ),
    ] {
        let user = User::of(&url);
        let doctor = user.run(&["doctor"]);
        assert_eq!(doctor.code, Some(75), "{doctor:?}");
        let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
        let problem = report["findings"][0]["text"].as_str().expect("a problem");
        assert!(problem.contains(done), "{problem}");
        let first_contact = user.run(&["new", "--fallback", "none"]);
        assert_eq!(first_contact.code, Some(75), "{first_contact:?}");
        assert!(first_contact.stderr.contains(done), "{first_contact:?}");
    }
}

/// The way to a host that drops every packet.
#[derive(Debug)]
struct NoAnswer;

#[async_trait]
impl Connector for NoAnswer {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_health_check_does_not_wait_twice() {
    let began = Instant::now();
    let primary = RedisPrimary::new("redis://h", Some(Box::new(NoAnswer)), &Options::default()).unwrap();
    let store = over(Arc::new(primary)).await;
    let opened = began.elapsed();
    let health = store.health().await.unwrap();
    assert_eq!(began.elapsed(), opened, "the attempt to connect says as much");
    let text = &health.findings[0].text;
    assert!(text.contains("did not answer within 1000 ms (no TCP connection): check host and port"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_running_host_reports_each_eviction_once() {
    let primary = flaky(Behavior::Up);
    let store = over(primary.clone()).await;
    let mut events = store.events();
    primary.evict(201);
    let evicted = |entries| Event::Evicted { entries, policy: "allkeys-lru".into() };
    let began = Instant::now();
    assert_eq!(events.recv().await, Ok(evicted(201)));
    assert!(began.elapsed() <= Duration::from_secs(10), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(events.try_recv().is_err(), "once");
    primary.evict(9);
    assert_eq!(events.recv().await, Ok(evicted(9)));
    assert_eq!(store.status().await.unwrap().evicted, 210);

    primary.evict(1_000);
    primary.disconnect();
    assert!(matches!(events.recv().await, Ok(Event::Down(_))));
    assert!(matches!(events.recv().await, Ok(Event::Up { .. })));
    primary.evict(3);
    assert_eq!(events.recv().await, Ok(evicted(3)), "of this connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn evictions_of_a_server_count_from_the_connection_on() {
    let server = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]);
    let mut client = server.client().await;
    let fill = async |client: &mut redis::aio::MultiplexedConnection| {
        for number in 0..400 {
            let mut set = redis::cmd("SET");
            let _: () = set.arg(format!("other:{number}")).arg("x".repeat(10_000)).query_async(client).await.unwrap();
        }
    };
    let number = async |client: &mut redis::aio::MultiplexedConnection, name: &str| {
        let info: String = redis::cmd("INFO").query_async(client).await.unwrap();
        let text = info.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        text.trim().parse::<u64>().unwrap()
    };
    let limit = number(&mut client, "used_memory:").await + 1_000_000;
    let mut set = redis::cmd("CONFIG");
    let _: () = set.arg("SET").arg("maxmemory").arg(limit).query_async(&mut client).await.unwrap();
    fill(&mut client).await;

    let before = number(&mut client, "evicted_keys:").await;
    let primary = RedisPrimary::new(&server.url(), None, &Options::default()).unwrap();
    primary.handshake().await.unwrap();
    fill(&mut client).await;
    let evictions = primary.evictions(Instant::now() + Duration::from_secs(5)).await.unwrap().expect("evictions");
    let during = number(&mut client, "evicted_keys:").await - before;
    // The buffers of a new connection may cost a few more.
    assert!(before > 100 && during > 100 && evictions.entries.abs_diff(during) < 20, "{before} {during} {evictions:?}");
    assert_eq!(evictions.policy, "allkeys-lru");
    let health = primary.health().await.unwrap();
    let warning = health.findings.iter().find(|finding| finding.text.contains("allkeys-lru")).expect("a warning");
    assert!(warning.text.contains(" keys so far)"), "{}", warning.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fallback_a_wrong_login_is_denied_with_its_setting() {
    let server = server();
    let denied = Tickets::builder(&server.url_of("me", "wr0ng")).fallback(Fallback::none()).open().await;
    let error = denied.expect_err("the login is wrong");
    let source =
        std::error::Error::source(&error).and_then(|source| source.downcast_ref::<ticket_host::store::Error>());
    let setting = source.and_then(ticket_host::store::Error::misconfiguration);
    assert_eq!(setting, Some(&Misconfiguration::Login { user: "me".into() }));
}
