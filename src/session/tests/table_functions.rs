//! LATERAL derived tables and JSON_TABLE (manual, "Lateral Derived Tables", "JSON Table Functions").

use super::*;

#[tokio::test]
async fn a_lateral_derived_table_sees_the_tables_before_it() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(10), n DECIMAL(30,10), b VARBINARY(4))").await;
    c.ok("CREATE TABLE c (id INT PRIMARY KEY, p INT, amount DECIMAL(12,2), x DOUBLE)").await;
    c.ok("INSERT INTO p VALUES (1, 'a', 1.1234567891, x'ff00'), (2, 'b', 2, NULL), (3, 'c', 3, NULL)").await;
    c.ok("INSERT INTO c VALUES (1, 1, 10.50, 0.1), (2, 1, 20.25, 1e300), (3, 2, 5, NULL)").await;
    let sums = "SELECT name, l.* FROM p, LATERAL (SELECT SUM(c.amount) s, COUNT(*) k, MAX(x) FROM c WHERE c.p = p.id) AS l \
                ORDER BY name";
    assert_eq!(c.lines(sums).await, ["a 30.75 2 1e300", "b 5.00 1 NULL", "c NULL 0 NULL"]);
    let best = "SELECT name, l.a, l.b FROM p LEFT JOIN LATERAL (SELECT id, amount FROM c WHERE c.p = p.id \
                ORDER BY amount DESC LIMIT 1) AS l (a, b) ON TRUE ORDER BY name";
    assert_eq!(c.lines(best).await, ["a 2 20.25", "b 3 5.00", "c NULL NULL"]);
    let chained = "SELECT p.id, two.id FROM p, LATERAL (SELECT MAX(amount) m FROM c WHERE c.p = p.id) one, \
                   LATERAL (SELECT id FROM c WHERE c.p = p.id AND c.amount = one.m) two ORDER BY 1";
    assert_eq!(c.lines(chained).await, ["1 2", "2 3"]);
    let types = "SELECT l.n * 2, HEX(l.b), l.name = 'A' FROM p JOIN LATERAL (SELECT p.n, p.b, p.name) l WHERE p.id = 1";
    assert_eq!(c.lines(types).await, ["2.2469135782 FF00 1"], "every cell as it was, texts by their collation");
    c.ok("UPDATE p, LATERAL (SELECT COUNT(*) k FROM c WHERE c.p = p.id) l SET p.n = l.k").await;
    assert_eq!(c.value("SELECT GROUP_CONCAT(ROUND(n) ORDER BY id) FROM p").await, "2,1,0");
    c.ok("CREATE VIEW v AS SELECT p.id, l.* FROM p, LATERAL (SELECT SUM(c.amount) s FROM c WHERE c.p = p.id) AS l")
        .await;
    assert_eq!(c.lines("SELECT * FROM v ORDER BY id").await, ["1 30.75", "2 5.00", "3 NULL"]);
}

#[tokio::test]
async fn what_lateral_must_not_name_is_refused() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, j JSON)").await;
    assert_eq!(c.code("SELECT * FROM t, (SELECT t.id) AS l").await, 1054);
    assert_eq!(c.code("SELECT * FROM LATERAL (SELECT t.id) AS l, t").await, 1054);
    assert_eq!(c.code("SELECT * FROM t RIGHT JOIN LATERAL (SELECT t.id) AS l ON 1").await, 3668);
    assert_eq!(c.code("SELECT * FROM t, LATERAL (SELECT t.id)").await, 1248);
    assert_eq!(c.code("SELECT * FROM t, LATERAL (SELECT 1 AS a, 2 AS a) AS l").await, 1060);
    assert_eq!(c.code("SELECT * FROM JSON_TABLE(t.j, '$' COLUMNS (a INT PATH '$')) AS l, t").await, 1054);
    let wide: Vec<String> = (0..101).map(|n| format!("{n} AS c{n}")).collect();
    assert_eq!(c.code(&format!("SELECT 1 FROM t, LATERAL (SELECT {}) AS l", wide.join(", "))).await, 1235);
}

#[tokio::test]
async fn json_table_makes_rows_of_a_document() {
    let (_node, mut c) = Node::with_database().await;
    // The manual's examples.
    let defaults = r#"SELECT * FROM JSON_TABLE('[{"a":"3"},{"a":2},{"b":1},{"a":0},{"a":[1,2]}]', "$[*]" COLUMNS(
        rowid FOR ORDINALITY,
        ac VARCHAR(100) PATH "$.a" DEFAULT '111' ON EMPTY DEFAULT '999' ON ERROR,
        aj JSON PATH "$.a" DEFAULT '{"x": 333}' ON EMPTY,
        bx INT EXISTS PATH "$.b")) AS tt"#;
    let rows = c.lines(defaults).await;
    assert_eq!(rows, ["1 3 \"3\" 0", "2 2 2 0", "3 111 {\"x\": 333} 1", "4 0 0 0", "5 999 [1, 2] 0"]);
    let nested = r#"SELECT * FROM JSON_TABLE('[{"a": 1, "b": [11,111]}, {"a": 2}]', '$[*]' COLUMNS(
        a INT PATH '$.a',
        NESTED PATH '$.b[*]' COLUMNS (o FOR ORDINALITY, b1 INT PATH '$'),
        NESTED '$.b[*]' COLUMNS (b2 INT PATH '$'))) AS jt"#;
    let rows = c.lines(nested).await;
    assert_eq!(rows, ["1 1 11 NULL", "1 2 111 NULL", "1 NULL NULL 11", "1 NULL NULL 111", "2 NULL NULL NULL"]);
    let wrong = "SELECT * FROM JSON_TABLE('[\"x\", null, true, 99999999999]', '$[*]' COLUMNS(\
                 i INT PATH '$', d DECIMAL(5,2) PATH '$' DEFAULT '7' ON ERROR, j JSON PATH '$')) AS j";
    assert_eq!(c.lines(wrong).await, ["NULL 7.00 \"x\"", "NULL NULL null", "1 1.00 true", "NULL 7.00 99999999999"]);
}

#[tokio::test]
async fn json_table_reads_the_columns_of_tables_before_it() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, doc JSON)").await;
    c.ok("INSERT INTO t VALUES (1, '{\"k\":[1,2,3]}'), (2, '{\"k\":[]}'), (3, NULL)").await;
    let inner = "SELECT t.id, j.v FROM t, JSON_TABLE(t.doc, '$.k[*]' COLUMNS(v INT PATH '$')) AS j ORDER BY 1, 2";
    assert_eq!(c.lines(inner).await, ["1 1", "1 2", "1 3"]);
    let outer =
        "SELECT t.id, v FROM t LEFT JOIN JSON_TABLE(doc, '$.k[*]' COLUMNS(v INT PATH '$')) AS j ON v > 2 ORDER BY 1";
    assert_eq!(c.lines(outer).await, ["1 3", "2 NULL", "3 NULL"]);
    c.ok("CREATE TABLE u (v INT PRIMARY KEY)").await;
    c.ok("INSERT INTO u SELECT v FROM t, JSON_TABLE(doc, '$.k[*]' COLUMNS(v INT PATH '$')) AS j").await;
    assert_eq!(c.value("SELECT SUM(v) FROM u").await, "6");
    assert_eq!(
        c.value("SELECT COUNT(*) FROM t, JSON_TABLE(doc, '$.k[*]' COLUMNS(v INT PATH '$')) j WHERE j.v = 2").await,
        "1"
    );
}

#[tokio::test]
async fn errors_of_json_table_are_mysqls() {
    let (_node, mut c) = Node::with_database().await;
    let mut code = async |rest: &str| c.code(&format!("SELECT * FROM JSON_TABLE({rest}")).await;
    assert_eq!(code("'{}', '$' COLUMNS(i INT PATH '$.b' ERROR ON EMPTY)) AS j").await, 3665);
    assert_eq!(code("'{\"a\":[1]}', '$' COLUMNS(i INT PATH '$.a' ERROR ON ERROR)) AS j").await, 3666);
    assert_eq!(code("'{\"a\":\"x\"}', '$' COLUMNS(i INT PATH '$.a' ERROR ON ERROR)) AS j").await, 3669);
    assert_eq!(code("'{', '$' COLUMNS(i INT PATH '$.a')) AS j").await, 3141);
    assert_eq!(code("'{}', '$' COLUMNS(i INT PATH '$.a'))").await, 3667);
    assert_eq!(code("'{}', 'a' COLUMNS(i INT PATH '$.a')) AS j").await, 3143);
    assert_eq!(code("'{}', '$' COLUMNS(i INT PATH '$.a' DEFAULT 'x' ON EMPTY)) AS j").await, 1067);
    assert_eq!(code("'{}', '$' COLUMNS(i INT PATH '$.a', i INT PATH '$.b')) AS j").await, 1060);
}
