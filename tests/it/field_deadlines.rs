//! Deadlines of single fields (HEXPIRE of another client) end with a write, on servers that have them.

use redis::aio::MultiplexedConnection;
use ticket_host::{Change, Fallback, Tickets};
use ticket_tests::RedisServer;

async fn ask<T: redis::FromRedisValue>(client: &MultiplexedConnection, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    let answer = command.arg(&words[1..]).query_async(&mut client.clone()).await;
    answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// A counter of the server: a line of INFO that begins so.
async fn count(client: &MultiplexedConnection, line: &str) -> u64 {
    let info: String = ask(client, &["INFO", "errorstats"]).await;
    let line = info.lines().find_map(|found| found.strip_prefix(line));
    let digits = line.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.map_or(0, |digits| digits.parse().unwrap())
}

/// Every way in which a ticket is changed, so that no field of it has a deadline of its own at the end.
async fn change(tickets: &Tickets, way: &str, before: &str) {
    match way {
        "say" => drop(tickets.apply("t", &[Change::say("x")], None).await.unwrap()),
        "touch" => drop(tickets.touch("t").await.unwrap()),
        "rollback" => drop(tickets.rollback("t", before, None).await.unwrap()),
        _ => panic!("{way}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_ends_deadlines_of_fields_where_there_are_any() {
    let server = RedisServer::start(&[]);
    let client = server.client().await;
    let version: String = ask(&client, &["INFO", "server"]).await;
    let version = version.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap().to_owned();
    let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    let has_field_deadlines = numbers.as_slice() >= &[7, 4];
    let tickets = Tickets::builder(&server.url()).fallback(Fallback::none()).open().await.unwrap();
    tickets.create(Some("t"), &[Change::say("first")]).await.unwrap();
    let before = tickets.snapshot("t").await.unwrap();
    let unknown = count(&client, "errorstat_ERR:count=").await;
    let fields = ["facts", "history", "last_decision", "created_at", "updated_at", "version"];
    for way in ["say", "touch", "rollback"] {
        if has_field_deadlines {
            let expire = [&["HEXPIRE", "ticket:t", "100", "FIELDS", "6"] as &[&str], &fields].concat();
            assert_eq!(ask::<Vec<i64>>(&client, &expire).await, [1; 6], "{way}");
        }
        change(&tickets, way, &before).await;
        if has_field_deadlines {
            let left = [&["HTTL", "ticket:t", "FIELDS", "6"] as &[&str], &fields].concat();
            assert_eq!(ask::<Vec<i64>>(&client, &left).await, [-1; 6], "{way}: no field has a deadline");
        }
    }
    if !has_field_deadlines {
        assert_eq!(count(&client, "errorstat_ERR:count=").await, unknown, "{version} is not asked for HPERSIST");
    }
}
