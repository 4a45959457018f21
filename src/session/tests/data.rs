//! Single statements with autocommit: what they change, count and answer.

use super::*;

#[tokio::test]
async fn rows_written_are_read_and_counted() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)").await;
    let inserted = c.ok("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)").await;
    assert_eq!(inserted.affected_rows, 3);
    assert_eq!(inserted.info, "Records: 3  Duplicates: 0  Warnings: 0");
    assert_eq!(c.lines("SELECT id, v, n FROM t ORDER BY id").await, ["1 a 10", "2 b 20", "3 c 30"]);
    let updated = c.ok("UPDATE t SET n = 20 WHERE id < 3").await;
    assert_eq!(updated.affected_rows, 1, "one row already had the value");
    assert_eq!(updated.info, "Rows matched: 2  Changed: 1  Warnings: 0");
    assert_eq!(c.value("SELECT ROW_COUNT()").await, "1");
    assert_eq!(c.ok("DELETE FROM t WHERE n = 20").await.affected_rows, 2);
    assert_eq!(c.ok("REPLACE INTO t VALUES (3, 'x', 1)").await.affected_rows, 2);
    assert_eq!(c.ok("DELETE FROM t").await.affected_rows, 1);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
}

#[tokio::test]
async fn upserts_count_two_for_a_changed_row() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let upsert = "INSERT INTO t VALUES (1, 5) ON DUPLICATE KEY UPDATE n = VALUES(n) + n";
    assert_eq!(c.ok(upsert).await.affected_rows, 1);
    assert_eq!(c.ok(upsert).await.affected_rows, 2);
    assert_eq!(c.value("SELECT n FROM t").await, "10");
}

#[tokio::test]
async fn found_rows_is_what_the_client_asked_for() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    c.ok("INSERT INTO t VALUES (1, 1), (2, 1)").await;
    let mut found = node.connect(CapabilityFlags::CLIENT_FOUND_ROWS).await;
    assert_eq!(found.ok("UPDATE d.t SET n = 1").await.affected_rows, 2);
    assert_eq!(c.ok("UPDATE t SET n = 1").await.affected_rows, 0);
    c.rows("SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1").await;
    assert_eq!(c.value("SELECT FOUND_ROWS()").await, "2");
}

#[tokio::test]
async fn a_plain_select_needs_neither_workspace_nor_core() {
    let (node, mut writer) = Node::with_database().await;
    writer.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    writer.ok("INSERT INTO t VALUES (1)").await;
    let mut reader = node.another().await;
    node.requests();
    assert_eq!(reader.value("SELECT id FROM t WHERE id = 1").await, "1");
    assert!(node.requests().is_empty());
    assert!(!reader.session.has_workspace());
    reader.ok("SET marmot_read_consistency = 'QUORUM'").await;
    reader.rows("SELECT id FROM t").await;
    assert!(matches!(node.requests()[..], [Request::Barrier(crate::types::ReadLevel::Quorum)]));
}

#[tokio::test]
async fn constraint_errors_are_mysqls() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) NOT NULL, b INT, UNIQUE KEY ab (a, b), \
         CONSTRAINT big CHECK (b < 100), CONSTRAINT fk FOREIGN KEY (b) REFERENCES p (id))")
        .await;
    c.ok("INSERT INTO p VALUES (1), (2)").await;
    c.ok("INSERT INTO t VALUES (1, 'x', 1)").await;
    let e = c.error("INSERT INTO t VALUES (1, 'y', 2)").await;
    assert_eq!((e.code, &*e.message), (1062, "Duplicate entry '1' for key 't.PRIMARY'"));
    let e = c.error("INSERT INTO t VALUES (2, 'y', 2), (3, 'x', 1)").await;
    assert_eq!((e.code, &*e.message), (1062, "Duplicate entry 'x-1' for key 't.ab'"));
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "1", "a failed statement leaves nothing");
    let e = c.error("INSERT INTO t (id, a, b) VALUES (4, NULL, 1)").await;
    assert_eq!((e.code, &*e.message), (1048, "Column 'a' cannot be null"));
    let e = c.error("INSERT INTO t VALUES (4, 'z', 100)").await;
    assert_eq!(e.code, 3819, "{e}");
    let e = c.error("INSERT INTO t VALUES (4, 'z', 9)").await;
    assert_eq!(e.code, 1452, "{e}");
    assert!(e.message.contains("CONSTRAINT `fk` FOREIGN KEY (`b`) REFERENCES `p` (`id`)"), "{e}");
    assert_eq!(c.code("DELETE FROM p WHERE id = 1").await, 1451);
    assert_eq!(c.lines("SHOW ERRORS").await.len(), 1);
    c.ok("SET foreign_key_checks = 0").await;
    c.ok("INSERT INTO t VALUES (4, 'z', 9)").await;
    c.ok("SET foreign_key_checks = 1").await;
    assert_eq!(c.code("INSERT INTO t VALUES (5, 'zz', 9)").await, 1452);
}

#[tokio::test]
async fn a_restricted_parent_is_refused_by_its_own_error() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE kept (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE RESTRICT ON UPDATE RESTRICT)").await;
    c.ok("CREATE TABLE taken (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)").await;
    c.ok("INSERT INTO p VALUES (1), (2)").await;
    c.ok("INSERT INTO kept VALUES (1, 1)").await;
    c.ok("INSERT INTO taken VALUES (1, 1), (2, 2)").await;
    for sql in ["DELETE FROM p WHERE id = 1", "UPDATE p SET id = 9 WHERE id = 1", "DELETE FROM p"] {
        let e = c.error(sql).await;
        assert_eq!((e.code, e.state.as_str()), (1451, "23000"), "{sql}: {e}");
    }
    c.ok("DELETE FROM p WHERE id = 2").await;
    assert_eq!(c.lines("SELECT id FROM taken").await, ["1"]);
}

#[tokio::test]
async fn a_conflict_runs_the_statement_again_with_its_first_precedence() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    c.ok("INSERT INTO t VALUES (1, 1)").await;
    node.requests();
    node.refuse([node.conflict(), node.conflict(), None]);
    assert_eq!(c.ok("UPDATE t SET n = n + 1").await.affected_rows, 1);
    assert_eq!(c.value("SELECT n FROM t").await, "2");
    let begin = Some(Stamp { hlc: Hlc(42), node: ME });
    let quorum = WriteLevel::Quorum;
    assert_eq!(commits(&node.requests()), [(quorum, None), (quorum, begin), (quorum, begin)]);
}

#[tokio::test]
async fn a_statement_that_is_planned_again_keeps_its_first_precedence() {
    let (node, mut c) = Node::with_database().await;
    let (other, mut elsewhere) = Node::with_database().await;
    for client in [&mut c, &mut elsewhere] {
        client.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    }
    other.requests();
    elsewhere.ok("ALTER TABLE t ADD n INT").await;
    node.requests();
    node.script.lock().expect("tests do not panic here").behind = schema::write_sets(&other);
    node.refuse([None, node.conflict(), None]);
    c.ok("INSERT INTO t (id) VALUES (1)").await;
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 't'";
    assert_eq!(c.lines(columns).await, ["id"], "the change comes between two attempts of the next statement");
    c.ok("INSERT INTO t (id) VALUES (2)").await;
    assert_eq!(c.value("SELECT GROUP_CONCAT(CONCAT(id, '-', n IS NULL) ORDER BY id) FROM t").await, "1-1,2-1");
    let begin = Some(Stamp { hlc: Hlc(42), node: ME });
    let quorum = WriteLevel::Quorum;
    assert_eq!(commits(&node.requests()), [(quorum, None), (quorum, None), (quorum, begin)]);
}

#[tokio::test]
async fn a_schema_change_waits_for_its_lock_with_its_first_precedence() {
    let (node, mut c) = Node::with_database().await;
    node.requests();
    node.refuse([node.conflict(), node.conflict(), None]);
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let locks = node.requests().into_iter().filter_map(|r| match r {
        Request::LockSchema { begin, lock_wait, .. } => Some((begin, lock_wait)),
        _ => None,
    });
    let (begins, waits): (Vec<_>, Vec<_>) = locks.unzip();
    let begin = Some(Stamp { hlc: Hlc(42), node: ME });
    assert_eq!(begins, [None, begin, begin]);
    assert!(waits.is_sorted_by(|a, b| a >= b), "it waits longer than it may: {waits:?}");
    c.ok("SET innodb_lock_wait_timeout = 1").await;
    node.refuse((0..1000).map(|_| node.conflict()));
    assert_eq!(c.code("CREATE TABLE late (id INT PRIMARY KEY)").await, 1205);
    node.script.lock().unwrap().refuse.clear();
    c.ok("CREATE TABLE late (id INT PRIMARY KEY)").await;
}

#[tokio::test]
async fn conflicts_end_in_1205_after_the_lock_wait_timeout() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("SET innodb_lock_wait_timeout = 1").await;
    node.refuse((0..1000).map(|_| node.conflict()));
    assert_eq!(c.code("INSERT INTO t VALUES (1)").await, 1205);
    node.script.lock().unwrap().refuse.clear();
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
}

#[tokio::test]
async fn refusals_have_their_own_codes() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let txn = TxnId { origin: ME, sequence: 9 };
    let cases = [
        (Refusal::NoQuorum { answered: 1, voters: 3 }, 1105),
        (Refusal::UnknownOutcome { txn }, 1180),
        (Refusal::Overloaded, 1637),
        (Refusal::TooLarge { size: 2, limit: 1 }, 1197),
        (Refusal::ShuttingDown, 1053),
    ];
    for (refusal, code) in cases {
        node.refuse([Some(refusal)]);
        assert_eq!(c.code("INSERT INTO t VALUES (1)").await, code);
    }
    c.ok("SET marmot_write_consistency = 'ALL'").await;
    node.requests();
    c.ok("INSERT INTO t VALUES (1)").await;
    assert_eq!(commits(&node.requests()), [(WriteLevel::All, None)]);
}

#[tokio::test]
async fn several_statements_give_several_results_up_to_the_first_error() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let results = c.results("INSERT INTO t VALUES (1); SELECT id FROM t; INSERT INTO t VALUES (1); SELECT 9").await;
    assert!(
        matches!(&results[..], [Recorded::Ok(_), Recorded::Rows { .. }, Recorded::Error(e)] if e.code == 1062),
        "{results:?}"
    );
    c.session.set_multi_statements(false);
    assert_eq!(c.code("DELETE FROM t; SELECT 1").await, 1064);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "1", "nothing of a refused batch runs");
    assert_eq!(c.value("SELECT 5; ").await, "5");
    assert_eq!(c.code(" -- nothing").await, 1065);
}

#[tokio::test]
async fn result_metadata_is_that_of_the_table() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), d DECIMAL(8,2))")
        .await;
    c.ok("INSERT INTO t VALUES (1, 'a', 1.5)").await;
    let results = c.results("SELECT x.id AS i, x.v, x.d, 1 + 1 AS e FROM t AS x").await;
    let [Recorded::Rows { columns, rows, .. }] = &results[..] else { panic!("{results:?}") };
    assert_eq!(rows[0][..3], [Some("1".into()), Some("a".into()), Some("1.50".into())]);
    let id = &columns[0];
    assert_eq!((&*id.schema, &*id.table, &*id.org_table, &*id.name, &*id.org_name), ("d", "x", "t", "i", "id"));
    use crate::mysql::{ColumnFlags as F, ColumnType as T};
    let key = F::NOT_NULL_FLAG | F::PRI_KEY_FLAG | F::UNSIGNED_FLAG | F::AUTO_INCREMENT_FLAG;
    assert!(id.flags.contains(key), "{:?}", id.flags);
    assert_eq!((id.ty, id.length), (T::MYSQL_TYPE_LONGLONG, 20));
    assert_eq!((columns[1].ty, columns[1].length, columns[1].charset), (T::MYSQL_TYPE_VAR_STRING, 80, 255));
    assert_eq!((columns[2].ty, columns[2].decimals), (T::MYSQL_TYPE_NEWDECIMAL, 2));
    assert_eq!((&*columns[3].name, &*columns[3].table), ("e", ""));
    let fields = c.session.field_list("t", "%").await.expect("the table exists");
    assert_eq!(fields.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["id", "v", "d"]);
}

#[tokio::test]
async fn now_is_the_clock_of_the_statement() {
    let (node, mut c) = Node::with_database().await;
    assert_eq!(c.value("SELECT NOW()").await, "2023-11-14 22:13:20");
    node.clock.sleep(Span::from_secs(61)).await;
    assert_eq!(c.value("SELECT NOW(), NOW()").await, "2023-11-14 22:14:21 2023-11-14 22:14:21");
    c.ok("SET time_zone = '+01:00'").await;
    assert_eq!(c.value("SELECT NOW()").await, "2023-11-14 23:14:21");
}

#[tokio::test]
async fn an_order_that_changes_nothing_is_none() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    c.ok("INSERT INTO t VALUES (1, 1), (2, 1)").await;
    assert_eq!(c.lines("SELECT 7 FROM t ORDER BY COUNT(*) + 1").await, ["7"]);
    assert_eq!(c.lines("SELECT MAX(id) FROM t ORDER BY MIN(n) - 5").await, ["2"]);
    c.ok("SET @x = 1").await;
    assert_eq!(c.ok("UPDATE t SET n = 3 ORDER BY (id = @x), n").await.affected_rows, 2);
    assert_eq!(c.code("RENAME TABLE t TO t").await, 1050);
}

#[tokio::test]
async fn a_value_may_name_columns_of_its_row() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT 5, b INT DEFAULT (a * 2), c VARCHAR(9) DEFAULT CONCAT(a, '-', b))")
        .await;
    c.ok("INSERT INTO t (id) VALUES (1)").await;
    c.ok("INSERT INTO t (id, a) VALUES (2, 7), (3, a + 1)").await;
    c.ok("INSERT INTO t SET id = 4, a = id + 10, b = a + 1").await;
    c.ok("INSERT INTO t (id, a) SELECT id + 10, a FROM t WHERE id = 2").await;
    let rows = c.lines("SELECT * FROM t ORDER BY id").await;
    assert_eq!(rows, ["1 5 10 5-10", "2 7 14 7-14", "3 6 12 6-12", "4 14 15 14-15", "12 7 14 7-14"]);
    c.ok("UPDATE t SET a = 1, b = DEFAULT WHERE id = 1").await;
    assert_eq!(c.value("SELECT b FROM t WHERE id = 1").await, "2");
    c.ok("ALTER TABLE t ADD COLUMN e INT DEFAULT (a + 100), ADD COLUMN f INT DEFAULT (1 + 1)").await;
    assert_eq!(c.value("SELECT e, f FROM t WHERE id = 2").await, "107 2");
    assert_eq!(c.code("CREATE TABLE u (a INT DEFAULT (nope + 1))").await, 1054);
    assert_eq!(c.code("CREATE TABLE u (a INT DEFAULT (@x))").await, 3772);
}

#[tokio::test]
async fn joins_go_from_left_to_right_and_stars_name_common_columns_once() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (x INT, y INT)").await;
    c.ok("CREATE TABLE b (y INT, z INT)").await;
    c.ok("CREATE TABLE e (z INT, x INT)").await;
    c.ok("INSERT INTO a VALUES (1, 2), (3, 4)").await;
    c.ok("INSERT INTO b VALUES (2, 5)").await;
    c.ok("INSERT INTO e VALUES (5, 1), (6, 6)").await;
    assert_eq!(c.lines("SELECT * FROM a NATURAL JOIN b").await, ["2 1 5"]);
    assert_eq!(c.lines("SELECT * FROM a NATURAL JOIN b NATURAL JOIN e").await, ["1 5 2"]);
    let nested = "SELECT * FROM a JOIN (b AS b1 LEFT JOIN b AS b2 USING (z)) ON a.y = b1.y";
    assert_eq!(c.lines(nested).await, ["1 2 5 2 2"]);
    assert_eq!(c.code("SELECT * FROM a JOIN (b AS b1 LEFT JOIN b AS b2 USING (z)) USING (y)").await, 1052);
    assert_eq!(c.lines("SELECT * FROM b RIGHT JOIN a USING (y) ORDER BY y").await, ["2 1 5", "4 3 NULL"]);
    // No condition: the outer join is of the product.
    let product = "SELECT a.x, b.z, e.z FROM a JOIN b RIGHT JOIN e ON b.z = e.z ORDER BY 3, 1";
    assert_eq!(c.lines(product).await, ["1 5 5", "3 5 5", "NULL NULL 6"]);
    let listed = "SELECT a.x, b.z, e.z FROM a LEFT JOIN (b, e) ON a.y = b.y AND b.z = e.z ORDER BY 1";
    assert_eq!(c.lines(listed).await, ["1 5 5", "3 NULL NULL"]);
    // The comma binds less than a join.
    let comma = "SELECT a.x, b.z, e.z FROM (a, b RIGHT JOIN e ON b.z = e.z) ORDER BY 3, 1";
    assert_eq!(c.lines(comma).await, ["1 5 5", "3 5 5", "1 NULL 6", "3 NULL 6"]);
}

#[tokio::test]
async fn one_delete_takes_rows_of_several_tables() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE o (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, v VARCHAR(20))").await;
    c.ok("INSERT INTO o VALUES (1, '_t_old', 'x'), (2, '_t_timeout_old', '5'), (3, '_t_new', 'y')").await;
    c.ok("INSERT INTO o VALUES (4, '_t_timeout_new', '50'), (5, 'other', 'z')").await;
    let expired = "DELETE a, b FROM o a, o b WHERE a.name LIKE '\\_t\\_%' AND a.name NOT LIKE '\\_t\\_timeout\\_%'
                   AND b.name = CONCAT('_t_timeout_', SUBSTRING(a.name, 4)) AND b.v < 10";
    assert_eq!(c.ok(expired).await.affected_rows, 2);
    assert_eq!(c.lines("SELECT id FROM o ORDER BY id").await, ["3", "4", "5"]);
    assert_eq!(c.ok(expired).await.affected_rows, 0);
    // An outer join's missing row, a row found twice, a table of several key columns and one without a key.
    c.ok("CREATE TABLE k (a INT, b VARCHAR(5), PRIMARY KEY (a, b))").await;
    c.ok("CREATE TABLE n (o INT)").await;
    c.ok("INSERT INTO k VALUES (3, 'x'), (3, 'y'), (4, 'x'), (9, 'x')").await;
    c.ok("INSERT INTO n VALUES (3), (3), (5)").await;
    let sql = "DELETE o, k, n FROM o LEFT JOIN k ON k.a = o.id LEFT JOIN n ON n.o = o.id WHERE o.id <> 4";
    assert_eq!(c.ok(sql).await.affected_rows, 2 + 2 + 3);
    assert_eq!(c.lines("SELECT * FROM k ORDER BY a").await, ["4 x", "9 x"]);
    assert_eq!(c.lines("SELECT id FROM o").await, ["4"]);
    assert_eq!(c.value("SELECT COUNT(*) FROM n").await, "0");
    assert_eq!(c.code("DELETE o, o FROM o, k").await, 1066);
    assert_eq!(c.code("DELETE o, q FROM o, k").await, 1109);
}

#[tokio::test]
async fn a_delete_from_several_tables_is_done_whole_or_not_at_all() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE q (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))").await;
    c.ok("INSERT INTO a VALUES (1)").await;
    c.ok("INSERT INTO p VALUES (1)").await;
    c.ok("INSERT INTO q VALUES (1, 1)").await;
    c.ok("BEGIN").await;
    assert_eq!(c.code("DELETE a, p FROM a, p").await, 1451);
    c.ok("COMMIT").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM a").await, "1");
}

#[tokio::test]
async fn binary_literals_of_any_bytes_are_stored() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE b (id INT PRIMARY KEY, v BLOB)").await;
    let mut recording = Recording::new();
    let mut out = recording.writer();
    let all: Vec<u8> = (0..=255).flat_map(|b: u8| if b"'\\".contains(&b) { vec![b'\\', b] } else { vec![b] }).collect();
    let sql = [&b"INSERT INTO b VALUES (1, _binary'"[..], &all, b"')"].concat();
    let outcome = c.session.query(&sql, &mut out).await;
    out.finish(outcome);
    assert!(matches!(recording.results().as_slice(), [Recorded::Ok(_)]));
    let bytes: String = (0..=255).map(|b| format!("{b:02X}")).collect();
    assert_eq!(c.value("SELECT HEX(v) FROM b").await, bytes);
}

#[tokio::test]
async fn sleep_waits_on_the_sessions_clock_once_a_row() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1), (2), (3)").await;
    let before = node.clock.now().mono;
    assert_eq!(c.lines("SELECT id, SLEEP(2) FROM t").await, ["1 0", "2 0", "3 0"]);
    assert_eq!(node.clock.now().mono.0 - before.0, 6_000_000_000);
    c.ok("DO SLEEP(1.5)").await;
    assert_eq!(node.clock.now().mono.0 - before.0, 7_500_000_000);
    for sql in ["SELECT /*+ MAX_EXECUTION_TIME(1000) */ id, SLEEP(3) FROM t", "SELECT SLEEP(3)"] {
        let before = node.clock.now().mono;
        let limit = if sql.contains("/*+") { 0 } else { 1000 };
        c.ok(&format!("SET max_execution_time = {limit}")).await;
        assert_eq!(c.code(sql).await, 3024);
        assert_eq!(node.clock.now().mono.0 - before.0, 1_000_000_000);
        c.ok("SET max_execution_time = 0").await;
        assert_eq!(c.value("SELECT 1").await, "1");
    }
    assert_eq!(c.code("SELECT SLEEP(NULL)").await, 1210);
    assert_eq!(c.code("SELECT SLEEP(-1)").await, 1210);
    assert_eq!(c.code("DELETE FROM t WHERE SLEEP(1)").await, 1235);
}

#[tokio::test]
async fn a_cast_of_text_that_is_no_integer_warns() {
    let (_node, mut c) = Node::with_database().await;
    for (text, cast) in [("abc", "0"), ("12x", "12"), ("", "0"), ("1.5", "1")] {
        assert_eq!(c.value(&format!("SELECT CAST('{text}' AS SIGNED)")).await, cast);
        let warning = format!("Warning 1292 Truncated incorrect INTEGER value: '{text}'");
        assert_eq!(c.lines("SHOW WARNINGS").await, [warning]);
    }
    assert_eq!(c.value("SELECT CAST(' -12 ' AS SIGNED)").await, "-12");
    assert!(c.lines("SHOW WARNINGS").await.is_empty());
}

#[tokio::test]
async fn long_is_an_old_name() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a LONG, b LONG BYTE, c LONG VARCHAR NOT NULL, d LONG VARBINARY)").await;
    let types = "SELECT COLUMN_TYPE FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position";
    assert_eq!(c.lines(types).await, ["mediumtext", "mediumblob", "mediumtext", "mediumblob"]);
}

#[tokio::test]
async fn what_generated_queries_found_to_differ_from_mysql() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, tm TIME, da DATE, d DECIMAL(10,3), f DOUBLE, s VARCHAR(20), b VARCHAR(20) COLLATE utf8mb4_bin, \
          e ENUM('red','blue'))")
        .await;
    c.ok("INSERT INTO t VALUES (1, '-01:30:00', '2024-02-29', 3.999, 0.1, 'abc', 'abc', 'red'), \
          (2, '100:00:01', '1999-12-31', 2.5, 1.5, '2024-02-29', 'Abc', 'blue'), (3, '12:34:56', NULL, NULL, NULL, NULL, NULL, NULL)")
        .await;
    for (query, expected) in [
        // The sign of a time is EXTRACT's, not HOUR()'s.
        ("SELECT HOUR(tm) * 100 + MINUTE(tm) FROM t WHERE id = 1", "130"),
        ("SELECT EXTRACT(HOUR FROM tm) FROM t WHERE id = 1", "-1"),
        // Times do not sort as their texts.
        ("SELECT CONCAT(MIN(tm), ' ', MAX(tm)) FROM t", "-01:30:00 100:00:01"),
        ("SELECT LEAST(tm, TIME '-02:00:00') FROM t WHERE id = 1", "-02:00:00"),
        ("SELECT GREATEST(tm, TIME '23:00:00') FROM t WHERE id = 2", "100:00:01"),
        ("SELECT GROUP_CONCAT(id ORDER BY id) FROM t WHERE tm BETWEEN TIME '-02:00:00' AND TIME '99:00:00'", "1,3"),
        // A string that is no date is before every date.
        ("SELECT GROUP_CONCAT(id ORDER BY id) FROM t WHERE da > s", "1"),
        ("SELECT GROUP_CONCAT(id ORDER BY id) FROM t WHERE da > 'abc'", "1,2"),
        ("SELECT COUNT(*) FROM t WHERE da < e", "0"),
        ("SELECT COUNT(*) FROM t WHERE 2.5 < da", "2"),
        ("SELECT BIN(d) FROM t WHERE id = 1", "11"),
        ("SELECT ROUND(d, 1) FROM t WHERE id = 2", "2.5"),
        ("SELECT TRUNCATE(CAST(1.5 AS DECIMAL(5,1)), 2)", "1.50"),
        ("SELECT 45296 % f < 0.1 FROM t WHERE id = 1", "1"),
        ("SELECT LEAST(b, 'Zbc') FROM t WHERE id = 1", "Zbc"),
        ("SELECT NULLIF(e, 'x') > 0 FROM t WHERE id = 1", "0"),
        ("SELECT GROUP_CONCAT(DISTINCT s ORDER BY 1 DESC) FROM t", "abc,2024-02-29"),
    ] {
        assert_eq!(c.value(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn returning_gives_the_rows_that_were_written() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, n DECIMAL(10,2))").await;
    assert_eq!(c.lines("INSERT INTO t (n) VALUES (1.5), (2) RETURNING n, n * 2").await, ["1.50 3.00", "2.00 4.00"]);
    assert_eq!(c.value("SELECT ROW_COUNT()").await, "2");
    assert_eq!(c.lines("DELETE FROM t WHERE n > 1.7 RETURNING n").await, ["2.00"]);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "1");
}

#[tokio::test]
async fn an_update_of_several_tables_is_one_change() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY, n INT)").await;
    c.ok("CREATE TABLE b (id INT PRIMARY KEY, n INT UNIQUE)").await;
    c.ok("INSERT INTO a VALUES (1, 1), (2, 2)").await;
    c.ok("INSERT INTO b VALUES (1, 10), (2, 20)").await;
    let done = c.ok("UPDATE a, b SET a.n = b.n, b.n = b.n + 1 WHERE a.id = b.id").await;
    assert_eq!((done.affected_rows, c.lines("SELECT n FROM a").await), (4, vec!["10".to_string(), "20".to_string()]));
    assert_eq!(c.lines("SELECT n FROM b").await, ["11", "21"]);
    assert_eq!(c.code("UPDATE a, b SET a.n = 0, b.n = 7 WHERE a.id = b.id").await, 1062);
    assert_eq!(c.lines("SELECT n FROM a").await, ["10", "20"], "none of it happened");
}

#[tokio::test]
async fn an_upsert_may_name_the_columns_of_its_query() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT, at DATETIME DEFAULT CURRENT_TIMESTAMP)").await;
    c.ok("CREATE TABLE s (id INT PRIMARY KEY, v INT, extra INT)").await;
    c.ok("INSERT INTO t (id, n) VALUES (1, 10)").await;
    c.ok("INSERT INTO s VALUES (1, 7, 100), (2, 8, 200)").await;
    let upsert =
        "INSERT INTO t (id, n) SELECT s.id, s.v FROM s WHERE s.v < 9 ON DUPLICATE KEY UPDATE n = t.n + s.extra + 5";
    assert_eq!(c.ok(upsert).await.affected_rows, 3);
    assert_eq!(c.lines("SELECT id, n FROM t ORDER BY id").await, ["1 115", "2 8"]);
    assert_eq!(c.code("INSERT INTO t (id, n) SELECT id, v FROM s ON DUPLICATE KEY UPDATE n = nothing").await, 1054);
}

#[tokio::test]
async fn an_upsert_changes_the_row_that_the_first_key_finds() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT, b INT, c INT, UNIQUE (a), UNIQUE (b))").await;
    c.ok("INSERT INTO t VALUES (1, 2, 10), (3, 4, 20)").await;
    c.ok("INSERT INTO t VALUES (1, 4, 30) ON DUPLICATE KEY UPDATE c = c + 100").await;
    assert_eq!(c.lines("SELECT a, b, c FROM t ORDER BY a").await, ["1 2 110", "3 4 20"]);
}

#[tokio::test]
async fn variables_assigned_by_a_statement_stay() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    c.ok("SET @n = 5").await;
    c.ok("INSERT INTO t SELECT x, @n := @n + x FROM (SELECT 1 AS x UNION ALL SELECT 2) r").await;
    assert_eq!(c.lines("SELECT n FROM t ORDER BY id").await, ["6", "8"]);
    assert_eq!(c.value("SELECT @n").await, "8");
}

#[tokio::test]
async fn division_by_zero_is_not_stored_in_strict_mode() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (n INT)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    assert_eq!(c.code("UPDATE t SET n = n / 0").await, 1365);
    assert_eq!(c.lines("SELECT n / 0, n % 0 FROM t").await, ["NULL NULL"]);
    assert_eq!(c.lines("SHOW WARNINGS").await[0], "Warning 1365 Division by 0");
    c.ok("SET sql_mode = ''").await;
    c.ok("UPDATE t SET n = n / 0").await;
    assert_eq!(c.value("SELECT n FROM t").await, "NULL");
}

#[tokio::test]
async fn dumps_of_mariadb_name_values_of_generated_columns() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2) STORED, c INT AS (a + 1) VIRTUAL)")
        .await;
    assert_eq!(c.code("INSERT INTO t VALUES (1, 2, 2)").await, 3105);
    c.ok("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await;
    assert_eq!(c.ok("INSERT INTO t VALUES (1, 2, 2), (2, 77, 77)").await.affected_rows, 2);
    assert_eq!(c.lines("SELECT * FROM t ORDER BY a").await, ["1 2 2", "2 4 3"]);
}

#[tokio::test]
async fn a_default_that_is_an_expression_sees_the_values_of_its_row() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT DEFAULT (b + 1), b INT, c INT DEFAULT (a * 10))").await;
    c.ok("INSERT INTO t VALUES (DEFAULT, 5, DEFAULT), (1, 2, DEFAULT), (DEFAULT, 3, 4)").await;
    c.ok("INSERT INTO t (b, a) VALUES (7, DEFAULT)").await;
    c.ok("INSERT INTO t SET b = 8").await;
    assert_eq!(c.lines("SELECT * FROM t ORDER BY b").await, ["1 2 10", "4 3 4", "6 5 60", "8 7 80", "9 8 90"]);
}

#[tokio::test]
async fn what_would_be_too_long_is_null_with_a_warning() {
    let (_node, mut c) = Node::with_database().await;
    for call in
        ["REPEAT('x', 100000000)", "SPACE(100000000)", "LPAD('x', 100000000, 'y')", "HEX(REPEAT('x', 60000000))"]
    {
        assert_eq!(c.value(&format!("SELECT {call} IS NULL")).await, "1", "{call}");
        let name = call.split('(').next().unwrap_or_default().to_lowercase();
        let text = format!("Result of {name}() was larger than max_allowed_packet (67108864) - truncated");
        assert_eq!(c.lines("SHOW WARNINGS").await, [format!("Warning 1301 {text}")], "{call}");
    }
}

#[tokio::test]
async fn weights_are_shown() {
    let (_node, mut c) = Node::with_database().await;
    for (value, weights) in
        [("'aB '", "004100420020"), ("'aB' COLLATE utf8mb4_bin", "000061000042"), ("x'6162'", "6162"), ("NULL", "NULL")]
    {
        assert_eq!(c.value(&format!("SELECT HEX(WEIGHT_STRING({value}))")).await, weights, "{value}");
    }
}
