//! Clients that speak another character set than UTF-8 (manual, "Connection Character Sets and Collations").

use super::*;

async fn bytes(c: &mut Client, sql: &[u8]) -> Recorded {
    let mut recording = Recording::new();
    let mut out = recording.writer();
    let outcome = c.session.query(sql, &mut out).await;
    out.finish(outcome);
    recording.results().remove(0)
}

#[tokio::test]
async fn what_a_client_writes_is_kept_as_text() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), b VARBINARY(20))").await;
    let mut western = node.another().await;
    western.ok("SET NAMES latin1").await;
    assert!(matches!(
        bytes(&mut western, b"INSERT INTO t VALUES (1, 'caf\xe9 \x80', _binary'\xe9')").await,
        Recorded::Ok(_)
    ));
    let mut cyrillic = node.another().await;
    cyrillic.ok("SET NAMES 'cp1251'").await;
    assert!(matches!(bytes(&mut cyrillic, b"INSERT INTO t VALUES (2, '\xec\xe8\xf0', NULL)").await, Recorded::Ok(_)));
    cyrillic.session.prepare(StatementId(1), b"INSERT INTO t VALUES (3, ?, NULL)").await.expect("a plan");
    assert!(matches!(cyrillic.execute(1, &[Value::Blob((*b"\xff").into())]).await, Recorded::Ok(_)));
    let mut japanese = node.another().await;
    japanese.ok("SET NAMES sjis").await;
    assert!(matches!(bytes(&mut japanese, b"INSERT INTO t VALUES (4, '\x83\x5c', NULL)").await, Recorded::Ok(_)));
    assert_eq!(c.lines("SELECT v FROM t ORDER BY id").await, ["café €", "мир", "я", "ソ"]);
    assert_eq!(c.value("SELECT HEX(b) FROM t WHERE id = 1").await, "E9");
    assert_eq!(western.value("SELECT CHAR_LENGTH(v) FROM t WHERE id = 1").await, "6");
    assert_eq!(western.value("SELECT @@character_set_results").await, "latin1");
    assert!(matches!(bytes(&mut japanese, b"SELECT '\x83'").await, Recorded::Error(e) if e.code == 1300));
    for refused in ["swe7", "dec8", "ucs2", "utf16"] {
        assert_eq!(c.code(&format!("SET NAMES {refused}")).await, 1235, "{refused}");
    }
}

#[tokio::test]
async fn introducers_say_what_bytes_are() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.value("SELECT _latin1 x'E9'").await, "é");
    assert_eq!(c.value("SELECT _cp1251 0xFF = 'я'").await, "1");
    assert_eq!(c.value("SELECT _ucs2 x'00410416'").await, "AЖ");
    assert_eq!(c.value("SELECT _latin1'é'").await, "Ã©", "the bytes that the client sent, read anew");
    assert_eq!(c.value("SELECT _latin1'abc'").await, "abc");
    assert_eq!(c.value("SELECT _cp850'abc'").await, "abc");
    assert_eq!(c.code("SELECT _cp850'é'").await, 1235);
    assert_eq!(c.code("SELECT _euckr x'FF'").await, 1300);
}
