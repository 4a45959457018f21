//! Functions whose bodies are statements.

use super::super::Node;

#[tokio::test]
async fn functions_of_statements_are_called_by_row() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)").await;
    c.ok("CREATE FUNCTION fact(n INT) RETURNS BIGINT DETERMINISTIC
BEGIN
    DECLARE f BIGINT DEFAULT 1;
    WHILE n > 1 DO SET f = f * n, n = n - 1; END WHILE;
    RETURN f;
END")
        .await;
    assert_eq!(
        c.lines("SELECT id, fact(id + 2) FROM t WHERE fact(id) < 6 ORDER BY fact(id) DESC").await,
        ["2 24", "1 6"]
    );
    c.ok("CREATE FUNCTION total(low INT) RETURNS DECIMAL(10,2) READS SQL DATA
BEGIN
    DECLARE x INT; DECLARE sum DECIMAL(10,2) DEFAULT 0; DECLARE done BOOL DEFAULT FALSE;
    DECLARE c CURSOR FOR SELECT v FROM t WHERE id >= low AND v IS NOT NULL;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
    OPEN c;
    again: LOOP FETCH c INTO x; IF done THEN LEAVE again; END IF; SET sum = sum + x; END LOOP;
    RETURN sum;
END")
        .await;
    assert_eq!(c.lines("SELECT id, total(id) FROM t").await, ["1 30.00", "2 20.00", "3 0.00"]);
    assert_eq!(c.lines("SELECT d.total(2), total(fact(2))").await, ["20.00 20.00"]);
    // What the transaction changed is seen.
    c.ok("BEGIN").await;
    c.ok("UPDATE t SET v = 100 WHERE id = 3").await;
    assert_eq!(c.value("SELECT total(1)").await, "130.00");
    c.ok("INSERT INTO t VALUES (4, total(1))").await;
    c.ok("UPDATE t SET v = fact(id) WHERE id > 2").await;
    assert_eq!(c.lines("SELECT v FROM t").await, ["10", "20", "6", "24"]);
    c.ok("ROLLBACK").await;
    c.ok("DELETE FROM t WHERE fact(id) = 2").await;
    assert_eq!(c.value("SELECT total(1), (SELECT COUNT(*) FROM t)").await, "10.00 2");
    c.ok("PREPARE s FROM 'SELECT fact(?)'").await;
    c.ok("SET @n = 5").await;
    assert_eq!(c.value("EXECUTE s USING @n").await, "120");
    c.ok("SET @f = fact(4) + 1").await;
    assert_eq!(c.value("SELECT @f").await, "25");
    c.ok("CREATE VIEW w AS SELECT id, fact(id) AS f FROM t").await;
    assert_eq!(c.lines("SELECT f FROM w WHERE id = 3").await, ["6"]);
}

#[tokio::test]
async fn functions_call_functions_and_know_the_session() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE FUNCTION inner_one(a INT) RETURNS INT BEGIN SET @calls = IFNULL(@calls, 0) + 1; RETURN a + 1; END")
        .await;
    c.ok("CREATE FUNCTION outer_one(a INT) RETURNS VARCHAR(20) BEGIN DECLARE b INT; SET b = inner_one(a) + inner_one(a); RETURN CONCAT(DATABASE(), b, IF(NOW() > '2000-01-01', 'now', '')); END")
        .await;
    assert_eq!(c.value("SELECT outer_one(1)").await, "d4now");
    assert_eq!(c.value("SELECT @calls").await, "2");
    c.ok("CREATE PROCEDURE p() BEGIN DECLARE x INT; SET x = inner_one(5); IF inner_one(x) = 7 THEN SELECT x, outer_one(x); END IF; END").await;
    assert_eq!(c.told("CALL p()").await, ["6 d14now", "ok 0"]);
    c.ok("CREATE TABLE t (id INT, v VARCHAR(20))").await;
    c.ok("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.v = outer_one(NEW.id)").await;
    c.ok("INSERT INTO t (id) VALUES (inner_one(1))").await;
    assert_eq!(c.lines("SELECT * FROM t").await, ["2 d6now"]);
}

#[tokio::test]
async fn errors_of_functions() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    for (body, code) in [
        ("BEGIN SET @x = 1; END", 1320),
        ("BEGIN SELECT 1; RETURN 1; END", 1415),
        ("BEGIN COMMIT; RETURN 1; END", 1422),
        ("BEGIN EXECUTE s; RETURN 1; END", 1336),
        ("BEGIN INSERT INTO t VALUES (1); RETURN 1; END", 1235),
        ("BEGIN RETURN nowhere; END", 0),
    ] {
        let told = c.told(&format!("CREATE FUNCTION f() RETURNS INT {body}")).await;
        let expected = if code == 0 { "ok 0".to_string() } else { format!("error {code}") };
        assert_eq!(told, [expected], "{body}");
    }
    assert_eq!(c.code("SELECT f()").await, 1054);
    assert_eq!(c.code("SELECT f(1)").await, 1318);
    c.ok("CREATE FUNCTION maybe(n INT) RETURNS TINYINT BEGIN IF n > 0 THEN RETURN n; END IF; END").await;
    assert_eq!(c.code("SELECT maybe(0)").await, 1321);
    assert_eq!(c.value("SELECT maybe(3)").await, "3");
    c.ok("CREATE FUNCTION raise(n INT) RETURNS INT BEGIN IF n > 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; RETURN n; END").await;
    assert_eq!(c.error("SELECT raise(3)").await.message, "no");
    c.ok("INSERT INTO t VALUES (1), (2), (3)").await;
    assert_eq!(c.code("UPDATE t SET id = raise(id) + 10 ORDER BY id").await, 1644);
    assert_eq!(c.lines("SELECT id FROM t").await, ["1", "2", "3"]);
    c.ok("CREATE FUNCTION me(n INT) RETURNS INT BEGIN RETURN me(n - 1); END").await;
    assert_eq!(c.code("SELECT me(3)").await, 1424);
    c.ok("CREATE FUNCTION forever() RETURNS INT BEGIN LOOP BEGIN END; END LOOP; RETURN 1; END").await;
    let id = c.session.state.connection_id;
    let server = node.server.clone();
    let killer = std::thread::spawn(move || {
        // The statement has no other way out: it is killed as soon as it runs.
        while server.registry.list().iter().all(|c| c.id != id || c.activity().statement.is_none()) {
            std::thread::yield_now();
        }
        server.registry.kill(id, false)
    });
    assert_eq!(c.code("SELECT forever()").await, 1317);
    assert!(killer.join().is_ok_and(|killed| killed));
    c.ok("CREATE OR REPLACE FUNCTION maybe(n INT) RETURNS INT RETURN n * 2").await;
    assert_eq!(c.value("SELECT maybe(3)").await, "6");
    c.ok("CREATE OR REPLACE FUNCTION maybe(n INT) RETURNS INT BEGIN RETURN n * 3; END").await;
    assert_eq!(c.value("SELECT maybe(3)").await, "9");
    assert!(
        c.value("SHOW CREATE FUNCTION maybe")
            .await
            .contains("FUNCTION `maybe`(n INT) RETURNS int(11)\nBEGIN RETURN n * 3; END")
    );
    c.ok("DROP FUNCTION maybe").await;
    assert_eq!(c.code("SELECT maybe(3)").await, 1305);
}
