//! Thousands of tables, hundreds of databases.

use crate::node::Node;
use crate::{Outcome, setting};
use mysql::prelude::Queryable;
use std::time::Instant;

pub fn run() -> Outcome {
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut node = Node::new(0, directory.path());
    println!("empty: starts in {:?}", node.start()?);
    let failed = |e: mysql::Error| e.to_string();
    let mut client = node.connect().map_err(failed)?;
    client.query_drop("CREATE DATABASE d").map_err(failed)?;
    let (tables, databases) = (setting("TABLES", 5_000), setting("DATABASES", 200));
    let part = (tables / 10).max(1);
    let (mut since, mut processor) = (Instant::now(), node.processor_ms());
    for n in 1..=tables {
        let sql = format!("CREATE TABLE d.t{n}(id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(40), KEY(a))");
        client.query_drop(sql).map_err(failed)?;
        if n % part == 0 {
            let each = |ms: f64| ms / part as f64;
            let (took, ms) = (since.elapsed().as_secs_f64() * 1000.0, (node.processor_ms() - processor) as f64);
            println!(
                "{n} tables: the last {part} took {:.1} ms each, {:.1} of a processor; {}",
                each(took),
                each(ms),
                node.sizes()
            );
            (since, processor) = (Instant::now(), node.processor_ms());
        }
    }
    for n in 1..=databases {
        client.query_drop(format!("CREATE DATABASE d{n}")).map_err(failed)?;
        client.query_drop(format!("CREATE TABLE d{n}.t(id INT PRIMARY KEY, a INT)")).map_err(failed)?;
    }
    let ms = node.processor_ms() - processor;
    println!(
        "{databases} databases more, with a table each, in {:?}, {ms} ms of a processor; {}",
        since.elapsed(),
        node.sizes()
    );
    look(&node)?;
    node.stop()?;
    println!("starts again in {:?}, {} ms of a processor; {}", node.start()?, node.processor_ms(), node.sizes());
    look(&node)?;
    println!("most memory: {} MB", node.peak_mb());
    node.stop()?;
    for name in ["d.db", "marmot.db"] {
        let bytes = std::fs::metadata(node.data().join(name)).map_or(0, |m| m.len());
        println!("{name}: {} MB", bytes >> 20);
    }
    Ok(())
}

fn look(node: &Node) -> Outcome {
    let failed = |e: mysql::Error| e.to_string();
    let mut client = node.connect().map_err(failed)?;
    for sql in [
        "INSERT INTO d.t1(a) VALUES(1)",
        "SHOW TABLES FROM d",
        "SHOW DATABASES",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.columns WHERE table_schema = 'd' AND table_name = 't7'",
        "SHOW CREATE TABLE d.t7",
        "ALTER TABLE d.t7 ADD COLUMN c INT",
        "ALTER TABLE d.t7 DROP COLUMN c",
    ] {
        let since = Instant::now();
        client.query_drop(sql).map_err(failed)?;
        println!("   {:>9.1?}  {sql}", since.elapsed());
    }
    Ok(())
}
