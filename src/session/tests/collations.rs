//! `marmot_collations = 'mysql'`: texts compare by the declared collation's own rules.

use super::*;

async fn with_rules() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("SET marmot_collations = 'mysql'").await;
    (node, c)
}

#[tokio::test]
async fn columns_compare_by_their_own_collation() {
    let (_node, mut c) = with_rules().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, g VARCHAR(20) COLLATE utf8mb4_general_ci, u VARCHAR(20) COLLATE utf8mb4_unicode_ci, \
          s VARCHAR(20) COLLATE utf8mb4_swedish_ci, n VARCHAR(20) COLLATE utf8mb4_0900_as_cs, b VARCHAR(20) COLLATE utf8mb4_bin)")
        .await;
    c.ok("INSERT INTO t VALUES (1, 'Müller', 'Straße', 'ä', 'é', 'a'), (2, 'mueller', 'strasse', 'a', 'e', 'A'), \
          (3, 'MULLER ', 'Strase', 'z', 'É', 'a ')")
        .await;
    for (condition, ids) in [
        ("g = 'muller'", "1,3"),
        ("g LIKE 'mul%'", "1,3"),
        ("g IN ('MÜLLER', 'x')", "1,3"),
        ("g BETWEEN 'mule' AND 'mullez'", "1,3"),
        ("u = 'STRASSE'", "1,2"),
        ("u LIKE 'straße'", "1"),
        ("s = 'A'", "2"),
        ("s > 'z'", "1"),
        ("n = 'É'", "3"),
        ("n = 'e'", "2"),
        ("b = 'a'", "1,3"),
        ("b LIKE 'a'", "1"),
        ("g = 'muller' COLLATE utf8mb4_bin", ""),
        ("CONCAT(g, '!') = 'MULLER!'", "1"),
        ("STRCMP(g, 'MULLER') = 0", "1,3"),
    ] {
        let found =
            c.value(&format!("SELECT COALESCE(GROUP_CONCAT(id ORDER BY id), '') FROM t WHERE {condition}")).await;
        assert_eq!(found, ids, "{condition}");
    }
    assert_eq!(c.value("SELECT GROUP_CONCAT(id ORDER BY s) FROM t").await, "2,3,1");
    assert_eq!(c.value("SELECT COUNT(DISTINCT g) FROM t").await, "2");
    assert_eq!(c.value("SELECT COUNT(*) FROM (SELECT g FROM t GROUP BY g) x").await, "2");
    assert_eq!(c.value("SELECT ('é' = 'E') + ('é' = 'E' COLLATE utf8mb4_0900_as_ci)").await, "1");
}

#[tokio::test]
async fn unique_keys_are_unique_under_the_collation() {
    let (_node, mut c) = with_rules().await;
    c.ok("CREATE TABLE t (name VARCHAR(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY, mail VARCHAR(40) COLLATE utf8mb4_general_ci, UNIQUE (mail))")
        .await;
    c.ok("INSERT INTO t VALUES ('straße', 'José@example.org')").await;
    assert_eq!(c.error("INSERT INTO t VALUES ('STRASSE ', 'x')").await.code, 1062);
    assert_eq!(c.error("INSERT INTO t VALUES ('y', 'jose@EXAMPLE.org ')").await.code, 1062);
    c.ok("INSERT INTO t VALUES ('strase', 'joze@example.org')").await;
    assert_eq!(c.ok("REPLACE INTO t VALUES ('Strasse', 'new')").await.affected_rows, 2);
    assert_eq!(c.value("SELECT GROUP_CONCAT(name ORDER BY name) FROM t").await, "strase,Strasse");
    c.ok("INSERT INTO t VALUES ('STRASE', 'm') ON DUPLICATE KEY UPDATE mail = 'changed'").await;
    assert_eq!(c.value("SELECT mail FROM t WHERE name = 'Strase'").await, "changed");
    c.ok("UPDATE t SET name = 'Straße' WHERE name = 'strasse'").await;
    c.ok("DELETE FROM t WHERE name = 'STRASSE'").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "1");
}

#[tokio::test]
async fn tables_keep_the_rules_they_were_made_with() {
    let (_node, mut c) = with_rules().await;
    c.ok("CREATE TABLE own (v VARCHAR(20) PRIMARY KEY)").await;
    c.ok("SET marmot_collations = 'portable'").await;
    c.ok("CREATE TABLE plain (v VARCHAR(20) PRIMARY KEY)").await;
    for table in ["own", "plain"] {
        c.ok(&format!("INSERT INTO {table} VALUES ('é')")).await;
        c.ok(&format!("ALTER TABLE {table} ADD COLUMN w VARCHAR(5), ADD KEY (w)")).await;
    }
    for rules in ["portable", "mysql"] {
        c.ok(&format!("SET marmot_collations = '{rules}'")).await;
        assert_eq!(c.value("SELECT COUNT(*) FROM own WHERE v = 'E'").await, "1", "{rules}");
        assert_eq!(c.value("SELECT COUNT(*) FROM plain WHERE v = 'E'").await, "0", "{rules}");
    }
    assert_eq!(c.error("INSERT INTO own (v) VALUES ('E')").await.code, 1062);
    c.ok("INSERT INTO plain (v) VALUES ('E')").await;
    assert_eq!(c.error("SET marmot_collations = 'klingon'").await.code, 1231);
}
