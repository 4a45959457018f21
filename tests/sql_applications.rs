//! What applications send, translated and executed: a blog's statements, a benchmark's, and that indexes serve them.
#![cfg(feature = "shell")]

#[allow(dead_code)] // the other test binary uses the rest of it
mod sql_engine;

use sql_engine::{Engine, check};

#[test]
fn what_a_blog_sends() {
    let mut engine = Engine::new();
    let schema = "
        CREATE TABLE wp_users (
          ID bigint(20) unsigned NOT NULL auto_increment,
          user_login varchar(60) NOT NULL default '',
          user_registered datetime NOT NULL default '0000-00-00 00:00:00',
          PRIMARY KEY  (ID), KEY user_login_key (user_login)
        ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
        CREATE TABLE wp_options (
          option_id bigint(20) unsigned NOT NULL auto_increment,
          option_name varchar(191) NOT NULL default '',
          option_value longtext NOT NULL,
          autoload varchar(20) NOT NULL default 'yes',
          PRIMARY KEY  (option_id), UNIQUE KEY option_name (option_name), KEY autoload (autoload)
        ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
        CREATE TABLE wp_posts (
          ID bigint(20) unsigned NOT NULL auto_increment, post_author bigint(20) unsigned NOT NULL default '0',
          post_date datetime NOT NULL default '0000-00-00 00:00:00', post_title text NOT NULL,
          post_status varchar(20) NOT NULL default 'publish', post_name varchar(200) NOT NULL default '',
          post_type varchar(20) NOT NULL default 'post',
          PRIMARY KEY  (ID), KEY post_name (post_name(191)), KEY type_status_date (post_type,post_status,post_date,ID)
        );
        CREATE TABLE wp_postmeta (
          meta_id bigint(20) unsigned NOT NULL auto_increment, post_id bigint(20) unsigned NOT NULL default '0',
          meta_key varchar(255) default NULL, meta_value longtext,
          PRIMARY KEY  (meta_id), KEY post_id (post_id), KEY meta_key (meta_key(191))
        );
        CREATE TABLE wp_term_relationships (
          object_id bigint(20) unsigned NOT NULL default 0, term_taxonomy_id bigint(20) unsigned NOT NULL default 0,
          term_order int(11) NOT NULL default 0, PRIMARY KEY  (object_id,term_taxonomy_id), KEY term_taxonomy_id (term_taxonomy_id)
        )";
    // WordPress clears the strict modes for its session.
    engine.modes = marmot::sql::Modes::parse("NO_ENGINE_SUBSTITUTION").unwrap();
    engine.run(schema).unwrap();
    check(
        &mut engine,
        &[
            (
                "INSERT INTO `wp_options` (`option_name`, `option_value`, `autoload`) VALUES ('siteurl', 'http://x', 'yes') ON DUPLICATE KEY UPDATE `option_name` = VALUES(`option_name`), `option_value` = VALUES(`option_value`), `autoload` = VALUES(`autoload`)",
                "",
            ),
            (
                "INSERT INTO `wp_options` (`option_name`, `option_value`, `autoload`) VALUES ('siteurl', 'http://y', 'no') ON DUPLICATE KEY UPDATE `option_name` = VALUES(`option_name`), `option_value` = VALUES(`option_value`), `autoload` = VALUES(`autoload`)",
                "",
            ),
            ("SELECT option_value FROM wp_options WHERE option_name = 'SiteURL' LIMIT 1", "http://y"),
            (
                "INSERT IGNORE INTO `wp_options` ( `option_name`, `option_value`, `autoload` ) VALUES ('siteurl', 'z', 'no') /* LOCK */",
                "",
            ),
            (
                "INSERT INTO wp_posts (ID, post_author, post_date, post_title) VALUES (1, 1, '2024-01-05 10:00:00', 'Hello'), (2, 1, '2024-02-05 10:00:00', 'It\\'s \\\"quoted\\\"'), (3, '2', '', 'Bad date')",
                "",
            ),
            ("INSERT INTO wp_postmeta (post_id, meta_key, meta_value) SELECT ID, '_views', ID * 10 FROM wp_posts", ""),
            (
                "SELECT SQL_CALC_FOUND_ROWS  wp_posts.ID FROM wp_posts  WHERE 1=1  AND ((wp_posts.post_type = 'post' AND (wp_posts.post_status = 'publish' OR wp_posts.post_status = 'private')))  ORDER BY wp_posts.post_date DESC LIMIT 0, 2",
                "2\n1",
            ),
            (
                "SELECT p.post_title FROM wp_posts p INNER JOIN wp_postmeta m ON ( p.ID = m.post_id ) WHERE m.meta_key = '_views' AND CAST(m.meta_value AS SIGNED) > '15' GROUP BY p.ID ORDER BY m.meta_value+0 DESC",
                "Bad date\nIt's \"quoted\"",
            ),
            (
                "SELECT YEAR(post_date) AS `year`, MONTH(post_date) AS `month`, count(ID) as posts FROM wp_posts WHERE post_type = 'post' AND post_status = 'publish' GROUP BY YEAR(post_date), MONTH(post_date) ORDER BY post_date DESC",
                "2024|2|1\n2024|1|1\n0|0|1",
            ),
            (
                "SELECT COUNT(NULLIF(`meta_value` LIKE '%\\\"administrator\\\"%', false)), COUNT(*) FROM wp_postmeta",
                "0|3",
            ),
            (
                "UPDATE `wp_posts` SET `post_title` = 'x', `post_author` = 'abc' WHERE `ID` = 1; SELECT post_author FROM wp_posts WHERE ID = 1",
                "0",
            ),
            (
                "INSERT INTO wp_options (option_id, option_name, option_value) VALUES (98, '_t_a', ''), (99, '_t_timeout_a', '5');
                 DELETE a, b FROM wp_options a, wp_options b WHERE a.option_name = '_t_a'
                 AND b.option_name = CONCAT('_t_timeout_', SUBSTRING(a.option_name, 4)) AND b.option_value < 10;
                 SELECT COUNT(*) FROM wp_options WHERE option_id >= 98",
                "0",
            ),
            (
                "SHOW FULL COLUMNS FROM `wp_users` LIKE 'ID'",
                "ID|bigint(20) unsigned|NULL|NO|PRI|NULL|auto_increment|select,insert,update,references|",
            ),
            (
                "SELECT ID, post_name FROM wp_posts WHERE post_name IN ('a','') AND post_type IN ('page','post') ORDER BY FIELD(ID, 3, 1, 2) LIMIT 1",
                "3|",
            ),
            (
                "SELECT t.object_id FROM wp_term_relationships AS t WHERE t.term_taxonomy_id IN (1) AND NOT EXISTS ( SELECT 1 FROM wp_posts WHERE ID = t.object_id )",
                "",
            ),
        ],
    );
}

#[test]
fn what_a_benchmark_sends() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "CREATE TABLE sbtest1(\n  id INTEGER NOT NULL AUTO_INCREMENT,\n  k INTEGER DEFAULT '0' NOT NULL,\n  c CHAR(120) DEFAULT '' NOT NULL,\n  pad CHAR(60) DEFAULT '' NOT NULL,\n  PRIMARY KEY (id)\n) /*! ENGINE = innodb */ ",
                "",
            ),
            ("INSERT INTO sbtest1(k, c, pad) VALUES(1, 'a', 'x'),(2, 'b', 'y'),(3, 'c', 'z'),(4, 'd', 'w')", ""),
            ("CREATE INDEX k_1 ON sbtest1(k)", ""),
            ("SELECT c FROM sbtest1 WHERE id=3", "c"),
            ("SELECT c FROM sbtest1 WHERE id BETWEEN 2 AND 3", "b\nc"),
            ("SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 1 AND 3", "6"),
            ("SELECT c FROM sbtest1 WHERE id BETWEEN 1 AND 3 ORDER BY c", "a\nb\nc"),
            ("SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 1 AND 2 ORDER BY c", "a\nb"),
            (
                "UPDATE sbtest1 SET k=k+1 WHERE id=1; UPDATE sbtest1 SET c='q' WHERE id=1; SELECT k, c FROM sbtest1 WHERE id = 1",
                "2|q",
            ),
            (
                "DELETE FROM sbtest1 WHERE id=4; INSERT INTO sbtest1 (id, k, c, pad) VALUES (4, 9, 'n', 'm'); SELECT * FROM sbtest1 WHERE id = 4",
                "4|9|n|m",
            ),
            ("DROP TABLE IF EXISTS sbtest1", ""),
        ],
    );
}

#[test]
fn indexes_are_used() {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE p (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), at DATETIME, KEY (name), KEY (at));
             CREATE TABLE m (id INT PRIMARY KEY, p BIGINT UNSIGNED NOT NULL, KEY (p))",
        )
        .unwrap();
    for (sql, plan) in [
        ("SELECT * FROM p WHERE id = '5'", "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)"),
        ("SELECT * FROM p WHERE name = 'x'", "SEARCH p USING INDEX"),
        ("SELECT * FROM p WHERE name IN ('x', 'y')", "SEARCH p USING INDEX"),
        ("SELECT * FROM p WHERE at > '2024-1-1' AND at <= NOW()", "SEARCH p USING INDEX"),
        ("SELECT * FROM m WHERE p = 7", "SEARCH m USING COVERING INDEX"),
        ("SELECT m.id FROM p LEFT JOIN m ON m.p = p.id", "SEARCH m USING COVERING INDEX"),
        ("SELECT id FROM p WHERE id IN (SELECT p FROM m WHERE id = 1)", "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)"),
        ("SELECT name FROM p ORDER BY name LIMIT 1", "SCAN p USING COVERING INDEX"),
    ] {
        let actual = engine.explain(sql);
        assert!(actual.contains(plan), "{sql}: {actual}");
    }
}
