//! DDL through all nodes at once: tables and columns of one name are made by one client, and rows come in meanwhile.

use super::{Turn, Workload, database, done};
use crate::check::{Report, elements, keys};
use crate::edn::Edn;
use crate::history::Operation;
use crate::session::{Row, number};
use rand::RngExt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const RIVALS: i64 = 3;
/// Columns are numbered from here in histories, tables from 0.
const COLUMNS: i64 = 1_000_000;
/// A table with more columns, and a database with more tables, would test other things.
const MOST: i64 = 200;

#[derive(Default)]
pub struct Definitions {
    tables: AtomicI64,
    columns: AtomicI64,
    claims: AtomicI64,
    rows: AtomicI64,
}

impl Workload for Definitions {
    fn name(&self) -> &'static str {
        "ddl"
    }

    fn about(&self) -> &'static str {
        "CREATE TABLE and ADD COLUMN of the same names through all nodes, with inserts; one wins, all nodes agree"
    }

    fn schema(&self) -> Vec<String> {
        vec!["CREATE TABLE base (id BIGINT PRIMARY KEY)".into()]
    }

    fn step(&self, turn: &mut Turn) {
        // Who made it is in its comment.
        let id = self.claims.fetch_add(1, Ordering::Relaxed);
        let draw = turn.dice.random_range(0..10);
        let name = match draw {
            0..2 => self.tables.fetch_add(1, Ordering::Relaxed) / RIVALS,
            2..4 => self.columns.fetch_add(1, Ordering::Relaxed) / RIVALS,
            _ => MOST,
        };
        if name >= MOST {
            let row = self.rows.fetch_add(1, Ordering::Relaxed);
            turn.act("add", row, |session| done(session.autocommit(&format!("INSERT INTO base (id) VALUES ({row})"))));
        } else if draw < 2 {
            let sql = format!("CREATE TABLE t{name} (id BIGINT PRIMARY KEY) COMMENT = '{id}'");
            turn.act("claim", (name, id), |session| done(session.autocommit(&sql)));
            std::thread::sleep(Duration::from_millis(50));
        } else {
            let sql = format!("ALTER TABLE base ADD COLUMN c{name} INT COMMENT '{id}'");
            turn.act("claim", (COLUMNS + name, id), |session| done(session.autocommit(&sql)));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn finish(&self, turn: &mut Turn) {
        let schema = database(self.name());
        let tables = format!(
            "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE 't%'"
        );
        let columns = format!(
            "SELECT column_name, column_comment FROM information_schema.columns \
             WHERE table_schema = '{schema}' AND table_name = 'base' AND column_name LIKE 'c%'"
        );
        turn.act("final-claims", Edn::Nil, |session| {
            let pair = |row: &Row, first: i64| -> Option<(i64, i64)> {
                let name: i64 = row.first()?.as_ref()?.get(1..)?.parse().ok()?;
                Some((first + name, number(row, 1)?))
            };
            let tables = session.rows(&tables)?;
            let columns = session.rows(&columns)?;
            let tables = tables.iter().filter_map(|row| pair(row, 0));
            Ok(tables.chain(columns.iter().filter_map(|row| pair(row, COLUMNS))).collect())
        });
        turn.act("final", Edn::Nil, |session| Ok(session.ints("SELECT id FROM base")?.into_iter().collect()));
    }

    fn check(&self, history: &[Operation]) -> Report {
        let mut report = keys::claims(history);
        report.merge(elements::judge(history));
        report
    }
}
