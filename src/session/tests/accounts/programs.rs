//! Views and stored programs: with whose rights they run.

use super::*;

/// `bob` may read `t` and make things in `d`; `ann` may use what he makes.
async fn with_bob() -> (Node, Client, Client, Client) {
    let (node, mut root) = with_ann().await;
    root.ok("CREATE USER bob").await;
    root.ok("CREATE TABLE log (what VARCHAR(20))").await;
    root.ok("GRANT SELECT ON d.t TO bob").await;
    root.ok("GRANT CREATE VIEW, SHOW VIEW, CREATE ROUTINE, EXECUTE ON d.* TO bob").await;
    let mut bob = node.connect_from("bob", "10.9.9.9", CapabilityFlags::empty()).await;
    bob.ok("USE d").await;
    let mut client = ann(&node).await;
    root.ok("GRANT EXECUTE ON d.* TO ann@'10.0.%'").await;
    client.ok("USE d").await;
    (node, root, bob, client)
}

#[tokio::test]
async fn a_view_reads_with_the_rights_of_whoever_made_it() {
    let (_node, mut root, mut bob, mut ann) = with_bob().await;
    bob.ok("CREATE VIEW his AS SELECT v FROM t").await;
    bob.ok("CREATE SQL SECURITY INVOKER VIEW open AS SELECT v FROM t").await;
    assert_eq!(bob.code("CREATE VIEW x AS SELECT what FROM log").await, 1142);
    root.ok("GRANT SELECT ON d.his TO ann@'10.0.%', bob").await;
    root.ok("GRANT SELECT ON d.open TO ann@'10.0.%', bob").await;
    assert_eq!(ann.lines("SELECT v FROM his ORDER BY v").await, ["10", "20"]);
    assert_eq!(ann.code("SELECT v FROM t").await, 1142);
    assert_eq!(ann.code("SELECT v FROM open").await, 1356);
    assert_eq!(bob.lines("SELECT v FROM open ORDER BY v").await, ["10", "20"]);
    // Without his rights the view has none, for whomever.
    root.ok("REVOKE SELECT ON d.t FROM bob").await;
    assert_eq!(ann.code("SELECT v FROM his").await, 1356);
    assert_eq!(root.code("SELECT v FROM his").await, 1356);
    assert_eq!(root.lines("SELECT v FROM open ORDER BY v").await, ["10", "20"]);
    let shown = "SELECT table_name, definer, security_type FROM information_schema.views ORDER BY 1";
    assert_eq!(root.lines(shown).await, ["his bob@% DEFINER", "open bob@% INVOKER"]);
    let created = root.rows("SHOW CREATE VIEW his").await;
    assert!(created[0][1].as_deref().is_some_and(|t| t.contains("DEFINER=`bob`@`%`")), "{created:?}");
    assert_eq!(bob.code("CREATE DEFINER=root@localhost VIEW y AS SELECT 1").await, 1227);
    // A view made through another name, or renamed, is still his.
    root.ok("GRANT SELECT ON d.t TO bob").await;
    root.ok("RENAME TABLE his TO hers").await;
    assert_eq!(root.value("SELECT definer FROM information_schema.views WHERE table_name = 'hers'").await, "bob@%");
}

#[tokio::test]
async fn rows_change_through_a_view_with_its_rights() {
    let (_node, mut root, mut bob, mut ann) = with_bob().await;
    bob.ok("CREATE VIEW his AS SELECT id, v FROM t").await;
    root.ok("GRANT SELECT, UPDATE, INSERT, DELETE ON d.his TO ann@'10.0.%'").await;
    for sql in [
        "UPDATE his SET v = 1 WHERE id = 1",
        "INSERT INTO his VALUES (3, 3)",
        "DELETE FROM his WHERE id = 2",
        "UPDATE his JOIN (SELECT 1 AS one) x SET his.v = 1",
        "DELETE his FROM his JOIN (SELECT 1 AS one) x",
    ] {
        assert_eq!(ann.code(sql).await, 1356, "{sql}: bob may only read");
    }
    root.ok("GRANT UPDATE, INSERT, DELETE ON d.t TO bob").await;
    ann.ok("UPDATE his SET v = 1 WHERE id = 1").await;
    ann.ok("INSERT INTO his VALUES (3, 3)").await;
    ann.ok("DELETE FROM his WHERE id = 2").await;
    assert_eq!(root.lines("SELECT * FROM t ORDER BY id").await, ["1 1", "3 3"]);
}

#[tokio::test]
async fn programs_run_with_the_rights_of_whoever_made_them() {
    let (node, mut root, mut bob, mut ann) = with_bob().await;
    bob.ok("CREATE PROCEDURE his() BEGIN SELECT MAX(v) FROM t; END").await;
    bob.ok("CREATE PROCEDURE open() SQL SECURITY INVOKER BEGIN SELECT MAX(v) FROM t; END").await;
    bob.ok("CREATE PROCEDURE who() BEGIN SELECT CURRENT_USER(), USER(); END").await;
    bob.ok("CREATE PROCEDURE wide() BEGIN INSERT INTO log VALUES ('bob'); END").await;
    bob.ok("CREATE FUNCTION f() RETURNS INT BEGIN RETURN (SELECT MAX(v) FROM t); END").await;
    bob.ok("CREATE FUNCTION g() RETURNS INT RETURN (SELECT MAX(v) FROM t)").await;
    bob.ok("CREATE FUNCTION l() RETURNS INT BEGIN RETURN (SELECT COUNT(*) FROM log); END").await;
    bob.ok("CREATE PROCEDURE dynamic() BEGIN PREPARE s FROM 'INSERT INTO log VALUES (1)'; EXECUTE s; END").await;
    bob.ok("CREATE PROCEDURE loops() BEGIN DECLARE x INT; DECLARE c CURSOR FOR SELECT what FROM log; OPEN c; END")
        .await;
    let mut ann =
        Client { login: ann.login.clone(), session: std::mem::replace(&mut ann.session, node.server.session()) };
    let mut called = node.connect_from("ann", "10.0.0.7", CapabilityFlags::CLIENT_MULTI_RESULTS).await;
    called.ok("USE d").await;
    let told = |results: Vec<Recorded>| match results.into_iter().next() {
        Some(Recorded::Rows { rows, .. }) => rows[0].iter().flatten().cloned().collect::<Vec<_>>().join(" "),
        Some(Recorded::Error(e)) => format!("error {}", e.code),
        other => format!("{other:?}"),
    };
    assert_eq!(told(called.results("CALL his()").await), "20");
    assert_eq!(told(called.results("CALL open()").await), "error 1142");
    assert_eq!(told(called.results("CALL who()").await), "bob@% ann@10.0.0.7");
    assert_eq!(told(called.results("SELECT CURRENT_USER()").await), "ann@10.0.%");
    assert_eq!(ann.value("SELECT f() + g()").await, "40");
    for sql in ["CALL wide()", "SELECT l()", "CALL dynamic()", "CALL loops()"] {
        assert_eq!(ann.code(sql).await, 1142, "{sql}");
        assert_eq!(root.code(sql).await, 1142, "{sql}: it is bob who may not");
    }
    root.ok("GRANT SELECT, INSERT ON d.log TO bob").await;
    for sql in ["CALL wide()", "CALL dynamic()"] {
        ann.results(sql).await;
    }
    assert_eq!(ann.value("SELECT l()").await, "2");
    root.ok("DROP USER bob").await;
    for sql in ["SELECT f()", "CALL wide()"] {
        assert_eq!(ann.code(sql).await, 1449, "{sql}");
    }
}

/// A function that asks with its caller's rights asks with those of each of its callers.
#[tokio::test]
async fn an_invokers_function_is_judged_for_every_caller() {
    let (_node, mut root, mut bob, mut ann) = with_bob().await;
    root.ok("GRANT SELECT ON d.log TO bob").await;
    bob.ok("CREATE FUNCTION open() RETURNS INT SQL SECURITY INVOKER BEGIN RETURN (SELECT COUNT(*) FROM log); END")
        .await;
    bob.ok("CREATE FUNCTION his() RETURNS INT BEGIN RETURN open(); END").await;
    bob.ok("CREATE FUNCTION twice() RETURNS INT SQL SECURITY INVOKER BEGIN RETURN his() + open(); END").await;
    bob.ok("CREATE VIEW v AS SELECT open() AS n").await;
    root.ok("GRANT SELECT ON d.v TO ann@'10.0.%'").await;
    assert_eq!(ann.value("SELECT his()").await, "0");
    assert_eq!(ann.value("SELECT n FROM v").await, "0");
    for sql in ["SELECT open()", "SELECT twice()", "SELECT his() + open()", "SELECT n, open() FROM v"] {
        assert_eq!(ann.code(sql).await, 1142, "{sql}");
    }
}

#[tokio::test]
async fn triggers_run_with_the_rights_of_whoever_made_them() {
    let (_node, mut root, mut bob, mut ann) = with_bob().await;
    root.ok("GRANT TRIGGER ON d.t TO bob").await;
    bob.ok("CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (CURRENT_USER())").await;
    root.ok("GRANT INSERT ON d.t TO ann@'10.0.%'").await;
    assert_eq!(ann.code("INSERT INTO t VALUES (7, 7)").await, 1142, "bob may not write the log");
    root.ok("GRANT INSERT ON d.log TO bob").await;
    ann.ok("INSERT INTO t VALUES (7, 7)").await;
    assert_eq!(root.value("SELECT what FROM log").await, "bob@%");
    assert_eq!(ann.code("DROP TRIGGER g").await, 1142);
    bob.ok("DROP TRIGGER g").await;
}

/// What was made before definers were kept belongs to one who may do everything.
#[tokio::test]
async fn the_first_definer_is_all_powerful_unless_there_is_such_an_account() {
    let (node, mut root) = with_ann().await;
    root.ok("CREATE DEFINER=root@'%' VIEW old AS SELECT v FROM t").await;
    root.ok("GRANT SELECT ON d.old TO ann@'10.0.%'").await;
    let mut client = ann(&node).await;
    assert_eq!(client.rows("SELECT * FROM d.old").await.len(), 2);
    root.ok("CREATE USER root@'%'").await;
    assert_eq!(client.code("SELECT * FROM d.old").await, 1356);
}
