//! Triggers.

use super::super::{Client, Node, commits};

/// A table `t`, and a table `log` in which triggers of `t` tell what they saw.
async fn with_triggers() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT, w VARCHAR(10) DEFAULT 'w', UNIQUE KEY (v))").await;
    c.ok("CREATE TABLE log (n INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(60))").await;
    for (time, event, what) in [
        ("BEFORE", "INSERT", "NEW.id, ',', IFNULL(NEW.v, 'NULL'), ',', NEW.w"),
        ("AFTER", "INSERT", "NEW.id, ',', IFNULL(NEW.v, 'NULL'), ',', NEW.w"),
        ("BEFORE", "UPDATE", "OLD.v, '>', NEW.v"),
        ("AFTER", "UPDATE", "OLD.v, '>', NEW.v"),
        ("BEFORE", "DELETE", "OLD.id, ',', OLD.v"),
        ("AFTER", "DELETE", "OLD.id, ',', OLD.v"),
    ] {
        let mark = format!("{}{}", &time[..1].to_lowercase(), &event[..1].to_lowercase());
        c.ok(&format!("CREATE TRIGGER {mark} {time} {event} ON t FOR EACH ROW INSERT INTO log (what) VALUES (CONCAT('{mark} ', {what}))"))
            .await;
    }
    c.ok("SET marmot_auto_id_mode = 'sequential'").await;
    (node, c)
}

/// What the triggers told since this was asked last.
async fn told(c: &mut Client) -> Vec<String> {
    let told = c.lines("SELECT what FROM log ORDER BY n").await;
    c.ok("DELETE FROM log").await;
    told
}

#[tokio::test]
async fn every_event_fires_for_each_row() {
    let (node, mut c) = with_triggers().await;
    node.requests();
    let done = c.ok("INSERT INTO t (v) VALUES (10), (20)").await;
    assert_eq!(
        (done.affected_rows, done.last_insert_id, &*done.info),
        (2, 1, "Records: 2  Duplicates: 0  Warnings: 0")
    );
    assert_eq!(told(&mut c).await, ["bi 0,10,w", "ai 1,10,w", "bi 0,20,w", "ai 2,20,w"]);
    node.requests();
    let done = c.ok("UPDATE t SET v = v + 1 WHERE id <= 2").await;
    assert_eq!((done.affected_rows, &*done.info), (2, "Rows matched: 2  Changed: 2  Warnings: 0"));
    // All of it is one transaction.
    assert_eq!(commits(&node.requests()).len(), 1);
    assert_eq!(told(&mut c).await, ["bu 10>11", "au 10>11", "bu 20>21", "au 20>21"]);
    assert_eq!(c.ok("UPDATE t SET v = v").await.affected_rows, 0);
    assert_eq!(told(&mut c).await, ["bu 11>11", "au 11>11", "bu 21>21", "au 21>21"]);
    assert_eq!(c.ok("INSERT INTO t SELECT id + 10, v + 100, 'x' FROM t").await.affected_rows, 2);
    assert_eq!(told(&mut c).await, ["bi 11,111,x", "ai 11,111,x", "bi 12,121,x", "ai 12,121,x"]);
}

#[tokio::test]
async fn duplicates_fire_what_is_done_with_them() {
    let (_node, mut c) = with_triggers().await;
    c.ok("INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')").await;
    told(&mut c).await;
    let done = c.ok("INSERT INTO t VALUES (5, 10, 'x'), (6, 60, 'y') ON DUPLICATE KEY UPDATE v = VALUES(v) + 1, w = CONCAT(w, VALUES(w))").await;
    assert_eq!(done.affected_rows, 3);
    assert_eq!(told(&mut c).await, ["bi 5,10,x", "bu 10>11", "au 10>11", "bi 6,60,y", "ai 6,60,y"]);
    assert_eq!(c.ok("REPLACE INTO t VALUES (1, 20, 'z')").await.affected_rows, 3);
    assert_eq!(told(&mut c).await, ["bi 1,20,z", "bd 1,11", "ad 1,11", "bd 2,20", "ad 2,20", "ai 1,20,z"]);
    assert_eq!(c.lines("SELECT * FROM t ORDER BY id").await, ["1 20 z", "6 60 y"]);
    assert_eq!(c.ok("INSERT IGNORE INTO t VALUES (1, 1, ''), (9, 90, '')").await.affected_rows, 1);
    assert_eq!(told(&mut c).await, ["bi 1,1,", "bi 9,90,", "ai 9,90,"]);
    assert_eq!(c.ok("DELETE FROM t WHERE id > 1 ORDER BY id LIMIT 1").await.affected_rows, 1);
    assert_eq!(told(&mut c).await, ["bd 6,60", "ad 6,60"]);
    assert_eq!(c.error("INSERT INTO t VALUES (1, 2, '')").await.message, "Duplicate entry '1' for key 't.PRIMARY'");
    assert!(told(&mut c).await.is_empty());
}

#[tokio::test]
async fn changes_of_several_tables_fire_too() {
    let (_node, mut c) = with_triggers().await;
    c.ok("CREATE TABLE o (id INT PRIMARY KEY, x INT)").await;
    c.ok("INSERT INTO o VALUES (1, 100), (2, 200)").await;
    c.ok("INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')").await;
    told(&mut c).await;
    c.ok("UPDATE t JOIN o USING (id) SET t.v = o.x, o.x = t.v WHERE o.id = 2").await;
    assert_eq!(told(&mut c).await, ["bu 20>200", "au 20>200"]);
    assert_eq!(c.lines("SELECT * FROM o ORDER BY id").await, ["1 100", "2 20"]);
    c.ok("UPDATE t JOIN o USING (id) SET t.v = o.x + 5 WHERE o.id = 1").await;
    assert_eq!(told(&mut c).await, ["bu 10>105", "au 10>105"]);
    assert_eq!(c.ok("DELETE t, o FROM t JOIN o USING (id) WHERE id = 1").await.affected_rows, 2);
    assert_eq!(told(&mut c).await, ["bd 1,105", "ad 1,105"]);
}

#[tokio::test]
async fn a_trigger_changes_and_refuses_rows() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v TINYINT NOT NULL, at DATETIME)").await;
    c.ok("CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW
BEGIN
    IF NEW.v > 100 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too much'; END IF;
    SET NEW.v = IFNULL(NEW.v, 7) * 2, NEW.at = '2020-01-01';
END")
        .await;
    c.ok("CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = OLD.v + NEW.v").await;
    c.ok("INSERT INTO t (id, v) VALUES (1, 5), (2, NULL)").await;
    c.ok("INSERT INTO t (id) VALUES (3)").await;
    assert_eq!(
        c.lines("SELECT * FROM t").await,
        ["1 10 2020-01-01 00:00:00", "2 14 2020-01-01 00:00:00", "3 14 2020-01-01 00:00:00"]
    );
    c.ok("UPDATE t SET v = 1 WHERE id = 1").await;
    assert_eq!(c.value("SELECT v FROM t WHERE id = 1").await, "11");
    let error = c.error("INSERT INTO t (id, v) VALUES (4, 1), (5, 101)").await;
    assert_eq!((error.code, &*error.message), (1644, "too much"));
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "3");
    assert_eq!(c.code("UPDATE t SET v = 120 WHERE id = 1").await, 1264);
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t (id, v) VALUES (6, 1)").await;
    assert_eq!(c.code("INSERT INTO t (id, v) VALUES (7, 1), (8, 101)").await, 1644);
    c.ok("COMMIT").await;
    assert_eq!(c.lines("SELECT id FROM t ORDER BY id").await, ["1", "2", "3", "6"]);
}

#[tokio::test]
async fn several_triggers_of_one_event_have_an_order() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))").await;
    let mut add = async |name: &str, beside: &str| {
        let sql = format!(
            "CREATE TRIGGER {name} BEFORE INSERT ON t FOR EACH ROW {beside} SET NEW.v = CONCAT(NEW.v, '{name}')"
        );
        c.ok(&sql).await;
    };
    add("m", "").await;
    add("z", "").await;
    add("a", "FOLLOWS m").await;
    add("b", "PRECEDES m").await;
    c.ok("INSERT INTO t VALUES (1, '')").await;
    assert_eq!(c.value("SELECT v FROM t").await, "bmaz");
    let order = "SELECT trigger_name, action_order FROM information_schema.triggers ORDER BY action_order";
    assert_eq!(c.lines(order).await, ["b 1", "m 2", "a 3", "z 4"]);
    assert_eq!(c.lines("SHOW TRIGGERS LIKE 't'").await.len(), 4);
    assert!(c.value("SHOW CREATE TRIGGER m").await.contains(
        "CREATE DEFINER=`root`@`localhost` TRIGGER `m` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.v = CONCAT(NEW.v, 'm')"
    ));
    assert_eq!(c.code("CREATE TRIGGER y BEFORE INSERT ON t FOR EACH ROW FOLLOWS nobody SET @x = 1").await, 3011);
}

#[tokio::test]
async fn triggers_live_with_their_table() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT)").await;
    c.ok("CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW SET @seen = NEW.id").await;
    c.ok("RENAME TABLE t TO u").await;
    c.ok("INSERT INTO u VALUES (4)").await;
    assert_eq!(c.value("SELECT @seen, event_object_table FROM information_schema.triggers").await, "4 u");
    c.ok("ALTER TABLE u RENAME TO w, ADD COLUMN x INT").await;
    c.ok("INSERT INTO w VALUES (5, 6)").await;
    assert_eq!(c.value("SELECT @seen").await, "5");
    c.ok("TRUNCATE w").await;
    c.ok("INSERT INTO w VALUES (7, 8)").await;
    assert_eq!(c.value("SELECT @seen").await, "7");
    assert_eq!(c.code("CREATE TRIGGER a AFTER INSERT ON w FOR EACH ROW SET @x = 1").await, 1359);
    c.ok("DROP TABLE w").await;
    assert_eq!(c.code("DROP TRIGGER a").await, 1360);
    c.ok("CREATE TABLE w (id INT)").await;
    c.ok("CREATE TRIGGER a AFTER INSERT ON w FOR EACH ROW SET @seen = -NEW.id").await;
    c.ok("INSERT INTO w VALUES (4)").await;
    assert_eq!(c.value("SELECT @seen").await, "-4");
    c.ok("DROP TRIGGER a").await;
    c.ok("INSERT INTO w VALUES (5)").await;
    assert_eq!(c.value("SELECT @seen").await, "-4");
}

#[tokio::test]
async fn triggers_fire_triggers_but_not_on_tables_in_use() {
    let (_node, mut c) = Node::with_database().await;
    for table in ["a", "b", "c"] {
        c.ok(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT)")).await;
    }
    c.ok("CREATE TRIGGER of_a AFTER INSERT ON a FOR EACH ROW BEGIN DECLARE n INT; INSERT INTO b VALUES (NEW.id, NEW.v); SELECT COUNT(*) INTO n FROM c; SET @n = n; END")
        .await;
    c.ok("CREATE TRIGGER of_b AFTER INSERT ON b FOR EACH ROW INSERT INTO c VALUES (NEW.id, NEW.v + 1)").await;
    c.ok("INSERT INTO a VALUES (1, 10)").await;
    assert_eq!(c.value("SELECT c.v, @n FROM c").await, "11 1");
    c.ok("CREATE TRIGGER of_c AFTER INSERT ON c FOR EACH ROW UPDATE a SET v = 0").await;
    assert_eq!(c.code("INSERT INTO a VALUES (2, 20)").await, 1442);
    assert_eq!(c.value("SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b)").await, "1 1");
    c.ok("INSERT INTO b VALUES (3, 1)").await;
    assert_eq!(c.value("SELECT v FROM a").await, "0");
    c.ok("CREATE PROCEDURE of_d(x INT) BEGIN INSERT INTO b VALUES (x, x); SELECT 1; END").await;
    c.ok("CREATE TABLE d (id INT)").await;
    c.ok("CREATE TRIGGER of_d AFTER INSERT ON d FOR EACH ROW CALL of_d(NEW.id)").await;
    assert_eq!(c.code("INSERT INTO d VALUES (9)").await, 1415);
    assert_eq!(c.value("SELECT COUNT(*) FROM b WHERE id = 9").await, "0");
}

#[tokio::test]
async fn what_a_trigger_may_not_be() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT)").await;
    c.ok("CREATE VIEW v AS SELECT 1 AS a").await;
    for (sql, code) in [
        ("BEFORE INSERT ON nowhere FOR EACH ROW SET @x = 1", 1146),
        ("BEFORE INSERT ON v FOR EACH ROW SET @x = 1", 1347),
        ("BEFORE INSERT ON t FOR EACH ROW SELECT 1", 1415),
        ("BEFORE INSERT ON t FOR EACH ROW COMMIT", 1422),
        ("BEFORE INSERT ON t FOR EACH ROW CREATE TABLE x (a INT)", 1422),
        ("BEFORE INSERT ON t FOR EACH ROW PREPARE s FROM 'SELECT 1'", 1336),
        ("AFTER INSERT ON t FOR EACH ROW SET NEW.id = 1", 1362),
        ("BEFORE UPDATE ON t FOR EACH ROW SET OLD.id = 1", 1362),
        ("BEFORE DELETE ON t FOR EACH ROW SET NEW.id = 1", 1363),
        ("BEFORE INSERT ON t FOR EACH ROW SET NEW.nope = 1", 1054),
        ("BEFORE INSERT ON t FOR EACH ROW RETURN 1", 1313),
    ] {
        assert_eq!(c.code(&format!("CREATE TRIGGER x {sql}")).await, code, "{sql}");
    }
    c.ok("CREATE DATABASE e").await;
    assert_eq!(c.code("CREATE TRIGGER e.x BEFORE INSERT ON t FOR EACH ROW SET @x = 1").await, 1435);
}

#[tokio::test]
async fn what_a_trigger_warns_of_is_the_statements_warning() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT, v VARCHAR(3))").await;
    c.ok("CREATE TABLE log (n TINYINT)").await;
    c.ok("SET sql_mode = ''").await;
    c.ok("CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.a)").await;
    // Judged again, the statement warns once.
    node.refuse([node.conflict(), None]);
    let warnings = c.ok("INSERT INTO t VALUES (1, 'long'), (1000, 'x')").await.warnings;
    assert_eq!(
        c.lines("SHOW WARNINGS").await,
        [
            "Warning 1265 Data truncated for column 'v' at row 1",
            "Warning 1264 Out of range value for column 'n' at row 1"
        ]
    );
    assert_eq!(warnings, 2);
    c.ok("CREATE TRIGGER y BEFORE DELETE ON t FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @seen = 1; \
          SIGNAL SQLSTATE '45000'; END")
        .await;
    assert_eq!(c.ok("DELETE FROM t").await.warnings, 0, "what was handled is no news");
    c.ok("CREATE FUNCTION f(n INT) RETURNS TINYINT BEGIN DECLARE x TINYINT; SET x = n; RETURN x; END").await;
    assert_eq!(c.lines("SELECT f(1000), f(2)").await, ["127 2"]);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Warning 1264 Out of range value for column 'x' at row 1"]);
}

/// Savepoints of a trigger are on a level of their own: they neither see nor end those of the statement's transaction.
#[tokio::test]
async fn savepoints_within_triggers() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT)").await;
    c.ok("CREATE TABLE log (n INT)").await;
    c.ok("CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW BEGIN \
          INSERT INTO log VALUES (NEW.a); SAVEPOINT s; INSERT INTO log VALUES (-1); SAVEPOINT s2; \
          IF NEW.a > 1 THEN ROLLBACK TO SAVEPOINT s; END IF; IF NEW.a > 2 THEN RELEASE SAVEPOINT s; END IF; END")
        .await;
    c.ok("INSERT INTO t VALUES (1), (2), (3)").await;
    assert_eq!(c.lines("SELECT n FROM log").await, ["1", "-1", "2", "3"]);
    c.ok("CREATE TRIGGER y BEFORE DELETE ON t FOR EACH ROW ROLLBACK TO SAVEPOINT s").await;
    c.ok("BEGIN").await;
    c.ok("SAVEPOINT s").await;
    c.ok("INSERT INTO t VALUES (9)").await;
    assert_eq!(c.code("DELETE FROM t WHERE a = 9").await, 1305);
    c.ok("ROLLBACK TO SAVEPOINT s").await;
    c.ok("COMMIT").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "3");
}
