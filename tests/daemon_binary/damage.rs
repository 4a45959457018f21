//! Database files that are not what their node wrote.

use crate::process::{Daemon, VOTERS, homes, log, rows, wait, wait_or};
use mysql::prelude::Queryable;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const CONTENT: &str = "SELECT COUNT(*), SUM(id), SUM(CRC32(filler)) FROM d.t";

fn fill(node: &Daemon, rows: u32) {
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler VARCHAR(600))");
    node.run(&format!(
        "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         SELECT i, REPEAT(MD5(i), 15) FROM n"
    ));
}

/// Two members with equal data.
fn two(homes: &[PathBuf; 2]) -> (Daemon, Daemon) {
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    fill(&first, 2000);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("the vote", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
    wait("the data", || (content(&second) == content(&first)).then_some(()));
    (first, second)
}

fn content(node: &Daemon) -> Option<Vec<String>> {
    let mut client = node.connect().ok()?;
    client.query::<(u64, i64, u64), _>(CONTENT).ok().map(|rows| rows.iter().map(|row| format!("{row:?}")).collect())
}

/// Ends a node whose files have everything, and leaves behind what `kill -9` does: nobody knows that they are sound.
fn cut_short(node: Daemon, home: &Path) {
    assert!(node.stop().success());
    std::fs::remove_file(home.join("data/marmot.clean")).expect("it stopped cleanly");
}

/// Brings everything into the file itself, and writes nonsense over pages in the middle of it.
fn overwrite(home: &Path, from_page: u64, pages: usize) {
    let path = home.join("data/d.db");
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(file);
    let mut file = std::fs::File::options().write(true).open(&path).expect("it opens");
    file.seek(SeekFrom::Start(from_page * 4096)).expect("it seeks");
    file.write_all(&vec![0x5a; pages * 4096]).expect("it writes");
}

/// The databases put aside; beside each there may be its log and the log's index, as they were.
fn quarantined(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("data/quarantine")).into_iter().flatten().flatten();
    entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| !n.contains("-wal") && !n.contains("-shm"))
        .collect()
}

#[test]
fn a_damaged_file_is_put_aside_and_fetched_and_nothing_the_node_alone_had_is_lost() {
    let (_root, homes) = homes::<2>();
    let (first, second) = two(&homes);
    let (one, other) = (first.ports(), second.ports());
    first.kill();
    let mut client = second.connect().expect("a login");
    client.query_drop("SET marmot_write_consistency = 'ONE'").expect("a level");
    client.query_drop("INSERT INTO d.t VALUES (5000, 'only here')").expect("it needs nobody");
    drop(client);
    second.kill();
    overwrite(&homes[1], 20, 40);

    let mut first = Daemon::launch_on(one, &homes[0], &[]);
    first.wait_until_it_answers(&homes[0]);
    let mut second = Daemon::launch_on(other, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    let kept = quarantined(&homes[1]);
    assert!(kept.len() == 1 && kept[0].starts_with("d.db.corrupt-"), "{kept:?}\n{}", log(&homes[1]));
    assert!(log(&homes[1]).contains("put aside"), "{}", log(&homes[1]));
    let row = "SELECT filler FROM d.t WHERE id = 5000";
    wait("its own row here", || (second.rows(row) == ["only here"]).then_some(()));
    wait("its own row there", || (first.rows(row) == ["only here"]).then_some(()));
    assert_eq!(content(&second), content(&first));
    assert_eq!(second.rows("CHECKSUM TABLE d.t"), first.rows("CHECKSUM TABLE d.t"));
    assert_eq!(second.rows("CHECK TABLE d.t"), ["d.t,check,status,OK"]);
    // The same member, with its vote.
    assert_eq!(first.rows("SELECT id FROM marmot.cluster_nodes WHERE voter = 1 ORDER BY 1"), ["1", "2"]);
    second.run("INSERT INTO d.t VALUES (5001, 'by quorum')");
    wait("the row", || (first.rows("SELECT filler FROM d.t WHERE id = 5001") == ["by quorum"]).then_some(()));
}

#[test]
fn damage_met_by_a_statement_is_healed_without_a_restart_by_hand() {
    let (_root, homes) = homes::<2>();
    let (first, second) = two(&homes);
    let ports = second.ports();
    assert!(second.stop().success());
    // After a clean stop only headers are looked at.
    overwrite(&homes[1], 20, 40);
    let mut second = Daemon::launch_on(ports, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    assert_eq!(quarantined(&homes[1]), [] as [&str; 0], "{}", log(&homes[1]));
    let refused = second.connect().expect("a login").query_drop(CONTENT);
    assert!(refused.is_err(), "damaged pages were read as if they were sound");
    wait("the data", || (content(&second).is_some_and(|c| Some(c) == content(&first))).then_some(()));
    assert_eq!(quarantined(&homes[1]).len(), 1, "{}", log(&homes[1]));
    second.run("INSERT INTO d.t VALUES (5001, 'by quorum')");
}

#[test]
fn a_node_alone_leaves_a_damaged_file_where_it_is_and_says_what_to_do() {
    let (_root, homes) = homes::<1>();
    let only = Daemon::start(&homes[0], &["--node-id", "1"]);
    fill(&only, 2000);
    let ports = only.ports();
    cut_short(only, &homes[0]);
    overwrite(&homes[0], 20, 40);
    let mut again = Daemon::launch_on(ports, &homes[0], &[]);
    assert_eq!(again.ended().code(), Some(1));
    let said = log(&homes[0]);
    assert!(said.contains("d.db") && said.contains("this node is alone") && said.contains(".recover"), "{said}");
    assert!(homes[0].join("data/d.db").exists());
    assert_eq!(quarantined(&homes[0]), [] as [&str; 0]);
}

#[test]
fn a_copy_that_was_cut_off_is_gone_on_with() {
    let (_root, homes) = homes::<2>();
    let config = "[replication]\nsnapshot_max_mb_per_second = 1\n";
    std::fs::write(homes[0].join("m.toml"), config).expect("a file");
    let first = Daemon::start(&homes[0], &["--node-id", "1", "--config", "m.toml"]);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler BLOB)");
    first.run(
        "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         SELECT i, RANDOM_BYTES(1000) FROM n",
    );
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("the vote", || (first.rows(VOTERS) == ["2"]).then_some(()));
    // What is not in the file yet cannot be damaged in it.
    wait("the rows", || (second.rows("SELECT COUNT(*) FROM d.t") == ["5000"]).then_some(()));
    let ports = second.ports();
    cut_short(second, &homes[1]);
    overwrite(&homes[1], 20, 40);
    let received = || std::fs::metadata(homes[1].join("data/incoming/d.db")).map_or(0, |m| m.len());
    for _ in 0..2 {
        let before = received();
        let cut = Daemon::launch_on(ports, &homes[1], &[]);
        let said = || format!("{} of {before} bytes; {}", received(), log(&homes[1]));
        wait_or("a part of it", said, || (received() > before).then_some(()));
        cut.kill();
    }
    let mut second = Daemon::launch_on(ports, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    assert_eq!(log(&homes[0]).matches("making a snapshot").count(), 1, "{}", log(&homes[0]));
    let mut client = second.connect().expect("a login");
    client.query_drop("SET marmot_read_consistency = 'QUORUM'").expect("a level");
    assert_eq!(rows(&mut client, CONTENT), first.rows(CONTENT));
    assert_eq!(quarantined(&homes[1]).len(), 1, "put aside once");
}

/// Rows that are on disk in the write-ahead log alone: short enough that nothing moves it into the file.
fn fill_log(node: &Daemon, home: &Path) {
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler VARCHAR(600))");
    for id in 0..40 {
        node.run(&format!("INSERT INTO d.t VALUES ({id}, REPEAT(MD5({id}), 15))"));
    }
    let registry = rusqlite::Connection::open(home.join("data/marmot.files")).expect("it opens");
    let held = "SELECT value FROM state WHERE item = 'file d'";
    // Positions: the database, the table, the rows.
    wait("the last row to be on disk", || {
        registry.query_row(held, [], |row| row.get::<_, i64>(0)).ok().filter(|held| *held >= 42)
    });
}

fn cut_log(home: &Path) {
    let path = home.join("data/d.db-wal");
    let length = std::fs::metadata(&path).expect("a log").len();
    assert!(length < 1 << 20, "{length} bytes: some of it may be in the file");
    let mut file = std::fs::File::options().write(true).open(&path).expect("it opens");
    file.seek(SeekFrom::Start(length / 2)).expect("it seeks");
    file.write_all(&[0x5a; 5000]).expect("it writes");
}

#[test]
fn a_log_damaged_in_the_middle_costs_no_row_where_there_are_others() {
    let (_root, homes) = homes::<2>();
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("the vote", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
    fill_log(&second, &homes[1]);
    let ports = second.ports();
    second.kill();
    cut_log(&homes[1]);
    let mut second = Daemon::launch_on(ports, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    assert!(log(&homes[1]).contains("its write-ahead log is damaged"), "{}", log(&homes[1]));
    wait("the rows", || (second.rows("SELECT COUNT(*) FROM d.t") == ["40"]).then_some(()));
    assert_eq!(content(&second), content(&first));
}

#[test]
fn a_node_alone_does_not_go_on_without_what_a_damaged_log_had() {
    let (_root, homes) = homes::<1>();
    let only = Daemon::start(&homes[0], &[]);
    fill_log(&only, &homes[0]);
    let ports = only.ports();
    only.kill();
    cut_log(&homes[0]);
    let mut again = Daemon::launch_on(ports, &homes[0], &[]);
    assert_eq!(again.ended().code(), Some(1), "{}", log(&homes[0]));
    let said = log(&homes[0]);
    assert!(said.contains("its write-ahead log is damaged") && said.contains("this node is alone"), "{said}");
}

#[test]
fn all_of_the_data_is_looked_at_on_demand() {
    let (_root, homes) = homes::<1>();
    let only = Daemon::start(&homes[0], &[]);
    fill(&only, 2000);
    let ports = only.ports();
    assert!(only.stop().success());
    let mut sound = Daemon::launch_on(ports, &homes[0], &["--check-data"]);
    sound.wait_until_it_answers(&homes[0]);
    let said = log(&homes[0]);
    assert!(said.contains("checking file 1 of 1") && said.contains("all files are sound"), "{said}");
    assert_eq!(sound.rows("SELECT COUNT(*) FROM d.t"), ["2000"]);
    assert!(sound.stop().success());

    // After a clean stop nobody else would see this, nor a table without a definition.
    overwrite(&homes[0], 20, 40);
    let mut damaged = Daemon::launch_on(ports, &homes[0], &["--check-data"]);
    assert_eq!(damaged.ended().code(), Some(1));
    let said = log(&homes[0]);
    assert!(said.contains("it is damaged") && said.contains("this node is alone"), "{said}");
}

#[test]
fn a_table_that_somebody_took_out_of_the_file_is_missed_on_demand() {
    let (_root, homes) = homes::<1>();
    let only = Daemon::start(&homes[0], &[]);
    fill(&only, 10);
    let ports = only.ports();
    assert!(only.stop().success());
    let file = rusqlite::Connection::open(homes[0].join("data/d.db")).expect("it opens");
    file.execute_batch("DROP TABLE t").expect("it goes");
    drop(file);
    let mut again = Daemon::launch_on(ports, &homes[0], &["--check-data"]);
    assert_eq!(again.ended().code(), Some(1));
    assert!(log(&homes[0]).contains("its catalog: "), "{}", log(&homes[0]));
}
