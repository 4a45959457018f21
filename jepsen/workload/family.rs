//! Foreign keys: children are born while their parents are deleted. No child is left without its parent.

use super::{Turn, Workload, done, pairs};
use crate::check::{Report, elements, keys};
use crate::edn::Edn;
use crate::history::Operation;
use rand::RngExt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Children and deletions go for one of so many youngest parents.
const YOUNGEST: i64 = 6;

#[derive(Default)]
pub struct Family {
    parents: AtomicI64,
    children: AtomicI64,
}

impl Workload for Family {
    fn name(&self) -> &'static str {
        "foreign-keys"
    }

    fn about(&self) -> &'static str {
        "children inserted while parents are deleted, RESTRICT and CASCADE; no orphans, no lost child"
    }

    fn schema(&self) -> Vec<String> {
        let child = |name, action| {
            format!(
                "CREATE TABLE {name} (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL, \
                 FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE {action})"
            )
        };
        let parents = "CREATE TABLE parents (id BIGINT PRIMARY KEY)".to_string();
        vec![parents, child("kept", "RESTRICT"), child("taken", "CASCADE")]
    }

    fn step(&self, turn: &mut Turn) {
        let newest = self.parents.load(Ordering::Relaxed);
        let parent = (newest - turn.dice.random_range(0..YOUNGEST)).max(0);
        match turn.dice.random_range(0..10) {
            0..3 => {
                let parent = self.parents.fetch_add(1, Ordering::Relaxed) + 1;
                let sql = format!("INSERT INTO parents (id) VALUES ({parent})");
                turn.act("parent", parent, |session| done(session.autocommit(&sql)));
            }
            3..6 => {
                let child = self.children.fetch_add(1, Ordering::Relaxed);
                let sql = format!("INSERT INTO kept (id, parent) VALUES ({child}, {parent})");
                turn.act("add", child, |session| done(session.autocommit(&sql)));
            }
            6..8 => {
                let child = self.children.fetch_add(1, Ordering::Relaxed);
                let sql = format!("INSERT INTO taken (id, parent) VALUES ({child}, {parent})");
                turn.act("child", (child, parent), |session| done(session.autocommit(&sql)));
            }
            _ => {
                let sql = format!("DELETE FROM parents WHERE id = {parent}");
                turn.act("delete", parent, |session| done(session.autocommit(&sql)));
            }
        }
    }

    fn finish(&self, turn: &mut Turn) {
        let orphans = |table| {
            format!("SELECT c.id, c.parent FROM {table} c LEFT JOIN parents p ON p.id = c.parent WHERE p.id IS NULL")
        };
        for table in ["kept", "taken"] {
            turn.act("orphans", Edn::Nil, |session| pairs(session, &orphans(table)));
        }
        turn.act("final", Edn::Nil, |session| Ok(session.ints("SELECT id FROM kept")?.into_iter().collect()));
    }

    fn check(&self, history: &[Operation]) -> Report {
        let mut report = keys::orphans(history);
        report.merge(elements::judge(history));
        report
    }
}
