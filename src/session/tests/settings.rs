//! SET, variables, user variables, KILL.

use super::*;

#[tokio::test]
async fn variables_are_set_read_and_refused() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("SET SESSION wait_timeout = 100, @x = 'y'").await;
    assert_eq!(c.value("SELECT @@wait_timeout, @@global.wait_timeout, @x, @unset").await, "100 28800 y NULL");
    assert_eq!(c.code("SET nonsense = 1").await, 1193);
    assert_eq!(c.code("SELECT @@nonsense").await, 1193);
    assert_eq!(c.code("SET version = 'x'").await, 1238);
    assert_eq!(c.code("SET SESSION max_connections = 1").await, 1229);
    assert_eq!(c.code("SET autocommit = 7").await, 1231);
    assert_eq!(c.code("SET wait_timeout = 'soon'").await, 1232);
    assert_eq!(c.code("SET wait_timeout = 50, nonsense = 1").await, 1193);
    assert_eq!(c.value("SELECT @@wait_timeout").await, "100", "all or nothing");
    assert_eq!(c.ok("SET wait_timeout = 0").await.warnings, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Warning 1292 Truncated incorrect wait_timeout value: '0'"]);
    assert_eq!(c.value("SELECT @@warning_count").await, "1");
    assert!(c.value("SELECT @@version").await.starts_with("8.0."));
    assert_eq!(c.lines("SHOW VARIABLES LIKE 'lower_case_table_names'").await, ["lower_case_table_names 0"]);
    c.ok("SET @n = (SELECT 1 + 1)").await;
    assert_eq!(c.value("SELECT @n").await, "2");
}

#[tokio::test]
async fn names_and_isolation() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("SET NAMES utf8mb4 COLLATE utf8mb4_bin").await;
    assert_eq!(c.value("SELECT @@character_set_client, @@collation_connection").await, "utf8mb4 utf8mb4_bin");
    assert_eq!(c.code("SET NAMES klingon").await, 1115);
    assert_eq!(c.code("SET NAMES swe7").await, 1235);
    assert_eq!(c.code("SET NAMES utf8mb4 COLLATE utf8mb3_bin").await, 1253);
    c.ok("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
    assert_eq!(c.value("SELECT @@transaction_isolation").await, "READ-COMMITTED");
    assert_eq!(c.code("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await, 1235);
    c.ok("BEGIN").await;
    assert_eq!(c.code("SET TRANSACTION READ ONLY").await, 1568);
}

#[tokio::test]
async fn sql_modes_change_how_text_is_read() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.value("SELECT \"a\"").await, "a");
    c.ok("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'").await;
    assert!(c.session.status().contains(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES));
    assert_eq!(c.code("SELECT \"a\"").await, 1054);
    assert_eq!(c.value("SELECT 'a\\n'").await, "a\\n");
}

#[tokio::test]
async fn sessions_are_listed_and_killed() {
    let (node, mut c) = Node::with_database().await;
    let mut victim = node.another().await;
    let id = victim.value("SELECT CONNECTION_ID()").await;
    assert_eq!(c.lines("SHOW PROCESSLIST").await.len(), 2);
    assert_eq!(c.code("KILL 999").await, 1094);
    c.ok(&format!("KILL {id}")).await;
    assert_eq!(victim.session.killed().await.code, 1927);
    victim.session.disconnected().await;
    assert_eq!(c.lines("SHOW PROCESSLIST").await.len(), 1);
    assert_eq!(c.code("KILL QUERY CONNECTION_ID()").await, 1064);
}

#[tokio::test]
async fn select_into_and_do() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("SELECT 1, 'b' INTO @a, @b").await;
    assert_eq!(c.value("SELECT @a, @b").await, "1 b");
    c.ok("DO 1 + 1").await;
    assert_eq!(c.ok("SELECT 1 FROM DUAL WHERE 0 = 1 INTO @a").await.warnings, 1);
    assert_eq!(c.code("SELECT 1 UNION SELECT 2 INTO @a").await, 1172);
}

#[tokio::test]
async fn a_client_that_follows_its_session_is_told_what_changes() {
    let (node, mut other) = Node::with_database().await;
    assert_eq!(other.ok("SET time_zone = '+01:00'").await.changes, []);
    let mut c = node.connect(CapabilityFlags::CLIENT_SESSION_TRACK).await;
    let used = c.ok("USE d").await;
    assert_eq!(used.changes, [SessionChange::Schema("d".into())]);
    assert!(used.status.contains(StatusFlags::SERVER_SESSION_STATE_CHANGED));
    assert_eq!(c.ok("USE d").await.changes, []);
    let variable = |name: &str, value: &str| SessionChange::Variable(name.into(), value.into());
    assert_eq!(c.ok("SET autocommit = 0").await.changes, [variable("autocommit", "OFF")]);
    assert_eq!(c.ok("SET wait_timeout = 100").await.changes, []);
    assert_eq!(c.ok("SET time_zone = '+02:00', autocommit = 1").await.changes.len(), 2);
    assert_eq!(c.ok("SET NAMES utf8mb3").await.changes.len(), 3);
    assert_eq!(c.ok("DROP DATABASE d").await.changes, [SessionChange::Schema(String::new())]);
}

#[tokio::test]
async fn safe_updates_must_name_a_key_or_a_limit() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, KEY (a, b))").await;
    c.ok("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)").await;
    c.ok("SET sql_safe_updates = 1").await;
    for refused in
        ["UPDATE t SET b = 0", "UPDATE t SET b = 0 WHERE b = 1", "DELETE FROM t", "DELETE FROM t WHERE id = 1 OR b = 1"]
    {
        assert_eq!(c.code(refused).await, 1175, "{refused}");
    }
    assert_eq!(c.code("UPDATE t, t AS u SET t.b = 0").await, 1175);
    c.ok("UPDATE t SET b = 3 WHERE a = 1 AND b = 1").await;
    c.ok("UPDATE t SET b = 4 LIMIT 1").await;
    c.ok("DELETE FROM t WHERE id IN (1)").await;
    c.ok("SET sql_safe_updates = DEFAULT").await;
    assert_eq!(c.ok("DELETE FROM t").await.affected_rows, 1);
}

#[tokio::test]
async fn a_select_without_limit_has_the_sessions() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1), (2), (3)").await;
    c.ok("SET sql_select_limit = 2").await;
    assert_eq!(c.lines("SELECT id FROM t ORDER BY id").await, ["1", "2"]);
    assert_eq!(c.lines("SELECT id FROM t ORDER BY id LIMIT 3").await.len(), 3);
    assert_eq!(c.lines("SELECT COUNT(*) FROM (SELECT id FROM t) x").await, ["3"]);
    c.ok("CREATE TABLE u AS SELECT id FROM t").await;
    c.ok("SET sql_select_limit = 0").await;
    assert_eq!(c.rows("SELECT id FROM t").await.len(), 0);
    c.ok("SET sql_select_limit = DEFAULT").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM u").await, "3");
}

#[tokio::test]
async fn what_strict_modes_refuse_others_change() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.code("CREATE TABLE t (v VARCHAR(70000))").await, 1074);
    assert_eq!(c.code("CREATE TABLE t (b VARBINARY(70000))").await, 1074);
    assert_eq!(c.code("CREATE TABLE t (s SET('a','b','a'))").await, 1291);
    let many: Vec<String> = (0..65).map(|n| format!("'{n}'")).collect();
    assert_eq!(c.code(&format!("CREATE TABLE t (s SET({}))", many.join(","))).await, 1097);
    c.ok("CREATE TABLE d (d DATE, t DATETIME)").await;
    assert_eq!(c.code("INSERT INTO d (d) VALUES (CAST('0000-00-00' AS DATE))").await, 1292);
    assert_eq!(c.code("INSERT INTO d (d) VALUES (STR_TO_DATE('32.1.2004', '%d.%m.%Y'))").await, 1411);
    assert_eq!(c.value("SELECT STR_TO_DATE('32.1.2004', '%d.%m.%Y')").await, "NULL");
    let warning = "Warning 1411 Incorrect datetime value: '32.1.2004' for function str_to_date";
    assert_eq!(c.lines("SHOW WARNINGS").await, [warning]);
    c.ok("SET sql_mode = ''").await;
    let made = c.ok("CREATE TABLE t (v VARCHAR(70000), b VARBINARY(70000), s SET('a','b','a'))");
    assert_eq!(made.await.warnings, 3);
    let lines = c.lines("DESCRIBE t").await;
    assert_eq!(lines[..2], ["v mediumtext YES  NULL ", "b mediumblob YES  NULL "]);
    assert_eq!(c.value("SELECT CAST('0000-00-00' AS DATE)").await, "0000-00-00");
}

#[tokio::test]
async fn names_are_quoted_as_the_mode_says() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE `a\"b` (`x``y` INT, KEY k (`x``y`))").await;
    c.ok("SET sql_mode = 'ANSI_QUOTES'").await;
    let shown = c.lines("SHOW CREATE TABLE \"a\"\"b\"").await.join("\n");
    assert!(
        shown.contains("CREATE TABLE \"a\"\"b\" (\n  \"x`y\" int(11) DEFAULT NULL,\n  KEY \"k\" (\"x`y\")"),
        "{shown}"
    );
}

#[tokio::test]
async fn columns_are_named_by_the_text_of_their_own_statement() {
    let (_node, mut c) = Node::with_database().await;
    for text in ["COALESCE(1,2)", "COALESCE(1, 2)", "COALESCE( 1 , 2 )"] {
        let answer = c.results(&format!("SELECT {text}")).await;
        let Recorded::Rows { columns, .. } = &answer[0] else { panic!("{answer:?}") };
        assert_eq!(columns[0].name, text);
    }
    assert_eq!(c.code("SELECT -9223372036854775808 - 1").await, 1690);
    assert_eq!(c.value("SELECT NULLIF('1', TIME'00:00:00')").await, "1");
    assert_eq!(c.value("SELECT TIME('900:00:00')").await, "838:59:59");
    c.ok("CREATE TABLE t (a INT NOT NULL, b INT DEFAULT 5)").await;
    assert_eq!(c.code("INSERT INTO t VALUES (DEFAULT(a), 1)").await, 1364);
    c.ok("INSERT INTO t VALUES (1, DEFAULT(b) + 1)").await;
    assert_eq!(c.value("SELECT b FROM t").await, "6");
}

#[tokio::test]
async fn set_statement_is_for_one_statement() {
    let (_node, mut c) = Node::with_database().await;
    let before = c.value("SELECT @@sql_mode").await;
    c.ok("SET STATEMENT sql_mode = 'ANSI_QUOTES', group_concat_max_len = 8 FOR CREATE TABLE \"t\" (a INT DEFAULT 3)")
        .await;
    assert_eq!(c.value("SET STATEMENT sql_mode = '' FOR SELECT @@sql_mode").await, "");
    assert_eq!(c.code("SET STATEMENT sql_mode = '' FOR SELECT nope").await, 1054);
    assert_eq!(c.code("SET STATEMENT sql_mode = '' FOR PREPARE s FROM 'SELECT 1'").await, 1295);
    assert_eq!(c.code("SET STATEMENT nope = 1 FOR SELECT 1").await, 1193);
    assert_eq!(c.code("SET STATEMENT sql_mode = '' FOR").await, 1064);
    assert_eq!(c.lines("SELECT @@sql_mode, @@group_concat_max_len").await, [format!("{before} 1024")]);
}

#[tokio::test]
async fn tables_are_labelled_with_the_default_engine() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.code("SET default_storage_engine = 'gemini'").await, 1286);
    c.ok("SET default_storage_engine = heap, default_tmp_storage_engine = 'myisam'").await;
    assert_eq!(c.lines("SELECT @@default_storage_engine, @@default_tmp_storage_engine").await, ["MEMORY MyISAM"]);
    c.ok("CREATE TABLE t (a INT)").await;
    c.ok("CREATE TEMPORARY TABLE s (a INT)").await;
    c.ok("CREATE TABLE u (a INT) ENGINE = InnoDB").await;
    for (table, engine) in [("t", "MEMORY"), ("s", "MyISAM"), ("u", "InnoDB")] {
        let shown = c.lines(&format!("SHOW CREATE TABLE {table}")).await.join(" ");
        assert!(shown.contains(&format!("ENGINE={engine} ")), "{shown}");
    }
}

#[tokio::test]
async fn dates_and_times_are_numbers_and_times_are_of_today() {
    let (_node, mut c) = Node::with_database().await;
    for (expression, value) in [
        ("FORMAT(DATE'2019-12-31', 0)", "20,191,231"),
        ("ABS(TIME'-10:00:00')", "100000"),
        ("ROUND(TIME'23:55:04.34')", "235504"),
        ("CHAR(0x41, 66 USING utf8mb4)", "AB"),
        ("SQRT(0x10)", "4"),
        ("ROUND(2.5e0)", "2"),
        ("ROUND(2.5)", "3"),
        ("SEC_TO_TIME(1.5)", "00:00:01.5"),
        ("MAKETIME(1, 2, 3.5)", "01:02:03.5"),
        ("TIMEDIFF(TIME'10:00:00.250', '09:00:00')", "01:00:00.250"),
        ("ADDTIME('01:00:00', '1998-01-01 01:01:01')", "NULL"),
        ("ADDTIME('1997-12-31 23:59:59', '1 1:1:1')", "1998-01-02 01:01:00"),
        ("DATE_FORMAT(TIME'09:00:00', '%l.%i %p')", "9.00 AM"),
        ("YEAR(TIME'09:00:00') = YEAR(NOW())", "1"),
        ("TIME'10:11:12.5' + 0", "101112.5"),
        ("SECOND(75)", "NULL"),
        ("HOUR(101112)", "10"),
        ("MICROSECOND(1.5)", "500000"),
        ("TIMESTAMP(1)", "NULL"),
        ("DATE(TIMESTAMP(TIME'10:00:00')) = CURDATE()", "1"),
        ("FROM_DAYS(200)", "0000-00-00"),
        ("FROM_UNIXTIME(1.5)", "1970-01-01 00:00:01.5"),
        ("LTRIM(1e3)", "1000"),
        ("GREATEST(20010101, DATE'2000-01-01')", "2001-01-01"),
        ("LEAST(20010101, TIMESTAMP'2000-01-01 10:00:00')", "2000-01-01 10:00:00"),
        ("DATE(IFNULL(TIME'10:00:00', DATE'2000-01-01')) = CURDATE()", "1"),
        ("COALESCE(DATE'2000-01-01', TIME'10:00:00')", "2000-01-01 00:00:00"),
        ("ADDTIME(101112, '1:1')", "11:12:12"),
        ("TIMEDIFF(1, 1.5)", "-00:00:00.5"),
        ("MAKEDATE(2000, DATE'2000-01-01') IS NULL", "1"),
        ("18446744073709551615 + '1' = 1.8446744073709552e19", "1"),
        ("IFNULL(18446744073709551615, 1e3)", "1.8446744073709552e19"),
        ("'7' % 0.1 < 0.1", "1"),
        ("CONCAT(LENGTH(18446744073709551615), RTRIM(18446744073709551615))", "2018446744073709551615"),
        ("OCT(18446744073709551615)", "1777777777777777777777"),
    ] {
        assert_eq!(c.value(&format!("SELECT {expression}")).await, value, "{expression}");
    }
    assert_eq!(c.code("SELECT POW(-1, 1.5)").await, 1690);
}
