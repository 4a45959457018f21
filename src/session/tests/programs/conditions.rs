//! Handlers, SIGNAL and GET DIAGNOSTICS.

use super::super::Node;

#[tokio::test]
async fn handlers_take_conditions() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.ok("CREATE PROCEDURE p()
BEGIN
    DECLARE told TEXT DEFAULT '';
    BEGIN
        DECLARE duplicate CONDITION FOR SQLSTATE '23000';
        DECLARE CONTINUE HANDLER FOR duplicate SET told = CONCAT(told, 'state;');
        DECLARE CONTINUE HANDLER FOR 1062 SET told = CONCAT(told, 'code;');
        DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET told = CONCAT(told, 'any;');
        INSERT INTO t VALUES (1);
        INSERT INTO t VALUES (NULL);
        INSERT INTO nowhere VALUES (1);
    END;
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION SET told = CONCAT(told, 'exit;');
        INSERT INTO t VALUES (1);
        SET told = 'never';
    END;
    SELECT told;
    INSERT INTO t VALUES (1);
END")
        .await;
    assert_eq!(c.told("CALL p()").await, ["code;state;any;exit;", "error 1062"]);
    c.ok("CREATE PROCEDURE inner_one() INSERT INTO t VALUES (1)").await;
    c.ok("CREATE PROCEDURE q() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '23000' SELECT 'caught'; CALL inner_one(); SELECT 'never'; END")
        .await;
    assert_eq!(c.told("CALL q()").await, ["caught", "ok 0"]);
    assert_eq!(c.rows("SHOW WARNINGS").await.len(), 0);
}

#[tokio::test]
async fn warnings_and_missing_rows_have_handlers_too() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a TINYINT)").await;
    c.ok("SET sql_mode = ''").await;
    c.ok("CREATE PROCEDURE p()
BEGIN
    DECLARE x TINYINT;
    DECLARE CONTINUE HANDLER FOR SQLWARNING SET @told = CONCAT(@told, 'w');
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET @told = CONCAT(@told, 'n');
    SET @told = '';
    SELECT a INTO x FROM t;
    INSERT INTO t VALUES (1000);
    SET x = 1000;
    SET @told = CONCAT(@told, x);
END")
        .await;
    c.ok("CALL p()").await;
    assert_eq!(c.value("SELECT @told").await, "nww127");
    // Nobody handles it: a warning.
    c.ok("CREATE PROCEDURE q() BEGIN DECLARE x INT DEFAULT 5; SELECT a INTO x FROM t WHERE a = 99; SET @x = x; END")
        .await;
    c.ok("CALL q()").await;
    assert_eq!(c.value("SELECT @x").await, "5");
    c.ok("SET sql_mode = 'STRICT_ALL_TABLES'").await;
    c.ok("CREATE PROCEDURE r() BEGIN DECLARE x TINYINT; SET x = 1000; END").await;
    assert_eq!(c.error("CALL r()").await.message, "Out of range value for column 'x' at row 1");
    c.ok("CREATE PROCEDURE s() BEGIN DECLARE x INT; SELECT a INTO x FROM (SELECT 1 AS a UNION ALL SELECT 2) z; END")
        .await;
    assert_eq!(c.code("CALL s()").await, 1172);
}

#[tokio::test]
async fn signals() {
    let (_node, mut c) = Node::with_database().await;
    let error = c.error("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no', MYSQL_ERRNO = 5000").await;
    assert_eq!((error.code, error.state.as_str(), &*error.message), (5000, "45000", "no"));
    assert_eq!(c.code("SIGNAL SQLSTATE '02TTT'").await, 1643);
    assert_eq!(c.code("SIGNAL SQLSTATE '45000'").await, 1644);
    assert_eq!(c.ok("SIGNAL SQLSTATE '01000'").await.warnings, 1);
    assert_eq!(c.code("SIGNAL SQLSTATE '00000'").await, 1407);
    assert_eq!(c.code("RESIGNAL").await, 1645);
    c.ok("CREATE PROCEDURE p(n INT)
BEGIN
    DECLARE low CONDITION FOR SQLSTATE '45001';
    DECLARE text VARCHAR(40);
    DECLARE EXIT HANDLER FOR low
    BEGIN
        GET DIAGNOSTICS CONDITION 1 @state = RETURNED_SQLSTATE, @text = MESSAGE_TEXT, @table = TABLE_NAME;
        GET STACKED DIAGNOSTICS @n = NUMBER;
        RESIGNAL SET MESSAGE_TEXT = 'again';
    END;
    SET text = CONCAT('too low: ', n);
    IF n < 3 THEN SIGNAL low SET MESSAGE_TEXT = text, TABLE_NAME = 'tt'; END IF;
END")
        .await;
    c.ok("CALL p(3)").await;
    let error = c.error("CALL p(2)").await;
    assert_eq!((error.code, error.state.as_str(), &*error.message), (1644, "45001", "again"));
    assert_eq!(c.value("SELECT @state, @text, @table, @n").await, "45001 too low: 2 tt 1");
    assert_eq!(c.code("SELECT * FROM nowhere").await, 1146);
    c.ok("GET DIAGNOSTICS CONDITION 1 @n = MYSQL_ERRNO").await;
    assert_eq!(c.value("SELECT @n").await, "1146");
}

#[tokio::test]
async fn handlers_within_handlers() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE PROCEDURE p()
BEGIN
    DECLARE told TEXT DEFAULT '';
    DECLARE n INT DEFAULT 0;
    again: WHILE n < 2 DO
        SET n = n + 1;
        BEGIN
            DECLARE EXIT HANDLER FOR SQLSTATE '45002' SET told = CONCAT(told, 'outer;');
            BEGIN
                DECLARE CONTINUE HANDLER FOR SQLSTATE '45001'
                BEGIN
                    SET told = CONCAT(told, 'inner;');
                    SIGNAL SQLSTATE '45002';
                END;
                SIGNAL SQLSTATE '45001';
                SET told = 'never';
            END;
        END;
    END WHILE;
    SELECT told;
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN SIGNAL SQLSTATE '45003'; END;
        SIGNAL SQLSTATE '45001';
    END;
END")
        .await;
    let told = c.results("CALL p()").await;
    assert_eq!(c.told("CALL p()").await, ["inner;outer;inner;outer;", "error 1644"]);
    assert!(format!("{:?}", told.last()).contains("45003"));
}
