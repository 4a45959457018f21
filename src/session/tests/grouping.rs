//! ONLY_FULL_GROUP_BY and what is kept of equal rows (manual, "MySQL Handling of GROUP BY").

use super::*;

async fn with_tables() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(9), u INT NOT NULL, n INT, UNIQUE (u), UNIQUE (n), \
         g INT AS (n + 1) VIRTUAL)")
        .await;
    c.ok("CREATE TABLE c (id INT PRIMARY KEY, p INT, amount INT)").await;
    c.ok("INSERT INTO p (id, name, u, n) VALUES (1, 'a', 1, 1), (2, 'b', 2, NULL)").await;
    c.ok("INSERT INTO c VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5)").await;
    (node, c)
}

#[tokio::test]
async fn what_a_group_determines_may_be_shown() {
    let (_node, mut c) = with_tables().await;
    for query in [
        "SELECT p, SUM(amount) FROM c GROUP BY p",
        "SELECT c.p + 1, SUM(amount) FROM c GROUP BY p",
        "SELECT p + 1, SUM(amount) FROM c GROUP BY p + 1",
        "SELECT p + 1 AS q, SUM(amount) AS s FROM c GROUP BY q HAVING s > 1 ORDER BY q, s, SUM(amount)",
        "SELECT p, SUM(amount) FROM c GROUP BY 1 ORDER BY p",
        "SELECT * FROM p GROUP BY id",
        "SELECT name, g FROM p GROUP BY u",
        "SELECT p.*, SUM(amount) FROM p JOIN c ON c.p = p.id GROUP BY p.id ORDER BY p.name",
        "SELECT p.name, SUM(amount) FROM p, c WHERE c.p = p.id GROUP BY c.p",
        "SELECT p.name, c.p, COUNT(*) FROM c LEFT JOIN p ON p.id = c.p GROUP BY c.p",
        "SELECT c.amount, p.id FROM p LEFT JOIN c ON c.id = p.id GROUP BY p.id",
        "SELECT amount, p FROM c WHERE amount = 10 GROUP BY p",
        "SELECT id, MAX(amount) FROM c WHERE id = 1",
        "SELECT ANY_VALUE(amount), p FROM c GROUP BY p",
        "SELECT p, SUM(SUM(amount)) OVER (ORDER BY p) FROM c GROUP BY p",
        "SELECT p, (SELECT name FROM p q WHERE q.id = c.p) FROM c GROUP BY p",
        "SELECT CASE WHEN p > 1 THEN 'x' ELSE 'y' END k, COUNT(*) FROM c GROUP BY CASE WHEN p > 1 THEN 'x' ELSE 'y' END",
        "SELECT name, COUNT(*) FROM p JOIN c USING (id) GROUP BY id",
        "SELECT 1 + 1, COUNT(*), NOW() > '2000-01-01' FROM c",
        "SELECT DISTINCT p FROM c ORDER BY p, p + 1",
        "SELECT x.a, x.b FROM (SELECT p AS a, amount AS b FROM c) x GROUP BY x.a",
    ] {
        c.rows(query).await;
    }
}

#[tokio::test]
async fn anything_else_is_refused_while_the_mode_is_on() {
    let (_node, mut c) = with_tables().await;
    let e = c.error("SELECT p, amount FROM c GROUP BY p").await;
    let message = "Expression #2 of SELECT list is not in GROUP BY clause and contains nonaggregated column 'd.c.amount' \
                   which is not functionally dependent on columns in GROUP BY clause; this is incompatible with \
                   sql_mode=only_full_group_by";
    assert_eq!((e.code, &*e.message), (1055, message));
    for (query, code) in [
        ("SELECT * FROM c GROUP BY p", 1055),
        ("SELECT name FROM p GROUP BY n", 1055),
        ("SELECT p FROM c GROUP BY p + 1", 1055),
        ("SELECT p FROM c GROUP BY p ORDER BY amount", 1055),
        ("SELECT p, SUM(amount) OVER (ORDER BY amount) FROM c GROUP BY p", 1055),
        ("SELECT p.name, c.amount FROM p JOIN c ON c.p = p.id GROUP BY p.id", 1055),
        ("SELECT c.p, p.id FROM p LEFT JOIN c ON c.p = p.id GROUP BY c.p", 1055),
        ("SELECT amount, MAX(id) FROM c", 1140),
        ("SELECT COUNT(*), c.* FROM c", 1140),
        ("SELECT DISTINCT p FROM c ORDER BY amount", 3065),
    ] {
        assert_eq!(c.code(query).await, code, "{query}");
    }
    c.ok("SET sql_mode = 'STRICT_TRANS_TABLES'").await;
    assert_eq!(c.rows("SELECT p, amount FROM c GROUP BY p").await.len(), 2);
}

#[tokio::test]
async fn of_equal_rows_the_first_is_kept() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.lines("SELECT 'a' UNION SELECT 'A' UNION SELECT 'b'").await, ["a", "b"]);
    assert_eq!(
        c.lines("SELECT 'a' AS x UNION SELECT 'A' UNION ALL SELECT 'A' ORDER BY x DESC LIMIT 5").await,
        ["a", "A"]
    );
    assert_eq!(
        c.lines("WITH RECURSIVE n AS (SELECT 'a' AS x UNION SELECT UPPER(x) FROM n) SELECT * FROM n").await,
        ["a"]
    );
    assert_eq!(c.value("SELECT 1 = ALL ((SELECT 1) UNION (SELECT 1))").await, "1");
    assert_eq!(c.value("SELECT 1 > ANY ((SELECT 0) UNION (SELECT 5) ORDER BY 1)").await, "1");
}
