//! How long a node with a large database takes to start. It is stopped, its file made large with SQLite itself, and started
//! again: what it reads until it answers says whether that depends on the size.

use crate::node::Node;
use crate::{Outcome, setting};
use mysql::prelude::Queryable;
use std::time::Instant;

pub fn run() -> Outcome {
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut node = Node::new(0, directory.path());
    node.start()?;
    let failed = |e: mysql::Error| e.to_string();
    let mut client = node.connect().map_err(failed)?;
    client.query_drop("CREATE DATABASE d").map_err(failed)?;
    client.query_drop("CREATE TABLE d.t(id INT PRIMARY KEY, k INT, v LONGBLOB, KEY(k))").map_err(failed)?;
    client.query_drop("INSERT INTO d.t VALUES(0, 0, 'x')").map_err(failed)?;
    drop(client);
    node.stop()?;
    let file = node.data().join("d.db");
    let mut rows = 0u64;
    for megabytes in [0, setting("MEGABYTES", 2_048) / 4, setting("MEGABYTES", 2_048)] {
        let since = Instant::now();
        rows = grow(&file, rows, megabytes * 64).map_err(|e| e.to_string())?;
        let size = std::fs::metadata(&file).map_or(0, |m| m.len()) >> 20;
        println!("{size} MB, made in {:?}", since.elapsed());
        let started = node.start()?;
        let read = node.read_kb();
        println!("   starts in {started:?}, having read {read} kB; {}", node.sizes());
        let mut client = node.connect().map_err(failed)?;
        for sql in ["SELECT COUNT(*) FROM d.t WHERE k = 0", "UPDATE d.t SET v = 'y' WHERE id = 0"] {
            let since = Instant::now();
            client.query_drop(sql).map_err(failed)?;
            println!("   {:>9.1?}  {sql}", since.elapsed());
        }
        drop(client);
        node.stop()?;
    }
    Ok(())
}

/// Adds rows of 16 kB until there are `wanted`; returns how many there are.
fn grow(file: &std::path::Path, rows: u64, wanted: u64) -> rusqlite::Result<u64> {
    if wanted <= rows {
        return Ok(rows);
    }
    let connection = rusqlite::Connection::open(file)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -100000; BEGIN")?;
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         INSERT INTO t SELECT i, i, randomblob(16000) FROM n",
        [rows.max(1).cast_signed() + i64::from(rows > 0), wanted.cast_signed()],
    )?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(wanted)
}
