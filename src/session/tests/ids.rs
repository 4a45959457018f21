//! AUTO_INCREMENT: time-ordered ids for BIGINT, small ones for narrower columns, LAST_INSERT_ID().

use super::*;

#[tokio::test]
async fn bigint_ids_come_from_the_core_in_blocks() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    node.requests();
    let first = c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id;
    assert_eq!(first, 1 << 40);
    let second = c.ok("INSERT INTO t (v) VALUES (2), (3)").await.last_insert_id;
    assert_eq!(second, first + 1);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, second.to_string());
    let third = c.ok("INSERT INTO t (v) VALUES (4)").await.last_insert_id;
    assert_eq!(third, first + 3, "ids are taken one after the other");
    let leases = node.requests().iter().filter(|r| matches!(r, Request::AutoIds { .. })).count();
    assert_eq!(leases, 1);
    let many: Vec<String> = (0..100).map(|i| format!("({i})")).collect();
    let block = c.ok(&format!("INSERT INTO t (v) VALUES {}", many.join(","))).await;
    assert_eq!(block.affected_rows, 100);
    let range = c.value("SELECT MAX(id) - MIN(id) FROM t WHERE id >= LAST_INSERT_ID() AND v < 64").await;
    assert_eq!(range, "63", "the ids of one statement are consecutive as far as one lease goes");
    assert_eq!(
        c.value("SELECT COUNT(*) FROM t a JOIN t b ON a.v > b.v AND a.id < b.id WHERE a.v > 4 AND b.v > 4").await,
        "0"
    );
    // What is left of the second lease goes on.
    let last = c.value("SELECT MAX(id) FROM t").await;
    assert_eq!(
        c.ok("INSERT INTO t (v) VALUES (4)").await.last_insert_id.to_string(),
        (last.parse::<u64>().unwrap_or(0) + 1).to_string()
    );
}

#[tokio::test]
async fn rows_without_a_key_may_come_by_the_hundred() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (v INT)").await;
    let many: Vec<String> = (0..300).map(|i| format!("({i})")).collect();
    assert_eq!(c.ok(&format!("INSERT INTO t VALUES {}", many.join(","))).await.affected_rows, 300);
    assert_eq!(c.ok("INSERT INTO t SELECT v FROM t").await.affected_rows, 300);
}

#[tokio::test]
async fn sequential_ids_of_bigint_count_from_one_and_keep_apart_from_the_others() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    let time_ordered = c.ok("INSERT INTO t (v) VALUES (0)").await.last_insert_id;
    assert!(time_ordered >= 1 << 40, "{time_ordered}");
    c.ok("SET marmot_auto_id_mode = 'sequential'").await;
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, 1);
    let many: Vec<String> = (0..100).map(|i| format!("({i})")).collect();
    assert_eq!(c.ok(&format!("INSERT INTO t (v) VALUES {}", many.join(","))).await.last_insert_id, 2);
    assert_eq!(c.value("SELECT MAX(id) FROM t WHERE id < 1 << 40").await, "101");
    // An id used by hand, as of a narrower column.
    c.ok("INSERT INTO t VALUES (102, 0), (200, 0)").await;
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, 201);
}

#[tokio::test]
async fn insert_select_gets_as_many_ids_as_it_needs() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE s (v INT PRIMARY KEY)").await;
    let many: Vec<String> = (0..500).map(|i| format!("({i})")).collect();
    c.ok(&format!("INSERT INTO s VALUES {}", many.join(","))).await;
    c.ok("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    assert_eq!(c.ok("INSERT INTO t (v) SELECT v FROM s").await.affected_rows, 500);
    assert_eq!(c.value("SELECT COUNT(DISTINCT id) FROM t").await, "500");
    c.ok("CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    assert_eq!(c.ok("INSERT INTO u (v) SELECT v FROM s").await.affected_rows, 500);
    assert_eq!(c.value("SELECT MIN(id), MAX(id) FROM u").await, "1 500");
}

#[tokio::test]
async fn a_statement_may_need_more_ids_than_the_core_gives_at_once() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE s (v INT)").await;
    let many: Vec<String> = (0..500).map(|i| format!("({i})")).collect();
    assert_eq!(c.ok(&format!("INSERT INTO s VALUES {}", many.join(","))).await.affected_rows, 500);
    c.ok("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    let first = c.ok("INSERT INTO t (v) SELECT v FROM s").await.last_insert_id;
    assert_eq!(c.value("SELECT COUNT(DISTINCT id) FROM t").await, "500");
    assert_eq!(c.value("SELECT MIN(id) FROM t").await, first.to_string());
    c.ok("INSERT INTO t (v) VALUES (1)").await;
    c.ok("INSERT INTO s SELECT v FROM t").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM s").await, "1001");
}

#[tokio::test]
async fn narrow_columns_get_small_ids_without_collisions() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, 1);
    let mut other = node.another().await;
    assert_eq!(other.ok("INSERT INTO t (v) VALUES (2)").await.last_insert_id, 2);
    assert_eq!(c.ok("INSERT INTO t VALUES (NULL, 3), (0, 4)").await.last_insert_id, 3);
    // An id of the block used by hand: the next block is taken.
    c.ok("INSERT INTO t VALUES (5, 5)").await;
    let next = c.ok("INSERT INTO t (v) VALUES (6)").await.last_insert_id;
    assert!(next > 5, "{next}");
    c.ok("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await;
    c.ok("INSERT INTO t VALUES (0, 7)").await;
    assert_eq!(c.value("SELECT id FROM t WHERE v = 7").await, "0");
}

#[tokio::test]
async fn an_exhausted_type_is_an_error() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id TINYINT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    for i in 1..=127 {
        assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, i);
    }
    assert_eq!(c.code("INSERT INTO t (v) VALUES (1)").await, 1467);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "127");
}

#[tokio::test]
async fn the_table_option_is_where_ids_start() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT = 1000").await;
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, 1000);
}

#[tokio::test]
async fn a_lease_survives_conflicts_and_open_transactions() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    c.ok("BEGIN").await;
    node.refuse([node.conflict(), None]);
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1)").await.last_insert_id, 1);
    c.ok("COMMIT").await;
    assert_eq!(c.lines("SELECT id, v FROM t").await, ["1 1"]);
}

#[tokio::test]
async fn tables_without_a_primary_key_have_hidden_ids() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (v INT)").await;
    c.ok("INSERT INTO t VALUES (1), (1), (2)").await;
    assert_eq!(c.lines("SELECT * FROM t ORDER BY v").await, ["1", "1", "2"]);
    assert_eq!(c.ok("DELETE FROM t WHERE v = 1").await.affected_rows, 2);
    let many: Vec<String> = (0..300).map(|i| format!("({i})")).collect();
    assert_eq!(c.ok(&format!("INSERT INTO t VALUES {}", many.join(","))).await.affected_rows, 300);
}

#[tokio::test]
async fn last_insert_id_can_be_set() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.value("SELECT LAST_INSERT_ID(41)").await, "41");
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, "41");
    assert_eq!(c.value("SELECT @@last_insert_id").await, "41");
}

#[tokio::test]
async fn clients_are_told_the_id_of_the_row_that_was_written() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)").await;
    let first = c.ok("INSERT INTO t (k, n) VALUES (1, 1)").await.last_insert_id;
    let second = c.ok("INSERT INTO t (k, n) VALUES (2, 2)").await.last_insert_id;
    let session = second.to_string();
    // Of an upsert that updates: the row's own; LAST_INSERT_ID() stays.
    let upsert = "INSERT INTO t (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)";
    let done = c.ok(upsert).await;
    assert_eq!((done.affected_rows, done.last_insert_id), (2, first));
    let unchanged = c.ok(upsert).await;
    assert_eq!((unchanged.affected_rows, unchanged.last_insert_id), (0, 0));
    assert_eq!(c.ok("INSERT IGNORE INTO t (k, n) VALUES (1, 9)").await.last_insert_id, 0);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, session);
    // Of several rows: the first that was generated and inserted, else the last that was written.
    let mixed = c.ok("INSERT INTO t (k, n) VALUES (1, 3), (3, 3), (4, 4) ON DUPLICATE KEY UPDATE n = VALUES(n)").await;
    assert_eq!(mixed.last_insert_id.to_string(), c.value("SELECT id FROM t WHERE k = 3").await);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, mixed.last_insert_id.to_string());
    let both = c.ok("INSERT INTO t (k, n) VALUES (1, 7), (2, 7) ON DUPLICATE KEY UPDATE n = VALUES(n)").await;
    assert_eq!((both.affected_rows, both.last_insert_id), (4, second));
    assert_eq!(c.ok("INSERT INTO t VALUES (500, 500, 0), (501, 501, 0)").await.last_insert_id, 501);
    assert_eq!(c.ok("REPLACE INTO t VALUES (500, 500, 1)").await.last_insert_id, 500);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, mixed.last_insert_id.to_string());
    // What LAST_INSERT_ID(x) was given.
    let named = "INSERT INTO t (k, n) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), n = 0";
    assert_eq!(c.ok(named).await.last_insert_id, first);
    assert_eq!(c.ok("UPDATE t SET n = LAST_INSERT_ID(77) WHERE k = 1").await.last_insert_id, 77);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, "77");
}

#[tokio::test]
async fn returning_leaves_the_ids_of_its_own_rows() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE)").await;
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t (k) VALUES (1), (2)").await;
    let upsert = "INSERT INTO t (k) VALUES (2), (3) ON DUPLICATE KEY UPDATE k = VALUES(k) RETURNING k";
    assert_eq!(c.lines(upsert).await, ["2", "3"]);
    let third = c.value("SELECT id FROM t WHERE k = 3").await;
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, third);
}

#[tokio::test]
async fn an_id_chosen_by_hand_is_not_met_in_silence() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9))").await;
    c.ok("INSERT INTO t (v) VALUES ('first')").await;
    c.ok("INSERT INTO t VALUES (2, 'by hand'), (3, 'by hand')").await;
    assert_eq!(c.ok("INSERT IGNORE INTO t (v) VALUES ('ignore')").await.affected_rows, 1);
    c.ok("INSERT INTO t VALUES (5, 'by hand')").await;
    assert_eq!(c.ok("REPLACE INTO t (v) VALUES ('replace')").await.affected_rows, 1);
    assert_eq!(c.ok("INSERT INTO t (v) VALUES ('upsert') ON DUPLICATE KEY UPDATE v = 'lost'").await.affected_rows, 1);
    let rows = c.lines("SELECT v, COUNT(*) FROM t GROUP BY v ORDER BY v").await;
    assert_eq!(rows, ["by hand 3", "first 1", "ignore 1", "replace 1", "upsert 1"]);
}
