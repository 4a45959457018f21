//! Which anomalies the isolation levels allow, and which not: the table of the README, line by line.
//!
//! The names are those of Adya ("Weak Consistency", 1999) as the Hermitage test suite uses them. The clients of each test
//! are connected to different nodes of one three-node cluster, so that what is shown holds across nodes and not only
//! among clients of one. Where a test shows an anomaly that is *allowed*, its name says so.
#![cfg(feature = "shell")]

mod cluster_rig;

use cluster_rig::{Client, Cluster};
use std::sync::OnceLock;

/// One cluster for all tests; each works in a database of its own.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(3))
}

/// Three clients, one of each node, with a table of two rows: `(1, 10)` and `(2, 20)`.
fn clients(database: &str) -> [Client; 3] {
    let mut clients = [1, 2, 3].map(|node| cluster().connect(node));
    clients[0].run(&format!("CREATE DATABASE {database}"));
    clients[0].run(&format!("CREATE TABLE {database}.t (id INT PRIMARY KEY, v INT NOT NULL)"));
    clients[0].run(&format!("INSERT INTO {database}.t VALUES (1, 10), (2, 20)"));
    for client in &mut clients {
        // The first statement on each node waits for everything that was acknowledged before.
        client.run("SET marmot_read_consistency = 'QUORUM'");
        client.run(&format!("USE {database}"));
        assert_eq!(client.read("SELECT id, v FROM t ORDER BY id"), "1 10, 2 20");
    }
    clients
}

/// Another client's commit is visible here from now on.
fn all(client: &mut Client) -> String {
    client.read("SELECT id, v FROM t ORDER BY id")
}

#[test]
fn g0_no_dirty_write() {
    let [mut a, mut b, mut c] = clients("g0");
    a.run("BEGIN");
    b.run("BEGIN");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    b.run("UPDATE t SET v = 12 WHERE id = 1");
    a.run("UPDATE t SET v = 21 WHERE id = 2");
    a.run("COMMIT");
    b.run("UPDATE t SET v = 22 WHERE id = 2");
    assert_eq!(b.code("COMMIT"), 1213);
    assert_eq!(all(&mut c), "1 11, 2 21");
}

#[test]
fn g1a_no_read_of_what_is_rolled_back() {
    let [mut a, mut b, _] = clients("g1a");
    a.run("BEGIN");
    a.run("UPDATE t SET v = 101 WHERE id = 1");
    assert_eq!(all(&mut b), "1 10, 2 20");
    a.run("ROLLBACK");
    assert_eq!(all(&mut b), "1 10, 2 20");
}

#[test]
fn g1b_no_read_of_intermediate_values() {
    let [mut a, mut b, _] = clients("g1b");
    a.run("BEGIN");
    a.run("UPDATE t SET v = 101 WHERE id = 1");
    assert_eq!(all(&mut b), "1 10, 2 20");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    a.run("COMMIT");
    assert_eq!(all(&mut b), "1 11, 2 20");
}

#[test]
fn g1c_no_circular_flow_of_information() {
    let [mut a, mut b, mut c] = clients("g1c");
    a.run("BEGIN");
    b.run("BEGIN");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    b.run("UPDATE t SET v = 22 WHERE id = 2");
    assert_eq!(a.read("SELECT v FROM t WHERE id = 2"), "20");
    assert_eq!(b.read("SELECT v FROM t WHERE id = 1"), "10");
    a.run("COMMIT");
    b.run("COMMIT");
    assert_eq!(all(&mut c), "1 11, 2 22");
}

#[test]
fn otv_a_committed_transaction_does_not_vanish() {
    let [mut a, mut b, mut c] = clients("otv");
    a.run("BEGIN");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    a.run("UPDATE t SET v = 19 WHERE id = 2");
    a.run("COMMIT");
    c.run("BEGIN");
    assert_eq!(c.read("SELECT v FROM t WHERE id = 1"), "11");
    b.run("UPDATE t SET v = 12 WHERE id = 1");
    b.run("UPDATE t SET v = 18 WHERE id = 2");
    assert_eq!(c.read("SELECT v FROM t WHERE id = 2"), "19");
    c.run("COMMIT");
    assert_eq!(all(&mut c), "1 12, 2 18");
}

#[test]
fn pmp_a_predicate_read_twice_gives_the_same_rows() {
    let [mut a, mut b, _] = clients("pmp");
    a.run("BEGIN");
    assert_eq!(a.read("SELECT id FROM t WHERE v = 30"), "");
    b.run("INSERT INTO t VALUES (3, 30)");
    assert_eq!(a.read("SELECT id FROM t WHERE v % 3 = 0"), "");
    a.run("COMMIT");
    assert_eq!(a.read("SELECT id FROM t WHERE v % 3 = 0"), "3");
}

#[test]
fn p4_no_lost_update() {
    let [mut a, mut b, mut c] = clients("p4");
    a.run("BEGIN");
    b.run("BEGIN");
    assert_eq!(a.read("SELECT v FROM t WHERE id = 1"), "10");
    assert_eq!(b.read("SELECT v FROM t WHERE id = 1"), "10");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    b.run("UPDATE t SET v = 11 WHERE id = 1");
    a.run("COMMIT");
    // Although it writes the very value that is there now.
    assert_eq!(b.code("COMMIT"), 1213);
    assert_eq!(c.read("SELECT v FROM t WHERE id = 1"), "11");
}

#[test]
fn g_single_no_read_skew() {
    let [mut a, mut b, _] = clients("g_single");
    a.run("BEGIN");
    assert_eq!(a.read("SELECT v FROM t WHERE id = 1"), "10");
    b.run("BEGIN");
    b.run("UPDATE t SET v = 12 WHERE id = 1");
    b.run("UPDATE t SET v = 18 WHERE id = 2");
    b.run("COMMIT");
    assert_eq!(a.read("SELECT v FROM t WHERE id = 2"), "20");
    a.run("COMMIT");
}

#[test]
fn g_single_a_write_does_not_skip_what_came_between() {
    let [mut a, mut b, mut c] = clients("g_single_write");
    a.run("BEGIN");
    assert_eq!(a.read("SELECT v FROM t WHERE id = 1"), "10");
    b.run("UPDATE t SET v = v + 2");
    // The rows it deletes are those of its snapshot, and they changed since.
    a.run("DELETE FROM t WHERE v = 20");
    assert_eq!(a.code("COMMIT"), 1213);
    assert_eq!(all(&mut c), "1 12, 2 22");
}

/// Allowed: each reads what the other writes, and both commit.
#[test]
fn g2_item_write_skew_is_allowed() {
    let [mut a, mut b, mut c] = clients("g2_item");
    a.run("BEGIN");
    b.run("BEGIN");
    assert_eq!(a.read("SELECT SUM(v) FROM t"), "30");
    assert_eq!(b.read("SELECT SUM(v) FROM t"), "30");
    a.run("UPDATE t SET v = 11 WHERE id = 1");
    b.run("UPDATE t SET v = 21 WHERE id = 2");
    a.run("COMMIT");
    b.run("COMMIT");
    assert_eq!(all(&mut c), "1 11, 2 21");
}

#[test]
fn g2_item_is_prevented_by_locking_what_one_relies_on() {
    for lock in ["FOR UPDATE", "FOR SHARE", "LOCK IN SHARE MODE"] {
        let [mut a, mut b, mut c] = clients(&format!("g2_item_{}", lock.replace(' ', "_")));
        a.run("BEGIN");
        b.run("BEGIN");
        assert_eq!(a.read(&format!("SELECT v FROM t WHERE id = 2 {lock}")), "20");
        assert_eq!(b.read(&format!("SELECT v FROM t WHERE id = 1 {lock}")), "10");
        a.run("UPDATE t SET v = 11 WHERE id = 1");
        b.run("UPDATE t SET v = 21 WHERE id = 2");
        a.run("COMMIT");
        assert_eq!(b.code("COMMIT"), 1213, "{lock}");
        assert_eq!(all(&mut c), "1 11, 2 20", "{lock}");
    }
}

/// Allowed: rows that match a predicate are added by two transactions that each found none.
#[test]
fn g2_phantoms_are_allowed() {
    let [mut a, mut b, mut c] = clients("g2");
    a.run("BEGIN");
    b.run("BEGIN");
    assert_eq!(a.read("SELECT COUNT(*) FROM t WHERE v % 3 = 0"), "0");
    assert_eq!(b.read("SELECT COUNT(*) FROM t WHERE v % 3 = 0"), "0");
    a.run("INSERT INTO t VALUES (3, 30)");
    b.run("INSERT INTO t VALUES (4, 42)");
    a.run("COMMIT");
    b.run("COMMIT");
    assert_eq!(all(&mut c), "1 10, 2 20, 3 30, 4 42");
}

#[test]
fn serializable_is_refused_by_name() {
    let [mut a, ..] = clients("serializable");
    assert_eq!(a.code("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"), 1235);
    assert_eq!(a.code("SET transaction_isolation = 'SERIALIZABLE'"), 1235);
}

/// A QUORUM read is never behind; that a LOCAL_ONE read may be is shown by the core's script `commit_quorum`.
#[test]
fn a_quorum_read_sees_what_any_node_acknowledged() {
    let [mut a, mut b, mut c] = clients("recent");
    for v in 100..150 {
        a.run(&format!("UPDATE t SET v = {v} WHERE id = 1"));
        let seen = if v % 2 == 0 { &mut b } else { &mut c };
        assert_eq!(seen.read("SELECT v FROM t WHERE id = 1"), v.to_string());
    }
}
