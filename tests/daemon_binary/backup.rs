//! Backups of a cluster that works, and new clusters that begin with them.

use crate::bucket::Bucket;
use crate::process::{Daemon, VOTERS, command, homes, log, output, wait};
use mysql::prelude::Queryable;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

const SCHEMA: [&str; 13] = [
    "CREATE DATABASE shop",
    "CREATE DATABASE `old books`",
    "CREATE TABLE shop.item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20) NOT NULL UNIQUE, price DECIMAL(8,2) \
     DEFAULT 1.50 COMMENT 'each', kind ENUM('a','b'), KEY by_price (price)) COMMENT 'what is sold'",
    "CREATE TABLE shop.sale (id BIGINT PRIMARY KEY AUTO_INCREMENT, item INT NOT NULL, FOREIGN KEY (item) REFERENCES item (id))",
    "CREATE TABLE shop.audit (name VARCHAR(20))",
    "CREATE TABLE shop.one (id INT PRIMARY KEY)",
    "CREATE TABLE `old books`.other (id INT PRIMARY KEY)",
    "CREATE VIEW shop.dear AS SELECT id, name FROM shop.item WHERE price > 10",
    "CREATE TRIGGER shop.seen AFTER INSERT ON shop.item FOR EACH ROW INSERT INTO shop.audit VALUES (NEW.name)",
    "CREATE PROCEDURE shop.sell (IN what INT) INSERT INTO shop.sale (item) VALUES (what)",
    "CREATE FUNCTION shop.twice (n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
    "CREATE USER clerk IDENTIFIED BY 'p-clerk'",
    "GRANT SELECT ON shop.* TO clerk",
];
const DEFINITIONS: [&str; 8] = [
    "SHOW CREATE TABLE shop.item",
    "SHOW CREATE TABLE shop.sale",
    "SHOW CREATE VIEW shop.dear",
    "SHOW CREATE TRIGGER shop.seen",
    "SHOW CREATE PROCEDURE shop.sell",
    "SHOW CREATE FUNCTION shop.twice",
    "SHOW CREATE USER clerk",
    "SHOW GRANTS FOR clerk",
];

fn cluster(of: &Daemon) -> String {
    format!("127.0.0.1:{}", of.cluster_port)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn with_schema(home: &Path) -> Daemon {
    let daemon = Daemon::start(home, &["--node-id", "1"]);
    SCHEMA.iter().for_each(|sql| daemon.run(sql));
    daemon.run("INSERT INTO shop.item (name, price, kind) VALUES ('cup', 2, 'a'), ('chair', 20, 'b')");
    daemon.run("CALL shop.sell(1)");
    daemon
}

/// What each definition looks like, without the columns that say where the asking client comes from.
fn definitions(daemon: &Daemon) -> Vec<String> {
    DEFINITIONS.iter().flat_map(|sql| daemon.rows(sql)).collect()
}

/// The account that the old cluster made gets in, and may do what it might.
fn assert_reads_only(daemon: &Daemon) {
    assert!(daemon.connect_as("clerk", "wrong").is_err(), "a wrong password");
    let mut clerk = daemon.connect_as("clerk", "p-clerk").expect("the account");
    clerk.query_drop("SELECT * FROM shop.item").expect("it may read");
    let refused = clerk.query_drop("INSERT INTO shop.one VALUES (0)").expect_err("it may not write");
    assert!(refused.to_string().contains("1142"), "{refused}");
}

fn count(file: &Path, sql: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = rusqlite::Connection::open_with_flags(file, flags).expect("an SQLite file");
    connection.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn a_backup_of_a_working_cluster_begins_a_new_one() {
    let (root, homes) = homes::<4>();
    let first = with_schema(&homes[0]);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &cluster(&first)]);
    wait("the vote", || (second.rows(VOTERS) == ["2"]).then_some(()));
    let (stop, to) = (AtomicBool::new(false), root.path().join("monday"));
    let to = to.to_str().expect("a path");
    let (before, taken) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = second.connect().expect("a login");
            let mut id = 0;
            while !stop.load(Ordering::Relaxed) {
                id += 1;
                client.query_drop("BEGIN").expect("it begins");
                client.query_drop(format!("INSERT INTO shop.one VALUES ({id})")).expect("it is written");
                client.query_drop(format!("INSERT INTO `old books`.other VALUES ({id})")).expect("it is written");
                client.query_drop("COMMIT").expect("nothing is in its way");
            }
            id
        });
        let done = || first.rows("SELECT COUNT(*) FROM shop.one")[0].parse::<i64>().expect("a number");
        wait("some writes", || (done() > 20).then_some(()));
        let before = done();
        let taken = output(root.path(), &["backup", to, "--from", &cluster(&first)]);
        let after = done();
        wait("writes that go on", || (done() > after).then_some(()));
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("a writer");
        (before, taken)
    });
    assert!(taken.status.success(), "{}", said(&taken));
    // Plain files, as of one moment that is not before the command.
    let files =
        ["shop.db", "old@0020books.db", "marmot.files", "__marmot_accounts.db"].map(|name| Path::new(to).join(name));
    let ones = count(&files[0], "SELECT count(*) FROM one");
    assert!(ones >= before, "{ones} of {before}");
    assert_eq!(count(&files[1], "SELECT count(*) FROM other"), ones);
    assert!(files.iter().all(|file| file.exists()));
    assert_eq!(std::fs::read_dir(to).expect("a folder").count(), files.len() + 1, "and the manifest, but no key");
    let again = output(root.path(), &["backup", to, "--from", &cluster(&first)]);
    assert!(again.status.code() == Some(1) && said(&again).contains("is not empty"), "{}", said(&again));

    let old = output(&homes[2], &["restore", to, "--data-dir", "data", "--node-id", "2"]);
    assert!(old.status.code() == Some(1) && said(&old).contains("belonged to the old cluster"), "{}", said(&old));
    let restored = output(&homes[2], &["restore", to, "--data-dir", "data"]);
    assert!(restored.status.success(), "{}", said(&restored));
    let again = output(&homes[2], &["restore", to, "--data-dir", "data"]);
    assert!(again.status.code() == Some(1) && said(&again).contains("is not empty"), "{}", said(&again));
    let third = Daemon::start(&homes[2], &[]);
    assert_eq!(definitions(&third), definitions(&first));
    assert_eq!(third.rows("SELECT COUNT(*) FROM shop.one"), [ones.to_string()]);
    assert_eq!(third.rows("SELECT name FROM shop.dear"), ["chair"]);
    assert_reads_only(&third);
    let nodes = third.rows("SELECT state, voter FROM marmot.cluster_nodes WHERE id IN (1, 2)");
    assert_eq!(nodes, ["REMOVED,0", "REMOVED,0"], "the old cluster's nodes are none of the new one's");
    // It is written to as before, and others join it, although its log has nothing of what there was.
    third.run("INSERT INTO shop.item (name) VALUES ('lamp')");
    third.run("CALL shop.sell(shop.twice(1))");
    let fourth = Daemon::start(&homes[3], &["--seeds", &cluster(&third)]);
    wait("the vote", || (fourth.rows(VOTERS) == ["2"]).then_some(()));
    assert_reads_only(&fourth);
    fourth.run("ALTER TABLE shop.item ADD COLUMN note TEXT");
    fourth.run("INSERT INTO shop.item (name, note) VALUES ('shelf', 'new')");
    let shelf = "SELECT COUNT(*) FROM shop.item WHERE name = 'shelf'";
    wait("the new row", || (third.rows(shelf) == ["1"]).then_some(()));
    for sql in [
        "SELECT name, price, note FROM shop.item ORDER BY id",
        "SELECT * FROM shop.audit",
        "SELECT item FROM shop.sale",
    ] {
        wait(sql, || (third.rows(sql) == fourth.rows(sql)).then_some(()));
    }
    assert_eq!(third.rows("SELECT name FROM shop.audit ORDER BY name"), ["chair", "cup", "lamp", "shelf"]);
    assert_eq!(first.rows("SELECT COUNT(*) FROM shop.item"), ["2"], "the old cluster goes on by itself");
    let ids = fourth.rows("SELECT COUNT(DISTINCT id), COUNT(*) FROM shop.item");
    assert_eq!(ids, ["4,4"]);
}

#[test]
fn what_is_damaged_or_cut_off_is_no_backup() {
    let (root, homes) = homes::<2>();
    let config = "[replication]\nsnapshot_max_mb_per_second = 4\n";
    std::fs::write(homes[0].join("m.toml"), config).expect("a file");
    let first = Daemon::start(&homes[0], &["--config", "m.toml"]);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler BLOB)");
    first.run(
        "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 14000) \
         SELECT i, RANDOM_BYTES(1024) FROM n",
    );
    let (cut, whole) = (root.path().join("cut"), root.path().join("whole"));
    let mut half = command(root.path());
    half.args(["backup", "cut", "--from", &cluster(&first)]).stderr(Stdio::null());
    let mut half = half.spawn().expect("it starts");
    wait("a part of it", || std::fs::read_dir(&cut).is_ok_and(|mut d| d.next().is_some()).then_some(()));
    half.kill().expect("it runs");
    half.wait().expect("it ended");
    let restore = |from: &str| output(&homes[1], &["restore", from, "--data-dir", "data"]);
    let refused = restore("../cut");
    assert!(refused.status.code() == Some(1) && said(&refused).contains("no whole backup"), "{}", said(&refused));

    let taken = output(root.path(), &["backup", "whole", "--from", &cluster(&first)]);
    assert!(taken.status.success(), "{}", said(&taken));
    let file = whole.join("d.db");
    let mut bytes = std::fs::read(&file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).expect("a file");
    let refused = restore("../whole");
    assert!(refused.status.code() == Some(1) && said(&refused).contains("'d.db' is damaged"), "{}", said(&refused));
    let left = std::fs::read_dir(homes[1].join("data")).expect("a directory").count();
    assert_eq!(left, 0, "nothing is left of what was refused");
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).expect("a file");
    let restored = restore("../whole");
    assert!(restored.status.success(), "{}", said(&restored));
    assert_eq!(Daemon::start(&homes[1], &[]).rows("SELECT COUNT(*) FROM d.t"), ["14000"]);
    wait("the copies to go", || {
        let names = std::fs::read_dir(homes[0].join("data")).expect("a directory").flatten().map(|e| e.file_name());
        (names.filter(|n| n.to_string_lossy().starts_with("snapshot.")).count() <= 1).then_some(())
    });
    // Nobody without the secret gets a copy.
    let mut stranger = command(root.path());
    stranger
        .args(["backup", "stolen", "--from", &cluster(&first)])
        .env("MARMOT_CLUSTER_SECRET", "a wrong secret indeed");
    let refused = stranger.output().expect("it runs");
    assert!(!refused.status.success() && said(&refused).contains("secret"), "{}", said(&refused));
}

#[test]
fn a_backup_of_nodes_with_tls_takes_their_secret() {
    let (_root, homes) = homes::<2>();
    std::fs::write(homes[0].join("m.toml"), "[cluster]\ncluster_secret = 'known to the nodes only'\n").expect("a file");
    let first = Daemon::start(&homes[0], &["--config", "m.toml"]);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    first.run("INSERT INTO d.t VALUES (7)");
    let backup = ["backup", "../1/backup", "--from", &cluster(&first)];
    let refused = output(&homes[0], &backup);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("demands TLS"), "{}", said(&refused));
    let taken = output(&homes[0], &[&backup[..], &["--config", "m.toml"]].concat());
    assert!(taken.status.success(), "{}", said(&taken));
    let restored = output(&homes[1], &["restore", "backup", "--data-dir", "data"]);
    assert!(restored.status.success(), "{}", said(&restored));
    assert_eq!(Daemon::start(&homes[1], &[]).rows("SELECT id FROM d.t"), ["7"]);
}

#[test]
fn a_backup_goes_to_s3_and_comes_back() {
    let (root, homes) = homes::<2>();
    let first = Daemon::start(&homes[0], &[]);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler BLOB)");
    // More than goes in one request.
    first.run(
        "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 14000) \
         SELECT i, RANDOM_BYTES(1024) FROM n",
    );
    let bucket = Bucket::start("backups");
    let run = |directory: &Path, flags: &[&str]| {
        let mut command = command(directory);
        command.env("AWS_ENDPOINT", bucket.endpoint()).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "an-id").env("AWS_SECRET_ACCESS_KEY", "very-hidden").env("RUST_LOG", "trace");
        let output = command.args(flags).output().expect("it runs");
        assert!(!said(&output).contains("very-hidden"), "a secret is shown");
        output
    };
    let taken = run(root.path(), &["backup", "s3://backups/of/monday", "--from", &cluster(&first)]);
    assert!(taken.status.success(), "{}", said(&taken));
    assert_eq!(bucket.keys(), ["of/monday/d.db", "of/monday/manifest.json", "of/monday/marmot.files"]);
    assert!(bucket.parts() > 1, "the large file went in parts");
    let again = run(root.path(), &["backup", "s3://backups/of/monday", "--from", &cluster(&first)]);
    assert!(said(&again).contains("has a backup already"), "{}", said(&again));
    let restored = run(&homes[1], &["restore", "s3://backups/of/monday", "--data-dir", "data"]);
    assert!(restored.status.success(), "{}", said(&restored));
    let sum = "SELECT COUNT(*), SUM(CRC32(filler)) FROM d.t";
    assert_eq!(Daemon::start(&homes[1], &[]).rows(sum), first.rows(sum));
}

#[test]
fn the_files_of_the_last_node_begin_a_new_cluster() {
    let (_root, homes) = homes::<5>();
    let first = with_schema(&homes[0]);
    let join = |n: usize| Daemon::start(&homes[n], &["--node-id", &(n + 1).to_string(), "--seeds", &cluster(&first)]);
    let (second, third) = (join(1), join(2));
    wait("the votes", || (third.rows(VOTERS) == ["3"]).then_some(()));
    (1..100).for_each(|id| third.run(&format!("INSERT INTO shop.one VALUES ({id})")));
    let restore = || output(&homes[3], &["restore", "--from-node-dir", "../2/data", "--data-dir", "data"]);
    let refused = restore();
    assert!(refused.status.code() == Some(1) && said(&refused).contains("in use"), "{}", said(&refused));
    let expected = definitions(&third);
    first.kill();
    second.kill();
    third.kill();
    let before = std::fs::read(homes[2].join("data/marmot.redo")).expect("a log");
    let restored = restore();
    assert!(restored.status.success(), "{}", said(&restored));
    assert_eq!(std::fs::read(homes[2].join("data/marmot.redo")).expect("a log"), before, "it is only read");
    let new = Daemon::start(&homes[3], &[]);
    assert_eq!(new.rows("SELECT COUNT(*), MAX(id) FROM shop.one"), ["99,99"]);
    assert_eq!(definitions(&new), expected);
    assert_reads_only(&new);
    new.run("INSERT INTO shop.one VALUES (100)");
    let other = Daemon::start(&homes[4], &["--seeds", &cluster(&new)]);
    wait("the vote", || (other.rows(VOTERS) == ["2"]).then_some(()));
    other.run("INSERT INTO shop.one VALUES (101)");
    wait("the row", || (new.rows("SELECT COUNT(*), MAX(id) FROM shop.one") == ["101,101"]).then_some(()));
    // The last node of the old cluster, should it come back, has no part in it.
    let _old = Daemon::start(&homes[2], &[]);
    new.run("INSERT INTO shop.one VALUES (102)");
    assert!(!log(&homes[3]).contains("panicked"), "{}", log(&homes[3]));
}
