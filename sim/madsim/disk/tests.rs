//! The disk itself, tried with SQLite on it.

use super::{Disk, Failure, Loss, seed_sqlite};
use crate::dice::Dice;
use rusqlite::{Connection, OpenFlags};

/// Name and body of each test.
pub const TESTS: &[(&str, fn())] = &[
    ("disk::a_commit_with_full_sync_survives_every_power_loss", full_sync_survives),
    ("disk::without_sync_a_power_loss_takes_commits", lying_disk_loses),
    ("disk::a_deaf_disk_loses_a_checkpoint", deaf_disk_loses),
    ("disk::a_dead_handle_reaches_nothing", dead_handle),
    ("disk::the_end_of_a_process_loses_nothing", process_end),
    ("disk::power_fails_in_the_middle_of_work", power_fails_within),
    ("disk::errors_come_once_and_where_asked_for", one_error),
    ("disk::a_full_disk_refuses_and_recovers", full_disk),
    ("disk::readers_and_a_writer_share_the_index", shared_index),
];

fn disk(seed: u64) -> Disk {
    seed_sqlite(seed);
    Disk::new(&format!("disk-under-test-{seed}"), Dice::new(seed), || 1_700_000_000_000)
}

fn open(disk: &Disk) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs("/t.db", flags, disk.name())?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 7;
         CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)",
    )?;
    Ok(connection)
}

fn insert(connection: &Connection, k: i64) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO t VALUES(?1, zeroblob(700))", [k])
}

fn rows(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("the table can be counted")
}

/// Commits, stops the machine, looks; many times on one disk. How many commits were missing in all.
fn lost_over(disk: &Disk, loss: Loss) -> i64 {
    let (mut expected, mut lost) = (0, 0);
    for round in 0..40 {
        let Ok(connection) = open(disk) else { return lost + expected };
        let found = rows(&connection);
        lost += expected - found;
        expected = found;
        for i in 0..10 {
            insert(&connection, round * 100 + i).expect("nothing is in the way");
            expected += 1;
        }
        disk.stop(loss);
        drop(connection);
        disk.start();
    }
    lost
}

fn full_sync_survives() {
    for (seed, loss) in [(1, Loss::Unsynced), (11, Loss::Torn)] {
        let disk = disk(seed);
        assert_eq!(lost_over(&disk, loss), 0);
        let connection = open(&disk).expect("the file is whole");
        let check: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it can be checked");
        assert_eq!(check, "ok");
    }
}

fn lying_disk_loses() {
    let disk = disk(2);
    disk.set_lying();
    assert!(lost_over(&disk, Loss::Unsynced) > 0);
}

fn deaf_disk_loses() {
    // Whether anything is lost depends on how far the log was overwritten after the last checkpoint.
    let lost = |rows: i64| {
        let disk = disk(20 + rows as u64);
        drop(open(&disk).expect("a new file"));
        disk.set_deaf("/t.db");
        let connection = open(&disk).expect("the file is whole");
        for k in 0..rows {
            insert(&connection, k).expect("nothing is in the way");
        }
        disk.stop(Loss::Unsynced);
        drop(connection);
        disk.start();
        let found = open(&disk).and_then(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)));
        found != Ok(rows)
    };
    assert!((100..120).any(lost));
}

fn dead_handle() {
    let disk = disk(3);
    let connection = open(&disk).expect("a new file");
    connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
    insert(&connection, 1).expect("nothing is in the way");
    disk.stop(Loss::Unsynced);
    assert!(insert(&connection, 2).is_err());
    assert!(open(&disk).is_err(), "a machine without power opens no file");
    disk.start();
    // A close checkpoints and deletes the WAL, if it can.
    let before = disk.digest();
    drop(connection);
    assert_eq!(disk.digest(), before);
    assert_eq!(rows(&open(&disk).expect("what is left can be opened")), 0);
}

fn process_end() {
    let disk = disk(4);
    let connection = open(&disk).expect("a new file");
    connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
    insert(&connection, 1).expect("nothing is in the way");
    disk.stop(Loss::Nothing);
    drop(connection);
    disk.start();
    assert_eq!(rows(&open(&disk).expect("nothing was lost")), 1);
}

fn power_fails_within() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let disk = disk(5);
    let alarms = Arc::new(AtomicUsize::new(0));
    let heard = alarms.clone();
    disk.set_alarm(move || {
        heard.fetch_add(1, Ordering::Relaxed);
    });
    let mut torn = 0;
    for ahead in 0..30 {
        let connection = open(&disk).expect("the file is whole");
        let before = rows(&connection);
        disk.crash_in(ahead, Loss::Torn);
        let mut good = 0;
        while insert(&connection, before + good).is_ok() {
            good += 1;
        }
        drop(connection);
        disk.start();
        let after = rows(&open(&disk).expect("the file is whole"));
        assert!(after == before + good || after == before + good + 1, "{before} + {good} became {after}");
        torn = disk.counts().torn;
    }
    assert_eq!(alarms.load(Ordering::Relaxed), 30);
    assert!(torn > 0, "some write was torn");
}

fn one_error() {
    let disk = disk(6);
    let connection = open(&disk).expect("a new file");
    for failure in [Failure::Sync, Failure::Write] {
        disk.fail_in(failure, 1);
        let failed = (0..4).filter(|i| insert(&connection, *i + 10 * disk.counts().writes as i64).is_err()).count();
        assert_eq!(failed, 1, "{failure:?}");
    }
    assert_eq!(disk.counts().failed, [0, 1, 1]);
}

fn full_disk() {
    let disk = disk(7);
    let connection = open(&disk).expect("a new file");
    disk.set_room(Some(20_000));
    let fitted = (0..100).take_while(|k| insert(&connection, *k).is_ok()).count();
    assert!((1..100).contains(&fitted), "{fitted}");
    assert!(disk.counts().full > 0);
    disk.heal();
    insert(&connection, 1000).expect("there is room again");
    assert_eq!(rows(&connection), fitted as i64 + 1);
}

fn shared_index() {
    let disk = disk(8);
    let writer = open(&disk).expect("a new file");
    let reader = open(&disk).expect("a second handle");
    insert(&writer, 1).expect("nothing is in the way");
    reader.execute_batch("BEGIN").expect("a transaction");
    assert_eq!(rows(&reader), 1);
    insert(&writer, 2).expect("a reader is not in the way");
    assert_eq!(rows(&reader), 1, "a snapshot stays");
    reader.execute_batch("COMMIT; BEGIN IMMEDIATE").expect("a transaction");
    assert!(insert(&writer, 3).is_err(), "one writer at a time");
    reader.execute_batch("COMMIT").expect("the end of it");
    assert_eq!(rows(&reader), 2);
}
