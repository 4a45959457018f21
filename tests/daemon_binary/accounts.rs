//! Accounts of a cluster: made on one node, in force on all, and on those that join later.

use crate::process::{Daemon, VOTERS, log, rows, wait};
use mysql::prelude::Queryable;
use mysql::{Conn, Error};

fn code<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::MySqlError(e)) => e.code,
        _ => 0,
    }
}

/// A login that works as soon as the node has heard of the account.
fn logged_in(node: &Daemon, user: &str, password: &str) -> Conn {
    wait("the account", || node.connect_as(user, password).ok())
}

#[test]
fn an_account_is_one_of_every_node_and_of_those_that_join_later() {
    let root = tempfile::tempdir().expect("a directory");
    let homes = [1, 2, 3].map(|n| root.path().join(n.to_string()));
    homes.iter().for_each(|home| std::fs::create_dir(home).expect("a directory"));
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let said = "the account 'root'@'localhost' has no password and may do everything";
    assert!(log(&homes[0]).contains(said), "{}", log(&homes[0]));
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("the vote", || (first.rows(VOTERS) == ["2"]).then_some(()));

    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    first.run("CREATE USER sha IDENTIFIED BY 'p-sha'");
    first.run("CREATE USER old@'127.0.0.1' IDENTIFIED WITH mysql_native_password BY 'p-old'");
    first.run("GRANT SELECT ON d.* TO sha");
    let mut client = logged_in(&second, "sha", "p-sha");
    drop(logged_in(&second, "old", "p-old"));
    assert_eq!(code(second.connect_as("sha", "p-old")), 1045);
    assert_eq!(code(second.connect_as("nobody", "")), 1045);
    wait("the grant", || client.query_drop("SELECT * FROM d.t").ok());
    assert_eq!(code(client.query_drop("INSERT INTO d.t VALUES (1)")), 1142);
    // The other way round, for a client that is there already.
    second.run("GRANT INSERT ON d.t TO sha");
    let mut elsewhere = logged_in(&first, "sha", "p-sha");
    wait("the grant", || elsewhere.query_drop("INSERT INTO d.t VALUES (1)").ok());
    second.run("REVOKE ALL PRIVILEGES, GRANT OPTION FROM sha");
    wait("the end of it", || (code(elsewhere.query_drop("SELECT * FROM d.t")) == 1142).then_some(()));

    let third = Daemon::start(&homes[2], &["--node-id", "3", "--seeds", &seeds]);
    wait("the vote", || (third.rows(VOTERS) == ["3"]).then_some(()));
    drop(logged_in(&third, "sha", "p-sha"));
    let shown = ["SHOW CREATE USER sha", "SHOW GRANTS FOR sha", "SELECT * FROM mysql.user ORDER BY User"];
    for question in shown {
        assert_eq!(third.rows(question), first.rows(question), "{question}");
    }

    // With a password of its own, root is as well guarded as everybody else: on every node, and after a start.
    third.run("ALTER USER root@localhost IDENTIFIED BY 'p-root'");
    wait("the password", || (code(first.connect()) == 1045).then_some(()));
    let ports = second.ports();
    assert!(second.stop().success());
    let second = Daemon::launch_on(ports, &homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("an answer", || second.connect_as("root", "p-root").ok());
    assert_eq!(code(second.connect()), 1045);
    let again = log(&homes[1]);
    assert_eq!(again.matches(said).count(), 1, "{again}");
    assert_eq!(rows(&mut logged_in(&second, "sha", "p-sha"), "SELECT CURRENT_USER()"), ["sha@%"]);
    for home in &homes {
        let log = log(home);
        assert!(!log.contains("p-sha") && !log.contains("p-old") && !log.contains("p-root"), "{log}");
    }
}
