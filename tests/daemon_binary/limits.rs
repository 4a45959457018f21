//! What is too large, too many or too old is refused with MySQL's error, and the node goes on as if nothing had been.

use crate::process::{Daemon, wait};
use mysql::prelude::Queryable;
use mysql::{Conn, Error};
use std::fmt::Write;

fn code<T>(result: Result<T, Error>) -> Option<u16> {
    match result {
        Ok(_) => None,
        Err(Error::MySqlError(error)) => Some(error.code),
        Err(other) => panic!("{other}, not an error of the server"),
    }
}

fn refused(client: &mut Conn, sql: &str) -> u16 {
    let name: String = sql.chars().take(60).collect();
    code(client.query_drop(sql)).unwrap_or_else(|| panic!("{name}: accepted"))
}

fn number(client: &mut Conn, sql: &str) -> u64 {
    let name: String = sql.chars().take(60).collect();
    client.query_first(sql).unwrap_or_else(|e| panic!("{name}: {e}")).expect("a row")
}

fn list<T: ToString>(items: impl Iterator<Item = T>, separator: &str) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}

/// A node with these lines in its configuration, and a database `d`.
fn start(home: &std::path::Path, config: &str) -> Daemon {
    std::fs::write(home.join("marmot.toml"), config).expect("a configuration");
    let daemon = Daemon::start(home, &["--config", "marmot.toml"]);
    daemon.run("CREATE DATABASE d");
    daemon
}

#[test]
fn statements_beyond_what_can_be_done_get_mysqls_error() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "");
    let mut c = daemon.connect().expect("a login");
    c.query_drop("USE d").expect("it is there");
    c.query_drop("CREATE TABLE t(id INT PRIMARY KEY, v LONGTEXT)").expect("a table");
    let nested =
        |open: &str, close: &str, times: usize| format!("SELECT {}1{}", open.repeat(times), close.repeat(times));
    for times in [1_000, 100_000] {
        assert_eq!(refused(&mut c, &nested("(", ")", times)), 1436);
        assert_eq!(refused(&mut c, &nested("ABS(", ")", times)), 1436);
        assert_eq!(refused(&mut c, &nested("NOT ", "", times)), 1436);
        assert_eq!(refused(&mut c, &nested("CASE WHEN 1 THEN ", " END", times)), 1436);
        assert_eq!(refused(&mut c, &nested("(SELECT ", ")", times)), 1436);
    }
    assert_eq!(refused(&mut c, &format!("SELECT {}", list((0..20_000).map(|_| 1), "+"))), 1436);
    assert_eq!(refused(&mut c, &list((0..3_000).map(|_| "SELECT 1"), " UNION ALL ")), 1436);
    let joined = |n: usize| format!("SELECT COUNT(*) FROM {}", list((0..n).map(|i| format!("t t{i}")), ","));
    assert_eq!(number(&mut c, &joined(61)), 0);
    assert_eq!(refused(&mut c, &joined(70)), 1116);
    let columns = |n: usize| list((1..n).map(|i| format!("c{i} INT")), ",");
    c.query_drop(format!("CREATE TABLE wide(id INT PRIMARY KEY, {})", columns(1_017)))
        .expect("as many as InnoDB takes");
    c.query_drop(format!("INSERT INTO wide VALUES({})", list(0..1_017, ","))).expect("a row of them");
    let row: mysql::Row = c.query_first("SELECT * FROM wide").expect("it is read").expect("a row");
    assert_eq!(row.len(), 1_017);
    for n in [2_001, 4_097] {
        assert_eq!(refused(&mut c, &format!("CREATE TABLE w(id INT PRIMARY KEY, {})", columns(n))), 1117);
        assert_eq!(refused(&mut c, &format!("SELECT {}", list(0..n, ","))), 1117);
    }
    assert_eq!(refused(&mut c, &format!("SELECT CONCAT({})", list(0..3_000, ","))), 1235);
    let rows = list((0..10_000).map(|i| format!("({i}, 'v{i}')")), ",");
    c.query_drop(format!("INSERT INTO t VALUES {rows}")).expect("many rows in one statement");
    assert_eq!(number(&mut c, &format!("SELECT COUNT(*) FROM t WHERE id IN ({})", list(5_000..55_000, ","))), 5_000);
    let placeholders = |n: usize| format!("SELECT COUNT(*) FROM t WHERE id IN ({})", list((0..n).map(|_| "?"), ","));
    assert_eq!(code(c.prep(placeholders(30_000))), None);
    assert_eq!(code(c.prep(placeholders(66_000))), Some(1390));
    assert_eq!(number(&mut c, "SELECT COUNT(*) FROM t"), 10_000);
}

#[test]
fn packets_beyond_the_limit_are_refused_without_being_kept() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "[mysql]\nmax_allowed_packet_mb = 1\n");
    daemon.run("CREATE TABLE d.t(id INT PRIMARY KEY, v LONGTEXT)");
    let before = resident_mb(&daemon);
    let mut c = daemon.connect().expect("a login");
    for megabytes in [2, 17, 200] {
        let mut other = connect_for_large_packets(&daemon);
        let sql = format!("SELECT LENGTH('{}')", "x".repeat(megabytes << 20));
        assert_eq!(code(other.query_drop(sql)), Some(1153), "{megabytes} MB");
        assert!(other.query_drop("SELECT 1").is_err(), "the connection is closed, as by MySQL");
    }
    assert!(resident_mb(&daemon) < before + 64, "{before} MB, then {} MB", resident_mb(&daemon));
    // A value that no packet could hold is NULL with a warning, as in MySQL.
    assert_eq!(c.query_first("SELECT REPEAT('x', 70000000)").expect("an answer"), Some(None::<String>));
    assert_eq!(c.query_first("SELECT LENGTH(REPEAT('x', 1000000))").expect("an answer"), Some(1_000_000));
    // A row of several is no packet of the client's.
    let many = list((0..20).map(|_| "REPEAT('x', 1000000)"), ",");
    let row: mysql::Row =
        connect_for_large_packets(&daemon).query_first(format!("SELECT {many}")).expect("it is sent").expect("a row");
    assert_eq!(row.len(), 20);
    assert_eq!(number(&mut c, "SELECT COUNT(*) FROM d.t"), 0);
}

fn connect_for_large_packets(daemon: &Daemon) -> Conn {
    let options = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(daemon.mysql_port);
    Conn::new(options.prefer_socket(false).user(Some("root")).max_allowed_packet(Some(1 << 30))).expect("a login")
}

fn resident_mb(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") / 1024
}

#[test]
fn a_transaction_beyond_its_size_is_rolled_back() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "[transaction]\nmax_write_set_mb = 1\n");
    let mut c = daemon.connect().expect("a login");
    c.query_drop("CREATE TABLE d.t(id INT PRIMARY KEY, v TEXT)").expect("a table");
    c.query_drop("BEGIN").expect("it begins");
    let row = |id: u32| format!("INSERT INTO d.t VALUES({id}, REPEAT('x', 50000))");
    let failed = (1..100).find_map(|id| code(c.query_drop(row(id))));
    assert_eq!(failed, Some(1197));
    assert_eq!(number(&mut c, "SELECT COUNT(*) FROM d.t"), 0);
    // One statement alone, too, and of tiny rows.
    let many = list((0..60_000).map(|id| format!("({id}, 'x')")), ",");
    assert_eq!(refused(&mut c, &format!("INSERT INTO d.t VALUES {many}")), 1197);
    c.query_drop(row(1)).expect("a small one");
    assert_eq!(number(&mut c, "SELECT COUNT(*) FROM d.t"), 1);
}

#[test]
fn a_transaction_beyond_its_age_lets_the_write_ahead_log_shrink_again() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "[transaction]\nmax_age_seconds = 30\n");
    daemon.run("CREATE TABLE d.t(id INT PRIMARY KEY, v LONGTEXT)");
    daemon.run("INSERT INTO d.t VALUES(1, 'x')");
    let mut old = daemon.connect().expect("a login");
    old.query_drop("BEGIN").expect("it begins");
    assert_eq!(number(&mut old, "SELECT COUNT(*) FROM d.t"), 1);
    let log = home.path().join("data/d.db-wal");
    let megabytes = || std::fs::metadata(&log).map_or(0, |file| file.len() >> 20);
    let mut writer = daemon.connect().expect("a login");
    let update = "UPDATE d.t SET v = REPEAT('y', 8000000 + LENGTH(v) % 7)";
    // While the snapshot is open nothing of the log before it can be used again.
    let grown = wait("the log to grow", || {
        writer.query_drop(update).expect("it does not wait for readers");
        (megabytes() > 40).then(megabytes)
    });
    let told = wait("the old transaction to end", || match old.query_drop("SELECT COUNT(*) FROM d.t") {
        Err(Error::MySqlError(error)) => Some(error.code),
        Err(_) => Some(0),
        Ok(()) => None,
    });
    assert!(matches!(told, 4031 | 0), "{told}");
    wait("the log to shrink", || {
        writer.query_drop(update).expect("it is written");
        (megabytes() < grown / 2).then_some(())
    });
}

#[test]
fn connections_beyond_the_limit_are_refused_and_hundreds_that_idle_cost_little() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "[mysql]\nmax_connections = 300\n");
    daemon.run("CREATE TABLE d.t(id INT PRIMARY KEY, v INT)");
    daemon.run("INSERT INTO d.t VALUES(1, 1)");
    let before = resident_mb(&daemon);
    let mut clients: Vec<Conn> = wait("a free place", || daemon.connect().ok().map(|first| vec![first]));
    clients.extend((1..300).map(|n| daemon.connect().unwrap_or_else(|e| panic!("client {n}: {e}"))));
    for client in &mut clients {
        assert_eq!(number(client, "SELECT v FROM d.t WHERE id = 1"), 1);
    }
    let _administrators_place = daemon.connect().expect("one more, for who has SUPER");
    assert_eq!(code(daemon.connect()), Some(1040));
    let each_kb = (resident_mb(&daemon).saturating_sub(before) << 10) / 300;
    assert!(each_kb < 1_024, "{each_kb} kB a connection that has read");
    for client in &mut clients {
        client.query_drop("UPDATE d.t SET v = v + 1 WHERE id = 1").expect("a write");
    }
    assert_eq!(number(&mut clients[0], "SELECT v FROM d.t WHERE id = 1"), 301);
    drop(clients);
    wait("a free place", || daemon.connect().ok());
}

#[test]
fn a_sort_that_finds_no_room_for_its_temporary_file_fails_alone() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join("temporary")).expect("a folder");
    let node = crate::process::command(home.path());
    let mut command = std::process::Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=4m marmot temporary && SQLITE_TMPDIR=$PWD/temporary exec \"$0\" \"$@\"";
    command.args(["--mount", "--", "sh", "-c", script]).arg(node.get_program()).current_dir(home.path());
    command.env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
    let mut daemon = Daemon::launch_through(command, home.path(), &[]);
    daemon.wait_until_it_answers(home.path());
    let mut c = daemon.connect().expect("a login");
    c.query_drop("CREATE DATABASE d").expect("a database");
    c.query_drop("CREATE TABLE d.t(id INT PRIMARY KEY, v TEXT)").expect("a table");
    let mut rows = String::new();
    for id in 0..400 {
        let _ = write!(
            rows,
            "{}({id}, REPEAT('{}', 60000))",
            if id > 0 { "," } else { "" },
            char::from(b'a' + (id % 26) as u8)
        );
    }
    c.query_drop(format!("INSERT INTO d.t VALUES {rows}")).expect("rows");
    assert_eq!(code(c.query_drop("SELECT v FROM d.t ORDER BY v, id")), Some(1021));
    assert_eq!(number(&mut c, "SELECT COUNT(*) FROM d.t"), 400);
    c.query_drop("INSERT INTO d.t VALUES(1000, 'x')").expect("the data directory has room");
}
