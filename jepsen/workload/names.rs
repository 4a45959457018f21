//! Several clients claim each name at the same time: one gets it.

use super::{Turn, Workload, done};
use crate::check::{Report, keys};
use crate::edn::Edn;
use crate::history::Operation;
use rand::RngExt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Claims of each name, on average.
const RIVALS: i64 = 4;

#[derive(Default)]
pub struct Names {
    claims: AtomicI64,
}

impl Workload for Names {
    fn name(&self) -> &'static str {
        "unique"
    }

    fn about(&self) -> &'static str {
        "a UNIQUE value claimed through all nodes at once; one row has it, and nobody is refused for nothing"
    }

    fn schema(&self) -> Vec<String> {
        vec!["CREATE TABLE names (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE)".into()]
    }

    fn step(&self, turn: &mut Turn) {
        let id = self.claims.fetch_add(1, Ordering::Relaxed);
        let name = id / RIVALS;
        let sql = format!("INSERT INTO names (id, name) VALUES ({id}, 'name {name}')");
        if turn.dice.random_bool(0.7) {
            turn.act("claim", (name, id), |session| done(session.autocommit(&sql)));
        } else {
            turn.act("claim", (name, id), |session| session.transaction(|session| done(session.autocommit(&sql))));
        }
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final-claims", Edn::Nil, |session| {
            let rows = session.rows("SELECT id, name FROM names")?;
            let pair = |row: &crate::session::Row| -> Option<(i64, i64)> {
                let name = row.get(1)?.as_ref()?.strip_prefix("name ")?.parse().ok()?;
                Some((name, crate::session::number(row, 0)?))
            };
            Ok(rows.iter().filter_map(pair).collect())
        });
    }

    fn check(&self, history: &[Operation]) -> Report {
        keys::claims(history)
    }
}
