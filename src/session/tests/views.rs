//! Rows changed through views (manual, "Updatable and Insertable Views", "The View WITH CHECK OPTION Clause").

use super::*;

async fn with_views() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10) DEFAULT 'dd', c INT NOT NULL DEFAULT 7)").await;
    c.ok("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (-3, 'hidden', 3)").await;
    c.ok("CREATE VIEW v AS SELECT a AS x, b AS y, c + 1 AS z FROM t WHERE a > 0").await;
    (node, c)
}

#[tokio::test]
async fn a_view_changes_the_rows_it_shows() {
    let (node, mut c) = with_views().await;
    assert_eq!(c.ok("UPDATE v SET y = 'uno', x = x + 10 WHERE x = 1").await.affected_rows, 1);
    assert_eq!(c.ok("UPDATE v AS w SET w.x = w.x + 1, y = x WHERE z = 3").await.affected_rows, 1);
    assert_eq!(c.lines("SELECT * FROM t ORDER BY a").await, ["-3 hidden 3", "3 3 2", "11 uno 1"]);
    assert_eq!(c.ok("UPDATE v SET y = 'last' ORDER BY x DESC LIMIT 1").await.affected_rows, 1);
    assert_eq!(c.ok("DELETE FROM v WHERE y = 'last'").await.affected_rows, 1);
    assert_eq!(c.ok("DELETE FROM v").await.affected_rows, 1);
    assert_eq!(c.lines("SELECT * FROM t").await, ["-3 hidden 3"], "what the view does not show stays");
    c.ok("CREATE VIEW w AS SELECT b AS q, a AS p FROM t").await;
    assert_eq!(c.ok("INSERT INTO w VALUES ('new', 20), (DEFAULT, 21)").await.affected_rows, 2);
    assert_eq!(c.ok("INSERT INTO w (p) SELECT 22").await.affected_rows, 1);
    assert_eq!(
        c.ok("INSERT INTO w VALUES ('-', 22) ON DUPLICATE KEY UPDATE q = CONCAT(q, VALUES(q))").await.affected_rows,
        2
    );
    c.ok("REPLACE INTO w VALUES ('re', 21)").await;
    assert_eq!(c.lines("SELECT a, b FROM t WHERE a > 0 ORDER BY a").await, ["20 new", "21 re", "22 dd-"]);
    c.ok("CREATE VIEW ww AS SELECT p AS n FROM w WHERE q LIKE 'd%'").await;
    assert_eq!(c.ok("UPDATE ww SET n = 30").await.affected_rows, 1, "a view over a view");
    let mut other = node.another().await;
    other.session.prepare(StatementId(1), b"UPDATE ww SET n = ? WHERE n = ?").await.expect("a plan");
    assert!(matches!(other.execute(1, &[Value::Int(31), Value::Int(30)]).await, Recorded::Ok(_)));
    assert_eq!(c.value("SELECT COUNT(*) FROM t WHERE a = 31").await, "1");
}

#[tokio::test]
async fn with_check_option_refuses_rows_the_view_would_not_show() {
    let (_node, mut c) = with_views().await;
    c.ok("CREATE VIEW k AS SELECT a AS x, b AS y FROM t WHERE a < 100 WITH CHECK OPTION").await;
    c.ok("INSERT INTO k VALUES (5, 'five')").await;
    let e = c.error("INSERT INTO k VALUES (6, 'six'), (500, 'far')").await;
    assert_eq!((e.code, &*e.message), (1369, "CHECK OPTION failed 'd.k'"));
    assert_eq!(c.code("UPDATE k SET x = 300 WHERE x = 5").await, 1369);
    assert_eq!(c.code("INSERT INTO k VALUES (5, '') ON DUPLICATE KEY UPDATE x = 150").await, 1369);
    assert_eq!(c.ok("INSERT IGNORE INTO k VALUES (500, 'far'), (6, 'six')").await.affected_rows, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Warning 1369 CHECK OPTION failed 'd.k'"]);
    assert_eq!(c.ok("UPDATE IGNORE k SET x = x + 94 WHERE x > 4").await.affected_rows, 1);
    assert_eq!(c.lines("SELECT x FROM k ORDER BY x").await, ["-3", "1", "2", "6", "99"]);
    c.ok("INSERT INTO k VALUES ((SELECT MAX(a) FROM t) - 1, 'query')").await;
    let kept = c.ok("INSERT IGNORE INTO k VALUES (98, '-') ON DUPLICATE KEY UPDATE x = 500").await;
    assert_eq!((kept.affected_rows, c.value("SELECT y FROM k WHERE x = 98").await), (0, "query".to_string()));
    // The manual's example.
    c.ok("CREATE TABLE t1 (a INT)").await;
    c.ok("CREATE VIEW v1 AS SELECT * FROM t1 WHERE a < 2 WITH CHECK OPTION").await;
    c.ok("CREATE VIEW v2 AS SELECT * FROM v1 WHERE a > 0 WITH LOCAL CHECK OPTION").await;
    c.ok("CREATE VIEW v3 AS SELECT * FROM v1 WHERE a > 0 WITH CASCADED CHECK OPTION").await;
    assert_eq!(c.error("INSERT INTO v2 VALUES (2)").await.message, "CHECK OPTION failed 'd.v2'");
    assert_eq!(c.error("INSERT INTO v3 VALUES (2)").await.message, "CHECK OPTION failed 'd.v3'");
    c.ok("CREATE VIEW v4 AS SELECT * FROM t1 WHERE a < 2").await;
    c.ok("CREATE VIEW v5 AS SELECT * FROM v4 WHERE a > 0 WITH LOCAL CHECK OPTION").await;
    c.ok("INSERT INTO v5 VALUES (2)").await;
    assert_eq!(c.code("INSERT INTO v5 VALUES (0)").await, 1369);
}

#[tokio::test]
async fn ids_and_checks_go_together() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(5) NOT NULL, n INT)").await;
    c.ok("CREATE VIEW v AS SELECT id, k, n FROM t WHERE k <> 'bad' WITH CHECK OPTION").await;
    c.ok("INSERT INTO v (k, n) VALUES ('a', 2), ('b', 3)").await;
    assert_eq!(c.code("INSERT INTO v (k) VALUES ('BAD')").await, 1369, "by the column's collation");
    c.ok("INSERT INTO v (k, n) SELECT k, n + 1 FROM t").await;
    assert_eq!(
        c.lines("SELECT k, n, COUNT(DISTINCT id) FROM t GROUP BY k, n ORDER BY n, k").await,
        ["a 2 1", "a 3 1", "b 3 1", "b 4 1"]
    );
}

#[tokio::test]
async fn join_views_change_one_table_at_a_time() {
    let (_node, mut c) = with_views().await;
    c.ok("CREATE TABLE u (id INT PRIMARY KEY, a INT, n INT)").await;
    c.ok("INSERT INTO u VALUES (1, 1, 10), (2, 2, 20)").await;
    c.ok("CREATE VIEW j AS SELECT t.a, t.b, u.id, u.n FROM t JOIN u ON u.a = t.a").await;
    assert_eq!(c.ok("UPDATE j SET n = n + 1 WHERE b = 'two'").await.affected_rows, 1);
    assert_eq!(c.code("UPDATE j SET n = 1, b = 'x'").await, 1393);
    assert_eq!(c.code("DELETE FROM j").await, 1395);
    assert_eq!(c.code("INSERT INTO j VALUES (1, 2, 3, 4)").await, 1394);
    assert_eq!(c.code("INSERT INTO j (id, b) VALUES (3, 'x')").await, 1393);
    c.ok("INSERT INTO j (id, n) VALUES (9, 90)").await;
    assert_eq!(c.lines("SELECT * FROM u ORDER BY id").await, ["1 1 10", "2 2 21", "9 NULL 90"]);
    assert_eq!(c.ok("UPDATE v JOIN u ON u.a = v.x SET v.y = 'joined', u.n = 0").await.affected_rows, 4);
    assert_eq!(c.ok("DELETE v FROM v JOIN u ON u.a = v.x WHERE u.id = 1").await.affected_rows, 1);
    assert_eq!(c.lines("SELECT a, b FROM t ORDER BY a").await, ["-3 hidden", "2 joined"]);
}

#[tokio::test]
async fn columns_that_nobody_named_get_names_of_their_own() {
    let (_node, mut c) = with_views().await;
    c.ok("CREATE VIEW n AS SELECT 'k', 'K', b, 'B', 1 AS a FROM t").await;
    let names = "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS WHERE TABLE_NAME = 'n'";
    assert_eq!(c.value(names).await, "k,My_exp_K,b,My_exp_B,a");
    assert_eq!(c.code("CREATE VIEW m AS SELECT a, b AS a FROM t").await, 1060);
}

#[tokio::test]
async fn what_is_not_updatable_is_refused_as_mysql_does() {
    let (_node, mut c) = with_views().await;
    assert_eq!(c.code("UPDATE v SET z = 1").await, 1348);
    assert_eq!(c.code("INSERT INTO v (x) VALUES (9)").await, 1471);
    for (name, query) in [
        ("g1", "SELECT COUNT(*) k FROM t"),
        ("g2", "SELECT DISTINCT a AS k FROM t"),
        ("g3", "SELECT a AS k FROM t GROUP BY a"),
        ("g4", "SELECT a AS k FROM t UNION SELECT 1"),
        ("g5", "SELECT a AS k FROM t LIMIT 1"),
        ("g6", "SELECT 1 AS k"),
        ("g7", "SELECT a AS k FROM t WHERE a IN (SELECT a FROM t)"),
        ("g8", "SELECT ROW_NUMBER() OVER () AS k FROM t"),
        ("g9", "SELECT k FROM g1"),
    ] {
        c.ok(&format!("CREATE VIEW {name} AS {query}")).await;
        assert_eq!(c.code(&format!("UPDATE {name} SET k = 1")).await, 1288, "{query}");
        assert_eq!(c.code(&format!("DELETE FROM {name}")).await, 1288, "{query}");
        assert_eq!(c.code(&format!("INSERT INTO {name} VALUES (1)")).await, 1471, "{query}");
        assert_eq!(c.code(&format!("CREATE VIEW h AS ({query}) WITH CHECK OPTION")).await, 1368, "{query}");
    }
    c.ok("CREATE ALGORITHM=TEMPTABLE VIEW g10 AS SELECT a FROM t").await;
    assert_eq!(c.code("DELETE FROM g10").await, 1288);
    c.ok("CREATE TABLE n (a INT PRIMARY KEY, b INT)").await;
    c.ok("CREATE VIEW nb AS SELECT b FROM n").await;
    assert_eq!(c.code("INSERT INTO nb VALUES (1)").await, 1423);
    let updatable = "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY 1) FROM information_schema.VIEWS \
                     WHERE TABLE_SCHEMA = 'd' AND IS_UPDATABLE = 'YES'";
    assert_eq!(c.value(updatable).await, "nb,v");
}
