//! Prepared statements of both protocols.

use super::*;

#[tokio::test]
async fn prepared_statements_are_executed_with_values() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))").await;
    let insert = c.session.prepare(StatementId(1), b"INSERT INTO t VALUES (?, ?)").await.expect("it parses");
    assert_eq!((insert.parameters, insert.columns.len()), (2, 0));
    for (id, v) in [(1, "a"), (2, "b")] {
        let done = c.execute(1, &[Value::Int(id), Value::text(v)]).await;
        assert!(matches!(done, Recorded::Ok(Completion { affected_rows: 1, .. })), "{done:?}");
    }
    let select = c.session.prepare(StatementId(2), b"SELECT v FROM t WHERE id = ?").await.expect("it parses");
    assert_eq!((select.parameters, &*select.columns[0].name), (1, "v"));
    let found = c.execute(2, &[Value::Int(2)]).await;
    assert!(matches!(&found, Recorded::Rows { rows, .. } if rows == &[vec![Some("b".to_string())]]), "{found:?}");
    let wrong = c.execute(2, &[]).await;
    assert!(matches!(&wrong, Recorded::Error(e) if e.code == 1210), "{wrong:?}");
    c.session.close(StatementId(2));
    let gone = c.execute(2, &[Value::Int(2)]).await;
    assert!(matches!(&gone, Recorded::Error(e) if e.code == 1243), "{gone:?}");
    assert_eq!(c.session.prepare(StatementId(3), b"SELEKT").await.map_err(|e| e.code), Err(1064));
    assert_eq!(c.session.prepare(StatementId(3), b"SELECT 1; SELECT 2").await.map_err(|e| e.code), Err(1064));
}

#[tokio::test]
async fn a_prepared_statement_survives_schema_changes_and_use() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.session.prepare(StatementId(1), b"SELECT * FROM t").await.expect("it parses");
    c.ok("ALTER TABLE t ADD COLUMN v INT NOT NULL DEFAULT 3").await;
    c.ok("CREATE DATABASE e").await;
    c.ok("USE e").await;
    let found = c.execute(1, &[]).await;
    assert!(
        matches!(&found, Recorded::Rows { rows, .. } if rows == &[vec![Some("1".to_string()), Some("3".into())]]),
        "{found:?}"
    );
}

#[tokio::test]
async fn sql_prepare_execute_deallocate() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("SET @a = 40, @b = 2").await;
    c.ok("PREPARE add_up FROM 'SELECT ? + ?'").await;
    assert_eq!(c.value("EXECUTE add_up USING @a, @b").await, "42");
    assert_eq!(c.code("EXECUTE add_up USING @a").await, 1210);
    c.ok("SET @text = 'SELECT @a'").await;
    c.ok("PREPARE add_up FROM @text").await;
    assert_eq!(c.value("EXECUTE add_up").await, "40");
    c.ok("DEALLOCATE PREPARE add_up").await;
    assert_eq!(c.code("EXECUTE add_up").await, 1243);
}

#[tokio::test]
async fn reset_forgets_and_rolls_back() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.session.prepare(StatementId(1), b"SELECT 1").await.expect("it parses");
    c.ok("SET @a = 1, wait_timeout = 5").await;
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.session.reset_connection().await.expect("always");
    assert!(!c.in_transaction());
    assert_eq!(c.value("SELECT COUNT(*), @a, @@wait_timeout FROM t").await, "0 NULL 28800");
    assert_eq!(c.value("SELECT DATABASE()").await, "d");
    assert!(matches!(c.execute(1, &[]).await, Recorded::Error(e) if e.code == 1243));
    let login = Login { user: "ann".into(), ..c.login.clone() };
    c.session.change_user(&login).await.expect("no database was named");
    assert_eq!(c.value("SELECT USER(), DATABASE()").await, "ann@localhost NULL");
}

#[tokio::test]
async fn statements_are_prepared_from_and_run_with_expressions() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("SET @n = 'T'").await;
    c.ok("PREPARE s FROM CONCAT('SELECT ? + 1 AS ', @n)").await;
    assert_eq!(c.value("EXECUTE s USING 40 + 1").await, "42");
    assert_eq!(c.lines("EXECUTE IMMEDIATE 'SELECT ?, ?' USING 'a', @n").await, ["a T"]);
    assert_eq!(c.code("EXECUTE IMMEDIATE 'SELECT ?'").await, 1210);
    assert_eq!(c.code("PREPARE p FROM 'EXECUTE s USING 1'").await, 1295);
    assert_eq!(c.code("EXECUTE IMMEDIATE 'DEALLOCATE PREPARE s'").await, 1295);
    assert_eq!(c.code("EXECUTE s USING DEFAULT").await, 1235);
}
