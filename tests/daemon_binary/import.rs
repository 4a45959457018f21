//! Existing SQLite files in the data directory of the node that begins a cluster.

use crate::process::{Daemon, log, wait};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};

/// A file in the data directory, made by `sql`.
fn file(home: &Path, name: &str, sql: &str) -> PathBuf {
    let data = home.join("data");
    std::fs::create_dir_all(&data).expect("a directory");
    let path = data.join(name);
    let connection = rusqlite::Connection::open(&path).expect("an SQLite file");
    connection.execute_batch(sql).expect("valid SQL");
    path
}

const SHOP: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since DATE, score REAL, credit DECIMAL(8,2));
    CREATE INDEX by_score ON customer(score);
    CREATE TABLE visit(customer INTEGER REFERENCES customer(id) ON DELETE CASCADE, day TEXT, note, PRIMARY KEY(customer, day));
    CREATE TABLE event(kind TEXT, body BLOB);
    CREATE VIEW rich AS SELECT * FROM customer WHERE credit > 100;
    CREATE TRIGGER log AFTER INSERT ON customer BEGIN INSERT INTO event VALUES('new', NULL); END;
    CREATE VIRTUAL TABLE words USING fts5(word);
    CREATE TABLE __marmot_old(x);
    CREATE INDEX upper_name ON customer(upper(name));
    INSERT INTO customer VALUES(1, 'Ann', '2024-02-29', 1.5, 12.25), (2, 'ann', NULL, NULL, NULL), (-7, 'Bob', '2023-01-01', -0.1, 100);
    INSERT INTO visit VALUES(1, 'monday', 'first'), (1, 'tuesday', 2), (-7, 'monday', NULL);
    INSERT INTO event VALUES('click', x'00ff'), ('click', x'00ff');";

#[test]
fn tables_rows_keys_and_references_become_those_of_a_database() {
    let home = tempfile::tempdir().expect("a directory");
    file(home.path(), "shop.db", SHOP);
    let daemon = Daemon::start(home.path(), &[]);
    let query = |sql: &str| daemon.rows(sql);
    assert_eq!(
        query("SELECT id, name, since, score, credit FROM shop.customer ORDER BY id"),
        ["-7,Bob,2023-01-01,-0.1,100.00", "1,Ann,2024-02-29,1.5,12.25", "2,ann,NULL,NULL,NULL"]
    );
    assert_eq!(query("SELECT * FROM shop.visit ORDER BY 1, 2"), ["-7,monday,NULL", "1,monday,first", "1,tuesday,2"]);
    assert_eq!(
        query("SELECT kind, HEX(body) FROM shop.event ORDER BY 1"),
        ["click,00FF", "click,00FF", "new,NULL", "new,NULL", "new,NULL"]
    );
    let types = "SELECT CONCAT(column_name, ' ', column_type) FROM information_schema.columns WHERE table_schema = 'shop' \
                 AND table_name = 'customer' ORDER BY ordinal_position";
    assert_eq!(
        query(types),
        ["id bigint(20)", "name varchar(255)", "since date", "score double", "credit decimal(8,2)"]
    );
    // Rows are written as any others; keys hold, by SQLite's idea of equal texts.
    daemon.run("INSERT INTO shop.customer (name) VALUES ('Cid')");
    daemon.run("UPDATE shop.event SET kind = 'gone' LIMIT 1");
    daemon.run("DELETE FROM shop.customer WHERE id = 1");
    assert_eq!(query("SELECT COUNT(*) FROM shop.visit"), ["1"]);
    let mut client = daemon.connect().expect("a login");
    let twice = mysql::prelude::Queryable::query_drop(&mut client, "INSERT INTO shop.customer (name) VALUES ('Bob')");
    assert!(twice.expect_err("a duplicate").to_string().contains("1062"));
    // What has no counterpart is named, and the file is kept as it was.
    let log = log(home.path());
    for named in ["view 'rich'", "trigger 'log'", "virtual 'words'", "table '__marmot_old'", "index 'upper_name'"] {
        assert!(log.contains(named), "{named} is not in {log}");
    }
    let kept = rusqlite::Connection::open(home.path().join("data/imported/shop.db")).expect("the file");
    let count: i64 = kept.query_row("SELECT count(*) FROM rich, words", [], |row| row.get(0)).expect("all of it");
    assert_eq!(count, 0);
    // A second start imports nothing again.
    assert!(daemon.stop().success());
    let daemon = Daemon::start(home.path(), &[]);
    assert_eq!(daemon.rows("SELECT COUNT(*) FROM shop.customer"), ["3"]);
}

#[test]
fn who_joins_gets_the_imported_rows() {
    let (home, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    file(home.path(), "shop.db", SHOP);
    let seed = Daemon::start(home.path(), &[]);
    let joiner = Daemon::start(other.path(), &["--seeds", &format!("127.0.0.1:{}", seed.cluster_port)]);
    let all = "SELECT id, name, credit FROM shop.customer ORDER BY id";
    wait("the rows", || {
        (joiner.connect().is_ok_and(|mut c| {
            mysql::prelude::Queryable::query::<mysql::Row, _>(&mut c, all).is_ok_and(|r| r.len() == 3)
        }))
        .then_some(())
    });
    wait("two voters", || {
        let alive = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE' AND voter = 1";
        (joiner.rows(alive) == ["2"]).then_some(())
    });
    joiner.run("UPDATE shop.customer SET credit = 7 WHERE id = 2");
    wait("the update", || (seed.rows(all) == joiner.rows(all) && seed.rows(all)[2] == "2,ann,7.00").then_some(()));
}

#[test]
fn who_joins_with_files_of_its_own_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let path = file(home.path(), "mine.db", "CREATE TABLE t(x)");
    let mut joiner = Daemon::launch(home.path(), &["--seeds", "127.0.0.1:1"]);
    assert_eq!(joiner.ended().code(), Some(1));
    let log = log(home.path());
    assert!(log.contains("mine.db is an existing SQLite file, but this node joins a cluster"), "{log}");
    assert!(path.exists() && !home.path().join("data/marmot.db").exists(), "nothing was touched");
}

#[test]
fn files_that_cannot_be_imported_are_refused_by_name() {
    for (name, content, why) in [
        ("notes.db", &b"not a database at all"[..], "it is not an SQLite database"),
        ("mysql.db", &b""[..], "a database cannot have its name"),
        ("marmot.db", &b"SQLite format 3\0 and then nothing"[..], "marmot.db"),
    ] {
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        std::fs::write(data.join(name), content).expect("a file");
        let mut daemon = Daemon::launch(home.path(), &[]);
        assert_eq!(daemon.ended().code(), Some(1), "{name}");
        let log = log(home.path());
        assert!(log.contains(name) && log.contains(why), "{name}: {log}");
        assert_eq!(std::fs::read(data.join(name)).expect("it is still there"), content);
    }
    let home = tempfile::tempdir().expect("a directory");
    file(home.path(), "marmot.db", "CREATE TABLE meta(x); CREATE TABLE mine(x)");
    let mut daemon = Daemon::launch(home.path(), &[]);
    assert_eq!(daemon.ended().code(), Some(1));
    assert!(log(home.path()).contains("that name is reserved"), "{}", log(home.path()));
}

#[test]
fn an_import_that_was_cut_off_begins_again() {
    let home = tempfile::tempdir().expect("a directory");
    let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
        WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 60000) INSERT INTO t SELECT i, 'row ' || i FROM c";
    file(home.path(), "big.db", rows);
    let mut daemon = Daemon::launch(home.path(), &[]);
    wait("a beginning", || {
        let made = home.path().join("data/big.db-wal");
        std::fs::metadata(made).is_ok_and(|file| file.len() > 100_000).then_some(())
    });
    assert!(!daemon.greets(), "nobody gets in before everything is imported");
    daemon.signal(Signal::SIGKILL);
    daemon.ended();
    assert!(home.path().join("data/import/big.db").exists());
    let daemon = Daemon::start(home.path(), &[]);
    assert_eq!(daemon.rows("SELECT COUNT(*), MAX(id), COUNT(DISTINCT v) FROM big.t"), ["60000,60000,60000"]);
    assert!(home.path().join("data/imported/big.db").exists() && !home.path().join("data/import").exists());
}

#[test]
fn a_file_put_there_later_is_left_alone_and_never_lost() {
    let home = tempfile::tempdir().expect("a directory");
    Daemon::start(home.path(), &[]).stop();
    file(home.path(), "late.db", "CREATE TABLE t(x); INSERT INTO t VALUES(42)");
    let daemon = Daemon::start(home.path(), &[]);
    assert!(log(home.path()).contains("late.db"), "{}", log(home.path()));
    assert!(daemon.rows("SHOW DATABASES LIKE 'late'").is_empty());
    daemon.run("CREATE DATABASE late");
    let kept = rusqlite::Connection::open(home.path().join("data/late.db.kept1")).expect("the file");
    let value: i64 = kept.query_row("SELECT x FROM t", [], |row| row.get(0)).expect("its row");
    assert_eq!(value, 42);
}
