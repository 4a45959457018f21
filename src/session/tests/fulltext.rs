//! FULLTEXT indexes and MATCH ... AGAINST (manual, "Full-Text Search Functions").

use super::*;

async fn with_articles() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE articles (id INT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, title VARCHAR(200), body TEXT, \
         author VARCHAR(20), FULLTEXT KEY both_of (title, body), KEY a (author))")
        .await;
    c.ok("INSERT INTO articles (id, title, body) VALUES \
         (1, 'MySQL Tutorial', 'This database tutorial ...'), \
         (2, 'How To Use MySQL', 'After you went through a ...'), \
         (3, 'Optimizing Your Database', 'In this database tutorial ...'), \
         (4, 'MySQL vs. YourSQL', 'When comparing databases ...'), \
         (5, 'MySQL Security', 'When configured properly, MySQL ...'), \
         (6, 'Database, Database, Database', 'database database database'), \
         (7, '1001 MySQL Tricks', '1. Never run mysqld as root. 2. ...'), \
         (8, 'MySQL Full-Text Indexes', 'MySQL fulltext indexes use a ..')")
        .await;
    (node, c)
}

#[tokio::test]
async fn rows_are_found_and_ranked() {
    let (_node, mut c) = with_articles().await;
    let ranked = "SELECT id, MATCH (title, body) AGAINST ('database' IN BOOLEAN MODE) AS score FROM articles \
                  ORDER BY score DESC, id LIMIT 4";
    assert_eq!(
        c.lines(ranked).await,
        ["6 1.0886961221694946", "3 0.36289870738983154", "1 0.18144935369491577", "2 0"]
    );
    let found = |search: &str| {
        format!("SELECT GROUP_CONCAT(id ORDER BY id) FROM articles WHERE MATCH (title, body) AGAINST ({search})")
    };
    for (search, ids) in [
        ("'database'", "1,3,6"),
        ("'mysql tutorial' IN NATURAL LANGUAGE MODE", "1,2,3,4,5,7,8"),
        ("'+MySQL -YourSQL' IN BOOLEAN MODE", "1,2,5,7,8"),
        ("'data*' IN BOOLEAN MODE", "1,3,4,6"),
        ("'\"database tutorial\"' IN BOOLEAN MODE", "1,3"),
        ("CONCAT('data', 'base')", "1,3,6"),
        ("'the'", "NULL"),
        ("NULL", "NULL"),
    ] {
        assert_eq!(c.value(&found(search)).await, ids, "{search}");
    }
    c.ok("SET @words = 'security'").await;
    assert_eq!(c.value(&found("@words")).await, "5");
    let best = "SELECT a.id FROM articles a WHERE MATCH (a.body, a.title) AGAINST ('tutorial') > 0.5";
    assert_eq!(c.value(best).await, "1", "the order of the columns does not matter");
    assert_eq!(
        c.ok("UPDATE articles SET author = 'x' WHERE MATCH (title, body) AGAINST ('security')").await.affected_rows,
        1
    );
    assert_eq!(
        c.ok("DELETE FROM articles WHERE MATCH (title, body) AGAINST ('+security' IN BOOLEAN MODE)")
            .await
            .affected_rows,
        1
    );
    assert_eq!(c.value(&found("'security'")).await, "NULL");
}

#[tokio::test]
async fn the_index_is_a_definition_that_is_shown() {
    let (_node, mut c) = with_articles().await;
    let shown = c.rows("SHOW CREATE TABLE articles").await[0][1].clone().unwrap();
    assert!(shown.contains("  KEY `a` (`author`),\n  FULLTEXT KEY `both_of` (`title`,`body`)\n"), "{shown}");
    let rows = c
        .lines(
            "SELECT INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, INDEX_TYPE, NON_UNIQUE FROM information_schema.STATISTICS \
                        WHERE TABLE_NAME = 'articles' AND INDEX_TYPE = 'FULLTEXT'",
        )
        .await;
    assert_eq!(rows, ["both_of 1 title FULLTEXT 1", "both_of 2 body FULLTEXT 1"]);
    c.ok("ALTER TABLE articles DROP KEY both_of, ADD FULLTEXT INDEX (title)").await;
    c.ok("CREATE FULLTEXT INDEX b ON articles (body)").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM articles WHERE MATCH (body) AGAINST ('database')").await, "3");
    assert_eq!(c.value("SELECT COUNT(*) FROM articles WHERE MATCH (title) AGAINST ('database')").await, "2");
    c.ok("DROP INDEX title ON articles").await;
    assert_eq!(c.code("SELECT COUNT(*) FROM articles WHERE MATCH (title) AGAINST ('database')").await, 1191);
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused() {
    let (_node, mut c) = with_articles().await;
    assert_eq!(c.code("SELECT * FROM articles WHERE MATCH (title) AGAINST ('x')").await, 1191);
    assert_eq!(c.code("SELECT * FROM articles WHERE MATCH (title, body) AGAINST (author)").await, 1210);
    assert_eq!(c.code("SELECT * FROM articles WHERE MATCH (title, 'body') AGAINST ('x')").await, 1210);
    assert_eq!(c.code("SELECT * FROM articles WHERE MATCH (title, body) AGAINST ('++x' IN BOOLEAN MODE)").await, 1064);
    assert_eq!(
        c.code("SELECT * FROM articles WHERE MATCH (title, body) AGAINST ('x' WITH QUERY EXPANSION)").await,
        1235
    );
    assert_eq!(c.code("CREATE TABLE b (a INT, FULLTEXT (a))").await, 1283);
    assert_eq!(c.code("CREATE TABLE b (a VARCHAR(9), FULLTEXT (a) WITH PARSER ngram)").await, 1235);
}
