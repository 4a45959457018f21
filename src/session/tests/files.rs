//! Files of the server: what `secure_file_priv` leaves to statements.

use super::*;
use std::path::Path;

/// A node whose statements may name files below `files`, which is beside `outside`.
async fn fenced() -> (Node, Client, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let files = home.path().canonicalize().expect("it is there").join("files");
    for folder in [&files, &home.path().join("outside")] {
        std::fs::create_dir(folder).expect("an empty directory");
    }
    let node = Node::start_with(&[("secure_file_priv", Value::text(files.display().to_string()))]);
    let mut c = node.connect(CapabilityFlags::empty()).await;
    c.ok("CREATE DATABASE d").await;
    c.ok("USE d").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n DECIMAL(5,2), b BLOB, at DATE)").await;
    (node, c, home)
}

fn path(home: &tempfile::TempDir, name: &str) -> String {
    home.path().join("files").join(name).display().to_string()
}

fn content(home: &tempfile::TempDir, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(path(home, name)).expect("it was written")).into_owned()
}

const ROWS: &str = "INSERT INTO t VALUES (1, 'plain', 1.50, NULL, '2024-01-02'), (2, 'tab\there', -2, x'00ff', NULL), \
                    (3, 'line\nand \\\\', NULL, 'q\"q', NULL)";

#[tokio::test]
async fn rows_are_written_in_mysqls_formats_and_come_back() {
    let (_node, mut c, home) = fenced().await;
    c.ok(ROWS).await;
    let plain = path(&home, "plain");
    assert_eq!(c.ok(&format!("SELECT * FROM t ORDER BY id INTO OUTFILE '{plain}'")).await.affected_rows, 3);
    let written = std::fs::read(&plain).expect("it was written");
    let expected =
        b"1\tplain\t1.50\t\\N\t2024-01-02\n2\ttab\\\there\t-2.00\t\\0\xff\t\\N\n3\tline\\\nand \\\\\t\\N\tq\"q\t\\N\n";
    assert_eq!(written, expected);
    let csv = path(&home, "csv");
    let options = "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES STARTING BY '> ' TERMINATED BY '\\r\\n'";
    c.ok(&format!(
        "SELECT id, v, n INTO OUTFILE '{csv}' CHARACTER SET utf8mb4 {options} FROM t WHERE id <> 2 ORDER BY id"
    ))
    .await;
    assert_eq!(content(&home, "csv"), "> 1,\"plain\",1.50\r\n> 3,\"line\nand \\\\\",\\N\r\n");
    let bare = path(&home, "bare");
    c.ok(&format!("SELECT 1, NULL, 'a,b' INTO OUTFILE '{bare}' FIELDS TERMINATED BY ',' ENCLOSED BY '' ESCAPED BY ''"))
        .await;
    assert_eq!(content(&home, "bare"), "1,NULL,a,b\n");
    let latin = path(&home, "latin");
    c.ok(&format!("SELECT 'é' INTO OUTFILE '{latin}' CHARACTER SET latin1")).await;
    assert_eq!(std::fs::read(&latin).expect("it was written"), b"\xe9\n");
    c.ok("CREATE TABLE u LIKE t").await;
    assert_eq!(c.ok(&format!("LOAD DATA INFILE '{plain}' INTO TABLE u")).await.affected_rows, 3);
    assert_eq!(c.lines("SELECT * FROM t EXCEPT SELECT * FROM u").await, [""; 0]);
    let error = c.error(&format!("LOAD DATA INFILE '{plain}' INTO TABLE u")).await;
    assert_eq!(error.code, 1062, "a file of the server is no reason to pass errors over");
    c.ok(&format!("LOAD DATA INFILE '{csv}' REPLACE INTO TABLE u {options} (id, @v, n) SET v = UPPER(@v)")).await;
    assert_eq!(c.value("SELECT v FROM u WHERE id = 1").await, "PLAIN");
}

#[tokio::test]
async fn one_value_is_dumped_and_loaded() {
    let (_node, mut c, home) = fenced().await;
    c.ok(ROWS).await;
    let dump = path(&home, "dump");
    c.ok(&format!("SELECT v, b FROM t WHERE id = 2 INTO DUMPFILE '{dump}'")).await;
    assert_eq!(std::fs::read(&dump).expect("it was written"), b"tab\there\x00\xff");
    assert_eq!(c.value(&format!("SELECT HEX(LOAD_FILE('{dump}'))")).await, "7461620968657265".to_string() + "00FF");
    c.ok(&format!("UPDATE t SET b = LOAD_FILE('{dump}') WHERE id = 1")).await;
    assert_eq!(c.value("SELECT LENGTH(b) FROM t WHERE id = 1").await, "10");
    let many = path(&home, "many");
    assert_eq!(c.code(&format!("SELECT v FROM t INTO DUMPFILE '{many}'")).await, 1172);
    assert!(!Path::new(&many).exists(), "nothing is left of what failed");
    assert_eq!(c.code("CREATE TABLE g (a INT, b BLOB AS (LOAD_FILE(a)))").await, 3102);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_leads_out_of_the_directory() {
    let (_node, mut c, home) = fenced().await;
    let outside = home.path().join("outside");
    std::fs::write(outside.join("secret"), "1\tx\n").expect("a file");
    std::os::unix::fs::symlink(&outside, home.path().join("files/link")).expect("a link");
    std::os::unix::fs::symlink(outside.join("secret"), home.path().join("files/secret")).expect("a link");
    let names =
        ["link/secret", "secret", "../outside/secret", "link/../../outside/none", "../none"].map(|n| path(&home, n));
    for name in names.iter().map(String::as_str).chain(["relative", "/etc/passwd", ""]) {
        assert_eq!(c.code(&format!("LOAD DATA INFILE '{name}' INTO TABLE t")).await, 1290, "{name}");
        assert_eq!(c.value(&format!("SELECT LOAD_FILE('{name}')")).await, "NULL", "{name}");
    }
    for name in ["link/new", "../new", "../outside/new"].map(|n| path(&home, n)) {
        assert_eq!(c.code(&format!("SELECT 1 INTO OUTFILE '{name}'")).await, 1290, "{name}");
    }
    assert_eq!(c.code(&format!("SELECT 1 INTO OUTFILE '{}'", path(&home, "secret"))).await, 1086);
    assert_eq!(c.code(&format!("SELECT 1 INTO OUTFILE '{}'", path(&home, "none/new"))).await, 1);
    assert_eq!(c.code(&format!("LOAD DATA INFILE '{}' INTO TABLE t", path(&home, "none"))).await, 13);
    assert_eq!(c.code(&format!("LOAD DATA INFILE '{}' INTO TABLE t", path(&home, "."))).await, 1085);
    assert!(!outside.join("new").exists());
    let files = home.path().canonicalize().expect("it is there").join("files");
    assert_eq!(c.value("SELECT @@secure_file_priv").await, files.display().to_string());
}

#[tokio::test]
async fn without_a_directory_there_are_no_files() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT)").await;
    assert_eq!(c.code("LOAD DATA INFILE '/etc/passwd' INTO TABLE t").await, 1290);
    assert_eq!(c.code("SELECT 1 INTO DUMPFILE '/tmp/x'").await, 1290);
    assert_eq!(c.value("SELECT LOAD_FILE('/etc/passwd')").await, "NULL");
    assert_eq!(c.code("SELECT 1 INTO OUTFILE").await, 1064);
    assert_eq!(c.code("SELECT 1 INTO OUTFILE 'x' LINES BY 'y'").await, 1064);
}
