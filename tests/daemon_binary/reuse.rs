//! Databases that are dropped while somebody reads them, and made anew under the same names.

use crate::process::{Daemon, homes, log, rows};
use mysql::prelude::Queryable;
use mysql::{Conn, Error};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const ROUNDS: usize = 60;
/// No such database; no such table; a deadlock; the definition changed: what a client may hear in between.
const BETWEEN: [u16; 5] = [1008, 1049, 1146, 1213, 1412];

/// What a client may not hear, if it hears anything.
fn wrong(result: Result<(), Error>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(Error::MySqlError(error)) if BETWEEN.contains(&error.code) || error.message.contains("too quickly") => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Reads and writes whatever is called `name`, on connections that come and go.
fn disturb(daemon: &Daemon, name: &str, over: &AtomicBool) -> Vec<String> {
    let mut found = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let mut client = daemon.connect().expect("a login");
        for _ in 0..5 {
            for sql in [
                format!("SELECT COUNT(*) FROM {name}.t"),
                format!("INSERT INTO {name}.t(v) VALUES(1)"),
                "SELECT * FROM marmot.`databases`".to_string(),
                format!("SHOW TABLES FROM {name}"),
            ] {
                found.extend(wrong(client.query_drop(&sql)).map(|error| format!("{sql}: {error}")));
            }
        }
    }
    found
}

fn once(client: &mut Conn, name: &str) {
    client.query_drop(format!("CREATE DATABASE {name}")).expect("a database");
    client.query_drop(format!("CREATE TABLE {name}.t(id INT PRIMARY KEY AUTO_INCREMENT, v INT)")).expect("a table");
    for _ in 0..3 {
        client.query_drop(format!("INSERT INTO {name}.t(v) VALUES(7)")).expect("a row");
    }
    assert_eq!(rows(client, &format!("SELECT COUNT(*) FROM {name}.t WHERE v = 7")), ["3"]);
    assert_eq!(rows(client, &format!("CHECK TABLE {name}.t")), [format!("{name}.t,check,status,OK")]);
    client.query_drop(format!("DROP DATABASE {name}")).expect("it goes");
}

fn databases(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("data")).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".db") && !name.starts_with("marmot.")).collect()
}

#[test]
fn a_name_that_is_used_again_and_again_under_readers_is_a_new_database_each_time() {
    let (_root, homes) = homes::<1>();
    let daemon = Daemon::start(&homes[0], &[]);
    let over = AtomicBool::new(false);
    let found: Vec<String> = std::thread::scope(|scope| {
        let others: Vec<_> = (0..3).map(|_| scope.spawn(|| disturb(&daemon, "d", &over))).collect();
        let mut client = daemon.connect().expect("a login");
        (0..ROUNDS).for_each(|_| once(&mut client, "d"));
        over.store(true, Ordering::Relaxed);
        others.into_iter().flat_map(|other| other.join().expect("a client")).collect()
    });
    assert_eq!(found, [] as [&str; 0], "{}", log(&homes[0]));
    assert_eq!(databases(&homes[0]), [] as [&str; 0], "somebody made a file by opening it");
    assert!(daemon.stop().success());
}
