//! Procedures: parameters, flow, rows for the client, cursors, calls within calls.

use super::super::{Node, Recorded, commits};
use crate::mysql::{
    CapabilityFlags, ColumnType, Handler, Keep, Outbound, Parameter, ResultWriter, RowFormat, StatementId, StatusFlags,
};
use crate::types::Value;

#[tokio::test]
async fn a_procedure_computes_with_its_parameters() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE add_up(IN n INT, OUT total INT, INOUT calls INT)
BEGIN
    DECLARE i, sum INT DEFAULT 0;
    WHILE i < n DO
        SET i = i + 1, sum = sum + i;
    END WHILE;
    SET total = sum, calls = calls + 1;
END")
        .await;
    c.ok("SET @calls = 4").await;
    assert_eq!(c.ok("CALL add_up(10, @total, @calls)").await.affected_rows, 0);
    assert_eq!(c.value("SELECT @total, @calls").await, "55 5");
    c.ok("CALL d.add_up(2 + 1, @total, @calls)").await;
    assert_eq!(c.value("SELECT @total, @calls").await, "6 6");
    assert_eq!(c.code("CALL add_up(1)").await, 1318);
    assert_eq!(c.code("CALL add_up(1, 2, @x)").await, 1414);
    assert_eq!(c.code("CALL nobody()").await, 1305);
}

#[tokio::test]
async fn every_kind_of_flow() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE flow(n INT, OUT told TEXT)
outer_block: BEGIN
    DECLARE i INT DEFAULT 0;
    SET told = '';
    again: LOOP
        SET i = i + 1;
        IF i > n THEN LEAVE again; ELSEIF i = 2 THEN ITERATE again; ELSE SET told = CONCAT(told, i, ';'); END IF;
    END LOOP again;
    REPEAT SET i = i - 1; UNTIL i <= 2 END REPEAT;
    SET told = CONCAT(told, 'r', i);
    CASE n WHEN 1 THEN SET told = CONCAT(told, '-one'); WHEN 4 THEN SET told = CONCAT(told, '-four'); ELSE BEGIN END; END CASE;
    CASE WHEN n > 3 THEN SET told = CONCAT(told, '-big'); ELSE SET told = CONCAT(told, '-small'); END CASE;
    IF n = 9 THEN LEAVE outer_block; END IF;
    SET told = CONCAT(told, '-end');
END")
        .await;
    for (n, told) in [(4, "1;3;4;r2-four-big-end"), (1, "1;r1-one-small-end"), (9, "1;3;4;5;6;7;8;9;r2-big")] {
        c.ok(&format!("CALL flow({n}, @told)")).await;
        assert_eq!(c.value("SELECT @told").await, told);
    }
    c.ok("CREATE PROCEDURE none(n INT) CASE n WHEN 1 THEN SET @x = 1; END CASE").await;
    assert_eq!(c.code("CALL none(2)").await, 1339);
}

#[tokio::test]
async fn rows_of_a_procedure_are_results_of_their_own() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10))").await;
    c.ok("CREATE PROCEDURE p(first INT)
BEGIN
    INSERT INTO t VALUES (first, 'a'), (first + 1, 'b');
    SELECT id, v FROM t ORDER BY id LIMIT first;
    UPDATE t SET v = CONCAT(v, v) WHERE id = first;
    SELECT COUNT(*) FROM t WHERE v = 'aa';
END")
        .await;
    assert_eq!(c.told("CALL p(1)").await, ["1 a", "1", "ok 0"]);
    let results = c.results("CALL p(7); SELECT 3").await;
    let more = |r: &Recorded| match r {
        Recorded::Rows { end, .. } => end.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS),
        Recorded::Ok(done) => done.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS),
        Recorded::Error(error) => panic!("{error:?}"),
    };
    assert_eq!(results.iter().map(more).collect::<Vec<_>>(), [true, true, true, false]);
    // What came before an error stays, and so do the rows.
    assert_eq!(c.told("CALL p(1)").await, ["error 1062"]);
    // Each statement is a transaction of its own, and none after one was begun.
    c.ok("DELETE FROM t").await;
    _node.requests();
    c.told("CALL p(3)").await;
    assert_eq!(commits(&_node.requests()).len(), 2);
    c.ok("BEGIN").await;
    c.told("CALL p(5)").await;
    c.ok("ROLLBACK").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "2");
}

#[tokio::test]
async fn names_mean_variables_before_columns() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10), (2, 20)").await;
    c.ok("CREATE PROCEDURE p()
BEGIN
    DECLARE v INT DEFAULT 7;
    DECLARE id INT;
    SELECT t.id, v, t.v INTO id, @seen, @column FROM t WHERE t.v = 20;
    BEGIN DECLARE v VARCHAR(5) DEFAULT 'in'; SELECT v; END;
    SELECT v, id, @seen, @column;
END")
        .await;
    assert_eq!(c.told("CALL p()").await, ["in", "7 2 7 20", "ok 0"]);
}

#[tokio::test]
async fn cursors_go_over_rows() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v DECIMAL(6,2))").await;
    c.ok("INSERT INTO t VALUES (1, 1.5), (2, 2.25), (3, NULL)").await;
    c.ok("CREATE PROCEDURE p(low INT)
BEGIN
    DECLARE done INT DEFAULT FALSE;
    DECLARE a INT; DECLARE b DECIMAL(6,2);
    DECLARE c CURSOR FOR SELECT id, v FROM t WHERE id >= low ORDER BY id;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
    SET @sum = 0, @rows = '';
    OPEN c;
    fetching: LOOP
        FETCH NEXT FROM c INTO a, b;
        IF done THEN LEAVE fetching; END IF;
        DELETE FROM t WHERE id = a;
        SET @sum = @sum + IFNULL(b, 0), @rows = CONCAT(@rows, a, ',');
    END LOOP;
    CLOSE c;
    SELECT COUNT(*) FROM t;
END")
        .await;
    assert_eq!(c.told("CALL p(2)").await, ["1", "ok 0"]);
    assert_eq!(c.value("SELECT @sum, @rows").await, "2.25 2,3,");
    for (body, code) in [
        ("OPEN c; OPEN c;", 1325),
        ("FETCH c INTO x;", 1326),
        ("CLOSE c;", 1326),
        ("OPEN c; FETCH c INTO x, x;", 1328),
        ("OPEN c; FETCH c INTO x; FETCH c INTO x;", 1329),
    ] {
        c.ok("DROP PROCEDURE IF EXISTS q").await;
        c.ok(&format!("CREATE PROCEDURE q() BEGIN DECLARE x INT; DECLARE c CURSOR FOR SELECT 1; {body} END")).await;
        assert_eq!(c.code("CALL q()").await, code, "{body}");
    }
}

#[tokio::test]
async fn procedures_call_procedures() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE inner_one(IN a INT, OUT b INT) SET b = a * 2").await;
    c.ok("CREATE PROCEDURE outer_one(INOUT a INT) BEGIN CALL inner_one(a, a); CALL inner_one(a + 1, a); END").await;
    c.ok("SET @a = 5").await;
    c.ok("CALL outer_one(@a)").await;
    assert_eq!(c.value("SELECT @a").await, "22");
    c.ok("CREATE PROCEDURE fact(n INT, OUT f BIGINT)
BEGIN
    IF n < 2 THEN SET f = 1; ELSE CALL fact(n - 1, f); SET f = f * n; END IF;
END")
        .await;
    assert_eq!(c.code("CALL fact(3, @f)").await, 1456);
    c.ok("CALL fact(1, @f)").await;
    c.ok("SET max_sp_recursion_depth = 255").await;
    c.ok("CALL fact(20, @f)").await;
    assert_eq!(c.value("SELECT @f").await, "2432902008176640000");
    c.ok("CREATE PROCEDURE forever() CALL forever()").await;
    assert_eq!(c.code("CALL forever()").await, 1456);
    c.ok("CREATE PROCEDURE behind() BEGIN PREPARE s FROM 'CALL behind()'; EXECUTE s; END").await;
    assert_eq!(c.code("CALL behind()").await, 1436);
    // The session is whole afterwards.
    assert_eq!(c.value("SELECT DATABASE(), 1").await, "d 1");
}

#[tokio::test]
async fn dynamic_statements_and_schema_changes() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE p(name VARCHAR(20))
BEGIN
    SET @text = CONCAT('INSERT INTO ', name, ' VALUES (?)'), @n = 3;
    CREATE TABLE made (a INT);
    PREPARE s FROM @text; EXECUTE s USING @n; DEALLOCATE PREPARE s;
    SELECT a FROM made;
    ALTER TABLE made ADD COLUMN b INT DEFAULT 8;
    SELECT * FROM made;
    DROP TABLE made;
END")
        .await;
    for _ in 0..2 {
        assert_eq!(c.told("CALL p('made')").await, ["3", "3 8", "ok 0"]);
    }
    c.ok("CREATE PROCEDURE q() BEGIN CREATE TEMPORARY TABLE tt SELECT 1 AS a; SELECT a + 1 FROM tt; DROP TEMPORARY TABLE tt; END")
        .await;
    for _ in 0..2 {
        assert_eq!(c.told("CALL q()").await, ["2", "ok 0"]);
    }
}

#[tokio::test]
async fn a_procedure_runs_in_its_own_database_and_mode() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a TINYINT)").await;
    c.ok("SET sql_mode = ''").await;
    c.ok("CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1000); SELECT @@sql_mode, DATABASE(); END").await;
    c.ok("SET sql_mode = 'STRICT_ALL_TABLES'").await;
    c.ok("CREATE DATABASE e").await;
    c.ok("USE e").await;
    assert_eq!(c.told("CALL d.p()").await, [" d", "ok 0"]);
    assert_eq!(c.value("SELECT @@sql_mode, DATABASE(), (SELECT a FROM d.t)").await, "STRICT_ALL_TABLES e 127");
}

#[tokio::test]
async fn an_endless_loop_can_be_killed() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE forever() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; LOOP BEGIN END; END LOOP; END")
        .await;
    let id = c.session.state.connection_id;
    let server = node.server.clone();
    let killer = async {
        tokio::task::yield_now().await;
        assert!(server.registry.kill(id, false));
    };
    let (code, ()) = tokio::join!(c.code("CALL forever()"), killer);
    assert_eq!(code, 1317);
    assert_eq!(c.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn a_prepared_call() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE p(a INT, OUT b INT) BEGIN SET b = a + 1; SELECT a; END").await;
    c.ok("PREPARE s FROM 'CALL p(?, @b)'").await;
    c.ok("SET @a = 4").await;
    assert_eq!(c.told("EXECUTE s USING @a").await, ["4", "ok 0"]);
    assert_eq!(c.value("SELECT @b").await, "5");
    c.ok("PREPARE s FROM 'CALL p(?, ?)'").await;
    assert_eq!(c.told("EXECUTE s USING @a, @out").await, ["4", "ok 0"]);
    assert_eq!(c.value("SELECT @out").await, "5");
}

#[tokio::test]
async fn locking_reads_into_variables_lock() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10), (2, 20)").await;
    c.ok("CREATE PROCEDURE p() BEGIN DECLARE x INT; START TRANSACTION; SELECT v INTO x FROM t WHERE id = 1 FOR UPDATE; UPDATE t SET v = x WHERE id = 2; END")
        .await;
    let mut other = node.another().await;
    c.ok("CALL p()").await;
    other.ok("UPDATE t SET v = 11 WHERE id = 1").await;
    assert_eq!(c.code("COMMIT").await, 1213);
}

#[tokio::test]
async fn out_parameters_of_the_binary_protocol_are_a_result() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE p(a INT, OUT b INT, INOUT c VARCHAR(5)) BEGIN SET b = a + 1, c = CONCAT(c, '!'); SELECT a; END").await;
    c.session.prepare(StatementId(1), b"CALL p(?, ?, ?)").await.expect("a call can be prepared");
    let given: Vec<Parameter> = [Value::Int(4), Value::Null, Value::text("x")]
        .into_iter()
        .map(|value| Parameter { value, ty: ColumnType::MYSQL_TYPE_VAR_STRING, unsigned: false })
        .collect();
    let (mut wire, mut keep) = (Outbound::new(), Keep);
    let capabilities = CapabilityFlags::CLIENT_DEPRECATE_EOF;
    let mut out = ResultWriter::new(&mut wire, &mut keep, RowFormat::Binary, capabilities);
    let outcome = c.session.execute(StatementId(1), &given, &mut out).await;
    assert_eq!(out.results(), 3);
    out.finish(outcome);
    // The row of the parameters: header, no NULLs, 5, "x!"; its end says what it is, and that the end is near.
    let row = [0, 0, 5, 0, 0, 0, 2, b'x', b'!'];
    let at = wire.wire().windows(row.len()).position(|w| w == row).expect("a row of the parameters");
    let end = &wire.wire()[at + row.len() + 4..];
    let status = StatusFlags::from_bits_truncate(u16::from_le_bytes([end[3], end[4]]));
    assert!(status.contains(StatusFlags::SERVER_PS_OUT_PARAMS | StatusFlags::SERVER_MORE_RESULTS_EXISTS));
}
