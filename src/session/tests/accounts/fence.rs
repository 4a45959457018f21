//! No statement reaches what is Marmot's own, or files.

use super::*;

#[tokio::test]
async fn marmots_own_tables_are_out_of_reach() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("CREATE USER ann IDENTIFIED BY 'x'").await;
    for name in [
        "__marmot_accounts.t",
        "__marmot_accounts.__marmot_catalog",
        "d.__marmot_catalog",
        "d.__marmot_state",
        "d.sqlite_master",
        "d.sqlite_schema",
        "sqlite_master",
        "main.sqlite_master",
        "temp.sqlite_temp_master",
        "pragma_table_info('t')",
        "dbstat",
        "d.sqlite_dbpage",
    ] {
        for sql in [
            format!("SELECT * FROM {name}"),
            format!("SELECT (SELECT COUNT(*) FROM {name})"),
            format!("CREATE VIEW w AS SELECT * FROM {name}"),
            format!("CREATE FUNCTION f() RETURNS INT RETURN (SELECT COUNT(*) FROM {name})"),
            format!("CREATE TABLE x AS SELECT * FROM {name}"),
            format!("INSERT INTO {name} VALUES (1)"),
            format!("UPDATE {name} SET a = 1"),
            format!("DELETE FROM {name}"),
            format!("DROP TABLE {name}"),
            format!("ALTER TABLE {name} ADD COLUMN a INT"),
            format!("TRUNCATE TABLE {name}"),
            format!("SHOW CREATE TABLE {name}"),
            format!("PREPARE s FROM 'SELECT * FROM {}'", name.replace('\'', "''")),
        ] {
            match c.results(&sql).await.pop() {
                // A function is looked into when it is called.
                Some(Recorded::Ok(_)) if sql.starts_with("CREATE FUNCTION") => {
                    assert!(matches!(c.results("SELECT f()").await.pop(), Some(Recorded::Error(_))), "{sql}");
                    c.ok("DROP FUNCTION f").await;
                }
                Some(Recorded::Error(e)) => assert_ne!(e.code, 1105, "{sql}: {}", e.message),
                other => panic!("{sql}: {other:?}"),
            }
        }
    }
    for sql in [
        "CREATE DATABASE __marmot_accounts",
        "CREATE DATABASE __MARMOT_x",
        "USE __marmot_accounts",
        "DROP DATABASE __marmot_accounts",
    ] {
        assert!(matches!(c.code(sql).await, 1008 | 1049 | 1102), "{sql}");
    }
    assert!(!c.lines("SHOW DATABASES").await.iter().any(|d| d.contains("marmot_")));
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name LIKE '\\_\\_marmot%'";
    assert_eq!(c.value(tables).await, "0");
    assert_eq!(c.code("CREATE TABLE __marmot_x (a INT)").await, 1103);
    assert_eq!(c.code("SELECT __marmot_rowid FROM t").await, 1054);
}

#[tokio::test]
async fn sqlites_own_language_is_none_of_ours() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)").await;
    for sql in [
        "ATTACH DATABASE '/etc/passwd' AS x",
        "DETACH DATABASE d",
        "PRAGMA table_info(t)",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/x'",
        "REINDEX t",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('x', 'y')",
        "SELECT sqlite_version()",
        "SELECT randomblob(5)",
        "SELECT zeroblob(1000000000)",
        "SELECT fts3_tokenizer('simple')",
        "SELECT marmot_call('d', 'f')",
        "SELECT marmot_assign('a', 1)",
        "SELECT marmot_row_id()",
        "SELECT marmot_variable('a', 1)",
        "SELECT LOAD_FILE('/etc/passwd')",
        "SELECT * FROM t INTO OUTFILE '/tmp/x'",
        "SELECT 1 INTO DUMPFILE '/tmp/x'",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "INSERT INTO t SELECT 1, edit('x')",
        "CREATE TABLE x (a INT CHECK (load_extension('x') = 1))",
        "CREATE TABLE x (a TEXT DEFAULT (readfile('/etc/passwd')))",
        "CREATE TABLE x (a INT, b TEXT GENERATED ALWAYS AS (marmot_call('d', 'f')))",
    ] {
        match c.results(sql).await.pop() {
            Some(Recorded::Error(e)) => assert!(
                matches!(e.code, 1064 | 1146 | 1235 | 1290 | 1305 | 1370 | 3102 | 3769 | 3814 | 3815),
                "{sql}: {e:?}"
            ),
            // LOAD_FILE() of what may not be read is NULL.
            Some(Recorded::Rows { rows, .. }) => assert_eq!(rows, [[None::<String>]], "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}
