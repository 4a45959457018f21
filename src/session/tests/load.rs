//! LOAD DATA LOCAL (manual, "LOAD DATA Statement").

use super::*;

/// Runs a LOAD DATA LOCAL whose file has this content.
async fn load(c: &mut Client, sql: &str, file: &[u8]) -> Recorded {
    let mut recording = Recording::new();
    let mut out = recording.writer();
    c.session.query(sql.as_bytes(), &mut out).await.expect(sql);
    assert!(out.asks_for_file(), "{sql}");
    let mut recording = Recording::new();
    let mut out = recording.writer();
    let outcome = c.session.file(Ok(file.to_vec()), &mut out).await;
    out.finish(outcome);
    recording.results().remove(0)
}

fn info(recorded: Recorded) -> String {
    match recorded {
        Recorded::Ok(completion) => completion.info,
        other => panic!("{other:?}"),
    }
}

async fn with_table() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(10) DEFAULT 'none', n INT, at DATE)").await;
    c.ok("SET GLOBAL local_infile = 1").await;
    let mut loader = node.connect(CapabilityFlags::CLIENT_LOCAL_FILES).await;
    loader.ok("USE d").await;
    (node, loader)
}

#[tokio::test]
async fn rows_of_a_file_are_inserted() {
    let (_node, mut c) = with_table().await;
    let plain =
        load(&mut c, "LOAD DATA LOCAL INFILE 'x.tsv' INTO TABLE t", b"1\ta\t10\t2024-01-02\n2\t\\N\t20\t\\N\n").await;
    assert_eq!(info(plain), "Records: 2  Deleted: 0  Skipped: 0  Warnings: 0");
    let csv = "LOAD DATA LOCAL INFILE 'x.csv' IGNORE INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' \
               LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES (name, @n, @unused) SET n = @n * 2, at = '2024-05-06'";
    assert_eq!(
        info(load(&mut c, csv, b"name,n,x\r\n\"b, c\",3,y\r\nd,4,z\r\n").await),
        "Records: 2  Deleted: 0  Skipped: 0  Warnings: 0"
    );
    let rows = c.lines("SELECT name, n, at FROM t ORDER BY id").await;
    assert_eq!(rows, ["a 10 2024-01-02", "NULL 20 NULL", "b, c 6 2024-05-06", "d 8 2024-05-06"]);
    assert_eq!(c.value("SELECT COUNT(DISTINCT id) FROM t").await, "4", "each has an id of its own");
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_a_warning() {
    let (_node, mut c) = with_table().await;
    c.ok("INSERT INTO t VALUES (1, 'old', 1, NULL)").await;
    let wrong =
        load(&mut c, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", b"1\tnew\t2\t\\N\n2\n3\tlong long name\tx\tno\t5\n")
            .await;
    assert_eq!(info(wrong), "Records: 3  Deleted: 0  Skipped: 1  Warnings: 5");
    assert_eq!(
        c.lines("SELECT * FROM t ORDER BY id").await,
        ["1 old 1 NULL", "2 none NULL NULL", "3 long long  0 0000-00-00"]
    );
    let replaced = load(&mut c, "LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE t (id, name)", b"1\tnew").await;
    assert_eq!(info(replaced), "Records: 1  Deleted: 1  Skipped: 0  Warnings: 0");
    assert_eq!(c.value("SELECT name FROM t WHERE id = 1").await, "new");
}

#[tokio::test]
async fn the_statements_after_it_go_on() {
    let (node, _) = with_table().await;
    let mut c = node.connect(CapabilityFlags::CLIENT_LOCAL_FILES | CapabilityFlags::CLIENT_MULTI_STATEMENTS).await;
    c.ok("USE d").await;
    let mut recording = Recording::new();
    let mut out = recording.writer();
    c.session
        .query(b"SELECT 1; LOAD DATA LOCAL INFILE 'x' INTO TABLE t; SELECT COUNT(*) FROM t", &mut out)
        .await
        .expect("asked");
    assert!(out.asks_for_file());
    let mut recording = Recording::new();
    let mut out = recording.writer();
    let outcome = c.session.file(Ok(b"7\tx\t1\t\\N".to_vec()), &mut out).await;
    out.finish(outcome);
    assert!(
        matches!(&recording.results()[..], [Recorded::Ok(_), Recorded::Rows { rows, .. }] if rows[0][0].as_deref() == Some("1"))
    );
}

#[tokio::test]
async fn files_are_refused_where_they_may_not_be_read() {
    let (node, mut c) = with_table().await;
    assert_eq!(c.code("LOAD DATA INFILE '/etc/passwd' INTO TABLE t").await, 1290);
    assert_eq!(c.code("SELECT * FROM t INTO OUTFILE '/tmp/x'").await, 1290);
    assert_eq!(c.code("LOAD DATA LOCAL INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ''").await, 1235);
    assert_eq!(c.code("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (nope)").await, 1054);
    assert_eq!(c.code("PREPARE p FROM 'LOAD DATA LOCAL INFILE ''x'' INTO TABLE t'").await, 1295);
    let mut unwilling = node.another().await;
    assert_eq!(unwilling.code("LOAD DATA LOCAL INFILE 'x' INTO TABLE t").await, 3948);
    c.ok("SET GLOBAL local_infile = 0").await;
    assert_eq!(c.code("LOAD DATA LOCAL INFILE 'x' INTO TABLE t").await, 3948);
}
