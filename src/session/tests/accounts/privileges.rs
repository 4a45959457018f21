//! Each privilege, denied and then granted.

use super::*;

/// A statement that needs one privilege beside what `ann` has already: `given`. Denied with `code` without it.
struct Case {
    given: &'static str,
    needed: &'static str,
    code: u16,
    sql: &'static str,
}

const fn case(given: &'static str, needed: &'static str, code: u16, sql: &'static str) -> Case {
    Case { given, needed, code, sql }
}

const CASES: &[Case] = &[
    case("", "SELECT ON d.t", 1142, "SELECT * FROM d.t"),
    case("", "SELECT ON d.*", 1142, "SELECT COUNT(*) FROM d.t"),
    case("", "SELECT ON *.*", 1142, "SELECT 1 FROM d.t, d.u"),
    case("SELECT ON d.t", "SELECT ON d.u", 1142, "SELECT (SELECT MAX(id) FROM d.u) FROM d.t"),
    case("SELECT ON d.t", "SELECT ON d.u", 1142, "WITH c AS (SELECT * FROM d.u) SELECT * FROM d.t JOIN c USING (id)"),
    case("SELECT ON d.t", "SELECT ON d.u", 1142, "SELECT * FROM d.t UNION SELECT * FROM d.u"),
    case("SELECT ON d.t", "SELECT ON d.u", 1142, "SELECT * FROM d.t WHERE EXISTS (SELECT 1 FROM d.u)"),
    case("SELECT ON d.t", "SELECT ON d.u", 1142, "EXPLAIN SELECT * FROM d.t, d.u"),
    case("", "SELECT ON d.t", 1142, "DO (SELECT MAX(id) FROM d.t)"),
    case("", "SELECT ON d.t", 1142, "SET @a = (SELECT MAX(id) FROM d.t)"),
    case("", "INSERT ON d.t", 1142, "INSERT INTO d.t VALUES (3, 3)"),
    case("INSERT ON d.t", "SELECT ON d.u", 1142, "INSERT INTO d.t SELECT id + 7, 1 FROM d.u"),
    case("INSERT ON d.t", "DELETE ON d.t", 1142, "REPLACE INTO d.t VALUES (3, 3)"),
    case("INSERT ON d.t", "UPDATE ON d.t", 1142, "INSERT INTO d.t VALUES (1, 1) ON DUPLICATE KEY UPDATE v = 2"),
    case("INSERT ON d.t", "SELECT ON d.t", 1142, "INSERT INTO d.t VALUES (9, 9) RETURNING v"),
    case(
        "INSERT, UPDATE ON d.t",
        "SELECT ON d.t",
        1142,
        "INSERT INTO d.t VALUES (1, 1) ON DUPLICATE KEY UPDATE v = v + 1",
    ),
    case(
        "INSERT ON d.t",
        "UPDATE ON d.t",
        1142,
        "INSERT INTO d.t VALUES (1, 1) ON DUPLICATE KEY UPDATE v = VALUES(v) + 1",
    ),
    case("SELECT ON d.t", "UPDATE ON d.t", 1142, "SELECT * FROM d.t FOR UPDATE"),
    case("", "SELECT ON d.t", 1142, "SELECT * FROM d.t FOR SHARE"),
    case("UPDATE ON d.t", "SELECT ON d.t", 1142, "UPDATE d.t SET v = 1 WHERE (SELECT t.v) = 10"),
    case("EXECUTE ON d.*", "ALTER ROUTINE ON d.*", 1370, "SHOW CREATE PROCEDURE d.p"),
    case("", "UPDATE ON d.t", 1142, "UPDATE d.t SET v = 5"),
    case("UPDATE ON d.t", "SELECT ON d.t", 1142, "UPDATE d.t SET v = 5 WHERE id = 1"),
    case("UPDATE ON d.t", "SELECT ON d.t", 1142, "UPDATE d.t SET v = v + 1"),
    case("SELECT ON d.*", "UPDATE ON d.t", 1142, "UPDATE d.t JOIN d.u USING (id) SET t.v = 5"),
    case("", "DELETE ON d.t", 1142, "DELETE FROM d.t"),
    case("DELETE ON d.t", "SELECT ON d.t", 1142, "DELETE FROM d.t WHERE id = 1"),
    case("SELECT ON d.*", "DELETE ON d.t", 1142, "DELETE t FROM d.t JOIN d.u USING (id)"),
    case("", "CREATE ON d.x", 1142, "CREATE TABLE d.x (a INT PRIMARY KEY)"),
    case("SELECT ON d.t", "CREATE ON d.x", 1142, "CREATE TABLE d.x LIKE d.t"),
    case("CREATE, INSERT ON d.x", "SELECT ON d.t", 1142, "CREATE TABLE d.x AS SELECT * FROM d.t"),
    case(
        "CREATE ON d.x",
        "REFERENCES ON d.t",
        1142,
        "CREATE TABLE d.x (a INT PRIMARY KEY REFERENCES d.t (id), FOREIGN KEY (a) REFERENCES d.t (id))",
    ),
    case("", "CREATE ON n.*", 1044, "CREATE DATABASE n"),
    case("", "ALTER ON d.t", 1142, "ALTER TABLE d.t ADD COLUMN z INT"),
    case("ALTER, DROP ON d.t", "CREATE, INSERT ON d.*", 1142, "RENAME TABLE d.t TO d.r"),
    case("", "ALTER ON d.*", 1044, "ALTER DATABASE d COLLATE utf8mb4_bin"),
    case("", "INDEX ON d.t", 1142, "CREATE INDEX i ON d.t (v)"),
    case("", "DROP ON d.t", 1142, "DROP TABLE d.t"),
    case("", "DROP ON d.t", 1142, "TRUNCATE d.t"),
    case("", "DROP ON d.*", 1044, "DROP DATABASE d"),
    case("", "CREATE TEMPORARY TABLES ON d.*", 1044, "CREATE TEMPORARY TABLE d.x (a INT)"),
    case("SELECT ON d.t", "LOCK TABLES ON d.*", 1044, "LOCK TABLES d.t READ"),
    case("SELECT ON d.t", "CREATE VIEW ON d.*", 1142, "CREATE VIEW d.x AS SELECT * FROM d.t"),
    case("CREATE VIEW ON d.*", "SELECT ON d.t", 1142, "CREATE VIEW d.x AS SELECT * FROM d.t"),
    case("SELECT ON d.w", "SHOW VIEW ON d.w", 1142, "SHOW CREATE VIEW d.w"),
    case("", "TRIGGER ON d.t", 1142, "CREATE TRIGGER d.g BEFORE INSERT ON d.t FOR EACH ROW SET @a = 1"),
    case("", "CREATE ROUTINE ON d.*", 1044, "CREATE PROCEDURE d.q() SELECT 1"),
    case("", "CREATE ROUTINE ON d.*", 1044, "CREATE FUNCTION d.h() RETURNS INT RETURN 1"),
    case("", "ALTER ROUTINE ON d.*", 1370, "DROP PROCEDURE d.p"),
    case("", "ALTER ROUTINE ON d.*", 1370, "ALTER PROCEDURE d.p COMMENT 'x'"),
    case("", "EXECUTE ON d.*", 1370, "CALL d.p()"),
    case("", "EXECUTE ON d.*", 1370, "SELECT d.f()"),
    case("", "EXECUTE ON d.*", 1370, "SELECT d.k()"),
    case("", "RELOAD ON *.*", 1227, "FLUSH PRIVILEGES"),
    case("", "SUPER ON *.*", 1227, "SET GLOBAL wait_timeout = 100"),
    case("", "SUPER ON *.*", 1227, "SET GLOBAL TRANSACTION READ WRITE"),
    case("", "SUPER ON *.*", 1227, "ALTER CLUSTER REMOVE NODE 9"),
    case("", "SUPER ON *.*", 1227, "ALTER CLUSTER VERIFY"),
    case("CREATE ROUTINE ON d.*", "SUPER ON *.*", 1227, "CREATE DEFINER=root@localhost PROCEDURE d.q() SELECT 1"),
    case("", "CREATE USER ON *.*", 1227, "CREATE USER x"),
    case("", "CREATE USER ON *.*", 1227, "ALTER USER bob ACCOUNT LOCK"),
    case("", "CREATE USER ON *.*", 1227, "SET PASSWORD FOR bob = 'x'"),
    case("", "CREATE USER ON *.*", 1227, "DROP USER bob"),
    case("", "CREATE USER ON *.*", 1227, "RENAME USER bob TO bobby"),
    case("CREATE USER ON *.*", "SUPER ON *.*", 1227, "ALTER USER root@localhost IDENTIFIED BY 'x'"),
    case("CREATE USER ON *.*", "SUPER ON *.*", 1227, "DROP USER root@localhost"),
    case("SELECT ON d.*", "GRANT OPTION ON d.*", 1044, "GRANT SELECT ON d.* TO bob"),
    case("GRANT OPTION ON d.*", "SELECT ON d.*", 1044, "GRANT SELECT ON d.* TO bob"),
    case("GRANT OPTION ON d.t", "INSERT ON d.t", 1142, "GRANT INSERT ON d.t TO bob"),
    case("SELECT ON *.*", "GRANT OPTION ON *.*", 1045, "GRANT SELECT ON *.* TO bob"),
    case("", "SELECT ON mysql.*", 1142, "SELECT User FROM mysql.user"),
    case("", "SELECT ON mysql.*", 1044, "SHOW GRANTS FOR bob"),
    case("", "SELECT ON mysql.*", 1044, "SHOW CREATE USER bob"),
    case("", "SELECT ON marmot.*", 1142, "SELECT * FROM marmot.conflicts"),
    case("", "SELECT ON d.t", 1044, "USE d"),
    case("", "INSERT ON d.t", 1044, "SHOW TABLES FROM d"),
    case("", "INSERT ON d.t", 1142, "SHOW CREATE TABLE d.t"),
    case("", "INSERT ON d.t", 1142, "SHOW COLUMNS FROM d.t"),
    case("", "INSERT ON d.t", 1142, "DESCRIBE d.t"),
    case("", "INSERT ON d.t", 1142, "SHOW INDEX FROM d.t"),
    case("SELECT ON d.t", "INSERT ON d.t", 1142, "ANALYZE TABLE d.t"),
];

/// Nothing is told of what is there to whoever may not know.
#[tokio::test]
async fn each_privilege_is_denied_and_then_granted() {
    for Case { given, needed, code, sql } in CASES {
        let (node, mut root) = with_ann().await;
        for more in [
            "CREATE TABLE u (id INT PRIMARY KEY, v INT)",
            "CREATE VIEW w AS SELECT * FROM t",
            "CREATE PROCEDURE p() SET @x = 1",
            "CREATE FUNCTION f() RETURNS INT RETURN 1",
            "CREATE FUNCTION k() RETURNS INT BEGIN RETURN 2; END",
            "CREATE USER bob",
        ] {
            root.ok(more).await;
        }
        let mut client = ann(&node).await;
        let denied = client.error(sql).await;
        // Without anything another privilege may be what is missing first.
        let first = [1044, 1045, 1142, 1227, 1305, 1370];
        assert!(first.contains(&denied.code), "{sql}: {denied:?}");
        let grant = |what: &str| format!("GRANT {what} TO ann@'10.0.%'");
        if !given.is_empty() {
            root.ok(&grant(given)).await;
        }
        let denied = client.error(sql).await;
        assert_eq!(denied.code, *code, "{sql}: {denied:?}");
        assert_eq!(
            client.session.prepare(StatementId(1), sql.as_bytes()).await.err().map(|e| e.code).is_some(),
            {
                // Prepared, it is denied at once, unless only the session knows.
                !is_checked_late(sql)
            },
            "{sql}"
        );
        root.ok(&grant(needed)).await;
        let results = client.results(sql).await;
        let error = results.iter().find_map(|r| match r {
            Recorded::Error(e) => Some(e.clone()),
            _ => None,
        });
        assert_eq!(error, None, "{sql} with {given} and {needed}");
    }
}

/// Statements whose need is known when they run.
fn is_checked_late(sql: &str) -> bool {
    let late =
        ["CREATE USER", "ALTER USER", "DROP USER", "RENAME USER", "SET PASSWORD", "GRANT ", "USE ", "SHOW GRANTS"];
    late.iter().any(|start| sql.starts_with(start)) || sql.starts_with("SHOW CREATE USER")
}

#[tokio::test]
async fn errors_are_mysqls() {
    let (node, mut root) = with_ann().await;
    let mut client = ann(&node).await;
    let told = |e: SqlError| format!("{} {}", e.code, e.message);
    assert_eq!(
        told(client.error("SELECT * FROM d.t").await),
        "1142 SELECT command denied to user 'ann'@'10.0.%' for table 't'"
    );
    assert_eq!(told(client.error("USE d").await), "1044 Access denied for user 'ann'@'10.0.%' to database 'd'");
    assert_eq!(
        told(client.error("CREATE USER x").await),
        "1227 Access denied; you need (at least one of) the CREATE USER privilege(s) for this operation"
    );
    assert_eq!(
        told(client.error("REPLACE INTO d.t VALUES (1, 1)").await),
        "1142 INSERT, DELETE command denied to user 'ann'@'10.0.%' for table 't'"
    );
    // What is not there looks as what is.
    for sql in ["SELECT nope FROM d.t", "SELECT * FROM d.nope", "SELECT * FROM nope.t", "INSERT INTO d.nope VALUES (1)"]
    {
        assert_eq!(client.code(sql).await, 1142, "{sql}");
    }
    assert_eq!(client.code("USE nope").await, 1044);
    root.ok("GRANT SELECT ON d.* TO ann@'10.0.%'").await;
    assert_eq!(client.code("SELECT nope FROM d.t").await, 1054);
    assert_eq!(client.code("SELECT * FROM d.nope").await, 1146);
}

#[tokio::test]
async fn a_change_holds_for_the_next_statement_prepared_or_not() {
    let (node, mut root) = with_ann().await;
    root.ok("GRANT SELECT ON d.* TO ann@'10.0.%'").await;
    let mut client = ann(&node).await;
    client.ok("USE d").await;
    client.session.prepare(StatementId(1), b"SELECT v FROM t WHERE id = ?").await.expect("it may");
    assert!(matches!(client.execute(1, &[Value::Int(1)]).await, Recorded::Rows { .. }));
    client.ok("BEGIN").await;
    assert_eq!(client.value("SELECT COUNT(*) FROM t").await, "2");
    root.ok("REVOKE SELECT ON d.* FROM ann@'10.0.%'").await;
    assert_eq!(client.code("SELECT COUNT(*) FROM t").await, 1142, "within a transaction");
    client.ok("ROLLBACK").await;
    assert!(matches!(client.execute(1, &[Value::Int(1)]).await, Recorded::Error(e) if e.code == 1142));
    root.ok("GRANT SELECT ON d.t TO ann@'10.0.%'").await;
    assert!(matches!(client.execute(1, &[Value::Int(1)]).await, Recorded::Rows { .. }));
    assert_eq!(client.code("SELECT * FROM t, u").await, 1142);
}

#[tokio::test]
async fn of_patterns_the_one_that_says_most_counts() {
    let (node, mut root) = with_ann().await;
    for database in ["app_1", "app_2", "appx1"] {
        root.ok(&format!("CREATE DATABASE {database}")).await;
        root.ok(&format!("CREATE TABLE {database}.t (a INT)")).await;
    }
    root.ok("GRANT SELECT ON `app%`.* TO ann@'10.0.%'").await;
    root.ok("GRANT INSERT ON `app\\_1`.* TO ann@'10.0.%'").await;
    let mut client = ann(&node).await;
    assert!(client.rows("SELECT * FROM app_2.t").await.is_empty());
    assert!(client.rows("SELECT * FROM appx1.t").await.is_empty());
    client.ok("INSERT INTO app_1.t VALUES (1)").await;
    assert_eq!(client.code("SELECT * FROM app_1.t").await, 1142);
    assert_eq!(client.code("INSERT INTO appx1.t VALUES (1)").await, 1142);
}

#[tokio::test]
async fn the_own_password_is_ones_own() {
    let (node, _root) = with_ann().await;
    let mut client = ann(&node).await;
    client.ok("SET PASSWORD = 'other'").await;
    client.ok("ALTER USER CURRENT_USER() IDENTIFIED BY 'another'").await;
    assert_eq!(client.code("ALTER USER CURRENT_USER() ACCOUNT UNLOCK").await, 1227);
    assert_eq!(client.lines("SHOW GRANTS").await, ["GRANT USAGE ON *.* TO `ann`@`10.0.%`"]);
    assert!(client.value("SHOW CREATE USER").await.starts_with("CREATE USER `ann`@`10.0.%`"));
}

#[tokio::test]
async fn others_are_neither_listed_nor_killed() {
    let (node, mut root) = with_ann().await;
    let mut client = ann(&node).await;
    let roots = root.value("SELECT CONNECTION_ID()").await;
    assert_eq!(client.lines("SELECT user FROM information_schema.processlist").await, ["ann"]);
    assert_eq!(client.rows("SHOW PROCESSLIST").await.len(), 1);
    assert_eq!(client.code(&format!("KILL {roots}")).await, 1095);
    assert_eq!(client.code("KILL 4711").await, 1094);
    root.ok("GRANT PROCESS ON *.* TO ann@'10.0.%'").await;
    assert_eq!(client.rows("SHOW PROCESSLIST").await.len(), 2);
    let other = ann(&node).await;
    let own = other.login.connection;
    client.ok(&format!("KILL {own}")).await;
    root.ok("GRANT SUPER ON *.* TO ann@'10.0.%'").await;
    client.ok(&format!("KILL QUERY {roots}")).await;
}
